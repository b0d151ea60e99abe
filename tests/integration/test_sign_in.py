"""Signing in at a provider (the bridge): consent first, then the provider, then the client; and who tries to get around it."""
import json
import time
import urllib.parse

import pytest

from support.browser import Browser
from support.documents import Documents
from support.issuer import Key, b64
from support.provider import SECRET, Provider
from support.store import at_rest, rows_of
from test_code_flow import Client, links, refused_page


@pytest.fixture
def provider(keys):
    made = Provider(list(keys))
    yield made
    made.close()


@pytest.fixture
def house(site, provider):
    """A managed issuer whose people sign in at one provider."""
    site.settings["store"] = "sqlite:store.db"
    site.settings["issuers"] = {"house": {"managed": {
        "url": site.origin, "keys": "keys", "registration": "on", "password_cost": 10,
        "login": {"corp": provider.settings(site.folder, name="Corp")},
        "clients": {"app": {"name": "The App", "redirect_uris": ["http://127.0.0.1/cb"]},
                    "own": {"redirect_uris": ["http://127.0.0.1/cb"], "consent": False}}}}}
    site.settings["tenants"]["acme"]["issuers"] = ["house"]
    site.route["scopes_supported"] = ["mcp:read", "mcp:write"]
    site.managed = site.settings["issuers"]["house"]["managed"]
    site.login = site.managed["login"]["corp"]
    return site


def to_provider(house, browser, client=None):
    """The client's request, agreed to: where the browser is sent to sign in."""
    client = client or Client(house)
    consent = browser.open(client.url())
    assert "the one you sign in with next" in consent.text
    return browser.allow(consent)


def sign_in(house, provider, client=None, browser=None, **changes):
    """The whole way; the client's code."""
    client, browser = client or Client(house), browser or Browser(house)
    return client, browser, client.code_of(browser.open(provider.visit(to_provider(house, browser, client), **changes)))


def callback(house, browser, url, status, reason):
    """The browser comes back, and ends at a page that says why."""
    answer = browser.send("GET", browser.path(url))
    refused_page(house, answer, status, reason)
    line = house.audit_of_id(answer["x-request-id"])
    assert line["events"] == ["federation.failed"] and "user" not in line, line
    return answer


def user_of(house, client, code):
    status, tokens = client.redeem(code)
    assert status == 200, tokens
    answer, _ = house.accepted(house.post(tokens["access_token"]))
    return answer.audit["user"]


# ---- the whole way

def test_from_the_first_request_to_a_protected_call(house, provider):
    house.start()
    browser, client = Browser(house), Client(house, prompt="login", login_hint="ada@example.com")
    consent = browser.open(client.url())
    for shown in ("The App", "127.0.0.1:7777", house.route["resource"], "the one you sign in with next"):
        assert shown in consent.text, shown
    assert "gatehouse-agreed" not in browser.jar  # no proof of consent before there is one
    there = browser.allow(consent)
    assert "gatehouse-agreed" in browser.jar
    back = provider.visit(there)
    asked = provider.asked[-1]
    assert asked["redirect_uri"] == f"{house.origin}/login/callback/corp"
    assert (asked["response_type"], asked["scope"], asked["code_challenge_method"]) == ("code", "openid profile email", "S256")
    assert (asked["prompt"], asked["login_hint"], asked["client_id"]) == ("login", "ada@example.com", "gatehouse")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3 and len(asked["state"]) == 43
    user = user_of(house, client, client.code_of(browser.open(back)))
    assert user.startswith("usr_") and len(user) == 26
    line = next(one for one in house.audit() if one["path"] == "/login/callback/corp")
    assert (line["reason"], line["events"], line["user"], line["issuer"]) == ("ok", ["federation.ok"], user, "house/corp")
    granted, = [one for one in house.audit() if "consent.granted" in one.get("events", [])]
    assert (granted["path"], granted["user"], granted["client"]) == ("/oauth/authorize", user, "app")
    assert provider.forms[-1]["grant_type"] == "authorization_code" and "client_secret" not in provider.forms[-1]
    # who is signed in and has agreed is sent nowhere
    other = Client(house)
    other.code_of(browser.open(other.url()))
    assert "ada@example.com" in browser.open("/account").text
    # nothing of the provider's is kept, and nothing of it is written
    kept, written = at_rest(house), house.log() + json.dumps(house.audit())
    for secret in provider.secrets + [SECRET, asked["nonce"], asked["state"]]:
        assert secret not in kept and secret not in written


