"""Issuers that are not generic: lifetimes, tenants, actors, malformed claims, opaque tokens, an edge in front."""
import json
import time

import pytest

from support.http1 import Broken
from support.introspection import Introspection
from support.wait import until


@pytest.fixture
def idp(site):
    return site.settings["issuers"]["idp"]


def test_a_lifetime_over_the_limit(site, idp):
    idp["max_lifetime"] = "1h"
    site.start()
    now = int(time.time())
    site.refused(site.post(site.issuer.token(iat=now, exp=now + 7200)), 401, reason="token_lifetime")


def test_a_token_of_another_tenant(site, idp):
    idp["tenant_claims"] = ["org_id"]
    site.settings["tenants"]["acme"]["tenant_ids"] = ["acme-1"]
    site.start()
    good = site.post(site.issuer.token(org_id="acme-1"))
    for other in ("acme-2", None):
        site.refused(site.post(site.issuer.token(org_id=other)), 401, reason="token_tenant", good=good)


@pytest.mark.parametrize("claims", [{"scope": {"a": 1}}, {"scope": 7}, {"client_id": 5}],
                         ids=["scope object", "scope number", "client number"])
def test_claims_of_the_wrong_type(gateway, claims):
    gateway.refused(gateway.post(gateway.issuer.token(**claims)), 401, reason="token_claims")


def chain(depth):
    return {"sub": "agent", **({"act": chain(depth - 1)} if depth > 1 else {})}


@pytest.mark.parametrize("act", [chain(6), {"sub": ""}, {"iss": "x"}, "agent", []], ids=["deep", "empty", "no subject", "text", "list"])
def test_malformed_actors(gateway, act):
    gateway.refused(gateway.post(gateway.issuer.token(act=act)), 401, reason="token_actor",
                    good=gateway.post(gateway.issuer.token(act=chain(5))))


@pytest.fixture
def introspection(site, idp, tmp_path):
    endpoint = Introspection()
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    site.settings["workers"] = 1  # each worker remembers for itself
    idp["introspection"] = {"url": endpoint.url, "client_id": "gatehouse", "client_secret_file": "secret"}
    site.start()
    endpoint.answers["good-token-1"] = {"active": True, **site.issuer.claims()}
    yield endpoint
    endpoint.close()


def test_opaque_tokens(site, introspection):
    site.accepted(site.post("good-token-1"))
    site.accepted(site.post("good-token-1"))
    assert len(introspection.questions) == 1, "the answer is remembered"
    assert introspection.questions[0][1].startswith("Basic ")
    site.refused(site.post("unknown-token"), 401, reason="token_inactive", good=site.post("good-token-1"))
    introspection.answers["odd-token"] = {**introspection.answers["good-token-1"], "active": "true"}
    site.refused(site.post("odd-token"), 401, reason="token_inactive", good=site.post("good-token-1"))
    introspection.answers["other-token"] = {**introspection.answers["good-token-1"], "aud": "https://other.example"}
    site.refused(site.post("other-token"), 401, reason="token_audience", good=site.post("good-token-1"))


def test_a_stream_is_vouched_for_again(site, introspection):
    """The stream outlives one answer's life, and ends once its issuer says the token has."""
    site.stop()
    site.settings["issuers"]["idp"]["introspection"]["max_age"] = "1s"
    site.upstream.script = lambda call: (call.open_stream(), call.event(b"data: 1\n\n"), call.wait_gone())
    site.start()
    with site.connect() as connection:
        connection.send(site.post("good-token-1").wire())
        events = connection.events(connection.read_head())
        assert next(events) == b"data: 1\n\n"
        until(lambda: len(introspection.questions) >= 3, "two more questions")
        introspection.answers["good-token-1"] = {"active": False}
        with pytest.raises(Broken):
            next(events)
    until(lambda: site.audit(), "audit line")
    assert site.audit()[-1]["reason"] == "token_inactive"


def test_introspection_that_is_down(site, introspection):
    site.accepted(site.post("good-token-1"))
    introspection.status = 500
    answer = site.send(site.post("another-token"))
    assert (answer.status, answer.audit["reason"]) == (503, "introspection_down")  # reason: introspection_down
    assert answer["retry-after"] and answer["www-authenticate"] is None
    site.accepted(site.post("good-token-1"))


def test_an_edge_in_front(site, idp):
    idp.update(profile="cloudflare-access")
    site.route["scopes"] = []
    site.route["audiences"] = [site.issuer.resource]
    site.start()
    assertion = site.issuer.token(header={"typ": "JWT"}, type="app", scope=None, client_id=None)
    good = site.post(token=False).with_field("Cf-Access-Jwt-Assertion", assertion)
    site.accepted(good)
    answer = site.refused(site.post(), 401, reason="assertion_missing", good=good)
    assert "resource_metadata" not in (answer["www-authenticate"] or "")
    _, seen = site.accepted(good)
    assert seen.all("cf-access-jwt-assertion") == []
    forged = assertion.rsplit(".", 1)[0] + "." + site.issuer.token().rsplit(".", 1)[1]
    site.refused(good.with_field("Cf-Access-Jwt-Assertion", forged), 401, reason="token_signature", good=good)


def test_a_principal_is_told_in_full(gateway):
    _, seen = gateway.accepted(gateway.post(gateway.issuer.token(act=chain(2))))
    line = gateway.audit()[-1]
    assert line["user"] == "alice" and "agent" in json.dumps(line)
