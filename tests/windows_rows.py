"""What Windows says of each chain that a server may send, with its root in the Root store."""

from __future__ import annotations

from pki import HOST, Chain, flip_signature, intermediate, leaf, root
from windows_row import (
    BY_WINDOWS,
    EXPIRED,
    OF_A,
    OF_ROOT,
    OF_UNKNOWN,
    ROOT,
    SITE,
    STATUS_ALONE,
    UNKNOWN,
    WRONG_USAGE,
    A,
    Row,
)
from windows_rows_revocation import REVOCATION

RSA_ROOT = root("windows rsa root", algorithm="rsa2048")
B = intermediate("windows B", A)
EXPIRED_A = intermediate("windows expired A", ROOT, valid=(-9, -2))
SHORT = intermediate("windows short", ROOT, path_length=0)
SHORT_B = intermediate("windows below short", SHORT)
NO_CA = leaf("windows no ca", ROOT, usage=None, purposes=None)
ONLY_EXAMPLE = intermediate("windows example alone", ROOT, permitted=("example.test",))
NOT_SERVER = intermediate("windows not server", ROOT, excluded=("server.test",))
SELF_SIGNED = leaf("windows self-signed", None)

MISSING_A = intermediate("windows missing A", ROOT)
NEEDS_FETCH = leaf("windows needs A", MISSING_A, issuer_url=SITE.address("missing-a.cer"))
LOST = leaf("windows lost", intermediate("windows lost A", ROOT))
SITE.serve("missing-a.cer", MISSING_A.der)

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
    Row("dot-at-the-end", Chain((OF_ROOT,)), 62, host=f"{HOST}."),  # as ssl has it
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
ROWS = (*GOOD, *NAMES, *BAD, *REVOCATION)
