#!/usr/bin/env python3
"""OUTAGE=60 seconds without Redis, once killed and once stopped, under requests.

Routes that close answer 503 from `max_stale` on and nothing else, open ones serve, what was revoked stays refused at both, and all is well
within two seconds of its return."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report, running_site  # noqa: E402
from support.outage import KINDS, STALE, Outage, add_open_route  # noqa: E402
from support.redis import Server  # noqa: E402
from support.upstream import echo  # noqa: E402
from test_revocation import revoke  # noqa: E402

OUTAGE = float(os.environ.get("OUTAGE", "60"))


def main():
    report, server = Report(), Server()
    server.used_by("this run")
    with running_site(echo) as site:
        site.settings["store"] = {"url": f"redis+unix://{server.socket}"}
        site.settings["issuers"]["idp"]["leeway"] = "0s"
        resource = add_open_route(site)
        site.start()
        good, bad = ([site.post(site.issuer.token(sub=sub)), site.post(site.issuer.token(sub=sub, aud=resource), target="/maps/mcp")]
                     for sub in ("bob", "eve"))
        revoke(site, "user", id="eve")
        for kind in KINDS:
            outage = Outage(site, server, good, bad)
            closed_at, served, back_after = outage.run(kind, OUTAGE)
            report.say(not outage.wrong, f"{kind} for {OUTAGE:.0f} s: {outage.asked} requests answered as they must be", outage.wrong)
            report.say(closed_at is not None and STALE - 1 <= closed_at <= STALE + 1 and served == 0,
                       f"{kind}: closed after {closed_at or -1:.2f} s, and served {served} times after that")
            report.say(back_after <= 2, f"{kind}: open again {back_after:.2f} s after its return")
        site.stop()
    server.remove()
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
