"""`gatehouse explain`: which check decides about a token, asked of the running gateway or worked out offline."""
import json
import os
import subprocess
import time

import pytest

from support.gateway import BINARY
from support.issuer import Issuer, Key


def explain(site, token, route="weather", ask=None):
    """What it prints, as data. The token comes by standard input: it stands in no process list."""
    run = subprocess.run([BINARY, "explain", "-c", "gatehouse.yaml", "--route", route, "-"], cwd=site.folder, input=token + "\n",
                         capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "Sanitizer" not in run.stderr, run.stderr
    assert token not in run.stdout + run.stderr or len(token) < 8
    offline = "going on offline" in run.stderr
    assert ask is None or ask != offline, run.stderr
    return json.loads(run.stdout)


def now():
    return int(time.time())


# change of the token -> verdict, step, a piece of the detail
CASES = {
    "good": ({}, "ok", "scope", "granted: mcp:read; needed: mcp:read"),
    "expired": ({"iat": now() - 900, "exp": now() - 300}, "token_expired", "claims", "exp is 1"),
    "audience": ({"aud": ["https://other.example", "b"]}, "token_audience", "claims", "aud is https://other.example b; this route takes "),
    "no audience": ({"aud": None}, "token_audience", "claims", "aud is absent"),
    "issuer": ({"iss": "https://issuer.example/"}, "token_issuer", "issuer", "iss is https://issuer.example/, which no issuer"),
    "scope": ({"scope": "mcp:other"}, "scope_missing", "scope", "granted: mcp:other; needed: mcp:read"),
    "type": ({"header": {"typ": "JWT"}}, "token_type", "header", "alg is RS256, typ is JWT"),
    "algorithm": ({"header": {"alg": "HS256"}}, "token_algorithm", "form", "algorithm is not accepted"),
    "kid": ({"header": {"kid": "nobody"}}, "token_key_unknown", "key", "kid is nobody, 3 keys are known"),
    "bound": ({"cnf": {"jkt": "x"}}, "token_bound", "claims", "bound to a proof"),
    "odd characters": ({"iss": 'https://a.example/"\\\n\u202e'}, "token_issuer", "issuer", "https://a.example/"),
}


@pytest.mark.parametrize("change, verdict, step, detail", CASES.values(), ids=CASES)
def test_the_same_verdict_running_and_offline(site, change, verdict, step, detail):
    """With a key set in a file both know as much; the good twin is accepted by both in the same run."""
    site.start()
    token, good = site.issuer.token(**change), site.issuer.token()
    answers = [explain(site, token, ask=True), explain(site, good, ask=True)]
    answer = site.send(site.post(token))
    site.stop()
    answers += [explain(site, token, ask=False), explain(site, good, ask=False)]
    for told, twin in (answers[:2], answers[2:]):
        assert (told["verdict"], told["step"]) == (verdict, step) and detail in told["detail"], told
        assert twin["verdict"] == "ok" and twin["user"] == "alice" and twin["signature"] == "good"
    assert answer.audit["reason"] == verdict, "it is what the gateway itself decides"


def test_a_forged_signature(site):
    site.start()
    forged = site.issuer.token(key=Key("RS256", kid=site.issuer.keys[0].kid))
    told = explain(site, forged, ask=True)
    assert (told["verdict"], told["step"], told["signature"]) == ("token_signature", "signature", "bad")
    assert "user" not in told, "nothing a forged token says is told as a fact"
    assert explain(site, site.issuer.token(), ask=True)["verdict"] == "ok"


def test_offline_without_keys_the_other_checks_go_on(site):
    """Keys that are fetched are not at hand: what is refused otherwise is refused, and nothing is accepted."""
    issuer = Issuer(f"{site.origin}/weather/mcp", keys=site.issuer.keys).start()
    site.settings["issuers"]["idp"] = {"issuer": issuer.url}
    site.write("gatehouse.yaml", site.settings)
    told = explain(site, issuer.token(aud="https://other.example"), ask=False)
    assert (told["verdict"], told["signature"]) == ("token_audience", "not checked")
    told = explain(site, issuer.token(), ask=False)
    assert (told["verdict"], told["step"], told["signature"]) == ("keys_unavailable", "signature", "not checked")
    assert "everything but the signature is good" in told["detail"]
    site.start()
    assert explain(site, issuer.token(), ask=True)["verdict"] == "ok"
    site.stop()
    issuer.close()


def test_opaque_tokens(site):
    site.write("gatehouse.yaml", site.settings)
    told = explain(site, "ory_at_1234567890")
    assert (told["verdict"], told["step"]) == ("token_opaque", "form")
    site.settings["issuers"]["idp"].update(introspection={"url": "http://127.0.0.1:1/i"}, token_prefix="ory_at_")
    site.write("gatehouse.yaml", site.settings)
    assert explain(site, "ory_at_1234567890")["verdict"] == "undecided"
    assert explain(site, "oat_1234567890")["verdict"] == "token_opaque"
    site.settings["issuers"]["idp"].pop("jwks_file")
    site.write("gatehouse.yaml", site.settings)
    assert explain(site, site.issuer.token())["verdict"] == "undecided", "an issuer without keys is asked about JWTs too"


def test_length_and_route(site):
    site.settings["limits"] = {"max_token": 2048}
    site.write("gatehouse.yaml", site.settings)
    told = explain(site, site.issuer.token(pad="x" * 2048))
    assert told["verdict"] == "token_large" and "limits.max_token allows 2048" in told["detail"]
    assert explain(site, site.issuer.token())["verdict"] == "ok"
    told = explain(site, site.issuer.token(), route="nowhere")
    assert (told["verdict"], told["step"]) == ("route_unknown", "route")


def test_the_admin_token_opens_it(site):
    path = os.path.join(site.folder, "token")
    with open(path, "w", encoding="utf-8") as file:
        file.write("t0p-s3cret-of-the-operator\n")
    os.chmod(path, 0o600)
    site.settings["admin"]["token_file"] = "token"
    site.start()
    assert explain(site, site.issuer.token(), ask=True)["verdict"] == "ok"
    with open(path, "w", encoding="utf-8") as file:
        file.write("another-token-of-somebody\n")
    assert explain(site, site.issuer.token(), ask=False)["verdict"] == "ok", "refused, so it works it out itself"
    assert "t0p-s3cret" not in site.log()


def test_tenants(site):
    site.settings["issuers"]["idp"]["tenant_claims"] = ["org_id"]
    site.settings["tenants"]["acme"]["tenant_ids"] = ["acme-1"]
    site.write("gatehouse.yaml", site.settings)
    assert explain(site, site.issuer.token(org_id="acme-1"))["verdict"] == "ok"
    told = explain(site, site.issuer.token(org_id="acme-2"))
    assert told["verdict"] == "token_tenant" and told["detail"] == "the tenant claim is acme-2; allowed are acme-1"
