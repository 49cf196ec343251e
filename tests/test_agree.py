"""The chain that OpenSSL is shown in compat mode: its verdict there, held against a handshake's."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

import fasttrust
import modes
import peer
from fasttrust import _agree
from fasttrust._agree import Terms, agreed
from pki import HOST, Chain, Issued, flip_signature, intermediate, leaf, pem, root
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


def of_openssl(chain: tuple[Issued, ...], level: int | None) -> int:
    """Return the code of plain ``ssl`` at a security level, or at OpenSSL's own."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=pem(chain[-1]))
    server = peer.server_context(Chain(chain))
    server.set_ciphers("ALL:@SECLEVEL=0")
    if level is not None:
        client.set_ciphers(f"ALL:@SECLEVEL={level}")
    return code(peer.connect(client, server).client_error)


# PyPy's contexts do not tell their level.
TERMS = Terms(
    None if modes.PYPY else 2, int(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).verify_flags), 4, False
)


def of_ours(chain: tuple[Issued, ...], host: str | None = HOST, **terms: Any) -> int:
    """Return the code of what `_agree` says."""
    try:
        found = agreed([issued.der for issued in chain], host, TERMS._replace(**terms))
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    assert found == [issued.der for issued in chain]
    return 0


@pytest.mark.parametrize("level", [None] if modes.PYPY else [None, 0, 1, 2, 3])
@pytest.mark.parametrize("name", CHAINS)
def test_verdict_is_that_of_a_handshake(name: str, level: int | None) -> None:
    """Code for code, at each level at which OpenSSL still shakes hands."""
    chain = CHAINS[name]
    theirs = of_openssl(chain, level)
    if theirs not in (0, 66, 67, 68):
        pytest.skip(f"OpenSSL shakes no hands here: {theirs}")
    assert theirs == of_ours(chain, level=level)


ROOT = root("root")
A = intermediate("A", ROOT)
LEAF = leaf("leaf", A)
STRANGER = root("stranger")
FLIPPED = flip_signature("flipped", LEAF)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ((LEAF, A, ROOT), 0),
        ((LEAF, A), 0),  # an anchor that has not signed itself
        ((LEAF,), 0),
        ((FLIPPED, A, ROOT), 7),
        ((LEAF, flip_signature("flipped A", A), ROOT), 7),
        ((LEAF, A, STRANGER), 20),
        ((LEAF, STRANGER, ROOT), 20),
        ((leaf("old", ROOT, valid=(-9, -2)), ROOT), 10),
        ((leaf("early", ROOT, valid=(2, 9)), ROOT), 9),
        ((leaf("for clients", ROOT, purposes=("clientAuth",)), ROOT), 26),
        ((leaf("critical", ROOT, unknown_critical=True), ROOT), 34),
        ((leaf("of lax", lax := root("lax", critical_constraints=False)), lax), 0),
    ],
    ids=lambda value: "-".join(each.name for each in value) if isinstance(value, tuple) else "",
)
def test_what_openssl_sees_of_a_chain(chain: tuple[Issued, ...], expected: int) -> None:
    """The anchor alone is trusted, whatever it is, and every signature below it counts."""
    assert expected == of_ours(chain, flags=TERMS.flags | ssl.VERIFY_X509_STRICT | 4)


@pytest.mark.parametrize(
    ("host", "code"),
    [(HOST, 0), (None, 0), ("other.test", 62), ("127.0.0.1", 64), ("::1", 64), ("a." + HOST, 62)],
)
def test_names_are_openssls_to_look_for(host: str | None, code: int) -> None:
    """None where none is asked for; common names as the program says."""
    assert code == of_ours((LEAF, A, ROOT), host)
    named = leaf("cn", ROOT, names=(), subject=HOST)
    if host == HOST:
        assert [0, 62] == [of_ours((named, ROOT), host_flags=flags) for flags in (4, 0x24)]


def test_key_for_which_tls_1_2_has_no_suite_is_no_refusal() -> None:
    """DSA, as ML-DSA where OpenSSL knows it: it says so after it has verified the chain."""
    chain = (leaf("of dsa", ROOT, algorithm="dsa2048"), ROOT)
    assert [0, 62] == [of_ours(chain, host) for host in (HOST, "other.test")]
    assert 20 == of_ours((chain[0], STRANGER))


def test_dates_may_be_for_others_to_judge() -> None:
    """Where the program has another moment in mind."""
    old = leaf("old", ROOT, valid=(-9, -2))
    assert [10, 0] == [of_ours((old, ROOT), timeless=timeless) for timeless in (False, True)]


def test_long_chain_is_cut_into_records() -> None:
    """And one that is too long is refused."""
    ladder = [root("rung 0")]
    for i in range(1, 103):
        ladder.append(intermediate(f"rung {i}", ladder[-1]))
    accepted = (leaf("top", ladder[100]), *reversed(ladder[:101]))
    assert sum(len(each.der) for each in accepted) > 1 << 15
    assert 0 == of_ours(accepted)
    assert 22 == of_ours((leaf("above", ladder[101]), *reversed(ladder[:102])))


@pytest.mark.parametrize("der", [b"", b"\x30\x03\x02\x01\x05", bytes(40)])
def test_no_verdict_is_an_error(der: bytes) -> None:
    """What OpenSSL cannot read, as leaf and as anchor."""
    for chain in ([der, ROOT.der], [LEAF.der, der], [der]):
        with pytest.raises((ssl.SSLError, ValueError)) as caught:
            agreed(chain, HOST, TERMS)
        assert not isinstance(caught.value, ssl.SSLCertVerificationError)


def test_verdict_needs_a_verified_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """That OpenSSL asks for more is not enough: it may not have come to the certificates."""
    monkeypatch.setattr(_agree, "_flight", lambda suite, certificates: b"")
    with pytest.raises(ssl.SSLError, match="no verdict"):
        agreed([LEAF.der, A.der, ROOT.der], HOST, TERMS)


def test_anchor_is_one_certificate() -> None:
    """Whoever would be loaded beside it is not trusted."""
    for both in (STRANGER.der + ROOT.der, ROOT.der + STRANGER.der):
        with pytest.raises(ssl.SSLError, match="no verdict"):
            agreed([LEAF.der, A.der, both], HOST, TERMS)


def test_leaf_is_the_very_bytes() -> None:
    """OpenSSL reads what is not DER, and writes DER: that is not what the platform has judged."""
    length = int.from_bytes(LEAF.der[2:4], "big")
    assert LEAF.der[:2] == b"\x30\x82"
    longer = b"\x30\x83" + length.to_bytes(3, "big") + LEAF.der[4:]
    with pytest.raises(ssl.SSLError, match="no verdict"):
        agreed([longer, A.der, ROOT.der], HOST, TERMS)


def test_chain_is_openssls() -> None:
    """What the platform lists beside it is not verified."""
    listed = [LEAF.der, A.der, STRANGER.der, A.der, ROOT.der]
    assert [LEAF.der, A.der, ROOT.der] == agreed(listed, HOST, TERMS)


def test_injection_is_not_asked() -> None:
    """The handshake's client is C's own class."""
    with fasttrust.inject_into_ssl(trust=fasttrust.TrustStore.none()):
        assert 0 == of_ours((LEAF, A, ROOT))
        assert 62 == of_ours((LEAF, A, ROOT), "other.test")
