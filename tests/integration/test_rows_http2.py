"""threats.md sections 4.4 and 4.5 on HTTP/2, by raw frames: what is malformed is told apart and reaches nobody, and floods are cut."""
import struct
import threading

import pytest

from support import h2
from support.http1 import Broken
from support.wait import until


def good(site, **changes):
    return h2.fields_of(site, scheme="https", **changes)


def accepted(site, fields=None, body=b"{}"):
    """It reaches the upstream and is answered; returns what the upstream saw."""
    client, before = site.h2(), len(site.upstream.seen)
    stream = client.answer(client.request(fields or good(site), body))
    client.close()
    assert (stream.status, stream.reset) == (200, None)
    assert site.next_audit()["reason"] == "ok"
    assert len(site.upstream.seen) == before + 1
    return site.upstream.seen[-1]


def refused(site, fields, reason, status=None, body=b"{}", whole_only=False):
    """An answer with this status, or a reset where there is none, under this reason and without contact; the good twin is
    accepted before, on the same connection before it, and after."""
    accepted(site)
    for second in (False, True):
        client = site.h2()
        if second:
            assert client.answer(client.request(good(site), b"{}")).status == 200
            assert site.next_audit()["reason"] == "ok"
        before, requests = site.upstream.bytes, len(site.upstream.seen)
        stream = client.answer(client.request(fields, body))
        assert (stream.status, stream.reset is None) == (status, status is not None), (stream.status, stream.reset)
        line = site.next_audit()
        assert line["reason"] == reason, line
        if whole_only:
            assert not [seen for seen in site.upstream.seen[requests:] if seen.whole]
        else:
            assert site.upstream.bytes == before, "the upstream was contacted"
        assert client.answer(client.request(good(site), b"{}")).status == 200, "the connection goes on"
        assert site.next_audit()["reason"] == "ok"
        client.close()


def changed(site, **changes):
    """The good fields with these pseudo fields instead; None leaves one out."""
    fields = [(name, changes.get(name[1:], value) if name[0] == ":" else value) for name, value in good(site)]
    return [(name, value) for name, value in fields if value is not None]


# ---- H4: heads

RESETS = {  # what nghttp2 takes for malformed: RST_STREAM
    "upper case": lambda f: f + [("X-Upper", "1")],
    "space in a name": lambda f: f + [("x y", "1")],
    "colon in a name": lambda f: f + [("x:y", "1")],
    "empty name": lambda f: f + [("", "1")],
    "control in a name": lambda f: f + [("x\x01", "1")],
    "line end in a value": lambda f: f + [("x", "a\r\nx-gatehouse-user: root")],
    "LF in a value": lambda f: f + [("x", "a\nb")],
    "NUL in a value": lambda f: f + [("x", "a\0b")],
    "DEL in a value": lambda f: f + [("x", "a\x7fb")],
    "connection": lambda f: f + [("connection", "close")],
    "keep-alive": lambda f: f + [("keep-alive", "timeout=5")],
    "proxy-connection": lambda f: f + [("proxy-connection", "close")],
    "transfer-encoding": lambda f: f + [("transfer-encoding", "chunked")],
    "upgrade": lambda f: f + [("upgrade", "websocket")],
    "te": lambda f: f + [("te", "gzip")],
    "te with more": lambda f: f + [("te", "trailers, gzip")],
    "pseudo field late": lambda f: f + [(":path", "/")],
    "unknown pseudo field": lambda f: [(":new", "1")] + f,
    "status": lambda f: [(":status", "200")] + f,
    "protocol": lambda f: [(":protocol", "websocket")] + f,
    "method twice": lambda f: [(":method", "GET")] + f,
    "path twice": lambda f: [(":path", "/")] + f,
    "scheme twice": lambda f: [(":scheme", "https")] + f,
    "authority twice": lambda f: [(":authority", "a.example")] + f,
    "no method": lambda f: [x for x in f if x[0] != ":method"],
    "no path": lambda f: [x for x in f if x[0] != ":path"],
    "no scheme": lambda f: [x for x in f if x[0] != ":scheme"],
    "no authority and no host": lambda f: [x for x in f if x[0] != ":authority"],
    "two lengths": lambda f: f + [("content-length", "2"), ("content-length", "2")],
    "signed length": lambda f: f + [("content-length", "+2")],
    "list of lengths": lambda f: f + [("content-length", "2, 2")],
    "empty path": lambda f: [(k, "" if k == ":path" else v) for k, v in f],
    "path without a slash": lambda f: [(k, "weather/mcp" if k == ":path" else v) for k, v in f],
    "asterisk": lambda f: [(k, "*" if k == ":path" else v) for k, v in f],
    "space in the method": lambda f: [(k, "PO ST" if k == ":method" else v) for k, v in f],
    "NUL in the path": lambda f: [(k, v + "\0" if k == ":path" else v) for k, v in f],
    "space in the authority": lambda f: [(k, "a b" if k == ":authority" else v) for k, v in f],
}


