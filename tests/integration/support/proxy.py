"""A proxy between a gateway and a Redis server, whose faults are set while it runs: it knows commands and answers apart, and by name."""
import collections
import hashlib
import io
import socket
import struct
import threading
import time

from .redis import read
from .wait import free_port

LOOKS = ("XRANGE", "MGET", "EXISTS", "INFO replication")  # what who follows the log asks

SCRIPTS = {"commit": b"'conflict'", "set up": b"{gh}:trial"}  # by what stands in them and in no other one


def end_of(data, at=0):
    """Where the value that begins there ends; None: its end has not come."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, end = data[at:at + 1], line + 2
    if kind in (b"+", b"-", b":"):
        return end
    count = int(data[at + 1:line])
    if kind == b"$":
        end += count + 2 if count >= 0 else 0
        return end if end <= len(data) else None
    for _ in range(count):
        end = end_of(data, end)
        if end is None:
            return None
    return end


class Cut(bytes):
    """Behind these the connection ends."""


# ---- faults: each is told the name of a command, and the command or its answer, and says what goes on instead; nothing: it is swallowed

def swallowed(_name, _raw):
    return b""


def replaced(by, names):
    return lambda name, raw: by if name in names else raw


def passing(_name, raw):
    return raw


class Proxy:
    """In front of a unix socket, or of a port of loopback. `commands` and `answers` are faults; `slow` is (bytes of a piece, seconds behind
    each). Not `framed`: a replica's link, whose pieces have no names."""

    def __init__(self, behind, framed=True):
        self.behind, self.framed, self.port, self.open, self.scripts = behind, framed, free_port(), set(), {}
        self.asked, self.lost = collections.Counter(), collections.Counter()  # by name: commands that came, and what was changed of them
        self.gate, self.failures = threading.Event(), []
        self.heal()

    def heal(self):
        self.commands = self.answers = passing
        self.slow = None
        self.gate.set()
        self.listen()

    def partition(self):
        """Connections stay, and can be made, but nothing comes through any more, nor later."""
        self.commands = self.answers = swallowed

    def spoil(self, fault):
        self.answers = fault

    def hold(self):
        """Nothing comes through until heal(): then all of it, what the gateway has given up long ago too."""
        self.gate.clear()

    def refuse(self):
        """No connection is left, and none can be made."""
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()
        self.reset()

    def reset(self):
        for one in list(self.open):
            try:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended

    def close(self):
        self.gate.set()
        self.refuse()
        assert not self.failures, f"the proxy failed: {self.failures}"

    # ---- connections

    def listen(self):
        if getattr(self, "listener", None) is None or self.listener.fileno() < 0:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                front, _ = listener.accept()
            except OSError:
                return
            is_path = isinstance(self.behind, str)
            back = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
            try:
                back.connect(self.behind if is_path else ("127.0.0.1", self.behind))
            except OSError:
                front.close()
                continue
            front.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open |= {front, back}
            names = collections.deque()  # of the commands that the server has got and not answered
            for pump in ((front, back, self.command, names), (back, front, self.answer, names)):
                threading.Thread(target=self.pump, args=pump, daemon=True).start()

    def pump(self, source, sink, judge, names):
        data = b""
        try:
            while not isinstance(data, Cut):
                more = source.recv(65536)
                if not more:
                    break
                data += more
                while (end := end_of(data) if self.framed else len(data) or None) is not None:
                    raw, data = data[:end], data[end:]
                    given = judge(names, raw)
                    self.gate.wait()
                    self.send(sink, given)
                    if isinstance(given, Cut):
                        data = given
                        break
        except OSError:
            pass  # the other one has ended, or reset() has
        except Exception as error:  # of the proxy itself: must fail the test
            self.failures.append(repr(error))
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.discard(source)
        source.close()

    def send(self, sink, data):
        size, pause = self.slow or (len(data), 0)
        for at in range(0, len(data), max(size, 1)):
            sink.sendall(data[at:at + size])
            if pause:
                time.sleep(pause)

    # ---- what goes through

    def command(self, names, raw):
        if not self.framed:
            return self.commands("", raw)
        words = read(io.BytesIO(raw))
        if words[:2] == [b"SCRIPT", b"LOAD"]:
            known = [name for name, mark in SCRIPTS.items() if mark in words[2]]
            self.scripts[hashlib.sha1(words[2]).hexdigest().encode()] = known[0] if known else "script"
        name = words[0].decode()
        name = self.scripts[words[1]] if name == "EVALSHA" else "INFO replication" if words[1:] == [b"replication"] else name
        self.asked[name] += 1
        given = self.commands(name, raw)
        if given == raw:
            names.append(name)
        self.lost[name] += given != raw
        return given

    def answer(self, names, raw):
        name = names.popleft() if self.framed else ""
        given = self.answers(name, raw)
        self.lost[name] += given != raw
        return given
