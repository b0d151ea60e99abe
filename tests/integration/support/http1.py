"""A client that sends exactly the bytes it is told to, and reads answers strictly: no repair, no retry."""
import select
import socket
import ssl
from dataclasses import dataclass, field, replace

TIMEOUT = 30.0


@dataclass(frozen=True)
class Request:
    """One request as lines and bytes; each method returns a changed copy, so that a test varies one thing."""
    method: str = "POST"
    target: str = "/weather/mcp"
    fields: tuple = ()
    body: bytes = b""

    def with_field(self, name, value):
        """The field with this value, in the place of those of that name."""
        return replace(self, fields=self.without(name).fields + ((name, value),))

    def also(self, name, value):
        """One more field, beside any of that name."""
        return replace(self, fields=self.fields + ((name, value),))

    def without(self, name):
        return replace(self, fields=tuple(f for f in self.fields if f[0].lower() != name.lower()))

    def to(self, target, method=None):
        return replace(self, target=target, method=method or self.method)

    def wire(self):
        lines = [f"{self.method} {self.target} HTTP/1.1"] + [f"{name}: {value}" for name, value in self.fields]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass
class Answer:
    status: int
    fields: list
    body: bytes = b""
    clean: bool = True  # the message ended as its framing says
    interim: list = field(default_factory=list)
    contact: int = 0  # bytes that the upstream got meanwhile

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def __getitem__(self, name):
        """The one value of a field; None when absent, a failure when repeated."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class Broken(Exception):
    """The peer closed or reset where more was due."""


# <linux/in.h>: the port is chosen when the connection is made, where ports of connections that have ended can be used again. By
# bind() they cannot for a minute: 28,000 of one address, which a fast gateway has answered before.
BIND_ADDRESS_NO_PORT = 24


def dial(host, port, source):
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.settimeout(TIMEOUT)
        made.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
        made.bind((source, 0))
        made.connect((host, port))
    except OSError:
        made.close()
        raise
    return made


class Connection:
    """One connection to the gateway, plain or over TLS; `first` are pieces sent before anything else, TLS too."""

    def __init__(self, port, host="127.0.0.1", tls=None, server_name="localhost", source="127.0.0.1", first=()):
        self.socket = dial(host, port, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in first:
            self.socket.sendall(piece)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server_name)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, raw):
        self.socket.sendall(raw)

    def has_come(self, seconds=0):
        """Is there something to read, within so long?"""
        has_pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0
        return bool(self.buffer or has_pending or select.select([self.socket], [], [], seconds)[0])

    def fill(self):
        """Reads more; False at the end of the stream."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError) as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
                raise
            return False
        self.buffer += data
        return bool(data)

    def take_until(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                raise Broken(f"closed after {self.buffer!r}")
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken

    def take(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise Broken(f"closed after {self.buffer!r}")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_head(self):
        """Status line and fields of the next answer; interim ones are collected on the way."""
        interim = []
        while True:
            lines = self.take_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            version, status = lines[0].split(" ", 2)[:2]
            assert version == "HTTP/1.1" and len(status) == 3, lines[0]
            fields = []
            for line in lines[1:]:
                name, value = line.split(":", 1)
                assert name and name.strip() == name, line
                fields.append((name.lower(), value.strip(" \t")))
            if int(status) >= 200:
                return Answer(int(status), fields, interim=interim)
            interim.append(int(status))

    def chunks(self, answer):
        """The pieces of the body as they come. Raises Broken when the framing was cut short."""
        if answer["transfer-encoding"] is not None:
            assert answer["transfer-encoding"].lower() == "chunked" and answer["content-length"] is None
            while True:
                size = int(self.take_until(b"\r\n").split(b";")[0], 16)
                data = self.take(size)
                if size == 0:
                    self.take_until(b"\r\n")
                    return
                assert self.take(2) == b"\r\n"
                yield data
        elif answer["content-length"] is not None:
            yield self.take(int(answer["content-length"]))
        else:
            while self.fill():
                pass
            data, self.buffer = self.buffer, b""
            yield data

    def read(self, method="POST"):
        """A whole answer; `clean` tells whether its body ended as announced."""
        answer = self.read_head()
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        try:
            for piece in self.chunks(answer):
                answer.body += piece
        except Broken:
            answer.clean = False
        return answer

    def events(self, answer):
        """The events of an event stream, each as its raw bytes with the blank line, as soon as it is whole."""
        pending = b""
        for piece in self.chunks(answer):
            pending += piece
            while b"\n\n" in pending.replace(b"\r\n", b"\n"):
                end = min(i + len(m) for m in (b"\n\n", b"\r\n\r\n") for i in [pending.find(m)] if i >= 0)
                yield pending[:end]
                pending = pending[end:]

    def is_closed(self):
        """Waits until the peer has closed; bytes that come instead are a failure."""
        assert self.buffer == b"", self.buffer
        closed = not self.fill()
        assert closed, f"more bytes: {self.buffer!r}"
        return True


def whole(connection, raw):
    connection.send(raw)


def byte_by_byte(connection, raw):
    for i in range(len(raw)):
        connection.send(raw[i:i + 1])


def split_at_lines(connection, raw):
    """A segment ends behind each CR, so that every CR LF is cut in two."""
    for part in raw.replace(b"\r", b"\r\0split").split(b"\0split"):
        connection.send(part)


WAYS = (whole, byte_by_byte, split_at_lines)
