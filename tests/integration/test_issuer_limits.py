"""Limits of a managed issuer per client and per address: a request at the limit, one over it, and one line in the audit log for each window."""
import json
import os
import urllib.parse

import pytest

from support.browser import Browser
from support.http1 import Connection, Request
from support.store import rewrite, rows_of
from test_code_flow import CALLBACK, Client, house  # noqa: F401  (a fixture)
from test_issuer import SECRET, ask, basic


@pytest.fixture
def limited(house):  # noqa: F811
    """Small limits; windows of a minute and more, so that none ends while a test runs over."""
    with open(os.open(os.path.join(house.folder, "secret"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(SECRET)
    house.settings["workers"] = 1  # its lines come in order
    managed = house.settings["issuers"]["house"]["managed"]
    managed["clients"]["svc"] = {"auth": "client_secret_basic", "secret_file": "secret", "client_credentials": True}
    managed["limits"] = {"authorize_per_minute": 3, "token_per_minute": 3, "push_per_minute": 3, "registrations_per_hour": 2,
                         "login_failures_per_minute": 2, "pending_per_address": 3, "pending": 3}
    return house


def told(site, reason):
    """The lines that say so, once all that came before have been written."""
    site.audit_of_id(ask(site, "/oauth/jwks")[2]["x-request-id"])
    return [line for line in site.audit() if line["reason"] == reason]


def at_once(site, requests):
    """The statuses of requests whose last bytes come together, each on a connection of its own."""
    connections = [Connection(site.port) for _ in requests]
    for connection, request in zip(connections, requests):
        connection.send(request.wire()[:-1])
    for connection, request in zip(connections, requests):
        connection.send(request.wire()[-1:])
    answers = [connection.read(request.method) for connection, request in zip(connections, requests)]
    for connection in connections:
        connection.close()
    return sorted(answer.status for answer in answers)


def from_address(address):
    return (("X-Forwarded-For", address), ("X-Forwarded-Proto", "http"))


def registration(site, *fields):
    body = json.dumps({"client_name": "x", "redirect_uris": [CALLBACK]}).encode()
    return Request("POST", "/oauth/register", (("Host", site.authority), ("Content-Type", "application/json"), *fields), body)


def over(site, answer, reason):
    """Refused, and told when to come back; one more of them is not written down again."""
    assert answer.status == 429 and 1 <= int(answer["retry-after"]) <= 3600, answer
    assert site.audit_of_id(answer["x-request-id"])["reason"] == reason
    return answer


def test_token_requests_of_a_client(limited):
    limited.start()
    form, svc = {"grant_type": "client_credentials"}, basic("svc", SECRET)
    for _ in range(3):
        assert ask(limited, "/oauth/token", form, svc)[0] == 200
    status, body, answer = ask(limited, "/oauth/token", form, svc)
    assert (status, body["error"]) == (429, "slow_down")
    line = over(limited, answer, "client_throttled") and told(limited, "client_throttled")[0]  # reason: client_throttled
    assert line["client"] == "svc" and "token.refused" in line["events"]
    for _ in range(5):
        assert ask(limited, "/oauth/token", form, svc)[0] == 429
    # who cannot prove to be it uses up nothing of it, and another client has its own
    assert ask(limited, "/oauth/token", form, basic("svc", "wrong"))[0] == 401
    assert ask(limited, "/oauth/token", {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "app"})[0] == 400
    assert len(told(limited, "client_throttled")) == 1


def test_revocations_of_a_client(limited):
    limited.start()
    form, svc = {"token": "x"}, basic("svc", SECRET)
    assert [ask(limited, "/oauth/revoke", form, svc)[0] for _ in range(3)] == [200] * 3
    status, body, answer = ask(limited, "/oauth/revoke", form, svc)
    assert (status, body["error"]) == (429, "slow_down")
    over(limited, answer, "client_throttled")
    assert ask(limited, "/oauth/token", {"grant_type": "client_credentials"}, svc)[0] == 200  # counted apart
    assert ask(limited, "/oauth/revoke", {"token": "x", "client_id": "app"})[0] == 200


def test_introspections_of_a_client(limited):
    limited.settings["issuers"]["house"]["managed"]["limits"]["introspections_per_minute"] = 3
    limited.start()
    form, svc = {"token": "x"}, basic("svc", SECRET)
    assert [ask(limited, "/oauth/introspect", form, svc)[0] for _ in range(3)] == [200] * 3
    status, body, answer = ask(limited, "/oauth/introspect", form, svc)
    assert (status, body["error"]) == (429, "slow_down")
    over(limited, answer, "client_throttled")
    assert ask(limited, "/oauth/revoke", form, svc)[0] == 200  # counted apart


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"])
def test_who_is_not_the_client_that_it_names(limited, path):
    """Failures cost the address, and hold up nobody who is what he says; unknown names and wrong secrets count alike."""
    managed = limited.settings["issuers"]["house"]["managed"]
    managed["limits"].update({"client_failures_per_minute": 3, "token_per_minute": 100})
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.settings["shared_sources"] = ["198.51.100.9/32"]
    limited.start()

    def come(address, form, *fields):
        return ask(limited, path, form, *fields, fields=from_address(address))

    wrong, unknown = ({"token": "x"}, basic("svc", "wrong")), ({"token": "x", "client_id": "nobody"},)
    assert [come("198.51.100.1", *one)[0] for one in (wrong, unknown, wrong)] == [401] * 3
    status, body, answer = come("198.51.100.1", *wrong)
    assert (status, body["error"]) == (429, "slow_down") and 1 <= int(answer["retry-after"]) <= 60
    assert limited.audit_of_id(answer["x-request-id"])["reason"] == "requests_throttled"
    assert [come("198.51.100.1", *one)[0] for one in (unknown, wrong)] == [429] * 2
    assert len(told(limited, "requests_throttled")) == 1
    form = {"grant_type": "client_credentials"}
    assert ask(limited, "/oauth/token", form, basic("svc", SECRET), fields=from_address("198.51.100.1"))[0] == 200
    assert come("198.51.100.2", *wrong)[0] == 401
    assert [come("198.51.100.9", *wrong)[0] for _ in range(5)] == [401] * 5


def test_anybody_can_name_a_public_client_and_slows_down_himself_alone(limited):
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.settings["shared_sources"] = ["198.51.100.9/32"]
    limited.start()
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "app"}

    def come(address):
        return ask(limited, "/oauth/token", form, fields=(("X-Forwarded-For", address), ("X-Forwarded-Proto", "http")))[0]

    assert [come("198.51.100.1") for _ in range(4)] == [400, 400, 400, 429]
    assert come("198.51.100.2") == 400
    assert [come("198.51.100.9") for _ in range(6)] == [400] * 6


def test_pushed_requests_of_a_client(limited):
    limited.settings["issuers"]["house"]["managed"]["limits"].update({"pending_per_address": 4, "pending": 4})
    limited.start()
    client = Client(limited)
    for _ in range(3):
        assert ask(limited, "/oauth/par", client.asked)[0] == 201
    status, body, answer = ask(limited, "/oauth/par", client.asked)
    assert (status, body["error"]) == (429, "slow_down")
    over(limited, answer, "client_throttled")
    assert ask(limited, "/oauth/par", client.asked)[0] == 429
    assert ask(limited, "/oauth/par", Client(limited, "own", "https://own.example/cb").asked)[0] == 201
    assert len(told(limited, "client_throttled")) == 1


def pushed(site, client_id="app", address="198.51.100.1", **more):
    redirect = {"app": CALLBACK}.get(client_id, "https://own.example/cb")
    form = urllib.parse.urlencode({**Client(site, client_id, redirect).asked, **more}).encode()
    return Request("POST", "/oauth/par", (("Host", site.authority), ("Content-Type", "application/x-www-form-urlencoded"), *from_address(address)), form)


def send(site, request):
    with Connection(site.port) as connection:
        connection.send(request.wire())
        return connection.read(request.method)


def test_pushed_requests_of_an_address_and_of_all(limited):
    """Anybody may push for a client without a secret; one with a secret of the settings has its own limit alone."""
    managed = limited.settings["issuers"]["house"]["managed"]
    managed["clients"]["web"] = {"auth": "client_secret_post", "secret_file": "secret", "redirect_uris": ["https://own.example/cb"]}
    managed["limits"].update({"pending": 5, "push_per_minute": 100})
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.start()
    assert at_once(limited, [pushed(limited, client) for client in ("app", "own") * 6]) == [201] * 3 + [429] * 9
    assert 1 <= int(send(limited, pushed(limited))["retry-after"]) <= 600
    assert len(told(limited, "requests_throttled")) == 1
    assert [send(limited, pushed(limited, address="198.51.100.2")).status for _ in range(2)] == [201] * 2
    answer = send(limited, pushed(limited, address="198.51.100.3"))
    assert answer.status == 503 and int(answer["retry-after"]) <= 600
    assert limited.audit_of_id(answer["x-request-id"])["reason"] == "overloaded"
    assert [send(limited, pushed(limited, "web", client_secret=SECRET)).status for _ in range(4)] == [201] * 4


def test_authorization_requests_of_a_client(limited):
    limited.start()
    browser = Browser(limited)
    browser.set_up()
    for _ in range(3):
        assert "Allow access?" in browser.open(Client(limited).url()).text
    client = Client(limited)
    answer = over(limited, browser.send("GET", browser.path(client.url())), "client_throttled")
    assert answer["location"] is None and b"Too many at once" in answer.body
    assert browser.send("GET", browser.path(client.url())).status == 429
    other = Client(limited, "own", "https://own.example/cb")
    other.code_of(browser.open(other.url()))
    assert len(told(limited, "client_throttled")) == 1


def register(site, *fields):
    with Connection(site.port) as connection:
        connection.send(registration(site, *fields).wire())
        return connection.read()


def test_registrations_of_an_address(limited):
    limited.start()
    assert [register(limited).status for _ in range(2)] == [201, 201]
    over(limited, register(limited), "requests_throttled")
    assert [register(limited).status for _ in range(3)] == [429] * 3
    assert len(told(limited, "requests_throttled")) == 1


def test_registrations_at_once(limited):
    """Many of one address are no more than one after the other, and use up nothing of other addresses."""
    limited.settings["issuers"]["house"]["managed"]["limits"]["all_registrations_per_hour"] = 3
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.start()
    one, other = from_address("198.51.100.1"), from_address("198.51.100.2")
    assert at_once(limited, [registration(limited, *one)] * 12) == [201] * 2 + [429] * 10
    assert register(limited, *other).status == 201
    assert len(told(limited, "requests_throttled")) == 1


def test_registrations_of_an_ipv6_client(limited):
    """It may take any address of its /64."""
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.start()
    assert [register(limited, *from_address(f"2001:db8:1:2::{last}")).status for last in (1, 2)] == [201, 201]
    over(limited, register(limited, *from_address("2001:db8:1:2:ffff::9")), "requests_throttled")
    assert register(limited, *from_address("2001:db8:1:3::1")).status == 201
    assert register(limited, *from_address("192.0.2.1")).status == 201


def test_registrations_of_all_addresses(limited):
    limited.settings["issuers"]["house"]["managed"]["limits"]["all_registrations_per_hour"] = 3
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.start()
    body = json.dumps({"client_name": "x", "redirect_uris": [CALLBACK]}).encode()

    def come(address):
        fields = (("X-Forwarded-For", address), ("X-Forwarded-Proto", "http"), ("Content-Type", "application/json"))
        return ask(limited, "/oauth/register", body=body, fields=fields)[::2]

    assert [come(f"198.51.100.{last}")[0] for last in (1, 2, 3)] == [201, 201, 201]
    status, answer = come("198.51.100.4")
    assert status == 503 and int(answer["retry-after"]) <= 3600
    assert limited.audit_of_id(answer["x-request-id"])["reason"] == "overloaded"


def test_failed_sign_ins_of_an_address(limited):
    limited.start()
    browser = Browser(limited)
    browser.set_up()
    stranger = Browser(limited)
    page = stranger.open(f"{limited.origin}/login")
    for name in ("one", "two"):
        page = stranger.sign_in(page, name=name, status=403)
    page = stranger.sign_in(page, name="three", status=429)
    stranger.sign_in(page, status=429)
    assert 1 <= int(page.answer["retry-after"]) <= 60
    assert len(told(limited, "login_throttled")) == 1
    limited.stop()
    limited.start()  # it is known still
    stranger.sign_in(stranger.open(f"{limited.origin}/login"), name="four", status=429)


def test_passwords_tried_at_once(limited):
    """Whoever tries many names at once tries no more, and no row is written for the rest."""
    limited.start()
    browser = Browser(limited)
    browser.set_up()
    stranger = Browser(limited)
    page = stranger.open(f"{limited.origin}/login")
    cookie = "; ".join(f"{name}={value}" for name, value in stranger.jar.items())
    fields = (("Host", limited.authority), ("Cookie", cookie), ("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "null"),
              ("Sec-Fetch-Site", "same-origin"))

    def attempt(name):
        form = {**page.forms[0].fields, "username": name, "password": "wrong password"}
        return Request("POST", "/login", fields, urllib.parse.urlencode(form).encode())

    assert at_once(limited, [attempt(f"user{i}") for i in range(12)]) == [403] * 2 + [429] * 10
    assert len([key for key, _, _ in rows_of(limited) if key.startswith("login-tries/")]) == 2
    assert len(told(limited, "login_throttled")) == 1


def test_who_signs_in_uses_up_no_tries(limited):
    limited.start()
    Browser(limited).set_up()
    for _ in range(4):
        browser = Browser(limited)
        browser.sign_in(browser.open(f"{limited.origin}/login"))
    stranger = Browser(limited)
    page = stranger.open(f"{limited.origin}/login")
    for name, status in (("one", 403), ("two", 403), ("three", 429)):
        page = stranger.sign_in(page, name=name, status=status)


def test_sign_ins_begun_at_once(limited):
    limits = limited.settings["issuers"]["house"]["managed"]["limits"]
    limits.update({"pending": 4, "authorize_per_minute": 100})
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.start()

    def begin(address):
        return Request("GET", Client(limited).url().removeprefix(limited.origin), (("Host", limited.authority), *from_address(address)))

    assert at_once(limited, [begin("198.51.100.1") for _ in range(12)]) == [303] * 3 + [429] * 9
    assert at_once(limited, [begin("198.51.100.2")]) == [303]


def test_a_session_that_is_over_begins_no_more_than_a_stranger(limited):
    limited.settings["issuers"]["house"]["managed"]["limits"].update({"authorize_per_minute": 100, "pending": 100})
    limited.start()
    ada = Browser(limited)
    ada.set_up()
    stranger = Browser(limited)
    assert [stranger.send("GET", stranger.path(Client(limited).url())).status for _ in range(3)] == [303] * 3
    ended = dict(ada.jar)
    limited.stop()
    rewrite(limited, "user/", lambda row: {**row, "disabled": True})  # by another node, whose revocation is still under way
    limited.start()  # what is counted in memory is gone
    ada.jar = ended
    over(limited, ada.send("GET", ada.path(Client(limited).url())), "requests_throttled")
    assert stranger.send("GET", stranger.path(Client(limited).url())).status == 429


def test_sign_ins_begun_by_one_and_by_all(limited):
    limits = limited.settings["issuers"]["house"]["managed"]["limits"]
    limits.update({"pending": 5, "authorize_per_minute": 100})
    limited.settings["trusted_proxies"] = ["127.0.0.1/32"]
    limited.start()

    def begin(address):
        browser = Browser(limited)
        return browser.send("GET", browser.path(Client(limited).url()), fields=(("X-Forwarded-For", address), ("X-Forwarded-Proto", "http")))

    assert [begin("198.51.100.1").status for _ in range(3)] == [303] * 3
    over(limited, begin("198.51.100.1"), "requests_throttled")
    assert [begin("198.51.100.2").status for _ in range(2)] == [303] * 2
    answer = begin("198.51.100.3")
    assert answer.status == 503 and int(answer["retry-after"]) <= 600
    assert limited.audit_of_id(answer["x-request-id"])["reason"] == "overloaded"
    assert begin("198.51.100.3").status == 503 and len(told(limited, "overloaded")) == 1
