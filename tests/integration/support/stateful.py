"""An MCP server with sessions, as a script for an Upstream: it knows those that it made, and nobody else's."""
import threading
import uuid
from dataclasses import replace

CALL = b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}'


def in_session(request, sealed):
    """A call in that session."""
    return replace(request.also("Mcp-Session-Id", sealed), body=CALL)


def bare(request, method):
    """The same without a body, as GET and DELETE come."""
    return replace(request.without("content-type"), method=method, body=b"")


def start_session(site, token=None):
    """(the client's id, the upstream's own) of a new session."""
    answer, seen = site.accepted(site.post(token))
    assert seen.all("mcp-session-id") == []
    return answer["mcp-session-id"], site.upstream.script.made[-1]


class Stateful:
    def __init__(self, name="upstream"):
        self.name, self.made, self.live = name, [], set()
        self.strangers = []  # ids it was asked for and does not know
        self.lock = threading.Lock()

    def __call__(self, call):
        ids = call.seen.all("mcp-session-id")
        if not ids:
            self.begin(call)
        elif len(ids) > 1 or ids[0] not in self.live:
            self.strangers += ids
            call.json({"jsonrpc": "2.0", "error": {"code": -32001, "message": "Session not found"}, "id": None}, 404)
        elif call.seen.method == "DELETE":
            self.live.discard(ids[0])
            self.answer(call, ids[0])
        else:
            self.answer(call, ids[0])

    def begin(self, call):
        if b'"initialize"' not in call.seen.body:
            call.json({"jsonrpc": "2.0", "error": {"code": -32000, "message": "Mcp-Session-Id is needed"}, "id": None}, 400)
            return
        fresh = f"{self.name}-{uuid.uuid4()}"
        with self.lock:
            self.made.append(fresh)
            self.live.add(fresh)
        self.answer(call, fresh)

    def answer(self, call, name):
        call.answer(200, b'{"jsonrpc":"2.0","id":1,"result":{}}',
                    [("Content-Type", "application/json"), ("Mcp-Session-Id", name)])
