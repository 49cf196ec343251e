"""Which of the two modes this process is in: decided once, and native wherever it can be proved."""

from __future__ import annotations

import _thread
import os
import ssl
import sys

from . import _native


def requested_mode() -> str:
    """Return FASTTRUST_MODE, "" where it is not set or Python was told to ignore such variables.

    Raises:
        ImportError: it has a value that means nothing.
    """
    mode = "" if sys.flags.ignore_environment else os.environ.get("FASTTRUST_MODE", "")
    if mode not in ("", "native", "compat"):
        raise ImportError(f"FASTTRUST_MODE={mode!r}: expected 'native' or 'compat'")
    return mode


# Read at import and never again: contexts of two modes do not mix.
_REQUESTED = requested_mode()
_reason: str | None = "FASTTRUST_MODE=compat asks for it" if _REQUESTED == "compat" else None


# One thread's contexts are not to be of another mode than the next one's.
_deciding = _thread.RLock()


def _after_fork() -> None:
    global _deciding  # noqa: PLW0603 - another thread of the parent may have held it
    _deciding = _thread.RLock()


_native.after_fork(_after_fork)


def compat_reason() -> str:
    """Return why this process is in compat mode; "" in native mode. Decides it if nobody has.

    Raises:
        OSError: the process has no descriptors left by which to tell; it is asked again.
    """
    global _reason  # noqa: PLW0603 - the mode of the process
    if _reason is None:
        with _deciding:
            found = _decided()
            if _reason is None:  # a signal's handler may have been here meanwhile
                _reason = found
    return _reason


def is_decided() -> bool:
    """Tell whether anybody has decided the mode."""
    return _reason is not None


def _decided() -> str:
    try:
        _native.open_library()
        return ""
    except _native.UnavailableError:
        # The proof needs descriptors: where there were none it said no, which is no reason.
        for end in os.pipe():
            os.close(end)
    try:
        _native.open_library()
    except _native.UnavailableError as error:
        return _sentence(str(error))
    return ""


def is_guard(value: object) -> bool:
    """Tell whether this is a connection of compat mode, of this copy of the package or another."""
    return getattr(type(value), "_fasttrust_guard", False) is True


def _sentence(error: str) -> str:
    library = ssl.OPENSSL_VERSION
    if sys.implementation.name != "cpython":
        advice = "native mode needs CPython"
    elif not library.startswith("OpenSSL "):
        advice = f"Python's ssl uses {library}: native mode needs a Python built with OpenSSL"
    else:
        advice = (
            "native mode needs a Python that loads OpenSSL as a shared library of its own, such "
            "as the distribution's or python.org's; those that uv installs have it built in, hidden"
        )
    return f"Python's own OpenSSL cannot be reached: {error}; {advice}"


if _REQUESTED == "native" and compat_reason():
    raise ImportError(f"FASTTRUST_MODE=native: {compat_reason()}")
