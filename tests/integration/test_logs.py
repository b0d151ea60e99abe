"""What is written about traffic: nothing a client sends can forge, flood or multiply it, and no secret is in it."""
import glob
import hashlib
import json
import os
import random
import re
import signal
import subprocess

import pytest

from support.gateway import BINARY
from support.http1 import Connection
from support.introspection import Introspection
from support.issuer import Issuer, Key, b64, respond
from support.load import KeepAlive, Load, Tally, same
from support.wait import free_port, until


# ---- L1: lines cannot be forged

@pytest.fixture
def odd(site):
    site.settings["workers"] = 1
    site.settings["limits"] = {"verify_burst": 100000, "verify_address_burst": 1000000}
    return site.start()


def send_on(connection, request):
    connection.send(request.wire())
    return connection.read()


def test_every_byte_value_in_what_a_token_says(odd):
    """All characters below 256 and what reorders text, in each claim that is written down: one line each, all JSON."""
    points = [*range(1, 256), 0x202E, 0x2066, 0x2028, 0xFEFF, 0x1F600]
    told = ("sub", "client_id", "jti")
    with odd.connect() as connection:
        for point in points:
            values = {name: f"{name}-a{chr(point)}z" for name in told}
            assert send_on(connection, odd.post(odd.issuer.token(**values, act={"sub": values["sub"]}))).status == 200
    lines = until(lambda: (found := odd.audit())[len(points) - 1:] and found, "a line for each request")
    assert len(lines) == len(points)
    for point, line in zip(points, lines):
        assert line["reason"] == "ok"
        for name, field in (("sub", "user"), ("client_id", "client"), ("sub", "agent")):
            assert line[field] == f"{name}-a{chr(point)}z"
        digest = hashlib.sha256(f"jti-a{chr(point)}z".encode()).digest()
        assert line["jti_hash"] == b64(digest) and "jti" not in line
    with open(odd.audit_path, "rb") as file:
        raw = file.read()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw) and not re.search("[\u0080-\u009f\u202e\u2066\u2028\ufeff]", raw.decode())


def test_every_byte_value_in_what_a_client_sends(odd):
    """In the path, in header fields, in a kid, as a host: whatever becomes of it, the log is one object a line."""
    good, sent = odd.post(), 0
    for byte in range(256):
        letter = chr(byte)
        for request in (good.to(f"/weather/m{letter}cp"), good.also("traceparent", f"00-{letter}"), good.also("X-Odd", letter),
                        good.with_field("Host", f"a{letter}b"), good.with_field("User-Agent", f"{letter}\"}}\n")):
            with odd.connect() as connection:
                assert send_on(connection, request).status >= 200
            sent += 1
    with odd.connect() as connection:
        for byte in range(1, 256):
            assert send_on(connection, odd.post(odd.issuer.token(header={"kid": f"k{chr(byte)}"}))).status == 401
            sent += 1
    until(lambda: len(odd.audit()) >= sent, "a line for each request")
    assert all(line["reason"] for line in odd.audit())
    for line in odd.log().splitlines():
        assert json.loads(line)["message"]
    odd.read = len(odd.audit())
    odd.accepted(good)


# ---- L3: volume

def metric(site, name):
    return int(re.search(rf"^gatehouse_{name} (\d+)$", site.admin("/metrics")[1], re.M).group(1))


