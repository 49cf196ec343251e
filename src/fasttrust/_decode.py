"""
Certificates as `ssl.SSLSocket.getpeercert()` shows them, read from their DER.

`ssl` can decode only the certificate of a connection it verified itself.
This module gives the same dictionary for any certificate, oddities included: a difference from
`ssl` is a defect, except that encodings which are not DER are refused (see `_der.NotDERError`).
The bytes are taken to be hostile: the only exception is `ValueError`, and the time is linear.
"""

from __future__ import annotations

import calendar
import datetime
import re
from _ssl import txt2obj
from collections.abc import Callable
from typing import NamedTuple, TypedDict, TypeVar

from . import _der
from ._der import MalformedError, NotDERError, Reader

_T = TypeVar("_T")

# A value is text, except that a BIT STRING is bytes, and an empty one None.
Attribute = tuple[str, str | bytes | None]
Name = tuple[tuple[Attribute, ...], ...]


class _Always(TypedDict):
    subject: Name
    issuer: Name
    version: int
    serialNumber: str
    notBefore: str
    notAfter: str


class PeerCert(_Always, total=False):
    """What `getpeercert()` returns; a certificate without the extension lacks the key."""

    subjectAltName: tuple[tuple[str, str | Name], ...]
    OCSP: tuple[str, ...]
    caIssuers: tuple[str, ...]
    crlDistributionPoints: tuple[str, ...]


class _Certificate(NamedTuple):
    version: int
    serial: int
    issuer: Reader
    not_before: str
    not_after: str
    subject: Reader
    spki: bytes
    extensions: dict[bytes, list[Reader]]


_AUTHORITY_INFO_ACCESS = bytes.fromhex("2B06010505070101")
_OCSP = bytes.fromhex("2B06010505073001")
_CA_ISSUERS = bytes.fromhex("2B06010505073002")
_SUBJECT_ALT_NAME = bytes.fromhex("551D11")
_CRL_DISTRIBUTION_POINTS = bytes.fromhex("551D1F")

# The tags of a GeneralName.
_OTHER_NAME, _EMAIL, _DNS, _X400, _DIR_NAME = 0xA0, 0x81, 0x82, 0xA3, 0xA4
_EDI_PARTY, _URI, _IP, _REGISTERED_ID = 0xA5, 0x86, 0x87, 0x88
_GENERAL_NAMES = (
    _DNS, _IP, _URI, _EMAIL, _DIR_NAME, _OTHER_NAME, _REGISTERED_ID, _X400, _EDI_PARTY
)  # fmt: skip

_TEXT_NAMES = {_EMAIL: "email", _DNS: "DNS", _URI: "URI"}

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
_LINE = 2046

# After how many bytes OpenSSL breaks the line of a long serial number.
_SERIAL_LINE = 35

_DATE = rb"(\d\d)(\d\d)(\d\d)(\d\d)"
_ZONE = rb"(?:Z|([+-])(\d\d)(\d\d))"
_TIMES = {
    _der.UTC_TIME: re.compile(rb"(\d\d)" + _DATE + rb"(\d\d)?()" + _ZONE),
    _der.GENERALIZED_TIME: re.compile(rb"(\d{4})" + _DATE + rb"(?:(\d\d)(\.\d+)?)?" + _ZONE),
}
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BAD_TIME = "Bad time value"

# Where OpenSSL's calendar arithmetic begins, which it needs for times not in UTC.
_FIRST_YEAR = 1900


def decode(der: bytes) -> PeerCert:
    """
    Return the dictionary that `ssl.SSLSocket.getpeercert()` gives for the certificate `der`.

    As in `ssl`, an extension that is malformed or there twice counts as absent.

    Raises `ValueError` if `der` is not the DER of one certificate, or holds text that `ssl` could
    not show either.
    """
    certificate = _parse(der)
    result = PeerCert(
        subject=_show_name(certificate.subject),
        issuer=_show_name(certificate.issuer),
        version=certificate.version + 1,
        serialNumber=_show_serial(certificate.serial),
        notBefore=certificate.not_before,
        notAfter=certificate.not_after,
    )
    names = _extension(certificate, _SUBJECT_ALT_NAME, _general_names)
    if names is not None:
        result["subjectAltName"] = tuple(_show_general_name(tag, value) for tag, value in names)
    access = _extension(certificate, _AUTHORITY_INFO_ACCESS, _access_descriptions) or []
    ocsp = tuple(_utf8(uri) for method, uri in access if method == _OCSP)
    if ocsp:
        result["OCSP"] = ocsp
    issuers = tuple(_utf8(uri) for method, uri in access if method == _CA_ISSUERS)
    if issuers:
        result["caIssuers"] = issuers
    points = _extension(certificate, _CRL_DISTRIBUTION_POINTS, _distribution_points)
    if points:
        result["crlDistributionPoints"] = tuple(_utf8(uri) for uri in points)
    return result


