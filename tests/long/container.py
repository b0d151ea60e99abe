#!/usr/bin/env python3
"""deploy/container/Containerfile without an engine: its steps in their order in roots of their own, then the image as it would run.

The first stage sees this machine's programs, read-only, in place of debian:12-slim; apt-get only looks whether each package is there.
The second sees the image alone. Needs root."""
import contextlib
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report, running_site  # noqa: E402
from support.gateway import ROOT  # noqa: E402
from support.upstream import echo  # noqa: E402
from support.wait import until  # noqa: E402

FILE = os.path.join(ROOT, "deploy", "container", "Containerfile")
APT = """#!/bin/sh
[ "$1" = install ] || exit 0
shift
for word; do case $word in -*) ;; *) dpkg-query -W "$word" >/dev/null || exit 1 ;; esac; done
"""
# Mounts that a RUN step has; "$root" is where the stage's own files are.
BUILD = r"""
set -e
mount --make-rprivate /
for folder in usr etc var/lib/dpkg; do mkdir -p "$root/$folder"; mount --rbind -o ro "/$folder" "$root/$folder"; done
mount --bind "$stubs" "$root/usr/local/bin"
for folder in bin sbin lib lib32 lib64; do [ ! -L "/$folder" ] || ln -sfn "usr/$folder" "$root/$folder"; done
mkdir -p "$root/proc" "$root/dev" "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin HOME=/tmp sh -c "$step"
"""
# What an engine gives to a container: /proc, a few devices, nothing of the host, no new privileges, no capabilities.
RUN = r"""
set -e
mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero random urandom; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mount -o remount,ro,bind "$root"
[ -z "$state" ] || mount --bind "$state" "$root/var/lib/gatehouse"
exec python3 -c "$become" "$@"
"""
BECOME = """
import ctypes, os, sys
prctl, root, (uid, gid) = ctypes.CDLL(None).prctl, os.environ["root"], map(int, os.environ["user"].split(":"))
os.chroot(root)
os.chdir("/")
for capability in range(64):
    prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
os.execve(sys.argv[1], sys.argv[1:], {})
"""


def steps_of(path):
    """[(instruction, rest)], with continued lines joined."""
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line and not line.startswith("#")]


def copy(words, into, base):
    """COPY: what lies in `base`; a file into a folder, the contents of a folder into it."""
    *sources, target = words
    for source in sources:
        here, there = os.path.join(base, source.lstrip("/")), os.path.join(into, target.lstrip("/"))
        os.makedirs(there, exist_ok=True)
        if os.path.isdir(here):
            shutil.copytree(here, there, symlinks=True, dirs_exist_ok=True, copy_function=copy_owned)
            copy_owners(here, there)
        else:
            shutil.copy2(here, there)


def copy_owned(source, target):
    shutil.copy2(source, target, follow_symlinks=False)
    owner = os.lstat(source)
    os.chown(target, owner.st_uid, owner.st_gid, follow_symlinks=False)


def copy_owners(source, target):
    for folder, folders, _ in os.walk(source):
        for name in folders:
            owner = os.lstat(os.path.join(folder, name))
            there = os.path.join(target, os.path.relpath(os.path.join(folder, name), source))
            os.chown(there, owner.st_uid, owner.st_gid)


def build(report, folder):
    """Every step of both stages; the settings of the image and where its root is."""
    stages, image, stubs = {}, {}, os.path.join(folder, "stubs")
    os.makedirs(stubs)
    with open(os.path.join(stubs, "apt-get"), "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o755)
        file.write(APT)
    root = None
    for instruction, rest in steps_of(FILE):
        words = shlex.split(rest)
        if instruction == "FROM":
            root = os.path.join(folder, words[-1])
            stages[words[-1]] = root
            os.makedirs(root)
        elif instruction == "COPY":
            stage = words[0].split("=")[1] if words[0].startswith("--from=") else None
            copy(words[1:] if stage else words, root, stages[stage] if stage else ROOT)
        elif instruction == "RUN":
            done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "bash", "-c", BUILD], capture_output=True, text=True, check=False,
                                  env={**os.environ, "root": root, "stubs": stubs, "step": rest})
            report.say(done.returncode == 0, f"RUN {rest[:60]}", (done.stdout + done.stderr)[-1500:])
        else:
            image[instruction] = rest
    return image, root


