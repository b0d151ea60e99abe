"""Who gets in, and what the others are told: challenges of RFC 6750 section 3 and RFC 9728 section 5.1."""
import json
import re
import time

import pytest

from support.h2 import Client, fields_of
from support.issuer import Key


def challenge(answer):
    """The parameters of the one Bearer challenge; every value stands in quotes."""
    value = answer["www-authenticate"]
    assert value.startswith("Bearer "), value
    parameters = re.findall(r'([a-z_]+)="([^"]*)"', value)
    assert "Bearer " + ", ".join(f'{name}="{text}"' for name, text in parameters) == value
    assert len(dict(parameters)) == len(parameters), value
    return dict(parameters)


def metadata_url(gateway):
    return f"{gateway.origin}/.well-known/oauth-protected-resource/weather/mcp"


def check_invalid(gateway, answer):
    """A 401 for a bad token: the same challenge for every cause, and fixed text."""
    told = challenge(answer)
    assert told["error"] == "invalid_token" and told["resource_metadata"] == metadata_url(gateway)
    assert answer["cache-control"] == "no-store" and answer["content-type"].startswith("application/json")
    body = json.loads(answer.body)
    assert body == {"error": "invalid_token", "error_description": told["error_description"]}
    return told


@pytest.mark.threads
def test_a_good_token_gets_through(gateway):
    answer, seen = gateway.accepted(gateway.post())
    assert json.loads(answer.body)["result"] == {"answered": True}
    line = answer.audit
    assert (line["route"], line["tenant"], line["issuer"], line["user"], line["client"], line["method"]) == (
        "weather", "acme", "idp", "alice", "app", "POST")
    assert line["path"] == "/weather/mcp" and line["request_id"]


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["RS256", "ES256", "EdDSA"])
def test_each_key_kind_is_accepted(gateway, kind):
    gateway.accepted(gateway.post(gateway.issuer.token(key=gateway.issuer.keys[kind])))


def test_no_token(gateway):
    answer = gateway.refused(gateway.post(token=False), 401, reason="token_missing")
    told = challenge(answer)
    assert told == {"resource_metadata": metadata_url(gateway), "scope": "mcp:read"}
    assert "WWW-Authenticate" in answer["access-control-expose-headers"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
def test_authentication_comes_before_methods(gateway, method):
    bad = gateway.post(token=False).to("/weather/mcp", method)
    gateway.refused(bad.__class__(method, bad.target, bad.fields), 401, reason="token_missing")


def test_expired(gateway):
    token = gateway.issuer.token(exp=int(time.time()) - 300, iat=int(time.time()) - 900)
    check_invalid(gateway, gateway.refused(gateway.post(token), 401, reason="token_expired"))


def test_not_yet_valid(gateway):
    token = gateway.issuer.token(nbf=int(time.time()) + 300)
    check_invalid(gateway, gateway.refused(gateway.post(token), 401, reason="token_not_yet"))


@pytest.mark.parametrize("claims", [{"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": 2 ** 60}],
                         ids=["absent", "text", "bool", "huge"])
def test_expiry_must_be_a_time(gateway, claims):
    gateway.refused(gateway.post(gateway.issuer.token(**claims)), 401, reason="token_time")


@pytest.mark.parametrize("change", ["/", "?x", "#x", "/more", None, [], ["other"], 5])
def test_audience_is_compared_byte_for_byte(gateway, change):
    audience = gateway.issuer.resource + change if isinstance(change, str) else change
    answer = gateway.refused(gateway.post(gateway.issuer.token(aud=audience)), 401, reason="token_audience")
    check_invalid(gateway, answer)


def test_one_match_in_a_list_of_audiences_is_enough(gateway):
    gateway.accepted(gateway.post(gateway.issuer.token(aud=["https://other.example", gateway.issuer.resource])))


@pytest.mark.parametrize("iss", ["https://issuer.example/", "https://Issuer.example", "http://issuer.example", "https://evil.example"])
def test_unknown_issuer(gateway, iss):
    gateway.refused(gateway.post(gateway.issuer.token(iss=iss)), 401, reason="token_issuer")


@pytest.mark.threads
def test_bad_signature(gateway):
    good = gateway.issuer.token()
    other = gateway.issuer.token(key=Key("RS256", kid=gateway.issuer.keys[0].kid))
    forged = good.rsplit(".", 1)[0] + "." + other.rsplit(".", 1)[1]
    gateway.refused(gateway.post(forged), 401, reason="token_signature", good=gateway.post(good))
    gateway.refused(gateway.post(other), 401, reason="token_signature", good=gateway.post(good))


def test_unknown_key(gateway):
    token = gateway.issuer.token(header={"kid": "nobody"})
    gateway.refused(gateway.post(token), 401, reason="token_key_unknown")


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS384", "ES256K"])
def test_algorithm_not_allowed(gateway, alg):
    gateway.refused(gateway.post(gateway.issuer.token(header={"alg": alg})), 401, reason="token_algorithm")


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}], ids=["crit", "empty", "b64"])
def test_extensions_are_refused(gateway, header):
    gateway.refused(gateway.post(gateway.issuer.token(header=header)), 401, reason="token_critical")


