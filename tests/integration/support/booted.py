"""A small system with systemd as its first process, in namespaces of its own: what deploy/systemd/ is tried in."""
import os
import shutil
import signal
import subprocess
import tempfile

from .wait import until

SYSTEMD = "/lib/systemd/systemd"

# The root is a tmpfs; programs are the host's, read-only; the network is the host's, so that tests reach it.
BOOT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$root"
mkdir -p "$root"/{usr/local/bin,etc/systemd/system,etc/gatehouse,var/lib,var/log,var/tmp,home,run,proc,sys,dev,tmp,root}
for folder in bin sbin lib lib32 lib64; do [ -L "/$folder" ] && ln -s "usr/$folder" "$root/$folder"; done
for folder in bin sbin lib lib32 lib64 share; do
    [ -d "/usr/$folder" ] || continue
    mkdir -p "$root/usr/$folder"
    mount --bind -o ro "/usr/$folder" "$root/usr/$folder"
done
mount -t proc proc "$root/proc"
mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue" "$root/dev/hugepages"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache "$root/etc/"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
printf "[Journal]\nAudit=no\nReadKMsg=no\n" >"$root/etc/systemd/journald.conf"
cp -a "$files"/. "$root/"
mount --make-rshared "$root"
exec chroot "$root" /usr/bin/env -i container=test PATH=/usr/local/bin:/usr/sbin:/usr/bin \
    /lib/systemd/systemd --unit=basic.target --log-target=console --show-status=no
"""


def can_boot():
    """Is there a systemd, and may this process make namespaces with a control group of their own? Not in every container."""
    mount = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/group && mount -t cgroup2 cgroup2 /mnt/group"
    return os.access(SYSTEMD, os.X_OK) and subprocess.run(["unshare", "--mount", "--pid", "--fork", "--cgroup", "sh", "-c", mount],
                                                          capture_output=True, check=False).returncode == 0


class Booted:
    """`files` is a folder whose contents are put into the root before the boot."""

    def __init__(self, files, log):
        self.root = tempfile.mkdtemp(prefix="gatehouse-root-")
        self.log = open(log, "wb")
        self.outer = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--cgroup", "--uts", "--ipc", "bash", "-c", BOOT],
                                      env={**os.environ, "root": self.root, "files": files}, stdin=subprocess.DEVNULL,
                                      stdout=self.log, stderr=self.log)
        self.first = until(self.find_first, "first process of the namespace")
        until(lambda: self.state() in ("running", "degraded"), "end of the boot", 60)

    def find_first(self):
        assert self.outer.poll() is None, "the namespaces could not be made"
        with open(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        return int(children[0]) if children else None

    def state(self):
        return self.run("systemctl", "is-system-running").stdout.strip()

    def run(self, *command):
        """In there, as root; the finished process with its output."""
        return subprocess.run(["nsenter", "--target", str(self.first), "--mount", "--pid", "--root", "--wd", *command], capture_output=True,
                              text=True, check=False, timeout=120)

    def show(self, unit, *names):
        """Properties of a unit; one as its value."""
        text = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        values = dict(line.split("=", 1) for line in text.splitlines())
        return values if len(names) > 1 else values[names[0]]

    def path(self, name):
        """Where a file of its root is seen from outside."""
        return f"/proc/{self.first}/root{name}"

    def close(self):
        for pid in (self.first, self.outer.pid):
            try:
                os.kill(pid, signal.SIGKILL)  # the namespace ends with its first process
            except ProcessLookupError:
                pass
        self.outer.wait()
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)
