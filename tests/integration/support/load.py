"""Load that counts: clients that go on and on, each knowing what became of every request."""
import functools
import itertools
import json
import ssl
import threading
import time

from . import h2
from .http1 import Broken, Connection

END = (Broken, ssl.SSLError, OSError, AssertionError)


class Tally:
    """What happened to all requests and streams of all clients."""

    def __init__(self):
        self.lock, self.answered, self.events, self.refused, self.failed = threading.Lock(), 0, 0, 0, []
        self.slowest = self.last_began = 0.0  # of those that were answered
        self.stopping = threading.Event()

    def good(self, began):
        with self.lock:
            self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.last_began = max(self.last_began, began)

    def event(self):
        with self.lock:
            self.events += 1

    def bad(self, began, error):
        with self.lock:
            if isinstance(error, ConnectionRefusedError):
                self.refused += 1
            else:
                self.failed.append((began, time.monotonic(), f"{type(error).__name__}: {error}"))

    def unexplained(self, kills):
        """Failures that no kill accounts for; a kill is (just before, when the process was dead). It must lie between the last
        sign of life of the request's connection and the failure: a kept connection that dies with the process is noticed by
        the next request on it."""
        return [one for one in self.failed if not any(one[0] <= dead and one[1] >= before for before, dead in kills)]

    def said(self):
        """All of it as plain data; of the failures the first ones."""
        with self.lock:
            return {"answered": self.answered, "events": self.events, "lost": self.refused + len(self.failed),
                    "failures": [what for _, _, what in self.failed[:20]] + ["refused"] * (self.refused > 0)}


# ---- what is asked: endless (request, check); a request is bytes, or (fields, body) for HTTP/2; a check says what is wrong

def is_good(status, _body):
    return None if status == 200 else f"status {status}"


def same(request):
    """The same request again and again; any good answer will do."""
    return itertools.repeat((request, is_good))


def is_for(number, user, status, body):
    try:
        right = status == 200 and json.loads(body) == {"id": number, "user": user}
    except ValueError:
        right = False
    return None if right else f"request {number} of {user}: {status} {body[:200]!r}"


def numbered(first, users, compose):
    """Requests with numbers of their own, for each user in turn: the answer must be to that very number for that very user.
    `compose` makes one of a token and a body."""
    for number in itertools.count(first):
        user, token = users[number % len(users)]
        yield compose(token, json.dumps({"id": number}).encode()), functools.partial(is_for, number, user)


# ---- clients of requests

