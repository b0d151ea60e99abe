"""Answers on their way back: streamed event by event, never a clean end that was none, and the upstream's own faults."""
import json
import socket
import threading

import pytest

from support.h2 import Client, fields_of
from support.http1 import Broken
from support.upstream import echo
from support.wait import until

pytestmark = pytest.mark.threads

EVENTS = [b"id: 1\nevent: message\ndata: {\"a\":1}\n\n", b": comment\n\n", b"id: 2\ndata:\n\n", b"data: x\r\ndata: y\r\n\r\n"]


def stream_of(events, go, then):
    """A script: each event waits until the test has seen the one before."""
    def script(call):
        call.open_stream()
        for event in events:
            assert go.acquire(timeout=30)
            call.event(event)
        assert go.acquire(timeout=30)
        then(call)
    return script


def test_events_arrive_one_by_one_and_unchanged(gateway):
    go = threading.Semaphore(0)
    gateway.upstream.script = stream_of(EVENTS, go, lambda call: call.close_stream())
    with gateway.connect() as connection:
        connection.send(gateway.post().wire())
        answer = connection.read_head()  # before any event: the head does not wait for a body
        assert answer.status == 200 and answer["content-type"] == "text/event-stream"
        assert answer["x-accel-buffering"] == "no"
        events = connection.events(answer)
        for event in EVENTS:
            go.release()
            assert next(events) == event
        go.release()
        assert list(events) == []
    assert gateway.next_audit()["reason"] == "ok"


def test_events_over_http2(site, authority):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    go = threading.Semaphore(0)
    site.upstream.script = stream_of(EVENTS, go, lambda call: call.close_stream())
    site.start()
    client = Client(site.port, tls=authority.client("h2"))
    number = client.request(fields_of(site, scheme="https"), b"{}")
    stream, wanted = client.streams[number], b""
    client.until(lambda: stream.status == 200)
    for event in EVENTS:
        go.release()
        wanted += event
        client.until(lambda: stream.body == wanted)
    go.release()
    assert client.answer(number).reset is None and stream.body == wanted
    client.close()


def test_an_abort_is_no_clean_end(gateway):
    go = threading.Semaphore(0)
    gateway.upstream.script = stream_of(EVENTS[:1], go, lambda call: call.abort())
    with gateway.connect() as connection:
        connection.send(gateway.post().wire())
        events = connection.events(connection.read_head())
        go.release()
        assert next(events) == EVENTS[0]
        go.release()
        with pytest.raises(Broken):
            next(events)
    line = gateway.next_audit()
    assert (line["reason"], line["status"]) == ("upstream_aborted", 200)
    gateway.upstream.script = echo
    gateway.accepted(gateway.post())


def test_a_clean_close_inside_a_stream_is_an_abort_too(gateway):
    go = threading.Semaphore(0)
    gateway.upstream.script = stream_of(EVENTS[:1], go, lambda call: call.hang_up())
    with gateway.connect() as connection:
        connection.send(gateway.post().wire())
        go.release()
        go.release()
        answer = connection.read()
    assert not answer.clean and answer.body == EVENTS[0]
    assert gateway.next_audit()["reason"] == "upstream_aborted"


def test_a_disconnect_reaches_the_upstream_at_once(gateway):
    gone, go = threading.Event(), threading.Semaphore(0)

    def then(call):
        if call.wait_gone():
            gone.set()

    gateway.upstream.script = stream_of(EVENTS[:1], go, then)
    connection = gateway.connect()
    connection.send(gateway.post().wire())
    events = connection.events(connection.read_head())
    go.release()
    next(events)
    connection.close()
    go.release()
    assert gone.wait(30), "the upstream's connection is still open"
    assert gateway.next_audit()["reason"] == "client_gone"
    gateway.upstream.script = echo
    gateway.accepted(gateway.post())


def answer_with(gateway, script):
    """What a client gets when the upstream runs this script; the good twin is accepted before and after."""
    gateway.upstream.script = echo
    gateway.accepted(gateway.post())
    gateway.upstream.script = script
    answer = gateway.send(gateway.post())
    gateway.upstream.script = echo
    gateway.accepted(gateway.post())
    return answer


def check(answer, status, reason):
    assert (answer.status, answer.audit["reason"]) == (status, reason), (answer, answer.audit)
    assert b"secret" not in answer.body and answer["www-authenticate"] is None


def test_a_401_of_the_upstream_is_not_the_clients(gateway):
    answer = answer_with(gateway, lambda call: call.answer(401, b"secret", (("WWW-Authenticate", 'Bearer realm="secret"'),)))
    check(answer, 502, reason="upstream_unauthorized")


def test_a_redirect_elsewhere_is_not_relayed(gateway, canary):
    answer = answer_with(gateway, lambda call: call.answer(307, b"secret", (("Location", canary.url),)))
    check(answer, 502, reason="upstream_redirect")
    assert answer["location"] is None


