"""What the figures share: interleaved timing, counting instructions, and rows that say met or not.

Every measurement runs in a process of its own (``worker.py``); this module holds both its halves.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import ssl
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BATCH = 0.004  # seconds that one timed batch of calls should take at least

Values = dict[str, list[float]]
Peers = dict[str, Callable[[], object]]
#: Units of the table, and how many of them one unit of the measurement is.
UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6, "instructions": 1.0, "KiB": 1 / 1024}


@dataclass(frozen=True)
class Row:
    """One line of the table: what a peer took, and what was asked of it."""

    figure: str
    peer: str
    unit: str = ""
    median: float | None = None  # in `unit`
    spread: float | None = None  # between the quartiles, as a share of the median
    ratio: float | None = None
    ratio_quartiles: tuple[float, float] | None = None
    target: str = ""
    verdict: str = ""  # "met", "MISSED", or what is missing


@dataclass
class Bench:
    """One run: how much of everything, the folder of its PKI, and the values measured."""

    folder: Path
    fast: bool
    # By figure; one Values for each process.
    values: dict[str, list[Values]] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)  # figures whose values are instructions

    def time(self, figure: str, task: str, *arguments: object) -> list[Values]:
        """Run a task that answers with Values in several processes, one after the other."""
        runs = [self.child(task, *arguments) for _ in range(2 if self.fast else 6)]
        self.values[figure] = runs
        return runs

    def count(
        self, figure: str, task: str, calls: int, names: Sequence[str], *arguments: object
    ) -> list[Values]:
        """Count the instructions of one call: the difference of `calls` and twice as many.

        The task is called with a peer's name and a number of calls. Two run at a time: it is no
        clock that is read.
        """
        runs: list[Values] = []
        with ThreadPoolExecutor(2) as pool:
            for _ in range(1 if self.fast else 3):
                started = {
                    name: [
                        pool.submit(self.instructions, task, name, number, *arguments)
                        for number in (calls, 2 * calls)
                    ]
                    for name in names
                }
                runs.append(
                    {
                        name: [(twice.result() - once.result()) / calls]
                        for name, (once, twice) in started.items()
                    }
                )
        self.values[figure] = runs
        self.counted.add(figure)
        return runs

    def child(self, task: str, *arguments: object) -> Any:
        """Return what a task answers in a fresh process."""
        done = self._run([], task, arguments)
        return json.loads(done.stdout)

    def instructions(self, task: str, *arguments: object) -> int:
        """Return how many instructions a fresh process takes for a task, start-up included."""
        tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = self._run(tool, task, arguments)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if found is None:
            raise RuntimeError(f"callgrind gave no count: {done.stderr}")
        return int(found.group(1))

    def _run(
        self, tool: list[str], task: str, arguments: Iterable[object]
    ) -> subprocess.CompletedProcess[str]:
        command = [*tool, sys.executable, "-m", "bench.worker", task, *map(json.dumps, arguments)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{task} failed:\n{done.stderr}")
        return done

    def environment(self) -> dict[str, str]:
        """Return the environment of a worker: the bench's anchors, the same hashes each time."""
        changes = {"SSL_CERT_FILE": str(self.folder / "bundle.pem"), "PYTHONHASHSEED": "0"}
        kept = {name: text for name, text in os.environ.items() if name != "SSL_CERT_DIR"}
        return {**kept, **changes}

    @property
    def rounds(self) -> int:
        return 10 if self.fast else 30


def interleave(peers: Peers, rounds: int, clock: Callable[[], float] = perf_counter) -> Values:
    """Time each peer once a round, in turns: noise that lasts longer than a round is shared.

    Each value is the time of one call, averaged over a batch of them.
    """
    batches = {name: _calibrate(call, clock) for name, call in peers.items()}
    values: Values = {name: [] for name in peers}
    order = list(peers)
    for _ in range(rounds):
        for name in order:
            values[name].append(_batch(peers[name], batches[name], clock) / batches[name])
        order.append(order.pop(0))
    return values


def _calibrate(call: Callable[[], object], clock: Callable[[], float]) -> int:
    number = 1
    while _batch(call, number, clock) < BATCH:
        number *= 2
    return number


def _batch(call: Callable[[], object], number: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in repeat(None, number):
        call()
    return clock() - started


def paired(runs: list[Values], combine: Callable[[dict[str, float]], float]) -> list[float]:
    """Return what `combine` makes of each round's values, which were taken side by side."""
    return [
        combine(dict(zip(run, values, strict=True)))
        for run in runs
        for values in zip(*run.values(), strict=True)
    ]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    first, middle, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, middle, third


def row(
    figure: str,
    peer: str,
    unit: str,
    values: Sequence[float],
    *,
    ratios: Sequence[float] = (),
    at_most: float | None = None,
    of_ratio: bool = True,
) -> Row:
    """Make a row of measured values; `at_most` is the target, of the ratio or of the value."""
    first, middle, third = (value * UNITS[unit] for value in quartiles(values))
    low, ratio, high = quartiles(ratios) if ratios else (None, None, None)
    judged = ratio if of_ratio else middle
    target = verdict = ""
    if at_most is not None and judged is not None:
        target = f"≤ {at_most:g}" if of_ratio else f"≤ {at_most:g} {unit}"
        verdict = "met" if judged <= at_most else "MISSED"
    return Row(
        figure=figure,
        peer=peer,
        unit=unit,
        median=middle,
        spread=(third - first) / abs(middle) if middle else None,
        ratio=ratio,
        ratio_quartiles=None if low is None or high is None else (low, high),
        target=target,
        verdict=verdict,
    )


def compare(
    figure: str,
    unit: str,
    runs: list[Values],
    reference: str,
    targets: dict[str, float] | None = None,
) -> list[Row]:
    """Make a row for each peer, with its ratio to the reference in the same round."""
    return [
        row(
            figure,
            peer,
            unit,
            [value for run in runs for value in run[peer]],
            ratios=paired(runs, lambda one, peer=peer: one[peer] / one[reference]),
            at_most=(targets or {}).get(peer),
        )
        for peer in runs[0]
    ]


def installed(name: str) -> bool:
    return find_spec(name) is not None


def missing(figure: str, peer: str) -> list[Row]:
    """Return the row of a peer that is not installed, and none for one that is."""
    return [] if installed(peer) else [Row(figure, peer, verdict="not installed")]


def no_valgrind(figure: str) -> list[Row]:
    return [] if shutil.which("valgrind") else [Row(figure, "valgrind", verdict="not installed")]


def machine() -> dict[str, str]:
    """Tell on what the figures were measured."""
    text = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*: (.*)", text)
    facts = {
        "cpu": found.group(1) if found else platform.processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
    }
    for package in ("fasttrust", "truststore", "pyOpenSSL", "cryptography", "pyperf"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    if installed("cryptography"):
        backend: Any = import_module("cryptography.hazmat.backends.openssl").backend
        facts["openssl of pyOpenSSL and cryptography"] = backend.openssl_version_text()
    return facts


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [asdict(one) for one in rows]