def test_the_same_person_is_the_same_user(house, provider):
    house.start()
    user = user_of(house, *sign_in(house, provider)[::2])
    assert user_of(house, *sign_in(house, provider)[::2]) == user
    provider.claims = {"email": "other@example.com", "name": "Somebody Else"}
    client, browser, code = sign_in(house, provider)
    assert user_of(house, client, code) == user and "other@example.com" in browser.open("/account").text
    provider.claims = {"sub": "somebody else", "email": "ada@example.com", "email_verified": True}
    assert user_of(house, *sign_in(house, provider)[::2]) != user


def test_an_address_is_nobody(house, provider):
    """An account here of the same name, and an e-mail address that nobody has verified: neither lets anybody be it."""
    house.managed["accounts"] = "on"
    house.start()
    house.setup_link = lambda: links(house, 1)[-1]
    owner = Browser(house)
    owner.set_up("ada@example.com")
    own = Client(house)
    mine = user_of(house, own, own.code_of(owner.allow(owner.open(own.url()))))
    provider.claims = {"email": "ada@example.com", "email_verified": False, "preferred_username": "ada@example.com"}
    client, browser = Client(house), Browser(house)
    login = browser.allow(browser.open(client.url()))
    assert [form.action for form in login.forms] == ["/login"] and "Sign in with Corp" in login.text
    back = provider.visit(browser.open(login.links[-1]))
    assert user_of(house, client, client.code_of(browser.open(back))) != mine
    # and by its password it is the one that it is
    again, stranger = Client(house), Browser(house)
    page = stranger.allow(stranger.open(again.url()))
    assert user_of(house, again, again.code_of(stranger.sign_in(page, "ada@example.com"))) == mine


def test_several_providers(house, provider, keys):
    second = Provider(list(keys), path="/tenants/two", client_id="two")
    house.managed["login"]["two"] = second.settings(house.folder, name="Second <b>")
    house.start()
    client, browser = Client(house), Browser(house)
    page = browser.allow(browser.open(client.url()))
    assert not page.forms and len(page.links) == 2 and "Sign in with Second <b>" in page.text
    there = browser.open(page.links[1])
    back = second.visit(there)
    assert back.startswith(f"{house.origin}/login/callback/two?")
    # equal subjects of two providers are two users
    mine = user_of(house, client, client.code_of(browser.open(back)))
    client, browser = Client(house), Browser(house)
    page = browser.allow(browser.open(client.url()))
    assert user_of(house, client, client.code_of(browser.open(provider.visit(browser.open(page.links[0]))))) != mine
    second.close()


def test_nobody_who_came_through_a_provider_is_asked_for_a_password(house, provider):
    house.managed["accounts"] = "on"
    house.start()
    local, browser = Browser(house), Browser(house)
    house.setup_link = lambda: links(house, 1)[-1]
    local.set_up()
    assert local.open("/account/password").forms and "Change your password" in local.open("/account").text
    account = browser.open(provider.visit(browser.open("/login/start?provider=corp")))
    assert "Change your password" not in account.text
    answer = browser.send("GET", "/account/password")
    assert answer.status == 303 and answer["location"].endswith("/account")


def test_without_a_client(house, provider):
    """The account page: nobody asks for anything, so there is nothing to agree to."""
    house.start()
    browser = Browser(house)
    page = browser.open("/account")
    assert "Sign in with Corp" in page.text and not page.forms
    account = browser.open(provider.visit(browser.open(page.links[0])))
    assert "ada@example.com" in account.text
    out = browser.submit(account)
    assert "Sign in with Corp" in out.text  # and not in again at once


def test_first_party_clients_are_not_asked_about(house, provider):
    house.start()
    client, browser = Client(house, "own"), Browser(house)
    there = browser.open(client.url())
    assert there.startswith(provider.url)
    client.code_of(browser.open(provider.visit(there)))


def test_a_client_with_a_document_is_shown_before_anybody_signs_in(house, provider, authority):
    host = Documents(authority)
    client_id = host.publish()
    house.settings["fetch"].update(allow=["127.0.0.0/8", "::1/128"], ca_file=authority.path)
    house.start()
    client, browser = Client(house, client_id), Browser(house)
    there = to_provider(house, browser, client)
    assert not provider.asked and there.startswith(provider.url)
    client.code_of(browser.open(provider.visit(there)))
    assert host.times() == 1
    host.close()


