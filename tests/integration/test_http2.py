"""HTTP/2 by raw frames: what is malformed reaches no upstream, floods are cut, and a probe beside them is served."""
import struct

import pytest

from support import h2
from support.http1 import Broken
from support.wait import until


@pytest.fixture
def secure(site, authority):
    """A gateway with TLS, and connect() for clients that speak h2."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    site.start()
    site.h2 = lambda **options: h2.Client(site.port, tls=authority.client("h2"), **options)
    return site


def good(site, **changes):
    return h2.fields_of(site, scheme="https", **changes)


def probe(site):
    client = site.h2()
    assert client.answer(client.request(good(site), b"{}")).status == 200
    client.close()


def wait_reason(site, reason):
    until(lambda: reason in [line["reason"] for line in site.audit()], f"audit line with {reason}")


@pytest.mark.threads
def test_many_streams_at_once(secure):
    client = secure.h2()
    numbers = [client.request(good(secure), b"[%d]" % i) for i in range(50)]
    assert [client.answer(number).status for number in numbers] == [200] * 50
    assert sorted(seen.body for seen in secure.upstream.seen) == sorted(b"[%d]" % i for i in range(50))
    client.close()


MALFORMED = {
    "upper case": lambda f: f + [("X-Upper", "1")],
    "connection": lambda f: f + [("connection", "close")],
    "transfer-encoding": lambda f: f + [("transfer-encoding", "chunked")],
    "te": lambda f: f + [("te", "gzip")],
    "line end in a value": lambda f: f + [("x", "a\r\nx-gatehouse-user: root")],
    "NUL in a value": lambda f: f + [("x", "a\0b")],
    "colon in a name": lambda f: f + [("x:y", "1")],
    "empty name": lambda f: f + [("", "1")],
    "pseudo field late": lambda f: f + [(":path", "/")],
    "unknown pseudo field": lambda f: [(":new", "1")] + f,
    "method twice": lambda f: [(":method", "GET")] + f,
    "no path": lambda f: [x for x in f if x[0] != ":path"],
    "no scheme": lambda f: [x for x in f if x[0] != ":scheme"],
    "another host": lambda f: f + [("host", "evil.example")],
    "wrong length": lambda f: f + [("content-length", "9")],
    "space in the path": lambda f: [(k, "/weather/mcp x" if k == ":path" else v) for k, v in f],
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_malformed_requests(secure, change):
    probe(secure)
    before, client = secure.upstream.bytes, secure.h2()
    try:
        stream = client.answer(client.request(change(good(secure)), b"{}"))
        assert stream.reset is not None or stream.status == 400, stream.status
    except Broken:
        assert client.goaway is not None, "closed without a word"
    assert secure.upstream.bytes == before or change is MALFORMED["wrong length"]
    client.close()
    probe(secure)


def test_framing_errors_end_the_connection(secure):
    for raw in (h2.frame(h2.DATA, 0, 0, b"x"), h2.frame(h2.SETTINGS, 0, 1), h2.frame(h2.PING, 0, 0, b"short"),
                h2.frame(h2.HEADERS, h2.END_HEADERS, 2, h2.encode(good(secure))), h2.frame(h2.CONTINUATION, 0, 1, b""),
                h2.frame(h2.WINDOW_UPDATE, 0, 0, bytes(4)), h2.frame(h2.PUSH_PROMISE, 4, 1, bytes(4))):
        client = secure.h2()
        client.send(raw)
        assert client.read_to_end() not in (None, h2.NO_ERROR), raw
        client.close()
    wait_reason(secure, "h2_protocol")  # reason: h2_protocol
    probe(secure)


def flood(site, chunk, rounds, reason):
    """Sends until the gateway cuts the connection with ENHANCE_YOUR_CALM; a probe is served meanwhile and after."""
    client = site.h2()
    probe(site)
    try:
        for i in range(rounds):
            client.send(chunk(client, i))
            client.hear()
            if client.goaway is not None:
                break
    except (OSError, Broken):
        pass
    assert client.read_to_end() == h2.ENHANCE_YOUR_CALM
    client.close()
    wait_reason(site, reason)
    probe(site)


def test_rapid_reset(secure):
    def chunk(client, i):
        number = 2 * i + 1
        return (h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, number, h2.encode(good(secure, token="bad")))
                + h2.frame(h2.RST_STREAM, 0, number, struct.pack(">I", h2.CANCEL)))
    flood(secure, chunk, 2000, "h2_resets")  # reason: h2_resets
    assert len(secure.upstream.seen) <= 200 + 2


FLOODS = {
    "ping": lambda client, i: h2.frame(h2.PING, 0, 0, bytes(8)) * 50,
    "settings": lambda client, i: h2.settings((h2.INITIAL_WINDOW_SIZE, 65535 + i)) * 50,
    "priority": lambda client, i: h2.frame(h2.PRIORITY, 0, 3, struct.pack(">IB", 0, 1)) * 50,
    "unknown": lambda client, i: h2.frame(0x77, 0, 0, b"x") * 50,
    "window": lambda client, i: h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 50,
}


@pytest.mark.parametrize("chunk", FLOODS.values(), ids=FLOODS)
def test_control_frames(secure, chunk):
    flood(secure, chunk, 400, "h2_glitches")  # reason: h2_glitches


def test_a_calm_client_is_never_cut(secure):
    client = secure.h2()
    for i in range(60):
        client.send(h2.frame(h2.PING, 0, 0, bytes(8)))
        assert client.answer(client.request(good(secure), b"{}")).status == 200
    assert client.goaway is None
    client.close()


def test_header_lists_count_fields(secure):
    client = secure.h2()
    stream = client.answer(client.request(good(secure) + [("cookie", "a")] * 120, b"{}"))
    assert stream.reset is not None or stream.status == 431
    assert client.answer(client.request(good(secure), b"{}")).status == 200
    client.close()


def test_a_reset_by_the_client_reaches_the_upstream(secure):
    gone = []
    script, secure.upstream.script = secure.upstream.script, lambda call: (
        call.open_stream(), call.event(b"data: 1\n\n"), gone.append(call.wait_gone()))
    client = secure.h2()
    number = client.request(good(secure), b"{}")
    client.until(lambda: client.streams[number].body)
    client.send(h2.frame(h2.RST_STREAM, 0, number, struct.pack(">I", h2.CANCEL)))
    until(lambda: gone == [True], "end of the upstream's connection")
    wait_reason(secure, "client_gone")  # reason: client_gone
    secure.upstream.script = script
    assert client.answer(client.request(good(secure), b"{}")).status == 200
    client.close()
