"""Filtered lists: what a server lists of tools, prompts and resources, as its caller may know it, in JSON and in event streams."""
import json
import random
import threading
from dataclasses import replace

import pytest

from support import h2
from support.http1 import Request
from support.stateful import in_session
from test_limits import over_h2

RULES = {"get": "mcp:read", "put": "mcp:write"}


@pytest.fixture
def ruled(site):
    site.route["tools"] = RULES
    site.route["prompts"] = {"sum": []}
    site.route["resources"] = {"file:///a": []}
    return site.start()


def call(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def listing(kind="tools", names=("get", "put", "drop"), **more):
    member = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}[kind]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {kind: [{"title": "x", member: name} for name in names], **more}}).encode()


def names(body, kind="tools"):
    return [item.get("name") or item.get("uri") or item["uriTemplate"] for item in json.loads(body)["result"][kind]]


def answering(body, status=200, *fields):
    fields = fields or (("Content-Type", "application/json"),)
    return lambda call: call.answer(status, body, fields)


def test_a_list_shows_what_may_be_called(ruled):
    kinds = {"tools/list": ("tools", ("get", "put", "drop"), ["get"]), "prompts/list": ("prompts", ("sum", "other"), ["sum"]),
             "resources/list": ("resources", ("file:///a", "file:///b"), ["file:///a"]),
             "resources/templates/list": ("resourceTemplates", ("file:///a", "file:///{b}", "x:{a}"), ["file:///a", "file:///{b}"])}
    for method, (kind, there, shown) in kinds.items():
        ruled.upstream.script = answering(listing(kind, there, nextCursor="n", cacheScope="public"), 200, ("Content-Type", "application/json"),
                                          ("ETag", '"whole"'), ("Cache-Control", "public, max-age=60"))
        answer, _ = ruled.accepted(ruled.post(body=call(method)))
        assert names(answer.body, kind) == shown
        result = json.loads(answer.body)["result"]
        assert (result["nextCursor"], result["cacheScope"]) == ("n", "private")
        assert answer["content-length"] == str(len(answer.body)) and answer["cache-control"] == "private, no-store"
        assert answer["etag"] is None
    ruled.upstream.script = answering(listing())
    answer, _ = ruled.accepted(ruled.post(ruled.issuer.token(scope="mcp:read mcp:write"), body=call("tools/list")))
    assert names(answer.body) == ["get", "put"]


def test_lists_show_what_could_be_granted_where_that_is_wanted(site):
    site.route["tools"] = RULES
    site.route["lists"] = "grantable"
    site.start()
    site.upstream.script = answering(listing())
    answer, _ = site.accepted(site.post(body=call("tools/list")))
    assert names(answer.body) == ["get", "put"]


def test_what_is_no_list_passes_as_it_is(ruled):
    for body in (b'{"jsonrpc":"2.0", "id":1,"error":{"code":-32601,"message":"no","data":{"tools":[{"name":"drop"}]}}}', listing("tools", ("get",))):
        ruled.upstream.script = answering(body)
        answer, _ = ruled.accepted(ruled.post(body=call("tools/list")))
        assert answer.body == body
    tools = listing("tools", ("drop",))  # of a call, which does not list
    ruled.upstream.script = answering(tools, 200, ("Content-Type", "application/json"), ("ETag", '"x"'))
    answer, _ = ruled.accepted(ruled.post(body=call("tools/call", name="get")))
    assert answer.body == tools and answer["etag"] == '"x"'
    ruled.upstream.script = answering(b"gone", 404, ("Content-Type", "text/plain"))
    assert ruled.send(ruled.post(body=call("tools/list"))).body == b"gone"


def session_of(site):
    """A session at a server that answers as the script says that is set behind it."""
    site.upstream.script = answering(b'{"jsonrpc":"2.0","id":1,"result":{}}', 200, ("Content-Type", "application/json"), ("Mcp-Session-Id", "s-1"))
    return site.accepted(site.post(body=call("initialize")))[0]["mcp-session-id"]


def events_of(body):
    return stream(b"data: " + body + b"\n\n", forever(1 << 20))


