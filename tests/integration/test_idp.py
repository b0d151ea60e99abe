"""The sixteen providers of tests/fixtures/idp as settings say them: samples get in, and no recipe of _negative does."""
import copy
import glob
import json
import os
import time

import pytest

from support.introspection import Introspection
from support.issuer import SIGNATURES, Key, b64

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "idp")
PROVIDERS = sorted(name for name in os.listdir(FIXTURES) if os.path.exists(os.path.join(FIXTURES, name, "profile.json")))
FILES = "https://gateway.example.com/mcp/files"
SCOPES = "x-scopes"


def read(*parts):
    with open(os.path.join(FIXTURES, *parts), encoding="utf-8") as file:
        return json.load(file)


def names(provider, *patterns):
    found = [path for pattern in patterns for path in glob.glob(os.path.join(FIXTURES, provider, pattern))]
    return sorted(os.path.basename(path) for path in found)


NEGATIVE = read("_negative", "cases.json")["cases"]
GOOD, BAD = ("access-token.*.json", "assertion.*.json"), ("not-*.json", "id-jag.json", "id-token.json")
# Bound by what their profiles declare instead of an audience: (client, prefix of a scope), or the project and a scope.
BY_CLIENT = {"clerk/access-token.user.json": ("TestOAuthClient01", "files:"),
             "cognito/access-token.user.json": ("testclient000000000000001", FILES + "/"),
             "cognito/access-token.m2m.json": ("testclient000000000000002", FILES + "/"),
             "ory-hydra/access-token.no-audience.json": ("00000000-0000-4000-8000-000000000001", "open")}
BY_PROJECT = "project-test-00000000-0000-4000-8000-000000000001"
# What is signed by the right key, for the right audience, and is no access token all the same.
OTHER_KINDS = {"auth0/not-an-access-token.id-token.json": "token_kind",
               "cognito/not-an-access-token.id-token.json": "token_kind",
               "google/id-token.json": "token_type",
               "keycloak/not-an-access-token.refresh.json": "token_algorithm",
               "okta/id-jag.json": "token_issuer",
               "okta/not-locally-verifiable.org-as.json": "token_issuer",
               "workos-authkit/not-an-access-token.session.json": "token_issuer"}


def fresh(sample, header=None, payload=None):
    """The sample with its times moved to the present, and changes: to None takes a member away."""
    made = {"header": dict(sample["header"]), "payload": copy.deepcopy(sample["payload"])}
    moved = int(time.time()) - 5 - made["payload"].get("iat", 0)
    for claim in ("iat", "nbf", "exp", "auth_time"):
        if isinstance(made["payload"].get(claim), (int, float)):
            made["payload"][claim] += moved
    for part, changes in (("header", header or {}), ("payload", payload or {})):
        for name, value in changes.items():
            made[part].pop(name, None)
            if value is not None:
                made[part][name] = value
    return made


