"""The servers behind a route: what they speak, how they are told apart, what a call is worth when they fail in the middle."""
import ssl
import threading

import pytest

from support import h2
from support.h2upstream import H2Upstream
from support.http1 import Request
from support.upstream import Upstream, echo
from support.wait import until


def server_context(authority, *names, client_ca=None):
    certificate, key = authority.leaf(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


@pytest.fixture(params=["prior knowledge", "ALPN"])
def behind(request, site, authority):
    """A server that speaks HTTP/2 behind the gateway."""
    made = H2Upstream(tls=server_context(authority, "127.0.0.1") if request.param == "ALPN" else None)
    site.upstream.close()
    site.upstream = made
    site.route["upstream"] = {"urls": [made.url], **({"ca_file": authority.path} if made.tls else {"http": "http2"})}
    yield made
    made.close()


# ---- HTTP/2 behind

def test_http2_behind(site, behind):
    """Many calls share one connection a worker; the head is the same as over HTTP/1.1."""
    site.start()
    for i in range(20):
        _, seen = site.accepted(site.post(body=b"[%d]" % i).also("Mcp-Name", "x").also("X-Unknown", "y"))
        assert (seen.body, seen.all("mcp-name"), seen.all("x-unknown")) == (b"[%d]" % i, ["x"], [])
        assert seen.pseudo == {":method": "POST", ":scheme": behind.url.split(":")[0], ":path": "/mcp",
                               ":authority": f"127.0.0.1:{behind.port}"}
        assert seen.all("x-gatehouse-user") == ["alice"] and seen.all("host") == [] and seen.all("authorization") == []
        assert seen.all("connection") == seen.all("transfer-encoding") == []
    assert behind.connections <= 2
    _, seen = site.accepted(Request("GET", "/weather/mcp", site.post().fields))
    assert seen.body == b"" and seen.whole


def test_streams_over_http2_behind(site, behind):
    go = threading.Semaphore(0)

    def script(call):
        call.open_stream()
        for i in range(3):
            assert go.acquire(timeout=30)
            call.event(b"data: %d\n\n" % i)
        call.close_stream()

    behind.script = script
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        events = connection.events(connection.read_head())
        for i in range(3):
            go.release()
            assert next(events) == b"data: %d\n\n" % i
        assert list(events) == []


@pytest.mark.parametrize("end, reason", [(lambda call: call.reset(), "upstream_aborted"), (lambda call: call.reset(8), "upstream_aborted"),
                                         (lambda call: call.hang_up(), "upstream_aborted"),
                                         (lambda call: call.connection.send(h2.frame(h2.DATA, 0, 0, b"x")), "upstream_malformed")],
                         ids=["reset", "cancel", "closed", "framing"])
def test_an_end_over_http2_behind_is_never_clean(site, behind, end, reason):
    behind.script = lambda call: (call.open_stream(), call.event(b"data: 1\n\n"), end(call)) if call.all("mcp-name") else call.json({})
    site.start()
    site.accepted(site.post())
    with site.connect() as connection:
        connection.send(site.post().also("Mcp-Name", "x").wire())
        answer = connection.read()
    assert answer.status == 200 and not answer.clean
    assert site.next_audit()["reason"] == reason
    site.accepted(site.post())


def test_a_post_is_not_sent_twice_over_http2(site, behind):
    behind.script = lambda call: call.reset(7) if call.all("mcp-name") else call.json({})
    site.start()
    site.accepted(site.post())
    answer = site.send(site.post().also("Mcp-Name", "x"))
    assert (answer.status, answer.audit["reason"]) == (502, "upstream_aborted")
    assert len([seen for seen in behind.seen if seen.all("mcp-name")]) == 1
    get = Request("GET", "/weather/mcp", site.post().also("Mcp-Name", "x").fields)
    assert site.send(get).status == 502  # asked once more, which is all that may be done
    assert len([seen for seen in behind.seen if seen.all("mcp-name")]) == 3


def test_a_client_that_leaves_resets_the_stream_behind(site, behind):
    gone = []
    behind.script = lambda call: (call.open_stream(), call.event(b"data: 1\n\n"), gone.append(call.wait_gone())) if call.all("mcp-name") else call.json({})
    site.settings["workers"] = 1
    site.start()
    connection = site.connect()
    connection.send(site.post().also("Mcp-Name", "x").wire())
    next(connection.events(connection.read_head()))
    connection.close()
    until(lambda: gone == [True], "reset of the stream")
    assert site.next_audit()["reason"] == "client_gone"
    site.accepted(site.post())
    assert behind.connections == 1, "the connection goes on"


def test_a_goaway_sends_new_calls_elsewhere(site, behind):
    site.settings["workers"] = 1
    behind.script = lambda call: (call.json({}), call.goaway(call.number)) if call.all("mcp-name") else call.json({})
    site.start()
    site.accepted(site.post().also("Mcp-Name", "x"))
    for _ in range(3):
        site.accepted(site.post())
    assert behind.connections == 2


# ---- trust and credentials

def test_a_client_certificate_and_an_authority_of_its_own(site, authority):
    """The server asks who calls; without our certificate it does not answer."""
    certificate, key = authority.leaf("gateway.internal")
    server = H2Upstream(tls=server_context(authority, "127.0.0.1", client_ca=authority.path))
    upstream = {"urls": [server.url], "ca_file": authority.path, "certificate": certificate, "key": key}
    site.settings["routes"] += [
        {**site.route, "name": "with", "resource": f"{site.origin}/with/mcp", "upstream": upstream},
        {**site.route, "name": "without", "resource": f"{site.origin}/without/mcp", "upstream": {"urls": [server.url], "ca_file": authority.path}}]
    site.start()
    answer = site.send(site.post(site.issuer.token(aud=f"{site.origin}/with/mcp"), target="/with/mcp"))
    assert (answer.status, answer.audit["reason"], len(server.seen)) == (200, "ok", 1)
    answer = site.send(site.post(site.issuer.token(aud=f"{site.origin}/without/mcp"), target="/without/mcp"))
    assert answer.status == 502 and answer.audit["reason"] in ("upstream_aborted", "upstream_tls", "upstream_malformed")
    assert len(server.seen) == 1
    server.close()


@pytest.mark.parametrize("header", [None, "X-Api-Key"])
def test_a_static_credential(site, tmp_path, header):
    """From a file, in place of the client's; a client's own field of that name does not get through, and neither is logged."""
    secret = tmp_path / "credential"
    secret.write_text("Bearer s3cret-of-the-gateway\n")
    secret.chmod(0o600)
    site.route["upstream"] = {"urls": [site.upstream.url], "credential": {"file": "credential", **({"header": header} if header else {})}}
    site.start()
    _, seen = site.accepted(site.post().also("X-Api-Key", "mine"))
    assert seen.all(header or "authorization") == ["Bearer s3cret-of-the-gateway"]
    assert b"mine" not in seen.head and site.issuer.token().rsplit(".", 1)[1] not in seen.head.decode()
    answer = site.send(site.post(token=False))
    assert answer.status == 401 and len(site.upstream.seen) == 1
    assert "s3cret" not in site.log() + str(site.audit()) + site.admin("/metrics")[1]
    with open(f"/proc/{site.process.pid}/cmdline", "rb") as file:
        assert b"s3cret" not in file.read()


# ---- several endpoints

def several(site, count, **more):
    made = [Upstream() for _ in range(count)]
    site.settings["workers"] = 1
    site.route["upstream"] = {"urls": [upstream.url for upstream in made], **more}
    return made


def served(made):
    return [len(upstream.seen) for upstream in made]


def test_the_least_busy_one_gets_the_call(site):
    """Two of three are held up by slow calls: what comes meanwhile goes to the third."""
    go = threading.Event()
    made = several(site, 3)
    for upstream in made:
        upstream.script = lambda call: (go.wait(30) if call.seen.all("mcp-name") else None, call.json({}))
    site.start()
    slow = [site.connect() for _ in range(2)]
    for connection in slow:
        connection.send(site.post().also("Mcp-Name", "slow").wire())
    until(lambda: sum(served(made)) == 2, "two slow calls")
    busy = served(made)
    for _ in range(6):
        assert site.send(site.post()).status == 200
    assert [now - before for now, before in zip(served(made), busy)] == [0 if one else 6 for one in busy]
    go.set()
    for connection in slow:
        assert connection.read().status == 200
        connection.close()
    before = served(made)
    for _ in range(9):
        assert site.send(site.post()).status == 200
    assert [now - then for now, then in zip(served(made), before)] == [3, 3, 3], "equals take turns"
    for upstream in made:
        upstream.close()


def test_a_dead_endpoint_costs_nobody_a_request(site):
    """It is left out after so many failures, and found again when it is back."""
    made = several(site, 3, eject_after=2, eject_time="1s", connect_timeout="1s")
    made[2].close()
    site.start()
    for _ in range(30):
        answer = site.send(site.post())
        assert (answer.status, answer.audit["reason"]) == (200, "ok")
    assert served(made)[2] == 0 and all(served(made)[:2])
    made[2].listen()
    until(lambda: site.send(site.post()).status == 200 and made[2].seen, "call to the endpoint that is back")
    for upstream in made:
        upstream.close()


def test_health_is_asked_for(site):
    """An endpoint whose page says it is ill gets no calls; it gets them again when it is well."""
    ill = threading.Event()

    def page(call, is_ill):
        if call.seen.target == "/health":
            return call.answer(503 if is_ill() else 200, b"")
        return echo(call)

    made = several(site, 2, eject_after=1, health={"path": "/health", "interval": "500ms"})
    made[0].script = lambda call: page(call, ill.is_set)
    made[1].script = lambda call: page(call, lambda: False)
    site.start()

    def calls():
        return [len([seen for seen in upstream.seen if seen.target == "/mcp"]) for upstream in made]

    def spread():
        before = calls()
        for _ in range(4):
            assert site.send(site.post()).status == 200
        return [now - then for now, then in zip(calls(), before)]

    until(lambda: spread() == [2, 2], "calls to both")
    ill.set()
    until(lambda: spread() == [0, 4], "calls to the healthy one alone")
    ill.clear()
    until(lambda: spread() == [2, 2], "calls to both again")
    health = [seen for seen in made[0].seen if seen.target == "/health"]
    assert all(seen.method == "GET" and seen.all("authorization") == [] for seen in health)
    for upstream in made:
        upstream.close()


# ---- Z9: a server that fails in the middle

FAILURES = {
    "at once": b"",
    "one byte": b"H",
    "in the head": b"HTTP/1.1 200 OK\r\nContent-Type: text/eve",
    "behind the head": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    "in a chunk": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n20\r\ndata: 1\n\n",
    "in an event": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata: 1\r\n",
    "in a size": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n1",
    "before the last line": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n",
    "in a counted body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"half\":",
}


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("raw", FAILURES.values(), ids=FAILURES)
def test_z9_broken_off(secure, raw, how):
    """Before a head it is a 502, behind it a broken message, on both protocols; a POST is never sent again, others are served."""
    def script(call):
        if call.seen.all("mcp-name"):
            call.raw(raw)
            (call.abort if how == "reset" else call.hang_up)()
        else:
            echo(call)

    secure.upstream.script = script
    client, beside = secure.h2(), secure.h2()
    fields = h2.fields_of(secure, scheme="https")
    stream = client.answer(client.request(fields + [("mcp-name", "x")], b"{}"))
    if b"\r\n\r\n" in raw:
        assert stream.status == 200 and stream.reset not in (None, h2.NO_ERROR) and not stream.ended
    else:
        assert (stream.status, stream.reset) == (502, None)
    assert secure.next_audit()["reason"] == "upstream_aborted"
    assert len([seen for seen in secure.upstream.seen if seen.all("mcp-name")]) == 1
    for one in (client, beside):
        assert one.answer(one.request(fields, b"{}")).status == 200
        one.close()


def test_z9_a_server_that_hangs_holds_up_nobody_else(site):
    """And one that drips is patient company for nobody: a body that stands still ends."""
    other = Upstream()
    site.settings["workers"] = 1
    site.route["upstream"] = {"urls": [site.upstream.url], "first_byte_timeout": "1s", "stall_timeout": "1s"}
    site.settings["routes"].append({**site.route, "name": "maps", "resource": f"{site.origin}/maps/mcp", "upstream": other.url})
    stop = threading.Event()
    half = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"half\":"
    site.upstream.script = lambda call: (call.raw(half) if call.seen.all("mcp-name") else None, stop.wait(30), call.hang_up())
    site.start()
    hanging, dripping = site.connect(), site.connect()
    hanging.send(site.post().wire())
    dripping.send(site.post().also("Mcp-Name", "half").wire())
    maps = site.post(site.issuer.token(aud=f"{site.origin}/maps/mcp"), target="/maps/mcp")
    for _ in range(50):
        with site.connect() as connection:
            connection.send(maps.wire())
            assert connection.read().status == 200
    answer = hanging.read()
    assert answer.status == 504 and site.audit_of_id(answer["x-request-id"])["reason"] == "upstream_timeout"
    answer = dripping.read()
    assert answer.status == 200 and not answer.clean
    assert site.audit_of_id(answer["x-request-id"])["reason"] == "upstream_timeout"
    stop.set()
    for one in (hanging, dripping):
        one.close()
    other.close()


def test_z9_an_endless_answer_passes_through(site):
    """A gigabyte, or what of it the client wants: no more is held here than the buffers."""
    sent = [0]

    def script(call):
        call.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        try:
            while sent[0] < 1 << 30:
                call.raw(b"x" * 65536)
                sent[0] += 65536
        except OSError:
            pass
        call.ends = True

    site.upstream.script = script
    site.start()
    with site.connect() as connection:
        connection.send(site.post().wire())
        connection.read_head()
        connection.take(8 << 20)
    until(lambda: site.audit(), "audit line")
    assert site.next_audit()["reason"] == "client_gone" and sent[0] < 64 << 20
    with open(f"/proc/{site.process.pid}/status", encoding="ascii") as file:
        assert "VmRSS" in file.read()
