"""Rounds in which the master is killed at the moment at which it has acknowledged something: that must hold at every gateway."""
import random
import threading
import time

from .ending import ENDINGS, ask, tokens_of
from .pair import token_request
from .wait import until


# Seconds from the acknowledgement: 2 of max_stale, and a machine that is slow.
BOUND = 5.0


class Failovers:
    """`say` is told of each round. Random choices are those of `seed`."""

    def __init__(self, pair, browser, client, redis, seed):
        self.pair, self.browser, self.client, self.redis = pair, browser, client, redis
        self.random, self.acknowledged, self.took = random.Random(seed), 0, []

    def patiently(self, act):
        """What `act` gives. A machine that stands still for a second has a failover that nobody asked for: it is answered 503, promises
        nothing, and is waited for."""
        def tried():
            try:
                return act()
            except AssertionError as error:
                if "503" not in str(error):
                    raise
                return None
        return until(tried, "service")

    def tokens(self):
        return self.patiently(lambda: tokens_of(self.client, self.browser))

    def statuses(self, tokens):
        return [site.send(site.post(tokens["access_token"])).status for site in self.pair]

    def refused(self, tokens):
        found = self.statuses(tokens)
        assert 200 not in found, "what was revoked was served"
        return found == [401, 401]

    def answered(self):
        """400 where the store can be asked: there is no such code."""
        request = token_request(self.client, grant_type="authorization_code", code="none", code_verifier="a" * 43)
        return [ask(site, request)[0] for site in self.pair]

    def asked(self, request):
        """(status, what was told) at both, by whoever could ask its store."""
        def one(site):
            status, told = ask(site, request)
            assert status != 503, (status, told)
            return status, told
        return [self.patiently(lambda site=site: one(site)) for site in self.pair]

    def struck(self, act):
        """(what the act gave, the killed server): the master dies when the act is done, or somewhere in the middle of it."""
        master = until(self.redis.master, "a master")
        if self.random.random() < 0.5:
            told = act()
            master.kill()
            return told, master
        killer = threading.Timer(self.random.uniform(0, 0.004), master.kill)
        killer.start()
        told = act()
        killer.join()
        return told, master

    def recovered(self, good, forbidden=None, at=0):
        """Until both serve again. What was revoked at one of them is never served there; the other may not have heard of it, and
        serves it as long as it may serve anything without a store (`max_stale`)."""
        began = time.monotonic()

        def serve():
            if forbidden is not None:
                statuses = self.statuses(forbidden)
                assert statuses[at] != 200, "what was revoked was served where that was acknowledged"
                assert statuses[1 - at] != 200 or time.monotonic() - began < BOUND, "what was revoked was served for too long"
            time.sleep(0.1)  # within what one client may ask for
            return self.answered() == [400, 400] and self.statuses(good) == [200, 200]
        until(serve, "service at both")
        self.took.append(time.monotonic() - began)

    # ---- one round each

    def revocation(self, good):
        bad, level, at = self.tokens(), self.random.choice(("token", "grant")), self.random.randrange(2)

        def act():
            try:
                ENDINGS[level](self.pair[at], self.client, bad)
                return True
            except AssertionError:  # 503: nothing was promised
                return False
        acknowledged, server = self.struck(act)
        self.recovered(good, bad if acknowledged else None, at)
        self.redis.take_back(server)
        if acknowledged:
            until(lambda: self.refused(bad), "refusal at both")
        return acknowledged

    def redemption(self, good):
        """Whatever was answered, one of all that present a code gets tokens, and only one."""
        code = self.patiently(lambda: self.client.code_of(self.browser.open(self.client.url())))
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": self.client.verifier}
        (status, told), server = self.struck(lambda: ask(self.pair[0], token_request(self.client, **form)))
        assert status in (200, 503), told
        self.recovered(good)
        self.redis.take_back(server)
        again = self.asked(token_request(self.client, **form))
        assert (status == 200) + sum(one[0] == 200 for one in again) <= 1, "a code was spent twice"
        assert {one[0] for one in again} <= {200, 400}, again
        return status == 200

    def refresh(self, good):
        """Who had a successor from one gateway gets no other one from the next."""
        first = self.tokens()
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        (status, told), server = self.struck(lambda: ask(self.pair[0], token_request(self.client, **form)))
        assert status in (200, 503), told
        self.recovered(good)
        again = self.asked(token_request(self.client, **form))
        self.redis.take_back(server)
        given = {one["refresh_token"] for one in [told] + [one[1] for one in again] if "refresh_token" in one}
        assert len(given) <= 1, "the family has forked"
        assert {one[0] for one in again} <= {200, 400}, again
        return status == 200

    def words(self):
        """What the gateways say of their store: for whoever reads of a round that failed."""
        for site in self.pair:
            yield from (line.rstrip() for line in site.log().splitlines() if "store" in line)

    def run(self, rounds):
        """How many of them had been acknowledged."""
        try:
            return self.play(rounds)
        except AssertionError:
            print(*self.words(), sep="\n")
            raise

    def play(self, rounds):
        good, acts = self.tokens(), (self.revocation, self.redemption, self.refresh)
        for number in range(rounds):
            self.acknowledged += acts[number % len(acts)](good)
            good = self.tokens()
        return self.acknowledged
