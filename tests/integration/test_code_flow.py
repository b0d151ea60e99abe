"""The managed issuer with people: setup link, sign-in, consent, codes, the account page, and who tries to get around them."""
import base64
import hashlib
import json
import re
import secrets
import urllib.parse

import pytest

from support.browser import Browser, answer_of
from support.http1 import Connection, Request
from support.store import at_rest, rows_of
from support.wait import until

CALLBACK = "http://127.0.0.1:7777/cb"
PASSWORD = "correct horse"


@pytest.fixture
def house(site):
    return keep_house(site)


def keep_house(site):
    """The settings of a managed issuer, which the route trusts alone."""
    site.settings["store"] = "sqlite:store.db"
    site.settings["issuers"] = {"house": {"managed": {
        "url": site.origin, "keys": "keys", "registration": "on", "redirect_schemes": ["cursor"], "password_cost": 10, "clients": {
            "app": {"name": "The App", "redirect_uris": ["http://127.0.0.1/cb", "https://app.example/cb"]},
            "own": {"redirect_uris": ["https://own.example/cb"], "consent": False}}}}}
    site.settings["tenants"]["acme"]["issuers"] = ["house"]
    site.route["scopes_supported"] = ["mcp:read", "mcp:write", "custom:thing"]
    site.setup_link = lambda: links(site, 1)[-1]
    return site


def links(site, count):
    """The setup links that were printed, once there are so many."""
    return until(lambda: (found := re.findall(r"^ +(http\S+/setup\?token=\S+)$", site.log(), re.M))[count - 1:] and found, "setup link")


class Client:
    """An MCP client: what it sends a browser to, and what it does with the answer."""

    def __init__(self, site, client_id="app", redirect_uri=CALLBACK, **more):
        self.site, self.verifier = site, secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        self.asked = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "code_challenge": challenge,
                      "code_challenge_method": "S256", "state": secrets.token_urlsafe(8), "resource": site.route["resource"],
                      "scope": "mcp:read mcp:write", **more}

    def url(self, path="/oauth/authorize", **changes):
        asked = {name: value for name, value in {**self.asked, **changes}.items() if value is not None}
        return f"{self.site.origin}{path}?{urllib.parse.urlencode(asked)}"

    def code_of(self, url):
        assert isinstance(url, str) and url.startswith(self.asked["redirect_uri"] + "?"), url
        answer = answer_of(url)
        assert (answer["state"], answer["iss"]) == (self.asked["state"], self.site.origin)
        return answer["code"]

    def token(self, **form):
        """(status, JSON) of the token endpoint."""
        body = urllib.parse.urlencode({"client_id": self.asked["client_id"], **form}).encode()
        request = Request("POST", "/oauth/token", (("Host", self.site.authority), ("Content-Type", "application/x-www-form-urlencoded")), body)
        with Connection(self.site.port) as connection:
            connection.send(request.wire())
            answer = connection.read()
        return answer.status, json.loads(answer.body)

    def redeem(self, code, **changes):
        return self.token(**{"grant_type": "authorization_code", "code": code, "code_verifier": self.verifier,
                             "redirect_uri": self.asked["redirect_uri"], **changes})


def signed_in(pair):
    """(a browser whose user has made the first account, by the link of the process that started last; a client that it has agreed to)"""
    pair[0].setup_link = lambda: links(pair[-1], 1)[-1]
    browser, client = Browser(pair[0]), Client(pair[0])
    browser.set_up()
    client.code_of(browser.allow(browser.open(client.url())))
    return browser, client


@pytest.fixture
def ada(house):
    """A browser whose user has made the first account, and is signed in."""
    house.start()
    browser = Browser(house)
    page = browser.set_up()
    assert "Signed in as ada" in page.text
    return browser


def refused_page(site, answer, status, reason):
    """A page for people, and no way to the client."""
    assert answer.status == status, answer.body
    assert answer["location"] is None and answer["content-type"] == "text/html; charset=utf-8"
    assert site.audit_of_id(answer["x-request-id"])["reason"] == reason
    return answer


# ---- the whole way