@pytest.mark.parametrize("status", [400, 404, 405, 422, 429, 500, 503])
def test_errors_of_the_upstream_pass_unchanged(gateway, status):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}}).encode()
    answer = answer_with(gateway, lambda call: call.answer(status, body))
    assert (answer.status, answer.body, answer.audit["reason"]) == (status, body, "ok")


def test_202_without_a_body(gateway):
    answer = answer_with(gateway, lambda call: call.answer(202, b"", ()))
    assert (answer.status, answer.body) == (202, b"")


def test_fields_that_stay_here(gateway):
    fields = (("Content-Type", "application/json"), ("Set-Cookie", "a=b"), ("Strict-Transport-Security", "max-age=1"),
              ("Alt-Svc", "h3"), ("Clear-Site-Data", "*"), ("Access-Control-Allow-Origin", "*"), ("Server", "secret"),
              ("Connection", "X-Hop"), ("X-Hop", "1"), ("Cache-Control", "public"))
    answer = answer_with(gateway, lambda call: call.answer(200, b"{}", fields))
    assert answer.status == 200
    for name in ("set-cookie", "strict-transport-security", "alt-svc", "clear-site-data", "access-control-allow-origin", "x-hop"):
        assert answer.all(name) == [], name
    assert answer["x-content-type-options"] == "nosniff"
    assert "public" not in (answer["cache-control"] or "")


MALFORMED = {
    "no HTTP": b"secret\r\n\r\n",
    "HTTP/0.9": b"<html>secret</html>\r\n",
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 7\r\n\r\nsecret",
    "bad status": b"HTTP/1.1 20 OK\r\nContent-Length: 6\r\n\r\nsecret",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: secret\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 6\r\n\r\nsecret",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 6\n\nsecret",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_unreadable_answers(gateway, raw):
    check(answer_with(gateway, lambda call: (call.raw(raw), call.hang_up())), 502, reason="upstream_malformed")


BROKEN_BODIES = {
    "short": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}",
    "bad chunk": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n",
    "no last chunk": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
}


@pytest.mark.parametrize("raw", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_broken_bodies_are_never_whole(gateway, raw):
    answer = answer_with(gateway, lambda call: (call.raw(raw), call.hang_up()))
    assert not answer.clean or answer.status == 502
    assert answer.audit["reason"] in ("upstream_aborted", "upstream_malformed")


def test_bytes_behind_an_answer_reach_nobody(gateway):
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
    # In one piece: what comes after the next request was sent cannot be told from its answer.
    answer = answer_with(gateway, lambda call: call.raw(whole + extra))
    assert answer.body == b"{}"
    for _ in range(4):
        assert b"secret" not in gateway.accepted(gateway.post())[0].body


def test_an_upstream_that_breaks_off_before_its_answer(gateway):
    answer = answer_with(gateway, lambda call: call.abort())
    check(answer, 502, reason="upstream_aborted")
    assert len(gateway.upstream.seen) == 3, "a POST that may have been seen is not sent again"


def test_an_upstream_that_is_not_there(site):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    site.settings["routes"].append({**site.route, "name": "gone", "resource": f"{site.origin}/gone/mcp",
                                    "upstream": f"http://127.0.0.1:{port}/mcp"})
    site.start()
    site.accepted(site.post())
    answer = site.send(site.post(site.issuer.token(aud=f"{site.origin}/gone/mcp"), target="/gone/mcp"))
    check(answer, 502, reason="upstream_unreachable")
    site.accepted(site.post())


def test_a_token_of_a_sibling_route(site):
    site.settings["routes"].append({**site.route, "name": "maps", "resource": f"{site.origin}/maps/mcp"})
    site.start()
    maps = site.issuer.token(aud=f"{site.origin}/maps/mcp")
    site.refused(site.post(maps), 401, reason="token_audience")
    assert site.accepted(site.post(maps, target="/maps/mcp"))[0].audit["route"] == "maps"


def test_a_body_streams_while_it_comes(gateway):
    """The upstream sees the first half before the client sends the second."""
    body = b"x" * 40000
    request = gateway.post(body=body).wire()
    with gateway.connect() as connection:
        connection.send(request[:-20000])
        until(lambda: gateway.upstream.bytes > 10000, "half of the body at the upstream")
        connection.send(request[-20000:])
        assert connection.read().status == 200
    assert gateway.upstream.seen[-1].body == body and gateway.next_audit()["reason"] == "ok"


def test_connections_to_the_upstream_are_kept(gateway):
    for _ in range(10):
        gateway.accepted(gateway.post())
    assert gateway.upstream.connections <= 2, "one pool a worker, one connection in use at a time"


def test_requests_one_after_another_in_one_segment(gateway):
    with gateway.connect() as connection:
        connection.send(b"".join(gateway.post(body=b"[%d]" % i).wire() for i in range(5)))
        assert [connection.read().status for _ in range(5)] == [200] * 5
    assert [seen.body for seen in gateway.upstream.seen] == [b"[%d]" % i for i in range(5)]
