"""With GATEHOUSE_STORE=redis each SQLite file that settings name is a Redis server of its own instead.

Gateways that would share the file share the server. It runs while one of them does and keeps its journal in between, so that tests may
stop and start gateways, and look at what is at rest."""
import atexit
import contextlib
import copy
import os
import shutil
import socket
import subprocess
import tempfile

REDIS = os.environ.get("GATEHOUSE_STORE") == "redis"
SERVERS = {}  # by the path of the file whose place it takes


def url_of(settings):
    store = settings.get("store")
    return store.get("url", "") if isinstance(store, dict) else store or ""


def server_of(folder, settings):
    """The server for these settings, not yet started; None where they have no file or nobody asks for Redis."""
    scheme, _, path = url_of(settings).partition(":")
    if not REDIS or scheme != "sqlite" or path.startswith(":"):
        return None
    path = os.path.normpath(os.path.join(folder, path))
    if path not in SERVERS:
        SERVERS[path] = Server()
    return SERVERS[path]


def moved(settings, server):
    """The same settings with the store in the server."""
    made, store = copy.deepcopy(settings), settings["store"]
    made["store"] = {**(store if isinstance(store, dict) else {}), "url": f"redis+unix://{server.socket}"}
    return made


class Server:
    def __init__(self, *more):
        """`more` are further words of its command line."""
        self.folder, self.users, self.process, self.more = tempfile.mkdtemp(prefix="gatehouse-redis-"), set(), None, more
        self.socket = os.path.join(self.folder, "socket")
        os.chmod(self.folder, 0o755)
        atexit.register(self.remove)

    def start(self):
        if self.process is not None:
            return
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "777", "--dir", self.folder, "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", *self.more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "ready to accept connections" in line:
                return
        raise AssertionError("redis-server did not start: " + "".join(said))

    def end(self):
        if self.process is not None:
            self.process.kill()  # its journal has all that was acknowledged
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def used_by(self, user):
        self.start()
        self.users.add(user)

    def left_by(self, user):
        self.users.discard(user)
        if not self.users:
            self.end()

    def remove(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def asked(self):
        """A function that says words to it and returns the reply."""
        self.used_by(self)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket)
            replies = connection.makefile("rb")

            def say(*words):
                words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
                connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
                return read(replies)
            yield say
        self.left_by(self)


def read(replies):
    line = replies.readline()[:-2]
    kind, rest = line[:1], line[1:]
    assert kind != b"-", line
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return replies.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
    return [read(replies) for _ in range(int(rest))]


def rows(say):
    """(key, value, expires, name) of each row, as bytes: src/store/redis_scripts.c says how they lie there."""
    found = []
    for index in say("KEYS", "{gh:*}:keys"):
        for key in say("ZRANGE", index, 0, -1):
            name = index[:-len(b"keys")] + b"row:" + b"".join(bytes([c]) if chr(c).isalnum() or c in b"_-/" else b"%%%02X" % c for c in key)
            text = say("GET", name)
            if text is not None:
                _, expires, value = text.split(b":", 2)
                found.append((key, value, int(expires), name))
    return found


def entries(say):
    return [members[5] for _, members in say("XRANGE", "{gh}:log", "-", "+")]


def rewrite(say, name, value, expires):
    """As another process would, but for the version, which stays."""
    version, before, _ = say("GET", name).split(b":", 2)
    say("SET", name, b"%s:%s:%s" % (version, before if expires is None else b"%d" % expires, value))
