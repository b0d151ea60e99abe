"""Rules for calls: which tools, prompts and resources a token may call, decided by the body that the server behind reads."""
import base64
import json

import pytest

from support.http1 import Request, byte_by_byte, whole

NEW = "2026-07-28"


@pytest.fixture
def ruled(site):
    site.route["tools"] = {"get_forecast": "mcp:read", "open_door": ["mcp:doors", "mcp:execute"], "*": "mcp:execute"}
    site.route["prompts"] = {"sum": []}
    site.route["resources"] = {"file:///a": "mcp:read"}
    return site.start()


def call(method="tools/call", params=None, **more):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, **({} if params is None else {"params": params}), **more}).encode()


def tool(name, **arguments):
    return call(params={"name": name, "arguments": arguments})


def posted(site, body, token=None, *fields):
    request = site.post(token, body=body)
    for name, value in fields:
        request = request.also(name, value)
    return request


def chunks(request, size):
    head, _, body = request.wire().partition(b"\r\n\r\n")
    head = head.rpartition(b"\r\n")[0] + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(body[at:at + size]), body[at:at + size]) for at in range(0, len(body), size)) + b"0\r\n\r\n"


def test_what_is_allowed_arrives_byte_for_byte(ruled):
    body = b' {"params" :{"arguments":{"a":1.0,"A":-0,"big":123456789012345678901234567890,"t":"\\u0041\\/"},"name":"get_forecast"},\t"id":"x",' \
           b'"method":"tools\\/call","jsonrpc":"2.0"}\r\n'
    request = ruled.post(body=body)
    for raw, way in ((request, whole), (request, byte_by_byte), (chunks(request, 7), whole)):
        answer = ruled.send(raw, way)
        assert answer.status == 200 and ruled.upstream.seen[-1].body == body
        assert (answer.audit["mcp_method"], answer.audit["mcp_name"]) == ("tools/call", "get_forecast")


def test_a_scope_that_a_call_needs_is_asked_for(ruled):
    answer = ruled.refused(ruled.post(body=tool("open_door")), 403, "scope_missing")
    assert 'error="insufficient_scope"' in answer["www-authenticate"]
    assert 'scope="mcp:read mcp:doors mcp:execute"' in answer["www-authenticate"]
    assert answer.audit["mcp_name"] == "open_door"
    ruled.accepted(ruled.post(ruled.issuer.token(scope="mcp:read mcp:execute mcp:doors"), body=tool("open_door")))
    ruled.refused(ruled.post(body=tool("any_other")), 403, "scope_missing")
    ruled.accepted(ruled.post(ruled.issuer.token(scope="mcp:read mcp:execute"), body=tool("any_other")))


DENIED = {
    "a prompt without a rule": call("prompts/get", {"name": "other"}),
    "a completion for it": call("completion/complete", {"ref": {"type": "ref/prompt", "name": "other"}, "argument": {}}),
    "a resource without a rule": call("resources/read", {"uri": "file:///b"}),
    "one that is the same to others": call("resources/read", {"uri": "file:///b/../a"}),
    "a subscription to it": call("resources/subscribe", {"uri": "file:///b"}),
    "a method in capitals": call("TOOLS/CALL", {"name": "get_forecast"}),
    "a method that MCP does not have": call("tools/run", {"name": "get_forecast"}),
}


@pytest.mark.parametrize("body", DENIED.values(), ids=DENIED)
def test_what_no_rule_allows_is_denied(ruled, body):
    ruled.refused(ruled.post(ruled.issuer.token(scope="mcp:read mcp:execute mcp:doors"), body=body), 403, "rpc_denied")  # reason: rpc_denied


def test_the_metadata_lists_what_calls_need(ruled):
    answer = ruled.send(Request("GET", "/.well-known/oauth-protected-resource/weather/mcp", (("Host", ruled.authority),)))
    assert json.loads(answer.body)["scopes_supported"] == ["mcp:read", "mcp:doors", "mcp:execute"]


def test_a_call_that_wants_no_answer_is_a_call(ruled):
    body = json.dumps({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "any_other"}}).encode()
    ruled.refused(ruled.post(body=body), 403, "scope_missing")


