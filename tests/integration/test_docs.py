"""README.md, docs/ and config/ are true: settings are taken and let their provider's tokens in, commands and names exist."""
import json
import os
import re
import subprocess
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from support import pages
from support.browser import Browser
from support.gateway import BINARY, INITIALIZE
from support.http1 import Request
from support.introspection import Introspection
from support.issuer import SIGNATURES, Key, b64
from support.provider import Provider
from support.upstream import echo
from support.wait import until
from test_code_flow import Client

FIXTURES = os.path.join(pages.ROOT, "tests", "fixtures", "idp")
EXAMPLES = pages.examples()
NAMES = [example.name for example in EXAMPLES]
ELSEWHERE = "https://elsewhere.example/mcp"


def run(*words, **options):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, **options)


# ---- settings

def files_of(value, key=""):
    """(what it is, path) of each file that settings name."""
    if isinstance(value, dict):
        return [found for name, one in value.items() for found in files_of(one, name)]
    if isinstance(value, list):
        return [found for one in value for found in files_of(one, key)]
    known = ("certificate", "key", "key_file", "ca_file", "client_secret_file", "token_file", "password_file", "jwks_file",
             "keys_encryption_file")
    return [(key, value)] if key in known or (key == "file" and "/" not in value and value not in ("stdout", "stderr", "off")) else []


def make_files(folder, authority, settings):
    """What the operator has: certificates, keys and secrets under the names that the settings give them."""
    certificate, key = authority.leaf("mcp.example.com")
    made = {"certificate": certificate, "key": key, "ca_file": authority.path}
    for what, name in files_of(settings):
        path = folder / name
        path.write_bytes(open(made[what], "rb").read() if what in made else bytes(range(32)).hex().encode() + b"\n")
        path.chmod(0o600)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_settings_are_taken(example, tmp_path, authority):
    make_files(tmp_path, authority, example.says)
    (tmp_path / "gatehouse.yaml").write_text(example.text)
    found = run("check", "-c", "gatehouse.yaml", cwd=tmp_path)
    assert found.returncode == 0 and "good" in found.stdout, f"{example.name}:\n{found.stderr}"
    if not example.name.startswith("docs/guides/"):
        assert found.stderr == "", found.stderr


def is_part(small, big):
    if isinstance(small, dict):
        return isinstance(big, dict) and all(name in big and is_part(value, big[name]) for name, value in small.items())
    if isinstance(small, list) and small and isinstance(small[0], dict):
        return all(any(is_part(one, other) for other in big) for one in small)
    return small == big


def test_readme_shows_the_files_of_config():
    shown = {}
    for example in pages.settings_of("README.md"):
        how, path = re.match(r"# (all|part) of (config/[\w.-]+)", example.text).groups()
        shown[path] = example.says
        whole = pages.Settings(path, pages.read(path)).says
        assert (example.says == whole) if how == "all" else is_part(example.says, whole), example.name
    assert set(shown) == {"config/sidecar.yaml", "config/edge.yaml"}


# ---- the same settings with tokens of their providers

def sample_of(profile, file):
    path = os.path.join(FIXTURES, profile, file)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as opened:
        return json.load(opened)


def token_of(issuer, profile):
    """Header and claims as the provider writes them; RFC 9068 where it has no fixture."""
    for file in ("access-token.user.json", "access-token.v2.user.json", "assertion.user.json"):
        found = sample_of(profile, file)
        if found is not None:
            return found["header"], found["payload"]
    types, algs = issuer.get("types", ["at+jwt"]), issuer.get("algs", ["RS256"])
    return {"alg": algs[0], "typ": types[0], "kid": "1"}, {"sub": "alice", "client_id": "app", "scope": "", "iat": 0, "exp": 600}


def name_of(issuer):
    if "issuer_template" in issuer:
        return issuer["issuer_template"].replace("{tid}", issuer["tenants"][0])
    return issuer.get("issuer") or issuer["issuers"][0]


def claims_for(claims, issuer, tenant, route):
    """Made for this route: times, issuer, audience, scopes, tenant."""
    now, prefix = int(time.time()), issuer.get("scope_prefix", "")
    scopes = " ".join(prefix + scope for scope in route.get("scopes", []))
    made = {**claims, "iss": name_of(issuer), "iat": now - 5, "exp": now + 300, "aud": route.get("audiences", [route["resource"]])[0]}
    made.pop("nbf", None)
    if "client_ids" in route:
        del made["aud"]
        made["client_id"] = route["client_ids"][0]
    if "shared_audiences" in route:
        made["aud"] = route["shared_audiences"]
    for name in ("scope", "scp"):
        if name in made:
            made[name] = scopes.split() if isinstance(made[name], list) else scopes
    owner = (tenant.get("tenant_ids") or issuer.get("tenants") or [None])[0]
    if owner is not None:
        made["tid" if issuer["profile"] == "entra-id" else "organization" if issuer["profile"] == "keycloak" else "org_id"] = owner
    return made


