"""A Redis that is away for a while: what a gateway serves meanwhile, at a route that then closes and at one that stays open."""
import signal
import time

from .upstream import echo

KINDS = ("killed", "stopped")
STALE = 2.0  # revocation.max_stale, as it is by default


def add_open_route(site):
    """Its resource."""
    resource = f"{site.origin}/maps/mcp"
    site.settings["routes"].append({**site.route, "name": "maps", "resource": resource, "revocation": {"fail": "open"}})
    return resource


class Outage:
    """`good` and `bad` are requests to the route that closes and to the open one; the second two were revoked before."""

    def __init__(self, site, server, good, bad):
        self.site, self.server, self.good, self.bad = site, server, good, bad
        self.asked, self.wrong = 0, []
        site.upstream.script = echo

    def serves(self, began):
        """Does the route that closes?"""
        closing, open_ = [self.site.send(request).status for request in self.good]
        bad = [self.site.send(request).status for request in self.bad]
        self.asked += 4
        if closing not in (200, 503) or open_ != 200 or not set(bad) <= {401, 503}:
            self.wrong.append(f"after {time.monotonic() - began:.1f} s: {closing}, {open_}, revoked: {bad}")
        return closing == 200

    def take_away(self, kind):
        if kind == "killed":
            self.server.end()
        else:
            self.server.process.send_signal(signal.SIGSTOP)

    def give_back(self, kind):
        if kind == "killed":
            self.server.start()
        else:
            self.server.process.send_signal(signal.SIGCONT)

    def run(self, kind, seconds):
        """(when it closed, for how long it was open after that, when it was open again after the end), in seconds."""
        closed_at, served = None, 0
        began = time.monotonic()
        self.take_away(kind)
        while time.monotonic() - began < seconds:
            if self.serves(began):
                served += closed_at is not None
            elif closed_at is None:
                closed_at = time.monotonic() - began
            time.sleep(0.05)
        self.give_back(kind)
        returned = time.monotonic()
        while not self.serves(began) and time.monotonic() - returned < 30:
            time.sleep(0.05)
        return closed_at, served, time.monotonic() - returned