def test_keys_in_the_header_are_never_fetched(gateway, canary):
    header = {"jku": canary.url, "x5u": canary.url, "jwk": Key("RS256").jwk()}
    forged = gateway.issuer.token(key=Key("RS256", kid=gateway.issuer.keys[0].kid), header=header)
    gateway.refused(gateway.post(forged), 401, reason="token_signature", good=gateway.post(gateway.issuer.token(header=header)))


@pytest.mark.parametrize("typ", ["JWT", "id_token+jwt", "dpop+jwt", "oauth-id-jag+jwt", "logout+jwt", "at+jwt; v=1", None])
def test_other_types_are_no_access_tokens(gateway, typ):
    gateway.refused(gateway.post(gateway.issuer.token(header={"typ": typ})), 401, reason="token_type",
                    good=gateway.post(gateway.issuer.token(header={"typ": "Application/AT+JWT"})))


@pytest.mark.parametrize("claims", [{"nonce": "n"}, {"at_hash": "h"}, {"c_hash": "h"},
                                    {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}],
                         ids=["nonce", "at_hash", "c_hash", "logout"])
def test_id_tokens_are_refused(gateway, claims):
    check_invalid(gateway, gateway.refused(gateway.post(gateway.issuer.token(**claims)), 401, reason="token_kind"))


@pytest.mark.parametrize("cnf", [{"jkt": "x" * 43}, {"x5t#S256": "x" * 43}, {"new": 1}], ids=["DPoP", "mTLS", "unknown"])
def test_bound_tokens_are_refused(gateway, cnf):
    answer = gateway.refused(gateway.post(gateway.issuer.token(cnf=cnf)), 401, reason="token_bound")
    bearer, dpop = answer["www-authenticate"].split(", DPoP ")
    assert bearer.startswith('Bearer resource_metadata="') and 'error="invalid_token"' in bearer
    assert dpop == 'error="invalid_token", algs="ES256 EdDSA"'


@pytest.mark.parametrize("sub", ["", None, ["alice"], 7])
def test_a_token_that_names_nobody(gateway, sub):
    gateway.refused(gateway.post(gateway.issuer.token(sub=sub)), 401, reason="token_subject")


@pytest.mark.parametrize("token", ["a.b.c", "..", "a.b", "e30.e30."])
def test_malformed(gateway, token):
    bad = gateway.post(token)
    gateway.accepted(gateway.post())
    before = gateway.upstream.bytes
    answer = gateway.send(bad)
    assert answer.status == 401 and answer.audit["reason"] in ("token_malformed", "token_opaque", "token_algorithm"), answer.audit
    assert gateway.upstream.bytes == before


