"""Pre-registered clients by the admin interface: a secret that is shown once, rotation, and an end that takes all they were given."""
import json
import threading

import pytest

from support.browser import Browser
from support.command import ask, refused, run, told
from support.issuer import Key
from support.store import at_rest, rows_of
from support.wait import until
from test_code_flow import Client, ada, house, refused_page  # noqa: F401
from test_issuer import ask as ask_issuer
from test_issuer import assertion, basic

CREDENTIALS = {"grant_type": "client_credentials"}


def token_status(site, client, secret, form=None):
    status, answer, _ = ask_issuer(site, "/oauth/token", form or CREDENTIALS, basic(client, secret))
    return status, answer


def add_service(site, *words):
    return told(site, "client", "add", "svc", "--auth", "client_secret_basic", "--grants", "client_credentials", *words)


def line_of(site, event):
    return until(lambda: [line for line in site.audit() if line["stage"] == event], f"audit line {event}")[-1]


def test_a_service_with_a_secret(house):
    house.start()
    made = add_service(house, "--name", "The service")
    assert made["client"] == "svc" and len(made["secret"]) == 43 and made["secrets"] == 1 and made["source"] == "operator"
    status, answer = token_status(house, "svc", made["secret"])
    assert status == 200, answer
    _, seen = house.accepted(house.post(answer["access_token"]))
    status, answer = token_status(house, "svc", made["secret"][:-1] + ("A" if made["secret"][-1] != "A" else "B"))
    assert (status, answer["error"]) == (401, "invalid_client")
    shown = told(house, "client", "show", "svc")
    assert "secret" not in shown and shown["name"] == "The service" and shown["grants"] == ["client_credentials"]
    line = line_of(house, "admin.client.add")
    assert (line["client"], line["by"], line["issuer"], line["reason"]) == ("svc", "loopback", "house", "admin")
    assert made["secret"] not in house.log() + json.dumps(house.audit()) + at_rest(house)


def test_rotation_without_a_gap(house):
    house.start()
    first = add_service(house)["secret"]
    second = told(house, "client", "rotate", "svc")["secret"]
    assert first != second
    for secret in (first, second):
        assert token_status(house, "svc", secret)[0] == 200
    assert "two secrets" in run(house, "client", "rotate", "svc", status=1)  # reason: admin_conflict
    kept = told(house, "client", "rotate", "svc", "--drop-older")
    assert kept["secrets"] == 1 and "secret" not in kept
    assert token_status(house, "svc", first)[0] == 401 and token_status(house, "svc", second)[0] == 200
    assert "no second secret" in run(house, "client", "rotate", "svc", "--drop-older", status=1)


def test_a_client_bound_to_a_route(house):
    other = {**house.route, "name": "mail", "resource": f"{house.origin}/mail/mcp", "scopes": ["mail:send"], "scopes_supported": ["mail:send"]}
    house.settings["routes"].append(other)
    house.start()
    secret = add_service(house, "--route", "weather", "--scope", "mcp:read")["secret"]
    status, answer = token_status(house, "svc", secret)
    assert status == 200 and answer["scope"] == "mcp:read"
    for asked, error in (({"resource": other["resource"]}, "invalid_target"), ({"scope": "mcp:write"}, "invalid_scope")):
        status, answer = token_status(house, "svc", secret, {**CREDENTIALS, **asked})
        assert (status, answer["error"]) == (400, error)
    house.accepted(house.post(token_status(house, "svc", secret)[1]["access_token"]))
    assert "no route of the settings: found nowhere" in run(house, "client", "add", "--route", "nowhere", status=1)
    assert "scopes: found mail:send" in run(house, "client", "add", "x", "--auth", "client_secret_basic", "--route", "weather", "--scope",
                                            "mail:send", status=1)


