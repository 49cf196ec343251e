"""Rows that are decided by what a certificate may be used for, and by strict mode."""

from __future__ import annotations

from typing import Any

from cases_row import CERTIFICATE_UNKNOWN, STRICT, UNKNOWN_CA, UNSUPPORTED, Case
from pki import Chain, Issued, intermediate, leaf, root

ROOT = root("root")
A = intermediate("A", ROOT)
LEAF_A = leaf("leaf of A", A)
CLIENT_ONLY = leaf("client only", ROOT, purposes=("clientAuth",))
ANY_PURPOSE = leaf("any purpose", ROOT, purposes=("any",))
NO_PURPOSES = leaf("no purposes", ROOT, purposes=None)
# RSA, since a server itself refuses an ECDSA certificate of this kind in TLS 1.2.
SIGNS_CERTIFICATES = leaf("signs certificates", ROOT, algorithm="rsa2048", usage=("key_cert_sign",))
IS_A_CA = leaf("is a ca", ROOT, ca=True)
UNKNOWN_LEAF = leaf("unknown in leaf", ROOT, unknown_critical=True)

CLIENT_CA = intermediate("client ca", ROOT, purposes=("clientAuth",))
NO_CA = intermediate("no ca", ROOT, ca=False)
SAYS_NOTHING = intermediate("says nothing", ROOT, ca=None, usage=None)
MAY_NOT_SIGN = intermediate("may not sign", ROOT, usage=("crl_sign", "digital_signature"))
UNKNOWN_CA_EXTENSION = intermediate("unknown in ca", ROOT, unknown_critical=True)
ZERO = intermediate("zero", ROOT, path_length=0)
BELOW_ZERO = intermediate("below zero", ZERO)
ROOT_ZERO = root("root zero", path_length=0)
BELOW_ROOT_ZERO = intermediate("below root zero", ROOT_ZERO)

NOT_CRITICAL = root("not critical", critical_constraints=False)
CA_NOT_CRITICAL = intermediate("ca not critical", ROOT, critical_constraints=False)
NO_USAGE = root("no usage", usage=None)
NO_KEY_ID = root("no key id", key_ids=())
CA_NO_USAGE = intermediate("ca no usage", ROOT, usage=None)
CA_NO_AUTHORITY_ID = intermediate("ca no authority id", ROOT, key_ids=("subject",))
NO_AUTHORITY_ID = leaf("no authority id", ROOT, key_ids=("subject",))
NO_SUBJECT_ID = leaf("no subject id", ROOT, key_ids=("issuer",))

CONSTRAINTS_IN_4_0 = "seen in 4.0.3: strict mode accepts basicConstraints that are not critical"


def below(issuer: Issued) -> Issued:
    """Return a leaf of the issuer."""
    return leaf(f"leaf of {issuer.name}", issuer)


def fits(name: str, sentence: str, *sent: Issued, anchor: Issued = ROOT, **changes: Any) -> Case:
    """Make a row that is accepted with all of what is sent."""
    chain = Chain(sent)
    return Case(name, sentence, chain, (anchor,), verified=(*chain.names, anchor.name), **changes)


def refused(
    name: str,
    sentence: str,
    *sent: Issued,
    code: int,
    depth: int,
    alert: str,
    anchor: Issued = ROOT,
    **changes: Any,
) -> Case:
    """Make a row that is refused."""
    expected = {"code": code, "depth": depth, "alert": alert, **changes}
    return Case(name, sentence, Chain(sent), (anchor,), **expected)


