"""HTTP+SSE (MCP 2024-11-05): the event that names the server's endpoint, in whatever pieces it comes and whatever it says."""
import os
import random
import re

import pytest

from support.http1 import Request
from support.old import ADDRESS, SSE, Stream, behind, cut, endpoint, message, opened, sent
from support.wait import until

pytestmark = pytest.mark.threads


@pytest.fixture
def old(site):
    """The server behind; site is not started."""
    with behind(site) as made:
        yield made


@pytest.fixture
def served(site, old):
    return site.start()


# ---- what a server may call its endpoint

def stream_of(site, *pieces):
    """A stream that begins with these pieces."""
    site.upstream.script.begin = lambda address: list(pieces)
    return Stream(site)


GOOD = {"/messages": None, "/messages/?session_id=0b7e": None, "messages?s=1": "/messages?s=1", "?s=1": f"{SSE}?s=1", "/": None, "/a/b/c?d=e&f=%2F": None}


def test_addresses_of_its_own_origin(served, old):
    origin = f"http://127.0.0.1:{served.upstream.port}"
    for address, target in {**GOOD, f"{origin}/m?s=1": "/m?s=1", f"//127.0.0.1:{served.upstream.port}/m": "/m", "/" + "x" * 2047: None}.items():
        stream = stream_of(served, endpoint(address))
        old.streams[target or address] = old.streams[old.made[-1]]
        assert sent(served, stream.message(stream.address())).target == (target or address)
        assert b'"id": 2' in stream.next()
        stream.connection.close()


BAD = ["http://evil.example/messages", "https://127.0.0.1/messages", "//evil.example/m", "///evil.example/m", "/\\evil.example/m", "\\\\evil.example\\m",
       "http://127.0.0.1:1/m", "http://localhost/m", "javascript:alert(1)", "data:text/plain,x", "http:evil.example", "/a/../m", "../m", "/a//m", "/m#x",
       "/m HTTP/1.1", "/%2e%2e/m", "/m\t", "", " ", "/\x00", "/m\xfc", "/" + "x" * 2048, "/" + "x" * 5000]


@pytest.mark.parametrize("address", BAD, ids=range(len(BAD)))
def test_addresses_that_are_refused(served, address):
    for pieces in ([endpoint(address)], [b": hello\n\n" + endpoint(address) + message({})]):
        rest = cut(served, stream_of(served, *pieces))
        assert rest in (b"", b": hello\n\n"), rest
    stream = stream_of(served, endpoint("/messages"))  # the unmodified twin
    assert stream.address()
    stream.connection.close()


def test_the_public_origin_is_another_one(served):
    """The server behind is not where its clients think it is."""
    assert cut(served, stream_of(served, endpoint(f"{served.origin}/messages"))) == b""


ODD = {
    "a second one": [endpoint("/m"), message({}), endpoint("/m")],
    "a second one in pieces": [endpoint("/m"), b"event:", b"endpoint", b"\n", b"data: /m\n\n"],
    "two data lines": [b"event: endpoint\ndata: /m\ndata: /n\n\n"],
    "two names": [b"event: endpoint\nevent: message\ndata: /m\n\n"],
    "in capitals": [b"Event: Endpoint\ndata: /m\n\n"],
    "with blanks": [b"event:  endpoint\ndata: /m\n\n"],
    "without data": [b"event: endpoint\n\n"],
    "4 KiB that end nowhere": [b": " + b"x" * 4094, b"x"],
    "a long one before it": [b"data: " + b"x" * 5000 + b"\n\n", endpoint("/m")],
}


@pytest.mark.parametrize("pieces", ODD.values(), ids=ODD)
def test_what_two_could_read_differently(served, pieces):
    rest = cut(served, stream_of(served, *pieces))
    assert rest.count(b"event: endpoint") <= 1 and b"data: /" not in rest.replace(b"data: /weather/mcp/messages?", b""), rest


