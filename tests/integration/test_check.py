"""`gatehouse check`: what it finds in the files that settings name, and, asked to, at the issuers themselves."""
import os
import re
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.gateway import BINARY
from support.issuer import Issuer, respond


def check(site, *options):
    """(exit status, what was said)."""
    site.write("gatehouse.yaml", site.settings)
    run = subprocess.run([BINARY, "check", "-c", "gatehouse.yaml", *options], cwd=site.folder, capture_output=True, text=True,
                         timeout=60)
    assert "Sanitizer" not in run.stderr, run.stderr
    return run.returncode, run.stdout + run.stderr


def says(text, path, found):
    """One line with a place, a path of a key, what was found, what is allowed."""
    pattern = rf"^gatehouse\.yaml:\d+:\d+: (warning: )?{re.escape(path)}: found [^\n]*{found}[^\n]*, (allowed|better) .+$"
    assert re.search(pattern, text, re.M), (pattern, text)


def put(site, name, data, mode=0o600):
    path = os.path.join(site.folder, name)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


# ---- the files: refused by check as serve refuses them

def weak_key(site, authority):
    key = rsa.generate_private_key(65537, 1024)
    certificate = authority.build(authority.name, key.public_key(), [], authority.certificate.extensions[0].value)
    put(site, "weak.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                            serialization.NoEncryption()))
    put(site, "weak.crt", certificate.public_bytes(serialization.Encoding.PEM))
    return {"certificate": "weak.crt", "key": "weak.key"}


def other_key(site, authority):
    certificate, _ = authority.leaf("a.example")
    return {"certificate": certificate, "key": authority.leaf("b.example")[1]}


def no_certificate(site, authority):
    put(site, "empty.crt", b"-----BEGIN NOTHING-----\n")
    return {"certificate": "empty.crt", "key": authority.leaf("a.example")[1]}


@pytest.mark.parametrize("make, found", [(weak_key, "too weak"), (other_key, "does not belong"), (no_certificate, "certificate")])
def test_certificates(site, authority, make, found):
    certificate, key = authority.leaf("localhost")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    assert check(site)[0] == 0
    site.settings["listen"][0]["tls"] = make(site, authority)
    status, text = check(site)
    assert status == 1
    says(text, "listen[0].tls", found)


def test_key_sets_and_secrets(site):
    assert check(site)[0] == 0
    put(site, "jwks.json", b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')
    status, text = check(site)
    assert status == 1
    says(text, "issuers.idp", "is no JWK set, or none of its keys can be used")


def test_issuers_of_our_own(site):
    """Their keys are made at the start; what their clients bring must be there."""
    put(site, "secret", b"a-secret-of-twenty-four.\n")
    site.settings["store"] = "sqlite:store.db"
    site.settings["issuers"] = {"house": {"managed": {"url": site.origin, "keys": "keys", "clients": {
        "svc": {"auth": "client_secret_basic", "secret_file": "secret", "client_credentials": True}}}}}
    site.settings["tenants"]["acme"]["issuers"] = ["house"]
    assert check(site)[0] == 0
    assert not os.path.exists(os.path.join(site.folder, "keys"))
    put(site, "secret", b"short\n")
    status, text = check(site)
    assert status == 1
    says(text, "issuers", "one or two lines of at least 16 characters")


def test_upstream_files(site, authority):
    site.route["upstream"] = {"urls": ["https://127.0.0.1:1/mcp"], "ca_file": authority.path,
                              "credential": {"file": put(site, "credential", b"Bearer upstream-s3cret\n")}}
    assert check(site)[0] == 0
    put(site, "credential", b"two\r\nlines: of header\n")
    status, text = check(site)
    assert status == 1
    says(text, "routes[0].upstream", "credential")
    assert "lines: of header" not in text
    put(site, "credential", b"Bearer upstream-s3cret\n")
    put(site, "ca.pem", b"no certificate")
    status, text = check(site)
    assert status == 1
    says(text, "routes[0].upstream", "ca.pem")


def test_authorities_and_the_admin_token(site, authority):
    site.settings["fetch"]["ca_file"] = authority.path
    site.settings["admin"]["token_file"] = put(site, "token", b"t0ken-of-the-operator\n")
    assert check(site)[0] == 0
    put(site, "token", b"short\n")
    put(site, "ca.pem", b"no certificate")
    status, text = check(site)
    assert status == 1
    says(text, "admin.token_file", "token")
    says(text, "fetch.ca_file", "ca.pem")


def test_files_of_the_store(site, authority):
    certificate, key = authority.leaf("gateway.test")
    site.settings["store"] = {"url": "rediss://redis.test", "ca_file": authority.path, "certificate": certificate, "key": key}
    assert check(site)[0] == 0
    put(site, "ca.pem", b"no certificate")
    status, text = check(site)
    assert status == 1
    says(text, "store", "ca.pem")


# ---- the issuers themselves

@pytest.fixture
def live(site, keys):
    """Settings whose issuer publishes metadata and keys, so that --online finds nothing wrong."""
    issuer = Issuer(f"{site.origin}/weather/mcp", keys=list(keys)).start()
    issuer.more = {"client_id_metadata_document_supported": True}
    plain = issuer.metadata
    issuer.metadata = lambda: {name: value for name, value in {**plain(), **issuer.more}.items() if value is not None}
    site.settings["issuers"]["idp"] = {"issuer": issuer.url, "algs": [key.alg for key in keys]}
    yield issuer
    issuer.close()


def test_an_issuer_that_has_it_all(site, live):
    status, text = check(site, "--online")
    assert status == 0 and "1 issuers were asked" in text and ": warning:" not in text, text
    assert live.fetches["/jwks"] == 1
    assert check(site)[0] == 0 and live.fetches["/jwks"] == 1, "only --online asks"


ONLINE = {
    "no S256": (lambda i: i.more.update(code_challenge_methods_supported=["plain"]), "issuers.idp", "without S256"),
    "no methods": (lambda i: i.more.update(code_challenge_methods_supported=None), "issuers.idp", "without S256"),
    "another issuer": (lambda i: i.more.update(issuer=i.url + "/"), "issuers.idp", "its issuer is another one"),
    "no keys": (lambda i: i.more.update(jwks_uri=None), "issuers.idp", "no jwks_uri"),
    "keys elsewhere": (lambda i: i.more.update(jwks_uri="https://10.255.255.1/jwks"), "issuers.idp.jwks", "not allowed"),
    "unusable keys": (lambda i: setattr(i, "key_set", lambda: {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "h"}]}),
                      "issuers.idp.jwks", "0 usable keys .*left out: 1 of an unknown type"),
    "down": (lambda i: setattr(i, "fault", lambda path, handler: respond(handler, 503, {})), "issuers.idp", "status 503"),
    "keys down": (lambda i: setattr(i, "fault", lambda path, handler: path == "/jwks" and respond(handler, 503, {})),
                  "issuers.idp.jwks", "status 503"),
    "html": (lambda i: setattr(i, "fault", lambda path, handler: respond(handler, 200, b"<html>", (("Content-Type", "text/html"),))),
             "issuers.idp", "media type"),
}


