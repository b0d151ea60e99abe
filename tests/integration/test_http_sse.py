"""HTTP+SSE (MCP 2024-11-05): messages go to an address that only its owner can use, wherever the server has its own."""
import json
import re
import time
from dataclasses import replace

import pytest

from support import h2
from support.gateway import Gateway
from support.http1 import Request
from support.issuer import Issuer
from support.old import ADDRESS, CALL, SSE, Old, Stream, behind, cut, endpoint, message, opened, refused, sent
from support.upstream import Upstream
from support.wait import until
from test_revocation import revoke

pytestmark = pytest.mark.threads


@pytest.fixture
def old(site):
    """The server behind; site is not started."""
    with behind(site) as made:
        yield made


@pytest.fixture
def served(site, old):
    return site.start()


def judge_logs(site, *texts):
    with open(site.audit_path, encoding="utf-8") as file:
        written = file.read() + site.log()
    assert not [text for text in texts if text in written]


# ---- the whole way

def test_a_call_and_its_answer(served, old):
    stream, address = opened(served)
    head = stream.answer
    assert (head.status, head["content-type"], head["x-accel-buffering"], head["content-length"]) == (200, "text/event-stream", "no", None)
    opening = served.upstream.seen[0]
    assert (opening.method, opening.target, opening.all("authorization")) == ("GET", SSE, [])
    own = old.made[0]
    for body in (CALL, b' {"id":3, "jsonrpc":"2.0","method":"ping"}\n'):
        seen = sent(served, stream.message(address, body))
        assert (seen.method, seen.target, seen.body) == ("POST", own, body)
        assert seen.all("x-gatehouse-user") == ["alice"] and seen.all("authorization") == []
        assert stream.next() == message({"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": {"bytes": len(body)}})
    answer = served.send(stream.message(address))
    assert (answer.status, answer.body, answer["mcp-session-id"]) == (202, b"Accepted", None)
    judge_logs(served, own.rpartition("=")[2], address.rpartition("=")[2])
    stream.connection.close()
    until(lambda: old.gone == [own], "end of the stream at the server")


def test_the_server_ends_it(served, old):
    stream, _ = opened(served)
    old.push(None)
    assert list(stream.events) == []


def test_two_streams_of_one_owner(served, old):
    one, two = opened(served), opened(served)
    assert one[1] != two[1]
    for (stream, address), own in ((one, old.made[0]), (two, old.made[1]), (one, old.made[0])):
        assert sent(served, stream.message(address)).target == own
        assert b'"id": 2' in stream.next()


def test_what_a_client_asks_the_stream_for_passes_on(served):
    stream, _ = opened(served, target="/weather/mcp?a=1&b=%20")
    assert served.upstream.seen[0].target == f"{SSE}?a=1&b=%20"
    stream.connection.close()


def test_over_http2(site, old, authority):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    site.start()
    client = h2.Client(site.port, tls=authority.client("h2"))
    number = client.request(h2.fields_of(site, method="GET", scheme="https"))
    client.until(lambda: client.streams[number].body.endswith(b"\n\n"))
    address = ADDRESS.fullmatch(client.streams[number].body).group(1).decode()
    mine = client.answer(client.request(h2.fields_of(site, path=address, scheme="https"), CALL))
    assert mine.status == 202 and site.upstream.seen[-1].target == old.made[0]
    client.until(lambda: client.streams[number].body.endswith(old.reply(CALL)))
    before = site.upstream.bytes
    theirs = h2.fields_of(site, site.issuer.token(sub="bob"), path=address, scheme="https")
    assert client.answer(client.request(theirs, CALL)).status == 404 and site.upstream.bytes == before
    old.push(endpoint("/messages?sessionId=2"))
    client.until(lambda: client.streams[number].reset is not None)
    client.close()
    until(lambda: len(site.audit()) == 3, "audit lines")
    assert sorted(line["reason"] for line in site.audit()) == ["ok", "session_unknown", "upstream_endpoint"]


def test_messages_go_to_the_server_that_opened_the_stream(site, old):
    other = Upstream(Old("other"))
    site.route["upstream"] = {"urls": [f"http://127.0.0.1:{one.port}{SSE}" for one in (site.upstream, other)]}
    site.start()
    streams = [opened(site) for _ in range(6)]
    assert 0 < len(old.made) < 6 and len(old.made) + len(other.script.made) == 6
    for stream, address in streams:
        assert site.send(stream.message(address)).status == 202
        assert b'"id": 2' in stream.next()
        stream.connection.close()
    assert old.strangers == other.script.strangers == []
    other.close()


# ---- whose it is