def test_in_a_session_every_answer_may_be_the_list(ruled):
    """Servers find whom to answer by the id of the request, which the client chooses: also on the answer to another one."""
    sealed = session_of(ruled)
    other = replace(in_session(ruled.post(), sealed), body=call("tools/call", name="get"))
    for script, read in ((answering(listing()), lambda body: body), (events_of(listing()), lambda body: data_of(body)[0])):
        for request in (other, get(ruled, **{"Mcp-Session-Id": sealed})):
            ruled.upstream.script = script
            answer, _ = ruled.accepted(request)
            assert names(read(answer.body)) == ["get"], request.method
    result = b'{"jsonrpc":"2.0", "id":1,"result":{"content":[{"a":1,"A":[]}],"structuredContent":{"result":{"tools":[{"name":"drop"}]}}}}'
    ruled.upstream.script = answering(result)
    assert ruled.accepted(other)[0].body == result


def test_in_a_session_what_is_no_message_passes(ruled):
    other = replace(in_session(ruled.post(), session_of(ruled)), body=call("tools/call", name="get"))
    for body, *fields in ((b"", ("Content-Type", "application/json")), (b"a page", ("Content-Type", "text/html")), (b"", ("X-Nothing", "x"))):
        ruled.upstream.script = answering(body, 202, *fields)
        answer = ruled.send(other)
        assert (answer.status, answer.body, answer.audit["reason"]) == (202, body, "ok")
    ruled.upstream.script = body_in_chunks(b"", iter(()))
    assert ruled.accepted(other)[0].body == b""


def test_a_notification_asks_for_no_list(ruled):
    ruled.upstream.script = answering(b"Accepted", 202, ("Content-Type", "text/plain"))
    assert ruled.send(ruled.post(body=b'{"jsonrpc":"2.0","method":"tools/list"}')).body == b"Accepted"


def test_a_list_that_is_larger_than_all_queues(ruled):
    """It leaves piece by piece as there is room; what is pipelined behind it has its turn."""
    shown = ["get"] * 400000
    ruled.upstream.script = answering(listing("tools", shown + ["drop"]))
    with ruled.connect() as connection:
        connection.send(ruled.post(body=call("tools/list")).wire() * 2)
        for _ in range(2):
            assert names(connection.read().body) == shown and ruled.next_audit()["reason"] == "ok"
    ruled.upstream.script = events_of(listing("tools", shown + ["drop"]))
    with ruled.connect() as connection:
        connection.send(ruled.post(body=call("tools/list")).wire() * 2)
        for _ in range(2):
            assert names(data_of(connection.read().body)[0]) == shown and ruled.next_audit()["reason"] == "ok"


def test_what_a_client_does_not_take_stays_in_the_pool(site, authority):
    site.settings["workers"] = 1
    site.route["tools"] = RULES
    shown = ["get"] * 42000
    one = listing("tools", shown + ["drop"])  # more than a mebibyte
    connect = over_h2(site, authority, body_pool="4MiB")
    sent = threading.Semaphore(0)

    def then_told(script):
        return lambda call: (script(call), sent.release())

    for script, read in ((answering(one), lambda body: names(body)), (events_of(one), lambda body: names(data_of(body)[0]))):
        site.upstream.script = then_told(script)
        client = connect()
        client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 0)))
        answers = []
        for _ in range(8):  # one after the other: none is under way when the next one comes
            answers.append(client.streams[client.request(h2.fields_of(site, scheme="https"), call("tools/list"))])
            assert sent.acquire(timeout=30)
            client.until(lambda: answers[-1].status is not None or answers[-1].reset is not None)
        client.until(lambda: any(answer.status == 503 or answer.reset is not None for answer in answers))
        client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 1 << 24)))
        client.until(lambda: all(answer.ended or answer.reset is not None for answer in answers))
        taken = [answer for answer in answers if answer.status == 200 and answer.ended]
        assert taken and all(read(answer.body) == shown for answer in taken)
        reasons = [site.next_audit()["reason"] for _ in answers]
        assert sorted(set(reasons)) == ["ok", "overloaded"] and reasons.count("ok") == len(taken), reasons
        answer = client.answer(client.request(h2.fields_of(site, scheme="https"), call("tools/list")))  # nothing is left in it
        assert read(answer.body) == shown and site.next_audit()["reason"] == "ok"
        client.close()