@pytest.mark.apart
def test_from_the_first_request_to_a_protected_call(house, ada):
    stranger, client = Browser(house), Client(house)
    login = stranger.open(client.url())
    assert login.forms[0].action == "/login"
    consent = stranger.sign_in(login)
    for shown in ("The App", "127.0.0.1:7777", house.route["resource"], "ada", "change and delete", "program on this computer"):
        assert shown in consent.text, shown
    code = client.code_of(stranger.allow(consent))
    status, tokens = client.redeem(code)
    assert status == 200 and tokens["scope"] == "mcp:read mcp:write", tokens
    answer, seen = house.accepted(house.post(tokens["access_token"]))
    assert answer.audit["user"].startswith("usr_") and answer.audit["client"] == "app"
    status, again = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 200 and again["refresh_token"] != tokens["refresh_token"]
    house.accepted(house.post(again["access_token"]))
    # what was agreed to is not asked again, also with another port of the same program; more is
    other = Client(house, redirect_uri="http://127.0.0.1:9999/cb")
    other.code_of(stranger.open(other.url()))
    assert "Allow access?" in stranger.open(Client(house, scope="mcp:read").url()).text


def test_metadata_lists_the_code_flow(house):
    house.start()
    with Connection(house.port) as connection:
        connection.send(Request("GET", "/.well-known/oauth-authorization-server", (("Host", house.authority),)).wire())
        document = json.loads(connection.read("GET").body)
    assert document["authorization_endpoint"] == f"{house.origin}/oauth/authorize"
    assert document["code_challenge_methods_supported"] == ["S256"] and document["response_types_supported"] == ["code"]
    assert document["authorization_response_iss_parameter_supported"] is True


def register(site, path="/oauth/register", **metadata):
    body = json.dumps({"client_name": "Registered", "redirect_uris": ["cursor://app/cb"], **metadata}).encode()
    with Connection(site.port) as connection:
        connection.send(Request("POST", path, (("Host", site.authority), ("Content-Type", "application/json")), body).wire())
        answer = connection.read()
    assert answer.status == 201, answer.body
    return json.loads(answer.body)


def expiry_of(site, kind):
    return [expires for key, _, expires in rows_of(site) if key.startswith(f"{kind}/")]


def test_a_client_that_registered_itself(house, ada):
    made = register(house)
    unused, = expiry_of(house, "client")
    client = Client(house, made["client_id"], "cursor://app/cb")
    consent = ada.open(client.url())
    assert "nobody has checked its name" in consent.text and "cursor:" in consent.text
    assert "form-action 'self' cursor:" in consent.answer["content-security-policy"]
    status, tokens = client.redeem(client.code_of(ada.allow(consent)))
    assert status == 200
    house.accepted(house.post(tokens["access_token"]))
    used, = expiry_of(house, "client")
    assert used - unused > 80 * 86400  # from a day to three months


def test_aliases_for_older_clients(house, ada):
    made = register(house, "/register", redirect_uris=[CALLBACK])
    client = Client(house, made["client_id"])
    code = client.code_of(ada.allow(ada.open(client.url("/authorize", resource=None, scope=None))))
    body = urllib.parse.urlencode({"grant_type": "authorization_code", "code": code, "code_verifier": client.verifier,
                                   "client_id": made["client_id"]}).encode()
    with Connection(house.port) as connection:
        connection.send(Request("POST", "/token", (("Host", house.authority), ("Content-Type", "application/x-www-form-urlencoded")), body).wire())
        answer = connection.read()
    assert answer.status == 200, answer.body
    house.accepted(house.post(json.loads(answer.body)["access_token"]))


def test_a_client_of_our_own_is_not_asked_about(house, ada):
    client = Client(house, "own", "https://own.example/cb")
    client.code_of(ada.open(client.url()))


# ---- what ends access

@pytest.mark.apart
def test_the_account_page_ends_access(house, ada):
    client = Client(house)
    _, tokens = client.redeem(client.code_of(ada.allow(ada.open(client.url()))))
    house.accepted(house.post(tokens["access_token"]))
    page = ada.open(f"{house.origin}/account")
    assert "The App" in page.text and "127.0.0.1:7777" in page.text
    page = ada.submit(page, form=1)
    assert "No application has access" in page.text
    until(lambda: house.send(house.post(tokens["access_token"])).status == 401, "end of the access token")
    status, told = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (status, told["error"]) == (400, "invalid_grant")
    assert "Allow access?" in ada.open(client.url()).text  # asked anew