def test_deny_before_sign_in(house, provider):
    house.start()
    client, browser = Client(house), Browser(house)
    back = browser.deny(browser.open(client.url()))
    assert "error=access_denied" in back and not provider.asked


def test_prompt_none_signs_nobody_in(house, provider):
    house.start()
    assert "error=login_required" in Browser(house).open(Client(house, prompt="none").url())
    _, browser, _ = sign_in(house, provider)
    client = Client(house, prompt="none")
    client.code_of(browser.open(client.url()))


@pytest.mark.parametrize("auth", ["client_secret_post", "client_secret_basic"])
def test_how_we_authenticate(house, provider, auth):
    house.login["auth"] = auth
    house.start()
    sign_in(house, provider)
    assert ("client_secret" in provider.forms[-1]) == (auth == "client_secret_post")


def test_a_provider_without_metadata(house, provider):
    house.login.update(authorization_endpoint=f"{provider.url}/authorize?tenant=1", token_endpoint=f"{provider.url}/token",
                       jwks=f"{provider.origin}/jwks")
    provider.metadata_more = {"issuer": "https://somebody.else"}
    house.start()
    sign_in(house, provider)


def test_a_new_key_of_the_provider(house, provider):
    house.start()
    sign_in(house, provider)
    provider.keys = provider.published = [Key("ES384", "new")]
    sign_in(house, provider)


# ---- the state

def test_a_state_is_used_once(house, provider):
    house.start()
    client, browser = Client(house), Browser(house)
    back = provider.visit(to_provider(house, browser, client))
    client.code_of(browser.open(back))
    callback(house, browser, back, 400, "login_state")  # reason: login_state
    assert len(provider.forms) == 1


@pytest.mark.parametrize("state", [None, "", "x", "A" * 43])
def test_a_state_that_nobody_gave_out(house, provider, state):
    house.start()
    browser = Browser(house)
    there = to_provider(house, browser)
    callback(house, browser, provider.visit(there, state=state), 400, "login_state")
    assert not provider.forms
    browser.open(provider.visit(there))


def test_the_state_of_another_browser(house, provider):
    """Login CSRF: what an attacker began is finished in the victim's browser; the victim has cookies of an own sign-in."""
    house.start()
    mallory, client = Browser(house), Client(house)
    back = provider.visit(to_provider(house, mallory, client))
    _, victim, _ = sign_in(house, provider)
    for browser in (Browser(house), victim):
        callback(house, browser, back, 400, "login_browser")  # reason: login_browser
        assert "gatehouse" not in Browser(house).jar
    assert len(provider.forms) == 1
    client.code_of(mallory.open(back))  # it is still theirs


def test_consent_given_in_another_browser(house, provider):
    """Confused deputy: an attacker agrees to a client, and has the victim, whom the provider knows, follow the links."""
    house.start()
    mallory, client = Browser(house), Client(house)
    page = mallory.open(client.url())
    txn = page.forms[0].fields["txn"]
    there = mallory.allow(page)
    victim = Browser(house)
    for path in (f"/login?txn={txn}", f"/login/start?provider=corp&txn={txn}", f"/oauth/authorize?txn={txn}"):
        shown = victim.open(path)
        assert "Allow access?" in shown.text and shown.forms[0].action == "/consent", path
    assert not provider.asked
    # signed in already, with an agreement of their own to another request, the victim is asked all the same
    _, known, _ = sign_in(house, provider, Client(house, scope="mcp:read"))
    assert "Allow access?" in known.open(f"/oauth/authorize?txn={txn}").text
    client.code_of(mallory.open(provider.visit(there)))


def test_a_provider_is_named_that_is_none(house, provider):
    house.start()
    refused_page(house, Browser(house).send("GET", "/login/start?provider=nobody"), 404, "route_unknown")
    sign_in(house, provider)


