"""From values to rows: each row is one participant beside one named peer of the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

#: By participant, a value for each round; position for position the rounds are the same.
Values = dict[str, list[float]]
#: Units of the table, and how many of them one unit of the measurement (s, byte, piece) is.
UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6, "instructions": 1.0, "calls": 1.0, "KiB": 1 / 1024}
OURS = "fasttrust"
UNDECIDED = "the target is within the spread"
SMALL = 0.01  # a change of a ratio by less is none, however small the spread


@dataclass(frozen=True)
class Row:
    """One line of the table: `ours` beside `peer`; `ratio` is ours divided by the peer's."""

    figure: str
    ours: str
    peer: str
    unit: str = ""
    value: float | None = None  # the median of ours, in `unit`
    peer_value: float | None = None
    ratio: float | None = None  # the median of the ratios of each round
    low: float | None = None  # their quartiles: the spread; one ratio alone has none
    high: float | None = None
    target: str = ""  # "≤ 1.03"
    verdict: str = ""  # "met", "MISSED", or why there is no figure
    note: str = ""  # what the peer does less, or what a miss is made of
    rounds: int = 0  # how many ratios there are; 0 in files that do not tell

    @property
    def key(self) -> str:
        return f"{self.figure}: {self.ours} / {self.peer}"


def absent(figure: str, peer: str, why: str) -> Row:
    """Return the row of what could not be measured."""
    return Row(figure, OURS, peer, verdict=why)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    first, middle, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, middle, third


def combined(runs: Sequence[Values], combine: Callable[[dict[str, float]], float]) -> list[float]:
    """Return what `combine` makes of each round's values, which were taken side by side."""
    return [
        combine(dict(zip(run, values, strict=True)))
        for run in runs
        for values in zip(*run.values(), strict=True)
    ]


def derive(
    runs: Sequence[Values], name: str, combine: Callable[[dict[str, float]], float]
) -> list[Values]:
    """Return the runs with one more participant, which `combine` makes of each round's values."""
    return [{**run, name: combined([run], combine)} for run in runs]


def less(runs: Sequence[Values], other: Sequence[Values]) -> list[Values]:
    """Return each value less the other's in its place."""
    return [
        {
            name: [value - part for value, part in zip(values, parts[name], strict=True)]
            for name, values in run.items()
        }
        for run, parts in zip(runs, other, strict=True)
    ]


def beside(
    figure: str,
    unit: str,
    runs: Sequence[Values],
    peer: str,
    ours: str = OURS,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """Make the row of two participants, with its verdict where there is a target."""
    mine, theirs = (quartiles([v for run in runs for v in run[name]])[1] for name in (ours, peer))
    ratios = combined(runs, lambda one: one[ours] / one[peer])
    low, ratio, high = quartiles(ratios)
    target = verdict = ""
    limit = at_most if at_most is not None else at_least
    if limit is not None:
        is_met = ratio <= limit if at_most is not None else ratio >= limit
        target = f"{'≤' if at_most is not None else '≥'} {limit:g}"
        verdict = "met" if is_met else "MISSED"
        if low <= limit <= high and low < high:
            note = "; ".join(filter(None, (UNDECIDED, note)))
    scale = UNITS[unit]
    return Row(
        figure,
        ours,
        peer,
        unit,
        mine * scale,
        theirs * scale,
        ratio,
        low if len(ratios) > 1 else None,
        high if len(ratios) > 1 else None,
        target,
        verdict,
        note,
        len(ratios),
    )


def all_beside(
    figure: str,
    unit: str,
    runs: Sequence[Values],
    ours: str = OURS,
    *,
    targets: Mapping[str, float] | None = None,
    notes: Mapping[str, str] | None = None,
) -> list[Row]:
    """Make a row of ours for every other participant; `targets` are what the ratio is at most."""
    return [
        beside(
            figure,
            unit,
            runs,
            peer,
            ours,
            at_most=(targets or {}).get(peer),
            note=(notes or {}).get(peer, ""),
        )
        for peer in runs[0]
        if peer != ours
    ]


def explain(rows: Sequence[Row], why: Mapping[str, str]) -> list[Row]:
    """Return the rows, those that missed with what a miss of their peer is made of."""
    return [
        replace(row, note="; ".join(filter(None, (row.note, why.get(row.peer, "")))))
        if row.verdict == "MISSED"
        else row
        for row in rows
    ]


def changes(old: Sequence[Row], new: Sequence[Row]) -> list[str]:
    """Return a sentence for each row that differs from the old run's beyond both spreads."""
    before = {row.key: row for row in old}
    after = {row.key: row for row in new}
    found = [_change(before[key], row) for key, row in after.items() if key in before]
    gone = [f"gone: {key}" for key, row in before.items() if row.ratio and key not in after]
    fresh = [f"new: {key}" for key, row in after.items() if row.ratio and key not in before]
    return [*filter(None, found), *gone, *fresh]


def _change(old: Row, new: Row) -> str:
    if old.ratio is None or new.ratio is None:
        if old.ratio is new.ratio:
            return ""
        return f"{'measured now' if old.ratio is None else 'not measured any more'}: {new.key}"
    if abs(new.ratio / old.ratio - 1) <= SMALL:
        return ""
    (old_low, old_high), (new_low, new_high) = _wide(old), _wide(new)
    if None in (old.low, new.low):
        return (
            f"not judged, for one sample has no spread: {new.key}: {_span(old)}, now {_span(new)}"
        )
    if not (new_low > old_high or new_high < old_low):
        return ""
    word = "better" if (new.ratio < old.ratio) == (not new.target.startswith("≥")) else "worse"
    verdict = "" if old.verdict == new.verdict else f"; was {old.verdict}, is {new.verdict}"
    return f"{word}: {new.key}: {_span(old)}, now {_span(new)}{verdict}"


def _wide(row: Row) -> tuple[float, float]:
    """Return the quartiles moved apart by half their distance each: what a quiet run keeps to."""
    low, high = row.low or 0.0, row.high or 0.0
    return low - (high - low) / 2, high + (high - low) / 2


def _span(row: Row) -> str:
    spread = f" ({row.low:.3g} to {row.high:.3g})" if None not in (row.low, row.high) else ""
    return f"{row.ratio:.3g}{spread}"
