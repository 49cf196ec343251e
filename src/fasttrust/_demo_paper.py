"""Where the demo prints: as wide, as colourful and in such characters as the reader's terminal can.

Names come out of certificates, so everything printed passes `Paper.clean`: no control character
reaches the terminal but the few that colour our own words.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import NamedTuple, TextIO

# Parameters of the escape sequence SGR.
BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"

_NARROWEST, _WIDEST = 32, 100
_UNICODE = "─│├└✓✗·…"  # what we would like to print
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Styled(NamedTuple):
    """Words with a colour."""

    text: str
    style: str


class Glyphs(NamedTuple):
    """The characters beyond ASCII that the demo prints."""

    trunk: str
    branch: str
    last: str
    rule: str
    good: str
    bad: str
    cut: str


_FANCY = Glyphs("│  ", "├─ ", "└─ ", "─", "✓", "✗", "…")
_ASCII = Glyphs("|  ", "|- ", "`- ", "-", "OK:", "FAILED:", "...")


class Paper:
    """A stream to print on.

    Args:
        stream: anything with ``write``; a terminal gets colours unless NO_COLOR is set.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "ascii"
        self._colour = (
            stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb" if sys.platform != "win32" else "") != "dumb"
        )
        self.width = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))
        self.glyphs = _FANCY if self._can(_UNICODE) else _ASCII

    def clean(self, text: str) -> str:
        """Return the text without what could steer a terminal or what it cannot show."""
        stand_in = _REPLACEMENT if self._can(_REPLACEMENT) else "?"
        text = "".join(c if c.isprintable() and c != _REPLACEMENT else stand_in for c in text)
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def line(self, *parts: str | Styled) -> None:
        """Print one line that is already laid out."""
        written = ""
        for part in parts:
            if isinstance(part, Styled) and self._colour:
                written += f"\x1b[{part.style}m{self.clean(part.text)}\x1b[0m"
            else:
                written += self.clean(part.text if isinstance(part, Styled) else part)
        self._stream.write(f"{written.rstrip()}\n")
        self._stream.flush()

    def heading(self, text: str) -> None:
        """Print a heading with space and a rule around it."""
        self.line()
        self.line(Styled(text, BOLD))
        self.line(Styled(self.glyphs.rule * min(len(text), self.width), DIM))

    def text(self, text: str, *, label: str = "", indent: int = 0, style: str = "") -> None:
        """Print a paragraph, wrapped, the later lines below the first; a label stays plain."""
        start = " " * indent + label
        lines = textwrap.wrap(
            self.clean(text), max(16, self.width - len(start)), break_on_hyphens=False
        )
        for line in lines or [""]:
            self.line(Styled(start, DIM), Styled(line, style) if style else line)
            start = " " * len(start)

    def fit(self, text: str, width: int) -> str:
        """Return the text cleaned, cut to the width and padded to it."""
        text = self.clean(text)
        if len(text) > width:
            text = text[: max(0, width - len(self.glyphs.cut))] + self.glyphs.cut
        return text.ljust(width)

    def _can(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True
