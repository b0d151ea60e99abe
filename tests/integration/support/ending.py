"""Access that is ended (by token, grant or user) while event streams are open, and when those notice."""
import json
import select
import time
import urllib.parse

from .http1 import Connection, Request
from .issuer import claims_of
from .upstream import echo

FORM = ("Content-Type", "application/x-www-form-urlencoded")
PLAIN = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def stream_or_echo(call):
    """A script: an event stream that says one thing and stays open, or, for a plain call, its echo."""
    if call.seen.body == PLAIN:
        return echo(call)
    call.open_stream()
    call.event(b"data: first\n\n")
    return call.wait_gone(60)


def ask(site, request, port=None):
    """(status, JSON), asked of this very process."""
    with Connection(port or site.port) as connection:
        connection.send(request.wire())
        answer = connection.read()
    return answer.status, json.loads(answer.body)


def tokens_of(client, browser):
    """Of a grant of its own, for a client that is not asked about any more."""
    status, tokens = client.redeem(client.code_of(browser.open(client.url())))
    assert status == 200, tokens
    return tokens


# ---- streams

class Held:
    """An event stream that is held open."""

    def __init__(self, site, token):
        self.connection, self.cut_at = site.connect(), None
        self.connection.send(site.post(token).wire())
        answer = self.connection.read_head()
        assert answer.status == 200, answer
        assert next(self.connection.events(answer)) == b"data: first\n\n"

    def fileno(self):
        return self.connection.socket.fileno()

    def notice(self):
        if not self.connection.fill():
            self.cut_at = time.monotonic()

    def close(self):
        self.connection.close()


def still_open(streams, seconds):
    """Those that nobody has cut after so long; the others know when they were, and are closed."""
    end, left = time.monotonic() + seconds, list(streams)
    while left:
        ready = select.select(left, (), (), max(0.0, end - time.monotonic()))[0]
        if not ready:
            break
        for stream in ready:
            stream.notice()
            if stream.cut_at is not None:
                stream.close()
        left = [stream for stream in left if stream.cut_at is None]
    return left


# ---- ways to end access: each returns when it is acknowledged by that process

def revoke_by_client(site, client, token):
    """RFC 7009."""
    body = urllib.parse.urlencode({"client_id": client.asked["client_id"], "token": token}).encode()
    status, answer = ask(site, Request("POST", "/oauth/revoke", (("Host", site.authority), FORM), body))
    assert status == 200, answer


def end_token(site, client, tokens):
    revoke_by_client(site, client, tokens["access_token"])


def end_grant(site, client, tokens):
    """Section 2.1: with a refresh token go the access tokens of its grant."""
    revoke_by_client(site, client, tokens["refresh_token"])


def end_user(site, _, tokens):
    wish = {"level": "user", "tenant": "acme", "issuer": "house", "id": claims_of(tokens["access_token"])["sub"]}
    fields = (("Host", f"127.0.0.1:{site.admin_port}"), ("Content-Type", "application/json"))
    status, answer = ask(site, Request("POST", "/admin/v1/revoke", fields, json.dumps(wish).encode()), site.admin_port)
    assert status == 200, answer


ENDINGS = {"token": end_token, "grant": end_grant, "user": end_user}
