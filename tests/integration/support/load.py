"""Load that counts: clients that go on and on, each knowing what became of every request."""
import ssl
import threading
import time

from . import h2
from .http1 import Broken, Connection

END = (Broken, ssl.SSLError, OSError, AssertionError)


class Tally:
    """What happened to all requests of all clients."""

    def __init__(self):
        self.lock, self.answered, self.refused, self.failed = threading.Lock(), 0, 0, []
        self.slowest = self.last_began = 0.0  # of those that were answered
        self.stopping = threading.Event()

    def good(self, began):
        with self.lock:
            self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.last_began = max(self.last_began, began)

    def bad(self, began, error):
        with self.lock:
            if isinstance(error, ConnectionRefusedError):
                self.refused += 1
            else:
                self.failed.append((began, time.monotonic(), f"{type(error).__name__}: {error}"))

    def unexplained(self, kills):
        """Failures that no kill accounts for; a kill is (just before, when the process was dead). A request that began
        behind it, or that had failed before it, is none of those that were in flight."""
        return [one for one in self.failed if not any(one[0] <= dead and one[1] >= before for before, dead in kills)]


class Client(threading.Thread):
    """One request after the other until the tally says stop."""

    def __init__(self, tally, port, raw):
        super().__init__(daemon=True)
        self.tally, self.port, self.raw, self.connection = tally, port, raw, None

    def run(self):
        while not self.tally.stopping.is_set():
            began = time.monotonic()
            try:
                self.request()
                self.tally.good(began)
            except END as error:
                self.tally.bad(began, error)
                self.drop()
        self.drop()

    def drop(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class OneShot(Client):
    """A connection for each request."""

    def request(self):
        with Connection(self.port) as connection:
            connection.send(self.raw)
            check(connection.read())


class KeepAlive(Client):
    """HTTP/1.1: one connection until an answer says that it was the last."""

    def request(self):
        self.connection = self.connection or Connection(self.port)
        self.connection.send(self.raw)
        answer = self.connection.read()
        check(answer)
        if answer["connection"] == "close":
            self.drop()


class Http2(Client):
    """HTTP/2: one connection until a GOAWAY came."""

    def __init__(self, tally, port, fields, body, context):
        super().__init__(tally, port, None)
        self.fields, self.body, self.context = fields, body, context

    def request(self):
        if self.connection is not None:
            self.connection.hear()
        if self.connection is None or self.connection.goaway is not None:
            self.drop()
            self.connection = h2.Client(self.port, tls=self.context)
        stream = self.connection.answer(self.connection.request(self.fields, self.body))
        if stream.reset is not None or stream.status != 200:
            raise Broken(f"status {stream.status}, reset {stream.reset}")


def check(answer):
    if answer.status != 200 or not answer.clean:
        raise Broken(f"status {answer.status}, {'whole' if answer.clean else 'cut'}")


class Stream(threading.Thread):
    """An event stream that must come to its end, with all its events."""

    def __init__(self, tally, port, raw, events):
        super().__init__(daemon=True)
        self.tally, self.port, self.raw, self.events, self.open = tally, port, raw, events, threading.Event()

    def run(self):
        began = time.monotonic()
        try:
            with Connection(self.port) as connection:
                connection.send(self.raw)
                count = 0
                for _ in connection.events(connection.read_head()):
                    count += 1
                    self.open.set()
                if count != self.events:
                    raise Broken(f"{count} events of {self.events}")
            self.tally.good(began)
        except END as error:
            self.tally.bad(began, error)
        finally:
            self.open.set()


class Load:
    """`with Load(clients) as tally:` the clients run meanwhile."""

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
