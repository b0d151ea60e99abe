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


# Below what the kernel gives to outgoing connections (32768 and up), in blocks, one to a process of tests; bench/ has its own.
BLOCK = 1000
BLOCKS = [first for first in range(10000, 32000, BLOCK) if first != 22000]
held, given = None, 0


def hold_block():
    """(first port, what holds the block): a name that one process at a time can have, and loses when it ends."""
    for first in BLOCKS:
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind(f"\0gatehouse-tests-ports-{first}")
            return first, holder
        except OSError:
            holder.close()
    raise AssertionError(f"{len(BLOCKS)} runs of the tests are under way: no ports are left")


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    """A loopback port that nobody listens on, and that nobody else is given: no other run, and no connection."""
    global held, given
    held = held or hold_block()
    for _ in range(BLOCK):
        port = held[0] + given % BLOCK
        given += 1
        if is_free(port):
            return port
    raise AssertionError(f"all ports from {held[0]} on are taken")


def is_refused(port):
    """Does nobody listen on this port any more? A connection that waited in a queue that was closed just now is no answer."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
