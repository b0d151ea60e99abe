"""servers.py: the systems under test: how each is configured, started, found ready, and stopped."""
import dataclasses
import http.client
import os
import resource
import shutil
import socket
import subprocess
import time

ISSUER = "https://issuer.test/"
CACHE_TOKENS = 2000  # far fewer than the tokens of the first-sight rows, more than those of the seen row
START_SECONDS, STOP_SECONDS = 10, 5


@dataclasses.dataclass
class Kind:
    """One product in one configuration."""
    name: str
    title: str
    port: int  # added to the base port
    program: str
    package: str
    verifies: str = ""  # which tokens it verifies: rs256, es256; empty: it checks nothing


KINDS = [
    Kind("gatehouse", "Gatehouse", 1, "gatehouse", "", "rs256"),
    Kind("nghttpx", "nghttpx", 3, "nghttpx", "nghttp2-proxy"),
    Kind("haproxy", "haproxy", 4, "haproxy", "haproxy"),
    Kind("haproxy-rs256", "haproxy RS256", 5, "haproxy", "haproxy", "rs256"),
    Kind("haproxy-es256", "haproxy ES256", 6, "haproxy", "haproxy", "es256"),
    Kind("nginx", "nginx", 7, "nginx", "nginx"),
]


class Place:
    """Where things run: the servers on one CPU, driver and backend on another, files in one folder."""

    def __init__(self, root, base_port):
        self.conf = os.path.join(root, "bench", "conf")
        self.bin = os.path.join(root, "build-bench")
        self.run = os.path.join(self.bin, "run")
        self.gatehouse = os.path.join(self.bin, "gateway", "gatehouse")
        self.base = base_port
        self.admin = base_port + 2
        self.resource = f"https://gw.test:{base_port + 1}/mcp"
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpu, self.load_cpu = cpus[0], cpus[1 % len(cpus)]
        self.raised = False
        self.files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if self.files == resource.RLIM_INFINITY or self.files > 16000:
            self.files = 16000

    def cpus(self):
        return sorted({self.server_cpu, self.load_cpu})

    def start(self, command, cpu, **options):
        def settle():
            os.sched_setaffinity(0, {cpu})
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            if self.raised:
                os.setpriority(os.PRIO_PROCESS, 0, -5)
        return subprocess.Popen(command, preexec_fn=settle, **options)

    def try_raise(self):
        """Short bursts at a slightly raised priority: other work on the machine disturbs them less. Needs root."""
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -5)
            os.setpriority(os.PRIO_PROCESS, 0, 0)
            self.raised = True
        except PermissionError:
            pass

    def fill(self, template, name, port, **more):
        with open(os.path.join(self.conf, template)) as file:
            text = file.read()
        values = dict(RUN=self.run, NAME=name, PORT=port, UPSTREAM=self.base, ADMIN=self.admin, ISSUER=ISSUER,
                      RESOURCE=self.resource, CACHE=CACHE_TOKENS, FILES=self.files, **more)
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        return text


class Skipped(Exception):
    """This server cannot be measured here; the text says why and what to do."""


class Server:
    def __init__(self, kind, place):
        self.kind, self.place = kind, place
        self.name, self.port = kind.name, place.base + kind.port
        self.process = None

    def find(self):
        if self.name == "gatehouse":
            return self._find_gatehouse()
        path = shutil.which(self.kind.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            raise Skipped(f"{self.kind.program} is not installed: apt install {self.kind.package}")
        return path

    def _find_gatehouse(self):
        path = self.place.gatehouse
        if not os.access(path, os.X_OK):
            raise Skipped(f"no program at {os.path.relpath(path)}")
        with open(path, "rb") as file:
            if b"__asan_init" in file.read():
                raise Skipped(f"{os.path.relpath(path)} is a sanitizer build: its figures mean nothing")
        return path

    def configure(self):
        name, run = self.name, self.place.run
        if name == "gatehouse":
            template, text = "gatehouse.yaml", self.place.fill("gatehouse.yaml.in", name, self.port)
        elif name == "nghttpx":
            template, text = "nghttpx.conf", self.place.fill("nghttpx.conf.in", name, self.port)
        elif name == "nginx":
            os.makedirs(os.path.join(run, f"{name}-tmp"), exist_ok=True)
            template, text = "nginx.conf", self.place.fill("nginx.conf.in", name, self.port)
        else:
            template, jwt = f"{name}.cfg", ""
            if self.kind.verifies:
                alg = self.kind.verifies
                jwt = self.place.fill("haproxy-jwt.in", name, self.port, ALG=alg.upper(), KEY=f"{alg}.pub.pem")
            text = self.place.fill("haproxy.cfg.in", name, self.port, JWT=jwt)
        path = os.path.join(run, template)
        with open(path, "w") as file:
            file.write(text)
        return path

    def command(self):
        program, conf = self.find(), self.configure()
        return {
            "gatehouse": [program, "serve", "-c", conf],
            "nghttpx": [program, f"--conf={conf}"],
            "nginx": [program, "-e", os.path.join(self.place.run, "nginx.log"), "-c", conf],
        }.get(self.name, [program, "-db", "-f", conf])

    def start(self):
        if self.process is not None:
            return
        command = self.command()
        if accepts(self.port):
            raise Skipped(f"port {self.port} is taken by something else: choose others with --port")
        output = os.path.join(self.place.run, f"{self.name}.out")
        with open(output, "wb") as file:
            self.process = self.place.start(command, self.place.server_cpu, stdin=subprocess.DEVNULL,
                                            stdout=file, stderr=file)
        until = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise Skipped(f"did not start: {os.path.relpath(output)}: {last_line(output)}")
            time.sleep(0.05)

    def is_ready(self):
        if self.name == "gatehouse":
            return fetch(self.place.admin, "/readyz") is not None and accepts(self.port)
        return accepts(self.port)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def pids(self):
        """The server's processes: the one started here and its children."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as file:
                        todo += [int(child) for child in file.read().split()]
            except OSError:
                pass
        return found

    def resident_kb(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        return total


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def fetch(port, path):
    """The body of an admin document, None while it is not served."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return body if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None


def last_line(path):
    with open(path, errors="replace") as file:
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1][:160] if lines else "it says nothing"
