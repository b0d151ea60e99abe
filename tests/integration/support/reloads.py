"""Reloads under load: each changes a certificate and a setting, and is seen to; none costs a request or an event."""
import json
import os
import re
import signal
import socket
import ssl
from types import SimpleNamespace

from cryptography import x509

from .certificates import Authority
from .gateway import Gateway
from .roles import Role
from .wait import free_port, until

# ---- settings that must change nothing

def without(key):
    return lambda s: s.pop(key)


def in_route(**changes):
    return lambda s: s["routes"][0].update(changes)


def in_issuer(**changes):
    return lambda s: s["issuers"]["idp"].update(changes)


def in_tenant(**changes):
    return lambda s: s["tenants"]["acme"].update(changes)


def in_root(**changes):
    return lambda s: s.update(changes)


def in_limits(**changes):
    return lambda s: s.update(limits={**s.get("limits", {}), **changes})


def of_listener(**changes):
    return lambda s: s["listen"][0].update(changes)


BAD = [
    in_root(wokers=2), in_root(workers="many"), in_root(workers=-1), in_root(workers=100000), in_root(workers=1.5), in_root(workers=True),
    in_root(listen=[]), in_root(listen="127.0.0.1:1"), in_root(issuers={}), in_root(tenants={}), in_root(routes=[]), in_root(routes={}),
    without("issuers"), without("tenants"), without("routes"), in_root(trusted_proxies=["0.0.0.0/0"]), in_root(trusted_proxies=["10.0.0.1/8"]),
    in_root(shared_sources=["nowhere"]), in_root(forwarded_by="x-real-ip"), in_root(log={"level": "loud"}), in_root(fetch={"timeout": "1h"}),
    in_root(cache={"tokens": -1}), in_root(offload={"threads": 0}), in_root(admin={"address": "127.0.0.1"}), in_root(limits=[]),
    in_limits(head="1KB"), in_limits(head="1GiB"), in_limits(fields=0), in_limits(idle="10"), in_limits(streams=0), in_limits(no_such_limit=1),
    in_limits(h2_streams=100000), in_limits(max_token="64KiB"), in_limits(stream_buffer="1KiB"), in_limits(connections="lots"),
    in_route(tenant="nobody"), in_route(name=""), in_route(resource="weather"), in_route(resource="https://elsewhere.example/mcp"),
    in_route(upstream="ftp://127.0.0.1/mcp"), in_route(upstream={"urls": []}), in_route(upstream="http://127.0.0.1:1/mcp?x=1"),
    in_route(audiences=[]), in_route(scopes=["a b"]), in_route(scopes=["offline_access"]), in_route(scope_hierarchy=["a"]),
    in_route(issuers=["nobody"]), in_route(max_body="8EiB"), in_route(sse_keepalive="1ms"), in_route(identity_headers={"user": "Authorization"}),
    in_route(forward_headers=["Cookie"]), in_route(origins=["app.example"]), in_route(whole_body="maybe"), in_route(extra=1),
    in_issuer(algs=["none"]), in_issuer(algs=["HS256"]), in_issuer(issuer="issuer"), in_issuer(jwks_file="nowhere.json"), in_issuer(leeway="1h"),
    in_issuer(profile="unheard-of"), in_tenant(hosts=[]), in_tenant(hosts=["a b"]), in_tenant(issuers=["nobody"]), in_tenant(extra=1),
    of_listener(address="127.0.0.1:1"), of_listener(proxy_protocol=True), of_listener(tls={"certificate": "nowhere.crt", "key": "nowhere.key"}),
    of_listener(tls={"certificate": "tls.crt", "key": "other.key"}),  # a pair that does not fit
    of_listener(tls={"certificate": "half.crt", "key": "tls.key"}),   # a file cut in the middle
    lambda s: s["routes"].append({**s["routes"][0], "name": "twin"}), lambda s: s["listen"].append({"address": "127.0.0.1:1"}),
]


