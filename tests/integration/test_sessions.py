"""Sealed sessions: an id that only its owner can use, at the endpoint that made it, whoever else asks."""
import os
import random
import re

import pytest

from support import h2
from support.http1 import whole
from support.issuer import Issuer
from support.stateful import CALL, Stateful, bare, in_session, start_session
from support.wait import until

pytestmark = pytest.mark.threads

SEALED = re.compile(r"[A-Za-z0-9_-]{64,}")


def ways_to_ask(request):
    """Everything a session can be asked for."""
    get = bare(request, "GET")
    return {"POST": request, "GET": get, "resume": get.also("Last-Event-ID", "7"), "DELETE": bare(request, "DELETE")}


@pytest.fixture
def stateful(site):
    site.upstream.script = Stateful()
    return site


@pytest.fixture
def served(stateful):
    return stateful.start()


@pytest.fixture
def session(served):
    return start_session(served)


def judge_logs(site, *ids):
    """Neither the client's nor the upstream's id is written anywhere."""
    with open(site.audit_path, encoding="utf-8") as file:
        written = file.read() + site.log()
    assert not [one for one in ids if one in written]


# ---- what the two ends see

def test_the_client_never_sees_the_upstreams_id(served, session):
    sealed, own = session
    assert SEALED.fullmatch(sealed) and own not in sealed
    for name, request in ways_to_ask(in_session(served.post(), sealed)).items():
        answer, seen = served.accepted(request)
        assert seen.all("mcp-session-id") == [own], name
        assert answer["mcp-session-id"] == sealed, "the id stays the same while the session does"
    judge_logs(served, sealed, own)


def test_two_sessions_of_one_owner(served):
    one, two = start_session(served), start_session(served)
    assert one[0] != two[0]
    for sealed, own in (one, two, one):
        assert served.accepted(in_session(served.post(), sealed))[1].all("mcp-session-id") == [own]


def test_an_ended_session_is_the_upstreams_to_refuse(served, session):
    sealed, own = session
    served.accepted(bare(in_session(served.post(), sealed), "DELETE"))
    answer = served.send(in_session(served.post(), sealed))
    assert (answer.status, answer.audit["reason"]) == (404, "ok")  # reason: ok
    assert b"Session not found" in answer.body and served.upstream.script.strangers == [own]


def test_without_a_session_it_is_the_upstreams_to_refuse(served):
    answer = served.send(served.post(body=CALL))
    assert (answer.status, answer.audit["reason"]) == (400, "ok")


def test_a_new_id_of_the_upstream_is_sealed_anew(served, session):
    stateful, renamed = served.upstream.script, "renamed-by-the-upstream"
    served.upstream.script = lambda call: stateful.answer(call, renamed)
    answer, _ = served.accepted(in_session(served.post(), session[0]))
    assert answer["mcp-session-id"] not in (session[0], renamed)
    _, seen = served.accepted(in_session(served.post(), answer["mcp-session-id"]))
    assert seen.all("mcp-session-id") == [renamed]


def test_over_http2(stateful, authority):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    stateful.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    stateful.start()
    client = h2.Client(stateful.port, tls=authority.client("h2"))
    fields = h2.fields_of(stateful, scheme="https")
    sealed = dict(client.answer(client.request(fields, stateful.post().body)).fields)["mcp-session-id"]
    mine = client.answer(client.request(fields + [("mcp-session-id", sealed)], CALL))
    assert mine.status == 200 and dict(mine.fields)["mcp-session-id"] == sealed
    assert stateful.upstream.seen[-1].all("mcp-session-id") == stateful.upstream.script.made
    before = stateful.upstream.bytes
    twice = fields + [("mcp-session-id", sealed)] * 2
    theirs = h2.fields_of(stateful, stateful.issuer.token(sub="bob"), scheme="https") + [("mcp-session-id", sealed)]
    for bad in (twice, theirs):
        assert client.answer(client.request(bad, CALL)).status == 404
    assert stateful.upstream.bytes == before
    assert client.answer(client.request(fields + [("mcp-session-id", sealed)], CALL)).status == 200
    client.close()
    until(lambda: len(stateful.audit()) == 5, "audit lines")
    assert sorted(line["reason"] for line in stateful.audit()) == ["ok"] * 3 + ["session_unknown"] * 2


