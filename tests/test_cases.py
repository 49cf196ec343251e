"""
The table of verdicts, row by row, over real connections.

Everything is asserted at both ends: what the client raised, what the server heard and received.
"""

from __future__ import annotations

import ssl
from typing import Any

import pytest

import fasttrust
import modes
import peer
from cases import CASES, Case, make_plain, run
from cases_check import check_ours, check_sent, check_verdict, labels, look
from pki import pem
from world import code


def make_exact(case: Case) -> ssl.SSLContext:
    """Make a context of ours that trusts the row's anchors alone; where it has none, the system."""
    if not case.anchors:
        return fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return fasttrust.create_default_context(cadata=pem(*case.anchors))


def make_loaded(case: Case) -> ssl.SSLContext:
    """Make a context of ours that trusts the system and the anchors that are loaded into it."""
    context = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if case.anchors:
        context.load_verify_locations(cadata=pem(*case.anchors))
    return context


def make_attached(case: Case) -> ssl.SSLContext:
    """Make the standard library's context and give it our verifier."""
    context = make_plain(case)
    fasttrust.attach(context)
    return context


def look_plainly(connection: Any) -> tuple[bytes, ...]:
    """Return the verified chain that the standard library has; every supported Python keeps one."""
    if not isinstance(connection, (ssl.SSLSocket, ssl.SSLObject)):
        connection = connection.get_extra_info("ssl_object")
    chain = connection._sslobj.get_verified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in chain)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    row: Case = request.param
    if not row.applies:
        pytest.skip(f"{row.reason}, and this is {ssl.OPENSSL_VERSION}")
    return row


@pytest.fixture(params=peer.VERSIONS, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    chosen: ssl.TLSVersion = request.param
    return chosen


@pytest.fixture(params=peer.CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def test_row_is_complete() -> None:
    """A row has a name of its own, a sentence, and what its verdict calls for."""
    assert len({row.name for row in CASES}) == len(CASES)
    for row in CASES:
        assert row.sentence.endswith("."), row.name
        assert bool(row.verified) == (row.code == 0 and row.verify_mode != ssl.CERT_NONE), row.name
        assert (row.depth is None) == (row.alert is None) == (row.code == 0), row.name
        assert bool(row.reason) == (row.since != (0, 0) or row.until is not None), row.name


def test_every_row_gives_its_verdict(case: Case, carrier: str, version: ssl.TLSVersion) -> None:
    """A context of ours says of each peer what the row says, and the peer hears the right alert."""
    outcome = run(case, carrier=carrier, version=version, make_context=make_exact, inspect=look)
    check_verdict(case, carrier, version, outcome)
    check_ours(case, carrier, outcome)


@pytest.mark.parametrize(
    "make_context", [make_loaded, pytest.param(make_attached, marks=modes.held_before)]
)
def test_every_way_to_a_context_gives_the_verdict(case: Case, make_context: Any) -> None:
    """Anchors count the same whether they are loaded later or were there before."""
    version = ssl.TLSVersion.TLSv1_3
    outcome = run(case, carrier="bio", version=version, make_context=make_context, inspect=look)
    if modes.LATE and case.crls and case.flags & ssl.VERIFY_CRL_CHECK_LEAF:
        # Nobody can read a list from a context: who wants one looked at trusts nobody.
        assert 3 == code(outcome.client_error)
        assert (b"", b"") == (outcome.server_received, outcome.client_received)
        return
    check_verdict(case, "bio", version, outcome)
    check_ours(case, "bio", outcome)


@pytest.mark.parametrize("carrier", ["socket", "bio"])
def test_implicit_handshake_gives_the_verdict(
    case: Case, carrier: str, version: ssl.TLSVersion
) -> None:
    """A handshake that nobody asked for, made by the first send, refuses before it sends."""
    outcome = run(
        case,
        carrier=carrier,
        version=version,
        make_context=make_exact,
        implicit=True,
        inspect=look,
    )
    check_verdict(case, carrier, version, outcome)
    assert labels(case, outcome.inspected.verified) == case.verified
    check_sent(case, outcome.inspected.unverified)


def test_plain_ssl_gives_the_same_verdict(
    case: Case, carrier: str, version: ssl.TLSVersion
) -> None:
    """The standard library says of each peer what the row says: the table is OpenSSL's word."""
    outcome = run(case, carrier=carrier, version=version, inspect=look_plainly)
    check_verdict(case, carrier, version, outcome)
    if case.verified:
        assert labels(case, outcome.inspected) == case.verified
