"""HTTP/2 by hand: raw frames out, frames and header lists in, over TLS with ALPN or with prior knowledge."""
import ssl
import struct

from .http1 import Broken, Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK, PADDED = 0x1, 0x4, 0x1, 0x8
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 2, 3, 4, 5
NO_ERROR, PROTOCOL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 8, 11

# RFC 7541 appendix A, entries 1 to 61.
STATIC = [(":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
          (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
          (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
          ("accept-encoding", "gzip, deflate")] + [(name, "") for name in (
              "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control "
              "content-disposition content-encoding content-language content-length content-location content-range "
              "content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range "
              "if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range "
              "referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary "
              "via www-authenticate").split()]

# RFC 7541 appendix B: the code is canonical, so the lengths give it; what a header field here may hold has 15 at most.
LENGTHS = {5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ",
           10: "!\"()?", 11: "'+|", 12: "#>", 13: "\0$@[]~", 14: "^}", 15: "<`{"}


def huffman_table():
    table, code, last = {}, 0, 0
    for length, symbols in LENGTHS.items():
        for symbol in sorted(symbols):
            code <<= length - last
            last = length
            table[(length, code)] = symbol
            code += 1
    return table


HUFFMAN = huffman_table()


def huffman_decode(data):
    text, code, length = "", 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | (byte >> shift & 1), length + 1
            if (length, code) in HUFFMAN:
                text += HUFFMAN[(length, code)]
                code = length = 0
    assert length < 8 and code == (1 << length) - 1, "padding that is not all ones"
    return text


def integer(value, bits, first=0):
    """RFC 7541 section 5.1."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytes([first | limit]), value - limit
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def encode(fields):
    """Each field as a literal without indexing and without Huffman code: any bytes pass, the illegal too."""
    out = b""
    for pair in fields:
        out += b"\0"
        for text in pair:
            raw = text if isinstance(text, bytes) else text.encode("latin-1")
            out += integer(len(raw), 7) + raw
    return out


class Decoder:
    """Reads header blocks of a peer that was told to keep no dynamic table."""

    def decode(self, block):
        self.block, self.at, fields = block, 0, []
        while self.at < len(block):
            first = block[self.at]
            if first & 0x80:
                fields.append(STATIC[self.integer(7) - 1])
            elif first & 0xE0 == 0x20:
                assert self.integer(5) == 0, "a dynamic table although none was allowed"
            else:
                index = self.integer(6 if first & 0x40 else 4)
                name = STATIC[index - 1][0] if index else self.string()
                fields.append((name, self.string()))
        return fields

    def integer(self, bits):
        limit = (1 << bits) - 1
        value, shift = self.block[self.at] & limit, 0
        self.at += 1
        if value < limit:
            return value
        while True:
            byte = self.block[self.at]
            self.at += 1
            value, shift = value + ((byte & 127) << shift), shift + 7
            if not byte & 128:
                return value

    def string(self):
        coded = self.block[self.at] & 0x80
        length = self.integer(7)
        raw = self.block[self.at:self.at + length]
        self.at += length
        return huffman_decode(raw) if coded else raw.decode("latin-1")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


class Stream:
    """What came back on one stream."""

    def __init__(self):
        self.fields, self.body, self.ended, self.reset = [], b"", False, None

    @property
    def status(self):
        return int(dict(self.fields)[":status"]) if self.fields else None

    def __getitem__(self, name):
        values = [value for key, value in self.fields if key == name]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


class Client(Connection):
    """An HTTP/2 connection; `tls` is a client context whose ALPN offers h2."""

    def __init__(self, port, tls=None, open_window=True, **options):
        super().__init__(port, tls=tls, **options)
        if tls is not None:
            assert self.socket.selected_alpn_protocol() == "h2"
        self.decoder, self.streams, self.next_stream, self.goaway = Decoder(), {}, 1, None
        self.pings, self.settings, self.block, self.block_flags = 0, {}, None, 0
        self.send(PREFACE + settings((HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0)))
        if open_window:
            self.send(frame(WINDOW_UPDATE, payload=struct.pack(">I", 1 << 24)))

    def prepare(self, fields, body=b"", end=True):
        """The next stream: its number, and the frames that open it, not yet sent."""
        number, self.next_stream = self.next_stream, self.next_stream + 2
        self.streams[number] = Stream()
        frames = [frame(HEADERS, END_HEADERS | (END_STREAM if end and not body else 0), number, encode(fields))]
        for at in range(0, len(body), 16384):
            last = at + 16384 >= len(body)
            frames.append(frame(DATA, END_STREAM if end and last else 0, number, body[at:at + 16384]))
        return number, frames

    def request(self, fields, body=b"", end=True):
        """Opens a stream and returns its number."""
        number, frames = self.prepare(fields, body, end)
        for one in frames:
            self.send(one)
        return number

    def step(self):
        """Reads one frame and takes note of it; returns (kind, flags, stream, payload)."""
        head = self.take(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        number = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        payload = self.take(size)
        if number:
            self.on_stream(kind, flags, self.streams.setdefault(number, Stream()), payload)
        else:
            self.on_connection(kind, flags, payload)
        if kind == DATA and size:
            self.send(frame(WINDOW_UPDATE, payload=struct.pack(">I", size)))
            if not self.streams[number].ended:
                self.send(frame(WINDOW_UPDATE, 0, number, struct.pack(">I", size)))
        return kind, flags, number, payload

    def on_connection(self, kind, flags, payload):
        if kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.iter_unpack(">HI", payload))
            self.send(frame(SETTINGS, ACK))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, payload=payload))
        elif kind == PING:
            self.pings += 1
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")

    def on_stream(self, kind, flags, stream, payload):
        if kind == HEADERS:
            self.block, self.block_flags = payload, flags
        elif kind == CONTINUATION:
            self.block += payload
        elif kind == DATA:
            stream.body += payload
            stream.ended = bool(flags & END_STREAM)
        elif kind == RST_STREAM:
            stream.reset = int.from_bytes(payload, "big")
        if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS:
            stream.fields = self.decoder.decode(self.block)
            stream.ended = bool(self.block_flags & END_STREAM)

    def until(self, condition):
        """Reads frames until the condition holds; Broken when the peer closes before."""
        while not condition():
            self.step()

    def answer(self, number):
        """The stream once it has ended, cleanly or by a reset."""
        stream = self.streams[number]
        self.until(lambda: stream.ended or stream.reset is not None)
        return stream

    def hear(self):
        """Reads what has come, without waiting. Whoever only writes may never hear why the peer has ended."""
        while self.goaway is None and self.has_come():
            self.step()

    def read_to_end(self):
        """Reads until the peer closes; what it said last stands in goaway."""
        try:
            while True:
                self.step()
        except (Broken, ssl.SSLError, OSError):
            return self.goaway


def fields_of(gateway, token=None, method="POST", path="/weather/mcp", scheme="http"):
    """The header list of a good request."""
    return [(":method", method), (":scheme", scheme), (":authority", gateway.authority), (":path", path),
            ("content-type", "application/json"), ("accept", "application/json, text/event-stream"),
            ("authorization", f"Bearer {token or gateway.issuer.token()}")]
