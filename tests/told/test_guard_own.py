"""Compat mode where a platform decides: the program's own anchors, before it is asked."""

from __future__ import annotations

import ssl

from guarded import (
    GUARD_TESTS,
    ROOT,
    SENT,
    TOLD,
    WHOLE,
    A,
    asked,
    client,
    issued,
    refuses,
    victim,
)
from telling import says

import fasttrust
import peer
from fasttrust import TrustStore
from pki import HOST, NOW, Chain, Issued, pem, root
from world import code, ders

pytestmark = [*GUARD_TESTS, TOLD]

STRANGER = root("stranger")


def trusting(*anchors: Issued) -> fasttrust.SSLContext:
    context = client()
    context.load_verify_locations(cadata=pem(*anchors))
    return context


def ask(context: ssl.SSLContext, host: str = HOST) -> tuple[int, tuple[bytes, ...]]:
    """Return the code of a refusal, after which nothing has moved, and the verified chain."""
    outcome = peer.connect(
        context,
        peer.server_context(SENT),
        server_hostname=host,
        inspect=lambda tls: ders(fasttrust.get_verified_chain(tls)),
    )
    refused = code(outcome.client_error)
    moved = (b"", b"") if refused else (peer.SECRET, peer.REPLY)
    assert moved == (outcome.server_received, outcome.client_received)
    return refused, () if outcome.inspected is None else outcome.inspected


def test_anchor_that_is_loaded_before_the_handshake_counts() -> None:
    """As with ``ssl``: what counts is what is there when the server is verified."""
    refuses()
    context = client()
    with victim(context) as (tls, server):
        context.load_verify_locations(cadata=pem(ROOT))
        tls.do_handshake()
        assert peer.REPLY == tls.recv(100)
    assert server.shaken
    assert 0 == asked()


def test_own_anchor_decides() -> None:
    """Loaded later, or given beside the system: nobody else is asked."""
    both = TrustStore.from_der([ROOT.der]) | TrustStore.system()
    given = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, trust=both)
    for context in (trusting(ROOT), trusting(STRANGER, ROOT), given):
        assert (0, issued(WHOLE)) == ask(context)
        assert (62, ()) == ask(context, "other.test")
    assert 0 == asked()


def test_system_knows_whom_the_own_anchors_do_not() -> None:
    """Where they only know nobody its word counts, and of two such refusals the first."""
    context = trusting(STRANGER)
    assert (20, ()) == ask(context)
    with_root = peer.connect(context, peer.server_context(Chain(WHOLE)))
    assert 19 == code(with_root.client_error)  # the own anchors' reason, for both know nobody
    says(23, native=1)
    assert (23, ()) == ask(context)
    says(0, WHOLE)
    assert (0, issued(WHOLE)) == ask(context)
    says(0, (*SENT.certificates, STRANGER))  # whose anchor did not sign that
    assert (20, ()) == ask(context)


def test_revocation_that_is_wanted_known_is_not_forgotten() -> None:
    """Lists that `ssl` loaded cannot be read: who wants them looked at accepts nobody."""
    context = trusting(ROOT)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    says(0, WHOLE)
    assert (3, ()) == ask(context)


def test_programs_flags_count_for_its_own_anchors() -> None:
    """An anchor that has not signed itself is one where the program says so."""
    context = trusting(A)
    if context.verify_flags & 0x80000:  # since Python 3.13
        context.verify_flags &= ~0x80000
    assert ask(context)[0] in (2, 20)
    context.verify_flags |= 0x80000  # VERIFY_X509_PARTIAL_CHAIN
    assert (0, issued(WHOLE[:2])) == ask(context)


def test_another_moment_is_for_the_system_alone() -> None:
    """OpenSSL has no other now to judge the program's anchors by."""
    context = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, at_time=NOW)
    context.load_verify_locations(cadata=ROOT.pem)
    assert (20, ()) == ask(context)
    says(0, WHOLE)
    assert (0, issued(WHOLE)) == ask(context)