class Client(threading.Thread):
    """One request after the other, or `width` at once, until the tally says stop."""

    width = 1

    def __init__(self, tally, port, work, tls=None, pause=0):
        super().__init__(daemon=True)
        self.tally, self.port, self.work, self.tls, self.pause, self.connection = tally, port, work, tls, pause, None
        self.alive = 0.0  # when its connection is known to have lived: it was made then, or a request began that was answered

    def run(self):
        while not self.tally.stopping.is_set():
            self.began, self.awaited = time.monotonic(), self.width
            if self.connection is None:
                self.alive = self.began
            try:
                self.turn()
            except END as error:
                for _ in range(self.awaited):
                    self.tally.bad(self.alive, error)
                self.drop()
            if self.pause:
                time.sleep(self.pause)
        self.drop()

    def take(self, check, status, body):
        """One answer; status 0 for one that was cut."""
        self.awaited -= 1
        wrong = check(status, body)
        if wrong is None:
            self.alive = self.began
            self.tally.good(self.began)
        else:
            self.tally.bad(self.began, Broken(wrong))

    def drop(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class KeepAlive(Client):
    """HTTP/1.1: one connection until an answer says that it was the last, or for so many answers."""

    answers = 1000

    def turn(self):
        if self.connection is None:
            self.connection, self.left = Connection(self.port, tls=self.tls), self.answers
        request, check = next(self.work)
        self.connection.send(request)
        answer = self.connection.read()
        self.take(check, answer.status if answer.clean else 0, answer.body)
        self.left -= 1
        if answer["connection"] == "close" or not answer.clean or self.left == 0:
            self.drop()


class OneShot(KeepAlive):
    """A connection for each request."""

    answers = 1


class Http2(Client):
    """HTTP/2: one connection until a GOAWAY came."""

    def turn(self):
        if self.connection is not None:
            self.connection.hear()
        if self.connection is None or self.connection.goaway is not None:
            self.drop()
            self.connection = h2.Client(self.port, tls=self.tls)
        waiting = self.begin()
        while waiting:
            number = self.connection.step()[2]
            stream = self.connection.streams.get(number)
            if number in waiting and (stream.ended or stream.reset is not None):
                self.take(waiting.pop(number), stream.status if stream.reset is None else 0, stream.body)
                del self.connection.streams[number]

    def begin(self):
        """The requests of this turn in one piece; returns the check of each stream."""
        waiting, out = {}, b""
        for _ in range(self.width):
            (fields, body), check = next(self.work)
            number, frames = self.connection.prepare(fields, body)
            waiting[number], out = check, out + b"".join(frames)
        self.connection.send(out)
        return waiting


# ---- event streams: what is due in one; next() raises Broken at a wrong event, end() when the end came too early

class Counted:
    """So many events, and then the end."""

    def __init__(self, count):
        self.left = self.count = count

    def next(self, _event):
        self.left -= 1

    def end(self):
        if self.left != 0:
            raise Broken(f"{self.count - self.left} events of {self.count}")


class Endless:
    """Numbered events for this user without a gap, until the run is over."""

    def __init__(self, user):
        self.user, self.number = user, 0

    def next(self, event):
        if event != b"id: %d\ndata: %s\n\n" % (self.number, self.user.encode()):
            raise Broken(f"stream of {self.user}: {event!r} where {self.number} was due")
        self.number += 1

    def end(self):
        raise Broken(f"stream of {self.user} ended at {self.number}")


class Stream(threading.Thread):
    """An event stream over HTTP/1.1; comments are no events."""

    def __init__(self, tally, port, raw, due, tls=None):
        super().__init__(daemon=True)
        self.tally, self.port, self.raw, self.due, self.tls, self.open = tally, port, raw, due, tls, threading.Event()

    def run(self):
        began = time.monotonic()
        try:
            with Connection(self.port, tls=self.tls) as connection:
                connection.send(self.raw)
                for event in connection.events(connection.read_head()):
                    self.take(event)
                    if isinstance(self.due, Endless) and self.tally.stopping.is_set():
                        return
                self.due.end()
            self.tally.good(began)
        except END as error:
            self.tally.bad(began, error)
        finally:
            self.open.set()

    def take(self, event):
        if not event.startswith(b":"):
            self.due.next(event)
            self.tally.event()
            self.open.set()


class Http2Streams(threading.Thread):
    """Event streams on one HTTP/2 connection; `several` are ((fields, body), what is due), endless ones."""

    def __init__(self, tally, port, several, tls):
        super().__init__(daemon=True)
        self.tally, self.port, self.several, self.tls = tally, port, several, tls

    def run(self):
        began = time.monotonic()
        try:
            with h2.Client(self.port, tls=self.tls) as client:
                due = {client.request(*request): wanted for request, wanted in self.several}
                while not self.tally.stopping.is_set():
                    number = client.step()[2]
                    if number in due:
                        self.take(client.streams[number], due[number])
                    if client.goaway is not None:
                        raise Broken("GOAWAY under open streams")
        except END as error:
            self.tally.bad(began, error)

    def take(self, stream, due):
        while b"\n\n" in stream.body:
            event, _, stream.body = stream.body.partition(b"\n\n")
            if not event.startswith(b":"):
                due.next(event + b"\n\n")
                self.tally.event()
        if stream.ended or stream.reset is not None:
            due.end()


class Load:
    """`with Load(tally, clients):` the clients run meanwhile."""

    def __init__(self, tally, clients):
        self.tally, self.clients = tally, clients

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self.tally

    def __exit__(self, *_):
        self.tally.stopping.set()
        for client in self.clients:
            client.join(60)