def test_a_connection_that_leads_elsewhere(house, provider, keys):
    """A reload points the name to another provider, or to us as another client, while somebody signs in: no code goes there."""
    second = Provider(list(keys), client_id="two")
    corp = dict(house.login)
    house.start()
    sign_in(house, provider)
    for change in (second.settings(house.folder), {"client_id": "two"}):
        browser = Browser(house)
        back = provider.visit(to_provider(house, browser))
        house.login.update(change)
        house.reload()
        callback(house, browser, back, 400, "login_issuer")
        house.login.update(corp)
        house.reload()
        sign_in(house, provider)
    assert not second.forms and len(provider.forms) == 3
    second.close()


# ---- the answer

def test_iss_of_the_answer(house, provider):
    """Mix-up (RFC 9207): another issuer's answer, and none where the provider says that it names itself."""
    house.start()
    sign_in(house, provider, iss=provider.url)
    for iss in ("https://somebody.else", provider.url + "/"):
        browser = Browser(house)
        callback(house, browser, provider.visit(to_provider(house, browser), iss=iss), 400, "login_issuer")  # reason: login_issuer
    assert len(provider.forms) == 1


def test_iss_that_was_promised(house, provider):
    provider.metadata_more = {"authorization_response_iss_parameter_supported": True}
    house.start()
    browser = Browser(house)
    callback(house, browser, provider.visit(to_provider(house, browser)), 400, "login_issuer")
    sign_in(house, provider, iss=provider.url)


def test_the_answer_of_another_provider(house, provider, keys):
    """Mix-up by path: the callback of one connection takes no answer to a request to another."""
    second = Provider(list(keys), path="/tenants/two", client_id="two")
    house.managed["login"]["two"] = second.settings(house.folder)
    house.start()
    client, browser = Client(house), Browser(house)
    page = browser.allow(browser.open(client.url()))
    back = second.visit(browser.open(page.links[1]))
    callback(house, browser, back.replace("/callback/two", "/callback/corp"), 400, "login_issuer")
    assert not provider.forms and not second.forms
    client.code_of(browser.open(second.visit(browser.open(page.links[1]))))
    second.close()


@pytest.mark.parametrize("changes", [{"code": None, "error": "access_denied"}, {"code": None}, {"error": "server_error"}])
def test_the_provider_says_no(house, provider, changes):
    house.start()
    browser = Browser(house)
    callback(house, browser, provider.visit(to_provider(house, browser), **changes), 403, "login_refused")  # reason: login_refused
    assert not provider.forms
    sign_in(house, provider)


def test_the_code_of_another_sign_in(house, provider):
    """A stolen code is of no use: PKCE and nonce follow from the browser's own cookie."""
    house.start()
    mallory, browser = Browser(house), Browser(house)
    stolen = dict(urllib.parse.parse_qsl(provider.visit(to_provider(house, browser)).partition("?")[2]))["code"]
    back = provider.visit(to_provider(house, mallory), code=stolen)
    callback(house, mallory, back, 502, "login_code")  # reason: login_code
    sign_in(house, provider)


def test_the_provider_takes_no_code(house, provider):
    house.start()
    provider.client_id = "somebody else"
    browser = Browser(house)
    callback(house, browser, provider.visit(to_provider(house, browser)), 502, "login_code")
    provider.client_id = "gatehouse"
    sign_in(house, provider)


def test_the_provider_is_down(house, provider):
    house.start()
    for status in (500, 503, 429):
        provider.token_status = status
        browser = Browser(house)
        answer = callback(house, browser, provider.visit(to_provider(house, browser)), 503, "login_provider")  # reason: login_provider
        assert answer["retry-after"]
    provider.token_status = 200
    sign_in(house, provider)


def test_a_provider_that_was_never_there(house, provider):
    provider.metadata_more = {"issuer": "https://somebody.else"}
    house.start()  # and ready: what one provider lacks is not everybody's
    assert house.metric(r'gatehouse_issuer_ready\{issuer="house/corp"\}') == 0
    client, browser = Client(house), Browser(house)
    page = browser.open(client.url())
    answer = browser.send("POST", "/consent", {**page.forms[0].fields, "answer": "allow"})
    login = browser.send("GET", f"/login?txn={page.forms[0].fields['txn']}")
    assert answer.status == 200 and login.status == 303
    refused_page(house, browser.send("GET", browser.path(login["location"])), 503, "login_provider")


# ---- the ID token

