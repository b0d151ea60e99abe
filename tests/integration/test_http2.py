"""HTTP/2 as calm clients speak it, and frames that end a connection; the rows of attacks stand in test_rows_http2.py."""
import struct

import pytest

from support import h2
from support.wait import until


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


def test_a_calm_client_is_never_cut(secure):
    client = secure.h2()
    for i in range(60):
        client.send(h2.frame(h2.PING, 0, 0, bytes(8)))
        assert client.answer(client.request(good(secure), b"{}")).status == 200
    assert client.goaway is None
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
