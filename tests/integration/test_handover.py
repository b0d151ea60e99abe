"""The listening sockets handed from the running process to the next one: nobody is refused, nothing is cut."""
import os
import signal
import socket
import struct
import subprocess
import threading

import pytest

from support import h2
from support.gateway import INITIALIZE
from support.load import Counted, KeepAlive, Load, OneShot, Stream, Tally, same
from support.upgrade import all_old_have_ended, end_all, hand_over, start_next, upgrade
from support.upstream import echo
from support.wait import free_port, until

pytestmark = pytest.mark.threads
NEEDS_ROOT = "only root can become another user"


@pytest.fixture
def upgraded(site):
    """A site whose processes hand over; every process it had is judged at the end."""
    yield hand_over(site)
    end_all(site)


def test_the_next_process_takes_the_sockets(upgraded):
    upgraded.start()
    upgraded.accepted(upgraded.post())
    path = os.path.join(upgraded.folder, "handover")
    assert os.stat(path).st_mode & 0o777 == 0o600
    for workers in (3, 1, 2):  # more queues than workers, and fewer
        upgrade(upgraded, workers=workers)
        all_old_have_ended(upgraded)
        for _ in range(8):
            upgraded.accepted(upgraded.post())
        assert upgraded.admin("/readyz")[0] == 200
    until(lambda: upgraded.log().count("listening on an inherited socket") == 3, "a line of each successor")


def stream_or_echo(go):
    """A script: the body says whether it is an event stream, whose second event comes when `go` is set."""
    def script(call):
        if b"stream" not in call.seen.body:
            return echo(call)
        call.open_stream()
        call.event(b"data: 1\n\n")
        go.wait(60)
        call.event(b"data: 2\n\n")
        call.close_stream()
    return script


def test_what_runs_in_the_old_process_ends_as_it_would(upgraded, authority):
    """An event stream goes on; a kept connection is told that its next answer is the last one."""
    go = threading.Event()
    upgraded.upstream.script = stream_or_echo(go)
    upgraded.start()
    with upgraded.connect() as streaming, upgraded.connect() as kept:
        streaming.send(upgraded.post(body=b'{"stream":1}').wire())
        events = streaming.events(streaming.read_head())
        assert next(events) == b"data: 1\n\n"
        kept.send(upgraded.post().wire())
        assert kept.read()["connection"] is None
        upgrade(upgraded)
        kept.send(upgraded.post().wire())
        answer = kept.read()
        assert (answer.status, answer["connection"]) == (200, "close") and kept.is_closed()
        with upgraded.connect() as fresh:
            fresh.send(upgraded.post().wire())
            assert fresh.read()["connection"] is None
        go.set()
        assert list(events) == [b"data: 2\n\n"] and streaming.is_closed()
    all_old_have_ended(upgraded)


def test_http2_is_told_in_two_steps(upgraded, authority):
    """RFC 9113 section 6.8: first a GOAWAY with the highest number, for what is on its way, then the last one taken."""
    certificate, key = authority.leaf("localhost")
    upgraded.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    upgraded.route["resource"] = upgraded.issuer.resource = f"https://{upgraded.authority}/weather/mcp"
    upgraded.start()
    last = []
    with h2.Client(upgraded.port, tls=authority.client("h2")) as client:
        fields = h2.fields_of(upgraded, scheme="https")
        assert client.answer(client.request(fields, INITIALIZE)).status == 200
        upgrade(upgraded)
        while len(last) < 2:
            kind, _, _, payload = client.step()
            if kind == h2.GOAWAY:
                last.append(struct.unpack(">II", payload[:8]))
                if len(last) == 1:
                    assert client.answer(client.request(fields, INITIALIZE)).status == 200
    assert last == [((1 << 31) - 1, h2.NO_ERROR), (3, h2.NO_ERROR)]
    all_old_have_ended(upgraded)


def test_a_signal_does_not_cut_what_was_handed_over(upgraded):
    """The service manager stops the old process: it drains already, and a second signal ends it."""
    go = threading.Event()
    upgraded.upstream.script = stream_or_echo(go)
    upgraded.start()
    with upgraded.connect() as streaming:
        streaming.send(upgraded.post(body=b'{"stream":1}').wire())
        events = streaming.events(streaming.read_head())
        assert next(events) == b"data: 1\n\n"
        upgrade(upgraded)
        upgraded.old[0].send_signal(signal.SIGTERM)
        go.set()
        assert list(events) == [b"data: 2\n\n"]
    all_old_have_ended(upgraded)


# ---- a successor that fails

def goes_on(site):
    """The first process serves, and hands over to a good successor."""
    assert site.process.poll() is None
    for _ in range(4):
        site.accepted(site.post())


def test_the_old_process_goes_on_when_the_next_one_fails(upgraded):
    upgraded.start()
    good = dict(upgraded.settings)
    for changes, why in (({"workers": "many"}, "workers"),
                         ({"user": "no-such-user" if os.geteuid() == 0 else "root"}, "gatehouse: user: "),
                         ({"listen": [{"address": f"127.0.0.1:{free_port()}"}]}, "listens on none of these addresses")):
        failed = start_next(upgraded, **changes)
        assert failed.wait(60) == 1 and why in upgraded.log(), upgraded.log()[-3000:]
        goes_on(upgraded)
        upgraded.settings.clear()
        upgraded.settings.update(good)
    until(lambda: "ended before it was ready; this process goes on" in upgraded.log(), "a word about it")
    upgrade(upgraded)
    all_old_have_ended(upgraded)
    goes_on(upgraded)


