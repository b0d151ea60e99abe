"""Rules for calls in order: patterns, claims, arguments, methods; what the audit log and `gatehouse explain` say of them."""
import base64
import hashlib
import json
import subprocess
import time

import pytest

from support.gateway import BINARY

RULES = [
    {"name": "no-bots", "effect": "deny", "tools": ["drop_*"], "claims": {"agents": ["bot"]}},
    {"name": "small", "tools": "transfer", "arguments": {"/amount": {"min": 0, "max": 100}, "/currency": {"equals": ["EUR", "USD"]}}},
    {"name": "large", "tools": "transfer", "scopes": "pay:large", "claims": {"groups": "finance", "max_auth_age": "15m"}},
    {"name": "drop", "tools": "drop_*", "claims": {"roles": ["owner"]}},
    {"name": "docs", "resources": ["file:///docs/**"], "scopes": "docs"},
    {"name": "no-logging", "effect": "deny", "methods": "logging/*"},
    {"name": "own-method", "methods": "acme/reindex"},
]


@pytest.fixture
def ruled(site):
    site.route["rules"] = RULES
    site.route["tools"] = {"get": []}
    site.route["audit_arguments"] = True
    return site.start()


def call(method, params=None):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, **({} if params is None else {"params": params})}).encode()


def tool(name, **arguments):
    return call("tools/call", {"name": name, "arguments": arguments})


def of(answer):
    return answer.status, answer.audit["reason"], answer.audit.get("mcp_rule")