class Reloads:
    """The run. `say(holds, what, detail)` is told each verdict."""

    def __init__(self, folder, issuer, say, streams=50, subjects=10, width=8, threads=(3, 2), pause=0):
        self.folder, self.say, self.serial, self.generation = str(folder), say, 0, 0
        self.authority, self.streams, self.width, self.threads, self.pause = Authority(folder), streams, width, threads, pause
        self.seen_reloads = self.refused = 0
        self.behind_port = free_port()
        self.site = Gateway(folder, issuer, SimpleNamespace(url=f"http://127.0.0.1:{self.behind_port}/mcp", bytes=0))
        self.site.settings["log"] = {"level": "info"}
        self.site.settings["limits"] = {"connections_per_ip": 10000}
        self.site.settings["routes"].append({**self.site.route, "name": "marker", "resource": f"{self.site.origin}/marker/mcp"})
        self.users = [(f"user-{i}", issuer.token(sub=f"user-{i}", exp=4102444800)) for i in range(subjects)]
        self.behind = Role("behind", port=self.behind_port, secrets=[token.rsplit(".", 1)[1] for _, token in self.users],
                           event_s=max(0.1, streams / 1000))
        self.clients, self.events = [], None

    # ---- certificates and settings

    def new_pair(self):
        """A new certificate with its key, each put in its place at once."""
        certificate, key = self.authority.leaf("127.0.0.1", "localhost")
        with open(certificate, "rb") as file:
            text = file.read()
        self.serial = x509.load_pem_x509_certificate(text).serial_number
        os.replace(key, os.path.join(self.folder, "tls.key"))
        os.replace(certificate, os.path.join(self.folder, "tls.crt"))

    def start(self):
        self.new_pair()
        certificate, key = self.authority.leaf("other.example")
        os.replace(key, os.path.join(self.folder, "other.key"))
        with open(certificate, "rb") as file:
            self.site_write("half.crt", file.read()[:300])
        self.site.settings["listen"][0]["tls"] = {"certificate": "tls.crt", "key": "tls.key"}
        until(self.is_behind_up, "server behind")
        self.site.start()
        self.generation = self.read_generation()
        common = {"port": self.site.port, "host": self.site.authority, "path": "/weather/mcp", "ca": self.authority.path, "users": self.users,
                  "width": self.width, "pause": self.pause, "streams": self.streams}
        self.events = Role("events", **common)
        self.clients = [Role("h1", first=1, threads=self.threads[0], **common), Role("h2", first=101, threads=self.threads[1], **common)]
        until(lambda: self.events.said["events"] > 2 * self.streams and all(one.said["answered"] for one in self.clients), "load")

    def is_behind_up(self):
        try:
            socket.create_connection(("127.0.0.1", self.behind_port), 5).close()
            return True
        except OSError:
            return False

    def site_write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    # ---- what can be seen from outside

    def read_generation(self):
        found = re.search(r"^gatehouse_settings_generation (\d+)$", self.site.admin("/metrics")[1], re.M)
        return int(found.group(1)) if found else -1

    def read_serial(self):
        context = ssl.create_default_context(cafile=self.authority.path)
        with socket.create_connection(("127.0.0.1", self.site.port), 30) as raw:
            with context.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
                return x509.load_der_x509_certificate(secure.getpeercert(True)).serial_number

    def read_name(self):
        """Of a route beside the loaded one, from its metadata."""
        with self.site.connect(tls=self.authority.client("http/1.1")) as connection:
            connection.send(f"GET /.well-known/oauth-protected-resource/marker/mcp HTTP/1.1\r\nHost: {self.site.authority}\r\n\r\n".encode())
            return json.loads(connection.read().body).get("resource_name")

    def reload_well(self, number):
        name = f"reload {number}"
        self.new_pair()
        self.site.settings["routes"][1]["resource_name"] = name
        self.site.settings["limits"]["idle"] = f"{60 + number % 7}s"
        self.site.write("gatehouse.yaml", self.site.settings)
        self.site.process.send_signal(signal.SIGHUP)
        self.generation += 1
        until(lambda: self.read_generation() == self.generation, f"generation {self.generation}; the log says {self.site.log()[-2000:]}")
        # Each worker takes it up by itself: whichever a connection comes to must show it, several times over.
        until(lambda: all(self.read_serial() == self.serial for _ in range(4)), f"certificate {number} in new handshakes")
        until(lambda: all(self.read_name() == name for _ in range(4)), f"setting {number} in the metadata")
        self.seen_reloads += 1

    def reload_badly(self, change):
        bad = json.loads(json.dumps(self.site.settings))
        change(bad)
        self.site.write("gatehouse.yaml", bad)
        before = self.site.log().count("settings were not reloaded")
        self.site.process.send_signal(signal.SIGHUP)
        until(lambda: self.site.log().count("settings were not reloaded") == before + 1, f"refusal of {bad}")
        assert self.read_generation() == self.generation and self.read_serial() == self.serial, "a refused reload took effect"
        self.refused += 1

    def rss(self):
        """In KiB, settled."""
        with open(f"/proc/{self.site.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def requests(self):
        return sum(one.said["answered"] for one in self.clients)

    def roles(self):
        return [self.behind] + self.clients + ([self.events] if self.events else [])

    def kill(self):
        """Whatever still runs of it."""
        for one in self.roles():
            one.process.kill()
        if self.site.process is not None:
            self.site.process.kill()

    def failures(self):
        return [what for one in self.roles() for what in one.said["failures"]]

    # ---- the end

    def finish(self):
        """Ends the load, then the gateway; judges what was seen."""
        for one in self.clients + [self.events]:
            one.end()
        requests, events = self.requests(), self.events.said["events"]
        lost = sum(one.said["lost"] for one in self.clients)
        gaps = self.events.said["lost"]
        self.say(lost == 0, f"{requests} requests, none lost or crossed", self.failures())
        self.say(gaps == 0 and events > 0, f"{self.streams} event streams, {events} events, no gap", self.failures())
        self.site.stop()
        answered = [line for line in self.site.audit() if line.get("route") == "weather"]
        ok = [line for line in answered if line["reason"] == "ok"]
        others = {line["reason"] for line in answered} - {"ok", "client_gone"}
        self.say(len(ok) == requests and not others, f"{len(ok)} audit lines for {requests} requests", others)
        self.behind.end()
        self.say(self.behind.said["lost"] == 0, "no token of a client reached the server behind", self.behind.said["failures"])
        return requests, events
