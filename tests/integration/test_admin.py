"""The admin listener and settings: health, metrics, what check says, and that the public side knows nothing of it."""
import os
import re
import subprocess

import pytest

from support import command
from support.gateway import BINARY
from support.wait import free_port, until

pytestmark = pytest.mark.threads


def test_health_and_metrics(gateway):
    gateway.accepted(gateway.post())
    gateway.send(gateway.post(token=False))
    assert gateway.admin("/healthz")[0] == 200 and gateway.admin("/readyz")[0] == 200
    status, text = gateway.admin("/metrics")
    assert status == 200 and text.endswith("\n")
    for line in text.splitlines():
        assert re.match(r'(# (HELP|TYPE) [a-z0-9_:]+ .+|[a-z0-9_:]+(\{([a-z_]+="[^"\\]*",?)*\})? [0-9.e+-]+(Inf|NaN)?)$', line), line
    for reason in ("ok", "token_missing"):
        counted = [line for line in text.splitlines() if f'reason="{reason}"' in line and not line.startswith("#")]
        assert counted and sum(float(line.rsplit(" ", 1)[1]) for line in counted) >= 1, reason
    assert "alice" not in text and gateway.authority not in text


def test_the_public_listener_knows_no_admin_paths(gateway):
    unknown = gateway.send(gateway.post(target="/unknown"))
    for path in ("/metrics", "/healthz", "/readyz", "/admin/v1"):
        answer = gateway.send(gateway.post(target=path))
        assert (answer.status, answer.body, answer.audit["reason"]) == (404, unknown.body, "route_unknown")


def check(site):
    site.write("gatehouse.yaml", site.settings)
    return subprocess.run([BINARY, "check", "-c", "gatehouse.yaml"], cwd=site.folder, capture_output=True, text=True, timeout=60)


def test_check_accepts_good_settings(site):
    found = check(site)
    assert found.returncode == 0, found.stderr


BROKEN = {
    "unknown key": (lambda s: s.update(wokers=2), "wokers"),
    "wrong type": (lambda s: s.update(workers="many"), "workers"),
    "out of range": (lambda s: s.update(workers=100000), "workers"),
    "no tenant": (lambda s: s["routes"][0].update(tenant="nobody"), "tenant"),
    "no issuer": (lambda s: s["tenants"]["acme"].update(issuers=["nobody"]), "issuers"),
    "HMAC": (lambda s: s["issuers"]["idp"].update(algs=["HS256"]), "algs"),
    "none": (lambda s: s["issuers"]["idp"].update(algs=["none"]), "algs"),
    "shared audience": (lambda s: s["routes"].append({**s["routes"][0], "name": "twin"}), "routes"),
    "no binding": (lambda s: s["routes"][0].update(audiences=[]), "audiences"),
    "missing file": (lambda s: s["issuers"]["idp"].update(jwks_file="nowhere.json"), "jwks_file"),
}


def serve_again(site):
    return subprocess.run([BINARY, "serve", "-c", "gatehouse.yaml"], cwd=site.folder, capture_output=True, text=True, timeout=60, check=False)


def test_what_may_go_well_later_has_an_exit_status_of_its_own(site):
    """deploy/systemd/ starts it again then, and not when the settings are at fault."""
    site.start()
    run = serve_again(site)
    assert run.returncode == 75 and f"cannot listen on 127.0.0.1:{site.admin_port}" in run.stderr, run.stderr
    site.settings["wokers"] = 1
    site.write_settings()
    assert serve_again(site).returncode == 1


@pytest.mark.parametrize("change, key", BROKEN.values(), ids=BROKEN)
def test_check_says_where_and_what(site, change, key):
    assert check(site).returncode == 0
    change(site.settings)
    found = check(site)
    said = found.stdout + found.stderr
    assert found.returncode == 1
    assert re.search(rf"^[^\n]*gatehouse\.yaml:\d+:\d+: [^\n]*{key}[^\n]*: .+, .+$", said, re.M), said  # reason: settings_invalid


