"""Revocation: refused on the next request, streams ended, kept over restarts, heard by other processes, closed when unheard."""
import base64
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.gateway import BINARY, Gateway
from support.http1 import Broken
from support.issuer import SIGNATURES, b64
from support.store import files_of, give_back, take_away
from support.upstream import echo
from support.wait import until

pytestmark = pytest.mark.threads
WHY = "only root can become another user"


@pytest.fixture
def store(site):
    """A gateway with a store, not yet started; its issuer's clock is taken to be exact."""
    site.settings["store"] = {"url": "sqlite:gatehouse.db", "poll": "10ms"}
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    return site


def ask_revoke(gateway, wish):
    """(status, answer) of the admin interface."""
    body = wish if isinstance(wish, bytes) else json.dumps(wish).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.admin_port}/admin/v1/revoke", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def revoke(gateway, level, **ids):
    status, answer = ask_revoke(gateway, {"level": level, "tenant": "acme", "issuer": "idp", **ids})
    assert status == 200 and answer["position"] > 0, answer
    return answer


def assert_revoked(gateway, token, good):
    """The token is refused wherever it comes, its unmodified twin of somebody else is not."""
    answer = gateway.refused(gateway.post(token), 401, reason="token_revoked", good=gateway.post(good))
    assert 'error="invalid_token", error_description="The access token was revoked"' in answer["www-authenticate"]


