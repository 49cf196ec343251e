"""
A plugin of pytest where macOS is the platform: what it does otherwise stands in differs.txt.

    PYTHONPATH=tests/macos pytest -p differs tests

On the double each test that is listed must fail, or its line is out of date. On a Mac, where nobody
has seen it yet, it is skipped; so is what needs a Linux beneath.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ON_A_MAC = sys.platform == "darwin"


def listed() -> Iterator[tuple[str, str]]:
    """Return the beginnings of tests' names that are listed for this machine, with the reason."""
    text = Path(__file__).with_name("differs.txt").read_text("utf-8")
    for block in text.split("\n\n")[1:]:
        lines = block.splitlines()
        names = [line for line in lines if line.startswith("tests/")]
        reason = " ".join(line.removeprefix("# ") for line in lines if line.startswith("#"))
        if ON_A_MAC or not reason.startswith("On a Mac "):
            yield from ((name, reason) for name in names)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is listed."""
    files = {item.nodeid.partition("::")[0] for item in items}
    for name, reason in listed():
        mark = pytest.mark.skip if ON_A_MAC else pytest.mark.xfail
        found = [item for item in items if item.nodeid.startswith(name)]
        if not found and name.partition("::")[0] in files:
            raise pytest.UsageError(f"differs.txt lists {name}, which is no test")
        for item in found:
            item.add_marker(mark(reason=reason))
