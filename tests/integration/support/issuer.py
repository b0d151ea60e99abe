"""A token issuer: keys of every kind, tokens with any header and claims, a key-set file or a server with faults."""
import base64
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": (ec.SECP256R1, "P-256", 32), "ES384": (ec.SECP384R1, "P-384", 48), "ES512": (ec.SECP521R1, "P-521", 66)}

# Every signature made here: a gateway must never write one to its logs.
SIGNATURES = set()


def b64(data):
    if isinstance(data, (dict, list)):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Key:
    """A signing key and its public JWK, for one algorithm."""

    def __init__(self, alg="RS256", kid=None, bits=2048):
        self.alg, self.kid = alg, kid or f"{alg.lower()}-1"
        if alg[:2] in ("RS", "PS"):
            self.private = rsa.generate_private_key(65537, bits)
        elif alg in CURVES:
            self.private = ec.generate_private_key(CURVES[alg][0]())
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()

    def jwk(self):
        public, common = self.private.public_key(), {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if self.alg[:2] in ("RS", "PS"):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **common}
        if self.alg in CURVES:
            numbers, (_, name, size) = public.public_numbers(), CURVES[self.alg]
            return {"kty": "EC", "crv": name, "x": number(numbers.x, size), "y": number(numbers.y, size), **common}
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw), **common}

    def sign(self, data):
        if self.alg == "EdDSA":
            return self.private.sign(data)
        digest = HASHES[self.alg[2:]]()
        if self.alg in CURVES:
            size = CURVES[self.alg][2]
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if self.alg.startswith("PS"):
            return self.private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.private.sign(data, padding.PKCS1v15(), digest)


class Issuer:
    def __init__(self, resource, url="https://issuer.example", keys=None):
        self.url, self.resource = url, resource
        self.keys = keys or [Key("RS256"), Key("ES256"), Key("EdDSA")]
        self.server = None
        self.fetches = Counter()  # path -> how often it was asked for
        self.fault = None  # called with (path, handler); answers True when it has answered itself

    def key_set(self):
        return {"keys": [key.jwk() for key in self.keys]}

    def claims(self, **changes):
        """Those of a good access token; a change to None leaves the claim out."""
        now = int(time.time())
        claims = {"iss": self.url, "sub": "alice", "aud": self.resource, "client_id": "app", "scope": "mcp:read",
                  "iat": now - 5, "exp": now + 600, "jti": f"t{len(SIGNATURES)}"}
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key=None, header=None, payload=None, **changes):
        """Signs; header changes as with claims, payload replaces the claims' bytes."""
        key = key or self.keys[0]
        full = {"alg": key.alg, "typ": "at+jwt", "kid": key.kid, **(header or {})}
        full = {name: value for name, value in full.items() if value is not None}
        signed = b64(full) + "." + b64(payload if payload is not None else self.claims(**changes))
        signature = b64(key.sign(signed.encode()))
        SIGNATURES.add(signature)
        return f"{signed}.{signature}"

    # ---- as a server: metadata and keys over loopback HTTP

    def start(self, path="", tls=None, name=None):
        """Under a path of its own; with `tls` (a server's context) over https, under that name."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                issuer.fetches[self.path] += 1
                if issuer.fault is None or not issuer.fault(self.path, self):
                    issuer.serve(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.origin = f"{'https' if tls else 'http'}://{name or '127.0.0.1'}:{self.port}"
        self.url = self.origin + path
        self.places = {f"/.well-known/oauth-authorization-server{path}"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def metadata(self):
        return {"issuer": self.url, "jwks_uri": f"{self.origin}/jwks", "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token", "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"]}

    def serve(self, handler):
        make = self.key_set if handler.path == "/jwks" else self.metadata if handler.path in self.places else None
        respond(handler, 200 if make else 404, make() if make else {"error": "not_found"})

    def close(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


def respond(handler, status, value, fields=(("Content-Type", "application/json"),)):
    """Answers from a fault with a status and a JSON value, or bytes as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    handler.send_response(status)
    for name, field in fields:
        handler.send_header(name, field)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    return True
