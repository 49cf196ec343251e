"""A plugin of pytest for the laboratory: the loop that works under Wine, and skips by reason."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

# Wine's Proactor does not tell a server that its peer went away in the handshake: plain ssl hangs.
asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped, by reason."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.getreports("skipped"))
    for reason, number in reasons.most_common():
        terminalreporter.write_line(f"{number:5d}  {reason}")