class Shown:
    """An example on a gateway of this machine: its listeners, keys and servers are ours, the rest is as shown."""

    def __init__(self, site, example, keys, endpoint):
        self.site, self.keys, self.endpoint = site, keys, endpoint
        shown = {**example.says, **{name: site.settings[name] for name in ("workers", "listen", "admin", "audit", "log", "fetch")}}
        for issuer in shown["issuers"].values():
            self.take_keys(issuer)
        for route in shown["routes"]:
            credential = route["upstream"].get("credential") if isinstance(route["upstream"], dict) else None
            route["upstream"] = {"urls": site.upstream.url, **({"credential": credential} if credential else {})}
        if "redis" in str(shown.get("store")):
            shown["store"] = "sqlite:gatehouse.db"
        site.settings = shown

    def take_keys(self, issuer):
        issuer.setdefault("profile", "generic")
        for place in ("jwks", "discovery"):
            issuer.pop(place, None)
        issuer["jwks_file"] = f"{name_of(issuer).replace('/', '-')}.json"
        self.site.write(issuer["jwks_file"], {"keys": [{**self.keys[alg].jwk(), "kid": alg} for alg in self.keys]})
        if "introspection" in issuer:
            issuer["introspection"]["url"] = self.endpoint.url

    def credential(self, issuer, claims):
        if "introspection" in issuer:
            token = issuer.get("token_prefix", "") + f"opaque-{len(self.endpoint.answers)}"
            self.endpoint.answers[token] = {"active": True, **claims}
            return token
        header, _ = token_of(issuer, issuer["profile"])
        key = self.keys[header["alg"]]
        signed = f"{b64({**header, 'kid': key.alg})}.{b64(claims)}"
        signature = b64(key.sign(signed.encode()))
        SIGNATURES.add(signature)
        return f"{signed}.{signature}"

    def send(self, route, issuer, claims):
        url = urlsplit(route["resource"])
        field = issuer.get("token_header", "Cf-Access-Jwt-Assertion" if issuer["profile"] == "cloudflare-access" else None)
        token = self.credential(issuer, claims)
        fields = (("Host", url.netloc), ("Content-Type", "application/json"), (field, token) if field else ("Authorization", f"Bearer {token}"))
        if route.get("transport") == "http+sse":
            return self.site.send(Request("GET", url.path, fields))
        return self.site.send(Request(target=url.path, fields=fields, body=INITIALIZE))

    def visits(self):
        """(route, issuer, good claims) for each issuer that a route trusts."""
        for route in self.site.settings["routes"]:
            tenant = self.site.settings["tenants"][route["tenant"]]
            for name in route.get("issuers", tenant["issuers"]):
                issuer = self.site.settings["issuers"][name]
                answer = sample_of(issuer["profile"], "introspection.opaque.json") if "introspection" in issuer else None
                claims = answer or token_of(issuer, issuer["profile"])[1]
                yield route, issuer, claims_for(claims, issuer, tenant, route)


@pytest.fixture(scope="module")
def signers():
    return {"RS256": Key("RS256"), "ES256": Key("ES256")}


def is_managed(example):
    return any("managed" in issuer for issuer in example.says["issuers"].values())


def logins_of(example):
    return [issuer["managed"]["login"] for issuer in example.says["issuers"].values() if "login" in issuer.get("managed", {})]


@pytest.mark.parametrize("example", [one for one in EXAMPLES if is_managed(one) and not logins_of(one)], ids=lambda one: one.name)
def test_settings_make_an_issuer(example, site, tmp_path, authority):
    """It answers for itself, and offers to make the first account."""
    make_files(tmp_path, authority, example.says)
    ours = {name: site.settings[name] for name in ("workers", "listen", "admin", "audit", "log")}
    if "redis" in str(example.says.get("store")):
        ours["store"] = "sqlite:gatehouse.db"
    site.settings = {**example.says, **ours}
    site.start()
    for name, issuer in example.says["issuers"].items():
        url = urlsplit(issuer["managed"]["url"])
        field = (("Host", url.netloc),)
        answer = site.send(Request("GET", f"/.well-known/oauth-authorization-server{url.path}", field))
        assert (answer.status, json.loads(answer.body)["issuer"]) == (200, issuer["managed"]["url"]), name
        until(lambda url=issuer["managed"]["url"]: f"{url}/setup?token=" in site.log(), "setup link")


# What providers write into ID tokens beside what all do; the rest is in tests/fixtures/idp.
WRITES = {"entra-id": {"oid": "00000000-0000-0000-66f3-3332eca7ea81", "sub": "pairwise"}, "okta": {"ver": 1}, "generic": {},
          "google": sample_of("google", "id-token.json")["payload"], "cognito": sample_of("cognito", "not-an-access-token.id-token.json")["payload"]}
OF_EACH = ("iss", "aud", "azp", "iat", "exp", "nonce", "at_hash", "auth_time", "nbf")


