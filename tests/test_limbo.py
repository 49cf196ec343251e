"""x509-limbo's server cases: the verdict that plain ssl gives, anchors in the index or in a store.

The data is that of the project C2SP/x509-limbo (Apache-2.0), made anew with its own generator; it
stands beside the checkout, not in it.
"""

from __future__ import annotations

import json
import lzma
import ssl
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import peer
from world import machine_trusts

_DATA = next(
    (
        found
        for above in Path(__file__).resolve().parents
        if (found := above / "shared" / "data" / "limbo-core.json.xz").is_file()
    ),
    None,
)


def _cases() -> list[dict[str, Any]]:
    if _DATA is None:
        return []
    with lzma.open(_DATA) as file:
        cases = json.load(file)["testcases"]
    return [
        case
        for case in cases
        if case["validation_kind"] == "SERVER" and case.get("peer_certificate_key")
    ]


CASES = _cases()


def _server(case: dict[str, Any], folder: Path) -> ssl.SSLContext | None:
    """Return a server that presents the case; None where OpenSSL cannot load its chain."""
    sent = folder / "sent.pem"
    sent.write_text("".join([case["peer_certificate"], *case["untrusted_intermediates"]]))
    key = folder / "key.pem"
    key.write_text(case["peer_certificate_key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    try:
        context.load_cert_chain(sent, key)
    except ssl.SSLError:
        return None
    return context


def _dress(context: ssl.SSLContext, case: dict[str, Any], anchors: list[str], folder: Path) -> None:
    """Give a client the case's anchors and CRLs, in the way that is the context's own."""
    for anchor in anchors:
        context.load_verify_locations(cadata=anchor)
    if case.get("crls"):
        crls = folder / "crls.pem"
        crls.write_text("".join(case["crls"]))
        context.load_verify_locations(crls)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if case["expected_peer_name"] is None:
        context.check_hostname = False


def _plain() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _indexed(case: dict[str, Any], folder: Path) -> ssl.SSLContext:
    context = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, trust=fasttrust.TrustStore.none())
    _dress(context, case, case["trusted_certs"], folder)
    return context


def _stored(case: dict[str, Any], folder: Path) -> ssl.SSLContext:
    context = _plain()
    _dress(context, case, case["trusted_certs"], folder)
    fasttrust.attach(context)
    return context


def _mixed(case: dict[str, Any], folder: Path) -> ssl.SSLContext:
    """Every other anchor in the store, the rest in an index each."""
    context = _plain()
    _dress(context, case, case["trusted_certs"][::2], folder)
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


@pytest.mark.skipif(_DATA is None, reason="the x509-limbo data is not beside this checkout")
@pytest.mark.parametrize("make", [_indexed, _stored, _mixed])
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_limbo_gives_what_plain_ssl_gives(
    case: dict[str, Any], make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code, text and verified chain equal those of the same anchors in a plain context."""
    machine_trusts(monkeypatch, tmp_path)
    server = _server(case, tmp_path)
    if server is None:
        pytest.skip("OpenSSL loads no such chain into a server")
    name = case["expected_peer_name"]
    host = None if name is None else name["value"]
    plain = _plain()
    try:
        _dress(plain, case, case["trusted_certs"], tmp_path)
    except ssl.SSLError:
        pytest.skip("ssl loads no such anchor")
    assert _verdict(plain, server, host) == _verdict(make(case, tmp_path), server, host)


@pytest.mark.skipif(_DATA is None, reason="the x509-limbo data is not beside this checkout")
def test_limbo_data_has_the_cases_that_carry_a_key() -> None:
    """The data holds the 179 server cases that a handshake can present."""
    assert len(CASES) == 179
