"""``python -m bench [NAME ...] [--fast]``: measure, print one table, write JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from . import harness, world
from .harness import Bench, Row

FIGURES = ("attach", "handshake", "threads", "chain", "verify", "start", "anchors", "inject")
HEADINGS = ("figure", "peer", "median", "spread", "ratio", "quartiles", "target", "")


def main() -> int:
    modules = {name: import_module(f"bench.{name}") for name in FIGURES}
    listing = "\n".join(f"  {name:10} {module.TITLE}" for name, module in modules.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"figures:\n{listing}",
    )
    parser.add_argument("figures", nargs="*", metavar="NAME", help="all of them by default")
    parser.add_argument("--fast", action="store_true", help="fewer repetitions: a rough answer")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument(
        "--output", type=Path, default=harness.ROOT / "build" / "bench", help="folder for the JSON"
    )
    options = parser.parse_args()
    if unknown := set(options.figures) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")

    facts = harness.machine()
    print(*(f"{name}: {text}" for name, text in facts.items()), sep="\n")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.fast)
        world.make(bench.folder)
        for name in options.figures or FIGURES:
            print(f"measuring {name} …", file=sys.stderr)
            rows += modules[name].run(bench)
    print(markdown(rows) if options.markdown else table(rows))
    write(options.output, facts, rows, bench)
    return 0


def cells(row: Row) -> tuple[str, ...]:
    low_high = row.ratio_quartiles
    return (
        row.figure,
        row.peer,
        "" if row.median is None else f"{number(row.median)} {row.unit}",
        "" if row.spread is None else f"{row.spread:.1%}",
        "" if row.ratio is None else f"{row.ratio:.3f}",
        "" if low_high is None else f"{low_high[0]:.3f}–{low_high[1]:.3f}",
        row.target,
        row.verdict,
    )


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: list[Row]) -> str:
    lines = [HEADINGS, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts: list[str] = []
    shown = None
    for line in lines:
        figure, rest = line[0], line[1:]
        if figure != shown:
            texts.append("")
        texts.append(
            "  ".join(
                text.ljust(width)
                for text, width in zip(
                    ("" if figure == shown else figure, *rest), widths, strict=True
                )
            ).rstrip()
        )
        shown = figure
    return "\n".join(texts)


def markdown(rows: list[Row]) -> str:
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(folder: Path, facts: dict[str, str], rows: list[Row], bench: Bench) -> None:
    """Write results.json, and what was timed as a suite that ``python -m pyperf`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"machine": facts, "fast": bench.fast, "rows": harness.as_json(rows)}
    written["values"] = bench.values
    (folder / "results.json").write_text(json.dumps(written, indent=1, ensure_ascii=False), "utf-8")
    if not harness.installed("pyperf"):
        print("\npyperf is not installed: no suite written")
        return
    pyperf: Any = import_module("pyperf")
    suite = pyperf.BenchmarkSuite(
        [
            pyperf.Benchmark([_pyperf_run(pyperf, bench, figure, peer, run) for run in runs])
            for figure, runs in bench.values.items()
            for peer in runs[0]
        ]
    )
    suite.dump(str(folder / "pyperf.json"), replace=True)
    print(f"\nwritten: {folder / 'results.json'}, {folder / 'pyperf.json'}")


def _pyperf_run(pyperf: Any, bench: Bench, figure: str, peer: str, run: harness.Values) -> Any:
    unit = "integer" if figure in bench.counted else "second"
    metadata = {"name": f"{figure}: {peer}", "unit": unit}
    return pyperf.Run(run[peer], metadata=metadata, collect_metadata=False)


if __name__ == "__main__":
    sys.exit(main())
