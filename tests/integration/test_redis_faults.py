"""A network and a Redis that misbehave, while a token is revoked: the server behind sees it no later than the bound, whatever goes wrong.

One gateway reaches Redis directly, the other one through a proxy that has the fault."""
import pytest

from support.oracle import STALE, Oracle
from support.pair import neighbour_of
from support.proxy import LOOKS, Cut, Proxy, replaced, swallowed
from support.redis import Server
from support.wait import until
from test_redis import refused_at_the_start
from test_revocation import ask_revoke, assert_revoked, revoke

DIRECT, BEHIND = 0, 1  # of the pair
EVE = {"level": "user", "tenant": "acme", "issuer": "idp", "id": "eve"}
LATE = "within 500 ms"  # store.timeout of the one behind the proxy
MALLORY = {**EVE, "id": "mallory"}


@pytest.fixture
def server():
    made = Server("--enable-debug-command", "yes")
    made.used_by("the test")
    yield made
    made.remove()


@pytest.fixture
def proxy(server):
    made = Proxy(server.socket)
    yield made
    made.close()


@pytest.fixture
def store(site, server):
    """Not yet started."""
    site.settings["store"] = {"url": f"redis+unix://{server.socket}", "poll": "10ms"}
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    site.settings["shared_sources"] = ["127.0.0.1/32"]
    site.route["revocation"] = {"max_stale": f"{STALE}s"}
    return site


@pytest.fixture
def pair(store, proxy):
    behind = neighbour_of(store)
    store.issuer.resource = store.route["resource"]
    behind.settings["store"].update(url=f"redis://127.0.0.1:{proxy.port}", timeout="500ms")
    yield store.start(), behind.start()
    behind.stop()


@pytest.fixture
def oracle(pair):
    made = Oracle(pair, bad=pair[0].issuer.token(sub="eve"), good=pair[0].issuer.token(sub="bob"))
    yield made
    made.close()


def revoke_by(oracle, at):
    revoke(oracle.sites[at], "user", id="eve")
    oracle.revoked(at)


def recovers(oracle):
    """What was revoked stays so, everybody else is served, and both take revocations again."""
    for at in (DIRECT, BEHIND):
        oracle.await_statuses(at, 401, 200)
        until(lambda at=at: ask_revoke(oracle.sites[at], MALLORY)[0] == 200, "acknowledgement")
    oracle.judge()


# ---- the network

def too_slow(proxy):
    proxy.slow = (1, 0.01)


NETWORK = {
    "partition": (Proxy.partition, LATE),
    "requests pass and answers do not": (lambda proxy: proxy.spoil(swallowed), LATE),
    "all is late": (Proxy.hold, LATE),
    "a byte each 10 ms": (too_slow, LATE),
    "refused": (Proxy.refuse, "Connection refused"),
}


@pytest.mark.parametrize("fault", NETWORK)
def test_a_gateway_that_is_cut_off_closes(pair, proxy, oracle, fault):
    begin, words = NETWORK[fault]
    begin(proxy)
    revoke_by(oracle, DIRECT)
    oracle.await_statuses(BEHIND, 503, 503)
    oracle.stays_closed(BEHIND)
    assert ask_revoke(pair[BEHIND], MALLORY)[0] == 503
    until(lambda: words in pair[BEHIND].log(), "word of it")
    oracle.await_statuses(DIRECT, 401, 200)
    proxy.heal()
    recovers(oracle)


def test_connections_that_break_are_made_anew(pair, proxy, oracle):
    for _ in range(10):
        made = proxy.asked["INFO"]
        proxy.reset()
        until(lambda made=made: proxy.asked["INFO"] > made, "another connection")
    revoke_by(oracle, DIRECT)
    recovers(oracle)


def test_a_link_that_brings_single_bytes(proxy, oracle):
    proxy.slow = (1, 0)
    oracle.await_statuses(BEHIND, 200, 200)
    revoke_by(oracle, BEHIND)
    recovers(oracle)


def on_commit_of(who, proxy, act, *words):
    """When the commit comes that revokes somebody, before it goes on. Gateways commit for themselves too."""
    def judge(name, raw):
        if name == "commit" and who in raw:
            act(*words)
        return raw
    proxy.commands = judge


