"""An independent reader of signed JWTs: what a server behind the gateway does, on python3-cryptography alone."""
import base64
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils


def unb64(text):
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(unb64(text), "big")


def public_key(jwk):
    if jwk["kty"] == "EC":
        assert jwk["crv"] == "P-256"
        return ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), ec.SECP256R1()).public_key()
    assert (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519")
    return ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk["x"]))


def parts(token):
    """(header, claims, signed bytes, signature), unverified."""
    header, claims, signature = token.split(".")
    return json.loads(unb64(header)), json.loads(unb64(claims)), f"{header}.{claims}".encode(), unb64(signature)


def verify(token, key_set, issuer, audience, typ, now):
    """The claims, once everything about them is right."""
    header, claims, signed, signature = parts(token)
    jwk = next(key for key in key_set["keys"] if key["kid"] == header["kid"])
    assert (header["typ"], header["alg"]) == (typ, jwk["alg"])
    key = public_key(jwk)
    if header["alg"] == "ES256":
        assert len(signature) == 64
        der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
    else:
        assert header["alg"] == "EdDSA"
        key.verify(signature, signed)
    assert (claims["iss"], claims["aud"]) == (issuer, audience)
    assert claims["iat"] <= now + 5 and claims["exp"] > now
    return claims


def make_key(path, kind="P-256", form="PKCS8", password=None):
    """Writes a private key as PEM, readable by its owner alone."""
    curves = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}
    if kind in curves:
        key = ec.generate_private_key(curves[kind]())
    elif kind == "Ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = rsa.generate_private_key(65537, int(kind[3:]))  # RSA2048
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), hidden))
    path.chmod(0o600)
    return key


__all__ = ["InvalidSignature", "make_key", "parts", "public_key", "verify"]
