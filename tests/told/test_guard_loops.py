"""Compat mode where a platform decides: memory BIOs and event loops, attacked as sockets are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from guarded import (
    DOUBLE,
    GUARD_TESTS,
    GUARDED,
    SENT,
    TIMEOUT,
    VERSIONS,
    WINDOWS,
    BufferedSpeaker,
    Speaker,
    client,
    listener,
    trusts,
)

import fasttrust
import peer
from fasttrust import _compat, _guard
from pki import HOST, Chain, leaf, root
from world import Pair, check_python, ders

pytestmark = GUARD_TESTS


# ---- memory BIOs ---------------------------------------------------------------------------------


def converse(end: Any, far: ssl.SSLObject) -> object:
    """Leave the handshake to the first read; the server speaks as soon as it can."""
    for _ in range(10):
        with contextlib.suppress(ssl.SSLWantReadError):
            return end.read(100)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLError):
            far.write(peer.REPLY)
    raise AssertionError("no end")


@VERSIONS
@GUARDED
@pytest.mark.parametrize("directly", [False, True], ids=["wrap_bio", "_wrap_bio"])
def test_memory_bio_without_a_handshake(
    version: ssl.TLSVersion, directly: bool, guarded: bool, unguard: Callable[[], None]
) -> None:
    """An SSLObject that is read at once, and what `_wrap_bio` itself returns."""
    if not guarded:
        unguard()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = client()
    if directly:
        end: Any = context._wrap_bio(incoming, outgoing, False, HOST)
    else:
        end = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    server = peer.server_context(SENT, version=version)
    far = server.wrap_bio(outgoing, incoming, server_side=True)
    if not guarded:
        assert peer.REPLY == converse(end, far)
        return
    with pytest.raises(ssl.SSLCertVerificationError):
        converse(end, far)
    for operation in (lambda: end.read(10), lambda: end.write(b"x"), end.do_handshake):
        with pytest.raises(ssl.SSLCertVerificationError):
            operation()
    left = outgoing.read()
    assert b"" == left, "nothing leaves after the verdict, the last flight included"


@VERSIONS
@pytest.mark.parametrize("case", ["trusted", "guarded", "unguarded"])
def test_client_certificate_waits_for_the_verdict(
    version: ssl.TLSVersion, case: str, unguard: Callable[[], None]
) -> None:
    """On memory BIOs the flight with the client's certificate leaves for a trusted server only."""
    clients = root("clients")
    mine = leaf("mine", clients)
    if case == "unguarded":
        unguard()
    context = client()
    Chain((mine,)).load(context)
    server = peer.server_context(SENT, version=version, client_anchors=(clients,))
    if case == "trusted":
        trusts()
    pair = Pair(context, server)
    if case != "guarded":
        pair.shake()
        assert mine.der == pair.server.getpeercert(True)
        return
    with pytest.raises(ssl.SSLCertVerificationError):
        pair.shake()
    with contextlib.suppress(ssl.SSLError):
        pair.server.do_handshake()
    assert () == ders(fasttrust.get_unverified_chain(pair.server))
    assert None is pair.server.version()


@pytest.mark.parametrize("case", ["trusted", "guarded", "unguarded"])
@pytest.mark.parametrize("spoiled", ["garbage", "end"])
def test_client_certificate_waits_where_the_handshake_is_spoiled(
    case: str, spoiled: str, unguard: Callable[[], None]
) -> None:
    """With TLS 1.2 it is ready to leave when a server that was not judged breaks its word."""
    clients = root("clients")
    mine = leaf("mine", clients)
    version = ssl.TLSVersion.TLSv1_2
    server = peer.server_context(SENT, version=version, client_anchors=(clients,))
    if case == "trusted":
        trusts()
    if case == "unguarded":
        unguard()
    context = client()
    Chain((mine,)).load(context)
    incoming, outgoing, flight = (ssl.MemoryBIO() for _ in range(3))
    end = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    far = server.wrap_bio(outgoing, flight, server_side=True)
    for each in (end, far):
        with pytest.raises(ssl.SSLWantReadError):
            each.do_handshake()
    incoming.write(flight.read())
    if spoiled == "garbage":
        incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    else:
        incoming.write_eof()
    with pytest.raises(ssl.SSLError) as caught:
        end.do_handshake()
    assert (case == "guarded") == isinstance(caught.value, ssl.SSLCertVerificationError)
    assert (case != "guarded") == (mine.der in outgoing.read())
    with pytest.raises(ssl.SSLError):
        end.do_handshake()
    assert mine.der not in outgoing.read()


