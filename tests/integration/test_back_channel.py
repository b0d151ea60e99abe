"""The back channel of issuers: logout tokens and security event tokens end what their users have; everything else is refused."""
import json
import time
from urllib.parse import urlencode

import pytest

from support.http1 import Request
from support.issuer import Key
from support.pair import neighbour_of
from support.wait import until
from test_revocation import Stream, ticker  # noqa: F401 - a fixture

LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
PATH = "/back-channel/idp"


@pytest.fixture
def told(site):
    """A gateway whose issuer may speak of its users; not yet started."""
    site.settings["store"] = {"url": "sqlite:gatehouse.db", "poll": "10ms"}
    site.settings["issuers"]["idp"]["back_channel"] = {"url": f"{site.origin}{PATH}", "audiences": ["us"]}
    return site


@pytest.fixture
def store(told):
    return told


def claims(site, **changes):
    now = int(time.time())
    said = {"iss": site.issuer.url, "aud": "us", "iat": now, "exp": now + 120, "jti": "j-1", "events": LOGOUT, "sub": "alice"}
    said.update(changes)
    return {name: value for name, value in said.items() if value is not None}


def logout_token(site, key=None, header=None, **changes):
    return site.issuer.token(key, {"typ": "logout+jwt", **(header or {})}, payload=claims(site, **changes))


def event_token(site, header=None, **changes):
    who = {"format": "iss_sub", "iss": site.issuer.url, "sub": "alice"}
    events = {f"{CAEP}session-revoked": {"event_timestamp": int(time.time())}}
    said = claims(site, **{"exp": None, "sub": None, "sub_id": who, "events": events, **changes})
    return site.issuer.token(None, {"typ": "secevent+jwt", **(header or {})}, payload=said)


def post(site, body, media="application/x-www-form-urlencoded", fields=()):
    return Request(target=PATH, fields=(("Host", site.authority), ("Content-Type", media), *fields), body=body)


def logout(site, token=None, **changes):
    return post(site, urlencode({"logout_token": token or logout_token(site, **changes)}).encode())


def event(site, token=None, **changes):
    return post(site, (token or event_token(site, **changes)).encode(), "application/secevent+jwt")


def old(site, **changes):
    """A token of before the logout."""
    return site.issuer.token(iat=int(time.time()) - 5, **changes)


def heard(site, request, status, **line):
    """What the issuer says is taken; the audit line tells what came of it."""
    answer = site.send(request)
    assert (answer.status, answer.audit["reason"], answer.body) == (status, "ok", b""), (answer, answer.audit)
    assert answer["cache-control"] == "no-store"
    assert {name: answer.audit.get(name) for name in line} == line, answer.audit
    return answer


def assert_ended(site, token):
    site.refused(site.post(token), 401, reason="token_revoked", good=site.post(old(site, sub="bob")))


# ---- what it ends

def test_a_logout_ends_the_users_tokens(told):
    told.start()
    token = old(told)
    told.accepted(told.post(token))
    message = logout(told)
    heard(told, message, 200, issuer="idp", user="alice", revoked="user", revoked_count=1, events=["revoke", "signal"])
    assert_ended(told, token)
    assert '"revoked by an issuer"' in told.log()
    # By the issuer's clock: what it gives out afterwards is good again, and saying it again ends no more.
    fresh = told.issuer.token(iat=int(time.time()) + 2)
    told.accepted(told.post(fresh))
    heard(told, message, 200, revoked="user")
    told.accepted(told.post(fresh))


@pytest.mark.parametrize("has_sessions", (True, False))
def test_a_session_ends_alone_where_tokens_name_theirs(told, has_sessions):
    if has_sessions:
        told.settings["issuers"]["idp"]["grant_claims"] = ["sid"]
    told.start()
    one, other = old(told, sid="s-1"), old(told, sid="s-2")
    told.accepted(told.post(one))
    if has_sessions:
        heard(told, logout(told, sid="s-1"), 200, grant="s-1", user=None, revoked="grant")
        told.refused(told.post(one), 401, reason="token_revoked", good=told.post(other))
    else:
        heard(told, logout(told, sid="s-1"), 200, grant=None, user="alice", revoked="user")
        assert_ended(told, one)
        assert_ended(told, other)