@pytest.mark.parametrize("example", [one for one in EXAMPLES if logins_of(one)], ids=lambda one: one.name)
def test_settings_sign_people_in(example, site, tmp_path, authority, keys):
    """From an MCP client's registration to a protected call; the provider is on this machine, and writes as the real one does."""
    says = example.says
    make_files(tmp_path, authority, says)
    provider = Provider(list(keys))
    (name, issuer), = says["issuers"].items()
    login = issuer["managed"]["login"]["corp"]
    login.update({key: value for key, value in provider.settings(site.folder).items() if key != "client_id"})
    provider.client_id = login["client_id"]
    ours = {key: site.settings[key] for key in ("workers", "listen", "admin", "audit", "log", "fetch")}
    for route in says["routes"]:
        route["upstream"] = site.upstream.url
    route, url = says["routes"][0], urlsplit(issuer["managed"]["url"])
    site.settings = {**says, **ours}
    issuer["managed"].setdefault("clients", {})["app"] = {"redirect_uris": ["http://127.0.0.1/cb"]}
    site.start()
    shown = SimpleNamespace(origin=issuer["managed"]["url"], authority=url.netloc, port=site.port, route=route)
    claims = {**WRITES[login.get("profile", "generic")]}
    provider.claims = {key: value for key, value in claims.items() if key not in OF_EACH}
    if "tenants" in login:
        provider.claims["hd" if login["profile"] == "google" else "tid"] = login["tenants"][0]
    browser, client = Browser(shown), Client(shown)
    there = browser.allow(browser.open(client.url()))
    status, tokens = client.redeem(client.code_of(browser.open(provider.visit(there))))
    assert status == 200, tokens
    fields = (("Host", urlsplit(route["resource"]).netloc), ("Content-Type", "application/json"), ("Authorization", f"Bearer {tokens['access_token']}"))
    answer = site.send(Request(target=urlsplit(route["resource"]).path, fields=fields, body=INITIALIZE))
    line = site.audit_of_id(answer["x-request-id"])
    assert (answer.status, line["reason"], line["issuer"]) == (200, "ok", name)
    assert all(cookie.startswith("__Host-") and "; Secure" in cookie for cookie in browser.set_cookies)
    provider.close()


@pytest.mark.parametrize("example", [one for one in EXAMPLES if not is_managed(one)], ids=lambda one: one.name)
def test_settings_let_their_tokens_in(example, site, tmp_path, authority, signers):
    """And no token that is for another server."""
    endpoint = Introspection()
    make_files(tmp_path, authority, example.says)
    shown = Shown(site, example, signers, endpoint)
    stream = ("Content-Type", "text/event-stream")
    site.upstream.script = lambda call: call.answer(200, b"", [stream]) if call.seen.method == "GET" else echo(call)
    site.start()
    for route, issuer, claims in shown.visits():
        before = len(site.upstream.seen)
        answer = shown.send(route, issuer, claims)
        assert (answer.status, answer.audit["reason"]) == (200, "ok"), (route["name"], answer, answer.audit)  # reason: ok
        assert len(site.upstream.seen) == before + 1
        answer = shown.send(route, issuer, {**claims, "aud": ELSEWHERE})
        assert (answer.status, answer.audit["reason"]) == (401, "token_audience"), (route["name"], answer)  # reason: token_audience
        assert len(site.upstream.seen) == before + 1
    endpoint.close()


def test_google_is_refused_with_words(site):
    """docs/guides/bridge.md says so."""
    site.settings["issuers"]["idp"]["profile"] = "google"
    site.write("gatehouse.yaml", site.settings)
    found = run("check", "-c", "gatehouse.yaml", cwd=site.folder)
    assert found.returncode == 1 and "bound to no resource" in found.stderr


# ---- commands, names, links

def test_commands_exist():
    known = {}
    for command in re.findall(r"^  (\w+) ", run("--help").stdout, re.M):
        known[command] = re.findall(r"^  (-\S+) ", run(command, "--help").stdout, re.M)
    shown = pages.commands()
    assert len(shown) > 20
    for place, words in shown:
        assert not words or words[0] in known, (place, words)
        flags = [word.split("=")[0] for word in words[1:] if word.startswith("-") and word != "-"]
        assert set(flags) <= set(known[words[0]] if words else []), (place, words)


def test_reasons_exist():
    slugs = set(re.findall(r"^\| `(\w+)` \|", run("print", "reasons.md").stdout, re.M))
    unknown = [found for found in pages.reasons() if found[1] not in slugs]
    assert len(pages.reasons()) > 30 and not unknown, unknown


def test_links_and_files_exist():
    assert not pages.broken_links(), pages.broken_links()
    assert not pages.missing_files(), pages.missing_files()


def test_stages_are_those_of_the_code():
    stages = re.findall(r'^    \{ "(\w+)", gh_stage_\w+ \}', pages.read("src/gateway/pipeline.c"), re.M)
    picture = re.findall(r"^    (\w+) {3,}\S", pages.read("README.md").split("## A request's journey")[1].split("\n## ")[0], re.M)
    table = re.findall(r"^\| (\w+) \|", pages.read("docs/architecture.md").split("| stage |")[1].split("\n\n")[0], re.M)
    assert stages and picture == stages and table == stages


def test_floors_are_those_of_the_code():
    floors = re.sub(r"#.*", "", pages.read("src/FLOORS")).split()
    table = re.findall(r"^\| `(\w+)[`/]", pages.read("docs/architecture.md").split("| floor |")[1].split("\n\n")[0], re.M)
    assert table == floors
