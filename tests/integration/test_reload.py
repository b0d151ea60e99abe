"""Settings that change under open streams, and the end of the process under them."""
import copy
import signal
import subprocess
import threading

import pytest

from support.gateway import BINARY
from support.http1 import Broken
from support.reloads import BAD, Reloads
from support.upstream import echo
from support.wait import free_port, until

pytestmark = pytest.mark.threads


def reload(site, applied):
    site.write("gatehouse.yaml", site.settings)
    site.process.send_signal(signal.SIGHUP)
    until(applied, f"new settings; the log says:\n{site.log()[-2000:]}")
    site.read = len(site.audit())


def metadata_names(site, scope):
    answer = site.send(site.post(token=False).to("/.well-known/oauth-protected-resource/weather/mcp", "GET"))
    return scope.encode() in answer.body


def test_a_reload_ends_streams_that_the_new_settings_forbid(site):
    def script(call):
        call.open_stream()
        call.event(b"data: 1\n\n")
        call.wait_gone()

    site.upstream.script = script
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        events = connection.events(connection.read_head())
        assert next(events) == b"data: 1\n\n"
        site.route["scopes"] = ["mcp:write"]
        reload(site, lambda: metadata_names(site, "mcp:write"))
        with pytest.raises(Broken):
            next(events)
    until(lambda: "policy_changed" in [line["reason"] for line in site.audit()], "the stream's audit line")  # reason: policy_changed
    site.upstream.script = echo
    site.read = len(site.audit())
    site.refused(site.post(), 403, reason="scope_missing", good=site.post(site.issuer.token(scope="mcp:write")))


LISTEN = "listen: order, addresses, tls and proxy_protocol change at a restart only"


def other_address(site):
    site.settings["listen"][0]["address"] = f"127.0.0.1:{free_port()}"


def one_more(site):
    site.settings["listen"].append({"address": f"127.0.0.1:{free_port()}"})


def proxy_protocol(site):
    site.settings["listen"][0]["proxy_protocol"] = True
    site.settings["trusted_proxies"] = ["127.0.0.1"]


def a_store(site):
    site.settings["store"] = "sqlite:other.db"


@pytest.mark.parametrize("change, why", [(other_address, LISTEN), (one_more, LISTEN), (proxy_protocol, LISTEN),
                                         (a_store, "store: it changes at a restart only")])
def test_a_reload_refuses_what_needs_a_restart_as_a_whole(site, change, why):
    """`check` finds nothing wrong; the scope that came with it is not asked for either, until it comes alone."""
    site.start()
    before = copy.deepcopy(site.settings)
    site.settings["routes"][0]["scopes"] = ["mcp:write"]
    change(site)
    site.reload(says="settings were not reloaded")
    assert subprocess.run([BINARY, "check", "-c", "gatehouse.yaml"], cwd=site.folder, capture_output=True).returncode == 0
    assert f'"why":"{why}"' in site.log()
    assert not metadata_names(site, "mcp:write")
    site.accepted(site.post())
    before["routes"][0]["scopes"] = ["mcp:write"]
    site.settings.clear()
    site.settings.update(before)
    site.reload()
    assert metadata_names(site, "mcp:write")


def test_a_reload_refuses_another_wait_for_the_store(site):
    site.settings["store"] = {"url": "sqlite:gatehouse.db", "busy": "1s"}
    site.start()
    site.settings["store"]["busy"] = "2s"
    site.reload(says="settings were not reloaded")
    assert '"why":"store: it changes at a restart only"' in site.log()
    site.settings["store"]["busy"] = "1000ms"  # the same
    site.reload()


def test_a_reload_leaves_other_streams_alone(site):
    go = threading.Semaphore(0)

    def script(call):
        call.open_stream()
        for i in range(2):
            assert go.acquire(timeout=60)
            call.event(b"data: %d\n\n" % i)
        call.close_stream()

    site.upstream.script = script
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        events = connection.events(connection.read_head())
        go.release()
        assert next(events) == b"data: 0\n\n"
        site.settings["routes"].append({**site.route, "name": "maps", "resource": f"{site.origin}/maps/mcp"})
        maps = site.post(token=False, target="/maps/mcp")
        reload(site, lambda: site.send(maps).status == 401)
        go.release()
        assert list(events) == [b"data: 1\n\n"]


def test_a_bad_reload_leaves_the_old_settings(gateway):
    gateway.accepted(gateway.post())
    gateway.settings["wokers"] = 2
    reload(gateway, lambda: "wokers" in gateway.log())
    gateway.accepted(gateway.post())


def test_a_stream_that_outlasts_the_drain(site):
    site.settings["limits"] = {"drain": "1s"}
    site.upstream.script = lambda call: (call.open_stream(), call.event(b"data: 1\n\n"), call.wait_gone())
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        events = connection.events(connection.read_head())
        assert next(events) == b"data: 1\n\n"
        site.process.send_signal(signal.SIGTERM)
        with pytest.raises(Broken):
            next(events)
    until(lambda: site.audit(), "the stream's audit line")
    assert [line["reason"] for line in site.audit()] == ["shutting_down"]  # reason: shutting_down


# ---- under load; a hundred of them run in tests/long/reload.py

@pytest.fixture
def run(tmp_path, issuer):
    verdicts = []
    made = Reloads(tmp_path, issuer, lambda *verdict: verdicts.append(verdict), streams=10, subjects=5, width=4, threads=(2, 1), pause=0.002)
    made.verdicts = verdicts
    yield made
    made.kill()


def test_five_reloads_under_load(run):
    """Each is seen from outside, refused ones between them change nothing, and no request or event is lost."""
    run.start()
    for number in range(5):
        run.reload_well(number)
        run.reload_badly(BAD[number * 13 % len(BAD)])
        run.reload_badly(BAD[-1 - number])
    requests, events = run.finish()
    assert requests > 50 and events > 50
    assert len(run.verdicts) == 4 and all(holds for holds, *_ in run.verdicts), run.verdicts
