"""A gateway whose Redis is chosen by Sentinels: over TLS, over failovers, and when it is cut off with a master of yesterday."""
import os
import signal

import pytest

from support.failover import Failovers
from support.pair import start_two
from support.proxy import Proxy, swallowed
from support.sentinels import NAME, Replicated, address_of, facts_of
from support.wait import until
from test_code_flow import keep_house, signed_in
from test_revocation import ask_revoke, assert_revoked, revoke

ROUNDS = 10
EVE = {"level": "user", "tenant": "acme", "issuer": "idp", "id": "eve"}


@pytest.fixture
def replicated():
    made = Replicated()
    yield made
    made.remove()


def set_store(site, url, **more):
    site.settings["store"] = {"url": url, "replicas": 1, "poll": "10ms", **more}
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    return site


@pytest.fixture
def store(site, replicated):
    return set_store(site, replicated.url)


def test_what_was_acknowledged_outlives_the_master(site, replicated):
    house = keep_house(site)
    house.settings["store"] = {"url": replicated.url, "replicas": 1}
    pair = start_two(house)
    try:
        browser, client = signed_in(pair)
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
    until(lambda: ask_revoke(store, EVE)[0] == 200, "acknowledgement")
    until(lambda: store.send(store.post(good)).status == 200, "acceptance")
    assert_revoked(store, bad, good)
    assert chosen.say("XLEN", "{gh}:log") == 1 and old.say("XLEN", "{gh}:log") == 0


def test_a_master_that_is_being_left_is_not_believed(site):
    """The Sentinel that leads a failover names it with the new epoch among its facts until all replicas follow the next one. One does not
    follow here, so that what is written to the old one reaches a replica."""
    replicated = Replicated(last=("--replica-priority", "200"))
    try:
        old, chosen, stuck = replicated.servers
        leader = replicated.sentinels[0]
        set_store(site, f"redis+sentinel://127.0.0.1:{leader.port}/{NAME}")
        site.start()
        bad, good = site.issuer.token(sub="eve"), site.issuer.token(sub="bob")
        site.accepted(site.post(bad))
        stuck.say("ACL", "SETUSER", "default", "-slaveof", "-replicaof")
        leader.say("SENTINEL", "SET", NAME, "failover-timeout", 60000)
        leader.say("SENTINEL", "FAILOVER", NAME)
        until(lambda: address_of(leader) == chosen.port, "another master")

        def is_being_left():
            return int(facts_of(leader)[b"port"]) == old.port and old.say("ROLE")[0] == b"master" and b"state=online" in old.say("INFO")
        assert is_being_left()
        old.say("CLIENT", "KILL", "TYPE", "normal")  # the gateway connects anew
        until(lambda: ask_revoke(site, EVE)[0] == 200 or "hears 0 of its replicas" in site.log(), "word of the next one")
        assert old.say("XLEN", "{gh}:log") == 0, "it was acknowledged where it will be lost"
        assert is_being_left(), "it was over before anything was tried"
        leader.say("SENTINEL", "SET", NAME, "failover-timeout", 2500)
        stuck.say("ACL", "SETUSER", "default", "+slaveof", "+replicaof")
        for server in (old, stuck):
            server.say("REPLICAOF", "127.0.0.1", chosen.port)
        until(lambda: ask_revoke(site, EVE)[0] == 200, "acknowledgement")
        until(lambda: site.send(site.post(good)).status == 200, "acceptance")
        assert_revoked(site, bad, good)
        until(replicated.is_whole, "two replicas")
        assert_revoked(site, bad, good)
    finally:
        replicated.remove()


def test_a_failover_right_behind_another(store, replicated):
    """The second master dies before its replica has that there was such a master: the third one does not know of it."""
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    revoke(store, "user", id="eve")
    until(lambda: len({server.say("GET", "{gh}:sequence") for server in replicated.servers}) == 1, "the same at all servers")
    store.process.send_signal(signal.SIGSTOP)
    first = replicated.killed()
    second = until(lambda: replicated.master() is not first and replicated.master(), "another master")
    third, = [server for server in replicated.servers if server not in (first, second)]
    link = Proxy(second.port, framed=False)
    try:
        until(lambda: second.say("INFO", "replication").count(b"state=online") == 1, "a replica")
        third.say("REPLICAOF", "127.0.0.1", link.port)
        words = (b"master_port:%d" % link.port, b"master_link_status:up")
        until(lambda: all(word in third.say("INFO", "replication") for word in words), "a replica by the other way")
        before = second.say("GET", "{gh}:histories")
        link.answers = swallowed  # it is heard, and hears nothing
        store.process.send_signal(signal.SIGCONT)
        until(lambda: second.say("GET", "{gh}:histories") != before, "another history")
        second.kill()
    finally:
        link.close()
    until(lambda: replicated.master() is third, "the last one as master")
    assert third.say("GET", "{gh}:histories").count(b"\n") == before.count(b"\n")
    for server in (first, second):
        server.start("--replicaof", f"127.0.0.1 {third.port}")
    until(lambda: store.send(store.post(good)).status == 200, "acceptance")
    assert_revoked(store, bad, good)


def test_sentinels_that_are_silent_are_told_of(store, replicated):
    store.settings["store"]["url"] = f"redis+sentinel://127.0.0.1:{replicated.sentinels[0].port}/{NAME}"
    store.start()
    replicated.sentinels[0].kill(signal.SIGSTOP)
    until(lambda: "no Sentinel says any more" in store.log(), "word of it")
    good = store.issuer.token(sub="bob")
    store.accepted(store.post(good))
    replicated.sentinels[0].kill()
    replicated.servers[0].say("CLIENT", "KILL", "TYPE", "normal")
    until(lambda: store.send(store.post(good)).audit["reason"] == "store_down", "refusal")
    assert store.log().count("no Sentinel says any more") == 1 and "no Sentinel says where" in store.log()


def test_tls_all_the_way(site, authority):
    replicated = Replicated(authority)
    try:
        set_store(site, replicated.url, ca_file=authority.path).start()
        bad, good = site.issuer.token(sub="eve"), site.issuer.token(sub="bob")
        site.accepted(site.post(bad))
        revoke(site, "user", id="eve")
        replicated.take_back(replicated.killed())
        until(lambda: site.send(site.post(good)).status == 200, "acceptance")
        assert_revoked(site, bad, good)
    finally:
        replicated.remove()
