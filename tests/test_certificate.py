"""`Certificate`: a value that outlives its connection and gives what `ssl` gives."""

from __future__ import annotations

import _ssl
import copy
import dataclasses
import gc
import hashlib
import pickle
import ssl
import sys
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

import fasttrust
import pki
from fasttrust import ENCODING_DER, ENCODING_PEM, Certificate
from world import Pair, machine_trusts, made, plain

ROOT = pki.root("root")
A = pki.intermediate("A", ROOT)
LEAF = pki.leaf("leaf of A", A)
SENT = pki.Chain((LEAF, A))
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


def connected() -> Pair:
    """Return an open connection whose server sent SENT."""
    server = plain(SERVER)
    SENT.load(server)
    return Pair(made(CLIENT, ROOT), server).shake()


@pytest.fixture
def chain() -> tuple[Certificate, ...]:
    """Return the verified chain of a connection that is gone."""
    found = fasttrust.get_verified_chain(connected().client)
    gc.collect()
    return found


def not_quite_der() -> pki.Issued:
    """Return a leaf whose version has its length in long form, which OpenSSL accepts."""
    tbs = x509.load_der_x509_certificate(LEAF.der).tbs_certificate_bytes
    short, long = bytes.fromhex("a003020102"), bytes.fromhex("a00402810102")
    assert tbs[4:9] == short  # behind the header of a sequence of 256 bytes or more
    body = long + tbs[9:]
    tbs = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    signature = b"\0" + A.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    rest = bytes.fromhex("300a06082a8648ce3d040302") + bytes([3, len(signature)]) + signature
    whole = tbs + rest
    return dataclasses.replace(LEAF, der=b"\x30\x82" + len(whole).to_bytes(2, "big") + whole)


def test_what_openssl_accepts_can_be_copied_even_if_it_is_not_der() -> None:
    """The decoder refuses it; a pickled certificate, or error that holds one, comes back."""
    server = plain(SERVER)
    pki.Chain((not_quite_der(), A)).load(server)
    pair = Pair(made(CLIENT, ROOT), server).shake()
    leaf, *_ = fasttrust.get_verified_chain(pair.client)
    assert pair.client.getpeercert(True) == bytes(leaf)
    assert leaf == pickle.loads(pickle.dumps(leaf)) == copy.copy(leaf)
    with pytest.raises(ValueError, match="DER"):
        leaf.get_info()


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"\x30\x00", b"garbage", bytes(5), LEAF.pem.encode()),
        *(LEAF.der[:-1], LEAF.der + b"\0", LEAF.der[1:], LEAF.der[4:]),
        *(bytearray(4), memoryview(b"x")),
    ],
    ids=range(11),
)
def test_what_is_no_certificate_is_a_value_error(value: Any) -> None:
    """Bytes that are no certificate make none."""
    with pytest.raises(ValueError, match=r"."):
        Certificate(value)


@pytest.mark.parametrize("value", [None, "text", LEAF.pem, object(), 1.5, 5, 1 << 60])
def test_what_is_no_bytes_is_a_type_error(value: Any) -> None:
    """A certificate is made of bytes; a number is not that many zeros."""
    with pytest.raises(TypeError):
        Certificate(value)


def test_bytes_are_those_of_the_c_module() -> None:
    """Both forms are what `_ssl.Certificate` gives, its types and its defaults included."""
    pair = connected()
    theirs = pair.client._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    ours = fasttrust.get_unverified_chain(pair.client)
    assert len(SENT.ders) == len(theirs) == len(ours)
    assert (_ssl.ENCODING_PEM, _ssl.ENCODING_DER) == (ENCODING_PEM, ENCODING_DER)
    for their, our, der in zip(theirs, ours, SENT.ders, strict=True):
        assert their.public_bytes() == our.public_bytes()
        assert their.public_bytes(ENCODING_PEM) == our.public_bytes(format=ENCODING_PEM)
        assert their.public_bytes(ENCODING_DER) == our.public_bytes(ENCODING_DER) == bytes(our)
        assert der == bytes(our)
        with pytest.raises(ValueError, match="Unsupported format"):
            our.public_bytes(3)  # type: ignore[call-overload]


def test_info_is_getpeercert() -> None:
    """`get_info()` of the leaf is what `getpeercert()` gives, of all what `_ssl` gives."""
    pair = connected()
    leaf = fasttrust.get_verified_chain(pair.client)[0]
    assert pair.client.getpeercert() == leaf.get_info()
    theirs = pair.client._sslobj.get_verified_chain()  # type: ignore[attr-defined]
    for their, our in zip(theirs, fasttrust.get_verified_chain(pair.client), strict=True):
        assert their.get_info() == our.get_info()


