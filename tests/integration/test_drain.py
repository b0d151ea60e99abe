"""The end of a process that serves: what runs is finished, what is on its way is still answered, nobody is cut short."""
import signal
import socket
import threading

import pytest

from support import h2
from support.http1 import Connection
from support.wait import is_refused, until

pytestmark = pytest.mark.threads


def drain(site):
    site.process.send_signal(signal.SIGTERM)
    until(lambda: is_refused(site.port), "end of listening on every worker")


def test_an_idle_connection_is_still_answered_once(gateway):
    """A request may be on its way when the drain begins: without an answer its client could not know whether it ran."""
    with gateway.connect() as connection:
        connection.send(gateway.post().wire())
        assert connection.read()["connection"] is None
        drain(gateway)
        connection.send(gateway.post().wire())
        answer = connection.read()
        assert (answer.status, answer["connection"]) == (200, "close")
        assert connection.is_closed()
    assert gateway.process.wait(30) == 0


def test_an_idle_connection_does_not_hold_up_the_end(gateway):
    with gateway.connect() as connection:
        connection.send(gateway.post().wire())
        connection.read()
        drain(gateway)
        assert connection.is_closed()
        assert gateway.process.wait(30) == 0


def test_an_answer_that_is_not_taken_yet_is_sent_to_its_end(site):
    body = b"x" * (1 << 20)
    site.upstream.script = lambda call: call.answer(200, body, [("Content-Type", "application/json")])
    site.start()
    with Connection(site.port) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        connection.send(site.post().wire())
        answer = connection.read_head()
        drain(site)
        assert b"".join(connection.chunks(answer)) == body
    assert site.process.wait(30) == 0


def test_a_client_that_has_not_yet_said_who_it_is(site):
    """Accepted before the drain, its PROXY header after it: the listener it came by is closed by then."""
    site.settings["trusted_proxies"] = ["127.0.0.0/8"]
    site.settings["listen"][0]["proxy_protocol"] = True
    site.start()
    with Connection(site.port) as early, Connection(site.port) as first:
        first.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n" + site.post().wire())
        assert first.read().status == 200  # by then the other one was accepted too, if by the same worker
        drain(site)
        early.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n" + site.post().wire())
        answer = early.read()
        assert (answer.status, answer["connection"]) == (200, "close")
    assert site.process.wait(30) == 0


def test_the_second_signal_ends_it_at_once(site):
    go = threading.Event()
    site.upstream.script = lambda call: (go.wait(60), call.json({}))
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        site.upstream.wait_seen(1)
        drain(site)
        assert site.admin("/readyz")[0] == 503
        site.process.send_signal(signal.SIGTERM)
        status = site.process.wait(30)
        assert status == 0, site.log()[-6000:]
        go.set()


def test_an_open_stream_over_http2(secure):
    """RFC 9113 section 6.8: a GOAWAY in two steps; what is under way is finished, what was on its way is served."""
    go = threading.Event()

    def script(call):
        call.open_stream()
        call.event(b"data: 1\n\n")
        go.wait(60)
        call.event(b"data: 2\n\n")
        call.close_stream()

    secure.upstream.script = script
    fields = h2.fields_of(secure, scheme="https")
    with secure.h2() as client:
        stream = client.streams[client.request(fields, b"{}")]
        client.until(lambda: stream.body == b"data: 1\n\n")
        secure.process.send_signal(signal.SIGTERM)
        client.until(lambda: client.goaway is not None)
        assert client.goaway == h2.NO_ERROR
        go.set()
        late = client.answer(client.request(fields, b"{}"))
        assert (late.status, late.reset) == (200, None), "between the two steps it is served"
        client.until(lambda: stream.ended or stream.reset is not None)
        assert (stream.body, stream.reset) == (b"data: 1\n\ndata: 2\n\n", None)
        assert client.read_to_end() == h2.NO_ERROR
    assert secure.process.wait(30) == 0
    assert [line["reason"] for line in secure.audit()] == ["ok", "ok"]
