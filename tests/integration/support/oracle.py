"""Who holds gateways to the bound while something goes wrong: each is asked all the time with a token that will be revoked and with one
that will not, and the server behind records who came, and when."""
import json
import threading
import time

from .http1 import Broken
from .upstream import echo
from .wait import until

STALE = 1  # seconds: revocation.max_stale of the routes that are asked
BOUND = STALE + 4.0  # the rest is for a machine that is slow
PAUSE = 0.01
REVOKED = "The access token was revoked"


class Oracle:
    """`judge` tells whether all went well. Statuses are those of the bad one and of the good one, by site."""

    def __init__(self, sites, bad, good):
        self.sites, self.wrong, self.acknowledged, self.teller = sites, [], None, None
        self.last, self.rounds, self.over = [(0, 0)] * len(sites), [0] * len(sites), threading.Event()
        self.asked = {}  # by the number of a request with the bad one: when it was sent, and to which site
        self.arrived = {}  # by the same: when it came to the server behind
        self.bad, self.good = bad, good
        sites[0].upstream.script = self.record
        self.threads = [threading.Thread(target=self.watch, args=(at,), daemon=True) for at in range(len(sites))]
        for thread in self.threads:
            thread.start()
        for at in range(len(sites)):
            self.await_statuses(at, 200, 200)

    def record(self, call):
        """The script of the server behind."""
        number = json.loads(call.seen.body)["id"]
        if number in self.asked:
            self.arrived[number] = time.monotonic()
        echo(call)

    def revoked(self, at):
        """That site has acknowledged it: whoever comes there from now on is refused."""
        self.acknowledged, self.teller = time.monotonic(), at

    # ---- asking

    def watch(self, at):
        number, has_closed = at, False
        while not self.over.is_set():
            number += 2 * len(self.sites)
            self.asked[number] = (time.monotonic(), at)
            known = self.acknowledged is not None
            bad, words = self.ask(at, number, self.bad)
            good, _ = self.ask(at, -number, self.good)
            if bad not in (200, 401, 503) or good not in (200, 503) or (bad == 401 and REVOKED not in words):
                self.wrong.append(f"site {at}: {bad} {words!r}, {good}")
            if bad == 200 and has_closed:
                self.wrong.append(f"site {at}: the revoked one passed behind a refusal")
            has_closed = has_closed or bad == 401 or (bad == 503 and known)
            self.last[at] = (bad, good)
            self.rounds[at] += 1
            self.over.wait(PAUSE)

    def ask(self, at, number, token):
        site = self.sites[at]
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}).encode()
        try:
            with site.connect() as connection:
                connection.send(site.post(token, body=body).wire())
                answer = connection.read()
                return answer.status, answer["www-authenticate"] or ""
        except (Broken, OSError) as error:
            return 0, repr(error)

    # ---- what has come of it

    def await_statuses(self, at, bad, good):
        """Of a round that begins from now on."""
        rounds = self.rounds[at] + 1
        until(lambda: (self.rounds[at] > rounds and self.last[at] == (bad, good)) or self.wrong,
              f"{bad} for the revoked one and {good} for the other at site {at}")
        assert not self.wrong, self.wrong[:5]

    def stays_closed(self, at, rounds=20):
        """For so many more rounds."""
        end = self.rounds[at] + rounds
        until(lambda: self.last[at] != (503, 503) or self.rounds[at] >= end, "more rounds")
        assert self.last[at] == (503, 503), self.last[at]

    def judge(self):
        """At the end."""
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, self.wrong[:5]
        late = [self.asked[number][1] for number, moment in self.arrived.items() if moment > self.acknowledged + BOUND]
        assert not late, f"the server behind saw the revoked one later than {BOUND} s after the acknowledgement, by sites {late}"
        behind = [number for number in self.arrived if self.asked[number][1] == self.teller and self.asked[number][0] > self.acknowledged]
        assert not behind, f"the one that acknowledged let {len(behind)} pass who came later"

    def close(self):
        self.over.set()
        self.sites[0].upstream.script = echo
