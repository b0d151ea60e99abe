"""Limits of threats.md section 8 at and over their edge: connections, descriptors, bodies nobody wants, answers of servers."""
import os
import resource
import subprocess

import pytest

from support.http1 import Broken, whole
from support.upstream import echo
from support.wait import until

WHOLE = (whole,)


def limited(site, **limits):
    site.settings["limits"] = limits
    return site.start()


def reasons(site):
    return [line["reason"] for line in site.audit()]


# ---- connections

def test_connections_of_one_address(site):
    """The fifth of one address is turned away; another address is not, nor is a shared one; a place that is left is given again."""
    site.settings["shared_sources"] = ["127.0.0.8/32"]
    limited(site, connections_per_ip=4)
    held = [site.connect(source="127.0.0.9") for _ in range(4)]
    for connection in held:
        connection.send(site.post().wire())
        assert connection.read().status == 200
    with site.connect(source="127.0.0.9") as extra:
        assert not extra.fill()
    until(lambda: "connections_many" in reasons(site), "audit line")  # reason: connections_many
    assert [line["ip"] for line in site.audit() if line["reason"] == "connections_many"] == ["127.0.0.9"]
    shared = [site.connect(source="127.0.0.8") for _ in range(12)]
    for connection in shared + [site.connect()]:
        connection.send(site.post().wire())
        assert connection.read().status == 200
    held.pop().close()

    def comes_in():
        with site.connect(source="127.0.0.9") as again:
            again.send(site.post().wire())
            try:
                return again.read().status == 200
            except (Broken, OSError):
                return False
    until(comes_in, "place for one more")
    for connection in held + shared:
        connection.close()


def test_connections_in_all(site):
    """Counted over both workers; the admin listener is not among them."""
    limited(site, connections=16, connections_per_ip=1000)
    held = [site.connect(source=f"127.0.1.{i}") for i in range(16)]
    for connection in held:
        connection.send(site.post().wire())
        assert connection.read().status == 200
    with site.connect(source="127.0.2.1") as extra:
        assert not extra.fill()
    until(lambda: "connections_many" in reasons(site), "audit line")
    assert site.admin("/healthz")[0] == 200
    for connection in held:
        connection.send(site.post().wire())
        assert connection.read().status == 200
        connection.close()
    assert "gatehouse_connections_refused_total 1\n" in site.admin("/metrics")[1]


def cpu_of(site):
    with open(f"/proc/{site.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_descriptors_run_out(site, monkeypatch):
    """Z10: clients get what the limit leaves; who is in is served, logs and metrics work, nothing spins, and it heals."""
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: real(
        *a, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)), **k))
    limited(site, connections_per_ip=100000)
    assert "fewer connections than limits.connections" in site.log()
    held, served = [], 0
    for i in range(400):
        held.append(site.connect(source=f"127.0.3.{i % 200 + 1}"))
    for connection in held:
        try:
            connection.send(site.post().wire())
            served += connection.read().status == 200
        except (Broken, OSError):
            pass
    assert 40 <= served <= 128
    assert reasons(site).count("connections_many") == 400 - served
    status, text = site.admin("/metrics")
    assert status == 200 and f"gatehouse_connections_refused_total {400 - served}\n" in text
    before = cpu_of(site)
    for _ in range(20):
        assert site.admin("/healthz")[0] == 200
    assert cpu_of(site) - before < 1.0, "it spins"
    for connection in held:
        connection.close()
    until(lambda: "gatehouse_connections_open 0\n" in site.admin("/metrics")[1] or "gatehouse_connections_open 1\n" in site.admin("/metrics")[1],
          "end of all connections")
    site.read = len(site.audit())
    site.accepted(site.post())


# ---- bodies

def chunked(site, body):
    head = site.post(body=b"").wire()
    return head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + body


def test_chunk_extensions(site):
    limited(site, chunk_extensions="1KiB")
    at, over = (b"2;" + b"a" * n + b"\r\n{}\r\n0;" + b"b" * 500 + b"\r\n\r\n" for n in (522, 523))
    good = site.send(chunked(site, at))
    assert (good.status, good.audit["reason"], site.upstream.seen[-1].body) == (200, "ok", b"{}")
    site.broken_off(chunked(site, over), 400, reason="http_extensions_large", ways=WHOLE)


def test_a_body_nobody_wants(site):
    """As much of it is read as the setting says; behind that much the next request is found."""
    limited(site, unread_body="20KiB")
    good = site.post()
    assert site.second_on_connection(site.post(token=False, body=b"x" * 20480), good).status == 200
    with site.connect() as connection:
        try:
            connection.send(site.post(token=False, body=b"x" * 20481).wire() + good.wire())
        except OSError:
            pass
        assert connection.read().status == 401
        with pytest.raises((Broken, OSError)):
            connection.read()


def test_what_is_on_its_way(site):
    """A server that does not read holds up its client, here as there: no more than the buffers between them fill."""
    site.route["max_body"] = "off"
    site.upstream.early = lambda call: call.seen.all("mcp-name") == ["stuck"] and not until(lambda: sent[1], "signal")
    sent = [0, False]
    limited(site, stream_buffer="64KiB", body_idle="600s")
    with site.connect() as connection:
        connection.socket.settimeout(0.5)
        connection.send(site.post(body=b"").also("Mcp-Name", "stuck").also("Content-Length", str(1 << 30)).wire())
        with pytest.raises(TimeoutError):
            while sent[0] < 1 << 30:
                sent[0] += connection.socket.send(b"x" * 65536)
        sent[1] = True
    assert sent[0] < 32 << 20


# ---- answers of servers

def upstream_limits(site, **limits):
    site.route["upstream"] = {"urls": [site.upstream.url], **limits}
    return site.start()


def answers(site, raw):
    site.upstream.script = lambda call: call.raw(raw)
    answer = site.send(site.post())
    site.upstream.script = echo
    site.accepted(site.post())
    return answer.status, answer.audit["reason"]


def test_interim_answers(site):
    upstream_limits(site, max_interim=3)
    hint, final = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    assert answers(site, hint * 3 + final) == (200, "ok")
    assert answers(site, hint * 4 + final) == (502, "upstream_interim_many")  # reason: upstream_interim_many


def test_the_header_of_an_answer(site):
    upstream_limits(site, max_head="4KiB", max_fields=16)
    base = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    left = 4096 - len("Content-Length: 2") - 32 - len("X: ") - 32
    assert answers(site, base + b"X: " + b"y" * left + b"\r\n\r\n{}") == (200, "ok")
    assert answers(site, base + b"X: " + b"y" * (left + 1) + b"\r\n\r\n{}") == (502, "upstream_head_large")  # reason: upstream_head_large
    assert answers(site, base + b"X: y\r\n" * 15 + b"\r\n{}") == (200, "ok")
    assert answers(site, base + b"X: y\r\n" * 16 + b"\r\n{}") == (502, "upstream_head_large")