@pytest.mark.parametrize("change", RESETS.values(), ids=RESETS)
def test_h4_malformed_heads(secure, change):
    refused(secure, change(good(secure)), "h2_protocol")


ANSWERS = {  # what could be read, and says something we do not take
    "underscore": (lambda f: f + [("x_y", "1")], 400, "http_malformed"),
    "8-bit value": (lambda f: f + [("x", "\xfc")], 400, "http_malformed"),
    "unknown method": (lambda f: [(k, "MOVE" if k == ":method" else v) for k, v in f], 501, "http_method_unknown"),
    "lower-case method": (lambda f: [(k, "post" if k == ":method" else v) for k, v in f], 501, "http_method_unknown"),
    "TRACE": (lambda f: [(k, "TRACE" if k == ":method" else v) for k, v in f], 501, "http_method_unknown"),
    "another scheme": (lambda f: [(k, "ftp" if k == ":scheme" else v) for k, v in f], 400, "http_malformed"),
    "odd scheme": (lambda f: [(k, "HTTPS" if k == ":scheme" else v) for k, v in f], 400, "http_malformed"),
    "fragment": (lambda f: [(k, v + "#x" if k == ":path" else v) for k, v in f], 400, "http_path"),
    "dots": (lambda f: [(k, "/weather/../weather/mcp" if k == ":path" else v) for k, v in f], 400, "http_path"),
    "two slashes": (lambda f: [(k, "//weather/mcp" if k == ":path" else v) for k, v in f], 400, "http_path"),
    "two credentials": (lambda f: f + [("authorization", "Bearer x")], 400, "authorization_many"),
    "expectation": (lambda f: f + [("expect", "the-best")], 417, "http_expect"),
    "content coding": (lambda f: f + [("content-encoding", "gzip")], 415, "http_encoding"),
    "h2c settings": (lambda f: f + [("http2-settings", "AAAA")], 400, "http_upgrade"),
    "origin": (lambda f: f + [("origin", "https://evil.example")], 403, "http_origin"),
}


@pytest.mark.parametrize("change, status, reason", ANSWERS.values(), ids=ANSWERS)
def test_h4_refused_heads(secure, change, status, reason):
    refused(secure, change(good(secure)), reason, status)


def test_h4_connect(secure):
    """Also the extended one: neither a tunnel nor a WebSocket."""
    plain = [(":method", "CONNECT"), (":authority", "127.0.0.1:25")]
    refused(secure, plain, "http_method_unknown", 501)
    refused(secure, [(":method", "CONNECT"), (":protocol", "websocket")] + good(secure)[1:], "h2_protocol")


@pytest.mark.parametrize("length, body, end", [("9", b"{}", True), ("1", b"{}", True), ("2", b"", True)], ids=["more", "fewer", "none"])
def test_h4_lengths_against_data(secure, length, body, end):
    """With too few bytes the stream may have begun upstream: it never ends there."""
    refused(secure, good(secure) + [("content-length", length)], "h2_protocol", body=body, whole_only=True)


