"""
`_decode.decode` against its reference, CPython's own `_ssl._test_decode_cert`.

Where `ssl` answers, ours is equal, and where `ssl` refuses, ours raises `ValueError`.
The one exception is what `NOT_DER` lists: encodings which are not DER, and which OpenSSL lets
through; ours refuses them, saying so.
"""

from __future__ import annotations

import contextlib
from _ssl import nid2obj  # type: ignore[attr-defined]

import pytest

import modes
from decode_parts import GENERAL_NAMES, NAMES, SERIALS, TIMES, VERSIONS
from decode_reference import Oracle, check, check_times, ours
from der import (
    ALGORITHM,
    CA_ISSUERS,
    ISSUER,
    OCSP,
    TIME_STAMPING,
    UPN,
    UTC,
    aia,
    attribute,
    certificate,
    common_name,
    crl,
    dns,
    extension,
    full_name,
    name,
    oid,
    other_name,
    san,
    sequence,
    tlv,
    uri,
)
from fasttrust._decode import decode

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


@pytest.mark.parametrize("what", TIMES)
def test_decode_times_equal_ssl(reference: Oracle, what: str) -> None:
    """Every oddity in a time is shown as `ssl` shows it, and refused where `ssl` refuses it."""
    check_times(reference, certificate(before=TIMES[what]))
    check_times(reference, certificate(after=TIMES[what]))


#: Where `ssl` raises SystemError, of which CPython's debug builds make an end of the process (an
#: assertion in PyObject_CallObject): there it is not asked, and its answer known.
ABORTS = {
    f"{where}: attribute of 587 bytes"
    for where in ("subject", "SAN: DirName", "SAN, then DNS: DirName")
}
assert ABORTS <= CERTIFICATES.keys()


@pytest.mark.parametrize("what", CERTIFICATES)
def test_decode_equals_ssl(reference: Oracle, what: str) -> None:
    """Every oddity in the table is shown as `ssl` shows it, and refused where `ssl` refuses it."""
    der = CERTIFICATES[what]
    answer, refusal = ours(der)
    assert (None if modes.DEBUG and what in ABORTS else reference(der)) == answer
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
