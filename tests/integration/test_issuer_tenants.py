"""Several managed issuers in one process, by host and by path: each with its own keys, users, cookies and documents, and of no use to another."""
import base64
import json
import re
import urllib.parse
from types import SimpleNamespace

import pytest

from support.browser import Browser, answer_of
from support.store import rows_of
from support.wait import until
from test_code_flow import CALLBACK, Client, refused_page
from test_issuer import ask

TENANTS = {"acme": ("127.0.0.1", ""), "globex": ("localhost", ""), "initech": ("127.0.0.2", "/t/initech")}


class House:
    """One of them, as its users, its clients and its server see it."""

    def __init__(self, site, name):
        host, self.base = TENANTS[name]
        self.site, self.name, self.port = site, name, site.port
        self.authority = f"{host}:{site.port}"
        self.host = f"http://{self.authority}"
        self.origin = self.host + self.base  # of the issuer: what clients compare
        self.resource = f"{self.host}/{name}/mcp"
        self.route = {"resource": self.resource}

    def settings(self):
        return {"url": self.origin, "keys": f"keys-{self.name}", "password_cost": 10, "registration": "on",
                "clients": {"app": {"name": f"App of {self.name}", "redirect_uris": ["http://127.0.0.1/cb"]}}}

    def browser(self):
        return Browser(SimpleNamespace(port=self.port, authority=self.authority, origin=self.host, setup_link=self.setup_link))

    def setup_link(self):
        links = until(lambda: (found := re.findall(r"^ +(http\S+/setup\?token=\S+)$", self.site.log(), re.M))[2:] and found, "three links")
        (mine,) = [link for link in links if link.startswith(f"{self.origin}/setup")]
        return mine

    def document(self, path="/.well-known/oauth-authorization-server"):
        status, document, _ = ask(self, path)
        return document if status == 200 else None

    def tokens(self, browser):
        client = Client(self)
        page = browser.open(client.url())
        url = page if isinstance(page, str) else browser.allow(page)
        form = {"grant_type": "authorization_code", "client_id": "app", "code": client.code_of(url), "code_verifier": client.verifier}
        status, tokens, _ = ask(self, f"{self.base}/oauth/token", form)
        assert status == 200, tokens
        return tokens

    def post(self, token):
        request = self.site.post(token, target=f"/{self.name}/mcp")
        return request.without("host").also("Host", self.authority)

    def audit_of_id(self, name):
        return self.site.audit_of_id(name)


@pytest.fixture
def houses(site):
    made = {name: House(site, name) for name in TENANTS}
    site.settings["store"] = "sqlite:store.db"
    site.settings["issuers"] = {f"house-{name}": {"managed": house.settings()} for name, house in made.items()}
    site.settings["tenants"] = {name: {"hosts": [house.authority], "issuers": [f"house-{name}"]} for name, house in made.items()}
    site.settings["routes"] = [{**site.route, "name": name, "tenant": name, "resource": house.resource, "scopes_supported": ["mcp:read", "mcp:write"]}
                               for name, house in made.items()]
    site.start()
    return made


def kid_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]


@pytest.mark.threads
def test_each_has_its_own(houses, site):
    browsers, tokens = {}, {}
    for name, house in houses.items():
        browsers[name] = house.browser()
        assert f"Signed in as {name}-ada" in browsers[name].set_up(f"{name}-ada").text
        tokens[name] = house.tokens(browsers[name])
        access = tokens[name]["access_token"]
        _, keys, _ = ask(house, f"{house.base}/oauth/jwks")
        assert [key["kid"] for key in keys["keys"]].count(kid_of(access)) == 1
    assert len({kid_of(one["access_token"]) for one in tokens.values()}) == 3
    for name, house in houses.items():
        good = house.post(tokens[name]["access_token"])
        site.accepted(good)
        for other in set(houses) - {name}:
            site.refused(house.post(tokens[other]["access_token"]), 401, "token_issuer", good, ways=())
            # nor where the other's refresh token, session, form or account is asked for
            status, told, _ = ask(house, f"{house.base}/oauth/token", {"grant_type": "refresh_token", "client_id": "app",
                                                                        "refresh_token": tokens[other]["refresh_token"]})
            assert (status, told["error"]) == (400, "invalid_grant")
            guest = house.browser()
            guest.jar = dict(browsers[other].jar)
            assert guest.open(f"{house.origin}/account").forms[0].action == f"{house.base}/login"
            assert "Name or password" in guest.sign_in(guest.open(f"{house.origin}/login"), f"{other}-ada", status=403).text
        status, again, _ = ask(house, f"{house.base}/oauth/token",
                               {"grant_type": "refresh_token", "client_id": "app", "refresh_token": tokens[name]["refresh_token"]})
        assert status == 200 and kid_of(again["access_token"]) == kid_of(tokens[name]["access_token"])
    assert len([key for key, _, _ in rows_of(site) if key.startswith("user/")]) == 3


def test_documents_stand_where_clients_look(houses):
    for name, house in houses.items():
        documents = [house.document(f"/.well-known/oauth-authorization-server{house.base}"),
                     house.document(f"/.well-known/openid-configuration{house.base}"),
                     house.document(f"{house.base}/.well-known/openid-configuration"),
                     house.document(f"{house.base}/.well-known/oauth-authorization-server")]
        assert documents[0]["issuer"] == house.origin and documents.count(documents[0]) == 4
        assert documents[0]["protected_resources"] == [house.resource]
        listed = [value for key, value in documents[0].items() if key.endswith(("_endpoint", "_uri"))]
        assert len(listed) >= 7 and all(url.startswith(f"{house.origin}/oauth/") for url in listed)
        _, resource, _ = ask(house, f"/.well-known/oauth-protected-resource/{name}/mcp")
        assert resource["authorization_servers"] == [house.origin]
        # aliases only where the issuer has the origin for itself
        assert ask(house, "/token", {"grant_type": "x"})[0] == (404 if house.base else 401)
        assert (ask(house, "/register", body=b"{}", fields=(("Content-Type", "application/json"),))[0] == 404) == bool(house.base)
    assert houses["initech"].document() is None  # the origin itself is no issuer there
    assert ask(houses["acme"], "/t/initech/oauth/jwks")[0] == 404


def test_a_path_issuer_is_one_for_its_people_too(houses):
    house = houses["initech"]
    browser = house.browser()
    browser.set_up("ada")
    client = Client(house)
    consent = browser.open(client.url())
    assert consent.forms[0].action == "/t/initech/consent" and "App of initech" in consent.text
    assert answer_of(browser.deny(consent))["iss"] == house.origin
    account = browser.open(f"{house.origin}/account")
    assert browser.submit(account).forms[0].action == "/t/initech/login"  # signed out
    assert browser.open(f"{house.origin}/account").forms[0].action == "/t/initech/login"
    assert {line.split("=")[0] for line in browser.set_cookies} == {"gatehouse", "gatehouse-login"}
    wrong = Client(house, redirect_uri=CALLBACK + "/elsewhere")
    refused_page(house, browser.send("GET", browser.path(wrong.url())), 400, "redirect_unknown")
    assert urllib.parse.urlsplit(client.url()).path == "/t/initech/oauth/authorize"
