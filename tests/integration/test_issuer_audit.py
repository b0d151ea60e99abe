"""What the audit log says of a managed issuer: each event by its name, who it was, and never a secret (issuer.md section 13)."""
import base64
import hashlib
import json
import os

import pytest

from support.browser import Browser
from support.store import rewrite
from support.wait import until
from test_client_documents import host  # noqa: F401  (a fixture)
from test_code_flow import PASSWORD, Client, ada, house, register  # noqa: F401  (fixtures)
from test_issuer import SECRET, ask, basic


def said(house, event, count=1):  # noqa: F811
    """The newest line that names this event, once there are so many."""
    return until(lambda: (found := [line for line in house.audit() if event in line.get("events", ())])[count - 1:] and found, event)[-1]


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def jti_hash(token):
    return base64.urlsafe_b64encode(hashlib.sha256(claims_of(token)["jti"].encode()).digest()).decode().rstrip("=")


@pytest.fixture
def service(house):  # noqa: F811
    with open(os.open(os.path.join(house.folder, "rs"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(SECRET)
    house.settings["issuers"]["house"]["managed"]["clients"]["rs"] = {
        "auth": "client_secret_basic", "secret_file": "rs", "client_credentials": True, "resources": [house.route["resource"]]}
    return house


def test_the_way_of_a_grant(house, ada):  # noqa: F811
    client = Client(house, scope="mcp:read custom:thing unknown")
    consent = ada.open(client.url())
    asked = said(house, "authz.request")
    user = asked["user"]
    assert user.startswith("usr_") and asked["client"] == "app" and asked["asked"] == "mcp:read custom:thing unknown"
    assert asked["resource"] == house.route["resource"] and "given" not in asked and asked["tenant"] == "acme"
    code = client.code_of(ada.allow(consent))
    line = said(house, "consent.granted")
    assert (line["user"], line["client"], line["given"], line["reason"]) == (user, "app", "mcp:read custom:thing", "ok")
    _, tokens = client.redeem(code)
    line, token = said(house, "token.issued"), tokens["access_token"]
    grant = claims_of(token)["sid"]
    assert line["events"] == ["token.issued"] and line["grant_type"] == "authorization_code"
    assert (line["user"], line["client"], line["grant"], line["jti_hash"]) == (user, "app", grant, jti_hash(token))
    assert (line["given"], line["kind"], line["issuer"]) == ("mcp:read custom:thing", "user", "house")

    _, second = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope="mcp:read")
    line = said(house, "refresh.rotated")
    assert line["events"] == ["token.issued", "refresh.rotated"] and (line["asked"], line["given"]) == ("mcp:read", "mcp:read")
    assert (line["grant"], line["jti_hash"]) == (grant, jti_hash(second["access_token"]))
    _, same = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert same["refresh_token"] == second["refresh_token"]
    assert said(house, "refresh.grace")["grant"] == grant
    _, third = client.token(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])[0] == 400
    line = said(house, "refresh.reuse")
    assert line["events"] == ["token.refused", "refresh.reuse", "revoke"] and line["reason"] == "refresh_reused"
    assert (line["user"], line["client"], line["grant"]) == (user, "app", grant)
    assert (line["revoked"], line["revoked_count"]) == ("grant", 1)

    client.code_of(ada.open(client.url()))  # agreed to already
    line = said(house, "authz.request", 2)
    assert line["events"] == ["authz.request"] and line["given"] == "mcp:read custom:thing"
    ada.deny(ada.open(client.url(prompt="consent")))
    line = said(house, "consent.denied")
    assert (line["user"], line["client"], line["reason"]) == (user, "app", "access_denied") and "given" not in line
    secrets = [code, client.verifier, PASSWORD, *ada.jar.values()]
    secrets += [one[kind] for one in (tokens, second, third) for kind in ("access_token", "refresh_token")]
    with open(house.audit_path, encoding="utf-8") as file:
        written = file.read()
    assert not [secret for secret in secrets if secret in written]
    assert ada.jar and asked["request_id"] in written


def test_refusals_say_whom_they_refuse_as_far_as_it_is_proven(house, ada):  # noqa: F811
    client = Client(house)
    assert client.token(grant_type="password")[0] == 400
    line = said(house, "token.refused")
    assert (line["client"], line["reason"]) == ("app", "grant_unsupported") and "user" not in line and "grant_type" not in line
    assert client.token(grant_type="authorization_code", code="x", code_verifier="x", client_id="nobody")[0] == 401
    line = said(house, "token.refused", 2)
    assert line["reason"] == "client_unknown" and "client" not in line  # nobody has proven to be it
    code = client.code_of(ada.allow(ada.open(client.url())))
    assert client.redeem(code, client_id="own")[0] == 400
    line = said(house, "token.refused", 3)
    assert line["client"] == "own" and "user" not in line and "grant" not in line  # it was not its code
    ada.send("GET", ada.path(client.url(scope="unknown")))
    line = said(house, "authz.denied")
    assert (line["reason"], line["client"], line["asked"]) == ("scope_none", "app", "unknown")
    ada.send("GET", ada.path(client.url(redirect_uri="https://evil.example/")))
    assert "client" not in said(house, "authz.denied", 2)
    ada.send("GET", ada.path(client.url(scope='bad"scope')))
    assert "asked" not in said(house, "authz.denied", 3)


def test_sign_ins(house, ada):  # noqa: F811
    line = said(house, "login.ok")
    user = line["user"]
    stranger = Browser(house)
    page = stranger.sign_in(stranger.open(f"{house.origin}/login"), password="wrong horse", status=403)
    line = said(house, "login.failed")
    assert line["about"] == user and "user" not in line and line["reason"] == "login_failed"
    page = stranger.sign_in(page, name="no such name", status=403)
    assert "about" not in said(house, "login.failed", 2)
    for count in range(4):
        page = stranger.sign_in(page, password="wrong horse", status=403)
    assert said(house, "login.failed", 6)["about"] == user
    stranger.sign_in(page, status=429)
    line = said(house, "login.locked")
    assert (line["about"], line["reason"]) == (user, "login_throttled") and "user" not in line
    with open(house.audit_path, encoding="utf-8") as file:
        written = file.read()
    assert "no such name" not in written and "wrong horse" not in written and user in written


def test_what_a_user_and_a_client_end(service, ada):  # noqa: F811
    house = service  # noqa: F811
    client = Client(house)
    _, tokens = client.redeem(client.code_of(ada.allow(ada.open(client.url()))))
    grant = claims_of(tokens["access_token"])["sid"]
    ada.submit(ada.open(f"{house.origin}/account"), form=1)
    line = said(house, "consent.revoked")
    assert line["events"] == ["consent.revoked", "revoke"] and (line["grant"], line["revoked"]) == (grant, "grant")
    assert line["user"].startswith("usr_") and line["client"] == "app"
    token = ask(house, "/oauth/token", {"grant_type": "client_credentials"}, basic("rs", SECRET))[1]["access_token"]
    line = said(house, "token.issued", 2)
    assert (line["kind"], line["user"], line["client"], line["grant_type"]) == ("service", "rs", "rs", "client_credentials")
    assert ask(house, "/oauth/introspect", {"token": token}, basic("rs", SECRET))[1]["active"] is True
    line = said(house, "introspect")
    assert (line["client"], line["about"], line["jti_hash"]) == ("rs", "rs", jti_hash(token))
    assert ask(house, "/oauth/introspect", {"token": "x"}, basic("rs", SECRET))[1] == {"active": False}
    line = said(house, "introspect", 2)
    assert line["client"] == "rs" and "about" not in line and "jti_hash" not in line
    assert ask(house, "/oauth/revoke", {"token": token, "client_id": "app"})[0] == 200
    line = said(house, "revoke", 2)
    assert line["client"] == "app" and "revoked" not in line and "jti_hash" not in line  # it was another's
    assert ask(house, "/oauth/revoke", {"token": token}, basic("rs", SECRET))[0] == 200
    line = said(house, "revoke", 3)
    assert (line["client"], line["revoked"], line["jti_hash"]) == ("rs", "token", jti_hash(token))


def test_registrations(house):  # noqa: F811
    house.start()
    made = register(house)
    assert said(house, "client.registered")["client"] == made["client_id"]
    body, fields = b'{"redirect_uris":["http://app.example/cb"]}', (("Content-Type", "application/json"), ("User-Agent", "client/1.0"))
    assert ask(house, "/oauth/register", body=body, fields=fields)[0] == 400
    line = said(house, "client.rejected")
    assert (line["reason"], line["user_agent"]) == ("redirect_refused", "client/1.0") and "client" not in line


def test_documents_of_clients(house, host, authority):  # noqa: F811
    house.settings["fetch"] = {"ca_file": authority.path, "allow": ["127.0.0.0/8", "::1/128"]}
    house.start()
    browser = Browser(house)
    browser.set_up()
    client = Client(house, host.publish())
    browser.open(client.url())
    line = said(house, "client.fetched")
    assert line["about"] == line["client"] == client.asked["client_id"] and "authz.request" in line["events"]
    bad = Client(house, host.publish("/bad.json", redirect_uris=["https://*.example/cb"]))
    browser.open(bad.url(), status=400)
    line = said(house, "client.rejected")
    assert (line["about"], line["reason"]) == (bad.asked["client_id"], "client_document_refused") and "client" not in line
    house.stop()
    rewrite(house, "document/", lambda row: {**row, "fresh": 0, "good": 0})
    host.publish(redirect_uris=["http://127.0.0.1/cb", "http://127.0.0.1/other"])
    house.start()
    browser.open(client.url())
    assert said(house, "client.changed")["about"] == client.asked["client_id"]