class Watching:
    """A memory BIO with something that happens before it is written to for the first time."""

    def __init__(self, before: Callable[[], None]) -> None:
        self.bio = ssl.MemoryBIO()
        self._before: Callable[[], None] | None = before

    def write(self, data: bytes) -> int:
        before, self._before = self._before, None
        if before is not None:
            before()
        return self.bio.write(data)


def test_what_another_thread_passes_on_has_left() -> None:
    """A thread that has written finds it in the BIO, were another just about to put it there."""
    begun, seen = threading.Event(), threading.Event()

    def before() -> None:
        begun.set()
        seen.wait(0.2)  # what the second would see too early, it has seen by then

    out = Watching(before)
    pipe = _guard.Pipe(out)  # type: ignore[arg-type]
    pipe.held.write(b"a")
    thread = threading.Thread(target=pipe.let_go)
    thread.start()
    assert begun.wait(TIMEOUT)
    pipe.let_go()
    assert b"a" == out.bio.read()
    seen.set()
    thread.join(TIMEOUT)


def test_handler_that_writes_while_something_is_passed_on() -> None:
    """A signal's handler, or a finalizer, waits for nobody, and what it writes comes after."""

    def handler() -> None:
        pipe.held.write(b"b")
        pipe.let_go()

    out = Watching(handler)
    pipe = _guard.Pipe(out)  # type: ignore[arg-type]
    pipe.held.write(b"a")
    thread = threading.Thread(target=pipe.let_go, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    assert b"ab" == out.bio.read()


@pytest.mark.parametrize("case", ["trusted", "guarded", "unguarded"])
@pytest.mark.parametrize("carrier", ["socket", "bio"])
def test_post_handshake_authentication_of_a_client(
    case: str, carrier: str, unguard: Callable[[], None]
) -> None:
    """A server asks for the client's certificate only once it was judged."""
    clients = root("clients")
    mine = leaf("mine", clients)
    server = peer.server_context(SENT, version=ssl.TLSVersion.TLSv1_3, client_anchors=(clients,))
    server.post_handshake_auth = True
    if case == "trusted":
        trusts()
    if case == "unguarded":
        unguard()
    context = client()
    context.post_handshake_auth = True
    Chain((mine,)).load(context)
    outcome = peer.connect(context, server, carrier=carrier, post_handshake=True)
    moved = (outcome.server_received, outcome.client_received)
    assert ((b"", b"") if case == "guarded" else (peer.SECRET * 2, peer.REPLY * 2)) == moved


# ---- asyncio, uvloop, gevent ---------------------------------------------------------------------


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    if request.param == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        made: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    else:
        made = asyncio.new_event_loop()
    yield made
    made.close()


async def streams(port: int) -> object:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=client(), server_hostname=HOST
    )
    writer.write(peer.SECRET)
    found = await reader.read(100)
    writer.close()
    await writer.wait_closed()
    return found


async def protocol(port: int, kind: Any = Speaker) -> object:
    loop = asyncio.get_running_loop()
    made = kind()
    try:
        transport, _ = await loop.create_connection(
            lambda: made, "127.0.0.1", port, ssl=client(), server_hostname=HOST
        )
    finally:
        if type(_compat.Guard) is type and _compat.Guard is _guard.Guard:
            assert (False, b"") == (made.connected, made.heard)
    await asyncio.wait_for(made.done, TIMEOUT)
    transport.close()
    await asyncio.wait_for(made.lost, TIMEOUT)
    return made.heard


