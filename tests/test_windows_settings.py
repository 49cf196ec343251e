"""What a program sets counts at servers that Windows trusts, as it does with `ssl`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "win32":
    pytest.skip("asks Windows", allow_module_level=True)

from pki import HOST, Chain
from windows_ask import printed
from windows_row import OF_A, ROOT, A
from windows_settings import SETTINGS, WAYS
from windows_store import trusted

CHILD = Path(__file__).with_name("windows_settings.py")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what came of every setting, in one process that began while the root is trusted."""
    folder = tmp_path_factory.mktemp("settings")
    Chain((OF_A, A)).write(folder)
    with trusted(ROOT):
        found: dict[str, Any] = json.loads(printed(CHILD, folder, HOST))
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_set_counts(name: str, outcomes: dict[str, Any]) -> None:
    """Versions, ciphers, protocols and certificates are those of a client that verifies nobody."""
    expected, *ours = outcomes[name]
    assert [each for each in expected if each[:2] == ["there", "back"]], "it connects to some"
    for way, outcome in zip(WAYS, ours, strict=True):
        assert expected == outcome, way
