"""How much may be begun at a provider, and written for it, before anybody has signed in."""
import json
import urllib.parse

from support.browser import Browser
from support.store import rows_of
from test_code_flow import Client, refused_page
from test_issuer_limits import from_address
from test_sign_in import house, provider, sign_in  # noqa: F401  (house and provider are fixtures)


def test_many_begun_from_one_address(house, provider):  # noqa: F811
    house.settings.setdefault("limits", {})
    house.start()
    browser = Browser(house)
    answers = [browser.send("GET", "/login/start?provider=corp") for _ in range(101)]
    assert [answer.status for answer in answers] == [303] * 100 + [429]
    assert house.audit_of_id(answers[-1]["x-request-id"])["reason"] == "requests_throttled" and answers[-1]["retry-after"]


def test_many_begun_from_all_addresses(house, provider):  # noqa: F811
    """Also where the provider's endpoints are not known, and nothing comes of it; and by one address."""
    house.settings["trusted_proxies"] = ["127.0.0.1/32"]
    house.managed["limits"] = {"pending": 3, "pending_per_address": 2}
    provider.metadata_more = {"issuer": "https://somebody.else"}
    house.start()

    def begin(last):
        return Browser(house).send("GET", "/login/start?provider=corp", fields=from_address(f"198.51.100.{last}"))

    answers = [begin(last) for last in (1, 1, 1, 2, 3)]
    assert [house.audit_of_id(answer["x-request-id"])["reason"] for answer in answers] == [
        "login_provider", "login_provider", "requests_throttled", "login_provider", "overloaded"]


def agreements(house):  # noqa: F811
    return [json.loads(value)["agreements"] for key, value, _ in rows_of(house) if key.startswith("txn/")]


def test_one_request_is_not_written_without_end(house, provider):  # noqa: F811
    """A client that people are not asked about, or that they agree to in ever more browsers: each of those is a write."""
    house.start()
    first = Browser(house)
    login = first.send("GET", first.path(Client(house, "own").url()))
    begin = "/oauth/authorize?" + urllib.parse.urlsplit(login["location"]).query
    assert [first.send("GET", begin).status for _ in range(8)] == [303] * 8 and agreements(house) == [1]
    answers = [Browser(house).send("GET", begin) for _ in range(6)]
    assert [answer.status for answer in answers] == [303] * 4 + [429] * 2 and agreements(house) == [5]
    refused_page(house, answers[-1], 429, "requests_throttled")
    good, client = Browser(house), Client(house, "own")
    client.code_of(good.open(provider.visit(good.open(client.url()))))


def test_one_request_is_not_agreed_to_without_end(house, provider):  # noqa: F811
    house.start()
    first, client = Browser(house), Client(house)
    begin = f"/oauth/authorize?txn={first.open(client.url()).forms[0].fields['txn']}"

    def agree(browser):
        return browser.send("POST", "/consent", {**browser.open(begin).forms[0].fields, "answer": "allow"}).status

    assert [agree(Browser(house)) for _ in range(7)] == [200] * 5 + [429] * 2 and agreements(house) == [5]
    sign_in(house, provider)
