"""Tokens that only their issuer can read (RFC 7662): asked of one issuer, once for all, and never beyond its word."""
import base64
import json
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from support.http1 import Connection
from support.introspection import Introspection
from support.issuer import respond
from support.wait import until


@pytest.fixture
def endpoint():
    made = Introspection()
    yield made
    made.close()


def opaque(site, endpoint, **changes):
    """The issuer introspects alone: it has no keys."""
    return {"issuer": "https://opaque.example", "introspection": {"url": endpoint.url, **changes}}


def active(site, **changes):
    claims = {"active": True, **site.issuer.claims(iss="https://opaque.example"), **changes}
    return {name: value for name, value in claims.items() if value is not None}


@pytest.fixture
def asked(site, endpoint):
    site.settings["workers"] = 1  # each worker remembers for itself
    site.settings["issuers"]["idp"] = opaque(site, endpoint)
    endpoint.answers["good-token"] = active(site)
    return endpoint


def test_a_token_goes_to_the_issuer_of_its_prefix_alone(site, endpoint):
    other = Introspection()
    site.settings["issuers"] = {
        "one": {**opaque(site, endpoint), "token_prefix": "ory_at_"},
        "two": {"issuer": "https://other.example", "introspection": {"url": other.url}, "token_prefix": "oat_"}}
    site.settings["tenants"]["acme"]["issuers"] = ["one", "two"]
    endpoint.answers["ory_at_1"] = active(site)
    other.answers["oat_1"] = active(site, iss="https://other.example")
    # Each would vouch for the other's token too, were it asked.
    endpoint.answers["oat_1"], other.answers["ory_at_1"] = active(site), active(site, iss="https://other.example")
    site.start()
    assert site.accepted(site.post("ory_at_1"))[0].audit["issuer"] == "one"
    assert site.accepted(site.post("oat_1"))[0].audit["issuer"] == "two"
    site.refused(site.post("ya29.1"), 401, reason="token_opaque", good=site.post("oat_1"))
    assert {token for token, _ in endpoint.questions} == {"ory_at_1"} and {token for token, _ in other.questions} == {"oat_1"}
    other.close()


def test_a_token_that_ended_at_its_issuer(site, asked):
    """Refused within the life of a positive answer, the setting that bounds how long it lives on here."""
    site.settings["issuers"]["idp"]["introspection"]["max_age"] = "1s"
    site.start()
    site.accepted(site.post("good-token"))
    asked.answers["good-token"] = {"active": False}

    def refused():
        answer = site.send(site.post("good-token"))
        return answer if answer.status == 401 else None

    assert until(refused, "the end of the remembered answer").audit["reason"] == "token_inactive"
    asked.answers["other-token"] = active(site)
    site.accepted(site.post("other-token"))


def test_no_answer_outlives_its_exp(site, asked):
    """J25: remembered for at most exp, however long answers are remembered otherwise."""
    site.settings["issuers"]["idp"]["introspection"]["max_age"] = "60s"
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    site.start()
    end = int(time.time()) + 3
    asked.answers["short-token"] = active(site, exp=end)
    site.accepted(site.post("short-token"))

    def refused():
        answer = site.send(site.post("short-token"))
        return answer if answer.status == 401 else None

    assert until(refused, "the end of the token").audit["reason"] == "token_expired" and time.time() >= end
    site.accepted(site.post("good-token"))


@pytest.mark.threads
def test_one_question_for_all(site, asked):
    """Twenty requests on two workers wait for the same answer."""
    site.settings["workers"] = 2
    go, statuses = threading.Event(), []
    asked.fault = lambda handler: go.wait(20) and False
    site.start()

    def ask():
        with Connection(site.port) as connection:
            connection.send(site.post("good-token").wire())
            statuses.append(connection.read().status)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: asked.questions, "a question")
    go.set()
    for thread in threads:
        thread.join(30)
    # Who comes after the answer asks again at a worker that did not get it: at most one more for each.
    assert statuses == [200] * 20 and len(asked.questions) <= 3


def test_what_is_inactive_is_remembered_for_a_while(site, asked):
    site.start()
    for _ in range(10):
        answer = site.send(site.post("unknown-token"))
        assert (answer.status, answer.audit["reason"]) == (401, "token_inactive")
    assert len(asked.questions) <= 2, "five seconds"
    site.accepted(site.post("good-token"))


