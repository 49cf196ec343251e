"""Where commands print: as wide, as colourful and in such characters as the reader's terminal can.

Names come out of certificates, so everything printed passes `Paper.clean`: no character that steers
a terminal or turns the direction of writing gets through but the few that colour our own words.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from typing import NamedTuple, TextIO

# Parameters of the escape sequence SGR.
BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"

_STEERED = 4  # ENABLE_VIRTUAL_TERMINAL_PROCESSING

_NARROWEST, _WIDEST = 32, 100
_LEAST = 12  # columns that a text gets, whatever stands before it
_WORD = re.compile(r"( *)([^ ]+)")
_UNICODE = "─│├└✓✗·…"  # what we would like to print
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Styled(NamedTuple):
    """Words with a colour."""

    text: str
    style: str


class Glyphs(NamedTuple):
    """The characters beyond ASCII that commands print."""

    trunk: str
    branch: str
    last: str
    rule: str
    good: str
    bad: str
    cut: str


_FANCY = Glyphs("│  ", "├─ ", "└─ ", "─", "✓", "✗", "…")
_ASCII = Glyphs("|  ", "|- ", "`- ", "-", "OK:", "FAILED:", "...")


def printable(text: str, stand_in: str = _REPLACEMENT) -> str:
    """Return the text with a stand-in for each control, format and unassigned character.

    Among them are the marks that turn the direction of writing, U+202A to U+202E and U+2066 to
    U+2069, and the lone surrogates that no encoding takes.
    """
    return "".join(c if c.isprintable() and c != _REPLACEMENT else stand_in for c in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width_of(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _head(text: str, width: int) -> str:
    """Return as much of the text's beginning as fits into the width."""
    taken = 0
    for place, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            return text[:place]
    return text


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines at its spaces, and inside a word where that alone is too long."""
    lines: list[str] = []
    line = ""
    for space, word in _WORD.findall(text):
        if width_of(line) + len(space) + width_of(word) <= width:
            line += space + word
            continue
        if line.strip():
            lines.append(line)
        line = word
        while width_of(line) > width and (head := _head(line, width)):
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line]


def _takes_colours(stream: TextIO) -> bool:
    """Tell whether escape sequences colour a terminal: a console of Windows has to be told to.

    Where it cannot be it would print them as they are. What is set lasts as long as the console's
    present program. (SetConsoleMode, ENABLE_VIRTUAL_TERMINAL_PROCESSING, of Microsoft's "Console
    Virtual Terminal Sequences".)
    """
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt
    from ctypes import wintypes

    kernel32 = ctypes.WinDLL("kernel32")
    mode = wintypes.DWORD()
    try:
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(stream.fileno()))
    except (OSError, ValueError):  # nothing of Windows': no console either
        return False
    return bool(
        kernel32.GetConsoleMode(handle, ctypes.byref(mode))
        and (mode.value & _STEERED or kernel32.SetConsoleMode(handle, mode.value | _STEERED))
    )


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
            and _takes_colours(stream)
        )
        self.width = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))
        self.glyphs = _FANCY if self._can(_UNICODE) else _ASCII

    def clean(self, text: str) -> str:
        """Return the text without what could steer a terminal or what it cannot show."""
        stand_in = _REPLACEMENT if self._can(_REPLACEMENT) else "?"
        text = printable(text, stand_in)
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

    def block(self, text: str) -> None:
        """Print lines that are laid out, and have no colours, as they are."""
        for line in text.splitlines():
            self.line(line)

    def heading(self, text: str) -> None:
        """Print a heading with space and a rule around it."""
        self.line()
        self.line(Styled(text, BOLD))
        self.line(Styled(self.glyphs.rule * min(len(text), self.width), DIM))

    def text(
        self, text: str, *, label: str = "", indent: int = 0, style: str = "", again: bool = False
    ) -> None:
        """Print a paragraph, wrapped, the later lines below the first; a label stays plain.

        Args:
            text: the words.
            label: what stands before the first line, and with ``again`` before each.
            indent: of the label.
            style: of the words.
            again: whether the label is drawn lines.
        """
        start = " " * indent + label
        for line in _wrapped(self.clean(text), max(_LEAST, self.width - width_of(start))):
            self.line(Styled(start, DIM), Styled(line, style) if style else line)
            start = start if again else " " * width_of(start)

    def fit(self, text: str, width: int) -> str:
        """Return the text cleaned, cut to the width and padded to it."""
        text = self.clean(text)
        if width_of(text) > width:
            text = _head(text, max(0, width - len(self.glyphs.cut))) + self.glyphs.cut
        return text + " " * (width - width_of(text))

    def _can(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True
