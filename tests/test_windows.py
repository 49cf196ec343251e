"""Windows decides: every row with its root in the system's Root store, and without it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "win32":
    pytest.skip("asks Windows", allow_module_level=True)

import ssl

import fasttrust
import modes
import pki
from windows_ask import Asked, ask, in_this_openssl, write
from windows_row import HARD, ROOT, SITE, Row
from windows_rows import GOOD, ROWS, RSA_ROOT
from windows_rows_revocation import TWICE
from windows_store import is_wine, trusted

NOBODY_KNOWN = (18, 19, 20)
FIRST_HRESULT = 0x80000000  # below it is the chain's status


def asked_by(row: Row) -> Asked:
    """Return what the row's client wants."""
    at_time = pki.NOW.timestamp() + row.days * 86400 if row.days else None
    return Asked(row.host, flags=int(row.flags), policy=row.policy, at_time=at_time, crls=row.crls)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Windows says of every row, each in a fresh process, while it trusts the roots."""
    folder = tmp_path_factory.mktemp("rows")
    with trusted(ROOT, RSA_ROOT):
        return {row.name: ask(write(folder / row.name, row.sent, asked_by(row)))[0] for row in ROWS}


# First, while nothing is trusted yet.
def test_without_the_root_nobody_is_trusted(tmp_path: Path) -> None:
    """The same peers, their roots not in the store: each is refused."""
    folders = [write(tmp_path / row.name, row.sent, asked_by(row)) for row in ROWS]
    for row, answer in zip(ROWS, ask(*folders), strict=True):
        assert answer["code"] in {*NOBODY_KNOWN, in_this_openssl(row.code)} - {0}, (
            row.name,
            answer,
        )
        if row in GOOD and not row.days:
            assert answer["code"] == (19 if ROOT in row.sent.certificates else 20), row.name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_gives_its_verdict(row: Row, answers: dict[str, Any]) -> None:
    """With the root in the store: Windows' word, in OpenSSL's language, with Windows' number."""
    answer = answers[row.name]
    code, natives = row.code, row.native or (None,)
    if is_wine() and row.wine is not None:
        assert row.deviation, "a deviation has a reason"
        code, natives = row.wine[0], row.wine[1:]
    if modes.COMPAT and row.alone:
        code, *natives = row.alone
    assert answer["code"] == in_this_openssl(code), answer
    for name in row.fetched:
        assert SITE.times_asked(name) >= 1
    if code == 0:
        verified = [bytes.fromhex(der) for der in answer["verified"]]
        assert verified[0] == row.sent.ders[0]
        assert verified[-1] in (ROOT.der, RSA_ROOT.der)
        return
    assert answer["native"] in natives, answer
    assert (answer["native"] is None) == (answer["message"] is None)
    if answer["native"] is not None and answer["native"] < FIRST_HRESULT:
        assert answer["message"].startswith("CERT_TRUST_")  # the status alone says no
    # In compat mode ssl does not tell at whose depth OpenSSL refused.
    if row.depth is not None and not (modes.COMPAT and (row.alone or answer["native"] is None)):
        assert answer["depth"] == row.depth


def test_revoked_stays_revoked(tmp_path: Path) -> None:
    """Asked again, with its list in Windows' cache, by another process.

    A deviation: Wine finds nothing revoked by a list from its cache, which it takes for good.
    """
    with trusted(ROOT):
        again = [ask(write(tmp_path / n, TWICE, Asked(policy=HARD)))[0] for n in ("once", "twice")]
    assert [23, 0 if is_wine() else 23] == [answer["code"] for answer in again], again


def test_the_system_is_named() -> None:
    """Python's own OpenSSL was found by _ssl's imports, and CryptoAPI decides."""
    backend = fasttrust.backend()
    expected = "compat" if modes.COMPAT else "native"
    assert (expected, "cryptoapi") == (backend.mode, backend.verifier)
    assert backend.openssl == ssl.OPENSSL_VERSION
