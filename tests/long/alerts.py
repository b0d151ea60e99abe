#!/usr/bin/env python3
"""The alert rules of deploy/monitoring, evaluated by Prometheus itself: each fires when it should, and not before."""
import os
import subprocess
import sys
import tempfile

import yaml

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
RULES = os.path.join(ROOT, "deploy", "monitoring", "gatehouse.rules.yaml")
WHERE = 'job="gatehouse",instance="a:9901"'
ROUTE = f'{WHERE},tenant="acme",route="weather"'


def requests(**rates):
    """Series of requests by reason; a sample a minute: 60 a minute are one a second."""
    return {f'gatehouse_requests_total{{{ROUTE},reason="{reason}"}}': f"0+{per_minute}x60" for reason, per_minute in rates.items()}


def issuer(name, values, **more):
    return {f'gatehouse_{name}{{{WHERE},issuer="okta"}}': values, **more}


def worker(**series):
    return {f"gatehouse_{name}{{{WHERE}}}": values for name, values in series.items()}


# Alert -> series that make it fire within the hour, series beside them that do not.
CASES = {
    "GatehouseDown": ({f"up{{{WHERE}}}": "1x10 0x50"}, {f"up{{{WHERE}}}": "1x60"}),
    "GatehouseIssuerNotReady": (issuer("issuer_ready", "1x10 0x50"), issuer("issuer_ready", "1x60")),
    "GatehouseKeysNotRefreshed": (
        {**issuer("jwks_fetch_failures_total", "0+1x60"), **issuer("jwks_fetches_total", "5x60")},
        {**issuer("jwks_fetch_failures_total", "0+1x60"), **issuer("jwks_fetches_total", "0+1x60")}),
    "GatehouseSigningRowFails": (issuer("signing_row_failing", "0x10 1x50"), issuer("signing_row_failing", "0x57 1x3")),
    "GatehouseRevocationStale": (worker(revocation_staleness_seconds="0.05x20 1+1x40"), worker(revocation_staleness_seconds="0.2x60")),
    "GatehouseStoreFails": (requests(ok=60, store_down=1), requests(ok=60)),
    "GatehouseAuditDropped": (worker(audit_dropped_total="0x30 0+1x30"), worker(audit_dropped_total="7x60")),
    "GatehouseLogDropped": (worker(log_lines_dropped_total="0+1x60"), worker(log_lines_dropped_total="7x60")),
    "GatehouseUpstreamFails": (requests(ok=90, upstream_timeout=10), requests(ok=99, upstream_timeout=1)),
    "GatehouseOverloaded": (requests(ok=60, overloaded=12), requests(ok=60, overloaded=1)),
    "GatehouseConnectionsRefused": (worker(connections_refused_total="0+12x60"), worker(connections_refused_total="0+1x60")),
    "GatehouseHandshakesFail": (
        worker(handshakes_failed_total="0+60x60", handshakes_full_total="0+10x60", handshakes_resumed_total="0+10x60"),
        worker(handshakes_failed_total="0+10x60", handshakes_full_total="0+60x60", handshakes_resumed_total="0+10x60")),
    "GatehouseTokensRefused": (requests(ok=10, token_audience=30), requests(ok=30, token_audience=10, token_missing=90, token_expired=90)),
    "GatehouseFault": (requests(ok=60, internal=1), requests(ok=60, scope_missing=60)),
}


def group(alert, series, fires):
    return {
        "name": f"{alert} {'fires' if fires else 'is quiet'}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{
            "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
            "eval_time": "59m",
            "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
        }],
    }


def holds(folder, test):
    path = os.path.join(folder, "test.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump({"rule_files": [RULES], "evaluation_interval": "1m", "tests": [test]}, file)
    run = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, timeout=120)
    if run.returncode != 0:
        print(run.stdout + run.stderr)
    return run.returncode == 0


def main():
    with open(RULES, encoding="utf-8") as file:
        alerts = {rule["alert"] for one in yaml.safe_load(file)["groups"] for rule in one["rules"]}
    results = {"every alert has a case": alerts == set(CASES)}
    with tempfile.TemporaryDirectory() as folder:
        for alert, series in CASES.items():
            for fires in (True, False):
                test = group(alert, series[0 if fires else 1], fires)
                results[test["name"]] = holds(folder, test)
    for name, good in results.items():
        print("ok" if good else "FAILED", name)
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
