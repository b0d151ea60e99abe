"""Rate limits: what counts together, over workers and gateways, over restarts and reloads, and while the store is away."""
import concurrent.futures
import json
import signal

import pytest

from support.pair import neighbour_of
from support.redis import Server
from support.upstream import echo
from support.wait import until

MARGIN = 62  # seconds: the longest that a window of a minute may send somebody away for


@pytest.fixture
def limited(site):
    """A function that starts the site with limits on its route, or on its tenant."""
    site.settings["store"] = {"url": "sqlite:gatehouse.db"}

    def start(*limits, of_tenant=False):
        (site.settings["tenants"]["acme"] if of_tenant else site.route)["rate_limits"] = list(limits)
        return site.start()
    return start


def assert_limited(site, token, before=None):
    answer = site.send(site.post(token))
    assert (answer.status, answer.audit["reason"], answer.audit["stage"]) == (429, "rate_limited", "rate"), answer.audit
    assert answer.contact == 0, "the upstream was contacted"
    assert 1 <= int(answer["retry-after"]) <= MARGIN
    return answer


def actor(name):
    return {"sub": name, "iss": "https://agents.example"}


@pytest.mark.redis
@pytest.mark.threads
def test_who_asks_too_often_is_told_when_to_come_again(limited):
    site = limited({"per": "user", "requests": 3})
    anna, bert = site.issuer.token(sub="anna"), site.issuer.token(sub="bert")
    for _ in range(3):
        site.accepted(site.post(anna))
    assert_limited(site, anna)  # reason: rate_limited
    assert_limited(site, site.issuer.token(sub="anna", client_id="phone"))  # another token of the same user
    site.accepted(site.post(bert))
    assert site.metric("gatehouse_rate_takes_total") >= 4 and site.metric("gatehouse_rate_takes_failed_total") == 0


def calls(tool):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}).encode()


def test_calls_of_some_tools_are_counted_apart(limited):
    """Beside a limit of everything: who has used up the calls of one tool goes on with others, and so do others with that one."""
    site = limited({"per": "user", "requests": 6}, {"per": "user", "requests": 2, "tools": ["pay", "refund_*"]},
                   {"per": "route", "requests": 3, "tools": ["pay"]})
    anna, bert = site.issuer.token(sub="anna"), site.issuer.token(sub="bert")
    for tool in ("pay", "refund_it"):
        site.accepted(site.post(anna, body=calls(tool)))
    for tool in ("refund_other", "pay"):
        answer = site.send(site.post(anna, body=calls(tool)))
        assert (answer.status, answer.audit["reason"], answer.contact) == (429, "rate_limited", 0)
        assert 1 <= int(answer["retry-after"]) <= MARGIN
    for body in (calls("look"), calls("payment"), b'{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"pay"}}'):
        site.accepted(site.post(anna, body=body))
    for _ in range(2):  # two of three on the route are left, and two of his own
        site.accepted(site.post(bert, body=calls("pay")))
    answer = site.send(site.post(site.issuer.token(sub="cara"), body=calls("pay")))
    assert (answer.status, answer.audit["reason"]) == (429, "rate_limited")
    site.accepted(site.post(site.issuer.token(sub="cara"), body=calls("refund_it")))
    site.accepted(site.post(anna, body=calls("look")))  # her sixth that passed
    assert site.send(site.post(anna, body=calls("look"))).status == 429


def test_a_script_can_read_when_to_come_again(limited):
    site = limited({"per": "user", "requests": 1})
    here = site.post(site.issuer.token()).also("Origin", site.origin)
    for answer in (site.accepted(here)[0], site.send(here)):
        assert answer["access-control-allow-origin"] == site.origin
        assert "Retry-After" in answer["access-control-expose-headers"].split(", ")
    assert answer.status == 429


