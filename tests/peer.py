"""
Real TLS connections on loopback, one at a time, for tests.

    server = peer.server_context(chain, version=ssl.TLSVersion.TLSv1_3)
    outcome = peer.connect(client_context, server, carrier="bio", server_hostname="server.test")
    assert outcome.server_received == peer.SECRET

One conversation is carried in three ways: over a pair of sockets with the server in a thread, over
memory BIOs pumped by hand, and over asyncio streams. The client does the handshake and sends SECRET,
the server answers REPLY. A client that refused the handshake tries to send SECRET all the same, so
an empty `server_received` proves that nothing could be sent, not that nobody tried.

Nothing here can hang: sockets and asyncio have TIMEOUT, the pump stops where neither side moves.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pki import HOST, Chain, Issued, pem

SECRET = b"secret"
REPLY = b"welcome"
TIMEOUT = 10.0
CARRIERS = ("socket", "bio", "asyncio")
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

Inspect = Callable[[Any], object]


@dataclass
class Outcome:
    """
    What one connection came to, seen from both ends.
    """

    client_error: Exception | None = None
    server_error: Exception | None = None
    server_received: bytes = b""  # application bytes, as are the next
    client_received: bytes = b""
    version: str | None = None  # TLS version by the client's word, such as "TLSv1.3"
    inspected: Any = None  # what `inspect` returned
    server_inspected: Any = None  # what `inspect_server` returned
    session: ssl.SSLSession | None = None  # the client's at the end, to be resumed
    session_reused: bool | None = None
    # What sending SECRET raised in a client that had refused the handshake.
    forced: Exception | None = None

    @property
    def alert(self) -> str | None:
        """
        The alert that the server received, such as "TLSV1_ALERT_UNKNOWN_CA".
        """
        return alert_in(self.server_error)

    @property
    def client_alert(self) -> str | None:
        """
        The alert that the client received.
        """
        return alert_in(self.client_error)


@dataclass
class Plan:
    """
    What the two ends are told to do; the arguments of `connect`.
    """

    client: ssl.SSLContext
    server: ssl.SSLContext
    server_hostname: str | None
    implicit: bool
    session: ssl.SSLSession | None
    post_handshake: bool
    inspect: Inspect | None
    inspect_server: Inspect | None
    outcome: Outcome = field(default_factory=Outcome)


class End(Protocol):
    """
    One end of a connection, whatever carries it.
    """

    @property
    def connection(self) -> Any:
        """
        SSLSocket, SSLObject or StreamWriter; None where asyncio gave none.
        """

    @property
    def tls(self) -> ssl.SSLSocket | ssl.SSLObject | None: ...

    async def handshake(self) -> None: ...

    async def send(self, data: bytes) -> None: ...

    async def receive(self, size: int) -> bytes:
        """
        So many bytes, or fewer at the end of the connection.
        """


def connect(
    client: ssl.SSLContext,
    server: ssl.SSLContext,
    *,
    carrier: str = "socket",
    server_hostname: str | None = HOST,
    implicit: bool = False,
    session: ssl.SSLSession | None = None,
    post_handshake: bool = False,
    inspect: Inspect | None = None,
    inspect_server: Inspect | None = None,
) -> Outcome:
    """
    Runs one connection and says what it came to; TLS errors are in the outcome, never raised.

    `implicit` leaves the handshake to the client's first send. `post_handshake` lets the server ask
    for a client certificate after SECRET and has both ends speak once more. `inspect` is called on
    the client's connection right after the handshake or its refusal, except where asyncio refused,
    which leaves no connection. `inspect_server` is called on the server's at the end.
    """
    if carrier == "asyncio" and (implicit or session is not None):
        raise ValueError("asyncio does the handshake itself and takes no session")
    plan = Plan(
        client, server, server_hostname, implicit, session, post_handshake, inspect, inspect_server
    )
    {"socket": _over_sockets, "bio": _over_bios, "asyncio": _over_asyncio}[carrier](plan)
    return plan.outcome


def server_context(
    chain: Chain,
    *,
    version: ssl.TLSVersion | None = None,
    client_anchors: tuple[Issued, ...] = (),
) -> ssl.SSLContext:
    """
    A server that presents the chain, whatever it is worth; with anchors it demands a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys are the client's to refuse
    if version is not None:
        pin(context, version)
    chain.load(context)
    if client_anchors:
        context.load_verify_locations(cadata=pem(*client_anchors))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def pin(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """
    Allows this one TLS version.
    """
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = version
    context.minimum_version = version


def choose_by_name(server: ssl.SSLContext, contexts: Mapping[str, ssl.SSLContext]) -> None:
    """
    Gives the server an SNI callback that switches to the context of the name the client sent.
    """

    def switch(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name in contexts:
            connection.context = contexts[name]

    server.sni_callback = switch


def alert_in(error: BaseException | None) -> str | None:
    """
    The name of the TLS alert that the error reports, if it reports one.
    """
    if not isinstance(error, ssl.SSLError):
        return None
    found = re.search(r"\b(?:SSLV3|TLSV1|TLSV13)_ALERT_\w+", f"{error.reason} {error}")
    return found and found.group()


async def _client(end: End, plan: Plan) -> None:
    outcome = plan.outcome
    try:
        if not plan.implicit:
            await end.handshake()
        else:
            await end.send(SECRET)
    except Exception as error:  # whatever was raised is the outcome
        outcome.client_error = error
    if plan.inspect is not None and end.connection is not None:
        outcome.inspected = plan.inspect(end.connection)
    if outcome.client_error is not None:
        try:
            await end.send(SECRET)
        except Exception as error:
            outcome.forced = error
        return
    try:
        if not plan.implicit:
            await end.send(SECRET)
        outcome.client_received = await end.receive(len(REPLY))
        if plan.post_handshake:
            await end.send(SECRET)
            outcome.client_received += await end.receive(len(REPLY))
    except Exception as error:
        outcome.client_error = error
    if end.tls is not None:
        outcome.version = end.tls.version()
        outcome.session = end.tls.session
        outcome.session_reused = end.tls.session_reused


async def _server(end: End, plan: Plan) -> None:
    outcome = plan.outcome
    try:
        await end.handshake()
        outcome.server_received = await end.receive(len(SECRET))
        if plan.post_handshake:
            assert isinstance(end.tls, (ssl.SSLSocket, ssl.SSLObject))
            end.tls.verify_client_post_handshake()  # type: ignore[union-attr]
        if outcome.server_received:
            await end.send(REPLY)
        if plan.post_handshake:
            outcome.server_received += await end.receive(len(SECRET))
            await end.send(REPLY)
    except Exception as error:  # whatever was raised is the outcome
        outcome.server_error = error
    if plan.inspect_server is not None and end.connection is not None:
        outcome.server_inspected = plan.inspect_server(end.connection)


class _SocketEnd:
    """
    A blocking socket: its coroutines never wait for one another.
    """

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
        """
        Tells the other end, under TLS, that no more will come.
        """
        try:
            (self.tls or self.raw).shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end was faster

    def close(self) -> None:
        (self.tls or self.raw).close()


def _over_sockets(plan: Plan) -> None:
    near, far = socket.socketpair()
    client = _SocketEnd(
        near,
        lambda raw: plan.client.wrap_socket(
            raw,
            server_hostname=plan.server_hostname,
            do_handshake_on_connect=False,
            session=plan.session,
        ),
    )
    server = _SocketEnd(
        far,
        lambda raw: plan.server.wrap_socket(raw, server_side=True, do_handshake_on_connect=False),
    )

    failures: list[BaseException] = []

    def serve() -> None:
        try:
            _finish(_server(server, plan))
        except BaseException as failure:  # a test's own, from `inspect_server`
            failures.append(failure)
        server.shut()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        _finish(_client(client, plan))
        client.shut()
        thread.join(2 * TIMEOUT)
        assert not thread.is_alive(), "the server's thread hangs"
    finally:
        client.close()
        server.close()
    for failure in failures:
        raise failure


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """
    Runs a coroutine that never waits.
    """
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a blocking end has waited")


class _BioEnd:
    """
    An SSLObject between two memory BIOs; where it wants to read, the other end gets its turn.
    """

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


def _over_bios(plan: Plan) -> None:
    client = _BioEnd(
        lambda incoming, outgoing: plan.client.wrap_bio(
            incoming, outgoing, server_hostname=plan.server_hostname, session=plan.session
        )
    )
    server = _BioEnd(
        lambda incoming, outgoing: plan.server.wrap_bio(incoming, outgoing, server_side=True)
    )
    turns = [(client, server, _client(client, plan)), (server, client, _server(server, plan))]
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
    """
    A pair of asyncio streams, opened when the handshake is asked for.
    """

    def __init__(
        self, opened: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
    ) -> None:
        self.opened = opened
        self.reader: asyncio.StreamReader | None = None
        self.connection: asyncio.StreamWriter | None = None

    @property
    def tls(self) -> ssl.SSLObject | None:
        return self.connection and self.connection.get_extra_info("ssl_object")

    async def handshake(self) -> None:
        self.reader, self.connection = await self.opened()

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


def _over_asyncio(plan: Plan) -> None:
    asyncio.run(asyncio.wait_for(_converse_in_asyncio(plan), 2 * TIMEOUT))


async def _converse_in_asyncio(plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
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
        on_connection, "127.0.0.1", 0, ssl=plan.server, ssl_handshake_timeout=TIMEOUT
    )
    port = listener.sockets[0].getsockname()[1]
    client = _StreamEnd(
        lambda: asyncio.open_connection(
            "127.0.0.1",
            port,
            ssl=plan.client,
            server_hostname=plan.server_hostname or "",
            ssl_handshake_timeout=TIMEOUT,
        )
    )
    server = _StreamEnd(lambda: accepted)
    try:
        serving = loop.create_task(_server(server, plan))
        await _client(client, plan)
        if not isinstance(plan.outcome.client_error, (OSError, type(None))):
            on_failure(loop, {"exception": ConnectionError("the client never connected")})
        await serving
    finally:
        client.close()
        server.close()
        listener.close()
        await listener.wait_closed()
