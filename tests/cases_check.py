"""What a row of the table of verdicts asserts about an outcome, whoever made the context."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

import fasttrust
import modes
import peer
from cases_row import Case


@dataclass
class Seen:
    """The chains of a connection, as DER."""

    verified: tuple[bytes, ...]
    unverified: tuple[bytes, ...]


def look(connection: Any) -> Seen:
    """Return the chains that we have for a connection."""
    return Seen(
        tuple(bytes(certificate) for certificate in fasttrust.get_verified_chain(connection)),
        tuple(bytes(certificate) for certificate in fasttrust.get_unverified_chain(connection)),
    )


def labels(case: Case, ders: tuple[bytes, ...]) -> tuple[str, ...]:
    """Return what the row calls these certificates."""
    known = {issued.der: issued.name for issued in (*case.anchors, *case.sent.certificates)}
    return tuple(known[der] for der in ders)


def check_sent(case: Case, known: tuple[bytes, ...]) -> None:
    """Assert that it is known what the peer sent."""
    sent = case.sent.ders
    if modes.FORGETS and case.code != 0:
        assert sent[:1] == known[:1]
        assert {*known} <= {*sent}
    else:
        assert sent == known


def check_verdict(case: Case, carrier: str, version: ssl.TLSVersion, outcome: peer.Outcome) -> None:
    """Assert everything that the row says and that plain `ssl` can tell."""
    error = outcome.client_error
    if case.code == 0:
        assert error is None
        assert outcome.server_error is None
        assert outcome.server_received == peer.SECRET
        assert outcome.client_received == peer.REPLY
        assert outcome.version == version.name.replace("_", ".")
        return
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.verify_code == case.code
    assert outcome.server_received == b""
    assert outcome.client_received == b""
    assert outcome.forced is not None
    if modes.LATE:  # a handshake that is done has no alert for its verdict
        assert outcome.alert in (None, case.alert)
    elif carrier != "asyncio":
        assert outcome.alert == case.alert
    else:
        # asyncio of 3.10 to 3.14 closes the connection without sending the alert.
        assert outcome.server_error is not None
        assert outcome.alert in (None, case.alert)


def check_ours(case: Case, carrier: str, outcome: peer.Outcome) -> None:
    """Assert what a context of ours tells beyond `ssl`: the depth and both chains."""
    if case.code != 0:
        error = outcome.client_error
        assert isinstance(error, fasttrust.VerificationError)
        told = (None, case.depth) if modes.LATE else (None if modes.COMPAT else case.depth,)
        assert error.depth in told  # ssl does not tell, a platform may
        check_sent(case, tuple(bytes(certificate) for certificate in error.chain))
        if carrier == "asyncio":
            return
    assert labels(case, outcome.inspected.verified) == case.verified
    check_sent(case, outcome.inspected.unverified)
