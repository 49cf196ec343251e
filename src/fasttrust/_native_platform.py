"""The door's third leaf: the platform's own verdict, without any OpenSSL (compat mode)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ._native import Verdict, ffi, lib, verdict_of


def _in_full(address: str) -> str:
    """Return an IP address with each of its numbers: macOS reads no "::ffff:192.0.2.1"."""
    import ipaddress  # here, for it takes long

    given = ipaddress.ip_address(address)
    if given.version == 4:
        return str(given)
    numbers = struct.unpack(">8H", given.packed)
    return ":".join(f"{number:x}" for number in numbers)


def platform_verify(
    certificates: Sequence[bytes],
    host: str | None,
    *,
    host_is_address: bool,
    check: tuple[bool, bool],
    at_time: int | None,
    policy: tuple[int, bool, int],
) -> tuple[Verdict, list[bytes]]:
    """Ask the platform about a server: its verdict, and where that is 0 the verified chain.

    Args:
        certificates: what the server sent, leaf first, in DER.
        host: the name that the platform has to check; None for none.
        host_is_address: whether that is an IP address.
        check: whether the program wants the leaf's revocation known, and that of the whole chain.
        at_time: the moment to judge by, in seconds since 1970; None is now.
        policy: what the platform may do.
    """
    if host is not None and host_is_address:
        host = _in_full(host)
    ders = [ffi.from_buffer(der) for der in certificates]
    array = ffi.new("ft_der[]", [(der, len(der)) for der in ders])
    name = ffi.NULL if host is None else ffi.new("char[]", host.encode("utf-8"))
    time = ffi.NULL if at_time is None else ffi.new("int64_t *", at_time)
    peer = ffi.new(
        "ft_peer *",
        {
            "certs": array,
            "num_certs": len(ders),
            "host": name,
            "host_is_address": host_is_address,
            "check_leaf": check[0],
            "check_chain": check[1],
            "at_time": time,
            "policy": policy,
        },
    )
    verdict = ffi.new("ft_verdict *")
    chain = ffi.new("ft_der **")
    num = ffi.new("size_t *")
    trusted = lib.ft_platform_verify(peer, verdict, chain, num)
    try:
        verified = [bytes(ffi.unpack(chain[0][i].data, chain[0][i].len)) for i in range(num[0])]
    finally:
        lib.ft_platform_chain_free(chain[0])
    found = verdict_of(verdict)
    if trusted != (found.code == 0 and bool(verified)):
        raise RuntimeError("the platform's answer contradicts itself")
    return found, verified
