"""threats.md section 4.4 on HTTP/1.1, by raw bytes: each row in every way of cutting it, and behind a good request."""
import pytest

from support.http1 import Broken, Request, whole
from support.upstream import echo
from support.wait import until

WHOLE = (whole,)


def with_lines(gateway, *lines, body=b""):
    """A good head with these lines in place of any framing, and these bytes behind it."""
    head = gateway.post(body=b"").wire()
    return head[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


# ---- H1: one length or one "chunked"

FRAMINGS = {
    "length, then chunked": [b"Content-Length: 2", b"Transfer-Encoding: chunked"],
    "chunked, then length": [b"Transfer-Encoding: chunked", b"Content-Length: 2"],
    "equal lengths": [b"Content-Length: 2", b"Content-Length: 2"],
    "list of lengths": [b"Content-Length: 2, 2"],
    "plus": [b"Content-Length: +2"],
    "minus": [b"Content-Length: -2"],
    "hexadecimal": [b"Content-Length: 0x2"],
    "space inside": [b"Content-Length: 1 2"],
    "point": [b"Content-Length: 2.0"],
    "no length": [b"Content-Length:"],
    "leading zero": [b"Content-Length: 02"],
    "beyond 64 bits": [b"Content-Length: 18446744073709551618"],
    "name with an underscore": [b"Content_Length: 2"],
    "encoding with an underscore": [b"Transfer_Encoding: chunked"],
    "chunked twice": [b"Transfer-Encoding: chunked, chunked"],
    "two encodings": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
    "identity": [b"Transfer-Encoding: identity"],
    "gzip": [b"Transfer-Encoding: gzip"],
    "gzip, chunked": [b"Transfer-Encoding: gzip, chunked"],
    "almost chunked": [b"Transfer-Encoding: xchunked"],
    "quoted": [b'Transfer-Encoding: "chunked"'],
    "parameter": [b"Transfer-Encoding: chunked;q=1"],
    "vertical tab": [b"Transfer-Encoding: \x0bchunked"],
    "folded": [b"Transfer-Encoding:", b" chunked"],
    "space before the colon": [b"Transfer-Encoding : chunked"],
}


@pytest.mark.parametrize("lines", FRAMINGS.values(), ids=FRAMINGS)
def test_h1_framings(gateway, lines):
    gateway.refused(with_lines(gateway, *lines, body=b"2\r\n{}\r\n0\r\n\r\n"), 400, reason="http_malformed",
                    good=gateway.post(body=b"{}"))


def test_h1_chunked_in_http_1_0(gateway):
    bad = with_lines(gateway, b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")
    gateway.refused(bad, 400, reason="http_malformed")


# ---- H2: chunks

def chunked(gateway, body, *lines):
    return with_lines(gateway, b"Transfer-Encoding: chunked", *lines, body=body)


CHUNKS = {
    "bare LF behind the size": b"2\n{}\r\n0\r\n\r\n",
    "bare CR behind the size": b"2\r{}\r\n0\r\n\r\n",
    "LF behind the data": b"2\r\n{}\n0\r\n\r\n",
    "no line behind the data": b"2\r\n{}0\r\n\r\n",
    "more data than the size": b"2\r\n{} \r\n0\r\n\r\n",
    "space behind the size": b"2 \r\n{}\r\n0\r\n\r\n",
    "space before the size": b" 2\r\n{}\r\n0\r\n\r\n",
    "plus": b"+2\r\n{}\r\n0\r\n\r\n",
    "0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "empty size": b"\r\n{}\r\n0\r\n\r\n",
    "beyond 64 bits": b"ffffffffffffffff2\r\n{}\r\n0\r\n\r\n",
    "17 digits": b"00000000000000002\r\n{}\r\n0\r\n\r\n",
    "line end in an extension": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "quoted extension": b'2;a="\r\n{}\r\n0\r\n\r\n"\r\n',
    "NUL in an extension": b"2;a\0\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS)
def test_h2_chunks(gateway, body):
    gateway.broken_off(chunked(gateway, body), 400, reason="http_malformed")


def accepted_raw(gateway, raw, body):
    answer = gateway.send(raw)
    assert (answer.status, answer.audit["reason"]) == (200, "ok")
    seen = gateway.upstream.seen[-1]
    assert seen.body == body and seen.whole
    return seen


def test_h2_legal_forms(gateway):
    for body in (b"0000000000000002\r\n{}\r\n0\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n000\r\n\r\n", b"2;a;b=c\r\n{}\r\n0;d\r\n\r\n"):
        accepted_raw(gateway, chunked(gateway, body), b"{}")


# ---- H3: trailers

TRAILERS = {
    "length": b"Content-Length: 3\r\n",
    "encoding": b"Transfer-Encoding: chunked\r\n",
    "host": b"Host: evil.example\r\n",
    "pseudo field": b":path: /x\r\n",
    "underscore": b"X_Gatehouse_User: root\r\n",
    "no colon": b"X-Gatehouse-User\r\n",
    "folded": b"X-A: 1\r\n 2\r\n",
    "bare LF": b"X-A: 1\nX-B: 2\r\n",
}


@pytest.mark.parametrize("trailer", TRAILERS.values(), ids=TRAILERS)
def test_h3_trailers(gateway, trailer):
    gateway.broken_off(chunked(gateway, b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n"), 400, reason="http_malformed")


def test_h3_trailers_are_dropped(gateway):
    trailers = b"X-Gatehouse-User: root\r\nAuthorization: Bearer x\r\nX-Trailer-Mark: 1\r\n"
    seen = accepted_raw(gateway, chunked(gateway, b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n", b"Trailer: X-Trailer-Mark"), b"{}")
    assert seen.all("x-gatehouse-user") == ["alice"] and seen.all("trailer") == []
    assert b"x-trailer-mark" not in gateway.upstream.record.lower() and b"root" not in gateway.upstream.record


def test_h3_trailers_have_the_limits_of_a_head(gateway):
    many = b"".join(b"X-%d: 1\r\n" % i for i in range(100))
    accepted_raw(gateway, chunked(gateway, b"2\r\n{}\r\n0\r\n" + many + b"\r\n"), b"{}")
    gateway.broken_off(chunked(gateway, b"2\r\n{}\r\n0\r\n" + many + b"X-101: 1\r\n\r\n"), 431, reason="http_fields_many",
                       ways=WHOLE)
    gateway.broken_off(chunked(gateway, b"2\r\n{}\r\n0\r\nX: " + b"y" * 40000 + b"\r\n\r\n"), 431, reason="http_head_large",
                       ways=WHOLE)


# ---- H5: Host

HOSTS = {
    "empty": b"", "space": b"a b", "userinfo": b"user@{}", "list": b"{}, {}", "slash": b"{}/", "query": b"{}?", "fragment": b"{}#",
    "NUL": b"{}\0", "port": b"127.0.0.1:99999", "no port": b"127.0.0.1:", "signed port": b"127.0.0.1:+80", "literal": b"[::1",
    "zone": b"[fe80::1%25eth0]", "number": b"2130706433", "tab": b"{}\tx",
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_h5_malformed_hosts(gateway, host):
    good = gateway.post()
    value = host.replace(b"{}", gateway.authority.encode())
    bad = good.wire().replace(b"Host: " + gateway.authority.encode(), b"Host: " + value)
    reason = "http_malformed" if b"\0" in value else "http_host"
    gateway.refused(bad, 400, reason, good=good)


def test_h5_never_a_default_tenant(gateway):
    for host in ("evil.example", "127.0.0.2", "[::1]", "localhost"):
        gateway.refused(gateway.post().with_field("Host", host), 421, reason="http_host_unknown")
    gateway.refused(gateway.post(token=False).to("/.well-known/oauth-protected-resource/weather/mcp", "GET")
                    .with_field("Host", "evil.example"), 421, reason="http_host_unknown")


# ---- H6: paths (the table of forms stands in tests/tables/target.cases)

def test_h6_nothing_public_opens_a_path(gateway):
    public = "/.well-known/oauth-protected-resource"
    for target in (public + "/../../weather/mcp", public + "/%2e%2e/%2e%2e/weather/mcp", public + "//weather/mcp"):
        gateway.refused(gateway.post(token=False).to(target), 400, reason="http_path")
    for query in ("?" + public, "?x=" + public, "?skip_auth=1", "?a=/../" + public):
        gateway.refused(gateway.post(token=False).to("/weather/mcp" + query), 401, reason="token_missing")


def test_h6_forwarded_paths_do_not_route(gateway):
    for name in ("X-Forwarded-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Envoy-Original-Path"):
        request = gateway.post(token=False).also(name, "/.well-known/oauth-protected-resource/weather/mcp")
        gateway.refused(request, 401, reason="token_missing", ways=WHOLE)


# ---- H7: credentials elsewhere are none

def test_h7_credentials_in_other_places(gateway):
    token, bare = gateway.issuer.token(), gateway.post(token=False)
    for name in ("X-Authorization", "Proxy-Authorization", "X-Forwarded-Authorization", "X-Access-Token", "Access-Token", "X-Original-Authorization",
                 "Authorization-Bearer"):
        gateway.refused(bare.also(name, f"Bearer {token}"), 401, reason="token_missing", ways=WHOLE)
    gateway.refused(bare.also("Cookie", f"access_token={token}; Authorization=Bearer {token}"), 401, reason="token_missing")
    form = Request(target=bare.target, fields=bare.fields, body=f"access_token={token}".encode())
    gateway.refused(form, 401, reason="token_missing")
    gateway.refused(form.with_field("Content-Type", "application/x-www-form-urlencoded"), 401, reason="token_missing")
    gateway.refused(bare.also("Authorization_", f"Bearer {token}"), 400, reason="http_malformed")


# ---- H8, H9: what the gateway says, nobody else does

FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id", "Accept-Encoding")
SPOOFED = ("X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Access-Token",
           "X-Real-Ip", "Forwarded", "Via", "X-Auth-Request-User", "X-Remote-User", "Remote-User", "X-User", "X-Client-Cert", "X-Envoy-Internal",
           "X-Gatehouse-Issuer", "X-Gatehouse-Agent", "X-Gatehouse-Scopes", "X-Gatehouse-Kind", "Cf-Access-Jwt-Assertion")


def test_h9_every_name_the_gateway_sets(gateway):
    names = ("X-Gatehouse-User", "X-Gatehouse-Client", "X-Gatehouse-Tenant") + FORWARDED
    spoofed = gateway.post()
    for name in names + SPOOFED:
        for spelling in (name, name.lower(), name.upper(), name.swapcase()):
            spoofed = spoofed.also(spelling, "spoofed") if len(spoofed.fields) < 96 else spoofed
    _, seen = gateway.accepted(spoofed)
    assert b"spoofed" not in seen.head
    for name in names:
        assert len(seen.all(name)) == 1, name
    for name in SPOOFED:
        assert seen.all(name) == [], name
    assert seen.all("x-forwarded-for") == ["127.0.0.1"] and seen.all("x-forwarded-proto") == ["http"]
    assert seen.all("x-forwarded-host") == [gateway.authority]


@pytest.mark.parametrize("name", ["X_Gatehouse_User", "X-Gatehouse_User", "X_Forwarded_For", "Authorization_", "_", "Mcp_Session_Id"])
def test_h9_underscores(gateway, name):
    gateway.refused(gateway.post().also(name, "root"), 400, reason="http_malformed")


def test_h8_connection_takes_away_nothing_of_ours(gateway):
    listed = ("X-Gatehouse-User, X-Gatehouse-Client, X-Gatehouse-Tenant, X-Forwarded-For, X-Request-Id, Host, Content-Length, "
              "Content-Type, Mcp-Name, Authorization")
    _, seen = gateway.accepted(gateway.post().also("Connection", listed).also("Mcp-Name", "x"))
    for name in ("x-gatehouse-user", "x-gatehouse-client", "x-gatehouse-tenant", "x-forwarded-for", "x-request-id", "host", "content-length",
                 "content-type"):
        assert len(seen.all(name)) == 1, name


# ---- H10: one final answer each, in order

def test_h10_a_body_that_is_asked_for(gateway):
    request = gateway.post().also("Expect", "100-continue").wire()
    head, body = request.split(b"\r\n\r\n", 1)
    with gateway.connect() as connection:
        connection.send(head + b"\r\n\r\n")
        connection.take_until(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(body)
        assert connection.read().status == 200
        connection.send(gateway.post().wire())
        assert connection.read().status == 200
    assert len(gateway.upstream.seen) == 2 and gateway.upstream.seen[0].all("expect") == []


def test_h10_a_refusal_before_the_body(gateway):
    """What is left of a body is read up to 64 KiB, so that the next request is found behind it; else the connection ends."""
    good, small, large = gateway.post(), gateway.post(token=False, body=b"x" * 60000), gateway.post(token=False, body=b"x" * 100000)
    answer = gateway.second_on_connection(small, good)
    assert answer is not None and (answer.status, answer.audit["reason"]) == (200, "ok")
    with gateway.connect() as connection:
        try:
            connection.send(large.wire() + good.wire())
        except OSError:
            pass
        assert connection.read().status == 401
        with pytest.raises((Broken, OSError)):
            connection.read()
    assert len(gateway.upstream.seen) == 1


def test_h10_an_early_answer_of_the_upstream(site):
    """Its connection still carries the rest of a request: nobody else gets it."""
    site.settings["workers"] = 1
    site.upstream.early = lambda call: b"early" in call.seen.head and call.json({"early": True}) is None
    site.start()
    request = site.post(body=b"x" * 50000).also("Mcp-Name", "early").wire()
    with site.connect() as connection:
        connection.send(request[:-20000])
        assert connection.read().body == b'{"early": true}'
    before = site.upstream.connections
    for _ in range(3):
        site.accepted(site.post())
    assert site.upstream.connections == before + 1


@pytest.mark.parametrize("length", [None, 0])
def test_h10_no_content(gateway, length):
    line = b"" if length is None else b"Content-Length: %d\r\n" % length
    gateway.upstream.script = lambda call: call.raw(b"HTTP/1.1 204 No Content\r\n%s\r\n" % line)
    with gateway.connect() as connection:
        for _ in range(2):
            connection.send(gateway.post().wire())
            answer = connection.read()
            assert (answer.status, answer.body) == (204, b"")
    gateway.read = len(gateway.audit())


def test_h10_a_304_that_nobody_asked_for(gateway):
    """No conditional request is ever sent on: it can only be wrong, and its length is that of no body."""
    gateway.upstream.script = lambda call: call.raw(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n")
    answer = gateway.send(gateway.post())
    assert (answer.status, answer.audit["reason"]) == (502, "upstream_redirect")
    gateway.upstream.script = echo
    gateway.accepted(gateway.post())


def test_h10_head_has_no_body(gateway):
    request = Request("HEAD", "/.well-known/oauth-protected-resource/weather/mcp", (("Host", gateway.authority),))
    with gateway.connect() as connection:
        for _ in range(2):
            connection.send(request.wire())
            answer = connection.read("HEAD")
            assert answer.status == 200 and int(answer["content-length"]) > 0
        connection.send(gateway.post(token=False).wire())
        assert connection.read().status == 401
        refused = Request("HEAD", "/weather/mcp", (("Host", gateway.authority),))
        connection.send(refused.wire() + gateway.post().wire())
        assert connection.read("HEAD").status == 401
        assert connection.read().status == 200


def test_h10_pipelined_refusals_and_answers_keep_their_order(gateway):
    raw = b"".join(request.wire() for request in (gateway.post(), gateway.post(token=False), gateway.post(target="/nowhere"), gateway.post()))
    with gateway.connect() as connection:
        connection.send(raw)
        assert [connection.read().status for _ in range(4)] == [200, 401, 404, 200]


# ---- H13: no other protocol

def test_h13_no_other_protocols(gateway):
    good = gateway.post()
    h2c = good.also("Connection", "Upgrade, HTTP2-Settings").also("Upgrade", "h2c").also("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
    gateway.refused(h2c, 400, reason="http_upgrade")
    websocket = good.to("/weather/mcp", "GET").also("Connection", "Upgrade").also("Upgrade", "websocket").also("Sec-WebSocket-Version", "13")
    gateway.refused(Request("GET", websocket.target, websocket.fields), 400, reason="http_upgrade", good=good)
    gateway.refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, reason="http_version")
    gateway.refused(good.to("127.0.0.1:25", "CONNECT"), 501, reason="http_method_unknown")
    gateway.refused(good.to("/weather/mcp", "TRACE"), 501, reason="http_method_unknown")


# ---- H14: what policy could not read

def test_h14_coded_and_foreign_bodies(gateway):
    good = gateway.post()
    for value in ("gzip", "br", "identity, gzip", "x-gzip", "deflate"):
        gateway.refused(good.also("Content-Encoding", value), 415, reason="http_encoding", ways=WHOLE)
    for value in ("gzip", "identity"):
        gateway.refused(good.also("Content-Encoding", "identity").also("Content-Encoding", value), 415, reason="http_encoding")
    gateway.accepted(good.also("Content-Encoding", "identity"))
    for value in ("text/plain", "application/json; charset=utf-16", "application/json;charset=\"utf-7\"", "multipart/mixed; boundary=x",
                  "application/x-www-form-urlencoded", "application/jsonl", "application/json; charset=utf-8; charset=utf-16", ""):
        gateway.refused(good.with_field("Content-Type", value), 415, reason="http_media_type", ways=WHOLE)
    gateway.refused(good.also("Content-Type", "application/json"), 415, reason="http_media_type")
    for value in ("application/json;charset=UTF-8", 'Application/JSON; charset="utf-8"', "application/json"):
        gateway.accepted(good.with_field("Content-Type", value))


# ---- H16: the request line and fields

LINES = {
    "two spaces": (b"POST  /weather/mcp HTTP/1.1", 400, "http_malformed"),
    "tab": (b"POST\t/weather/mcp HTTP/1.1", 400, "http_malformed"),
    "no version": (b"POST /weather/mcp", 400, "http_malformed"),
    "no target": (b"POST HTTP/1.1", 400, "http_malformed"),
    "lower-case version": (b"POST /weather/mcp http/1.1", 400, "http_malformed"),
    "version 1.10": (b"POST /weather/mcp HTTP/1.10", 400, "http_malformed"),
    "version 1.2": (b"POST /weather/mcp HTTP/1.2", 505, "http_version"),
    "version 0.9": (b"POST /weather/mcp HTTP/0.9", 505, "http_version"),
    "lower-case method": (b"post /weather/mcp HTTP/1.1", 501, "http_method_unknown"),
    "unknown method": (b"MOVE /weather/mcp HTTP/1.1", 501, "http_method_unknown"),
    "method with a bracket": (b"PO(ST /weather/mcp HTTP/1.1", 400, "http_malformed"),
    "absolute form of another host": (b"POST http://evil.example/weather/mcp HTTP/1.1", 400, "http_malformed"),
    "absolute form": (b"POST http://127.0.0.1/weather/mcp HTTP/1.1", 400, "http_malformed"),
    "fragment": (b"POST /weather/mcp#x HTTP/1.1", 400, "http_path"),
    "8-bit": (b"POST /weather/mcp\xe4 HTTP/1.1", 400, "http_malformed"),
    "NUL": (b"POST /weather/mcp\0 HTTP/1.1", 400, "http_malformed"),
    "bare CR": (b"POST /weather/mcp\r HTTP/1.1", 400, "http_malformed"),
}


@pytest.mark.parametrize("line, status, reason", LINES.values(), ids=LINES)
def test_h16_request_lines(gateway, line, status, reason):
    gateway.refused(gateway.post().wire().replace(b"POST /weather/mcp HTTP/1.1", line), status, reason)


FIELDS = {
    "no colon": b"X-A 1", "no name": b": 1", "space before the colon": b"X-A : 1", "space before the name": b" X-A: 1", "NUL": b"X-A: \0",
    "DEL": b"X-A: \x7f", "8-bit value": b"X-A: \xfc", "8-bit name": b"X-\xfc: 1", "bare CR": b"X-A: 1\r2", "bare LF": b"X-A: 1\n2",
    "bracket in the name": b"X(A): 1", "folded": b"X-A: 1\r\n\t2",
}


@pytest.mark.parametrize("line", FIELDS.values(), ids=FIELDS)
def test_h16_fields(gateway, line):
    gateway.refused(gateway.post().wire().replace(b"Host:", line + b"\r\nHost:"), 400, reason="http_malformed")


def padded(gateway, head):
    """A good request whose head costs exactly so many bytes: each line without its end, and 32 more for each field."""
    good = gateway.post()
    cost = sum(len(line) + 32 for line in good.wire().split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
    return good.also("X-Pad", "y" * (head - cost - len("X-Pad: ") - 32))


def test_h16_at_and_over_the_limits(gateway):
    good = gateway.post()
    for request in (padded(gateway, 32 * 1024), good.to("/weather/mcp?" + "y" * (8192 - len("POST /weather/mcp? HTTP/1.1")))):
        gateway.accepted(request)
    many = good
    for i in range(100 - len(good.fields) - 1):
        many = many.also(f"X-{i}", "y")
    gateway.accepted(many)
    gateway.refused(many.also("X-More", "y"), 431, reason="http_fields_many", good=many)
    gateway.refused(padded(gateway, 32 * 1024 + 1), 431, reason="http_head_large", ways=WHOLE)
    gateway.refused(good.to("/weather/mcp?" + "y" * (8193 - len("POST /weather/mcp? HTTP/1.1"))), 414, reason="http_target_long", ways=WHOLE)
    crumbs = good
    for _ in range(100 - len(good.fields)):
        crumbs = crumbs.also("Cookie", "a")
    gateway.refused(crumbs, 431, reason="http_fields_many")


def test_h16_bytes_behind_a_refused_head_are_no_request(gateway):
    """Whatever stands behind a head that could not be read, the connection ends."""
    good = gateway.post()
    for bad in (b"GET / HTTP/1.1\r\nX : 1\r\n\r\n", b"\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with gateway.connect() as connection:
            connection.send(bad + good.wire())
            assert connection.read().status in (400, 505)
            until(lambda: not connection.fill(), "end of the connection")
            assert connection.buffer == b""
    assert gateway.upstream.bytes == 0