def explain(gateway, token):
    run = subprocess.run([BINARY, "explain", "-c", "gatehouse.yaml", "--route", "weather", "-"], cwd=gateway.folder, input=token,
                         capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


# ---- what is revoked

LEVELS = {
    "token": ({"jti": "t-1"}, {"jti": "t-2"}, "t-1"),
    "user": ({"sub": "alice"}, {"sub": "bob"}, "alice"),
    "client": ({"client_id": "app"}, {"client_id": "other"}, "app"),
    "agent": ({"act": {"sub": "agi_1"}}, {"act": {"sub": "agi_2", "act": {"sub": "agi_1"}}}, "agi_1"),
    "grant": ({"sid": "grt_1"}, {"sid": "grt_2"}, "grt_1"),
}


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_ends_its_own(store, level):
    bad, good, name = LEVELS[level]
    store.settings["issuers"]["idp"]["grant_claims"] = ["sid"]
    store.start()
    bad, good = store.issuer.token(**bad), store.issuer.token(**good)
    store.accepted(store.post(bad))
    revoke(store, level, id=name)
    assert_revoked(store, bad, good)
    found = explain(store, bad)
    assert (found["verdict"], found["step"]) == ("token_revoked", "revocation")
    assert explain(store, good)["verdict"] == "ok"


def test_a_tenant_ends_alone(store):
    store.settings["tenants"]["other"] = {"hosts": [f"localhost:{store.port}"], "issuers": ["idp"]}
    resource = f"http://localhost:{store.port}/weather/mcp"
    store.settings["routes"].append({**store.route, "name": "theirs", "tenant": "other", "resource": resource})
    store.start()
    ours, theirs = store.issuer.token(), store.issuer.token(aud=resource)
    good = store.post(theirs).with_field("Host", f"localhost:{store.port}")
    store.accepted(store.post(ours))
    status, answer = ask_revoke(store, {"level": "tenant", "tenant": "acme"})
    assert status == 200, answer
    store.refused(store.post(ours), 401, reason="token_revoked", good=good)


def test_tokens_issued_later_are_good(store):
    store.start()
    old = store.issuer.token(iat=int(time.time()))
    epoch = revoke(store, "user", id="alice")["epoch"]
    until(lambda: time.time() >= epoch + 1, "the next second")
    new = store.issuer.token(iat=epoch + 1)
    assert_revoked(store, old, new)


def test_a_fast_clock_of_the_issuer_saves_no_token(store):
    """Tokens of just now may look as if they were from the time that is forgiven."""
    del store.settings["issuers"]["idp"]["leeway"]
    store.start()
    old, other = store.issuer.token(iat=int(time.time()) + 25), store.issuer.token(sub="bob")
    store.accepted(store.post(old))
    assert revoke(store, "user", id="alice")["epoch"] >= int(time.time()) + 29
    assert_revoked(store, old, other)


def twin_of(token):
    """The same signed content with the other valid ECDSA signature, (r, n-s)."""
    order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
    signed, signature = token.rsplit(".", 1)
    raw = base64.urlsafe_b64decode(signature + "==")
    r, s = raw[:32], int.from_bytes(raw[32:], "big")
    twin = b64(r + (order - s).to_bytes(32, "big"))
    SIGNATURES.add(twin)
    return f"{signed}.{twin}"


def test_a_signature_twin_is_revoked_too(store, keys):
    """threats.md J17: whether the token is named by its jti or, without one, by a digest of what was signed."""
    store.start()
    key = next(key for key in keys if key.alg == "ES256")
    assert isinstance(key.private.curve, ec.SECP256R1)
    for jti in ("t-1", None):
        token, good = store.issuer.token(key=key, jti=jti), store.issuer.token(key=key, sub="bob")
        for one in (token, twin_of(token)):
            store.accepted(store.post(one))
        name = explain(store, token)["token"]
        assert name == (jti or name) and (jti is not None or name.startswith("sha256:"))
        revoke(store, "token", id=name)
        for one in (token, twin_of(token)):
            assert_revoked(store, one, good)


# ---- where it holds

def test_a_restart_keeps_it(store):
    store.start()
    bad, good = store.issuer.token(sub="alice"), store.issuer.token(sub="bob")
    store.accepted(store.post(bad))
    revoke(store, "user", id="alice")
    for name in files_of("gatehouse.db"):
        assert os.stat(os.path.join(store.folder, name)).st_mode & 0o777 == 0o600
    store.stop()
    store.start()
    assert_revoked(store, bad, good)


@pytest.mark.redis
def test_a_kill_keeps_it(store):
    store.start()
    bad, good = store.issuer.token(sub="alice"), store.issuer.token(sub="bob")
    revoke(store, "user", id="alice")
    store.process.kill()
    store.process.wait()
    store.start()
    assert_revoked(store, bad, good)


@pytest.fixture
def neighbour(store, tmp_path, upstream):
    """A second process on the same store, with a port of its own."""
    folder = tmp_path / "neighbour"
    folder.mkdir()
    made = Gateway(folder, store.issuer, upstream)
    made.settings["store"] = {"url": "sqlite:../gatehouse.db", "poll": "10ms"}
    made.settings["issuers"]["idp"]["leeway"] = "0s"
    yield made
    made.stop()


@pytest.mark.redis
def test_another_process_hears_of_it(store, neighbour):
    store.start()
    neighbour.start()
    both = [store.route["resource"], neighbour.route["resource"]]
    bad, good = store.issuer.token(aud=both, jti="t-1"), store.issuer.token(aud=both, sub="bob")
    neighbour.accepted(neighbour.post(bad))
    revoke(store, "token", id="t-1")
    until(lambda: neighbour.send(neighbour.post(bad)).audit["reason"] == "token_revoked", "refusal by the neighbour")
    assert_revoked(neighbour, bad, good)
    revoke(neighbour, "user", id="bob")
    until(lambda: store.send(store.post(good)).audit["reason"] == "token_revoked", "refusal the other way")


# ---- open streams

class Stream:
    """An event stream that a client holds open."""

    def __init__(self, gateway, token):
        self.connection = gateway.connect()
        self.connection.send(gateway.post(token).wire())
        self.events = self.connection.events(self.connection.read_head())

    def next(self):
        return next(self.events)

    def ends(self):
        with pytest.raises(Broken):
            next(self.events)
        self.connection.close()


@pytest.fixture
def ticker(store):
    """Every call at the upstream is a stream; tick() sends an event on all that are open."""
    calls, lock = [], threading.Lock()

    def script(call):
        call.open_stream()
        call.event(b"data: first\n\n")
        with lock:
            calls.append(call)
        call.wait_gone(60)

    def tick():
        with lock:
            for call in calls:
                try:
                    call.event(b"data: tick\n\n")
                except OSError:
                    pass  # that one has ended

    store.upstream.script = script
    yield tick
    store.upstream.script = echo


def test_open_streams_end_and_others_go_on(store, ticker):
    store.start()
    streams = {sub: [Stream(store, store.issuer.token(sub=sub)) for _ in range(4)] for sub in ("alice", "bob")}
    for stream in streams["alice"] + streams["bob"]:
        assert stream.next() == b"data: first\n\n"
    began = time.monotonic()
    revoke(store, "user", id="alice")
    for stream in streams["alice"]:
        stream.ends()
    assert time.monotonic() - began < 10
    ticker()
    for stream in streams["bob"]:
        assert stream.next() == b"data: tick\n\n"
        stream.connection.close()
    ended = until(lambda: (lines := [line for line in store.audit() if line["reason"] == "token_revoked"])[3:] and lines, "audit")
    assert [(line["user"], line["stage"], line["status"]) for line in ended] == [("alice", "revocation", 200)] * 4


@pytest.mark.redis
def test_streams_end_by_the_word_of_another_process(store, neighbour, ticker):
    store.start()
    neighbour.start()
    stream = Stream(store, store.issuer.token(aud=store.route["resource"]))
    assert stream.next() == b"data: first\n\n"
    revoke(neighbour, "user", id="alice")
    stream.ends()


def test_a_call_that_waits_is_answered(store):
    seen, go = threading.Event(), threading.Event()

    def script(call):
        seen.set()
        go.wait(30)
        call.wait_gone(30)

    store.upstream.script = script
    store.start()
    with store.connect() as connection:
        connection.send(store.post(store.issuer.token()).wire())
        assert seen.wait(30)
        revoke(store, "user", id="alice")
        answer = connection.read()
    go.set()
    assert answer.status == 401 and store.audit_of(answer)["reason"] == "token_revoked"


# ---- when it cannot be heard of

@pytest.mark.redis
def test_a_store_out_of_reach_closes_routes_that_fail_closed(store, ticker):
    store.route["revocation"] = {"max_stale": "1s"}
    resource = f"{store.origin}/open/mcp"
    store.settings["routes"].append({**store.route, "name": "open", "resource": resource, "revocation": {"fail": "open"}})
    store.start()
    store.upstream.script = echo
    closed, open_ = store.post(store.issuer.token()), store.post(store.issuer.token(aud=resource), target="/open/mcp")
    revoked = store.post(store.issuer.token(aud=resource, sub="eve"), target="/open/mcp")
    revoke(store, "user", id="eve")
    store.accepted(closed)
    words = take_away(store, "gatehouse.db")
    until(lambda: store.send(closed).audit["reason"] == "store_down", "refusal")
    answer = store.refused(closed, 503, reason="store_down", good=open_)
    assert answer["retry-after"] is not None and answer["www-authenticate"] is None
    store.refused(revoked, 401, reason="token_revoked", good=open_)
    status, answer = ask_revoke(store, {"level": "user", "tenant": "acme", "issuer": "idp", "id": "alice"})
    assert status == 503 and "position" not in answer
    give_back(store, "gatehouse.db")
    until(lambda: store.send(closed).status == 200, "acceptance")
    assert "the store fails" in store.log() and words in store.log()


@pytest.mark.redis
def test_open_streams_do_not_outlive_what_is_known(store, ticker):
    store.route["revocation"] = {"max_stale": "1s"}
    store.start()
    stream = Stream(store, store.issuer.token())
    assert stream.next() == b"data: first\n\n"
    take_away(store, "gatehouse.db")
    stream.ends()
    assert until(lambda: [line for line in store.audit() if line["reason"] == "store_down"], "audit line")
    give_back(store, "gatehouse.db")


@pytest.mark.sqlite
def test_a_past_that_cannot_be_read_is_no_past(store):
    store.start()
    revoke(store, "user", id="eve")
    store.stop()
    database = sqlite3.connect(os.path.join(store.folder, "gatehouse.db"))
    database.execute("INSERT INTO gh_log VALUES (1000, 0, 9223372036854775807, x'39')")
    database.execute("UPDATE gh_meta SET value = 1000")
    database.commit()
    database.close()
    store.start(ready="/healthz")
    until(lambda: "store_malformed" in store.log(), "the log line")  # reason: store_malformed
    assert store.admin("/readyz") == (503, '{"status":"Not ready","why":"revocations not read"}\n')
    assert store.send(store.post()).audit["reason"] == "store_down"


# ---- the operator's side

def test_what_the_admin_interface_refuses(store):
    store.start()
    good = {"level": "user", "tenant": "acme", "issuer": "idp", "id": "eve"}
    for wrong in (b"", b"[]", b"{", {**good, "level": "users"}, {**good, "more": 1}, {**good, "id": 7}, {**good, "until": -1},
                  {"tenant": "acme"}, {"level": "tenant", "tenant": "acme", "id": "eve"},
                  json.dumps(good).encode()[:-1] + b',"id":"alice"}'):
        assert ask_revoke(store, wrong)[0] == 400, wrong
    for wrong in ({**good, "tenant": "acmee"}, {**good, "issuer": "idpp"}, {**good, "id": ""}, {**good, "level": "token", "id": ""}):
        status, answer = ask_revoke(store, wrong)
        assert status == 422 and answer["error"], wrong
    assert ask_revoke(store, good)[0] == 200
    assert ask_revoke(store, {**good, "until": int(time.time()) + 60, "epoch": 5})[1]["until"] > time.time()
    store.accepted(store.post())


def test_without_a_store_nothing_is_asked(site):
    site.start()
    site.accepted(site.post())
    assert ask_revoke(site, {"level": "user", "tenant": "acme", "issuer": "idp", "id": "alice"})[0] == 422
    assert "revocation_entries" not in site.admin("/metrics")[1]


def test_the_command_and_the_metrics(store):
    store.start()
    bad, good = store.issuer.token(sub="alice"), store.issuer.token(sub="bob")
    command = [BINARY, "revoke", "-c", "gatehouse.yaml", "--level", "user", "--tenant", "acme", "--issuer", "idp"]
    run = subprocess.run(command + ["alice"], cwd=store.folder, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and json.loads(run.stdout)["position"] > 0, run.stderr
    assert_revoked(store, bad, good)
    run = subprocess.run(command, cwd=store.folder, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "id" in run.stderr
    metrics = {line.split(" ")[0]: float(line.split(" ")[1]) for line in store.admin("/metrics")[1].splitlines()
               if line.startswith("gatehouse_revocation_")}
    assert metrics["gatehouse_revocation_entries"] == 1
    assert 0 <= metrics["gatehouse_revocation_staleness_seconds"] < 30
    assert 0 <= metrics["gatehouse_revocation_lag_seconds"] < 30
    assert '"revoked by the admin listener"' in store.log()
    store.stop()
    run = subprocess.run(command + ["alice"], cwd=store.folder, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "no gateway answers" in run.stderr


@pytest.mark.sqlite
def test_a_store_that_others_may_read_ends_the_start(store):
    store.start()
    store.stop()
    os.chmod(os.path.join(store.folder, "gatehouse.db"), 0o640)
    run = subprocess.run([BINARY, "serve", "-c", "gatehouse.yaml"], cwd=store.folder, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "chmod 0600" in run.stderr


@pytest.mark.sqlite
@pytest.mark.skipif(os.geteuid() != 0, reason=WHY)
def test_the_store_belongs_to_the_user_it_runs_as(issuer, upstream):
    nobody, folder = pwd.getpwnam("nobody"), tempfile.mkdtemp(prefix="gatehouse-")
    os.chmod(folder, 0o755)
    gateway = Gateway(folder, issuer, upstream)
    gateway.settings.update(user="nobody", store="sqlite:gatehouse.db")
    for name in ["."] + os.listdir(folder):
        os.chown(os.path.join(folder, name), nobody.pw_uid, nobody.pw_gid)
    try:
        for _ in range(2):  # the second time it is there already
            gateway.start()
            revoke(gateway, "user", id="eve")
            gateway.refused(gateway.post(issuer.token(sub="eve")), 401, reason="token_revoked")
            for name in ("gatehouse.db", "gatehouse.db-wal", "gatehouse.db-shm"):
                facts = os.stat(os.path.join(folder, name))
                assert (facts.st_uid, facts.st_mode & 0o777) == (nobody.pw_uid, 0o600), name
            gateway.stop()
    finally:
        gateway.stop()
        shutil.rmtree(folder)