@pytest.fixture
def crowd(site, old, keys):
    """Two tenants, two issuers, two routes of one tenant: all before one and the same server."""
    two = Issuer("", url="https://two.example", keys=keys[1:])
    site.write("two.json", two.key_set())
    issuers, routes = site.settings["issuers"], site.settings["routes"]
    issuers["idp"]["tenant_claims"] = ["tid"]
    issuers["two"] = {"issuer": two.url, "algs": [key.alg for key in two.keys], "jwks_file": "two.json"}
    site.settings["tenants"]["acme"]["issuers"] = ["idp", "two"]
    site.settings["tenants"]["beta"] = {"hosts": [f"localhost:{site.port}"], "issuers": ["idp"]}
    routes += [{**routes[0], "name": "maps", "resource": f"{site.origin}/maps/mcp"},
               {**routes[0], "name": "beta", "tenant": "beta", "resource": f"http://localhost:{site.port}/weather/mcp"}]
    site.two = two
    return site.start()


def strangers(site):
    """By what they differ from alice: tokens that are good, with the host and the path that they are good for."""
    token, both = site.issuer.token, [site.origin + "/weather/mcp", site.origin + "/maps/mcp"]
    here, beta = (site.authority, "/weather/mcp"), f"localhost:{site.port}"
    return {
        "another user": (token(sub="bob", tid="t1"), *here),
        "another client of the same user": (token(client_id="ide", tid="t1"), *here),
        "no client": (token(client_id=None, tid="t1"), *here),
        "another issuer with an equal subject": (site.two.token(aud=both[0], tid="t1"), *here),
        "another tenant of the same issuer": (token(tid="t2"), *here),
        "no tenant of the issuer": (token(), *here),
        "another route": (token(aud=both, tid="t1"), site.authority, "/maps/mcp"),
        "another tenant": (token(aud=f"http://{beta}/weather/mcp", tid="t1"), beta, "/weather/mcp"),
    }


def test_nobody_else_can_send_to_it(crowd, old):
    stream, address = opened(crowd, crowd.issuer.token(tid="t1"))
    good = stream.message(address)
    for who, (token, host, path) in strangers(crowd).items():
        bad = crowd.post(token, target=address.replace("/weather/mcp", path), body=CALL).with_field("Host", host)
        answer = refused(crowd, bad, 404, "session_unknown", good)
        assert answer.audit["stage"] == "session" and answer["www-authenticate"] is None and b"session" in answer.body, who
    sent(crowd, stream.message(address, token=crowd.issuer.token(tid="t1", scope="mcp:read more", jti="next")))
    assert old.strangers == []


def test_strangers_have_addresses_of_their_own(crowd, old):
    """The twins of the test above: what is sealed for each of them opens for each of them."""
    for who, (token, host, path) in strangers(crowd).items():
        theirs = Stream(crowd, token, path, host)
        address = re.search(rb"data: (\S+)", theirs.next()).group(1).decode()
        assert address.startswith(f"{path}/messages?"), who
        assert sent(crowd, theirs.message(address)).target == old.made[-1], who
        theirs.connection.close()


def test_an_address_is_no_credential(served):
    """What is asked before the session answers before it."""
    stream, address = opened(served)
    good = stream.message(address)
    answer = refused(served, good.without("authorization"), 401, "token_missing", good)
    assert f'resource_metadata="{served.origin}/.well-known/oauth-protected-resource/weather/mcp"' in answer["www-authenticate"]
    refused(served, stream.message(address, token=served.issuer.token(scope="mcp:other")), 403, "scope_missing", good)
    refused(served, good.with_field("Content-Type", "text/plain"), 415, "http_media_type", good)
    refused(served, good.with_field("Origin", "https://evil.example"), 403, "http_origin", good)


def test_forged_addresses(served, old):
    stream, address = opened(served)
    good, (path, _, sealed) = stream.message(address), address.partition("?sessionId=")
    own = old.made[0]
    bad = [f"{path}", f"{path}?", f"{path}?sessionId=", f"{path}?sessionId", f"{path}?sessionid={sealed}", f"{path}?session_id={sealed}",
           f"{address}&x=1", f"{path}?x=1&sessionId={sealed}", f"{path}?sessionId={sealed}&sessionId={sealed}", f"{address}=", f"{address}A",
           f"{address}%00", f"{path}?sessionId=%{ord(sealed[0]):02X}{sealed[1:]}", f"{path}?sessionId={sealed[1:]}", address[:-1],
           f"{path}?sessionId={sealed.swapcase()}", f"{path}{own.partition('?')[0]}?{own.partition('?')[2]}", f"{path}?{own.partition('?')[2]}",
           f"{path}?sessionId={'A' * 4000}"]
    for target in bad:
        reason = "route_unknown" if "messages/messages" in target else "session_unknown"
        refused(served, stream.message(target), 404, reason)
    sent(served, good)
    for header in (sealed, own):  # an id in a header is none of this era, and says nothing
        seen = sent(served, stream.message(address).also("Mcp-Session-Id", header))
        assert seen.all("mcp-session-id") == [] and seen.target == own
        refused(served, stream.message(path).also("Mcp-Session-Id", header), 404, "session_unknown", good)
    assert old.strangers == []


