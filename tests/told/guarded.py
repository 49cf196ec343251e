"""
A server that says something at once, and a client of compat mode that does not trust it.

    with victim(context) as (tls, server):
        ...                     # whatever an application might do
    server.received             # application bytes that reached the server
"""

from __future__ import annotations

import _ssl
import asyncio
import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from telling import heard, says

import fasttrust
import modes
import peer
from fasttrust import _compat, _guard, _native, _native_platform
from pki import HOST, Chain, Issued, intermediate, leaf, root

ROOT = root("root")
A = intermediate("A", ROOT)
SENT = Chain((leaf("leaf", A), A))
WHOLE = (*SENT.certificates, ROOT)
TIMEOUT = 10


#: Whether the platform is the double of macOS, or Windows, and not one that is told what to say.
DOUBLE = hasattr(_native.lib, "double_reset")
WINDOWS = sys.platform == "win32"


#: Every test of the guard has these marks.
GUARD_TESTS = [
    pytest.mark.skipif(
        not (_native.SYSTEM_NAME == "told" or DOUBLE or WINDOWS) or not modes.COMPAT,
        reason="needs compat mode, and Windows or what tests/told/run or tests/macos/run builds",
    ),
    pytest.mark.usefixtures("distrust"),
]
TOLD = pytest.mark.skipif(DOUBLE or WINDOWS, reason="no real platform is told what to say")
VERSIONS = pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
GUARDED = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])


_asked_windows = 0


def _count(verify: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        global _asked_windows  # noqa: PLW0603
        _asked_windows += 1
        return verify(*args, **kwargs)

    return counted


if WINDOWS:
    _native_platform.platform_verify = _count(_native_platform.platform_verify)


def trusts() -> None:
    """Let the platform trust the server from now on."""
    if WINDOWS:
        pytest.skip("Windows looks at its Root store once in each process: tests/test_windows.py")
    if DOUBLE:
        _native.lib.double_reset()
        _native.lib.double_trust_der(ROOT.der, len(ROOT.der))
    else:
        says(0, WHOLE)


def refuses() -> None:
    """Let the platform refuse it; Windows, whose Root store lacks the root, does so anyway."""
    global _asked_windows  # noqa: PLW0603
    if WINDOWS:
        _asked_windows = 0
        return
    if DOUBLE:
        _native.lib.double_reset()
        return
    says(20, native=-67820, message="“leaf” is not trusted")


def asked() -> int:
    """Return how often the platform was asked since then."""
    if WINDOWS:
        return _asked_windows
    return int(_native.lib.double_recorded().evaluations if DOUBLE else heard().times)


class _Open:
    """What stands where the guard stood: nothing. OpenSSL has verified nobody."""

    def __new__(cls, inner: Any, judge: Any, pipe: Any = None, *, unowned: bool = False) -> Any:
        return inner


class _NoPipe:
    """What leaves by this leaves at once."""

    def __init__(self, outgoing: ssl.MemoryBIO) -> None:
        self.held = outgoing


def leave_open(context: Any) -> None:
    """Have C's own settings verify nobody."""
    of_c: Any = vars(_ssl._SSLContext)  # type: ignore[attr-defined]
    of_c["check_hostname"].__set__(context, False)
    of_c["verify_mode"].__set__(context, ssl.CERT_NONE)


def take_away(put: Callable[[object, str, object], None]) -> None:
    """Take the guard away, by what sets attributes: what lies beneath it verifies nobody."""
    put(_compat, "Guard", _Open)
    put(_compat, "record_watch", lambda connection: _guard.Record())
    put(_compat, "Pipe", _NoPipe)


def client() -> fasttrust.SSLContext:
    return fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Server:
    """One connection's server: shakes hands, speaks first, keeps what it is sent."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        self.received = b""
        self.shaken = False
        self._raw = raw
        self._context = context
        raw.settimeout(TIMEOUT)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError), self._raw:
            tls = self._context.wrap_socket(self._raw, server_side=True)
            with tls:
                self.shaken = True
                tls.sendall(peer.REPLY)
                while data := tls.recv(1000):
                    self.received += data
                tls.unwrap()


@contextlib.contextmanager
def victim(
    context: ssl.SSLContext,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    server: ssl.SSLContext | None = None,
    **options: Any,
) -> Iterator[tuple[ssl.SSLSocket, Server]]:
    """Yield a client's socket before its handshake, and its server; both are gone afterwards."""
    near, far = socket.socketpair()
    near.settimeout(TIMEOUT)
    serving = Server(far, server or peer.server_context(SENT, version=version))
    tls = context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False, **options)
    try:
        yield tls, serving
    finally:
        tls.close()
        near.close()
        serving.thread.join(TIMEOUT)


@contextlib.contextmanager
def listener(version: ssl.TLSVersion) -> Iterator[tuple[int, list[Server]]]:
    """Yield the port of a server for any number of connections, and those that it had."""
    had: list[Server] = []
    context = peer.server_context(SENT, version=version)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(TIMEOUT)
        port = listening.getsockname()[1]
        done = threading.Event()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    raw = listening.accept()[0]
                    if done.is_set():
                        raw.close()
                        return
                    had.append(Server(raw, context))

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield port, had
        finally:
            done.set()
            socket.create_connection(("127.0.0.1", port), TIMEOUT).close()  # wakes it, everywhere
            thread.join(TIMEOUT)
            for each in had:
                each.thread.join(TIMEOUT)


class Speaker(asyncio.Protocol):
    """A protocol that speaks as soon as it is connected, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.connected = False
        self.done = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.connected = True
        transport.write(peer.SECRET)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        self.lost.set_result(None)
        if not self.done.done():
            self.done.set_result(None)


class BufferedSpeaker(asyncio.BufferedProtocol):
    """The same, with a buffer of its own."""

    def __init__(self) -> None:
        self.heard = b""
        self.connected = False
        self.done = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()
        self._buffer = bytearray(1000)

    def connection_made(self, transport: Any) -> None:
        self.connected = True
        transport.write(peer.SECRET)

    def get_buffer(self, _: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self.heard += bytes(self._buffer[:size])
        if not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        self.lost.set_result(None)
        if not self.done.done():
            self.done.set_result(None)


def issued(chain: tuple[Issued, ...]) -> tuple[bytes, ...]:
    return tuple(each.der for each in chain)
