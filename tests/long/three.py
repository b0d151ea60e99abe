"""Three gateways over one Redis, one managed issuer: what is revoked at any of them, under load, and when all three enforce it."""
import asyncio
import collections
import contextlib
import json
import os
import random
import time
import urllib.parse

from pace import Aside, Held, Line, ask, at, body_of, offer, record
from parts import running_site
from support.browser import Browser
from support.command import told
from support.gateway import BINARY
from support.http1 import Request
from support.issuer import claims_of
from support.pair import neighbour_of
from support.redis import Server
from support.upstream import echo
from test_code_flow import CALLBACK, PASSWORD, Client, keep_house, links

SECONDS = float(os.environ.get("REVOCATIONS_SECONDS", "60"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
RATE, REACHED, A_SECOND = 2010, 2000, 10  # a little more is asked than is to be reached
MARK_MS, MOST_MS = 100.0, 1000.0
STALL_MS = 50  # a wait of Redis that it remembers
TIMEOUT = 10  # seconds, for what should be there in a moment
# A tenant takes all with it: one of its own, which is given new tokens from the next second on. No `instance`: tokens bound to a key
# are refused anyway.
KINDS = {"token": 25, "grant": 25, "user": 15, "client": 15, "agent": 15, "tenant": 5}
TENANT_REST = 3.0
LEAD, PROBE, AFTER, LAST = 1.0, 0.005, 0.25, 1.0  # seconds: streams open before; between probes; between those behind a refusal; so long
BOUNDS = (1, 2, 5, 10, 20, 30, 40, 50, 60, 80, 100, 200, 500, 1000, float("inf"))
JSON_FORM, WEB_FORM = (("Content-Type", kind) for kind in ("application/json", "application/x-www-form-urlencoded"))


# ---- the three

@contextlib.contextmanager
def running_three(clients):
    """(three gateways, their server, the process behind them)"""
    server, behind = Server(), Aside(record)
    try:
        with running_site(echo) as site:
            foreign = site.settings["issuers"]["idp"]
            keep_house(site)
            site.route["upstream"] = f"http://127.0.0.1:{behind.read(30)}/mcp"
            site.settings["shared_sources"] = ["127.0.0.1/32"]  # so many sign-ins from one address are the test's own
            site.settings["limits"] = {"streams_per_principal": 1000}  # most of them are of one person
            site.settings["store"] = {"url": f"redis+unix://{server.socket}"}
            site.settings["issuers"]["idp"] = {**foreign, "leeway": "0s"}
            site.settings["issuers"]["house"]["managed"]["clients"].update(
                {name: {"redirect_uris": [CALLBACK], "consent": False} for name in clients})
            site.settings["tenants"]["acme"]["issuers"] = ["house", "idp"]
            host = f"localhost:{site.port}"
            site.settings["tenants"]["fleeting"] = {"hosts": [host], "issuers": ["idp"]}
            site.settings["routes"].append({**site.route, "name": "fleeting", "tenant": "fleeting", "scopes_supported": ["mcp:read"],
                                            "resource": f"http://{host}/weather/mcp"})
            server.used_by(site)
            with server.asked() as say:
                assert say("CONFIG", "GET", "maxmemory-policy")[1] == b"noeviction"
                say("CONFIG", "SET", "latency-monitor-threshold", STALL_MS)
            three = [site] + [neighbour_of(site, name) for name in ("neighbour", "third")]
            try:
                for one in three:
                    one.start()
                site.setup_link = lambda: links(three[-1], 1)[-1]
                yield three, server, behind
            finally:
                for one in three:
                    one.stop()
    finally:
        behind.end()
        server.remove()


# ---- whose access will end

class Victim:
    """A token, and all that it depends on."""

    def __init__(self, number, kind, access, **more):
        self.number, self.kind, self.access, self.more = number, kind, access, more
        self.claims = claims_of(access)


class People:
    """Makes victims, each of a grant of its own, and those who stay."""

    def __init__(self, site):
        self.site, self.ada, self.count, self.host = site, Browser(site), 0, f"localhost:{site.port}"
        self.ada.set_up()

    def make(self, kind, client):
        self.count += 1
        if kind == "tenant":
            return Victim(self.count, kind, self.site.issuer.token(aud=f"http://{self.host}/weather/mcp", iat=int(time.time())))
        if kind == "agent":
            return Victim(self.count, kind, self.site.issuer.token(aud=self.site.route["resource"], act={"sub": f"agi_{self.count}"}))
        return self.signed_in(kind, client, self.newcomer() if kind == "user" else self.ada)

    def signed_in(self, kind, name, browser):
        client = Client(self.site, name)
        status, tokens = client.redeem(client.code_of(browser.open(client.url())))
        assert status == 200, tokens
        return Victim(self.count, kind, tokens["access_token"], refresh=tokens["refresh_token"], client=name)

    def newcomer(self):
        made, browser = told(self.site, "user", "add", f"user{self.count}"), Browser(self.site)
        browser.submit(browser.open(made["link"]), password=PASSWORD, again=PASSWORD)
        return browser

    def request(self, victim, method="ping"):
        request = self.site.post(victim.access, body=body_of(victim.number, method))
        return (request.with_field("Host", self.host) if victim.kind == "tenant" else request).wire()


def planned(chance):
    """(second, kind) of each revocation."""
    plan, tenant_at = [], -TENANT_REST
    for number in range(int(SECONDS * A_SECOND)):
        second = (number + chance.random()) / A_SECOND
        kind, = chance.choices(list(KINDS), list(KINDS.values()))
        while kind == "tenant" and second < tenant_at + TENANT_REST:
            kind, = chance.choices(list(KINDS), list(KINDS.values()))
        tenant_at = second if kind == "tenant" else tenant_at
        plan.append((second, kind))
    return plan


# ---- ways to end it: each returns when it was acknowledged by that process, None where that said 503

def wish_of(victim):
    names = {"token": "jti", "grant": "sid", "user": "sub", "client": "client_id"}
    if victim.kind == "tenant":
        return {"level": "tenant", "tenant": "fleeting"}
    name = victim.claims["act"]["sub"] if victim.kind == "agent" else victim.claims[names[victim.kind]]
    return {"level": victim.kind, "tenant": "acme", "issuer": "idp" if victim.kind == "agent" else "house", "id": name}


async def post(port, request):
    line = await Line.to(port)
    status, head, body = await ask(line, request.wire())
    acknowledged = time.monotonic()
    line.close()
    assert status in (200, 503), (status, head, body)
    return acknowledged if status == 200 else None


async def by_admin(site, victim):
    fields = (("Host", f"127.0.0.1:{site.admin_port}"), JSON_FORM)
    return await post(site.admin_port, Request("POST", "/admin/v1/revoke", fields, json.dumps(wish_of(victim)).encode()))


async def by_client(site, victim):
    """RFC 7009: the access token alone, or with the refresh token its grant."""
    token = victim.access if victim.kind == "token" else victim.more["refresh"]
    body = urllib.parse.urlencode({"client_id": victim.more["client"], "token": token}).encode()
    return await post(site.port, Request("POST", "/oauth/revoke", (("Host", site.authority), WEB_FORM), body))


async def by_command(site, victim):
    wish = wish_of(victim)
    words = [f"--{name}={value}" for name, value in wish.items() if name != "id"] + (["--", wish["id"]] if "id" in wish else [])
    process = await asyncio.create_subprocess_exec(BINARY, "revoke", "-c", site.settings_file, *words, cwd=site.folder,
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said = (await process.communicate())[0]
    assert process.returncode == 0 or b"temporarily_unavailable" in said, said
    return time.monotonic() if process.returncode == 0 else None


def ways_of(kind):
    return [by_admin] * 5 + [by_command] + ([by_client] * 4 if kind in ("token", "grant") else [])


# ---- one revocation

async def sleep_until(moment):
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


class Ending:
    """One revocation at one of the three, looked at from all of them: an open stream and probes at each."""

    def __init__(self, people, three, kind, client, chance):
        self.people, self.three, self.kind, self.client = people, three, kind, client
        self.victim = None if kind == "tenant" else people.make(kind, client)  # that one a second before
        self.asked, self.way = chance.randrange(len(three)), chance.choice(ways_of(kind))
        self.acknowledged, self.refused, self.cut = None, [None] * len(three), [None] * len(three)
        self.wrong, self.behind_word, self.unheard = [], 0, 0

    async def live(self, moment):
        streams, watches = [], []
        try:
            await sleep_until(moment - LEAD)
            self.victim = self.victim or self.people.make(self.kind, self.client)
            raw = self.people.request(self.victim, "stream")
            streams = [await Held.at(site.port, raw) for site in self.three]
            if not all(stream.is_open() for stream in streams):
                self.wrong.append(f"no stream: {[stream.heard[-100:] for stream in streams]}")
            raw = self.people.request(self.victim)
            lines = [await Line.to(site.port) for site in self.three]
            if any([(await ask(line, raw))[0] != 200 for line in lines]):
                self.wrong.append("was refused beforehand")
            await sleep_until(moment)
            watches = [asyncio.create_task(self.watch(number, lines[number], raw)) for number in range(len(lines))]
            await self.revoke()
            await asyncio.gather(*watches, *[self.see_cut(number, stream) for number, stream in enumerate(streams)])
        except Exception as error:  # of one among hundreds
            self.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            for stream in streams:
                stream.transport.abort()
            for watch in watches:
                watch.cancel()

    async def revoke(self):
        """Until it is acknowledged, as an operator would."""
        end = time.monotonic() + TIMEOUT
        while self.acknowledged is None and time.monotonic() < end:
            self.acknowledged = await self.way(self.three[self.asked], self.victim)
            self.unheard += self.acknowledged is None
            await asyncio.sleep(AFTER if self.acknowledged is None else 0)
        assert self.acknowledged, "was never acknowledged"

    def is_over(self, number):
        since = time.monotonic() - self.acknowledged if self.acknowledged else 0.0
        return since > LAST and (self.refused[number] is not None or since > TIMEOUT)

    async def watch(self, number, line, raw):
        while not self.is_over(number):
            began = time.monotonic()
            if not line.open:
                line = await Line.to(self.three[number].port)
            status, head, _ = await ask(line, raw)
            self.judge(number, began, status, head)
            await asyncio.sleep(PROBE if self.refused[number] is None else AFTER)
        line.close()

    def judge(self, number, began, status, head):
        if status == 401 and b"was revoked" in head:
            self.refused[number] = self.refused[number] or time.monotonic()
        elif status != 200 or self.refused[number] is not None:
            self.wrong.append(f"{status} behind a refusal" if status == 200 else f"{status} {head[-100:]!r}")
        elif number == self.asked and self.acknowledged is not None and began > self.acknowledged:
            self.behind_word += 1

    async def see_cut(self, number, stream):
        done, _ = await asyncio.wait([stream.cut], timeout=TIMEOUT)
        self.cut[number] = stream.cut.result() if done else None

    def ms(self):
        """From the acknowledgement until all three refuse it and have cut its streams; endless where one did not."""
        moments = self.refused + self.cut
        return max(0.0, max(moments) - self.acknowledged) * 1000 if self.acknowledged and None not in moments else float("inf")

    def said(self):
        return f"{self.kind} {self.way.__name__} at {self.asked}"


# ---- the run

async def lateness(found):
    """How late this very process is: what it measures is that much too high."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(PROBE)
        found.append((time.monotonic() - began - PROBE) * 1000)


async def play(three, people, plan, endings, load, stayers):
    """(of each stream of those who stay, whether it was open all the time; how late the test was)"""
    streams = [await Held.at(site.port, people.request(one, "stream")) for site in three for one in stayers[::8]]
    late, start = [], time.monotonic() + 2 * LEAD
    clock = asyncio.create_task(lateness(late))
    load.pipe.send("go")
    await asyncio.gather(*[ending.live(start + second) for (second, _), ending in zip(plan, endings)])
    clock.cancel()
    return [stream.is_open() for stream in streams], late


async def ask_all_again(three, people, endings):
    """Answers other than the refusal, to each token once more at each gateway."""
    wrong = 0
    for site in three:
        line = await Line.to(site.port)
        for ending in endings:
            if not line.open:
                line = await Line.to(site.port)
            status, head, _ = await ask(line, people.request(ending.victim))
            wrong += status != 401 or b"was revoked" not in head
        line.close()
    return wrong


def run(report):
    chance = random.Random(SEED)
    plan = planned(chance)
    clients = [f"client{number}" if kind == "client" else "steady" for number, (_, kind) in enumerate(plan)]
    print(f"three gateways and one Redis, {SECONDS:.0f} s with {A_SECOND} revocations a second: SEED={SEED}", flush=True)
    with running_three({"steady", *clients}) as (three, server, behind):
        people, began = People(three[0]), time.monotonic()
        stayers = [people.make(kind, "steady") for kind in ("grant", "grant", "agent", "user") for _ in range(10)]
        endings = [Ending(people, three, kind, client, chance) for (_, kind), client in zip(plan, clients)]
        print(f"{people.count} tokens made in {time.monotonic() - began:.0f} s", flush=True)
        load = Aside(offer, [site.port for site in three], [people.request(one) for one in stayers], RATE, SECONDS + 3 * LEAD, SEED)
        try:
            assert load.read(30) == "ready"
            still_open, late = asyncio.run(play(three, people, plan, endings, load, stayers))
            done = load.read(60)
        finally:
            load.end()
        again = asyncio.run(ask_all_again(three, people, [ending for ending in endings if ending.victim]))
        behind.pipe.send("enough")
        count, last = behind.read(30)
        judge(report, endings, done, last)
        with server.asked() as say:
            stalls = [event[3] for event in say("LATENCY", "LATEST")]
        failures = sum(one.log().count("the store fails") for one in three)
    report.say(all(still_open), f"{len(still_open)} event streams of those who stay were open all the time",
               f"{still_open.count(False)} were not")
    report.say(again == 0, f"at the end {len(endings)} tokens once more at each gateway: all refused as revoked", f"{again} were not")
    waited = f"for {max(stalls)} ms at the longest" if stalls else f"never for {STALL_MS} ms"
    print(f"Redis waited {waited} for its disk, and the store failed {failures} times at the gateways; {count} requests came through")
    print(f"this test's own clock was late by p50 {at(late, 0.5):.1f} ms, p99 {at(late, 0.99):.1f} ms, at most {max(late):.1f} ms: as much "
          "may be in the figures above", flush=True)


def judge(report, endings, done, last):
    by_kind = collections.defaultdict(list)
    for ending in endings:
        by_kind[ending.kind].append(ending.ms())
    by_kind = {kind: by_kind[kind] for kind in KINDS if by_kind[kind]} | {"all": [ms for found in by_kind.values() for ms in found]}
    show(by_kind)
    for kind, found in by_kind.items():
        report.say(at(found, 0.99) < MARK_MS and max(found) < MOST_MS, f"{kind}: {len(found)} revocations, enforced at three gateways, "
                   f"streams cut, after p50 {at(found, 0.5):.1f} ms, p99 {at(found, 0.99):.1f} ms, at most {max(found):.1f} ms")
    unheard = sum(ending.unheard > 0 for ending in endings)
    report.say(all(ending.acknowledged for ending in endings),
               f"{len(endings)} revocations were acknowledged, {unheard} of them not at once but after a 503")
    wrong = [f"{ending.said()}: {what}" for ending in endings for what in ending.wrong]
    report.say(not wrong, "they went as they should, and nobody passed behind a refusal", wrong[:5])
    early = [ending.said() for ending in endings if ending.behind_word]
    report.say(not early, "the gateway that acknowledged let nobody pass who came later", f"{len(early)}: {early[:5]}")
    given = [ending for ending in endings if ending.acknowledged]
    later = [(last.get(ending.victim.number, 0) - ending.acknowledged) * 1000 for ending in given] or [float("inf")]
    report.say(max(later) < MOST_MS, f"the server behind saw a revoked token {max(later):.1f} ms after the acknowledgement at the latest")
    lost = done["asked"] - done["good"]
    report.say(lost == 0, f"{done['asked']} valid requests meanwhile, {lost} of them refused or failed", done["failures"])
    report.say(done["rate"] >= REACHED, f"{done['rate']:.0f} valid requests a second were answered well, after "
               "p50 {:.1f} ms, p99 {:.1f} ms, at most {:.1f} ms".format(*done["took"]))


def show(by_kind):
    """A histogram: revocations in each span of milliseconds."""
    print("below ms" + "".join(f"{kind:>8}" for kind in by_kind))
    below = 0
    for bound in BOUNDS:
        counts = [sum(below <= ms < bound for ms in found) for found in by_kind.values()]
        print(f"{bound if bound < BOUNDS[-1] else 'more':>8}" + "".join(f"{count:8d}" for count in counts) + "  "
              + "#" * -(-counts[-1] * 50 // len(by_kind["all"])))
        below = bound