def test_not_base64url(gateway):
    head, payload, signature = gateway.issuer.token().split(".")
    for form in (f"{head}.{payload}.{signature}=", f"{head}.{payload}.{signature}AAA+"):
        gateway.refused(gateway.post(form), 401, reason="token_malformed")
    # A padding sign in the middle is no b64token at all (RFC 6750 section 2.1).
    gateway.refused(gateway.post(f"{head}=.{payload}.{signature}"), 400, reason="authorization_malformed")


def test_duplicate_claims(gateway):
    claims = json.dumps(gateway.issuer.claims())
    twice = claims[:-1] + ', "s\\u0075b": "mallory"}'
    gateway.refused(gateway.post(gateway.issuer.token(payload=twice.encode())), 401, reason="token_malformed",
                    good=gateway.post(gateway.issuer.token(payload=claims.encode())))


def test_encrypted(gateway):
    token = ".".join([gateway.issuer.token(header={"alg": "RSA-OAEP", "enc": "A256GCM"}), "AAAA", "AAAA"])
    gateway.refused(gateway.post(token), 401, reason="token_encrypted")


def test_opaque(gateway):
    gateway.refused(gateway.post("ory_at_abcdefghijklmnop"), 401, reason="token_opaque")


def test_too_long(gateway):
    gateway.refused(gateway.post(gateway.issuer.token(padding="x" * 9000)), 431, reason="token_large",
                    good=gateway.post(gateway.issuer.token(padding="x" * 2000)))


def test_two_authorization_fields(gateway):
    good = gateway.post()
    for second in (dict(good.fields)["Authorization"], "Bearer x", "Basic eDp5"):
        gateway.refused(good.also("Authorization", second), 400, reason="authorization_many", good=good)


@pytest.mark.parametrize("value", ["Bearer", "Bearer\tabc", "Bearer a b", "Bearer a, Bearer b", "Bearer a;x"])
def test_malformed_authorization(gateway, value):
    answer = gateway.refused(gateway.post().with_field("Authorization", value), 400, reason="authorization_malformed")
    assert challenge(answer)["error"] == "invalid_request"


def test_other_scheme(gateway):
    answer = gateway.refused(gateway.post().with_field("Authorization", "Basic eDp5"), 401, reason="authorization_scheme")
    assert "error" not in challenge(answer)


@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken", "%61ccess_token"])
def test_token_in_the_query(gateway, name):
    token = gateway.issuer.token()
    good = gateway.post(token)
    gateway.refused(good.to(f"/weather/mcp?{name}={token}"), 400, reason="token_in_query", good=good.to("/weather/mcp?x=y"))
    gateway.refused(good.without("Authorization").to(f"/weather/mcp?{name}={token}"), 400, reason="token_in_query", good=good)


def test_scope_missing(gateway):
    token = gateway.issuer.token(scope="other:read")
    answer = gateway.refused(gateway.post(token), 403, reason="scope_missing")
    told = challenge(answer)
    assert told["error"] == "insufficient_scope" and told["resource_metadata"] == metadata_url(gateway)
    assert set(told["scope"].split(" ")) == {"mcp:read", "other:read"}, "what is needed, and what the token already has"


@pytest.mark.parametrize("scope", ["mcp:read\tx", "mcp:read,x", "MCP:READ", None])
def test_scopes_are_split_at_spaces_only(gateway, scope):
    gateway.refused(gateway.post(gateway.issuer.token(scope=scope)), 403, reason="scope_missing")


@pytest.mark.threads
def test_the_same_over_http2(site, authority):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    site.start()
    client = Client(site.port, tls=authority.client("h2"))
    bad = client.answer(client.request(fields_of(site, site.issuer.token(sub=""), scheme="https"), b"{}"))
    assert (bad.status, site.next_audit()["reason"]) == (401, "token_subject")
    good = client.answer(client.request(fields_of(site, scheme="https"), b"{}"))
    assert (good.status, good.reset, site.next_audit()["reason"]) == (200, None, "ok")
    assert len(site.upstream.seen) == 1
    client.close()
