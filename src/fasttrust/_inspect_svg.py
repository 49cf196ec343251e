"""The chains as a picture: one box for each certificate, below the one that issued it.

Text only, in the reader's own fonts: no script, no link, nothing that is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from ._inspect import REFUSED, TRUSTED, UNREACHABLE, Report
from ._paper import printable, width_of
from ._tree import LEGEND, Node, plant, walk

_WIDTH = 860
_MARGIN = 24
_STEP = 28  # how far a box stands right of its issuer's
_DEEPEST = 10
_LINE = 19
_GAP = 14
_INK, _FAINT, _LINES = "#1f2933", "#52606d", "#9aa5b1"
# Fill and border of a box.
_COLOURS = {
    "leaf": ("#e3f2fd", "#1976d2"),
    "anchor": ("#e8f5e9", "#2e7d32"),
    "unused": ("#fff8e1", "#b7791f"),
    "": ("#f5f7fa", "#7b8794"),
}
_VERDICTS = {TRUSTED: "#2e7d32", REFUSED: "#c62828", UNREACHABLE: "#b7791f"}
# How wide letters are beside their size, in the wider of common fonts: a name stays in its box.
_NARROW, _BROAD = frozenset(" !'(),.:;I[]fijlrt|"), frozenset("%@MWmw_&\u2014")
_BOLD = 1.1


class _Picture:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self.y = _MARGIN

    def text(
        self,
        x: int,
        text: str,
        width: int,
        *,
        size: int = 13,
        fill: str = _INK,
        bold: bool = False,
        right: bool = False,
    ) -> None:
        """Write one line, cut to a width; ``right`` makes x its end."""
        text = _fitted(printable(text), width, size * (_BOLD if bold else 1))
        weight = ' font-weight="600"' if bold else ""
        weight += ' text-anchor="end"' if right else ""
        self._parts.append(
            f'<text x="{x}" y="{self.y}" font-size="{size}" fill="{fill}"{weight}>'
            f"{escape(_xml(text))}</text>"
        )

    def paragraph(self, text: str, *, fill: str = _FAINT) -> None:
        """Write a text over as many lines as it takes."""
        room = _WIDTH - 2 * _MARGIN
        line = ""
        for word in text.split():
            if line and _extent(f"{line} {word}", 13) > room:
                self.text(_MARGIN, line, room, fill=fill)
                self.y += _LINE
                line = ""
            line = f"{line} {word}".strip()
        self.text(_MARGIN, line, room, fill=fill)
        self.y += _LINE

    def box(self, x: int, width: int, node: Node) -> tuple[int, int]:
        """Draw a certificate and return the heights of its middle and its lower border."""
        fill, border = _COLOURS[node.role]
        lines = node.lines()
        top, height = self.y, _LINE * (1 + len(lines)) + 14
        self._parts.append(
            f'<rect x="{x}" y="{top}" width="{width}" height="{height}" rx="6" fill="{fill}" '
            f'stroke="{border}"/>'
        )
        self.y += _LINE
        room = width - 24
        if node.role:
            room -= 70
            self.text(x + width - 12, node.role, 70, size=12, fill=border, bold=True, right=True)
        self.text(x + 12, node.name, room, bold=True)
        for line in lines:
            self.y += _LINE
            self.text(x + 12, line, width - 24, size=12, fill=_FAINT)
        self.y = top + height + _GAP
        return top + height // 2, top + height

    def link(self, x: int, begin: int, end_x: int, end: int) -> None:
        self._parts.append(
            f'<path d="M{x} {begin} V{end} H{end_x}" fill="none" stroke="{_LINES}"/>'
        )

    def finish(self) -> str:
        height = self.y + _MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" font-family="system-ui, sans-serif">\n'
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def _extent(text: str, size: float) -> float:
    """Return about how wide a text is, rather too much than too little."""
    return size * sum(map(_letter, text))


def _letter(character: str) -> float:
    if character in _NARROW:
        return 0.42
    if character in _BROAD:
        return 1.02
    if not character.isascii():
        return 1.05 if width_of(character) == 2 else 0.8
    return 0.74 if character.isupper() else 0.64


def _fitted(text: str, width: int, size: float) -> str:
    """Return as much of a text as fits."""
    extent = 0.0
    for place, character in enumerate(text):
        extent += size * _letter(character)
        if extent > width:
            return text[: max(0, place - 1)] + "…"
    return text


def svg(reports: Sequence[Report]) -> str:
    """Return the chains of all servers as one picture, in SVG 1.1."""
    picture = _Picture()
    for report in reports:
        picture.y += _LINE
        picture.text(_MARGIN, str(report.target), 640, size=17, bold=True)
        fill = _VERDICTS[report.verdict]
        verdict = report.verdict
        picture.text(_WIDTH - _MARGIN, verdict, 150, size=15, fill=fill, bold=True, right=True)
        picture.y += _LINE
        _describe(picture, report)
        if report.verified or report.sent:
            _draw(picture, plant(report.verified, report.sent))
        picture.y += _GAP
    _draw_legend(picture)
    return picture.finish()


def _describe(picture: _Picture, report: Report) -> None:
    if report.error:
        code = "" if report.code is None else f"{report.code}, "
        picture.paragraph(f"{code}{report.error}", fill=_VERDICTS[report.verdict])
    if report.hint:
        picture.paragraph(report.hint)
    facts = [report.protocol, report.cipher, report.alpn and f"ALPN {report.alpn}"]
    if any(facts):
        picture.paragraph(", ".join(filter(None, facts)))


def _draw(picture: _Picture, roots: Sequence[Node]) -> None:
    # Where the latest box of each depth ends: its children hang from there.
    ends: dict[int, int] = {}
    for depth, node in walk(roots):
        level = min(depth, _DEEPEST)
        x = _MARGIN + level * _STEP
        middle, end = picture.box(x, _WIDTH - _MARGIN - x, node)
        if depth and depth <= _DEEPEST:
            picture.link(x - _STEP + 12, ends[depth - 1], x, middle)
        ends[depth] = end


def _draw_legend(picture: _Picture) -> None:
    picture.y += _GAP
    for role, meaning in LEGEND:
        picture.text(_MARGIN, role, 80, size=12, fill=_COLOURS[role][1], bold=True)
        picture.text(_MARGIN + 70, meaning, 500, size=12, fill=_FAINT)
        picture.y += _LINE


def _xml(text: str) -> str:
    # What is printable, and yet no character of XML 1.0: the two that are no characters at all.
    return "".join(c for c in text if c not in "\ufffe\uffff")
