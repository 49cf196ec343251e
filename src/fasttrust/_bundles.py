"""Public bundles: files of roots that somebody published for everybody, such as certifi's.

Clients push them onto every context, to have roots at all; so a file that holds one says no more
than "the usual roots", which here are the system's. What is public is told by what a file holds,
not by its name: all certificates of one published bundle, or what the RECORD of an installed
distribution says of the file that it brought.
"""

from __future__ import annotations

import _ssl
import base64
import hashlib
import os
from collections.abc import Iterable

from . import _anchors
from ._anchors import Index
from ._typing import NamedTuple

#: No published bundle is smaller: a file of fewer certificates is not even looked at.
LEAST = 100
#: How many answers are remembered; beyond that all are forgotten.
_MOST_ANSWERS = 64
#: How much of a certificate's SHA-256 the published list keeps, in bytes.
_FINGERPRINT_LEN = 16

# Distributions that bring a bundle meant for everybody, and where; as RECORD writes it.
_CARRIERS = (
    ("certifi", "certifi/cacert.pem"),
    ("pip", "pip/_vendor/certifi/cacert.pem"),
    ("botocore", "botocore/cacert.pem"),
    ("requests", "requests/cacert.pem"),  # before 2.16
    ("httplib2", "httplib2/cacerts.txt"),
    ("stripe", "stripe/data/ca-certificates.crt"),
    ("grpcio", "grpc/_cython/_credentials/roots.pem"),
)


class Bundle(NamedTuple):
    """A public bundle that was found among certificates."""

    #: Which one: "certifi 2026.10.18", or the file that an installed distribution brought.
    name: str
    #: What is there beside it; None where that is nothing.
    beyond: Index | None


# Every access is one operation of a dictionary: see _anchors.
_answers: dict[tuple[bytes, str | None], tuple[Bundle | None]] = {}


def find(index: Index, path: str | None = None) -> Bundle | None:
    """Return the public bundle that an index holds all of; None where it holds none.

    Answers are remembered: clients push the same file for every connection.

    Args:
        index: the certificates.
        path: the file that they were read from, if any.
    """
    if len(index) < LEAST:
        return None
    key = (index.digest, path)
    answer = _answers.get(key)
    if answer is None:  # a tuple: another thread may forget it at any time, and None is an answer
        answer = (_find(index, path),)
        if len(_answers) >= _MOST_ANSWERS:
            _answers.clear()
        _answers[key] = answer
    return answer[0]


def _find(index: Index, path: str | None) -> Bundle | None:
    if path is not None and _brought_by(index, path):
        return Bundle(path, None)
    certificates = index.certificates()
    found = public_among(certificates)
    if found is None:
        return None
    name, public = found
    beyond = [der for der in certificates if der not in public]
    return Bundle(name, _anchors.from_der(beyond) if beyond else None)


def public_among(certificates: Iterable[bytes]) -> tuple[str, set[bytes]] | None:
    """Return a bundle's name, and which of the certificates are there as part of a public bundle.

    Where they hold all of several bundles the newest gives the name, and all of them count.

    Args:
        certificates: each in DER.
    """
    from ._public_bundles import BUNDLES, CERTIFICATES

    places = {bytes.fromhex(each): place for place, each in enumerate(CERTIFICATES.split())}
    held = {}
    bits = 0
    for der in certificates:
        place = places.get(hashlib.sha256(der).digest()[:_FINGERPRINT_LEN])
        held[der] = 0 if place is None else 1 << place
        bits |= held[der]
    name = ""
    public_bits = 0
    for _, published, bundle in BUNDLES:
        if bits & bundle == bundle:
            name = published
            public_bits |= bundle
    public = {der for der, bit in held.items() if bit & public_bits}
    for file, installed in _installed():
        if installed <= held.keys():
            name = name or file
            public |= installed
    return (name, public) if name else None


def in_unusual_file(path: object) -> Index | None:
    """Return the index of a file that ``ssl`` would load, and that holds a public bundle."""
    try:
        name = os.fsdecode(path)  # type: ignore[arg-type]
        if _anchors.read_file(name)[0].count(b"-----BEGIN ") < LEAST:
            return None
        index = _anchors.from_unusual_file(name)
    except (OSError, TypeError, ValueError):
        return None  # ssl says what is wrong with it
    return index if index is not None and find(index) is not None else None


def in_store(context: _ssl._SSLContext) -> Index | None:
    """Return what a context's own store holds as part of a public bundle; None for nothing."""
    if _ssl._SSLContext.cert_store_stats(context)["x509_ca"] < LEAST:
        return None
    found = public_among(_ssl._SSLContext.get_ca_certs(context, True))
    return None if found is None else _anchors.from_der(sorted(found[1]))


def published_in(der: bytes) -> str:
    """Return the newest published bundle that holds a certificate, "" where none ever did."""
    from ._public_bundles import BUNDLES, CERTIFICATES

    fingerprint = hashlib.sha256(der).digest()[:_FINGERPRINT_LEN].hex()
    published = CERTIFICATES.split()
    if fingerprint not in published:
        return ""
    place = published.index(fingerprint)
    _, name = max((date, name) for date, name, held in BUNDLES if held >> place & 1)
    return name


def newest() -> tuple[str, str]:
    """Return date (ISO 8601) and name of the newest bundle that the package knows."""
    from ._public_bundles import BUNDLES

    date, name, _ = max(BUNDLES)
    return date, name


def _installed() -> list[tuple[str, set[bytes]]]:
    """Return the untouched bundles of the distributions at hand: one may be newer than our list."""
    import importlib.util

    found = []
    for _, relative in _CARRIERS:
        try:
            spec = importlib.util.find_spec(relative.partition("/")[0])
        except (ImportError, AttributeError, ValueError):
            continue  # half imported, or no module that the machinery knows
        for folder in (spec and spec.submodule_search_locations) or ():
            path = os.path.join(os.path.dirname(folder), *relative.split("/"))
            try:
                index = _anchors.from_file(path)
            except OSError:
                continue
            if index is not None and len(index) >= LEAST and _brought_by(index, path):
                found.append((path, set(index.certificates())))
    return found


def _brought_by(index: Index, path: str) -> bool:
    """Tell whether the file an index was read from is as a known distribution installed it."""
    for place in {os.path.abspath(path), os.path.realpath(path)}:
        for distribution, relative in _CARRIERS:
            end = os.sep + os.path.join(*relative.split("/"))
            if place.endswith(end):
                recorded = _recorded(place[: -len(end)], distribution, relative)
                if recorded is not None and _hash_of(place, index) == recorded:
                    return True
    return False


def _hash_of(path: str, index: Index) -> bytes | None:
    """Return the SHA-256 of a file; None where it is not what the index was read from."""
    try:
        content, _ = _anchors.read_file(path)
    except OSError:
        return None
    return hashlib.sha256(content).digest() if _anchors.digest(content) == index.digest else None


def _recorded(folder: str, distribution: str, relative: str) -> bytes | None:
    """Return the SHA-256 that a distribution's RECORD gives of one of its files.

    The form is that of the "Recording installed projects" specification of PyPA.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    begin = f"{relative},sha256="
    for name in names:
        if not (name.startswith(f"{distribution}-") and name.endswith(".dist-info")):
            continue
        try:
            with open(os.path.join(folder, name, "RECORD"), encoding="utf-8") as record:
                for line in record:
                    if line.startswith(begin):
                        digits = line[len(begin) :].partition(",")[0]
                        return base64.urlsafe_b64decode(digits + "=" * (-len(digits) % 4))
        except (OSError, ValueError):
            continue
    return None
