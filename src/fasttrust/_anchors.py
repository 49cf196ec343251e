"""From files and data to indexes of trust anchors: read once per process while unchanged.

An index holds certificates and nothing else. Whatever is not plainly that (a CRL, a ``TRUSTED
CERTIFICATE``, a key, a defect) is left to ``ssl``'s own loader, with its meaning and its errors.
"""

from __future__ import annotations

import _ssl
import base64
import codecs
import contextlib
import errno
import hashlib
import os
import re
import ssl
import stat
import time
import weakref

from . import _native, _native_anchors

#: How many files are remembered; beyond that all are forgotten, and read again when asked for.
_MOST_FILES = 64
#: How often a file that changes under our eyes is read again before that is an error.
_MOST_READS = 5

#: How old a change must be, in nanoseconds, for the next one to have another timestamp.
_SETTLED = 100_000_000

# The base64 of one certificate in a file that ssl can read and we cannot.
_BLOCK = re.compile(
    rb"^-----BEGIN (?:X509 )?CERTIFICATE-----[ \t\r]*\n(.*?)^-----END", re.DOTALL | re.MULTILINE
)

Signature = tuple[int, int, int, int, int]


class Index:
    """Trust anchors, with a name that two equal contents share.

    Attributes:
        handle: for the C core.
        digest: SHA-256 of the content.
    """

    __slots__ = ("__weakref__", "digest", "handle")

    def __init__(self, handle: _native.Index, digest: bytes) -> None:
        self.handle = handle
        self.digest = digest

    def __len__(self) -> int:
        return _native_anchors.index_len(self.handle)

    def certificates(self) -> list[bytes]:
        """Return every anchor in DER."""
        return _native_anchors.index_certificates(self.handle)


# Every access below is one operation of a dictionary, so that no lock is needed: a fork could leave
# one locked for good. Two threads may read a file at once; the loser's index is let go.
_by_digest: weakref.WeakValueDictionary[bytes, Index] = weakref.WeakValueDictionary()
_by_path: dict[str, tuple[Signature, Index | None]] = {}


def signature(status: os.stat_result) -> Signature:
    """Return what changes whenever a file does."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def signature_of(path: str) -> Signature | None:
    """Return a file's signature; None where there is none."""
    try:
        return signature(os.stat(path))
    except OSError:
        return None


def is_settled(seen: Signature, at: int) -> bool:
    """Tell whether any change after ``at`` (``time.time_ns()``) would show: times are coarse."""
    return at - max(seen[3:]) > _SETTLED


def _checked(status: os.stat_result, path: str) -> Signature:
    """Return the signature of a file that can be read again and again; a pipe cannot."""
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return signature(status)


def _open(path: str, flags: int) -> int:
    # Nobody waits for whoever might write into a pipe.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_file(path: str) -> tuple[bytes, Signature]:
    """Return a file's content and its signature, which agree.

    Raises:
        OSError: it cannot be read, is no regular file, or never stands still.
    """
    _checked(os.stat(path), path)  # opening a pipe and leaving it would break its writer
    for _ in range(_MOST_READS):
        with open(path, "rb", buffering=0, opener=_open) as file:
            before = _checked(os.fstat(file.fileno()), path)
            content = file.readall()
            whole = len(content) == before[2] or before[2] == 0  # files of /proc have no size
            if whole and signature(os.fstat(file.fileno())) == before:
                return content, before
    raise OSError(errno.EBUSY, "The file changes while it is read", path)


def digest(text: bytes) -> bytes:
    """Return what the index of a text in PEM has as its digest."""
    content = hashlib.sha256(b"pem")
    content.update(text)
    return content.digest()


def from_pem(text: bytes) -> Index | None:
    """Return the index of a text in PEM; None where it is not certificates alone."""
    name = digest(text)
    known = _by_digest.get(name)
    if known is not None:
        return known
    handle = _native_anchors.index_from_pem(text)
    return None if handle is None else _remember(Index(handle, name))


def from_der(certificates: list[bytes]) -> Index | None:
    """Return the index of certificates; None where one has not the form of a certificate."""
    content = hashlib.sha256(b"der")
    for der in certificates:
        content.update(hashlib.sha256(der).digest())
    handle = _native_anchors.index_from_der(certificates)
    return None if handle is None else _remember(Index(handle, content.digest()))


