"""What the process gives up before it serves: user, capabilities, memory, files (threats.md P1, P2), and that a reload
still works without them."""
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from support.gateway import Gateway
from support.http1 import Connection
from support.wait import until

IS_ROOT = os.geteuid() == 0
WHY = "only root can become another user"
needs_root = pytest.mark.skipif(not IS_ROOT, reason=WHY)
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def folder():
    """One that other users may enter, which pytest's own is not."""
    made = tempfile.mkdtemp(prefix="gatehouse-")
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def unprivileged(folder, issuer, upstream):
    """A gateway that root starts and that runs as nobody, in a folder of nobody's."""
    made = Gateway(folder, issuer, upstream)
    made.settings["user"] = "nobody"
    for name in ["."] + os.listdir(folder):
        os.chown(os.path.join(folder, name), NOBODY.pw_uid, NOBODY.pw_gid)
    yield made
    made.stop()


def line_of(gateway, message):
    """The one line of the log with that message; a thread of its own writes it, a moment later."""
    def lines():
        whole = [json.loads(line) for line in gateway.log().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in whole if line["message"] == message]
    found = until(lines, f"line of the log: {message}")
    assert len(found) == 1, gateway.log()
    return found[0]


def statuses(gateway):
    """/proc/PID/task/*/status of every thread, as dicts."""
    tasks = f"/proc/{gateway.process.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/status", encoding="ascii") as file:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def reload(gateway):
    """(status, text) of a reload that the admin listener was asked for."""
    request = f"POST /admin/v1/reload HTTP/1.1\r\nHost: 127.0.0.1:{gateway.admin_port}\r\nContent-Length: 0\r\n\r\n"
    with Connection(gateway.admin_port) as connection:
        connection.send(request.encode())
        answer = connection.read()
    return answer.status, json.loads(answer.body)["detail"]


