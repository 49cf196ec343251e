"""x509-limbo's server cases: what plain ssl says, anchors in the index or in a store."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import limbo
import peer
from world import machine_trusts


def _plain() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _indexed(case: dict[str, Any], folder: Path) -> ssl.SSLContext:
    context = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, trust=fasttrust.TrustStore.none())
    limbo.dress(context, case, case["trusted_certs"], folder)
    return context


def _stored(case: dict[str, Any], folder: Path) -> ssl.SSLContext:
    context = _plain()
    limbo.dress(context, case, case["trusted_certs"], folder)
    fasttrust.attach(context)
    return context


def _mixed(case: dict[str, Any], folder: Path) -> ssl.SSLContext:
    """Every other anchor in the store, the rest in an index each."""
    context = _plain()
    limbo.dress(context, case, case["trusted_certs"][::2], folder)
    fasttrust.attach(context)
    for anchor in case["trusted_certs"][1::2]:
        context.load_verify_locations(cadata=anchor)
    return context


def _verdict(client: ssl.SSLContext, server: ssl.SSLContext, host: str | None) -> tuple[Any, ...]:
    """Return code, text and verified chain of one handshake."""
    outcome = peer.connect(
        client,
        server,
        carrier="bio",
        server_hostname=host,
        # The same view of both: what OpenSSL itself keeps, by the private method of every version.
        inspect=lambda tls: [
            certificate.public_bytes(2) for certificate in tls._sslobj.get_verified_chain() or ()
        ],
    )
    error = outcome.client_error
    if error is None:
        return 0, "", outcome.inspected
    return getattr(error, "verify_code", type(error)), getattr(error, "verify_message", ""), None


@limbo.needs_data
@pytest.mark.parametrize("make", [_indexed, _stored, _mixed])
@pytest.mark.parametrize("case", limbo.KEYED, ids=[case["id"] for case in limbo.KEYED])
def test_limbo_gives_what_plain_ssl_gives(
    case: dict[str, Any], make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code, text and verified chain equal those of the same anchors in a plain context."""
    machine_trusts(monkeypatch, tmp_path)
    server = limbo.server(case, tmp_path)
    if server is None:
        pytest.skip("OpenSSL loads no such chain into a server")
    host = limbo.host(case)
    plain = _plain()
    try:
        limbo.dress(plain, case, case["trusted_certs"], tmp_path)
    except ssl.SSLError:
        pytest.skip("ssl loads no such anchor")
    assert _verdict(plain, server, host) == _verdict(make(case, tmp_path), server, host)


@limbo.needs_data
def test_limbo_data_has_the_cases_that_carry_a_key() -> None:
    """The data holds 198 server cases, 179 of which a handshake can present."""
    assert (198, 179) == (len(limbo.CASES), len(limbo.KEYED))