def test_h4_what_is_legal(secure):
    for more in ([("te", "trailers")], [("content-length", "2")], [("x-empty", "")], [("cookie", "a=1"), ("cookie", "b=2")],
                 [("priority", "u=1")], [("expect", "100-continue")]):
        seen = accepted(secure, good(secure) + more)
        assert seen.body == b"{}" and seen.all("te") == [] and seen.all("cookie") == [] and seen.all("expect") == []


# ---- H3: trailers

TRAILERS = {
    "length": ([("content-length", "2")], "http_malformed"),
    "host": ([("host", "evil.example")], "http_malformed"),
    "underscore": ([("x_gatehouse_user", "root")], "http_malformed"),
    "pseudo field": ([(":path", "/")], "h2_protocol"),
    "transfer-encoding": ([("transfer-encoding", "chunked")], "h2_protocol"),
    "upper case": ([("X-A", "1")], "h2_protocol"),
    "too many": ([("x-a", "1")] * 101, "http_fields_many"),
}


def with_trailers(site, trailers):
    client = site.h2()
    number = client.request(good(site), b"{}", end=False)
    client.send(h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, number, h2.encode(trailers)))
    stream = client.answer(number)
    assert client.answer(client.request(good(site), b"{}")).status == 200
    client.close()
    return stream


@pytest.mark.parametrize("trailers, reason", TRAILERS.values(), ids=TRAILERS)
def test_h3_trailers(secure, trailers, reason):
    accepted(secure)
    before = len(secure.upstream.seen)
    stream = with_trailers(secure, trailers)
    assert stream.reset == h2.PROTOCOL_ERROR and stream.status is None
    assert [secure.next_audit()["reason"] for _ in range(2)] == [reason, "ok"]
    assert len([seen for seen in secure.upstream.seen[before:] if seen.whole]) == 1
    accepted(secure)


def test_h3_trailers_are_dropped(secure):
    stream = with_trailers(secure, [("x-gatehouse-user", "root"), ("x-trailer-mark", "1"), ("authorization", "Bearer x")])
    assert (stream.status, stream.reset) == (200, None)
    assert secure.upstream.seen[0].all("x-gatehouse-user") == ["alice"] and secure.upstream.seen[0].whole
    assert b"x-trailer-mark" not in secure.upstream.record.lower()


# ---- H5: :authority and Host

def test_h5_host_beside_authority(secure):
    for name in (secure.authority, secure.authority.upper()):
        seen = accepted(secure, good(secure) + [("host", name)])
        assert seen.all("host") == [f"127.0.0.1:{secure.upstream.port}"]
    accepted(secure, [x for x in good(secure) if x[0] != ":authority"] + [("host", secure.authority)])
    for bad in ([("host", "evil.example")], [("host", secure.authority), ("host", "evil.example")], [("host", "")]):
        refused(secure, good(secure) + bad, "http_host" if len(bad) == 1 and bad[0][1] else "h2_protocol",
                400 if len(bad) == 1 and bad[0][1] else None)


@pytest.mark.parametrize("value, reason, status", [("evil.example", "http_host_unknown", 421), ("user@127.0.0.1", "http_host", 400),
                                                   ("127.0.0.1:99999", "http_host", 400), ("127.0.0.1,a", "http_host", 400)])
def test_h5_authorities(secure, value, reason, status):
    refused(secure, changed(secure, authority=value), reason, status)


# ---- H9

def test_h9_identity_is_the_gateways_alone(secure):
    fields = good(secure)
    for name in ("x-gatehouse-user", "x-gatehouse-client", "x-gatehouse-tenant", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
                 "forwarded", "x-real-ip", "via"):
        fields += [(name, "spoofed"), (name, "twice")]
    seen = accepted(secure, fields)
    assert b"spoofed" not in seen.head and b"twice" not in seen.head
    assert seen.all("x-gatehouse-user") == ["alice"] and len(seen.all("x-forwarded-for")) == 1
    assert seen.all("forwarded") == seen.all("x-real-ip") == seen.all("via") == []