def test_a_commit_in_doubt_is_not_acknowledged_and_not_lost(pair, proxy, oracle):
    """It came to the server, and only the answer did not come back."""
    on_commit_of(b"eve", proxy, proxy.spoil, swallowed)
    assert ask_revoke(pair[BEHIND], EVE)[0] == 503
    oracle.await_statuses(DIRECT, 401, 200)
    oracle.revoked(DIRECT)
    oracle.await_statuses(BEHIND, 503, 503)
    proxy.heal()
    recovers(oracle)


def test_a_commit_that_comes_late(pair, proxy, oracle):
    """It was answered 503 long ago, and counts all the same, for both alike."""
    on_commit_of(b"eve", proxy, proxy.hold)
    assert ask_revoke(pair[BEHIND], EVE)[0] == 503
    oracle.await_statuses(BEHIND, 503, 503)
    oracle.await_statuses(DIRECT, 200, 200)
    proxy.heal()
    oracle.await_statuses(DIRECT, 401, 200)
    oracle.revoked(DIRECT)
    recovers(oracle)


def test_a_history_of_yesterday_comes_late(store, proxy, server):
    """The server has another one by then, which is not to be followed by that."""
    behind = neighbour_of(store)
    store.issuer.resource = store.route["resource"]
    behind.settings["store"].update(url=f"redis://127.0.0.1:{proxy.port}", timeout="500ms")
    behind.start()

    def judge(name, raw):
        if name == "set up":
            proxy.hold()
        return raw
    proxy.commands = judge
    try:
        with server.asked() as say:
            say("DEBUG", "CHANGE-REPL-ID")
            until(lambda: not proxy.gate.is_set(), "a history on its way")
            say("DEBUG", "CHANGE-REPL-ID")
        store.start()
        proxy.heal()
        for site in (store, behind):
            until(lambda site=site: ask_revoke(site, MALLORY)[0] == 200, "acknowledgement")
        until(lambda: ask_revoke(store, MALLORY)[0] == 200, "acknowledgement")
    finally:
        behind.stop()


# ---- word of revocations

def test_lost_notifications(proxy, oracle):
    """Whoever commits is answered, and what the log says never comes."""
    proxy.spoil(replaced(b"", LOOKS))
    revoke_by(oracle, DIRECT)
    oracle.await_statuses(BEHIND, 503, 503)
    oracle.stays_closed(BEHIND)
    proxy.heal()
    recovers(oracle)


def test_who_acknowledges_knows_of_it(pair, proxy, oracle):
    """The commit is answered, and what the log says of it is not."""
    on_commit_of(b"eve", proxy, proxy.spoil, replaced(b"", ("XRANGE",)))
    assert ask_revoke(pair[BEHIND], EVE)[0] == 503
    assert proxy.lost["XRANGE"]
    oracle.await_statuses(DIRECT, 401, 200)
    oracle.revoked(DIRECT)
    proxy.heal()
    recovers(oracle)


def test_an_answer_too_many_is_nobodys(pair, proxy, oracle):
    on_commit_of(b"eve", proxy, proxy.spoil, lambda name, raw: raw + raw if name == "commit" else raw)
    assert ask_revoke(pair[BEHIND], EVE)[0] == 503
    oracle.await_statuses(DIRECT, 401, 200)
    oracle.revoked(DIRECT)
    proxy.heal()
    recovers(oracle)


# ---- answers that are none

JUNK = {
    "no protocol": b"\x00\xff\x1b[2Jjunk\r\n\r\n",
    "cut short": Cut(b"$40\r\n0123456789"),
    "never ends": b"$40\r\n0123456789",
    "a huge text": b"$1099511627776\r\n",
    "a huge array": b"*2147483647\r\n",
    "negative": b"$-7\r\n",
    "nested": b"*1\r\n" * 64,
    "a number": b":1\r\n",
    "a status": b"+OK\r\n",
    "nothing": b"$-1\r\n",
    "an array of nothing": b"*2\r\n$-1\r\n$-1\r\n",
    "an error": b"-ERR no\r\n",
    "no memory": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "moved": b"-MOVED 1 127.0.0.1:1\r\n",
    "another": b"-READONLY You can't write against a read only replica.\r\n",
}


