"""The parts around a gateway under test: its process, a client, an upstream, an issuer, a canary, HTTP/2 frames."""
