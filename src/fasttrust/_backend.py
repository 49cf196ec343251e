"""Which mode this process is in, and why."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from . import _native


class Backend(NamedTuple):
    """What verifies in this process.

    Attributes:
        mode: ``"native"``: our callback decides inside the handshake; ``"unavailable"``: contexts
            cannot be made, for the reason given.
        verifier: ``"openssl"`` on Linux and the BSDs, ``"cryptoapi"`` on Windows, ``"sectrust"``
            on macOS.
        openssl: the version text of the library that Python's ``ssl`` uses, "" where unavailable.
        reason: why this mode, as a sentence.
    """

    mode: str
    verifier: str
    openssl: str
    reason: str


def requested_mode() -> str:
    """Return FASTTRUST_MODE, "" where it is not set or Python was told to ignore such variables.

    Raises:
        ImportError: it has a value that means nothing, or that does not exist yet.
    """
    mode = "" if sys.flags.ignore_environment else os.environ.get("FASTTRUST_MODE", "")
    if mode == "compat":
        raise ImportError("FASTTRUST_MODE=compat: this version of fasttrust has no compat mode yet")
    if mode not in ("", "native"):
        raise ImportError(f"FASTTRUST_MODE={mode!r}: expected 'native' or 'compat'")
    return mode


def backend() -> Backend:
    """Tell which mode this process is in, and why. Proves Python's OpenSSL if nobody has yet."""
    try:
        version = _native.openssl_version()
    except _native.UnavailableError as error:
        return Backend("unavailable", "", "", str(error))
    return Backend(
        "native", _native.SYSTEM_NAME, version, "Python's own OpenSSL was found and proved"
    )


if requested_mode() == "native":
    try:
        _native.open_library()
    except _native.UnavailableError as error:
        raise ImportError(f"FASTTRUST_MODE=native: {error}") from error
