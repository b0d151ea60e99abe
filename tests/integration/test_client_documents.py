"""Clients whose id is the URL of a document (CIMD): fetched once for all, behind a sign-in, and held to every rule."""
import json
import threading
import time
import uuid

import pytest

from support.browser import Browser
from support.documents import Documents
from support.issuer import Key, b64
from support.store import rewrite
from support.wait import until
from test_code_flow import CALLBACK, Client, house, refused_page  # noqa: F401  (house is a fixture)
from test_issuer import ask
from test_issuer_limits import from_address


@pytest.fixture
def host(authority):
    made = Documents(authority)
    yield made
    made.close()


@pytest.fixture
def ada(house, host, authority):  # noqa: F811
    house.settings["fetch"] = {"ca_file": authority.path, "allow": ["127.0.0.0/8", "::1/128"]}
    house.settings["trusted_proxies"] = ["127.0.0.1/32"]
    house.start()
    browser = Browser(house)
    browser.set_up()
    return browser


@pytest.mark.apart
def test_a_client_with_a_document(house, host, ada):  # noqa: F811
    client = Client(house, host.publish())
    consent = ada.open(client.url())
    assert "Documented" in consent.text and host.origin.removeprefix("https://") in consent.text
    status, tokens = client.redeem(client.code_of(ada.allow(consent)))
    assert status == 200, tokens
    answer, _ = house.accepted(house.post(tokens["access_token"]))
    assert answer.audit["client"] == client.asked["client_id"]
    status, tokens = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 200
    assert host.times() == 1  # kept, by all nodes
    _, fields = host.asked[0]
    assert "Cookie" not in fields and "Authorization" not in fields


def test_nothing_is_fetched_before_somebody_is_signed_in(house, host, ada):  # noqa: F811
    client, stranger = Client(house, host.publish()), Browser(house)
    login = stranger.open(client.url())
    assert login.forms[0].action == "/login" and host.asked == []
    assert f"form-action 'self' {CALLBACK.removesuffix('/cb')}" in login.answer["content-security-policy"]
    silent = stranger.send("GET", stranger.path(client.url(prompt="none")))
    refused_page(house, silent, 400, "login_required")
    assert host.asked == []
    consent = stranger.sign_in(login)
    assert "Documented" in consent.text and host.times() == 1
    client.code_of(stranger.allow(consent))


def test_one_fetch_for_all_who_wait(house, host, ada):  # noqa: F811
    client, answers = Client(house, host.publish()), []
    host.held.clear()

    def ask():
        browser = Browser(house)
        browser.jar = dict(ada.jar)
        answers.append(browser.send("GET", browser.path(client.url())))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: host.asked, "the one fetch")
    host.held.set()
    for thread in threads:
        thread.join(30)
    assert [answer.status for answer in answers] == [200] * 20
    assert host.times() <= 2  # one that came behind the answer, and before its row, asks again


@pytest.mark.parametrize("what, changes", [
    ("another id", {"client_id": "https://other.example/client.json"}), ("no id", {"client_id": None}), ("no name", {"client_name": None}),
    ("no redirects", {"redirect_uris": []}), ("a script", {"redirect_uris": ["javascript:alert(1)"]}), ("a secret", {"client_secret": "x"}),
    ("a shared secret", {"token_endpoint_auth_method": "client_secret_basic"}), ("plain logo", {"logo_uri": "http://localhost/logo.png"}),
    ("keys without use", {"jwks": {"keys": []}}), ("a key method without keys", {"token_endpoint_auth_method": "private_key_jwt"}),
    ("another response", {"response_types": ["token"]}), ("no JSON", {"text": b"<html>"}), ("a list", {"text": b"[]"}),
    ("twins", {"text": b'{"client_id":"a","client_id":"b"}'})])
def test_documents_that_break_a_rule(house, host, ada, what, changes):  # noqa: F811
    bad = Client(house, host.publish("/bad.json", **changes))
    refused_page(house, ada.send("GET", ada.path(bad.url())), 400, "client_document_refused")  # reason: client_document_refused
    assert "Allow access?" in ada.open(Client(house, host.publish()).url()).text


