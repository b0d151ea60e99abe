"""Who stands in front and is believed: an edge's assertion, forwarding fields, PROXY lines; from two addresses (H17)."""
import socket
import subprocess

import pytest

from support.http1 import Connection
from support.wait import until


@pytest.fixture
def outside():
    """An address of this machine that is not loopback: whoever comes from there is nobody's neighbour."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
            address = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if not address.startswith("127."):
        yield address
        return
    made = "192.0.2.254/32"
    subprocess.run(["ip", "address", "add", made, "dev", "lo"], check=True, timeout=30)
    yield made.split("/")[0]
    subprocess.run(["ip", "address", "del", made, "dev", "lo"], check=True, timeout=30)


@pytest.fixture
def wide(site, authority):
    """Listens on every address, over TLS, so that a stranger gets as far as a request."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"] = [{"address": f"0.0.0.0:{site.port}", "tls": {"certificate": certificate, "key": key}}]
    site.settings["trusted_proxies"] = ["203.0.113.0/24", "127.0.0.1/32"]
    site.tls = authority.client("http/1.1")
    return site


def send(site, request, host="127.0.0.1"):
    with Connection(site.port, host=host, source=host, tls=site.tls) as connection:
        connection.send(request.wire())
        answer = connection.read()
    answer.audit = site.audit_of(answer)
    return answer


def told(answer):
    return answer.status, answer.audit["reason"]


def test_an_assertion_counts_from_the_edge_alone(wide, outside):
    """The same request with the same good assertion: from the edge it gets in, from elsewhere it is nothing."""
    wide.settings["issuers"]["idp"]["profile"] = "cloudflare-access"
    wide.route.update(scopes=[], audiences=[wide.issuer.resource])
    wide.start()
    assertion = wide.issuer.token(header={"typ": "JWT"}, type="app", scope=None, client_id=None)
    good = wide.post(token=False).with_field("Cf-Access-Jwt-Assertion", assertion)
    assert told(send(wide, good)) == (200, "ok")
    before = wide.upstream.bytes
    answer = send(wide, good, outside)
    assert told(answer) == (401, "assertion_missing") and wide.upstream.bytes == before
    assert "resource_metadata" not in (answer["www-authenticate"] or "")
    # Even an edge is verified in full.
    forged = good.with_field("Cf-Access-Jwt-Assertion", assertion.rsplit(".", 1)[0] + "." + wide.issuer.token().rsplit(".", 1)[1])
    assert told(send(wide, forged)) == (401, "token_signature")
    assert told(send(wide, good.also("Cf-Access-Jwt-Assertion", assertion))) == (400, "authorization_many")
    large = good.with_field("Cf-Access-Jwt-Assertion", "x" * 9000)
    assert told(send(wide, large)) == (431, "token_large")
    assert told(send(wide, wide.post())) == (401, "assertion_missing"), "a client's own token is no credential here"
    assert wide.upstream.bytes == before
    assert told(send(wide, good)) == (200, "ok")
    assert wide.upstream.seen[-1].all("cf-access-jwt-assertion") == [] and wide.upstream.seen[-1].all("authorization") == []


def test_an_edge_serves_no_metadata(wide):
    wide.settings["issuers"]["idp"]["profile"] = "cloudflare-access"
    wide.route.update(scopes=[], audiences=[wide.issuer.resource])
    wide.start()
    for place in ("/.well-known/oauth-protected-resource/weather/mcp", "/.well-known/oauth-protected-resource",
                  "/.well-known/oauth-authorization-server"):
        answer = send(wide, wide.post(token=False).to(place, "GET"))
        assert told(answer) == (404, "wellknown_unknown")


def test_forwarding_fields_of_strangers_are_no_facts(wide, outside):
    """The client's address in the audit log, and what the server behind is told, come from whom we trust."""
    wide.start()
    request = wide.post().also("X-Forwarded-For", "198.51.100.77").also("X-Forwarded-Proto", "http").also("Forwarded", "for=198.51.100.77")
    near, far = send(wide, request), send(wide, request, outside)
    assert told(near) == told(far) == (200, "ok")
    assert (near.audit["ip"], far.audit["ip"]) == ("198.51.100.77", outside)
    assert b"198.51.100.77" not in wide.upstream.seen[-1].head
    chain = wide.post().also("X-Forwarded-For", "10.9.9.9, 198.51.100.78, 203.0.113.5")
    assert send(wide, chain).audit["ip"] == "198.51.100.78", "the last one that no proxy of ours has"
    assert send(wide, wide.post().also("X-Forwarded-For", "198.51.100.79, junk")).audit["ip"] == "127.0.0.1"


def test_a_proxy_line_of_a_stranger_ends_the_connection(wide, outside):
    wide.settings["listen"][0]["proxy_protocol"] = True
    wide.start()
    line = b"PROXY TCP4 198.51.100.9 192.0.2.1 40000 443\r\n"
    with socket.create_connection(("127.0.0.1", wide.port), 30) as raw:
        raw.sendall(line)
        with wide.tls.wrap_socket(raw, server_hostname="localhost") as secure:
            secure.sendall(wide.post().wire())
            assert secure.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert wide.next_audit()["ip"] == "198.51.100.9"
    with socket.create_connection((outside, wide.port), 30, source_address=(outside, 0)) as raw:
        try:
            raw.sendall(line)
            assert raw.recv(100) == b""
        except ConnectionError:
            pass
    until(lambda: wide.audit()[-1]["reason"] == "proxy_header", "audit line with proxy_header")
    assert len(wide.upstream.seen) == 1
