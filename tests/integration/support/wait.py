"""Waiting for what another process does: polls with a generous deadline, so a slow machine is no failure."""
import socket
import time

DEADLINE = 30.0


def until(answer, what, deadline=DEADLINE):
    """The first true value of answer(); fails, saying what was missing, when the deadline passes."""
    end = time.monotonic() + deadline
    while True:
        value = answer()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline:.0f} s still no {what}")
        time.sleep(0.01)


def free_port():
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
