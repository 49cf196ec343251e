"""What CryptoAPI says of a client's certificate to a server, and of a staple of a server's."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "win32":
    pytest.skip("asks Windows", allow_module_level=True)

from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

import modes
from pki import NOW, Chain, Issued, intermediate, leaf, root
from windows_ask import Asked, ask, write
from windows_store import is_wine, trusted

pytestmark = modes.no_core

ROOT = root("sides root")
A = intermediate("sides A", ROOT)
SERVER = Chain((leaf("sides server", ROOT),))
EXPIRED = 0x800B0101
WRONG_USAGE = 0x800B0110


def judge_client(sent: Chain, folder: Path) -> dict[str, Any]:
    """Let a server that asked for the system's store judge a client."""
    write(folder, sent, Asked(server=True))
    (folder / "server").mkdir()
    SERVER.write(folder / "server")
    (answer,) = ask(folder)
    return answer


@pytest.mark.parametrize(
    ("sent", "code", "native"),
    [
        (Chain((leaf("for both", ROOT),)), 0, None),
        (Chain((leaf("below A", A), A)), 0, None),
        (Chain((leaf("for clients", ROOT, purposes=("clientAuth",)),)), 0, None),
        (Chain((leaf("for servers", ROOT, purposes=("serverAuth",)),)), 26, WRONG_USAGE),
        (Chain((leaf("old", ROOT, valid=(-9, -2)),)), 10, EXPIRED),
    ],
    ids=lambda value: value.names[0] if isinstance(value, Chain) else "",
)
def test_clients_certificate_is_judged_as_a_clients(
    sent: Chain, code: int, native: int | None, tmp_path: Path
) -> None:
    """With the root in the store the purpose is a client's; without it nobody is known."""
    assert judge_client(sent, tmp_path / "before")["code"] in {20, code} - {0}
    with trusted(ROOT):
        answer = judge_client(sent, tmp_path / "trusted")
    assert (code, native) == (answer["code"], answer.get("native")), answer
    if code == 0:
        assert [*sent.ders, ROOT.der] == [bytes.fromhex(der) for der in answer["verified"]]


# ---- staples ----

STAPLED = leaf("sides stapled", ROOT)


def staple(issued: Issued, *, revoked: bool) -> bytes:
    """Make the root's own OCSP response about a certificate of its own."""
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    when = NOW - datetime.timedelta(hours=1) if revoked else None
    builder = ocsp.OCSPResponseBuilder().add_response(
        issued.certificate,
        ROOT.certificate,
        SHA1(),
        status,
        NOW - datetime.timedelta(hours=1),
        NOW + datetime.timedelta(days=1),
        when,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, ROOT.certificate)
    return builder.sign(ROOT.key, SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("revocation", ["platform", "soft", "hard"])
@pytest.mark.parametrize("revoked", [False, True], ids=["good", "revoked"])
def test_staple_is_asked_for_and_handed_to_windows(
    revoked: bool, revocation: str, tmp_path: Path
) -> None:
    """A good one is enough for "hard", a revoked one a refusal wherever revocation counts.

    Wine takes the staple and does not look at it: whether a certificate was revoked it does not
    know then. That the bytes arrive is tested in tests/windows/test_platform.c.
    """
    asked = Asked(policy={"revocation": revocation, "network": False}, staple=True)
    folder = write(tmp_path / "row", Chain((STAPLED,)), asked)
    (folder / "staple.der").write_bytes(staple(STAPLED, revoked=revoked))
    with trusted(ROOT):
        (answer,) = ask(folder)
    assert answer["stapled"] == (revocation != "platform")  # where nobody looks at it
    expected = 23 if revoked and revocation != "platform" else 0
    if is_wine():
        expected = 3 if revocation == "hard" else 0
    assert expected == answer["code"], answer


def test_staple_that_is_none_changes_nothing_for_the_better(tmp_path: Path) -> None:
    """Bytes that are no response: as if there were none."""
    asked = Asked(policy={"revocation": "hard", "network": False}, staple=True)
    folder = write(tmp_path / "row", Chain((STAPLED,)), asked)
    (folder / "staple.der").write_bytes(b"no response")
    with trusted(ROOT):
        (answer,) = ask(folder)
    assert 3 == answer["code"], answer