def test_a_flood_of_one_kind_is_counted_not_written(site, authority):
    """Hundreds of failed handshakes: a few lines, a number, and the next line says how many were left out."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["workers"] = 1
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    site.settings["log"].update(burst=10, per_s=1)
    site.start()

    def refused():
        return [json.loads(line) for line in site.log().splitlines() if "no TLS connection came about" in line]

    def speak_http():
        with site.connect() as plain:
            plain.send(b"GET / HTTP/1.1\r\n\r\n")
            while plain.fill():
                pass

    for _ in range(200):
        speak_http()
    reasons = lambda: [line["reason"] for line in site.audit()]  # noqa: E731
    until(lambda: reasons().count("plaintext_refused") == 200, "each in the audit log, which leaves nothing out")
    until(lambda: metric(site, "log_lines_dropped_total") + len(refused()) == 200, "each written or counted")
    assert len(refused()) < 100

    def left_out():
        speak_http()
        return [line for line in refused() if "left_out" in line]

    assert int(until(left_out, "a line that tells of those left out")[0]["left_out"]) > 0


def test_an_audit_log_that_nobody_reads(site):
    """A pipe that is full: requests go on, lines that have no room are counted."""
    site.settings["workers"] = 1
    site.settings["audit"] = {"file": "stdout"}
    site.write("gatehouse.yaml", site.settings)
    with open(os.path.join(site.folder, "stderr"), "ab") as errors:
        site.process = subprocess.Popen([BINARY, "serve", "-c", "gatehouse.yaml"], cwd=site.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=errors)
    until(lambda: site.answers("/readyz"), "readiness")
    request = site.post(site.issuer.token(sub="s" * 500, client_id="c" * 500)).wire()
    with Connection(site.port) as connection:
        for _ in range(60):
            connection.send(request * 50)
            for _ in range(50):
                assert connection.read().status == 200
            if metric(site, "audit_dropped_total") > 0:
                break
        else:
            raise AssertionError("three thousand lines into a pipe that nobody reads, and none was dropped")
        before = metric(site, "audit_dropped_total")
        for _ in range(50):
            assert send_on(connection, site.post(site.issuer.token(sub="s" * 500, client_id="c" * 500))).status == 200
        assert metric(site, "audit_dropped_total") >= before + 49
    site.process.stdout.close()


def test_an_error_log_that_nobody_reads(site):
    """The same for the other one: the pipe is full before the process starts; it serves, reloads and ends."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb"), open(writing, "wb", buffering=0) as full:
        while full.write(b"x" * 65536):
            pass
        os.set_blocking(writing, True)
        site.write("gatehouse.yaml", site.settings)
        site.process = subprocess.Popen([BINARY, "serve", "-c", "gatehouse.yaml"], cwd=site.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=full)
        until(lambda: site.admin("/readyz")[0] == 200, "readiness")
        assert site.send(site.post()).status == 200
        site.route["scopes"] = ["mcp:other"]
        site.write("gatehouse.yaml", site.settings)
        site.process.send_signal(signal.SIGHUP)
        until(lambda: site.send(site.post()).status == 403, "new settings")
        site.process.send_signal(signal.SIGTERM)
        assert site.process.wait(60) == 0
    site.process = None


def test_rotation_loses_no_line(site):
    """Both logs, in the three ways they are opened anew: told to, at a reload, and by itself; under load."""
    site.settings["log"] = {"level": "info", "file": "error.log"}
    site.start()
    tally, paths = Tally(), (site.audit_path, os.path.join(site.folder, "error.log"))
    with Load(tally, [KeepAlive(tally, site.port, same(site.post().wire())) for _ in range(2)]):
        for number, told in enumerate((signal.SIGUSR1, signal.SIGHUP, None)):
            before = tally.answered
            until(lambda: tally.answered > before + 50, "load")
            for path in paths:
                os.rename(path, f"{path}.{number}")
            if told is not None:
                site.process.send_signal(told)
            until(lambda: all(map(os.path.exists, paths)), "new logs")
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(60) == 0
    site.process = None
    audit, errors = ([json.loads(line) for name in sorted(glob.glob(f"{path}*")) for line in read_lines(name)] for path in paths)
    assert tally.failed == [] and len(audit) == tally.answered and len({line["request_id"] for line in audit}) == len(audit)
    said = [line["message"] for line in errors]
    assert said.count("settings reloaded") == 1 and sum(text.startswith("draining") for text in said) == 1
    assert not [line for line in errors if "reason" in line] and not [line for line in audit if "message" in line], "they are apart"


def read_lines(name):
    with open(name, encoding="utf-8") as file:
        return file.readlines()


# ---- M1: cardinality

def series(site):
    """Name and labels of every series."""
    text = site.admin("/metrics")[1]
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")}


