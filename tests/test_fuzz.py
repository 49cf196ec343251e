"""
Broken, odd and hostile files of certificates: what we make of them is what `ssl` makes of them.

Where every block is plainly a certificate the index answers, else `ssl`'s own loader: the two must
not disagree on what a text says. One difference is meant: a certificate whose frame is sound and
whose inside is not (a key that cannot be decoded) is absent here, alone, where `ssl` refuses all.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import fasttrust
from fasttrust import TrustStore, _anchors
from fuzz_corpus import DERS, LEAF, ONE, PIECES, TEXTS, TWO, block
from world import plain

CLIENT = ssl.PROTOCOL_TLS_CLIENT
Load = Callable[[ssl.SSLContext], None]

# The same inputs in every run; how long they take is bounded by their number. The one fixture that
# examples share is a folder, whose one file each of them writes anew.
bounded = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def raised(load: Load, context: ssl.SSLContext) -> tuple[object, ...] | None:
    """Return what loading into the context raised."""
    # What ssl's own lists leave on OpenSSL's queue would look like an error of the next loading.
    with contextlib.suppress(ssl.SSLError):
        context.set_ciphers("NO-SUCH-CIPHER")
    try:
        load(context)
    except (ssl.SSLError, OSError, ValueError, TypeError) as error:
        return type(error), error.args, getattr(error, "reason", None)
    return None


def is_sound(der: bytes) -> bool:
    """Tell whether OpenSSL can read the certificate, and its extensions."""
    # It compares the second with the first, and reads the extensions for that.
    twice = der + der
    return (
        raised(lambda context: context.load_verify_locations(cadata=twice), plain(CLIENT)) is None
    )


def check_load(load: Load) -> None:
    """Assert that loading comes to the same for a context of ours as for one of `ssl`."""
    theirs, ours = plain(CLIENT), fasttrust.SSLContext(CLIENT, trust=TrustStore.none())
    their_error, our_error = raised(load, theirs), raised(load, ours)
    indexed = [der for index in ours._fasttrust_held.indexes for der in index.certificates()]
    sound = [der for der in indexed if is_sound(der)]
    if our_error is None and their_error is not None:
        assert issubclass(their_error[0], ssl.SSLError)  # type: ignore[arg-type]
        assert len(sound) < len(indexed)
        return
    assert their_error == our_error
    if len(sound) < len(indexed):
        return
    assert theirs.cert_store_stats() == ours.cert_store_stats()
    assert sorted(theirs.get_ca_certs(True)) == sorted(ours.get_ca_certs(True))
    count = theirs.cert_store_stats()
    for der in indexed:  # OpenSSL's store holds a certificate once: none of these is new to it
        theirs.load_verify_locations(cadata=der)
    assert count == theirs.cert_store_stats()


def check_file(folder: Path, content: bytes) -> None:
    path = folder / "anchors"
    path.write_bytes(content)
    check_load(lambda context: context.load_verify_locations(path))


def check_text(content: bytes) -> None:
    text = content.decode("latin-1")
    check_load(lambda context: context.load_verify_locations(cadata=text))


def check_data(content: bytes) -> None:
    check_load(lambda context: context.load_verify_locations(cadata=content))


@st.composite
def edited(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Return something with up to three changes, anywhere."""
    data = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, 1 << 16)) % (len(data) + 1)
        size = draw(st.integers(1, 80))
        what = draw(st.sampled_from(["set", "insert", "piece", "delete", "repeat", "cut"]))
        if what == "set":
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        elif what == "insert":
            data = data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:]
        elif what == "piece":
            data = data[:at] + draw(st.sampled_from(PIECES)) + data[at:]
        elif what == "delete":
            data = data[:at] + data[at + size :]
        elif what == "repeat":
            data = data[:at] + data[at : at + size] + data[at:]
        else:
            data = data[:at]
    return data


texts = edited(st.lists(st.sampled_from(PIECES), max_size=5).map(b"".join))
ders = edited(st.lists(st.sampled_from([ONE, TWO, LEAF]), min_size=1, max_size=2).map(b"".join))


@pytest.mark.parametrize("name", TEXTS)
def test_text_of_the_corpus_is_read_as_by_ssl(name: str, tmp_path: Path) -> None:
    """What has once been of interest is read as by `ssl`, as a file and as data."""
    check_file(tmp_path, TEXTS[name])
    check_text(TEXTS[name])


@pytest.mark.parametrize("name", DERS)
def test_der_of_the_corpus_is_read_as_by_ssl(name: str, tmp_path: Path) -> None:
    """The same for certificates in DER, by themselves and in a block of PEM."""
    check_data(DERS[name])
    check_file(tmp_path, block(DERS[name]) + block(LEAF))


@bounded
@given(texts)
def test_mutated_file_is_read_as_by_ssl(tmp_path: Path, content: bytes) -> None:
    """A file in PEM holds the same anchors for us as for `ssl`, or raises the same."""
    check_file(tmp_path, content)


@bounded
@given(texts)
def test_mutated_text_is_read_as_by_ssl(content: bytes) -> None:
    """So does a text given as data, where `ssl` reads block by block and not all at once."""
    check_text(content)


@bounded
@given(ders)
def test_mutated_der_is_read_as_by_ssl(content: bytes) -> None:
    """Data in DER holds the same certificates for us as for `ssl`, or raises the same."""
    check_data(content)


@bounded
@given(ders)
@example(ONE + TWO)
def test_mutated_der_in_pem_is_read_as_by_ssl(tmp_path: Path, content: bytes) -> None:
    """So does a block whose base64 is sound and whose content is not."""
    check_file(tmp_path, block(TWO) + block(content))


def test_corpus_is_read_by_both_readers() -> None:
    """The corpus has inputs that the index answers, and inputs that are left to `ssl`."""
    for found in (
        [_anchors.from_pem(text) is None for text in TEXTS.values()],
        [_anchors.index_of_data(der) is None for der in DERS.values()],
    ):
        assert {True, False} == set(found)
