"""A gateway with its store in Redis, as operations.md sets it up: by its user, through the sandbox, over faults and a new password."""
import os
import re

import pytest

from support.certificates import Authority
from support.gateway import ROOT
from support.outage import KINDS, STALE, Outage, add_open_route
from support.redis import Server
from support.wait import free_port, until
from test_revocation import ask_revoke, assert_revoked, revoke


@pytest.fixture
def server():
    made = Server()
    made.used_by("the test")
    yield made
    made.remove()


def allow(server, password):
    """The user of operations.md, word for word."""
    with open(os.path.join(ROOT, "docs", "operations.md"), encoding="utf-8") as file:
        line = re.search(r"^ACL SETUSER gatehouse .*$", file.read(), re.M)[0]
    with server.asked() as say:
        assert say(*line.replace("SECRET", password).split()) == b"OK"


def write_password(site, password):
    path = os.path.join(site.folder, "password")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(password + "\n")


@pytest.fixture
def store(site, server):
    allow(server, "canary-first")
    write_password(site, "canary-first")
    site.settings["store"] = {"url": f"redis+unix://gatehouse@{server.socket}", "password_file": "password", "poll": "10ms"}
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    site.route["revocation"] = {"max_stale": "1s"}
    yield site
    assert "canary-" not in site.log()


def test_the_user_of_the_operations_page_is_enough(store):
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    store.accepted(store.post(bad))
    revoke(store, "user", id="eve")
    assert_revoked(store, bad, good)
    store.stop()
    store.start()
    assert_revoked(store, bad, good)


def test_a_server_that_comes_back_with_another_password(store, server):
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    revoke(store, "user", id="eve")
    server.end()
    until(lambda: store.send(store.post(good)).audit["reason"] == "store_down", "refusal")
    assert ask_revoke(store, {"level": "user", "tenant": "acme", "issuer": "idp", "id": "bob"})[0] == 503
    server.start()
    allow(server, "canary-second")
    write_password(store, "canary-second")
    until(lambda: store.send(store.post(good)).status == 200, "acceptance")
    assert_revoked(store, bad, good)
    assert "the store fails" in store.log()


def test_an_emptied_server_closes_routes(store, server):
    store.start()
    bad, good = store.issuer.token(sub="eve"), store.issuer.token(sub="bob")
    revoke(store, "user", id="eve")
    assert_revoked(store, bad, good)
    with server.asked() as say:
        say("FLUSHALL")
    until(lambda: store.send(store.post(good)).audit["reason"] == "store_down", "refusal")
    assert store.send(store.post(bad)).status in (401, 503)
    assert ask_revoke(store, {"level": "user", "tenant": "acme", "issuer": "idp", "id": "bob"})[0] == 503
    assert "emptied" in store.log()


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage(site, server, kind):
    """tests/long/outage.py has a long one, and holds it to its times."""
    site.settings["store"] = f"redis+unix://{server.socket}"
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    resource = add_open_route(site)
    site.start()
    good, bad = ([site.post(site.issuer.token(sub=sub)), site.post(site.issuer.token(sub=sub, aud=resource), target="/maps/mcp")]
                 for sub in ("bob", "eve"))
    for request in good + bad:
        site.accepted(request)
    revoke(site, "user", id="eve")
    outage = Outage(site, server, good, bad)
    closed_at, served, _ = outage.run(kind, STALE + 2)
    assert closed_at is not None and served == 0 and not outage.wrong, (closed_at, served, outage.wrong)
    assert site.send(good[0]).status == 200
    assert [site.send(request).status for request in bad] == [401, 401]


# ---- TLS

def tls_server(authority, *hosts, clients="no"):
    certificate, key = authority.leaf(*hosts)
    port = free_port()
    made = Server("--tls-port", str(port), "--bind", "127.0.0.1", "--tls-cert-file", certificate, "--tls-key-file", key,
                  "--tls-ca-cert-file", authority.path, "--tls-auth-clients", clients)
    made.used_by("the test")
    return made, f"rediss://127.0.0.1:{port}"


def refused_at_the_start(site):
    site.start(ready=None)
    process, site.process = site.process, None
    assert process.wait(30) == 75
    return site.log().splitlines()[-1]


def test_a_server_is_known_by_its_certificate(site, authority, tmp_path):
    (tmp_path / "others").mkdir()
    others = Authority(tmp_path / "others")
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    servers = []
    try:
        for hosts, trusted, words in ((("127.0.0.1",), others, "certificate"), (("redis.test",), authority, "IP address mismatch")):
            made, url = tls_server(authority, *hosts)
            servers.append(made)
            site.settings["store"] = {"url": url, "ca_file": trusted.path}
            assert words in refused_at_the_start(site)
            site.settings["store"] = {"url": url.replace("rediss", "redis"), "timeout": "300ms"}
            assert "the server did not" in refused_at_the_start(site)
        made, url = tls_server(authority, "127.0.0.1", clients="yes")
        servers.append(made)
        site.settings["store"] = {"url": url, "ca_file": authority.path}
        assert "the server did not" in refused_at_the_start(site)
        certificate, key = authority.leaf("gateway.test")
        site.settings["store"].update(certificate=certificate, key=key)
        site.start()
        bad, good = site.issuer.token(sub="eve"), site.issuer.token(sub="bob")
        site.accepted(site.post(bad))
        revoke(site, "user", id="eve")
        assert_revoked(site, bad, good)
    finally:
        for made in servers:
            made.remove()