def test_every_character_counts(served, old):
    stream, address = opened(served)
    path, _, sealed = address.partition("?sessionId=")
    changed = [f"{path}?sessionId={sealed[:i]}{'A' if c != 'A' else 'B'}{sealed[i + 1:]}" for i, c in enumerate(sealed)]
    before = served.upstream.bytes
    with served.connect() as connection:
        for target in changed:
            connection.send(stream.message(target).wire())
            assert connection.read().status == 404
    assert served.upstream.bytes == before
    until(lambda: len(served.audit()) == len(sealed), "audit lines")
    assert {line["reason"] for line in served.audit()} == {"session_unknown"}
    served.read = len(served.audit())
    sent(served, stream.message(address))


def test_unknown_places_below_the_route(served):
    stream, address = opened(served)
    good, query = stream.message(address), address.partition("?")[2]
    for target in (f"/weather/mcp/message?{query}", f"/weather/mcp/messages/?{query}", f"/weather/mcp/messages/x?{query}", f"/messages?{query}",
                   f"/weather/mcp/Messages?{query}", f"/weather/messages?{query}", "/weather/mcp/sse", f"/weather/mcp{SSE}/messages?{query}"):
        refused(served, stream.message(target), 404, "route_unknown", good)


def test_a_route_of_another_transport_has_no_such_place(site):
    site.start()
    site.refused(site.post(target="/weather/mcp/messages?sessionId=A"), 404, "route_unknown")


# ---- which methods

def test_methods(served, old):
    stream, address = opened(served)
    good = stream.message(address)
    for method in ("POST", "DELETE", "PUT", "PATCH", "HEAD"):
        body = CALL if method == "POST" else b""
        request = replace(good.to("/weather/mcp", method), body=body)
        answer = refused(served, request, 405, "http_method_refused", good)
        assert answer["allow"] == "GET", "clients that try the newer transport first go on with a GET after this"
    for method in ("GET", "DELETE", "PUT", "HEAD"):
        answer = refused(served, replace(good.to(address, method), body=b""), 405, "http_method_refused", good)
        assert answer["allow"] == "POST"
    preflight = Request("OPTIONS", address, (("Host", served.authority), ("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")))
    answer = served.send(preflight)
    assert (answer.status, answer.audit["reason"], answer["access-control-allow-origin"]) == (204, "preflight", "https://app.example")
    seen = sent(served, good.also("Origin", "https://app.example"))
    assert seen.target == old.made[0]


# ---- what is asked of a message

def test_rules_for_calls(site, old):
    site.route["tools"] = {"get_forecast": "mcp:read", "open_door": "mcp:doors"}
    site.start()
    stream, address = opened(site)

    def tool(name):
        return stream.message(address, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}}).encode())

    good = tool("get_forecast")
    assert sent(site, good).body == good.body
    answer = refused(site, tool("open_door"), 403, "scope_missing", good)
    assert 'scope="mcp:read mcp:doors"' in answer["www-authenticate"]
    refused(site, tool("other"), 403, "rpc_denied", good)
    for body in (good.body[:-1] + b',"method":"ping"}', good.body[:-1] + b',"Method":"ping"}'):
        refused(site, stream.message(address, body), 400, "rpc_duplicate", good)
    refused(site, stream.message(address, b"[" + good.body + b"]"), 400, "rpc_message", good)
    # An answer to what the server has asked belongs to the stream.
    response = b'{"jsonrpc":"2.0","id":9,"result":{}}'
    assert sent(site, stream.message(address, response)).body == response
    refused(site, stream.message(address.replace("sessionId", "session"), response), 404, "session_unknown", good)


def test_lists_on_the_stream_show_what_may_be_called(site, old):
    """The answer to tools/list is an event, and the word that its request is answered by is none."""
    site.route["tools"] = {"get": "mcp:read", "put": "mcp:write"}
    there = {"jsonrpc": "2.0", "id": 2, "result": {"tools": [{"name": "get"}, {"name": "put"}, {"name": "drop"}]}}
    old.reply = lambda body: message(there) + message({"jsonrpc": "2.0", "method": "notifications/message"})
    site.start()
    for scope, shown in (("mcp:read", ["get"]), ("mcp:read mcp:write", ["get", "put"])):
        stream, address = opened(site, site.issuer.token(scope=scope))
        answer = site.send(stream.message(address, CALL))
        assert (answer.status, answer.body, answer.audit["reason"]) == (202, b"Accepted", "ok")
        event = stream.next()
        assert [tool["name"] for tool in json.loads(event.partition(b"data: ")[2])["result"]["tools"]] == shown, event
        assert b"notifications/message" in stream.next()
    # A server that answers there and then is read all the same.
    site.upstream.script = lambda call: call.answer(200, json.dumps(there).encode())
    answer = site.send(stream.message(address, CALL, site.issuer.token(scope="mcp:read")))
    assert [tool["name"] for tool in json.loads(answer.body)["result"]["tools"]] == ["get"]


