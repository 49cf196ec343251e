"""``python -m bench [--fast] [--only NAME ...] [--output DIR] [--compare OLD.json]``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from . import ctool, environment, harness, report, stats, world
from .harness import Bench
from .stats import Row

MEASUREMENTS = (
    "context",
    "handshake",
    "process",
    "threads",
    "loop",
    "chain",
    "verify",
    "start",
    "attach",
    "anchors",
    "clients",
    "inject",
    "compat",
    "wine",
)
STOPPED = "stopped"  # the fact that tells where a run was ended early


def parser() -> argparse.ArgumentParser:
    listing = "\n".join(
        f"  {name:10} {import_module(f'bench.{name}').TITLE}" for name in MEASUREMENTS
    )
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure fasttrust beside its peers: every figure a ratio of one run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"measurements:\n{listing}",
    )
    made.add_argument("--fast", action="store_true", help="fewer cases and rounds: a rough answer")
    made.add_argument(
        "--only", nargs="+", metavar="NAME", default=[], help="these measurements alone"
    )
    made.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=harness.ROOT / "build" / "bench",
        help="folder for results.json, table.md, pyperf.json and the pictures (build/bench)",
    )
    made.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="say what changed beyond the spread"
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    made = parser()
    options = made.parse_args(arguments)
    if unknown := sorted(set(options.only) - set(MEASUREMENTS)):
        made.error(f"no measurement is called {', '.join(unknown)}; see --help")
    for needed in ("pyperf", "cryptography"):
        if not harness.installed(needed):
            made.error(f"{needed} is not installed: pip install '.[bench]'")
    if not (harness.ROOT / "tests" / "pki.py").exists():
        made.error(
            "tests/pki.py is not there, which makes the certificates: run the bench in a clone"
        )
    try:
        old = report.read(options.compare) if options.compare else None
    except (OSError, ValueError) as error:
        made.error(f"--compare {options.compare}: {error}")

    try:
        options.output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=options.output):
            pass
    except OSError as error:
        made.error(f"--output {options.output}: {error.strerror}")

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.fast)
        # Whoever ends the run early keeps what was measured.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        facts, groups = measure(bench, options.only or MEASUREMENTS, options.output)
    rows = [row for group in groups.values() for row in group]
    print(report.table(rows), "", *report.missed(rows), report.summary(rows), sep="\n")
    print(*(f"{name}: {text}" for name, text in facts.items()), sep="\n")
    print(f"written to {options.output}")
    if old:
        forms = {True: "fast", False: "full"}
        before, now = (forms[is_fast] for is_fast in (old[1]["fast"], options.fast))
        if before != now:
            print(f"\nthe older run is of the {before} form, this one of the {now} form")
        print_changes(*old, rows, facts, is_part=bool(options.only) or STOPPED in facts)
    shout(facts["verdict"])
    if STOPPED in facts:
        shout(f"stopped: {facts[STOPPED]}")
        return 130
    return 1 if any(row.verdict.startswith("FAILED") for row in rows) else 0


def measure(
    bench: Bench, names: tuple[str, ...] | list[str], output: Path
) -> tuple[dict[str, str], dict[str, list[Row]]]:
    """Run the measurements; return the environment, and the rows of each.

    All that there is is written after each, so that an end of whatever kind costs one at most.
    """
    load = environment.Load()
    print("certificates, bundles, the floor …", file=sys.stderr)
    tools = ctool.prepare(bench.folder)
    world.make(bench.folder)
    facts = environment.machine(bench.folder / "bundle.pem", tools)
    for name, why in tools.items():
        if why:
            shout(f"{name} is not there: {why}")
    if environment.load_average() > (os.cpu_count() or 1) / 2:
        shout(f"the load average is {environment.load_average():.1f}: expect noise")
    groups: dict[str, list[Row]] = {}
    parts: dict[str, float | None] = {}
    for number, name in enumerate(names, 1):
        print(f"[{number:2}/{len(names)}] {name}", file=sys.stderr, flush=True)
        groups[name], part = [], environment.Load()
        try:
            one(bench, name, groups[name])
        except KeyboardInterrupt:
            facts[STOPPED] = f"by whoever ran it, in {name}"
        parts[name] = part.others()
        facts |= {**load.facts(parts), "took": took(bench)}
        report.write(output, facts, groups, bench)
        if STOPPED in facts:
            break
    return facts, groups


def one(bench: Bench, name: str, rows: list[Row]) -> None:
    """Run one measurement; whatever goes wrong in it is its last row."""
    began = time.monotonic()
    try:
        rows.extend(import_module(f"bench.{name}").run(bench))
    except Exception as error:
        if not isinstance(error, RuntimeError):  # else a worker failed, which has told all
            traceback.print_exc()
        print(error, file=sys.stderr)
        last = (str(error).splitlines() or [""])[-1]
        kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
        rows.append(stats.absent(name, name, f"FAILED: {kind}{last}"))
    finally:
        bench.seconds[name] = time.monotonic() - began


def took(bench: Bench) -> str:
    parts = ", ".join(f"{name} {seconds:.0f}" for name, seconds in bench.seconds.items())
    return f"{time.monotonic() - bench.began:.0f} s: {parts}"


def print_changes(
    old: list[Row],
    written: dict[str, Any],
    rows: list[Row],
    facts: dict[str, str],
    *,
    is_part: bool,
) -> None:
    """Say what changed beyond the spread, first of all in the environment.

    Of a part of the measurements it is not said that the others are gone.
    """
    before = written["environment"]
    ignored = {"load average before", "load average after", "taken by others", "took", "verdict"}
    print("\nbeside the older run:")
    for name in [name for name in facts if name not in ignored]:
        if before.get(name) != facts[name]:
            print(f"  {name}: was {before.get(name, 'not told')}, is {facts[name]}")
    found = [line for line in stats.changes(old, rows) if not (is_part and line[:5] == "gone:")]
    print(*(f"  {line}" for line in found or ["nothing changed beyond the spread"]), sep="\n")


def shout(text: str) -> None:
    if text != "quiet":
        print(f"\n*** {text} ***\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