# ---- whose it is

@pytest.fixture
def crowd(stateful, keys):
    """Two tenants, two issuers, two routes of one tenant: all before one and the same server."""
    two = Issuer("", url="https://two.example", keys=keys[1:])
    stateful.write("two.json", two.key_set())
    issuers, routes = stateful.settings["issuers"], stateful.settings["routes"]
    issuers["idp"]["tenant_claims"] = ["tid"]
    issuers["two"] = {"issuer": two.url, "algs": [key.alg for key in two.keys], "jwks_file": "two.json"}
    stateful.settings["tenants"]["acme"]["issuers"] = ["idp", "two"]
    stateful.settings["tenants"]["beta"] = {"hosts": [f"localhost:{stateful.port}"], "issuers": ["idp"]}
    beta = f"http://localhost:{stateful.port}"
    routes += [{**routes[0], "name": "maps", "resource": f"{stateful.origin}/maps/mcp"},
               {**routes[0], "name": "beta", "tenant": "beta", "resource": f"{beta}/weather/mcp"}]
    stateful.two = two
    return stateful.start()


def strangers(site):
    """By what they differ from alice: requests that are good without her session."""
    token, both = site.issuer.token, [site.origin + "/weather/mcp", site.origin + "/maps/mcp"]
    beta = f"http://localhost:{site.port}/weather/mcp"
    return {
        "another user": site.post(token(sub="bob", tid="t1")),
        "another client of the same user": site.post(token(client_id="ide", tid="t1")),
        "no client": site.post(token(client_id=None, tid="t1")),
        "another issuer with an equal subject": site.post(site.two.token(aud=both[0], tid="t1")),
        "another tenant of the same issuer": site.post(token(tid="t2")),
        "no tenant of the issuer": site.post(token()),
        "another route": site.post(token(aud=both, tid="t1"), target="/maps/mcp"),
        "another tenant": site.post(token(aud=beta, tid="t1")).with_field("Host", f"localhost:{site.port}"),
    }


def test_nobody_else_can_use_it(crowd):
    alice = crowd.issuer.token(tid="t1")
    sealed, own = start_session(crowd, alice)
    good = in_session(crowd.post(alice), sealed)
    for who, stranger in strangers(crowd).items():
        crowd.accepted(stranger)
        for what, bad in ways_to_ask(in_session(stranger, sealed)).items():
            answer = crowd.refused(bad, 404, reason="session_unknown", good=good)
            assert answer["mcp-session-id"] is None and b"session" in answer.body, (who, what)
            assert answer.audit["stage"] == "session" and answer["www-authenticate"] is None
    crowd.accepted(in_session(crowd.post(crowd.issuer.token(tid="t1", scope="mcp:read more", jti="next")), sealed))
    judge_logs(crowd, sealed, own)


def test_strangers_have_sessions_of_their_own(crowd):
    """The twins of the test above: what is sealed for each of them opens for each of them."""
    for who, stranger in strangers(crowd).items():
        answer, _ = crowd.accepted(stranger)
        _, seen = crowd.accepted(in_session(stranger, answer["mcp-session-id"]))
        assert seen.all("mcp-session-id") == [crowd.upstream.script.made[-1]], who


def test_a_session_is_no_credential(served, session):
    """What is asked before the session answers before it."""
    good = in_session(served.post(), session[0])
    forged = served.post().also("Mcp-Session-Id", "A" * len(session[0]))
    for bad in (in_session(served.post(token=False), session[0]), forged.without("authorization")):
        served.refused(bad, 401, reason="token_missing", good=good)
    poor = served.issuer.token(scope="mcp:other")
    served.refused(in_session(served.post(poor), session[0]), 403, reason="scope_missing", good=good)
    served.refused(bare(forged, "PUT"), 405, reason="http_method_refused", good=good)
    served.refused(forged.with_field("Content-Type", "text/plain"), 415, reason="http_media_type", good=good)
    served.refused(forged, 404, reason="session_unknown", good=good)


# ---- what is no session at all

