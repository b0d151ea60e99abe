"""Issuers as the settings name them: where their keys are found, whose tokens a route takes, over which network."""
import random
import socket
import ssl
import threading
import time

import pytest

from support.http1 import Connection
from support.issuer import Issuer, Key, respond
from support.wait import until


@pytest.fixture
def live(site, keys):
    """An issuer that publishes under a path, in the settings; not yet started."""
    issuer = Issuer(f"{site.origin}/weather/mcp", keys=list(keys))
    yield issuer
    issuer.close()


def use(site, issuer, **changes):
    site.settings["issuers"]["idp"] = {"issuer": issuer.url, **changes}
    site.issuer = issuer
    return site.start()


# ---- where keys are found

LAYOUTS = ["/.well-known/oauth-authorization-server/t/1", "/.well-known/openid-configuration/t/1",
           "/t/1/.well-known/openid-configuration", "/t/1/.well-known/oauth-authorization-server"]


@pytest.mark.parametrize("place", LAYOUTS)
def test_metadata_in_four_places(site, live, place):
    live.start(path="/t/1").places = {place}
    use(site, live).accepted(site.post())
    assert [path for path in live.fetches if path != "/jwks"] == LAYOUTS[:LAYOUTS.index(place) + 1], "in this order, no further"
    assert live.fetches["/jwks"] == 1


