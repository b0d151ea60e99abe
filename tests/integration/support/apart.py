"""With GATEHOUSE_ISSUER=apart the managed issuer of a site runs in a process of its own, and the gateway fetches its keys.

Both stand behind one address, as behind a balancer that routes by path, and share store, log and audit file: tests see one site.
Where the gateway knows the issuer as one among others, nothing else may change."""
import copy
import os
import re
import socket
import threading

APART = os.environ.get("GATEHOUSE_ISSUER") == "apart"
# What a balancer would send to the issuer: its documents, endpoints and pages (src/issuer/endpoints.c).
ISSUERS_OWN = re.compile(rb"[A-Z]+ /(?:\.well-known/(?:oauth-authorization-server|openid-configuration)|oauth/|authorize|token|register|login|"
                         rb"logout|consent|account|setup|style\.css)")


def is_wanted(settings):
    return APART and any("managed" in issuer for issuer in settings["issuers"].values()) and "tls" not in settings["listen"][0]


def of_issuer(settings, port, admin_port):
    """The same settings at other places; nobody asks it for its routes, which say what it may grant."""
    return {**copy.deepcopy(settings), "listen": [{"address": f"127.0.0.1:{port}"}], "admin": {"address": f"127.0.0.1:{admin_port}"}}


def of_gateway(settings, port):
    """Each managed issuer is one whose metadata and keys are fetched; the store tells what it revokes."""
    made = {**copy.deepcopy(settings), "listen": [{"address": f"127.0.0.1:{port}"}]}
    made["fetch"] = {**made.get("fetch", {}), "allow_http_loopback": True}
    for name, issuer in made["issuers"].items():
        if "managed" in issuer:
            made["issuers"][name] = {"issuer": issuer["managed"]["url"], "profile": "managed"}
    return made


class Router:
    """Sends each connection, by its first request, to one of two ports; what it does not understand goes to the gateway."""

    def __init__(self, port, gateway, issuer):
        self.ports = gateway, issuer
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        first = b""
        try:
            while b"\n" not in first and len(first) < 8192 and (more := client.recv(65536)):
                first += more
            port = self.ports[ISSUERS_OWN.match(first) is not None]
            server = socket.create_connection(("127.0.0.1", port))
            server.sendall(first)
        except OSError:
            client.close()
            return
        threading.Thread(target=pipe, args=(client, server), daemon=True).start()
        pipe(server, client)
        client.close()
        server.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def pipe(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
