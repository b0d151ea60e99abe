"""Keys that come over the network: fetched once, kept while the issuer is down, never fetched because a client asked."""
import threading

import pytest

from support.issuer import Issuer, Key, respond
from support.wait import until


@pytest.fixture
def issuer(keys):
    """An issuer that publishes its metadata and keys over loopback HTTP."""
    made = Issuer("", keys=list(keys)).start()
    yield made
    made.close()


@pytest.mark.threads
def test_keys_are_fetched_once(gateway):
    for _ in range(5):
        gateway.accepted(gateway.post())
    assert gateway.issuer.fetches["/jwks"] == 1
    assert gateway.issuer.fetches["/.well-known/oauth-authorization-server"] == 1


def test_an_unknown_key_id_costs_one_fetch(gateway):
    gateway.accepted(gateway.post())
    for i in range(20):
        answer = gateway.send(gateway.post(gateway.issuer.token(header={"kid": f"nobody-{i}"})))
        assert answer.audit["reason"] in ("token_key_unknown", "verify_budget"), answer.audit
    assert gateway.issuer.fetches["/jwks"] <= 2
    gateway.accepted(gateway.post())


def test_a_new_key_is_found(gateway):
    gateway.accepted(gateway.post())
    fresh = Key("ES256", kid="fresh")
    gateway.issuer.keys.append(fresh)
    gateway.accepted(gateway.post(gateway.issuer.token(key=fresh)))
    assert gateway.issuer.fetches["/jwks"] == 2


@pytest.mark.threads
def test_many_requests_wait_for_one_fetch(site):
    go = threading.Event()

    def slow(path, handler):
        go.wait(2)

    site.issuer.fault = slow
    site.start(ready="/healthz")
    answers = []

    def ask():
        with site.connect() as connection:
            connection.send(site.post().wire())
            answers.append(connection.read().status)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(30)
    assert answers == [200] * 10 and site.issuer.fetches["/jwks"] == 1


def test_an_issuer_that_is_down_at_the_start(site):
    site.issuer.fault = lambda path, handler: respond(handler, 503, {})
    other = Issuer(f"{site.origin}/maps/mcp", url="https://other.example", keys=[Key("ES256")])
    site.write("other.json", other.key_set())
    site.settings["issuers"]["other"] = {"issuer": other.url, "jwks_file": "other.json", "algs": ["ES256"]}
    site.settings["tenants"]["acme"]["issuers"].append("other")
    site.settings["routes"].append({**site.route, "name": "maps", "resource": other.resource, "issuers": ["other"]})
    site.route["issuers"] = ["idp"]
    site.start(ready="/healthz")
    answer = site.send(site.post())
    assert (answer.status, answer.audit["reason"]) == (503, "keys_unavailable")  # reason: keys_unavailable
    assert answer["retry-after"] and answer["www-authenticate"] is None
    assert site.admin("/readyz")[0] == 503
    site.accepted(site.post(other.token(), target="/maps/mcp"))
    site.issuer.fault = None
    until(lambda: site.admin("/readyz")[0] == 200, "readiness once the issuer is back", deadline=90)
    site.accepted(site.post())


FAULTS = {
    "503": lambda path, handler: respond(handler, 503, {}),
    "truncated": lambda path, handler: respond(handler, 200, b'{"keys":[{"kty":"RS'),
    "empty": lambda path, handler: respond(handler, 200, {"keys": []}),
    "huge": lambda path, handler: respond(handler, 200, b'{"keys":[' + b" " * 400000 + b"]}"),
    "html": lambda path, handler: respond(handler, 200, b"<html>", (("Content-Type", "text/html"),)),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_bad_answer_never_replaces_a_good_set(gateway, fault):
    gateway.accepted(gateway.post())
    gateway.issuer.fault = fault
    answer = gateway.send(gateway.post(gateway.issuer.token(header={"kid": "nobody"})))
    assert answer.audit["reason"] == "token_key_unknown" and gateway.issuer.fetches["/jwks"] == 2
    gateway.accepted(gateway.post())


def at(place, answer):
    """A fault that answers so below a path, and lets the rest pass."""
    return lambda path, handler: place in path and answer(path, handler)


START = {
    "fetch_failed": at("well-known", FAULTS["503"]),  # reason: fetch_failed
    "metadata_malformed": at("well-known", FAULTS["empty"]),  # reason: metadata_malformed
    "metadata_issuer": at("well-known", lambda path, handler: respond(handler, 200, {  # reason: metadata_issuer
        "issuer": "https://evil.example", "jwks_uri": "https://evil.example/jwks"})),
    "keys_malformed": at("jwks", FAULTS["truncated"]),  # reason: keys_malformed
    "fetch_refused": at("well-known", lambda path, handler: respond(handler, 200, {  # reason: fetch_refused
        "issuer": f"http://{handler.headers['Host']}", "jwks_uri": "https://10.255.255.1/jwks"})),
}


@pytest.mark.parametrize("slug", START)
def test_the_log_names_what_is_wrong_with_an_issuer(site, slug):
    """The client is told to try again later; the operator, why."""
    site.issuer.fault = START[slug]
    site.start(ready="/healthz")
    answer = site.send(site.post())
    assert (answer.status, answer.audit["reason"]) == (503, "keys_unavailable")
    until(lambda: slug in site.log(), f"{slug} in the log")
    assert not site.upstream.bytes
    site.issuer.fault = None
    until(lambda: site.admin("/readyz")[0] == 200, "readiness once the issuer is well", deadline=90)
    site.accepted(site.post())


def test_redirects_are_not_followed(site, canary):
    site.issuer.fault = lambda path, handler: respond(handler, 302, {}, (("Location", canary.url),))
    site.start(ready="/healthz")
    answer = site.send(site.post())
    assert (answer.status, answer.audit["reason"]) == (503, "keys_unavailable")
    site.issuer.fault = None


def test_one_bad_key_does_not_spoil_the_set(site):
    good = site.issuer.key_set
    site.issuer.key_set = lambda: {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"}, {"kty": "RSA"}, 5, *good()["keys"]]}
    site.start()
    site.accepted(site.post())


def test_equal_subjects_and_key_ids_of_two_issuers(site):
    other = Issuer(site.issuer.resource, url="https://other.example", keys=[Key("RS256", kid=site.issuer.keys[0].kid)])
    site.write("other.json", other.key_set())
    site.settings["issuers"]["other"] = {"issuer": other.url, "jwks_file": "other.json", "algs": ["RS256"]}
    site.settings["tenants"]["acme"]["issuers"].append("other")
    site.start()
    assert site.accepted(site.post())[0].audit["issuer"] == "idp"
    assert site.accepted(site.post(other.token()))[0].audit["issuer"] == "other"
    crossed = site.issuer.token(key=other.keys[0])
    site.refused(site.post(crossed), 401, reason="token_signature")
