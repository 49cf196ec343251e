"""The extensions of a certificate that `getpeercert()` shows, found and read."""

from __future__ import annotations

from collections.abc import Callable

from . import _der
from ._decode_names import URI, check_general_name, check_general_names, read_attributes
from ._der import MalformedError, NotDERError, Reader
from ._typing import TypeAlias, TypeVar

_T = TypeVar("_T")

# The values of a certificate's extensions, by object identifier.
Extensions: TypeAlias = dict[bytes, list[Reader]]

_AUTHORITY_INFO_ACCESS = bytes.fromhex("2B06010505070101")
OCSP = bytes.fromhex("2B06010505073001")
CA_ISSUERS = bytes.fromhex("2B06010505073002")
_SUBJECT_ALT_NAME = bytes.fromhex("551D11")
_CRL_DISTRIBUTION_POINTS = bytes.fromhex("551D1F")


def subject_alt_names(extensions: Extensions) -> list[tuple[int, Reader]] | None:
    """Return tag and value of each alternative name, for `show_general_name`; None without any."""
    return _extension(extensions, _SUBJECT_ALT_NAME, check_general_names)


def access_uris(extensions: Extensions) -> list[tuple[bytes, bytes]]:
    """Return method and URI of each authority information access, as far as it is a URI."""
    return _extension(extensions, _AUTHORITY_INFO_ACCESS, _access_descriptions) or []


def crl_uris(extensions: Extensions) -> list[bytes]:
    """Return the URIs under which revocation lists are published."""
    return _extension(extensions, _CRL_DISTRIBUTION_POINTS, _distribution_points) or []


def read_extensions(tbs: Reader) -> Extensions:
    """Return the extensions that come next in a certificate's signed part, if any do."""
    found: Extensions = {}
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


def _extension(extensions: Extensions, oid: bytes, parse: Callable[[Reader], _T]) -> _T | None:
    values = extensions.get(oid, [])
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


def _access_descriptions(reader: Reader) -> list[tuple[bytes, bytes]]:
    found = []
    content = reader.enter(_der.SEQUENCE)
    while content.more():
        description = content.enter(_der.SEQUENCE)
        method = description.value(_der.OID)
        tag, value = check_general_name(description)
        description.close()
        if tag == URI:
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
                read_attributes(explicit.enter(0xA1))
            else:
                names = check_general_names(explicit, 0xA0)
                found += [value.rest() for tag, value in names if tag == URI]
            explicit.close()
        if point.follows(0x81):
            point.value(0x81, _der.BIT_STRING)
        if point.follows(0xA2):
            check_general_names(point, 0xA2)
        point.close()
    return found
