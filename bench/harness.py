"""What the measurements share, and what one is.

A measurement is a module beside this one, named in ``__main__.MEASUREMENTS``, with two names:

    TITLE = "one line for --help"
    def run(bench: Bench) -> Iterator[Row]: ...

``run`` measures in processes of their own, by tasks. A task is "module:function"; its arguments are
what JSON can say. What is timed or counted is a Task: a function by participant, each call of which
does the work once and raises if it fails, and the proof of their verdicts (``proof.py``), which is
asked before the first round and after the last, so that nothing is published that failed:

    runs = bench.time("import", "start:peers", argument)       # seconds, or what `clock` counts
    runs = bench.count("import", "start:peers", argument)      # instructions, by callgrind
    answer = bench.call("start:answer", argument)              # any other task's answer
    return stats.all_beside("import", "ms", runs)              # ours beside each of the others

Participants take turns within a round, so that noise which lasts longer than a round is shared, and
each ratio is of one round. What cannot be measured is a row that says why (``stats.absent``);
``bench.say`` is the progress; ``bench.line`` adds a point to one of the plots.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from typing import Any

from . import ctool, stats
from .stats import Row, Values

ROOT = Path(__file__).resolve().parent.parent
BATCH = 0.004  # seconds that one timed batch of calls should take at least
FAST_BATCH = 0.002
PROCESSES = 4  # that take turns, one after the other, for a figure of the full form
INSTRUCTIONS = 40_000_000  # that one counted batch should take about
FAST_INSTRUCTIONS = 15_000_000
LONGEST = 600  # seconds for one worker; whatever takes longer hangs

Peers = dict[str, Callable[[], object]]
Calls = Mapping[str, Callable[[], object]]
Clock = Callable[[], float]
#: A plot's lines by participant: x, then median and quartiles of y.
Lines = dict[str, list[tuple[float, float, float, float]]]


class WrongVerdictError(Exception):
    """A participant did not do what is measured: nothing of it may be published."""


def expect(is_right: object, what: str) -> None:
    """Raise WrongVerdictError unless that was so; an assertion that -O does not remove."""
    if not is_right:
        raise WrongVerdictError(what)


@dataclass(frozen=True)
class Task:
    """What takes turns, the proof that raises unless its verdicts are right, and the clock."""

    calls: Calls
    prove: Callable[[], object]
    clock: Clock = time.perf_counter


@dataclass
class Plot:
    """Lines over a number: what x counts, the unit of y, and the points."""

    title: str
    x: str
    y: str
    lines: Lines = field(default_factory=dict)


@dataclass
class Bench:
    """One run: how much of everything, the folder of its PKI, and what was measured."""

    folder: Path
    fast: bool
    values: dict[str, list[Values]] = field(default_factory=dict)  # by figure, one for each process
    units: dict[str, str] = field(default_factory=dict)  # by figure: "second", "integer", "byte"
    metadata: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # pyperf's, by figure
    plots: dict[str, Plot] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)  # that each measurement took
    # Of the counted figures, which of the instructions are Python's, and the allocations.
    in_python: dict[str, list[Values]] = field(default_factory=dict)
    allocations: dict[str, list[Values]] = field(default_factory=dict)

    def say(self, text: str) -> None:
        passed = time.monotonic() - self.began
        print(f"   {passed:5.0f} s  {text}", file=sys.stderr, flush=True)

    def time(self, figure: str, task: str, *arguments: object, **environment: str) -> list[Values]:
        """Let the task's participants take turns in several processes, one after the other.

        Keywords are set in the environment of the processes.
        """
        self.say(figure)
        rounds, batch = (8, FAST_BATCH) if self.fast else (20, BATCH)
        done = [
            self._child("time", task, [rounds, batch, *arguments], environment=environment)
            for _ in range(1 if self.fast else PROCESSES)
        ]
        self.metadata[figure] = [one["metadata"] for one in done]
        return self.keep(figure, "second", [one["values"] for one in done])

    def count(
        self, figure: str, task: str, *arguments: object, most: int = 200, **environment: str
    ) -> list[Values]:
        """Count the instructions of one call of each participant; its allocations are kept.

        A batch has at most so many calls; other keywords are set in the environment.
        """
        self.say(f"{figure} (callgrind)")
        batch = FAST_INSTRUCTIONS if self.fast else INSTRUCTIONS
        rounds = 2 if self.fast else 3
        with tempfile.TemporaryDirectory() as folder:
            tool = [
                *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no"),
                f"--callgrind-out-file={folder}/out",
            ]
            told = self._child(
                "count", task, [rounds, batch, most, folder, *arguments], tool, environment
            )
            both = counted(Path(folder), told)
        self.allocations[figure] = [both["mallocs"]]
        self.in_python[figure] = [both["in Python"]]
        return self.keep(figure, "integer", [both["instructions"]])

    def call(self, task: str, *arguments: object) -> Any:
        """Return what a task answers in a fresh process."""
        return self._child("call", task, list(arguments))

    def keep(self, figure: str, unit: str, runs: list[Values]) -> list[Values]:
        """Keep values for the JSON file and for pyperf's."""
        if figure in self.values:
            raise ValueError(f"two figures are called {figure}")
        self.values[figure] = runs
        self.units[figure] = unit
        return runs

    def line(self, plot: str, texts: tuple[str, str, str], x: float, runs: list[Values]) -> None:
        """Add each participant's value at x to a plot; `texts`: its title, what x is, y's unit."""
        drawn = self.plots.setdefault(plot, Plot(*texts))
        for name in runs[0]:
            low, middle, high = stats.quartiles([v for run in runs for v in run[name]])
            scale = stats.UNITS[drawn.y]
            drawn.lines.setdefault(name, []).append((x, middle * scale, low * scale, high * scale))

    def environment(self) -> dict[str, str]:
        """Return the environment of a worker: the bench's anchors, the same hashes each time."""
        changes = {"SSL_CERT_FILE": str(self.folder / "bundle.pem"), "PYTHONHASHSEED": "0"}
        left_out = ["SSL_CERT_DIR", "SSLKEYLOGFILE", "FASTTRUST_MODE"]
        left_out.append(
            "PYTHONDONTWRITEBYTECODE"
        )  # pip has compiled the peers, and us not in a clone
        return {**{k: v for k, v in os.environ.items() if k not in left_out}, **changes}

    def _child(
        self,
        how: str,
        task: str,
        arguments: Iterable[Any],
        tool: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Any:
        worker = [sys.executable, "-m", "bench.worker", how, task]
        try:
            done = subprocess.run(
                [*tool, *worker, *map(json.dumps, arguments)],
                cwd=ROOT,
                env=self.environment() | (environment or {}),
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{task} did not end in {LONGEST} s") from error
        return answer(task, done)


def answer(task: str, done: subprocess.CompletedProcess[str]) -> Any:
    """Return what a worker that has ended said; raises ``RuntimeError`` where it failed."""
    if done.returncode != 0:
        raise RuntimeError(f"{task} failed:\n{done.stderr}")
    return json.loads(done.stdout or "null")


def interleave(
    peers: Calls, rounds: int, batch: float = BATCH, clock: Clock = time.perf_counter
) -> Values:
    """Time each participant once a round, in turns that rotate.

    Each value is the time of one call, averaged over a batch of them.
    """
    sizes = {name: _calibrate(call, batch, clock) for name, call in peers.items()}
    values: Values = {name: [] for name in peers}
    order = list(peers)
    for _ in range(rounds):
        for name in order:
            values[name].append(_batch(peers[name], sizes[name], clock) / sizes[name])
        order.append(order.pop(0))
    return values


def _calibrate(call: Callable[[], object], batch: float, clock: Clock) -> int:
    number = 1
    while _batch(call, number, clock) < batch:
        number *= 2
    return number


def _batch(call: Callable[[], object], number: int, clock: Clock) -> float:
    started = clock()
    for _ in repeat(None, number):
        call()
    return clock() - started


def counts(peers: Calls, rounds: int, batch: int, most: int, folder: str) -> list[tuple[str, int]]:
    """Count each participant once a round, under callgrind.

    The answer tells for each numbered file of callgrind's whose it is, and of how many calls; the
    first are of nobody: nothing at all, to be taken off the others, and what sizes the batches. Two
    rounds that nobody counts come first: the interpreter adapts itself to what it does often.
    """
    counter = ctool.Counter(Path(folder))
    counter.count(int, 1)
    counter.count(int, 0)
    told = [("", 1), ("", 0)]
    sizes = {}
    for name, call in peers.items():
        call()  # what the first call brings along is nobody's
        once = counter.instructions(counter.count(call, 1))
        told.append(("", 1))
        sizes[name] = max(1, min(most, int(batch / once)))
    for name, call in peers.items():
        counter.count(call, min(most, 2 * sizes[name]))  # calls between files are the next one's
        told.append(("", 1))
    for _ in range(rounds):
        for name, call in peers.items():
            counter.count(call, sizes[name])
            told.append((name, sizes[name]))
    return told


def counted(folder: Path, told: list[tuple[str, int]]) -> dict[str, Values]:
    """Return the instructions and the allocations of one call, from callgrind's files."""
    empty = ctool.instructions((folder / "out.2").read_text("utf-8"))
    found: dict[str, Values] = {"instructions": {}, "in Python": {}, "mallocs": {}}
    for number, (name, times) in enumerate(told, 1):
        if name:
            text = (folder / f"out.{number}").read_text("utf-8")
            one = {
                "instructions": ctool.instructions(text) - empty,
                "in Python": ctool.in_python(text),
                "mallocs": ctool.mallocs(text),
            }
            for what, value in one.items():
                found[what].setdefault(name, []).append(value / times)
    return found


def installed(name: str) -> bool:
    return find_spec(name) is not None


def missing(figure: str, *packages: str) -> list[Row]:
    """Return the rows of peers that are not installed."""
    return [stats.absent(figure, name, "not installed") for name in packages if not installed(name)]


def uncounted(figure: str) -> list[Row]:
    """Return the row that says why instructions cannot be counted, and none if they can."""
    if not shutil.which("valgrind"):
        return [stats.absent(figure, "callgrind", "valgrind is not installed")]
    why = ctool.unavailable("count.c")
    return [stats.absent(figure, "callgrind", why)] if why else []


def named(text: str) -> str:
    """Return the text as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