def test_a_list_that_cannot_be_read(site, old):
    """The stream ends there, also where it comes together with the address."""
    site.route["tools"] = {"get": "mcp:read"}
    site.start()
    bad = b'data: {"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"get","name":"drop"}]}}\n\n'
    stream, _ = opened(site)
    old.push(bad)
    assert cut(site, stream, "list_unreadable") == b""
    for first in ([endpoint("/m") + bad + bad], [bad + endpoint("/m") + bad], [endpoint("/m")[:-1], b"\n" + bad]):
        old.begin = lambda address, first=first: first
        rest = cut(site, Stream(site), "list_unreadable")
        assert b"drop" not in rest


def test_rates_and_bounds(site, old):
    site.route["max_body"] = "1KiB"
    site.route["rate_limits"] = [{"per": "user", "requests": 4, "window": "1h"}]
    site.settings["store"] = {"url": "sqlite:gatehouse.db"}
    site.start()
    stream, address = opened(site)
    large = stream.message(address, json.dumps({"jsonrpc": "2.0", "method": "x" * 1024}).encode())
    refused(site, large, 413, "http_body_large")
    for _ in range(3):  # the stream was the first
        sent(site, stream.message(address))
    refused(site, stream.message(address), 429, "rate_limited")


def test_messages_are_no_streams(site, old):
    """Whoever has as many as allowed may go on sending."""
    site.settings["limits"] = {"streams_per_principal": 1}
    site.start()
    stream, address = opened(site)
    sent(site, stream.message(address))
    sent(site, stream.message(address).also("Accept", "text/event-stream"))
    refused(site, stream.opening("/weather/mcp"), 429, "streams_many", stream.message(address))


# ---- what ends a stream

def test_a_revocation(site, old):
    site.settings["store"] = {"url": "sqlite:gatehouse.db", "poll": "10ms"}
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    site.start()
    alice, bob = opened(site, site.issuer.token(sub="alice")), opened(site, site.issuer.token(sub="bob"))
    revoke(site, "user", id="alice")
    assert cut(site, alice[0], "token_revoked", "revocation") == b""
    refused(site, alice[0].message(alice[1]), 401, "token_revoked", bob[0].message(bob[1]))
    assert b'"id": 2' in bob[0].next()


def test_the_end_of_the_token(site, old):
    site.settings["issuers"]["idp"]["leeway"] = "0s"
    site.start()
    short, long_ = opened(site, site.issuer.token(exp=int(time.time()) + 3)), opened(site)
    assert cut(site, short[0], "token_expired") == b""
    sent(site, long_[0].message(long_[1]))
    assert b'"id": 2' in long_[0].next()


def test_a_reload(site, old):
    """What stays the same goes on; a route that speaks otherwise from now on has no such streams."""
    site.start()
    stream, address = opened(site)
    site.settings["workers"] = 2
    site.settings["tenants"]["beta"] = {"hosts": ["beta.example"], "issuers": ["idp"]}
    site.reload()
    sent(site, stream.message(address))
    assert b'"id": 2' in stream.next()
    site.route["transport"] = "streamable-http"
    site.reload()
    assert cut(site, stream, "policy_changed") == b""
    refused(site, stream.message(address), 404, "route_unknown")


def test_any_gateway_with_the_key_takes_the_messages(site, old, tmp_path, issuer):
    """The stream is open at one, and its messages come in at the other."""
    (tmp_path / "sessions.key").write_text("00112233445566778899aabbccddeeff" * 2 + "\n", encoding="utf-8")
    (tmp_path / "sessions.key").chmod(0o600)
    site.settings["sessions"] = {"key_file": "sessions.key"}
    site.start()
    second = Gateway(tmp_path, issuer, site.upstream, name="second")
    second.settings["sessions"], second.settings["routes"] = site.settings["sessions"], [{**site.route}]
    second.settings["tenants"] = site.settings["tenants"]
    second.start()
    issuer.resource = site.route["resource"]
    stream, address = opened(site)
    assert sent(second, stream.message(address)).target == old.made[0]
    assert b'"id": 2' in stream.next()
    refused(second, stream.message(address, token=issuer.token(sub="bob")), 404, "session_unknown", stream.message(address))
    second.stop()
