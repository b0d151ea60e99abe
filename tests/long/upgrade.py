#!/usr/bin/env python3
"""Upgrades under load (threats.md Z3): UPGRADES=100 processes follow each other, each taking the sockets of the one before.

HTTP/1.1 with a connection a request and kept, HTTP/2 over TLS, event streams: none is refused, reset or cut, also where every
tenth successor fails or is killed before it is ready."""
import os
import random
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report, running_site, stream_or_echo  # noqa: E402
from support import h2  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.gateway import INITIALIZE  # noqa: E402
from support.load import Counted, Http2, KeepAlive, Load, OneShot, Stream, Tally, same  # noqa: E402
from support.upgrade import end_all, hand_over, start_next, upgrade  # noqa: E402
from support.wait import free_port, until  # noqa: E402

UPGRADES = int(os.environ.get("UPGRADES", "100"))
EVENTS, PAUSE = 6, 0.25


class Streams(threading.Thread):
    """One event stream after the other."""

    def __init__(self, tally, port, raw):
        super().__init__(daemon=True)
        self.tally, self.port, self.raw = tally, port, raw

    def run(self):
        while not self.tally.stopping.is_set():
            Stream(self.tally, self.port, self.raw, Counted(EVENTS)).run()


def two_listeners(site, authority):
    """The second one speaks TLS, with a route of its own: an audience is one URL. Returns its port."""
    port = free_port()
    certificate, key = authority.leaf("localhost")
    site.settings["listen"].append({"address": f"127.0.0.1:{port}", "tls": {"certificate": certificate, "key": key}})
    site.settings["tenants"]["acme"]["hosts"].append(f"127.0.0.1:{port}")
    site.settings["routes"].append({**site.route, "name": "secure", "resource": f"https://127.0.0.1:{port}/secure/mcp"})
    return port


def clients_of(site, tally, port, context):
    raw, stream = site.post().wire(), site.post(body=b'{"stream":1}').wire()
    token = site.issuer.token(aud=f"https://127.0.0.1:{port}/secure/mcp")
    fields = [(name, f"127.0.0.1:{port}" if name == ":authority" else value)
              for name, value in h2.fields_of(site, token, path="/secure/mcp", scheme="https")]
    return ([OneShot(tally, site.port, same(raw)) for _ in range(2)] + [KeepAlive(tally, site.port, same(raw)) for _ in range(2)] +
            [Http2(tally, port, same((fields, INITIALIZE)), context) for _ in range(2)] + [Streams(tally, site.port, stream) for _ in range(4)])


def fail_once(site, chance, silent):
    """A successor that does not come about: refused, or killed while it waits for keys that nobody serves."""
    good, taken = dict(site.settings), site.log().count("handover: taking the sockets")
    if chance.random() < 0.5:
        failed = start_next(site, user="no-such-user")
    else:
        failed = start_next(site, issuers={**good["issuers"], "silent": {"issuer": silent}})
        until(lambda: site.log().count("handover: taking the sockets") > taken, "a successor that waits")
        time.sleep(chance.random() * 0.1)
        failed.kill()
    failed.wait(60)
    site.settings.clear()
    site.settings.update(good)


def hang_once(site):
    """A process that takes the sockets and says nothing more: given up, and the next one is not kept waiting for long."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as hanging:
        hanging.settimeout(90)
        hanging.connect(os.path.join(site.folder, "handover"))
        assert hanging.recv(100) == b"gatehouse 1"
        hanging.send(b"take")
        for fd in socket.recv_fds(hanging, 100, 300)[1]:
            os.close(fd)
        began = time.monotonic()
        said = hanging.recv(100)
    waited = time.monotonic() - began
    upgrade(site)
    return said == b"busy" and waited < 70, f"a process that hangs while it takes over was given up after {waited:.0f} s"


def end_of_old(site):
    """Takes those away that have ended: how many of them badly."""
    ended = [process for process in site.old if process.poll() is not None]
    site.old = [process for process in site.old if process.poll() is None]
    return sum(process.returncode != 0 for process in ended)


def run(site, chance):
    tally, bad = Tally(), 0
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        authority, silent = Authority(folder), f"http://127.0.0.1:{listener.getsockname()[1]}"
        port = two_listeners(hand_over(site), authority)
        site.start()
        context = authority.client("h2")
        with Load(tally, clients_of(site, tally, port, context)):
            for number in range(UPGRADES):
                answered = tally.answered
                upgrade(site, workers=chance.randint(1, 4))
                until(lambda: tally.answered >= answered + 20, "answers after the upgrade")
                if number % 10 == 9:
                    fail_once(site, chance, silent)
                bad += end_of_old(site)
            hung = hang_once(site)
    until(lambda: all(process.poll() is not None for process in site.old), "end of every old process", 60)
    return tally, bad + end_of_old(site), hung


def main():
    seed = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
    print(f"SEED={seed}", flush=True)
    report = Report()
    with running_site(stream_or_echo(EVENTS, lambda: time.sleep(PAUSE))) as site:
        try:
            tally, bad, hung = run(site, random.Random(seed))
            site.stop()
        finally:
            end_all(site)
    report.say(tally.refused == 0, f"{UPGRADES} upgrades, {tally.answered} answers and streams, {tally.refused} connections refused")
    report.say(tally.failed == [], f"{len(tally.failed)} requests and streams failed; the slowest took {tally.slowest:.2f} s")
    report.say(*hung)
    report.say(bad == 0, f"{bad} of the old processes ended badly")
    for what in tally.failed[:10]:
        print(what)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
