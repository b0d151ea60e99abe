"""Two processes that are one issuer, as behind a balancer: one store, one folder of keys, one URL, a port for each."""
import copy
import json
import urllib.parse

from .gateway import Gateway
from .http1 import Connection, Request
from .issuer import claims_of
from .store import rows_of

PRESENTERS = 50


def neighbour_of(site, name="neighbour"):
    """Another process with the settings of the first, for the same hosts; it has a port and files of its own."""
    made = Gateway(site.folder, site.issuer, site.upstream, name=name)
    own = made.settings
    made.settings = copy.deepcopy(site.settings)
    made.settings.update(listen=own["listen"], admin=own["admin"], audit=own["audit"])
    made.authority, made.origin = site.authority, site.origin
    return made


def start_two(site):
    """Both, ready. So many sign-ins from one address are the test's own."""
    site.settings["shared_sources"] = ["127.0.0.1/32"]
    return site.start(), neighbour_of(site).start()


def token_request(client, **form):
    body = urllib.parse.urlencode({"client_id": client.asked["client_id"], **form}).encode()
    return Request("POST", "/oauth/token", (("Host", client.site.authority), ("Content-Type", "application/x-www-form-urlencoded")), body)


def volley(sites, request, count=PRESENTERS):
    """(status, JSON) of each of so many presenters of one request: all are connected before the first sends."""
    raw, connections = request.wire(), [Connection(sites[i % len(sites)].port) for i in range(count)]
    for connection in connections:
        connection.send(raw)
    answers = [connection.read() for connection in connections]
    for connection in connections:
        connection.close()
    return [(answer.status, json.loads(answer.body)) for answer in answers]


class Race:
    """Rounds of parallel redemptions and refreshes at both processes; each holds its answers and the store to what they promise."""

    def __init__(self, sites, browser, client):
        self.sites, self.browser, self.client = sites, browser, client

    def conflicts(self):
        return sum(site.metric("gatehouse_store_conflicts_total") for site in self.sites)

    def code(self):
        return self.client.code_of(self.browser.open(self.client.url()))

    def is_accepted(self, token):
        return [site.send(site.post(token)).status for site in self.sites]

    def family(self, tokens):
        """(its row is there, rows of refresh tokens that name it)"""
        rows, key = rows_of(self.sites[0]), f"/{sid_of(tokens)}"
        found = [json.loads(value).get("grant", "") for name, value, _ in rows if name.startswith("refresh/")]
        return any(name.startswith("grant/") and name.endswith(key) for name, _, _ in rows), sum(name.endswith(key) for name in found)

    def redemptions(self):
        """One code in many hands: one of them gets tokens, and the others take these away again (RFC 6749 section 4.1.2)."""
        form = {"grant_type": "authorization_code", "code": self.code(), "code_verifier": self.client.verifier}
        answers = volley(self.sites, token_request(self.client, **form))
        won = [told for status, told in answers if status == 200]
        assert len(won) == 1, f"{len(won)} of {len(answers)} got tokens for one code"
        assert {(status, told["error"]) for status, told in answers if status != 200} == {(400, "invalid_grant")}
        assert self.family(won[0]) == (False, 1)
        return won[0]

    def refreshes(self):
        """One refresh token in many hands at once: all get the same successor, and go on."""
        status, first = self.client.redeem(self.code())
        assert status == 200, first
        answers = volley(self.sites, token_request(self.client, grant_type="refresh_token", refresh_token=first["refresh_token"]))
        assert {status for status, _ in answers} == {200}, answers
        successors = {told["refresh_token"] for _, told in answers}
        assert len(successors) == 1 and first["refresh_token"] not in successors, "the family has forked"
        assert len({told["access_token"] for _, told in answers}) == len(answers) and len({sid_of(told) for _, told in answers}) == 1
        assert self.family(first) == (True, 2)
        assert self.is_accepted(answers[0][1]["access_token"]) == [200] * len(self.sites)
        status, told = self.client.token(grant_type="refresh_token", refresh_token=successors.pop())
        assert status == 200, told  # nobody is stranded
        return told

    def run(self, rounds):
        """(conflicts of redemptions, conflicts of refreshes)"""
        seen, counts = self.conflicts(), []
        for play in (self.redemptions, self.refreshes):
            for _ in range(rounds):
                play()
            seen, before = self.conflicts(), seen
            counts.append(seen - before)
        return counts


def sid_of(tokens):
    return claims_of(tokens["access_token"])["sid"]
