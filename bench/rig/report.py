"""report.py: from the figures of all rounds to medians, ratios with their spread, the table and the JSON file."""
import statistics

BASELINE = "nghttpx"
JWT_PEERS = ("haproxy-rs256", "haproxy-es256")
# The marks of the design: cell, peer, largest ratio allowed.
MARKS = [
    ("seen", "nghttpx", 0.9),
    ("seen", "haproxy-rs256", 0.4),
    ("first-rs256", "nghttpx", 1.7),
    ("first-rs256", "haproxy-rs256", 0.75),
    ("first-es256", "nghttpx", 3.0),
    ("connect", "nghttpx", 0.75),
    ("resume", "nghttpx", 0.85),
    ("latency", "nghttpx", 0.9),
]
MEMORY_MARKS = [("memory-idle", 24), ("memory-stream", 26)]


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def ratios(mine, theirs, key):
    """Round by round, so that what disturbed a round disturbed both."""
    return [a[key] / b[key] for a, b in zip(mine, theirs) if a and b and b.get(key, 0) > 0]


def summarize(cells, figures):
    """figures[cell][server] = one dict a round (None: that round failed) -> the same tree with medians and ratios."""
    summary = {}
    for cell in cells:
        rows = figures.get(cell.name, {})
        summary[cell.name] = {"title": cell.title, "unit": cell.unit, "servers": {}}
        jwt = next((name for name in JWT_PEERS if name in rows), None)
        for server, rounds in rows.items():
            good = [r for r in rounds if r]
            if not good:
                continue
            values = [r[cell.value] for r in good]
            row = {"median": statistics.median(values), "quartiles": quartiles(values), "rounds": rounds}
            row["rate"] = statistics.median(r.get("rate", 0) for r in good)
            row["p99_us"] = statistics.median(r.get("p99_us", 0) for r in good)
            row["resumed"] = sum(r["resumed"] for r in good) / max(1, sum(r["opened"] for r in good))
            row["failed"] = sum(r["bad"] + r["errors"] for r in good)
            for peer in (BASELINE, jwt):
                against = ratios(rounds, rows.get(peer, []), cell.value) if peer else []
                if against and peer != server:
                    row.setdefault("ratios", {})[peer] = {
                        "median": statistics.median(against), "quartiles": quartiles(against)}
            summary[cell.name]["servers"][server] = row
    return summary


def number(value):
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def ratio_text(row, peer):
    ratio = row.get("ratios", {}).get(peer)
    if ratio is None:
        return "1" if peer is None else "-"
    low, high = ratio["quartiles"]
    return f"{ratio['median']:.2f} ({low:.2f}-{high:.2f})"


def line(*columns):
    return "{:<27} {:<14} {:>9} {:<15} {:>17} {:>17} {:>15} {:>9}".format(*columns).rstrip()


def table(cells, summary, titles, skipped):
    rows = [line("load", "server", "median", "", "x nghttpx", "x haproxy JWT", "rate", "p99 us")]
    rows.append("-" * len(rows[0]))
    for cell in cells:
        title = cell.title
        for server in cell.servers:
            row = summary[cell.name]["servers"].get(server)
            if row is None:
                if (cell.name, server) in skipped or server in skipped:
                    why = skipped.get((cell.name, server)) or skipped[server]
                    rows.append(f"{title:<27} {titles[server]:<14} skipped: {why}")
                    title = ""
                continue
            jwt = next((peer for peer in JWT_PEERS if peer in row.get("ratios", {})), "-")
            rate = f"{row['rate']:,.0f} {cell.per_second}" if cell.per_second else ""
            p99 = f"{row['p99_us']:,.0f}" if cell.per_second else ""
            flag = f"  {row['failed']:.0f} FAILED" if row["failed"] else ""
            if cell.name == "resume" and row["resumed"] < 0.9:
                flag += f"  only {100 * row['resumed']:.0f} % resumed"
            rows.append(line(title, titles[server], number(row["median"]), cell.unit,
                             "1" if server == BASELINE else ratio_text(row, BASELINE), ratio_text(row, jwt),
                             rate, p99) + flag)
            title = ""
    return "\n".join(rows)


def marks(summary):
    """What the design asks of Gatehouse, and whether this run shows it."""
    held = []
    for cell, peer, most in MARKS:
        row = summary.get(cell, {}).get("servers", {}).get("gatehouse")
        if row and peer in row.get("ratios", {}):
            is_now = row["ratios"][peer]["median"]
            held.append({"mark": f"{summary[cell]['title']} <= {most} x {peer}", "is": is_now, "held": is_now <= most})
    for cell, most in MEMORY_MARKS:
        row = summary.get(cell, {}).get("servers", {}).get("gatehouse")
        if row:
            held.append({"mark": f"{summary[cell]['title']} <= {most} KB", "is": row["median"],
                         "held": row["median"] <= most})
    return held


def conditions(figures, place):
    """Where it ran, and how undisturbed."""
    quiet = [r["quiet"] for rows in figures.values() for rounds in rows.values() for r in rounds if r and "kb" not in r]
    share = f"{100 * statistics.mean(quiet):.0f} % of the time was quiet" if quiet else "nothing was timed"
    return f"server on CPU {place.server_cpu}, driver and backend on CPU {place.load_cpu}; {share}"
