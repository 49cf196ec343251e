"""What stands between a connection over memory and its peer: what leaves waits for a verdict."""

from __future__ import annotations

import ssl
import threading
import weakref

from . import _native
from ._typing import Any

#: What has a lock, in ``_lock``, that no thread of a parent process may go on holding in its child.
_owners: weakref.WeakSet[Any] = weakref.WeakSet()


def new_lock(owner: Any) -> Any:
    """Return a lock for an object's ``_lock``: C's own, which no interrupt leaves held."""
    _owners.add(owner)
    return threading.RLock()


def _after_fork() -> None:
    for owner in _owners:
        lock = getattr(owner, "_lock", None)  # none where it is just being made
        if lock is not None and not lock._is_owned():  # by the thread that forked, and goes on
            owner._lock = threading.RLock()


_native.after_fork(_after_fork)


class Pipe:
    """Between a connection and the memory BIO it writes to: what leaves waits for a verdict."""

    __slots__ = ("__weakref__", "_lock", "_moving", "_to", "held")

    def __init__(self, outgoing: ssl.MemoryBIO) -> None:
        self._to = outgoing
        self._lock = new_lock(self)
        self._moving = False
        self.held = ssl.MemoryBIO()

    def let_go(self) -> None:
        """Pass on what waits, in its order.

        What another thread is passing on has left when this returns; what comes by a finalizer or a
        signal's handler meanwhile goes after it.
        """
        with self._lock:
            if self._moving:
                return  # whom this interrupts goes on with it
            try:
                self._moving = True
                # In C from end to end: an interrupt between the two would lose what was read.
                sum(map(self._to.write, iter(self.held.read, b"")))
            finally:
                self._moving = False