# ---- D: floods; a probe beside them is served all the while

def probe(site):
    client = site.h2()
    assert client.answer(client.request(good(site), b"{}")).status == 200
    client.close()


def wait_reason(site, reason):
    until(lambda: reason in [line["reason"] for line in site.audit()], f"audit line with {reason}")


def flood(site, chunk, rounds, reason, prepare=None, code=h2.ENHANCE_YOUR_CALM):
    """Sends until the gateway cuts the connection; every few rounds a client beside it asks and is answered."""
    beside, client = site.h2(), site.h2()
    if prepare is not None:
        prepare(client)
    try:
        for i in range(rounds):
            client.send(chunk(client, i))
            client.hear()
            if client.goaway is not None:
                break
            if i % 16 == 0:
                assert beside.answer(beside.request(good(site), b"{}")).status == 200
    except (OSError, Broken):
        pass
    assert client.read_to_end() == code
    client.close()
    assert beside.answer(beside.request(good(site), b"{}")).status == 200
    beside.close()
    wait_reason(site, reason)
    probe(site)


def opened(site, token, number, *more, end=True):
    fields = good(site, token=token) + list(more)
    return h2.frame(h2.HEADERS, h2.END_HEADERS | (h2.END_STREAM if end else 0), number, h2.encode(fields))


def reset(number):
    return h2.frame(h2.RST_STREAM, 0, number, struct.pack(">I", h2.CANCEL))


RESETTING = {
    "rapid reset": lambda site, token, n: opened(site, token, n) + reset(n),
    "overflowing window": lambda site, token, n: opened(site, token, n) + h2.frame(h2.WINDOW_UPDATE, 0, n, struct.pack(">I", 0x7FFFFFFF)),
    "length mismatch": lambda site, token, n: opened(site, token, n, ("content-length", "1"), end=False) + h2.frame(h2.DATA, 1, n, b"{}"),
    "length without data": lambda site, token, n: opened(site, token, n, ("content-length", "1")),
    "bad header": lambda site, token, n: opened(site, token, n, ("X-Upper", "1")),
    "bad trailers": lambda site, token, n: opened(site, token, n, end=False) + h2.frame(h2.HEADERS, 5, n, h2.encode([("x_y", "1")])),
}


@pytest.mark.parametrize("valid", [True, False], ids=["valid token", "bad token"])
@pytest.mark.parametrize("form", RESETTING.values(), ids=RESETTING)
def test_d1_d2_resets(secure, form, valid):
    """Rapid reset, and each way to make the gateway reset: at most twice as many calls as streams are begun upstream."""
    token = secure.issuer.token() if valid else "bad"
    flood(secure, lambda client, i: form(secure, token, 2 * i + 1), 2000, "h2_resets")  # reason: h2_resets
    lines = [line for line in secure.audit() if line["reason"] == "ok"]
    assert len(secure.upstream.seen) - len(lines) <= 200


