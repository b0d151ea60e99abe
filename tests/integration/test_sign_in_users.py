"""What the operator does about people who sign in at a provider: passwords closed, users disabled and removed."""
from support.browser import Browser
from support.command import ask, told
from support.http1 import Request
from support.store import rewrite, rows_of
from test_code_flow import PASSWORD, Client
from test_sign_in import callback, house, provider, sign_in, to_provider, user_of  # noqa: F401


def test_passwords_of_before(house, provider):
    """With `accounts: off` there is no way to one: not by a link of before, a session of before, or a new link."""
    house.managed["accounts"] = "on"
    house.start()
    ada, bob = Browser(house), told(house, "user", "add", "bob")
    ada.submit(ada.open(told(house, "user", "add", "ada")["link"]), password=PASSWORD, again=PASSWORD)
    link, change = bob["link"].removeprefix(house.origin), "/account/password"
    assert "Change your password" in ada.open("/account").text
    for browser, path in ((ada, change), (Browser(house), link)):
        assert browser.send("GET", path).status == 200
    house.managed["accounts"] = "off"
    house.reload()
    account = ada.open("/account").text
    assert "Signed in as ada" in account and "Change your password" not in account
    for method in ("GET", "POST"):
        for path in (change, link):
            answer = house.send(Request(method, path, (("Host", house.authority),)))
            assert (answer.status, answer.audit["reason"]) == (404, "route_unknown"), path
    for call, asked in (("users/add", {"name": "carl"}), ("users/reset", {"name": "bob"})):
        status, answer = ask(house, call, asked)
        assert status == 409 and "nobody has a password at this issuer" in answer["error"], answer  # reason: admin_conflict
    assert len([key for key, *_ in rows_of(house) if key.startswith("link/")]) == 1
    house.managed["accounts"] = "on"
    house.reload()
    assert Browser(house).send("GET", link).status == 200
    assert ask(house, "users/reset", {"name": "bob"})[0] == 200


def test_users_that_the_operator_ends(house, provider):
    """Disabled, nobody signs in as them at the provider either; removed, whoever comes back is somebody else."""
    house.start()
    client, browser, code = sign_in(house, provider)
    old = user_of(house, client, code)
    shown, = told(house, "user", "list")["users"]
    assert (shown["user"], shown["state"], shown["provider"], shown["name"]) == (old, "active", "corp", "ada@example.com")
    status, answer = ask(house, "users/reset", {"user": old})
    assert status == 409 and "signs in at a provider" in answer["error"], answer
    told(house, "user", "disable", old)
    other = Browser(house)
    callback(house, other, provider.visit(to_provider(house, other)), 403, "login_user")
    assert "Sign in with Corp" in browser.open("/account").text
    told(house, "user", "enable", old)
    assert user_of(house, *sign_in(house, provider)[::2]) == old
    told(house, "user", "remove", old)
    assert not [key for key, _, _ in rows_of(house) if key.startswith(("user/", "identity/"))]
    assert user_of(house, *sign_in(house, provider)[::2]) != old


def test_an_identity_whose_user_is_gone(house, provider):
    house.start()
    client, browser, code = sign_in(house, provider)
    old = user_of(house, client, code)
    house.stop()
    rewrite(house, "identity/", lambda value: {"user": "usr_AAAAAAAAAAAAAAAAAAAAAA"})
    house.start()
    assert user_of(house, *sign_in(house, provider)[::2]) not in (old, "usr_AAAAAAAAAAAAAAAAAAAAAA")