POLICY_CASES = (
    refused(
        "leaf-for-clients",
        "A leaf that is for clients only is refused.",
        CLIENT_ONLY,
        code=26,
        depth=0,
        alert=UNSUPPORTED,
    ),
    refused(
        "leaf-for-anything",
        "A leaf for any purpose does not name servers and is refused.",
        ANY_PURPOSE,
        code=26,
        depth=0,
        alert=UNSUPPORTED,
    ),
    fits("leaf-without-purposes", "A leaf that names no purpose is for all.", NO_PURPOSES),
    refused(
        "leaf-that-signs-certificates",
        "A leaf whose key is for certificates only cannot serve.",
        SIGNS_CERTIFICATES,
        code=26,
        depth=0,
        alert=UNSUPPORTED,
    ),
    fits("leaf-that-is-a-ca", "A CA may be a server.", IS_A_CA),
    refused(
        "intermediate-for-clients",
        "An intermediate that is for clients only cannot issue for servers.",
        below(CLIENT_CA),
        CLIENT_CA,
        code=26,
        depth=1,
        alert=UNSUPPORTED,
    ),
    refused(
        "intermediate-no-ca",
        "An intermediate that says it is no CA is none.",
        below(NO_CA),
        NO_CA,
        code=79,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    refused(
        "intermediate-says-nothing",
        "An intermediate that does not say it is a CA is none.",
        below(SAYS_NOTHING),
        SAYS_NOTHING,
        code=79,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    refused(
        "intermediate-may-not-sign",
        "A CA whose key is not for certificates cannot issue any.",
        below(MAY_NOT_SIGN),
        MAY_NOT_SIGN,
        code=79,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    fits(
        "path-length-kept",
        "A CA that may have no CA below it may have leaves.",
        below(ZERO),
        ZERO,
    ),
    refused(
        "path-length-exceeded",
        "A CA that may have no CA below it has one.",
        below(BELOW_ZERO),
        BELOW_ZERO,
        ZERO,
        code=25,
        depth=2,
        alert=UNKNOWN_CA,
    ),
    refused(
        "path-length-of-root-exceeded",
        "The path length of a trusted root counts as well.",
        below(BELOW_ROOT_ZERO),
        BELOW_ROOT_ZERO,
        anchor=ROOT_ZERO,
        code=25,
        depth=2,
        alert=UNKNOWN_CA,
    ),
    refused(
        "unknown-critical-in-leaf",
        "A critical extension that nobody knows is a refusal.",
        UNKNOWN_LEAF,
        code=34,
        depth=0,
        alert=CERTIFICATE_UNKNOWN,
    ),
    refused(
        "unknown-critical-in-intermediate",
        "In an intermediate, too.",
        below(UNKNOWN_CA_EXTENSION),
        UNKNOWN_CA_EXTENSION,
        code=34,
        depth=1,
        alert=CERTIFICATE_UNKNOWN,
    ),
    fits("strict-good", "Strict mode accepts what follows RFC 5280.", LEAF_A, A, flags=STRICT),
    fits(
        "not-critical-constraints",
        "A root whose basicConstraints are not critical is accepted.",
        below(NOT_CRITICAL),
        anchor=NOT_CRITICAL,
    ),
    refused(
        "strict-not-critical-constraints",
        "Strict mode refuses it.",
        below(NOT_CRITICAL),
        anchor=NOT_CRITICAL,
        flags=STRICT,
        code=89,
        depth=1,
        alert=CERTIFICATE_UNKNOWN,
        until=(4, 0),
        reason=CONSTRAINTS_IN_4_0,
    ),
    fits(
        "strict-not-critical-constraints-4.0",
        "Since OpenSSL 4.0 strict mode accepts it.",
        below(NOT_CRITICAL),
        anchor=NOT_CRITICAL,
        flags=STRICT,
        since=(4, 0),
        reason=CONSTRAINTS_IN_4_0,
    ),
    refused(
        "strict-not-critical-constraints-in-intermediate",
        "Strict mode refuses an intermediate whose basicConstraints are not critical.",
        below(CA_NOT_CRITICAL),
        CA_NOT_CRITICAL,
        flags=STRICT,
        code=89,
        depth=1,
        alert=CERTIFICATE_UNKNOWN,
        until=(4, 0),
        reason=CONSTRAINTS_IN_4_0,
    ),
    fits(
        "strict-not-critical-constraints-in-intermediate-4.0",
        "Since OpenSSL 4.0 strict mode accepts that, too.",
        below(CA_NOT_CRITICAL),
        CA_NOT_CRITICAL,
        flags=STRICT,
        since=(4, 0),
        reason=CONSTRAINTS_IN_4_0,
    ),
    fits("no-authority-id", "A leaf without authority key id is accepted.", NO_AUTHORITY_ID),
    refused(
        "strict-no-authority-id",
        "Strict mode refuses it.",
        NO_AUTHORITY_ID,
        flags=STRICT,
        code=85,
        depth=0,
        alert=CERTIFICATE_UNKNOWN,
    ),
    refused(
        "strict-no-authority-id-in-intermediate",
        "Strict mode refuses an intermediate without authority key id.",
        below(CA_NO_AUTHORITY_ID),
        CA_NO_AUTHORITY_ID,
        flags=STRICT,
        code=85,
        depth=1,
        alert=CERTIFICATE_UNKNOWN,
    ),
    fits("strict-no-subject-id", "A leaf needs no subject key id.", NO_SUBJECT_ID, flags=STRICT),
    refused(
        "strict-no-subject-id-in-root",
        "Strict mode refuses a CA without subject key id.",
        below(NO_KEY_ID),
        anchor=NO_KEY_ID,
        flags=STRICT,
        code=86,
        depth=1,
        alert=CERTIFICATE_UNKNOWN,
    ),
    fits("ca-without-usage", "A CA without keyUsage is accepted.", below(CA_NO_USAGE), CA_NO_USAGE),
    refused(
        "strict-ca-without-usage",
        "Strict mode refuses it.",
        below(CA_NO_USAGE),
        CA_NO_USAGE,
        flags=STRICT,
        code=92,
        depth=1,
        alert=CERTIFICATE_UNKNOWN,
    ),
    refused(
        "strict-root-without-usage",
        "Strict mode looks at the trusted root as well.",
        below(NO_USAGE),
        anchor=NO_USAGE,
        flags=STRICT,
        code=92,
        depth=1,
        alert=CERTIFICATE_UNKNOWN,
    ),
)