@pytest.mark.apart
@pytest.mark.redis
def test_a_code_used_twice_takes_its_tokens_along(house, ada):
    client = Client(house)
    code = client.code_of(ada.allow(ada.open(client.url())))
    _, tokens = client.redeem(code)
    house.accepted(house.post(tokens["access_token"]))
    status, told = client.redeem(code)
    assert (status, told["error"]) == (400, "invalid_grant")  # reason: code_replayed
    assert house.audit()[-1]["reason"] in ("code_replayed", "ok")
    until(lambda: house.send(house.post(tokens["access_token"])).status == 401, "end of the access token")
    status, told = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (status, told["error"]) == (400, "invalid_grant")


def test_a_code_is_bound_to_its_request(house, ada):
    for changes, error in (({"code_verifier": "x" * 43}, "invalid_grant"),  # reason: pkce_mismatch
                           ({"redirect_uri": "http://127.0.0.1:1/cb"}, "invalid_grant"),
                           ({"resource": f"{house.origin}/other"}, "invalid_target"), ({"client_id": "own"}, "invalid_grant")):
        client = Client(house)
        page = ada.open(client.url())
        code = client.code_of(page if isinstance(page, str) else ada.allow(page))
        status, told = client.redeem(code, **changes)
        assert (status, told["error"]) == (400, error), changes
        assert client.redeem(code)[0] == 400  # used up all the same
    client = Client(house)
    assert client.redeem(client.code_of(ada.open(client.url())))[0] == 200


# ---- the request

def test_redirects_that_are_not_the_clients_get_a_page(house, ada):
    for presented in ("http://127.0.0.1:7777/cb/", "http://127.0.0.1:7777/CB", "http://127.0.0.1:7777/cb?x=1", "http://localhost:7777/cb",
                      "http://127.0.0.1@evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:7777/cb#x",
                      "http://127.0.0.1:7777/a/../cb", "http://127.0.0.1:7777//cb", "http://127.0.0.1:7777\\cb", "https://app.example/cb2",
                      "https://app.example:444/cb", "https://APP.example/cb", "https://app.example./cb", "https://app.example/%63b",
                      "https://app.example/cb%00", "javascript:alert(1)", "data:text/html,x", "//evil.example/cb", "https://*.example/cb", " "):
        answer = ada.send("GET", ada.path(Client(house, redirect_uri=presented).url()))
        assert house.audit_of_id(answer["x-request-id"])["reason"] in ("redirect_unknown", "form_malformed"), presented
        assert answer.status == 400 and answer["location"] is None and b"evil" not in answer.body
    for changes, reason in (({"client_id": "nobody"}, "client_unknown"), ({"client_id": None}, "parameter_missing"),
                            ({"redirect_uri": None}, "redirect_unknown")):  # reason: redirect_unknown
        refused_page(house, ada.send("GET", ada.path(Client(house).url(**changes))), 400, reason)
    twice = Client(house).url() + "&client_id=app"
    refused_page(house, ada.send("GET", ada.path(twice)), 400, "parameter_repeated")
    assert "Allow access?" in ada.open(Client(house).url()).text


def test_errors_that_go_to_the_client(house, ada):
    cases = (({"response_type": "token"}, "unsupported_response_type", "response_type"),  # reason: response_type
             ({"code_challenge": None}, "invalid_request", "pkce_missing"),  # reason: pkce_missing
             ({"code_challenge_method": "plain"}, "invalid_request", "pkce_missing"),
             ({"request": "x"}, "request_not_supported", "request_object"),  # reason: request_object
             ({"request_uri": "https://evil.example/x"}, "request_not_supported", "request_object"),
             ({"scope": "unknown"}, "invalid_scope", "scope_none"),
             ({"resource": f"{house.origin}/other"}, "invalid_target", "resource_unknown"),
             ({"prompt": "none login"}, "invalid_request", "prompt"))  # reason: prompt
    for changes, error, reason in cases:
        client = Client(house)
        answer = ada.send("GET", ada.path(client.url(**changes)))
        assert answer.status == 303 and answer["location"].startswith(CALLBACK + "?"), changes
        told = answer_of(answer["location"])
        assert (told["error"], told["state"], told["iss"]) == (error, client.asked["state"], house.origin), told
        assert house.audit_of_id(answer["x-request-id"])["reason"] == reason


