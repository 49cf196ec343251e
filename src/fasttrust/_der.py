"""
A small, bounded reader of DER, for bytes that an attacker may have written.

A `Reader` is a window on one shared `bytes` object: nothing is copied until a value is taken out,
nothing is read past the window's end, and nothing here calls itself, so time and memory stay
proportional to the input whatever its nesting.

It raises two kinds of `ValueError`, because OpenSSL, whose answers `_decode` must give, treats
them differently.
`MalformedError` is what OpenSSL refuses too.
`NotDERError` is BER which OpenSSL tolerates and DER forbids: we stop there rather than guess.
"""

from __future__ import annotations

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
ENUMERATED = 0x0A
UTF8_STRING = 0x0C
NUMERIC_STRING = 0x12
PRINTABLE_STRING = 0x13
TELETEX_STRING = 0x14
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
UNIVERSAL_STRING = 0x1C
BMP_STRING = 0x1E
SEQUENCE = 0x30
SET = 0x31

_CONSTRUCTED = 0x20
_CLASS = 0xC0
_LONG_TAG = 0x1F
_TAG_LIMIT = 1 << 31

# How many bytes a character takes, in the types where that is more than one.
_WIDTHS = {UNIVERSAL_STRING: 4, BMP_STRING: 2}


class MalformedError(ValueError):
    """The bytes are not the structure they should be."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"The certificate is malformed: {problem}.")


class NotDERError(ValueError):
    """The bytes use an encoding that DER forbids, though a lenient parser would take it."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"The certificate is not DER: {problem}.")


class Reader:
    """
    A cursor over part of `data`, which hands out one element after the other.

    Elements are named by their identifier octet, so a SEQUENCE is 0x30 and an explicit [0] 0xA0.
    Every method raises `MalformedError` or `NotDERError`, and nothing else.
    """

    __slots__ = ("_data", "_end", "_pos")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._pos = start
        self._end = len(data) if end is None else end

    def copy(self) -> Reader:
        """Return a reader at the same place, which moves on its own."""
        return Reader(self._data, self._pos, self._end)

    def rest(self) -> bytes:
        """Return the bytes that have not been read yet."""
        return self._data[self._pos : self._end]

    def more(self) -> bool:
        """Tell whether anything is left to read."""
        return self._pos < self._end

    def close(self) -> None:
        """Raise `MalformedError` if anything is left to read."""
        if self._pos < self._end:
            raise MalformedError(f"byte {self._pos} begins something that does not belong there")

    def follows(self, tag: int) -> bool:
        """Tell whether the next element is a `tag`, for those that are optional."""
        # Without the constructed bit: the wrong form of the right tag is read, and refused.
        return self.more() and not (self._data[self._pos] ^ tag) & ~_CONSTRUCTED

    def element(self) -> tuple[int, Reader]:
        """
        Read the next element, whatever it is, and return its tag and its content.

        A tag number above 30 stands above the identifier octet, where it equals no constant.
        """
        start = self._pos
        tag = self._octet(start)
        pos = start + 1
        if tag & _LONG_TAG == _LONG_TAG:
            number, pos = self._long_tag(pos)
            tag |= number << 8
        length = self._octet(pos)
        pos += 1
        if length == 0x80:
            raise NotDERError(f"the element at byte {start} has an indefinite length")
        if length > 0x80:
            octets = self._data[pos : min(pos + length - 0x80, self._end)]
            if len(octets) < length - 0x80:
                raise MalformedError(f"the element at byte {start} is cut off")
            pos += len(octets)
            length = int.from_bytes(octets, "big")
            if octets[0] == 0 or length < 0x80:
                raise NotDERError(f"the length of the element at byte {start} is padded")
        if length > self._end - pos:
            raise MalformedError(f"the element at byte {start} is longer than what holds it")
        self._pos = pos + length
        return tag, Reader(self._data, pos, self._pos)

    def enter(self, tag: int) -> Reader:
        """Read the next element, which must be a `tag`, and return its content."""
        start = self._pos
        found, content = self.element()
        if found == tag:
            return content
        if found ^ tag == _CONSTRUCTED:
            raise NotDERError(f"byte {start} mixes up the primitive and the constructed form")
        raise MalformedError(f"tag 0x{tag:02X} should be at byte {start}, and 0x{found:02X} is")

    def value(self, tag: int, as_type: int | None = None) -> bytes:
        """
        Read the next element, a primitive `tag`, and return its content.

        The content is checked as `as_type` asks, for an implicit `tag` which does not tell.
        """
        content = self.enter(tag).rest()
        check(tag if as_type is None else as_type, content)
        return content

    def integer(self) -> int:
        """Read an INTEGER."""
        return int.from_bytes(self.value(INTEGER), "big", signed=True)

    def any(self) -> tuple[int, bytes]:
        """
        Read the next element, of any type, and return its tag and its content.

        A universal primitive is checked; the inside of anything else is left alone.
        """
        start = self._pos
        tag, reader = self.element()
        if not tag:
            raise NotDERError(f"byte {start} has tag 0, which only BER has a use for")
        if not tag & _CLASS and bool(tag & _CONSTRUCTED) != (tag | _CONSTRUCTED in (SEQUENCE, SET)):
            raise NotDERError(f"byte {start} mixes up the primitive and the constructed form")
        content = reader.rest()
        check(tag, content)
        return tag, content

    def skip(self, tag: int) -> bytes:
        """Read past the next element, which must be a `tag`, and return it, header included."""
        start = self._pos
        self.enter(tag)
        return self._data[start : self._pos]

    def _octet(self, pos: int) -> int:
        if pos >= self._end:
            raise MalformedError(f"it ends at byte {pos}, where an element should go on")
        return self._data[pos]

    def _long_tag(self, pos: int) -> tuple[int, int]:
        start = pos
        number = 0
        while True:
            octet = self._octet(pos)
            pos += 1
            number = number << 7 | octet & 0x7F
            if number >= _TAG_LIMIT:
                raise MalformedError(f"the tag number at byte {start} is absurd")
            if octet < 0x80:
                break
        if number < _LONG_TAG or self._data[start] == 0x80:
            raise NotDERError(f"the tag number at byte {start} is padded")
        return number, pos


def check(tag: int, content: bytes) -> None:
    """
    Raise `MalformedError` if `content` cannot be that of a universal primitive `tag`.

    These are the checks of OpenSSL's parser, neither more nor fewer: what it lets through,
    `getpeercert()` shows.
    """
    size = len(content)
    if tag == OID:
        # No empty identifier, none that stops inside an arc, no arc that starts with padding.
        if not size or content[-1] & 0x80 or content[0] == 0x80 or _padded_arc(content):
            raise MalformedError("an object identifier is not one")
    elif tag in (INTEGER, ENUMERATED):
        # Padding is a first byte that only repeats the sign of the second.
        if not size or (size > 1 and content[0] == (0xFF if content[1] & 0x80 else 0)):
            raise MalformedError("a number is empty or padded")
    elif tag == BIT_STRING:
        if not size or content[0] > 7:
            raise MalformedError("a bit string does not say how many bits it has")
    elif tag == BOOLEAN:
        if size != 1:
            raise MalformedError("a boolean is not one byte")
    elif tag == NULL:
        if size:
            raise MalformedError("a null is not empty")
    elif size % _WIDTHS.get(tag, 1):
        raise MalformedError(f"a string of wide characters cannot be {size} bytes long")


def _padded_arc(content: bytes) -> bool:
    at = content.find(0x80)
    while at > 0:
        if content[at - 1] < 0x80:
            return True
        at = content.find(0x80, at + 1)
    return False