@pytest.mark.parametrize("answer", [
    (200, b"event: endpoint\ndata: http://evil.example/\n\n", [("Content-Type", "text/html")]),
    (200, b"{}", [("Content-Type", "application/json")]),
    (200, b"event: endpoint\ndata: http://evil.example/\n\n", [("Content-Type", "x/text/event-stream")]),
    (200, b"event: endpoint\ndata: http://evil.example/\n\n", []),
    (200, b"event: endpoint\ndata: /m\n\n", [("Content-Type", "text/event-stream"), ("Content-Type", "text/event-stream")]),
    (200, b"\x1f\x8b", [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")]),
    (200, b"\x1f\x8b", [("Content-Type", "text/event-stream"), ("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]),
    (204, b"", [])], ids=["page", "json", "type in a type", "no type", "two types", "coded", "coded in secret", "nothing"])
def test_an_answer_that_is_no_stream(served, old, answer):
    served.upstream.script = lambda call: call.answer(*answer)
    told = served.send(Request("GET", "/weather/mcp", served.post().without("content-type").fields))
    assert (told.status, told.audit["reason"]) == (502, "upstream_endpoint") and b"evil" not in told.body
    served.upstream.script = old
    opened(served)[0].connection.close()


def test_a_server_that_refuses(served, old):
    served.upstream.script = lambda call: call.answer(404, b"no", [("Content-Type", "text/plain")])
    told = served.send(Request("GET", "/weather/mcp", served.post().without("content-type").fields))
    assert (told.status, told.body, told.audit["reason"]) == (404, b"no", "ok")
    body = endpoint("http://evil.example/")
    served.upstream.script = lambda call: call.answer(404, body, [("Content-Type", "text/event-stream")])
    told = served.send(Request("GET", "/weather/mcp", served.post().without("content-type").fields))
    assert not told.clean and told.body == b"" and told.audit["reason"] == "upstream_endpoint"
    served.upstream.script = lambda call: call.answer(404, body, [("Content-Type", "text/event-stream"), ("Content-Encoding", "br")])
    told = served.send(Request("GET", "/weather/mcp", served.post().without("content-type").fields))
    assert (told.status, told.audit["reason"]) == (502, "upstream_endpoint") and b"evil" not in told.body


def test_a_stream_of_known_length(served, old):
    """Another address has another length."""
    body = endpoint("/messages?sessionId=1") + message({"a": 1})
    served.upstream.script = lambda call: call.answer(200, body, [("Content-Type", "text/event-stream")])
    stream = Stream(served)
    assert stream.answer["content-length"] is None and stream.address()
    assert list(stream.events) == [message({"a": 1})]


# ---- in any pieces

LINES = [b": hello", b"id: 7", b"retry: 1000", b"data: {\"jsonrpc\":\"2.0\"}", b"event: message", b"data: event: endpoint", b"", b"data: \xff\x00"]


def tale(chance):
    """(the pieces of a stream, what stands before its address, what behind): any line ends, any cuts."""
    ends = [chance.choice([b"\n", b"\r\n", b"\r"])] * 3 if chance.random() < 0.6 else [b"\n", b"\r\n", b"\n"]

    def line(text):
        return text + chance.choice(ends)

    blank = line(b"")
    before = chance.choice([b"", b"\xef\xbb\xbf"]) + b"".join(line(chance.choice(LINES[:3])) + chance.choice([b"", blank])
                                                               for _ in range(chance.randrange(4)))
    first = [line(b"event:" + chance.choice([b"", b" "]) + b"endpoint")] + [line(one) for one in chance.sample(LINES[:3], chance.randrange(3))]
    chance.shuffle(first)
    at = chance.randrange(len(first) + 1)
    before += b"".join(first[:at]) + b"data:" + chance.choice([b"", b" "])
    after = line(b"") + b"".join(first[at:]) + line(b"") + b"".join(line(chance.choice(LINES)) for _ in range(chance.randrange(12))) + b"\n\ndata: end\n\n"
    whole_, size = before + b"/messages?sessionId=1" + after, chance.choice([1, 2, 7, 4096])
    return [whole_[at:at + size] for at in range(0, len(whole_), size)], before, after


def test_in_any_pieces(served, old):
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for _ in range(150):
        pieces, before, after = tale(chance)
        old.begin = lambda address, pieces=pieces: pieces
        stream = Stream(served)
        old.push(None)
        body = b"".join(stream.connection.chunks(stream.answer))
        assert body.startswith(before) and body.endswith(after), (pieces, body)
        address = body[len(before):len(body) - len(after)].decode()
        assert re.fullmatch(r"/weather/mcp/messages\?sessionId=[A-Za-z0-9_-]{64,}", address), (pieces, body)
        stream.connection.close()
    old.streams["/messages?sessionId=1"] = old.streams[old.made[-1]]
    served.read = len(until(lambda: len(served.audit()) >= 150 and served.audit(), "audit lines"))
    assert sent(served, stream.message(address)).target == "/messages?sessionId=1"


def test_what_comes_behind_is_not_held(served, old):
    """A piece of an event is there at once; before the address only whole events are."""
    old.begin = lambda address: [b": hello\n\n"]
    stream = Stream(served)
    pieces = stream.connection.chunks(stream.answer)
    assert next(pieces) == b": hello\n\n"
    old.push(endpoint("/m")[:-1])
    old.push(b"\nda")
    got = b""
    while not got.endswith(b"\n\nda"):
        got += next(pieces)
    assert ADDRESS.match(got)
    for part in (b"ta: 1", b"\n", b"\n"):
        old.push(part)
        assert next(pieces) == part
    stream.connection.close()


def test_a_stream_that_ends_before_it_says(served, old):
    """An event that is not whole does not pass: some readers would take it for one."""
    old.begin = lambda address: [b": hello\n\n", endpoint("/m")[:-1]]
    stream = Stream(served)
    old.push(None)
    assert b"".join(stream.connection.chunks(stream.answer)) == b": hello\n\n"
    assert served.audit_of_id(stream.answer["x-request-id"])["reason"] == "ok"


def test_comments_between_events(site, old):
    """They stand where nothing is held."""
    site.route["sse_keepalive"] = "1s"
    old.begin = lambda address: [endpoint("/m")[:-3]]
    site.start()
    stream = Stream(site)
    pieces = stream.connection.chunks(stream.answer)
    assert next(pieces) == b":\n\n"
    old.push(endpoint("/m")[-3:])
    got = b""
    while not got.endswith(b":\n\n"):
        got += next(pieces)
    assert ADDRESS.match(got.replace(b":\n\n", b""))
    stream.connection.close()
