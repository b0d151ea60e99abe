"""Two gateways behind a real balancer, as deploy/balancer/ sets it up: who the client is, and what happens when one of them goes."""
import os
import re
import signal
import subprocess

import pytest

from support import pages
from support.http1 import Connection
from support.pair import neighbour_of
from support.wait import free_port, is_free, until

CLIENT = "127.0.0.77"  # an address of its own, that only the PROXY protocol can tell


@pytest.fixture
def fleet(site, authority):
    """Two gateways, ready, that have the same certificate and keys."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    with open(os.open(os.path.join(site.folder, "sessions.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write("0123456789abcdef" * 4 + "\n")
    site.settings["listen"][0].update(proxy_protocol=True, tls={"certificate": certificate, "key": key})
    site.settings.update(trusted_proxies=["127.0.0.1"], sessions={"key_file": "sessions.key", "tls_tickets": True})
    neighbour = neighbour_of(site)
    neighbour.settings["listen"][0].update(proxy_protocol=True, tls={"certificate": certificate, "key": key})
    site.issuer.resource = site.route["resource"]
    made = [site.start(), neighbour.start()]
    yield made
    neighbour.stop()


def settings_of(balancer, fleet, port):
    """The example with its third gateway left out, on ports of this machine."""
    text = pages.read(f"deploy/balancer/{balancer}")
    text = re.sub(r"^.*10\.20\.0\.13:8443.*\n", "", text, flags=re.M)
    for number, site in enumerate(fleet):
        text = re.sub(rf"^(.*)10\.20\.0\.1{number + 1}:8443(.*)$", rf"\g<1>127.0.0.1:{site.port}\g<2>", text, flags=re.M)
        text = re.sub(rf"^(\s*server .*127\.0\.0\.1:{site.port})$", rf"\g<1> port {site.admin_port}", text, flags=re.M)  # HAProxy's check
    text = text.replace("0.0.0.0:443", f"127.0.0.1:{port}").replace("maxconn 100000", "maxconn 1000")  # as the tests' machine has it
    assert "10.20." not in text.replace("trusted_proxies: [10.20.0.5]", ""), text
    return text


def haproxy(folder, file):
    return ["haproxy", "-db", "-f", file]


def nginx(folder, file):
    return ["nginx", "-p", folder, "-c", file, "-e", "stderr", "-g", f"daemon off; pid {folder}/nginx.pid; user root;"]


@pytest.fixture(params=(("haproxy.cfg", haproxy), ("nginx.conf", nginx)), ids=("haproxy", "nginx"))
def balancer(request, fleet):
    """Its port."""
    name, command = request.param
    port, folder = free_port(), fleet[0].folder
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(settings_of(name, fleet, port))
    with open(os.path.join(folder, "balancer.log"), "wb") as log:
        process = subprocess.Popen(command(folder, path), cwd=folder, stdout=log, stderr=log)
    with open(os.path.join(folder, "balancer.log"), encoding="utf-8") as log:
        until(lambda: process.poll() is not None or not is_free(port), "balancer")
        assert process.poll() is None, log.read()
        yield port
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def ask(site, authority, port, token):
    """The status, by way of the balancer; 0 where the connection came to nothing."""
    try:
        with Connection(port, tls=authority.client("http/1.1"), source=CLIENT) as connection:
            connection.send(site.post(token).wire())
            return connection.read().status
    except (OSError, AssertionError):
        return 0


def seen_by(fleet):
    return [sum(line["reason"] == "ok" for line in site.audit()) for site in fleet]


def test_clients_are_spread_and_known(fleet, balancer, authority):
    token = fleet[0].issuer.token()
    until(lambda: ask(fleet[0], authority, balancer, token) == 200, "service")
    until(lambda: ask(fleet[0], authority, balancer, token) == 200 and min(seen_by(fleet)) > 0, "both at work")
    for site in fleet:
        assert {line["ip"] for line in site.audit() if line["reason"] == "ok"} == {CLIENT}


def test_one_that_goes_is_not_missed(fleet, balancer, authority):
    token = fleet[0].issuer.token()
    until(lambda: ask(fleet[0], authority, balancer, token) == 200 and min(seen_by(fleet)) > 0, "both at work")
    gone, left = fleet[1], fleet[0]
    before = seen_by([left])[0]
    gone.process.send_signal(signal.SIGTERM)
    gone.process.wait(60)
    until(lambda: [ask(left, authority, balancer, token) for _ in range(10)] == [200] * 10, "service by the other")
    until(lambda: seen_by([left])[0] >= before + 10, "its audit lines")
    gone.start()
    before = seen_by([gone])[0]
    until(lambda: ask(left, authority, balancer, token) == 200 and seen_by([gone])[0] > before, "the first one back")
