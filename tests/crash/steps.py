#!/usr/bin/env python3
"""Crashes at every step that the store takes on its way to the disk, with what was not synced lost, as in a power loss.

GATEHOUSE names a binary built with -Dcrash_steps=true (src/store/crash_steps.c). For each operation the process is ended before
its first step, then before its second, and so on, until the operation gets through; each time another process goes on with
what is on the disk. No code and no refresh token works twice, and nothing that was acknowledged is lost. The last walk is
made with synchronous=OFF: there an acknowledged grant must be seen to get lost, or this program sees nothing."""
import json
import os
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "long"))

from parts import Report, running_site  # noqa: E402
from support.browser import Browser, Page  # noqa: E402
from support.ending import FORM, tokens_of  # noqa: E402
from support.http1 import Broken, Connection, Request  # noqa: E402
from support.pair import token_request  # noqa: E402
from support.store import opened  # noqa: E402
from support.upstream import echo  # noqa: E402
from support.wait import until  # noqa: E402
from test_code_flow import Client, keep_house, links  # noqa: E402

STATUS = 86  # of a process that ended at its step
AT = "crash-at"


class Lost(AssertionError):
    """What was acknowledged is not there, or what was used is there again."""


def hold(holds, what):
    if not holds:
        raise Lost(what)


def ask(site, request):
    """(status, JSON), or None when the process has ended before its answer was whole."""
    try:
        with Connection(site.port) as connection:
            connection.send(request.wire())
            answer = connection.read()
        return (answer.status, json.loads(answer.body)) if answer.clean else None
    except (OSError, Broken):
        return None


def form_to(site, path, **form):
    return Request("POST", path, (("Host", site.authority), FORM), urllib.parse.urlencode(form).encode())


# ---- operations: prepare() what they need, the one request, and what must hold then; `told` is its answer or None

class Operation:
    def __init__(self, site, browser, client):
        self.site, self.browser, self.client = site, browser, client

    def code(self):
        return self.client.code_of(self.browser.open(self.client.url()))

    def redeem(self, code):
        return token_request(self.client, grant_type="authorization_code", code=code, code_verifier=self.client.verifier)

    def refresh(self, token):
        return ask(self.site, token_request(self.client, grant_type="refresh_token", refresh_token=token))

    def is_accepted(self, token):
        return self.site.send(self.site.post(token)).status == 200


class Redemption(Operation):
    name = "redemption of a code"

    def prepare(self):
        self.used = self.code()
        return self.redeem(self.used)

    def check(self, told):
        if told is None:
            told = ask(self.site, self.redeem(self.used))
            if told[0] != 200:  # it was durable, and nobody heard of it
                hold(told[1]["error"] == "invalid_grant", told)
                return
        hold(told[0] == 200, told)
        hold(self.is_accepted(told[1]["access_token"]), "an acknowledged access token is refused")
        status, again = self.refresh(told[1]["refresh_token"])
        hold(status == 200, f"an acknowledged refresh token is lost: {again}")
        status, again = ask(self.site, self.redeem(self.used))
        hold((status, again.get("error")) == (400, "invalid_grant"), "a code worked twice")


class Refresh(Operation):
    name = "refresh"

    def prepare(self):
        self.first = tokens_of(self.client, self.browser)["refresh_token"]
        return token_request(self.client, grant_type="refresh_token", refresh_token=self.first)

    def check(self, told):
        again = [self.refresh(self.first) for _ in range(2)]  # within the grace: whoever got no answer gets it now
        answers = again if told is None else [told, *again]
        hold({status for status, _ in answers} == {200}, f"stranded: {answers}")
        successors = {answer["refresh_token"] for _, answer in answers}
        hold(len(successors) == 1, "a refresh token worked twice: it has two successors")
        hold(self.refresh(successors.pop())[0] == 200, "the successor is lost")


class Revocation(Operation):
    name = "revocation"

    def prepare(self):
        self.tokens = tokens_of(self.client, self.browser)
        return form_to(self.site, "/oauth/revoke", client_id="app", token=self.tokens["refresh_token"])

    def check(self, told):
        works = self.is_accepted(self.tokens["access_token"]), self.refresh(self.tokens["refresh_token"])[0] == 200
        hold(told is None or works == (False, False), f"acknowledged, and not revoked: {works}")
        hold(works[0] == works[1], f"half revoked: {works}")


class Registration(Operation):
    name = "registration"

    def prepare(self):
        body = json.dumps({"client_name": "Registered", "redirect_uris": ["cursor://app/cb"]}).encode()
        return Request("POST", "/oauth/register", (("Host", self.site.authority), ("Content-Type", "application/json")), body)

    def check(self, told):
        if told is None:
            told = ask(self.site, self.prepare())
        hold(told[0] == 201, told)
        known = Client(self.site, told[1]["client_id"], "cursor://app/cb")
        hold(self.browser.send("GET", self.browser.path(known.url())).status in (200, 303), "an acknowledged client is unknown")