class Provider:
    """One provider on one gateway: a route bound by audience and one bound by what stands in for it."""

    def __init__(self, site, provider, keys):
        self.site, self.provider, self.keys = site, provider, keys
        self.samples = {name: read(provider, name) for name in names(provider, *GOOD)}
        self.others = {name: read(provider, name) for name in names(provider, *BAD)}
        self.edge, self.kept = provider == "cloudflare-access", None
        self.write_settings()

    def key(self, header):
        return self.keys["ES256" if header["alg"].startswith("ES") else "RS256"]

    def path(self, name):
        weak = f"{self.provider}/{name}" in BY_CLIENT or self.provider == "stytch"
        return "/weak/mcp" if weak else "/bound/mcp"

    def key_set(self):
        """Each key id that a sample names, and a second key of each kind."""
        headers = [sample["header"] for sample in {**self.samples, **self.others}.values()]
        entries = {header["kid"]: {**self.key(header).jwk(), "kid": header["kid"]} for header in headers}
        second = [{**key.jwk(), "kid": f"second-{alg}"} for alg, key in self.keys["second"].items()]
        return {"keys": list(entries.values()) + second}

    def write_settings(self):
        site, settings = self.site, self.site.settings
        site.write("keys.json", self.key_set())
        issuers = list(dict.fromkeys(sample["payload"]["iss"] for sample in self.samples.values()))
        issuers = issuers or [read(self.provider, "profile.json")["issuer"]]
        profile = "generic" if self.provider == "google" else self.provider
        settings["issuers"] = {self.provider: {"profile": profile, "issuers": issuers, "jwks_file": "keys.json",
                                               "max_lifetime": "25h", "advertise": False}}
        settings["tenants"]["acme"]["issuers"] = [self.provider]
        settings["limits"] = {"verify_burst": 10000, "verify_address_burst": 100000}
        audiences = [FILES]
        for name, sample in {**self.samples, **self.others}.items():
            value = sample["payload"].get("aud") or []
            for audience in value if isinstance(value, list) else [value]:
                if audience not in audiences and self.path(name) == "/bound/mcp":
                    audiences.append(audience)
        common = {"tenant": "acme", "upstream": site.upstream.url, "identity_headers": {"scopes": SCOPES}}
        settings["routes"] = [{**common, "name": "bound", "resource": f"{site.origin}/bound/mcp", "audiences": audiences}]
        if not self.edge:
            settings["routes"].append({**common, "name": "weak", "resource": f"{site.origin}/weak/mcp", **self.substitute()})

    def substitute(self):
        clients = {client: prefix for name, (client, prefix) in BY_CLIENT.items() if name.startswith(self.provider + "/")}
        if clients:
            return {"weak_binding": True, "client_ids": list(clients), "client_scope_prefix": list(clients.values())[0]}
        if self.provider == "stytch":
            return {"weak_binding": True, "shared_audiences": [BY_PROJECT], "scopes": ["files:read"]}
        return {}

    # ---- tokens and requests

    def sign(self, token, signature="valid"):
        signed = f"{b64(token['header'])}.{b64(token['payload'])}"
        key = self.keys["foreign"] if signature in ("attacker key", "other key") else self.key(token["header"])
        made = "" if signature == "empty" else b64(key.sign(signed.encode()))
        SIGNATURES.add(made or signed)
        return f"{signed}.{made}"

    def request(self, name, text, scheme="Bearer"):
        request = self.site.post(token=False, target=self.path(name))
        if self.edge:
            return request.with_field("Cf-Access-Jwt-Assertion", text)
        return request.with_field("Authorization", f"{scheme} {text}")

    def accepts(self, name, token):
        """On a connection that is kept: there are many of these. Returns the scopes the server behind was told."""
        if self.kept is None:
            self.kept = self.site.connect()
        before = len(self.site.upstream.seen)
        self.kept.send(self.request(name, self.sign(token)).wire())
        answer = self.kept.read()
        assert answer.status == 200 and len(self.site.upstream.seen) == before + 1, (name, token, answer)  # reason: ok
        return self.site.upstream.seen[-1].all(SCOPES)

    def refuses(self, request, status, reason, what):
        before = self.site.upstream.bytes
        answer = self.site.send(request)
        assert (answer.status, answer.audit["reason"]) == (status, reason), (what, answer, answer.audit)
        assert self.site.upstream.bytes == before, what
        return answer


@pytest.fixture(scope="module")
def provider_keys():
    return {"RS256": Key("RS256"), "ES256": Key("ES256"), "foreign": Key("RS256"),
            "second": {"RS256": Key("RS256"), "ES256": Key("ES256")}}


@pytest.fixture(params=PROVIDERS)
def provider(request, site, provider_keys):
    made = Provider(site, request.param, provider_keys)
    site.start()
    yield made
    if made.kept is not None:
        made.kept.close()


# ---- the recipes: what each does to a sample, and under which reason it ends

def nest(depth):
    return {"sub": f"agent-{depth}", **({"act": nest(depth - 1)} if depth > 1 else {})}


def other_case(iss):
    """As another spelling of the same URL, or of a name that is none."""
    scheme, mark, rest = iss.partition("://")
    return [scheme.upper() + mark + rest] + ([f"{scheme}://{rest.partition('/')[0]}:443/{rest.partition('/')[2]}"] if mark else [])


def changes_of(case, sample):
    """The recipe's changes with its words made into values; one token for each variant it means."""
    payload = dict(case.get("payload", {}))
    now, iss = int(time.time()), sample["payload"]["iss"]
    for name, value in payload.items():
        if isinstance(value, str) and value.startswith("now"):
            payload[name] = now + int(value[3:])
    variants = {"+/ or -/": [iss[:-1] if iss.endswith("/") else iss + "/"], "HTTPS://... or :443": other_case(iss),
                "sibling": [iss.rstrip("/") + "2"], "nest 6": [nest(6)], "many": [["group-%06d" % i for i in range(700)]]}
    for name, value in payload.items():
        if isinstance(value, str) and value in variants:
            return [{**payload, name: variant} for variant in variants[value]]
    if case["name"] == "exp 1e30 or negative":
        return [payload, {"exp": -1}]
    return [payload]