WHO = {  # per: (claims of one, of others that count with it, of others that do not)
    "user": ({"sub": "a", "client_id": "x"}, {"sub": "a", "client_id": "y"}, {"sub": "b", "client_id": "x"}),
    "client": ({"sub": "a", "client_id": "x"}, {"sub": "b", "client_id": "x"}, {"sub": "a", "client_id": "y"}),
    "agent": ({"sub": "a", "act": actor("bot")}, {"sub": "b", "act": actor("bot")}, {"sub": "a", "act": actor("other")}),
    "route": ({"sub": "a"}, {"sub": "b", "client_id": "y"}, None),
    "tenant": ({"sub": "a"}, {"sub": "b", "client_id": "y"}, None),
}


@pytest.mark.parametrize("per", WHO)
def test_what_is_counted_together(limited, per):
    one, same, other = WHO[per]
    site = limited({"per": per, "requests": 2, "window": "1h"}, of_tenant=per == "tenant")
    site.accepted(site.post(site.issuer.token(**one)))
    site.accepted(site.post(site.issuer.token(**same)))
    answer = site.send(site.post(site.issuer.token(**one)))
    assert (answer.status, answer.audit["reason"]) == (429, "rate_limited") and 3000 < int(answer["retry-after"]) <= 3720
    if other is not None:
        site.accepted(site.post(site.issuer.token(**other)))


def test_a_tenant_counts_over_its_routes_and_a_route_for_itself(site):
    """By one worker: what it took for a request that another limit refused, it gives to the next."""
    maps = f"{site.origin}/maps/mcp"
    site.settings["workers"] = 1
    site.settings["store"] = {"url": "sqlite:gatehouse.db"}
    site.settings["tenants"]["acme"]["rate_limits"] = [{"per": "user", "requests": 4, "window": "1h"}]
    site.settings["routes"].append({**site.route, "name": "maps", "resource": maps, "rate_limits": [{"per": "user", "requests": 1, "window": "1h"}]})
    site.start()
    there = site.post(site.issuer.token(aud=maps), target="/maps/mcp")
    site.accepted(there)
    assert site.send(there).audit["reason"] == "rate_limited"  # by the route's own; nothing of the tenant's was used up
    for _ in range(3):
        site.accepted(site.post(site.issuer.token()))
    assert site.send(site.post(site.issuer.token())).audit["reason"] == "rate_limited"


@pytest.mark.redis
def test_who_is_refused_does_not_count_and_a_restart_forgets_nothing(limited):
    site = limited({"per": "user", "requests": 2, "window": "1h"})
    good, narrow = site.issuer.token(), site.issuer.token(scope="other")
    for _ in range(3):
        assert site.send(site.post(narrow)).status == 403
        assert site.send(site.post(site.issuer.token(exp=1))).status == 401
    site.accepted(site.post(good))
    site.stop()
    site.start()
    site.accepted(site.post(good))
    answer = site.send(site.post(good))
    assert (answer.status, answer.audit["reason"]) == (429, "rate_limited")


def test_who_is_refused_asks_the_store_nothing(site, limited):
    """Though no verdict is remembered, and so each request finds its limits anew."""
    site.settings["workers"] = 1
    site.settings["cache"] = {"tokens": 0}
    limited({"per": "user", "requests": 3, "window": "1h"})
    token = site.issuer.token()
    for _ in range(3):
        site.accepted(site.post(token))
    for _ in range(5):
        assert site.send(site.post(token)).audit["reason"] == "rate_limited"
    assert site.metric("gatehouse_rate_takes_total") == 4


def test_guesses_at_sessions_count(limited):
    site = limited({"per": "user", "requests": 3})
    token = site.issuer.token()
    guess = site.post(token).also("Mcp-Session-Id", "A" * 88)
    for _ in range(3):
        assert site.send(guess).audit["reason"] == "session_unknown"
    assert_limited(site, token)


