"""main.py: one benchmark run: start the servers, check what they refuse, measure in rounds, prove the audit, report."""
import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time

import cells as load
import report
import servers

HELP = """\
Measures Gatehouse and the proxies of Debian in one run: the same load (TLS 1.3 and HTTP/2 in front, an HTTP/1.1
upstream on loopback, a JSON POST with a bearer token), one worker pinned to one CPU, CPU time of all threads.
The table goes to standard output, progress to standard error. See bench/README.md on how to read it."""
FIRST_SIGHT_TOKENS = 6 * servers.CACHE_TOKENS
REFUSED = ("forged", "expired", "audience")
AUDIT_SECONDS = 5
STARTED = time.monotonic()


def options():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [cell.name for cell in load.CELLS]
    kinds = [kind.name for kind in servers.KINDS]
    parser.add_argument("--quick", action="store_true", help="3 short rounds, about two minutes: indicative only")
    parser.add_argument("--json", metavar="FILE", help="write every figure of every round to FILE")
    parser.add_argument("--rounds", type=int, metavar="N", help="interleaved rounds (15; quick: 3)")
    parser.add_argument("--seconds", type=float, metavar="S", help="measured time of one cell (1.5; quick: 0.5)")
    parser.add_argument("--rows", metavar="A,B", help="only these rows: " + ", ".join(names))
    parser.add_argument("--servers", metavar="A,B", help="only these servers: " + ", ".join(kinds))
    parser.add_argument("--gatehouse", metavar="FILE", help="measure this program instead of building a release")
    parser.add_argument("--port", type=int, default=22000, metavar="N", help="first of ten ports to use (22000)")
    parser.add_argument("--calls", action="store_true", help="only reading bodies and deciding calls: times and marks; ten seconds")
    parser.add_argument("--index", action="store_true", help="only the revocation index: time of a look-up, memory, marks; half a minute")
    parser.add_argument("--install", action="store_true", help="install what the benchmark needs by apt, then end")
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (3 if chosen.quick else 15)
    chosen.seconds = chosen.seconds or (0.5 if chosen.quick else 1.5)
    chosen.rows = pick(parser, chosen.rows, names)
    chosen.servers = pick(parser, chosen.servers, kinds)
    return chosen


def pick(parser, text, allowed):
    names = text.split(",") if text else allowed
    for name in names:
        if name not in allowed:
            parser.error(f"{name}: not one of {', '.join(allowed)}")
    return names


def say(text):
    print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", file=sys.stderr, flush=True)


