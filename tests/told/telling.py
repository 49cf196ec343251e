"""A platform that says what a test tells it: how it is told, and how it is asked."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

import fasttrust
import modes
import peer
from fasttrust import _native
from pki import HOST, Chain, Issued, intermediate, leaf, pem, root
from world import code, ders

#: Every test of this platform has this mark; those of native mode alone have both.
TOLD = pytest.mark.skipif(
    _native.SYSTEM_NAME != "told", reason="needs the extension that tests/told/run builds"
)
TOLD_TESTS = [TOLD, modes.no_core]

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
ROOT = root("root")
A = intermediate("A", ROOT)
LEAF = leaf("leaf", A)
SENT = Chain((LEAF, A))
WHOLE = (LEAF, A, ROOT)
STRANGER = root("stranger")
#: What the platform hears of names: OpenSSL 1.1.1 tells nobody whom it looks for, and checks alone.
HEARS_NAMES = ssl.OPENSSL_VERSION_INFO >= (3,)


def says(
    verdict: int,
    chain: tuple[Issued, ...] | None = None,
    *,
    native: int = 0,
    message: str = "",
    revocation_checked: bool = False,
) -> None:
    """Let the platform say that from now on; without a chain it gives back what it was sent."""
    ffi, lib = _native.ffi, _native.lib
    kept = [ffi.from_buffer(issued.der) for issued in chain or ()]
    array = (
        ffi.new("ft_der[]", [(each, len(each)) for each in kept]) if chain is not None else ffi.NULL
    )
    lib.ft_told_say(verdict, native, message.encode(), revocation_checked, array, len(kept))


def heard() -> Any:
    """Return what the platform was asked since it was told what to say."""
    question = _native.ffi.new("ft_told_heard *")
    _native.lib.ft_told_ask(question)
    return question


def client(*anchors: Issued, **policy: Any) -> fasttrust.SSLContext:
    context = fasttrust.SSLContext(CLIENT, **policy)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    return context


def ask(
    context: ssl.SSLContext, sent: Chain = SENT, host: str | None = HOST, **options: Any
) -> peer.Outcome:
    """Connect, with the chains of the client's side as what was inspected."""
    return peer.connect(
        context,
        peer.server_context(sent),
        server_hostname=host,
        inspect=lambda tls: (
            ders(fasttrust.get_verified_chain(tls)),
            ders(fasttrust.get_unverified_chain(tls)),
        ),
        **options,
    )


def refused(outcome: peer.Outcome) -> int:
    """Return the code of a refusal after which nothing moved in either direction."""
    assert (b"", b"") == (outcome.server_received, outcome.client_received)
    assert outcome.inspected is None or outcome.inspected[0] == ()
    return code(outcome.client_error)


def accepted(outcome: peer.Outcome) -> tuple[bytes, ...]:
    """Return the verified chain of a connection that moved what it should."""
    assert None is outcome.client_error
    assert (peer.SECRET, peer.REPLY) == (outcome.server_received, outcome.client_received)
    verified: tuple[bytes, ...] = outcome.inspected[0]
    return verified


def ders_of(chain: tuple[Issued, ...]) -> tuple[bytes, ...]:
    return tuple(issued.der for issued in chain)
