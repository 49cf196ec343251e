"""The door's other leaf: a verdict without a handshake."""

from __future__ import annotations

from collections.abc import Sequence

from ._native import Chain, Verdict, check, connection_id, ffi, lib, open_library, verdict_of


def chain_make(parts: Sequence[bytes | tuple[Chain, int]]) -> Chain:
    """Return a chain of certificates given in DER, and of such as stand in other chains.

    Raises:
        ValueError: one in DER is malformed, or has something behind it; says which.
    """
    open_library()
    err = ffi.new("ft_error *")
    array = ffi.new("ft_part[]", len(parts))
    kept = []  # what the array points into
    for place, part in enumerate(parts):
        if isinstance(part, tuple):
            array[place].chain, array[place].place = part[0]._handle, part[1]
        else:
            array[place].der.data = data = ffi.from_buffer(part)
            array[place].der.len = len(part)
            kept.append(data)
    chain = lib.ft_chain_make(array, len(parts), err)
    if not chain and err.code == lib.FT_E_MALFORMED:
        raise ValueError(f"certificate {err.depth} of the chain (0 is the first) is malformed")
    check(chain, err)
    return Chain(chain)


def connection_verify(
    connection: object, chain: Chain, at_time: int | None
) -> tuple[Verdict, Chain | None]:
    """Verify a chain as if the peer of a connection had sent it: the verdict, the verified chain.

    The time is in seconds since 1970, None for now. There is a chain only where the code is 0.
    """
    err = ffi.new("ft_error *")
    verdict = ffi.new("ft_verdict *")
    verified = ffi.new("ft_chain **")
    time = ffi.NULL if at_time is None else ffi.new("int64_t *", at_time)
    ok = lib.ft_connection_verify(
        connection_id(connection), verdict, verified, chain._handle, time, err
    )
    check(ok, err)
    return verdict_of(verdict), Chain(verified[0]) if verified[0] else None
