"""A gateway whose Redis is chosen by Sentinels: over TLS, over failovers, and when it is cut off with a master of yesterday."""
import os
import signal

import pytest

from support.browser import Browser
from support.failover import Failovers
from support.pair import start_two
from support.sentinels import NAME, Replicated
from support.wait import until
from test_code_flow import Client, keep_house, links
from test_revocation import ask_revoke, assert_revoked, revoke

ROUNDS = 10


@pytest.fixture
def replicated():
    made = Replicated()
    yield made
    made.remove()


@pytest.fixture
def store(site, replicated):
    site.settings["store"] = {"url": replicated.url, "replicas": 1, "poll": "10ms"}
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    return site


def test_what_was_acknowledged_outlives_the_master(site, replicated):
    house = keep_house(site)
    house.settings["store"] = {"url": replicated.url, "replicas": 1}
    pair = start_two(house)
    try:
        site.setup_link = lambda: links(pair[1], 1)[-1]
        browser, client = Browser(site), Client(site)
        browser.set_up()
        client.code_of(browser.allow(browser.open(client.url())))
        seed = int.from_bytes(os.urandom(4), "big")
        print(f"seed {seed}")
        rounds = Failovers(pair, browser, client, replicated, seed)
        assert rounds.run(ROUNDS) > 0, "nothing was acknowledged: nothing was tried"
        print(f"{rounds.acknowledged} of {ROUNDS} acknowledged; served again after {max(rounds.took):.1f} s at most")
    finally:
        pair[1].stop()


def test_a_master_that_is_cut_off_is_not_believed(store, replicated):
    """Its replicas are silent, so another may have taken its place: what it says is not the newest."""
    store.start()
    good = store.issuer.token(sub="bob")
    store.accepted(store.post(good))
    for node in replicated.sentinels + [server for server in replicated.servers if server is not replicated.master()]:
        node.kill(signal.SIGSTOP)
    until(lambda: store.send(store.post(good)).audit["reason"] == "store_down", "refusal")
    assert "another may have taken its place" in store.log() or "no Sentinel says" in store.log()
    for node in replicated.sentinels + replicated.servers:
        node.kill(signal.SIGCONT)
    until(lambda: store.send(store.post(good)).status == 200, "acceptance")
    bad = store.issuer.token(sub="eve")
    until(lambda: replicated.is_whole(), "two replicas")
    revoke(store, "user", id="eve")
    assert_revoked(store, bad, good)


def test_a_master_that_sentinels_have_given_up_is_left(store, replicated):
    """It lives and has a replica, but what it acknowledges will be lost."""
    store.start()
    good = store.issuer.token(sub="bob")
    store.accepted(store.post(good))
    old = replicated.master()
    chosen, follower = [server for server in replicated.servers if server is not old]
    chosen.say("REPLICAOF", "NO", "ONE")
    until(lambda: b"connected_slaves:1" in old.say("INFO", "replication"), "one replica less")
    for sentinel in replicated.sentinels:
        sentinel.say("SENTINEL", "REMOVE", NAME)
        sentinel.say("SENTINEL", "MONITOR", NAME, "127.0.0.1", chosen.port, 2)
    until(lambda: "the Sentinels have chosen another server" in store.log(), "word of it")
    follower.say("REPLICAOF", "127.0.0.1", chosen.port)
    bad = store.issuer.token(sub="eve")
    until(lambda: ask_revoke(store, {"level": "user", "tenant": "acme", "issuer": "idp", "id": "eve"})[0] == 200, "acknowledgement")
    until(lambda: store.send(store.post(good)).status == 200, "acceptance")
    assert_revoked(store, bad, good)
    assert chosen.say("XLEN", "{gh}:log") == 1 and old.say("XLEN", "{gh}:log") == 0


def test_tls_all_the_way(site, authority):
    replicated = Replicated(authority)
    try:
        site.settings["store"] = {"url": replicated.url, "replicas": 1, "ca_file": authority.path}
        site.settings["issuers"]["idp"]["leeway"] = "0s"
        site.start()
        bad, good = site.issuer.token(sub="eve"), site.issuer.token(sub="bob")
        site.accepted(site.post(bad))
        revoke(site, "user", id="eve")
        replicated.take_back(replicated.killed())
        until(lambda: site.send(site.post(good)).status == 200, "acceptance")
        assert_revoked(site, bad, good)
    finally:
        replicated.remove()