def test_answers_that_are_no_document(house, host, ada):  # noqa: F811
    good = host.publish()
    _, _, body = host.pages["/client.json"]
    for path, page in (("/redirect", (302, {"Location": good}, b"")), ("/type", (200, {"Content-Type": "text/html"}, body)),
                       ("/missing", (404, {}, body)), ("/large", (200, {}, b" " * 5121))):
        host.pages[path] = page
        answer = ada.send("GET", ada.path(Client(house, host.origin + path).url()))
        refused_page(house, answer, 503, "fetch_failed")
        times = host.times(path)
        refused_page(house, ada.send("GET", ada.path(Client(house, host.origin + path).url())), 503, "fetch_failed")
        assert host.times(path) == times == 1  # remembered for a minute
    assert host.times() == 0
    ada.open(Client(house, good).url())


def test_ids_that_are_no_url_of_a_document(house, host, ada):  # noqa: F811
    for path in ("", "/", "/a/../client.json", "/%2e%2e/client.json", "/client.json?x=1", "/client.json#x", "/cl\\ient.json"):
        refused_page(house, ada.send("GET", ada.path(Client(house, host.origin + path).url())), 400, "client_unknown")
    refused_page(house, ada.send("GET", ada.path(Client(house, host.origin.replace("https", "http") + "/client.json").url())), 400, "client_unknown")
    assert host.asked == []


def test_addresses_that_are_not_asked(house, host, canary, authority):  # noqa: F811
    house.settings["fetch"] = {"ca_file": authority.path}
    house.start()
    ada = Browser(house)  # noqa: F811
    ada.set_up()
    for name in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"):
        client = Client(house, f"https://{name}:{canary.port}/client.json")
        answer = ada.send("GET", ada.path(client.url()))
        assert answer.status in (400, 503) and answer["location"] is None
        assert house.audit_of_id(answer["x-request-id"])["reason"] in ("fetch_refused", "fetch_failed", "client_unknown")


def test_one_host_is_not_asked_without_end(house, host, ada):  # noqa: F811
    answers = [ada.send("GET", ada.path(Client(house, host.publish(f"/{i}.json")).url()), fields=from_address(f"198.51.100.{i}"))
               for i in range(15)]
    assert [answer.status for answer in answers] == [200] * 10 + [503] * 5
    assert b"many new applications of one host" in answers[-1].body
    assert len(host.asked) == 10


def test_one_address_has_no_end_of_documents_fetched(house, host, ada, authority):  # noqa: F811
    """At the authorization endpoint and pushed, whatever hosts it names; what is known already costs nothing."""
    other = Documents(authority)
    try:
        urls = [one.publish(f"/{i}.json") for i in range(6) for one in (host, other)]

        def push(url, last):
            return ask(house, "/oauth/par", Client(house, url).asked, fields=from_address(f"198.51.100.{last}"))

        assert [push(url, 1)[0] for url in urls[:10]] == [201] * 10
        status, body, answer = push(urls[10], 1)
        assert (status, body["error"]) == (429, "slow_down")
        assert house.audit_of_id(answer["x-request-id"])["reason"] == "requests_throttled"
        assert push(urls[0], 1)[0] == 201 and push(urls[10], 2)[0] == 201
        path = ada.path(Client(house, urls[11]).url())
        assert ada.send("GET", path, fields=from_address("198.51.100.1")).status == 429
        assert b"Allow access?" in ada.send("GET", path, fields=from_address("198.51.100.3")).body
    finally:
        other.close()


def test_a_pushed_request_of_a_client_that_nobody_knows(house, host, ada):  # noqa: F811
    """Its document is fetched, once, as for a browser; a failure is remembered for a minute."""
    client = Client(house, host.publish())
    status, body, answer = ask(house, "/oauth/par", client.asked)
    assert status == 201 and house.audit_of_id(answer["x-request-id"])["events"] == ["client.fetched", "authz.request"], body
    consent = ada.open(client.url(**{**dict.fromkeys(client.asked), "client_id": client.asked["client_id"], "request_uri": body["request_uri"]}))
    assert client.redeem(client.code_of(ada.allow(consent)))[0] == 200
    assert ask(house, "/oauth/par", client.asked)[0] == 201 and host.times() == 1
    bad = Client(house, host.publish("/bad.json", redirect_uris=[]))
    assert [ask(house, "/oauth/par", bad.asked)[0] for _ in range(2)] == [400] * 2 and host.times("/bad.json") == 1
    gone = Client(house, f"{host.origin}/gone.json")
    assert [ask(house, "/oauth/par", gone.asked)[0] for _ in range(2)] == [503] * 2 and host.times("/gone.json") == 1
    for path in ("/a/../client.json", "/client.json?x=1"):
        assert ask(house, "/oauth/par", Client(house, host.origin + path).asked)[0] == 401
    # where tokens are asked for, nobody is fetched whom nobody here has agreed to
    new = host.publish("/new.json")
    assert ask(house, "/oauth/token", {"grant_type": "refresh_token", "refresh_token": "x", "client_id": new})[0] == 401
    assert host.times("/new.json") == 0


