"""cells.py: what is measured: one cell is one kind of load on one server, one line of the table."""
import dataclasses
import subprocess
import time

PLAIN = ("gatehouse", "nghttpx", "haproxy", "nginx")
SEEN_TOKENS = 1000  # in rotation, all held by the cache after the warm-up
HELD_TOKENS = 100  # of connections and streams that stay open: few streams for each principal, few verdicts
EVENT_STREAMS, EVENT_MS = 100, 20


@dataclasses.dataclass
class Cell:
    name: str
    title: str
    unit: str
    servers: tuple
    mode: str
    options: tuple = ()
    tokens: str = "rs256.many"
    body: str = "call.json"
    value: str = "cpu_us"  # the figure of the driver that this row is about
    per_second: str = ""  # what its rate counts


CELLS = [
    Cell("seen", "token seen before", "us CPU/request", PLAIN + ("haproxy-rs256",), "requests",
         ("-c", "50", "-m", "10", "-n", str(SEEN_TOKENS)), per_second="req/s"),
    Cell("first-rs256", "first sight, RS256", "us CPU/request", ("gatehouse", "nghttpx", "haproxy-rs256"),
         "requests", ("-c", "50", "-m", "10"), per_second="req/s"),
    Cell("first-es256", "first sight, ES256", "us CPU/request", ("gatehouse", "nghttpx", "haproxy-es256"),
         "requests", ("-c", "50", "-m", "10"), tokens="es256.many", per_second="req/s"),
    Cell("latency", "added latency, 1 in flight", "us p50", PLAIN + ("haproxy-rs256",), "requests",
         ("-c", "1", "-m", "1", "-n", str(SEEN_TOKENS)), value="added_us", per_second="req/s"),
    Cell("stream", "event stream", "us CPU/event", PLAIN, "streams", ("-c", str(EVENT_STREAMS), "-m", "1"),
         body="stream.json", per_second="events/s"),
    Cell("connect", "new connection, full", "us CPU/conn", PLAIN, "connects",
         ("-c", "8", "-n", str(SEEN_TOKENS)), per_second="conn/s"),
    Cell("resume", "new connection, resumed", "us CPU/conn", PLAIN, "connects",
         ("-c", "8", "-R", "-n", str(SEEN_TOKENS)), per_second="conn/s"),
    Cell("memory-idle", "idle connection", "KB", PLAIN, "hold",
         ("-n", str(HELD_TOKENS)), value="kb"),
    Cell("memory-stream", "open event stream", "KB", PLAIN, "streams", ("-n", str(HELD_TOKENS)),
         body="idle-stream.json", value="kb"),
]

BODIES = {
    "call.json": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_weather","arguments":'
                 '{"city":"San Francisco","units":"metric","lang":"en","x":1}}}',
    "stream.json": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"watch","arguments":'
                   '{"stream_ms":%d}}}' % EVENT_MS,
    "idle-stream.json": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"watch","arguments":'
                        '{"stream_ms":30000}}}',
}


class Failed(Exception):
    """The driver could not do its work."""


class Driver:
    """Runs the load driver, and counts the exchanges it had with each server."""

    def __init__(self, place, backend_pid):
        self.place, self.backend_pid = place, backend_pid
        self.exchanges = {}

    def command(self, mode, port, body, tokens, options):
        place = self.place
        command = [f"{place.bin}/drive", mode, "-p", str(port), "-b", f"{place.run}/{body}",
                   "-C", ",".join(str(cpu) for cpu in place.cpus()), "-B", str(self.backend_pid)]
        if tokens:
            command += ["-t", f"{place.run}/{tokens}"]
        return command + list(options)

    def start(self, command):
        return self.place.start(command, self.place.load_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def finish(self, process, server, patience=90):
        output, errors = process.communicate(timeout=patience)
        if process.returncode != 0 or not output.strip():
            raise Failed(errors.strip().splitlines()[-1] if errors.strip() else "the driver failed")
        figures = read_figures(output.strip().splitlines()[-1])
        if server is not None:
            self.exchanges[server.name] = self.exchanges.get(server.name, 0) + int(figures["exchanges"])
        return figures

    def load(self, server, cell, seconds, warmup):
        pids = ",".join(str(pid) for pid in server.pids())
        options = cell.options + ("-D", str(seconds), "-W", str(warmup), "-P", pids)
        return self.finish(self.start(self.command(cell.mode, server.port, cell.body, cell.tokens, options)), server)

    def direct(self, seconds, warmup):
        """The latency of the backend itself, without anything between."""
        options = ("-D", str(seconds), "-W", str(warmup))
        return self.finish(self.start(self.command("direct", self.place.base, "call.json", "", options)), None)

    def status(self, server, tokens):
        """The status of one request with the first of these tokens, or with none."""
        return int(self.finish(self.start(self.command("probe", server.port, "call.json", tokens, ())),
                               server)["status"])

    def memory(self, server, cell, count):
        """Resident memory per connection or stream that is held: a fresh server, warmed, before and after."""
        warm = self.command("requests", server.port, "call.json", "rs256.many",
                            ("-c", "10", "-m", "4", "-D", "0.5", "-W", "0.1", "-n", str(HELD_TOKENS)))
        self.finish(self.start(warm), server)
        time.sleep(0.3)
        before = server.resident_kb()
        options = cell.options + ("-c", str(count), "-D", "0")
        holder = self.start(self.command(cell.mode, server.port, cell.body, cell.tokens, options))
        ready = holder.stdout.readline()
        time.sleep(1)
        after = server.resident_kb()
        figures = self.finish(holder, server)
        if not ready.startswith("READY") or figures["errors"] > 0:
            raise Failed(f"not all of {count} could be held: {ready.strip()} errors={figures['errors']:.0f}")
        return {**figures, "bad": 0.0, "kb": (after - before) / count, "base_kb": float(before)}


def read_figures(line):
    return {key: float(value) for key, value in (pair.split("=") for pair in line.split())}
