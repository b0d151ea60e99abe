"""`gatehouse serve --upstream URL` and nothing else: one command, one link, and an MCP client gets in."""
import json
import os
import re
import signal
import stat
import subprocess

import pytest

from support.browser import Browser
from support.gateway import BINARY, REPORTS
from support.http1 import Connection
from support.wait import free_port, until
from test_code_flow import Client, register

HOMELESS = {name: value for name, value in os.environ.items() if name not in ("STATE_DIRECTORY", "XDG_STATE_HOME", "HOME")}


class Turnkey:
    """What a person at a terminal has: a command, and what it prints."""

    def __init__(self, folder, upstream):
        self.folder, self.upstream, self.port, self.process = folder, upstream, free_port(), None
        self.authority = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.authority}"
        self.log_path = folder / "stderr"
        self.route = {"resource": f"{self.origin}/mcp"}

    def start(self, **environment):
        said = self.log().count("MCP clients connect to") if self.log_path.exists() else 0
        with open(self.log_path, "ab") as errors, open(self.folder / "stdout", "ab") as output:
            self.process = subprocess.Popen([BINARY, "serve", "--upstream", self.upstream.url, "--listen", self.authority], cwd=self.folder,
                                            env={**HOMELESS, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        until(lambda: self.log().count("MCP clients connect to") > said, "word of where to connect")
        return self

    def log(self):
        return self.log_path.read_text()

    def setup_link(self):
        return until(lambda: re.findall(r"^ +(http\S+/setup\?token=\S+)$", self.log(), re.M), "setup link")[-1]

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.log()
            self.process = None
            assert not REPORTS.search(self.log()), self.log()


@pytest.fixture
def turnkey(tmp_path, upstream):
    made = Turnkey(tmp_path, upstream)
    yield made
    made.stop()


def call(turnkey, token):
    request = b"\r\n".join([b"POST /mcp HTTP/1.1", b"Host: " + turnkey.authority.encode(), b"Content-Type: application/json",
                            b"Accept: application/json, text/event-stream", b"Authorization: Bearer " + token.encode(),
                            b"Content-Length: 46", b"", b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'])
    with Connection(turnkey.port) as connection:
        connection.send(request)
        return connection.read()


def test_one_command_and_one_link(turnkey, tmp_path):
    turnkey.start(XDG_STATE_HOME=str(tmp_path / "deep" / "state"))
    pasted = re.search(r"^ +(\{.*mcpServers.*\})$", turnkey.log(), re.M).group(1)
    assert json.loads(pasted)["mcpServers"]["mcp"]["url"] == turnkey.route["resource"]
    browser = Browser(turnkey)
    browser.set_up()
    client = Client(turnkey, register(turnkey)["client_id"], "cursor://app/cb")
    status, tokens = client.redeem(client.code_of(browser.allow(browser.open(client.url()))))
    assert status == 200 and tokens["scope"] == "mcp:read mcp:write"
    assert call(turnkey, tokens["access_token"]).status == 200
    assert call(turnkey, "none").status == 401
    state = tmp_path / "deep" / "state" / "gatehouse"
    for path in (tmp_path / "deep", state, state / "keys", state / "gatehouse.db"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    # it is all still there after a restart, and nothing is offered again
    offered = turnkey.log().count("/setup?token=")
    turnkey.stop()
    turnkey.start(XDG_STATE_HOME=str(tmp_path / "deep" / "state"))
    assert call(turnkey, tokens["access_token"]).status == 200
    assert "Signed in as ada" in browser.open(f"{turnkey.origin}/account").text
    assert turnkey.log().count("/setup?token=") == offered


@pytest.mark.parametrize("environment, folder", [({"HOME": "home"}, "home/.local/state/gatehouse"), ({"STATE_DIRECTORY": "a"}, "a"),
                                                 ({"HOME": "home", "XDG_STATE_HOME": "x", "STATE_DIRECTORY": "b"}, "b")])
def test_where_the_state_is(turnkey, tmp_path, environment, folder):
    turnkey.start(**{name: str(tmp_path / path) for name, path in environment.items()})
    assert (tmp_path / folder / "gatehouse.db").exists()


def test_without_a_place_for_the_state(tmp_path):
    command = [BINARY, "serve", "--upstream", "http://127.0.0.1:1/mcp"]
    for environment in ({}, {"HOME": "relative"}, {"STATE_DIRECTORY": "/proc/nowhere"}):
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**HOMELESS, **environment}, cwd=tmp_path)
        assert found.returncode == 1 and "STATE_DIRECTORY" in found.stderr, found.stderr
