"""A plugin of pytest for Windows: what cannot run there is skipped with its reason, and counted.

Under Wine it also chooses the loop of asyncio that works.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter

import pytest

from windows_store import is_wine

# By a part of the test's name, from the file on.
CANNOT_RUN = {
    r"test_native\.py::test_fork_|test_fresh\.py::test_fork_|test_fresh_threads\.py::test_fork_"
    r"|test_store_missing\.py::test_fork_": "nothing forks on Windows",
    r"test_bundles\.py::test_untouched_file_of_a_distribution|test_run\.py::"
    r"|test_odd_stores\.py::": "needs symbolic links and pipes in folders",
    r"test_native\.py::test_import_opens_only_modules": "counts threads in /proc",
    r"test_environment\.py::test_setuid_": "there are no setuid programs on Windows",
    r"test_layers\.py::test_extension_exports_one_symbol": "reads ELF; tests/windows/run looks at"
    " the DLL's imports",
}

if sys.platform == "win32" and is_wine():
    # Wine's Proactor does not tell a server that its peer left in the handshake: plain ssl hangs.
    asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run."""
    for item in items:
        for names, reason in CANNOT_RUN.items():
            if re.search(names, item.nodeid):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped, by reason."""
    reports = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    for reason, number in reasons.most_common():
        terminalreporter.write_line(f"{number:5d} skipped: {reason}")