@pytest.mark.redis
def test_other_numbers_count_from_the_reload_on(limited):
    site = limited({"per": "user", "requests": 2, "window": "1h"})
    token = site.issuer.token()
    for _ in range(2):
        site.accepted(site.post(token))
    assert site.send(site.post(token)).status == 429
    site.route["rate_limits"][0]["requests"] = 4
    site.reload()
    for _ in range(2):
        site.accepted(site.post(token))
    assert site.send(site.post(token)).status == 429
    del site.route["rate_limits"]
    site.reload()
    for _ in range(3):
        site.accepted(site.post(token))


def statuses(sites, token, count):
    """Of so many requests at once, at one site after the other."""
    def one(number):
        site = sites[number % len(sites)]
        with site.connect() as connection:
            connection.send(site.post(token).wire())
            return connection.read().status
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.redis
@pytest.mark.threads
def test_a_volley_gets_what_there_is(limited):
    site = limited({"per": "user", "requests": 15, "window": "1h"})
    site.upstream.script = echo
    found = statuses([site], site.issuer.token(), 40)
    assert (found.count(200), found.count(429)) == (15, 25), found


def test_three_gateways_count_together(site):
    """What lies idle in lots is a sixteenth at most, of what was left when it was taken."""
    server = Server()
    site.upstream.script = echo
    site.settings["store"] = {"url": f"redis+unix://{server.socket}"}
    site.route["rate_limits"] = [{"per": "user", "requests": 400, "window": "1h"}, {"per": "client", "requests": 10000}]
    server.used_by(site)
    three = [site] + [neighbour_of(site, name) for name in ("neighbour", "third")]
    try:
        for one in three:
            one.start()
        aud = site.route["resource"]
        found = statuses(three, site.issuer.token(aud=aud), 900)
        assert set(found) == {200, 429}
        print(found.count(200), [one.metric("gatehouse_rate_takes_total") for one in three])
        assert 360 <= found.count(200) <= 400, found.count(200)
        assert sum(one.metric("gatehouse_rate_takes_failed_total") for one in three) == 0
        others = statuses(three, site.issuer.token(aud=aud, sub="bert"), 30)
        assert set(others) == {200}
    finally:
        for one in three[1:]:
            one.stop()
        site.stop()
        server.remove()


@pytest.fixture
def away(site):
    """A site over a Redis, with a limit for each fail mode, that is told when to do without."""
    server = Server()
    site.settings["store"] = {"url": f"redis+unix://{server.socket}", "timeout": "1s"}
    site.settings["workers"] = 1
    site.route["revocation"] = {"fail": "open"}
    for mode in ("local", "open", "closed"):
        resource = f"{site.origin}/{mode}/mcp"
        site.settings["routes"].append({**site.route, "name": mode, "resource": resource,
                                        "rate_limits": [{"per": "user", "requests": 4, "window": "1h", "fail": mode}]})
    server.used_by(site)
    site.start()
    site.server_behind = server
    yield site
    site.stop()
    server.remove()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_what_counts_while_the_store_is_away(away, how):
    server = away.server_behind

    def status(mode, sub="anna"):
        return away.send(away.post(away.issuer.token(sub=sub, aud=f"{away.origin}/{mode}/mcp"), target=f"/{mode}/mcp")).status
    for mode in ("local", "open", "closed"):
        assert [status(mode, "early") for _ in range(5)] == [200] * 4 + [429]
    if how == "killed":
        server.end()
    else:
        server.process.send_signal(signal.SIGSTOP)
    assert [status("local") for _ in range(6)] == [200] * 4 + [429] * 2
    assert [status("open") for _ in range(6)] == [200] * 6
    assert [status("closed") for _ in range(3)] == [503] * 3
    assert [status(mode, "early") for mode in ("local", "open", "closed")] == [429] * 3  # what the store said last still counts
    assert away.metric("gatehouse_rate_takes_failed_total") > 0
    if how == "killed":
        server.start()
    else:
        server.process.send_signal(signal.SIGCONT)
    until(lambda: status("closed") == 200, "the store's word again")
    assert [status("local", "bert") for _ in range(5)] == [200] * 4 + [429]
