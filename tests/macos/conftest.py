"""What every test here begins with: a Mac that trusts nobody, before macOS 12 and after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fasttrust import _native


@pytest.fixture(autouse=True, params=[11, 14], ids=lambda version: f"macOS-{version}")
def mac(request: pytest.FixtureRequest) -> Iterator[None]:
    """Begin with a Mac that trusts nobody; end with no object left."""
    _native.lib.double_reset()
    _native.lib.double_set_version(request.param)
    yield
    assert _native.lib.double_live(True) == 0
    _native.lib.double_reset()
