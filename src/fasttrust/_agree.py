"""What is left of step 4 where OpenSSL cannot be asked: length, purposes, strength and names.

It comes after the platform's yes, and can only refuse.
"""

from __future__ import annotations

from math import log

from . import _der
from ._certificate import Certificate
from ._decode import purposes, spki
from ._decode_key import describe_key
from ._der import Reader
from ._typing import Any

_CHAIN_TOO_LONG = 22  # X509_V_ERR_*
_INVALID_PURPOSE = 26
_HOSTNAME_MISMATCH = 62
_IP_ADDRESS_MISMATCH = 64
_EE_KEY_TOO_SMALL = 66
_CA_KEY_TOO_SMALL = 67
_CA_MD_TOO_WEAK = 68

#: OpenSSL's limit: a hundred between leaf and anchor.
LONGEST = 102
#: The least strength at each of OpenSSL's security levels, in bits (SSL_CTX_set_security_level(3)).
LEVELS = (0, 80, 112, 128, 192, 256)

# Object identifiers of signatures, each by its content in DER, and their strength in bits: half of
# what the hash has, less where it is broken (RFC 3279, 4055, 5758, 8410, 9881).
_RSA_PSS = bytes.fromhex("2A864886F70D01010A")
_SIGNATURES = {
    bytes.fromhex("2A864886F70D01010E"): 112,  # RSA with SHA-224, and so on
    bytes.fromhex("2A864886F70D01010B"): 128,
    bytes.fromhex("2A864886F70D01010C"): 192,
    bytes.fromhex("2A864886F70D01010D"): 256,
    bytes.fromhex("2A864886F70D010105"): 63,  # with SHA-1
    bytes.fromhex("2A8648CE3D0401"): 63,  # ECDSA
    bytes.fromhex("2A8648CE3D040301"): 112,
    bytes.fromhex("2A8648CE3D040302"): 128,
    bytes.fromhex("2A8648CE3D040303"): 192,
    bytes.fromhex("2A8648CE3D040304"): 256,
    bytes.fromhex("2B6570"): 128,  # Ed25519
    bytes.fromhex("2B6571"): 224,  # Ed448
    bytes.fromhex("608648016503040311"): 128,  # ML-DSA
    bytes.fromhex("608648016503040312"): 192,
    bytes.fromhex("608648016503040313"): 256,
}
_HASHES = {
    bytes.fromhex("608648016503040204"): 112,
    bytes.fromhex("608648016503040201"): 128,
    bytes.fromhex("608648016503040202"): 192,
    bytes.fromhex("608648016503040203"): 256,
}
_SHA1 = 63
# What makes a server: serverAuth, and Microsoft's and Netscape's older words for it.
_SERVERS = frozenset(
    {
        bytes.fromhex("2B06010505070301"),
        bytes.fromhex("2B0601040182370A0303"),
        bytes.fromhex("6086480186F8420401"),
    }
)
# As describe_key() calls them.
_CURVES = {
    "P-192": 80,
    "P-224": 112,
    "P-256": 128,
    "P-384": 192,
    "P-521": 256,
    "secp256k1": 128,
    "brainpoolP256r1": 128,
    "brainpoolP384r1": 192,
    "brainpoolP512r1": 256,
}
_NAMED = {"Ed25519": 128, "Ed448": 224, "ML-DSA-44": 128, "ML-DSA-65": 192, "ML-DSA-87": 256}
# subjectAltName, as an extension begins.
_ALT_NAMES = bytes.fromhex("0603551D11")


def disagreement(
    chain: list[bytes], host: str | None, common_name: bool, level: int
) -> tuple[int, int] | None:
    """Return code and depth of a refusal of what the platform trusts; None where there is none.

    In OpenSSL's order.

    Args:
        chain: verified, leaf first, anchor last, in DER.
        host: a name or an address; None where none is to be checked.
        common_name: whether the subject's common name counts where there are no DNS names.
        level: OpenSSL's security level.
    """
    if len(chain) > LONGEST:
        return _CHAIN_TOO_LONG, LONGEST - 1
    for depth, der in enumerate(chain):
        if not _may_be_servers(der):
            return _INVALID_PURPOSE, depth
    weak = too_weak(chain, level)
    if weak is not None or host is None or is_for(chain[0], host, common_name):
        return weak
    return (_IP_ADDRESS_MISMATCH if is_address(host) else _HOSTNAME_MISMATCH), 0


