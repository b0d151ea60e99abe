"""What reaches the upstream of a request, and which requests never do: Host, Origin, paths, identity headers."""
import re
import urllib.parse

import pytest

from support.http1 import Broken, whole

WHOLE = (whole,)  # byte by byte would take long


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost"])
def test_unknown_host(gateway, host):
    good = gateway.post()
    answer = gateway.refused(good.with_field("Host", host), 421, reason="http_host_unknown", good=good)
    assert answer["www-authenticate"] is None


@pytest.mark.parametrize("host", ["", "a b", "user@127.0.0.1", "127.0.0.1:99999", "127.0.0.1/x", "a.example, b.example"])
def test_malformed_host(gateway, host):
    good = gateway.post()
    gateway.refused(good.with_field("Host", host), 400, reason="http_host", good=good)


def test_two_hosts_or_none(gateway):
    good = gateway.post()
    gateway.refused(good.also("Host", gateway.authority), 400, reason="http_host", good=good)
    gateway.refused(good.without("Host"), 400, reason="http_host", good=good)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"])
def test_origin(gateway, origin):
    good = gateway.post().with_field("Origin", "https://app.example")
    gateway.refused(good.with_field("Origin", origin), 403, reason="http_origin", good=good)
    gateway.refused(good.also("Origin", origin), 403, reason="http_origin", good=good)


def test_own_origin_and_none(gateway):
    gateway.accepted(gateway.post().with_field("Origin", gateway.origin))
    gateway.accepted(gateway.post())


def test_with_and_without_a_slash_at_the_end(gateway):
    for target in ("/weather/mcp", "/weather/mcp/"):
        _, seen = gateway.accepted(gateway.post(target=target))
        assert seen.target == "/mcp"


@pytest.mark.parametrize("target", ["/weather/./mcp", "/weather/../weather/mcp", "//weather/mcp", "/weather//mcp", "/weather/%6dcp",
                                    "/weather%2fmcp", "/weather\\mcp", "/weather/mcp;x", "/weather/mcp%00", "/weather/mcp#x",
                                    "/weather/%2e%2e/mcp", "/weather/%252e/mcp", "/weather/mcp%zz"])
def test_paths_have_one_form(gateway, target):
    gateway.refused(gateway.post(target=target), 400, reason="http_path")


def test_the_query_is_forwarded_as_it_came(gateway):
    _, seen = gateway.accepted(gateway.post(target="/weather/mcp?a=%20b&a=c"))
    assert seen.target == "/mcp?a=%20b&a=c"


def test_the_body_is_forwarded_byte_for_byte(gateway):
    body = b'{"jsonrpc" :"2.0",\n "id":1.0e0, "method":"ping", "params":{"a":"\\u00e9\xc3\xa9"}} '
    _, seen = gateway.accepted(gateway.post(body=body))
    assert seen.body == body


def test_identity_is_set_by_the_gateway_alone(gateway):
    forged = gateway.post()
    for name in ("X-Gatehouse-User", "x-gatehouse-client", "X-GATEHOUSE-TENANT"):
        forged = forged.also(name, "root").also(name, "admin")
    _, seen = gateway.accepted(forged)
    assert [seen.all(f"x-gatehouse-{name}") for name in ("user", "client", "tenant")] == [["alice"], ["app"], ["acme"]]
    assert b"root" not in seen.head and b"admin" not in seen.head


def test_identity_that_connection_names_stays(gateway):
    _, seen = gateway.accepted(gateway.post().also("Connection", "keep-alive, X-Gatehouse-User, Authorization, Content-Length"))
    assert seen.all("x-gatehouse-user") == ["alice"] and seen.all("connection") in ([], ["keep-alive"])


def test_identity_without_a_value_is_not_sent(gateway):
    request = gateway.post(gateway.issuer.token(client_id=None)).also("X-Gatehouse-Client", "root")
    _, seen = gateway.accepted(request)
    assert seen.all("x-gatehouse-client") == [] and b"root" not in seen.head


IDENTITY = ("user", "client", "tenant", "issuer", "agent", "scopes", "kind")


