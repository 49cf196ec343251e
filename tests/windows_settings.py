"""
Connections to a server that Windows trusts, by contexts on which something is set.

    python windows_settings.py FOLDER HOST

The folder holds the chain and key of the server, and of the client where it shows one. One line of
JSON is printed: by the setting, what came of a client of `ssl`'s that verifies nobody, and of ours.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasttrust

WAYS = ("ours", "attached before", "attached after")
CLIENT = ssl.PROTOCOL_TLS_CLIENT
SETTINGS: dict[str, tuple[int, Callable[[Any], object]]] = {
    "nothing": (CLIENT, lambda context: None),
    "ALPN": (CLIENT, lambda context: context.set_alpn_protocols(["h2", "http/1.1"])),
    "a curve": (CLIENT, lambda context: context.set_ecdh_curve("secp384r1")),
    "ciphers": (CLIENT, lambda context: context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")),
    "any version": (ssl.PROTOCOL_TLS, lambda context: None),
    "one version": (ssl.PROTOCOL_TLSv1_2, lambda context: None),
    "at most 1.2": (CLIENT, lambda context: _set(context, maximum_version=ssl.TLSVersion.TLSv1_2)),
    "not 1.3": (CLIENT, lambda context: _set(context, options=ssl.OP_ALL | ssl.OP_NO_TLSv1_3)),
    # The highest of them is the sign of a C long.
    "all workarounds": (CLIENT, lambda context: _set(context, options=ssl.OP_ALL)),
    "no workarounds": (CLIENT, lambda context: _set(context, options=ssl.OP_NO_SSLv3)),
    "a certificate": (CLIENT, lambda context: context.load_cert_chain(*_chain())),
}


def _set(context: Any, **settings: int) -> None:
    for name, value in settings.items():
        setattr(context, name, value)


def _chain() -> tuple[Path, Path]:
    return Path(sys.argv[1], "chain.pem"), Path(sys.argv[1], "key.pem")


def connect(client: ssl.SSLContext, curve: str, version: ssl.TLSVersion) -> list[Any]:
    """Return what both ends know of a connection, and what has moved; or why there was none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_chain())
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(_chain()[0])
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.set_ecdh_curve(curve)
    context.maximum_version = version
    context.set_alpn_protocols(["http/1.1"])
    first, second = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(first, second, server_hostname=sys.argv[2])
    theirs = context.wrap_bio(second, first, server_side=True)
    moved = []
    try:
        for _ in range(6):
            for end in (ours, theirs):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
        for end, other, text in ((ours, theirs, "there"), (theirs, ours, "back")):
            end.write(text.encode())
            moved.append(other.read(100).decode())
    except ssl.SSLError as error:
        return [error.reason]
    shown = (theirs.getpeercert(True) or b"").hex()
    return [*moved, ours.version(), ours.cipher(), ours.selected_alpn_protocol(), shown]


def outcomes(client: Any) -> list[list[Any]]:
    """Return what comes of a client at servers that differ."""
    return [
        connect(client, curve, version)
        for curve in ("secp384r1", "prime256v1")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    ]


def of_ssl(protocol: int, setting: Callable[[Any], object]) -> Any:
    """Return a context of `ssl`'s that verifies nobody."""
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    setting(context)
    return context


def of_ours(protocol: int, setting: Callable[[Any], object], way: str) -> Any:
    """Return a context whose servers Windows judges."""
    context = (fasttrust if way == "ours" else ssl).SSLContext(protocol)
    if way == "attached after":
        setting(context)
    if way != "ours":
        fasttrust.attach(context)
    if way != "attached after":
        setting(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    found = {
        name: [outcomes(of_ssl(*each)), *(outcomes(of_ours(*each, way)) for way in WAYS)]
        for name, each in SETTINGS.items()
    }
    print(json.dumps(found))
