"""The whole package on a macOS that lies or answers by half: what step 4 of the design refuses."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

import fasttrust
from cases import CASES, Case
from fasttrust import _native
from mac import (
    CLIENT,
    COMPAT,
    DIFFERENT,
    LEAF,
    NO_STRICT,
    ROOT,
    STRANGER,
    A,
    connect,
    lie,
    needs_double,
    needs_native,
    refused,
    run_row,
    shake,
    trusts,
)
from pki import NOW, Chain, Issued, crl, flip_signature, leaf, pem

pytestmark = needs_double


@needs_native
@pytest.mark.parametrize("anchors", [(), (STRANGER,), (ROOT,)], ids=len)
@pytest.mark.parametrize("answer", ["HONEST", "YES"])
def test_revoked_by_the_programs_list(
    anchors: tuple[Issued, ...], answer: str, tmp_path: Path
) -> None:
    """The program's CRL counts whoever trusts, and whatever the system says."""
    trusts(ROOT)
    lie(answer)
    context = fasttrust.SSLContext(CLIENT)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    Path(tmp_path, "crl.pem").write_text(crl(A, [LEAF]), "ascii")
    context.load_verify_locations(tmp_path / "crl.pem")
    refused(shake(context), 23)


def test_a_system_that_says_yes_to_a_wrong_name() -> None:
    """Step 4 checks the name again."""
    trusts(ROOT)
    lie("YES")
    assert connect().client_error is None
    error = refused(connect(host="other.test"), 62)
    assert error.native_code is None


@pytest.mark.parametrize("place", [0, 1])
def test_a_system_that_says_yes_to_a_bad_signature(place: int) -> None:
    """Step 4 checks every signature below the anchor again."""
    trusts(ROOT)
    lie("YES")
    sent = [LEAF, A]
    sent[place] = flip_signature("broken", sent[place])
    refused(connect(Chain(tuple(sent))), 7)


def test_a_system_that_answers_about_another_leaf() -> None:
    """A chain that begins with another certificate than the peer's is none."""
    trusts(ROOT)
    lie("OTHER_LEAF")
    refused(connect(), 1)


def test_a_system_that_says_yes_to_everything_else() -> None:
    """What has expired or is for another purpose is refused by step 4 too."""
    trusts(ROOT)
    lie("YES")
    expired = leaf("expired", A, valid=(-30, -1))
    for_clients = leaf("for clients", A, purposes=("clientAuth",))
    refused(connect(Chain((expired, A))), 10)
    refused(connect(Chain((for_clients, A))), 26)


#: What step 4 cannot know better than a system that lies: who is trusted.
NOBODY_KNOWN = {2, 18, 19, 20, 21}
SYSTEMS_WORD = {
    "expired-intermediate-among-anchors": "which of two certificates of a CA is the trusted one",
    "no-list": "that nothing is revoked: it was asked, and demanded an answer",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_system_that_says_yes_to_every_row(case: Case) -> None:
    """Step 4 refuses all that does not hang on who is trusted."""
    if not case.applies:
        pytest.skip(case.reason)
    if COMPAT and case.crls:
        pytest.skip("no CRL of the program's counts in compat mode")
    trusts(*case.anchors)
    lie("YES")
    outcome = run_row(case)
    if outcome.client_error is not None:
        assert outcome.server_received == outcome.client_received == b""
        return
    lenient = case.name in SYSTEMS_WORD or DIFFERENT.get(case.name, ("",))[-1] == NO_STRICT
    assert case.code == 0 or case.code in NOBODY_KNOWN or lenient


ODD_ANSWERS = [
    ("NO_CHAIN", 50, ""),
    ("EMPTY", 50, ""),
    ("NO_REASON", 50, ""),
    ("NO_WORDS", 20, ""),
    ("NO_TRUST", 17, ""),
    ("YES_AND_NO", 0, "leaf of A, A, root"),
    ("LONGER", 19, ""),
    ("SHORTER", 0, "leaf of A, A"),
    ("REVERSED", 1, ""),
    ("TWICE", 0, "leaf of A, A, root"),
    ("NONSENSE", 1, ""),
    ("NO_CODE", 50, ""),
    ("WIDE_CODE", 50, ""),
]


@pytest.mark.parametrize(("name", "code", "verified"), ODD_ANSWERS)
def test_odd_answers(name: str, code: int, verified: str) -> None:
    """What is no plain yes is a refusal; of a chain counts what leads from the leaf to its end."""
    trusts(ROOT, STRANGER)
    lie(name)
    outcome = connect()
    if code:
        refused(outcome, code)
    else:
        assert outcome.client_error is None
    issued = {each.der: each.name for each in (LEAF, A, ROOT, STRANGER)}
    assert ", ".join(issued[der] for der in outcome.inspected.verified) == verified


def test_every_allocation_that_fails_in_a_handshake() -> None:
    """Whatever the frameworks cannot allocate, nothing is trusted for it and no object is left."""
    trusts(ROOT)
    number = 0
    failed = True
    while failed:
        number += 1
        _native.lib.double_fail(number)
        outcome = connect(network=False, revocation="soft", at_time=NOW)
        failed = _native.lib.double_failed()
        _native.lib.double_fail(0)
        assert (outcome.client_error is not None) == failed
        assert failed == (outcome.server_received == b"")
        assert _native.lib.double_live(True) == 0
    assert number > 40
