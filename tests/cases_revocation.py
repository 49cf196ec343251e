"""Rows that are decided by certificate revocation lists that the program loaded."""

from __future__ import annotations

from cases_row import CRL_CHAIN, CRL_LEAF, EXPIRED, REVOKED, UNKNOWN_CA, Case
from pki import Chain, crl, intermediate, leaf, root

ROOT = root("root")
A = intermediate("A", ROOT)
LEAF = leaf("leaf", ROOT)
LEAF_A = leaf("leaf of A", A)
OTHER = leaf("other", ROOT)
STRANGER = root("stranger")

NOTHING_BY_ROOT = crl(ROOT)
NOTHING_BY_A = crl(A)
NOTHING_BY_STRANGER = crl(STRANGER)
OTHER_BY_ROOT = crl(ROOT, (OTHER,))
LEAF_BY_ROOT = crl(ROOT, (OTHER, LEAF))
LEAF_BY_A = crl(A, (LEAF_A,))
A_BY_ROOT = crl(ROOT, (A,))
EXPIRED_BY_ROOT = crl(ROOT, valid=(-7, -1))

REVOCATION_CASES = (
    Case(
        name="revoked-leaf",
        sentence="A leaf that its issuer revoked is refused.",
        sent=Chain((LEAF,)),
        anchors=(ROOT,),
        flags=CRL_LEAF,
        crls=(LEAF_BY_ROOT,),
        code=23,
        depth=0,
        alert=REVOKED,
    ),
    Case(
        name="revoked-leaf-of-intermediate",
        sentence="The list of an intermediate counts for its leaves.",
        sent=Chain((LEAF_A, A)),
        anchors=(ROOT,),
        flags=CRL_LEAF,
        crls=(LEAF_BY_A,),
        code=23,
        depth=0,
        alert=REVOKED,
    ),
    Case(
        name="revoked-leaf-not-checked",
        sentence="A list is not looked at unless the program asks.",
        sent=Chain((LEAF,)),
        anchors=(ROOT,),
        crls=(LEAF_BY_ROOT,),
        verified=("leaf", "root"),
    ),
    Case(
        name="not-revoked",
        sentence="A leaf that is not on the list is accepted.",
        sent=Chain((LEAF,)),
        anchors=(ROOT,),
        flags=CRL_LEAF,
        crls=(OTHER_BY_ROOT,),
        verified=("leaf", "root"),
    ),
    Case(
        name="no-list",
        sentence="Without any list nobody knows, and that is a refusal.",
        sent=Chain((LEAF,)),
        anchors=(ROOT,),
        flags=CRL_LEAF,
        code=3,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="list-of-somebody-else",
        sentence="The list of another CA is no list.",
        sent=Chain((LEAF,)),
        anchors=(ROOT,),
        flags=CRL_LEAF,
        crls=(NOTHING_BY_STRANGER,),
        code=3,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="expired-list",
        sentence="A list that has expired is a refusal.",
        sent=Chain((LEAF,)),
        anchors=(ROOT,),
        flags=CRL_LEAF,
        crls=(EXPIRED_BY_ROOT,),
        code=12,
        depth=0,
        alert=EXPIRED,
    ),
    Case(
        name="revoked-intermediate",
        sentence="An intermediate that the root revoked is refused.",
        sent=Chain((LEAF_A, A)),
        anchors=(ROOT,),
        flags=CRL_CHAIN,
        crls=(NOTHING_BY_A, A_BY_ROOT),
        code=23,
        depth=1,
        alert=REVOKED,
    ),
    Case(
        name="revoked-intermediate-leaf-checked",
        sentence="Who asks about the leaf alone hears nothing of the intermediate.",
        sent=Chain((LEAF_A, A)),
        anchors=(ROOT,),
        flags=CRL_LEAF,
        crls=(NOTHING_BY_A, A_BY_ROOT),
        verified=("leaf of A", "A", "root"),
    ),
    Case(
        name="not-revoked-chain",
        sentence="A chain that no list mentions is accepted.",
        sent=Chain((LEAF_A, A)),
        anchors=(ROOT,),
        flags=CRL_CHAIN,
        crls=(NOTHING_BY_A, NOTHING_BY_ROOT),
        verified=("leaf of A", "A", "root"),
    ),
    Case(
        name="no-list-for-intermediate",
        sentence="Who asks about the chain needs the list of every issuer.",
        sent=Chain((LEAF_A, A)),
        anchors=(ROOT,),
        flags=CRL_CHAIN,
        crls=(NOTHING_BY_A,),
        code=3,
        depth=1,
        alert=UNKNOWN_CA,
    ),
)