def test_users_agree_to_it_unless_it_is_a_part_of_this_place(house, ada):
    one = told(house, "client", "add", "--name", "Asker", "--redirect", "https://one.example/cb http://127.0.0.1/cb")
    assert one["client"].startswith("cli_") and one["auth"] == "none" and one["grants"] == ["authorization_code", "refresh_token"]
    client = Client(house, one["client"])
    page = ada.open(client.url())
    assert "Asker" in page.text
    status, tokens = client.redeem(client.code_of(ada.allow(page)))
    assert status == 200
    house.accepted(house.post(tokens["access_token"]))
    own = told(house, "client", "add", "--redirect", "https://own2.example/cb", "--no-consent")
    assert own["no_consent"]
    quiet = Client(house, own["client"], "https://own2.example/cb")
    assert quiet.redeem(quiet.code_of(ada.open(quiet.url())))[0] == 200
    answer = ada.send("GET", Client(house, one["client"], "https://evil.example/cb").url().removeprefix(house.origin))
    refused_page(house, answer, 400, "redirect_unknown")


def test_a_client_with_a_key(house, tmp_path):
    house.start()
    house.key = Key("ES256", "c1")
    house.write("client.jwks", {"keys": [house.key.jwk()]})
    made = told(house, "client", "add", "robot", "--auth", "private_key_jwt", "--grants", "client_credentials", "--jwks",
                str(tmp_path / "client.jwks"))
    assert "secret" not in made
    status, answer, _ = ask_issuer(house, "/oauth/token", assertion(house))
    assert status == 200, answer
    house.accepted(house.post(answer["access_token"]))
    status, answer, _ = ask_issuer(house, "/oauth/token", assertion(house, aud="https://other.example"))
    assert (status, answer["error"]) == (401, "invalid_client")
    assert "no secret to rotate" in run(house, "client", "rotate", "robot", status=1)


def test_the_end_of_a_client_takes_all_it_was_given(house, ada):
    made = told(house, "client", "add", "--redirect", "http://127.0.0.1/cb")
    gone, stays = Client(house, made["client"]), Client(house)
    status, tokens = gone.redeem(gone.code_of(ada.allow(ada.open(gone.url()))))
    _, others = stays.redeem(stays.code_of(ada.allow(ada.open(stays.url()))))
    assert status == 200
    house.accepted(house.post(tokens["access_token"]))
    assert told(house, "client", "remove", made["client"]) == {"client": made["client"], "state": "removed"}
    house.refused(house.post(tokens["access_token"]), 401, reason="token_revoked", good=house.post(others["access_token"]))
    status, answer = gone.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (status, answer["error"]) == (401, "invalid_client")
    assert not [key for key, *_ in rows_of(house) if key.startswith("own-client/")]
    assert "which no client here is" in run(house, "client", "show", made["client"], status=1)  # reason: admin_unknown


def test_a_client_of_the_same_id_is_another(house):
    house.start()
    old = token_status(house, "svc", add_service(house)["secret"])[1]["access_token"]
    told(house, "client", "remove", "svc")
    new = token_status(house, "svc", add_service(house)["secret"])[1]["access_token"]
    house.refused(house.post(old), 401, reason="token_revoked", good=house.post(new))


@pytest.mark.parametrize("end", ("remove", "revoke"))
def test_users_agree_anew_after_the_end_of_a_client(house, ada, end):
    told(house, "client", "add", "asker", "--redirect", "http://127.0.0.1/cb")
    asker, other = Client(house, "asker"), Client(house)
    for one in (asker, other):
        status, answer = one.redeem(one.code_of(ada.allow(ada.open(one.url()))))
        assert status == 200, answer
        assert one.redeem(one.code_of(ada.open(one.url())))[0] == 200  # asked once
    if end == "remove":
        told(house, "client", "remove", "asker")
        told(house, "client", "add", "asker", "--redirect", "http://127.0.0.1/cb")
    else:
        run(house, "revoke", "--level", "client", "--tenant", "acme", "--issuer", "house", "asker")
    house.heard(1)
    page = ada.open(asker.url())
    assert "Allow access?" in page.text
    asker.code_of(ada.allow(page))
    for one in (asker, other):
        one.code_of(ada.open(one.url()))  # nobody is asked again


