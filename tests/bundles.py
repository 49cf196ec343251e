"""Public bundles for tests: one of our own, with keys, and what a context makes of its roots."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

import peer
import pki
from fasttrust import _bundles, _public_bundles
from world import code, leaf_of

SYSTEM, PRIVATE, OWN = (pki.root(name) for name in ("system", "private CA", "own"))
# In the published bundle of these tests, and not in the system's store: distrusted there.
KEPT = pki.root("kept by the bundle")
BUNDLE = (KEPT, SYSTEM, *(pki.root(f"public {i}") for i in range(118)))
UNKNOWN_ISSUER = 20


def publish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish the bundle of these tests: the package's list has one entry more."""
    known = _public_bundles.CERTIFICATES.split()
    ours = [hashlib.sha256(each.der).hexdigest()[:32] for each in BUNDLE]
    bits = ((1 << len(ours)) - 1) << len(known)
    monkeypatch.setattr(_public_bundles, "CERTIFICATES", " ".join(known + ours))
    latest = ("2099-01-01", "test bundle", bits)
    monkeypatch.setattr(_public_bundles, "BUNDLES", (*_public_bundles.BUNDLES, latest))
    monkeypatch.setattr(_bundles, "_answers", {})


def write(path: Path, *certificates: pki.Issued) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pki.pem(*certificates), "ascii")
    return path


def verdict(context: ssl.SSLContext, root: pki.Issued, carrier: str = "bio") -> int:
    """Return what a client of the context makes of a server whose certificate the root issued."""
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier=carrier)
    assert outcome.server_received == (b"" if outcome.client_error else peer.SECRET)
    return code(outcome.client_error)


def verdicts(context: ssl.SSLContext, carrier: str = "bio") -> list[int]:
    return [verdict(context, root, carrier) for root in (KEPT, PRIVATE, SYSTEM)]
