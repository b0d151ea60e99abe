"""A Redis that outlives its servers: a master, two replicas and three Sentinels, all of them real, on ports of loopback."""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

from .redis import read
from .wait import free_port, until

NAME = "mymaster"


class Node:
    """A redis-server, or a Sentinel, with its own folder."""

    def __init__(self, folder, name, tls):
        self.port, self.tls, self.process = free_port(), tls, None
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)

    def places(self):
        if self.tls is None:
            return ["--port", str(self.port)]
        certificate, key = self.tls.leaf("127.0.0.1")
        return ["--port", "0", "--tls-port", str(self.port), "--tls-cert-file", certificate, "--tls-key-file", key,
                "--tls-ca-cert-file", self.tls.path, "--tls-replication", "yes", "--tls-auth-clients", "optional"]

    def run(self, *words):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(["redis-server", *words], cwd=self.folder, stdout=log, stderr=log)
        until(self.answers, f"answer at port {self.port}; {self.folder}/log tells why")

    def start(self, *more):
        self.run(*self.places(), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                 "--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0", *more)

    def watch(self, master):
        """As a Sentinel."""
        words, places = self.places(), []
        for name, value in zip(words[::2], words[1::2]):
            places.append(f"{name[2:]} {value}")
        with open(os.path.join(self.folder, "sentinel.conf"), "w", encoding="utf-8") as file:
            file.write("\n".join([*places, "bind 127.0.0.1", f"sentinel monitor {NAME} 127.0.0.1 {master.port} 2",
                                  f"sentinel down-after-milliseconds {NAME} 1000", f"sentinel failover-timeout {NAME} 2500",
                                  f"sentinel parallel-syncs {NAME} 1", ""]))
        self.run("sentinel.conf", "--sentinel")

    def kill(self, with_signal=signal.SIGKILL):
        if self.process is not None:
            self.process.send_signal(with_signal)
        if self.process is not None and with_signal == signal.SIGKILL:
            self.process.wait()
            self.process = None

    @contextlib.contextmanager
    def asked(self):
        """A function that says words to it and returns the reply."""
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), 5))
            if self.tls is not None:
                context = ssl.create_default_context(cafile=self.tls.path)
                made = stack.enter_context(context.wrap_socket(made, server_hostname="127.0.0.1"))
            replies = made.makefile("rb")

            def say(*words):
                words = [str(word).encode() for word in words]
                made.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
                return read(replies)
            yield say

    def say(self, *words):
        with self.asked() as say:
            return say(*words)

    def answers(self):
        assert self.process.poll() is None, open(os.path.join(self.folder, "log"), encoding="utf-8").read()[-2000:]
        try:
            return self.say("PING") == b"PONG"
        except (OSError, AssertionError):  # not yet, or still loading
            return False


def facts_of(sentinel):
    """What it says of the master."""
    flat = sentinel.say("SENTINEL", "MASTER", NAME)
    return dict(zip(flat[::2], flat[1::2]))


def address_of(sentinel):
    """The port of the server that it names to those who ask for it."""
    return int(sentinel.say("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])


class Replicated:
    def __init__(self, tls=None, last=()):
        """`last` are further words for the last one of the servers."""
        self.folder = tempfile.mkdtemp(prefix="gatehouse-sentinels-")
        self.servers = [Node(self.folder, f"server-{number}", tls) for number in range(3)]
        self.sentinels = [Node(self.folder, f"sentinel-{number}", tls) for number in range(3)]
        try:
            self.servers[0].start()
            for replica, more in zip(self.servers[1:], ((), last)):
                replica.start("--replicaof", f"127.0.0.1 {self.servers[0].port}", *more)
            for sentinel in self.sentinels:
                sentinel.watch(self.servers[0])
            until(self.is_whole, "two replicas and three Sentinels")
        except BaseException:
            self.remove()
            raise
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.url = f"redis{'s' if tls else ''}+sentinel://{places}/{NAME}"

    def master(self):
        """The server that the Sentinels agree on; None while they do not."""
        said = {sentinel.say("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1] for sentinel in self.sentinels}
        found = [server for server in self.servers if said == {b"%d" % server.port}]
        return found[0] if found else None

    def is_whole(self):
        """All agree, all replicas follow, and another failover would begin at once."""
        master = self.master()
        if master is None or master.process is None:
            return False
        for sentinel in self.sentinels:
            facts = facts_of(sentinel)
            if (facts[b"flags"], facts[b"num-slaves"], facts[b"num-other-sentinels"]) != (b"master", b"2", b"2"):
                return False
            for replica in sentinel.say("SENTINEL", "REPLICAS", NAME):
                if dict(zip(replica[::2], replica[1::2]))[b"flags"] != b"slave":
                    return False
        return master.say("INFO", "replication").count(b"state=online") == 2

    def killed(self):
        """The master, which is no more."""
        master = self.master()
        master.kill()
        return master

    def take_back(self, server):
        """Another has taken its place: it comes back as a replica."""
        successor = until(lambda: self.master() is not server and self.master(), "another master")
        server.start("--replicaof", f"127.0.0.1 {successor.port}")
        until(self.is_whole, "two replicas again")

    def remove(self):
        for node in self.sentinels + self.servers:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
