"""x509-limbo's server cases: the data beside the checkout, and who plays in a case.

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

DATA = next(
    (
        found
        for above in Path(__file__).resolve().parents
        if (found := above / "shared" / "data" / "limbo-core.json.xz").is_file()
    ),
    None,
)
needs_data = pytest.mark.skipif(
    DATA is None, reason="the x509-limbo data is not beside this checkout"
)


def _cases() -> list[dict[str, Any]]:
    if DATA is None:
        return []
    with lzma.open(DATA) as file:
        cases = json.load(file)["testcases"]
    return [case for case in cases if case["validation_kind"] == "SERVER"]


CASES = _cases()
#: Those that a server can present in a handshake.
KEYED = [case for case in CASES if case.get("peer_certificate_key")]


def server(case: dict[str, Any], folder: Path) -> ssl.SSLContext | None:
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


def host(case: dict[str, Any]) -> str | None:
    """Return the name that a client asks for."""
    name = case["expected_peer_name"]
    return None if name is None else str(name["value"])


def dress(context: ssl.SSLContext, case: dict[str, Any], anchors: list[str], folder: Path) -> None:
    """Give a client the case's anchors and CRLs, in the way that is the context's own."""
    for anchor in anchors:
        context.load_verify_locations(cadata=anchor)
    if case.get("crls"):
        crls = folder / "crls.pem"
        crls.write_text("".join(case["crls"]))
        context.load_verify_locations(crls)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if host(case) is None:
        context.check_hostname = False