def traffic(site, chance, rounds):
    word = lambda: "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=12))  # noqa: E731
    with site.connect() as connection:
        for _ in range(rounds):
            requests = [site.post(target=f"/{word()}/{word()}"), site.post(site.issuer.token(sub=word(), client_id=word(), jti=word())),
                        site.post(site.issuer.token(header={"kid": word()})), site.post(site.issuer.token(iss=f"https://{word()}.example")),
                        site.post(site.issuer.token(aud=word())), site.post(site.issuer.token(scope=word())),
                        site.post(body=json.dumps({"method": word(), "params": {"name": word()}}).encode()),
                        site.post().also("Mcp-Name", word()).also("Mcp-Method", word()), site.post().with_field("Origin", f"https://{word()}.example"),
                        site.post().with_field("Content-Type", f"text/{word()}")]
            for request in requests:
                send_on(connection, request)
    for _ in range(rounds // 10):
        for request in (site.post().with_field("Host", f"{word()}.example"), site.post().to("/weather/mcp", word().upper())):
            with site.connect() as connection:
                send_on(connection, request)


def test_what_clients_send_makes_no_series(odd):
    """However much they vary paths, subjects, kids, methods, tools: the second round adds no series to the first."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    traffic(odd, chance, 20)
    first = series(odd)
    traffic(odd, chance, 100)
    assert series(odd) == first
    labels = {pair for one in first for pair in re.findall(r'(\w+)="([^"]*)"', one)}
    values = {name: {value for label, value in labels if label == name} for name, _ in labels}
    assert values["route"] == {"weather", ""} and values["tenant"] == {"acme", ""} and values["issuer"] == {"idp"}
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "reasons.md"), encoding="utf-8") as file:
        known = set(re.findall(r"^\| `(\w+)`", file.read(), re.M))
    kinds = {"malformed", "type", "use", "weak", "algorithm", "duplicate", "excess"}
    assert values["reason"] <= known | kinds and set(values) <= {"route", "tenant", "issuer", "reason", "le"}


# ---- L2: secrets

CANARIES = ["canary-signature", "canary-opaque", "canary-client-secret", "canary-admin-token-0001", "canary-upstream-credential",
            "canary-cookie", "canary-query", "canary-basic", "canary-dpop", "canary-body", "canary-answer", "canary-endpoint",
            "canary-proxy-password", "canary-session", "canary-inline"]


class Planted:
    """A gateway at debug level with a secret in every place that has one, and traffic that brings more."""

    def __init__(self, site, authority):
        self.site, self.said = site, []
        self.endpoint = Introspection()
        self.endpoint.answers["canary-opaque"] = {"active": True, **site.issuer.claims()}
        self.broken = Issuer("", keys=[Key("ES256")]).start()
        self.broken.fault = lambda path, handler: respond(handler, 500, {"why": "canary-endpoint"})
        secret = lambda name, text: self.secret(name, text)  # noqa: E731
        site.settings["log"]["level"] = "debug"
        site.settings["admin"]["token_file"] = secret("admin-token", "canary-admin-token-0001")
        site.settings["issuers"]["idp"]["introspection"] = {
            "url": self.endpoint.url, "client_id": "gatehouse", "client_secret_file": secret("client-secret", "canary-client-secret")}
        site.settings["issuers"]["broken"] = {"issuer": self.broken.url}
        site.settings["tenants"]["acme"]["issuers"].append("broken")
        site.route["upstream"] = {"urls": [site.upstream.url], "credential": {
            "file": secret("credential", "Bearer canary-upstream-credential")}}
        certificate, key = authority.leaf("localhost")
        site.settings["listen"].append({"address": f"127.0.0.1:{free_port()}", "tls": {"certificate": certificate, "key": key}})
        with open(key, encoding="utf-8") as file:
            self.key_line = file.read().splitlines()[1]
        site.start(ready="/healthz")

    def secret(self, name, text):
        path = os.path.join(self.site.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.chmod(path, 0o600)
        return name

    def send(self, request):
        with self.site.connect() as connection:
            connection.send(request if isinstance(request, bytes) else request.wire())
            while connection.fill():
                pass
            self.said.append(connection.buffer)

    def traffic(self):
        site, post = self.site, self.site.post
        good = post().also("Connection", "close")
        site.upstream.script = lambda call: call.answer(500, b"canary-answer", (("X-Canary", "canary-answer"),))
        self.send(good)
        site.upstream.script = lambda call: call.raw(b"HTTP/1.1 canary-answer\r\n\r\n")
        self.send(good)
        site.upstream.script = lambda call: call.json({"answered": True})
        forged = site.issuer.token().rsplit(".", 1)[0] + ".canary-signature"
        for request in (post("canary-opaque"), post("canary-opaque-unknown"), post(forged), post().to("/weather/mcp?access_token=canary-query"),
                        post().to("/weather/mcp?x=canary-query"), post(body=b'{"secret": "canary-body"}'), post(body=b"canary-body"),
                        post().also("Cookie", "canary-cookie"), post().with_field("Authorization", "Basic canary-basic"),
                        post().with_field("Authorization", "Bearer canary-basic junk"), post().also("DPoP", "canary-dpop"),
                        post().also("Mcp-Session-Id", "canary-session"), post().with_field("Cookie", "a\x01canary-cookie"),
                        post().also("Authorization", "Bearer canary-opaque")):
            self.send(request.also("Connection", "close"))
        self.send(b"GET /weather/mcp HTTP/1.1\r\nAuthorization Bearer canary-basic\r\n\r\n")
        self.endpoint.status = 401
        self.send(post("canary-opaque-later").also("Connection", "close"))

    def tools(self):
        """The command line, with secrets where they do not belong."""
        site = self.site
        for command, stdin in ((["explain", "-c", "gatehouse.yaml", "--route", "weather", "-"], site.issuer.token() + "canary-signature\n"),
                               (["check", "-c", "gatehouse.yaml"], ""), (["check", "-c", "inline.yaml"], ""),
                               (["check", "--online", "-c", "gatehouse.yaml"], "")):
            inline = {**site.settings, "issuers": {"idp": {"issuer": "https://canary-inline:canary-proxy-password@idp.example",
                                                           "client_secret": "canary-inline"}},
                      "fetch": {"proxy": "http://user:canary-proxy-password@127.0.0.1:1"}}
            site.write("inline.yaml", inline)
            run = subprocess.run([BINARY, *command], cwd=site.folder, input=stdin, capture_output=True, text=True, timeout=60)
            self.said.append((run.stdout + run.stderr).encode())
        site.write("gatehouse.yaml", inline)
        site.process.send_signal(signal.SIGHUP)
        until(lambda: "settings were not reloaded" in site.log(), "a refused reload")

    def everything(self):
        """All that was written or told to anybody: log, audit, metrics, answers, command lines, environment."""
        site, process = self.site, self.site.process.pid
        parts = {"log": site.log().encode(), "metrics": site.admin("/metrics")[1].encode(), "answers": b"".join(self.said)}
        with open(site.audit_path, "rb") as file:
            parts["audit"] = file.read()
        for name in ("cmdline", "environ"):
            with open(f"/proc/{process}/{name}", "rb") as file:
                parts[name] = file.read()
        return parts

    def close(self):
        self.endpoint.close()
        self.broken.close()


def test_no_secret_is_written_or_told(site, authority):
    planted = Planted(site, authority)
    planted.traffic()
    planted.tools()
    until(lambda: len(site.audit()) >= 15, "the audit lines")
    parts = planted.everything()
    assert b'"level":"warn"' in parts["log"] and b"token_signature" in parts["audit"] and b"200 OK" in parts["answers"]
    answers = parts.pop("answers")
    for canary in CANARIES + [planted.key_line]:
        for place, text in parts.items():
            assert canary.encode() not in text, f"{canary} stands in {place}"
        # What the server behind says is the client's own: it passes unread.
        assert canary in ("canary-answer",) or canary.encode() not in answers, f"{canary} stands in an answer"
    assert any(b"canary-opaque" in question[0].encode() for question in planted.endpoint.questions)
    planted.close()
