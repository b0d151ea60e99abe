"""Limits and timers of the public side: each ends an exchange under a reason of its own, and good clients do not feel it."""
import socket
import ssl
import threading

import pytest

from support import h2
from support.http1 import Connection
from support.wait import is_refused, until


def limited(site, **limits):
    site.settings["limits"] = limits
    return site.start()


def reasons(site):
    return [line["reason"] for line in site.audit()]


def wait_reason(site, reason):
    until(lambda: reason in reasons(site), f"audit line with {reason}; there are {reasons(site)}")
    site.read = len(site.audit())


def test_a_body_over_the_limit(site):
    site.route["max_body"] = "1KiB"
    site.start()
    good = site.post(body=b"x" * 1024)
    site.accepted(good)
    answer = site.send(site.post(body=b"x" * 1025))
    assert (answer.status, answer.audit["reason"]) == (413, "http_body_large")  # reason: http_body_large
    chunked = site.post(body=b"").also("Transfer-Encoding", "chunked").wire() + b"800\r\n" + b"x" * 2048 + b"\r\n0\r\n\r\n"
    answer = site.send(chunked)
    assert answer.status == 413 and answer.audit["reason"] == "http_body_large"
    site.accepted(good)


def test_a_header_that_takes_too_long(site):
    limited(site, head_timeout="500ms")
    site.accepted(site.post())
    with site.connect() as slow:
        slow.send(site.post().wire()[:40])
        answer = slow.read()
    assert (answer.status, site.next_audit()["reason"]) == (408, "http_timeout_head")  # reason: http_timeout_head
    site.accepted(site.post())


def test_a_body_that_takes_too_long(site):
    limited(site, body_idle="500ms")
    site.accepted(site.post())
    with site.connect() as slow:
        slow.send(site.post(body=b"x" * 4000).wire()[:-2000])
        answer = slow.read()
    assert (answer.status, site.next_audit()["reason"]) == (408, "http_timeout_body")  # reason: http_timeout_body
    site.accepted(site.post())


def test_an_answer_that_is_not_taken(site):
    body = b"x" * (64 << 20)
    site.upstream.script = lambda call: call.answer(200, body)
    limited(site, stall="1s")
    stuck = site.connect()
    stuck.send(site.post().wire())
    wait_reason(site, "http_timeout_take")  # reason: http_timeout_take
    stuck.close()
    site.upstream.script = lambda call: call.json({"jsonrpc": "2.0", "id": 1, "result": {"answered": True}})
    site.accepted(site.post())


def test_bad_tokens_have_a_budget_and_good_ones_do_not(site):
    limited(site, verify_burst=5, verify_per_s=1)
    with site.connect() as connection:
        for i in range(20):
            forged = site.issuer.token(jti=f"forged-{i}").rsplit(".", 1)[0] + "." + site.issuer.token().rsplit(".", 1)[1]
            connection.send(site.post(forged).wire())
            assert connection.read().status in (401, 429)
            if site.next_audit()["reason"] == "verify_budget":  # reason: verify_budget
                break
        else:
            raise AssertionError("twenty forged tokens cost nothing")
        for _ in range(20):
            connection.send(site.post().wire())
            assert connection.read().status == 200
            assert site.next_audit()["reason"] == "ok"
    assert len(site.upstream.seen) == 20


def test_an_upstream_that_takes_too_long(site):
    go = threading.Event()
    site.route["upstream"] = {"urls": [site.upstream.url], "first_byte_timeout": "500ms"}
    site.start()
    site.accepted(site.post())
    good, site.upstream.script = site.upstream.script, lambda call: (go.wait(30), call.hang_up())
    answer = site.send(site.post())
    assert (answer.status, answer.audit["reason"]) == (504, "upstream_timeout")  # reason: upstream_timeout
    go.set()
    site.upstream.script = good
    site.accepted(site.post())


def test_an_upstream_with_all_connections_in_use(site):
    go = threading.Event()
    site.settings["workers"] = 1
    site.route["upstream"] = {"urls": [site.upstream.url], "max_connections": 1}
    site.start()
    good, site.upstream.script = site.upstream.script, lambda call: (go.wait(30), call.json({}))
    first = site.connect()
    first.send(site.post().wire())
    site.upstream.wait_seen(1)
    answer = site.send(site.post())
    assert (answer.status, answer.audit["reason"]) == (503, "upstream_busy") and answer["retry-after"]  # reason: upstream_busy
    go.set()
    assert first.read().status == 200 and site.next_audit()["reason"] == "ok"
    first.close()
    site.upstream.script = good
    site.accepted(site.post())


def tls_site(site, authority, **limits):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    return limited(site, **limits)


def check_tls(site, authority):
    with site.connect(tls=authority.client("http/1.1")) as good:
        good.send(site.post().wire())
        assert good.read().status == 200
    wait_reason(site, "ok")


def test_plain_text_to_a_tls_listener(site, authority):
    tls_site(site, authority)
    check_tls(site, authority)
    with site.connect() as plain:
        plain.send(site.post().wire())
        until(lambda: not plain.fill(), "end of the connection")
        assert b"HTTP/1.1 200" not in plain.buffer
    wait_reason(site, "plaintext_refused")  # reason: plaintext_refused
    check_tls(site, authority)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1], ids=["TLS 1.1"])