def test_serve_refuses_what_check_refuses(site):
    site.settings["wokers"] = 2
    site.write("gatehouse.yaml", site.settings)
    run = subprocess.run([BINARY, "serve", "-c", "gatehouse.yaml"], cwd=site.folder, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "wokers" in run.stderr and not os.path.exists(site.audit_path)


def test_duplicate_keys_and_anchors(site):
    good = check(site)
    assert good.returncode == 0
    with open(os.path.join(site.folder, "gatehouse.yaml"), encoding="utf-8") as file:
        text = file.read()
    for bad in (text.replace('"workers": 2,', '"workers": 2,\n"workers": 2,'), text.replace('"workers": 2', '"workers": &a 2')):
        assert bad != text
        with open(os.path.join(site.folder, "bad.yaml"), "w", encoding="utf-8") as file:
            file.write(bad)
        run = subprocess.run([BINARY, "check", "-c", "bad.yaml"], cwd=site.folder, capture_output=True, text=True, timeout=60)
        assert run.returncode == 1 and re.search(r"bad\.yaml:\d+:\d+:", run.stdout + run.stderr)


def test_versions_of_what_is_linked_are_told():
    run = subprocess.run([BINARY, "version"], capture_output=True, text=True, timeout=60)
    told = dict(line.split(None, 1) for line in run.stdout.splitlines() if not line.startswith(("warning: ", "note: ")))
    assert run.returncode == 0 and set(told) >= {"gatehouse", "openssl", "libevent", "nghttp2", "libcurl", "libyaml", "seccomp"}
    assert all(re.match(r"\d+\.\d+", version) for version in told.values())
    for line in run.stdout.splitlines():
        if line.startswith("warning: "):
            assert re.fullmatch(r"warning: \S+ \S+ is below \S+, which holds security fixes Gatehouse counts on", line)


def test_the_admin_interface_asks_for_its_token(site, tmp_path):
    token = tmp_path / "token"
    token.write_text("t0p-s3cret-of-the-operator\n")
    token.chmod(0o600)
    site.settings["admin"]["token_file"] = "token"
    site.start()
    status, text = site.admin("/admin/v1")
    assert status == 401 and "The admin token is needed" in text  # reason: admin_unauthorized
    assert site.admin("/healthz")[0] == 200  # reason: admin
    assert "t0p-s3cret" not in site.log()


def test_not_ready_without_keys(site):
    site.settings["issuers"]["idp"] = {"issuer": "http://127.0.0.1:1", "algs": ["RS256"]}
    site.start(ready="/healthz")
    status, text = site.admin("/readyz")
    assert status == 503 and "Not ready" in text  # reason: not_ready


def health(site, *options):
    done = subprocess.run([BINARY, "health", "-c", "gatehouse.yaml", *options], cwd=site.folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_health_of_what_runs(site):
    """Well, but not ready without the keys of an issuer; neither before and after; no admin token is needed."""
    site.settings["issuers"]["idp"] = {"issuer": f"http://127.0.0.1:{free_port()}"}
    site.write("gatehouse.yaml", site.settings)
    assert health(site) == (1, "gatehouse health: no gateway answers at admin.address of gatehouse.yaml\n")
    site.start(ready="/healthz")
    assert health(site)[0] == 0 and health(site, "--ready")[0] == 1
    site.settings["issuers"]["idp"] = {"issuer": site.issuer.url, "jwks_file": "jwks.json"}
    site.reload()
    until(lambda: health(site, "--ready")[0] == 0, "readiness")
    site.stop()
    assert health(site)[0] == 1
    assert subprocess.run([BINARY, "health"], capture_output=True, check=False).returncode == 2


def test_nodes_without_a_store(gateway):
    assert "the settings name no store" in command.run(gateway, "node", "list", status=1)
    status, answer = command.ask(gateway, "nodes/list", {})
    assert (status, answer["reason"]) == (404, "admin_unknown")
    assert subprocess.run([BINARY, "node", "-c", "gatehouse.yaml", "end"], cwd=gateway.folder, capture_output=True, check=False).returncode == 2