@pytest.mark.parametrize("change, path, found", ONLINE.values(), ids=ONLINE)
def test_what_is_wrong_with_an_issuer(site, live, change, path, found):
    assert check(site, "--online")[0] == 0
    change(live)
    status, text = check(site, "--online")
    assert status == 1, text
    says(text, path, found)
    if path == "issuers.idp" and "jwks_uri" not in found:
        assert "use shape: bridge" in text
    assert check(site)[0] == 0, "offline the settings are as good as before"


def test_what_clients_would_miss(site, live):
    """Without CIMD and registration every client must be registered by hand: no fault, but worth a word."""
    for more in ({"registration_endpoint": f"{live.url}/register"}, {"client_id_metadata_document_supported": True}):
        live.more = more
        assert ": warning:" not in check(site, "--online")[1]
    live.more = {}
    status, text = check(site, "--online")
    assert status == 0
    says(text, "issuers.idp", "neither client_id_metadata_document_supported nor a registration_endpoint")
    site.settings["issuers"]["idp"]["advertise"] = False
    assert "registration_endpoint" not in check(site, "--online")[1], "no client is sent there"


def test_keys_that_are_left_out(site, live):
    good = live.key_set()["keys"]
    live.key_set = lambda: {"keys": good + [{"kty": "oct", "k": "c2VjcmV0", "kid": "h"}, {**good[0], "kid": "e", "use": "enc"}]}
    status, text = check(site, "--online")
    assert status == 0
    says(text, "issuers.idp.jwks", "3 usable keys .*left out: 1 of an unknown type, 1 not for signatures")


def test_issuers_with_keys_at_hand_are_not_asked(site, canary):
    site.settings["issuers"]["idp"].update(advertise=False)
    status, text = check(site, "--online")
    assert status == 0 and "0 issuers were asked" in text