def test_open_streams_end(told, ticker):
    told.start()
    alice, bob = Stream(told, old(told)), Stream(told, old(told, sub="bob"))
    for stream in (alice, bob):
        assert stream.next() == b"data: first\n\n"
    heard(told, logout(told), 200, revoked="user")
    alice.ends()
    ticker()
    assert bob.next() == b"data: tick\n\n"
    bob.connection.close()


@pytest.mark.parametrize("kind", ("session-revoked", "credential-change"))
def test_a_shared_signal_ends_the_users_tokens(told, kind):
    told.start()
    token = old(told)
    told.accepted(told.post(token))
    heard(told, event(told, events={CAEP + kind: {}}), 202, issuer="idp", user="alice", revoked="user", revoked_count=1)
    assert_ended(told, token)


def test_events_that_ask_nothing_are_taken(told):
    told.start()
    token = old(told)
    verification = {"https://schemas.openid.net/secevent/ssf/event-type/verification": {"state": "x"}}
    heard(told, event(told, events=verification), 202, issuer="idp", user=None, revoked=None, events=["signal"])
    told.accepted(told.post(token))


def test_every_tenant_that_trusts_the_issuer_is_told(told):
    told.settings["tenants"]["other"] = {"hosts": [f"localhost:{told.port}"], "issuers": ["idp"]}
    told.settings["tenants"]["without"] = {"hosts": ["without.example"], "issuers": ["idp"]}
    resource = f"http://localhost:{told.port}/mcp"
    told.settings["routes"].append({"name": "other", "tenant": "other", "resource": resource, "upstream": told.upstream.url})
    told.start()
    token = old(told, aud=resource)
    elsewhere = Request(target="/mcp", fields=(("Host", f"localhost:{told.port}"), ("Content-Type", "application/json"),
                                               ("Accept", "application/json, text/event-stream"),
                                               ("Authorization", f"Bearer {token}")), body=told.post().body)
    told.accepted(elsewhere)
    heard(told, logout(told), 200, revoked_count=2)
    told.refused(elsewhere, 401, reason="token_revoked", good=told.post(old(told, sub="bob")))


def test_other_processes_hear_of_it(told):
    told.start()
    resource = told.issuer.resource
    neighbour = neighbour_of(told).start()
    told.issuer.resource = resource
    token = old(told)
    neighbour.accepted(neighbour.post(token))
    heard(told, event(told), 202, revoked="user")
    neighbour.heard(1)
    neighbour.refused(neighbour.post(token), 401, reason="token_revoked", good=neighbour.post(old(told, sub="bob")))
    neighbour.stop()


# ---- what is refused

OTHER = Key("RS256", kid="rs256-1")
BAD_LOGOUTS = {
    "another issuer": (dict(iss="https://elsewhere.example"), "event_issuer", "invalid_issuer"),
    "for somebody else": (dict(aud="them"), "event_audience", "invalid_audience"),
    "expired": (dict(exp=int(time.time()) - 600), "event_time", "invalid_request"),
    "from the future": (dict(iat=int(time.time()) + 600), "event_time", "invalid_request"),
    "without jti": (dict(jti=None), "event_malformed", "invalid_request"),
    "with a nonce": (dict(nonce="n"), "event_malformed", "invalid_request"),
    "another event": (dict(events={f"{CAEP}session-revoked": {}}), "event_malformed", "invalid_request"),
    "about nobody": (dict(sub=None), "event_subject", "invalid_request"),
    "an access token": (dict(header={"typ": "at+jwt"}), "event_malformed", "invalid_request"),
}


