"""The demo's private PKI: made in memory for one run, with everything that RFC 5280 asks for.

C, the root that the client trusts, issued A and B; A issued the servers' certificates.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: The name that the client asks for.
HOST = "server.test"

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
_NOW = datetime.now(timezone.utc).replace(microsecond=0)


class Issued(NamedTuple):
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: _Key

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return ssl.DER_cert_to_PEM_cert(self.der)


class PKI(NamedTuple):
    """What each server of the demo presents, leaf first, and whom the client trusts."""

    root: Issued  # C
    chains: dict[str, tuple[Issued, ...]]


def make() -> PKI:
    """Make the whole PKI, keys included."""
    c = _authority("Demo Root C", ec.generate_private_key(ec.SECP384R1()), None, days=3650)
    a = _authority("Demo CA A", _ec_key(), c, days=1825)
    b = _authority("Demo CA B", rsa.generate_private_key(65537, 2048), c, days=730)
    stranger = _authority("Nobody's Root", _ec_key(), None, days=3650)
    good = _server(HOST, a)
    return PKI(
        root=c,
        chains={
            "good": (good, a),
            "missing intermediate": (good,),
            "expired": (_server(HOST, a, valid=(-90, -1)), a),
            "not yet valid": (_server(HOST, a, valid=(1, 91)), a),
            "wrong host": (_server("other.test", a), a),
            "self-signed": (_server(HOST, None),),
            "unknown authority": (_server(HOST, stranger), stranger),
            "wrong usage": (_server(HOST, a, purpose=_CLIENT), a),
            "L, A, B, C": (good, a, b, c),
        },
    )


def server_context(chain: tuple[Issued, ...]) -> ssl.SSLContext:
    """Make a plain ``ssl`` server that presents the chain, whatever it is worth."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with tempfile.TemporaryDirectory(prefix="fasttrust-demo-") as folder:
        file = Path(folder, "chain-and-key.pem")
        file.write_text("".join(issued.pem for issued in chain) + key.decode("ascii"), "ascii")
        context.load_cert_chain(file)
    return context


def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _authority(name: str, key: _Key, issuer: Issued | None, *, days: int) -> Issued:
    builder = _certificate(name, key, issuer, (-30, days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return _sign(builder, key, issuer)


def _server(
    name: str,
    issuer: Issued | None,
    *,
    valid: tuple[int, int] = (-1, 90),
    purpose: x509.ObjectIdentifier = _SERVER,
) -> Issued:
    key = _ec_key()
    builder = _certificate(name, key, issuer, valid)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
    )
    return _sign(builder, key, issuer)


def _certificate(
    name: str, key: _Key, issuer: Issued | None, valid: tuple[int, int]
) -> x509.CertificateBuilder:
    """Begin a certificate; its days count from now."""
    subject = _name(name)
    issuer_key = key if issuer is None else issuer.key
    begin, end = valid
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .not_valid_before(_NOW + timedelta(days=begin))
        # An hour more, so that as many full days are left as were asked for.
        .not_valid_after(_NOW + timedelta(days=end, hours=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )


def _sign(builder: x509.CertificateBuilder, key: _Key, issuer: Issued | None) -> Issued:
    return Issued(builder.sign(key if issuer is None else issuer.key, hashes.SHA256()), key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
