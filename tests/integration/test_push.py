"""Pushed authorization requests (RFC 9126): checked as at the authorization endpoint, kept for a minute, used once, by one client."""
import os
import threading
import time
import uuid

import pytest

from support.browser import Browser, answer_of
from support.issuer import Key, b64
from support.store import at_rest, rewrite, rows_of
from test_code_flow import CALLBACK, Client, ada, house, refused_page  # noqa: F401  (fixtures)
from test_issuer import SECRET, ask, basic, refused

PREFIX = "urn:ietf:params:oauth:request_uri:"
OWN = "https://own.example/cb"


@pytest.fixture
def pushing(house):  # noqa: F811
    """A public client, one with a secret, one with a key."""
    with open(os.open(os.path.join(house.folder, "secret"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(SECRET)
    house.key = Key("ES256", "c1")
    house.write("client.jwks", {"keys": [house.key.jwk()]})
    house.settings["issuers"]["house"]["managed"]["clients"].update({
        "web": {"auth": "client_secret_basic", "secret_file": "secret", "redirect_uris": [OWN]},
        "robot": {"auth": "private_key_jwt", "jwks_file": "client.jwks", "redirect_uris": [OWN]}})
    return house


def form_of(client, **changes):
    return {name: value for name, value in {**client.asked, **changes}.items() if value is not None}


def push(client, authorization=None, **changes):
    status, body, answer = ask(client.site, "/oauth/par", form_of(client, **changes), authorization)
    assert status == 201, body
    assert set(body) == {"request_uri", "expires_in"} and body["expires_in"] == 60 and body["request_uri"].startswith(PREFIX)
    assert answer["cache-control"] == "no-store" and answer["access-control-allow-origin"] == "*"
    return body["request_uri"]


def url_of(client, request_uri, **more):
    return client.url(**{**dict.fromkeys(client.asked), "client_id": client.asked["client_id"], "request_uri": request_uri, **more})


def test_a_pushed_request_leads_to_tokens(pushing, ada):  # noqa: F811
    client = Client(pushing)
    uri = push(client)
    consent = ada.open(url_of(client, uri, scope="custom:thing", redirect_uri="https://evil.example/", state="other"))
    assert "change and delete" in consent.text and "custom:thing" not in consent.text  # what was pushed counts, and nothing beside it
    status, tokens = client.redeem(client.code_of(ada.allow(consent)))
    assert status == 200 and tokens["scope"] == "mcp:read mcp:write", tokens
    pushing.accepted(pushing.post(tokens["access_token"]))
    stranger, other = Browser(pushing), Client(pushing)
    login = stranger.open(url_of(other, push(other)))
    other.code_of(stranger.sign_in(login))  # through the sign-in as well; agreed to before


def test_it_counts_once(pushing, ada):  # noqa: F811
    client = Client(pushing)
    client.code_of(ada.allow(ada.open(client.url())))
    uri = push(client)
    client.code_of(ada.open(url_of(client, uri)))
    refused_page(pushing, ada.send("GET", ada.path(url_of(client, uri))), 400, "request_uri_unknown")  # reason: request_uri_unknown
    for wrong in (PREFIX, PREFIX + "A" * 43, PREFIX + "../x", PREFIX + "%00"):
        refused_page(pushing, ada.send("GET", ada.path(url_of(client, wrong))), 400, "request_uri_unknown")
    uri, answers = push(client), []

    def follow():
        browser = Browser(pushing)
        browser.jar = dict(ada.jar)
        answers.append(browser.send("GET", browser.path(url_of(client, uri))).status)

    threads = [threading.Thread(target=follow) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [303] + [400] * 19
    client.code_of(ada.open(url_of(client, push(client))))


def test_it_is_bound_to_its_client_and_its_minute(pushing, ada):  # noqa: F811
    client = Client(pushing)
    client.code_of(ada.allow(ada.open(client.url())))
    uri = push(client)
    for other in ("own", "nobody"):
        refused_page(pushing, ada.send("GET", ada.path(url_of(client, uri, client_id=other))), 400, "request_uri_unknown")
    refused_page(pushing, ada.send("GET", ada.path(url_of(client, uri, client_id=None))), 400, "request_uri_unknown")
    client.code_of(ada.open(url_of(client, uri)))  # nobody has used it up for its client
    uri = push(client)
    (expires,) = [expires for key, _, expires in rows_of(pushing) if key.startswith("pushed/")]
    assert time.time() < expires <= time.time() + 61
    assert uri.removeprefix(PREFIX) not in at_rest(pushing)
    pushing.stop()
    rewrite(pushing, "pushed/", lambda row: row, expires=1)
    pushing.start()
    refused_page(pushing, ada.send("GET", ada.path(url_of(client, uri))), 400, "request_uri_unknown")


def test_clients_prove_who_they_are(pushing, ada):  # noqa: F811
    web, robot = Client(pushing, "web", OWN), Client(pushing, "robot", OWN)
    for authorization in (basic("web", "wrong"), None):
        refused(pushing, 401, "invalid_client", "client_unauthenticated", "/oauth/par", form_of(web), authorization)
    refused(pushing, 401, "invalid_client", "client_unknown", "/oauth/par", form_of(web, client_id="nobody"))
    web.code_of(ada.allow(ada.open(url_of(web, push(web, basic("web", SECRET), client_id=None)))))
    payload = {"iss": "robot", "sub": "robot", "aud": pushing.origin, "jti": str(uuid.uuid4()), "exp": int(time.time()) + 60}
    signed = ".".join(b64(part) for part in ({"alg": "ES256", "kid": "c1"}, payload))
    proof = {"client_assertion": f"{signed}.{b64(pushing.key.sign(signed.encode()))}",
             "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    uri = push(robot, **proof)
    refused(pushing, 401, "invalid_client", "client_unauthenticated", "/oauth/par", form_of(robot, **proof))  # its jti counts once
    found = at_rest(pushing)
    assert SECRET not in found and proof["client_assertion"] not in found  # not even in what was pushed
    robot.code_of(ada.allow(ada.open(url_of(robot, uri))))


def test_what_the_authorization_endpoint_refuses_is_refused_at_once(pushing):
    pushing.start()
    client = Client(pushing)
    push(client)
    for changes, error, reason in (
            ({"response_type": "token"}, "unsupported_response_type", "response_type"),
            ({"code_challenge": None}, "invalid_request", "pkce_missing"),
            ({"code_challenge_method": "plain"}, "invalid_request", "pkce_missing"),
            ({"request": "x"}, "request_not_supported", "request_object"),
            ({"request_uri": PREFIX + "A" * 43}, "request_not_supported", "request_object"),  # RFC 9126 section 2.1
            ({"scope": "unknown"}, "invalid_scope", "scope_none"),
            ({"resource": f"{pushing.origin}/other"}, "invalid_target", "resource_unknown"),
            ({"redirect_uri": "https://evil.example/cb"}, "invalid_request", "redirect_unknown"),
            ({"redirect_uri": CALLBACK + "/"}, "invalid_request", "redirect_unknown"),
            ({"prompt": "none login"}, "invalid_request", "prompt")):
        refused(pushing, 400, error, reason, "/oauth/par", form_of(client, **changes))
    push(client)
    assert ask(pushing, "/oauth/par")[0] == 405


def test_what_is_kept_has_a_bound(pushing, ada):  # noqa: F811
    """A byte of a form may become three in the row."""
    client = Client(pushing)
    hint = " " * 2400
    assert len(ada.open(url_of(client, push(client, login_hint=hint))).forms) > 0
    for too_much in (" " * 2720, " " * 60000):
        refused(pushing, 400, "invalid_request", "form_malformed", "/oauth/par", form_of(client, login_hint=too_much))
    assert max(len(value) for key, value, _ in rows_of(pushing) if key.startswith("txn/")) < 8192


def test_pushing_can_be_demanded(pushing):
    pushing.settings["issuers"]["house"]["managed"]["require_pushed_authorization_requests"] = True
    pushing.start()
    browser, client = Browser(pushing), Client(pushing)
    browser.set_up()
    _, document, _ = ask(pushing, "/.well-known/oauth-authorization-server")
    assert document["require_pushed_authorization_requests"] is True
    assert document["pushed_authorization_request_endpoint"] == f"{pushing.origin}/oauth/par"
    told = browser.send("GET", browser.path(client.url()))
    answer = answer_of(told["location"])
    assert (answer["error"], answer["state"], answer["iss"]) == ("invalid_request", client.asked["state"], pushing.origin)
    assert pushing.audit_of_id(told["x-request-id"])["reason"] == "push_required"  # reason: push_required
    unknown = Client(pushing, "https://nobody.example/client.json")
    refused_page(pushing, Browser(pushing).send("GET", browser.path(unknown.url())), 400, "push_required")
    client.code_of(browser.allow(browser.open(url_of(client, push(client)))))


def test_documents_do_not_demand_it_by_themselves(pushing):
    pushing.start()
    _, document, _ = ask(pushing, "/.well-known/oauth-authorization-server")
    assert "require_pushed_authorization_requests" not in document and document["pushed_authorization_request_endpoint"]