UNREADABLE = {
    "no json": (b"{", ("Content-Type", "application/json")),
    "nothing": (b" ", ("Content-Type", "application/json")),
    "twins": (b'{"result":{"tools":[]},"Result":{"tools":[{"name":"drop"}]}}', ("Content-Type", "application/json")),
    "two of one name": (b'{"result":{"tools":[{"name":"get","name":"drop"}]}}', ("Content-Type", "application/json")),
    "utf-16": (listing().decode().encode("utf-16"), ("Content-Type", "application/json; charset=utf-16")),
    "compressed": (listing(), ("Content-Type", "application/json"), ("Content-Encoding", "gzip")),
    "a page": (listing(), ("Content-Type", "text/html")),
    "two types": (listing(), ("Content-Type", "application/json"), ("Content-Type", "text/event-stream")),
    "no type": (listing(), ("X-Nothing", "x")),
    "too large": (b" " * (16 << 20) + listing(), ("Content-Type", "application/json")),
}


@pytest.mark.parametrize("body, fields", [(answer[0], answer[1:]) for answer in UNREADABLE.values()], ids=UNREADABLE)
def test_what_cannot_be_read_is_withheld(ruled, body, fields):
    """reason: list_unreadable"""
    ruled.upstream.script = answering(body, 200, *fields)
    answer = ruled.send(ruled.post(body=call("tools/list")))
    assert (answer.status, answer.audit["reason"]) == (502, "list_unreadable") and b"drop" not in answer.body
    ruled.upstream.script = answering(listing())
    assert names(ruled.accepted(ruled.post(body=call("tools/list")))[0].body) == ["get"]


def whole_list(chance):
    items = [{"name": chance.choice(["get", "put", "dr\u00f6p", "g\\u0065t"]), "title": "t" * chance.randrange(40),
              "inputSchema": {"type": "object", "properties": {"name": {"enum": ["put", "\n", "\u20ac"]}}}} for _ in range(200)]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": items, "cacheScope": "public"}}, ensure_ascii=chance.random() < .5, indent=2)


def in_pieces(raw, sizes):
    at = 0
    while at < len(raw):
        size = next(sizes)
        yield raw[at:at + size]
        at += size


def stream(raw, sizes):
    def script(call):
        call.open_stream()
        for piece in in_pieces(raw, sizes):
            call.event(piece)
        call.close_stream()
    return script


def body_in_chunks(raw, sizes):
    def script(call):
        call.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in in_pieces(raw, sizes):
            call.event(piece)
        call.close_stream()
    return script


def data_of(raw):
    """What a client reads of a stream of events: the data of each."""
    events, lines = [], []
    for line in raw.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif line == "" and lines:
            events.append("\n".join(lines))
            lines = []
    return events


def forever(value):
    while True:
        yield value


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_events_are_filtered_at_every_split(ruled, end):
    text = listing(names=("get", "drop")).decode().replace("}, {", "},\ndata: {")
    raw = f"id: 1\n\n: first\nevent: message\nid: 2\ndata: {text}\n\nid: 3\ndata: {{\"method\":\"x\"}}\n\n".replace("\n", end).encode()
    for size in list(range(1, 12)) + [len(raw)]:
        ruled.upstream.script = stream(raw, forever(size))
        answer, _ = ruled.accepted(ruled.post(body=call("tools/list")))
        first, second = data_of(answer.body)
        assert names(first) == ["get"] and second == '{"method":"x"}', (size, answer.body)
        assert b"drop" not in answer.body and b"id: 2" in answer.body and b": first" in answer.body
    for at in range(1, len(raw), 1 if end == "\r\n" else 4):
        ruled.upstream.script = stream(raw, iter([at, len(raw)]))
        answer = ruled.send(ruled.post(body=call("tools/list")))
        assert names(data_of(answer.body)[0]) == ["get"], at


def test_an_event_does_not_wait_for_the_next(ruled):
    """Its last line end is that of a blank line: clients act when all of it is there."""
    go = threading.Semaphore(0)
    event = b'data: {"jsonrpc":"2.0","method":"notifications/x"}\r\n\r\n'

    def script(call):
        call.open_stream()
        for piece in (event, event[:-1], event[-1:]):
            call.event(piece)
            assert go.acquire(timeout=30)
        call.close_stream()

    ruled.upstream.script = script
    with ruled.connect() as connection:
        connection.send(ruled.post(body=call("tools/list")).wire())
        answer, seen = connection.read_head(), b""
        pieces = connection.chunks(answer)
        for length in (len(event), 2 * len(event) - 1, 2 * len(event)):
            while len(seen) < length:
                seen += next(pieces)
            assert len(seen) == length
            go.release()
        assert seen + b"".join(pieces) == 2 * event