def test_what_names_nothing_passes(ruled):
    for body in (call("tools/list"), call("ping"), call("server/discover"), call("prompts/get", {"name": "sum"}),
                 json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()):
        ruled.accepted(ruled.post(body=body))


BAD = {  # reason -> (code, bodies)
    "rpc_json": (-32700, [b"", b"{", b"\xef\xbb\xbf" + call("ping"), call("ping") + call("ping"), call("ping").decode().encode("utf-16"),
                          tool("get").replace(b"get", b"\xff"), b"NaN"]),
    "rpc_duplicate": (-32600, [tool("get_forecast")[:-1] + b',"method":"ping"}', tool("get_forecast")[:-1] + b',"Method":"ping"}',
                               tool("get_forecast").replace(b'"name"', b'"name":"open_door","n\\u0061me"'),
                               tool("get_forecast").replace(b'"name"', b'"Name":"open_door","name"'),
                               tool("get_forecast").replace(b'"name"', '"argument\u017f":{},"name"'.encode()),
                               tool("get_forecast", x=1).replace(b'"x"', b'"x":{"y":1,"y":2},"z"')]),
    "rpc_limits": (-32600, [tool("get_forecast", x=json.loads("[" * 70 + "]" * 70)), tool("get_forecast", **{f"a{i}": i for i in range(10001)}),
                            tool("get_forecast", x="y" * (1 << 20 | 1))]),
    "rpc_message": (-32600, [b"[" + call("ping") + b"]", b"[]", b"{}", b'"ping"', call("tools/call"), call("tools/call", [1]),
                             call("tools/call", {"name": 1}), call("ping", id=None), call("ping", jsonrpc="1.0"), call(7),
                             json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode()]),  # a response without a session
}


@pytest.mark.parametrize("reason", BAD)
def test_what_two_could_read_differently_is_read_by_nobody(ruled, reason):
    """reason: rpc_json, reason: rpc_duplicate, reason: rpc_limits, reason: rpc_message"""
    code, bodies = BAD[reason]
    token = ruled.issuer.token(scope="mcp:read mcp:execute mcp:doors")
    for body in bodies:
        answer = ruled.send(ruled.post(token, body=body))
        assert (answer.status, answer.audit["reason"], answer.contact) == (400, reason, 0), (body[:200], answer.audit)
        told = json.loads(answer.body)
        assert (told["jsonrpc"], told["id"], told["error"]["code"]) == ("2.0", 1 if b'"result"' in body else None, code)
    ruled.refused(ruled.post(token, body=bodies[-1]), 400, reason)


def mirrored(method, name=None, version=NEW):
    return (("MCP-Protocol-Version", version), ("Mcp-Method", method)) + ((("Mcp-Name", name),) if name is not None else ())


def coded(text):
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def test_headers_that_repeat_the_body_must_agree(ruled):
    good, token = tool("get_forecast"), ruled.issuer.token(scope="mcp:read mcp:execute")
    unicode_tool = json.dumps({"jsonrpc": "2.0", "id": "\u00fc", "method": "tools/call", "params": {"name": "z\u00fcrich "}}).encode()
    for body, fields in ((good, mirrored("tools/call", "get_forecast")), (good, mirrored("tools/call", coded("get_forecast"))),
                         (unicode_tool, mirrored("tools/call", coded("z\u00fcrich "))), (call("tools/list"), mirrored("tools/list")),
                         (good, mirrored("ping", "open_door", "2025-11-25")), (good, mirrored("ping", "open_door")[1:])):
        ruled.accepted(posted(ruled, body, token, *fields))
    for fields in (mirrored("tools/list", "get_forecast"), mirrored("TOOLS/CALL", "get_forecast"), mirrored("tools/call", "open_door"),
                   mirrored("tools/call"), mirrored("tools/call", "get_forecast")[:1] + mirrored("", "get_forecast")[2:],
                   mirrored("tools/call", "get_forecast") + (("Mcp-Name", "get_forecast"),), mirrored("tools/call", "=?BASE64?Z2V0?="),
                   mirrored("tools/call", coded("get_forecast").replace("?=", "=?=")), mirrored("tools/call", coded("open_door")),
                   mirrored("ping", "x", "2025-11-25")[:1] + mirrored("ping", "x")):
        answer = ruled.refused(posted(ruled, good, None, *fields), 400, "rpc_headers")  # reason: rpc_headers
        told = json.loads(answer.body)
        assert (told["id"], told["error"]["code"]) == (1, -32020)