def spki(der: bytes) -> bytes:
    """
    Return the SubjectPublicKeyInfo of the certificate `der`, in DER: what an RFC 7469 pin hashes.

    Raises `ValueError` if `der` is not the DER of one certificate.
    """
    return _parse(der).spki


def _parse(der: bytes) -> _Certificate:
    outer = Reader(der)
    certificate = outer.enter(_der.SEQUENCE)
    if outer.more():
        raise NotDERError("bytes follow its end")
    tbs = certificate.enter(_der.SEQUENCE)
    _algorithm(certificate)
    certificate.value(_der.BIT_STRING)
    certificate.close()

    version = 0
    if tbs.follows(0xA0):
        explicit = tbs.enter(0xA0)
        version = explicit.integer()
        explicit.close()
        if not -(1 << 63) <= version < 1 << 63:
            version = -1  # OpenSSL's "does not fit"
    serial = tbs.integer()
    _algorithm(tbs)
    issuer = _name(tbs)
    validity = tbs.enter(_der.SEQUENCE)
    not_before = _time(validity)
    not_after = _time(validity)
    validity.close()
    subject = _name(tbs)
    public_key = tbs.skip(_der.SEQUENCE)
    key = Reader(public_key).enter(_der.SEQUENCE)
    _algorithm(key)
    key.value(_der.BIT_STRING)
    key.close()
    for unique_id in (0x81, 0x82):
        if tbs.follows(unique_id):
            tbs.value(unique_id, _der.BIT_STRING)
    extensions = _extensions(tbs)
    tbs.close()
    return _Certificate(
        version, serial, issuer, not_before, not_after, subject, public_key, extensions
    )


def _extensions(tbs: Reader) -> dict[bytes, list[Reader]]:
    found: dict[bytes, list[Reader]] = {}
    if not tbs.follows(0xA3):
        return found
    explicit = tbs.enter(0xA3)
    extensions = explicit.enter(_der.SEQUENCE)
    explicit.close()
    while extensions.more():
        extension = extensions.enter(_der.SEQUENCE)
        oid = extension.value(_der.OID)
        if extension.follows(_der.BOOLEAN):
            extension.value(_der.BOOLEAN)
        found.setdefault(oid, []).append(extension.enter(_der.OCTET_STRING))
        extension.close()
    return found


def _extension(certificate: _Certificate, oid: bytes, parse: Callable[[Reader], _T]) -> _T | None:
    values = certificate.extensions.get(oid, [])
    if len(values) != 1:
        return None
    value = values[0].copy()
    try:
        parsed = parse(value)
    except MalformedError:
        return None
    if value.more():
        raise NotDERError("bytes follow the end of an extension")
    return parsed


def _algorithm(reader: Reader) -> None:
    algorithm = reader.enter(_der.SEQUENCE)
    algorithm.value(_der.OID)
    if algorithm.more():
        algorithm.any()
    algorithm.close()


def _name(reader: Reader) -> Reader:
    """
    Check the Name that comes next, and return a reader of it for `_show_name`.

    Checking and showing are apart, because `ssl` drops an extension whose structure is wrong, but
    fails on one whose text it cannot show.
    """
    start = reader.copy()
    for rdn in _rdns(reader):
        for _, tag, content in _attributes(rdn):
            if tag in _CODECS:
                _text(tag, content)
    return start


def _show_name(reader: Reader) -> Name:
    rdns = (_attributes(rdn) for rdn in _rdns(reader.copy()))
    return tuple(tuple(_show_attribute(*attribute) for attribute in rdn) for rdn in rdns if rdn)


def _rdns(reader: Reader) -> list[Reader]:
    rdns = []
    content = reader.enter(_der.SEQUENCE)
    while content.more():
        rdns.append(content.enter(_der.SET))
    return rdns


