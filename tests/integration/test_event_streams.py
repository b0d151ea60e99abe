"""Event streams: how many there may be, what is written between events, and what ends them."""
import json
import threading
import time

import pytest

from support import h2
from support.http1 import Broken, Request, whole
from support.upstream import echo
from support.wait import until

WHOLE = (whole,)


def hold(call):
    """A stream that stays open until the client goes."""
    call.open_stream()
    call.event(b"data: 1\n\n")
    call.wait_gone()


def opened(site, token=None, method="POST"):
    """A connection whose stream has begun."""
    connection = site.connect()
    request = site.post(token)
    if method == "GET":
        request = Request("GET", request.target, request.fields)
    connection.send(request.wire())
    answer = connection.read_head()
    assert answer.status == 200 and next(connection.events(answer)) == b"data: 1\n\n"
    return connection


def many(site, request):
    """One stream too many: told at once, before the server behind hears of it."""
    before = site.upstream.bytes
    with site.connect() as connection:
        connection.send(request.wire())
        answer = connection.read()
    line = site.audit_of_id(answer["x-request-id"])
    assert (answer.status, line["reason"]) == (429, "streams_many")  # reason: streams_many
    assert answer["retry-after"] and answer["www-authenticate"] is None
    assert site.upstream.bytes == before
    return answer


def tokens(site, *subjects):
    return [site.issuer.token(sub=subject) for subject in subjects]


def close_all(connections):
    for connection in connections:
        connection.close()


def test_streams_of_a_principal(site):
    site.settings["limits"] = {"streams_per_principal": 3}
    site.upstream.script = hold
    site.start()
    alice, bob = tokens(site, "alice", "bob")
    held = [opened(site, alice), opened(site, alice, "GET"), opened(site, site.issuer.token(sub="alice", client_id="other"))]
    for method in ("POST", "GET"):
        request = site.post(alice)
        many(site, request if method == "POST" else Request("GET", request.target, request.fields))
    many(site, site.post(alice).without("Accept"))
    held.append(opened(site, bob))
    # What cannot become a stream goes on.
    site.upstream.script = echo
    plain = site.post(alice).with_field("Accept", "application/json")
    with site.connect() as connection:
        connection.send(plain.wire())
        assert connection.read().status == 200
        connection.send(Request("DELETE", plain.target, plain.fields).wire())
        assert connection.read("DELETE").status == 200
    site.upstream.script = hold
    held.pop(0).close()
    until(lambda: "client_gone" in [line["reason"] for line in site.audit()], "end of the closed stream")
    held.append(opened(site, alice))
    close_all(held)


def test_streams_of_a_tenant(site):
    site.settings["limits"] = {"streams_per_tenant": 2}
    host = f"localhost:{site.port}"
    site.settings["tenants"]["other"] = {"hosts": [host], "issuers": ["idp"]}
    site.settings["routes"].append({**site.route, "name": "maps", "tenant": "other", "resource": f"http://{host}/maps/mcp"})
    site.upstream.script = hold
    site.start()
    held = [opened(site, token) for token in tokens(site, "alice", "bob")]
    many(site, site.post(site.issuer.token(sub="carol")))
    theirs = site.post(site.issuer.token(sub="alice", aud=f"http://{host}/maps/mcp"), target="/maps/mcp").with_field("Host", host)
    with site.connect() as connection:
        connection.send(theirs.wire())
        assert connection.read_head().status == 200
    close_all(held)


def test_streams_in_all(site):
    site.settings["limits"] = {"streams": 2}
    site.upstream.script = hold
    site.start()
    held = [opened(site, token) for token in tokens(site, "alice", "bob")]
    many(site, site.post(site.issuer.token(sub="carol")))
    close_all(held)


def test_many_at_once_meet_the_limit_at_their_answers(site):
    """None was a stream yet when the others were sent on."""
    go = threading.Event()
    site.settings["limits"] = {"streams_per_principal": 2}
    site.settings["workers"] = 1
    site.upstream.script = lambda call: (go.wait(30), hold(call))
    site.start()
    connections = [site.connect() for _ in range(5)]
    for connection in connections:
        connection.send(site.post().wire())
    site.upstream.wait_seen(5)
    go.set()
    answers = [connection.read_head() for connection in connections]
    assert sorted(answer.status for answer in answers) == [200, 200, 429, 429, 429]
    close_all(connections)
    reasons = [line["reason"] for line in until(lambda: len(site.audit()) == 5 and site.audit(), "five lines")]
    assert reasons.count("streams_many") == 3


