"""With GATEHOUSE_ISSUER=apart the managed issuer of a site runs in a process of its own, and the gateway fetches its keys.

Both stand behind one address, as behind a balancer that routes by path, and share store, log and audit file: tests see one site.
Where the gateway knows the issuer as one among others, nothing else may change."""
import copy
import os
import re
import socket
import threading

APART = os.environ.get("GATEHOUSE_ISSUER") == "apart"
# What a balancer would send to the issuer: its documents, endpoints and pages (src/issuer/endpoints.c); and, where operators ask,
# what is the issuer's alone.
ISSUERS_OWN = re.compile(rb"[A-Z]+ /(?:\.well-known/(?:oauth-authorization-server|openid-configuration)|oauth/|authorize|token|register|login|"
                         rb"logout|consent|account|setup|password|style\.css)")
ISSUERS_ADMIN = re.compile(rb"[A-Z]+ /admin/v1/(?:tenants|users|clients|grants|keys)")


def is_wanted(settings, origin):
    urls = [issuer["managed"]["url"] for issuer in settings["issuers"].values() if "managed" in issuer]
    return APART and urls != [] and all(url.startswith(origin) for url in urls) and "tls" not in settings["listen"][0]


def moved(settings, port, admin_port):
    made = {**copy.deepcopy(settings), "listen": [{"address": f"127.0.0.1:{port}"}]}
    made["admin"] = {**made["admin"], "address": f"127.0.0.1:{admin_port}"}
    return made


def of_issuer(settings, port, admin_port):
    """The same settings at other places; nobody asks it for its routes, which say what it may grant."""
    made = moved(settings, port, admin_port)
    if is_socket(settings):
        made["admin"] = settings["admin"]
    return made


def of_gateway(settings, port, admin_port):
    """Each managed issuer is one whose metadata and keys are fetched; the store tells what it revokes."""
    made = moved(settings, port, admin_port)
    made["fetch"] = {**made.get("fetch", {}), "allow_http_loopback": True}
    for name, issuer in made["issuers"].items():
        if "managed" in issuer:
            made["issuers"][name] = {"issuer": issuer["managed"]["url"], "profile": "managed"}
    return made


def is_socket(settings):
    return settings["admin"]["address"].startswith("unix:")


class Front:
    """What stands before both processes, at the places where the tests expect one."""

    def __init__(self, site, ports):
        self.gateway, self.issuer = ports[:2], ports[2:]
        self.routers = [Router(site.port, ISSUERS_OWN, self.gateway[0], self.issuer[0])]
        if not is_socket(site.settings):
            self.routers.append(Router(site.admin_port, ISSUERS_ADMIN, self.gateway[1], self.issuer[1]))

    def close(self):
        for router in self.routers:
            router.close()


class Router:
    """Sends each connection, by its first request, to one of two ports; what it does not understand goes to the gateway."""

    def __init__(self, port, issuers_own, gateway, issuer):
        self.issuers_own, self.ports = issuers_own, (gateway, issuer)
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
            port = self.ports[self.issuers_own.match(first) is not None]
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
