"""Step-up by refresh (a route's option): who was refused for want of scopes it could get, is sent back to its user by a refresh that fails."""
import json

import pytest

from support.browser import Browser
from support.store import rewrite, rows_of
from support.wait import until
from test_code_flow import Client, ada, house  # noqa: F401  (fixtures)


@pytest.fixture
def stepping(house):  # noqa: F811
    """Reading needs one scope, the other route another; both are of one issuer."""
    house.route["step_up_by_refresh"] = True
    house.route["scopes"] = ["mcp:write"]
    return house


def refresh(client, tokens):
    return client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])


def narrow_grant(site, browser, **more):
    """A client with a grant that reads only."""
    client = Client(site, scope="mcp:read", **more)
    page = browser.open(client.url())
    _, tokens = client.redeem(client.code_of(page if isinstance(page, str) else browser.allow(page)))
    assert tokens["scope"] == "mcp:read"
    return client, tokens


def forbidden(site, tokens):
    answer = site.send(site.post(tokens["access_token"]))
    assert (answer.status, answer.audit["reason"]) == (403, "scope_missing")
    assert 'scope="mcp:read mcp:write"' in answer["www-authenticate"]


@pytest.mark.threads
def test_the_next_refresh_leads_to_the_user_and_on(stepping):
    stepping.start()
    browser = Browser(stepping)
    browser.set_up()
    client, tokens = narrow_grant(stepping, browser)
    forbidden(stepping, tokens)
    status, told = refresh(client, tokens)
    assert (status, told["error"]) == (400, "invalid_grant")
    line = until(lambda: [line for line in stepping.audit() if line["reason"] == "refresh_step_up"], "its line")[0]  # reason: refresh_step_up
    assert line["client"] == "app" and line["user"].startswith("usr_") and "revoke" not in line["events"]
    # nothing else has happened to the grant: it lives, and is refused once in ten minutes
    status, again = refresh(client, tokens)
    assert status == 200, again
    forbidden(stepping, again)
    forbidden(stepping, again)
    status, again = refresh(client, again)
    assert status == 200, again
    # what the client then does: it asks for what it was told, and is let through
    wider = Client(stepping, scope="mcp:read mcp:write")
    _, tokens = wider.redeem(wider.code_of(browser.allow(browser.open(wider.url()))))
    stepping.accepted(stepping.post(tokens["access_token"]))
    assert refresh(wider, tokens)[0] == 200


def test_after_ten_minutes_once_more(stepping):
    stepping.start()
    browser = Browser(stepping)
    browser.set_up()
    client, tokens = narrow_grant(stepping, browser)
    forbidden(stepping, tokens)
    assert refresh(client, tokens)[0] == 400
    stepping.stop()
    assert len([key for key, _, _ in rows_of(stepping) if key.startswith("step-up/")]) == 1
    rewrite(stepping, "step-up/", lambda row: row, expires=1)
    stepping.start()
    forbidden(stepping, tokens)
    assert refresh(client, tokens)[0] == 400
    assert refresh(client, tokens)[0] == 200


def test_only_for_scopes_that_the_client_could_get(stepping):
    stepping.settings["issuers"]["house"]["managed"]["clients"]["reader"] = {"redirect_uris": ["http://127.0.0.1/cb"], "scopes": ["mcp:read"]}
    stepping.start()
    browser = Browser(stepping)
    browser.set_up()
    reader, tokens = narrow_grant(stepping, browser, client_id="reader")
    other, others = narrow_grant(stepping, browser)
    forbidden(stepping, tokens)
    status, answer = refresh(reader, tokens)
    assert status == 200, answer  # its user could not give it more
    assert refresh(other, others)[0] == 200  # nobody refused it anything


def test_without_the_option_a_refusal_changes_nothing(stepping):
    del stepping.route["step_up_by_refresh"]
    stepping.start()
    browser = Browser(stepping)
    browser.set_up()
    client, tokens = narrow_grant(stepping, browser)
    forbidden(stepping, tokens)
    assert refresh(client, tokens)[0] == 200
    assert not [key for key, _, _ in rows_of(stepping) if key.startswith("step-up/")]


def test_a_second_process_hears_of_it(stepping):
    """The gateway refuses in one process, the issuer answers in another; a row of the store joins them."""
    from support.gateway import Gateway

    stepping.start()
    browser = Browser(stepping)
    browser.set_up()
    client, tokens = narrow_grant(stepping, browser)
    other = Gateway(stepping.folder, stepping.issuer, stepping.upstream, name="second")
    other.settings = {**stepping.settings, "listen": [{"address": other.authority}], "admin": {"address": f"127.0.0.1:{other.admin_port}"},
                      "audit": {"file": "second.audit.jsonl"}}
    other.start()
    try:
        request = stepping.post(tokens["access_token"])
        answer = other.send(request)
        assert (answer.status, answer.audit["reason"]) == (403, "scope_missing")
        until(lambda: [key for key, _, _ in rows_of(stepping) if key.startswith("step-up/")], "the row")
        assert refresh(client, tokens)[0] == 400
        assert refresh(client, tokens)[0] == 200
    finally:
        other.stop()


def test_a_tool_that_needs_more_leads_there_too(house):  # noqa: F811
    """Its scope is one that the metadata lists, and that the issuer grants, for the rule alone."""
    house.route.update(step_up_by_refresh=True, scopes=["mcp:read"], tools={"read_note": [], "erase_note": "notes:erase"})
    house.route.pop("scopes_supported", None)
    house.start()
    browser = Browser(house)
    browser.set_up()
    client, tokens = narrow_grant(house, browser)
    called = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "erase_note"}}).encode()
    assert house.send(house.post(tokens["access_token"], body=called.replace(b"erase", b"read"))).status == 200
    answer = house.send(house.post(tokens["access_token"], body=called))
    assert answer.status == 403 and 'scope="mcp:read notes:erase"' in answer["www-authenticate"]
    status, told = refresh(client, tokens)
    assert (status, told["error"]) == (400, "invalid_grant")
    wider = Client(house, scope="mcp:read notes:erase")
    _, tokens = wider.redeem(wider.code_of(browser.allow(browser.open(wider.url()))))
    house.accepted(house.post(tokens["access_token"], body=called))