def test_one_that_registered_itself_is_shown_and_removed(house):
    house.start()
    status, made, _ = ask_issuer(house, "/oauth/register", body=json.dumps({"redirect_uris": ["http://127.0.0.1/cb"]}).encode(),
                                 fields=(("Content-Type", "application/json"),))
    assert status == 201
    assert told(house, "client", "show", made["client_id"])["source"] == "registered"
    assert made["client_id"] not in run(house, "client", "list")
    told(house, "client", "remove", made["client_id"])
    assert ask(house, "clients/show", {"client": made["client_id"]})[0] == 404


def test_the_list_has_those_of_the_settings_and_pages(house):
    house.start()
    for i in range(52):
        assert ask(house, "clients/add", {"client": f"c{i:03}", "redirect_uris": ["http://127.0.0.1/cb"]})[0] == 200
    first = told(house, "client", "list")
    assert {one["client"] for one in first["clients"] if one["source"] == "settings"} == {"app", "own"}
    second = told(house, "client", "list", "--after", first["next"])
    names = [one["client"] for one in first["clients"] + second["clients"] if one["source"] == "operator"]
    assert names == [f"c{i:03}" for i in range(52)] and "next" not in second


def test_what_cannot_be_added(house):
    house.start()
    good = {"client": "good", "redirect_uris": ["https://app.example/cb"]}
    assert refused(house, "clients/add", {**good, "client": "bad", "redirect_uris": ["http://app.example/cb"]}, 400, "admin_malformed",
                   good).startswith("redirect_uris: found http://app.example/cb; allowed: https")
    for body in ({}, {"auth": "x"}, {"grants": ["password"]}, {"grants": [1]}, {**good, "secret": "mine"}, {**good, "client": "a b"},
                 {**good, "jwks": {}}, {**good, "no_consent": "yes"}, {**good, "resources": ["https://c.example"]}):
        assert ask(house, "clients/add", body)[1]["reason"] == "admin_malformed", body
    assert ask(house, "clients/add", good)[1]["reason"] == "admin_conflict"
    assert ask(house, "clients/add", {**good, "client": "app"})[1]["reason"] == "admin_conflict"
    assert ask(house, "clients/remove", {"client": "app"})[1]["reason"] == "admin_conflict"
    assert ask(house, "clients/remove", {"client": "nobody"})[1]["reason"] == "admin_unknown"


@pytest.mark.parametrize("words, says", [((), "found no action"), (("drop",), "allowed: list, add, show"), (("show",), "takes one CLIENT"),
                                         (("list", "x"), "takes no CLIENT"), (("show", "x", "--name", "y"), "with `add` alone"),
                                         (("show", "x", "--drop-older"), "is for `rotate`"), (("show", "x", "--after", "y"), "is for `list`")])
def test_command_lines(house, words, says):
    house.write("gatehouse.yaml", house.settings)
    assert says in run(house, "client", *words, status=2)


# ---- many at once: the store lets one be first, the others decide again

def at_once(count, call):
    answers = [None] * count

    def one(i):
        answers[i] = call(i)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_of_many_rotations_is_the_second_secret(house):
    house.start()
    first = add_service(house)["secret"]
    answers = at_once(12, lambda i: ask(house, "clients/rotate", {"client": "svc"}))
    won = [answer for status, answer in answers if status == 200]
    assert len(won) == 1 and {answer["reason"] for status, answer in answers if status != 200} == {"admin_conflict"}
    assert token_status(house, "svc", first)[0] == 200 and token_status(house, "svc", won[0]["secret"])[0] == 200


def test_one_of_many_gets_a_name(house):
    house.start()
    for path, body in (("users/add", {"name": "bob"}), ("clients/add", {"client": "svc", "redirect_uris": ["http://127.0.0.1/cb"]})):
        answers = at_once(12, lambda i, path=path, body=body: ask(house, path, body))
        assert sorted(status for status, _ in answers) == [200] + [409] * 11, answers
