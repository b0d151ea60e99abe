"""Sealed sessions over several gateways and endpoints: keys that are shared, rotated and refused, endpoints that go."""
import os
import signal
import threading

import pytest

from support.gateway import Gateway
from support.stateful import Stateful, bare, in_session, start_session
from support.upstream import Upstream
from support.wait import until

pytestmark = pytest.mark.threads

OLD, NEW = "00112233445566778899aabbccddeeff" * 2, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NAME = "mcp.example"


def write_keys(site, *lines, name="sessions.key", mode=0o600):
    path = os.path.join(site.folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
    os.chmod(path, mode)
    site.settings["sessions"] = {"key_file": name}


def reload(site, says="settings reloaded"):
    before = site.log().count(says)
    site.write("gatehouse.yaml", site.settings)
    site.process.send_signal(signal.SIGHUP)
    until(lambda: site.log().count(says) > before, f'"{says}" in the log')


def restart(site):
    site.stop()
    site.start()


def works(site, session):
    sealed, own = session
    answer, seen = site.accepted(in_session(site.post(), sealed))
    assert seen.all("mcp-session-id") == [own] and answer["mcp-session-id"] == sealed


def is_unknown(site, session):
    """Refused without contact; a session of one's own is not."""
    before = site.upstream.bytes
    for request in (in_session(site.post(), session[0]), bare(in_session(site.post(), session[0]), "DELETE")):
        answer = site.send(request)
        assert (answer.status, answer.audit["reason"]) == (404, "session_unknown")
    assert site.upstream.bytes == before
    works(site, start_session(site))


@pytest.fixture
def stateful(site):
    site.upstream.script = Stateful()
    return site


# ---- keys

def test_a_key_made_at_the_start_outlives_reloads_only(stateful):
    session = start_session(stateful.start())
    reload(stateful)
    works(stateful, session)
    restart(stateful)
    is_unknown(stateful, session)


def test_a_key_file_outlives_restarts(stateful):
    write_keys(stateful, OLD)
    session = start_session(stateful.start())
    restart(stateful)
    works(stateful, session)
    stateful.stop()
    del stateful.settings["sessions"]
    stateful.start()
    is_unknown(stateful, session)


def test_keys_rotate_over_reloads(stateful):
    write_keys(stateful, "# of last year", OLD)
    first = start_session(stateful.start())
    write_keys(stateful, OLD, "", NEW)
    reload(stateful)
    works(stateful, first)
    second = start_session(stateful)
    write_keys(stateful, NEW, OLD)
    reload(stateful)
    third = start_session(stateful)
    for session in (first, second, third):
        works(stateful, session)
    write_keys(stateful, NEW)
    reload(stateful)
    works(stateful, third)
    is_unknown(stateful, first)
    is_unknown(stateful, second)
    restart(stateful)
    works(stateful, third)


BAD_FILES = {
    "no key": ([""], 0o600, "no key is there"),
    "a short key": ([OLD[:-2]], 0o600, "line 1: is not 32 bytes in hexadecimal or base64"),
    "a password": ([OLD, "correct horse battery staple"], 0o600, "line 2: is not 32 bytes"),
    "zeros": (["00" * 32], 0o600, "line 1: is no random key"),
    "a key twice": ([NEW, OLD, NEW.rstrip("=")], 0o600, "line 3: stands there twice"),
    "an open file": ([OLD], 0o640, "a file with mode 0640, allowed 0600 or 0400"),
}


@pytest.mark.parametrize("lines, mode, says", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_key_files(stateful, lines, mode, says):
    write_keys(stateful, OLD)
    session = start_session(stateful.start())
    write_keys(stateful, *lines, name="bad.key", mode=mode)
    reload(stateful, says="settings were not reloaded")
    assert says in stateful.log()
    works(stateful, session)
    stateful.stop()
    stateful.start(ready=None)
    assert stateful.process.wait(60) == 1  # settings_invalid
    stateful.process = None
    log = stateful.log()
    assert log.count(says) >= 2 and OLD not in log and NEW not in log


# ---- several endpoints, workers and gateways

@pytest.fixture
def endpoints(upstream):
    """Two servers, each with the sessions it made and no others."""
    two = Upstream(Stateful("two"))
    upstream.script = Stateful("one")
    yield upstream, two
    two.close()


def before_both(site, endpoints, **more):
    site.route["upstream"] = {"urls": [endpoint.url for endpoint in endpoints], **more}
    return site


@pytest.fixture
def spread(site, endpoints):
    return before_both(site, endpoints)


def ask(site, request):
    answer = site.send(request)
    return answer.status, answer.audit["reason"], answer["mcp-session-id"]


def start_many(site, endpoints, count):
    """Sealed id -> the endpoint that made it; both have made some."""
    sessions = {}
    for _ in range(count):
        before = [len(endpoint.script.made) for endpoint in endpoints]
        status, _, sealed = ask(site, site.post())
        assert status == 200
        grown = [e for e, n in zip(endpoints, before) if len(e.script.made) > n]
        assert len(grown) == 1
        sessions[sealed] = grown[0]
    assert len(sessions) == count and set(sessions.values()) == set(endpoints)
    return sessions


def goes_home(site, sealed, home, others):
    seen, elsewhere = len(home.seen), [other.bytes for other in others]
    assert ask(site, in_session(site.post(), sealed)) == (200, "ok", sealed)
    assert len(home.seen) == seen + 1 and [other.bytes for other in others] == elsewhere


def test_any_gateway_serves_any_session(tmp_path, site, issuer, endpoints):
    """Two processes of two workers each that share a key file and a public name behind a load balancer."""
    (tmp_path / "second").mkdir()
    second = Gateway(tmp_path / "second", issuer, site.upstream)
    issuer.resource = f"https://{NAME}/weather/mcp"
    for gateway in (site, second):
        gateway.authority = NAME
        gateway.settings["tenants"]["acme"]["hosts"] = [NAME]
        gateway.route["resource"] = issuer.resource
        before_both(gateway, endpoints)
        write_keys(gateway, OLD)
        gateway.start()
    try:
        # Equals take turns from wherever a worker began: of five requests of one worker both endpoints had some.
        sessions = {**start_many(site, endpoints, 10), **start_many(second, endpoints, 10)}
        for sealed, home in sessions.items():
            for gateway in (site, second) * 3:
                goes_home(gateway, sealed, home, [e for e in endpoints if e is not home])
        assert not endpoints[0].script.strangers + endpoints[1].script.strangers
    finally:
        second.stop()


def test_every_request_of_a_session_goes_home(spread, endpoints):
    for sealed, home in start_many(spread.start(), endpoints, 10).items():
        for method in ("GET", "DELETE"):
            before = len(home.seen)
            assert ask(spread, bare(in_session(spread.post(), sealed), method)) == (200, "ok", sealed)
            assert len(home.seen) == before + 1 and home.seen[-1].method == method
    assert not endpoints[0].script.strangers + endpoints[1].script.strangers


def test_an_endpoint_is_known_by_its_url(spread, endpoints):
    """And not by its place in the list."""
    write_keys(spread, OLD)
    sessions = start_many(spread.start(), endpoints, 10)
    before_both(spread, endpoints[::-1])
    reload(spread)
    for sealed, home in sessions.items():
        goes_home(spread, sealed, home, [e for e in endpoints if e is not home])


def test_an_endpoint_that_is_down_keeps_its_sessions(spread, endpoints):
    """They end with its reason and go nowhere else, also while it is thought to be out; then they go on."""
    before_both(spread, endpoints, eject_after=2)
    sessions = start_many(spread.start(), endpoints, 10)
    one, two = endpoints
    mine = [sealed for sealed, home in sessions.items() if home is one]
    theirs = [sealed for sealed, home in sessions.items() if home is two]
    one.close()
    before = two.bytes
    for sealed in mine * 3:
        for request in (in_session(spread.post(), sealed), bare(in_session(spread.post(), sealed), "GET")):
            assert ask(spread, request)[:2] == (502, "upstream_unreachable")
    assert two.bytes == before
    for sealed in theirs:
        goes_home(spread, sealed, two, [one])
    assert ask(spread, spread.post())[:2] == (200, "ok")  # new sessions begin at the other one
    assert len(two.script.made) == len(theirs) + 1
    one.listen()
    until(lambda: ask(spread, in_session(spread.post(), mine[0]))[0] == 200, "answer of the endpoint that is back")
    for sealed in mine:
        goes_home(spread, sealed, one, [two])


def test_an_endpoint_that_left_the_settings(spread, endpoints):
    sessions = start_many(spread.start(), endpoints, 10)
    one, two = endpoints
    before_both(spread, [two])
    reload(spread)
    before = one.bytes, two.bytes
    for sealed in (sealed for sealed, home in sessions.items() if home is one):
        assert ask(spread, in_session(spread.post(), sealed))[:2] == (404, "session_unknown")
    assert (one.bytes, two.bytes) == before
    for sealed in (sealed for sealed, home in sessions.items() if home is two):
        goes_home(spread, sealed, two, [one])
    before_both(spread, endpoints)
    reload(spread)
    for sealed, home in sessions.items():
        goes_home(spread, sealed, home, [e for e in endpoints if e is not home])


def test_open_streams_outlast_a_change_of_keys(stateful):
    """Their request was let in; only what comes afterwards needs the key."""
    go, script = threading.Event(), stateful.upstream.script

    def stream(call):
        if call.seen.method != "GET":
            script(call)
            return
        call.open_stream()
        call.event(b"data: 1\n\n")
        assert go.wait(60)
        call.event(b"data: 2\n\n")
        call.close_stream()

    stateful.upstream.script = stream
    write_keys(stateful, OLD)
    stateful.start()
    answer, _ = stateful.accepted(stateful.post())
    sealed = answer["mcp-session-id"]
    with stateful.connect() as connection:
        connection.send(bare(in_session(stateful.post(), sealed), "GET").wire())
        events = connection.events(connection.read_head())
        assert next(events) == b"data: 1\n\n"
        write_keys(stateful, NEW)
        reload(stateful)
        assert ask(stateful, in_session(stateful.post(), sealed))[:2] == (404, "session_unknown")
        go.set()
        assert list(events) == [b"data: 2\n\n"]