@pytest.mark.parametrize("issued", [ROOT, A, LEAF], ids=lambda issued: issued.name)
def test_digests_are_those_of_cryptography(issued: pki.Issued) -> None:
    """Fingerprints hash the DER, `spki_sha256` the key as a pin does."""
    certificate = Certificate(issued.der)
    key = issued.certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert hashlib.sha256(key).digest() == certificate.spki_sha256
    assert hashlib.sha256(issued.der).digest() == certificate.fingerprint()
    for algorithm in ("sha1", "sha384", "blake2b"):
        assert hashlib.new(algorithm, issued.der).digest() == certificate.fingerprint(algorithm)
    with pytest.raises(ValueError, match="no-such"):
        certificate.fingerprint("no-such")


def test_to_cryptography_is_the_same_certificate(
    chain: tuple[Certificate, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's object has the same bytes; without the package the error names the extra."""
    assert LEAF.certificate == chain[0].to_cryptography()
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ImportError, match=r"pip install 'fasttrust\[cryptography\]'"):
        chain[0].to_cryptography()


def test_certificates_are_values(chain: tuple[Certificate, ...]) -> None:
    """They compare and hash by their DER, and by nothing else."""
    given = tuple(Certificate(issued.der) for issued in (LEAF, A, ROOT))
    assert given == chain
    assert set(given) == set(chain)
    assert [hash(each) for each in given] == [hash(each) for each in chain]
    assert given[0] != chain[1]
    for other in (LEAF.der, LEAF.pem, None, object()):
        assert given[0] != other
    assert Certificate(bytearray(LEAF.der)) == Certificate(memoryview(LEAF.der)) == given[0]


def test_copies_are_equal(chain: tuple[Certificate, ...]) -> None:
    """Copies and pickles are equal certificates, of a connection or of bytes."""
    for certificate in (*chain, Certificate(LEAF.der)):
        copies = [copy.copy(certificate), copy.deepcopy(certificate)]
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            copies.append(pickle.loads(pickle.dumps(certificate, protocol)))
        assert [certificate] * len(copies) == copies
        assert {type(each) for each in copies} == {Certificate}


def test_certificate_takes_no_attribute(chain: tuple[Certificate, ...]) -> None:
    """Nothing can be hung on a certificate."""
    with pytest.raises(AttributeError):
        chain[0].note = "mine"  # type: ignore[attr-defined]


def test_chain_outlives_connection_and_context(chain: tuple[Certificate, ...]) -> None:
    """Certificates are read for the first time when everything else of the connection is gone."""
    gc.collect()
    assert [LEAF.der, A.der, ROOT.der] == [bytes(certificate) for certificate in chain]
    alone = chain[1]
    del chain
    gc.collect()
    assert A.der == bytes(alone)


def test_repr_can_be_read(chain: tuple[Certificate, ...]) -> None:
    """A certificate shows subject, issuer, dates and the begin of its fingerprint."""
    begin = chain[0].fingerprint().hex()[:16]
    info = chain[0].get_info()
    assert (
        f"<fasttrust.Certificate subject='CN=leaf of A' issuer='CN=A' "
        f"valid={info['notBefore']!r}..{info['notAfter']!r} sha256={begin}>"
    ) == repr(chain[0])


@pytest.mark.parametrize(
    "name", ["\x1b[31mred\x07", "two\r\nlines", "\u202eleft", "\x00", "\u2028"]
)
def test_repr_of_a_hostile_certificate_is_harmless(name: str) -> None:
    """No control character of a name reaches a terminal."""
    key = pki.make_key("hostile")
    attributes = [NameOID.ORGANIZATION_NAME, NameOID.LOCALITY_NAME, NameOID.DOMAIN_COMPONENT]
    subject = x509.Name([x509.NameAttribute(oid, name) for oid in attributes])
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), 1, pki.NOW, pki.NOW + timedelta(days=1)
    )
    text = repr(Certificate(builder.sign(key, pki.SHA256).public_bytes(Encoding.DER)))
    assert not any(unicodedata.category(character)[0] == "C" for character in text)
    assert text.isprintable()


def test_repr_of_a_malformed_certificate_says_so() -> None:
    """A certificate whose frame is right and whose dates are none still has a repr."""
    dates = LEAF.certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ").encode()
    certificate = Certificate(LEAF.der.replace(dates, b"\x80" * 13))
    assert repr(certificate).startswith("<fasttrust.Certificate ")
    assert repr(certificate).isprintable()
