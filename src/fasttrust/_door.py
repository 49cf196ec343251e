"""Who carries a context's verification: the C core, or ``ssl`` itself in compat mode."""

from __future__ import annotations

import contextlib

from . import _native
from ._mode import compat_reason, is_decided
from ._typing import Any


def door() -> Any:
    """Return what carries it: ``_native``, or ``_compat``, which answers to the same names."""
    if compat_reason():
        from . import _compat  # here: native mode has no use for it, nor for what it stands on

        return _compat
    return _native


_NOTHING = contextlib.nullcontext()


def changing() -> Any:
    """Return the lock under which a context changes: in compat mode its store is fed under it."""
    if compat_reason():
        from . import _fed

        return _fed.feeding
    return _NOTHING


def is_attached(context: object) -> bool:
    """Tell whether the context carries the verifier of this copy of the package, in any mode."""
    # Where nobody has decided the mode yet nobody has attached anything.
    return is_decided() and _native.is_context(context) and bool(door().context_attached(context))
