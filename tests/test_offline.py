"""The table of verdicts without a connection: what `verify_chain` says is what a handshake says."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Any

import pytest

import fasttrust
import modes
import peer
from cases import CASES, Case, run
from fasttrust._offline import _as_sent, verify_under
from world import ders

pytestmark = modes.no_verify_chain

ROWS = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
_LINE = re.compile(r" \(_ssl\.c:\d+\)")


@dataclass
class Said:
    """Everything that a verification says, whichever way it was asked."""

    code: int
    text: str = ""
    message: str = ""
    facts: tuple[Any, ...] = ()
    depth: int | None = None
    hint: str = ""
    chain: tuple[bytes, ...] = ()  # verified, or what was sent


def say(error: Exception | None, verified: tuple[bytes, ...]) -> Said:
    if error is None:
        return Said(0, chain=verified)
    assert isinstance(error, fasttrust.VerificationError), repr(error)
    return Said(
        error.verify_code,
        _LINE.sub("", error.args[1]),
        error.verify_message,
        (error.errno, error.library, error.reason, error.native_code, error.native_message),
        error.depth,
        # The clock of a sentence about dates may have gone on by a minute.
        re.sub(r"\d\d:\d\d UTC", "", error.hint),
        ders(error.chain),
    )


def by_handshake(context: ssl.SSLContext, case: Case) -> Said:
    """Return what a handshake of the context with the row's server says."""
    outcome = run(
        case,
        carrier="bio",
        version=ssl.TLSVersion.TLSv1_3,
        make_context=lambda _: context,
        inspect=lambda tls: ders(fasttrust.get_verified_chain(tls)),
    )
    return say(outcome.client_error, outcome.inspected)


def offline(verify: Any, *arguments: Any, **keywords: Any) -> Said:
    try:
        return say(None, ders(verify(*arguments, **keywords)))
    except fasttrust.VerificationError as error:
        return say(error, ())


def trust_of(case: Case) -> fasttrust.TrustStore:
    return fasttrust.TrustStore.from_der([anchor.der for anchor in case.anchors])


def skip_unless_applies(case: Case) -> None:
    if not case.applies:
        pytest.skip(f"{case.reason}, and this is {ssl.OPENSSL_VERSION}")


@ROWS
def test_every_row_gives_its_verdict_without_a_connection(case: Case) -> None:
    """Under the row's own settings: code, depth, chain, words and hint are the handshake's."""
    skip_unless_applies(case)
    context = fasttrust.create_default_context(trust=trust_of(case))
    handshake = by_handshake(context, case)
    said = offline(
        verify_under,
        context,
        _as_sent(case.sent.ders),
        server_hostname=case.server_hostname,
        is_server=False,
    )
    if case.verify_mode == ssl.CERT_NONE:
        # The handshake goes on, with a peer that nobody verified: there is no such thing here.
        assert (0, ()) == (handshake.code, handshake.chain)
        assert 50 == said.code
        return
    assert handshake == said
    assert (case.code, case.depth) == (said.code, said.depth)
    if case.code == 0:
        names = {issued.der: issued.name for issued in (*case.anchors, *case.sent.certificates)}
        assert case.verified == tuple(names[der] for der in said.chain)
    else:
        assert case.sent.ders == said.chain


@ROWS
def test_every_row_is_judged_as_by_a_default_context(case: Case) -> None:
    """The public function says of every row's peer what `create_default_context()` says."""
    skip_unless_applies(case)
    trust = trust_of(case)
    context = fasttrust.create_default_context(trust=trust)
    if case.server_hostname is None:
        context.check_hostname = False
    server = peer.server_context(case.sent)
    outcome = peer.connect(
        context,
        server,
        carrier="bio",
        server_hostname=case.server_hostname,
        inspect=lambda tls: ders(fasttrust.get_verified_chain(tls)),
    )
    said = offline(
        fasttrust.verify_chain,
        case.sent.ders,
        server_hostname=case.server_hostname,
        trust=trust,
    )
    assert say(outcome.client_error, outcome.inspected) == said