def test_fields_that_repeat_a_body_are_not_passed_on_unread(ruled):
    """Where the revision does not say that they repeat the body nothing compared them: a server that goes by them is told nothing."""
    good, token, more = tool("get_forecast"), ruled.issuer.token(scope="mcp:read"), (("Mcp-Param-Door", "1"),)
    names = ("mcp-method", "mcp-name", "mcp-param-door")
    for fields in (mirrored("tools/call", "open_door", "2025-11-25"), mirrored("tools/call", "open_door")[1:]):
        _, seen = ruled.accepted(posted(ruled, good, token, *fields, *more))
        assert [seen.all(name) for name in names] == [[], [], []]
    _, seen = ruled.accepted(posted(ruled, good, token, *mirrored("tools/call", "get_forecast"), *more))
    assert [seen.all(name) for name in names] == [["tools/call"], ["get_forecast"], ["1"]]
    _, seen = ruled.accepted(posted(ruled, call("tools/list"), token, *mirrored("tools/list", "open_door")))
    assert (seen.all("mcp-method"), seen.all("mcp-name")) == (["tools/list"], [])


def test_fields_that_repeat_arguments_must_agree(site):
    site.route["param_headers"] = [{"tool": "get", "header": "Region", "argument": "/region"},
                                   {"tool": "get", "header": "Size", "argument": "/box/size"}]
    site.start()
    fields = mirrored("tools/call", "get")

    def given(region=None, size=None, *more):
        return fields + tuple((f"Mcp-Param-{name}", value) for name, value in (("Region", region), ("Size", size)) if value is not None) + more

    good = [({"region": "eu", "box": {"size": 3}}, given("eu", "3")), ({"region": "eu", "box": {"size": 3}}, given(coded("eu"), "3.0")),
            ({"region": "z\u00fcrich "}, given(coded("z\u00fcrich "))), ({"region": None}, given()), ({}, given()), ({"other": 1}, given()),
            ({"region": True}, given("true")), ({"region": "SGVsbG8="}, given("SGVsbG8=")), ({"region": "=?base64?SGVs"}, given("=?base64?SGVs")),
            ({"region": "eu"}, given("eu", None, ("Mcp-Param-Unknown", "x")))]
    bad = [({"region": "eu"}, given("us")), ({"region": "eu"}, given()), ({}, given("eu")), ({"region": "eu"}, given("EU")),
           ({"region": None}, given("null")), ({"region": ["eu"]}, given("eu")), ({"box": {"size": 3}}, given(None, "4")),
           ({"box": {"size": 12345678901234567890}}, given(None, "12345678901234567891")), ({"region": "Hello"}, given("=?base64?SGVsbG8?=")),
           ({"region": "Hello"}, given("=?base64?SGVs!!!bG8=?=")), ({"region": "eu"}, given("eu", None, ("Mcp-Param-Region", "eu"))),
           ({"region": True}, given("True"))]
    for arguments, those in good:
        site.accepted(posted(site, tool("get", **arguments), None, *those))
    for arguments, those in bad:
        answer = site.send(posted(site, tool("get", **arguments), None, *those))
        assert (answer.status, answer.audit["reason"], answer.contact) == (400, "rpc_headers", 0), (arguments, those)
        assert json.loads(answer.body)["error"]["code"] == -32020
    for those in (mirrored("tools/call", "put") + (("Mcp-Param-Region", "us"),),):  # another tool's
        site.accepted(posted(site, tool("put", region="eu"), None, *those))
    site.accepted(posted(site, tool("get", region="eu"), None, *mirrored("tools/call", "get", "2025-11-25")))


def test_a_route_without_rules_reads_no_bodies(site):
    site.start()
    for body in (b"[]", tool("a").replace(b'"name"', b'"name":"b","name"'), call("tools/run")):
        site.accepted(site.post(body=body))