class Consent(Operation):
    name = "consent"

    def prepare(self):
        self.asking = Client(self.site, prompt="consent")
        page = self.browser.open(self.asking.url())
        assert isinstance(page, Page)
        fields = (("Host", self.site.authority), FORM, ("Origin", "null"), ("Sec-Fetch-Site", "same-origin"),
                  ("Cookie", "; ".join(f"{name}={value}" for name, value in self.browser.jar.items())))
        return Request("POST", page.forms[0].action, fields, urllib.parse.urlencode({**page.forms[0].fields, "answer": "allow"}).encode())

    def check(self, told):
        """`told` is where the browser is sent."""
        if told is not None:
            status, tokens = self.asking.redeem(self.asking.code_of(told))
            hold(status == 200, f"an acknowledged code is lost: {tokens}")


def send(site, request):
    """As ask(), and for a page where it leads to."""
    if "/oauth/" in request.target:
        return ask(site, request)
    try:
        with Connection(site.port) as connection:
            connection.send(request.wire())
            return connection.read()["location"]
    except (OSError, Broken):
        return None


# ---- the walk

def arm(site, number):
    path = os.path.join(site.folder, AT)
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(number))
    os.rename(path + ".new", path)


def disarm(site):
    if os.path.exists(os.path.join(site.folder, AT)):
        os.unlink(os.path.join(site.folder, AT))


def end_hard(site):
    """What was not synced is lost here too: the list of it is the process's."""
    site.process.kill()
    site.process.wait()


def walk(operation, site):
    """How many steps it took."""
    for number in range(1, 200):
        request = operation.prepare()
        arm(site, number)
        told = send(site, request)
        through = told is not None
        if through:
            end_hard(site)
        else:
            status = site.process.wait(30)
            assert status == STATUS, f"exit status {status}: {site.log()[-2000:]}"
        disarm(site)
        site.start()
        try:
            operation.check(told)
        except Lost as error:
            raise Lost(f"{operation.name}, step {number}: {error}") from error
        if through:
            return number - 1
    raise AssertionError(f"{operation.name} did not get through in 200 steps")


def walk_of_the_first_start(site):
    """The file and its tables come into being whole, or another start makes them."""
    for number in range(1, 200):
        arm(site, number)
        site.start(ready=None)
        until(lambda: site.process.poll() is not None or site.admin("/readyz")[0] == 200, "readiness or the end")
        through = site.process.poll() is None
        assert through or site.process.returncode == STATUS, site.log()[-2000:]
        disarm(site)
        if through:
            end_hard(site)
            offered = site.log().count("/setup?token=")
            site.setup_link = lambda: links(site, offered + 1)[-1]
            site.start()
            return number - 1
        if number % 2 == 0:  # else the next one begins with a file that is half made
            for name in ("store.db", "store.db-wal", "store.db-shm"):
                if os.path.exists(os.path.join(site.folder, name)):
                    os.unlink(os.path.join(site.folder, name))
    raise AssertionError("no first start in 200 steps")


def is_whole(site):
    with opened(site) as database:
        return database.execute("pragma integrity_check").fetchone() == ("ok",)


def walk_with_sync_off(site, browser, client):
    """What the walk says about a store that does not sync."""
    site.stop()
    site.environment["GATEHOUSE_CRASH_SQL"] = "PRAGMA synchronous = OFF"
    site.start()
    operation = Redemption(site, browser, client)
    request = operation.prepare()
    told = ask(site, request)
    end_hard(site)
    site.start()
    try:
        operation.check(told)
    except (Lost, AssertionError) as error:
        return str(error)
    return None


def walks(report, site, checkpoint):
    """All of them with a checkpoint behind so many pages: at 1, every commit also writes the database file itself."""
    began = time.monotonic()
    site.environment.update(GATEHOUSE_CRASH_AT=AT, GATEHOUSE_CRASH_SQL=f"PRAGMA wal_autocheckpoint = {checkpoint}")
    steps = {"first start": walk_of_the_first_start(site)}
    browser, client = Browser(site), Client(site)
    browser.set_up()
    client.code_of(browser.allow(browser.open(client.url())))
    for kind in (Redemption, Refresh, Revocation, Registration, Consent):
        steps[kind.name] = walk(kind(site, browser, client), site)
        report.say(steps[kind.name] > 4, f"{kind.name}, a checkpoint after {checkpoint} pages: nothing lost, nothing twice")
    report.say(is_whole(site), f"the file is whole; steps: {steps}, in {time.monotonic() - began:.0f} s")
    seen = walk_with_sync_off(site, browser, client)
    report.say(seen is not None, f"with synchronous=OFF it is seen that {seen}")


def main():
    report = Report()
    for checkpoint in (1000, 1):
        with running_site(echo) as site:
            keep_house(site).settings.update(shared_sources=["127.0.0.1/32"], log={"level": "info"})
            try:
                walks(report, site, checkpoint)
            except (Lost, AssertionError) as error:
                report.say(False, str(error))
            finally:
                if site.process is not None:
                    end_hard(site)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