def test_a_get_stream(gateway):
    """As older clients open one beside their requests."""
    gateway.upstream.script = hold
    connection = opened(gateway, method="GET")
    seen = gateway.upstream.seen[-1]
    assert (seen.method, seen.target, seen.all("content-length"), seen.all("transfer-encoding")) == ("GET", "/mcp", [], [])
    connection.close()


# ---- between events

ENDS = {"LF": b"data: 1\n\n", "CRLF": b"data: 1\r\n\r\n", "CR": b"data: 1\r\r", "mixed": b"data: 1\r\n\n", "comment": b": hello\n\n"}
MIDDLES = {"no line end": b"data: 1", "one line end": b"data: 1\n", "one CRLF": b"data: 1\r\n", "name only": b"event: x\n"}


def test_comments_stand_between_events_only(site):
    """Streams that rest between two events get comments; those that rest inside one get none meanwhile."""
    resume = threading.Event()
    site.settings["limits"] = {"streams_per_principal": 100}
    site.route["sse_keepalive"] = "1s"

    def script(call):
        call.open_stream()
        call.event(bytes.fromhex(call.seen.all("mcp-name")[0]))
        assert resume.wait(30)
        call.event(b"data: end\n\n")
        call.close_stream()

    site.upstream.script = script
    site.start()
    connections = {}
    for name, text in {**ENDS, **MIDDLES}.items():
        connections[name] = connection = site.connect()
        connection.send(site.post().also("Mcp-Name", text.hex()).wire())
        connection.answer = connection.read_head()
        connection.pieces = connection.chunks(connection.answer)
        assert next(connection.pieces) == {**ENDS, **MIDDLES}[name]
    for name in ENDS:
        for _ in range(2):
            assert next(connections[name].pieces) == b":\n\n", name
    resume.set()
    for name in MIDDLES:
        assert b"".join(connections[name].pieces) == b"data: end\n\n", name
    for name in ENDS:
        assert b"".join(connections[name].pieces).replace(b":\n\n", b"") == b"data: end\n\n", name
    close_all(connections.values())


