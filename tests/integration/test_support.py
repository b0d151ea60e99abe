"""The harness itself: what the other tests lean on must be able to tell right from wrong."""
import os
import socket
import subprocess
import sys
import threading

import pytest

from support import h2
from support.http1 import WAYS, Broken, Connection, Request
from support.issuer import Issuer, Key
from support.upstream import Upstream
from support.wait import BLOCK, free_port

REQUEST = Request(fields=(("Host", "x.example"),), body=b"{}")


@pytest.mark.parametrize("way", WAYS)
def test_upstream_records_what_arrives(upstream, way):
    with Connection(upstream.port) as connection:
        way(connection, REQUEST.wire())
        answer = connection.read()
    assert (answer.status, answer.clean, answer["content-type"]) == (200, True, "application/json")
    assert (upstream.seen[0].head + b"\r\n\r\n" + upstream.seen[0].body) == REQUEST.wire()
    assert upstream.bytes == len(REQUEST.wire())


def test_a_cut_answer_is_not_clean():
    upstream = Upstream(lambda call: (call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), call.hang_up()))
    with Connection(upstream.port) as connection:
        connection.send(REQUEST.wire())
        assert not connection.read().clean
    upstream.close()


def test_events_come_one_by_one():
    go = threading.Event()

    def script(call):
        call.open_stream()
        call.event(b"data: 1\n\n")
        assert go.wait(30)
        call.event(b"data: 2\n\n: end\n\n")
        call.abort()

    upstream = Upstream(script)
    with Connection(upstream.port) as connection:
        connection.send(REQUEST.wire())
        events = connection.events(connection.read_head())
        assert next(events) == b"data: 1\n\n"
        go.set()
        assert [next(events), next(events)] == [b"data: 2\n\n", b": end\n\n"]
        with pytest.raises(Broken):
            next(events)
    upstream.close()


def test_a_failing_script_fails_the_test():
    upstream = Upstream(lambda call: 1 / 0)
    with Connection(upstream.port) as connection:
        connection.send(REQUEST.wire())
        assert connection.is_closed()
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        upstream.close()


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_tokens_have_the_published_keys_form(alg):
    key = Key(alg)
    token = Issuer("https://r.example/mcp", keys=[key]).token()
    assert len(token.split(".")) == 3 and key.jwk()["alg"] == alg and "d" not in key.jwk()


def test_header_blocks_go_there_and_back():
    fields = [(":status", "401"), ("www-authenticate", 'Bearer scope="a b"')]
    assert h2.Decoder().decode(b"\x20" + h2.encode(fields)) == fields
    assert h2.Decoder().decode(b"\x88\x0f\x2e\x85\xae\xc3\x77\x1a\x4b") == [(":status", "200"), ("www-authenticate", "private")]


def test_frames_are_read(tmp_path):
    ours, theirs = socket.socketpair()
    client = h2.Client.__new__(h2.Client)
    client.socket, client.buffer, client.decoder, client.streams = ours, b"", h2.Decoder(), {1: h2.Stream()}
    client.goaway = client.block = None
    theirs.sendall(h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.encode([(":status", "200")]))
                   + h2.frame(h2.DATA, h2.END_STREAM, 1, b"body") + h2.frame(h2.GOAWAY, payload=bytes(7) + b"\x0b"))
    stream = client.answer(1)
    assert (stream.status, stream.body) == (200, b"body")
    theirs.shutdown(socket.SHUT_WR)
    assert client.read_to_end() == h2.ENHANCE_YOUR_CALM


def test_ports_are_given_once():
    """To nobody else in this run, in no run beside it, and to no outgoing connection."""
    ports = [free_port() for _ in range(100)]
    code = "from support.wait import free_port\nprint(*(free_port() for _ in range(100)))"
    beside = subprocess.run([sys.executable, "-c", code], cwd=os.path.dirname(__file__), capture_output=True, text=True, timeout=60, check=True)
    theirs = [int(port) for port in beside.stdout.split()]
    assert len(set(ports + theirs)) == 200 and max(ports + theirs) < 32768
    assert {port // BLOCK for port in ports}.isdisjoint(port // BLOCK for port in theirs)
