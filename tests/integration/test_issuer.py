"""The managed issuer without people: metadata, keys, client credentials, registration, introspection, revocation."""
import base64
import json
import os
import threading
import time
import urllib.parse
import uuid

import pytest

from support.http1 import Connection, Request
from support.issuer import Key, b64, claims_of
from support.store import at_rest, files_of

SECRET, OTHER = "a-secret-of-twenty-four.", "another-secret-of-the-same"
NOTES = "/weather/mcp"


@pytest.fixture
def house(site):
    """The route trusts a managed issuer alone; nothing is fetched."""
    for name, text in (("svc", SECRET + "\n" + OTHER + "\n"), ("rs", SECRET)):
        path = os.path.join(site.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(text)
    site.key = Key("ES256", "c1")
    site.write("client.jwks", {"keys": [site.key.jwk()]})
    site.settings["store"] = "sqlite:store.db"
    site.settings["issuers"] = {"house": {"managed": {
        "url": site.origin, "keys": "keys", "registration": "on", "redirect_schemes": ["cursor"], "clients": {
            "svc": {"auth": "client_secret_basic", "secret_file": "svc", "client_credentials": True},
            "rs": {"auth": "client_secret_post", "secret_file": "rs", "resources": [f"{site.origin}{NOTES}"]},
            "robot": {"auth": "private_key_jwt", "jwks_file": "client.jwks", "client_credentials": True},
            "app": {"redirect_uris": ["http://127.0.0.1/cb"]}}}}}
    site.settings["tenants"]["acme"]["issuers"] = ["house"]
    site.route["scopes_supported"] = ["mcp:read", "mcp:write"]
    return site


def basic(client, secret):
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def ask(site, path, form=None, authorization=None, method=None, fields=(), body=None):
    """(status, JSON, answer) of a form posted to the issuer, or of a GET."""
    if form is not None:
        body = urllib.parse.urlencode(form).encode()
        fields = (("Content-Type", "application/x-www-form-urlencoded"), *fields)
    if authorization:
        fields = (("Authorization", authorization), *fields)
    request = Request(method or ("GET" if body is None else "POST"), path, (("Host", site.authority), *fields), body or b"")
    with Connection(site.port) as connection:
        connection.send(request.wire())
        answer = connection.read(request.method)
    return answer.status, json.loads(answer.body) if answer.body else None, answer


def token_of(site, form=None, authorization=basic("svc", SECRET)):
    status, answer, _ = ask(site, "/oauth/token", form or {"grant_type": "client_credentials"}, authorization)
    assert status == 200, answer
    return answer["access_token"]


def refused(site, status, error, reason, *args, **kwargs):
    found, body, answer = ask(site, *args, **kwargs)
    assert (found, body["error"]) == (status, error), body
    assert answer["cache-control"] == "no-store" and answer["location"] is None
    assert site.audit_of(answer)["reason"] == reason


def test_documents(house):
    house.start()
    first = None
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"):
        status, document, answer = ask(house, path)
        assert status == 200 and answer["access-control-allow-origin"] == "*"
        assert document["issuer"] == house.origin and first in (None, document)
        first = document
    listed = [value for name, value in first.items() if name.endswith(("_endpoint", "_uri"))]
    assert f"{house.origin}/oauth/token" in listed
    for url in listed:  # whatever is advertised answers
        request = Request("GET", url.removeprefix(house.origin), (("Host", house.authority),))
        assert house.send(request).status in (200, 400, 405), url
    status, keys, _ = ask(house, "/oauth/jwks")
    assert status == 200 and [set(key) & {"d", "p", "q"} for key in keys["keys"]] == [set()]
    status, prm, _ = ask(house, "/.well-known/oauth-protected-resource/weather/mcp")
    assert prm["authorization_servers"] == [house.origin]
    status, _, answer = ask(house, "/oauth/token", method="OPTIONS", fields=(("Origin", "https://any.example"),))
    assert status == 204 and answer["access-control-allow-origin"] == "*"


@pytest.mark.apart
def test_client_credentials_reach_the_server(house, upstream):
    house.start()
    token = token_of(house, {"grant_type": "client_credentials", "scope": "mcp:read openid", "resource": house.route["resource"]})
    claims = claims_of(token)
    assert claims["iss"] == house.origin and claims["aud"] == house.route["resource"] and claims["sub"] == "svc"
    assert claims["scope"] == "mcp:read" and claims["exp"] - claims["iat"] == 600
    answer, _ = house.accepted(house.post(token))
    line = answer.audit
    assert (line["user"], line["client"], line["issuer"], line["kind"]) == ("svc", "svc", "house", "service")
    house.refused(house.post(token[:-4] + "AAAA"), 401, "token_signature", good=house.post(token))


def test_two_secrets_live_at_a_time(house):
    house.start()
    assert token_of(house, authorization=basic("svc", SECRET)) != token_of(house, authorization=basic("svc", OTHER))
    refused(house, 401, "invalid_client", "client_unauthenticated", "/oauth/token",
            {"grant_type": "client_credentials"}, basic("svc", "wrong"))


def assertion(site, **changes):
    payload = {"iss": "robot", "sub": "robot", "aud": site.origin, "jti": str(uuid.uuid4()), "exp": int(time.time()) + 60, **changes}
    signed = ".".join(b64(part) for part in ({"alg": "ES256", "kid": "c1"}, payload))
    return {"grant_type": "client_credentials", "client_assertion": f"{signed}.{b64(site.key.sign(signed.encode()))}",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}


def test_a_signed_assertion_counts_once(house):
    house.start()
    form = assertion(house)
    token_of(house, form, None)
    refused(house, 401, "invalid_client", "client_unauthenticated", "/oauth/token", form)
    refused(house, 401, "invalid_client", "client_unauthenticated", "/oauth/token", assertion(house, aud=f"{house.origin}/oauth/token"))
    token_of(house, assertion(house), None)


def test_refusals_of_the_token_endpoint(house):
    house.start()
    good = {"grant_type": "client_credentials"}
    token_of(house, good)
    cases = [
        (400, "unsupported_grant_type", "grant_unsupported", {"grant_type": "password"}),  # reason: grant_unsupported
        (400, "invalid_request", "parameter_missing", {"scope": "mcp:read"}),
        (400, "invalid_scope", "scope_none", {**good, "scope": "other"}),
        (400, "invalid_scope", "scope_malformed", {**good, "scope": 'a"b'}),
        (400, "invalid_target", "resource_unknown", {**good, "resource": f"{house.origin}/other"}),
        (400, "invalid_request", "form_malformed", {**good, "x": "\0"}),
        (400, "invalid_grant", "grant_invalid", {"grant_type": "authorization_code", "code": "none"}),
    ]
    for status, error, reason, form in cases:
        client = basic("svc", SECRET)
        if reason == "grant_invalid":
            form, client = {**form, "client_id": "app"}, None
        refused(house, status, error, reason, "/oauth/token", form, client)
    refused(house, 400, "unauthorized_client", "grant_unauthorized", "/oauth/token", {**good, "client_id": "app"})
    refused(house, 401, "invalid_client", "client_unknown", "/oauth/token", {**good, "client_id": "nobody"})
    refused(house, 400, "invalid_request", "parameter_repeated", "/oauth/token", authorization=basic("svc", SECRET),
            fields=(("Content-Type", "application/x-www-form-urlencoded"),), body=b"grant_type=a&grant_type=b")


def test_the_form_and_nothing_else(house):
    house.start()
    for status, kwargs in (
            (405, {}),
            (415, {"body": b"{}", "fields": (("Content-Type", "application/json"),)}),
            (415, {"body": b"x", "fields": (("Content-Type", "multipart/form-data; boundary=x"),)}),
            (413, {"body": b"a=" + b"x" * 70000, "fields": (("Content-Type", "application/x-www-form-urlencoded"),)})):
        found, _, _ = ask(house, "/oauth/token", **kwargs)
        assert found == status
    found, body, _ = ask(house, "/oauth/token?grant_type=client_credentials", {"grant_type": "client_credentials"}, basic("svc", SECRET))
    assert (found, body["error"]) == (400, "invalid_request")


def test_registration(house):
    house.start()
    form = {"client_name": "Cursor", "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback", "javascript:x"],
            "token_endpoint_auth_method": "client_secret_post", "grant_types": ["authorization_code", "refresh_token"]}
    fields = (("Content-Type", "application/json"),)
    status, client, _ = ask(house, "/oauth/register", body=json.dumps(form).encode(), fields=fields)
    assert status == 201 and client["redirect_uris"] == form["redirect_uris"][:1]
    assert client["token_endpoint_auth_method"] == "none" and "client_secret" not in client
    refused(house, 400, "invalid_grant", "grant_invalid", "/oauth/token",
            {"grant_type": "refresh_token", "refresh_token": "none", "client_id": client["client_id"]})
    refused(house, 400, "invalid_redirect_uri", "redirect_refused", "/oauth/register", fields=fields,
            body=json.dumps({"redirect_uris": ["http://app.example/cb"]}).encode())
    refused(house, 400, "invalid_client_metadata", "registration_refused", "/oauth/register", fields=fields, body=b"[]")


