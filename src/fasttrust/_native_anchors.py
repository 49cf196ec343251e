"""The door's other leaf: indexes of trust anchors, and the system's source of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ._native import Index, Source, check, ffi, lib, open_library
from ._typing import Any


def index_from_pem(text: bytes) -> Index | None:
    """Return the index of a text; None where its blocks are not all plainly certificates."""
    err = ffi.new("ft_error *")
    # from_buffer: the text is read in place, without the GIL.
    index = lib.ft_index_from_pem(ffi.from_buffer(text), len(text), err)
    return _index(index, err)


def index_from_der(certificates: Sequence[bytes]) -> Index | None:
    """Return the index of certificates in DER; None where one is not plainly a certificate."""
    err = ffi.new("ft_error *")
    lengths = ffi.new("size_t[]", [len(der) for der in certificates])
    data = b"".join(certificates)
    index = lib.ft_index_from_der(ffi.from_buffer(data), len(data), lengths, len(certificates), err)
    return _index(index, err)


def _index(index: Any, err: Any) -> Index | None:
    if index == ffi.NULL and err.code == lib.FT_E_MALFORMED:
        return None
    check(index, err)
    return Index(ffi.gc(index, lib.ft_index_free))


def index_certificates(index: Index) -> list[bytes]:
    """Return every anchor in DER."""
    found = []
    for place in range(lib.ft_index_len(index)):
        der = lib.ft_index_der(index, place)
        found.append(bytes(ffi.unpack(der.data, der.len)))
    return found


def index_len(index: Index) -> int:
    """Return the number of anchors."""
    return int(lib.ft_index_len(index))


def index_name_hashes(index: Index) -> set[int]:
    """Return the numbers that name the anchors' files in a hashed directory."""
    open_library()
    hashes = ffi.new("uint32_t[]", lib.ft_index_len(index))
    lib.ft_index_name_hashes(index, hashes)
    return set(hashes)


def source_new(index: Index) -> Source:
    """Return a source that begins with an index."""
    err = ffi.new("ft_error *")
    source = lib.ft_source_new(index, err)
    check(source, err)
    return Source(ffi.gc(source, lib.ft_source_free))


#: Tells one caller per period that the store is to be looked at again.
source_due: Callable[[Source, int, int], bool] = lib.ft_source_due


def source_replace(source: Source, index: Index) -> None:
    """Make an index the present one, under whatever uses the source."""
    err = ffi.new("ft_error *")
    check(lib.ft_source_replace(source, index, err), err)
