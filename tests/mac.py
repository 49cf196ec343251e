"""
What the tests of tests/macos share: a Mac of the double's, and the rows that differ there.

The double is in the extension that tests/macos/run builds, and in no other.
"""

from __future__ import annotations

import ssl
from typing import Any

import pytest

import fasttrust
import peer
from cases import Case, run
from cases_check import look
from fasttrust import _native
from pki import HOST, Chain, Issued, intermediate, leaf, pem, root

needs_double = pytest.mark.skipif(
    not hasattr(_native.lib, "double_reset"), reason="needs the extension of tests/macos/run"
)
COMPAT = fasttrust.backend().mode == "compat"
needs_native = pytest.mark.skipif(
    COMPAT, reason="in compat mode nobody can read a CRL or a staple, and ssl itself judges clients"
)

CLIENT = ssl.PROTOCOL_TLS_CLIENT
ROOT = root("root")
A = intermediate("A", ROOT)
LEAF = leaf("leaf of A", A)
SENT = Chain((LEAF, A))
STRANGER = root("stranger")


def trusts(*anchors: Issued) -> None:
    for anchor in anchors:
        _native.lib.double_trust_der(anchor.der, len(anchor.der))


def lie(name: str) -> None:
    """Have the system say this instead of what it found; see double_lie."""
    _native.lib.double_set_lie(getattr(_native.lib, f"DOUBLE_{name}"))


def connect(sent: Chain = SENT, *anchors: Issued, host: str = HOST, **policy: Any) -> peer.Outcome:
    """Connect a context that trusts the system and the anchors to a server that sends the chain."""
    context = fasttrust.SSLContext(CLIENT, **policy)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    return shake(context, sent, host)


def shake(context: ssl.SSLContext, sent: Chain = SENT, host: str = HOST) -> peer.Outcome:
    server = peer.server_context(sent, version=ssl.TLSVersion.TLSv1_3)
    return peer.connect(context, server, carrier="bio", server_hostname=host, inspect=look)


def refused(outcome: peer.Outcome, code: int) -> fasttrust.VerificationError:
    """Assert that the client refused by that code, and that nothing of its data got through."""
    error = outcome.client_error
    assert isinstance(error, fasttrust.VerificationError), error
    assert error.verify_code == code
    assert outcome.server_received == outcome.client_received == b""
    assert outcome.inspected.verified == ()
    return error


def run_row(case: Case) -> peer.Outcome:
    """Run a row of the table with a context that trusts the system."""
    return run(
        case,
        carrier="bio",
        version=ssl.TLSVersion.TLSv1_3,
        make_context=lambda _: fasttrust.SSLContext(CLIENT),
        inspect=look,
    )


# Where macOS differs from OpenSSL: the code, the labels of the verified chain, and why.
ANY_ANCHOR = "on macOS every anchor ends a chain, self-signed or not"
NO_STRICT = "X509_STRICT is not applied to the system's chains: corporate roots fail it"
OWN_LEVEL = "Apple has its own least strengths, whatever the security level, and one code for keys"
NO_COMMON_NAME = "Apple never looks at the common name"
A_BY_STRANGER = ("leaf of A", "A by stranger")
DIFFERENT: dict[str, tuple[int, tuple[str, ...], str]] = {
    "chain-of-102": (
        7,
        (),
        "the double's limit of a chain's length, in Apple's word for a bad one",
    ),
    "trusted-intermediate": (0, ("leaf of A", "A"), ANY_ANCHOR),
    "trusted-leaf": (0, ("leaf",), ANY_ANCHOR),
    "cross-signed-among-anchors": (0, A_BY_STRANGER, ANY_ANCHOR),
    "cross-signed-among-anchors-without-its-root": (0, A_BY_STRANGER, ANY_ANCHOR),
    "cross-signed-expired-among-anchors": (0, A_BY_STRANGER, ANY_ANCHOR),
    "common-name-only": (62, (), NO_COMMON_NAME),
    "common-name-beside-address": (62, (), NO_COMMON_NAME),
    "name-constraints-excluded": (47, (), "Apple has one code for both kinds"),
    "future-root": (10, (), "one code for both, and the certificate at fault was not sent"),
    "strict-not-critical-constraints": (0, ("leaf of not critical", "not critical"), NO_STRICT),
    "strict-not-critical-constraints-in-intermediate": (
        0,
        ("leaf of ca not critical", "ca not critical", "root"),
        NO_STRICT,
    ),
    "strict-no-authority-id": (0, ("no authority id", "root"), NO_STRICT),
    "strict-no-authority-id-in-intermediate": (
        0,
        ("leaf of ca no authority id", "ca no authority id", "root"),
        NO_STRICT,
    ),
    "strict-no-subject-id-in-root": (0, ("leaf of no key id", "no key id"), NO_STRICT),
    "strict-ca-without-usage": (0, ("leaf of ca no usage", "ca no usage", "root"), NO_STRICT),
    "strict-root-without-usage": (0, ("leaf of no usage", "no usage"), NO_STRICT),
    "weak-leaf-level-1": (66, (), OWN_LEVEL),
    "weak-intermediate": (66, (), OWN_LEVEL),
    "weak-root": (66, (), OWN_LEVEL),
    "sha1-leaf-level-0": (68, (), OWN_LEVEL),
}


SAY_WHOSE = {18, 19, 62, 64}  # 20 too, unless names go in a circle
