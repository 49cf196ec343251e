"""Compat mode: what ``ssl``'s own store is fed, and what is known of it.

A store is fed by connections: what a context trusts by then, and the system's for the sides that it
counts on. Roots of a hashed directory OpenSSL reads when it needs them.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
import threading

from . import _log, _native
from ._typing import Any

_Base: Any = _ssl._SSLContext
# While a store is fed nobody changes what its context trusts. No handshake happens meanwhile, and
# whom the platform judges waits for it only where there is something to feed. Reentrant, for a
# finalizer or a signal's handler.
feeding: Any = threading.RLock()


def _after_fork() -> None:
    global feeding  # noqa: PLW0603 - another thread of the parent may have held it
    feeding = threading.RLock()


_native.after_fork(_after_fork)
_log.silent_under(lambda: feeding)


class State:
    """What one context's store holds by now.

    Attributes:
        indexes: the digests of those that were loaded.
        loaded: their certificates.
        fed: whether any of that is there, or a part that an interrupt has left.
        foreign: whether there may be more, which nobody can list and nobody can take out.
        owned: whether some of that was loaded since the context is ours.
        system: whether the system's roots are in the store, or a part of them.
        filled: whether all of them are.
        one_sided: whether they are there for client connections alone.
        said: what the program set that cannot be read, as far as it is known (``_bare.Said``).
        shows: whether a certificate of ours was loaded, to be shown to servers that ask.
        told: whether it was said that what the program loaded is ignored.
        under: what clients are verified under, as far as that is known.
        since: when that last changed, in seconds since 1970.
    """

    __slots__ = (
        "fed",
        "filled",
        "foreign",
        "indexes",
        "loaded",
        "one_sided",
        "owned",
        "said",
        "shows",
        "since",
        "system",
        "told",
        "under",
    )

    def __init__(self) -> None:
        self.indexes: set[bytes] = set()
        self.loaded: set[bytes] = set()
        self.foreign = self.owned = False
        self.fed = self.system = self.filled = self.one_sided = False
        self.shows = self.told = False
        self.said: dict[str, Any] = {}
        self.under: object = None
        self.since = 0.0


def state_of(context: Any) -> State | None:
    state = getattr(context, "__dict__", {}).get("_fasttrust_store")
    return state if isinstance(state, State) else None  # or another copy's


def loaded(context: Any) -> set[bytes]:
    """Return the certificates that we put into the context's own store, in DER."""
    state = state_of(context)
    return set() if state is None else state.loaded


def fill(context: Any, state: State, held: Any, server_side: bool) -> bool:
    """Put what counts on that side of a connection into the context's store.

    Whoever calls it has just looked at the system's.

    Returns:
        Whether that is what the context trusts: an interrupt may have attached it anew.
    """
    for index in held.indexes:
        if index.digest not in state.indexes:
            if not _begin(context, state, held):
                return False
            _load(context, state, index.certificates())
            state.indexes.add(index.digest)
    system = held.system
    if system is None or system.asks_platform:
        return True
    if server_side and not held.for_servers:
        return True
    found = system.state
    fills = not state.filled and found.problem is None
    if fills and not _begin(context, state, held):
        return False
    state.one_sided = not held.for_servers  # first: whoever asks meanwhile must know
    if not fills:
        return True
    state.system = True
    for directory in found.where.directories:
        with contextlib.suppress(OSError):  # one that is missing is skipped
            _Base.load_verify_locations(context, None, directory, None)
    _load(context, state, found.in_no_directory)
    state.filled = True
    return True


def _begin(context: Any, state: State, held: Any) -> bool:
    """Say that the store is no longer empty, unless what it is to be fed is no longer trusted."""
    was, state.fed = state.fed, True  # first: from here on attach() replaces nothing
    if vars(context).get("_fasttrust_held") is held:
        return True
    state.fed = was
    return False


def _load(context: Any, state: State, certificates: list[bytes]) -> None:
    new = [der for der in certificates if der not in state.loaded]
    if not new:
        return
    try:
        _Base.load_verify_locations(context, None, None, b"".join(new))
    except ssl.SSLError:
        # One of them has a defect that its frame does not show: that one is as good as absent.
        for der in new:
            with contextlib.suppress(ssl.SSLError):
                _Base.load_verify_locations(context, None, None, der)
    state.loaded.update(new)
