"""
The names in a certificate: X.501 Names, GeneralNames and the object identifiers in both.

Checking and showing are apart, because `ssl` drops an extension whose structure is wrong, but
fails on one whose text it cannot show: `check_...` raises for the first, `show_...` for the second.
"""

from __future__ import annotations

from _ssl import txt2obj

from . import _der
from ._der import MalformedError, Reader

# A value is text, except that a BIT STRING is bytes, and an empty one None.
Attribute = tuple[str, str | bytes | None]
Name = tuple[tuple[Attribute, ...], ...]

# The tags of a GeneralName.
_OTHER_NAME, _EMAIL, _DNS, _X400, _DIR_NAME = 0xA0, 0x81, 0x82, 0xA3, 0xA4
_EDI_PARTY, URI, _IP, _REGISTERED_ID = 0xA5, 0x86, 0x87, 0x88
_GENERAL_NAMES = (
    _DNS, _IP, URI, _EMAIL, _DIR_NAME, _OTHER_NAME, _REGISTERED_ID, _X400, _EDI_PARTY
)  # fmt: skip

_TEXT_NAMES = {_EMAIL: "email", _DNS: "DNS", URI: "URI"}

# The otherNames whose value OpenSSL prints, with the label it puts before it and the type the
# value must have.
_OTHER_NAMES = {
    bytes.fromhex("2B060104018237140203"): (b"UPN:", _der.UTF8_STRING),
    bytes.fromhex("2B06010505070805"): (b"XmppAddr:", _der.UTF8_STRING),
    bytes.fromhex("2B06010505070807"): (b"SRVName:", _der.IA5_STRING),
    bytes.fromhex("2B06010505070808"): (b"NAIRealm:", _der.UTF8_STRING),
    bytes.fromhex("2B06010505070809"): (b"SmtpUTF8Mailbox:", _der.UTF8_STRING),
}

# How OpenSSL reads each string type; to it, one byte is one Latin-1 character.
_CODECS = {
    _der.UTF8_STRING: "utf-8",
    _der.NUMERIC_STRING: "latin-1",
    _der.PRINTABLE_STRING: "latin-1",
    _der.TELETEX_STRING: "latin-1",
    _der.IA5_STRING: "latin-1",
    _der.UNIVERSAL_STRING: "utf-32-be",
    _der.BMP_STRING: "utf-16-be",
}

# What OpenSSL accepts as the value of a name's attribute, though it is not text: BIT STRING,
# SEQUENCE, and the universal types it has no name for.
_NOT_TEXT = {_der.BIT_STRING, _der.SEQUENCE, 0x07, 0x08, 0x09, 0x0B, 0x0D, 0x0E, 0x0F, 0x1D}

_DIRECTORY_STRINGS = set(_CODECS) - {_der.NUMERIC_STRING, _der.IA5_STRING}

# The longest object identifier, in bytes, that OpenSSL prints.
_LONGEST_OID = 586

# ssl reads what OpenSSL printed with BIO_gets() into 2,048 bytes: one line of at most so much.
LINE = 2046


def check_name(reader: Reader) -> Reader:
    """Check the Name that comes next, and return a reader of it for `show_name`."""
    start = reader.copy()
    for rdn in _rdns(reader):
        for _, tag, content in read_attributes(rdn):
            if tag in _CODECS:
                _text(tag, content)
    return start


def show_name(reader: Reader) -> Name:
    """Return the Name as `ssl` shows it, less its empty parts; the reader stays where it is."""
    rdns = (read_attributes(rdn) for rdn in _rdns(reader.copy()))
    return tuple(tuple(_show_attribute(*attribute) for attribute in rdn) for rdn in rdns if rdn)


def _rdns(reader: Reader) -> list[Reader]:
    rdns = []
    content = reader.enter(_der.SEQUENCE)
    while content.more():
        rdns.append(content.enter(_der.SET))
    return rdns


def read_attributes(rdn: Reader) -> list[tuple[bytes, int, bytes]]:
    """Return type, tag and content of each attribute of one part of a Name."""
    attributes = []
    while rdn.more():
        attribute = rdn.enter(_der.SEQUENCE)
        oid = attribute.value(_der.OID)
        tag, content = attribute.any()
        if tag not in _CODECS and tag not in _NOT_TEXT:
            raise MalformedError(f"a name has a value of tag 0x{tag:02X}")
        attribute.close()
        attributes.append((oid, tag, content))
    return attributes


def _show_attribute(oid: bytes, tag: int, content: bytes) -> Attribute:
    if tag in _CODECS:
        return show_oid(oid), _text(tag, content)
    if tag == _der.BIT_STRING:
        return show_oid(oid), _bits(content)
    raise ValueError(f"The certificate has a name whose {show_oid(oid)} is not text.")


