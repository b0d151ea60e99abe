"""Several gateways with one ring of signing keys, which lies in their store: made once, seen by all, changed by one at a time, and
what becomes of it when the store is away, or somebody else has written to it."""
import json
import os
import subprocess
import threading
import time

import pytest

from support import redis
from support.command import ask, run, told
from support.gateway import BINARY
from support.issuer import b64
from support.pair import neighbour_of
from support.wait import until
from test_clients import line_of, token_status
from test_code_flow import keep_house
from test_grants_keys import kid_of, published

KEK = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
SECOND = 1.0
SLOW = 4.0  # what a machine under load may add


@pytest.fixture
def server():
    made = redis.Server()
    made.used_by("the test")
    yield made
    made.remove()


def write_secret(site, name, text):
    with open(os.open(os.path.join(site.folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def managed_of(site):
    return site.settings["issuers"]["house"]["managed"]


@pytest.fixture
def fleet(site, server):
    """One gateway, not yet started, that keeps its signing keys in Redis; fleet.more() is another one, that is ready."""
    keep_house(site)
    write_secret(site, "kek", KEK)
    site.settings["store"] = {"url": f"redis+unix://{server.socket}"}
    site.settings["shared_sources"] = ["127.0.0.1/32"]
    managed_of(site).update(keys_in="store", keys_encryption_file="kek")
    del managed_of(site)["keys"]
    others = []

    def more():
        others.append(neighbour_of(site, f"gateway-{len(others) + 2}"))
        return others[-1].start()
    site.more = more
    yield site
    for other in others:
        other.stop()
    for name in os.listdir(site.folder):
        if name.endswith("stderr") or name.endswith("jsonl"):
            with open(os.path.join(site.folder, name), encoding="utf-8") as file:
                written = file.read()
            assert "PRIVATE" not in written and KEK.strip() not in written, name


def service(site):
    """A function that gets a token at a gateway."""
    secret = told(site, "client", "add", "svc", "--auth", "client_secret_basic", "--grants", "client_credentials")["secret"]
    return lambda at: token_status(at, "svc", secret)[1]["access_token"]


def keys(site):
    return ask(site, "keys/list", {})[1]["keys"]


def states(site):
    return [key["state"] for key in keys(site)]


def alike(sites):
    """All know the same keys in the same states, and publish them."""
    listed = [keys(site) for site in sites]
    sets = [published(site) for site in sites]
    return all(one == listed[0] for one in listed) and all(one == {key["key"] for key in listed[0]} for one in sets)


def follow(sites, began):
    """Until all are alike; within a second, on a machine that has nothing else to do."""
    until(lambda: alike(sites), "one ring at all", SECOND + SLOW)
    print(f"alike after {time.monotonic() - began:.2f} s")


def taken_by_all(sites, token):
    return all(site.send(site.post(token)).status == 200 for site in sites)


def rows_of(server):
    """(name, value) of each row of signing keys, as Redis has it."""
    with server.asked() as say:
        return [(name, say("GET", name)) for key, _, _, name in redis.rows(say) if key.startswith(b"signing/")]


def row_of(server):
    (found,) = rows_of(server)
    return found


def put_row(server, name, value):
    with server.asked() as say:
        assert say("SET", name, value) == b"OK"


def ring_in(value):
    return json.loads(value.split(b":", 2)[2])["ring"]


# ---- one ring

def test_all_sign_with_one_key(fleet, server):
    sites = [fleet.start(), fleet.more(), fleet.more()]
    token = service(fleet)
    tokens = [token(site) for site in sites]
    assert len({kid_of(one) for one in tokens}) == 1 and states(fleet) == ["active"] and alike(sites)
    assert all(taken_by_all(sites, one) for one in tokens)
    name, value = row_of(server)
    assert ring_in(value) == 1 and b"PRIVATE" not in value
    assert "keys" not in os.listdir(fleet.folder)
    for site in sites:
        assert "PRIVATE" not in site.admin("/metrics")[1]
        with open(f"/proc/{site.process.pid}/cmdline", "rb") as file:
            assert b"kek" not in file.read()
    kid = kid_of(tokens[0])
    for site in sites:
        site.stop()
        site.start()
    assert kid_of(token(sites[1])) == kid and row_of(server) == (name, value)


@pytest.mark.threads
def test_a_rotation_is_seen_by_all(fleet):
    sites = [fleet.start(), fleet.more(), fleet.more()]
    token = service(fleet)
    first = kid_of(token(fleet))
    began = time.monotonic()
    answer = ask(sites[1], "keys/rotate", {})
    assert answer[0] == 200 and [key["state"] for key in answer[1]["keys"]] == ["active", "next"]
    follow(sites, began)
    assert {kid_of(token(site)) for site in sites} == {first}  # it is published, and does not sign yet
    began = time.monotonic()
    assert ask(sites[2], "keys/rotate", {"at_once": True})[0] == 200
    follow(sites, began)
    assert states(fleet) == ["retired", "retired", "active"]
    made = [until(lambda site=site: kid_of(one := token(site)) != first and one, "a token of the new key") for site in sites]
    assert all(taken_by_all(sites, one) for one in made)


@pytest.mark.threads
def test_a_token_of_a_key_that_was_made_just_now(fleet):
    """It comes to the next gateway before that has looked at the row by itself: it looks then."""
    sites = [fleet.start(), fleet.more()]
    token = service(fleet)
    for _ in range(5):
        active = [key["key"] for key in ask(fleet, "keys/rotate", {"at_once": True})[1]["keys"] if key["state"] == "active"]
        fresh = until(lambda active=active: [kid_of(one := token(fleet))] == active and one, "a token of the new key")
        answer = sites[1].send(sites[1].post(fresh))
        assert answer.status == 200, answer.audit
        time.sleep(0.15)  # the rest between two looks for unknown keys
    made_up = fresh.split(".")
    made_up[0] = b64({"alg": "ES256", "typ": "at+jwt", "kid": "made-up"})
    for _ in range(3):
        answer = sites[1].send(sites[1].post(".".join(made_up)))
        assert (answer.status, answer.audit["reason"]) == (401, "token_key_unknown"), answer.audit


def test_two_at_once_make_a_key_each(fleet):
    sites = [fleet.start(), fleet.more()]
    answers = []
    threads = [threading.Thread(target=lambda site=site: answers.append(ask(site, "keys/rotate", {}))) for site in sites]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [200, 200], answers
    follow(sites, time.monotonic())
    assert states(fleet) == ["active", "next", "next"]


def test_by_the_schedule_one_of_them_makes_it(fleet, server):
    """A key that is due from the start on: all see so at once."""
    managed_of(fleet).update(key_life="1h", key_lead="1h")
    sites = [fleet.start(), fleet.more(), fleet.more()]
    follow(sites, time.monotonic())
    until(lambda: states(fleet) == ["active", "next"], "the next key")
    follow(sites, time.monotonic())
    with server.asked() as say:
        before = say("INFO", "commandstats")
        until(lambda: say("INFO", "commandstats") != before, "further looks")
    assert states(fleet) == ["active", "next"] and ring_in(row_of(server)[1]) == 2


def test_a_dropped_key_is_gone_everywhere(fleet, server):
    sites = [fleet.start(), fleet.more(), fleet.more()]
    token = service(fleet)
    old = token(sites[2])
    assert taken_by_all(sites, old)
    began = time.monotonic()
    status, answer = ask(sites[1], "keys/drop", {"key": kid_of(old)})
    assert status == 200 and [key["state"] for key in answer["keys"]] == ["active"], answer
    follow(sites, began)
    assert kid_of(old) not in published(fleet)
    for site in sites:
        until(lambda site=site: site.send(site.post(old)).status == 401, "refusal")
    fresh = until(lambda: kid_of(one := token(fleet)) != kid_of(old) and one, "a token of the new key")
    assert taken_by_all(sites, fresh)
    assert "which no key of this issuer is" in run(fleet, "key", "drop", "--", kid_of(old), status=1)
    assert any("a signing key was dropped" in line for line in sites[1].log().splitlines())


def test_a_reload_names_an_issuer_anew(fleet):
    sites = [fleet.start(), fleet.more()]
    leaked = keys(fleet)[0]["key"]
    managed_of(fleet)["key_life"] = "20d"
    fleet.reload()
    assert keys(fleet)[0]["key"] == leaked
    left = ask(sites[1], "keys/drop", {"key": leaked})[1]["keys"]
    del managed_of(fleet)["key_life"]
    fleet.reload()
    assert keys(fleet) == left and published(fleet) == {left[0]["key"]}


# ---- without the store

def exits(site, name="alone"):
    """(exit status, what it says) of a gateway with these settings that does not start."""
    other = neighbour_of(site, name)
    other.write(other.settings_file, other.settings)
    process = other.run(other.settings_file)
    return process.wait(30), other.log()


def test_redis_is_away_at_the_start(fleet, server):
    fleet.start()
    fleet.stop()
    server.end()
    status, says = exits(fleet)
    assert status == 75 and "gatehouse: state: " in says, says
    server.start()
    fleet.start()


@pytest.mark.parametrize("kind", ["killed", "stopped"])
def test_redis_goes_away_later(fleet, server, kind):
    fleet.route["revocation"] = {"fail": "open"}
    sites = [fleet.start(), fleet.more()]
    token = service(fleet)
    good, before = token(fleet), keys(fleet)
    if kind == "killed":
        server.end()
    else:
        server.process.send_signal(19)
    until(lambda: "the store fails" in fleet.log(), "word of it")
    for _ in range(3):
        assert taken_by_all(sites, good) and keys(fleet) == before and published(fleet) == {before[0]["key"]}
        status, answer = ask(fleet, "keys/rotate", {})
        assert (status, answer["error"]) == (503, "temporarily_unavailable"), answer
    assert keys(fleet) == before and line_of(fleet, "admin.key.rotate")["reason"] == "store_down"
    if kind == "killed":
        server.start()
    else:
        server.process.send_signal(18)
    until(lambda: ask(sites[1], "keys/rotate", {})[0] == 200, "a rotation")
    follow(sites, time.monotonic())
    assert taken_by_all(sites, good)


# ---- the key-encryption key

def test_another_key_encryption_key(fleet, server):
    fleet.start()
    before = row_of(server)
    write_secret(fleet, "other-kek", KEK.replace("0", "1"))
    managed_of(fleet)["keys_encryption_file"] = "other-kek"
    status, says = exits(fleet)
    assert status == 1 and "issuers.house.managed.keys_in: the row of signing keys does not open" in says, says
    write_secret(fleet, "other-kek", "too short for that")
    status, says = exits(fleet, "short")
    assert status == 1 and "shorter than 32 bytes" in says, says
    assert row_of(server) == before
    managed_of(fleet)["keys_encryption_file"] = "kek"
    assert alike([fleet, fleet.more()])


def test_what_check_says(fleet):
    def check():
        fleet.write("gatehouse.yaml", fleet.settings)
        found = subprocess.run([BINARY, "check", "-c", "gatehouse.yaml"], cwd=fleet.folder, capture_output=True, text=True, timeout=60)
        return found.returncode, found.stdout + found.stderr
    status, says = check()
    assert status == 0 and "good" in says, says
    write_secret(fleet, "kek", "too short for that")
    status, says = check()
    assert status == 1 and "issuers.house.managed.keys_encryption_file: found" in says and "shorter than 32 bytes" in says, says
    del managed_of(fleet)["keys_encryption_file"]
    status, says = check()
    assert status == 1 and "keys_encryption_file: found nothing, allowed a file with keys_in: store" in says, says


# ---- from a folder

def test_keys_of_the_folder_are_taken_over(fleet, server):
    managed = managed_of(fleet)
    managed.update(keys_in="folder", keys="keys")
    del managed["keys_encryption_file"]
    fleet.start()
    token = service(fleet)
    old, before = token(fleet), ask(fleet, "keys/rotate", {})[1]["keys"]
    fleet.stop()
    managed.update(keys_in="store", keys_encryption_file="kek")
    fleet.start()
    assert keys(fleet) == before and "taken over into the store" in fleet.log()
    assert kid_of(token(fleet)) == kid_of(old) and fleet.send(fleet.post(old)).status == 200
    files = sorted(os.listdir(os.path.join(fleet.folder, "keys")))
    assert len(files) == 2
    other = fleet.more()
    assert ask(other, "keys/rotate", {})[0] == 200
    follow([fleet, other], time.monotonic())
    assert sorted(os.listdir(os.path.join(fleet.folder, "keys"))) == files  # nobody writes there any more
    assert fleet.log().count("taken over into the store") == 1 and "taken over into the store" not in other.log()


def test_a_reload_takes_the_folder_over(fleet):
    managed = managed_of(fleet)
    managed.update(keys_in="folder", keys="keys")
    fleet.start()
    token = service(fleet)
    old = token(fleet)
    managed["keys_in"] = "store"
    fleet.reload()
    assert [key["key"] for key in keys(fleet)] == [kid_of(old)] and "taken over into the store" in fleet.log()
    assert taken_by_all([fleet, fleet.more()], token(fleet))


def test_a_folder_that_cannot_be_read_is_no_empty_one(fleet, server):
    os.mkdir(os.path.join(fleet.folder, "keys"))
    os.chmod(os.path.join(fleet.folder, "keys"), 0o755)
    managed_of(fleet)["keys"] = "keys"
    status, says = exits(fleet)
    assert status == 1 and "managed.keys_in: " in says and "others" in says, says
    os.chmod(os.path.join(fleet.folder, "keys"), 0o700)
    fleet.start()
    assert states(fleet) == ["active"]


# ---- a row that somebody else has written

def spoilt(value):
    return value[:-6] + (b"A" if value[-6:-5] != b"A" else b"B") + value[-5:]


def test_a_changed_row(fleet, server):
    sites = [fleet.start(), fleet.more()]
    token = service(fleet)
    before, (name, value) = keys(fleet), row_of(server)
    put_row(server, name, spoilt(value))
    for site in sites:
        until(lambda site=site: "the row of signing keys cannot be used, and stays as it is" in site.log(), "word of it")
    assert taken_by_all(sites, token(sites[1])) and keys(fleet) == before
    status, answer = ask(fleet, "keys/rotate", {})
    assert (status, answer["reason"]) == (503, "keys_unavailable"), answer
    until(lambda: fleet.metric("gatehouse_signing_row_failing") == 1, "an alert")
    status, says = exits(fleet)
    assert status == 1 and "was changed since" in says, says
    assert row_of(server) == (name, spoilt(value))
    with server.asked() as say:
        say("DEL", name)  # as operations.md has it: those that run write it again
    until(lambda: "was deleted, and is written again" in fleet.log() + sites[1].log(), "word of it")
    until(lambda: alike(sites) and len(rows_of(server)) == 1, "the row")
    assert ring_in(row_of(server)[1]) == 2
    assert ask(fleet, "keys/rotate", {})[0] == 200
    follow(sites, time.monotonic())
    assert fleet.log().count("cannot be used, and stays") == 1  # not twice a second
    until(lambda: fleet.metric("gatehouse_signing_row_failing") == 0, "its end")


def test_an_older_row_put_back(fleet, server):
    sites = [fleet.start(), fleet.more()]
    token = service(fleet)
    old, (name, value) = token(fleet), row_of(server)
    assert ask(sites[1], "keys/drop", {"key": kid_of(old)})[0] == 200
    follow(sites, time.monotonic())
    left = keys(fleet)
    put_row(server, name, value)
    until(lambda: any("an older row of signing keys was put back" in site.log() for site in sites), "word of it")
    until(lambda: ring_in(row_of(server)[1]) == 3, "the newer row")
    follow(sites, time.monotonic())
    assert keys(fleet) == left and kid_of(old) not in published(sites[1])
    assert alike([*sites, fleet.more()])
    assert fleet.send(fleet.post(old)).status == 401