def test_the_first_rule_that_holds_decides(ruled):
    finance = ruled.issuer.token(groups=["finance"], auth_time=int(time.time()) - 60)
    large = ruled.issuer.token(groups=["finance"], auth_time=int(time.time()) - 60, scope="mcp:read pay:large")
    stale = ruled.issuer.token(groups=["finance"], auth_time=int(time.time()) - 1200, scope="mcp:read pay:large")
    cases = [
        (None, tool("get"), (200, "ok", "tools.get")),
        (None, tool("transfer", amount=100, currency="EUR"), (200, "ok", "small")),
        (None, tool("transfer", amount=100.5, currency="EUR"), (403, "rpc_denied", None)),
        (None, tool("transfer", amount="100", currency="EUR"), (403, "rpc_denied", None)),
        (finance, tool("transfer", amount=5000, currency="EUR"), (403, "scope_missing", "large")),
        (large, tool("transfer", amount=5000, currency="EUR"), (200, "ok", "large")),
        (stale, tool("transfer", amount=5000, currency="EUR"), (403, "rpc_denied", None)),
        (None, tool("drop_table"), (403, "rpc_denied", None)),
        (ruled.issuer.token(roles=["owner"]), tool("drop_table"), (200, "ok", "drop")),
        (ruled.issuer.token(roles="owner"), tool("drop_table"), (200, "ok", "drop")),
        (ruled.issuer.token(roles=["owner"], act={"sub": "bot"}), tool("drop_table"), (403, "rpc_denied", "no-bots")),
        (None, call("resources/read", {"uri": "file:///docs/a/b"}), (403, "scope_missing", "docs")),
        (ruled.issuer.token(scope="mcp:read docs"), call("resources/read", {"uri": "file:///docs/a/b"}), (200, "ok", "docs")),
        (ruled.issuer.token(scope="mcp:read docs"), call("resources/read", {"uri": "file:///docs/../b"}), (403, "rpc_denied", None)),
        (None, call("logging/setLevel", {"level": "debug"}), (403, "rpc_denied", "no-logging")),
        (None, call("acme/reindex"), (200, "ok", "own-method")),
        (None, call("acme/other"), (403, "rpc_denied", None)),
        (None, call("subscriptions/listen", {"notifications": {"toolsListChanged": True}}), (200, "ok", None)),
        (None, call("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["file:///docs/a"]}}), (403, "rpc_denied", None)),
    ]
    for token, body, expected in cases:
        answer = ruled.send(ruled.post(token, body=body))
        assert of(answer) == expected, (body, answer.audit)
        assert (answer.contact > 0) == (expected[0] == 200)
        if expected[0] == 200:
            assert ruled.upstream.seen[-1].body == body


@pytest.mark.threads
def test_roles_and_acr_outlive_the_request_that_brought_them(site):
    """A token that is known already is judged by what it said, whatever stood where its first request was."""
    site.route["rules"] = [{"name": "owners", "tools": "drop", "claims": {"roles": ["owner"]}},
                           {"name": "strong", "tools": "pay", "claims": {"acr": "2"}}]
    site.start()
    owner, viewer = (site.issuer.token(roles=[role, "x" * 40], acr=acr) for role, acr in (("owner", "2"), ("viewer", "1")))
    for size in [1, 3000, 200, 6000, 1, 2500]:
        for tool_name, rule in (("drop", "owners"), ("pay", "strong")):
            padding = ("2owner" * size)[:size]
            answer = site.send(posted(site, tool(tool_name), owner, padding))
            assert of(answer) == (200, "ok", rule), answer.audit
            answer = site.send(posted(site, tool(tool_name), viewer, padding))
            assert of(answer) == (403, "rpc_denied", None), answer.audit


def posted(site, body, token, padding):
    return site.post(token, body=body).also("X-Padding", padding)


def test_a_scope_of_a_rule_is_asked_for_and_published(ruled):
    answer = ruled.refused(ruled.post(body=call("resources/read", {"uri": "file:///docs/a"})), 403, "scope_missing")
    assert 'error="insufficient_scope", scope="mcp:read docs"' in answer["www-authenticate"]
    ruled.accepted(ruled.post(ruled.issuer.token(scope="mcp:read docs"), body=call("resources/read", {"uri": "file:///docs/a"})))


def test_members_that_a_rule_reads_have_no_twin(ruled):
    for body in (tool("transfer", amount=1, Amount=5000, currency="EUR"), tool("transfer", amount=1, currency="EUR", **{"C\u0075RRENCY": "x"})):
        answer = ruled.send(ruled.post(body=body))
        assert (answer.status, answer.audit["reason"], answer.contact) == (400, "rpc_duplicate", 0)
    ruled.accepted(ruled.post(body=tool("transfer", amount=1, currency="EUR", memo={"Amount": 5000})))


def test_a_digest_of_the_arguments(ruled):
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","arguments": {"secret":"hunter2" } }}'
    answer, _ = ruled.accepted(ruled.post(body=body))
    digest = hashlib.sha256(b'{"secret":"hunter2" }').digest()
    assert answer.audit["mcp_arguments"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert "hunter2" not in json.dumps(answer.audit)
    answer, _ = ruled.accepted(ruled.post(body=call("tools/call", {"name": "get"})))
    assert "mcp_arguments" not in answer.audit


def explain(site, token, what, ask=True):
    run = subprocess.run([BINARY, "explain", "-c", "gatehouse.yaml", "--route", "weather", "--call", what, "-"], cwd=site.folder,
                         input=token + "\n", capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "Sanitizer" not in run.stderr and ("going on offline" in run.stderr) != ask, run.stderr
    return json.loads(run.stdout)


def test_explain_says_what_came_of_each_rule(ruled):
    token = ruled.issuer.token(roles=["owner"], groups=["finance"], auth_time=int(time.time()))
    calls = {
        'tools/call transfer {"amount": 5000, "currency": "EUR"}': ("scope_missing", "rule large needs pay:large; granted: mcp:read",
                                                                   ["small", "large"]),
        'tools/call transfer {"amount": 1}': ("scope_missing", "rule large needs pay:large", ["small", "large"]),
        "tools/call drop_table": ("ok", "rule drop allows it", ["no-bots", "drop"]),
        "tools/call other": ("rpc_denied", "no rule allows it", []),
        "logging/setLevel": ("rpc_denied", "rule no-logging denies it", ["no-logging"]),
        "tools/list": ("ok", "no rule is needed for it", []),
        "resources/read file:///docs/a": ("scope_missing", "rule docs needs docs", ["docs"]),
        call("acme/reindex").decode(): ("ok", "rule own-method allows it", ["own-method"]),
        'tools/call transfer {"amount": 1, "amount": 2}': ("rpc_duplicate", "two readers", []),
        "{": ("rpc_json", "two readers", []),
    }
    for ask in (True, False):
        for what, (verdict, detail, rules) in calls.items():
            told = explain(ruled, token, what, ask)
            assert (told["verdict"], told["step"]) == (verdict, "call") and detail in told["detail"], told
            assert [rule["rule"] for rule in told["rules"]] == rules
        if ask:
            small = explain(ruled, token, 'tools/call transfer {"amount": "1", "currency": "EUR"}')["rules"][0]
            assert small == {"rule": "small", "effect": "allow", "claims": "hold", "arguments": "unknown"}
            ruled.stop()


def test_a_reload_changes_what_may_be_called(ruled):
    body = tool("drop_table")
    ruled.refused(ruled.post(body=body), 403, "rpc_denied")
    ruled.route["rules"] = RULES + [{"name": "anybody", "tools": "drop_*"}]
    ruled.reload()
    answer, _ = ruled.accepted(ruled.post(body=body))
    assert answer.audit["mcp_rule"] == "anybody"