def test_prompts(house, ada):
    client = Client(house)
    silent = client.url(prompt="none")
    assert answer_of(Browser(house).open(silent))["error"] == "login_required"  # reason: login_required
    assert answer_of(ada.open(silent))["error"] == "consent_required"  # reason: consent_required
    client.code_of(ada.allow(ada.open(client.url())))
    client.code_of(ada.open(silent))
    assert "Allow access?" in ada.open(client.url(prompt="consent")).text
    login = ada.open(client.url(prompt="login"))
    assert login.forms[0].action == "/login"  # though somebody is signed in
    txn = login.forms[0].fields["txn"]
    assert ada.open(f"{house.origin}/oauth/authorize?txn={txn}").forms[0].action == "/login"
    client.code_of(ada.sign_in(login))


def test_denied(house, ada):
    client = Client(house)
    consent = ada.open(client.url())
    told = answer_of(ada.deny(consent))
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", client.asked["state"], house.origin)  # reason: access_denied
    ada.submit(consent, status=400, button=("answer", "allow"))  # reason: transaction_unknown


# ---- forms from elsewhere

def test_forged_consent(house, ada):
    client = Client(house)
    page, other = ada.open(client.url()), ada.open(client.url())
    good = {**page.forms[0].fields, "answer": "allow"}

    def refused(form, status=403, reason="csrf", fields=()):
        refused_page(house, ada.send("POST", "/consent", form, fields), status, reason)

    refused({name: value for name, value in good.items() if name != "csrf"})
    refused({**good, "csrf": "A" * 43})
    refused({**good, "csrf": other.forms[0].fields["csrf"]})  # of another transaction
    refused({**good, "txn": other.forms[0].fields["txn"]})
    refused(good, fields=(("Origin", "https://evil.example"),))
    refused(good, fields=(("Origin", "null"), ("Sec-Fetch-Site", "cross-site")))
    refused(good, fields=(("Sec-Fetch-Site", "same-site"),))
    assert ada.send("GET", "/consent?" + urllib.parse.urlencode(good)).status == 405
    stranger = Browser(house)
    refused_page(house, stranger.send("POST", "/consent", good), 403, "csrf")  # another browser
    client.code_of(ada.allow(page))
    ada.submit(page, status=400, button=("answer", "allow"))  # replayed
    # a new session makes the old page's token worthless
    session = ada.jar["gatehouse"]
    ada.sign_in(ada.open(f"{house.origin}/login"))
    assert ada.jar["gatehouse"] != session
    refused({**other.forms[0].fields, "answer": "allow"})


def test_forged_forms_of_other_pages(house, ada):
    account = ada.open(f"{house.origin}/account")
    for path, form in (("/logout", {}), ("/account", {"grant": "grt_x"}), ("/login", {"username": "ada", "password": PASSWORD})):
        refused_page(house, ada.send("POST", path, {**form, "csrf": "A" * 43}), 403, "csrf")  # reason: csrf
        refused_page(house, ada.send("POST", path, {**form, **account.forms[0].fields}, (("Origin", "https://evil.example"),)), 403, "csrf")
    assert "Signed in as ada" in ada.open(f"{house.origin}/account").text
    for grant in ("../x", "grt_unknown/../x", "", "a" * 65):
        refused_page(house, ada.send("POST", "/account", {**account.forms[0].fields, "grant": grant}), 400, "form_malformed")
    assert ada.submit(account).forms[0].action == "/login"  # signed out
    assert ada.open(f"{house.origin}/account").forms[0].action == "/login"


