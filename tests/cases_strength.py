"""Rows that are decided by keys and signatures: strong enough, or of a kind that is known."""

from __future__ import annotations

from cases_row import BAD_CERTIFICATE, Case
from pki import Chain, intermediate, leaf, root

ROOT = root("root")
RSA_ROOT = root("rsa root", algorithm="rsa2048")
ED_ROOT = root("ed root", algorithm="ed25519")
WEAK_ROOT = root("weak root", algorithm="rsa1024")
SHA1_ROOT = root("sha1 root", key="rsa root", algorithm="rsa2048", signature="sha1")
WEAK_LEAF = leaf("weak leaf", ROOT, algorithm="rsa1024")
WEAK_A = intermediate("weak A", ROOT, algorithm="rsa1024")
LEAF_WEAK_A = leaf("leaf of weak A", WEAK_A)
LEAF_WEAK_ROOT = leaf("leaf of weak root", WEAK_ROOT)
SHA1_LEAF = leaf("sha1 leaf", RSA_ROOT, signature="sha1")
SHA1_A = intermediate("sha1 A", RSA_ROOT, signature="sha1")
LEAF_SHA1_A = leaf("leaf of sha1 A", SHA1_A)
LEAF_SHA1_ROOT = leaf("leaf of sha1 root", SHA1_ROOT)
RSA_LEAF = leaf("rsa leaf", RSA_ROOT, key="rsa leaf", algorithm="rsa2048")
PSS_LEAF = leaf("pss leaf", RSA_ROOT, signature="pss")
ED_LEAF = leaf("ed leaf", ED_ROOT, algorithm="ed25519")
P384_LEAF = leaf("p384 leaf", ROOT, algorithm="p384")

STRENGTH_CASES = (
    Case(
        name="weak-leaf",
        sentence="At security level 2 an RSA key of 1024 bits is too small.",
        sent=Chain((WEAK_LEAF,)),
        anchors=(ROOT,),
        code=66,
        depth=0,
        alert=BAD_CERTIFICATE,
    ),
    Case(
        name="weak-leaf-level-1",
        sentence="At security level 1 it is not.",
        sent=Chain((WEAK_LEAF,)),
        anchors=(ROOT,),
        level=1,
        verified=("weak leaf", "root"),
    ),
    Case(
        name="weak-intermediate",
        sentence="At security level 2 a CA's RSA key of 1024 bits is too small.",
        sent=Chain((LEAF_WEAK_A, WEAK_A)),
        anchors=(ROOT,),
        code=67,
        depth=1,
        alert=BAD_CERTIFICATE,
    ),
    Case(
        name="weak-root",
        sentence="So is that of a trusted root.",
        sent=Chain((LEAF_WEAK_ROOT,)),
        anchors=(WEAK_ROOT,),
        code=67,
        depth=1,
        alert=BAD_CERTIFICATE,
    ),
    Case(
        name="sha1-leaf",
        sentence="A signature with SHA-1 is too weak.",
        sent=Chain((SHA1_LEAF,)),
        anchors=(RSA_ROOT,),
        code=68,
        depth=0,
        alert=BAD_CERTIFICATE,
    ),
    Case(
        name="sha1-leaf-level-0",
        sentence="At security level 0 it is not.",
        sent=Chain((SHA1_LEAF,)),
        anchors=(RSA_ROOT,),
        level=0,
        verified=("sha1 leaf", "rsa root"),
    ),
    Case(
        name="sha1-intermediate",
        sentence="An intermediate that is signed with SHA-1 is refused.",
        sent=Chain((LEAF_SHA1_A, SHA1_A)),
        anchors=(RSA_ROOT,),
        code=68,
        depth=1,
        alert=BAD_CERTIFICATE,
    ),
    Case(
        name="sha1-root",
        sentence="A trusted root's signature of itself may be of any strength.",
        sent=Chain((LEAF_SHA1_ROOT,)),
        anchors=(SHA1_ROOT,),
        verified=("leaf of sha1 root", "sha1 root"),
    ),
    Case(
        name="rsa",
        sentence="RSA keys of 2048 bits are accepted.",
        sent=Chain((RSA_LEAF,)),
        anchors=(RSA_ROOT,),
        verified=("rsa leaf", "rsa root"),
    ),
    Case(
        name="rsa-pss",
        sentence="A signature with RSA-PSS is accepted.",
        sent=Chain((PSS_LEAF,)),
        anchors=(RSA_ROOT,),
        verified=("pss leaf", "rsa root"),
    ),
    Case(
        name="ed25519",
        sentence="Ed25519 keys and signatures are accepted.",
        sent=Chain((ED_LEAF,)),
        anchors=(ED_ROOT,),
        verified=("ed leaf", "ed root"),
    ),
    Case(
        name="p384",
        sentence="A P-384 key is accepted.",
        sent=Chain((P384_LEAF,)),
        anchors=(ROOT,),
        verified=("p384 leaf", "root"),
    ),
)
