"""The signed assertion of the verified identity: what the server behind receives, can verify, and never receives."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from support import h2
from support.gateway import BINARY, ROOT
from support.issuer import SIGNATURES
from support.jose import InvalidSignature, make_key, parts, public_key, verify
from support.wait import until

FIELD, ISSUER, TYP = "x-gatehouse-assertion", "https://gateway.example", "gatehouse-assertion+jwt"


@pytest.fixture
def asserting(site, tmp_path):
    """A gateway whose one worker asserts identity, not yet started."""
    make_key(tmp_path / "signing.pem")
    site.settings["workers"] = 1
    site.settings["assertion"] = {"issuer": ISSUER, "key_files": "signing.pem"}
    site.route["identity_assertion"] = {"header": "X-Gatehouse-Assertion"}
    site.route["identity_headers"]["user"] = "X-Gatehouse-User"
    return site


def origin(site):
    return f"http://127.0.0.1:{site.upstream.port}"


def key_set(site):
    status, text = site.admin("/assertion/jwks.json")
    assert status == 200
    return json.loads(text)


def text_of(seen):
    """The one assertion of a request that reached the upstream; no log may hold its signature."""
    values = seen.all(FIELD)
    assert len(values) == 1, values
    SIGNATURES.add(values[0].rsplit(".", 1)[1])
    return values[0]


def claims_of(site, seen):
    return verify(text_of(seen), key_set(site), ISSUER, origin(site), TYP, time.time())


@pytest.mark.threads
def test_the_upstream_receives_and_verifies_it(asserting):
    asserting.start()
    token = asserting.issuer.token(scope="mcp:read mcp:write")
    before = int(time.time())
    _, seen = asserting.accepted(asserting.post(token))
    claims = claims_of(asserting, seen)
    assert before - 1 <= claims["iat"] <= time.time() and claims["exp"] == claims["iat"] + 60
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", claims["jti"])
    for name in ("iat", "exp", "jti"):
        del claims[name]
    assert claims == {
        "iss": ISSUER, "aud": origin(asserting), "sub": "alice", "sub_profile": "user", "issuer": "idp", "tenant": "acme",
        "client_id": "app", "scope": "mcp:read mcp:write", "resource": f"{asserting.origin}/weather/mcp"}
    assert seen.all("authorization") == [] and token.encode() not in seen.head and token.rsplit(".", 1)[1].encode() not in seen.head


def test_a_changed_one_is_no_longer_valid(asserting):
    asserting.start()
    _, seen = asserting.accepted(asserting.post())
    text, keys = text_of(seen), key_set(asserting)
    header, claims, signature = text.split(".")
    bent = claims[:20] + ("A" if claims[20] != "A" else "B") + claims[21:]
    with pytest.raises((InvalidSignature, ValueError)):
        verify(".".join((header, bent, signature)), keys, ISSUER, origin(asserting), TYP, time.time())
    assert verify(text, keys, ISSUER, origin(asserting), TYP, time.time())["sub"] == "alice"


def test_who_acts_is_told(asserting):
    asserting.start()
    act = {"sub": "agi_1", "sub_profile": "ai_agent", "act": {"sub": "parent", "iss": "https://other.example"}}
    _, seen = asserting.accepted(asserting.post(asserting.issuer.token(act=act)))
    assert claims_of(asserting, seen)["act"] == {
        "iss": asserting.issuer.url, "sub": "agi_1", "sub_profile": "ai_agent",
        "act": {"iss": "https://other.example", "sub": "parent"}}
    _, seen = asserting.accepted(asserting.post(asserting.issuer.token(sub="app")))
    claims = claims_of(asserting, seen)
    assert (claims["sub_profile"], "act" in claims) == ("service", False)


def test_claims_without_a_value_are_left_out(asserting):
    del asserting.route["scopes"]
    asserting.start()
    _, seen = asserting.accepted(asserting.post(asserting.issuer.token(client_id=None, scope=None)))
    assert not {"client_id", "scope", "act"} & set(claims_of(asserting, seen))


@pytest.mark.parametrize("subject", ['a"b\\c', "line\r\nX-Evil: 1", "J\u00f6rg \u202e\u4e16", "a,b;c=d%20", "x" * 1500])
def test_any_subject_survives(asserting, subject):
    asserting.start()
    _, seen = asserting.accepted(asserting.post(asserting.issuer.token(sub=subject)))
    assert claims_of(asserting, seen)["sub"] == subject and seen.all("x-evil") == []


def test_ed25519_and_an_audience_of_ones_own(asserting, tmp_path):
    make_key(tmp_path / "signing.pem", "Ed25519")
    asserting.route["identity_assertion"] = {"header": "X-Who", "audience": "https://mcp.internal/tools", "lifetime": "5m"}
    asserting.start()
    _, seen = asserting.accepted(asserting.post())
    assert seen.all(FIELD) == [] and len(seen.all("x-who")) == 1
    claims = verify(seen.all("x-who")[0], key_set(asserting), ISSUER, "https://mcp.internal/tools", TYP, time.time())
    assert claims["exp"] == claims["iat"] + 300


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
def test_openssl_verifies_it(asserting, tmp_path, kind):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import utils

    make_key(tmp_path / "signing.pem", kind)
    asserting.start()
    _, seen = asserting.accepted(asserting.post())
    header, _, signed, signature = parts(text_of(seen))
    public = public_key(next(key for key in key_set(asserting)["keys"] if key["kid"] == header["kid"]))
    (tmp_path / "public.pem").write_bytes(public.public_bytes(serialization.Encoding.PEM,
                                                              serialization.PublicFormat.SubjectPublicKeyInfo))
    if kind == "P-256":
        signature = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        command = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "signed"]
    else:
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public.pem", "-sigfile", "signature",
                   "-in", "signed"]
    (tmp_path / "signature").write_bytes(signature)
    (tmp_path / "signed").write_bytes(signed)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60).returncode == 0
    (tmp_path / "signed").write_bytes(signed + b"x")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60).returncode != 0


PYTHON = "/usr/bin/python3"  # the distribution's: its package python3-jwt is for this one


def test_the_python_example_of_the_documentation(asserting, tmp_path):
    """Taken from there, with the addresses of this run; a bad assertion is seen to be refused by the same lines."""
    asserting.start()
    _, seen = asserting.accepted(asserting.post(asserting.issuer.token(scope="mcp:read mcp:write", act={"sub": "agi_1"})))
    with open(os.path.join(ROOT, "docs", "upstream-identity.md"), encoding="utf-8") as file:
        code = re.search(r"^```python\n(.*?)^```", file.read(), re.M | re.S).group(1)
    for written, real in (("http://127.0.0.1:9901", f"http://127.0.0.1:{asserting.admin_port}"), ("http://127.0.0.1:3000", origin(asserting))):
        assert code.count(written) == 1
        code = code.replace(written, real)
    (tmp_path / "example.py").write_text(code + "\nimport sys\nprint(json.dumps(identity(json.load(sys.stdin))))\n", encoding="utf-8")

    def example(headers):
        return subprocess.run([PYTHON, "example.py"], cwd=tmp_path, input=json.dumps(headers), capture_output=True, text=True,
                              timeout=60)

    good = example({FIELD: text_of(seen)})
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout) == {"user": json.dumps(["acme", "idp", "alice"]), "scopes": ["mcp:read", "mcp:write"], "agent": "agi_1"}
    for bad, error in ((asserting.issuer.token(), "not an assertion"), ("", "Not enough segments"), (text_of(seen)[:-8] + "AAAAAAAA", "verification failed")):
        refused = example({FIELD: bad})
        assert refused.returncode == 1 and error in refused.stderr, refused.stderr


# ---- what a client sends, and what it gets

def test_what_a_client_sends_in_the_field_is_removed(asserting):
    asserting.start()
    _, seen = asserting.accepted(asserting.post())
    stolen = text_of(seen)
    forged = asserting.post(asserting.issuer.token(sub="mallory"))
    for name in ("X-Gatehouse-Assertion", "x-gatehouse-assertion", "X-GATEHOUSE-ASSERTION"):
        forged = forged.also(name, stolen)
    _, seen = asserting.accepted(forged.also("Connection", "X-Gatehouse-Assertion"))
    assert claims_of(asserting, seen)["sub"] == "mallory"
    assert stolen.encode() not in seen.head


def test_it_is_absent_where_it_is_not_configured(asserting):
    """The second route passes on no assertion: neither ours, nor what a client sends."""
    asserting.settings["routes"].append({
        **{key: value for key, value in asserting.route.items() if key != "identity_assertion"},
        "name": "plain", "resource": f"{asserting.origin}/plain/mcp"})
    asserting.start()
    token = asserting.issuer.token(aud=f"{asserting.origin}/plain/mcp")
    _, seen = asserting.accepted(asserting.post(token, target="/plain/mcp").also("X-Gatehouse-Assertion", "forged"))
    assert seen.all(FIELD) == [] and seen.all("x-gatehouse-user") == ["alice"]
    assert claims_of(asserting, asserting.accepted(asserting.post())[1])["sub"] == "alice"


def test_nothing_is_published_where_nothing_is_signed(gateway):
    assert gateway.admin("/assertion/jwks.json")[0] == 404
    _, seen = gateway.accepted(gateway.post().also("X-Gatehouse-Assertion", "forged"))
    assert seen.all(FIELD) == []


def test_it_is_no_access_token_here(asserting):
    asserting.start()
    _, seen = asserting.accepted(asserting.post())
    asserting.refused(asserting.post(text_of(seen)), 401, reason="token_issuer")


def test_the_public_listener_does_not_have_the_keys(asserting):
    asserting.start()
    unknown = asserting.send(asserting.post(target="/unknown"))
    answer = asserting.send(asserting.post(target="/assertion/jwks.json"))
    assert (answer.status, answer.body, answer.audit["reason"]) == (404, unknown.body, "route_unknown")
    assert key_set(asserting)["keys"]


# ---- time

def test_it_is_signed_once_and_used_again(asserting):
    """Renewal after half its life is tested on time that the test moves: tests/unit/gateway/test_assertion.c."""
    asserting.route["identity_assertion"]["lifetime"] = "5m"
    asserting.start()
    tokens = [asserting.issuer.token(), asserting.issuer.token()]
    texts = [[text_of(asserting.accepted(asserting.post(token))[1]) for token in tokens] for _ in range(3)]
    assert texts[0] == texts[1] == texts[2] and texts[0][0] != texts[0][1]
    _, metrics = asserting.admin("/metrics")
    assert "gatehouse_assertions_signed_total 2\n" in metrics and "gatehouse_assertions_reused_total 4\n" in metrics


def test_it_never_outlives_the_token(asserting):
    asserting.start()
    expires = int(time.time()) + 40
    _, seen = asserting.accepted(asserting.post(asserting.issuer.token(exp=expires)))
    assert claims_of(asserting, seen)["exp"] == expires


def test_leeway_is_no_reason_to_vouch(asserting):
    """Where nothing is asserted, a token lives on through the leeway; here its client is told to get a new one."""
    asserting.settings["routes"].append({
        **{key: value for key, value in asserting.route.items() if key != "identity_assertion"},
        "name": "plain", "resource": f"{asserting.origin}/plain/mcp"})
    asserting.settings["issuers"]["idp"]["leeway"] = "2m"
    asserting.start()
    over = {"exp": int(time.time()) - 5}
    answer = asserting.refused(asserting.post(asserting.issuer.token(**over)), 401, reason="token_expired")
    assert 'error="invalid_token"' in answer["www-authenticate"]
    asserting.accepted(asserting.post(asserting.issuer.token(aud=f"{asserting.origin}/plain/mcp", **over), target="/plain/mcp"))


# ---- several users

@pytest.mark.threads
def test_two_users_on_one_connection_never_get_each_others(asserting):
    asserting.settings["workers"] = 2
    asserting.start()
    users = ("alice", "bob")
    tokens = {user: asserting.issuer.token(sub=user) for user in users}
    with asserting.connect() as connection:
        for i in range(100):
            connection.send(asserting.post(tokens[users[i % 2]]).wire())
            assert connection.read().status == 200
    seen = asserting.upstream.seen
    assert len(seen) == 100
    keys = key_set(asserting)
    for i, one in enumerate(seen):
        claims = verify(text_of(one), keys, ISSUER, origin(asserting), TYP, time.time())
        assert claims["sub"] == users[i % 2] == one.all("x-gatehouse-user")[0]


def test_two_users_side_by_side_over_http2(asserting, authority):
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    asserting.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    asserting.start()
    users = ("alice", "bob")
    tokens = {user: asserting.issuer.token(sub=user) for user in users}
    with h2.Client(asserting.port, tls=authority.client("h2")) as client:
        streams = [client.request(h2.fields_of(asserting, tokens[users[i % 2]], scheme="https"), b"{}") for i in range(60)]
        assert all(client.answer(stream).status == 200 for stream in streams)
    keys = key_set(asserting)
    subjects = [(verify(text_of(one), keys, ISSUER, origin(asserting), TYP, time.time())["sub"], one.all("x-gatehouse-user"))
                for one in asserting.upstream.seen]
    assert sorted(subjects) == sorted([("alice", ["alice"])] * 30 + [("bob", ["bob"])] * 30)


# ---- keys: shown, turned, refused

def run(site, *arguments):
    site.write("gatehouse.yaml", site.settings)
    return subprocess.run([BINARY, *arguments, "-c", "gatehouse.yaml"], cwd=site.folder, capture_output=True, text=True, timeout=60)


def reload(site):
    site.write("gatehouse.yaml", site.settings)
    site.process.send_signal(signal.SIGHUP)


def signed_by(site):
    _, seen = site.accepted(site.post(site.issuer.token()))
    return parts(text_of(seen))[0]["kid"]


@pytest.mark.threads
def test_keys_are_turned_without_a_gap(asserting, tmp_path):
    make_key(tmp_path / "next.pem")
    asserting.settings["assertion"]["key_files"] = ["signing.pem", "next.pem"]
    asserting.start()
    token = asserting.issuer.token()
    _, seen = asserting.accepted(asserting.post(token))
    first, old_set = text_of(seen), key_set(asserting)
    old, new = (key["kid"] for key in old_set["keys"])
    assert parts(first)[0]["kid"] == old
    asserting.settings["assertion"]["key_files"] = ["next.pem", "signing.pem"]
    reload(asserting)
    until(lambda: signed_by(asserting) == new, "signature by the new key")
    _, seen = asserting.accepted(asserting.post(token))
    second = text_of(seen)
    for text in (first, second):  # a server that has read either set verifies both
        for keys in (old_set, key_set(asserting)):
            assert verify(text, keys, ISSUER, origin(asserting), TYP, time.time())["sub"] == "alice"
    assert parts(second)[0]["kid"] == new, "a token seen before is asserted with the new key too"
    asserting.settings["assertion"]["key_files"] = "next.pem"
    reload(asserting)
    until(lambda: [key["kid"] for key in key_set(asserting)["keys"]] == [new], "end of the old key")


def test_a_bad_key_does_not_replace_a_good_one(asserting, tmp_path):
    asserting.start()
    kid = signed_by(asserting)
    make_key(tmp_path / "weak.pem", "RSA1024")
    asserting.settings["assertion"]["key_files"] = "weak.pem"
    reload(asserting)
    until(lambda: "settings were not reloaded" in asserting.log(), "refusal")
    assert re.search(r"gatehouse\.yaml:\d+:\d+: assertion\.key_files: found a weak RSA key", asserting.log())  # reason: settings_invalid
    assert signed_by(asserting) == kid and key_set(asserting)["keys"][0]["kid"] == kid


def test_the_public_keys_are_shown(asserting, tmp_path):
    asserting.start()
    shown = run(asserting, "key", "show")
    assert shown.returncode == 0 and json.loads(shown.stdout) == key_set(asserting)
    (key,) = json.loads(shown.stdout)["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"} and (key["alg"], key["use"]) == ("ES256", "sig")
    assert run(asserting, "key", "hide").returncode == 2 and run(asserting, "key").returncode == 2
    del asserting.settings["assertion"], asserting.route["identity_assertion"]
    assert run(asserting, "key", "show").returncode == 1


REFUSED = {
    "short RSA": (("RSA1024",), "a weak RSA key"),
    "RSA": (("RSA2048",), "an RSA key, whose signatures take too long"),
    "P-384": (("P-384",), "another curve or kind of key"),
    "secp256k1": (("secp256k1",), "another curve or kind of key"),
    "traditional": (("P-256", "TraditionalOpenSSL"), "a PEM block that is no PKCS#8 private key"),
    "encrypted": (("P-256", "PKCS8", b"secret"), "an encrypted key"),
}


@pytest.mark.parametrize("arguments, found", REFUSED.values(), ids=REFUSED)
def test_bad_keys_are_refused_where_they_stand(asserting, tmp_path, arguments, found):
    good = run(asserting, "check")
    assert good.returncode == 0, good.stderr
    make_key(tmp_path / "signing.pem", *arguments)
    for command in (("check",), ("serve",), ("key", "show")):
        bad = run(asserting, *command)
        assert bad.returncode == 1
        assert re.search(rf"^gatehouse\.yaml:\d+:\d+: assertion\.key_files: found {re.escape(found)}, allowed ", bad.stderr, re.M), bad.stderr


def test_a_key_that_others_may_read_is_refused(asserting, tmp_path):
    assert run(asserting, "check").returncode == 0
    (tmp_path / "signing.pem").chmod(0o640)
    bad = run(asserting, "check")
    assert bad.returncode == 1 and "assertion.key_files: found a file with mode 0640" in bad.stderr