def test_signing_out_is_asked_for(house, ada):
    page = ada.open(f"{house.origin}/logout?post_logout_redirect_uri=https://evil.example/&return_to=https://evil.example/")
    assert "Signed in as ada" in page.text and "evil" not in page.answer.body.decode()
    assert "Signed in as ada" in ada.open(f"{house.origin}/account").text  # the page alone ends nothing
    refused_page(house, ada.send("POST", "/logout", {"csrf": "A" * 43}), 403, "csrf")
    assert ada.submit(page).forms[0].action == "/login"
    assert ada.open(f"{house.origin}/logout").forms[0].action == "/login"  # nobody is signed in any more


# ---- signing in

def test_the_setup_link_works_once(house):
    house.start()
    browser, link = Browser(house), house.setup_link()
    refused_page(house, browser.send("GET", "/setup?token=" + "A" * 43), 404, "setup_unknown")  # reason: setup_unknown
    refused_page(house, browser.send("GET", "/setup"), 404, "setup_unknown")
    page = browser.open(link)
    for name, password, again in (("ada", "short", "short"), ("ada", "long enough", "otherwise"), ("", "long enough", "long enough"),
                                  ("a" * 65, "long enough", "long enough")):
        page = browser.submit(page, status=400, username=name, password=password, again=again)  # reason: password_refused
    refused_page(house, browser.send("POST", "/setup", {**page.forms[0].fields, "csrf": "A" * 43}), 403, "csrf")
    assert "Signed in as ada" in browser.submit(page, username="ada", password=PASSWORD, again=PASSWORD).text
    browser.submit(page, status=403, username="eve", password=PASSWORD, again=PASSWORD)  # the form's cookie is gone
    refused_page(house, browser.send("GET", browser.path(link)), 404, "setup_unknown")
    assert not any(link.partition("=")[2] in json.dumps(line) for line in house.audit())
    house.stop()
    house.start()
    assert len(links(house, 1)) == 1  # there is an account: no other link


def test_a_restart_makes_the_older_link_worthless(house):
    house.start()
    first = house.setup_link()
    house.stop()
    house.start()
    second = links(house, 2)[-1]
    browser = Browser(house)
    refused_page(house, browser.send("GET", browser.path(first)), 404, "setup_unknown")
    browser.open(second)


def test_wrong_passwords_wait(house, ada):
    stranger = Browser(house)
    login = stranger.open(f"{house.origin}/login")
    texts = []
    for name in ("ada", "nobody"):
        page = stranger.sign_in(login, name, "wrong password", status=403)  # reason: login_failed
        texts.append(re.sub(r'(value|name)="[^"]*"', "", page.answer.body.decode()))
    assert texts[0] == texts[1]  # who is there is not told
    answers = []
    while not answers or answers[-1].status != 429:
        assert len(answers) < 20
        answers.append(stranger.send("POST", "/login", {**login.forms[0].fields, "username": "Ada", "password": "wrong password"}))
    assert {answer.status for answer in answers} == {403, 429}
    refused_page(house, answers[-1], 429, "login_throttled")  # reason: login_throttled
    answer = stranger.send("POST", "/login", {**login.forms[0].fields, "username": "ada", "password": PASSWORD})
    assert answer.status == 429 and int(answer["retry-after"]) > 0


def test_one_address_has_a_limit_of_its_own(house, ada):
    stranger = Browser(house)
    login = stranger.open(f"{house.origin}/login")
    statuses = [stranger.send("POST", "/login", {**login.forms[0].fields, "username": f"user{i}", "password": "wrong password"}).status for i in range(12)]
    assert statuses[0] == 403 and set(statuses) <= {403, 429}


def test_what_anybody_can_write_has_a_limit(house):
    """Registrations and requests that wait for a person lie in the store."""
    house.settings["issuers"]["house"]["managed"]["limits"] = {"authorize_per_minute": 1000}
    house.start()
    for _ in range(10):
        made = register(house)
    body = json.dumps({"redirect_uris": [CALLBACK]}).encode()
    request = Request("POST", "/oauth/register", (("Host", house.authority), ("Content-Type", "application/json")), body)
    answer = house.send(request)
    assert (answer.status, json.loads(answer.body)["error"]) == (429, "slow_down")
    assert house.audit_of_id(answer["x-request-id"])["reason"] == "requests_throttled"  # reason: requests_throttled
    assert int(answer["retry-after"]) > 60 and len(expiry_of(house, "client")) == 10
    stranger, client = Browser(house), Client(house, made["client_id"], "cursor://app/cb")
    for _ in range(100):
        assert stranger.send("GET", stranger.path(client.url())).status == 303
    refused_page(house, stranger.send("GET", stranger.path(client.url())), 429, "requests_throttled")
    assert len(expiry_of(house, "txn")) == 100


