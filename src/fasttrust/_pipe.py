"""What stands between a connection over memory and its peer: what leaves waits for a verdict."""

from __future__ import annotations

import os
import ssl
import threading


class Lock:
    """A reentrant lock that no thread of a parent process goes on holding in its child."""

    __slots__ = ("_lock", "_process")

    def __init__(self) -> None:
        self._lock, self._process = threading.RLock(), os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid() and not self._lock._is_owned():  # type: ignore[attr-defined]
            self._lock, self._process = threading.RLock(), os.getpid()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Pipe:
    """Between a connection and the memory BIO it writes to: what leaves waits for a verdict."""

    __slots__ = ("_lock", "_moving", "_to", "held")

    def __init__(self, outgoing: ssl.MemoryBIO) -> None:
        self._to = outgoing
        self._lock = Lock()
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
                while self.held.pending:
                    self._to.write(self.held.read())
            finally:
                self._moving = False