def test_registration_is_absent_when_off(house):
    house.settings["issuers"]["house"]["managed"]["registration"] = "off"
    house.start()
    _, document, _ = ask(house, "/.well-known/oauth-authorization-server")
    assert "registration_endpoint" not in document
    assert ask(house, "/oauth/register", body=b"{}", fields=(("Content-Type", "application/json"),))[0] == 404


def test_introspection_and_revocation(house):
    house.start()
    token = token_of(house)
    post = {"client_id": "rs", "client_secret": SECRET, "token": token}
    status, told, _ = ask(house, "/oauth/introspect", post)
    assert status == 200 and told["active"] is True and told["sub"] == "svc"
    # one that serves other resources, or none, is told nothing
    assert ask(house, "/oauth/introspect", {"token": token}, basic("svc", SECRET))[1] == {"active": False}
    assert ask(house, "/oauth/introspect", {**post, "token": token + "x"})[1] == {"active": False}
    refused(house, 401, "invalid_client", "client_unauthenticated", "/oauth/introspect", {"token": token, "client_id": "app"})
    # 200 whatever it was; another client's token stays
    for form, client in (({"token": "unknown"}, basic("svc", SECRET)), (post, None), ({"token": token}, basic("svc", SECRET))):
        assert ask(house, "/oauth/revoke", form, client)[:2] == (200, {})


