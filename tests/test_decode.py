"""
`_decode.decode` against its reference, CPython's own `_ssl._test_decode_cert`.

Where `ssl` answers, ours is equal, and where `ssl` refuses, ours raises `ValueError`.
The one exception is what `NOT_DER` lists: encodings which are not DER, and which OpenSSL lets
through; ours refuses them, saying so.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import re
import ssl
import time
from _ssl import _test_decode_cert, nid2obj  # type: ignore[attr-defined]
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from fasttrust._decode import decode, spki

Oracle: TypeAlias = Callable[[bytes], dict[str, Any] | None]
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

# --- A writer of DER, which does not mind writing nonsense. ---


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for arc in (40 * first + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return tlv(0x06, content)


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def attribute(dotted: str, tag: int, content: bytes) -> bytes:
    return sequence(oid(dotted), tlv(tag, content))


def name(*rdns: bytes | list[bytes]) -> bytes:
    return sequence(*(tlv(0x31, *([rdn] if isinstance(rdn, bytes) else rdn)) for rdn in rdns))


def common_name(tag: int, content: bytes) -> bytes:
    return name(attribute("2.5.4.3", tag, content))


ALGORITHM = sequence(oid("1.2.840.10045.4.3.2"))
ISSUER = common_name(0x0C, b"An Issuer")
UTC = tlv(0x17, b"180105093443Z")
GENERAL = tlv(0x18, b"20500105093443Z")
SPKI = sequence(ALGORITHM, tlv(0x03, b"\0key"))
V3 = tlv(0xA0, tlv(0x02, b"\x02"))


def certificate(
    *extensions: bytes,
    version: bytes = V3,
    serial: bytes = b"\x01",
    subject: bytes = ISSUER,
    before: bytes = UTC,
    after: bytes = GENERAL,
    key: bytes = SPKI,
    unique_ids: bytes = b"",
    signature: bytes = b"\x03\x01\x00",
) -> bytes:
    tbs = sequence(
        version,
        tlv(0x02, serial),
        ALGORITHM,
        ISSUER,
        sequence(before, after),
        subject,
        key,
        unique_ids,
        tlv(0xA3, sequence(*extensions)) if extensions else b"",
    )
    return sequence(tbs, ALGORITHM, signature)


def extension(dotted: str, value: bytes, critical: bytes = b"") -> bytes:
    return sequence(oid(dotted), critical, tlv(0x04, value))


def san(*names: bytes, outer: int = 0x30) -> bytes:
    return extension("2.5.29.17", tlv(outer, *names))


def aia(*pairs: tuple[str, bytes]) -> bytes:
    value = sequence(*(sequence(oid(method), place) for method, place in pairs))
    return extension("1.3.6.1.5.5.7.1.1", value)


def crl(*points: bytes) -> bytes:
    return extension("2.5.29.31", sequence(*points))


def full_name(*names: bytes) -> bytes:
    return tlv(0xA0, tlv(0xA0, *names))


def other_name(dotted: str, tag: int, content: bytes) -> bytes:
    return tlv(0xA0, oid(dotted), tlv(0xA0, tlv(tag, content)))


def dns(content: bytes = b"example.org") -> bytes:
    return tlv(0x82, content)


def uri(content: bytes) -> bytes:
    return tlv(0x86, content)


OCSP, CA_ISSUERS, TIME_STAMPING = (f"1.3.6.1.5.5.7.48.{n}" for n in (1, 2, 3))
UPN = "1.3.6.1.4.1.311.20.2.3"

# --- The tables: what each certificate has that is worth trying, and the certificate. ---

TEXTS = {
    "NumericString": (0x12, b"123 4"),
    "PrintableString": (0x13, b"Example"),
    "PrintableString with Latin-1": (0x13, b"Caf\xe9"),
    "TeletexString": (0x14, bytes(range(0xA0, 0x100))),
    "TeletexString with C1 controls": (0x14, bytes(range(0x80, 0xA0))),
    "IA5String": (0x16, b"someone@example.org"),
    "IA5String with Latin-1": (0x16, b"\xff"),
    "UTF8String": (0x0C, "Żółć \U0001f600".encode()),
    "UTF8String with a NUL": (0x0C, b"example.org\0.example.com"),
    "UTF8String with a newline": (0x0C, b"two\nlines"),
    "UTF8String with a BOM": (0x0C, b"\xef\xbb\xbfx"),
    "UTF8String with a noncharacter": (0x0C, "\uffff".encode()),
    "UTF8String cut off": (0x0C, b"\xc5"),
    "UTF8String with an overlong NUL": (0x0C, b"\xc0\x80"),
    "UTF8String with a surrogate": (0x0C, b"\xed\xa0\x80"),
    "UTF8String above Unicode": (0x0C, b"\xf4\x90\x80\x80"),
    "BMPString": (0x1E, "Żółć".encode("utf-16-be")),
    "BMPString with a BOM": (0x1E, b"\xfe\xff\0x"),
    "BMPString with a surrogate pair": (0x1E, "\U0001f600".encode("utf-16-be")),
    "BMPString with a lone surrogate": (0x1E, b"\xd8\0"),
    "BMPString of odd length": (0x1E, b"\0x\0"),
    "UniversalString": (0x1C, "Ż\U0001f600".encode("utf-32-be")),
    "UniversalString with a surrogate": (0x1C, b"\0\0\xd8\0"),
    "UniversalString above Unicode": (0x1C, b"\0\x11\0\0"),
    "UniversalString of odd length": (0x1C, b"\0\0\0x\0"),
    "VisibleString": (0x1A, b"x"),
    "GeneralString": (0x1B, b"x"),
    "UTCTime": (0x17, b"180105093443Z"),
    "BOOLEAN": (0x01, b"\xff"),
    "INTEGER": (0x02, b"\x01"),
    "OCTET STRING": (0x04, b"x"),
    "BIT STRING": (0x03, b"\0x"),
    "BIT STRING with unused bits": (0x03, b"\x07\xff\xff"),
    "BIT STRING of no bits": (0x03, b"\0"),
    "BIT STRING of no bits, some unused": (0x03, b"\x07"),
    "BIT STRING, empty": (0x03, b""),
    "BIT STRING, invalid": (0x03, b"\x08x"),
    "SEQUENCE": (0x30, b""),
    "ObjectDescriptor": (0x07, b"x"),
    "REAL": (0x09, b"x"),
    "a context tag": (0x80, b"x"),
} | {
    f"empty string of tag {tag:#x}": (tag, b"")
    for tag in (0x0C, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E)
}

NAMES = {
    "empty": name(),
    "multi-valued RDN": name(
        [attribute("2.5.4.3", 0x0C, b"a"), attribute("2.5.4.10", 0x0C, b"b")],
        attribute("2.5.4.6", 0x13, b"PL"),
    ),
    "the same attribute twice": name(*[attribute("2.5.4.11", 0x0C, b"a")] * 2),
    "only an empty RDN": name([]),
    "an empty RDN between others": name(
        attribute("2.5.4.3", 0x0C, b"a"), [], attribute("2.5.4.3", 0x0C, b"b")
    ),
    "unknown attribute": name(attribute("1.2.3.4.5", 0x0C, b"a")),
    "attribute under 2.999": name(attribute("2.999.3", 0x0C, b"a")),
    "attribute 0.0": name(attribute("0.0", 0x0C, b"a")),
    "attribute 1.39": name(attribute("1.39", 0x0C, b"a")),
    "attribute with an arc above 64 bits": name(attribute(f"1.2.{1 << 70}", 0x0C, b"a")),
    "attribute with a huge first arc": name(attribute(f"2.{1 << 70}", 0x0C, b"a")),
    "attribute with a long name": name(attribute("1.2" + ".127" * 300, 0x0C, b"a")),
    "attribute of 586 bytes": name(attribute("1.2" + ".127" * 585, 0x0C, b"a")),
    "attribute of 587 bytes": name(attribute("1.2" + ".127" * 586, 0x0C, b"a")),
    "attribute of one 586-byte arc": name(attribute(f"2.{1 << 7 * 585}", 0x0C, b"a")),
    "padded attribute type": name(sequence(b"\x06\x03\x55\x80\x03", tlv(0x0C, b"a"))),
    "attribute type padded at its start": name(sequence(b"\x06\x02\x80\x03", tlv(0x0C, b"a"))),
    "attribute type cut off": name(sequence(b"\x06\x02\x55\x84", tlv(0x0C, b"a"))),
    "no attribute type": name(sequence(b"\x06\x00", tlv(0x0C, b"a"))),
    "no value": name(sequence(oid("2.5.4.3"))),
    "two values": name(sequence(oid("2.5.4.3"), tlv(0x0C, b"a"), tlv(0x0C, b"b"))),
    "SEQUENCE in place of SET": sequence(sequence(attribute("2.5.4.3", 0x0C, b"a"))),
    "end-of-contents": sequence(b"\0\0"),
} | {f"{what}": common_name(*value) for what, value in TEXTS.items()}

SERIALS = {
    f"{number:#x}"[:40]: number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
    for number in (
        *(0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xABCDEF, 1 << 64, (1 << 159) + 1),
        *(-1, -0x7F, -0x80, -0x81, -0xFF, -0x100, -0x101, -0x8000, -0x10000, -(1 << 64)),
        *((1 << 279) - 1, 1 << 279, (1 << 280) - 1, 1 << 280, -(1 << 280), 1 << 800, 1 << 40000),
    )
}
SERIALS |= {"empty": b"", "padded": b"\0\x01", "padded negative": b"\xff\xff", "two zeros": b"\0\0"}
SERIALS |= {"negative, all zeros": b"\xff\0\0", "lowest": b"\x80\0", "padded lowest": b"\xff\x80\0"}

VERSIONS = {
    "absent": b"",
    **{
        str(number): tlv(
            0xA0, tlv(0x02, number.to_bytes(10, "big", signed=True).lstrip(b"\0") or b"\0")
        )
        for number in (0, 1, 2, 3, 127, 1 << 40)
    },
    "-1": tlv(0xA0, tlv(0x02, b"\xff")),
    "above 64 bits": tlv(0xA0, tlv(0x02, b"\x01" + bytes(9))),
    "below 64 bits": tlv(0xA0, tlv(0x02, b"\xfe" + bytes(9))),
    "not a number": tlv(0xA0, tlv(0x0C, b"3")),
    "two numbers": tlv(0xA0, tlv(0x02, b"\x02"), tlv(0x02, b"\x02")),
    "nothing": tlv(0xA0),
}

UTC_TIMES = r"""
180105093443Z 491231235959Z 500101000000Z 000229000000Z 010229000000Z 180105093443+0000
180105093443+0130 180105093443-1259 180105093443+1300 180105093443+0060 180105003443+0100
180101003443+0100 171231233443-0100 500101003443+0100 1801050934+0100 1801050934-0000
18010509344Z+ 1801050934Z 180105093460Z 180005093443Z 181305093443Z 180100093443Z 180132093443Z
180431093443Z 180105243443Z 180105096043Z 180105093443 180105093443z 180105093443ZZ
180105093443+01 180105093443+010x 180105093443.5Z 18010509344\u0663Z x80105093443Z
180105093443Z\n 180105093443\0 20180105093443Z Z \0
"""
GENERAL_TIMES = r"""
20180105093443Z 00000101000000Z 00000229000000Z 99991231235959Z 18991231235959Z 19000229000000Z
20000229000000Z 21000229000000Z 20180105093443.5Z 20180105093443.Z 20180105093443.123456789Z
20180105093443.5 20180105093443.5+0100 201801050934+0100 201801050934.5+0100 20180105093443+0100
20180105093443-0000 99991231235959-0001 19000101000000+0001 19000101000000+0000
18991231235959-0001 18000101000000-0001 00000101000000+0001 00000101000000-0000 20180105093443,5Z
20180105093443Z0 180105093443Z 180105093443+0100 2018010509344Z 20181305093443Z 20180105093443..5Z
20180105093443.\u0663Z 20180105093443.5-1130 Z \0
"""
TIMES = {
    f"{kind} {text}": tlv(tag, text.encode().decode("unicode_escape").encode())
    for kind, tag, texts in (("UTCTime", 0x17, UTC_TIMES), ("GeneralizedTime", 0x18, GENERAL_TIMES))
    for text in texts.split()
} | {
    "UTCTime, empty": tlv(0x17),
    "GeneralizedTime, empty": tlv(0x18),
    "GeneralizedTime with a long fraction": tlv(0x18, b"20180105093443." + b"5" * 2500 + b"Z"),
    "a string": tlv(0x0C, b"180105093443Z"),
    "a context tag": tlv(0x97, b"180105093443Z"),
}

OTHER_VALUES = {
    "UTF8String": (0x0C, "zażółć".encode()),
    "IA5String": (0x16, b"_ldap.example.org"),
    "empty UTF8String": (0x0C, b""),
    "empty IA5String": (0x16, b""),
    "UTF8String with a NUL": (0x0C, b"a\0b"),
    "UTF8String with a newline": (0x0C, b"a\nb\nc"),
    "UTF8String with a newline after a NUL": (0x0C, b"a\0b\nc"),
    "UTF8String with a colon": (0x0C, b"a:b"),
    "UTF8String, invalid": (0x0C, b"\xff"),
    "UTF8String, long": (0x0C, b"x" * 5000),
    "UTF8String, long with a newline": (0x0C, b"x" * 5000 + b"\n"),
    "UTF8String, long and cut inside a character": (0x0C, "é".encode() * 1500),
    "UTF8String, long and cut inside a character, shifted": (0x0C, b"x" + "é".encode() * 1500),
    "NULL": (0x05, b""),
    "NULL, not empty": (0x05, b"x"),
    "INTEGER": (0x02, b"\x05"),
    "INTEGER, padded": (0x02, b"\0\x05"),
    "ENUMERATED, empty": (0x0A, b""),
    "BOOLEAN": (0x01, b"\x01"),
    "BOOLEAN, too long": (0x01, b"\x01\x01"),
    "OBJECT IDENTIFIER": (0x06, b"\x55\x04\x03"),
    "OBJECT IDENTIFIER, invalid": (0x06, b"\x80"),
    "BIT STRING": (0x03, b"\x07\x80"),
    "BIT STRING, invalid": (0x03, b"\x08\x80"),
    "BMPString, odd": (0x1E, b"x"),
    "UniversalString, odd": (0x1C, b"xx"),
    "UTCTime": (0x17, b"x" * 13),
    "GeneralizedTime": (0x18, b"x" * 15),
    "SEQUENCE": (0x30, b"\xff\xff"),
    "SET": (0x31, b""),
    "a context tag": (0x80, b"x"),
    "a constructed context tag": (0xA0, b"x"),
    "an application tag": (0x41, b"x"),
}
OTHER_TYPES = {"UPN": UPN, "unknown": "1.2.3.4"} | {
    what: f"1.3.6.1.5.5.7.8.{n}" for what, n in (("XMPP", 5), ("SRV", 7), ("NAI", 8), ("SMTP", 9))
}

GENERAL_NAMES = {
    "nothing": b"",
    "DNS": dns(),
    "several": dns()
    + uri(b"https://example.org/")
    + tlv(0x81, b"a@b")
    + tlv(0x87, b"\x7f\0\0\x01"),
    "DNS with a NUL": dns(b"example.org\0.example.com"),
    "DNS in UTF-8": dns("żółć.example".encode()),
    "DNS not in UTF-8": dns(b"\xff.example"),
    "DNS, empty": dns(b""),
    "DNS, long": dns(b"x" * 5000),
    "DNS with a newline": dns(b"a\nb"),
    "email": tlv(0x81, b"someone@example.org"),
    "email not in UTF-8": tlv(0x81, b"\xe9"),
    "URI": uri(b"https://example.org/?a=b"),
    "URI not in UTF-8": uri(b"\xc3"),
    **{
        f"IP of {n} bytes": tlv(0x87, bytes(range(0xF0, 0xF0 + n))) for n in (0, 3, 4, 5, 8, 15, 16)
    },
    "IPv6, short": tlv(0x87, bytes(15) + b"\x01"),
    "IPv6": tlv(0x87, bytes.fromhex("20010db8000000000000abcd0000000f")),
    **{f"DirName: {what}": tlv(0xA4, value) for what, value in NAMES.items()},
    "DirName, empty tag": tlv(0xA4),
    "DirName, two": tlv(0xA4, name(), name()),
    "Registered ID": tlv(0x88, b"\x2a\x03\x04"),
    "Registered ID that has a name": tlv(0x88, b"\x55\x04\x03"),
    "Registered ID, long": tlv(0x88, b"\x2a" + b"\x7f" * 400),
    "Registered ID, too long to print": tlv(0x88, b"\x2a" + b"\x7f" * 585),
    "Registered ID, too long to convert": tlv(0x88, b"\x2a" + b"\x7f" * 586),
    "Registered ID, invalid": tlv(0x88, b"\x80"),
    "X400Name": tlv(0xA3, b"\xff\xff"),
    "X400Name, empty": tlv(0xA3),
    "EdiPartyName": tlv(0xA5, tlv(0xA0, tlv(0x0C, b"a")), tlv(0xA1, tlv(0x13, b"b"))),
    "EdiPartyName, party only": tlv(0xA5, tlv(0xA1, tlv(0x1E, b"\0b"))),
    "EdiPartyName, assigner only": tlv(0xA5, tlv(0xA0, tlv(0x0C, b"a"))),
    "EdiPartyName in IA5String": tlv(0xA5, tlv(0xA1, tlv(0x16, b"b"))),
    "EdiPartyName in odd BMPString": tlv(0xA5, tlv(0xA1, tlv(0x1E, b"b"))),
    "EdiPartyName with two values": tlv(0xA5, tlv(0xA1, tlv(0x0C, b"b"), tlv(0x0C, b"b"))),
    "EdiPartyName, empty": tlv(0xA5),
    "a tenth kind": tlv(0x89, b"x"),
    "a universal tag": tlv(0x0C, b"x"),
    "cut off": b"\x82\x05x",
    "end-of-contents": b"\0\0",
    "othername without a value": tlv(0xA0, oid(UPN)),
    "othername with an empty value": tlv(0xA0, oid(UPN), tlv(0xA0)),
    "othername with two values": tlv(0xA0, oid(UPN), tlv(0xA0, tlv(0x0C, b"a"), tlv(0x0C, b"b"))),
    "othername with more": tlv(0xA0, oid(UPN), tlv(0xA0, tlv(0x0C, b"a")), tlv(0x0C, b"b")),
    "othername with a high tag": tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f\x81\x01\x00")),
    "othername with an absurd tag": tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f\xff\xff\xff\xff\x7f\0")),
    "othername with a tag cut off": tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f\x81")),
    **{
        f"othername {kind}: {what}": other_name(dotted, *value)
        for kind, dotted in OTHER_TYPES.items()
        for what, value in OTHER_VALUES.items()
    },
}

CERTIFICATES: dict[str, bytes] = {
    **{f"subject: {what}": certificate(subject=value) for what, value in NAMES.items()},
    **{f"serial number: {what}": certificate(serial=value) for what, value in SERIALS.items()},
    **{f"version: {what}": certificate(version=value) for what, value in VERSIONS.items()},
    **{f"SAN: {what}": certificate(san(value)) for what, value in GENERAL_NAMES.items()},
    **{
        f"SAN, then DNS: {what}": certificate(san(value, dns()))
        for what, value in GENERAL_NAMES.items()
    },
    **{f"AIA: {what}": certificate(aia((OCSP, value))) for what, value in GENERAL_NAMES.items()},
    **{
        f"CRL: {what}": certificate(crl(sequence(full_name(uri(b"http://a/"), value))))
        for what, value in GENERAL_NAMES.items()
    },
    "v1 with extensions": certificate(san(dns()), version=b""),
    "SAN twice": certificate(san(dns(b"a")), san(dns(b"b"))),
    "SAN of no bytes": certificate(extension("2.5.29.17", b"")),
    "SAN that is a string": certificate(extension("2.5.29.17", tlv(0x0C, b"a"))),
    "SAN that is a SET": certificate(san(dns(), outer=0x31)),
    "SAN cut off": certificate(extension("2.5.29.17", b"\x30\x05\x82\x01a")),
    "critical SAN": certificate(extension("2.5.29.17", sequence(dns()), b"\x01\x01\xff")),
    "SAN critical in BER": certificate(extension("2.5.29.17", sequence(dns()), b"\x01\x01\x01")),
    "SAN not critical, and saying so": certificate(
        extension("2.5.29.17", sequence(dns()), b"\x01\x01\x00")
    ),
    "SAN critical for too long": certificate(
        extension("2.5.29.17", sequence(dns()), b"\x01\x02\xff\xff")
    ),
    "SAN critical twice": certificate(extension("2.5.29.17", sequence(dns()), b"\x01\x01\xff" * 2)),
    "empty list of extensions": certificate(b""),
    "unknown extension": certificate(extension("1.2.3.4", b"\xff"), san(dns())),
    "unknown extension twice": certificate(*[extension("1.2.3.4", b"\xff")] * 2, san(dns())),
    "issuer alternative name": certificate(extension("2.5.29.18", sequence(dns()))),
    "AIA, empty": certificate(aia()),
    "AIA of several": certificate(
        aia(
            (CA_ISSUERS, uri(b"http://a/")),
            (OCSP, uri(b"http://b/")),
            (CA_ISSUERS, uri(b"http://c/")),
            (TIME_STAMPING, uri(b"http://d/")),
            (OCSP, dns()),
        )
    ),
    "AIA of no use": certificate(aia((TIME_STAMPING, uri(b"http://d/\xff")))),
    "AIA twice": certificate(aia((OCSP, uri(b"a"))), aia((CA_ISSUERS, uri(b"b")))),
    "AIA, half": certificate(aia((OCSP, uri(b"a")), (OCSP, b""))),
    "AIA, one and a half": certificate(aia((OCSP, uri(b"a") + uri(b"b")))),
    "CRL, empty": certificate(crl()),
    "CRL, empty point": certificate(crl(sequence())),
    "CRL of several": certificate(
        crl(
            sequence(full_name(uri(b"http://a/"), dns(), uri(b"ldap://b/"))),
            sequence(),
            sequence(full_name(uri(b"http://c/")), tlv(0x81, b"\x05\x60")),
            sequence(full_name(uri(b"http://d/")), tlv(0xA2, tlv(0xA4, ISSUER))),
        )
    ),
    "CRL with reasons only": certificate(crl(sequence(tlv(0x81, b"\x05\x60")))),
    "CRL with invalid reasons": certificate(
        crl(sequence(full_name(uri(b"http://a/")), tlv(0x81, b"")))
    ),
    "CRL with an invalid issuer": certificate(
        crl(sequence(full_name(uri(b"http://a/")), tlv(0xA2, b"\x89\0")))
    ),
    "CRL with its fields in disorder": certificate(
        crl(sequence(tlv(0x81, b"\x05\x60"), full_name(uri(b"http://a/"))))
    ),
    "CRL with a relative name": certificate(
        crl(sequence(tlv(0xA0, tlv(0xA1, attribute("2.5.4.3", 0x0C, b"a")))))
    ),
    "CRL with a relative name, then a URI": certificate(
        crl(
            sequence(tlv(0xA0, tlv(0xA1, attribute("2.5.4.3", 0x0C, b"a")))),
            sequence(full_name(uri(b"http://a/"))),
        )
    ),
    "CRL with an invalid relative name": certificate(
        crl(
            sequence(tlv(0xA0, tlv(0xA1, attribute("2.5.4.3", 0x0C, b"\xff")))),
            sequence(full_name(uri(b"http://a/"))),
        )
    ),
    "CRL with an empty name": certificate(crl(sequence(full_name()))),
    "CRL with no name": certificate(crl(sequence(tlv(0xA0)))),
    "CRL with two names": certificate(crl(sequence(tlv(0xA0, tlv(0xA0), tlv(0xA0))))),
    "unique identifiers": certificate(unique_ids=tlv(0x81, b"\0a") + tlv(0x82, b"\0b")),
    "unique identifiers in disorder": certificate(unique_ids=tlv(0x82, b"\0") + tlv(0x81, b"\0")),
    "unique identifier, invalid": certificate(unique_ids=tlv(0x81, b"")),
    "unknown field": certificate(unique_ids=tlv(0x84, b"")),
    "no signature": certificate(signature=b""),
    "signature of no bits": certificate(signature=b"\x03\x00"),
    "two signatures": certificate(signature=b"\x03\x01\x00" * 2),
    "no key": certificate(key=b""),
    "key of no bits": certificate(key=sequence(ALGORITHM, b"\x03\x00")),
    "key with NULL parameters": certificate(
        key=sequence(sequence(oid("1.2.840.113549.1.1.1"), b"\x05\0"), tlv(0x03, b"\0x"))
    ),
    "key with an invalid NULL": certificate(
        key=sequence(sequence(oid("1.2.840.113549.1.1.1"), b"\x05\1x"), tlv(0x03, b"\0x"))
    ),
    "key with two parameters": certificate(
        key=sequence(sequence(oid("1.2.3"), b"\x05\0\x05\0"), tlv(0x03, b"\0x"))
    ),
    "key with something after it": certificate(key=sequence(ALGORITHM, tlv(0x03, b"\0x"), b"\5\0")),
    "nothing": b"",
    "an empty SEQUENCE": b"\x30\x00",
    "a lone octet": b"\x30",
    "a number": b"\x02\x01\x05",
    "a length beyond the end": b"\x30\x84\xff\xff\xff\xff",
    "a length of 127 octets": b"\x30\xff" + b"\xff" * 127,
    "a length cut off": b"\x30\x84\xff",
}  # fmt: skip


BODY = certificate()[3:]

# What OpenSSL reads though it is not DER, and we refuse: the whole list.
NOT_DER = {
    "bytes after the certificate": certificate() + b"\0",
    "bytes after an extension": certificate(extension("2.5.29.17", sequence(dns()) + b"\0")),
    "a padded length": b"\x30\x82\x00" + bytes([len(BODY)]) + BODY,
    "a short length in the long form": certificate(san(b"\x82\x81\x01a")),
    "an indefinite length": b"\x30\x80" + BODY + b"\0\0",
    "an indefinite length in an extension": certificate(
        extension("2.5.29.17", b"\x30\x80" + dns() + b"\0\0")
    ),
    "a constructed UTF8String": certificate(subject=common_name(0x2C, tlv(0x0C, b"a"))),
    "a constructed BIT STRING": certificate(signature=tlv(0x23, b"\x03\x01\x00")),
    "a constructed OCTET STRING": certificate(
        sequence(oid("2.5.29.17"), tlv(0x24, tlv(0x04, sequence(dns()))))
    ),
    "a constructed UTCTime": certificate(before=tlv(0x37, UTC)),
    "a constructed DNS name": certificate(san(tlv(0xA2, tlv(0x16, b"a")))),
    "a constructed IP address": certificate(san(tlv(0xA7, tlv(0x04, bytes(4))))),
    "key with parameters of tag 0": certificate(
        key=sequence(sequence(oid("1.2.3"), b"\0\1x"), tlv(0x03, b"\0x"))
    ),
    "othername of tag 0": certificate(san(other_name(UPN, 0x00, b"x"))),
    "a constructed value of an othername": certificate(
        san(other_name(UPN, 0x2C, tlv(0x0C, b"a")))
    ),
    "a primitive SEQUENCE OF": certificate(subject=b"\x10" + ISSUER[1:]),
    "a primitive SET OF": certificate(subject=sequence(b"\x11" + ISSUER[3:])),
    "a primitive SAN": certificate(san(dns(), outer=0x10)),
    "a low tag in the long form": certificate(subject=b"\x3f\x10" + ISSUER[1:]),
    "a long tag with a padded number": certificate(
        san(tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f\x80\x81\x01\x00")))
    ),
    # These ssl shows without the extension, which OpenSSL could not read.
    "a constructed Registered ID": certificate(san(tlv(0xA8, b"\x2a"))),
    "a primitive DirName": certificate(san(tlv(0x84, name()))),
}  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    """Return what `ssl` makes of a DER certificate: a dictionary, or None if it refuses."""
    path = tmp_path_factory.mktemp("decode") / "certificate.pem"

    def ask(der: bytes) -> dict[str, Any] | None:
        path.write_text(ssl.DER_cert_to_PEM_cert(der))
        try:
            return dict(_test_decode_cert(os.fspath(path)))
        except (ssl.SSLError, ValueError, SystemError):
            return None

    return ask


def ours(der: bytes) -> tuple[Any, str]:
    """Return what `decode` makes of `der`, and its message if it refuses."""
    try:
        return decode(der), ""
    except UnicodeError:
        raise  # it is a ValueError too, but says nothing to whoever reads it
    except ValueError as error:
        return None, str(error)


def check(reference: Oracle, der: bytes) -> None:
    """Assert that `decode` and `ssl` agree on `der`, or that it is not DER."""
    answer, refusal = ours(der)
    if not refusal.startswith("The certificate is not DER: "):
        assert reference(der) == answer


def check_times(reference: Oracle, der: bytes) -> None:
    """
    Assert that `decode` and `ssl` agree on `der`, whose times RFC 5280 may forbid.

    About those, versions of OpenSSL differ: some leave out "GMT" after subtracting an offset, and
    some call a text that is too short malformed, where 3.0 prints "Bad time value".
    """
    expected = reference(der)
    answer, _ = ours(der)
    if expected is None:
        assert answer is None or "Bad time value" in answer.values()
        return
    for key in ("notBefore", "notAfter"):
        expected[key] = expected[key].removesuffix(" GMT")
        answer[key] = answer[key].removesuffix(" GMT")
    assert expected == answer


@pytest.mark.parametrize("what", TIMES)
def test_decode_times_equal_ssl(reference: Oracle, what: str) -> None:
    """Every oddity in a time is shown as `ssl` shows it, and refused where `ssl` refuses it."""
    check_times(reference, certificate(before=TIMES[what]))
    check_times(reference, certificate(after=TIMES[what]))


@pytest.mark.parametrize("what", CERTIFICATES)
def test_decode_equals_ssl(reference: Oracle, what: str) -> None:
    """Every oddity in the table is shown as `ssl` shows it, and refused where `ssl` refuses it."""
    der = CERTIFICATES[what]
    answer, refusal = ours(der)
    assert reference(der) == answer
    assert (answer is None) == refusal.startswith("The certificate ")


@pytest.mark.parametrize("what", NOT_DER)
def test_decode_not_der_refused(reference: Oracle, what: str) -> None:
    """What OpenSSL tolerates though it is not DER raises ValueError, which says so."""
    assert reference(NOT_DER[what]) is not None
    with pytest.raises(ValueError, match=r"^The certificate is not DER: .*\.$"):
        decode(NOT_DER[what])


def test_decode_known_attributes_named(reference: Oracle) -> None:
    """Each object identifier that OpenSSL knows is shown by its long name."""
    dotted = []
    for nid in range(1, 2000):
        with contextlib.suppress(ValueError):
            dotted.append(nid2obj(nid)[3])
    dotted = [one for one in dotted if one]
    assert len(dotted) > 800
    der = certificate(subject=name(*(attribute(one, 0x0C, b"x") for one in dotted)))
    check(reference, der)
    assert "commonName" in {rdn[0][0] for rdn in decode(der)["subject"]}


def test_decode_example_as_documented() -> None:
    """The dictionary has the shapes that the documentation of `ssl` gives."""
    der = certificate(
        san(dns(), tlv(0xA4, ISSUER)),
        aia((OCSP, uri(b"http://o/"))),
        subject=name(),
        serial=b"\x0a",
    )
    assert decode(der) == {
        "subject": (),
        "issuer": ((("commonName", "An Issuer"),),),
        "version": 3,
        "serialNumber": "0A",
        "notBefore": "Jan  5 09:34:43 2018 GMT",
        "notAfter": "Jan  5 09:34:43 2050 GMT",
        "subjectAltName": (
            ("DNS", "example.org"),
            ("DirName", ((("commonName", "An Issuer"),),)),
        ),
        "OCSP": ("http://o/",),
    }


# --- Certificates that somebody would issue. ---

EC_KEY = ec.generate_private_key(ec.SECP256R1())
FULL_NAME = x509.Name(
    [
        x509.RelativeDistinguishedName(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "Zażółć"),
                x509.NameAttribute(NameOID.USER_ID, "42"),
            ]
        ),
        *(
            x509.RelativeDistinguishedName([x509.NameAttribute(attribute_oid, "PL")])
            for attribute_oid in (
                *(NameOID.COUNTRY_NAME, NameOID.STATE_OR_PROVINCE_NAME, NameOID.LOCALITY_NAME),
                *(NameOID.ORGANIZATION_NAME, NameOID.SERIAL_NUMBER, NameOID.EMAIL_ADDRESS),
                *(NameOID.DOMAIN_COMPONENT, NameOID.JURISDICTION_COUNTRY_NAME, NameOID.PSEUDONYM),
                x509.ObjectIdentifier("1.2.3.4"),
            )
        ),
    ]
)
LOCATIONS = [
    x509.DNSName("example.org"),
    x509.DNSName("*.example.org"),
    x509.RFC822Name("someone@example.org"),
    x509.UniformResourceIdentifier("https://example.org/"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::f")),
    x509.DirectoryName(FULL_NAME),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
    x509.OtherName(x509.ObjectIdentifier(UPN), tlv(0x0C, b"someone@example.org")),
]
EXTENSIONS: dict[str, list[x509.ExtensionType]] = {
    "nothing": [],
    "one name": [x509.SubjectAlternativeName(LOCATIONS[:1])],
    "every name": [x509.SubjectAlternativeName(LOCATIONS)],
    "authority information": [
        x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(AuthorityInformationAccessOID.OCSP, LOCATIONS[3]),
                x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, LOCATIONS[3]),
            ]
        )
    ],
    "revocation lists": [
        x509.CRLDistributionPoints(
            [
                x509.DistributionPoint(LOCATIONS[2:5], None, None, LOCATIONS[6:7]),
                x509.DistributionPoint(None, FULL_NAME.rdns[0], None, LOCATIONS[6:7]),
            ]
        )
    ],
    "all together": [
        x509.BasicConstraints(ca=True, path_length=1),
        x509.SubjectAlternativeName(LOCATIONS),
        x509.AuthorityInformationAccess(
            [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, LOCATIONS[3])]
        ),
        x509.CRLDistributionPoints([x509.DistributionPoint(LOCATIONS[3:4], None, None, None)]),
        x509.SubjectKeyIdentifier.from_public_key(EC_KEY.public_key()),
    ],
}


def issue(extensions: list[x509.ExtensionType], public_key: PublicKey) -> bytes:
    start = datetime.datetime(2018, 1, 5, 9, 34, 43, tzinfo=datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(FULL_NAME)
        .issuer_name(FULL_NAME)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=20000))
        .public_key(public_key)
    )
    for value in extensions:
        builder = builder.add_extension(value, critical=False)
    return builder.sign(EC_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("what", EXTENSIONS)
def test_decode_issued_equals_ssl(reference: Oracle, what: str) -> None:
    """A certificate that `cryptography` issues is shown as `ssl` shows it."""
    der = issue(EXTENSIONS[what], EC_KEY.public_key())
    answer = reference(der)
    assert answer is not None
    assert answer == decode(der)


def bundle(path: str | os.PathLike[str]) -> Iterator[bytes]:
    pem = r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----"
    for match in re.finditer(pem, Path(path).read_text(encoding="utf-8"), re.DOTALL):
        yield ssl.PEM_cert_to_DER_cert(match[0])


SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.mark.skipif(not SYSTEM_BUNDLE.exists(), reason="needs Debian's bundle of roots")
def test_decode_system_roots_equal_ssl(reference: Oracle) -> None:
    """Every root that the system trusts is shown as `ssl` shows it."""
    roots = list(bundle(SYSTEM_BUNDLE))
    assert roots
    assert [reference(root) for root in roots] == [decode(root) for root in roots]


def test_decode_certifi_roots_equal_ssl(reference: Oracle) -> None:
    """Every root in certifi is shown as `ssl` shows it."""
    certifi = pytest.importorskip("certifi")
    roots = list(bundle(certifi.where()))
    assert roots
    assert [reference(root) for root in roots] == [decode(root) for root in roots]


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_spki_equals_key(kind: str) -> None:
    """`spki` gives the bytes of the key which the certificate was issued for."""
    keys: dict[str, Callable[[], PublicKey]] = {
        "ec": EC_KEY.public_key,
        "rsa": lambda: rsa.generate_private_key(65537, 2048).public_key(),
        "ed25519": lambda: ed25519.Ed25519PrivateKey.generate().public_key(),
    }
    key = keys[kind]()
    expected = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    actual = spki(issue([], key))
    assert expected == actual


@pytest.mark.parametrize("der", [b"", b"\x30\x00", certificate()[:-1], certificate(key=b"")])
def test_spki_malformed_refused(der: bytes) -> None:
    """`spki` raises ValueError where there is no certificate."""
    with pytest.raises(ValueError, match=r"^The certificate is malformed: .*\.$"):
        spki(der)


# --- Certificates that nobody would issue. ---

ENCODINGS = {
    **{0x0C: "utf-8", 0x12: "latin-1", 0x13: "latin-1", 0x14: "latin-1", 0x16: "latin-1"},
    **{0x1C: "utf-32-be", 0x1E: "utf-16-be"},
}
ATTRIBUTES = st.sampled_from(
    ["2.5.4.3", "2.5.4.6", "2.5.4.10", "1.2.840.113549.1.9.1", "2.5.4.999", "1.2.3", "2.999"]
)


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    tag = draw(st.sampled_from(sorted(ENCODINGS)))
    content = draw(
        st.one_of(st.text(max_size=20).map(lambda t: encoded(t, tag)), st.binary(max_size=9))
    )
    return attribute(draw(ATTRIBUTES), tag, content)


def encoded(text: str, tag: int) -> bytes:
    return text.encode(ENCODINGS[tag], "replace")


def names() -> st.SearchStrategy[bytes]:
    return st.lists(st.lists(attributes(), max_size=3), max_size=4).map(lambda rdns: name(*rdns))


def general_names() -> st.SearchStrategy[bytes]:
    text = st.one_of(st.text(max_size=30).map(str.encode), st.binary(max_size=9))
    arcs = st.lists(st.integers(0, 1 << 40), max_size=5)
    types = st.sampled_from(sorted(OTHER_TYPES.values()))
    return st.one_of(
        st.builds(tlv, st.sampled_from([0x81, 0x82, 0x86]), text),
        st.builds(tlv, st.just(0x87), st.binary(max_size=17)),
        st.builds(tlv, st.just(0xA4), names()),
        st.builds(lambda rest: b"\x88" + oid(".".join(map(str, (1, 2, *rest))))[1:], arcs),
        st.builds(other_name, types, st.sampled_from([0x0C, 0x16, 0x1E, 0x04]), text),
        st.builds(
            tlv, st.sampled_from([0x80, 0x83, 0x88, 0x89, 0xA0, 0xA3, 0xA5]), st.binary(max_size=9)
        ),
    )


@settings(max_examples=300, deadline=None)
@given(names(), st.lists(general_names(), max_size=5), st.lists(general_names(), max_size=3))
def test_decode_generated_equals_ssl(
    reference: Oracle, subject: bytes, alternatives: list[bytes], places: list[bytes]
) -> None:
    """Whatever names a certificate has, it is shown as `ssl` shows it."""
    points = crl(*(sequence(full_name(place)) for place in places))
    access = aia(*((OCSP, place) for place in places))
    check(reference, certificate(san(*alternatives), points, access, subject=subject))


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789Z+-. ", min_size=13, max_size=20), st.sampled_from([0x17, 0x18]))
def test_decode_generated_times_equal_ssl(reference: Oracle, text: str, tag: int) -> None:
    """Whatever a time says, it is shown as `ssl` shows it."""
    check_times(reference, certificate(before=tlv(tag, text.encode())))


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(*(st.integers(*limits) for limits in ((1, 13), (1, 32), (0, 24), (0, 60)))),
    st.integers(0, 10_000),
    st.sampled_from(["Z", "+0000", "-0130", "+1259", ".25Z"]),
)
def test_decode_calendar_equals_ssl(
    reference: Oracle, fields: tuple[int, ...], year: int, zone: str
) -> None:
    """The calendar is that of OpenSSL, and so are its limits."""
    text = f"{year:04}{''.join(f'{field:02}' for field in fields)}00{zone}"
    before, after = tlv(0x17, text[2:].encode()), tlv(0x18, text.encode())
    check_times(reference, certificate(before=before, after=after))


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=60))
def test_decode_generated_serials_equal_ssl(reference: Oracle, serial: bytes) -> None:
    """Whatever the serial number, it is shown as `ssl` shows it."""
    check(reference, certificate(serial=serial))


CORPUS = [
    issue(EXTENSIONS["all together"], EC_KEY.public_key()),
    certificate(
        san(
            *(GENERAL_NAMES[what] for what in ("several", "IPv6", "Registered ID", "EdiPartyName"))
        ),
        aia((OCSP, uri(b"http://a/")), (CA_ISSUERS, uri(b"http://b/"))),
        crl(sequence(full_name(uri(b"http://c/")), tlv(0x81, b"\x05\x60"), tlv(0xA2, dns()))),
        unique_ids=tlv(0x81, b"\0a"),
    ),
    certificate(san(other_name(UPN, 0x0C, b"a"), tlv(0xA4, NAMES["multi-valued RDN"]))),
]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_decode_random_refused(reference: Oracle, der: bytes) -> None:
    """Random bytes raise ValueError, and nothing else."""
    check(reference, der)


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(CORPUS),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 7)), min_size=1, max_size=3),
)
def test_decode_flipped_bits_equal_ssl(
    reference: Oracle, der: bytes, flips: list[tuple[int, int]]
) -> None:
    """A certificate with flipped bits is shown or refused as by `ssl`, or is not DER."""
    damaged = bytearray(der)
    for place, bit in flips:
        damaged[place % len(der)] ^= 1 << bit
    check(reference, bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CORPUS), st.integers(0, 1 << 16), st.binary(max_size=4), st.integers(0, 4))
def test_decode_spliced_equals_ssl(
    reference: Oracle, der: bytes, place: int, inserted: bytes, removed: int
) -> None:
    """A certificate with bytes replaced is shown or refused as by `ssl`, or is not DER."""
    place %= len(der)
    check(reference, der[:place] + inserted + der[place + removed :])


@pytest.mark.parametrize("der", CORPUS, ids=["issued", "written", "othername"])
def test_decode_truncated_refused(der: bytes) -> None:
    """A certificate that is cut off anywhere raises ValueError."""
    for size in range(len(der)):
        with pytest.raises(ValueError, match=r"^The certificate is malformed: .*\.$"):
            decode(der[:size])


def nested(depth: int) -> bytes:
    der = b"\x05\x00"
    for _ in range(depth):
        der = tlv(0x30, der)
    return der


LARGE = {
    "serial number": certificate(serial=b"\x01" * 4_000_000),
    "negative serial number": certificate(serial=b"\x81" + bytes(4_000_000)),
    "object identifier of one arc": certificate(
        subject=name(sequence(tlv(0x06, b"\x81" * 4_000_000 + b"\x01"), tlv(0x0C, b"a")))
    ),
    "object identifier of many arcs": certificate(
        subject=name(sequence(tlv(0x06, b"\x81\x01" * 200_000), tlv(0x0C, b"a")))
    ),
    "name": certificate(subject=name(*[attribute("1.2.3", 0x0C, b"a")] * 30_000)),
    "subjectAltName": certificate(san(dns() * 50_000)),
    "extensions": certificate(*[extension("1.2.3", b"")] * 50_000),
    "the same extension over and over": certificate(*[san(dns())] * 30_000),
    "nesting": certificate(san(tlv(0xA0, oid(UPN), tlv(0xA0, nested(2_000))))),
    "nesting in place of a certificate": nested(2_000),
    "tag number": certificate(san(tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f" + b"\xff" * 4_000_000)))),
    "time": certificate(after=tlv(0x18, b"20180105093443." + b"5" * 4_000_000 + b"+")),
    "text": certificate(subject=common_name(0x1E, b"\0x" * 1_000_000)),
    "end-of-contents": b"\x30\x84\x00\x3d\x09\x00" + bytes(4_000_000),
}


@pytest.mark.parametrize("what", LARGE)
def test_decode_large_prompt(what: str) -> None:
    """A certificate of megabytes takes time in proportion, whatever it is made of."""
    start = time.process_time()
    ours(LARGE[what])
    # A hundredth of what anything quadratic would take, and ten times what this does.
    assert time.process_time() - start < 5
