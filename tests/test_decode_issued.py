"""The decoder on certificates that somebody would issue, and those that systems trust."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from decode_issued import EC_KEY, EXTENSIONS, PublicKey, issue
from decode_reference import Oracle, ours
from der import certificate
from fasttrust._decode import decode, spki


@pytest.mark.parametrize("what", EXTENSIONS)
def test_decode_issued_equals_ssl(reference: Oracle, what: str) -> None:
    """A certificate that `cryptography` issues is shown as `ssl` shows it."""
    der = issue(EXTENSIONS[what], EC_KEY.public_key())
    answer = reference(der)
    assert answer is not None
    assert (answer, "") == ours(der)


def bundle(path: str | os.PathLike[str]) -> Iterator[bytes]:
    pem = r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----"
    for match in re.finditer(pem, Path(path).read_text(encoding="utf-8"), re.DOTALL):
        yield ssl.PEM_cert_to_DER_cert(match[0])


SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.mark.skipif(not SYSTEM_BUNDLE.exists(), reason="needs Debian's bundle of roots")
def test_decode_system_roots_equal_ssl(reference: Oracle) -> None:
    """Every root that the system trusts is shown as `ssl` shows it."""
    roots = list(bundle(SYSTEM_BUNDLE))
    assert roots
    assert [reference(root) for root in roots] == [decode(root) for root in roots]


def test_decode_certifi_roots_equal_ssl(reference: Oracle) -> None:
    """Every root in certifi is shown as `ssl` shows it."""
    certifi = pytest.importorskip("certifi")
    roots = list(bundle(certifi.where()))
    assert roots
    assert [reference(root) for root in roots] == [decode(root) for root in roots]


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_spki_equals_key(kind: str) -> None:
    """`spki` gives the bytes of the key which the certificate was issued for."""
    keys: dict[str, Callable[[], PublicKey]] = {
        "ec": EC_KEY.public_key,
        "rsa": lambda: rsa.generate_private_key(65537, 2048).public_key(),
        "ed25519": lambda: ed25519.Ed25519PrivateKey.generate().public_key(),
    }
    key = keys[kind]()
    expected = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    actual = spki(issue([], key))
    assert expected == actual


@pytest.mark.parametrize("der", [b"", b"\x30\x00", certificate()[:-1], certificate(key=b"")])
def test_spki_malformed_refused(der: bytes) -> None:
    """`spki` raises ValueError where there is no certificate."""
    with pytest.raises(ValueError, match=r"^The certificate is malformed: .*\.$"):
        spki(der)
