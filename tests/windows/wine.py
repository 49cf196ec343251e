"""A plugin of pytest for Windows: what cannot run there is skipped with its reason, and counted.

Under Wine it also chooses the loop of asyncio that works, and signatures that Wine can read.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import CertificateBuilder, CertificateRevocationListBuilder

from windows_store import is_wine

# By a part of the test's name, from the file on.
CANNOT_RUN = {
    r"test_native\.py::test_fork_|test_fresh\.py::test_fork_|test_fresh_threads\.py::test_fork_"
    r"|test_store_missing\.py::test_fork_|test_run\.py::.*\[fork": "nothing forks on Windows",
    r"test_odd_stores\.py::.*pipe": "Windows has no pipes in folders",
    r"test_native\.py::test_import_opens_only_modules": "counts threads in /proc",
    r"test_environment\.py::test_setuid_": "there are no setuid programs on Windows",
    r"test_places\.py::|test_store_missing\.py::test_refusal_names_the_places_searched"
    r"|test_truststore\.py::test_fallback_counts_where_there_is_no_store"
    r"|test_verify_chain_trust\.py::test_fallback_counts_only_while_there_is_no_store": "other"
    " systems have their store in files; Windows is asked",
    r"test_inject_others\.py::test_(truststore_|private_reference_)"
    r"|test_bench_run\.py::test_resumed_handshakes_are_resumed": "truststore asks Windows,"
    " whatever SSL_CERT_FILE says, and under Wine believes whom nobody knows",
    r"test_bench_proof\.py::": "starts servers and programs as a run of the bench does, for"
    " POSIX alone; what the bench does under Wine has proofs of its own",
    r"test_vendoring\.py::test_(copy|wheel|both|either)_": "builds with bash and a compiler",
    r"test_layers\.py::test_extension_exports_one_symbol": "reads ELF; tests/windows/run looks at"
    " the DLL's imports",
}


def readable(sign: Callable[..., Any]) -> Callable[..., Any]:
    """Return a maker of signed things that signs again until Wine can read the signature.

    An ECDSA signature with an r or s that begins with a zero byte, one in 128, is a false one to
    Wine 8: CNG_PrepareSignatureECC of its crypt32 puts the two side by side without filling up.
    """

    def sign_readably(builder: Any, private_key: Any, *arguments: Any, **keywords: Any) -> Any:
        while True:
            made = sign(builder, private_key, *arguments, **keywords)
            if not isinstance(private_key, EllipticCurvePrivateKey):
                return made
            size = (private_key.key_size + 7) // 8
            if all(n >> 8 * (size - 1) for n in decode_dss_signature(made.signature)):
                return made

    return sign_readably


class NoLinkError(OSError):
    """What a test that makes a symbolic link is left out by."""


def make_no_link(*_: object, **__: object) -> None:
    """Raise what pytest itself gets over, which likes to have one."""
    raise NoLinkError("Wine makes no symbolic links")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Count what wanted a symbolic link as skipped."""
    made: Any = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, NoLinkError):
        report = made.get_result()
        report.outcome = "skipped"
        report.longrepr = (str(item.path), None, f"Skipped: {call.excinfo.value}")


if sys.platform == "win32" and is_wine():
    os.symlink = Path.symlink_to = make_no_link
    # Wine's Proactor does not tell a server that its peer left in the handshake: plain ssl hangs.
    asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    for each in (CertificateBuilder, CertificateRevocationListBuilder):
        each.sign = readable(each.sign)


def pytest_configure() -> None:
    """Let a failure be printed, whatever it quotes, in the one code page that a pipe has here."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run."""
    for item in items:
        for names, reason in CANNOT_RUN.items():
            if re.search(names, item.nodeid):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print what failed at once: a test that hangs later takes pytest's own list with it."""
    if report.failed:
        print(f"\n{report.nodeid}, {report.when}:\n{report.longreprtext}", flush=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped, by reason."""
    reports = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    for reason, number in reasons.most_common():
        terminalreporter.write_line(f"{number:5d} skipped: {reason}")