@pytest.fixture
def telling(site):
    """A gateway that passes on all it can tell."""
    site.route["identity_headers"] = {name: f"X-Who-{name}" for name in IDENTITY}
    del site.route["scopes"]
    return site.start()


def told(seen):
    """The identity fields of a request, each there once at most and on one line."""
    values = {name: seen.all(f"x-who-{name}") for name in IDENTITY}
    assert all(len(found) <= 1 for found in values.values()), values
    return {name: found[0] for name, found in values.items() if found}


def test_all_identity_headers(telling):
    act = {"sub": "agi_1", "sub_profile": "ai_agent"}
    _, seen = telling.accepted(telling.post(telling.issuer.token(scope="mcp:read mcp:write", act=act)))
    assert told(seen) == {"user": "alice", "client": "app", "tenant": "acme", "issuer": "idp", "agent": "agi_1",
                          "scopes": "mcp:read mcp:write", "kind": "user"}
    assert told(telling.accepted(telling.post(telling.issuer.token(sub="app")))[1])["kind"] == "service"
    assert told(telling.accepted(telling.post(telling.issuer.token(sub_profile="ai_agent")))[1])["kind"] == "agent"


@pytest.mark.parametrize("value", ["line\r\nX-Who-kind: root", "tab\there", "\x01\x7f", "a b", "J\u00f6rg", "\u202e\U0001f600",
                                   "100%", "a,b;c", 'q"uo\\te', "%41", " space around "])
def test_identity_is_percent_encoded_on_one_line(telling, value):
    act = {"sub": value}
    _, seen = telling.accepted(telling.post(telling.issuer.token(sub=value, client_id=value, act=act)))
    for name in ("user", "client", "agent"):
        raw = told(seen)[name]
        assert urllib.parse.unquote(raw, errors="strict") == value
        assert re.fullmatch(r"(?:[!#$&'()*+./:<=>?@^_`{|}~0-9A-Za-z\[\]-]|%[0-9A-F]{2})+", raw), raw
    assert told(seen)["kind"] == "service"


def test_scopes_are_encoded_one_by_one(telling):
    scopes = ["mcp:read", "a,b", "100%", "J\u00f6rg", "line\r\nend", "two words"]
    _, seen = telling.accepted(telling.post(telling.issuer.token(scope=scopes)))
    found = [urllib.parse.unquote(scope, errors="strict") for scope in told(seen)["scopes"].split(" ")]
    assert found == scopes[:-1], "one that holds a space can be told from no two"


def test_identity_headers_without_a_value_are_absent(telling):
    request = telling.post(telling.issuer.token(client_id=None, scope=None))
    for name in IDENTITY:
        request = request.also(f"X-Who-{name}", "root")
    _, seen = telling.accepted(request)
    assert told(seen) == {"user": "alice", "tenant": "acme", "issuer": "idp", "kind": "user"}
    _, seen = telling.accepted(telling.post(telling.issuer.token(client_id="", scope="")))
    assert told(seen) == {"user": "alice", "tenant": "acme", "issuer": "idp", "kind": "user"}


def test_names_with_an_underscore(gateway):
    gateway.refused(gateway.post().also("X_Gatehouse_User", "root"), 400, reason="http_malformed")


