"""
What Windows says of each chain that a server may send, with its root in the system's Root store.

`native` is what Microsoft documents. Where Wine says something else, `wine` has it and `deviation`
why: those are the only places where a test under Wine says nothing about Windows.
"""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from typing import Any

from pki import HOST, Chain, crl, flip_signature, intermediate, leaf, root
from windows_site import Site

SITE = Site()

REVOKED = 0x80092010
NO_CHECK = 0x80092012
OFFLINE = 0x80092013
EXPIRED = 0x800B0101
WRONG_USAGE = 0x800B0110

NO_FLAGS = ssl.VerifyFlags(0)
CRL_LEAF = ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
CRL_CHAIN = ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
HARD = {"revocation": "hard"}
SOFT = {"revocation": "soft"}

WRONG_NAME = 0x800B010F
UNKNOWN_OF_WINE = 0x800B010E

# In compat mode Windows is told the name, and has a number for it.
BY_WINDOWS = (62, WRONG_NAME)
# There the program's own lists do not count, and what Windows does not know is refused.
NO_LIST_COUNTS = (3, NO_CHECK, UNKNOWN_OF_WINE)

OTHER_NUMBER = "Wine has a number of its own for it"
STATUS_ALONE = "Wine's policy for TLS accepts it; the chain's status does not"


@dataclass(frozen=True)
class Row:
    """One peer, as Windows sees it.

    Attributes:
        code: X509_V_ERR_*, 0 is accepted; OpenSSL 3's.
        depth: of the certificate at fault; None where Windows does not say.
        native: HRESULTs that Windows may answer with; None where the system accepts.
        wine: code and native number under Wine, where they differ.
        alone: the same in compat mode, where OpenSSL has no say; why stands beside each.
        fetched: pages that must have been asked for once, by name.
    """

    name: str
    sent: Chain
    code: int = 0
    depth: int | None = 0
    native: tuple[int, ...] = ()
    wine: tuple[int, int] | None = None
    deviation: str = ""
    alone: tuple[int, ...] = ()
    host: str | None = HOST
    flags: ssl.VerifyFlags = NO_FLAGS
    policy: dict[str, Any] = field(default_factory=dict)
    days: float = 0  # at_time, from now
    crls: tuple[str, ...] = ()  # loaded by the program
    fetched: tuple[str, ...] = ()


ROOT = root("windows root", valid=(-30, 90))
RSA_ROOT = root("windows rsa root", algorithm="rsa2048")
A = intermediate("windows A", ROOT)
B = intermediate("windows B", A)
EXPIRED_A = intermediate("windows expired A", ROOT, valid=(-9, -2))
SHORT = intermediate("windows short", ROOT, path_length=0)
SHORT_B = intermediate("windows below short", SHORT)
NO_CA = leaf("windows no ca", ROOT, usage=None, purposes=None)
ONLY_EXAMPLE = intermediate("windows example alone", ROOT, permitted=("example.test",))
NOT_SERVER = intermediate("windows not server", ROOT, excluded=("server.test",))
UNKNOWN = root("windows unknown")
OF_ROOT = leaf("windows leaf", ROOT)
OF_A = leaf("windows leaf of A", A)
OF_UNKNOWN = leaf("windows leaf of unknown", UNKNOWN)
SELF_SIGNED = leaf("windows self-signed", None)

MISSING_A = intermediate("windows missing A", ROOT)
NEEDS_FETCH = leaf("windows needs A", MISSING_A, issuer_url=SITE.address("missing-a.cer"))
LOST = leaf("windows lost", intermediate("windows lost A", ROOT))
SITE.serve("missing-a.cer", MISSING_A.der)


def _listed(name: str, *, revoked: bool, there: bool = True) -> Chain:
    """Make a leaf whose revocation list is at an address of its own."""
    issued = leaf(f"windows {name}", ROOT, crl_url=SITE.address(f"{name}.crl"))
    if there:
        text = crl(ROOT, (issued,) if revoked else ())
        SITE.serve(f"{name}.crl", base64.b64decode("".join(text.splitlines()[1:-1])))
    return Chain((issued,))


