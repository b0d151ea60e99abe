"""Discovery: the RFC 9728 document of a route in all its places, without a token, from settings alone."""
import json

import pytest

from support.http1 import Request

pytestmark = pytest.mark.threads

INSERTED = "/.well-known/oauth-protected-resource/weather/mcp"
ROOT = "/.well-known/oauth-protected-resource"
SUFFIX = "/weather/mcp/.well-known/oauth-protected-resource"


def ask(gateway, target, method="GET", *more):
    return Request(method, target, (("Host", gateway.authority),) + more)


@pytest.mark.parametrize("target", [INSERTED, ROOT, SUFFIX])
def test_the_document(gateway, target):
    answer = gateway.send(ask(gateway, target))
    assert answer.status == 200 and answer.audit["reason"] == "wellknown"  # reason: wellknown
    document = json.loads(answer.body)
    assert document["resource"] == gateway.issuer.resource
    assert document["authorization_servers"] == [gateway.issuer.url]
    assert document["bearer_methods_supported"] == ["header"]
    assert document["scopes_supported"] == ["mcp:read"] and "offline_access" not in answer.body.decode()
    assert answer["content-type"] == "application/json" and answer["access-control-allow-origin"] == "*"
    assert answer.body == gateway.send(ask(gateway, INSERTED)).body
    assert gateway.upstream.bytes == 0


@pytest.mark.parametrize("target", [INSERTED, ROOT, SUFFIX])
def test_head_has_the_same_fields(gateway, target):
    get, head = (gateway.send(ask(gateway, target, method)) for method in ("GET", "HEAD"))
    assert (head.status, head.body, head["content-length"]) == (200, b"", str(len(get.body)))
    assert head["content-type"] == get["content-type"]


@pytest.mark.parametrize("target", [INSERTED, ROOT, SUFFIX])
def test_preflight(gateway, target):
    answer = gateway.send(ask(gateway, target, "OPTIONS", ("Origin", "https://anyone.example"),
                              ("Access-Control-Request-Method", "GET"),
                              ("Access-Control-Request-Headers", "mcp-protocol-version")))
    assert answer.status == 204 and answer.audit["reason"] == "preflight"  # reason: preflight
    assert answer["access-control-allow-origin"] == "*" and answer["access-control-allow-credentials"] is None
    assert "mcp-protocol-version" in answer["access-control-allow-headers"].lower()


def test_preflight_of_the_endpoint(gateway):
    def preflight(origin):
        return gateway.send(ask(gateway, "/weather/mcp", "OPTIONS", ("Origin", origin), ("Access-Control-Request-Method", "POST"),
                                ("Access-Control-Request-Headers", "authorization, mcp-param-region")))
    answer = preflight("https://app.example")
    assert answer.status == 204 and answer["access-control-allow-origin"] == "https://app.example"
    allowed = answer["access-control-allow-headers"].lower()
    assert "authorization" in allowed and "mcp-param-region" in allowed and "Origin" in answer["vary"]
    refused = preflight("https://evil.example")
    assert refused["access-control-allow-origin"] is None and refused.audit["reason"] == "http_origin"
    assert gateway.upstream.bytes == 0


def test_other_methods(gateway):
    answer = gateway.send(ask(gateway, INSERTED, "POST", ("Content-Length", "0")))
    assert (answer.status, answer.audit["reason"]) == (405, "http_method_refused")  # reason: http_method_refused
    assert {m.strip() for m in answer["allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("target", ["/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/weather",
                                    "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
                                    "/.well-known/oauth-authorization-server/weather/mcp", "/.well-known/other"])
def test_everything_else_there_is_json_404(gateway, target):
    answer = gateway.send(ask(gateway, target))
    assert (answer.status, answer.audit["reason"]) == (404, "wellknown_unknown")  # reason: wellknown_unknown
    assert json.loads(answer.body)["error"] == "not_found" and answer["content-type"].startswith("application/json")
    assert gateway.send(ask(gateway, INSERTED)).status == 200


def test_the_root_document_needs_one_route(site):
    site.settings["routes"].append({**site.route, "name": "maps", "resource": f"{site.origin}/maps/mcp"})
    site.start()
    assert gateway_status(site, ROOT) == 404
    assert gateway_status(site, INSERTED) == gateway_status(site, INSERTED.replace("weather", "maps")) == 200


def gateway_status(gateway, target):
    return gateway.send(ask(gateway, target)).status


def test_urls_come_from_settings(gateway):
    plain = gateway.send(ask(gateway, INSERTED))
    forwarded = gateway.send(ask(gateway, INSERTED, "GET", ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"),
                                 ("Forwarded", "host=evil.example;proto=https")))
    assert forwarded.body == plain.body and b"evil" not in plain.body


def test_unauthorized_paths_outside_any_route(gateway):
    answer = gateway.refused(gateway.post().to("/elsewhere"), 404, reason="route_unknown")
    assert answer["www-authenticate"] is None