ENDING = {
    "window of 0": lambda site, n: opened(site, "bad", n, end=False) + h2.frame(h2.WINDOW_UPDATE, 0, n, bytes(4)),
    "data after the end": lambda site, n: opened(site, "bad", n) + h2.frame(h2.DATA, 1, n, b"x"),
    "headers after the end": lambda site, n: opened(site, "bad", n) + opened(site, "bad", n),
    "even stream": lambda site, n: opened(site, "bad", n + 1),
    "table size over ours": lambda site, n: h2.frame(h2.HEADERS, 5, n, b"\x3f\xe2\x1f" + h2.encode(good(site))),
    "no HPACK": lambda site, n: h2.frame(h2.HEADERS, 5, n, b"\xff\xff\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("form", ENDING.values(), ids=ENDING)
def test_d2_errors_of_the_connection(secure, form):
    client = secure.h2()
    client.send(form(secure, 1))
    assert client.read_to_end() not in (None, h2.NO_ERROR)
    client.close()
    wait_reason(secure, "h2_protocol")  # reason: h2_protocol
    probe(secure)


CONTINUATIONS = {
    "empty": lambda: h2.frame(h2.CONTINUATION, 0, 1) * 20,
    "tiny": lambda: h2.frame(h2.CONTINUATION, 0, 1, h2.encode([("x", "y")])) * 20,
    "big": lambda: h2.frame(h2.CONTINUATION, 0, 1, h2.encode([("x", "y" * 16000)])) * 2,
}


@pytest.mark.parametrize("frames", CONTINUATIONS.values(), ids=CONTINUATIONS)
def test_d3_continuations(secure, frames):
    begin = h2.frame(h2.HEADERS, h2.END_STREAM, 1, h2.encode(good(secure)))
    flood(secure, lambda client, i: begin + frames(), 1, "h2_glitches",
          prepare=lambda client: client.until(lambda: client.settings))  # reason: h2_glitches
    assert all(seen.whole for seen in secure.upstream.seen)


def table_size(i):
    return struct.pack(">HI", 1, 4096 if i % 2 else 0)


GLITCHES = {
    "ping": lambda site, i: h2.frame(h2.PING, 0, 0, bytes(8)) * 50,
    "ping answers": lambda site, i: h2.frame(h2.PING, h2.ACK, 0, bytes(8)) * 50,
    "settings": lambda site, i: h2.settings((h2.INITIAL_WINDOW_SIZE, 65535 + i)) * 50,
    "huge settings": lambda site, i: h2.settings(*[(h2.INITIAL_WINDOW_SIZE, 65535)] * 32) * 20,
    "table sizes": lambda site, i: h2.frame(h2.SETTINGS, payload=table_size(i)) * 50,
    "priority": lambda site, i: h2.frame(h2.PRIORITY, 0, 3, struct.pack(">IB", 0, 1)) * 50,
    "unknown": lambda site, i: h2.frame(0x77, 0, 0, b"x") * 50,
    "windows of the connection": lambda site, i: h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 50,
    "windows of a stream": lambda site, i: h2.frame(h2.WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * 50,
    "empty data": lambda site, i: h2.frame(h2.DATA, 0, 1) * 50,
    "padding only": lambda site, i: h2.frame(h2.DATA, h2.PADDED, 1, b"\x07" + bytes(7)) * 50,
}


@pytest.mark.parametrize("form", GLITCHES.values(), ids=GLITCHES)
def test_d4_frames_that_cost_nothing_to_send(secure, form):
    """On a connection with a stream that is open and goes on."""
    secure.upstream.early = lambda call: call.open_stream() is None if call.seen.all("mcp-name") else False
    flood(secure, lambda client, i: form(secure, i), 400, "h2_glitches",
          prepare=lambda client: client.request(good(secure) + [("mcp-name", "held")], b"{", end=False))


def test_d4_goaway(secure):
    """The first one ends a connection without streams; those behind it find nobody."""
    client = secure.h2()
    try:
        client.send(h2.frame(h2.GOAWAY, payload=bytes(8)) * 2000)
    except OSError:
        pass
    client.read_to_end()
    client.close()
    probe(secure)


def bomb(site, n, value=3000, references=4000):
    """CVE-2026-49975: one large entry of the table, thousands of references of a byte each, and the request left open."""
    entry = b"\x40" + h2.integer(6, 7) + b"cookie" + h2.integer(value, 7) + b"v" * value
    return h2.frame(h2.HEADERS, h2.END_HEADERS, n, h2.encode(good(site)) + entry + b"\xbe" * references)


BOMBS = {
    "large entry": lambda site, n: bomb(site, n),
    "tiny entry": lambda site, n: bomb(site, n, value=1, references=12000),
    "empty crumbs": lambda site, n: h2.frame(h2.HEADERS, 4, n, h2.encode(good(site) + [("cookie", "")] * 1000)),
    "many names": lambda site, n: h2.frame(h2.HEADERS, 4, n, h2.encode(good(site) + [(f"x-{i}", "") for i in range(1000)])),
}


@pytest.mark.parametrize("form", BOMBS.values(), ids=BOMBS)
def test_d5_header_bombs(secure, form):
    """Cut after ten; with a window of 0 beside it no answer leaves, and nothing is kept."""
    flood(secure, lambda client, i: form(secure, 2 * i + 1), 20, "h2_glitches",
          prepare=lambda client: client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 0))))
    wait_reason(secure, "http_head_large" if form is BOMBS["large entry"] else "http_fields_many")
    assert len([line for line in secure.audit() if line["reason"] in ("http_head_large", "http_fields_many")]) >= 10


