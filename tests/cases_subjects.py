"""Rows about anchors that share a subject, or write it in another way, or are there twice."""

from __future__ import annotations

from cases_row import EXPIRED, PARTIAL, UNKNOWN_CA, Case
from pki import Chain, Issued, cross_sign, intermediate, leaf, root

ROOT = root("root")
STRANGER = root("stranger")
A = intermediate("A", ROOT)
A_BY_STRANGER = cross_sign("A by stranger", A, STRANGER)
A_EXPIRED = cross_sign("expired A", A, ROOT, valid=(-30, -1))
LEAF_A = leaf("leaf of A", A)
LEAF = leaf("leaf", ROOT)
TWIN = root("twin", subject="root")
LEAF_TWIN = leaf("leaf of twin", TWIN)
MANY = tuple(root(f"namesake {number}", subject="root") for number in range(6))


def _written(name: str, subject: str, string: str = "UTF8String") -> Issued:
    """Make the one CA "Sample CA Zero" under another spelling of its subject."""
    return root(name, subject=subject, string=string, key="Sample CA Zero")


def _spelling(name: str, trusted: Issued, issuer: Issued, sentence: str) -> Case:
    sent = leaf(f"leaf of {issuer.name}", issuer)
    return Case(
        name=name,
        sentence=sentence,
        sent=Chain((sent,)),
        anchors=(trusted,),
        verified=(sent.name, trusted.name),
    )


PLAIN = _written("plain", "Sample CA Zero")
CASED = _written("cased", "SAMPLE ca zERO")
SPACED = _written("spaced", "  Sample   CA Zero ")
PRINTABLE = _written("printable", "Sample CA Zero", "PrintableString")
TELETEX = _written("teletex", "sample CA zero", "T61String")
BMP = _written("bmp", "Sample CA Zero", "BMPString")
UNIVERSAL = _written("universal", "Sample CA Zero", "UniversalString")
WIDE = _written("wide", "S\u00e3mple \u4142 CA")
WIDE_BMP = _written("wide bmp", "s\u00e3mple  \u4142 ca", "BMPString")
OTHER = _written("other", "Sample CA Zer0")

SUBJECT_CASES = (
    _spelling("subject-case", CASED, PLAIN, "Case does not count in a subject."),
    _spelling("subject-spacing", SPACED, PLAIN, "Runs of spaces count as one, at the ends none."),
    _spelling("subject-spacing-of-issuer", PLAIN, SPACED, "Nor do they in the issuer's name."),
    _spelling("subject-printable", PRINTABLE, CASED, "PrintableString equals UTF8String."),
    _spelling("subject-teletex", TELETEX, PLAIN, "So does TeletexString."),
    _spelling("subject-bmp", BMP, PLAIN, "So does BMPString, of two bytes a character."),
    _spelling("subject-bmp-of-issuer", PRINTABLE, BMP, "On either side."),
    _spelling("subject-universal", UNIVERSAL, SPACED, "So does UniversalString, of four."),
    _spelling("subject-wide", WIDE_BMP, WIDE, "Beyond ASCII characters count as they are."),
    _spelling("subject-wide-of-issuer", WIDE, WIDE_BMP, "In either type."),
    Case(
        name="subject-differs",
        sentence="One other character is another subject, though the key is the same.",
        sent=Chain((leaf("leaf of plain", PLAIN),)),
        anchors=(OTHER,),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="anchor-twice",
        sentence="A root that is trusted twice is trusted.",
        sent=Chain((LEAF,)),
        anchors=(ROOT, ROOT),
        verified=("leaf", "root"),
    ),
    Case(
        name="anchor-twice-and-its-twin",
        sentence="A root of another key is none the less found behind it.",
        sent=Chain((LEAF_TWIN,)),
        anchors=(ROOT, ROOT, TWIN),
        verified=("leaf of twin", "twin"),
    ),
    Case(
        name="anchor-twice-is-no-twin",
        sentence="However often it is trusted, its namesake is not.",
        sent=Chain((LEAF_TWIN,)),
        anchors=(ROOT, ROOT),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="many-namesakes",
        sentence="Among many roots of one subject the issuer is found by its key.",
        sent=Chain((LEAF_TWIN,)),
        anchors=(*MANY, TWIN),
        verified=("leaf of twin", "twin"),
    ),
    Case(
        name="many-namesakes-none-it",
        sentence="Where none of them is the issuer nobody is.",
        sent=Chain((LEAF_TWIN,)),
        anchors=(*MANY, ROOT),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="cross-signed-among-anchors",
        sentence="A trusted intermediate goes before the one that was sent.",
        sent=Chain((LEAF_A, A)),
        anchors=(A_BY_STRANGER, STRANGER),
        verified=("leaf of A", "A by stranger", "stranger"),
    ),
    Case(
        name="cross-signed-among-anchors-partial",
        sentence="With PARTIAL_CHAIN it ends the chain.",
        sent=Chain((LEAF_A, A)),
        anchors=(A_BY_STRANGER, ROOT),
        flags=PARTIAL,
        verified=("leaf of A", "A by stranger"),
    ),
    Case(
        name="cross-signed-among-anchors-without-its-root",
        sentence="Without PARTIAL_CHAIN its own issuer is missing then.",
        sent=Chain((LEAF_A, A)),
        anchors=(A_BY_STRANGER, ROOT),
        code=2,
        depth=1,
        alert=UNKNOWN_CA,
    ),
    Case(
        name="cross-signed-expired-among-anchors",
        sentence="Of a trusted intermediate's certificates the valid one counts.",
        sent=Chain((LEAF_A,)),
        anchors=(A_EXPIRED, ROOT, A_BY_STRANGER, STRANGER),
        verified=("leaf of A", "A by stranger", "stranger"),
    ),
    Case(
        name="expired-intermediate-among-anchors",
        sentence="An expired one that is trusted goes before a valid one that was sent.",
        sent=Chain((LEAF_A, A)),
        anchors=(A_EXPIRED, ROOT),
        code=10,
        depth=1,
        alert=EXPIRED,
    ),
)