def test_a_key_of_its_own(house, host, ada):  # noqa: F811
    """private_key_jwt with keys in the document, and with keys beside it; and never a token without a user."""
    key = Key("ES256", "c1")
    host.pages["/keys.json"] = (200, {}, json.dumps({"keys": [key.jwk()]}).encode())
    for number, keys in enumerate(({"jwks": {"keys": [key.jwk()]}}, {"jwks_uri": f"{host.origin}/keys.json"})):
        url = host.publish(f"/{number}.json", token_endpoint_auth_method="private_key_jwt", **keys,
                           grant_types=["authorization_code", "refresh_token", "client_credentials"])
        client = Client(house, url)

        def proof():
            claims = {"iss": url, "sub": url, "aud": house.origin, "jti": str(uuid.uuid4()), "exp": int(time.time()) + 60}
            signed = ".".join(b64(part) for part in ({"alg": "ES256", "kid": "c1"}, claims))
            return {"client_assertion": f"{signed}.{b64(key.sign(signed.encode()))}",
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}

        code = client.code_of(ada.allow(ada.open(client.url())))
        status, told = client.redeem(code)
        assert (status, told["error"]) == (401, "invalid_client")
        status, tokens = client.redeem(code, **proof())
        assert status == 200, tokens
        status, told = client.token(grant_type="client_credentials", **proof())
        assert (status, told["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize("changes, asks", [
    ({"client_name": "Another name"}, False), ({"redirect_uris": ["http://127.0.0.1/cb", "https://new.example/cb"]}, True),
    ({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [Key("ES256", "c2").jwk()]}}, True)])
def test_a_document_that_changes_is_agreed_to_anew(house, host, ada, changes, asks):  # noqa: F811
    """issuer.md section 5.1: keys and redirects; also where its old row is gone by the time it comes back."""
    client = Client(house, host.publish())
    client.code_of(ada.allow(ada.open(client.url())))
    client.code_of(ada.open(client.url()))
    host.publish(**changes)
    for lose in (stale, forget):
        lose(house)
        answer = ada.send("GET", ada.path(client.url()))
        events = house.audit_of_id(answer["x-request-id"])["events"]
        assert ("client.changed" in events) == (asks and lose is stale) and answer.status == (200 if asks else 303)
    if asks:
        client.code_of(ada.allow(ada.open(client.url())))
    client.code_of(ada.open(client.url()))


def test_an_outage_takes_nothing_from_those_who_have_tokens(house, host, ada):  # noqa: F811
    """The document is asked for anew when its time is over; while its host is down, tokens go on."""
    client = Client(house, host.publish(fields={"Cache-Control": "max-age=0"}))
    _, tokens = client.redeem(client.code_of(ada.allow(ada.open(client.url()))))
    stale(house)
    host.pages.clear()
    refused_page(house, ada.send("GET", ada.path(client.url())), 503, "fetch_failed")
    status, tokens = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 200, tokens
    stale(house, days=2)
    status, told = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 503 and told.get("error") != "invalid_client"
    stale(house, days=2)
    host.publish()
    status, _ = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 200


def stale(site, days=0):
    """As if the document had come so much earlier."""
    site.stop()
    rewrite(site, "document/", lambda row: {**row, "fresh": 1, "good": int(time.time()) - days * 86400})
    site.start()


def forget(site):
    """As if the document had not been asked for in months."""
    site.stop()
    rewrite(site, "document/", lambda row: row, expires=1)
    site.start()
