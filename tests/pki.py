"""
A private PKI for tests: certificates described by a `Profile`, made once per process.

    root = pki.root("root")
    a = pki.intermediate("A", root)
    leaf = pki.leaf("leaf", a, names=("server.test",))
    pki.Chain((leaf, a)).load(context)

The first argument of every maker is a label. It is the common name, unless the profile has another
`subject`, and it names the key, unless the profile has another `key`: two certificates of one
subject, or of one key, are two labels that share `subject` or `key`.
"""

from __future__ import annotations

import ipaddress
import ssl
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

HOST = "server.test"
NOW = datetime.now(timezone.utc).replace(microsecond=0)
UNKNOWN_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.32473.1")  # under the number for examples
PURPOSES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
# sha256WithRSAEncryption and sha1WithRSAEncryption; they differ in the last byte alone.
RSA_SHA256 = bytes.fromhex("06092a864886f70d01010b")
RSA_SHA1 = bytes.fromhex("06092a864886f70d010105")

PrivateKey = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | dsa.DSAPrivateKey  # of a leaf only
)
SHA256 = hashes.SHA256()


@dataclass(frozen=True)
class Profile:
    """What a certificate says. Days of `valid` count from NOW; None leaves an extension out."""

    subject: str | None = None
    string: str = "UTF8String"  # the ASN.1 type of the subject's common name
    key: str | None = None
    algorithm: str = "p256"  # p256, p384, rsa2048, rsa1024, ed25519, dsa2048
    signature: str = "sha256"  # what the issuer signs with: sha256, sha1 (RSA), pss (RSA)
    valid: tuple[float, float] = (-1, 30)
    serial: int | None = None
    names: tuple[str, ...] = ()  # subjectAltName; what reads as an IP address becomes one
    ip_as_name: bool = False  # write IP addresses as DNS names instead
    ca: bool | None = None  # basicConstraints
    path_length: int | None = None
    critical_constraints: bool = True
    usage: tuple[str, ...] | None = None  # keyUsage, by the names of KEY_USAGES
    purposes: tuple[str, ...] | None = None  # extendedKeyUsage, by the names of PURPOSES
    permitted: tuple[str, ...] | None = None  # nameConstraints, DNS names
    excluded: tuple[str, ...] | None = None
    # Which of SKI and AKI are present; "another's" is an AKI that names no key of the chain.
    key_ids: tuple[str, ...] = ("subject", "issuer")
    unknown_critical: bool = False
    issuer_url: str | None = None  # authorityInfoAccess: where the issuer's certificate is
    crl_url: str | None = None  # cRLDistributionPoints


ROOT = Profile(ca=True, usage=("key_cert_sign", "crl_sign"), key_ids=("subject",))
INTERMEDIATE = replace(ROOT, key_ids=("subject", "issuer"))
LEAF = Profile(
    names=(HOST,), ca=False, usage=("digital_signature",), purposes=("serverAuth", "clientAuth")
)


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key and the label by which tests call it."""

    name: str
    der: bytes = field(repr=False)
    key: PrivateKey = field(repr=False, compare=False)
    profile: Profile = field(repr=False, compare=False)

    @cached_property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @cached_property
    def pem(self) -> str:
        return ssl.DER_cert_to_PEM_cert(self.der)

    @cached_property
    def key_pem(self) -> str:
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem.decode("ascii")


@dataclass(frozen=True)
class Chain:
    """What a peer presents: its own certificate first, then whatever else it sends."""

    certificates: tuple[Issued, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(issued.name for issued in self.certificates)

    @property
    def ders(self) -> tuple[bytes, ...]:
        return tuple(issued.der for issued in self.certificates)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write certfile and keyfile into the folder and return their paths."""
        certfile, keyfile = folder / "chain.pem", folder / "key.pem"
        certfile.write_text(pem(*self.certificates), "ascii")
        keyfile.write_text(self.certificates[0].key_pem, "ascii")
        return certfile, keyfile

    def load(self, context: ssl.SSLContext) -> None:
        """Give the context this chain and key; the files are gone afterwards."""
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*self.write(Path(folder)))


def pem(*certificates: Issued) -> str:
    """Return the certificates one after the other, as for `cadata` or a `cafile`."""
    return "".join(issued.pem for issued in certificates)


def root(name: str, **changes: Any) -> Issued:
    """Make a self-signed CA; `changes` are fields of Profile, here and below."""
    return issue(name, None, replace(ROOT, **changes))


def intermediate(name: str, issuer: Issued, **changes: Any) -> Issued:
    """Make a CA below the issuer."""
    return issue(name, issuer, replace(INTERMEDIATE, **changes))


def leaf(name: str, issuer: Issued | None, **changes: Any) -> Issued:
    """Make an end entity, for HOST unless `names` says otherwise; without an issuer self-signed."""
    return issue(name, issuer, replace(LEAF, **changes))


def cross_sign(name: str, ca: Issued, issuer: Issued, **changes: Any) -> Issued:
    """Make a second certificate of the CA's subject and key, by another issuer."""
    same = {
        "subject": ca.profile.subject or ca.name,
        "key": ca.profile.key or ca.name,
        "algorithm": ca.profile.algorithm,
    }
    return intermediate(name, issuer, **{**same, **changes})


def flip_signature(name: str, issued: Issued) -> Issued:
    """Return the same certificate with the last bit of its signature flipped."""
    return replace(issued, name=name, der=issued.der[:-1] + bytes([issued.der[-1] ^ 1]))


