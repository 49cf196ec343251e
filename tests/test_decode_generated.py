"""The decoder on certificates that nobody would issue: generated, damaged, and of megabytes."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decode_issued import EC_KEY, EXTENSIONS, issue
from decode_parts import GENERAL_NAMES, NAMES, OTHER_TYPES
from decode_reference import Oracle, check, check_times
from der import (
    CA_ISSUERS,
    OCSP,
    UPN,
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
    with contextlib.suppress(ValueError):
        decode(LARGE[what])  # by our own rules: 1.1.1's for object identifiers are quadratic
    # A hundredth of what anything quadratic would take, and ten times what this does.
    assert time.process_time() - start < 5