ODD = {
    "text": "true", "number": 1, "null": None, "list": [True],
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_active_must_be_true(site, asked, value):
    site.start()
    asked.answers["odd-token"] = {**active(site), "active": value}
    site.refused(site.post("odd-token"), 401, reason="token_inactive", good=site.post("good-token"))


def test_what_the_answer_must_say(site, asked):
    """The rules of a JWT's claims hold for an answer's: binding, time, kind, proof, issuer, subject."""
    site.start()
    good = site.post("good-token")
    rows = {"token_audience": {"aud": None}, "token_time": {"exp": None}, "token_expired": {"exp": int(time.time()) - 300},
            "token_issuer": {"iss": "https://evil.example"}, "token_bound": {"cnf": {"jkt": "x"}}, "token_kind": {"token_use": "refresh_token"},
            "token_subject": {"sub": None}, "token_claims": {"scope": {"a": 1}}, "token_actor": {"act": "x"}}
    for reason, change in rows.items():
        asked.answers[reason] = active(site, **change)
        site.refused(site.post(reason), 401, reason=reason, good=good)
    asked.answers["no-issuer"] = active(site, iss=None)
    site.accepted(site.post("no-issuer"))


BROKEN = {
    "500": lambda handler: respond(handler, 500, {"active": True}),
    "redirect": lambda handler: respond(handler, 302, {}, (("Location", "http://127.0.0.1:1/"),)),
    "html": lambda handler: respond(handler, 200, b"<html>", (("Content-Type", "text/html"),)),
    "no object": lambda handler: respond(handler, 200, []),
    "twice": lambda handler: respond(handler, 200, b'{"active":false,"active":true}'),
    "twin": lambda handler: respond(handler, 200, b'{"active":true,"Active":true}'),
    "cut": lambda handler: respond(handler, 200, b'{"active":true'),
    "huge": lambda handler: respond(handler, 200, {"active": True, "pad": "x" * 300000}),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_an_endpoint_that_does_not_answer_is_no_verdict(site, asked, fault):
    """503 and come again: a 401 would make clients throw away a good token. What is known stays known."""
    site.start()
    site.accepted(site.post("good-token"))
    asked.answers["next-token"] = active(site)
    asked.fault = fault
    answer = site.send(site.post("next-token"))
    assert (answer.status, answer.audit["reason"]) == (503, "introspection_down")
    assert answer["retry-after"] and answer["www-authenticate"] is None
    site.accepted(site.post("good-token"))
    asked.fault = None
    site.accepted(site.post("next-token"))


def test_more_questions_than_an_issuer_takes(site, asked):
    site.settings["issuers"]["idp"]["introspection"]["parallel"] = 1
    go = threading.Event()
    site.start()
    site.accepted(site.post("good-token"))
    asked.fault = lambda handler: go.wait(20) and False
    asked.answers["slow-token"] = active(site)
    first = site.connect()
    first.send(site.post("slow-token").wire())
    until(lambda: len(asked.questions) == 2, "the question under way")
    answer = site.send(site.post("other-token"))
    assert (answer.status, answer.audit["reason"]) == (503, "overloaded") and answer["retry-after"]
    go.set()
    assert first.read().status == 200
    first.close()
    site.read = len(site.audit())
    site.accepted(site.post("good-token"))


def test_a_token_in_the_form_of_a_jwt_that_only_its_issuer_can_read(site, asked):
    """Okta's org server signs with keys that are nobody's to use: its tokens are asked about like opaque ones."""
    site.start()
    token = site.issuer.token(iss="https://opaque.example")
    asked.answers[token] = active(site)
    site.accepted(site.post(token))
    assert asked.questions[-1][0] == token
    unknown = site.issuer.token(iss="https://opaque.example", jti="unknown")
    site.refused(site.post(unknown), 401, reason="token_inactive", good=site.post(token))
    site.refused(site.post(site.issuer.token(iss="https://evil.example")), 401, reason="token_issuer", good=site.post(token))
    assert all("evil" not in asked_for for asked_for, _ in asked.questions)


def test_the_question(site, asked, tmp_path):
    """A form by POST with Basic authentication; the token stands in no URL."""
    secret = tmp_path / "secret"
    secret.write_text("p:w d%")
    secret.chmod(0o600)
    site.settings["issuers"]["idp"]["introspection"].update(client_id="a b", client_secret_file="secret")
    site.start()
    site.accepted(site.post("good-token"))
    assert asked.questions == [("good-token", "Basic YSUyMGI6cCUzQXclMjBkJTI1")] and asked.paths == ["/introspect"]


def test_a_key_instead_of_a_secret(site, asked, tmp_path):
    """private_key_jwt (RFC 7523): an assertion of a minute for this issuer alone, another one for each question."""
    private = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "client.pem"
    path.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    path.chmod(0o600)
    site.settings["issuers"]["idp"]["introspection"].update(client_id="gatehouse", key_file="client.pem")
    site.start()
    asked.answers["other-token"] = active(site)
    site.accepted(site.post("good-token"))
    site.accepted(site.post("other-token"))
    seen = set()
    for form, (_, authorization) in zip(asked.forms, asked.questions):
        assert authorization is None and form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        signed, signature = form["client_assertion"][0].rsplit(".", 1)
        header, claims = (json.loads(unb64(part)) for part in signed.split("."))
        raw = unb64(signature)
        private.public_key().verify(utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
                                    signed.encode(), ec.ECDSA(hashes.SHA256()))
        assert header["typ"] == "client-authentication+jwt" and header["alg"] == "ES256"
        assert (claims["iss"], claims["sub"], claims["aud"]) == ("gatehouse", "gatehouse", "https://opaque.example")
        assert claims["exp"] - claims["iat"] == 60 and abs(claims["iat"] - time.time()) < 30
        seen.add(claims["jti"])
    assert len(seen) == 2


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_an_open_stream_lists_by_the_last_word(site, asked):
    """What the issuer says of groups when it vouches again is what lists on an open stream go by."""
    site.settings["issuers"]["idp"]["introspection"]["max_age"] = "1s"
    site.settings["issuers"]["idp"]["group_claims"] = ["groups"]
    site.route["rules"] = [{"name": "admins", "tools": "drop", "claims": {"groups": "admins"}}, {"name": "all", "tools": "get"}]
    tools = b'data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get"},{"name":"drop"}]}}\n\n'
    go = threading.Event()

    def script(call):
        call.open_stream()
        call.event(tools)
        assert go.wait(30)
        call.event(tools)
        call.close_stream()

    asked.answers["good-token"] = active(site, groups=["admins"])
    site.start()
    site.upstream.script = script
    with site.connect() as connection:
        connection.send(site.post("good-token", body=b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}').wire())
        events = connection.events(connection.read_head())
        assert b"drop" in next(events)
        asked.answers["good-token"] = active(site, groups=[])
        questions = len(asked.questions)
        until(lambda: len(asked.questions) >= questions + 2, "two more questions")  # the answer to the first of them is known then
        go.set()
        rest = b"".join(events)
    assert b"get" in rest and b"drop" not in rest