class Container:
    """The image as an engine runs it."""

    def __init__(self, root, image, settings, folder):
        self.root, self.user = root, image["USER"]
        self.state = os.path.join(folder, "state")
        os.makedirs(self.state)
        uid, gid = map(int, self.user.split(":"))
        os.chown(self.state, uid, gid)
        with open(os.path.join(root, "etc/gatehouse/gatehouse.yaml"), "w", encoding="utf-8") as file:
            json.dump(settings, file)
        self.log = open(os.path.join(folder, "container.log"), "w+b")
        self.process = self.start(json.loads(image["ENTRYPOINT"]) + json.loads(image["CMD"]), subprocess.Popen, stdout=subprocess.DEVNULL, stderr=self.log)

    def start(self, command, how, **options):
        # Without --fork: the process is the program itself, and a signal reaches it.
        return how(["unshare", "--mount", "bash", "-c", RUN, "run"] + command,
                   env={**os.environ, "root": self.root, "user": self.user, "state": self.state, "become": BECOME}, stdin=subprocess.DEVNULL, **options)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def status(self, command):
        return self.start(command, subprocess.run, check=False, capture_output=True).returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def files_of(root):
    return [(os.path.join(folder, name), os.lstat(os.path.join(folder, name))) for folder, folders, files in os.walk(root) for name in folders + files]


def judge_files(report, root, user):
    found = files_of(root)
    names = {os.path.basename(path) for path, _ in found}
    report.say(not names & {"sh", "bash", "dash", "busybox", "apt-get", "dpkg", "python3", "ld.so.preload"}, f"{len(found)} files, no shell among them", names)
    report.say("gatehouse" in names and "libssl.so.3" in names, "the program and its libraries are there", names)
    report.say(not [path for path, facts in found if facts.st_mode & (stat.S_ISUID | stat.S_ISGID)], "nothing gives rights")
    uid = int(user.split(":")[0])
    own = [path[len(root):] for path, facts in found
           if not stat.S_ISLNK(facts.st_mode) and (facts.st_uid == uid or facts.st_mode & stat.S_IWOTH)]
    report.say(uid != 0 and own == ["/var/lib/gatehouse"], f"user {uid} may write its state and nothing else", own)


def settings_of(site):
    settings = json.loads(json.dumps(site.settings))
    settings.update(store={"url": "sqlite:/var/lib/gatehouse/gatehouse.db"}, audit={"file": "stdout"}, log={"level": "info"})
    return settings


def main():
    report = Report()
    with running_site(echo) as site, tempfile.TemporaryDirectory(prefix="gatehouse-container-") as folder, contextlib.ExitStack() as stack:
        image, root = build(report, folder)
        if report.failed:
            return report.status()
        judge_files(report, root, image["USER"])
        shutil.copy(os.path.join(site.folder, "jwks.json"), os.path.join(root, "etc/gatehouse"))
        check = json.loads(image["HEALTHCHECK"].split("CMD", 1)[1])
        container = Container(root, image, settings_of(site), folder)
        stack.callback(container.close)
        try:
            until(lambda: container.process.poll() is not None or site.admin("/readyz")[0] == 200, "readiness", 60)
            with site.connect() as connection:
                connection.send(site.post().wire())
                report.say(connection.read().status == 200, "it lets a request through")
        except Exception as error:  # pylint: disable=broad-except
            report.say(False, "it serves", f"{error!r}\n{container.said()}")
            return report.status()
        with open(f"/proc/{container.process.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        report.say(status["Uid"].split()[0] == image["USER"].split(":")[0] and int(status["CapBnd"], 16) == 0 and status["Seccomp"] == "2",
                   "without rights, in its sandbox", status)
        report.say(container.status(check) == 0, "the health check is content while it serves")
        container.process.terminate()
        report.say(container.process.wait(60) == 0, "SIGTERM ends it well", container.said()[-1500:])
        report.say(container.status(check) == 1, "and is not when nothing does")
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
