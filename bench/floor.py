"""The floor: ``floor.c``, called from Python in the peers' turns; nothing of Python in its loop."""

from __future__ import annotations

import ctypes
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import ctool
from .harness import WrongVerdictError, expect

FLOOR = "floor"
UNVERIFIED = "floor, unverified"
_POINTERS = ("floor_context", "floor_server", "floor_chain_new")


def why_not() -> str:
    """Return why there is no floor in this run; empty if there is one."""
    return ctool.unavailable("floor.c")


class RefusedError(WrongVerdictError):
    """The floor refused the certificate, and that alone."""


def _check(line: int) -> None:
    """Raise unless that answer of floor.c says that all went well."""
    if line < 0:
        raise RefusedError(f"floor.c, line {-line}: certificate verify failed")
    expect(line == 0, f"floor.c, line {line}")


def _library() -> Any:
    library = ctool.library("floor.so")
    for name in _POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    return library


def _path(path: Path | None) -> bytes | None:
    return None if path is None else str(path).encode()


def context(bundle: Path | None) -> ctypes.c_void_p:
    """Return a client's context that trusts the bundle, or verifies nobody."""
    made = _library().floor_context(_path(bundle))
    expect(made, "the floor makes no context")
    return ctypes.c_void_p(made)


def prove(bundle: Path, good: Path, unknown: Path, host: str) -> None:
    """Raise unless the floor refuses a wrong name and an unknown root, over memory BIOs."""
    version, seconds = ssl.TLSVersion.TLSv1_3, ctypes.c_double()
    for chain, name, should in (
        (good, host, True),
        (good, "wrong.test", False),
        (unknown, host, False),
    ):
        call = over_memory(bundle, chain, version, name, seconds)
        try:
            call()
            did = True
        except RefusedError:
            did = False
        expect(did == should, f"the floor {'accepts' if did else 'refuses'} {name} of {chain.name}")


def make_context(bundle: Path) -> Callable[[], None]:
    """Return a call that makes a context and frees it."""
    library = _library()

    def call() -> None:
        library.floor_context_free(context(bundle))

    return call


def connecting(
    bundle: Path | None, port: int, host: str, resumed: bool = False
) -> Callable[[], None]:
    """Return a call that connects, verifies, and reads one byte."""
    made, library, name = context(bundle), _library(), host.encode()
    session = ctypes.c_void_p()
    kept = ctypes.byref(session) if resumed else None

    def call() -> None:
        line = library.floor_connect(made, port, name, kept)
        _check(line)

    if resumed:
        call()
    return call


def fresh(bundle: Path, port: int, host: str) -> Callable[[], None]:
    """Return a call that makes a context, connects, and frees both."""
    library, name = _library(), host.encode()

    def call() -> None:
        made = context(bundle)
        line = library.floor_connect(made, port, name, None)
        library.floor_context_free(made)
        _check(line)

    return call


def over_memory(
    bundle: Path | None,
    folder: Path,
    version: ssl.TLSVersion,
    host: str,
    seconds: ctypes.c_double,
    *,
    resumed: bool = False,
) -> Callable[[], None]:
    """Return a call that shakes hands over memory BIOs; the client's time is added to `seconds`."""
    made, library, name = context(bundle), _library(), host.encode()
    chain, key = _path(folder / "chain.pem"), _path(folder / "key.pem")
    server = ctypes.c_void_p(library.floor_server(chain, key, int(version)))
    expect(server.value, "the floor makes no server")
    session = ctypes.c_void_p()
    kept = ctypes.byref(session) if resumed else None

    def call() -> None:
        line = library.floor_memory(made, server, name, ctypes.byref(seconds), kept)
        _check(line)

    if resumed:
        call()
    return call


def verifying(
    bundle: Path, ders: list[bytes], is_parsed: bool, host: str, expected: int
) -> Callable[[], None]:
    """Return a call that verifies a chain without a connection; it may find it parsed."""
    library, name = _library(), host.encode()
    chain = ctypes.c_void_p(library.floor_chain_new(_path(bundle)))
    expect(chain.value, "the floor makes no store")

    def parse() -> None:
        for der in ders:
            expect(library.floor_chain_add(chain, der, len(der)) == 0, "a certificate of the floor")

    def verify() -> None:
        line = library.floor_chain_verify(chain, name, expected)
        _check(line)

    def both() -> None:
        parse()
        verify()
        library.floor_chain_clear(chain)

    if not is_parsed:
        return both
    parse()
    return verify


def program() -> Path:
    """Return the program that starts, verifies one server, and ends."""
    return ctool.folder() / "floor"