def as_nobody(*command):
    """Runs a command as the user the gateway runs as: its exit status and output."""
    def become():
        os.setgroups([])
        os.setresgid(NOBODY.pw_gid, NOBODY.pw_gid, NOBODY.pw_gid)
        os.setresuid(NOBODY.pw_uid, NOBODY.pw_uid, NOBODY.pw_uid)
    done = subprocess.run(command, preexec_fn=become, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


# ---- what every thread lacks

@pytest.mark.threads
def test_every_thread_has_given_up_its_rights(gateway):
    gateway.accepted(gateway.post())  # all threads are there
    threads = list(statuses(gateway))
    assert len(threads) > gateway.settings["workers"]
    for thread in threads:
        assert {thread[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        assert thread["CapBnd"] == "0" * 16 or not IS_ROOT
        if "Sanitizer" not in thread["Name"]:
            assert (thread["NoNewPrivs"], thread["Seccomp"]) == ("1", "2"), thread
    line = line_of(gateway, "sandbox in force")
    assert line["uid"] == str(os.geteuid()) and line["capabilities"] == "none" and line["seccomp"].endswith("system calls")
    with open(f"/proc/{gateway.process.pid}/limits", encoding="ascii") as file:
        assert re.search(r"^Max core file size +0 +0 ", file.read(), re.M)


def test_it_can_be_switched_off(site):
    site.settings["sandbox"] = "off"
    site.start()
    site.accepted(site.post())
    assert {thread["Seccomp"] for thread in statuses(site)} == {"0"}
    assert line_of(site, "the sandbox is off, as the settings say")["level"] == "warn"


@needs_root
def test_root_without_a_user_is_warned(gateway):
    assert line_of(gateway, "this runs as root: name a user in the settings, or start it as one")["level"] == "warn"


# ---- user

@needs_root
def test_it_becomes_the_user(unprivileged):
    unprivileged.start()
    unprivileged.accepted(unprivileged.post())
    for thread in statuses(unprivileged):
        assert thread["Uid"].split() == [str(NOBODY.pw_uid)] * 4 and thread["Gid"].split() == [str(NOBODY.pw_gid)] * 4
        assert thread["Groups"].strip() == ""
    assert line_of(unprivileged, "sandbox in force")["uid"] == str(NOBODY.pw_uid)
    assert "this runs as root" not in unprivileged.log()


def test_a_user_it_cannot_become_ends_it(site):
    site.settings["user"] = "no-such-user" if IS_ROOT else "root"
    site.start(ready=None)
    assert site.process.wait(60) == 1
    site.process = None
    why = "no-such-user: no such user" if IS_ROOT else "root: Operation not permitted"
    assert f"gatehouse: user: {why}" in site.log()
    del site.settings["user"]
    site.start()
    site.accepted(site.post())


def reads_of_memory(pid, folder):
    """What the gateway's own user learns of a process of its: exit statuses, and the cores that came of it."""
    gcore = shutil.which("gcore") or "/bin/false"
    statuses = [as_nobody(*command)[0] for command in (
        ("python3", "-c", f"open('/proc/{pid}/mem', 'rb')"), ("cat", f"/proc/{pid}/environ"),
        (gcore, "-o", os.path.join(folder, "core"), str(pid)))]
    return statuses, [name for name in os.listdir(folder) if name.startswith("core")]


@needs_root
def test_its_memory_is_closed_to_its_own_user(unprivileged):
    unprivileged.start()
    twin = subprocess.Popen(["sleep", "60"], user=NOBODY.pw_uid, group=NOBODY.pw_gid, extra_groups=[])
    try:
        statuses, cores = reads_of_memory(unprivileged.process.pid, unprivileged.folder)
        assert 0 not in statuses and cores == []
        statuses, cores = reads_of_memory(twin.pid, unprivileged.folder)
        assert statuses[:2] == [0, 0] and len(cores) == (1 if shutil.which("gcore") else 0)
    finally:
        twin.kill()
        twin.wait()


# ---- reload and rotation without rights

@needs_root
def test_it_reloads_renewed_files_as_that_user(unprivileged, issuer):
    unprivileged.start()
    unprivileged.accepted(unprivileged.post())
    unprivileged.write("jwks.json.new", issuer.key_set())
    os.rename(os.path.join(unprivileged.folder, "jwks.json.new"), os.path.join(unprivileged.folder, "jwks.json"))
    unprivileged.route["scopes"] = ["mcp:other"]
    unprivileged.write("gatehouse.yaml", unprivileged.settings)
    assert reload(unprivileged)[0] == 200
    assert unprivileged.send(unprivileged.post()).status == 403


@needs_root
def test_a_file_of_roots_alone_is_warned_of_and_named(unprivileged):
    """Read at the start by root; at a reload nobody can, and the old settings stay."""
    keys = os.path.join(unprivileged.folder, "jwks.json")
    os.chown(keys, 0, 0)
    os.chmod(keys, 0o600)
    unprivileged.start()
    unprivileged.accepted(unprivileged.post())
    warned = line_of(unprivileged, "this user cannot read a file again: a reload will be refused")
    assert (warned["file"], warned["why"]) == ("jwks.json", "Permission denied")
    status, text = reload(unprivileged)
    assert status == 422 and "jwks.json: Permission denied" in text, text
    unprivileged.accepted(unprivileged.post())
    os.chown(keys, NOBODY.pw_uid, NOBODY.pw_gid)
    assert reload(unprivileged)[0] == 200
    unprivileged.accepted(unprivileged.post())


def has_landlock(gateway):
    return line_of(gateway, "sandbox in force")["landlock"] != "not in this kernel"


def test_folders_that_were_not_named_at_the_start_stay_closed(site, folder, issuer):
    other = os.path.join(folder, "jwks.json")
    with open(other, "w", encoding="utf-8") as file:
        json.dump(issuer.key_set(), file)
    site.start()
    site.settings["issuers"]["idp"]["jwks_file"] = other
    site.write("gatehouse.yaml", site.settings)
    status, text = reload(site)
    if has_landlock(site):
        assert status == 422 and f"{other}: Permission denied (the sandbox" in text, text
    site.accepted(site.post())
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(60) == 0
    os.remove(os.path.join(site.folder, "stderr"))
    site.start()
    site.accepted(site.post())
    assert reload(site)[0] == 200


@needs_root
def test_logs_are_rotated_as_that_user(unprivileged):
    unprivileged.start()
    unprivileged.accepted(unprivileged.post())
    os.rename(unprivileged.audit_path, unprivileged.audit_path + ".1")
    unprivileged.process.send_signal(signal.SIGUSR1)
    until(lambda: os.path.exists(unprivileged.audit_path), "a new audit log")
    assert os.stat(unprivileged.audit_path).st_uid == NOBODY.pw_uid
    unprivileged.read = 0
    unprivileged.accepted(unprivileged.post())


@needs_root
def test_a_log_that_cannot_be_opened_anew_is_kept_and_told(unprivileged):
    unprivileged.start()
    os.chown(unprivileged.folder, 0, 0)
    unprivileged.accepted(unprivileged.post())
    old = unprivileged.audit_path + ".1"
    os.rename(unprivileged.audit_path, old)
    unprivileged.process.send_signal(signal.SIGUSR1)
    line = until(lambda: "a log cannot be opened anew" in unprivileged.log() and
                 line_of(unprivileged, "a log cannot be opened anew: lines go where they went"), "its line")
    assert (line["file"], line["why"]) == ("audit.jsonl", "Permission denied")
    unprivileged.audit_path = old
    unprivileged.accepted(unprivileged.post())


# ---- what it still must do

def test_names_are_resolved(site, upstream):
    """By the resolver of the system, on an offload thread for upstreams."""
    site.route["upstream"] = upstream.url.replace("127.0.0.1", "localhost")
    site.start()
    site.accepted(site.post())
