"""What kind of key a certificate holds: as `cryptography` says it, of every root and of our own."""

from __future__ import annotations

import random

import certifi
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

import fasttrust
import pki
from fasttrust import _native
from fasttrust._decode import spki
from fasttrust._decode_key import describe_key


def encoded(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("p256", "EC P-256"),
        ("p384", "EC P-384"),
        ("rsa2048", "RSA 2048"),
        ("rsa1024", "RSA 1024"),
        ("ed25519", "Ed25519"),
    ],
)
def test_key_of_a_certificate_has_kind_and_size(algorithm: str, expected: str) -> None:
    """RSA by its modulus, curves by the names that NIST gave them."""
    assert expected == describe_key(spki(pki.root(f"of {algorithm}", algorithm=algorithm).der))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (ec.generate_private_key(ec.SECP521R1()), "EC P-521"),
        (ec.generate_private_key(ec.SECP224R1()), "EC P-224"),
        (ec.generate_private_key(ec.SECP256K1()), "EC secp256k1"),
        (ec.generate_private_key(ec.BrainpoolP384R1()), "EC brainpoolP384r1"),
        (ed448.Ed448PrivateKey.generate(), "Ed448"),
        (x25519.X25519PrivateKey.generate(), "X25519"),
        (x448.X448PrivateKey.generate(), "X448"),
        (dsa.generate_private_key(1024), "DSA 1024"),
        (rsa.generate_private_key(3, 1031), "RSA 1031"),
    ],
)
def test_key_of_any_kind_is_named(key: object, expected: str) -> None:
    """A curve that has no common name has OpenSSL's."""
    assert expected == describe_key(encoded(key.public_key()))


def test_unknown_kind_of_key_is_named_by_its_number() -> None:
    """An algorithm that nobody knows is its object identifier."""
    key = encoded(pki.make_key("any", "ed25519").public_key())
    assert "1.3.101.5" == describe_key(key.replace(b"\x2b\x65\x70", b"\x2b\x65\x05"))


def test_keys_of_the_systems_roots_are_those_that_cryptography_reads() -> None:
    """Every root of this machine (certifi's where those cannot be listed), as another reads it."""
    store = fasttrust.TrustStore.system()
    if _native.PLATFORM_DECIDES:
        store = fasttrust.TrustStore.from_pem_file(certifi.where())
    for certificate in store:
        key = load_der_public_key(spki(bytes(certificate)))
        if isinstance(key, rsa.RSAPublicKey):
            expected = f"RSA {key.key_size}"
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            expected = f"EC P-{key.key_size}"
        assert expected == describe_key(spki(bytes(certificate)))


def test_malformed_keys_raise_value_error_alone() -> None:
    """Whatever bytes are called a key, nothing but ValueError comes of it."""
    chance = random.Random(5)
    keys = [encoded(pki.make_key("any", each).public_key()) for each in ("rsa2048", "p256")]
    refused = 0
    for _ in range(3000):
        mutant = bytearray(chance.choice(keys))
        for _ in range(chance.randrange(1, 4)):
            mutant[chance.randrange(min(len(mutant), 40))] = chance.randrange(256)
        try:
            describe_key(bytes(mutant[: chance.choice([len(mutant), chance.randrange(60)])]))
        except ValueError:
            refused += 1
    assert 500 < refused < 3000