def _attributes(rdn: Reader) -> list[tuple[bytes, int, bytes]]:
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
        return _show_oid(oid), _text(tag, content)
    if tag == _der.BIT_STRING:
        return _show_oid(oid), _bits(content)
    raise ValueError(f"The certificate has a name whose {_show_oid(oid)} is not text.")


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


def _show_oid(oid: bytes) -> str:
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
        _, short, long, _ = txt2obj(dotted)
    except ValueError:
        return dotted
    return long or short


def _show_serial(serial: int) -> str:
    sign = "-" if serial < 0 else ""
    serial = abs(serial)
    digits = serial.to_bytes(max(1, (serial.bit_length() + 7) // 8), "big")
    if len(digits) <= _SERIAL_LINE:
        return sign + digits.hex().upper()
    # OpenSSL breaks the line with a backslash, and ssl reads only the first line.
    return sign + digits[:_SERIAL_LINE].hex().upper() + "\\\n"


def _time(reader: Reader) -> str:
    tag = _der.GENERALIZED_TIME if reader.follows(_der.GENERALIZED_TIME) else _der.UTC_TIME
    match = _TIMES[tag].fullmatch(reader.value(tag))
    return _BAD_TIME if match is None else _show_time(match)


def _show_time(match: re.Match[bytes]) -> str:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    if len(match[1]) == 2:
        year += 2000 if year < 50 else 1900
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return _BAD_TIME
    if not 1 <= day <= _DAYS[month - 1] + (month == 2 and calendar.isleap(year)):
        return _BAD_TIME
    if sign:
        offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
        if int(hours) > 12 or int(minutes) > 59:
            return _BAD_TIME
        if offset:
            # Only here, because datetime has no year 0 and ASN.1 does.
            try:
                local = datetime.datetime(year, month, day, hour, minute)
                utc = local - offset if sign == b"+" else local + offset
            except (ValueError, OverflowError):
                return _BAD_TIME
            if utc.year < _FIRST_YEAR:
                return _BAD_TIME
            year, month, day, hour, minute = utc.timetuple()[:5]
    clock = f"{hour:02}:{minute:02}:{second:02}{(fraction or b'').decode()}"
    return f"{_MONTHS[month - 1]} {day:2} {clock} {year} GMT"[:_LINE]


def _general_names(reader: Reader, tag: int = _der.SEQUENCE) -> list[tuple[int, Reader]]:
    content = reader.enter(tag)
    names = []
    while content.more():
        names.append(_general_name(content))
    return names


def _general_name(reader: Reader) -> tuple[int, Reader]:
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
        _name(check)
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


def _show_general_name(tag: int, value: Reader) -> tuple[str, str | Name]:
    if tag in _TEXT_NAMES:
        return _TEXT_NAMES[tag], _utf8(value.rest())
    if tag == _IP:
        return "IP Address", _show_ip(value.rest())
    if tag == _DIR_NAME:
        return "DirName", _show_name(value)
    if tag == _REGISTERED_ID:
        text = _show_oid(value.rest())
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
    return _utf8((line + newline)[len(b"othername:") : _LINE])


def _access_descriptions(reader: Reader) -> list[tuple[bytes, bytes]]:
    found = []
    content = reader.enter(_der.SEQUENCE)
    while content.more():
        description = content.enter(_der.SEQUENCE)
        method = description.value(_der.OID)
        tag, value = _general_name(description)
        description.close()
        if tag == _URI:
            found.append((method, value.rest()))
    return found


def _distribution_points(reader: Reader) -> list[bytes]:
    found = []
    content = reader.enter(_der.SEQUENCE)
    while content.more():
        point = content.enter(_der.SEQUENCE)
        if point.follows(0xA0):
            explicit = point.enter(0xA0)
            if explicit.follows(0xA1):
                _attributes(explicit.enter(0xA1))
            else:
                names = _general_names(explicit, 0xA0)
                found += [value.rest() for tag, value in names if tag == _URI]
            explicit.close()
        if point.follows(0x81):
            point.value(0x81, _der.BIT_STRING)
        if point.follows(0xA2):
            _general_names(point, 0xA2)
        point.close()
    return found


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ValueError("The certificate has an extension whose text is not UTF-8.") from error
