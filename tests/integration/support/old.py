"""An MCP server of 2024-11-05 as a script for an Upstream: HTTP+SSE, answers come on the stream that its client holds open."""
import json
import queue
import re
import select
import socket
import threading
import uuid
from contextlib import contextmanager

import pytest

from .http1 import Broken, Request, whole
from .wait import until

SSE = "/sse"
CALL = b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
ADDRESS = re.compile(rb"event: endpoint\ndata: (/weather/mcp/messages\?sessionId=[A-Za-z0-9_-]{64,})\n\n")


def endpoint(address, end="\n"):
    """The event that tells where messages go."""
    return end.join(["event: endpoint", f"data: {address}", "", ""]).encode()


def message(value, end="\n"):
    return end.join(["event: message", f"data: {json.dumps(value)}", "", ""]).encode()


class Old:
    def __init__(self, name="own", status=202):
        self.name, self.status, self.lock = name, status, threading.Lock()
        self.streams = {}  # where messages of a stream come to -> what goes out on it; None ends it
        self.made, self.gone, self.strangers = [], [], []  # addresses, also of streams that their client left; targets of nobody
        self.address = lambda own: f"/messages?sessionId={own}"
        self.begin = lambda address: [endpoint(address)]  # the pieces that a stream begins with
        self.head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    def __call__(self, call):
        target = call.seen.target
        if call.seen.method == "GET" and target.partition("?")[0] == SSE:
            self.stream(call)
        elif call.seen.method == "POST" and target in self.streams:
            self.streams[target].put(self.reply(call.seen.body))
            call.answer(self.status, b"Accepted", [("Content-Type", "text/plain"), ("Mcp-Session-Id", "of-another-time")])
        else:
            self.strangers.append(target)
            call.answer(404, b"Session not found", [("Content-Type", "text/plain")])

    def reply(self, body):
        return message({"jsonrpc": "2.0", "id": json.loads(body).get("id"), "result": {"bytes": len(body)}})

    def stream(self, call):
        address, outgoing = self.address(f"{self.name}-{uuid.uuid4()}"), queue.Queue()
        with self.lock:
            self.streams[address] = outgoing
            self.made.append(address)
        call.ends = True
        try:
            call.raw(self.head)
            for piece in self.begin(address):
                call.event(piece)
            while (bytes_ := self.next(call.socket, outgoing)) is not None:
                call.event(bytes_)
            call.close_stream()
        except OSError:
            self.gone.append(address)

    def next(self, sock, outgoing):
        """What is to go out, once it is there; OSError when the client has gone before."""
        while True:
            try:
                return outgoing.get(timeout=0.02)
            except queue.Empty:
                if select.select([sock], [], [], 0)[0] and sock.recv(1, socket.MSG_PEEK) == b"":
                    raise OSError("the client has gone") from None

    def push(self, bytes_, address=None):
        """Something on the stream of that address, or on the newest one."""
        self.streams[address or self.made[-1]].put(bytes_)


@contextmanager
def behind(site):
    """Such a server behind the site's route; what clients hold open is closed at the end."""
    site.upstream.script = made = Old()
    site.route["transport"] = "http+sse"
    site.route["upstream"] = f"http://127.0.0.1:{site.upstream.port}{SSE}"
    yield made
    while Stream.held:
        Stream.held.pop().connection.close()


# ---- its clients

class Stream:
    """A client's open stream."""
    held = []

    def __init__(self, site, token=None, target="/weather/mcp", host=None):
        self.site, self.token = site, token or site.issuer.token()
        self.host, self.connection = host or site.authority, site.connect()
        self.held.append(self)
        self.connection.send(self.opening(target).wire())
        self.answer = self.connection.read_head()
        self.own = getattr(site.upstream.script, "made", [])[-1:]  # its address at the server, where that is an Old
        self.events = self.connection.events(self.answer)

    def opening(self, target):
        return Request("GET", target, (("Host", self.host), ("Accept", "text/event-stream"), ("Authorization", f"Bearer {self.token}")))

    def next(self):
        return next(self.events)

    def address(self):
        found = ADDRESS.fullmatch(event := self.next())
        assert found, event
        return found.group(1).decode()

    def ends(self):
        """All that still comes, until it is cut."""
        rest = b""
        with pytest.raises(Broken):
            for piece in self.connection.chunks(self.answer):
                rest += piece
        self.connection.close()
        return rest

    def message(self, address, body=CALL, token=None):
        request = self.site.post(token or self.token, target=address, body=body).with_field("Host", self.host)
        return request.without("accept")


def opened(site, token=None, **more):
    """(the open stream, where its messages go)"""
    stream = Stream(site, token, **more)
    return stream, stream.address()


def sent(site, request):
    """A message that arrives: what the server saw of it."""
    before = len(site.upstream.seen)
    answer = site.send(request)
    assert (answer.status, answer.audit["reason"]) == (site.upstream.script.status, "ok"), (answer, answer.audit)
    assert len(site.upstream.seen) == before + 1
    return site.upstream.seen[-1]


def refused(site, bad, status, reason, good=None, way=whole):
    """It is refused without a byte for the server; its unmodified twin is not."""
    answer = site.send(bad, way)
    assert (answer.status, answer.audit["reason"], answer.contact) == (status, reason, 0), (answer, answer.audit)
    if good is not None:
        sent(site, good)
    return answer


def cut(site, stream, reason="upstream_endpoint", stage="relay"):
    """What has come before it was cut, for that reason, at the server too."""
    rest = stream.ends()
    line = site.audit_of_id(stream.answer["x-request-id"])
    assert (line["reason"], line["status"], line["stage"]) == (reason, 200, stage), line  # reason: upstream_endpoint
    until(lambda: set(stream.own) & set(site.upstream.script.gone), "end of the stream at the server")
    return rest
