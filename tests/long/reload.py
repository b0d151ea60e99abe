#!/usr/bin/env python3
"""RELOADS=100 reloads under REQUESTS=100000 requests and STREAMS=50 event streams (threats.md Z1, Z2): each is seen from outside, by the
serial of a new certificate and a setting in the metadata; 60 refused ones between them change nothing.

No request is lost or gets another's answer, no event stream has a gap, memory does not grow. BOUND=900 seconds at most."""
import os
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report  # noqa: E402
from support.issuer import Issuer, Key  # noqa: E402
from support.reloads import BAD, Reloads  # noqa: E402

RELOADS, REQUESTS, STREAMS = (int(os.environ.get(name, value)) for name, value in (("RELOADS", 100), ("REQUESTS", 100_000), ("STREAMS", 50)))
BOUND = float(os.environ.get("BOUND", "900"))
WARM = 10  # reloads, before memory is looked at for the first time


def settled_rss(run):
    """KiB; the median of a while, since buffers come and go."""
    samples = []
    for _ in range(15):
        samples.append(run.rss())
        time.sleep(0.1)
    return int(statistics.median(samples))


def load_until(run, requests, end):
    while run.requests() < requests and time.monotonic() < end:
        time.sleep(0.2)


def play(run, end):
    """The reloads, spread over the requests, with the refused ones between them: memory after the first ones and at the end."""
    warm, bad = 0, list(BAD)
    for number in range(RELOADS):
        load_until(run, REQUESTS * number // RELOADS, end)
        run.reload_well(number)
        if bad and number % 3 != 2:
            run.reload_badly(bad.pop())
        if number == min(WARM, RELOADS) - 1:
            warm = settled_rss(run)
    for change in bad:
        run.reload_badly(change)
    load_until(run, REQUESTS, end)
    return warm, settled_rss(run)


def main():
    report, began = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-long-") as folder:
        run = Reloads(folder, Issuer("", keys=[Key("RS256"), Key("ES256"), Key("EdDSA")]), report.say, streams=STREAMS,
                      subjects=max(STREAMS // 5, 1))
        try:
            run.start()
            warm, last = play(run, began + BOUND)
            seconds = time.monotonic() - began
            report.say(run.seen_reloads == RELOADS,
                       f"{run.seen_reloads} reloads, the serial of each in new handshakes and its setting in the metadata")
            report.say(run.refused == len(BAD) >= 60, f"{run.refused} refused settings files, each reported, none with an effect")
            requests, _ = run.finish()
            report.say(requests >= REQUESTS, f"{requests} requests in {seconds:.0f} s")
            report.say(last <= warm * 1.1, f"resident memory {warm} KiB after {WARM} reloads, {last} KiB at the end")
        except Exception as error:  # pylint: disable=broad-except
            report.say(False, "the run came to its end", f"{error!r}; {run.failures()}")
        finally:
            run.kill()
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
