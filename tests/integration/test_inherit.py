"""Listening sockets that outlive a process: held by a service manager (LISTEN_FDS), so that kill -9 refuses nobody."""
import os
import signal
import socket
import stat

import pytest

from support.gateway import BINARY
from support.holder import Holder
from support.http1 import Connection
from support.load import KeepAlive, Load, OneShot, Tally, same
from support.wait import free_port, until

pytestmark = pytest.mark.threads


@pytest.fixture
def held(site):
    """Starts the site's binary under a holder of its two sockets; `held(sockets_each=2)` gives each address two queues."""
    holders = []

    def make(admin=None, **options):
        site.write("gatehouse.yaml", site.settings)
        addresses = [("127.0.0.1", site.port), admin or ("127.0.0.1", site.admin_port)]
        holder = Holder([BINARY, "serve", "-c", "gatehouse.yaml"], site.folder, addresses, os.path.join(site.folder, "stderr"), **options)
        holders.append(holder)
        return holder.start()

    yield make
    for holder in holders:
        holder.close()


def is_ready(site):
    return site.admin("/readyz")[0] == 200


def test_sockets_of_the_service_manager_are_used(site, held):
    holder = held()
    until(lambda: is_ready(site), "readiness")
    site.accepted(site.post())
    until(lambda: "listening on an inherited socket" in site.log(), "its line")
    assert "fits no listener" not in site.log()
    assert holder.stop() == 0
    with Connection(site.port) as connection:  # nobody accepts, and nobody is refused
        connection.send(site.post().wire())
        holder.start()
        assert connection.read().status == 200
    assert holder.stop() == 0


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_queue_is_served_whatever_the_number_of_workers(site, held, workers):
    """Three queues of one address: with fewer workers some serve several, with more some share one."""
    site.settings["workers"] = workers
    holder = held(sockets_each=3)
    until(lambda: is_ready(site), "readiness")
    for _ in range(24):  # the kernel spreads them: all pass by each queue with certainty near 1, and none may hang
        assert site.send(site.post()).status == 200
    assert holder.stop() == 0


def test_a_variable_that_says_too_much(site, held):
    """What is behind the sockets is no socket of the manager's, but soon a descriptor of our own."""
    holder = held(claimed=40)
    until(lambda: is_ready(site), "readiness")
    site.accepted(site.post())
    assert holder.stop() == 0


def test_sockets_that_somebody_makes_blocking_again(site, held):
    """The flag is the socket's, not the process's: systemd takes it away from all when it starts another service with them."""
    holder = held()
    until(lambda: is_ready(site), "readiness")
    for shared in holder.sockets:
        shared.setblocking(True)
    for _ in range(4):  # each worker comes to an empty queue
        site.accepted(site.post())
    assert is_ready(site) and holder.stop() == 0


def test_a_socket_that_fits_no_listener_is_told(site, held):
    other = site.settings["listen"][0]["address"]
    site.settings["listen"] = [{"address": f"127.0.0.1:{free_port()}"}]
    holder = held()
    until(lambda: is_ready(site), "readiness")
    line = until(lambda: [line for line in site.log().splitlines() if "fits no listener" in line], "a warning")[0]
    assert other.split(":")[1] in line
    assert holder.stop() == 0


# ---- the admin listener at a unix socket, which is its own user's alone

NOBODY = 65534
NEEDS_ROOT = "only root can become another user"


@pytest.fixture
def admin_path(site):
    path = os.path.join(site.folder, "admin.sock")
    site.settings["admin"]["address"] = f"unix:{path}"
    return path


def status_as(uid, path):
    """The status of /healthz for that user: 0 when the connection is closed without an answer."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            os.chdir(os.path.dirname(path))
            os.setresuid(uid, uid, uid)
            status = asked(os.path.basename(path)) // 100
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) * 100


def asked(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(path)
        try:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
            answer = client.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            return 0
    return int(answer.split()[1]) if answer else 0


def listens(site):
    return os.path.exists(os.path.join(site.folder, "stderr")) and "admin listener" in site.log()


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("mode", [0o666, 0o600])
def test_an_inherited_admin_socket_is_closed_to_others(site, held, admin_path, mode):
    before = os.umask(0o777 & ~mode)
    try:
        holder = held(admin=admin_path)
    finally:
        os.umask(before)
    assert asked(admin_path) == 200
    until(lambda: listens(site), "its line")
    assert mode_of(admin_path) == 0o600
    assert holder.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason=NEEDS_ROOT)
@pytest.mark.parametrize("inherited", [True, False])
def test_another_user_gets_no_answer_from_the_admin_socket(site, held, admin_path, inherited):
    """Whoever widens the mode later does not widen who may ask."""
    os.chmod(site.folder, 0o711)
    holder = held(admin=admin_path) if inherited else site.start(ready=None)
    until(lambda: os.path.exists(admin_path) and listens(site), "admin listener")
    os.chmod(admin_path, 0o666)
    assert status_as(os.geteuid(), admin_path) == 200
    assert status_as(NOBODY, admin_path) == 0  # reason: admin_stranger
    until(lambda: "admin_stranger" in site.log(), "its line")
    assert not inherited or holder.stop() == 0


@pytest.mark.parametrize("name", ["path", "abstract"])
def test_the_service_manager_is_told(site, monkeypatch, name):
    """sd_notify(3): ready when it listens, stopping when it drains; the variable is not passed on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(30)
        at = os.path.join(site.folder, "notify") if name == "path" else f"@gatehouse-test-{os.getpid()}"
        manager.bind(at.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", at)
        site.start(ready=None)
        assert manager.recv(100) == b"READY=1"
        site.accepted(site.post())
        site.process.send_signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert site.process.wait(60) == 0


def test_kill_9_refuses_nobody(site, held):
    """Only what the killed process had accepted may fail: each of those requests began before it was dead."""
    holder = held()
    until(lambda: is_ready(site), "readiness")
    tally = Tally()
    raw = site.post().wire()
    clients = [OneShot(tally, site.port, same(raw)) for _ in range(3)] + [KeepAlive(tally, site.port, same(raw))]
    kills = []
    with Load(tally, clients):
        for _ in range(2):
            answered = tally.answered
            until(lambda: tally.answered >= answered + 20, "answers before the kill")
            kills.append(holder.kill())
            answered = tally.answered
            holder.start()
            until(lambda: tally.answered >= answered + 20, "answers after the kill")
    assert tally.refused == 0
    assert tally.unexplained(kills) == [] and len(tally.failed) <= len(kills) * len(clients), tally.failed
    assert holder.stop() == 0