FOREIGN = Key("RS256")
BAD = {
    "signed by another key under the same id": ("login_signature", {"signed_by": FOREIGN}),  # reason: login_signature
    "signed by a key nobody published": ("login_signature", {"signed_by": Key("RS256", "unknown")}),
    "another algorithm than the key's": ("login_signature", {"header": {"alg": "ES256"}}),
    "alg none": ("login_token", {"header": {"alg": "none"}}),  # reason: login_token
    "HMAC": ("login_token", {"header": {"alg": "HS256"}}),
    "an access token": ("login_token", {"header": {"typ": "at+jwt"}}),
    "a logout token": ("login_token", {"header": {"typ": "logout+jwt"}}),
    "no JSON": ("login_token", {"payload": b64(b"{")}),
    "none at all": ("login_token", {"token_more": {"id_token": None}}),
    "encrypted": ("login_token", {"token_more": {"id_token": "a.b.c.d.e"}}),
    "nobody": ("login_token", {"claims": {"sub": None}}),
    "a number": ("login_token", {"claims": {"sub": 7}}),
    "of another issuer": ("login_issuer", {"claims": {"iss": "https://somebody.else"}}),
    "for another client": ("login_audience", {"claims": {"aud": "somebody else"}}),  # reason: login_audience
    "for nobody": ("login_audience", {"claims": {"aud": None}}),
    "for several, without azp": ("login_audience", {"claims": {"aud": ["gatehouse", "other"]}}),
    "made for another": ("login_audience", {"claims": {"azp": "other"}}),
    "expired": ("login_time", {"claims": {"exp": int(time.time()) - 60}}),  # reason: login_time
    "without an end": ("login_time", {"claims": {"exp": None}}),
    "without a beginning": ("login_time", {"claims": {"iat": None}}),
    "from the future": ("login_time", {"claims": {"iat": int(time.time()) + 3600}}),
    "of another sign-in": ("login_nonce", {"claims": {"nonce": "A" * 43}}),  # reason: login_nonce
    "of none": ("login_nonce", {"claims": {"nonce": None}}),
    "beside another access token": ("login_hash", {"claims": {"at_hash": "A" * 22}}),  # reason: login_hash
    "beside no access token": ("login_hash", {"token_more": {"access_token": None}}),
}
GOOD = {
    "an array of one": {"claims": {"aud": ["gatehouse"]}},
    "several, and made for us": {"claims": {"aud": ["gatehouse", "other"], "azp": "gatehouse"}},
    "typ JWT": {"header": {"typ": "JWT"}},
    "without at_hash": {"claims": {"at_hash": None}},
    "without a name": {"claims": {"email": None, "name": None}},
}


def test_id_tokens(house, provider):
    """Each is refused, and its unmodified twin lets in before and after; a refused one makes nobody."""
    FOREIGN.kid = provider.keys[0].kid
    house.settings["shared_sources"] = ["127.0.0.1/32"]
    house.start()
    sign_in(house, provider)
    usual = {"claims": {}, "header": {}, "token_more": {}, "signed_by": None, "payload": None}
    for name, (reason, fault) in BAD.items():
        provider.__dict__.update({**usual, **fault})
        browser = Browser(house)
        callback(house, browser, provider.visit(to_provider(house, browser)), 400 if reason == "login_issuer" else 502, reason)
        assert "gatehouse" not in browser.jar, name
        provider.__dict__.update(usual)
        sign_in(house, provider)
    for name, more in GOOD.items():
        provider.__dict__.update({**usual, **more})
        sign_in(house, provider)
    provider.__dict__.update(usual)
    assert len([key for key, _, _ in rows_of(house) if key.startswith("user/")]) == 1


def test_a_fresh_sign_in(house, provider):
    """prompt=login is the client's wish: when somebody signed in long ago, or the provider does not say when, it is not met."""
    house.start()
    sign_in(house, provider)
    assert "max_age" not in provider.asked[-1]
    for auth_time in (int(time.time()) - 3600, None):
        provider.claims = {"auth_time": auth_time}
        browser, client = Browser(house), Client(house, prompt="login")
        callback(house, browser, provider.visit(to_provider(house, browser, client)), 502, "login_time")
        assert provider.asked[-1]["max_age"] == "0"
        sign_in(house, provider)
    provider.claims = {}
    sign_in(house, provider, Client(house, prompt="login"))


