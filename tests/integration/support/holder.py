"""A socket holder as a service manager is one: listens, starts the gateway with LISTEN_FDS, and starts it again when it ends."""
import fcntl
import os
import signal
import socket
import time


class Holder:
    """`command` is run in `folder`; each address of `addresses`, a (host, port) or the path of a unix socket, outlives the process.
    `claimed`: how many sockets the variable says there are, if not as many as there are."""

    def __init__(self, command, folder, addresses, log, backlog=4096, sockets_each=1, claimed=0):
        self.command, self.folder, self.log, self.pid, self.claimed = command, folder, log, None, claimed
        self.sockets = [self.listen(address, backlog, sockets_each > 1) for address in addresses for _ in range(sockets_each)]

    @staticmethod
    def listen(address, backlog, shared):
        made = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        made.listen(backlog)
        return made

    def start(self):
        """sd_listen_fds(3): the sockets are descriptors 3 and up, and the variables name this very process."""
        fds = [made.fileno() for made in self.sockets]
        self.pid = os.fork()
        if self.pid:
            return self
        try:
            out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in [out, out] + fds]
            for number, fd in enumerate(high, 1):
                os.dup2(fd, number)
            os.closerange(3 + len(fds), 1024)
            os.chdir(self.folder)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execve(self.command[0], self.command, {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(self.claimed or len(fds))})
        finally:
            os._exit(127)

    def kill(self):
        """kill -9: (just before it, when the process was dead)."""
        before = time.monotonic()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = None
        return before, time.monotonic()

    def stop(self):
        """SIGTERM: the exit status."""
        os.kill(self.pid, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = None
        return status

    def close(self):
        if self.pid is not None:
            self.kill()
        for made in self.sockets:
            made.close()
