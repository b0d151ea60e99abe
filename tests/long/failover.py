#!/usr/bin/env python3
"""ROUNDS=100 failovers of a Redis with two replicas and three Sentinels, whose master is killed as it acknowledges something.

No revocation that was acknowledged is lost, no code is spent twice, no refresh token has two successors. SEED=N plays a run again."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report, running_pair  # noqa: E402
from support.failover import Failovers  # noqa: E402
from support.sentinels import Replicated  # noqa: E402
from support.upstream import echo  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "100"))


def main():
    report, redis = Report(), Replicated()
    seed = int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"seed {seed}", flush=True)
    try:
        with running_pair(echo, {"url": redis.url, "replicas": 1}) as (pair, browser, client):
            rounds, wrong = Failovers(pair, browser, client, redis, seed), None
            try:
                rounds.run(ROUNDS)
            except AssertionError as error:
                wrong = error
            report.say(wrong is None, f"{len(rounds.took)} failovers, {rounds.acknowledged} acknowledged at the kill, none of them lost", wrong)
            report.say(rounds.acknowledged > 0, "something was acknowledged, else nothing was tried")
            times = sorted(rounds.took) or [0]
            report.say(times[-1] < 30, f"served again after p50 {times[len(times) // 2]:.1f} s, at most {times[-1]:.1f} s")
    finally:
        redis.remove()
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
