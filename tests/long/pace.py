"""Load at a steady pace whatever the answers take, and the server behind that records who came: each in a process of its own."""
import asyncio
import collections
import multiprocessing
import random
import re
import time

LENGTH, NUMBER = re.compile(rb"\r\ncontent-length: *(\d+)", re.I), re.compile(rb'"id":(\d+)')
OPENED = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
          b"d\r\ndata: first\n\n\r\n")
ECHO = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
TIMEOUT = 30  # seconds, for any answer
LINES = 16  # kept connections to each gateway


def body_of(number, method="ping"):
    return b'{"jsonrpc":"2.0","id":%d,"method":"%s"}' % (number, method.encode())


def at(times, part):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * part))]


def message_in(buffer):
    """(head, body, what is behind), or None while it is not whole."""
    head, found, rest = buffer.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    size = int(length[1]) if length else 0
    return (head, rest[:size], rest[size:]) if found and len(rest) >= size else None


# ---- one side of a connection

class Line(asyncio.Protocol):
    """One request at a time; `done` is called with (status, head, body) of its answer, status 0 where the connection broke."""

    def __init__(self):
        self.buffer, self.done, self.transport, self.open = b"", None, None, True

    @classmethod
    async def to(cls, port):
        return (await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport):
        self.transport = transport

    def send(self, raw, done):
        self.done = done
        self.transport.write(raw)

    def data_received(self, data):
        self.buffer += data
        found = message_in(self.buffer)
        if found is None:
            return
        head, body, self.buffer = found
        if b"\r\nconnection: close" in head.lower():
            self.close()
        self.finish(int(head[9:12]), head, body)

    def finish(self, *answer):
        done, self.done = self.done, None
        if done is not None:
            done(*answer)

    def connection_lost(self, _):
        self.open = False
        self.finish(0, b"", b"")

    def close(self):
        self.open = False
        self.transport.close()


async def ask(line, raw):
    """(status, head, body)"""
    answer = asyncio.get_running_loop().create_future()
    line.send(raw, lambda *said: answer.done() or answer.set_result(said))
    return await asyncio.wait_for(answer, TIMEOUT)


class Held(asyncio.Protocol):
    """An event stream: `began` is set to whether it did, `cut` to when it ended."""

    def __init__(self, raw):
        loop = asyncio.get_running_loop()
        self.raw, self.heard, self.transport, self.began, self.cut = raw, b"", None, loop.create_future(), loop.create_future()

    @classmethod
    async def at(cls, port, raw):
        """Once it has begun, or was refused."""
        made = (await asyncio.get_running_loop().create_connection(lambda: cls(raw), "127.0.0.1", port))[1]
        await asyncio.wait([made.began], timeout=TIMEOUT)
        return made

    def is_open(self):
        return self.began.done() and self.began.result() and not self.cut.done()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.raw)

    def data_received(self, data):
        if self.began.done():
            return
        self.heard += data
        if b"data: first\n\n" in self.heard or not b"HTTP/1.1 200".startswith(self.heard[:12]):
            self.began.set_result(self.heard[:12] == b"HTTP/1.1 200")

    def connection_lost(self, _):
        self.cut.set_result(time.monotonic())
        if not self.began.done():
            self.began.set_result(False)


# ---- processes

class Aside:
    """A function that runs in a process of its own with one end of a pipe, while this one has the other."""

    def __init__(self, function, *words):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=function, args=(theirs, *words), daemon=True)
        self.process.start()
        theirs.close()

    def read(self, seconds):
        assert self.pipe.poll(seconds), f"a process of the test has said nothing for {seconds} s"
        return self.pipe.recv()

    def end(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def record(pipe):
    """The server behind: says its port; told anything, it says (number of requests, when each number in a body came last)."""
    asyncio.run(recording(pipe))


async def recording(pipe):
    last, count, loop = {}, collections.Counter(), asyncio.get_running_loop()

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport, self.buffer = transport, b""

        def data_received(self, data):
            self.buffer += data
            while (found := message_in(self.buffer)) is not None:
                _, body, self.buffer = found
                last[int(NUMBER.search(body)[1])] = time.monotonic()
                count["requests"] += 1
                self.transport.write(OPENED if b'"stream"' in body else ECHO % (len(body), body))

    server = await loop.create_server(Server, "127.0.0.1", 0, backlog=1024)
    pipe.send(server.sockets[0].getsockname()[1])
    told = asyncio.Event()
    loop.add_reader(pipe.fileno(), told.set)
    await told.wait()
    pipe.send((count["requests"], last))


def offer(pipe, ports, requests, rate, seconds, seed):
    """So many requests a second in turn to each port, any of `requests`; begins when told, and says what came of them."""
    asyncio.run(offering(pipe, ports, requests, rate, seconds, random.Random(seed)))


async def offering(pipe, ports, requests, rate, seconds, chance):
    load = Load([await Lines.to(port) for port in ports])
    pipe.send("ready")
    pipe.recv()
    began, sent, total = time.monotonic(), 0, int(rate * seconds)
    while sent < total:
        due = min(total, int((time.monotonic() - began) * rate))
        for number in range(sent, due):
            load.ask(number, chance.choice(requests), began + number / rate)
        sent = due
        await asyncio.sleep(0.001)
    end = time.monotonic() + 10
    while len(load.took) + len(load.failed) < total and time.monotonic() < end:
        await asyncio.sleep(0.001)
    pipe.send({"asked": total, "good": len(load.took), "failed": len(load.failed), "failures": load.failed[:5],
               "rate": len(load.took) / (load.last - began), "took": [at(load.took or [0], part) * 1000 for part in (0.5, 0.99, 1)]})


class Load:
    def __init__(self, ways):
        self.ways, self.took, self.failed, self.last = ways, [], [], 0.0

    def ask(self, number, raw, due):
        self.ways[number % len(self.ways)].ask(raw, lambda status, head, body: self.take(due, status, head, body))

    def take(self, due, status, head, body):
        self.last = time.monotonic()
        if status == 200 and NUMBER.search(body):
            self.took.append(self.last - due)
        else:
            self.failed.append(f"{status} {head[:50]!r} {body[:100]!r}")


class Lines:
    """The kept connections to one gateway; what finds none idle waits for one."""

    def __init__(self, port):
        self.port, self.idle, self.waiting, self.tasks = port, [], collections.deque(), set()

    @classmethod
    async def to(cls, port):
        made = cls(port)
        made.idle = [await Line.to(port) for _ in range(LINES)]
        return made

    def ask(self, raw, done):
        self.waiting.append((raw, done))
        self.next()

    def next(self):
        while self.waiting and self.idle:
            line = self.idle.pop()
            if line.open:
                raw, done = self.waiting.popleft()
                line.send(raw, lambda *said, line=line, done=done: self.back(line, done, said))
            else:
                self.renew()

    def back(self, line, done, said):
        if line.open:
            self.idle.append(line)
        else:
            self.renew()
        done(*said)
        self.next()

    def renew(self):
        task = asyncio.get_running_loop().create_task(self.add())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def add(self):
        self.idle.append(await Line.to(self.port))
        self.next()
