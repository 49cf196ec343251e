"""
Certificates as `ssl.SSLSocket.getpeercert()` shows them, read from their DER.

`ssl` can decode only the certificate of a connection it verified itself.
This module gives the same dictionary for any certificate, oddities included: a difference from
`ssl` is a defect, except that encodings which are not DER are refused (see `_der.NotDERError`).
The bytes are taken to be hostile: the only exception is `ValueError`, and the time is linear.
"""

from __future__ import annotations

import re
import sys

from . import _der
from ._decode_extensions import (
    CA_ISSUERS,
    OCSP,
    Extensions,
    access_uris,
    crl_uris,
    read_extensions,
    subject_alt_names,
)
from ._decode_names import LINE, Name, check_name, show_general_name, show_name, show_utf8
from ._der import NotDERError, Reader
from ._typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypedDict

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

else:
    PeerCert = dict


class _Certificate(NamedTuple):
    version: int
    serial: int
    issuer: Reader
    not_before: str
    not_after: str
    subject: Reader
    spki: bytes
    extensions: Extensions


# After how many bytes OpenSSL breaks the line of a long serial number.
_SERIAL_LINE = 35

_DATE = rb"(\d\d)(\d\d)(\d\d)(\d\d)"
_ZONE = rb"(?:Z|([+-])(\d\d)(\d\d))"
_TIMES = {
    _der.UTC_TIME: rb"(\d\d)" + _DATE + rb"(\d\d)?()" + _ZONE,
    _der.GENERALIZED_TIME: rb"(\d{4})" + _DATE + rb"(?:(\d\d)(\.\d+)?)?" + _ZONE,
}
_LONG = 1 << (31 if sys.platform == "win32" else 63)  # beyond C's long, as versions are
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
        subject=show_name(certificate.subject),
        issuer=show_name(certificate.issuer),
        version=certificate.version + 1,
        serialNumber=_show_serial(certificate.serial),
        notBefore=certificate.not_before,
        notAfter=certificate.not_after,
    )
    names = subject_alt_names(certificate.extensions)
    if names is not None:
        result["subjectAltName"] = tuple(show_general_name(tag, value) for tag, value in names)
    access = access_uris(certificate.extensions)
    ocsp = tuple(show_utf8(uri) for method, uri in access if method == OCSP)
    if ocsp:
        result["OCSP"] = ocsp
    issuers = tuple(show_utf8(uri) for method, uri in access if method == CA_ISSUERS)
    if issuers:
        result["caIssuers"] = issuers
    points = crl_uris(certificate.extensions)
    if points:
        result["crlDistributionPoints"] = tuple(show_utf8(uri) for uri in points)
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
        if not -_LONG <= version < _LONG:
            version = -1  # OpenSSL's "does not fit"
    serial = tbs.integer()
    _algorithm(tbs)
    issuer = check_name(tbs)
    validity = tbs.enter(_der.SEQUENCE)
    not_before = _time(validity)
    not_after = _time(validity)
    validity.close()
    subject = check_name(tbs)
    public_key = tbs.skip(_der.SEQUENCE)
    key = Reader(public_key).enter(_der.SEQUENCE)
    _algorithm(key)
    key.value(_der.BIT_STRING)
    key.close()
    for unique_id in (0x81, 0x82):
        if tbs.follows(unique_id):
            tbs.value(unique_id, _der.BIT_STRING)
    extensions = read_extensions(tbs)
    tbs.close()
    return _Certificate(
        version, serial, issuer, not_before, not_after, subject, public_key, extensions
    )


def _algorithm(reader: Reader) -> None:
    algorithm = reader.enter(_der.SEQUENCE)
    algorithm.value(_der.OID)
    if algorithm.more():
        algorithm.any()
    algorithm.close()


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
    match = re.fullmatch(_TIMES[tag], reader.value(tag))
    return _BAD_TIME if match is None else _show_time(match)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _show_time(match: re.Match[bytes]) -> str:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    if len(match[1]) == 2:
        year += 2000 if year < 50 else 1900
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return _BAD_TIME
    if not 1 <= day <= _DAYS[month - 1] + (month == 2 and _is_leap(year)):
        return _BAD_TIME
    if sign:
        import datetime  # here, for it takes long

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
    return f"{_MONTHS[month - 1]} {day:2} {clock} {year} GMT"[:LINE]