SLUGS = {
    "alg none": "token_algorithm", "HS256 keyed with the RSA public key PEM": "token_algorithm",
    "alg not allowed by the profile though the key verifies it": "token_algorithm",
    "crit with an unknown name": "token_critical", "b64 false": "token_critical",
    "key in the header (jwk)": "token_signature", "key by URL in the header (jku, x5u): never fetched": "token_signature",
    "kid with a path or SQL in it": "token_key_unknown",
    "unknown kid: one refetch, then none within the cool-down": "token_key_unknown",
    "no kid, two keys of the set fit the alg": "token_key_unknown",
    "exp missing": "token_time", "exp as a string": "token_time", "exp 1e30 or negative": "token_time",
    "nbf in the future": "token_not_yet", "iat far in the future": "token_not_yet",
    "lifetime longer than the profile allows": "token_lifetime",
    "issuer differs by a trailing slash": "token_issuer", "issuer differs by host case or default port": "token_issuer",
    "issuer of another tenant of the same provider, same keys (Entra, Okta, Descope)": "token_issuer",
    "aud missing": "token_audience", "aud empty array": "token_audience",
    "aud of a sibling resource on the same gateway": "token_audience", "aud is a prefix or parent of the resource": "token_audience",
    "act 6 levels deep with limit 5": "token_actor", "act without sub": "token_actor",
    "DPoP-bound token (cnf.jkt) sent as Bearer": "token_bound", "cnf with both jkt and x5t#S256": "token_bound",
    "cnf with an unknown method": "token_bound", "16 kB token, or 10 000 groups": "token_large",
}


def run_recipe(provider, case, name, sample, canary):
    """A recipe that is a change of header or claims."""
    header = dict(case.get("header", {}))
    if header.get("jwk"):
        header["jwk"] = provider.keys["foreign"].jwk()
    if header.get("jku"):
        header["jku"] = header["x5u"] = canary.url
    for payload in changes_of(case, sample):
        token = fresh(sample, header, payload)
        signature = case.get("signature", "valid")
        slug = SLUGS[case["name"]]
        if f"{provider.provider}/{name}" in BY_CLIENT and case["name"] in ("aud missing", "aud empty array"):
            provider.accepts(name, token)  # that is how this one comes
            continue
        answer = provider.refuses(provider.request(name, provider.sign(token, signature)),
                                  431 if slug == "token_large" else 401, slug, (name, case["name"], payload))
        if slug == "token_bound":
            assert ", DPoP error=" in answer["www-authenticate"]


def jwe(provider, name, sample, canary):
    text = provider.sign(fresh(sample)) + ".AAAA.AAAA"
    provider.refuses(provider.request(name, text), 401, "token_encrypted", name)


def duplicate_member(provider, name, sample, canary):
    text = json.dumps(fresh(sample)["payload"])
    signed = f"{b64(sample['header'])}.{b64((text[:-1] + ', ' + json.dumps('aud') + ': ' + json.dumps(FILES) + '}').encode())}"
    if "aud" not in sample["payload"]:
        signed = f"{b64(sample['header'])}.{b64((text[:-1] + ', ' + text[1:]).encode())}"
    signature = b64(provider.key(sample["header"]).sign(signed.encode()))
    provider.refuses(provider.request(name, f"{signed}.{signature}"), 401, "token_malformed", name)


def other_alphabet(provider, name, sample, canary):
    """The standard alphabet in a text that differs there; padding in the middle is no credential at all."""
    for i in range(1000):
        text = provider.sign(fresh(sample, payload={"jti": f"alphabet-{i}"}))
        standard = text.replace("-", "+").replace("_", "/")
        if standard != text:
            break
    provider.refuses(provider.request(name, standard), 401, "token_malformed", name)
    status, reason = (401, "token_malformed") if provider.edge else (400, "authorization_malformed")
    provider.refuses(provider.request(name, text.replace(".", "=.", 1)), status, reason, name)


def within_leeway(provider, name, sample, canary):
    provider.accepts(name, fresh(sample, payload={"exp": int(time.time()) - 20}))
    token = fresh(sample, payload={"exp": int(time.time()) - 60})
    provider.refuses(provider.request(name, provider.sign(token)), 401, "token_expired", name)


def many_audiences(provider, name, sample, canary):
    token = fresh(sample, payload={"aud": ["https://a.example", FILES]})
    if provider.path(name) == "/bound/mcp":
        provider.accepts(name, token)
    else:
        provider.refuses(provider.request(name, provider.sign(token)), 401, "token_audience", name)


def id_token(provider, name, sample, canary):
    token = fresh(sample, payload={"at_hash": "x", "nonce": "y"})
    provider.refuses(provider.request(name, provider.sign(token)), 401, "token_kind", name)


def id_jag(provider, name, sample, canary):
    token = fresh(sample, {"typ": "oauth-id-jag+jwt"})
    provider.refuses(provider.request(name, provider.sign(token)), 401, "token_type", name)


def scope_of_wrong_type(provider, name, sample, canary):
    token = fresh(sample, payload={"scope": {"a": 1}})
    if provider.edge:
        provider.accepts(name, token)  # an assertion has no scopes: the claim is not read
    else:
        provider.refuses(provider.request(name, provider.sign(token)), 401, "token_claims", name)