class Run:
    def __init__(self, chosen):
        self.chosen = chosen
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.place = servers.Place(root, chosen.port)
        if chosen.gatehouse:
            self.place.gatehouse = os.path.abspath(chosen.gatehouse)
        self.place.try_raise()
        self.cells = [cell for cell in load.CELLS if cell.name in chosen.rows]
        used = {name for cell in self.cells for name in cell.servers} & set(chosen.servers)
        self.kinds = [kind for kind in servers.KINDS if kind.name in used]
        self.servers, self.skipped, self.figures, self.failures = {}, {}, {}, []
        self.audit = Audit(os.path.join(self.place.run, "audit.jsonl"))

    def prepare(self):
        """Keys, certificate and tokens; kept while they are fresh, for signing takes seconds."""
        stamp = os.path.join(self.place.run, "tokens.stamp")
        wanted = f"{servers.ISSUER} {self.place.resource} {FIRST_SIGHT_TOKENS}"
        try:
            fresh = time.time() - os.path.getmtime(stamp) < 6 * 3600 and open(stamp).read() == wanted
        except OSError:
            fresh = False
        if not fresh:
            say(f"making {FIRST_SIGHT_TOKENS} tokens of each kind")
            subprocess.run([f"{self.place.bin}/tokens", self.place.run, servers.ISSUER, self.place.resource,
                            str(FIRST_SIGHT_TOKENS)], check=True)
            with open(stamp, "w") as file:
                file.write(wanted)
        for name, body in load.BODIES.items():
            with open(os.path.join(self.place.run, name), "w") as file:
                file.write(body)
        self.audit.begin()

    def start(self):
        if servers.accepts(self.place.base):
            sys.exit(f"bench: port {self.place.base} is taken: choose others with --port")
        self.backend = self.place.start([f"{self.place.bin}/backend", str(self.place.base)], self.place.load_cpu)
        self.driver = load.Driver(self.place, self.backend.pid)
        for kind in self.kinds:
            server = servers.Server(kind, self.place)
            try:
                server.start()
                self.servers[kind.name] = server
                say(f"{kind.title} is up")
            except servers.Skipped as why:
                self.skipped[kind.name] = str(why)
                say(f"{kind.title} skipped: {why}")

    def stop(self):
        for server in self.servers.values():
            server.stop()
        if getattr(self, "backend", None):
            self.backend.terminate()
            self.backend.wait()

    def check_refusals(self):
        """Before anything is measured: what is said to verify does, and what is said to forward does."""
        for name, server in self.servers.items():
            kinds = ("rs256", "es256") if name == "gatehouse" else (server.kind.verifies or "rs256",)
            for kind in kinds:
                expected = {f"{kind}.good": 200}
                if server.kind.verifies:
                    expected.update({f"{kind}.{bad}": 401 for bad in REFUSED})
                    expected[""] = 401
                for tokens, status in expected.items():
                    got = self.driver.status(server, tokens)
                    if got != status:
                        self.failures.append(f"{name} answers {got} to {tokens or 'no token'}, not {status}")
        say("refusals: " + ("; ".join(self.failures) or "as they should be"))

    # -- rounds

    def rounds(self):
        timed = [cell for cell in self.cells if cell.value != "kb"]
        for number in range(self.chosen.rounds if timed else 0):
            for cell in timed:
                say(f"round {number + 1} of {self.chosen.rounds}: {cell.title}: {self.measure(cell, number)}")
            self.audit_check(f"round {number + 1}")

    def turn(self, cell, number):
        """The servers of a cell, each round begun by another."""
        names = [name for name in cell.servers if name in self.servers]
        at = number % len(names) if names else 0
        return names[at:] + names[:at]

    def measure(self, cell, number):
        warmup = max(0.15, self.chosen.seconds / 6)
        direct = self.driver.direct(self.chosen.seconds / 2, 0.05)["p50_us"] if cell.value == "added_us" else 0
        short = []
        for name in self.turn(cell, number):
            try:
                figures = self.driver.load(self.servers[name], cell, self.chosen.seconds, warmup)
                if figures["good"] == 0:
                    raise load.Failed(f"nothing was answered well: status {figures['status']:.0f}")
                if name == "gatehouse" and figures["bad"] + figures["errors"] > 0:
                    self.failures.append(f"{cell.name}, {name}: {figures['bad']:.0f} answers other than 200, "
                                         f"{figures['errors']:.0f} broken")
                figures["added_us"] = figures["p50_us"] - direct
                short.append(f"{name} {figures[cell.value]:.1f}")
            except (load.Failed, subprocess.TimeoutExpired) as why:
                figures = None
                self.failures.append(f"{cell.name}, {name}: {why}")
            self.keep(cell, name, figures)
        return ", ".join(short) + f" {cell.unit}"

    def keep(self, cell, name, figures):
        self.figures.setdefault(cell.name, {}).setdefault(name, []).append(figures)

    def memory(self):
        count = 400 if self.chosen.quick else 800
        count = min(count, max(50, self.place.files // 4))
        held = [cell for cell in self.cells if cell.value == "kb"]
        for cell in held:
            for name in self.turn(cell, 0):
                server = self.servers[name]
                server.stop()
                try:
                    server.start()
                    figures = self.driver.memory(server, cell, count)
                    say(f"{cell.title}, {count} of them: {name} {figures['kb']:.1f} KB")
                    self.keep(cell, name, figures)
                except (load.Failed, servers.Skipped, subprocess.TimeoutExpired) as why:
                    self.skipped[cell.name, name] = str(why)
                    say(f"{cell.title}: {name}: {why}")
                    if name == "gatehouse":
                        self.failures.append(f"{cell.name}, {name}: {why}")
        if held:
            self.audit_check("memory")

    # -- proof

    def audit_check(self, when):
        if "gatehouse" not in self.servers:
            return
        expected = self.driver.exchanges.get("gatehouse", 0)
        lines = self.audit.lines(expected)
        if lines != expected:
            self.failures.append(f"{when}: {lines} audit lines for {expected} requests")

    def prove_metrics(self):
        if "gatehouse" not in self.servers:
            return
        text = servers.fetch(self.place.admin, "/metrics") or ""
        if not any(line.startswith("gatehouse_") for line in text.splitlines()):
            self.failures.append("the admin listener serves no metrics")

    def proof(self):
        checked = [name for name, server in self.servers.items() if server.kind.verifies]
        lines = [f"refused by {', '.join(checked)}: forged, expired, wrong audience, none: all 401"] if checked else []
        if "gatehouse" in self.servers:
            lines.append(f"Gatehouse: {self.driver.exchanges['gatehouse']:,} requests, {self.audit.total:,} audit lines")
        return [f"FAILED: {failure}" for failure in self.failures] or lines


class Audit:
    """Counts the lines of the audit file; empties it between rounds, for a full run writes some gigabytes."""

    def __init__(self, path):
        self.path, self.total, self.offset = path, 0, 0

    def begin(self):
        if os.path.exists(self.path):
            os.unlink(self.path)

    def lines(self, expected):
        """All lines so far; waits a little for those which are still being written."""
        until = time.monotonic() + AUDIT_SECONDS
        while self.total < expected and time.monotonic() < until:
            self.count()
            time.sleep(0.05)
        self.count()
        if self.total == expected and self.offset > 64 << 20:
            os.truncate(self.path, 0)
            self.offset = 0
        return self.total

    def count(self):
        if not os.path.exists(self.path):
            return
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            while block := file.read(1 << 20):
                self.total += block.count(b"\n")
                self.offset += len(block)


def write_json(path, run, summary):
    meta = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kernel": platform.release(),
            "cpu": cpu_model(), "server_cpu": run.place.server_cpu, "load_cpu": run.place.load_cpu,
            "raised_priority": run.place.raised, "rounds": run.chosen.rounds, "seconds": run.chosen.seconds,
            "quick": run.chosen.quick}
    skipped = {key if isinstance(key, str) else "/".join(key): why for key, why in run.skipped.items()}
    proof = {"exchanges": run.driver.exchanges, "audit_lines": run.audit.total, "failures": run.failures}
    with open(path, "w") as file:
        json.dump({"meta": meta, "cells": summary, "marks": report.marks(summary), "skipped": skipped,
                   "proof": proof}, file, indent=1)
        file.write("\n")


def cpu_model():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")


def main():
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: terminated"))
    run = Run(chosen)
    try:
        run.prepare()
        run.start()
        run.check_refusals()
        run.rounds()
        run.prove_metrics()
        run.memory()
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
    finally:
        run.stop()
    summary = report.summarize(run.cells, run.figures)
    print(report.table(run.cells, summary, {kind.name: kind.title for kind in servers.KINDS}, run.skipped))
    print()
    for mark in report.marks(summary):
        print(f"mark {'held' if mark['held'] else 'MISSED'}: {mark['mark']}: {mark['is']:.2f}")
    for text in run.proof() + [report.conditions(run.figures, run.place)]:
        print(text)
    if chosen.json:
        write_json(chosen.json, run, summary)
    sys.exit(1 if run.failures or ("gatehouse" in chosen.servers and "gatehouse" not in run.servers) else 0)


if __name__ == "__main__":
    main()
