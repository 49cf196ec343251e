"""Rows that are decided by which certificates the server sends."""

from __future__ import annotations

from cases_row import DECRYPT_ERROR, UNKNOWN_CA, Case
from pki import Chain, Issued, cross_sign, flip_signature, intermediate, leaf, root

ROOT = root("root")
A = intermediate("A", ROOT)
B = intermediate("B", A)
LEAF = leaf("leaf", ROOT)
LEAF_A = leaf("leaf of A", A)
LEAF_B = leaf("leaf of B", B)
SIDE = intermediate("side", ROOT)
STRANGER = root("stranger")
LEAF_STRANGER = leaf("leaf of stranger", STRANGER)
SELF_SIGNED = leaf("self-signed", None)
BAD_LEAF = flip_signature("bad leaf", LEAF)
BAD_A = flip_signature("bad A", A)
BAD_ROOT = flip_signature("bad root", ROOT)
# Two CAs that have signed each other and nobody else.
TOM = root("tom")
TIM = root("tim")
TOM_BY_TIM = cross_sign("tom by tim", TOM, TIM)
TIM_BY_TOM = cross_sign("tim by tom", TIM, TOM)
LEAF_TOM = leaf("leaf of tom", TOM)


def ladder(length: int) -> tuple[Issued, ...]:
    """Return a chain of so many certificates below ROOT, leaf first."""
    steps = [ROOT]
    for number in range(1, length):
        steps.append(intermediate(f"step {number}", steps[-1]))
    return (leaf(f"leaf of step {length - 1}", steps[-1]), *reversed(steps[1:]))


LADDER_100 = ladder(100)
LADDER_101 = ladder(101)
LADDER_102 = ladder(102)

CHAIN_CASES = (
    Case(
        name="direct",
        sentence="A leaf that the trusted root issued is accepted.",
        sent=Chain((LEAF,)),
        anchors=(ROOT,),
        verified=("leaf", "root"),
    ),
    Case(
        name="one-intermediate",
        sentence="The intermediate that the server sends leads to the trusted root.",
        sent=Chain((LEAF_A, A)),
        anchors=(ROOT,),
        verified=("leaf of A", "A", "root"),
    ),
    Case(
        name="two-intermediates",
        sentence="Two intermediates lead to the trusted root.",
        sent=Chain((LEAF_B, B, A)),
        anchors=(ROOT,),
        verified=("leaf of B", "B", "A", "root"),
    ),
    Case(
        name="unnecessary-in-the-middle",
        sentence="Of four certificates sent the one that leads nowhere is left out.",
        sent=Chain((LEAF_A, A, SIDE, ROOT)),
        anchors=(ROOT,),
        verified=("leaf of A", "A", "root"),
    ),
    Case(
        name="unrelated-in-the-middle",
        sentence="A CA of somebody else between two links is left out.",
        sent=Chain((LEAF_B, STRANGER, B, A)),
        anchors=(ROOT,),
        verified=("leaf of B", "B", "A", "root"),
    ),
    Case(
        name="wrong-order",
        sentence="Intermediates in the wrong order are put in the right one.",
        sent=Chain((LEAF_B, A, B)),
        anchors=(ROOT,),
        verified=("leaf of B", "B", "A", "root"),
    ),
    Case(
        name="root-sent-along",
        sentence="A trusted root that is sent along counts once.",
        sent=Chain((LEAF_A, A, ROOT)),
        anchors=(ROOT,),
        verified=("leaf of A", "A", "root"),
    ),
    Case(
        name="duplicates",
        sentence="Certificates sent twice count once.",
        sent=Chain((LEAF_A, LEAF_A, A, A)),
        anchors=(ROOT,),
        verified=("leaf of A", "A", "root"),
    ),
    Case(
        name="missing-intermediate",
        sentence="Without the intermediate there is no way to the root.",
        sent=Chain((LEAF_A,)),
        anchors=(ROOT,),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="missing-upper-intermediate",
        sentence="A missing link is found at the last certificate that could be reached.",
        sent=Chain((LEAF_B, B)),
        anchors=(ROOT,),
        code=20,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="self-signed-leaf",
        sentence="A leaf that vouches for itself is refused.",
        sent=Chain((SELF_SIGNED,)),
        anchors=(ROOT,),
        code=18,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="self-signed-root-sent",
        sentence="An untrusted root that is sent along does not become trusted.",
        sent=Chain((LEAF_STRANGER, STRANGER)),
        anchors=(ROOT,),
        code=19,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="unknown-authority",
        sentence="A leaf of a CA that nobody knows is refused.",
        sent=Chain((LEAF_STRANGER,)),
        anchors=(ROOT,),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="two-cas-signed-each-other",
        sentence="Going round in a circle ends.",
        sent=Chain((LEAF_TOM, TOM_BY_TIM, TIM_BY_TOM)),
        anchors=(ROOT,),
        code=20,
        depth=2,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="bad-signature-leaf",
        sentence="One flipped bit in the leaf's signature is noticed.",
        sent=Chain((BAD_LEAF,)),
        anchors=(ROOT,),
        code=7,
        depth=0,
        alert=DECRYPT_ERROR,
    ),
    Case(
        name="bad-signature-intermediate",
        sentence="One flipped bit in an intermediate's signature is noticed.",
        sent=Chain((LEAF_A, BAD_A)),
        anchors=(ROOT,),
        code=7,
        depth=1,
        alert=DECRYPT_ERROR,
    ),
    Case(
        name="bad-signature-anchor",
        sentence="A trusted root's signature of itself says nothing and is not looked at.",
        sent=Chain((LEAF,)),
        anchors=(BAD_ROOT,),
        verified=("leaf", "bad root"),
    ),
    Case(
        name="chain-of-100",
        sentence="A chain of 100 certificates is accepted.",
        sent=Chain(LADDER_100),
        anchors=(ROOT,),
        verified=(*(step.name for step in LADDER_100), "root"),
    ),
    Case(
        name="chain-of-101",
        sentence="A chain of 101 certificates, with 100 intermediates, is the longest.",
        sent=Chain(LADDER_101),
        anchors=(ROOT,),
        verified=(*(step.name for step in LADDER_101), "root"),
    ),
    Case(
        name="chain-of-102",
        sentence="A chain of 102 certificates is too long.",
        sent=Chain(LADDER_102),
        anchors=(ROOT,),
        code=22,
        depth=101,
        alert=UNKNOWN_CA,
    ),
)