def test_large_lists_in_random_pieces(ruled):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    sizes = iter(lambda: chance.choice([1, 7, 100, 5000, 16384]), None)
    for _ in range(12):
        text = whole_list(chance)
        kept = [item for item in json.loads(text)["result"]["tools"] if item["name"] == "get"]
        ruled.upstream.script = body_in_chunks(text.encode(), sizes)
        answer, _ = ruled.accepted(ruled.post(body=call("tools/list")))
        assert json.loads(answer.body) == {"jsonrpc": "2.0", "id": 1, "result": {"tools": kept, "cacheScope": "private"}}
        raw = "".join(f"data: {line}\n" for line in text.split("\n")) + "\n"
        ruled.upstream.script = stream((raw * 3).encode(), sizes)
        answer, _ = ruled.accepted(ruled.post(body=call("tools/list")))
        assert [json.loads(data)["result"]["tools"] for data in data_of(answer.body)] == [kept] * 3


def get(site, **fields):
    return Request("GET", "/weather/mcp", (("Host", site.authority), ("Authorization", f"Bearer {site.issuer.token()}"),
                                           ("Accept", "text/event-stream")) + tuple(fields.items()))


def test_a_resumed_stream_repeats_no_list_whole(ruled):
    go = threading.Semaphore(0)

    def script(call):
        call.open_stream()
        call.event(b'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n')
        assert go.acquire(timeout=30)
        raw = b"id: 7\ndata: " + listing() + b"\n\n"
        call.event(raw[:30])
        call.event(raw[30:])
        call.event(b"data: {\"jsonrpc\":\"2.0\",\"result\":{\"tools\":[{\"name\":\"drop\"}]}}\n")  # never ends
        call.close_stream()

    ruled.upstream.script = script
    with ruled.connect() as connection:
        connection.send(get(ruled, **{"Last-Event-ID": "6"}).wire())
        answer = connection.read_head()
        events = connection.events(answer)
        assert next(events) == b'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'  # an event that is whole does not wait
        go.release()
        rest = b"".join(events)
    assert names(data_of(rest)[0]) == ["get"] and b"id: 7" in rest and b"drop" not in rest


def test_an_unreadable_event_breaks_the_stream_off(ruled):
    ruled.upstream.script = stream(b"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n\ndata: {\"result\":{\"tools\":[{\"name\":\"get\",\"Name\":\"drop\"}]}}\n\n",
                                   forever(1000))
    answer = ruled.send(ruled.post(body=call("tools/list")))
    assert answer.audit["reason"] == "list_unreadable" and not answer.clean and b"drop" not in answer.body


def test_what_was_held_goes_back_to_the_pool(site):
    site.settings["limits"] = {"body_pool": "4MiB"}
    site.route["tools"] = RULES
    site.start()
    come, go = threading.Semaphore(0), threading.Semaphore(0)

    def script(call):
        body = listing("tools", ["get"] * 100000)
        call.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-10])
        come.release()
        assert go.acquire(timeout=30)
        call.abort()

    for _ in range(4):  # each holds more than a quarter of the pool
        site.upstream.script = script
        with site.connect() as connection:
            connection.send(site.post(body=call("tools/list")).wire())
            assert come.acquire(timeout=30)
            go.release()
            assert connection.read_head().status == 502
        assert site.next_audit()["reason"] == "upstream_aborted"
    site.upstream.script = answering(listing())
    assert names(site.accepted(site.post(body=call("tools/list")))[0].body) == ["get"]


def test_a_route_without_rules_shows_whole_lists(site):
    site.route["param_headers"] = [{"tool": "get", "header": "Region", "argument": "/region"}]
    site.start()
    site.upstream.script = answering(listing())
    answer, _ = site.accepted(site.post(body=call("tools/list")))
    assert answer.body == listing()