def test_keys_and_rows_outlive_the_process(house):
    house.start()
    token = token_of(house)
    assert house.send(house.post(token)).status == 200
    house.stop()
    house.start()
    assert house.send(house.post(token)).status == 200
    for name in (*files_of("store.db"), "keys"):
        assert os.stat(os.path.join(house.folder, name)).st_mode & 0o077 == 0
    assert SECRET not in at_rest(house)


@pytest.mark.threads
def test_what_a_client_revokes_is_refused_at_once(house):
    house.start()
    token, other = token_of(house), token_of(house)
    house.accepted(house.post(token))
    assert ask(house, "/oauth/revoke", {"token": token}, basic("svc", SECRET))[:2] == (200, {})
    house.heard(1)
    house.refused(house.post(token), 401, reason="token_revoked", good=house.post(other))


@pytest.mark.threads
@pytest.mark.apart
def test_a_client_that_was_revoked_gets_good_tokens_anew(house):
    """Tokens of the very second of the epoch would be refused by it: new ones say a later one (issuer.md section 10)."""
    house.start()
    old = token_of(house)
    house.accepted(house.post(old))
    wish = json.dumps({"level": "client", "tenant": "acme", "issuer": "house", "id": "svc"}).encode()
    with Connection(house.admin_port) as connection:
        connection.send(Request("POST", "/admin/v1/revoke", (("Host", "localhost"),), wish).wire())
        answer = connection.read()
    assert answer.status == 200 and json.loads(answer.body)["epoch"] <= time.time()
    house.heard(1)
    house.refused(house.post(old), 401, reason="token_revoked", good=house.post(token_of(house)))


@pytest.mark.threads
def test_costly_signatures_come_from_another_thread(house):
    """RS256 takes over a millisecond: the one worker answers others meanwhile (tests/unit/issuer/test_signer.c sees that)."""
    house.settings["workers"] = 1
    house.settings["issuers"]["house"]["managed"]["signing"] = "RS256"
    house.start()
    spent, answers = assertion(house), []
    forms = [({"grant_type": "client_credentials"}, basic("svc", SECRET))] * 12 + [(spent, None)] * 4
    threads = [threading.Thread(target=lambda form=form, client=client: answers.append(ask(house, "/oauth/token", form, client)))
               for form, client in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    good = [body["access_token"] for status, body, _ in answers if status == 200]
    assert len(good) == len(set(good)) == 13  # each of the first, and of those that share an assertion one
    assert {body["error"] for status, body, _ in answers if status != 200} == {"invalid_client"}
    header = json.loads(base64.urlsafe_b64decode(good[0].split(".")[0] + "=="))
    assert header["alg"] == "RS256" and header["typ"] == "at+jwt"
    for token in good:
        assert house.send(house.post(token)).status == 200