def test_a_session_is_never_one_that_was_planted(house, ada):
    stranger = Browser(house)
    planted = "B" * 43
    stranger.jar["gatehouse"] = planted
    login = stranger.open(f"{house.origin}/account")
    assert login.forms[0].action == "/login"
    stranger.sign_in(login)
    assert stranger.jar["gatehouse"] != planted and len(stranger.jar["gatehouse"]) == 43
    line = next(line for line in stranger.set_cookies if line.startswith("gatehouse="))
    assert "HttpOnly" in line and "SameSite=Lax" in line and "Path=/" in line and "Domain" not in line
    old = Browser(house)
    old.jar["gatehouse"] = planted
    assert old.open(f"{house.origin}/account").forms[0].action == "/login"
    # two cookies of one name: neither counts
    twice = stranger.send("GET", "/account", fields=(("Cookie", f"gatehouse={planted}"),))
    assert twice.status == 303


def test_a_form_is_bound_to_the_browser_that_asked_for_it(house, ada):
    mine, theirs = Browser(house), Browser(house)
    page = mine.open(f"{house.origin}/login")
    theirs.open(f"{house.origin}/login")
    refused_page(house, theirs.send("POST", "/login", {**page.forms[0].fields, "username": "ada", "password": PASSWORD}), 403, "csrf")


# ---- what pages show

def test_text_of_clients_is_only_text(house, ada):
    name = '<img src=x onerror=alert(1)>"\'&\u202eevil\u0000\u200b\u2066' + "x" * 300
    made = register(house, client_name=name.replace("\u0000", ""), redirect_uris=[CALLBACK])
    client = Client(house, made["client_id"], state='"><script>alert(1)</script>', login_hint='"><script>alert(2)</script>')
    page = ada.open(client.url())
    assert not {"img", "script"} & {tag for tag, _ in page.elements}
    assert "<img src=x onerror=alert(1)>" in page.text and "x" * 101 not in page.text
    for hidden in "\u202e\u200b\u2066":
        assert hidden not in page.answer.body.decode()
    told = answer_of(ada.deny(page))
    assert told["state"] == client.asked["state"]
    hinted = Browser(house).open(client.url())
    assert hinted.forms[0].fields["username"] == client.asked["login_hint"]
    client.code_of(ada.allow(ada.open(client.url())))
    assert not {"img", "script"} & {tag for tag, _ in ada.open(f"{house.origin}/account").elements}


def test_pages_are_usable_without_sight_or_mouse(house, ada):
    pages = [ada.open(Client(house).url()), ada.open(f"{house.origin}/account"), Browser(house).open(f"{house.origin}/login")]
    for page in pages:
        tags = [tag for tag, _ in page.elements]
        assert ("html", {"lang": "en"}) in page.elements and tags.count("h1") == 1 and tags.count("main") == 1
        labelled = {named.get("for") for tag, named in page.elements if tag == "label"}
        for tag, named in page.elements:
            if tag == "input" and named.get("type") != "hidden":
                assert named["id"] in labelled
    style = ada.send("GET", "/style.css")
    assert style.status == 200 and b"prefers-color-scheme:dark" in style.body and b"focus-visible" in style.body


def test_secrets_are_at_rest_as_hashes(house, ada):
    client = Client(house)
    code = client.code_of(ada.allow(ada.open(client.url())))
    found = at_rest(house)
    for secret in (code, ada.jar["gatehouse"], PASSWORD, house.setup_link().partition("=")[2]):
        assert secret not in found
    assert "$scrypt$ln=10,r=8,p=1$" in found