def _text(tag: int, content: bytes) -> str:
    try:
        text = content.decode(_CODECS[tag])
    except UnicodeDecodeError as error:
        raise MalformedError(f"a name's text is not {_CODECS[tag].upper()}") from error
    if tag == _der.BMP_STRING and 2 * len(text) != len(content):
        raise MalformedError("a name's BMPString has surrogates")  # it is UCS-2, not UTF-16
    return text


def _bits(content: bytes) -> bytes | None:
    unused, bits = content[0], content[1:]
    return bits[:-1] + bytes([bits[-1] >> unused << unused]) if bits else None


def show_oid(oid: bytes) -> str:
    """Return OpenSSL's long name of an object identifier, which is DER's content; else dotted."""
    # The limit also bounds the conversion of one huge arc to decimal, which is quadratic.
    if len(oid) > _LONGEST_OID:
        raise ValueError(f"The certificate has an object identifier of {len(oid)} bytes.")
    arcs = []
    arc = 0
    for octet in oid:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(arc)
            arc = 0
    top = min(arcs[0] // 40, 2)
    dotted = ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:])))
    try:
        _, short, long, _ = txt2obj(dotted, False)  # PyPy has no default
    except ValueError:
        return dotted
    return long or short


def check_general_names(reader: Reader, tag: int = _der.SEQUENCE) -> list[tuple[int, Reader]]:
    """Check the GeneralNames that come next, and return tag and value of each."""
    content = reader.enter(tag)
    names = []
    while content.more():
        names.append(check_general_name(content))
    return names


def check_general_name(reader: Reader) -> tuple[int, Reader]:
    """Check the GeneralName that comes next, and return its tag and a reader of its value."""
    for tag in _GENERAL_NAMES:
        if reader.follows(tag):
            break
    else:
        raise MalformedError("a general name is of no known kind")
    value = reader.enter(tag)
    check = value.copy()
    if tag == _OTHER_NAME:
        _other_name(check)
        check.close()
    elif tag == _DIR_NAME:
        check_name(check)
        check.close()
    elif tag == _EDI_PARTY:
        if check.follows(0xA0):
            _directory_string(check.enter(0xA0))
        _directory_string(check.enter(0xA1))
        check.close()
    elif tag == _REGISTERED_ID:
        _der.check(_der.OID, value.rest())
    return tag, value


def _directory_string(reader: Reader) -> None:
    tag, _ = reader.any()
    if tag not in _DIRECTORY_STRINGS:
        raise MalformedError(f"a general name has a value of tag 0x{tag:02X}")
    reader.close()


def _other_name(reader: Reader) -> tuple[bytes, int, bytes]:
    oid = reader.value(_der.OID)
    explicit = reader.enter(0xA0)
    tag, content = explicit.any()
    explicit.close()
    return oid, tag, content


def show_general_name(tag: int, value: Reader) -> tuple[str, str | Name]:
    """Return a GeneralName's kind and text as `ssl` shows them."""
    if tag in _TEXT_NAMES:
        return _TEXT_NAMES[tag], show_utf8(value.rest())
    if tag == _IP:
        return "IP Address", _show_ip(value.rest())
    if tag == _DIR_NAME:
        return "DirName", show_name(value)
    if tag == _REGISTERED_ID:
        text = show_oid(value.rest())
        return "Registered ID", text if len(text) < 2048 else "<INVALID>"
    if tag == _OTHER_NAME:
        return "othername", _show_other_name(*_other_name(value))
    return "X400Name" if tag == _X400 else "EdiPartyName", "<unsupported>"


def _show_ip(address: bytes) -> str:
    if len(address) == 4:
        return ".".join(map(str, address))
    if len(address) == 16:
        # Not ipaddress, which abbreviates.
        return ":".join(f"{address[i] << 8 | address[i + 1]:X}" for i in range(0, 16, 2))
    return "<invalid>"


def _show_other_name(oid: bytes, tag: int, content: bytes) -> str:
    label, expected = _OTHER_NAMES.get(oid, (b"", -1))
    if tag != expected:
        return "<unsupported>"
    # Printed with C's "%.*s" and read back as one line: up to a NUL or through a newline.
    printed = b"othername:" + label + content.partition(b"\0")[0]
    line, newline, _ = printed.partition(b"\n")
    return show_utf8((line + newline)[len(b"othername:") : LINE])


def show_utf8(text: bytes) -> str:
    """Return text of an extension, which OpenSSL takes as it is and `ssl` wants in UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ValueError("The certificate has an extension whose text is not UTF-8.") from error
