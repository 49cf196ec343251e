"""What the tests of verify_chain share: one chain, its anchor, and the two ways that it can end."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

import fasttrust
import peer
import pki
from world import Pair, ders, made

ROOT, STRANGER = pki.root("root"), pki.root("stranger")
A = pki.intermediate("A", ROOT)
LEAF = pki.leaf("leaf of A", A)
SENT = pki.Chain((LEAF, A))
WHOLE = (LEAF.der, A.der, ROOT.der)
TRUST = fasttrust.TrustStore.from_der([ROOT.der])


def captured(verified: bool) -> tuple[fasttrust.Certificate, ...]:
    """Return the certificates of a connection, as OpenSSL parsed them there."""
    pair = Pair(made(ssl.PROTOCOL_TLS_CLIENT, ROOT), peer.server_context(SENT)).shake()
    ask = fasttrust.get_verified_chain if verified else fasttrust.get_unverified_chain
    return ask(pair.client)


def verify(chain: Any = SENT.ders, **changes: Any) -> tuple[bytes, ...]:
    return ders(
        fasttrust.verify_chain(chain, **{"server_hostname": pki.HOST, "trust": TRUST, **changes})
    )


def refused(chain: Any = SENT.ders, **changes: Any) -> fasttrust.VerificationError:
    with pytest.raises(fasttrust.VerificationError) as caught:
        verify(chain, **changes)
    return caught.value