def _may_be_servers(der: bytes) -> bool:
    """Tell whether the certificate, or what it issues, may be a server's: "any" does not say so."""
    try:
        found = purposes(der)
    except ValueError:
        return False
    return found is None or not _SERVERS.isdisjoint(found)


def is_for(der: bytes, host: str, common_name: bool) -> bool:
    """Tell whether a leaf is for the host, by OpenSSL's rules.

    A name of the certificate counts whole, or with a first label that is a star alone, above two
    labels at least (RFC 6125 section 6.4.3). An address is one only where it is given as such.

    The subject's common name counts where that is asked for and there are no DNS names.
    """
    import ipaddress  # here, for it takes long

    try:
        info: Any = Certificate(der).get_info()
    except ValueError:
        return False
    names = info.get("subjectAltName", ())
    if is_address(host):
        wanted = ipaddress.ip_address(host)
        found = [value.strip() for kind, value in names if kind == "IP Address"]
        return any(is_address(one) and ipaddress.ip_address(one) == wanted for one in found)
    first, _, rest = host.lower().partition(".")
    accepted = {host.lower()} | ({f"*.{rest}"} if first and "." in rest else set())
    given = [value for kind, value in names if kind == "DNS"]
    # Names that are there and cannot be read are not none.
    if not given and common_name and (names or _ALT_NAMES not in der):
        given = [value for part in info["subject"] for kind, value in part if kind == "commonName"]
    return any(value.lower() in accepted for value in given)


def is_address(host: str | None) -> bool:
    """Tell whether this is an IP address and not a name."""
    import ipaddress  # here, for it takes long

    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return True


def too_weak(chain: list[bytes], level: int) -> tuple[int, int] | None:
    """Return code and depth of the first certificate below a security level; None where none is.

    The leaf's key is looked at first; signatures count below the anchor.
    """
    least = LEVELS[min(level, len(LEVELS) - 1)] if level > 0 else 0
    for depth, der in enumerate(chain if least else ()):
        if _key_strength(der) < least:
            return (_CA_KEY_TOO_SMALL if depth else _EE_KEY_TOO_SMALL), depth
        if depth < len(chain) - 1 and _signature_strength(der) < least:
            return _CA_MD_TOO_WEAK, depth
    return None


def _key_strength(der: bytes) -> int:
    """Return how strong the certificate's key is, in bits; 0 where that is not known."""
    try:
        kind, _, size = describe_key(spki(der)).partition(" ")
    except ValueError:
        return 0
    if kind == "EC":
        return _CURVES.get(size, 0)
    return _factoring(int(size)) if size.isdigit() else _NAMED.get(kind, 0)


def _factoring(size: int) -> int:
    """Return the strength of a modulus of that many bits, by OpenSSL 3 (FIPS 140-2 IG 7.5)."""
    if size < 8:
        return 0
    x = size * log(2)
    bits = (1.923 * (x * log(x) ** 2) ** (1 / 3) - 4.69) / log(2)
    rounded = (int(bits) + 4) & ~7
    return min(rounded, 192 if size <= 7680 else 256)


def _signature_strength(der: bytes) -> int:
    """Return how strong the certificate's signature is, in bits; 0 where that is not known."""
    try:
        certificate = Reader(der).enter(_der.SEQUENCE)
        certificate.skip(_der.SEQUENCE)
        algorithm = certificate.enter(_der.SEQUENCE)
        kind = algorithm.value(_der.OID)
        if kind != _RSA_PSS:
            return _SIGNATURES.get(kind, 0)
        # The hash is SHA-1 where it is not named (RFC 4055 section 3.1).
        parameters = algorithm.enter(_der.SEQUENCE)
        if not parameters.follows(0xA0):
            return _SHA1
        named = parameters.enter(0xA0).enter(_der.SEQUENCE).value(_der.OID)
        return _HASHES.get(named, 0)
    except ValueError:
        return 0
