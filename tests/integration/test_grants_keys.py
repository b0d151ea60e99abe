"""Grants and signing keys by the admin interface: seen, ended, replaced, and dropped when they have leaked."""
import base64
import json
import os

import pytest

from support.browser import Browser
from support.command import ask, refused, run, told
from support.wait import until
from test_clients import line_of, token_status
from test_code_flow import Client, ada, house  # noqa: F401
from test_issuer import ask as ask_issuer
from test_users import signed_in, tokens_of


def published(site):
    return {key["kid"] for key in ask_issuer(site, "/oauth/jwks")[1]["keys"]}


def keys(site, *words):
    return json.loads(run(site, "key", *(words or ("list",))))["keys"]


def service(site):
    secret = told(site, "client", "add", "svc", "--auth", "client_secret_basic", "--grants", "client_credentials")["secret"]
    return lambda: token_status(site, "svc", secret)[1]["access_token"]


# ---- grants

def test_a_grant_is_listed_and_ended(house, ada):
    client, tokens = tokens_of(house, ada)
    other, others = tokens_of(house, ada, redirect_uri="https://app.example/cb")
    found = told(house, "grant", "list", "--user", "ada")["grants"]
    assert len(found) == 2
    one = next(grant for grant in found if grant["redirect_host"].startswith("127.0.0.1"))
    assert (one["client"], one["client_name"], one["resource"], one["scopes"]) == ("app", "The App", house.route["resource"],
                                                                                   ["mcp:read", "mcp:write"])
    ended = told(house, "grant", "revoke", one["grant"], "--user", one["user"])
    assert ended["grant"] == one["grant"]
    house.heard(1)
    house.refused(house.post(tokens["access_token"]), 401, reason="token_revoked", good=house.post(others["access_token"]))
    status, answer = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert other.token(grant_type="refresh_token", refresh_token=others["refresh_token"])[0] == 200
    assert "Allow access?" in ada.open(client.url()).text  # it has to ask again
    assert len(told(house, "grant", "list", "--user", "ada")["grants"]) == 1
    line = line_of(house, "admin.grant.revoke")
    assert (line["user"], line["client"], line["grant"], line["by"]) == (one["user"], "app", one["grant"], "loopback")
    assert "has not given" in run(house, "grant", "revoke", one["grant"], "--user", "ada", status=1)


def test_grants_have_pages(house, ada):
    client, _ = tokens_of(house, ada)
    for _ in range(51):
        again = Client(house)
        assert again.redeem(again.code_of(ada.open(again.url())))[0] == 200
    first = told(house, "grant", "list", "--user", "ada")
    second = told(house, "grant", "list", "--user", "ada", "--after", first["next"])
    assert len(first["grants"]) == 50 and len(second["grants"]) == 2 and "next" not in second
    assert len({grant["grant"] for grant in first["grants"] + second["grants"]}) == 52


def test_what_cannot_be_asked_of_grants(house, ada):
    grant = tokens_of(house, ada) and told(house, "grant", "list", "--user", "ada")["grants"][0]
    good = {"user": grant["user"], "grant": grant["grant"]}
    assert refused(house, "grants/revoke", {**good, "grant": "../x"}, 404, "admin_unknown", {**good}) == \
        "grant: found ../x, which this user has not given"
    assert ask(house, "grants/revoke", {"user": grant["user"]})[1]["error"] == "grant: is missing"
    told(house, "user", "add", "eve")
    assert ask(house, "grants/revoke", {"name": "eve", "grant": grant["grant"]})[1]["reason"] == "admin_unknown"
    assert "allowed: list, or revoke GRANT" in run(house, "grant", "revoke", "--user", "ada", status=2)
    assert "allowed: list, or revoke GRANT" in run(house, "grant", "list", status=2)


# ---- signing keys

