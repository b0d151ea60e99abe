"""Parts of a run that lasts, each in a process of its own: the server behind the gateway, clients, readers of event streams.

`python3 roles.py ROLE JSON` prints what it has seen as a line of JSON twice a second, and once more when its input ends."""
import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
import threading

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.http1 import Broken  # noqa: E402
from support.load import Endless, Http2, Http2Streams, KeepAlive, Stream, Tally, numbered  # noqa: E402

EVENTS = {"mcp-name": "events"}  # what asks the server behind for an event stream
STREAMS_EACH = 13                # of an HTTP/2 connection
ID_RANGE = 10 ** 9               # of each client: no two ask with the same number


class Role:
    """Such a process, as whoever started it sees it; `said` is the last it said."""

    def __init__(self, name, **options):
        self.name, self.said = name, {"answered": 0, "events": 0, "lost": 0, "failures": []}
        self.process = subprocess.Popen([sys.executable, "-B", os.path.abspath(__file__), name, json.dumps(options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            self.said = json.loads(line)

    def end(self):
        """Its last word."""
        self.process.stdin.close()
        self.process.wait(90)
        self.thread.join(30)
        assert self.said.get("last"), f"{self.name} died: {self.said}"
        return self.said


# ---- the server behind

class Behind(asyncio.Protocol):
    """Answers {"id": N} with the same id and the user that the gateway vouches for, or streams numbered events."""

    tally, secrets, event_s = None, [], 0.1

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end].lower()
            length = re.search(rb"\r\ncontent-length: (\d+)", head)
            size = end + 4 + int(length.group(1) if length else 0)
            if len(self.buffer) < size:
                return
            body, self.buffer = self.buffer[end + 4:size], self.buffer[size:]
            self.request(head, body)

    def request(self, head, body):
        if b"\r\nauthorization:" in head or any(secret in head for secret in self.secrets):
            self.tally.bad(0, Broken("a token of a client came through"))
        users = re.findall(rb"\r\nx-gatehouse-user: ([^\r]*)", head)
        if len(users) != 1:
            self.tally.bad(0, Broken(f"{len(users)} users in one request"))
            self.transport.close()
        elif b"\r\nmcp-name: events" in head:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            asyncio.get_running_loop().create_task(self.stream(users[0]))
        else:
            answer = json.dumps({**json.loads(body), "user": users[0].decode()}).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))

    async def stream(self, user):
        number = 0
        while not self.transport.is_closing():
            event = b"id: %d\ndata: %s\n\n" % (number, user)
            self.transport.write(b"%x\r\n%s\r\n" % (len(event), event))
            number += 1
            await asyncio.sleep(self.event_s)


def behind(options, tally):
    Behind.tally, Behind.secrets = tally, [secret.lower().encode() for secret in options["secrets"]]
    Behind.event_s = options["event_s"]

    async def serve():
        server = await asyncio.get_running_loop().create_server(Behind, "127.0.0.1", options["port"], backlog=512)
        async with server:
            await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    return []


# ---- clients

def context_of(options, protocol):
    context = ssl.create_default_context(cafile=options["ca"])
    context.set_alpn_protocols([protocol])
    return context


def fields_of(options, token, **more):
    return {"content-type": "application/json", "accept": "application/json, text/event-stream", "authorization": f"Bearer {token}", **more}


def over_http1(options, token, body, **more):
    fields = {"host": options["host"], **fields_of(options, token, **more), "content-length": len(body)}
    lines = [f"POST {options['path']} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def over_http2(options, token, body, **more):
    fields = [(":method", "POST"), (":scheme", "https"), (":authority", options["host"]), (":path", options["path"])]
    return fields + list({**fields_of(options, token, **more), "content-length": str(len(body))}.items()), body


def clients(options, tally, make, compose, protocol):
    made = []
    for index in range(options["threads"]):
        work = numbered((options["first"] + index) * ID_RANGE, options["users"], lambda token, body: compose(options, token, body))
        made.append(make(tally, options["port"], work, context_of(options, protocol), options["pause"]))
        made[-1].width = options["width"] if make is Http2 else 1
    return made


def h1(options, tally):
    return clients(options, tally, KeepAlive, over_http1, "http/1.1")


def h2(options, tally):
    return clients(options, tally, Http2, over_http2, "h2")


def events(options, tally):
    """Half of them over HTTP/1.1, each on a connection; the others over HTTP/2, several on one."""
    users, count = options["users"], options["streams"]
    chosen = [users[i % len(users)] for i in range(count)]
    plain, tls = chosen[:count // 2], context_of(options, "http/1.1")
    made = [Stream(tally, options["port"], over_http1(options, token, b"{}", **EVENTS), Endless(user), tls) for user, token in plain]
    shared = [(over_http2(options, token, b"{}", **EVENTS), Endless(user)) for user, token in chosen[count // 2:]]
    for i in range(0, len(shared), STREAMS_EACH):
        made.append(Http2Streams(tally, options["port"], shared[i:i + STREAMS_EACH], context_of(options, "h2")))
    return made


ROLES = {"behind": behind, "h1": h1, "h2": h2, "events": events}


def main():
    tally, ended = Tally(), threading.Event()
    threads = ROLES[sys.argv[1]](json.loads(sys.argv[2]), tally)
    for thread in threads:
        thread.start()

    def wait():
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    while not ended.wait(0.5):
        print(json.dumps(tally.said()), flush=True)
    tally.stopping.set()
    for thread in threads:
        thread.join(60)
    print(json.dumps({**tally.said(), "last": True}), flush=True)
    os._exit(0)  # the server behind has no end of its own


if __name__ == "__main__":
    main()
