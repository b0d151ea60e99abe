"""What failed verifications cost: the connection and the address that bring them, never a good token, never others."""
import threading
import time
from itertools import count

import pytest

from support import h2

NUMBERS = count()


@pytest.fixture
def strict(site):
    """Five failures for a connection and an address, one worker, so that the count is exact."""
    site.settings["workers"] = 1
    site.settings["limits"] = {"verify_burst": 5, "verify_per_s": 1, "verify_address_burst": 5, "verify_address_per_s": 1}
    return site


def forged(site):
    """A token nobody has seen, under a signature of another one."""
    token = site.issuer.token(jti=f"forged-{next(NUMBERS)}")
    return token.rsplit(".", 1)[0] + "." + site.issuer.token(jti=f"real-{next(NUMBERS)}").rsplit(".", 1)[1]


def send_from(site, source, request):
    with site.connect(source=source) as connection:
        connection.send(request.wire())
        answer = connection.read()
    answer.audit = site.audit_of(answer)
    return answer


def spend(site, source, wire=lambda request: request):
    """Sends forged tokens, each on a connection of its own, until the address has nothing left."""
    for _ in range(50):
        answer = send_from(site, source, wire(site.post(forged(site))))
        reason = answer.audit["reason"]
        assert (answer.status, reason) in ((401, "token_signature"), (429, "verify_budget")), answer.audit
        if reason == "verify_budget":
            assert answer["retry-after"] and answer["www-authenticate"] is None
            return
    raise AssertionError("fifty forged tokens on fifty connections cost nothing")


def test_an_address_pays_for_all_its_connections(strict):
    strict.settings["limits"].update(verify_burst=1000, verify_per_s=1000)
    strict.start()
    spend(strict, "127.0.0.9")
    before = strict.upstream.bytes
    assert send_from(strict, "127.0.0.9", strict.post(forged(strict))).status == 429
    assert strict.upstream.bytes == before
    # Another address has a budget of its own, and unseen good tokens of the first one get through, all of them.
    assert send_from(strict, "127.0.0.8", strict.post(forged(strict))).audit["reason"] == "token_signature"
    for i in range(20):
        assert send_from(strict, "127.0.0.9", strict.post(strict.issuer.token(jti=f"good-{i}"))).status == 200


def test_addresses_that_many_share_have_no_such_budget(strict):
    strict.settings["shared_sources"] = ["127.0.0.9/32"]
    strict.start()
    for _ in range(20):
        assert send_from(strict, "127.0.0.9", strict.post(forged(strict))).audit["reason"] == "token_signature"
    spend(strict, "127.0.0.8")  # the twin that is not listed


def test_behind_a_proxy_each_client_has_its_own(strict):
    strict.settings["trusted_proxies"] = ["127.0.0.1/32"]
    strict.settings["shared_sources"] = ["192.0.2.9/32"]
    strict.start()

    def client(ip):
        return lambda request: request.also("X-Forwarded-For", ip)

    spend(strict, "127.0.0.1", client("192.0.2.7"))
    other = send_from(strict, "127.0.0.1", client("192.0.2.8")(strict.post(forged(strict))))
    assert other.audit["reason"] == "token_signature"
    for _ in range(20):
        shared = send_from(strict, "127.0.0.1", client("192.0.2.9")(strict.post(forged(strict))))
        assert shared.audit["reason"] == "token_signature"


def test_a_token_that_ended_is_told_so_however_little_is_left(strict):
    """Its client must learn that it needs another one; a 429 would not say that."""
    strict.start()
    spend(strict, "127.0.0.9")
    now = int(time.time())
    for i in range(10):
        token = strict.issuer.token(iat=now - 900, exp=now - 300, jti=f"ended-{i}")
        answer = send_from(strict, "127.0.0.9", strict.post(token))
        assert (answer.status, answer.audit["reason"]) == (401, "token_expired")


def test_tokens_that_ended_are_paid_for_too(strict):
    """They cost a signature each: whoever repeats one is soon checked behind everybody else."""
    strict.settings["limits"].update(verify_burst=1000, verify_per_s=1000)
    strict.start()
    now = int(time.time())
    ended = strict.post(strict.issuer.token(iat=now - 900, exp=now - 300))
    for _ in range(10):
        assert send_from(strict, "127.0.0.9", ended).audit["reason"] == "token_expired"
    assert send_from(strict, "127.0.0.9", strict.post(forged(strict))).audit["reason"] == "verify_budget"
    assert send_from(strict, "127.0.0.8", strict.post(forged(strict))).audit["reason"] == "token_signature"


def fields(site, token):
    return h2.fields_of(site, token=token, scheme="https")


@pytest.fixture
def broke(strict, authority):
    """An HTTP/2 connection that has nothing left."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    strict.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    strict.start()
    client = h2.Client(strict.port, tls=authority.client("h2"))
    for _ in range(50):
        if client.answer(client.request(fields(strict, forged(strict)), b"{}")).status == 429:
            break
    else:
        raise AssertionError("fifty forged tokens cost nothing")
    yield client
    client.close()


def ask(site, client, name, times):
    return [client.request(fields(site, site.issuer.token(jti=f"{name}-{i}")), b"{}") for i in range(times)]


@pytest.mark.threads
def test_a_broke_connection_still_brings_many_good_tokens_at_once(strict, broke):
    assert [broke.answer(number).status for number in ask(strict, broke, "good", 60)] == [200] * 60


@pytest.mark.threads
def test_streams_that_go_while_they_wait_their_turn(strict, broke, authority):
    """Whoever waits behind others may leave; the rest go on, and nothing is left behind."""
    numbers = ask(strict, broke, "some", 60)
    for number in numbers[::2]:
        broke.send(h2.frame(h2.RST_STREAM, 0, number, h2.CANCEL.to_bytes(4, "big")))
    assert [broke.answer(number).status for number in numbers[1::2]] == [200] * 30
    other = h2.Client(strict.port, tls=authority.client("h2"))
    ask(strict, other, "gone", 60)
    other.close()
    assert [broke.answer(number).status for number in ask(strict, broke, "later", 5)] == [200] * 5


@pytest.mark.threads
def test_a_flood_beside_good_tokens(strict):
    """Four connections of one address pour in garbage; every good token of that address is served meanwhile."""
    strict.start()
    spend(strict, "127.0.0.9")
    stop, statuses = threading.Event(), []
    garbage = [strict.post(forged(strict)).wire() for _ in range(200)]

    def flood():
        with strict.connect(source="127.0.0.9") as connection:
            for raw in garbage:
                if stop.is_set():
                    return
                connection.send(raw)
                statuses.append(connection.read().status)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for i in range(30):
            with strict.connect(source="127.0.0.9") as connection:
                connection.send(strict.post(strict.issuer.token(jti=f"beside-{i}")).wire())
                assert connection.read().status == 200
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert statuses and set(statuses) <= {401, 429} and statuses.count(429) > len(statuses) // 2
