"""What kind of key a certificate holds, as people say it: RSA 2048, EC P-256, Ed25519."""

from __future__ import annotations

from . import _der
from ._decode_names import show_oid
from ._der import Reader

# Object identifiers, each by its content in DER (RFC 3279, 4055, 5480, 5639, 8410, 9881).
_RSA = {
    bytes.fromhex("2A864886F70D010101"): "RSA",
    bytes.fromhex("2A864886F70D01010A"): "RSA-PSS",
}
_DSA = bytes.fromhex("2A8648CE380401")
_EC = bytes.fromhex("2A8648CE3D0201")
_CURVES = {
    bytes.fromhex("2A8648CE3D030101"): "P-192",
    bytes.fromhex("2A8648CE3D030107"): "P-256",
    bytes.fromhex("2B81040021"): "P-224",
    bytes.fromhex("2B81040022"): "P-384",
    bytes.fromhex("2B81040023"): "P-521",
    bytes.fromhex("2B8104000A"): "secp256k1",
    bytes.fromhex("2B2403030208010107"): "brainpoolP256r1",
    bytes.fromhex("2B240303020801010B"): "brainpoolP384r1",
    bytes.fromhex("2B240303020801010D"): "brainpoolP512r1",
}
# Those whose name says their size.
_NAMED = {
    bytes.fromhex("2B656E"): "X25519",
    bytes.fromhex("2B656F"): "X448",
    bytes.fromhex("2B6570"): "Ed25519",
    bytes.fromhex("2B6571"): "Ed448",
    bytes.fromhex("608648016503040311"): "ML-DSA-44",
    bytes.fromhex("608648016503040312"): "ML-DSA-65",
    bytes.fromhex("608648016503040313"): "ML-DSA-87",
}


def describe_key(spki: bytes) -> str:
    """
    Return kind and size of the key in a SubjectPublicKeyInfo.

    Nothing is verified: a size is what the encoding says. Raises `ValueError` where that cannot be
    read.
    """
    info = Reader(spki).enter(_der.SEQUENCE)
    algorithm = info.enter(_der.SEQUENCE)
    kind = algorithm.value(_der.OID)
    key = info.value(_der.BIT_STRING)
    if kind in _RSA:
        # RFC 8017, appendix A.1.1; the first octet counts the unused bits.
        modulus = Reader(key, 1).enter(_der.SEQUENCE).integer()
        return f"{_RSA[kind]} {modulus.bit_length()}"
    if kind == _DSA:
        # The prime may be the issuer's (RFC 3279, section 2.3.2).
        if not algorithm.follows(_der.SEQUENCE):
            return "DSA"
        return f"DSA {algorithm.enter(_der.SEQUENCE).integer().bit_length()}"
    if kind == _EC:
        if not algorithm.follows(_der.OID):
            return "EC with a curve of its own"
        curve = algorithm.value(_der.OID)
        return f"EC {_CURVES.get(curve) or show_oid(curve)}"
    return _NAMED.get(kind) or show_oid(kind)