def gets_junk(proxy, kinds, names):
    """Each comes in the place of an answer at least once."""
    for what in kinds:
        given = proxy.lost.total()
        proxy.spoil(replaced(JUNK[what], names))
        until(lambda given=given: proxy.lost.total() > given, f"use of {what}")


def test_garbage(pair, proxy, oracle):
    """Of the log first, then of what the server is."""
    proxy.spoil(replaced(JUNK["no protocol"], LOOKS))
    revoke_by(oracle, DIRECT)
    gets_junk(proxy, JUNK, LOOKS)
    oracle.await_statuses(BEHIND, 503, 503)
    gets_junk(proxy, ("cut short", "a huge text", "nested", "loading"), ("INFO",))
    oracle.stays_closed(BEHIND)
    assert "what is no reply" in pair[BEHIND].log()
    proxy.heal()
    recovers(oracle)


def test_garbage_in_the_place_of_an_acknowledgement(pair, proxy, oracle):
    revoke_by(oracle, BEHIND)
    for what, junk in JUNK.items():
        if what == "a number":  # such a low one is a server that has forgotten, for good
            continue
        until(lambda: oracle.last[BEHIND][1] == 200 and ask_revoke(pair[BEHIND], MALLORY)[0] == 200, "health")
        on_commit_of(b"mallory", proxy, proxy.spoil, replaced(junk, ("commit",)))
        given = proxy.lost["commit"]
        assert ask_revoke(pair[BEHIND], MALLORY)[0] == 503, what
        assert proxy.lost["commit"] > given, what
        proxy.heal()
    recovers(oracle)


# ---- the server

def test_a_server_that_begins_to_throw_away(store, server):
    """It was set right when it was asked about that."""
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    revoke(store, "user", id="eve")
    assert_revoked(store, bad, good)
    with server.asked() as say:
        say("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1")
        until(lambda: say("DBSIZE") == 0, "eviction of all")
        until(lambda: store.send(store.post(good)).status == 503, "refusal")
        assert store.send(store.post(bad)).status in (401, 503)
        assert ask_revoke(store, MALLORY)[0] == 503
        assert "emptied" in store.log()


def test_a_log_that_was_thrown_away_alone(store, server):
    """The other keys are there: who reads an empty log must not take it for the whole one."""
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    revoke(store, "user", id="eve")
    assert_revoked(store, bad, good)
    store.stop()
    with server.asked() as say:
        assert say("DEL", "{gh}:log") == 1
    refused_at_the_start(store)


def test_a_full_server_enforces_what_is_known(store, server):
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    revoke(store, "user", id="eve")
    with server.asked() as say:
        say("CONFIG", "SET", "maxmemory", "1")
        assert ask_revoke(store, MALLORY)[0] == 503
        assert_revoked(store, bad, good)
        until(lambda: "OOM" in store.log(), "word of it")
        say("CONFIG", "SET", "maxmemory", "0")
    until(lambda: ask_revoke(store, MALLORY)[0] == 200, "acknowledgement")
    assert_revoked(store, store.issuer.token(sub="mallory"), good)


def test_a_cold_start_without_redis(store, proxy, server):
    """It serves nobody before it knows what is revoked."""
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    revoke(store, "user", id="eve")
    store.stop()
    store.settings["store"].update(url=f"redis://127.0.0.1:{proxy.port}", timeout="500ms")
    proxy.partition()
    assert LATE in refused_at_the_start(store)
    proxy.heal()
    server.end()
    assert "the server did not answer" in refused_at_the_start(store)
    server.start()
    proxy.spoil(replaced(b"", LOOKS))  # it starts, and hears nothing
    store.start(ready=None)
    until(lambda: proxy.lost["MGET"] > 1, "a look at the log")
    assert store.admin("/readyz")[0] != 200
    proxy.heal()
    until(lambda: store.answers("/readyz"), "readiness")
    assert_revoked(store, bad, good)
