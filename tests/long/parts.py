"""A gateway with an upstream and an issuer for the long runs: the parts of the integration tests, without pytest."""
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))

from support.gateway import Gateway  # noqa: E402
from support.issuer import Issuer, Key  # noqa: E402
from support.pair import start_two  # noqa: E402
from support.upstream import Upstream, echo  # noqa: E402
from test_code_flow import keep_house, signed_in  # noqa: E402


class Forgetful(list):
    """Keeps none of a million requests."""

    def append(self, _):
        pass


def stream_or_echo(events, pause):
    """A script: the body says whether it is an event stream; `pause` is called between its events."""
    def script(call):
        if b"stream" not in call.seen.body:
            return echo(call)
        call.open_stream()
        for number in range(events):
            call.event(b"data: %d\n\n" % number)
            pause()
        call.close_stream()
    return script


@contextlib.contextmanager
def running_site(script):
    with tempfile.TemporaryDirectory(prefix="gatehouse-long-") as folder:
        upstream = Upstream(script)
        upstream.seen = Forgetful()
        issuer = Issuer("", keys=[Key("ES256")])
        made = Gateway(folder, issuer, upstream)
        made.settings["log"] = {"level": "info"}
        try:
            yield made
        finally:
            issuer.close()
            upstream.close()


@contextlib.contextmanager
def running_pair(script, store=None):
    """(two processes that are one issuer, a browser that is signed in, a client that it has agreed to); `store` as in settings."""
    with running_site(script) as site:
        keep_house(site)
        site.settings["store"] = store or site.settings["store"]
        pair = start_two(site)
        try:
            yield pair, *signed_in(pair)
        finally:
            for one in pair:
                one.stop()


class Report:
    """A line for each mark: what was seen, and whether it holds."""

    def __init__(self):
        self.failed = 0

    def say(self, holds, what, detail=""):
        print(f"{'ok' if holds else 'FAILED'} {what}" + ("" if holds or not detail else f": {str(detail)[:2000]}"), flush=True)
        self.failed += not holds

    def status(self):
        return 1 if self.failed else 0
