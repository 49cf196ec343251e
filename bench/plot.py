"""Two kinds of picture, written as SVG: ratios beside one, and lines over a number.

Both have a logarithmic axis for what is compared, since a tenth and ten are equally far from even.
The colours are told apart without colour vision too, and every line has a mark of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from . import harness
from .stats import OURS, Row

WIDTH = 860
INK, FAINT, GRID, PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"
MET, MISSED, PLAIN = "#0072b2", "#d55e00", "#59636e"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#59636e", "#000000")
ROW = 18
LABELS = 470  # pixels for the words left of a picture of ratios
NARROWEST = 4  # what the top of an axis is of its bottom, at least
MOST = 50  # rows of one picture; of more than that those with a target are shown

Point = tuple[float, float]


def ratios(title: str, label: str, rows: Sequence[Row]) -> str:
    """Return a dot with its spread for each measured row; empty if there is none."""
    measured = [row for row in rows if row.ratio and (row.low is None or row.low > 0)]
    shown = measured if len(measured) <= MOST else [row for row in measured if row.target]
    if not shown:
        return ""
    axis = Log([end or 1 for row in shown for end in _ends(row)] + [0.5, 2])
    left, right, top = LABELS, WIDTH - 30, 66
    figures: list[str] = []
    parts: list[str] = []
    y = top
    for row in shown:
        if row.figure not in figures:
            figures.append(row.figure)
            y += ROW + 6
            parts.append(_text(12, y, row.figure, weight="bold"))
        y += ROW
        colour = {"met": MET, "MISSED": MISSED}.get(row.verdict, PLAIN)
        name = row.peer if row.ours == OURS else f"{row.ours} / {row.peer}"
        parts.append(_text(28, y, _short(name, 52)))
        value = f"{row.ratio:.3g}"
        parts.append(_text(left - 16, y, value, anchor="end", colour=colour))
        low, middle, high = (axis.at(v or 1, left, right) for v in _ends(row))
        parts.append(_line((low, y - 4), (high, y - 4), colour, 3, opacity=0.45))
        parts.append(f'<circle cx="{middle:.1f}" cy="{y - 4}" r="4.5" fill="{colour}"/>')
        limit = row.target.split()[1:]
        if len(limit) == 1:  # not one with a unit, which is no ratio
            at = axis.at(float(limit[0]), left, right)
            parts.append(_line((at, y - 11), (at, y + 3), INK, 1.5))
    bottom = y + 14
    grid = []
    for tick in axis.ticks:
        x = axis.at(tick, left, right)
        even = tick == 1
        grid.append(_line((x, top), (x, bottom), INK if even else GRID, 1.2 if even else 1))
        grid.append(_text(x, bottom + 16, f"{tick:g}", anchor="middle", colour=FAINT))
    legend = "dot: median; bar: quartiles; black mark: target; left of 1: ours takes less"
    if len(shown) < len(measured):
        legend += f"; {len(measured) - len(shown)} rows without a target are in the table alone"
    return _svg(bottom + 46, title, label, [*grid, *parts, _text(12, bottom + 36, legend, FAINT)])


def _ends(row: Row) -> tuple[float | None, float | None, float | None]:
    """Return where the spread begins, its middle and its end; one sample has the middle alone."""
    return row.low or row.ratio, row.ratio, row.high or row.ratio


def lines(drawn: harness.Plot, label: str) -> str:
    """Return a line for each participant, over a logarithmic x, with the spread as whiskers."""
    names = list(drawn.lines)
    points = [point for line in drawn.lines.values() for point in line]
    across = Log([x for x, *_ in points], pad=1.05)
    up = Log([y for _, *ys in points for y in ys if y > 0] or [1], pad=1.2)
    left, right, top, bottom = 76, WIDTH - 210, 84, 380
    parts: list[str] = []
    for tick in up.ticks:
        y = up.at(tick, bottom, top)
        parts.append(_line((left, y), (right, y), GRID, 1))
        parts.append(_text(left - 8, y + 4, f"{tick:g}", anchor="end", colour=FAINT))
    for x_value in sorted({x for x, *_ in points}):
        x = across.at(x_value, left, right)
        parts.append(_line((x, bottom), (x, bottom + 5), FAINT, 1))
        parts.append(_text(x, bottom + 20, f"{x_value:g}", anchor="middle", colour=FAINT))
    parts.append(_text((left + right) / 2, bottom + 42, drawn.x, anchor="middle", colour=FAINT))
    parts.append(_text(left, top - 8, drawn.y, anchor="middle", colour=FAINT))
    ends = _apart([up.at(drawn.lines[name][-1][1] or 1, bottom, top) for name in names])
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        at = [
            (across.at(x, left, right), *(up.at(y, bottom, top) for y in (middle, low, high)))
            for x, middle, low, high in drawn.lines[name]
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in at)
        width = 3 if name == OURS else 1.8
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )
        for x, y, low, high in at:
            parts.append(_line((x, low), (x, high), colour, 1.5, opacity=0.6))
            parts.append(_mark(number, x, y, colour))
        parts.append(_mark(number, right + 16, ends[number], colour))
        parts.append(_text(right + 28, ends[number] + 4, name, colour=colour))
    return _svg(bottom + 56, drawn.title, label, parts)


class Log:
    """A logarithmic axis that holds some values."""

    def __init__(self, values: Iterable[float], pad: float = 1.1) -> None:
        kept = [value for value in values if value > 0]
        self._low, self._high = min(kept) / pad, max(kept) * pad
        # A narrow axis would make mountains of small differences.
        widen = max(1.0, math.sqrt(NARROWEST * self._low / self._high))
        self._low, self._high = self._low / widen, self._high * widen
        wide = self._high / self._low > 300
        self.ticks = self._ticks(1) if wide else self._ticks(1, 2, 5)
        if len(self.ticks) < 3:
            self.ticks = self._ticks(1, 1.5, 2, 3, 4, 5, 7)

    def _ticks(self, *steps: float) -> list[float]:
        decades = range(
            math.floor(math.log10(self._low)) - 1, math.ceil(math.log10(self._high)) + 1
        )
        all_of_them = [float(f"{step}e{decade}") for decade in decades for step in steps]
        return [tick for tick in all_of_them if self._low <= tick <= self._high]

    def at(self, value: float, first: float, last: float) -> float:
        """Return the pixel of a value on an axis that goes from one pixel to another."""
        inside = min(max(value, self._low), self._high)
        share = math.log(inside / self._low) / math.log(self._high / self._low)
        return first + share * (last - first)


def _apart(ys: list[float], gap: float = 17) -> list[float]:
    """Return the heights moved down as far as their words need."""
    moved = list(ys)
    last = -math.inf
    for index in sorted(range(len(ys)), key=ys.__getitem__):
        moved[index] = last = max(ys[index], last + gap)
    return moved


def _mark(number: int, x: float, y: float, colour: str) -> str:
    size = 4.2
    if number % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>'
    corners = {
        1: ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        2: ((0, -1.2), (1.2, 1), (-1.2, 1)),
        3: ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    }[number % 4]
    path = " ".join(f"{x + dx * size:.1f},{y + dy * size:.1f}" for dx, dy in corners)
    return f'<polygon points="{path}" fill="{colour}"/>'


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(
    x: float,
    y: float,
    text: str,
    colour: str = INK,
    *,
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-weight="{weight}">{escape(text)}</text>'


def _line(start: Point, end: Point, colour: str, width: float, *, opacity: float = 1) -> str:
    (x1, y1), (x2, y2) = start, end
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    style = f'stroke="{colour}" stroke-width="{width}" stroke-opacity="{opacity}"'
    return f'<line {ends} {style} stroke-linecap="round"/>'


def _svg(height: float, title: str, label: str, parts: Sequence[str]) -> str:
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    font = 'font-family="system-ui, Helvetica, Arial, sans-serif" font-size="12.5"'
    heading = f'<text x="12" y="26" fill="{INK}" font-size="16" font-weight="bold">'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height:.0f}" rx="6" fill="{PAPER}"/>',
        f"{heading}{escape(title)}</text>",
        _text(12, 45, label, FAINT),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"
