"""What the guard's tests start from: a platform that trusts nobody, and a way to take it away."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from guarded import refuses

from fasttrust import _compat, _guard


@pytest.fixture
def distrust() -> None:
    """Let the platform refuse whom it is asked about."""
    refuses()


class _Open:
    """What stands where the guard stood: nothing. OpenSSL has verified nobody."""

    def __new__(cls, inner: Any, judge: Any, pipe: Any = None) -> Any:
        return inner


class _NoPipe:
    """What leaves by this leaves at once."""

    def __init__(self, outgoing: ssl.MemoryBIO) -> None:
        self.held = outgoing


@pytest.fixture
def unguard(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what takes the guard away, for the proof that an attack is one."""

    def away() -> None:
        monkeypatch.setattr(_compat, "Guard", _Open)
        monkeypatch.setattr(_compat, "record_watch", lambda connection: _guard.Record())
        monkeypatch.setattr(_compat, "Pipe", _NoPipe)

    return away
