"""The rows as a table, in Markdown, as JSON, as a suite of pyperf, and as pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, asdict, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from . import harness, plot
from .harness import Bench
from .stats import Row, Values

FORMAT = 2  # of results.json
#: What JSON makes of each type of Row's fields.
KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float | None": (float, int, type(None)),
}
HEADINGS = (
    "figure",
    "ours",
    "peer",
    "ours took",
    "the peer took",
    "ratio",
    "spread (rounds)",
    "target",
    "",
)


def cells(row: Row) -> tuple[str, ...]:
    return (
        row.figure,
        row.ours,
        row.peer,
        amount(row.value, row.unit),
        amount(row.peer_value, row.unit),
        "" if row.ratio is None else significant(row.ratio),
        spread(row),
        row.target,
        "; ".join(filter(None, (row.verdict, row.note))),
    )


def spread(row: Row) -> str:
    """Return the quartiles, and of how many ratios; of one alone there are none."""
    if row.low is None or row.high is None:
        return "\N{EN DASH} (1)" if row.rounds == 1 else ""
    rounds = f" ({row.rounds})" if row.rounds else ""
    return f"{significant(row.low)}\N{EN DASH}{significant(row.high)}{rounds}"


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "instructions":
        return f"{value / 1e6:.3g} M instr." if value >= 1e5 else f"{value:,.0f} instr."
    return f"{significant(value)} {unit}"


def significant(value: float) -> str:
    """Return a number that a person reads: three places, more only near one."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if 0.1 <= abs(value) < 10 else f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    """Return the rows for a terminal: below the name of each figure those of its peers."""
    lines = [cells(row)[1:] for row in rows]
    columns = list(zip(HEADINGS[1:], *lines, strict=True)) if lines else []
    widths = [max(map(len, column)) for column in columns[:-1]] + [0]
    texts: list[str] = []
    shown = None
    for row, line in zip(rows, lines, strict=True):
        if row.figure != shown:
            texts += ["", row.figure]
            shown = row.figure
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        texts.append("  " + "  ".join(padded).rstrip())
    return "\n".join(texts)


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table for GitHub; a figure's name stands in its first row alone."""
    lines = [HEADINGS, ("---",) * len(HEADINGS)]
    shown = None
    for row in rows:
        figure, *rest = (cell.replace("|", "\\|") for cell in cells(row))
        lines.append(("" if row.figure == shown else figure, *rest))
        shown = row.figure
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def summary(rows: Iterable[Row]) -> str:
    judged = [row.verdict for row in rows if row.target]
    return f"{judged.count('met')} targets met, {judged.count('MISSED')} missed"


def missed(rows: Iterable[Row]) -> list[str]:
    return [
        f"MISSED {row.key}: {cells(row)[5]}, target {row.target}"
        f"{f' ({row.note})' if row.note else ''}"
        for row in rows
        if row.verdict == "MISSED"
    ]


def read(path: Path) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of a JSON file of ours, and all that stands in it.

    Raises ``OSError`` where it cannot be read, ``ValueError`` with a sentence where it is another.
    """
    written = json.loads(path.read_text("utf-8"))
    if not isinstance(written, dict) or "format" not in written:
        raise ValueError("it is not a results.json of the bench")
    if written["format"] != FORMAT:
        raise ValueError(
            f"it is of format {written['format']!r}, and this bench reads {FORMAT} alone"
        )
    for name, kind in (("environment", dict), ("fast", bool), ("rows", list)):
        if not isinstance(written.get(name), kind):
            raise ValueError(f"its {name!r} is missing, or no {kind.__name__}")
    return [_row(number, row) for number, row in enumerate(written["rows"], 1)], written


def _row(number: int, written: Any) -> Row:
    """Return a row of a file, each of its fields of the type that Row names."""
    if not isinstance(written, dict):
        raise ValueError(f"row {number} is no object")
    types = {field.name: KINDS[str(field.type)] for field in fields(Row)}
    needed = {field.name for field in fields(Row) if field.default is MISSING}
    if strange := sorted((written.keys() - types.keys()) | (needed - written.keys())):
        raise ValueError(f"row {number} lacks {strange[0]!r}, or should not have it")
    for name, value in written.items():
        if isinstance(value, bool) or not isinstance(value, types[name]):
            raise ValueError(f"{name!r} of row {number} is {value!r}")
    return Row(**written)


def write(
    folder: Path, facts: dict[str, str], groups: dict[str, list[Row]], bench: Bench
) -> list[Path]:
    """Write everything into the folder; `groups` are the rows of each measurement."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for group in groups.values() for row in group]
    written = {
        "format": FORMAT,
        "environment": facts,
        "fast": bench.fast,
        "rows": [asdict(row) for row in rows],
        "values": bench.values,
    }
    form, load = "fast" if bench.fast else "full", facts["verdict"].partition(":")[0]
    label = f"{form} run on a {load} machine; {facts['python']}; {facts['openssl']}"
    texts = {"table.md": f"{label}\n\n{markdown(rows)}"}
    for name, group in groups.items():
        if picture := plot.ratios(f"{name}: ours divided by the peer's", label, group):
            texts[f"{name}.svg"] = picture
    for name, drawn in bench.plots.items():
        texts[f"{harness.named(name)}.svg"] = plot.lines(drawn, label)
    # An older run's may lie beside them.
    written["pictures"] = sorted(name for name in texts if name.endswith(".svg"))
    texts["results.json"] = json.dumps(written, indent=1, ensure_ascii=False)
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    suite: Any = _suite(bench)
    if suite is not None:
        suite.dump(str(folder / "pyperf.json"), replace=True)
    return sorted([*(folder / name for name in texts), folder / "pyperf.json"])


def _suite(bench: Bench) -> Any:
    """Return what was timed, as ``python -m pyperf`` reads it; None if nothing was."""
    pyperf: Any = import_module("pyperf")
    benchmarks = [
        pyperf.Benchmark([_run(pyperf, bench, figure, peer, index) for index in range(len(runs))])
        for figure, runs in bench.values.items()
        for peer in runs[0]
    ]
    return pyperf.BenchmarkSuite(benchmarks) if benchmarks else None


def _run(pyperf: Any, bench: Bench, figure: str, peer: str, index: int) -> Any:
    runs: list[Values] = bench.values[figure]
    metadata = {"name": f"{figure}: {peer}", "unit": bench.units[figure]}
    if figure in bench.metadata:
        metadata.update(bench.metadata[figure][index])
    return pyperf.Run(runs[index][peer], metadata=metadata, collect_metadata=False)
