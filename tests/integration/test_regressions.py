"""Faults that were in the request path once, each with what brought it about; none waits longer than its cause needs."""
import signal
import threading

import pytest

from support import h2
from support.http1 import Broken
from support.upstream import echo
from support.wait import until


def reload(site):
    before = site.log().count("settings reloaded")
    site.write("gatehouse.yaml", site.settings)
    site.process.send_signal(signal.SIGHUP)
    until(lambda: site.log().count("settings reloaded") > before, "reload")


def over_h2(site, authority):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    return lambda: h2.Client(site.port, tls=authority.client("h2"))


def test_a_slow_answer_is_no_late_body(site, authority):
    """Over HTTP/2 a body that had ended was taken for one that does not come: 408."""
    connect, late = over_h2(site, authority), threading.Event()
    site.settings["limits"] = {"body_idle": "500ms"}
    site.upstream.script = lambda call: (late.wait(1.5), call.json({"ok": 1}))
    site.start()
    client = connect()
    stream = client.answer(client.request(h2.fields_of(site, scheme="https"), b"{}"))
    assert (stream.status, stream.reset) == (200, None)


def test_the_end_of_a_large_body_is_not_lost(site):
    """When its last piece filled the window, the end of an HTTP/1.1 body waited for bytes that never came."""
    late = threading.Event()
    site.settings["limits"] = {"body_idle": "500ms"}
    site.upstream.script = lambda call: (late.wait(1.5), call.json({"ok": 1}))
    site.start()
    assert site.send(site.post(body=b'"' + b"x" * 99_998 + b'"')).status == 200


def test_a_reload_while_a_call_waits_for_a_connection(site):
    """The head of a call that had not left was made of names of the snapshot that the reload freed."""
    go = threading.Event()
    site.settings["workers"] = 1
    site.route["upstream"] = {"urls": [site.upstream.url], "max_connections": 1}

    def script(call):
        if len(site.upstream.seen) == 1:
            go.wait(20)
        echo(call)

    site.upstream.script = script
    site.start()
    with site.connect() as first, site.connect() as second:
        first.send(site.post().wire())
        site.upstream.wait_seen(1)
        second.send(site.post().wire())
        # A third one, answered: this worker has seen the second by then, since they came in this order.
        assert site.send(site.post(token=False)).status == 401
        reload(site)
        go.set()
        assert first.read().status == 200 and second.read().status == 200
    seen = site.upstream.seen[-1]
    assert seen.all("x-forwarded-host") == [site.authority] and seen.all("x-gatehouse-user") == ["alice"]


def test_the_admin_listener_outlives_a_reload(site):
    """It held the address list of the first snapshot."""
    site.settings["shared_sources"] = ["192.0.2.0/24", "198.51.100.0/24"]
    site.start()
    reload(site)
    for _ in range(3):
        assert site.admin("/healthz")[0] == 200


def test_no_comment_in_a_counted_answer(site):
    """A keep-alive comment in an answer with a Content-Length pushed its end into the next answer."""
    late = threading.Event()
    site.route["sse_keepalive"] = "1s"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 18\r\n\r\ndata: 1\n\n"
    site.upstream.script = lambda call: (call.raw(head), late.wait(2.5), call.raw(b"data: 2\n\n"))
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        assert connection.read().body == b"data: 1\n\ndata: 2\n\n" and connection.buffer == b""


def test_listeners_stay_under_their_own_settings(site, authority):
    """A reload that changed the order of listeners put the settings of one on the socket of another."""
    over_h2(site, authority)
    site.settings["listen"].append({"address": f"unix:{site.folder}/second.sock"})
    site.start()
    site.settings["listen"].reverse()
    site.write("gatehouse.yaml", site.settings)
    site.process.send_signal(signal.SIGHUP)
    until(lambda: "settings were not reloaded" in site.log(), "refusal")
    with pytest.raises((Broken, OSError)), site.connect() as plain:
        plain.send(site.post().wire())
        plain.read()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_body_where_none_belongs(gateway, method):
    """An upstream that ignores the body of a GET reads it as its next request, with headers the client wrote."""
    smuggled = gateway.post(body=b"POST /mcp HTTP/1.1\r\nx-gatehouse-user: root\r\n\r\n").to("/weather/mcp", method)
    before = gateway.upstream.bytes
    answer = gateway.send(smuggled)
    assert (answer.status, answer.audit["reason"]) == (400, "http_malformed")
    assert gateway.upstream.bytes == before
    gateway.accepted(gateway.post())


def test_an_answer_before_the_body_that_was_asked_about(gateway):
    """The body may never come, and the next request must not be read as it."""
    asking = gateway.post(token=False).with_field("Expect", "100-continue").wire()
    with gateway.connect() as connection:
        connection.send(asking.split(b"\r\n\r\n")[0] + b"\r\n\r\n")
        answer = connection.read()
        assert answer.status == 401 and answer["connection"] == "close"


def test_a_client_that_leaves_with_bytes_in_the_pipe(site):
    """Bytes behind the request stopped the reading, and with it the only way to see that the client has gone."""
    gone = []
    site.route["sse_keepalive"] = "off"
    site.upstream.script = lambda call: (call.open_stream(), call.event(b"data: 1\n\n"), gone.append(call.wait_gone(10)))
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire() + b"\r\n")
        connection.read_head()
    until(lambda: gone, "end of the call")
    assert gone == [True]


def test_no_content_keeps_the_connection(site):
    site.upstream.script = lambda call: call.raw(b"HTTP/1.1 204 No Content\r\n\r\n")
    site.start()
    with site.connect() as connection:
        for _ in range(2):
            connection.send(site.post().wire())
            answer = connection.read()
            assert answer.status == 204 and answer["connection"] is None


@pytest.mark.parametrize("value, seen", [("S-MaxAge=600, must-revalidate", "private"), ("public, no-store", "no-store"),
                                         ("Public", "private"), ("private, max-age=5", "private, max-age=5")])
def test_no_shared_cache_keeps_an_answer(site, value, seen):
    site.upstream.script = lambda call: call.answer(200, b"{}", (("Content-Type", "application/json"), ("Cache-Control", value)))
    site.start()
    assert site.send(site.post())["cache-control"] == seen


def test_requests_of_one_connection_are_bounded(site, authority):
    """A client that passed over the first GOAWAY was served without end."""
    connect = over_h2(site, authority)
    site.settings["limits"] = {"h2_requests": 100, "h2_streams": 10}
    site.start()
    client, served = connect(), 0
    with pytest.raises((Broken, AssertionError)):
        for _ in range(400):
            assert client.answer(client.request(h2.fields_of(site, scheme="https"), b"{}")).status == 200
            served += 1
    assert 100 <= served <= 110 and client.goaway == h2.NO_ERROR


def test_what_reached_no_route_is_counted(gateway):
    assert gateway.send(gateway.post(target="/nowhere")).audit["reason"] == "route_unknown"
    text = gateway.admin("/metrics")[1]
    assert 'gatehouse_requests_total{tenant="",route="",reason="route_unknown"} 1' in text
