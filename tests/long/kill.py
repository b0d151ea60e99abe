#!/usr/bin/env python3
"""kill -9 under load while a holder keeps the listening sockets (threats.md Z4): KILLS=30 times, PAUSE=2 seconds apart.

Nobody is refused; what fails had been accepted by the process that was killed; the next one accepts within a second."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report, running_site  # noqa: E402
from support.gateway import BINARY  # noqa: E402
from support.holder import Holder  # noqa: E402
from support.load import KeepAlive, Load, OneShot, Tally, same  # noqa: E402
from support.upstream import echo  # noqa: E402
from support.wait import until  # noqa: E402

KILLS, PAUSE = int(os.environ.get("KILLS", "30")), float(os.environ.get("PAUSE", "2"))


def kill_once(holder, tally):
    """(the kill, seconds from the start of the next process to the first answer to a request that began after it)."""
    kill = holder.kill()
    began = time.monotonic()
    holder.start()
    until(lambda: tally.last_began > began, "answers of the next process")
    return kill, time.monotonic() - began


def rate_over(tally, seconds):
    before = tally.answered
    time.sleep(seconds)
    return (tally.answered - before) / seconds


def main():
    report, tally, kills, gaps = Report(), Tally(), [], []
    with running_site(echo) as site:
        site.write("gatehouse.yaml", site.settings)
        holder = Holder([BINARY, "serve", "-c", "gatehouse.yaml"], site.folder,
                        [("127.0.0.1", site.port), ("127.0.0.1", site.admin_port)], os.path.join(site.folder, "stderr"))
        holder.start()
        until(lambda: site.admin("/readyz")[0] == 200, "readiness")
        raw = site.post().wire()
        clients = [OneShot(tally, site.port, same(raw)) for _ in range(4)] + [KeepAlive(tally, site.port, same(raw)) for _ in range(2)]
        with Load(tally, clients):
            at_first = rate_over(tally, PAUSE)
            for _ in range(KILLS):
                kill, gap = kill_once(holder, tally)
                kills.append(kill)
                gaps.append(gap)
                time.sleep(PAUSE)
            at_last = rate_over(tally, PAUSE)
        status = holder.stop()
        holder.close()
    failed = len(tally.failed)
    report.say(tally.refused == 0, f"{KILLS} kills, {tally.answered} answers, {tally.refused} connections refused")
    report.say(tally.unexplained(kills) == [], f"{failed} requests failed, all of them on connections of a process that was killed")
    report.say(failed <= KILLS * len(clients), f"at most one for each of {len(clients)} clients and kill")
    report.say(max(gaps) <= 1.0, f"answers again after {sorted(gaps)[len(gaps) // 2] * 1000:.0f} ms, at worst {max(gaps) * 1000:.0f} ms")
    report.say(status == 0, f"{at_first:.0f} answers a second before the kills, {at_last:.0f} after; the last process ended by itself")
    for began, ended, what in tally.unexplained(kills)[:10]:
        before, dead = min(kills, key=lambda kill: abs(began - kill[1]))
        print(f"{what}: began {began - before:+.4f} s and failed {ended - before:+.4f} s from a kill, which was over at {dead - before:+.4f} s")
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
