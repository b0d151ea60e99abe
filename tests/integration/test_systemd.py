"""deploy/systemd/ under a real systemd: sockets and secrets of its own, no rights, kill -9, reload and upgrade without a loss."""
import os
import re
import resource
import shutil
import time

import pytest
import yaml

from support.booted import Booted, can_boot
from support.gateway import BINARY, ROOT
from support.load import KeepAlive, Load, OneShot, Tally, same
from support.wait import until

UNITS = os.path.join(ROOT, "deploy", "systemd")
MAIN, NEXT = "gatehouse@main.service", "gatehouse@next.service"
# The leak check of a sanitized build needs calls that the units take away, and its memory is no secret.
# A container may not raise its own limit of descriptors.
DROP_IN = f"[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\nLimitNOFILE={min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)}\n"

NEEDS_ROOT = "only root can boot a systemd, and not in every container"
pytestmark = [pytest.mark.boots, pytest.mark.skipif(os.geteuid() != 0 or not can_boot(), reason=NEEDS_ROOT)]


def put(folder, name, data, mode=0o644):
    path = os.path.join(folder, name.lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
    os.chmod(path, mode)


def read(*parts):
    with open(os.path.join(*parts), "rb") as file:
        return file.read()


@pytest.fixture
def installed(site, authority, tmp_path):
    """A root as docs/operations.md has it made: the files of deploy/systemd/ as they are, but for the ports of this test."""
    files = str(tmp_path / "files")
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    settings = yaml.safe_load(read(UNITS, "gatehouse.yaml"))
    settings["listen"][0]["address"] = f"0.0.0.0:{site.port}"
    settings["admin"]["address"] = f"127.0.0.1:{site.admin_port}"
    site.route["resource"] = site.issuer.resource = f"https://{site.authority}/weather/mcp"
    settings.update({name: site.settings[name] for name in ("issuers", "tenants", "routes")})
    site.settings, site.tls = settings, authority.client("http/1.1")
    put(files, "/etc/gatehouse/gatehouse.yaml", yaml.safe_dump(settings))
    put(files, "/etc/gatehouse/jwks.json", read(site.folder, "jwks.json"))
    put(files, "/etc/gatehouse/tls.crt", read(certificate))
    put(files, "/etc/gatehouse/tls.key", read(key), 0o600)
    put(files, "/etc/gatehouse/sessions.key", os.urandom(32).hex(), 0o600)
    for unit in ("gatehouse@.service", "gatehouse.socket"):
        put(files, f"/etc/systemd/system/{unit}", read(UNITS, unit))
    put(files, "/etc/sysusers.d/gatehouse.conf", read(UNITS, "sysusers.conf"))
    put(files, "/etc/systemd/system/gatehouse.socket.d/ports.conf",
        f"[Socket]\nListenStream=\nListenStream=0.0.0.0:{site.port}\nListenStream=127.0.0.1:{site.admin_port}\n")
    put(files, "/etc/systemd/system/gatehouse@.service.d/test.conf", DROP_IN)
    put(files, "/usr/local/bin/gatehouse", read(BINARY), 0o755)
    site.system = Booted(files, os.path.join(site.folder, "boot.log"))
    done = site.system.run("systemd-sysusers")
    assert done.returncode == 0, done
    yield site
    site.system.close()
    shutil.rmtree(files)


def start(site, *units):
    done = site.system.run("systemctl", "start", *units)
    assert done.returncode == 0, f"{done.stderr}\n{site.system.run('systemctl', 'status', *units).stdout}\n{journal(site)}"


def journal(site):
    return site.system.run("journalctl", "--no-pager", "--output=cat").stdout[-4000:]


def is_active(site, unit):
    return site.system.show(unit, "ActiveState") == "active"


def ask(site):
    with site.connect(tls=site.tls) as connection:
        connection.send(site.post().wire())
        return connection.read().status


def load_of(site, tally):
    raw = site.post().wire()
    return Load(tally, [OneShot(tally, site.port, same(raw), site.tls) for _ in range(2)] + [KeepAlive(tally, site.port, same(raw), site.tls)])


def more_answers(tally, count=20):
    before = tally.answered
    until(lambda: tally.answered >= before + count, "answers")


def test_the_units_are_sound(installed):
    """systemd's own reading of them: no word is wrong, and it finds little that the process could harm."""
    run = installed.system.run
    done = run("systemd-analyze", "verify", MAIN, "gatehouse.socket")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", MAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    installed.system.run("sed", "-i", "s/^ProtectSystem=.*/ProtectSystems=strict/; /^Restrict/d; /^SystemCall/d",
                         "/etc/systemd/system/gatehouse@.service")
    assert "ProtectSystems" in run("systemd-analyze", "verify", MAIN).stderr
    assert run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", MAIN).returncode != 0