def _remember(index: Index) -> Index:
    return _by_digest.setdefault(index.digest, index)


def from_file(path: str) -> Index | None:
    """Return the index of a file in PEM; None where it is not certificates alone.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    began = time.time_ns()
    now = _checked(os.stat(path), path)
    known = _by_path.get(path)
    if known is not None and known[0] == now:
        return known[1]
    content, read = read_file(path)
    index = from_pem(content)
    if len(_by_path) >= _MOST_FILES:
        _by_path.clear()
    if is_settled(read, began):
        _by_path[path] = (read, index)
    return index


def from_unusual_file(path: str) -> Index | None:
    """Return the index of certificates in a file that ``ssl`` can read and we cannot.

    A key lies between them, say, or a line has another length than RFC 7468 says. None where the
    file says more (a CRL, trust settings), or where it cannot be told what ``ssl`` has read.

    Raises:
        OSError: it cannot be read (``ssl.SSLError``: by ``ssl`` neither).
    """
    loaded = scratch()
    content, _ = read_file(path)
    loaded.load_verify_locations(path)
    if content != read_file(path)[0]:
        raise OSError(errno.EBUSY, "The file changes while it is read", path)
    stats = loaded.cert_store_stats()
    if b"TRUSTED CERTIFICATE" in content or stats["crl"]:
        return None
    # The blocks themselves, as ssl lists those of authorities only; and none that it has not read.
    try:
        bodies = _BLOCK.findall(content.removeprefix(codecs.BOM_UTF8))
        ders = list(dict.fromkeys(map(base64.b64decode, bodies)))
    except ValueError:
        return None
    if len(ders) != stats["x509"] or not set(loaded.get_ca_certs(True)) <= set(ders):
        return None
    return from_der(ders)


def index_of_file(path: object) -> Index | None:
    """Return the index of whatever ``ssl`` would take as ``cafile``; None where that is ssl's."""
    try:
        index = from_file(os.fsdecode(path))  # type: ignore[arg-type]
    except (OSError, TypeError, ValueError):
        return None  # ssl raises what it always raised
    return index if index is not None and len(index) else None


def index_of_data(data: object) -> Index | None:
    """Return the index of whatever ``ssl`` would take as ``cadata``; None where that is ssl's."""
    if isinstance(data, str):
        index = from_pem(data.encode("ascii")) if data.isascii() else None
    else:
        try:
            certificates = _split(bytes(memoryview(data)))  # type: ignore[arg-type]
        except TypeError:
            return None
        index = None if certificates is None else from_der(certificates)
    return index if index is not None and len(index) else None


def _split(data: bytes) -> list[bytes] | None:
    """Split certificates in DER, one behind the other; None where it is not plainly that."""
    found = []
    start = 0
    while start < len(data):
        header = data[start : start + 6]
        if len(header) < 2 or header[0] != 0x30:
            return None
        size = header[1]
        begin = 2
        if size >= 0x80:
            begin += size & 0x7F
            size = int.from_bytes(header[2:begin], "big")
        end = start + begin + size
        if begin > 6 or end > len(data):
            return None
        found.append(data[start:end])
        start = end
    return found


class _Scratch(_ssl._SSLContext):
    """PyPy's own cannot be made without a subclass."""


def scratch() -> _ssl._SSLContext:
    """Return a context whose store is nobody's, to ask ``ssl``'s own loader."""
    return _Scratch(ssl.PROTOCOL_TLS_CLIENT)


def as_ssl_loads(certificates: list[bytes]) -> _ssl._SSLContext:
    """Return a scratch context with those of the certificates that ``ssl`` accepts."""
    loaded = scratch()
    try:
        if certificates:
            loaded.load_verify_locations(None, None, b"".join(certificates))
    except ssl.SSLError:
        # One of them has a defect that its frame does not show: that one is as good as absent.
        loaded = scratch()
        for der in certificates:
            with contextlib.suppress(ssl.SSLError):
                loaded.load_verify_locations(None, None, der)
    return loaded
