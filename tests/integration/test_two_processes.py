"""Two processes over one store: one issuer, whoever is asked, and what is ended at one of them is over at both."""
import json

import pytest

from support import command
from support.browser import Browser
from support.command import run
from support.ending import ENDINGS, PLAIN, Held, ask, still_open, stream_or_echo, tokens_of
from support.http1 import Request
from support.pair import Race, neighbour_of, start_two, token_request
from support.upstream import echo
from support.wait import until
from test_code_flow import Client, keep_house, links
from test_grants_keys import published

pytestmark = pytest.mark.redis
ROUNDS = 20


@pytest.fixture
def pair(site):
    """Both are ready."""
    made = start_two(keep_house(site))
    yield made
    made[1].stop()


@pytest.fixture
def ada(pair):
    """A browser whose user has made the first account, by the link of the process that started last."""
    pair[0].setup_link = lambda: links(pair[1], 1)[-1]
    browser = Browser(pair[0])
    browser.set_up()
    return browser


@pytest.fixture
def client(pair, ada):
    """One that ada is not asked about any more."""
    made = Client(pair[0])
    made.code_of(ada.allow(ada.open(made.url())))
    return made


def test_many_hands_with_one_code_or_refresh_token(pair, ada, client):
    of_codes, of_refreshes = Race(pair, ada, client).run(ROUNDS)
    assert of_codes > 0 and of_refreshes > 0, "nobody came second: there was no race"


# ---- what is ended at one of them

@pytest.fixture
def streaming(upstream):
    """Every call at the upstream becomes an event stream, unless it asks for none."""
    upstream.script = stream_or_echo
    yield
    upstream.script = echo


def accepted_at(pair, tokens):
    return [site.send(site.post(tokens["access_token"], body=PLAIN)).audit["reason"] for site in pair]


def refreshed_at(pair, client, tokens):
    return [ask(site, token_request(client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]))[0] for site in pair]


@pytest.mark.parametrize("at", (0, 1))
@pytest.mark.parametrize("level", ENDINGS)
def test_what_is_revoked_at_one_is_over_at_both(pair, ada, client, streaming, level, at):
    good, bad = tokens_of(client, ada), tokens_of(client, ada)
    streams = [Held(site, bad["access_token"]) for site in pair for _ in range(2)]
    twins = [Held(site, good["access_token"]) for site in pair]
    ENDINGS[level](pair[at], client, bad)
    assert not still_open(streams, 10), "a stream outlived what it depends on"
    until(lambda: accepted_at(pair, bad) == ["token_revoked"] * 2, "refusal at both")
    assert refreshed_at(pair, client, bad) == ([200] * 2 if level == "token" else [400] * 2)
    if level == "user":  # all that was theirs: who signs in again begins anew
        assert not still_open(twins, 10) and refreshed_at(pair, client, good) == [400] * 2
        ada.sign_in(ada.open(client.url()))
        good = tokens_of(client, ada)
        twins = [Held(site, good["access_token"]) for site in pair]
    assert accepted_at(pair, good) == ["ok"] * 2 and refreshed_at(pair, client, good) == [200] * 2
    assert len(still_open(twins, 0)) == len(twins)
    for twin in twins:
        twin.close()


def test_who_is_revoked_again_within_a_second(pair, ada, client):
    """What is given behind an epoch bears the second after it: the next epoch lies there too."""
    for number in range(6):
        tokens = tokens_of(client, ada)
        assert accepted_at(pair, tokens) == ["ok"] * 2
        ENDINGS["user"](pair[number % 2], client, tokens)
        until(lambda: accepted_at(pair, tokens) == ["token_revoked"] * 2, "refusal at both")
        ada.sign_in(ada.open(f"{pair[0].origin}/login"))
    assert accepted_at(pair, tokens_of(client, ada)) == ["ok"] * 2


def test_each_knows_of_the_other(pair):
    for site in pair:
        def knows(site=site):
            status, told = command.ask(site, "nodes/list", {})
            assert status == 200, told
            return {one.process.pid for one in pair} <= {node["process"] for node in told["nodes"]}
        until(knows, "entries of both")
    nodes = json.loads(run(pair[0], "node", "list"))["nodes"]
    for node in nodes:
        assert (node["state"], node["generation"]) == ("serving", 1) and node["started"] <= node["seen"] and node["version"] and node["host"]
    assert len({node["node"] for node in nodes}) == len(nodes)


def test_one_set_of_keys(site):
    """Both begin at the same moment with an empty folder: one of them makes the key."""
    pair = keep_house(site), neighbour_of(site)
    try:
        for one in pair:
            one.start(ready=None)
        for one in pair:
            until(lambda one=one: one.answers("/readyz"), "readiness")
        sets = [ask(one, Request("GET", "/oauth/jwks", (("Host", site.authority),))) for one in pair]
    finally:
        pair[1].stop()
    assert sets[0] == sets[1] and len(sets[0][1]["keys"]) == 1, sets


def test_a_key_that_is_dropped_at_one_is_gone_at_both(pair, ada, client):
    _, tokens = client.redeem(client.code_of(ada.open(client.url())))
    kid = json.loads(run(pair[0], "key", "list"))["keys"][0]["key"]
    assert accepted_at(pair, tokens) == ["ok", "ok"]
    left = json.loads(run(pair[0], "key", "drop", "--", kid))["keys"]
    until(lambda: all(published(site) == {left[0]["key"]} for site in pair), "the new key alone at both")
    until(lambda: all(why in ("token_revoked", "token_key_unknown") for why in accepted_at(pair, tokens)), "refusal at both")
    ada.sign_in(ada.open(f"{pair[0].origin}/login"))
    _, again = client.redeem(client.code_of(ada.open(client.url())))
    assert accepted_at(pair, again) == ["ok", "ok"]
