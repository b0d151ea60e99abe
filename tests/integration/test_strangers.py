"""Whoever has no good token: asked for one before anything else, whatever is sent; nothing but exact paths answers."""
import pytest

from support.http1 import Request

# Ways to have no good token, and the reason for each.
TOKENS = {"none": (lambda issuer: False, "token_missing"), "garbage": (lambda issuer: "x.y.z", "token_malformed"),
          "foreign": (lambda issuer: issuer.token(iss="https://evil.example"), "token_issuer")}
ODD = {
    "GET": ("GET", {}, b""), "DELETE": ("DELETE", {}, b""), "PUT": ("PUT", {}, b"{}"), "PATCH": ("PATCH", {}, b"{}"), "OPTIONS": ("OPTIONS", {}, b""),
    "empty body": ("POST", {}, b""), "batch": ("POST", {}, b"[{},{}]"), "not JSON": ("POST", {}, b"\0\1\2"),
    "text": ("POST", {"Content-Type": "text/plain"}, b"hello"), "form": ("POST", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=b"),
    "no type": ("POST", {"Content-Type": None}, b"{}"), "coded": ("POST", {"Content-Encoding": "gzip"}, b"{}"),
    "unknown method of MCP": ("POST", {"Mcp-Method": "no/such"}, b'{"jsonrpc":"2.0","id":1,"method":"no/such"}'),
    "modern": ("POST", {"MCP-Protocol-Version": "2026-07-28"}, b"{}"), "SSE only": ("GET", {"Accept": "text/event-stream"}, b""),
}


@pytest.mark.parametrize("make, reason", TOKENS.values(), ids=TOKENS)
def test_401_comes_before_anything_else(gateway, make, reason):
    for name, (method, fields, body) in ODD.items():
        request = gateway.post(make(gateway.issuer))
        for key, value in fields.items():
            request = request.without(key) if value is None else request.with_field(key, value)
        answer = gateway.send(Request(method, request.target, request.fields, body))
        assert (answer.status, answer.audit["reason"], answer.contact) == (401, reason, 0), (name, answer)
        assert "resource_metadata=" in answer["www-authenticate"], name
    gateway.accepted(gateway.post())


def test_discovery_is_answered_from_memory(site):
    """F10: no request for a document, and none without a token, makes the gateway ask its issuer."""
    site.issuer.start()
    site.settings["issuers"]["idp"] = {"issuer": site.issuer.url, "algs": [key.alg for key in site.issuer.keys]}
    site.start()
    site.accepted(site.post())
    before = sum(site.issuer.fetches.values())
    document = Request("GET", "/.well-known/oauth-protected-resource/weather/mcp", (("Host", site.authority),))
    with site.connect() as connection:
        for _ in range(1000):
            connection.send(document.wire() + site.post(token=False).wire())
            assert [connection.read().status, connection.read().status] == [200, 401]
    assert sum(site.issuer.fetches.values()) == before


def test_nothing_but_exact_paths_answers(gateway, request):
    """F16, F62: neither prefixes, nor suffixes, nor neighbours of a path that is served."""
    served = ["/weather/mcp", "/weather/mcp/", "/.well-known/oauth-protected-resource/weather/mcp", "/.well-known/oauth-protected-resource/weather/mcp/",
              "/.well-known/oauth-protected-resource", "/weather/mcp/.well-known/oauth-protected-resource"]
    near = {path[:i] for path in served for i in range(1, len(path))} | {path + more for path in served for more in ("x", "/x", ".json", "//", "%20")}
    near |= {path.upper() for path in served} | {"/mcp", "/metrics", "/healthz", "/admin/v1", "/authorize", "/token", "/register", "/sse", "/"}
    with gateway.connect() as connection:
        for path in sorted(near - set(served)):
            connection.send(Request("GET", path, (("Host", gateway.authority),)).wire())
            answer = connection.read()
            assert answer.status in (400, 404), path
            if answer["connection"] == "close":
                connection.close()
                connection.__init__(gateway.port)
    assert gateway.upstream.bytes == 0