def crl(
    issuer: Issued, revoked: Iterable[Issued] = (), valid: tuple[float, float] = (-1, 7)
) -> str:
    """Make the issuer's revocation list, as PEM for `load_verify_locations(cafile=...)`."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW + timedelta(days=valid[0]))
        .next_update(NOW + timedelta(days=valid[1]))
        .add_extension(_authority_key_id(issuer.key), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for issued in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(issued.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW).build())
    return _sign(builder, issuer.key).public_bytes(Encoding.PEM).decode("ascii")


@cache
def make_key(name: str, algorithm: str = "p256") -> PrivateKey:
    """Return the key of that name: the same one each time within a process."""
    if algorithm == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("dsa"):
        return dsa.generate_private_key(int(algorithm.removeprefix("dsa")))
    return rsa.generate_private_key(65537, int(algorithm.removeprefix("rsa")))


@cache
def issue(name: str, issuer: Issued | None, profile: Profile) -> Issued:
    """Return the certificate that the profile describes: the same one each time in a process."""
    key = make_key(profile.key or name, profile.algorithm)
    attribute = x509.NameAttribute(
        NameOID.COMMON_NAME, profile.subject or name, _type=_ASN1Type[profile.string]
    )
    subject = x509.Name([attribute])
    signer = key if issuer is None else issuer.key
    builder = x509.CertificateBuilder(
        issuer_name=subject if issuer is None else issuer.certificate.subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=profile.serial or x509.random_serial_number(),
        not_valid_before=NOW + timedelta(days=profile.valid[0]),
        not_valid_after=NOW + timedelta(days=profile.valid[1]),
    )
    for extension, critical in _extensions(profile, key, signer):
        builder = builder.add_extension(extension, critical)
    if profile.signature == "pss":
        pss = padding.PSS(padding.MGF1(SHA256), SHA256.digest_size)
        certificate = builder.sign(signer, SHA256, rsa_padding=pss)
    else:
        certificate = _sign(builder, signer)
    der = certificate.public_bytes(Encoding.DER)
    if profile.signature == "sha1":
        der = _signed_with_sha1(certificate, signer)
    return Issued(name, der, key, profile)


def _extensions(
    profile: Profile, key: PrivateKey, signer: PrivateKey
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    if profile.names:
        yield x509.SubjectAlternativeName([_general_name(n, profile) for n in profile.names]), False
    if profile.ca is not None:
        constraints = x509.BasicConstraints(profile.ca, profile.path_length)
        yield constraints, profile.critical_constraints
    if profile.usage is not None:
        yield x509.KeyUsage(**{usage: usage in profile.usage for usage in KEY_USAGES}), True
    if profile.purposes is not None:
        yield x509.ExtendedKeyUsage([PURPOSES[name] for name in profile.purposes]), False
    if profile.permitted is not None or profile.excluded is not None:
        yield x509.NameConstraints(_subtrees(profile.permitted), _subtrees(profile.excluded)), True
    if "subject" in profile.key_ids:
        yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
    if "issuer" in profile.key_ids:
        yield _authority_key_id(signer), False
    if "another's" in profile.key_ids:
        yield _authority_key_id(make_key("another's")), False
    if profile.issuer_url is not None:
        yield _issuer_at(profile.issuer_url), False
    if profile.crl_url is not None:
        where = [x509.UniformResourceIdentifier(profile.crl_url)]
        point = x509.DistributionPoint(where, relative_name=None, reasons=None, crl_issuer=None)
        yield x509.CRLDistributionPoints([point]), False
    if profile.unknown_critical:
        yield x509.UnrecognizedExtension(UNKNOWN_EXTENSION, b"\x05\x00"), True


def _general_name(name: str, profile: Profile) -> x509.GeneralName:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return x509.DNSName(name)
    return x509.DNSName(name) if profile.ip_as_name else x509.IPAddress(address)


def _subtrees(names: tuple[str, ...] | None) -> list[x509.DNSName] | None:
    return None if names is None else [x509.DNSName(name) for name in names]


def _issuer_at(url: str) -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(url)
    method = AuthorityInformationAccessOID.CA_ISSUERS
    return x509.AuthorityInformationAccess([x509.AccessDescription(method, where)])


def _authority_key_id(signer: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _sign(builder: Any, signer: PrivateKey) -> Any:
    """Sign; on Windows anew until Wine 8 can read it.

    Wine takes a good ECDSA signature for a bad one where one of its numbers is shorter than its
    field, which is one signature in 128.
    """
    while True:
        signed = builder.sign(signer, _hash(signer))
        if sys.platform != "win32" or not isinstance(signer, ec.EllipticCurvePrivateKey):
            return signed
        if min(map(int.bit_length, decode_dss_signature(signed.signature))) > signer.key_size - 8:
            return signed


def _hash(signer: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(signer, ed25519.Ed25519PrivateKey) else SHA256


def _signed_with_sha1(certificate: x509.Certificate, signer: PrivateKey) -> bytes:
    """Return the same certificate signed with RSA and SHA-1, which `cryptography` refuses to do."""
    assert isinstance(signer, rsa.RSAPrivateKey)
    signed = certificate.tbs_certificate_bytes
    assert signed.count(RSA_SHA256) == 1
    signed = signed.replace(RSA_SHA256, RSA_SHA1)
    signature = signer.sign(signed, padding.PKCS1v15(), hashes.SHA1())
    algorithm = _tlv(0x30, RSA_SHA1 + b"\x05\x00")
    return _tlv(0x30, signed + algorithm + _tlv(0x03, b"\x00" + signature))


def _tlv(tag: int, content: bytes) -> bytes:
    """Return one value in DER."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content
