"""Rows that are decided by what the client trusts."""

from __future__ import annotations

import ssl

from cases_row import DECRYPT_ERROR, EXPIRED, PARTIAL, UNKNOWN_CA, Case
from pki import Chain, cross_sign, intermediate, leaf, root

ROOT = root("root")
A = intermediate("A", ROOT)
LEAF = leaf("leaf", ROOT)
LEAF_A = leaf("leaf of A", A)
SELF_SIGNED = leaf("self-signed", None)
STRANGER = root("stranger")
LEAF_STRANGER = leaf("leaf of stranger", STRANGER)
# A CA that rolled over: one subject, two keys.
OLD = root("old", subject="rolled over")
NEW = root("new", subject="rolled over")
LEAF_NEW = leaf("leaf of new", NEW)
# The same without key identifiers: only the signature tells them apart.
OLD_BARE = root("old bare", subject="rolled over, bare", key_ids=())
NEW_BARE = root("new bare", subject="rolled over, bare", key_ids=())
LEAF_NEW_BARE = leaf("leaf of new bare", NEW_BARE, key_ids=())
# A CA that renewed its certificate: one subject, one key, several validities.
EXPIRED_ROOT = root("expired", subject="renewed", key="renewed", valid=(-30, -1))
LONG_EXPIRED_ROOT = root("long expired", subject="renewed", key="renewed", valid=(-30, -2))
RENEWED = root("renewed")
LEAF_RENEWED = leaf("leaf of renewed", RENEWED)
# A root and an intermediate that somebody else vouches for, too.
ROOT_BY_STRANGER = cross_sign("root by stranger", ROOT, STRANGER)
A_BY_STRANGER = cross_sign("A by stranger", A, STRANGER)

ANCHOR_CASES = (
    Case(
        name="nothing-trusted",
        sentence="Who trusts nothing accepts nothing.",
        sent=Chain((LEAF,)),
        anchors=(),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="cert-none",
        sentence="Who does not verify accepts everything, and nothing is verified.",
        sent=Chain((LEAF_STRANGER,)),
        anchors=(ROOT,),
        check_hostname=False,
        verify_mode=ssl.CERT_NONE,
    ),
    Case(
        name="trusted-intermediate",
        sentence="A trusted intermediate is not the end of a chain by default.",
        sent=Chain((LEAF_A,)),
        anchors=(A,),
        code=2,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="trusted-intermediate-partial",
        sentence="With PARTIAL_CHAIN a trusted intermediate ends the chain.",
        sent=Chain((LEAF_A,)),
        anchors=(A,),
        flags=PARTIAL,
        verified=("leaf of A", "A"),
    ),
    Case(
        name="trusted-intermediate-sent-partial",
        sentence="With PARTIAL_CHAIN the chain ends at the trusted one of those sent.",
        sent=Chain((LEAF_A, A, ROOT)),
        anchors=(A,),
        flags=PARTIAL,
        verified=("leaf of A", "A"),
    ),
    Case(
        name="trusted-intermediate-and-root-partial",
        sentence="With PARTIAL_CHAIN the nearest anchor ends the chain, whatever is above.",
        sent=Chain((LEAF_A, A)),
        anchors=(ROOT, A),
        flags=PARTIAL,
        verified=("leaf of A", "A"),
    ),
    Case(
        name="trusted-leaf",
        sentence="A trusted leaf is not enough by default.",
        sent=Chain((LEAF,)),
        anchors=(LEAF,),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="trusted-leaf-partial",
        sentence="With PARTIAL_CHAIN a trusted leaf is a chain.",
        sent=Chain((LEAF,)),
        anchors=(LEAF,),
        flags=PARTIAL,
        verified=("leaf",),
    ),
    Case(
        name="trusted-self-signed-leaf",
        sentence="A trusted leaf that signed itself is a chain.",
        sent=Chain((SELF_SIGNED,)),
        anchors=(SELF_SIGNED,),
        verified=("self-signed",),
    ),
    Case(
        name="rolled-over-right-key",
        sentence="Of a CA's two keys the right one is trusted.",
        sent=Chain((LEAF_NEW,)),
        anchors=(NEW,),
        verified=("leaf of new", "new"),
    ),
    Case(
        name="rolled-over-wrong-key",
        sentence="A root of the right name with another key identifier is no issuer.",
        sent=Chain((LEAF_NEW,)),
        anchors=(OLD,),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="rolled-over-both",
        sentence="With both keys of a CA trusted the right one is found.",
        sent=Chain((LEAF_NEW,)),
        anchors=(OLD, NEW),
        verified=("leaf of new", "new"),
    ),
    Case(
        name="rolled-over-wrong-key-bare",
        sentence="Without key identifiers the wrong key is noticed by its signature.",
        sent=Chain((LEAF_NEW_BARE,)),
        anchors=(OLD_BARE,),
        code=7,
        depth=0,
        alert=DECRYPT_ERROR,
    ),
    Case(
        name="rolled-over-root-sent",
        sentence="The untrusted root of a trusted name, sent along, stays untrusted.",
        sent=Chain((LEAF_NEW, NEW)),
        anchors=(OLD,),
        code=19,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="renewed-root",
        sentence="Of an expired and a valid certificate of one root the valid one counts.",
        sent=Chain((LEAF_RENEWED,)),
        anchors=(EXPIRED_ROOT, RENEWED),
        verified=("leaf of renewed", "renewed"),
    ),
    Case(
        name="renewed-root-loaded-first",
        sentence="Whichever of the two is loaded first.",
        sent=Chain((LEAF_RENEWED,)),
        anchors=(RENEWED, EXPIRED_ROOT),
        verified=("leaf of renewed", "renewed"),
    ),
    Case(
        name="renewed-root-twice-expired",
        sentence="Where both have expired so has the root.",
        sent=Chain((LEAF_RENEWED,)),
        anchors=(LONG_EXPIRED_ROOT, EXPIRED_ROOT),
        code=10,
        depth=1,
        alert=EXPIRED,
    ),
    Case(
        name="cross-signed-intermediate",
        sentence="Of an intermediate's two certificates the first one sent counts.",
        sent=Chain((LEAF_A, A_BY_STRANGER, A)),
        anchors=(STRANGER,),
        verified=("leaf of A", "A by stranger", "stranger"),
    ),
    Case(
        name="cross-signed-intermediate-second",
        sentence="OpenSSL does not go back to try the second one.",
        sent=Chain((LEAF_A, A, A_BY_STRANGER)),
        anchors=(STRANGER,),
        code=20,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="cross-signed-intermediate-missing",
        sentence="Without the certificate below the trusted root there is no way to it.",
        sent=Chain((LEAF_A, A)),
        anchors=(STRANGER,),
        code=20,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="cross-signed-root",
        sentence="A root that a trusted one vouches for is an intermediate.",
        sent=Chain((LEAF_A, A, ROOT_BY_STRANGER)),
        anchors=(STRANGER,),
        verified=("leaf of A", "A", "root by stranger", "stranger"),
    ),
    Case(
        name="cross-signed-root-both-trusted",
        sentence="A trusted root ends the chain, though another vouches for it.",
        sent=Chain((LEAF_A, A, ROOT_BY_STRANGER)),
        anchors=(STRANGER, ROOT),
        verified=("leaf of A", "A", "root"),
    ),
)