def scope_with_a_space(provider, name, sample, canary):
    """One odd scope, not two: the server behind is told neither half."""
    token = fresh(sample, payload={"scp": ["files:read files:write"], "scope": sample["payload"].get("scope")})
    if provider.path(name) == "/weak/mcp" and provider.provider in ("clerk", "ory-hydra"):
        # Its scopes are what binds this one, and now it has none.
        provider.refuses(provider.request(name, provider.sign(token)), 401, "token_audience", name)
    else:
        assert not any("files:write" in scopes for scopes in provider.accepts(name, token))


def dpop_proof(provider, name, sample, canary):
    """Proofs are not understood yet: the scheme is no credential."""
    if not provider.edge:
        request = provider.request(name, provider.sign(fresh(sample)), "DPoP").also("DPoP", provider.sign(fresh(sample)))
        provider.refuses(request, 401, "authorization_scheme", name)


def transport(provider, name, sample, canary):
    good = provider.request(name, provider.sign(fresh(sample)))
    twice = good.fields[-1]
    provider.refuses(good.also(*twice), 400, "authorization_many", name)
    query = good.to(f"{good.target}?access_token={provider.sign(fresh(sample))}")
    provider.refuses(query, 400, "token_in_query", name)


OTHERWISE = {
    "JWE instead of JWS": jwe, "duplicate JSON member: two aud": duplicate_member,
    "base64url with padding or + and /": other_alphabet, "expired within the leeway": within_leeway,
    "aud with many entries, ours among them": many_audiences, "ID token presented as access token": id_token,
    "ID-JAG presented as access token": id_jag, "scope claim of the wrong JSON type": scope_of_wrong_type,
    "scope array holding a string with spaces": scope_with_a_space,
    "DPoP proof for another htu path, htm, ath, or stale iat": dpop_proof,
    "two Authorization headers, or a token in the query too": transport,
}


def test_every_recipe_is_run():
    assert len(PROVIDERS) == 16 and len(NEGATIVE) == 40
    assert {case["name"] for case in NEGATIVE} == set(SLUGS) | set(OTHERWISE) and not set(SLUGS) & set(OTHERWISE)


def without_proof(sample):
    return {**sample, "payload": {name: value for name, value in sample["payload"].items() if name != "cnf"}}


def test_samples_and_recipes(provider, canary):
    """Each sample gets in before and after each recipe over it, which does not."""
    for name, sample in provider.samples.items():
        if "cnf" in sample["payload"]:
            provider.refuses(provider.request(name, provider.sign(fresh(sample))), 401, "token_bound", name)
        sample = without_proof(sample)
        provider.accepts(name, fresh(sample))
        for case in NEGATIVE:
            if case["name"] in OTHERWISE:
                OTHERWISE[case["name"]](provider, name, sample, canary)
            else:
                run_recipe(provider, case, name, sample, canary)
            provider.accepts(name, fresh(sample))


def test_other_kinds(provider):
    """Tokens of the same issuer under the same keys, for our audience, that are no access tokens. Google's own access
    tokens are opaque and bound to nothing: no profile takes them."""
    if provider.provider == "google":
        assert not provider.samples
        provider.refuses(provider.request("tokeninfo.json", "ya29.a0AfH6SMBx"), 401, "token_opaque", "google")
    for name, sample in provider.others.items():
        slug = OTHER_KINDS[f"{provider.provider}/{name}"]
        provider.refuses(provider.request(name, provider.sign(fresh(sample))), 401, slug, name)
    for name, sample in provider.samples.items():
        provider.accepts(name, fresh(without_proof(sample)))


@pytest.mark.parametrize("name, token, binding", [
    ("node-oidc-provider", "op-1", {"audiences": ["https://gateway.test/opaque/mcp"]}),
    ("ory-hydra", "ory_at_1", {"audiences": [FILES]}),
    ("clerk", "oat_1", {"weak_binding": True, "client_ids": ["TestOAuthClient01"], "client_scope_prefix": "pro"})])
def test_opaque_samples(site, name, token, binding):
    endpoint = Introspection()
    answer = read(name, "introspection.opaque.json")
    answer.update(iat=int(time.time()) - 5, exp=int(time.time()) + 600)
    answer.pop("nbf", None)
    endpoint.answers[token] = answer
    site.settings["issuers"]["idp"] = {"profile": name, "issuer": answer.get("iss", "https://unnamed.example"),
                                       "advertise": False, "introspection": {"url": endpoint.url}}
    site.route.update(scopes=[], **binding)
    site.start()
    site.accepted(site.post(token))
    site.refused(site.post(token + "x"), 401, reason="token_inactive", good=site.post(token))
    endpoint.close()