def test_forged_ids(served, session):
    sealed, own = session
    good = in_session(served.post(), sealed)
    bad = ["", "x", own, sealed[:-1], sealed[1:], sealed + "A", sealed + "=", f"{sealed}, {sealed}", sealed * 2,
           sealed.swapcase(), "A" * len(sealed), "A" * 2796, "%41" + sealed[1:], sealed.replace("-", "+") + "+"]
    requests = [served.post().also("Mcp-Session-Id", one) for one in bad]
    requests += [good.also("Mcp-Session-Id", sealed), good.also("Mcp-Session-Id", "x"),
                 served.post().also("Mcp-Session-Id", "x").also("Mcp-Session-Id", sealed),
                 good.also("mcp-session-id", "")]
    for request in requests:
        served.refused(request, 404, reason="session_unknown", good=good, ways=(whole,))
    judge_logs(served, sealed, own)


def ask_all(site, requests):
    """The statuses, all on one connection."""
    statuses = []
    with site.connect() as connection:
        for request in requests:
            connection.send(request.wire())
            statuses.append(connection.read(request.method).status)
    return statuses


def test_every_character_counts(served, session):
    sealed = session[0]
    good, before = in_session(served.post(), sealed), served.upstream.bytes
    token = served.issuer.token()
    changed = [sealed[:i] + ("A" if c != "A" else "B") + sealed[i + 1:] for i, c in enumerate(sealed)]
    assert ask_all(served, [in_session(served.post(token), one) for one in changed]) == [404] * len(sealed)
    assert served.upstream.bytes == before
    until(lambda: len(served.audit()) == 1 + len(sealed), "audit lines")
    assert {line["reason"] for line in served.audit()[1:]} == {"session_unknown"}
    served.read = len(served.audit())
    served.accepted(good)


def guesses(sealed, count, chance):
    """Random texts; those of the right form begin like the real one, so that the tag alone decides."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for _ in range(count):
        kept = chance.choice([0, 6, 22, len(sealed) - 22, len(sealed) - 4])
        yield sealed[:kept] + "".join(chance.choices(letters, k=len(sealed) - kept - chance.choice([0, 0, 0, 1, 4])))


def unknown_count(site):
    found = re.search(r'gatehouse_requests_total\{[^}]*reason="session_unknown"\} (\d+)', site.admin("/metrics")[1])
    return int(found.group(1)) if found else 0


def test_ten_thousand_guesses(stateful):
    stateful.settings["audit"]["file"] = "off"
    site = stateful.start()
    token = site.issuer.token()
    with site.connect() as connection:
        connection.send(site.post(token).wire())
        sealed = connection.read()["mcp-session-id"]
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"SEED={seed}")
    before, chance = site.upstream.bytes, random.Random(seed)
    wrong = [one for one in guesses(sealed, 10000, chance) if one != sealed]
    statuses = ask_all(site, [bare(in_session(site.post(token), one), "GET") for one in wrong])
    assert statuses == [404] * len(wrong) and len(wrong) > 9990
    assert site.upstream.bytes == before, "the upstream was contacted"
    until(lambda: unknown_count(site) == len(wrong), "all of them in the metrics")
    assert ask_all(site, [in_session(site.post(token), sealed)]) == [200]


# ---- what upstreams call their sessions

def named(*names):
    return lambda call: call.answer(200, b"{}", [("Content-Type", "application/json")] +
                                    [("Mcp-Session-Id", name) for name in names])


@pytest.mark.parametrize("name", ["!", "~", "a,b", '"quoted"', "x" * 2048])
def test_legal_ids_of_the_upstream(served, name):
    served.upstream.script = named(name)
    answer, _ = served.accepted(served.post())
    _, seen = served.accepted(in_session(served.post(), answer["mcp-session-id"]))
    assert seen.all("mcp-session-id") == [name]


@pytest.mark.parametrize("names", [("a b",), ("a\tb",), ("x" * 2049,), ("a", "b"), ("a", "a"), ("a", "")])
def test_illegal_ids_of_the_upstream(served, names):
    served.upstream.script = named(*names)
    answer = served.send(served.post())
    assert (answer.status, answer.audit["reason"]) == (502, "upstream_malformed")
    assert answer["mcp-session-id"] is None
    served.upstream.script = named("a")
    assert served.accepted(served.post())[0]["mcp-session-id"] is not None


def test_an_empty_id_of_the_upstream_is_none(served):
    served.upstream.script = named("")
    assert served.accepted(served.post())[0]["mcp-session-id"] is None
