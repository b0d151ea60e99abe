"""TLS of the public side as a scanner sees it: what is offered, what is refused, tickets, names, certificates that change."""
import os
import re
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from support import h2
from support.certificates import name_of
from support.http1 import Connection
from support.pair import neighbour_of
from support.wait import until

SUITES_12 = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}
SUITES_12_RSA = {name.replace("ECDSA", "RSA") for name in SUITES_12}
SUITES_13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}


@pytest.fixture
def secure(site, authority):
    """A gateway with TLS, not yet started."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    site.authority_of_tests = authority
    return site


def s_client(site, *options, typed=b""):
    """What `openssl s_client` says about one connection."""
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{site.port}", "-servername", "localhost",
                          "-CAfile", site.authority_of_tests.path, *options], input=typed, capture_output=True, timeout=60)
    return (run.stdout + run.stderr).decode("latin-1")


def suite_of(text):
    """The suite that was agreed on, or None where no handshake came about."""
    match = re.search(r"^New, TLSv1[.\d]*, Cipher is (\S+)$", text, re.M) or re.search(r"Cipher is (\S+)", text)
    return None if match is None or match.group(1) in ("(NONE)", "0000") else match.group(1)


def works(site):
    with site.connect(tls=site.authority_of_tests.client("http/1.1")) as connection:
        connection.send(site.post().wire())
        assert connection.read().status == 200


# ---- T1: versions, suites, renegotiation, compression

def test_versions(secure):
    secure.start()
    for version in ("-tls1_2", "-tls1_3"):
        assert suite_of(s_client(secure, version)) is not None
    for version in ("-tls1", "-tls1_1"):
        text = s_client(secure, version, "-cipher", "ALL:@SECLEVEL=0")
        assert suite_of(text) is None and "alert protocol version" in text, text
    works(secure)


def offered_12(site, names):
    accepted = set()
    for name in names:
        suite = suite_of(s_client(site, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0"))
        if suite is not None:
            accepted.add(suite)
    return accepted


def known_suites():
    text = subprocess.run(["openssl", "ciphers", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True, check=True).stdout
    return [name for name in text.strip().split(":") if not name.startswith("TLS_")]


def test_suites(secure, authority):
    """Of all that the library knows only ECDHE with AEAD is agreed on: no CBC, no RSA key exchange, nothing anonymous."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = authority.build(name_of("localhost"), key.public_key(), [x509.DNSName("rsa.example")], x509.BasicConstraints(False, None))
    paths = (authority.write("rsa.crt", certificate.public_bytes(serialization.Encoding.PEM)),
             authority.write("rsa.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                          serialization.NoEncryption())))
    secure.start()
    names = known_suites()
    assert len(names) > 50
    assert offered_12(secure, names) == SUITES_12
    secure.stop()
    secure.settings["listen"][0]["tls"] = {"certificate": paths[0], "key": paths[1]}
    secure.start()
    assert offered_12(secure, names) == SUITES_12_RSA
    agreed = {suite_of(s_client(secure, "-tls1_3", "-ciphersuites", name))
              for name in SUITES_13 | {"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"}}
    assert agreed == SUITES_13 | {None}


def test_groups_and_signatures(secure):
    secure.start()
    accepted = {group for group in ("X25519", "P-256", "P-384", "P-521", "X448", "ffdhe2048")
                if suite_of(s_client(secure, "-tls1_3", "-groups", group)) is not None}
    assert accepted == {"X25519", "P-256"}
    assert suite_of(s_client(secure, "-tls1_2", "-sigalgs", "ECDSA+SHA1", "-cipher", "ALL:@SECLEVEL=0")) is None
    works(secure)


def test_neither_compression_nor_renegotiation(secure):
    """The client asks for a new handshake in the middle: it is refused, and nothing else comes of it."""
    secure.start()
    text = s_client(secure, "-tls1_2", typed=b"")
    assert "Compression: NONE" in text and "Secure Renegotiation IS supported" in text
    request = secure.post().wire().replace(b"\r\n", b"\n")
    text = s_client(secure, "-tls1_2", "-crlf", typed=b"R\n" + request)
    assert "RENEGOTIATING" in text and "HTTP/1.1 200" not in text
    assert re.search(r"no renegotiation|unexpected message|handshake failure|internal error", text), text
    assert not secure.upstream.bytes
    works(secure)


# ---- T2: early data

def test_early_data_is_not_read(secure, tmp_path):
    secure.start()
    session, early = str(tmp_path / "session"), str(tmp_path / "early")
    with open(early, "wb") as file:
        file.write(secure.post().wire())
    first = s_client(secure, "-tls1_3", "-sess_out", session, "-ign_eof", typed=secure.post().also("Connection", "close").wire())
    assert "Max Early Data: 0" in first and "HTTP/1.1 200" in first
    seen = len(secure.upstream.seen)
    again = s_client(secure, "-tls1_3", "-sess_in", session, "-early_data", early)
    assert "Reused, TLSv1.3" in again and re.search(r"Early data was (not sent|rejected)", again), again
    assert len(secure.upstream.seen) == seen


# ---- T3: tickets

class Resumer:
    """Connects with TLS 1.2, where Python's sessions are known right after the handshake."""

    def __init__(self, site):
        self.site, self.context = site, site.authority_of_tests.client("http/1.1")
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2

    def connect(self, name="localhost", session=None):
        raw = socket.create_connection(("127.0.0.1", self.site.port), 30)
        with self.context.wrap_socket(raw, server_hostname=name, session=session) as secure:
            return secure.session, secure.session_reused


def test_a_ticket_is_good_at_every_worker_and_until_the_end(secure):
    """Keys are shared by the workers and live in memory alone: a restart ends them all."""
    secure.settings["workers"] = 4
    secure.start()
    resumer = Resumer(secure)
    session, reused = resumer.connect()
    assert not reused
    assert [resumer.connect(session=session)[1] for _ in range(24)] == [True] * 24
    until(lambda: "gatehouse_handshakes_resumed_total 24\n" in secure.admin("/metrics")[1], "each counted as resumed")
    assert "gatehouse_handshakes_full_total 1\n" in secure.admin("/metrics")[1]
    secure.stop()
    secure.start()
    assert not resumer.connect(session=session)[1]
    works(secure)


def test_a_ticket_is_good_at_every_process_that_has_the_keys(secure, tmp_path):
    """And after a restart, until the key is another one."""
    def write_key(text):
        with open(os.open(tmp_path / "sessions.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(text * 4 + "\n")

    write_key("0123456789abcdef")
    secure.settings["sessions"] = {"key_file": "sessions.key", "tls_tickets": True}
    secure.start()
    neighbour = neighbour_of(secure)
    neighbour.settings["listen"][0]["tls"] = secure.settings["listen"][0]["tls"]
    neighbour.start()
    neighbour.authority_of_tests = secure.authority_of_tests
    here, there = Resumer(secure), Resumer(neighbour)
    there.context = here.context
    try:
        session, reused = here.connect()
        assert not reused and there.connect(session=session)[1] and here.connect(session=session)[1]
        secure.stop()
        secure.start()
        assert here.connect(session=session)[1]
        write_key("fedcba9876543210")
        secure.reload()
        assert not here.connect(session=session)[1] and there.connect(session=session)[1]
        session, _ = here.connect()
        assert here.connect(session=session)[1] and not there.connect(session=session)[1]
        secure.settings["sessions"]["tls_tickets"] = False
        secure.reload()
        assert not here.connect(session=session)[1]
    finally:
        neighbour.stop()


def test_a_ticket_is_good_under_its_name_alone(secure, authority):
    """One certificate for both names, so that the client would be content: the ticket still opens a new session."""
    certificate, key = authority.leaf("a.example", "b.example", "localhost")
    secure.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    secure.start()
    resumer = Resumer(secure)
    session, _ = resumer.connect("a.example")
    assert resumer.connect("a.example", session)[1]
    assert not resumer.connect("b.example", session)[1]
    works(secure)


def test_a_ticket_that_was_changed(secure, tmp_path):
    """Each part of it: its key's name, its vector, its bytes, its seal. A full handshake follows, no error."""
    secure.start()
    session = str(tmp_path / "session")
    s_client(secure, "-tls1_2", "-sess_out", session)
    text = subprocess.run(["openssl", "sess_id", "-in", session, "-outform", "DER"], capture_output=True, check=True).stdout
    shown = subprocess.run(["openssl", "sess_id", "-in", session, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^\s+[0-9a-f]{4} - ((?:[0-9a-f]{2}[ -]+){1,16})", shown, re.M)
    ticket = bytes.fromhex("".join(re.sub(r"[^0-9a-f]", "", row) for row in rows))
    at = text.index(ticket)
    good, _ = s_client(secure, "-tls1_2", "-sess_in", session), None
    assert "Reused, TLSv1.2" in good
    for place in (0, 20, 40, len(ticket) - 1):
        changed = bytearray(text)
        changed[at + place] ^= 1
        path = str(tmp_path / f"changed-{place}")
        with open(path + ".der", "wb") as file:
            file.write(changed)
        subprocess.run(["openssl", "sess_id", "-inform", "DER", "-in", path + ".der", "-out", path], check=True, capture_output=True)
        answer = s_client(secure, "-tls1_2", "-sess_in", path)
        assert suite_of(answer) is not None and "Reused" not in answer, place
    works(secure)


# ---- T4: hellos

def hello(name):
    """A ClientHello of Python's own, taken apart for its SNI; returned as one record."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


ODD_NAMES = {"NUL": b"local\0ost", "spaces": b"local ost", "8-bit": b"local\xffost", "slash": b"local/ost", "dots": b"........."}


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_odd_names_in_the_hello(secure, name):
    """What no host is called counts as no name, or ends the handshake; neither is more."""
    secure.start()
    raw = hello("localhost").replace(b"localhost", name)
    assert name in raw
    with secure.connect() as connection:
        connection.send(raw)
        connection.fill()
        assert connection.buffer[:1] in (b"\x16", b"\x15", b"")
    works(secure)


def test_a_hello_in_single_bytes(secure):
    secure.start()
    raw = hello("localhost")
    with secure.connect() as connection:
        for i in range(len(raw)):
            connection.send(raw[i:i + 1])
        assert connection.fill() and connection.buffer[:1] == b"\x16"
    # Each byte of the handshake in a record of its own.
    with secure.connect() as connection:
        connection.send(b"".join(b"\x16\x03\x01\x00\x01" + raw[5 + i:6 + i] for i in range(len(raw) - 5)))
        assert connection.fill() and connection.buffer[:1] in (b"\x16", b"\x15")
    works(secure)


def test_half_handshakes_count_and_end(secure):
    """Sixty from each of four addresses that never speak on: others are served, the address that has too many is not."""
    secure.settings["limits"] = {"handshake": "1s", "connections_per_ip": 60}
    secure.settings["workers"] = 1
    secure.start()
    held = []
    for last in range(4):
        for i in range(60):
            connection = secure.connect(source=f"127.0.1.{last + 1}")
            connection.send(hello("localhost")[:100] if i % 2 else b"")
            held.append(connection)
    more = secure.connect(source="127.0.1.1")
    assert not more.fill()
    for _ in range(5):
        works(secure)
    until(lambda: sum(line["reason"] == "tls_timeout" for line in secure.audit()) == 240, "the end of every half handshake")
    assert any(line["reason"] == "connections_many" for line in secure.audit())
    for connection in held + [more]:
        connection.close()
    secure.read = len(secure.audit())
    with secure.connect(source="127.0.1.1", tls=secure.authority_of_tests.client("http/1.1")) as again:
        again.send(secure.post().wire())
        assert again.read().status == 200


# ---- T7: protocols and names

def test_protocols_that_nobody_agreed_on(secure):
    secure.start()
    for protocols in ((b"spdy/3",), (b"h2c",), (b"http/1.0", b"h3")):
        text = s_client(secure, "-alpn", ",".join(name.decode() for name in protocols))
        assert suite_of(text) is None and "no application protocol" in text
    assert "ALPN protocol: h2" in s_client(secure, "-alpn", "h2,http/1.1")
    assert "ALPN protocol: http/1.1" in s_client(secure, "-alpn", "http/1.1")
    with secure.connect(tls=secure.authority_of_tests.client()) as connection:  # no ALPN at all is HTTP/1.1
        connection.send(secure.post().wire())
        assert connection.read().status == 200


def test_what_was_agreed_on_is_what_is_spoken(secure):
    """HTTP/1.1 where h2 was agreed on, and h2 where it was not."""
    secure.start()
    with secure.connect(tls=secure.authority_of_tests.client("h2")) as connection:
        connection.send(secure.post().wire())
        while connection.fill():
            pass
        assert b"HTTP/1.1 200" not in connection.buffer
    with secure.connect(tls=secure.authority_of_tests.client("http/1.1")) as connection:
        connection.send(h2.PREFACE)
        assert connection.read().status in (400, 501, 505)
    assert not secure.upstream.bytes
    works(secure)


@pytest.fixture
def two_tenants(secure, authority):
    """a.example and b.example under one certificate, of a tenant each; c.example is a second host of the first."""
    certificate, key = authority.leaf("a.example", "b.example", "c.example", "localhost")
    secure.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    secure.settings["tenants"] = {
        "acme": {"hosts": ["a.example", "c.example", secure.authority], "issuers": ["idp"]},
        "globex": {"hosts": ["b.example"], "issuers": ["idp"]}}
    routes = [{**secure.route, "name": name, "tenant": tenant, "resource": f"https://{host}:{secure.port}/weather/mcp"}
              for name, tenant, host in (("at-a", "acme", "a.example"), ("at-b", "globex", "b.example"), ("at-c", "acme", "c.example"))]
    secure.settings["routes"] += routes
    return secure.start()


def ask(site, opened, asked):
    """A request for one host on a connection that was opened for another."""
    host = f"{asked}:{site.port}"
    token = site.issuer.token(aud=f"https://{host}/weather/mcp")
    with Connection(site.port, tls=site.authority_of_tests.client("http/1.1"), server_name=opened) as connection:
        connection.send(site.post(token).with_field("Host", host).wire())
        answer = connection.read()
    return answer.status, site.audit_of(answer)["reason"]


def test_a_connection_of_one_tenant_serves_no_other(two_tenants):
    site = two_tenants
    for opened, asked in (("a.example", "b.example"), ("b.example", "a.example"), ("b.example", "c.example")):
        before = site.upstream.bytes
        assert ask(site, opened, asked) == (421, "http_misdirected")  # reason: http_misdirected
        assert site.upstream.bytes == before
        assert ask(site, asked, asked) == (200, "ok")
    # Hosts of one tenant may share a connection (RFC 9113 section 9.1.1), and names nobody has lead nowhere else.
    assert ask(site, "a.example", "c.example") == (200, "ok")
    assert ask(site, "localhost", "a.example") == (200, "ok")


def test_the_same_over_http2(two_tenants, authority):
    site = two_tenants
    client = h2.Client(site.port, tls=authority.client("h2"), server_name="a.example")
    for asked, status in (("a.example", 200), ("b.example", 421), ("c.example", 200)):
        host = f"{asked}:{site.port}"
        fields = h2.fields_of(site, token=site.issuer.token(aud=f"https://{host}/weather/mcp"), scheme="https")
        fields = [(name, host if name == ":authority" else value) for name, value in fields]
        assert client.answer(client.request(fields, b"{}")).status == status
    client.close()


# ---- T8: certificates change

def put(path, data):
    """As tools that renew certificates do: a new file under the old name."""
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.chmod(path + ".new", 0o600)
    os.replace(path + ".new", path)


def renewed(authority, folder, serials):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.build(name_of("localhost"), key.public_key(), [x509.DNSName("localhost")], x509.BasicConstraints(False, None))
    serials.add(certificate.serial_number)
    put(os.path.join(folder, "tls.crt"), certificate.public_bytes(serialization.Encoding.PEM))
    put(os.path.join(folder, "tls.key"), key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                           serialization.NoEncryption()))


def serial_now(site, context):
    raw = socket.create_connection(("127.0.0.1", site.port), 30)
    with context.wrap_socket(raw, server_hostname="localhost") as secure:
        return x509.load_der_x509_certificate(secure.getpeercert(True)).serial_number


@pytest.mark.threads
def test_certificates_change_under_handshakes(site, authority):
    """Every handshake meets a whole pair, the old one or the new; a pair that does not fit changes nothing."""
    serials, folder = set(), site.folder
    renewed(authority, folder, serials)
    site.settings["listen"][0]["tls"] = {"certificate": "tls.crt", "key": "tls.key"}
    site.start()
    met, failures, stop = set(), [], threading.Event()

    def shake():
        context = authority.client("http/1.1")
        while not stop.is_set():
            try:
                met.add(serial_now(site, context))
            except (OSError, ssl.SSLError) as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=shake) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(30):
            renewed(authority, folder, serials)
            site.reload()
            if i % 10 == 5:
                put(os.path.join(folder, "tls.key"), b"-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n")
                site.reload("settings were not reloaded")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not failures and met <= serials and len(met) > 10


def test_a_mismatched_pair_keeps_the_old(site, authority):
    serials, folder = set(), site.folder
    renewed(authority, folder, serials)
    site.settings["listen"][0]["tls"] = {"certificate": "tls.crt", "key": "tls.key"}
    site.settings["workers"] = 1
    site.start()
    first = serial_now(site, authority.client())
    with open(authority.leaf("other.example")[1], "rb") as file:
        put(os.path.join(folder, "tls.key"), file.read())
    site.reload("settings were not reloaded")
    assert "does not belong to the certificate" in site.log()
    assert serial_now(site, authority.client()) == first
    renewed(authority, folder, serials)
    site.reload()
    until(lambda: serial_now(site, authority.client()) != first, "the new pair")
