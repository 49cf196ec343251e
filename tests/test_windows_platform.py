"""CryptoAPI's file alone: its calls fail in turn, threads ask at once, nothing is left behind.

``FASTTRUST_WINDOWS_LAB`` names the program made of tests/windows/test_platform.c.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "win32":
    pytest.skip("asks Windows", allow_module_level=True)

from windows_row import OF_A, ROOT, A
from windows_store import trusted

PROGRAM = os.environ.get("FASTTRUST_WINDOWS_LAB", "")


@pytest.mark.skipif(not PROGRAM, reason="tests/windows/test_platform.c is not built")
@pytest.mark.parametrize(
    "test", ["good", "policy", "faults", "staple", "question", "growth", "threads"]
)
def test_platform(test: str, tmp_path: Path) -> None:
    """Each test of the program holds, in a process of its own."""
    (tmp_path / "leaf.der").write_bytes(OF_A.der)
    (tmp_path / "issuer.der").write_bytes(A.der)
    with trusted(ROOT):
        process = subprocess.run(
            [PROGRAM, tmp_path, test], capture_output=True, text=True, timeout=600, check=False
        )
    print(process.stdout)
    assert 0 == process.returncode, process.stdout + process.stderr
