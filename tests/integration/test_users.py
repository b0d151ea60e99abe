"""Accounts by the admin interface: links instead of passwords, ends that take effect at once, and passwords changed by their owners."""
import contextlib
import json
import os
import socket
import sqlite3
import stat
import threading
import time

import pytest

from support.browser import Browser
from support.command import ask, refused, run, told
from support.http1 import Broken
from support.store import at_rest, rows_of
from support.wait import until
from test_code_flow import PASSWORD, Client, ada, house, refused_page  # noqa: F401

NEW = "another good one"


OPEN_ADMIN = "serves a managed issuer to every user of this machine"


def choose(site, link, password=PASSWORD):
    browser = Browser(site)
    page = browser.submit(browser.open(link), password=password, again=password)
    assert "Signed in as" in page.text
    return browser


def signed_in(browser):
    return "Signed in as" in browser.open(f"{browser.site.origin}/account").text


def tokens_of(site, browser, **more):
    client = Client(site, **more)
    status, tokens = client.redeem(client.code_of(browser.allow(browser.open(client.url()))))
    assert status == 200
    return client, tokens


def line_of(site, event):
    return until(lambda: [line for line in site.audit() if line["stage"] == event], f"audit line {event}")[-1]


# ---- links

def test_a_user_is_added_and_chooses_a_password(house):
    house.start()
    made = told(house, "user", "add", "bob")
    assert made["state"] == "invited" and made["user"].startswith("usr_") and made["link"].startswith(f"{house.origin}/password?token=")
    page = Browser(house).open(made["link"])
    assert "Choose a password" in page.text and "bob" in page.text
    stranger = Browser(house)
    stranger.sign_in(stranger.open(f"{house.origin}/login"), name="bob", password="", status=403)
    bob = choose(house, made["link"])
    assert signed_in(bob)
    again = Browser(house)
    assert "Signed in as bob" in again.sign_in(again.open(f"{house.origin}/login"), name="BOB").text
    refused_page(house, Browser(house).send("GET", made["link"].removeprefix(house.origin)), 404, "link_unknown")  # reason: link_unknown
    line = line_of(house, "admin.user.add")
    assert (line["user"], line["by"], line["issuer"], line["tenant"], line["reason"]) == (made["user"], "loopback", "house", "acme", "admin")
    secret = made["link"].split("=")[1]
    assert secret not in house.log() + json.dumps(house.audit()) and secret not in at_rest(house) and PASSWORD not in at_rest(house)


def test_the_link_of_the_first_account_ends_with_an_added_one(house):
    house.start()
    first = house.setup_link()
    assert Browser(house).open(first)
    told(house, "user", "add", "bob")
    refused_page(house, Browser(house).send("GET", first.removeprefix(house.origin)), 404, "setup_unknown")  # reason: setup_unknown


def test_a_newer_link_takes_the_older_one_s_place(house):
    house.start()
    first = told(house, "user", "add", "bob")["link"]
    second = told(house, "user", "reset", "bob")["link"]
    refused_page(house, Browser(house).send("GET", first.removeprefix(house.origin)), 404, "link_unknown")
    choose(house, second)
    assert not [key for key, *_ in rows_of(house) if key.startswith("link/")]


def test_a_weak_password_leaves_the_link(house):
    house.start()
    link, browser = told(house, "user", "add", "bob")["link"], Browser(house)
    page = browser.open(link)
    for password, again in (("short", "short"), (PASSWORD, PASSWORD + "x")):
        page = browser.submit(page, status=400, password=password, again=again)  # reason: password_refused
        assert "Nothing was changed" in page.text
    assert "Signed in as bob" in browser.submit(page, password=PASSWORD, again=PASSWORD).text


