"""
What carries a connection between a client and a server: sockets, memory BIOs or asyncio streams.

Each end is a script, a coroutine that is told its `End` and nothing of what carries it. Over
sockets the scripts block and never wait, the server's in a thread. Over memory BIOs they wait where
TLS wants to read, and a pump moves the bytes. Over asyncio they run in a loop of their own.

Nothing here can hang: sockets and asyncio have TIMEOUT, the pump stops where neither side moves.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Protocol

TIMEOUT = 10.0


@dataclass
class Sides:
    """What the ends are made of."""

    client: ssl.SSLContext
    server: ssl.SSLContext
    server_hostname: str | None
    session: ssl.SSLSession | None


class End(Protocol):
    """One end of a connection, whatever carries it."""

    @property
    def connection(self) -> Any:
        """SSLSocket, SSLObject or StreamWriter; None where asyncio gave none."""

    @property
    def tls(self) -> ssl.SSLSocket | ssl.SSLObject | None: ...

    async def handshake(self) -> None: ...

    async def send(self, data: bytes) -> None: ...

    async def receive(self, size: int) -> bytes:
        """So many bytes, or fewer at the end of the connection."""


Script = Callable[[End], Coroutine[Any, Any, None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _SocketEnd:
    """A blocking socket: its coroutines never wait for one another."""

    def __init__(self, raw: socket.socket, wrap: Callable[[socket.socket], ssl.SSLSocket]) -> None:
        self.raw = raw
        self.wrap = wrap
        self.tls: ssl.SSLSocket | None = None
        raw.settimeout(TIMEOUT)

    @property
    def connection(self) -> Any:
        return self.tls

    def _wrapped(self) -> ssl.SSLSocket:
        if self.tls is None:
            self.tls = self.wrap(self.raw)
        return self.tls

    async def handshake(self) -> None:
        self._wrapped().do_handshake()

    async def send(self, data: bytes) -> None:
        self._wrapped().sendall(data)

    async def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._wrapped().recv(size - len(data))):
            data += more
        return data

    def shut(self) -> None:
        """Tells the other end, under TLS, that no more will come."""
        with contextlib.suppress(OSError):  # the other end was faster
            (self.tls or self.raw).shutdown(socket.SHUT_WR)

    def close(self) -> None:
        (self.tls or self.raw).close()


def over_sockets(sides: Sides, client_script: Script, server_script: Script) -> None:
    near, far = socket.socketpair()
    client = _SocketEnd(
        near,
        lambda raw: sides.client.wrap_socket(
            raw,
            server_hostname=sides.server_hostname,
            do_handshake_on_connect=False,
            session=sides.session,
        ),
    )
    server = _SocketEnd(
        far,
        lambda raw: sides.server.wrap_socket(raw, server_side=True, do_handshake_on_connect=False),
    )

    failures: list[BaseException] = []

    def serve() -> None:
        try:
            _finish(server_script(server))
        except BaseException as failure:  # a test's own, from `inspect_server`
            failures.append(failure)
        server.shut()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        _finish(client_script(client))
        client.shut()
        thread.join(2 * TIMEOUT)
        assert not thread.is_alive(), "the server's thread hangs"
    finally:
        client.close()
        server.close()
    for failure in failures:
        raise failure


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a blocking end has waited")


class _BioEnd:
    """An SSLObject between two memory BIOs; where it wants to read, the other end gets its turn."""

    def __init__(self, wrap: Callable[[ssl.MemoryBIO, ssl.MemoryBIO], ssl.SSLObject]) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.wrap = wrap
        self.tls: ssl.SSLObject | None = None

    @property
    def connection(self) -> Any:
        return self.tls

    async def _call(self, name: str, *arguments: object) -> Any:
        if self.tls is None:
            self.tls = self.wrap(self.incoming, self.outgoing)
        while True:
            try:
                return getattr(self.tls, name)(*arguments)
            except ssl.SSLWantReadError:
                await _yield_turn()

    async def handshake(self) -> None:
        await self._call("do_handshake")

    async def send(self, data: bytes) -> None:
        await self._call("write", data)

    async def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := await self._call("read", size - len(data))):
            data += more
        return data


@types.coroutine
def _yield_turn() -> Generator[None, None, None]:
    yield


def over_bios(sides: Sides, client_script: Script, server_script: Script) -> None:
    client = _BioEnd(
        lambda incoming, outgoing: sides.client.wrap_bio(
            incoming, outgoing, server_hostname=sides.server_hostname, session=sides.session
        )
    )
    server = _BioEnd(
        lambda incoming, outgoing: sides.server.wrap_bio(incoming, outgoing, server_side=True)
    )
    turns = [(client, server, client_script(client)), (server, client, server_script(server))]
    idle = 0
    while turns:
        here, there, coroutine = turns.pop(0)
        idle += 1
        try:
            coroutine.send(None)
            turns.append((here, there, coroutine))
        except StopIteration:
            idle = 0
        if data := here.outgoing.read():
            there.incoming.write(data)
            idle = 0
        if all(waiting is not here for waiting, _, _ in turns):
            there.incoming.write_eof()
        assert idle <= len(turns), "both ends wait for the other"


class _StreamEnd:
    """A pair of asyncio streams, opened when the handshake is asked for."""

    def __init__(self, opened: Callable[[], Awaitable[Streams]]) -> None:
        self.opened = opened
        self.connected = False
        self.reader: asyncio.StreamReader | None = None
        self.connection: asyncio.StreamWriter | None = None

    @property
    def tls(self) -> ssl.SSLObject | None:
        if self.connection is None:
            return None
        tls: ssl.SSLObject = self.connection.get_extra_info("ssl_object")
        return tls

    async def handshake(self) -> None:
        try:
            self.reader, self.connection = await self.opened()
            self.connected = True
        except OSError:
            self.connected = True  # and refused
            raise

    async def send(self, data: bytes) -> None:
        if self.connection is None:
            raise ConnectionError("asyncio gave no connection to send on")
        self.connection.write(data)
        await self.connection.drain()

    async def receive(self, size: int) -> bytes:
        assert self.reader is not None
        try:
            return await self.reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            return error.partial

    def close(self) -> None:
        if self.connection is not None:
            self.connection.transport.abort()


def over_asyncio(sides: Sides, client_script: Script, server_script: Script) -> None:
    conversation = _converse_in_asyncio(sides, client_script, server_script)
    asyncio.run(asyncio.wait_for(conversation, 2 * TIMEOUT))


async def _converse_in_asyncio(sides: Sides, client_script: Script, server_script: Script) -> None:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[Streams]
    accepted = loop.create_future()

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result((reader, writer))

    def on_failure(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not accepted.done():
            accepted.set_exception(context["exception"])

    # Only in debug mode does asyncio report the handshake that failed on the accepting side.
    loop.set_debug(True)
    loop.set_exception_handler(on_failure)
    listener = await asyncio.start_server(
        on_connection, "127.0.0.1", 0, ssl=sides.server, ssl_handshake_timeout=TIMEOUT
    )
    port = listener.sockets[0].getsockname()[1]
    client = _StreamEnd(
        lambda: asyncio.open_connection(
            "127.0.0.1",
            port,
            ssl=sides.client,
            server_hostname=sides.server_hostname or "",
            ssl_handshake_timeout=TIMEOUT,
        )
    )
    server = _StreamEnd(lambda: accepted)
    try:
        serving = loop.create_task(server_script(server))
        await client_script(client)
        if not client.connected:
            on_failure(loop, {"exception": ConnectionError("the client never connected")})
        await serving
    finally:
        client.close()
        server.close()
        listener.close()
        await listener.wait_closed()