def test_a_key_is_published_before_it_signs(house):
    house.start()
    token = service(house)
    before = keys(house)
    assert [key["state"] for key in before] == ["active"] and published(house) == {before[0]["key"]}
    after = keys(house, "rotate")
    assert [key["state"] for key in after] == ["active", "next"] and after[0]["key"] == before[0]["key"]
    until(lambda: published(house) == {key["key"] for key in after}, "both keys")
    assert kid_of(token()) == before[0]["key"]
    line = line_of(house, "admin.key.rotate")
    assert (line["issuer"], line["by"], line["reason"]) == ("house", "loopback", "admin")


def kid_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def test_a_key_signs_at_once_and_the_old_one_still_counts(house):
    house.start()
    token = service(house)
    old = token()
    house.accepted(house.post(old))
    after = keys(house, "rotate", "--at-once")
    states = {key["state"]: key["key"] for key in after}
    assert set(states) == {"active", "retired"} and states["retired"] == kid_of(old)
    new = until(lambda: kid_of(made := token()) == states["active"] and made, "a token of the new key")
    house.accepted(house.post(old))
    house.accepted(house.post(new))


def test_a_dropped_key_takes_all_with_it(house, ada):
    token = service(house)
    old, (client, tokens) = token(), tokens_of(house, ada)
    house.accepted(house.post(old))
    kid = kid_of(old)
    left = keys(house, "drop", "--", kid)
    assert [key["state"] for key in left] == ["active"] and left[0]["key"] != kid
    house.heard(1)
    new = until(lambda: kid_of(made := token()) != kid and made, "a token of the new key")
    for gone in (old, tokens["access_token"]):
        answer = house.send(house.post(gone))
        assert answer.status == 401 and answer.audit["reason"] in ("token_key_unknown", "token_revoked"), answer.audit
    house.accepted(house.post(new))
    assert client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])[1]["error"] == "invalid_grant"
    assert not signed_in(ada) and published(house) == {left[0]["key"]}
    assert not [name for name in os.listdir(os.path.join(house.folder, "keys")) if kid in name]
    assert "which no key of this issuer is" in run(house, "key", "drop", "--", kid, status=1)
    fresh = Browser(house)
    assert "Signed in as ada" in fresh.sign_in(fresh.open(f"{house.origin}/login")).text
    house.stop()
    house.start()
    assert keys(house) == left


def test_a_key_that_cannot_be_deleted_is_not_said_to_be_gone(house):
    house.start()
    kid = keys(house)[0]["key"]
    folder = os.path.join(house.folder, "keys")
    name = next(name for name in os.listdir(folder) if kid in name)
    os.rename(os.path.join(folder, name), os.path.join(folder, "aside"))
    os.mkdir(os.path.join(folder, name))  # what unlink refuses, for root too
    try:
        status, answer = ask(house, "keys/drop", {"key": kid})
        assert (status, answer["reason"]) == (503, "keys_unavailable"), answer  # reason: keys_unavailable
    finally:
        os.rmdir(os.path.join(folder, name))
        os.rename(os.path.join(folder, "aside"), os.path.join(folder, name))
    assert ask(house, "keys/drop", {"key": kid})[0] == 200


def test_a_dropped_key_does_not_come_back_with_earlier_settings(house):
    house.start()
    managed, leaked = house.settings["issuers"]["house"]["managed"], keys(house)[0]["key"]
    managed["key_life"] = "20d"
    house.reload()
    left = keys(house, "drop", "--", leaked)
    del managed["key_life"]
    house.reload()
    assert keys(house) == left and leaked not in {key["key"] for key in left}
    assert published(house) == {left[0]["key"]}


@pytest.mark.parametrize("words, says", [((), "found no action"), (("drop",), "found drop; allowed"), (("list", "x"), "found list"),
                                         (("list", "--at-once"), "found list"), (("show", "--issuer", "house"), "found show")])
def test_command_lines(house, words, says):
    house.write("gatehouse.yaml", house.settings)
    assert says in run(house, "key", *words, status=2)