def test_d7_window_toggling_over_many_streams(secure):
    secure.upstream.script = lambda call: call.open_stream() if call.seen.all("mcp-name") else call.json({})

    def prepare(client):
        for i in range(90):
            token = secure.issuer.token(sub=f"user-{i % 9}")
            client.request(good(secure, token=token) + [("mcp-name", "held")], b"{}")
        client.until(lambda: all(stream.status for stream in client.streams.values()))

    secure.route["sse_keepalive"] = "off"
    flood(secure, lambda client, i: h2.settings((h2.INITIAL_WINDOW_SIZE, 0)) + h2.settings((h2.INITIAL_WINDOW_SIZE, 65535)), 1000,
          "h2_glitches", prepare=prepare)


def fill(site, client):
    """A hundred streams whose answers wait for a window: every place is taken and stays so."""
    client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 0)))
    for _ in range(100):
        client.request(good(site), b"{}")
    client.until(lambda: all(stream.status for stream in client.streams.values()))


def test_d8_more_streams_than_advertised(secure):
    """The hundredth stream is served, the next is refused, and so is one whose place an unread answer holds."""
    client = secure.h2()
    fill(secure, client)
    extra = client.answer(client.request(good(secure), b"{}"))
    assert extra.reset == 7 and extra.status is None
    assert len(secure.upstream.seen) == 100
    client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 65535)))
    client.until(lambda: all(stream.ended for stream in client.streams.values() if stream.reset is None))
    assert client.answer(client.request(good(secure), b"{}")).status == 200


def test_d8_whoever_never_heeds_the_number_is_cut(secure):
    """With every place taken each further stream is a reset that we were made to send; they refill at 40 a second."""
    flood(secure, lambda client, i: opened(secure, "bad", 201 + 2 * i), 5000, "h2_resets",
          prepare=lambda client: fill(secure, client))


@pytest.mark.threads
def test_d9_a_heavy_client_is_never_cut(secure):
    """Hundreds of cancels in mid-stream, slower than the bucket refills; half an hour of it runs in tests/unit/wire/test_h2.c."""
    stop = threading.Event()

    def script(call):
        call.open_stream()
        while not stop.wait(0.05):
            call.event(b"data: 1\n\n")

    secure.upstream.script = script
    client = secure.h2()
    users = [secure.issuer.token(sub=f"user-{i}") for i in range(9)]
    open_now = [client.request(good(secure, token=users[i % 9]), b"{}") for i in range(90)]
    client.until(lambda: all(client.streams[number].body for number in open_now))
    for i in range(150):
        number = open_now.pop(0)
        client.send(reset(number))
        open_now.append(client.request(good(secure, token=users[i % 9]), b"{}"))
        if i % 30 == 0:
            client.send(h2.frame(h2.PING, 0, 0, bytes(8)))
        client.until(lambda: client.streams[open_now[-1]].body)
    assert client.goaway is None and client.pings == 5
    stop.set()
    client.close()