@pytest.mark.parametrize("case", BAD_LOGOUTS)
def test_a_bad_logout_token_ends_nothing(told, case):
    changes, reason, error = BAD_LOGOUTS[case]
    told.start()
    token = old(told)
    answer = told.refused(logout(told, **changes), 400, reason=reason, good=told.post(token))
    assert json.loads(answer.body)["error"] == error
    heard(told, logout(told), 200, revoked="user")  # its unmodified twin
    assert_ended(told, token)


def test_a_bad_event_token_ends_nothing_and_says_so_as_rfc_8935_has_it(told):
    told.start()
    token = old(told)
    for changes, reason, error in ((dict(aud="them"), "event_audience", "invalid_audience"),
                                   (dict(iss="https://elsewhere.example"), "event_issuer", "invalid_issuer"),
                                   (dict(sub_id={"format": "email", "email": "alice@example.com"}), "event_subject", "invalid_request"),
                                   (dict(header={"typ": "JWT"}), "event_malformed", "invalid_request")):
        answer = told.refused(event(told, **changes), 400, reason=reason, good=told.post(token))
        assert json.loads(answer.body)["err"] == error and "description" in json.loads(answer.body)
    heard(told, event(told), 202, revoked="user")
    assert_ended(told, token)


def test_what_is_no_message_of_an_issuer(told):
    told.start()
    token, good = old(told), told.post(old(told, sub="bob"))
    whole = logout(told)
    for bad, status, reason in (
            (Request("GET", PATH, (("Host", told.authority),)), 405, "http_method_refused"),
            (post(told, whole.body, "application/json"), 415, "http_media_type"),
            (post(told, whole.body, fields=(("Content-Encoding", "gzip"),)), 415, "http_encoding"),
            (post(told, b"logout_token=%"), 400, "form_malformed"),
            (post(told, b"token=x"), 400, "parameter_missing"),
            (post(told, whole.body + b"&" + whole.body), 400, "parameter_repeated"),
            (post(told, b"not-a-token", "application/secevent+jwt"), 400, "event_malformed")):
        told.refused(bad, status, reason=reason, good=good)
    told.broken_off(post(told, b"x" * 40000, "application/secevent+jwt"), 413, reason="http_body_large", good=good)
    told.accepted(told.post(token))
    heard(told, whole, 200, revoked="user")
    assert_ended(told, token)


def test_nobody_else_signs_for_the_issuer(told):
    told.start()
    token = old(told)
    answer = told.refused(logout(told, key=OTHER), 400, reason="event_key", good=told.post(token))
    assert json.loads(answer.body)["error"] == "invalid_key"
    told.refused(event(told, header={"kid": "nobody"}), 400, reason="event_key", good=told.post(token))
    heard(told, logout(told), 200, revoked="user")
    assert_ended(told, token)


def test_failures_of_one_address_are_bounded(told):
    told.start()
    bad = logout(told, aud="them")
    reasons = [told.send(bad).audit["reason"] for _ in range(61)]
    assert reasons == ["event_audience"] * 60 + ["requests_throttled"]
    told.accepted(told.post())


def test_while_no_keys_are_there_it_is_told_to_come_again(told, tmp_path):
    del told.settings["issuers"]["idp"]["jwks_file"]
    told.settings["issuers"]["idp"]["jwks"] = "http://127.0.0.1:9/jwks"
    told.start(ready="/healthz")
    answer = told.send(logout(told))
    assert (answer.status, answer.audit["reason"]) == (503, "keys_unavailable") and answer["retry-after"]


def test_after_a_reload_another_place_hears(told):
    told.start()
    token = old(told)
    told.settings["issuers"]["idp"]["back_channel"]["audiences"] = ["them"]
    told.reload()
    until(lambda: told.send(logout(told)).audit["reason"] == "event_audience", "the new settings")
    told.accepted(told.post(token))
    heard(told, logout(told, aud="them"), 200, revoked="user")
    assert_ended(told, token)