GOOD = (
    Row("leaf-below-root", Chain((OF_ROOT,))),
    Row("intermediate", Chain((OF_A, A))),
    Row("two-intermediates", Chain((leaf("windows leaf of B", B), B, A))),
    Row("root-sent-too", Chain((OF_A, A, ROOT))),
    Row("in-disorder-with-a-stranger", Chain((leaf("windows leaf of B", B), A, UNKNOWN, B))),
    Row("rsa", Chain((leaf("windows rsa leaf", RSA_ROOT, algorithm="rsa2048"),))),
    Row("no-usage-named", Chain((leaf("windows any use", ROOT, purposes=None),))),
    Row("issuer-fetched", Chain((NEEDS_FETCH,)), fetched=("missing-a.cer",)),
    Row("judged-in-the-past", Chain((leaf("windows past", ROOT, valid=(-9, -7)),)), days=-8),
)
NAMES = (
    Row(
        "wildcard",
        Chain((leaf("windows wild", ROOT, names=("*.server.test",)),)),
        host="a.server.test",
    ),
    Row("upper-case", Chain((leaf("windows upper", ROOT, names=("SERVER.TEST",)),))),
    Row(
        "a-label",
        Chain((leaf("windows idn", ROOT, names=("xn--bcher-kva.test",)),)),
        host="bücher.test",
    ),
    Row("ipv4", Chain((leaf("windows ipv4", ROOT, names=("127.0.0.1",)),)), host="127.0.0.1"),
    Row("ipv6", Chain((leaf("windows ipv6", ROOT, names=("::1",)),)), host="::1"),
    Row("no-name-asked", Chain((OF_ROOT,)), host=None),
    Row("wrong-name", Chain((OF_ROOT,)), 62, host="other.test", alone=BY_WINDOWS),
    Row("wrong-address", Chain((OF_ROOT,)), 64, host="127.0.0.1"),
    Row(
        "wildcard-two-labels",
        Chain((leaf("windows wild", ROOT, names=("*.server.test",)),)),
        62,
        host="a.b.server.test",
        alone=BY_WINDOWS,
    ),
    Row(
        "wildcard-bare",
        Chain((leaf("windows wild", ROOT, names=("*.server.test",)),)),
        62,
        alone=BY_WINDOWS,
    ),
    Row(
        "common-name-alone", Chain((leaf("windows cn", ROOT, names=(), subject=HOST),))
    ),  # as ssl has it: hostname_checks_common_name
)
BAD = (
    Row("expired", Chain((leaf("windows expired", ROOT, valid=(-9, -2)),)), 10, native=(EXPIRED,)),
    Row("not-yet-valid", Chain((leaf("windows early", ROOT, valid=(2, 9)),)), 9, native=(EXPIRED,)),
    Row(
        "expired-intermediate",
        Chain((leaf("windows of expired", EXPIRED_A), EXPIRED_A)),
        10,
        1,
        (EXPIRED,),
    ),
    Row(
        "expired-and-wrong-name",
        Chain((leaf("windows expired", ROOT, valid=(-9, -2)),)),
        10,
        native=(EXPIRED,),
        host="other.test",
    ),
    Row("judged-in-the-future", Chain((OF_ROOT,)), 10, native=(EXPIRED,), days=60),
    Row(
        "for-clients-alone",
        Chain((leaf("windows client", ROOT, purposes=("clientAuth",)),)),
        26,
        native=(WRONG_USAGE,),
    ),
    Row(
        "any-purpose",
        Chain((leaf("windows any", ROOT, purposes=("any",)),)),
        0,
        wine=(26, WRONG_USAGE),
        deviation="Wine does not know anyExtendedKeyUsage",
    ),
    Row(
        "root-unknown",
        Chain((OF_UNKNOWN,)),
        20,
        native=(0x800B0109, 0x800B010A),
        wine=(20, 0x10000),
        deviation=STATUS_ALONE,
    ),
    Row("unknown-root-sent", Chain((OF_UNKNOWN, UNKNOWN)), 19, 1, (0x800B0109,)),
    Row("self-signed", Chain((SELF_SIGNED,)), 18, native=(0x800B0109,)),
    Row(
        "intermediate-missing",
        Chain((LOST,)),
        20,
        native=(0x800B0109, 0x800B010A),
        wine=(20, 0x10000),
        deviation=STATUS_ALONE,
    ),
    Row(
        "name-not-permitted",
        Chain((leaf("windows not permitted", ONLY_EXAMPLE), ONLY_EXAMPLE)),
        47,
        1,
        (0x800B0114,),
        wine=(47, 0x4000),
        deviation=STATUS_ALONE,
    ),
    Row(
        "name-excluded",
        Chain((leaf("windows excluded", NOT_SERVER), NOT_SERVER)),
        48,
        1,
        (0x800B0114,),
        wine=(48, 0x8000),
        deviation=STATUS_ALONE,
    ),
    Row(
        "path-too-long",
        Chain((leaf("windows too long", SHORT_B), SHORT_B, SHORT)),
        79,
        None,
        (0x80096019, 0x800B0103),
        wine=(79, 0x400),
        deviation=STATUS_ALONE,
    ),
    Row(
        "issuer-no-ca",
        Chain((leaf("windows of no ca", NO_CA), NO_CA)),
        79,
        None,
        (0x80096019, 0x800B0103),
        wine=(79, 0x400),
        deviation=STATUS_ALONE,
    ),
    Row(
        "bad-signature",
        Chain((flip_signature("windows flipped", OF_ROOT),)),
        7,
        native=(0x80096004,),
    ),
    Row(
        "unknown-critical",
        Chain((leaf("windows critical", ROOT, unknown_critical=True),)),
        34,
        native=(0x800B0105,),
    ),
    # What the system accepts, and OpenSSL in step 4 does not.
    Row("sha1", Chain((leaf("windows sha1", RSA_ROOT, signature="sha1"),)), 68),
    Row("short-key", Chain((leaf("windows short key", ROOT, algorithm="rsa1024"),)), 66),
)
REVOCATION = (
    Row("revoked-not-asked", _listed("not-asked", revoked=True)),
    Row(
        "revoked",
        _listed("revoked", revoked=True),
        23,
        native=(REVOKED,),
        flags=CRL_LEAF,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "revoked-hard",
        _listed("revoked-hard", revoked=True),
        23,
        native=(REVOKED,),
        policy=HARD,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
        fetched=("revoked-hard.crl",),
    ),
    Row(
        "revoked-soft",
        _listed("revoked-soft", revoked=True),
        23,
        native=(REVOKED,),
        policy=SOFT,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "not-revoked",
        _listed("not-revoked", revoked=False),
        flags=CRL_LEAF,
        fetched=("not-revoked.crl",),
    ),
    Row("not-revoked-hard", _listed("not-revoked-hard", revoked=False), policy=HARD),
    Row(
        "no-network-soft", _listed("offline-soft", revoked=True), policy={**SOFT, "network": False}
    ),
    Row(
        "no-network-hard",
        _listed("offline-hard", revoked=True),
        3,
        native=(OFFLINE,),
        policy={**HARD, "network": False},
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "list-missing-hard",
        _listed("missing-hard", revoked=False, there=False),
        3,
        native=(OFFLINE,),
        policy=HARD,
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    Row("list-missing-soft", _listed("missing-soft", revoked=False, there=False), policy=SOFT),
    Row(
        "no-list-named-hard",
        Chain((OF_ROOT,)),
        3,
        native=(NO_CHECK,),
        policy=HARD,
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    Row("no-list-named-soft", Chain((OF_ROOT,)), policy=SOFT),
    Row(
        "intermediate-without-list-hard",
        Chain((OF_A, A)),
        3,
        None,
        (NO_CHECK,),
        policy=HARD,
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    # VERIFY_CRL_CHECK_* where the system does not know: the program's lists decide.
    Row("nobody-knows", Chain((OF_ROOT,)), 3, flags=CRL_LEAF, alone=NO_LIST_COUNTS),
    Row("own-list", Chain((OF_ROOT,)), flags=CRL_LEAF, crls=(crl(ROOT),), alone=NO_LIST_COUNTS),
    Row(
        "revoked-by-own-list",
        Chain((OF_ROOT,)),
        23,
        flags=CRL_LEAF,
        crls=(crl(ROOT, (OF_ROOT,)),),
        alone=NO_LIST_COUNTS,
    ),
    Row(
        "intermediate-revoked-by-own-list",
        Chain((OF_A, A)),
        23,
        1,
        flags=CRL_LEAF | CRL_CHAIN,
        crls=(crl(A), crl(ROOT, (A,))),
        alone=NO_LIST_COUNTS,
    ),
)
ROWS = (*GOOD, *NAMES, *BAD, *REVOCATION)