def test_old_versions_of_tls(site, authority, version):
    tls_site(site, authority)
    check_tls(site, authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.connect(tls=context)
    wait_reason(site, "tls_failed")  # reason: tls_failed
    check_tls(site, authority)


def test_a_handshake_that_takes_too_long(site, authority):
    tls_site(site, authority, handshake="500ms")
    with site.connect() as silent:
        silent.send(b"\x16\x03\x01\x02\x00\x01")
        assert not silent.fill()
    wait_reason(site, "tls_timeout")  # reason: tls_timeout
    check_tls(site, authority)


def test_an_upstream_with_a_foreign_certificate(site, authority, tmp_path):
    """TLS to the upstream is verified; the gateway sends it nothing before."""
    certificate, key = authority.leaf("other.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while True:
                try:
                    sock, _ = listener.accept()
                    context.wrap_socket(sock, server_side=True).close()
                except ssl.SSLError:
                    continue
                except OSError:
                    return
        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        site.settings["routes"].append({**site.route, "name": "foreign", "resource": f"{site.origin}/foreign/mcp",
                                        "upstream": {"urls": [f"https://127.0.0.1:{port}/mcp"], "ca_file": authority.path}})
        site.start()
        answer = site.send(site.post(site.issuer.token(aud=f"{site.origin}/foreign/mcp"), target="/foreign/mcp"))
    assert (answer.status, answer.audit["reason"]) == (502, "upstream_tls")  # reason: upstream_tls
    site.accepted(site.post())


def test_draining(site):
    """SIGTERM lets a running exchange end; what comes on its connection afterwards is told to go elsewhere or cut."""
    go = threading.Event()
    site.upstream.script = lambda call: (go.wait(30), call.json({"done": True}))
    site.start()
    with Connection(site.port) as connection:
        connection.send(site.post().wire())
        site.upstream.wait_seen(1)
        site.process.terminate()
        until(lambda: is_refused(site.port), "end of listening on every worker")
        go.set()
        answer = connection.read()
        assert answer.status == 200 and answer.clean and answer["connection"] == "close"
    assert site.process.wait(30) == 0
    assert reasons(site) == ["ok"]


def test_whole_bodies_have_a_pool(site):
    """Two bodies of 3 MiB do not fit into 4: whichever asks for the room that is not there is refused, the other is served."""
    site.settings["workers"] = 1
    site.route["whole_body"] = True
    limited(site, body_pool="4MiB")
    body = b"[" + b"1," * (3 << 19) + b"1]"
    site.accepted(site.post(body=body))
    with site.connect() as first:
        raw = site.post(body=body).wire()
        first.send(raw[:-10])
        answer = site.send(site.post(body=body))
        try:
            first.send(raw[-10:])
        except OSError:
            pass  # it was this one: its connection has ended behind the answer
        other = first.read()
        ends = {(one.status, site.audit_of_id(one["x-request-id"])["reason"]) for one in (answer, other)}
        assert ends == {(503, "overloaded"), (200, "ok")}  # reason: overloaded
        site.read = len(site.audit())
    site.accepted(site.post(body=body))


def over_h2(site, authority, **limits):
    tls_site(site, authority, **limits)
    return lambda **options: h2.Client(site.port, tls=authority.client("h2"), **options)


def check_h2(site, connect):
    client = connect()
    assert client.answer(client.request(h2.fields_of(site, scheme="https"), b"{}")).status == 200
    client.close()


def test_a_header_block_that_takes_too_long(site, authority):
    """A connection with an open header block can say nothing else: it ends."""
    connect = over_h2(site, authority, head_timeout="500ms")
    check_h2(site, connect)
    client = connect()
    client.until(lambda: client.settings)  # acknowledged: inside a header block nothing else may come
    client.send(h2.frame(h2.HEADERS, h2.END_STREAM, 1, h2.encode(h2.fields_of(site, scheme="https")[:3])))
    assert client.read_to_end() == h2.ENHANCE_YOUR_CALM
    wait_reason(site, "http_timeout_head")
    check_h2(site, connect)


def test_a_body_that_takes_too_long_over_http2(site, authority):
    connect = over_h2(site, authority, body_idle="500ms")
    check_h2(site, connect)
    client = connect()
    stream = client.answer(client.request(h2.fields_of(site, scheme="https"), b"x" * 2000, end=False))
    assert stream.status == 408
    wait_reason(site, "http_timeout_body")
    check_h2(site, connect)


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_body_that_drips(site, authority, version):
    """Never silent for long, and still too slow."""
    connect = over_h2(site, authority, body_idle="1s", body_min_rate=100000)
    if version == "h1":
        client = site.connect(tls=authority.client("http/1.1"))
        client.send(site.post(body=b"x" * 100000).wire()[:-99999])
        while not client.has_come(0.05):
            client.send(b"x")
        status = client.read().status
    else:
        client = connect()
        number = client.request(h2.fields_of(site, scheme="https"), b"x", end=False)
        stream = client.streams[number]
        while not stream.ended:
            client.send(h2.frame(h2.DATA, 0, number, b"x"))
            while not stream.ended and client.has_come(0.05):
                client.step()
        status = stream.status
    assert status == 408
    wait_reason(site, "http_timeout_body")
    check_h2(site, connect)


def test_an_answer_that_is_not_taken_over_http2(site, authority):
    """The client reads the connection and never opens the stream's window: that stream ends, the others go on."""
    site.upstream.script = lambda call: call.answer(200, b"x" * (1 << 20))
    connect = over_h2(site, authority, stall="1s")
    client = connect()
    client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 0)))
    number = client.request(h2.fields_of(site, scheme="https"), b"{}")
    stream = client.streams[number]
    client.until(lambda: stream.reset is not None)
    assert stream.status == 200 and not stream.ended and stream.body == b""
    wait_reason(site, "http_timeout_take")
    site.upstream.script = lambda call: call.answer(200, b"{}")
    client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 65535)))
    assert client.answer(client.request(h2.fields_of(site, scheme="https"), b"{}")).status == 200
    client.close()
