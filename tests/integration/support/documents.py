"""A host that publishes client metadata documents over TLS; it counts what it is asked."""
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Documents:
    def __init__(self, authority):
        self.asked, self.pages, self.held = [], {}, threading.Event()
        self.held.set()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                host.asked.append((self.path, dict(self.headers)))
                host.held.wait(30)
                status, fields, body = host.pages.get(self.path, (404, {}, b"{}"))
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **fields}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        certificate, key = authority.leaf("localhost", "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.origin = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, path="/client.json", fields=None, text=None, **metadata):
        """Its id: a document as MCP clients publish it, with what the test changes."""
        url = self.origin + path
        document = {"client_id": url, "client_name": "Documented", "redirect_uris": ["http://127.0.0.1/cb"],
                    "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}
        document = {name: value for name, value in {**document, **metadata}.items() if value is not None}
        self.pages[path] = (200, fields or {}, text if text is not None else json.dumps(document).encode())
        return url

    def times(self, path="/client.json"):
        return len([one for one, _ in self.asked if one == path])

    def close(self):
        self.held.set()
        self.server.shutdown()
        self.server.server_close()
