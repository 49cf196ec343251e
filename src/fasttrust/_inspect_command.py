"""``python -m fasttrust inspect``: from its arguments to what it prints."""

from __future__ import annotations

import argparse
import ssl
import sys
from datetime import datetime, timezone

from ._info import Trust, trust_of_file, trust_of_system
from ._inspect import REFUSED, UNREACHABLE, Report, Settings
from ._inspect_all import Bar, look_at_all
from ._inspect_json import inspect_json
from ._inspect_svg import svg
from ._inspect_text import show_report, show_summary, show_trust
from ._paper import Paper
from ._roots import Roots
from ._starttls import PORTS
from ._target import HTTPS, Target, target, targets
from ._trust import TrustStore

# A file of hosts is read as a whole.
_LARGEST_FILE = 16 << 20


def inspect(arguments: argparse.Namespace) -> int:
    """Look at all servers, print what came to light, and return the exit status.

    Raises:
        ValueError: the arguments are wrong; says why. Nothing was connected to, unless it is the
            picture that cannot be written.
    """
    wanted = _targets(arguments)
    settings, trust = _settings(arguments)
    roots = Roots(settings.trust or TrustStore.system())
    now = datetime.now(timezone.utc)
    paper = Paper(sys.stdout)
    if not arguments.json:
        show_trust(paper, trust, now)
    reports: list[Report] = []
    bar = Bar(sys.stderr, len(wanted))
    bar.show()
    try:
        for report in look_at_all(wanted, settings, bar.step):
            reports.append(report)
            if not arguments.json:
                bar.clear()
                show_report(paper, report, roots, settings)
                bar.show()
    finally:
        bar.clear()
    if arguments.json:
        paper.block(inspect_json(trust, reports, roots, settings, now))
    else:
        show_summary(paper, reports)
    if arguments.svg is not None:
        _write(arguments.svg, svg(reports))
    return _status(reports)


def _status(reports: list[Report]) -> int:
    verdicts = {report.verdict for report in reports}
    if REFUSED in verdicts:
        return 1
    return 2 if UNREACHABLE in verdicts else 0


def _targets(arguments: argparse.Namespace) -> list[Target]:
    port = PORTS.get(arguments.starttls, HTTPS)
    found = [target(host, port) for host in arguments.hosts]
    if arguments.file is not None:
        try:
            found += targets(_read(arguments.file).splitlines(), port)
        except (OSError, ValueError) as error:
            raise ValueError(f"--file {arguments.file}: {error}") from error
    if not found:
        raise ValueError("no host was given")
    # Each once, however often and in however many spellings it was named.
    once: dict[tuple[str, int], Target] = {}
    for each in found:
        once.setdefault((each.host, each.port), each)
    return list(once.values())


def _read(path: str) -> str:
    if path == "-":
        data = sys.stdin.buffer.read(_LARGEST_FILE + 1)
    else:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise ValueError("the file is too large")
    return data.decode("utf-8-sig")


def _settings(arguments: argparse.Namespace) -> tuple[Settings, Trust]:
    store = None
    if arguments.trust is not None:
        try:
            store = TrustStore.from_pem_file(arguments.trust)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            why = error.strerror if type(error) is ssl.SSLError else error
            raise ValueError(f"--trust {arguments.trust}: {why}") from error
    trust = trust_of_system() if store is None else trust_of_file(arguments.trust, store)
    return Settings(store, arguments.starttls, arguments.timeout, arguments.compare), trust


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise ValueError(f"--svg {path}: {error.strerror}") from error
