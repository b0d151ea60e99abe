"""The gateway under test: writes its settings, runs the binary, reads its audit lines, and judges how it ends."""
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

from . import apart, redis
from .http1 import WAYS, Broken, Connection, Request, whole
from .issuer import SIGNATURES
from .wait import free_port, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BINARY = os.environ.get("GATEHOUSE", os.path.join(ROOT, "build", "gatehouse"))
REPORTS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehavior|runtime error:|Assertion|Bail out")
INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}).encode()


def with_places(log):
    """A sanitizer's report with functions and lines: in the sandbox its symbolizer cannot be started."""
    def place(match):
        found = subprocess.run(["llvm-symbolizer-14", "--inlines", "-e", match[1], match[2]], capture_output=True, text=True, check=False)
        return match[0] + " " + " < ".join(found.stdout.split())
    return re.sub(r"\((/\S+)\+(0x[0-9a-f]+)\)", place, log) if shutil.which("llvm-symbolizer-14") else log


class Gateway:
    """Settings are plain data: change `settings` before start()."""

    def __init__(self, folder, issuer, upstream, name=None):
        """Several in one folder have names: their files begin with them."""
        self.folder, self.issuer, self.upstream = str(folder), issuer, upstream
        self.settings_file, self.log_file = f"{name or 'gatehouse'}.yaml", f"{name}.stderr" if name else "stderr"
        self.port, self.admin_port, self.process, self.read = free_port(), free_port(), None, 0
        self.environment = {}  # beside that of the tests
        self.server = None  # of its store, where that is a Redis
        self.front, self.house = None, None  # where the issuer runs apart: what is in front of both, and its process
        self.authority = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.authority}"
        self.audit_path = os.path.join(self.folder, f"{name}.audit.jsonl" if name else "audit.jsonl")
        self.audit_file, self.audit_end, self.audit_lines = None, 0, []
        self.settings = {
            "workers": 2,
            "listen": [{"address": self.authority}],
            "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            "fetch": {"allow_http_loopback": True},
            "audit": {"file": os.path.basename(self.audit_path)},
            "log": {"level": "debug"},
            "issuers": {"idp": {"issuer": issuer.url, "algs": [key.alg for key in issuer.keys]}},
            "tenants": {"acme": {"hosts": [self.authority], "issuers": ["idp"], "origins": ["https://app.example"]}},
            "routes": [{
                "name": "weather", "tenant": "acme", "resource": f"{self.origin}/weather/mcp", "upstream": upstream.url,
                "scopes": ["mcp:read"],
                "identity_headers": {"user": "X-Gatehouse-User", "client": "X-Gatehouse-Client",
                                     "tenant": "X-Gatehouse-Tenant"}}],
        }
        issuer.resource = f"{self.origin}/weather/mcp"
        if issuer.server is None:
            self.write("jwks.json", issuer.key_set())
            self.settings["issuers"]["idp"]["jwks_file"] = "jwks.json"

    @property
    def route(self):
        return self.settings["routes"][0]

    def write(self, name, value):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)  # JSON is YAML

    # ---- its life

    def start(self, ready="/readyz"):
        """Runs the binary and waits until its admin listener answers 200 there; None waits for no answer."""
        assert os.access(BINARY, os.X_OK), f"there is no {BINARY}: build it, or name it by GATEHOUSE"
        if apart.is_wanted(self.settings, self.origin):
            self.front = apart.Front(self, [free_port() for _ in range(4)])
        self.write_settings()
        if self.front is not None:
            self.house = self.run(f"issuer-{self.settings_file}")
        self.process = self.run(f"gateway-{self.settings_file}" if self.front else self.settings_file)
        if ready is not None:
            until(lambda: self.answers(ready), f"200 from {ready}; the log says:\n{self.log()[-2000:]}")
        return self

    def run(self, settings_file):
        with open(os.path.join(self.folder, self.log_file), "ab") as errors:
            return subprocess.Popen([BINARY, "serve", "-c", settings_file], cwd=self.folder, env={**os.environ, **self.environment},
                                    stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)

    def write_settings(self):
        settings, server = self.settings, redis.server_of(self.folder, self.settings)
        if server is not None:
            settings, self.server = redis.moved(settings, server), server
            server.used_by(self)
        self.write(self.settings_file, settings)  # also where they run apart: for the commands
        if self.front is not None:
            self.write(f"gateway-{self.settings_file}", apart.of_gateway(settings, *self.front.gateway))
            self.write(f"issuer-{self.settings_file}", apart.of_issuer(settings, *self.front.issuer))

    def reload(self, says="settings reloaded"):
        """Has the settings read again, and waits until the log says what came of it."""
        self.write_settings()
        processes = [process for process in (self.house, self.process) if process is not None]
        before = self.log().count(says)
        for process in processes:
            process.send_signal(signal.SIGHUP)
        until(lambda: self.log().count(says) >= before + len(processes), f'"{says}" in the log')

    def answers(self, path):
        assert self.process.poll() is None, f"exit status {self.process.returncode}; the log says:\n{self.log()[-4000:]}"
        return self.admin(path)[0] == 200

    def admin(self, path, port=None):
        """(status, text) from the admin listener; status 0 while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port or self.admin_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def heard(self, count):
        """Waits until every process of the site knows of so many revocations; the one that was asked does already."""
        for port in [self.admin_port] + ([self.front.issuer[1]] if self.front else []):
            until(lambda port=port: self.metric("gatehouse_revocation_entries", port) >= count, "word of a revocation")

    def metric(self, name, port=None):
        """The sum of a metric over its labels: of the process behind that port, else of all that the site is made of."""
        ports = [port] if port else [self.admin_port] + ([self.front.issuer[1]] if self.front else [])
        lines = [line for port in ports for line in self.admin("/metrics", port)[1].splitlines() if re.match(rf"{name}[ {{]", line)]
        assert lines, f"no metric {name}"
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def log(self):
        with open(os.path.join(self.folder, self.log_file), encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    def stop(self):
        """Ends it as an operator would, and checks that nothing went wrong that no answer showed."""
        if self.process is None:
            return
        status = self.end(self.process)
        if self.house is not None:
            self.front.close()
            status = self.end(self.house) or status
        self.process = self.house = self.front = None
        if self.server is not None:
            self.server.left_by(self)
        log = self.log()
        assert not REPORTS.search(log), with_places(log[-8000:])
        assert status == 0, f"exit status {status}; the log says:\n{log[-4000:]}"
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", log), "a raw control byte in the log"
        written = log + "".join(json.dumps(line) for line in self.audit())
        leaked = [signature for signature in SIGNATURES if signature in written]
        assert not leaked, f"a token was logged: {leaked[0]}"

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"SIGTERM did not end it; the log says:\n{self.log()[-4000:]}") from None

    # ---- what it says about exchanges

    def audit(self):
        """All lines so far; those read before are kept, unless another file has come in their place."""
        if not os.path.exists(self.audit_path):
            return []
        with open(self.audit_path, "rb") as file:
            info = os.fstat(file.fileno())
            if (info.st_dev, info.st_ino) != self.audit_file or info.st_size < self.audit_end:
                self.audit_file, self.audit_end, self.audit_lines = (info.st_dev, info.st_ino), 0, []
            file.seek(self.audit_end)
            whole, line_end, _ = file.read().rpartition(b"\n")
        self.audit_end += len(whole + line_end)
        self.audit_lines += [json.loads(line) for line in whole.decode().split("\n") if line_end]
        return list(self.audit_lines)

    def next_audit(self):
        """The next line nobody has read yet."""
        lines = until(lambda: (found := self.audit())[self.read:] and found, "audit line")
        self.read += 1
        return lines[self.read - 1]

    def audit_of(self, answer):
        """The line of this very answer where it names its request: lines of two workers come in no order."""
        line = self.next_audit()
        name = answer["x-request-id"]
        if name is None or line.get("request_id") == name:
            return line
        return self.audit_of_id(name)

    def audit_of_id(self, name):
        return until(lambda: next((one for one in self.audit() if one.get("request_id") == name), None), "its audit line")

    # ---- requests

    def post(self, token=None, target="/weather/mcp", body=INITIALIZE):
        """A good request of an MCP client, with a good token unless told otherwise (False: none)."""
        fields = (("Host", self.authority), ("Content-Type", "application/json"),
                  ("Accept", "application/json, text/event-stream"))
        if token is not False:
            fields += (("Authorization", f"Bearer {token or self.issuer.token()}"),)
        return Request(target=target, fields=fields, body=body)

    def connect(self, **options):
        return Connection(self.port, **options)

    def send(self, request, way=whole, behind=None):
        """One request on a connection of its own, or behind another that is answered first: the answer, with its audit
        line as answer.audit."""
        raw = request if isinstance(request, bytes) else request.wire()
        with self.connect() as connection:
            if behind is not None:
                connection.send(behind.wire())
                assert self.audit_of(connection.read(behind.method))["reason"] == "ok"
            before = self.upstream.bytes
            try:
                way(connection, raw)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the end of the request: the answer is what counts
            answer = connection.read(getattr(request, "method", "POST"))
        answer.audit, answer.contact = self.audit_of(answer), self.upstream.bytes - before
        return answer

    def accepted(self, request):
        """The request reaches the upstream, and its answer comes back; returns (answer, what the upstream saw)."""
        before = len(self.upstream.seen)
        answer = self.send(request)
        assert (answer.status, answer.audit["reason"]) == (200, "ok"), (answer, answer.audit)  # reason: ok
        assert len(self.upstream.seen) == before + 1
        return answer, self.upstream.seen[-1]

    def refused(self, bad, status, reason, good=None, ways=WAYS):
        """The bad request ends with this status and reason and the upstream gets no byte of it, in whichever way it
        is sent, and as second message of a connection; its unmodified twin is accepted before and after. Returns the
        last answer to the bad one."""
        good = good or self.post()
        self.accepted(good)
        for way, behind in [(way, None) for way in ways] + [(whole, good)]:
            answer = self.send(bad, way, behind)
            how = way.__name__ if behind is None else "second message"
            assert (answer.status, answer.audit["reason"]) == (status, reason), (how, answer, answer.audit)
            assert answer.audit["status"] == status and answer.clean
            assert answer.contact == 0, f"the upstream was contacted: {how}"
        self.accepted(good)
        return answer

    def broken_off(self, bad, status, reason, good=None, ways=WAYS):
        """As refused(), for what goes wrong in a body: its head may have gone on by then, but no whole request does."""
        good = good or self.post()
        self.accepted(good)
        for way, behind in [(way, None) for way in ways] + [(whole, good)]:
            before = self.whole_requests()
            answer = self.send(bad, way, behind)
            how = way.__name__ if behind is None else "second message"
            assert (answer.status, answer.audit["reason"]) == (status, reason), (how, answer, answer.audit)
            assert self.whole_requests() == before + (behind is not None), f"a whole request went on: {how}"
        self.accepted(good)

    def whole_requests(self):
        """Those that were broken off are seen when their connection ends, which may be later."""
        return sum(seen.whole for seen in self.upstream.seen)

    def second_on_connection(self, first, second):
        """Both requests on one connection; the second answer, or None when the gateway closed before it."""
        with self.connect() as connection:
            connection.send(first.wire())
            connection.read(first.method)
            self.next_audit()
            connection.send(second.wire() if not isinstance(second, bytes) else second)
            try:
                answer = connection.read()
            except Broken:
                return None
            answer.audit = self.next_audit()
            return answer
