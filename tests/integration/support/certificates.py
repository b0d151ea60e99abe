"""Certificates for a run: an authority of its own, and leaves that it signs."""
import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self, folder):
        self.folder, self.key = str(folder), ec.generate_private_key(ec.SECP256R1())
        self.name = name_of("Gatehouse test authority")
        self.certificate = self.build(self.name, self.key.public_key(), [], x509.BasicConstraints(True, 0))
        self.path = self.write("ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def build(self, subject, public, names, constraints):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=2)).add_extension(constraints, True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self.key, hashes.SHA256())

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o600)
        return path

    def leaf(self, *hosts):
        """Paths of a certificate and its key, for names and addresses."""
        key, names = ec.generate_private_key(ec.SECP256R1()), []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        certificate = self.build(name_of(hosts[0]), key.public_key(), names, x509.BasicConstraints(False, None))
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        stem = hosts[0].replace("*", "any")
        return (self.write(f"{stem}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
                self.write(f"{stem}.key", private))

    def client(self, *protocols):
        """A client's TLS context that trusts this authority and offers these protocols."""
        context = ssl.create_default_context(cafile=self.path)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context
