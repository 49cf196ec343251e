"""Rows that are decided by the clock."""

from __future__ import annotations

from typing import Any

from cases_row import BAD_CERTIFICATE, EXPIRED, UNKNOWN_CA, Case
from pki import Chain, Issued, intermediate, leaf, root

PAST = (-30, -1)
FUTURE = (1, 30)

ROOT = root("root")
EXPIRED_LEAF = leaf("expired leaf", ROOT, valid=PAST)
FUTURE_LEAF = leaf("future leaf", ROOT, valid=FUTURE)
EXPIRED_A = intermediate("expired A", ROOT, valid=PAST)
LEAF_EXPIRED_A = leaf("leaf of expired A", EXPIRED_A)
FUTURE_A = intermediate("future A", ROOT, valid=FUTURE)
LEAF_FUTURE_A = leaf("leaf of future A", FUTURE_A)
EXPIRED_ROOT = root("expired root", valid=PAST)
LEAF_EXPIRED_ROOT = leaf("leaf of expired root", EXPIRED_ROOT)
FUTURE_ROOT = root("future root", valid=FUTURE)
LEAF_FUTURE_ROOT = leaf("leaf of future root", FUTURE_ROOT)
STRANGER = root("stranger")
EXPIRED_STRANGER = leaf("expired stranger", STRANGER, valid=PAST)
OTHER_HOST = leaf("expired other", ROOT, names=("other.test",), valid=PAST)
# Two certificates of one intermediate, the expired one sent first.
RENEWED_A = intermediate("A", ROOT)
OLD_A = intermediate("old A", ROOT, subject="A", key="A", valid=PAST)
LEAF_A = leaf("leaf of A", RENEWED_A)


def refused(
    name: str,
    sentence: str,
    sent: tuple[Issued, ...],
    *,
    code: int,
    depth: int,
    alert: str,
    **changes: Any,
) -> Case:
    """Make a row that the clock decides; ROOT is trusted unless it says otherwise."""
    expected = {"anchors": (ROOT,), **changes}
    return Case(name, sentence, Chain(sent), code=code, depth=depth, alert=alert, **expected)


TIME_CASES = (
    refused(
        "expired-leaf",
        "A leaf that has expired is refused.",
        (EXPIRED_LEAF,),
        code=10,
        depth=0,
        alert=EXPIRED,
    ),
    refused(
        "expired-intermediate",
        "An intermediate that has expired is refused.",
        (LEAF_EXPIRED_A, EXPIRED_A),
        code=10,
        depth=1,
        alert=EXPIRED,
    ),
    refused(
        "expired-root",
        "A trusted root that has expired is refused.",
        (LEAF_EXPIRED_ROOT,),
        anchors=(EXPIRED_ROOT,),
        code=10,
        depth=1,
        alert=EXPIRED,
    ),
    refused(
        "future-leaf",
        "A leaf that is not valid yet is refused.",
        (FUTURE_LEAF,),
        code=9,
        depth=0,
        alert=BAD_CERTIFICATE,
    ),
    refused(
        "future-intermediate",
        "An intermediate that is not valid yet is refused.",
        (LEAF_FUTURE_A, FUTURE_A),
        code=9,
        depth=1,
        alert=BAD_CERTIFICATE,
    ),
    refused(
        "future-root",
        "A trusted root that is not valid yet is refused.",
        (LEAF_FUTURE_ROOT,),
        anchors=(FUTURE_ROOT,),
        code=9,
        depth=1,
        alert=BAD_CERTIFICATE,
    ),
    refused(
        "expired-and-unknown",
        "Of an expired leaf of an unknown CA the unknown CA is reported.",
        (EXPIRED_STRANGER,),
        code=20,
        depth=0,
        alert=UNKNOWN_CA,
    ),
    refused(
        "expired-and-wrong-host",
        "Of an expired leaf for another host the wrong host is reported.",
        (OTHER_HOST,),
        code=62,
        depth=0,
        alert=BAD_CERTIFICATE,
    ),
    Case(
        name="renewed-intermediate",
        sentence="Of an intermediate's two certificates the one that is valid counts.",
        sent=Chain((LEAF_A, OLD_A, RENEWED_A)),
        anchors=(ROOT,),
        verified=("leaf of A", "A", "root"),
    ),
)
