"""The table of verdicts where Windows judges: each row's anchors are in the system's Root store."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest

if sys.platform != "win32":
    pytest.skip("asks Windows", allow_module_level=True)

import modes
from cases import CASES, Case
from cases_windows import ALONE, DIFFERS, NOT_DOCUMENTED
from windows_ask import Asked, ask, in_this_openssl, write
from windows_store import is_wine, trusted

ROWS = [case for case in CASES if case.verify_mode != ssl.CERT_NONE]


def test_every_difference_is_of_a_row() -> None:
    """No difference is left over from a row that is gone, and each has its reason."""
    assert {case.name for case in ROWS} >= {*DIFFERS, *ALONE}
    codes = {case.name: case.code for case in ROWS}
    for name, differs in DIFFERS.items():
        if ssl.OPENSSL_VERSION_INFO >= (3,):  # strict mode looked at less before
            assert {differs.code, differs.windows} != {codes[name]}, name
        assert differs.reason, name


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
def test_row_gives_its_verdict_where_windows_judges(case: Case, tmp_path: Path) -> None:
    """In a fresh process: the row's verdict, or what its column for Windows says."""
    if not case.applies:
        pytest.skip(f"{case.reason}, and this is {ssl.OPENSSL_VERSION}")
    differs = DIFFERS.get(case.name)
    expected = case.code
    if differs is not None:
        expected = differs.code if is_wine() else differs.windows
        if expected is None:
            pytest.skip(NOT_DOCUMENTED)
    if modes.COMPAT and case.name in ALONE:
        expected = ALONE[case.name][0]
    asked = Asked(
        host=case.server_hostname,
        check_hostname=case.check_hostname,
        flags=int(case.flags),
        crls=case.crls,
        level=case.level,
        common_name=case.common_name,
    )
    with trusted(*case.anchors):
        (answer,) = ask(write(tmp_path / "row", case.sent, asked))
    assert answer["code"] == in_this_openssl(expected), answer
    if expected == 0:
        verified = [bytes.fromhex(der) for der in answer["verified"]]
        assert verified[0] == case.sent.ders[0]
        assert verified[-1] in {anchor.der for anchor in case.anchors}