def test_two_at_once_choose_and_one_link_is_used(house):
    house.start()
    link = told(house, "user", "add", "bob")["link"]
    browsers = [Browser(house) for _ in range(4)]
    pages = [browser.open(link) for browser in browsers]
    answers = [None] * len(browsers)

    def use(i):
        form = {**pages[i].forms[0].fields, "password": f"{PASSWORD} {i}", "again": f"{PASSWORD} {i}"}
        answers[i] = browsers[i].send("POST", pages[i].forms[0].action, form).status
    threads = [threading.Thread(target=use, args=(i,)) for i in range(len(browsers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 404, 404, 404]


def test_the_form_of_a_link_is_bound_to_its_browser(house):
    house.start()
    link = told(house, "user", "add", "bob")["link"]
    one, other = Browser(house), Browser(house)
    page = one.open(link)
    other.open(link)
    form = {**page.forms[0].fields, "password": PASSWORD, "again": PASSWORD}
    refused_page(house, other.send("POST", "/password", form), 403, "csrf")
    assert one.send("POST", "/password", form).status == 303


# ---- ends

@pytest.mark.parametrize("action", ["disable", "remove"])
def test_the_end_of_a_user_is_at_once(house, upstream, action):
    def script(call):
        if b"long" in call.seen.body:
            call.open_stream()
            call.event(b"data: {}\n\n")
            call.wait_gone()
        else:
            call.json({"jsonrpc": "2.0", "id": 1, "result": {}})
    upstream.script = script
    house.start()
    bob, eve = (choose(house, told(house, "user", "add", name)["link"]) for name in ("bob", "eve"))
    client, tokens = tokens_of(house, bob)
    _, others = tokens_of(house, eve)
    house.accepted(house.post(tokens["access_token"]))
    with house.connect() as stream:
        stream.send(house.post(tokens["access_token"], body=b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"long"}}').wire())
        events = stream.events(stream.read_head())
        assert next(events) == b"data: {}\n\n"
        gone = told(house, "user", action, "bob")
        assert gone["state"] == {"disable": "disabled", "remove": "removed"}[action]
        with pytest.raises(Broken):
            next(events)
    house.refused(house.post(tokens["access_token"]), 401, reason="token_revoked", good=house.post(others["access_token"]))
    status, answer = client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert not signed_in(bob) and signed_in(eve)
    fresh = Browser(house)
    fresh.sign_in(fresh.open(f"{house.origin}/login"), name="bob", status=403)
    line = line_of(house, f"admin.user.{action}")
    assert (line["user"], line["events"], line["revoked"], line["revoked_count"]) == (gone["user"], ["revoke"], "user", 1)
    if action == "remove":
        assert not [key for key, *_ in rows_of(house) if gone["user"] in key]
        assert told(house, "user", "add", "bob")["user"] != gone["user"]
    else:
        assert "disabled" in run(house, "user", "reset", "bob", status=1)
        told(house, "user", "enable", "bob")
        assert "Signed in as bob" in fresh.sign_in(fresh.open(f"{house.origin}/login"), name="bob").text
        assert signed_in(fresh) and not signed_in(bob)


def test_a_removed_user_s_many_grants_go_too(house):
    house.start()
    bob = choose(house, told(house, "user", "add", "bob")["link"])
    consent = tokens_of(house, bob)
    assert consent
    for _ in range(30):
        client = Client(house)
        client.redeem(client.code_of(bob.open(client.url())))
    user = told(house, "user", "remove", "bob")["user"]
    assert not [key for key, *_ in rows_of(house) if user in key]


def test_reset_takes_password_and_sessions_away(house):
    house.start()
    bob = choose(house, told(house, "user", "add", "bob")["link"])
    link = told(house, "user", "reset", "bob")["link"]
    assert not signed_in(bob)
    stranger = Browser(house)
    stranger.sign_in(stranger.open(f"{house.origin}/login"), name="bob", status=403)
    choose(house, link, NEW)
    assert "Signed in as bob" in stranger.sign_in(stranger.open(f"{house.origin}/login"), name="bob", password=NEW).text


@pytest.mark.sqlite
def test_a_reset_that_takes_long_ends_what_began_meanwhile(house):
    """Sessions begun before it is durable are older than `since`, however long another process keeps the store."""
    house.settings["store"] = {"url": "sqlite:store.db", "busy": "30s"}
    house.start()
    bob = choose(house, told(house, "user", "add", "bob")["link"])
    answers = []
    with contextlib.closing(sqlite3.connect(os.path.join(house.folder, "store.db"), isolation_level=None)) as other:
        other.execute("begin immediate")
        asked = threading.Thread(target=lambda: answers.append(ask(house, "users/reset", {"name": "bob"})))
        began = int(time.time())
        asked.start()
        until(lambda: int(time.time()) >= began + 2, "the second after next")
        released = int(time.time())
        other.execute("rollback")
    asked.join()
    (status, answer), = answers
    assert status == 200 and answer["grants_stay"] is True, answer
    row = next(json.loads(value) for key, value, _ in rows_of(house) if key == f"user/{answer['user']}")
    assert row["since"] > released, (row, released)
    assert not signed_in(bob)
    choose(house, answer["link"], NEW)


# ---- list, and what is refused

def test_the_list_has_pages(house):
    house.start()
    for i in range(103):
        assert ask(house, "users/add", {"name": f"user {i}"})[0] == 200
    first = told(house, "user", "list")
    assert len(first["users"]) == 100 and first["next"] == first["users"][-1]["user"]
    second = told(house, "user", "list", "--after", first["next"])
    assert len(second["users"]) == 3 and "next" not in second
    assert len({user["name"] for user in first["users"] + second["users"]}) == 103
    assert set(first["users"][0]) == {"user", "name", "state", "created"}


def test_what_cannot_be_asked(house):
    house.start()
    good = {"name": "bob"}
    words = refused(house, "users/add", {"name": "bob", "password": "x"}, 400, "admin_malformed", good)
    assert words == "password: no such member; allowed: name, issuer"
    assert refused(house, "users/add", good, 409, "admin_conflict", {"name": "eve"}) == "name: found bob, which a user here has already"
    for bad in (b"", b"[]", b'{"name":"a","name":"b"}', b'{"name":"x"} '[:-2]):
        assert ask(house, "users/add", bad)[1]["reason"] == "admin_malformed"
    for name in ("", "x" * 65, "a\nb", "usr_1"):
        assert ask(house, "users/add", {"name": name})[1]["reason"] == "admin_malformed", name  # reason: admin_malformed
    words = refused(house, "users/disable", {"name": "zoe"}, 404, "admin_unknown", good)  # reason: admin_unknown
    assert words == "name: found zoe, which no user here has"
    assert ask(house, "users/disable", {"name": "bob", "user": "usr_1"})[1]["reason"] == "admin_malformed"
    assert ask(house, "users/disable", {"user": "../x"})[1]["reason"] == "admin_unknown"
    assert ask(house, "users/add", {"name": 7})[1]["error"] == "name: found a number; allowed: a text"
    words = refused(house, "users/list", {"issuer": "none"}, 404, "admin_unknown", {"issuer": "house"})
    assert words == "issuer: found none; allowed: house"
    assert ask(house, "users/add", {"name": "bob"})[1]["reason"] == "admin_conflict"  # reason: admin_conflict


def test_which_tenants_there_are(house):
    house.start()
    status, answer = ask(house, "tenants/list", {})
    assert status == 200 and answer["tenants"] == [{"tenant": "acme", "issuer": "house", "url": house.origin,
                                                    "resources": [house.route["resource"]]}]
    assert ask(house, "tenants/list", {"name": "acme"})[1]["reason"] == "admin_malformed"
    assert line_of(house, "admin.tenant.list")["by"] == "loopback"


def test_several_issuers_are_named(house):
    other = {"url": f"{house.origin}/two", "keys": "keys-two", "password_cost": 10}
    house.settings["issuers"]["two"] = {"managed": other}
    house.settings["tenants"]["beta"] = {"hosts": ["beta.example"], "issuers": ["two"]}
    house.start()
    words = "issuer: found nothing; allowed: house, two"
    assert words in run(house, "user", "add", "bob", status=1)
    assert told(house, "user", "add", "bob", "--issuer", "two")["link"].startswith(f"{house.origin}/two/password?token=")


def test_command_lines(house):
    house.start()
    told(house, "user", "add", "bob")
    assert "USER" in run(house, "user", "--help")
    assert "found no action; allowed: list, add" in run(house, "user", status=2)
    assert "found drop; allowed: list, add" in run(house, "user", "drop", "bob", status=2)
    assert "takes one USER" in run(house, "user", "add", status=2)
    assert "found zoe" in run(house, "user", "enable", "zoe", status=1)
    house.stop()
    assert "no gateway answers" in run(house, "user", "list", status=1)


def test_the_token_guards_users_too(house, tmp_path):
    token = "t0p-s3cret-of-the-operator"
    (tmp_path / "token").write_text(token)
    os.chmod(tmp_path / "token", 0o600)
    house.settings["admin"]["token_file"] = "token"
    house.start()
    assert OPEN_ADMIN not in house.log()
    assert ask(house, "users/add", {"name": "bob"})[0] == 401
    assert ask(house, "users/add", {"name": "bob"}, token)[0] == 200
    assert told(house, "user", "list")["users"][0]["name"] == "bob"
    assert line_of(house, "admin.user.list")["by"] == "token"


def test_a_unix_socket_says_who_asked(house, tmp_path):
    path = str(tmp_path / "admin.sock")
    house.settings["admin"]["address"] = f"unix:{path}"
    house.start(ready=None)
    until(lambda: os.path.exists(path), "admin socket")
    until(lambda: connects(path), "admin listener")
    told(house, "user", "add", "bob")
    assert line_of(house, "admin.user.add")["by"] == f"uid {os.getuid()}"


def test_a_unix_socket_is_for_its_user_alone(house, tmp_path):
    path = str(tmp_path / "admin.sock")
    house.settings["admin"]["address"] = f"unix:{path}"
    before = os.umask(0)
    try:
        house.start(ready=None)
        until(lambda: os.path.exists(path) and connects(path), "admin listener")
    finally:
        os.umask(before)
    told(house, "user", "list")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and OPEN_ADMIN not in house.log()


def test_an_admin_listener_that_anybody_here_may_ask_is_warned_about(house):
    house.start()
    assert house.log().count(OPEN_ADMIN) == 1


def connects(path):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
        return True


# ---- a password changed by its owner

def change(browser, current=PASSWORD, password=NEW, again=NEW, status=200):
    page = browser.open(f"{browser.site.origin}/account/password")
    return browser.submit(page, status=status, current=current, password=password, again=again)


def test_a_changed_password_ends_other_sessions(house, ada):
    other = Browser(house)
    other.sign_in(other.open(f"{house.origin}/login"))
    assert signed_in(other) and "/account/password" in ada.open(f"{house.origin}/account").links
    assert "Signed in as ada" in change(ada).text
    assert signed_in(ada) and not signed_in(other)
    other.sign_in(other.open(f"{house.origin}/login"), status=403)
    assert "Signed in as ada" in other.sign_in(other.open(f"{house.origin}/login"), password=NEW).text


def test_a_changed_password_leaves_what_applications_may(house, ada):
    client, tokens = tokens_of(house, ada)
    change(ada)
    house.accepted(house.post(tokens["access_token"]))
    assert client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])[0] == 200


def test_what_changes_no_password(house, ada):
    assert "present password is wrong" in change(ada, current="wrong", status=403).text  # reason: login_failed
    assert "Nothing was changed" in change(ada, password="short", again="short", status=400).text
    assert "Nothing was changed" in change(ada, again=NEW + "x", status=400).text
    stranger = Browser(house)
    assert stranger.open(f"{house.origin}/account/password").forms[0].action == "/login"
    form = {"current": PASSWORD, "password": NEW, "again": NEW, "csrf": "x" * 43}
    refused_page(house, ada.send("POST", "/account/password", form), 403, "csrf")
    assert "Signed in as ada" in change(ada).text


def test_tries_at_the_present_password_are_counted(house, ada):
    house.settings["shared_sources"] = ["127.0.0.0/8"]
    house.reload()
    for _ in range(5):
        change(ada, current="wrong", status=403)
    page = change(ada, status=429)  # reason: login_throttled
    assert "too many tries" in page.text
    stranger = Browser(house)  # at the login page too: they are the same tries
    stranger.sign_in(stranger.open(f"{house.origin}/login"), status=429)
