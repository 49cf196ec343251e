"""Names and strength as compat mode reads them, held against OpenSSL's own verdicts."""

from __future__ import annotations

import ssl

import pytest

import peer
from fasttrust._agree import disagreement, is_for, too_weak
from pki import HOST, Chain, Issued, intermediate, leaf, pem, root
from world import code

RSA_ROOT = root("rsa root", algorithm="rsa2048")
RSA_CA = intermediate("rsa ca", RSA_ROOT, algorithm="rsa2048")
STRONG_ROOT = root("strong root", algorithm="p384")
CHAINS = {
    "rsa1024": (leaf("of rsa1024", RSA_ROOT, algorithm="rsa1024"), RSA_ROOT),
    "rsa2048": (leaf("of rsa2048", RSA_ROOT, algorithm="rsa2048"), RSA_ROOT),
    "rsa3072": (leaf("of rsa3072", RSA_ROOT, algorithm="rsa3072"), RSA_ROOT),
    "p256": (leaf("of p256", STRONG_ROOT), STRONG_ROOT),
    "p384": (leaf("of p384", STRONG_ROOT, algorithm="p384"), STRONG_ROOT),
    "weak ca": (
        leaf("of weak ca", weak := intermediate("weak ca", RSA_ROOT, algorithm="rsa1024")),
        weak,
        RSA_ROOT,
    ),
    "sha1": (leaf("sha1", RSA_ROOT, algorithm="rsa2048", signature="sha1"), RSA_ROOT),
    "sha1 of a root": (
        leaf("of sha1 root", old := root("sha1 root", algorithm="rsa2048", signature="sha1")),
        old,
    ),
    "sha1 of a ca": (
        leaf("of sha1 ca", ca := intermediate("sha1 ca", RSA_ROOT, signature="sha1")),
        ca,
        RSA_ROOT,
    ),
    "pss": (leaf("pss", RSA_CA, signature="pss"), RSA_CA, RSA_ROOT),
    "ed25519": (leaf("of ed25519", ed := root("ed root", algorithm="ed25519")), ed),
    "self-signed": (leaf("alone", None),),
}


def of_openssl(chain: tuple[Issued, ...], level: int) -> int:
    """Return the code of plain ``ssl`` at a security level."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=pem(chain[-1]))
    server = peer.server_context(Chain(chain))
    server.set_ciphers("ALL:@SECLEVEL=0")
    client.set_ciphers(f"ALL:@SECLEVEL={level}")
    return code(peer.connect(client, server).client_error)


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="1.1.1 counts otherwise")
@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", CHAINS)
def test_strength_is_openssls(name: str, level: int) -> None:
    """Code for code, at each level at which OpenSSL still shakes hands."""
    chain = CHAINS[name]
    found = too_weak([issued.der for issued in chain], level)
    theirs = of_openssl(chain, level)
    if theirs not in (0, 66, 67, 68):
        pytest.skip(f"OpenSSL shakes no hands here: {theirs}")
    assert theirs == (0 if found is None else found[0])


def test_strength_above_what_can_be_shaken_by() -> None:
    """Levels 4 and 5, and a level that there is not yet."""
    p384 = [issued.der for issued in CHAINS["p384"]]
    assert [(68, 0), (66, 0), (66, 0)] == [too_weak(p384, level) for level in (4, 5, 9)]
    assert (66, 0) == too_weak([issued.der for issued in CHAINS["rsa3072"]], 4)


@pytest.mark.parametrize("cut", [b"", b"\x30\x03\x02\x01\x05", bytes(40)])
def test_what_cannot_be_read_is_weak(cut: bytes) -> None:
    """And is for nobody."""
    assert (66, 0) == too_weak([cut], 1)
    good = CHAINS["p256"][0].der
    assert (67, 1) == too_weak([good, cut], 1)
    assert (68, 0) == too_weak([good.replace(bytes.fromhex("2A8648CE3D0403"), bytes(7)), good], 1)
    assert not is_for(cut, HOST, True)


@pytest.mark.parametrize("common_name", [True, False])
def test_common_name_counts_alone(common_name: bool) -> None:
    """Where there are no DNS names, none that cannot be read either, and the program lets it."""
    alone = leaf("cn", None, names=(), subject=HOST)
    beside_name = leaf("cn beside a name", None, names=("other.test",), subject=HOST)
    beside_address = leaf("cn beside an address", None, names=("127.0.0.1",), subject=HOST)
    assert common_name == is_for(alone.der, HOST, common_name)
    assert common_name == is_for(beside_address.der, HOST, common_name)
    assert not is_for(beside_name.der, HOST, common_name)
    # The same length, and no GeneralNames.
    at = beside_name.der.index(b"other.test") - 2
    broken = beside_name.der[:at] + b"\xff" + beside_name.der[at + 1 :]
    assert not is_for(broken, HOST, common_name)
    assert not is_for(alone.der, "127.0.0.1", common_name)


def test_order_is_openssls() -> None:
    """Too long, for others, too weak, and then the name."""
    good = [issued.der for issued in CHAINS["p256"]]
    weak = [issued.der for issued in CHAINS["rsa1024"]]
    assert None is disagreement(good, HOST, True, 2) is disagreement(good, None, True, 2)
    assert (62, 0) == disagreement(good, "other.test", True, 2)
    assert (64, 0) == disagreement(good, "127.0.0.1", True, 2)
    assert (66, 0) == disagreement(weak, "other.test", True, 2)
    clients = [leaf("for clients", None, purposes=("clientAuth",)).der]
    anything = [leaf("for anything", None, purposes=("any",)).der]
    unsaid = [leaf("for what you like", None, purposes=None).der]
    assert (26, 0) == disagreement(clients, "other.test", True, 2)
    assert (26, 0) == disagreement(anything, HOST, True, 0)
    assert (26, 1) == disagreement(good[:1] + clients, HOST, True, 2)
    assert None is disagreement(unsaid, HOST, True, 2)
    twice = unsaid[0].replace(bytes.fromhex("0603551D0F"), bytes.fromhex("0603551D25"))
    assert (26, 0) == disagreement([twice], HOST, True, 2)
    assert None is disagreement([good[0]] * 102, HOST, True, 2)
    assert (22, 101) == disagreement([weak[0]] * 103, "other.test", True, 2)
