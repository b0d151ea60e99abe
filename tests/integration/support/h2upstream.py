"""A recording upstream that speaks HTTP/2, over TLS with ALPN or by prior knowledge; scripts as for the other one."""
import json
import socket
import ssl
import struct
import threading

from . import h2


class H2Call:
    """The upstream's side of one stream; it is what was seen of its request, too."""

    def __init__(self, connection, number, fields):
        self.connection, self.number, self.body, self.whole, self.reset_by_peer = connection, number, b"", False, threading.Event()
        self.pseudo = {name: value for name, value in fields if name.startswith(":")}
        self.fields = [(name, value) for name, value in fields if not name.startswith(":")]
        self.method, self.target = self.pseudo[":method"], self.pseudo[":path"]
        self.seen = self

    def all(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def head(self, status, fields, end=False):
        block = h2.encode([(":status", str(status))] + list(fields))
        self.connection.send(h2.frame(h2.HEADERS, h2.END_HEADERS | (h2.END_STREAM if end else 0), self.number, block))

    def answer(self, status=200, body=b"", fields=(("content-type", "application/json"),)):
        self.head(status, list(fields) + [("content-length", str(len(body)))], end=not body)
        if body:
            self.connection.send(h2.frame(h2.DATA, h2.END_STREAM, self.number, body))

    def json(self, value, status=200):
        self.answer(status, json.dumps(value).encode())

    def open_stream(self):
        self.head(200, [("content-type", "text/event-stream")])

    def event(self, raw):
        self.connection.send(h2.frame(h2.DATA, 0, self.number, raw))

    def close_stream(self):
        self.connection.send(h2.frame(h2.DATA, h2.END_STREAM, self.number))

    def reset(self, code=2):
        self.connection.send(h2.frame(h2.RST_STREAM, 0, self.number, struct.pack(">I", code)))

    def goaway(self, last, code=h2.NO_ERROR):
        self.connection.send(h2.frame(h2.GOAWAY, payload=struct.pack(">II", last, code)))

    def hang_up(self):
        """Ends the connection; a mere close would wait for the thread that reads from it."""
        self.connection.socket.shutdown(socket.SHUT_RDWR)

    def wait_gone(self, timeout=30):
        return self.reset_by_peer.wait(timeout)


def echo(call):
    call.json({"jsonrpc": "2.0", "id": 1, "result": {"answered": True}})


class Connection:
    def __init__(self, upstream, sock, number):
        self.upstream, self.socket, self.number, self.buffer = upstream, sock, number, b""
        self.lock, self.streams, self.decoder, self.block = threading.Lock(), {}, h2.Decoder(), b""

    def send(self, raw):
        with self.lock:
            self.socket.sendall(raw)

    def take(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.upstream.bytes += len(data)
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def run(self):
        assert self.take(len(h2.PREFACE)) == h2.PREFACE
        self.send(h2.settings((h2.HEADER_TABLE_SIZE, 0), (h2.MAX_CONCURRENT_STREAMS, self.upstream.streams)))
        while True:
            head = self.take(9)
            payload = self.take(int.from_bytes(head[:3], "big"))
            self.frame(head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, payload)

    def frame(self, kind, flags, number, payload):
        if kind == h2.SETTINGS and not flags & h2.ACK:
            self.send(h2.frame(h2.SETTINGS, h2.ACK))
        elif kind == h2.PING and not flags & h2.ACK:
            self.send(h2.frame(h2.PING, h2.ACK, payload=payload))
        elif kind in (h2.HEADERS, h2.CONTINUATION):
            self.block += payload
            if flags & h2.END_HEADERS:
                call, self.block = H2Call(self, number, self.decoder.decode(self.block)), b""
                self.streams[number] = call
                self.upstream.seen.append(call)
        elif kind == h2.DATA:
            self.streams[number].body += payload
            if payload:
                update = struct.pack(">I", len(payload))
                self.send(h2.frame(h2.WINDOW_UPDATE, payload=update) + h2.frame(h2.WINDOW_UPDATE, 0, number, update))
        elif kind == h2.RST_STREAM:
            self.streams[number].reset_by_peer.set()
        if kind in (h2.HEADERS, h2.DATA) and flags & h2.END_STREAM:
            self.streams[number].whole = True
            threading.Thread(target=self.upstream.play, args=(self.streams[number],), daemon=True).start()


class H2Upstream:
    """`tls` is a server context; without it the client must know."""

    def __init__(self, script=echo, tls=None, streams=100):
        self.script, self.tls, self.streams = script, tls, streams
        self.seen, self.bytes, self.connections, self.failures, self.open = [], 0, 0, [], set()
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/mcp"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            self.connections += 1
            self.open.add(sock)
            Connection(self, sock, self.connections).run()
        except (EOFError, OSError, ssl.SSLError):
            pass
        except Exception as error:  # a bug in the script must fail the test, not hang it
            self.failures.append(repr(error))
        finally:
            self.open.discard(sock)
            sock.close()

    def play(self, call):
        try:
            self.script(call)
        except OSError:
            pass
        except Exception as error:
            self.failures.append(repr(error))

    def close(self):
        self.listener.close()
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        assert not self.failures, f"a script of the upstream failed: {self.failures}"
