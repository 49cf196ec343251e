"""Public bundles for tests: one of our own, with keys, and what a context makes of its roots."""

from __future__ import annotations

import ssl
from pathlib import Path

import peer
import pki
from world import code, leaf_of

SYSTEM, PRIVATE, OWN = (pki.root(name) for name in ("system", "private CA", "own"))
# In the published bundle of these tests, and not in the system's store: distrusted there.
KEPT = pki.root("kept by the bundle")
BUNDLE = (KEPT, SYSTEM, *(pki.root(f"public {i}") for i in range(118)))
UNKNOWN_ISSUER = 20


def write(path: Path, *certificates: pki.Issued) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pki.pem(*certificates), "ascii")
    return path


def verdict(context: ssl.SSLContext, root: pki.Issued) -> int:
    """Return what a client of the context makes of a server whose certificate the root issued."""
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
    assert outcome.server_received == (b"" if outcome.client_error else peer.SECRET)
    return code(outcome.client_error)


def verdicts(context: ssl.SSLContext) -> list[int]:
    return [verdict(context, root) for root in (KEPT, PRIVATE, SYSTEM)]