def test_only_listed_fields_pass(gateway):
    secret = gateway.post()
    for name, value in (("Cookie", "session=1"), ("Proxy-Authorization", "Basic eDp5"), ("X-Unknown", "1"), ("X-Forwarded-User", "root"),
                        ("X-Forwarded-Host", "evil.example"), ("Forwarded", "for=evil")):
        secret = secret.also(name, value)
    passing = {"mcp-protocol-version": "2025-11-25", "mcp-method": "tools/call", "mcp-name": "x", "mcp-param-region": "eu",
               "last-event-id": "7", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    for name, value in passing.items():
        secret = secret.also(name, value)
    _, seen = gateway.accepted(secret)
    for name in ("authorization", "cookie", "proxy-authorization", "x-unknown", "x-forwarded-user", "forwarded"):
        assert seen.all(name) == [], name
    assert b"evil" not in seen.head
    for name in ("mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region", "last-event-id"):
        assert seen.all(name) == [passing[name]], name
    assert seen.all("traceparent")[0][3:35] == passing["traceparent"][3:35]
    assert seen.all("host") == [f"127.0.0.1:{gateway.upstream.port}"]
    assert seen.all("accept-encoding") in (["identity"], []) and len(seen.all("host")) == 1


@pytest.mark.parametrize("name, value", [("Transfer-Encoding", "chunked"), ("Content-Length", "5"), ("Content-Length", "+2"),
                                         ("Transfer-Encoding", "gzip, chunked")])
def test_framing_must_be_plain(gateway, name, value):
    good = gateway.post(body=b"{}")
    gateway.refused(good.also(name, value), 400, reason="http_malformed", good=good)


@pytest.mark.parametrize("raw", [b"POST  /weather/mcp HTTP/1.1\r\n", b"POST /weather/mcp HTTP/1.1 \r\n", b"POST /weather/mcp\tHTTP/1.1\r\n",
                                 b"POST /weather/mcp http/1.1\r\n", b" POST /weather/mcp HTTP/1.1\r\n"])
def test_malformed_request_line(gateway, raw):
    gateway.refused(gateway.post().wire().replace(b"POST /weather/mcp HTTP/1.1\r\n", raw), 400, reason="http_malformed")


def test_malformed_fields(gateway):
    for line in (b"Name : x\r\n", b"No colon\r\n", b": empty\r\n", b"X: a\0b\r\n", b"X: a\r\n folded\r\n", b"X: a\rb\r\n"):
        good = gateway.post()
        gateway.refused(good.wire().replace(b"Host:", line + b"Host:"), 400, reason="http_malformed", good=good)


def test_unknown_methods(gateway):
    for method in ("BREW", "post", "TRACE", "CONNECT"):
        gateway.refused(gateway.post().to("/weather/mcp", method), 501, reason="http_method_unknown")


def test_versions(gateway):
    for version in (b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3.0"):
        gateway.refused(gateway.post().wire().replace(b"HTTP/1.1", version), 505, reason="http_version")


def test_upgrades_are_not_offered(gateway):
    bad = gateway.post().also("Connection", "Upgrade").also("Upgrade", "websocket")
    gateway.refused(bad, 400, reason="http_upgrade")


def test_other_expectations(gateway):
    gateway.refused(gateway.post().also("Expect", "the-best"), 417, reason="http_expect")


def test_content_codings(gateway):
    gateway.refused(gateway.post().also("Content-Encoding", "gzip"), 415, reason="http_encoding")


def test_other_media_types(gateway):
    for value in ("multipart/form-data; boundary=x", "application/json; charset=utf-16", "text/html"):
        gateway.refused(gateway.post().with_field("Content-Type", value), 415, reason="http_media_type")


def test_header_limits(gateway):
    good, many = gateway.post(), gateway.post()
    for i in range(120):
        many = many.also(f"X-{i}", "y")
    gateway.refused(many, 431, reason="http_fields_many", good=good)
    gateway.refused(good.also("X-Long", "y" * 70000), 431, reason="http_head_large", good=good, ways=WHOLE)
    gateway.refused(good.to("/weather/mcp?" + "y" * 20000), 414, reason="http_target_long", good=good, ways=WHOLE)


def test_a_refusal_keeps_or_closes_the_connection_but_never_confuses_it(gateway):
    """After a refused request the second one on the connection is answered for itself, or the connection is closed."""
    good = gateway.post()
    for bad in (gateway.post(token=False), gateway.post(target="/weather/../mcp"), good.with_field("Host", "evil.example")):
        answer = gateway.second_on_connection(bad, good)
        assert answer is None or (answer.status, answer.audit["reason"]) == (200, "ok")
    assert gateway.second_on_connection(good, good).status == 200


def test_bytes_behind_a_malformed_request_are_never_read_as_another(gateway):
    good = gateway.post(body=b"")
    smuggled = gateway.post().also("Transfer-Encoding", "chunked").wire() + good.wire()
    with gateway.connect() as connection:
        connection.send(smuggled)
        assert connection.read().status == 400
        try:
            assert connection.is_closed()
        except Broken:
            pass
    assert gateway.next_audit()["reason"] == "http_malformed" and gateway.upstream.bytes == 0
    gateway.accepted(gateway.post())
