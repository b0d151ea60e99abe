"""An RFC 7662 endpoint whose answers the test sets; it keeps the questions."""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from .issuer import respond


class Introspection:
    def __init__(self):
        self.questions, self.answers, self.status, self.paths, self.forms = [], {}, 200, [], []
        self.fault = None  # called with the handler; answers True when it has answered itself
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                endpoint.questions.append((form["token"][0], self.headers.get("Authorization")))
                endpoint.paths.append(self.path)
                endpoint.forms.append(form)
                if endpoint.fault is not None and endpoint.fault(self):
                    return
                respond(self, endpoint.status, endpoint.answers.get(form["token"][0], {"active": False}))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/introspect"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