@pytest.fixture
def waiting(upgraded):
    """A running process, and a successor that waits for keys which nobody serves."""
    upgraded.start()
    good = upgraded.settings["issuers"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        second = start_next(upgraded, issuers={**good, "silent": {"issuer": url}})
        upgraded.old.append(second)
        until(lambda: "handover: taking the sockets" in upgraded.log(), "the successor")
        silent.settimeout(30)
        silent.accept()[0].close()  # it asks for the keys: all its threads run
        upgraded.settings["issuers"] = good
        yield upgraded, second


def test_a_successor_without_keys_takes_nothing_over(waiting):
    site, second = waiting
    goes_on(site)
    third = start_next(site)
    assert third.wait(60) == 1 and "another process is taking over already" in site.log()
    goes_on(site)
    second.kill()
    second.wait()
    until(lambda: "ended before it was ready; this process goes on" in site.log(), "a word about it")
    goes_on(site)
    upgrade(site)
    goes_on(site)


def test_a_successor_that_is_told_to_end_while_it_waits(waiting):
    site, second = waiting
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0, site.log()[-3000:]
    goes_on(site)


def test_a_successor_serves_when_the_old_process_dies(waiting):
    """Killed in the middle of it: nobody else is left who accepts, keys or not."""
    site, second = waiting
    site.process.kill()
    site.process.wait()
    site.process = second
    until(lambda: "handover: the old process has ended" in site.log(), "its line")
    site.accepted(site.post())
    upgrade(site)
    goes_on(site)


def test_a_successor_that_is_told_to_give_up(upgraded):
    """It was too slow, and the running one serves on: whoever both served would be served by two sets of settings."""
    path = os.path.join(upgraded.folder, "handover")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door, socket.create_server(("127.0.0.1", upgraded.port)) as public:
        door.bind(path)
        door.listen()
        door.settimeout(30)
        second = start_next(upgraded)
        upgraded.old.append(second)
        with door.accept()[0] as session:
            session.settimeout(30)
            session.send(b"gatehouse 1")
            assert session.recv(100) == b"take"
            socket.send_fds(session, [b"last"], [public.fileno(), door.fileno()])
            assert session.recv(100) == b"ready"
            session.send(b"busy")
            assert second.wait(60) == 1
    assert "this took too long; the running process goes on" in upgraded.log()


# ---- others at the door

def ask(site, *words):
    """Speaks with the running process: what it says last, "" for the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(30)
        asking.connect(os.path.join(site.folder, "handover"))
        said = asking.recv(100)
        for word in words:
            asking.send(word)
            said, fds, _, _ = socket.recv_fds(asking, 100, 300)
            for fd in fds:
                os.close(fd)
    return said


def test_whoever_speaks_otherwise_is_left(upgraded):
    upgraded.start()
    for words in ((b"give",), (b"ready",), (b"take ",), (b"take", b"take"), (b"x" * 4096,), (b"take", b"busy")):
        assert ask(upgraded, *words) == b"", words
        goes_on(upgraded)
    assert ask(upgraded) == b"gatehouse 1"
    assert ask(upgraded, b"take") == b"last"
    upgrade(upgraded)
    goes_on(upgraded)


@pytest.mark.skipif(os.geteuid() != 0, reason=NEEDS_ROOT)
def test_another_user_gets_nothing(upgraded):
    """Even where the file's mode lets it in."""
    upgraded.start()
    os.chmod(upgraded.folder, 0o755)
    os.chmod(os.path.join(upgraded.folder, "handover"), 0o777)
    code = ("import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('handover')\n"
            "word = s.recv(100); word and s.send(b'take'); word, fds, _, _ = socket.recv_fds(s, 100, 300); print(word, len(fds))")
    for user, said in ((65534, "b'' 0"), (0, "b'last' 4")):  # two queues, the admin listener, the door
        done = subprocess.run(["python3", "-c", code], cwd=upgraded.folder, user=user, capture_output=True, text=True, check=False)
        assert said in done.stdout, done
    until(lambda: "another user asked for the sockets and gets none" in upgraded.log(), "its line")
    goes_on(upgraded)


# ---- under load

def test_upgrades_under_load_lose_nothing(upgraded):
    go = threading.Event()
    upgraded.upstream.script = stream_or_echo(go)
    upgraded.start()
    tally = Tally()
    raw = upgraded.post().wire()
    streams = [Stream(tally, upgraded.port, upgraded.post(body=b'{"stream":1}').wire(), Counted(2)) for _ in range(4)]
    with Load(tally, [OneShot(tally, upgraded.port, same(raw)) for _ in range(2)] + [KeepAlive(tally, upgraded.port, same(raw)) for _ in range(2)] + streams):
        assert all(stream.open.wait(30) for stream in streams)
        for workers in (3, 2):
            answered = tally.answered
            upgrade(upgraded, workers=workers)
            until(lambda: tally.answered >= answered + 50, "answers after the upgrade")
        go.set()
    assert (tally.refused, tally.failed) == (0, [])
    all_old_have_ended(upgraded)
