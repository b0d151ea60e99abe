#!/usr/bin/env python3
"""ROUNDS=200 rounds in which 50 present one code, and 50 one refresh token, at the same moment to two processes over one store.

Exactly one family of tokens, nobody stranded, and conflicts in the store, without which there was no race."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report, running_pair  # noqa: E402
from support.pair import PRESENTERS, Race  # noqa: E402
from support.upstream import echo  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "200"))


def main():
    report, began = Report(), time.monotonic()
    with running_pair(echo) as (pair, browser, client):
        try:
            of_codes, of_refreshes = Race(pair, browser, client).run(ROUNDS)
        except AssertionError as error:
            report.say(False, f"a round went wrong: {error}")
            return report.status()
        own = [site.metric("gatehouse_store_conflicts_total") for site in pair]
    took = time.monotonic() - began
    report.say(of_codes > 0, f"{ROUNDS} times {PRESENTERS} redemptions of one code: one got tokens each time; {of_codes:.0f} conflicts")
    report.say(of_refreshes > 0, f"{ROUNDS} times {PRESENTERS} refreshes with one token: one successor each time; {of_refreshes:.0f} conflicts")
    report.say(min(own) > 0, f"both processes came second: {own[0]:.0f} and {own[1]:.0f} conflicts; {took:.0f} s in all")
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