def test_a_fresh_sign_in_where_nobody_says_when(house, provider):
    """Google: an account is chosen anew, and the exchange itself is the time; where auth_time is there it counts."""
    house.login.update(profile="google", tenants=["example.com"])
    house.start()
    for auth_time, good in ((None, True), (int(time.time()) - 3600, False), (int(time.time()), True)):
        provider.claims = {"hd": "example.com", "auth_time": auth_time}
        browser, client = Browser(house), Client(house, prompt="login")
        back = provider.visit(to_provider(house, browser, client))
        assert provider.asked[-1]["prompt"] == "select_account" and provider.asked[-1]["max_age"] == "0"
        if good:
            assert client.redeem(client.code_of(browser.open(back)))[0] == 200
        else:
            callback(house, browser, back, 502, "login_time")


def test_every_algorithm(house, provider):
    provider.published = provider.keys = [Key(alg, alg) for alg in ("PS256", "ES256", "ES512", "EdDSA", "RS512")]
    house.start()
    for key in provider.keys:
        provider.signed_by = key
        sign_in(house, provider)


# ---- who may

TID = "11111111-2222-3333-4444-555555555555"


def test_tenants_of_a_directory(house, provider):
    """Entra ID: the user is tid and oid; sub differs from application to application."""
    house.login.update(profile="entra-id", tenants=[TID])
    house.start()
    provider.claims = {"tid": TID, "oid": "oid-1", "sub": "pairwise-1"}
    user = user_of(house, *sign_in(house, provider)[::2])
    provider.claims = {"tid": TID, "oid": "oid-1", "sub": "pairwise-2"}
    assert user_of(house, *sign_in(house, provider)[::2]) == user
    for claims, status, reason in (({"tid": "other", "oid": "oid-1"}, 403, "login_user"),  # reason: login_user
                                   ({"oid": "oid-1"}, 403, "login_user"), ({"tid": TID}, 502, "login_token")):
        provider.claims = claims
        browser = Browser(house)
        callback(house, browser, provider.visit(to_provider(house, browser)), status, reason)
    provider.claims = {"tid": TID, "oid": "oid-2", "sub": "pairwise-1"}
    assert user_of(house, *sign_in(house, provider)[::2]) != user


def test_directories_of_two_issuers(house, provider, keys):
    """The same tid and oid from an issuer that is not Microsoft's, and from another: two users."""
    second = Provider(list(keys), path="/tenants/two", client_id="two")
    more = {"profile": "entra-id", "tenants": [TID]}
    house.login.update(more)
    house.managed["login"]["two"] = second.settings(house.folder, **more)
    house.start()
    users = []
    for i, one in enumerate((provider, second, provider)):
        one.claims = {"tid": TID, "oid": "oid-1"}
        client, browser = Client(house), Browser(house)
        page = browser.allow(browser.open(client.url()))
        users.append(user_of(house, client, client.code_of(browser.open(one.visit(browser.open(page.links[i % 2]))))))
    assert users[0] == users[2] != users[1]
    second.close()


def test_hosted_domains(house, provider):
    """Google: hd is asked for and looked at; private accounts have none, whatever their address says."""
    house.login.update(profile="google", tenants=["example.com"])
    house.start()
    provider.claims = {"hd": "example.com"}
    sign_in(house, provider)
    assert provider.asked[-1]["hd"] == "example.com"
    for claims in ({"hd": "example.org"}, {"email": "ada@example.com", "email_verified": True}):
        provider.claims = claims
        browser = Browser(house)
        callback(house, browser, provider.visit(to_provider(house, browser)), 403, "login_user")


def test_tokens_of_a_pool(house, provider):
    """Cognito: access tokens are signed by the same keys; token_use tells them apart."""
    house.login.update(profile="cognito")
    house.start()
    provider.claims = {"token_use": "id", "cognito:username": "ada"}
    sign_in(house, provider)
    provider.claims = {"token_use": "access"}
    browser = Browser(house)
    callback(house, browser, provider.visit(to_provider(house, browser)), 502, "login_token")


def test_nobody_has_a_password_here(house, provider):
    house.start()
    assert "/setup?token=" not in house.log()
    browser = Browser(house)
    refused_page(house, browser.send("POST", "/login", {"username": "ada", "password": "x", "csrf": "x"}), 403, "login_failed")
    assert browser.send("GET", "/login").status == 200
    sign_in(house, provider)
