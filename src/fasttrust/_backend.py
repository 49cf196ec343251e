"""Which mode this process is in, and why."""

from __future__ import annotations

import ssl

from . import _native
from ._mode import compat_reason
from ._typing import NamedTuple


class Backend(NamedTuple):
    """What verifies in this process.

    Attributes:
        mode: ``"native"``: our callback decides inside the handshake; ``"compat"``: Python's own
            OpenSSL cannot be reached. There ``ssl`` itself verifies by the system's roots on Linux
            and the BSDs; on Windows and macOS the system decides after the handshake, before any
            byte of the program's moves.
        verifier: ``"openssl"`` on Linux and the BSDs, ``"cryptoapi"`` on Windows, ``"sectrust"``
            on macOS.
        openssl: the version text of the library that Python's ``ssl`` uses.
        reason: why this mode, as a sentence.
    """

    mode: str
    verifier: str
    openssl: str
    reason: str


def backend() -> Backend:
    """Tell which mode this process is in, and why. Proves Python's OpenSSL if nobody has yet."""
    reason = compat_reason()
    if reason:
        return Backend("compat", _native.SYSTEM_NAME, ssl.OPENSSL_VERSION, reason)
    version = _native.openssl_version()
    return Backend(
        "native", _native.SYSTEM_NAME, version, "Python's own OpenSSL was found and proved"
    )