def test_comments_do_not_come_in_step(site):
    """Forty streams that began together: their comments are spread over a fifth of the time."""
    site.settings["limits"] = {"streams_per_principal": 100}
    site.route["sse_keepalive"] = "2s"
    site.upstream.script = hold
    site.start()
    held = [opened(site) for _ in range(40)]
    began, came = time.monotonic(), []

    def listen(connection):
        connection.take_until(b":\n\n")
        came.append(time.monotonic() - began)

    threads = [threading.Thread(target=listen, args=(connection,)) for connection in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(came) == 40 and max(came) - min(came) > 0.1
    close_all(held)


@pytest.mark.parametrize("value", ["Text/Event-Stream", "text/event-stream;charset=utf-8", "text/event-stream ; x=y"])
def test_other_spellings_of_the_type(site, value):
    site.route["sse_keepalive"] = "1s"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {value}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    site.upstream.script = lambda call: (call.raw(head), call.event(b"data: 1\n\n"), call.wait_gone())
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        answer = connection.read_head()
        pieces = connection.chunks(answer)
        assert answer["content-type"] == value and answer["x-accel-buffering"] == "no"
        assert answer["content-security-policy"] is None
        assert [next(pieces), next(pieces)] == [b"data: 1\n\n", b":\n\n"]


@pytest.mark.parametrize("fields", [[("Content-Type", "text/html")], [("Content-Type", "application/jsonx")], [],
                                    [("Content-Type", "image/svg+xml")],
                                    [("Content-Type", "application/json"), ("Content-Type", "text/html")]])
def test_what_could_be_a_page_is_boxed_in(gateway, fields):
    gateway.upstream.script = lambda call: call.answer(200, b"<script>alert(1)</script>", fields)
    answer = gateway.send(gateway.post())
    assert answer["content-security-policy"] == "default-src 'none'; sandbox" and answer["x-content-type-options"] == "nosniff"
    gateway.upstream.script = echo
    assert gateway.accepted(gateway.post())[0]["content-security-policy"] is None


# ---- slow readers

@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_reader_that_stalls(site, authority, version):
    """Its server is held up, it is cut, and others do not feel it. The limit is that of streams."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    site.settings["limits"] = {"stall": "600s", "sse_stall": "1s"}
    written, stop = [0], threading.Event()

    def script(call):
        call.open_stream()
        if call.seen.all("mcp-name"):
            call.event(b"data: 1\n\n")
            assert stop.wait(60)
            call.event(b"data: 2\n\n")
            call.close_stream()
            return
        try:
            while True:
                call.event(b"data: " + b"x" * 8000 + b"\n\n")
                written[0] += 8000
        except OSError:
            call.ends = True

    site.upstream.script = script
    site.start()
    live = h2.Client(site.port, tls=authority.client("h2"))
    number = live.request(h2.fields_of(site, scheme="https") + [("mcp-name", "live")], b"{}")
    live.until(lambda: live.streams[number].body == b"data: 1\n\n")
    if version == "h1":
        stuck = site.connect(tls=authority.client("http/1.1"))
        stuck.send(site.post().wire())
    else:
        stuck = h2.Client(site.port, tls=authority.client("h2"), open_window=False)
        stuck.request(h2.fields_of(site, scheme="https"), b"{}")
    until(lambda: "http_timeout_take" in [line["reason"] for line in site.audit()], "cut of the stalled reader")
    assert written[0] < 64 << 20
    stop.set()
    assert live.answer(number).body == b"data: 1\n\ndata: 2\n\n" and live.streams[number].reset is None
    stuck.close()
    live.close()


# ---- the token ends

@pytest.mark.parametrize("counted", [False, True], ids=["open", "counted"])
def test_a_stream_ends_with_its_token(site, counted):
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000000\r\n\r\ndata: 1\n\n"
    site.upstream.script = lambda call: (call.raw(head), call.wait_gone()) if counted else hold(call)
    site.start()
    with site.connect() as connection, site.connect() as longer:
        connection.send(site.post(site.issuer.token(exp=int(time.time()) + 3)).wire())
        longer.send(site.post(site.issuer.token(exp=int(time.time()) + 600)).wire())
        answer = connection.read_head()
        assert answer.status == 200
        with pytest.raises(Broken):
            for _ in connection.chunks(answer):
                pass
        assert longer.read_head().status == 200
        until(lambda: site.audit(), "audit line")
        assert [line["reason"] for line in site.audit()] == ["token_expired"]


# ---- what older and newer clients rely on

def test_what_passes_unchanged(gateway):
    """mcp.md section 3: values are kept byte for byte, and so are answers that clients tell eras apart by."""
    fields = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "=?base64?esO8cmljaCA=?=",
              "mcp-param-region": "=?BASE64?x?=", "mcp-param-empty": "", "last-event-id": "a b", "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
              "tracestate": "v=1, w=2", "baggage": "user=alice", "accept": "application/json, text/event-stream", "accept-language": "de",
              "user-agent": "client/1"}
    request = gateway.post()
    for name, value in fields.items():
        request = request.with_field(name, value)
    _, seen = gateway.accepted(request)
    for name, value in fields.items():
        assert seen.all(name) == [value], name
    for status in (400, 404, 405):
        body = json.dumps({"jsonrpc": "2.0", "error": {"code": -32022, "message": "x", "data": {"supported": ["2026-07-28"]}}, "id": 1}).encode()
        gateway.upstream.script = lambda call, status=status, body=body: call.answer(status, body)
        answer = gateway.send(gateway.post())
        assert (answer.status, answer.body, answer["content-type"]) == (status, body, "application/json")


def test_answers_may_be_coded(gateway):
    """Nothing here decodes: what a server compresses all the same is its client's to read, or to refuse."""
    coded = bytes(range(256)) * 40
    gateway.upstream.script = lambda call: call.answer(200, coded, (("Content-Type", "application/json"), ("Content-Encoding", "gzip")))
    answer = gateway.send(gateway.post())
    assert (answer.body, answer["content-encoding"]) == (coded, "gzip")
    assert gateway.upstream.seen[-1].all("accept-encoding") == ["identity"]


def test_a_stream_cut_by_its_server_over_http2(secure):
    secure.upstream.script = lambda call: (call.open_stream(), call.event(b"data: 1\n\n"), call.abort())
    client = secure.h2()
    stream = client.answer(client.request(h2.fields_of(secure, scheme="https"), b"{}"))
    assert stream.status == 200 and stream.reset is not None and not stream.ended
    client.close()
    assert secure.next_audit()["reason"] == "upstream_aborted"
