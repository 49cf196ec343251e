"""What stands beside Windows' Root store, the program's own and Windows': whose word counts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform != "win32":
    pytest.skip("asks Windows", allow_module_level=True)

import ssl

import modes
from pki import HOST, Chain, Issued, crl, leaf
from windows_ask import Asked, ask, write
from windows_row import (
    CRL_CHAIN,
    CRL_LEAF,
    EXPIRED,
    NO_FLAGS,
    OF_A,
    OF_ROOT,
    OF_UNKNOWN,
    ROOT,
    UNKNOWN,
    A,
)
from windows_store import trusted

pytestmark = modes.no_core

OLD = Chain((leaf("own windows old", ROOT, valid=(-9, -2)),))
REVOKED = crl(ROOT, (OF_ROOT,))


@dataclass(frozen=True)
class Own:
    """A peer, and what the program holds itself.

    Attributes:
        without: code while Windows does not know ROOT.
        code: code while it does; 0 is accepted.
        native: Windows' number with the second, None where OpenSSL's word is what counts.
    """

    name: str
    sent: Chain
    anchors: tuple[Issued, ...]
    without: int
    code: int
    native: int | None = None
    host: str = HOST
    flags: int = NO_FLAGS
    crls: tuple[str, ...] = ()


ROWS = (
    # Step 2 does not know who issued it: Windows is asked.
    Own("windows-knows", Chain((OF_A, A)), (UNKNOWN,), 20, 0),
    Own("windows-says-expired", OLD, (UNKNOWN,), 20, 10, EXPIRED),
    # Step 2 accepts: Windows is not asked.
    Own("own", Chain((OF_A, A)), (ROOT,), 0, 0),
    Own("own-unknown-to-windows", Chain((OF_UNKNOWN,)), (UNKNOWN,), 0, 0),
    # Step 2 refuses for another reason: final, and OpenSSL's.
    Own("own-expired", OLD, (ROOT,), 10, 10),
    Own("own-with-wrong-name", Chain((OF_ROOT,)), (ROOT,), 62, 62, host="other.test"),
    Own("own-and-revoked", Chain((OF_ROOT,)), (ROOT,), 23, 23, flags=CRL_LEAF, crls=(REVOKED,)),
    Own("own-without-list", Chain((OF_ROOT,)), (ROOT,), 3, 3, flags=CRL_LEAF),
    # Windows accepts, and step 4 does not.
    Own("windows-wrong-name", Chain((OF_A, A)), (UNKNOWN,), 20, 62, host="other.test"),
    Own("windows-wrong-address", Chain((OF_A, A)), (UNKNOWN,), 20, 64, host="127.0.0.1"),
    Own("revoked", Chain((OF_ROOT,)), (), 20, 23, flags=CRL_LEAF, crls=(REVOKED,)),
    Own(
        "revoked-other-own", Chain((OF_ROOT,)), (UNKNOWN,), 20, 23, flags=CRL_LEAF, crls=(REVOKED,)
    ),
    Own(
        "intermediate-revoked-other-own",
        Chain((OF_A, A)),
        (UNKNOWN,),
        20,
        23,
        flags=CRL_LEAF | CRL_CHAIN,
        crls=(crl(A), crl(ROOT, (A,))),
    ),
    # Windows knows no list, the program's own says that nothing is revoked, and step 4 asks it.
    Own(
        "not-revoked-other-own",
        Chain((OF_ROOT,)),
        (UNKNOWN,),
        20,
        0,
        flags=CRL_LEAF,
        crls=(crl(ROOT),),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_whose_word_counts(row: Own, tmp_path: Path) -> None:
    """Each in a process of its own, before Windows knows the root and while it does."""
    asked = Asked(
        row.host,
        flags=int(row.flags),
        crls=row.crls,
        anchors=tuple(anchor.pem for anchor in row.anchors),
    )
    (answer,) = ask(write(tmp_path / "before", row.sent, asked))
    assert answer["code"] == row.without, answer
    with trusted(ROOT):
        (answer,) = ask(write(tmp_path / "trusted", row.sent, asked))
    assert answer["code"] == row.code, answer
    assert answer.get("native") == row.native, answer
    if row.code == 0:
        anchor = UNKNOWN if row.sent.certificates[0] is OF_UNKNOWN else ROOT
        verified = [bytes.fromhex(der) for der in answer["verified"]]
        assert verified == [*row.sent.ders, anchor.der]


@pytest.mark.parametrize("defaults", [False, True], ids=["SSLContext", "default certificates"])
def test_intermediates_of_windows_are_no_anchors(defaults: bool, tmp_path: Path) -> None:
    """Those in its store "CA", which `ssl` loads as anchors: chains are built of them, no more."""
    asked = Asked(defaults=defaults)
    with trusted(A, store_name="CA"):
        assert A.der in {der for der, _, _ in ssl.enum_certificates("CA")}
        (answer,) = ask(write(tmp_path / "before", Chain((OF_A,)), asked))
        assert answer["code"] == 20, answer
        with trusted(ROOT):
            (answer,) = ask(write(tmp_path / "trusted", Chain((OF_A,)), asked))
    assert answer["code"] == 0, answer
    assert [bytes.fromhex(der) for der in answer["verified"]] == [OF_A.der, A.der, ROOT.der]