@pytest.mark.parametrize("place", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"])
def test_an_issuer_without_a_path_and_one_with_a_slash(site, live, place):
    live.start()
    live.url += "/"  # kept verbatim, as Auth0's is
    live.places = {place}
    use(site, live).accepted(site.post())
    site.refused(site.post(live.token(iss=live.url[:-1])), 401, reason="token_issuer")


def test_explicit_places(site, live):
    live.start().places = {"/here"}
    use(site, live, discovery=f"{live.url}/here").accepted(site.post())
    site.stop()
    live.fetches.clear()
    use(site, live, jwks=f"{live.url}/jwks").accepted(site.post())
    assert dict(live.fetches) == {"/jwks": 1}, "no metadata is asked for"


def ends(site, request, reason):
    """Waits until the one worker has taken over what a reload brought."""
    def told():
        answer = site.send(request)
        return (answer.status, answer.audit["reason"]) == (401, reason)

    until(told, f"401 {reason}")


def test_a_static_set_is_read_again_at_a_reload(site):
    site.settings["workers"] = 1
    site.start().accepted(site.post())
    old, fresh = site.issuer.token(), Key("ES256", kid="fresh")
    site.accepted(site.post(old))
    site.refused(site.post(site.issuer.token(key=fresh)), 401, reason="token_key_unknown")
    site.write("jwks.json", {"keys": [fresh.jwk()]})
    site.reload()
    ends(site, site.post(old), "token_key_unknown")
    good = site.post(site.issuer.token(key=fresh))
    site.refused(site.post(old), 401, reason="token_key_unknown", good=good)


# ---- whose tokens a route takes

@pytest.fixture
def second(site):
    """Another issuer, with a key of the same kid as the first one's."""
    issuer = Issuer(f"{site.origin}/weather/mcp", url="https://second.example", keys=[Key("RS256", kid=site.issuer.keys[0].kid)])
    site.write("second.json", issuer.key_set())
    site.settings["issuers"]["second"] = {"issuer": issuer.url, "jwks_file": "second.json"}
    return issuer


def test_several_issuers_on_one_route(site, second):
    """Each token is judged by its own issuer's keys and profile; one signed by the other's key is nobody's."""
    site.settings["tenants"]["acme"]["issuers"] = ["idp", "second"]
    site.settings["issuers"]["second"]["profile"] = "okta"
    site.start()
    assert site.accepted(site.post())[0].audit["issuer"] == "idp"
    good = site.post(second.token(header={"typ": None}, cid="app", scp=["mcp:read"], scope=None, uid="u1"))
    assert site.accepted(good)[0].audit["user"] == "u1"
    crossed = site.issuer.token(key=second.keys[0])
    site.refused(site.post(crossed), 401, reason="token_signature")
    site.refused(site.post(second.token()), 401, reason="token_type", good=good)
    document = site.send(site.post(token=False).to("/.well-known/oauth-protected-resource/weather/mcp", "GET").with_field("X", "y"))
    assert b'"authorization_servers":["https://issuer.example","https://second.example"]' in document.body


def test_each_tenant_trusts_its_own(site, second):
    """The same resource path at two hosts: tokens of one tenant's issuer are no good at the other's."""
    other = f"localhost:{site.port}"
    site.settings["tenants"]["globex"] = {"hosts": [other], "issuers": ["second"]}
    site.settings["routes"].append({**site.route, "name": "theirs", "tenant": "globex", "resource": f"http://{other}/weather/mcp"})
    second.resource = f"http://{other}/weather/mcp"
    site.start()
    at_other = site.post(second.token()).with_field("Host", other)
    site.accepted(site.post())
    assert site.accepted(at_other)[0].audit["tenant"] == "globex"
    crossed = site.post(site.issuer.token(aud=second.resource)).with_field("Host", other)
    site.refused(crossed, 401, reason="token_issuer", good=at_other)
    site.refused(site.post(second.token(aud=site.issuer.resource)), 401, reason="token_issuer")


def test_a_shared_issuer_is_narrowed_to_each_tenants_own(site):
    other = f"localhost:{site.port}"
    site.settings["issuers"]["idp"]["tenant_claims"] = ["org_id"]
    site.settings["tenants"]["acme"]["tenant_ids"] = ["acme-1"]
    site.settings["tenants"]["globex"] = {"hosts": [other], "issuers": ["idp"], "tenant_ids": ["globex-1"]}
    site.settings["routes"].append({**site.route, "name": "theirs", "tenant": "globex", "resource": f"http://{other}/weather/mcp"})
    site.start()
    ours, theirs = site.post(site.issuer.token(org_id="acme-1")), f"http://{other}/weather/mcp"
    at_other = site.post(site.issuer.token(org_id="globex-1", aud=theirs)).with_field("Host", other)
    site.accepted(at_other)
    site.refused(site.post(site.issuer.token(org_id="globex-1")), 401, reason="token_tenant", good=ours)
    crossed = site.post(site.issuer.token(org_id="acme-1", aud=theirs)).with_field("Host", other)
    site.refused(crossed, 401, reason="token_tenant", good=at_other)


def test_a_verify_only_issuer_is_not_named(site, second):
    site.settings["tenants"]["acme"]["issuers"] = ["idp", "second"]
    site.settings["issuers"]["second"]["advertise"] = False
    site.start()
    site.accepted(site.post(second.token()))
    document = site.send(site.post(token=False).to("/.well-known/oauth-protected-resource/weather/mcp", "GET").with_field("X", "y"))
    assert b'"authorization_servers":["https://issuer.example"]' in document.body


# ---- keys change

def test_a_withdrawn_key_takes_its_verdicts_along(site, live):
    """threats.md J26: a token seen before is refused as soon as the set without its key is here."""
    live.start()
    use(site, live)
    old = live.token()
    site.accepted(site.post(old))
    site.accepted(site.post(old))
    fresh = Key("ES256", kid="fresh")
    live.keys = [fresh]
    site.accepted(site.post(live.token(key=fresh)))  # brings the new set
    answer = site.send(site.post(old))
    assert (answer.status, answer.audit["reason"]) == (401, "token_key_unknown")
    site.accepted(site.post(live.token(key=fresh)))


@pytest.mark.threads
def test_rotation_with_overlap_refuses_nobody(site, live):
    """K1: a new key each second, the one before still published; whoever signs with either is served."""
    live.start()
    use(site, live)
    statuses, stop = [], threading.Event()
    current = [live.keys[0]]

    def ask():
        with Connection(site.port) as connection:
            while not stop.is_set():
                connection.send(site.post(live.token(key=current[0])).wire())
                statuses.append(connection.read().status)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(5):
        fresh = Key("ES256", kid=f"turn-{i}")
        live.keys = [fresh, current[0]]
        current[0] = fresh
        until(lambda fresh=fresh: live.fetches["/jwks"] >= i + 2, "a fetch for the new key")
        seen = len(statuses)
        until(lambda: len(statuses) > seen + 30, "traffic under the new key")
    stop.set()
    for thread in threads:
        thread.join(30)
    assert set(statuses) == {200} and live.fetches["/jwks"] <= 8


def test_requests_that_go_while_a_fetch_is_under_way(site, live):
    """K7: clients leave at random moments while the key they wait for is fetched; nothing is touched after its end."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, hold = random.Random(seed), threading.Event()
    live.start()
    use(site, live, cooldown="5s")
    site.accepted(site.post())
    live.fault = lambda path, handler: path == "/jwks" and (hold.wait(20), False)[1]
    for i in range(150):
        connection = site.connect()
        connection.send(site.post(live.token(header={"kid": f"gone-{i // 30}"})).wire()[:chance.choice((20, 300, 10000))])
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0" if chance.random() < 0.5 else b"\0" * 8)
        if chance.random() < 0.3:
            hold.set()
        connection.close()
        if chance.random() < 0.3:
            hold.clear()
    hold.set()
    site.read = len(site.audit())
    with site.connect() as connection:
        connection.send(site.post().wire())
        assert connection.read().status == 200


@pytest.mark.parametrize("alg", ["ES384", "ES512"])
def test_costly_signatures_leave_the_worker(site, alg):
    """They are checked on an offload thread, refused and accepted as any other."""
    key = Key(alg)
    site.issuer.keys.append(key)
    site.write("jwks.json", site.issuer.key_set())
    site.settings["issuers"]["idp"]["algs"] = ["RS256", alg]
    site.start()
    site.accepted(site.post())
    count = lambda: next(int(line.split()[1]) for line in site.admin("/metrics")[1].splitlines()  # noqa: E731
                         if line.startswith("gatehouse_verdict_offloaded_total"))
    assert count() == 0
    good = site.issuer.token(key=key)
    site.accepted(site.post(good))
    assert count() == 1
    forged = good.rsplit(".", 1)[0] + "." + site.issuer.token(key=key).rsplit(".", 1)[1]
    site.refused(site.post(forged), 401, reason="token_signature", good=site.post(good))
    assert count() > 1


# ---- over which network

def context_of(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture
def secure(site, live, authority):
    """An issuer over https under an authority of its own, on loopback, which the settings allow."""
    live.start(tls=context_of(*authority.leaf("127.0.0.1")))
    site.settings["fetch"] = {"allow": ["127.0.0.0/8"], "ca_file": authority.path, "timeout": "2s"}
    return live


def test_own_authorities(site, secure):
    use(site, secure).accepted(site.post())


def unavailable(site, issuer, slug):
    site.settings["issuers"]["idp"] = {"issuer": issuer.url}
    site.issuer = issuer
    before = site.upstream.bytes
    site.start(ready="/healthz")
    answer = site.send(site.post())
    assert (answer.status, answer.audit["reason"]) == (503, "keys_unavailable") and answer["retry-after"]
    until(lambda: slug in site.log(), f"{slug} in the log")
    assert site.upstream.bytes == before and not issuer.fetches


def test_an_authority_that_is_not_named(site, secure):
    del site.settings["fetch"]["ca_file"]
    unavailable(site, secure, "fetch_failed")


def test_special_use_addresses_are_refused_unless_listed(site, secure):
    """Its address is loopback: without the range in the settings nothing is even sent."""
    site.settings["fetch"]["allow"] = ["10.0.0.0/8"]
    unavailable(site, secure, "fetch_refused")


def test_a_name_that_leads_to_a_special_use_address(site, live, authority):
    """What decides is the address behind the name, where the socket is opened."""
    live.start(tls=context_of(*authority.leaf("localhost")), name="localhost")
    site.settings["fetch"] = {"ca_file": authority.path}
    unavailable(site, live, "fetch_refused")
    site.stop()
    site.settings["fetch"]["allow"] = ["127.0.0.0/8", "::1/128"]
    use(site, live).accepted(site.post())


class Proxy:
    """An egress proxy: takes CONNECT, leads every name to one port, and keeps what it was asked."""

    def __init__(self, port):
        self.port_behind, self.asked, self.open = port, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(4096)
            if not more:
                return
            head += more
        self.asked.append(head)
        server = socket.create_connection(("127.0.0.1", self.port_behind))
        client.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
        threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
        self.pump(client, server)

    def pump(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


def test_an_egress_proxy(site, live, authority, monkeypatch):
    """Names are the proxy's to resolve; TLS is verified end to end through it; the environment is not read."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    live.start(tls=context_of(*authority.leaf("idp.example")), name="idp.example")
    proxy = Proxy(live.port)
    site.settings["fetch"] = {"proxy": proxy.url, "ca_file": authority.path}
    use(site, live).accepted(site.post())
    assert proxy.asked[0].startswith(b"CONNECT idp.example:%d HTTP/1.1\r\n" % live.port)
    site.stop()
    # The same way to a server whose certificate is another one's: no proxy makes it trusted.
    other = Issuer(live.resource, keys=live.keys).start(tls=context_of(*authority.leaf("other.example")), name="idp.example")
    proxy.port_behind = other.port
    unavailable(site, other, "fetch_failed")
    other.close()
    proxy.close()


def test_metadata_behind_a_proxy_cannot_name_an_inner_address(site, live, authority, canary):
    live.start(tls=context_of(*authority.leaf("idp.example")), name="idp.example")
    proxy = Proxy(live.port)
    plain = live.metadata
    live.metadata = lambda: {**plain(), "jwks_uri": f"https://127.0.0.1:{canary.port}/jwks"}
    site.settings["fetch"] = {"proxy": proxy.url, "ca_file": authority.path}
    site.settings["issuers"]["idp"] = {"issuer": live.url}
    site.issuer = live
    site.start(ready="/healthz")
    answer = site.send(site.post())
    assert (answer.status, answer.audit["reason"]) == (503, "keys_unavailable")
    until(lambda: "fetch_refused" in site.log(), "fetch_refused in the log")
    assert not any(b"127.0.0.1:" in head.split(b" ")[1] for head in proxy.asked)
    proxy.close()


def test_an_issuer_that_is_slow_holds_up_nobody_else(site, live, second):
    """Its own requests wait and are told to come again; those of another issuer are served meanwhile."""
    go = threading.Event()
    live.start().fault = lambda path, handler: (go.wait(30), respond(handler, 503, {}))[1]
    site.settings["issuers"]["slow"] = {"issuer": live.url}
    site.settings["tenants"]["acme"]["issuers"] = ["idp", "slow"]
    site.settings["limits"] = {"keys_wait": "1s"}
    del site.settings["issuers"]["second"]
    site.start(ready="/healthz")
    with site.connect() as waiting:
        waiting.send(site.post(live.token()).wire())
        for _ in range(5):
            with site.connect() as connection:
                connection.send(site.post().wire())
                assert connection.read().status == 200
        answer = waiting.read()
    assert answer.status == 503 and answer["retry-after"]
    go.set()
    site.read = len(site.audit())


def test_a_verdict_ends_with_its_token(site):
    """J26: remembered, but not beyond exp."""
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    site.start()
    end = int(time.time()) + 3
    token = site.issuer.token(exp=end)
    site.accepted(site.post(token))

    def refused():
        answer = site.send(site.post(token))
        return answer if answer.status == 401 else None

    answer = until(refused, "the end of the token")
    assert answer.audit["reason"] == "token_expired" and time.time() >= end
    site.accepted(site.post())


def test_a_verdict_is_of_one_route(site):
    """J26: remembered where it was given, and no word at the route beside it."""
    site.settings["routes"].append({**site.route, "name": "maps", "resource": f"{site.origin}/maps/mcp"})
    site.start()
    token = site.issuer.token()
    for _ in range(3):
        site.accepted(site.post(token))
        answer = site.send(site.post(token, target="/maps/mcp"))
        assert (answer.status, answer.audit["reason"]) == (401, "token_audience")
    site.accepted(site.post(site.issuer.token(aud=f"{site.origin}/maps/mcp"), target="/maps/mcp"))


def test_a_verdict_ends_with_its_settings(site):
    """J26: a reload that changes the route ends it, one that changes nothing does not."""
    site.settings["workers"] = 1
    site.start()
    token = site.issuer.token()
    site.accepted(site.post(token))
    site.reload()
    site.accepted(site.post(token))
    site.route["audiences"] = ["https://elsewhere.example"]
    site.reload()
    ends(site, site.post(token), "token_audience")
    site.accepted(site.post(site.issuer.token(aud="https://elsewhere.example")))
