"""What the guard's tests start from: a platform that trusts nobody, and a way to take it away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from guarded import refuses, take_away


@pytest.fixture
def distrust() -> None:
    """Let the platform refuse whom it is asked about."""
    refuses()


@pytest.fixture
def unguard(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what takes the guard away, for the proof that an attack is one."""
    return lambda: take_away(monkeypatch.setattr)
