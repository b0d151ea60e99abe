"""Who is believed about whom: proxies in front, by PROXY header and forwarding fields, and nobody else."""
import socket
import struct

import pytest

from support import h2
from support.http1 import Broken, Request, whole
from support.wait import until

WHOLE = (whole,)
TRUSTED, OTHER = "127.0.0.9", "127.0.0.10"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def ask(site, source, *fields, header=b""):
    """The audit line of a good request from there, and what the upstream saw; the line alone when it was refused."""
    request = site.post()
    for name, value in fields:
        request = request.also(name, value)
    before = len(site.upstream.seen)
    with site.connect(source=source) as connection:
        try:
            connection.send(header + request.wire())
            answer = connection.read()
        except (Broken, OSError):
            answer = None
    line = site.next_audit()
    assert (answer is not None and answer.status == 200) == (line["reason"] == "ok"), (answer, line)
    return line, site.upstream.seen[-1] if len(site.upstream.seen) > before else None


# ---- forwarding fields

FIELDS = (("X-Forwarded-For", "203.0.113.9, 192.0.2.7"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=198.51.100.1;proto=https"))


@pytest.mark.parametrize("family, ip", [(None, "192.0.2.7"), ("x-forwarded", "192.0.2.7"), ("forwarded", "198.51.100.1")])
def test_forwarding_fields_of_a_proxy_and_of_anybody(site, family, ip):
    site.settings["trusted_proxies"] = [f"{TRUSTED}/32"]
    if family is not None:
        site.settings["forwarded_by"] = family
    site.start()
    line, seen = ask(site, TRUSTED, *FIELDS)
    assert line["ip"] == ip and seen.all("x-forwarded-for") == [ip]
    line, seen = ask(site, OTHER, *FIELDS)
    assert line["ip"] == OTHER and seen.all("x-forwarded-for") == [OTHER]
    for one in (seen, site.upstream.seen[0]):
        assert one.all("forwarded") == [] and one.all("x-forwarded-proto") == ["http"] and b"203.0.113.9" not in one.head


def test_a_proxy_that_adds_itself(site):
    """Two proxies of ours: the client is who the outer one saw; junk, or nothing but proxies, names nobody."""
    site.settings["trusted_proxies"] = ["127.0.0.0/8", "10.0.0.0/8"]
    site.start()
    for value, ip in (("192.0.2.7, 10.0.0.1", "192.0.2.7"), ("192.0.2.7, junk", TRUSTED), ("10.1.2.3", TRUSTED), ("2001:DB8::1", "2001:db8::1")):
        assert ask(site, TRUSTED, ("X-Forwarded-For", value))[0]["ip"] == ip


def test_forwarding_fields_never_route(site):
    """Nor do they choose a scheme, a host or a document, whoever sends them."""
    site.settings["trusted_proxies"] = ["127.0.0.0/8"]
    site.start()
    for name, value in (("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=evil.example"), ("X-Forwarded-Prefix", "/evil"), ("X-Original-URL", "/evil")):
        line, seen = ask(site, TRUSTED, (name, value))
        assert line["path"] == "/weather/mcp" and b"evil" not in seen.head
    document = site.post(token=False).to("/.well-known/oauth-protected-resource/weather/mcp", "GET").also("X-Forwarded-Host", "evil.example")
    assert b"evil" not in site.send(Request("GET", document.target, document.fields)).body


# ---- the PROXY header

def v2(client, command=1, family=0x11, extra=b""):
    body = socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 40000, 443) + extra
    return V2 + bytes([0x20 | command, family]) + struct.pack(">H", len(body)) + body


def v2_six():
    body = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + struct.pack(">HH", 40000, 443)
    return V2 + b"\x21\x21" + struct.pack(">H", len(body)) + body


HEADERS = {
    "v1": (b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n", "192.0.2.7"),
    "v1 over IPv6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n", "2001:db8::7"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", TRUSTED),
    "v2": (v2("192.0.2.7"), "192.0.2.7"),
    "v2 over IPv6": (v2_six(), "2001:db8::7"),
    "v2 with more": (v2("192.0.2.7", extra=b"\x03\x00\x04abcd"), "192.0.2.7"),
    "v2 local": (V2 + b"\x20\x00\x00\x00", TRUSTED),
}


def proxied(site):
    site.settings["trusted_proxies"] = [f"{TRUSTED}/32"]
    site.settings["listen"][0]["proxy_protocol"] = True
    return site.start()


@pytest.mark.parametrize("header, ip", HEADERS.values(), ids=HEADERS)
def test_proxy_headers(site, header, ip):
    proxied(site)
    assert ask(site, TRUSTED, header=header)[0]["ip"] == ip
    with site.connect(source=TRUSTED) as connection:  # in pieces
        for i in range(len(header)):
            connection.send(header[i:i + 1])
        connection.send(site.post().wire())
        assert connection.read().status == 200
    assert site.next_audit()["ip"] == ip


BAD_HEADERS = {
    "none": b"", "lower case": b"proxy TCP4 192.0.2.7 192.0.2.1 40000 443\r\n", "bare LF": b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\n",
    "port": b"PROXY TCP4 192.0.2.7 192.0.2.1 400000 443\r\n", "family": b"PROXY TCP6 192.0.2.7 192.0.2.1 40000 443\r\n",
    "too few": b"PROXY TCP4 192.0.2.7 192.0.2.1 40000\r\n", "too many": b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443 x\r\n",
    "too long": b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n", "two": b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n" * 2,
    "version": V2 + b"\x11\x11\x00\x0c" + bytes(12), "command": V2 + b"\x22\x11\x00\x0c" + bytes(12), "length": V2 + b"\x21\x11\xff\xff",
    "short": V2 + b"\x21\x11\x00\x04" + bytes(4),
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_bad_proxy_headers(site, header):
    proxied(site)
    assert ask(site, TRUSTED, header=HEADERS["v1"][0])[0]["reason"] == "ok"
    line, seen = ask(site, TRUSTED, header=header)
    assert line["reason"] == ("http_malformed" if header == BAD_HEADERS["two"] else "proxy_header") and seen is None  # reason: proxy_header
    assert ask(site, TRUSTED, header=HEADERS["v1"][0])[0]["reason"] == "ok"


def test_a_proxy_header_from_elsewhere(site):
    proxied(site)
    line, seen = ask(site, OTHER, header=HEADERS["v1"][0])
    assert (line["reason"], line["ip"], seen) == ("proxy_header", OTHER, None)
    assert ask(site, TRUSTED, header=HEADERS["v1"][0])[0]["reason"] == "ok"


def test_a_proxy_header_where_none_is_expected(gateway):
    """It is no request, whoever sends it."""
    for header in (HEADERS["v1"][0], HEADERS["v2"][0]):
        gateway.refused(header + gateway.post().wire(), 400, reason="http_malformed", ways=WHOLE)


def test_proxy_header_before_tls(site, authority):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    proxied(site)
    header = HEADERS["v1"][0]
    for cut in (0, 7):
        first = (header[:cut], header[cut:])
        with h2.Client(site.port, tls=authority.client("h2"), source=TRUSTED, first=first) as client:
            assert client.answer(client.request(h2.fields_of(site, scheme="https"), b"{}")).status == 200
            assert site.next_audit()["ip"] == "192.0.2.7"


def test_connections_are_counted_for_the_client_behind_the_proxy(site):
    site.settings["limits"] = {"connections_per_ip": 2}
    proxied(site)
    held = []
    for _ in range(2):
        connection = site.connect(source=TRUSTED)
        connection.send(HEADERS["v1"][0] + site.post().wire())
        assert connection.read().status == 200
        held.append(connection)
    site.read = len(until(lambda: len(site.audit()) == 2 and site.audit(), "two lines"))
    line, _ = ask(site, TRUSTED, header=HEADERS["v1"][0])
    assert (line["reason"], line["ip"]) == ("connections_many", "192.0.2.7")
    assert ask(site, TRUSTED, header=HEADERS["v2 over IPv6"][0])[0]["reason"] == "ok"
    for connection in held:
        connection.close()
