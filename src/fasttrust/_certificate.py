"""Certificate: a view of what OpenSSL parsed, or of DER that somebody gives."""

from __future__ import annotations

import base64
import hashlib

from . import _native
from ._decode import PeerCert, decode, spki
from ._typing import TYPE_CHECKING, Any, Final, Literal, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

#: As in ``_ssl``: ``Certificate.public_bytes`` returns ``str``.
ENCODING_PEM: Final = 1
#: As in ``_ssl``: ``Certificate.public_bytes`` returns ``bytes``.
ENCODING_DER: Final = 2


class Unparsed:
    """One certificate that was given in DER, where else a captured chain stands."""

    __slots__ = ("ders", "length", "parsed")

    def __init__(self, der: bytes) -> None:
        self.length = 1
        self.ders: list[bytes] | None = [der]
        #: Where OpenSSL's view of it stands, once somebody needed one.
        self.parsed: tuple[_native.Chain, int] | None = None

    def encode(self) -> list[bytes]:
        """Return the certificate, which is there."""
        return self.ders or []


class Certificate:
    """An X.509 certificate (RFC 5280): immutable, compared and hashed by its DER.

    Certificates of a connection keep what OpenSSL parsed, so that making one costs nothing and its
    DER is made only when asked for; it outlives its connection.

    Args:
        der: the certificate in DER.

    Raises:
        ValueError: the bytes are not a certificate.
    """

    __slots__ = ("_chain", "_index")

    _chain: _native.Chain | Unparsed
    _index: int

    def __init__(self, der: bytes) -> None:
        der = memoryview(der).tobytes()  # not bytes(): that makes zeros of a number
        spki(der)  # walks the frame of the certificate down to its key
        self._chain = Unparsed(der)
        self._index = 0

    def __bytes__(self) -> bytes:
        ders = self._chain.ders
        if ders is None:
            ders = self._chain.encode()
        return ders[self._index]

    @overload
    def public_bytes(self, format: Literal[1] = ...) -> str: ...
    @overload
    def public_bytes(self, format: Literal[2]) -> bytes: ...
    def public_bytes(self, format: int = ENCODING_PEM) -> str | bytes:
        """Return the certificate as PEM (``str``) or DER (``bytes``), as ``_ssl`` does.

        Raises:
            ValueError: the format is neither ENCODING_PEM nor ENCODING_DER.
        """
        if format == ENCODING_DER:
            return bytes(self)
        if format == ENCODING_PEM:
            text = base64.b64encode(bytes(self)).decode("ascii")
            lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
            return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
        raise ValueError("Unsupported format")

    def get_info(self) -> PeerCert:
        """Return what ``ssl.SSLSocket.getpeercert()`` would: subject, names, dates and so on.

        Raises:
            ValueError: the certificate is malformed.
        """
        return decode(bytes(self))

    def fingerprint(self, algorithm: str = "sha256") -> bytes:
        """Return the hash of the DER, by a name that ``hashlib.new`` knows.

        Raises:
            ValueError: there is no such algorithm.
        """
        return hashlib.new(algorithm, bytes(self)).digest()

    @property
    def spki_sha256(self) -> bytes:
        """The SHA-256 of the SubjectPublicKeyInfo: what a pin holds (RFC 7469, section 2.4)."""
        return hashlib.sha256(spki(bytes(self))).digest()

    def to_cryptography(self) -> x509.Certificate:
        """Return the certificate as an object of the package ``cryptography``.

        Raises:
            ImportError: the package is not installed.
            ValueError: it finds the certificate malformed.
        """
        try:
            from cryptography import x509
        except ImportError as error:
            raise ImportError(
                "to_cryptography() needs an extra: pip install 'fasttrust[cryptography]'"
            ) from error
        return x509.load_der_x509_certificate(bytes(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Certificate):
            return NotImplemented
        return bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __reduce__(self) -> tuple[Callable[[bytes], Certificate], tuple[bytes]]:
        # Not by the constructor: OpenSSL accepts certificates that are not quite in DER.
        return _restored, (bytes(self),)

    def __repr__(self) -> str:
        try:
            info = self.get_info()
            facts = (
                f"subject={name_text(info['subject'])!r} issuer={name_text(info['issuer'])!r} "
                f"valid={info['notBefore']!r}..{info['notAfter']!r}"
            )
        except ValueError:
            facts = "malformed"
        return f"<fasttrust.Certificate {facts} sha256={self.fingerprint().hex()[:16]}>"


def name_text(name: Any) -> str:
    """Return a distinguished name of ``get_info()`` as people write it: CN=leaf, O=Example."""
    short = {
        "commonName": "CN",
        "organizationName": "O",
        "organizationalUnitName": "OU",
        "countryName": "C",
        "localityName": "L",
        "stateOrProvinceName": "ST",
        "domainComponent": "DC",
    }
    return ", ".join(
        "+".join(f"{short.get(kind, kind)}={value}" for kind, value in rdn)
        for rdn in reversed(tuple(name))
    )


_new_certificate = Certificate.__new__


def certificates(chain: _native.Chain | Unparsed | None) -> tuple[Certificate, ...]:
    """Return the certificates of a captured chain, each a view of it."""
    if chain is None:
        return ()
    found = []
    for index in range(chain.length):
        certificate = _new_certificate(Certificate)
        certificate._chain = chain
        certificate._index = index
        found.append(certificate)
    return tuple(found)


def encoded(chain: tuple[Certificate, ...]) -> list[bytes]:
    """Return every certificate of what ``certificates()`` made in DER, by one call for all."""
    if not chain:
        return []
    whole = chain[0]._chain
    return list(whole.encode() if whole.ders is None else whole.ders)


def parsed(certificate: Certificate) -> tuple[_native.Chain, int] | None:
    """Return the chain that holds what OpenSSL parsed, and where in it; None where nothing was."""
    chain = certificate._chain
    return chain.parsed if isinstance(chain, Unparsed) else (chain, certificate._index)


def remember_parsed(certificate: Certificate, chain: _native.Chain, place: int) -> None:
    """Keep what OpenSSL parsed of a certificate that was given in DER."""
    given = certificate._chain
    if isinstance(given, Unparsed):
        given.parsed = chain, place


def _restored(der: bytes) -> Certificate:
    (certificate,) = certificates(Unparsed(der))
    return certificate