def test_it_runs_without_rights_on_the_managers_sockets(installed):
    """The first request starts it; secrets come from files that its user cannot read."""
    site = installed
    start(site, "gatehouse.socket")
    assert not is_active(site, MAIN)
    assert ask(site) == 200 and is_active(site, MAIN)
    assert site.admin("/readyz")[0] == 200
    log = journal(site)
    assert log.count("listening on an inherited socket") == 1 and "fits no listener" not in log and "cannot read a file again" not in log
    pid = site.system.show(MAIN, "MainPID")
    status = site.system.run("cat", f"/proc/{pid}/status").stdout
    uid = site.system.run("id", "-u", "gatehouse").stdout.strip()
    assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$", status, re.M) and uid != "0"
    for field, value in (("CapEff", "0000000000000000"), ("CapBnd", "0000000000000000"), ("NoNewPrivs", "1"), ("Seccomp", "2")):
        assert re.search(rf"^{field}:\s+{value}$", status, re.M), (field, status)
    # The audit log is a file of its own, the error log went to the journal.
    audit = until(lambda: read(site.system.path("/var/log/gatehouse/audit.jsonl")), "audit line").decode()
    assert '"reason":"ok"' in audit and "listening on an inherited socket" not in audit
    assert os.stat(site.system.path("/var/log/gatehouse/audit.jsonl")).st_mode & 0o777 == 0o640
    assert os.stat(site.system.path("/run/gatehouse/handover")).st_mode & 0o777 == 0o600
    assert site.system.run("systemctl", "stop", MAIN).returncode == 0
    assert site.system.show(MAIN, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}


def test_kill_9_refuses_nobody(installed):
    site, tally, kills = installed, Tally(), []
    start(site, "gatehouse.socket", MAIN)
    with load_of(site, tally):
        more_answers(tally)
        before = time.monotonic()
        assert site.system.run("systemctl", "kill", "--signal=KILL", MAIN).returncode == 0
        until(lambda: site.system.show(MAIN, "NRestarts") == "1" and is_active(site, MAIN), "restart")
        kills.append((before, time.monotonic()))
        more_answers(tally)
    assert tally.refused == 0 and tally.unexplained(kills) == [], tally.failed


def test_reload(installed):
    """Good settings come into force; bad ones fail the command, which says why, and change nothing."""
    site = installed
    start(site, MAIN)

    def reload():
        with open(site.system.path("/etc/gatehouse/gatehouse.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump(site.settings, file)
        return site.system.run("systemctl", "reload", MAIN).returncode

    site.settings["routes"][0]["scopes"] = ["mcp:other"]
    assert reload() == 0
    until(lambda: ask(site) == 403, "new settings")
    site.settings["wokers"] = 1
    site.settings["routes"][0]["scopes"] = ["mcp:read"]
    assert reload() != 0 and "wokers" in journal(site)
    assert ask(site) == 403 and is_active(site, MAIN)


def test_upgrade(installed):
    """As docs/operations.md says: the next one takes over, then the new main one from that; a bad one changes nothing."""
    site, tally = installed, Tally()
    start(site, "gatehouse.socket", MAIN)
    old = site.system.show(MAIN, "MainPID")
    with load_of(site, tally):
        more_answers(tally)
        good = read(site.system.path("/etc/gatehouse/gatehouse.yaml"))
        with open(site.system.path("/etc/gatehouse/gatehouse.yaml"), "ab") as file:
            file.write(b"wokers: 1\n")
        assert site.system.run("systemctl", "start", NEXT).returncode != 0
        assert site.system.show(MAIN, "MainPID") == old
        with open(site.system.path("/etc/gatehouse/gatehouse.yaml"), "wb") as file:
            file.write(good)
        more_answers(tally)
        start(site, NEXT)
        start(site, MAIN)
        assert site.system.show(MAIN, "MainPID") not in (old, "0")
        until(lambda: site.system.show(NEXT, "ActiveState") == "inactive", "end of the next one")
        more_answers(tally)
    assert (tally.refused, tally.failed) == (0, []), journal(site)
    assert site.system.show(NEXT, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
