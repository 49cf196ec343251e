"""A writer of DER, which does not mind writing nonsense, and of certificates made of it."""

from __future__ import annotations


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
