"""A recording upstream: a real socket server that keeps each request's bytes, and answers or misbehaves by script."""
import json
import socket
import struct
import threading

from .wait import until


RECORD_MAX = 4 << 20


class Seen:
    """One request as it arrived."""

    def __init__(self, head, connection):
        self.head, self.body, self.connection = head, b"", connection
        self.whole = False  # its body came to its end
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.fields = [(name.lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines[1:])]

    def all(self, name):
        return [value for key, value in self.fields if key == name.lower()]


class Call:
    """The upstream's side of one request, for scripts."""

    def __init__(self, sock, seen):
        self.socket, self.seen, self.ends = sock, seen, False

    def raw(self, data):
        self.socket.sendall(data)

    def answer(self, status=200, body=b"", fields=(("Content-Type", "application/json"),)):
        lines = [f"HTTP/1.1 {status} Said"] + [f"{name}: {value}" for name, value in fields]
        self.raw("\r\n".join(lines + [f"Content-Length: {len(body)}"]).encode() + b"\r\n\r\n" + body)

    def json(self, value, status=200):
        self.answer(status, json.dumps(value).encode())

    def open_stream(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")

    def event(self, raw):
        self.raw(b"%x\r\n%s\r\n" % (len(raw), raw))

    def close_stream(self):
        self.raw(b"0\r\n\r\n")

    def abort(self):
        """Resets the connection: no FIN, no end of message."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()

    def hang_up(self):
        self.ends = True
        self.socket.close()

    def wait_gone(self, timeout=30):
        """True once the gateway has closed this connection."""
        self.ends = True
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False


def echo(call):
    """The default script: a JSON-RPC result."""
    call.json({"jsonrpc": "2.0", "id": 1, "result": {"answered": True}})


class Upstream:
    def __init__(self, script=echo):
        self.script, self.seen, self.bytes, self.connections = script, [], 0, 0
        self.record = bytearray()  # all that came, up to a bound
        self.early = None  # a script that may answer before the body is read; True when it has
        self.failures = []
        self.port = 0
        self.open = set()
        self.listen()
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    def listen(self):
        """At first, and again after close() at the same place."""
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which would hold the port until then
        except OSError:
            pass
        self.listener.close()
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        assert not self.failures, f"a script of the upstream failed: {self.failures}"

    def serve(self, sock):
        number, buffer = self.connections, b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    buffer = self.more(sock, buffer)
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                seen = Seen(head, number)
                self.seen.append(seen)
                call = Call(sock, seen)
                if self.early is not None and self.early(call):
                    while True:
                        self.more(sock, b"")
                buffer = self.read_body(sock, seen, buffer)
                seen.whole = True
                self.script(call)
                if call.ends:
                    return
        except (ConnectionError, OSError, EOFError):
            pass
        except Exception as error:  # a bug in the script must fail the test, not hang it
            self.failures.append(repr(error))
        finally:
            self.open.discard(sock)
            sock.close()

    def more(self, sock, buffer):
        data = sock.recv(65536)
        if not data:
            raise EOFError
        self.bytes += len(data)
        if len(self.record) < RECORD_MAX:
            self.record += data
        return buffer + data

    def read_body(self, sock, seen, buffer):
        if seen.all("transfer-encoding"):
            while True:
                while b"\r\n" not in buffer:
                    buffer = self.more(sock, buffer)
                line, buffer = buffer.split(b"\r\n", 1)
                size = int(line.split(b";")[0], 16)
                while len(buffer) < size + 2:
                    buffer = self.more(sock, buffer)
                seen.body, buffer = seen.body + buffer[:size], buffer[size + 2:]
                if size == 0:
                    return buffer
        length = int((seen.all("content-length") or ["0"])[0])
        while len(buffer) < length:
            buffer = self.more(sock, buffer)
        seen.body = buffer[:length]
        return buffer[length:]

    def wait_seen(self, count):
        """The last request, once that many have come."""
        until(lambda: len(self.seen) >= count, f"request number {count} at the upstream")
        return self.seen[count - 1]


class Canary:
    """A listener that must count no connection."""

    def __init__(self):
        self.hits = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.hits += 1
            sock.close()

    def close(self):
        self.listener.close()
        assert self.hits == 0, f"the canary was contacted {self.hits} times"
