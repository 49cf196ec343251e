"""Run one of CPython's test modules in one mode: ``python one.py MODE MODULE FILE [ID ...]``.

Writes into the file, as JSON, what failed and what was skipped, by id. With ids only those are run.
"""

from __future__ import annotations

import functools
import json
import ssl
import sys
import unittest
from pathlib import Path
from typing import Any


def plain() -> None:
    """Leave everything as it is."""


def injected() -> None:
    """Inject, as a program does in its first lines."""
    import fasttrust

    fasttrust.inject_into_ssl()


def attached() -> None:
    """Attach to every context right after it was made, at whatever that trusts."""
    import fasttrust

    new = ssl.SSLContext.__new__

    @functools.wraps(new)
    def attach(cls: type, *args: Any, **kwargs: Any) -> Any:
        context = new(cls, *args, **kwargs)
        # What ssl would trust: nothing, until it is loaded.
        fasttrust.attach(context, trust=fasttrust.TrustStore.none())
        return context

    ssl.SSLContext.__new__ = attach  # type: ignore[method-assign, assignment]


class Result(unittest.TextTestResult):
    """What failed, errors and unexpected successes included, by the id of the test."""

    def ids(self) -> dict[str, list[str]]:
        bad = [test for test, _ in (*self.failures, *self.errors)] + self.unexpectedSuccesses
        return {
            "failed": sorted({_id(test) for test in bad}),
            "skipped": sorted({_id(test) for test, _ in self.skipped}),
        }


def _id(test: Any) -> str:
    return str(getattr(test, "test_case", test).id())  # of a subtest, the whole test's


def main() -> None:
    mode, module, file, *ids = sys.argv[1:]
    {"plain": plain, "injected": injected, "attached": attached}[mode]()
    from test import support

    support.use_resources = type(support.use_resources or [])()  # no network
    tests = unittest.defaultTestLoader.loadTestsFromNames(ids or [module])
    result = unittest.TextTestRunner(resultclass=Result, verbosity=1).run(tests)
    assert isinstance(result, Result)
    Path(file).write_text(json.dumps({"run": result.testsRun, **result.ids()}), "utf-8")


if __name__ == "__main__":
    main()