async def buffered(port: int) -> object:
    return await protocol(port, BufferedSpeaker)


async def start_tls(port: int) -> object:
    loop = asyncio.get_running_loop()
    plain, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    made = Speaker()
    transport = await loop.start_tls(plain, made, client(), server_hostname=HOST)
    assert transport is not None
    transport.write(peer.SECRET)
    await asyncio.wait_for(made.done, TIMEOUT)
    transport.close()
    await asyncio.wait_for(made.lost, TIMEOUT)
    return made.heard


@VERSIONS
@GUARDED
@pytest.mark.parametrize("attack", [streams, protocol, buffered, start_tls])
def test_event_loop(
    loop: asyncio.AbstractEventLoop,
    attack: Any,
    guarded: bool,
    version: ssl.TLSVersion,
    unguard: Callable[[], None],
) -> None:
    """No protocol hears of a connection that is not trusted, and none speaks through it."""
    if not guarded:
        unguard()
    with listener(version) as (port, had):
        work = asyncio.wait_for(attack(port), TIMEOUT)
        if guarded:
            with pytest.raises(ssl.SSLCertVerificationError):
                loop.run_until_complete(work)
        else:
            assert peer.REPLY == loop.run_until_complete(work)
    assert guarded == (not any(each.received for each in had))
    assert had


@GUARDED
def test_gevent(guarded: bool) -> None:
    """Its sockets call `_wrap_socket` themselves, and shake hands in a loop of their own."""
    pytest.importorskip("gevent")
    program = """
        import warnings
        warnings.simplefilter("ignore")
        import gevent.ssl, gevent.socket, gevent, ssl
        import fasttrust, pki
        import guarded
        server = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        guarded.SENT.load(server)
        if not GUARDED:
            guarded.take_away(setattr)
        for state in STATES:
            getattr(guarded, state)()
            for implicit in (False, True):
                client = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                fasttrust.attach(client)
                assert client.verify_mode == ssl.CERT_REQUIRED and client.check_hostname
                client.check_hostname = False
                client.verify_mode = ssl.CERT_NONE
                client.check_hostname = True
                assert client.verify_mode == ssl.CERT_REQUIRED
                near, far = gevent.socket.socketpair()
                received = []
                def serve():
                    try:
                        tls = server.wrap_socket(far, server_side=True)
                        tls.send(b"x")
                        received.append(tls.recv(10))
                    except OSError:
                        pass
                greenlet = gevent.spawn(serve)
                tls = near
                with gevent.Timeout(20):
                    try:
                        tls = client.wrap_socket(
                            near, server_hostname=pki.HOST,
                            do_handshake_on_connect=not implicit)
                        tls.send(b"secret")
                        print(tls.recv(1))
                    except ssl.SSLCertVerificationError as error:
                        print(error.verify_code)
                    tls.close()
                    greenlet.join()
                print(received)
    """
    through = ["b'x'", "[b'secret']"]
    states = ("refuses",) if WINDOWS else ("refuses", "trusts")
    expected = [*2 * (["20", "[b'']"] if guarded else through), *2 * through][: 4 * len(states)]
    program = program.replace("GUARDED", str(guarded)).replace("STATES", str(states))
    printed = check_python(program).replace("[]", "[b'']")
    assert expected == printed.splitlines()


def test_environment_is_compat() -> None:
    """The file is run as it says."""
    verifier = "cryptoapi" if WINDOWS else "sectrust" if DOUBLE else "told"
    assert ("compat", verifier) == fasttrust.backend()[:2]
    assert "compat" == os.environ["FASTTRUST_MODE"]
