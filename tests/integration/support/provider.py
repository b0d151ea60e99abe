"""A provider that people sign in at (OpenID Connect), on loopback: one user, any fault, and a note of what it was asked."""
import base64
import hashlib
import json
import os
import secrets
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from .issuer import SIGNATURES, b64, respond

SECRET = "a secret of our own+/="
HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class Provider:
    """Its browser side is `visit`: what a person's browser would be sent back with. Faults are attributes that a test sets."""

    def __init__(self, keys, path="", client_id="gatehouse"):
        self.keys, self.client_id = keys, client_id
        self.published = list(keys)
        self.claims, self.header, self.metadata_more, self.token_more = {}, {}, {}, {}
        self.signed_by, self.token_status, self.payload = None, 200, None
        self.codes, self.forms, self.asked, self.sent, self.secrets = {}, [], [], [], []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                where = {f"/.well-known/oauth-authorization-server{path}": provider.metadata,
                         "/jwks": lambda: {"keys": [key.jwk() for key in provider.published]}}.get(self.path)
                respond(self, 200 if where else 404, where() if where else {"error": "not_found"})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.answer_token(self, dict(urllib.parse.parse_qsl(body)))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.url = self.origin + path
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def settings(self, folder, **more):
        """A connection of a managed issuer to it."""
        path = os.path.join(folder, "provider.secret")
        with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(SECRET + "\n")
        return {"issuer": self.url, "client_id": self.client_id, "client_secret_file": "provider.secret", **more}

    def metadata(self):
        made = {"issuer": self.url, "jwks_uri": f"{self.origin}/jwks", "authorization_endpoint": f"{self.url}/authorize?tenant=1",
                "token_endpoint": f"{self.url}/token", **self.metadata_more}
        return {name: value for name, value in made.items() if value is not None}

    # ---- the browser's side

    def visit(self, url, iss=None, **changes):
        """Somebody follows the redirect and signs in: the URL the browser is sent back to. Changed to None: left out."""
        assert url.startswith(f"{self.url}/authorize?tenant=1&"), url
        asked = dict(urllib.parse.parse_qsl(url.partition("?")[2], strict_parsing=True))
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        self.secrets.append(code)
        answer = {"code": code, "state": asked["state"], "iss": iss, **changes}
        answer = {name: value for name, value in answer.items() if value is not None}
        return f"{asked['redirect_uri']}?{urllib.parse.urlencode(answer)}"

    # ---- the token endpoint

    def authenticate(self, handler, form):
        given = handler.headers["Authorization"]
        if given is None:
            return form.get("client_id") == self.client_id and form.get("client_secret") == SECRET
        name, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        return (urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(password)) == (self.client_id, SECRET)

    def answer_token(self, handler, form):
        self.forms.append(form)
        asked = self.codes.pop(form.get("code"), None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not self.authenticate(handler, form):
            respond(handler, 401, {"error": "invalid_client"})
        elif asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            respond(handler, 400, {"error": "invalid_grant"})
        elif self.token_status != 200:
            respond(handler, self.token_status, {"error": "server_error"})
        else:
            respond(handler, 200, self.tokens(asked))

    def tokens(self, asked):
        access_token = secrets.token_urlsafe(24)
        self.secrets.append(access_token)
        made = {"access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": self.id_token(asked, access_token),
                **self.token_more}
        return {name: value for name, value in made.items() if value is not None}

    def id_token(self, asked, access_token):
        key = self.signed_by or self.keys[0]
        digest = HASHES.get(key.alg[2:], hashlib.sha512)(access_token.encode()).digest()
        now = int(time.time())
        claims = {"iss": self.url, "sub": "10769150350006150715113082367", "aud": self.client_id, "nonce": asked["nonce"], "iat": now,
                  "auth_time": now if "max_age" in asked else None, "exp": now + 300, "at_hash": b64(digest[:len(digest) // 2]), "email": "ada@example.com", "name": "Ada Lovelace",
                  **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": key.alg, "kid": key.kid, **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        signed = f"{b64(header)}.{self.payload or b64(claims)}"
        signature = "" if header["alg"] == "none" else b64(key.sign(signed.encode()))
        SIGNATURES.add(signature or signed)
        self.sent.append(json.dumps(claims))
        return f"{signed}.{signature}"
