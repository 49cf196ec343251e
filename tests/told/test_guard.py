"""
Compat mode where a platform decides: nothing moves before its verdict, and nothing after a refusal.

Each attack is a way in which an application could move data on a connection that is not trusted. It
is tried with the guard, where it raises and nothing moves, and without it, where it succeeds: so
each attack is one that the guard stops, and not something that could not have worked anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded import (
    DOUBLE,
    SENT,
    TIMEOUT,
    WHOLE,
    BufferedSpeaker,
    Speaker,
    asked,
    client,
    issued,
    listener,
    refuses,
    trusts,
    victim,
)
from test_told import heard, says

import fasttrust
import modes
import peer
from fasttrust import _compat, _guard, _native, _native_platform
from pki import HOST, Chain, leaf, root
from world import Pair, check_python, ders

pytestmark = pytest.mark.skipif(
    not (_native.SYSTEM_NAME == "told" or DOUBLE) or not modes.COMPAT,
    reason="needs the extension that tests/told/run or tests/macos/run builds, in compat mode",
)
TOLD = pytest.mark.skipif(DOUBLE, reason="the double of macOS is not told what to say")

VERSIONS = pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
GUARDED = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])


@pytest.fixture(autouse=True)
def distrust() -> None:
    refuses()


class _Open:
    """What stands where the guard stood: nothing. OpenSSL has verified nobody."""

    def __new__(cls, inner: Any, judge: Any, pipe: Any = None) -> Any:
        return inner


@pytest.fixture
def unguard(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what takes the guard away, for the proof that an attack is one."""

    def away() -> None:
        monkeypatch.setattr(_compat, "Guard", _Open)
        monkeypatch.setattr(_compat, "record_watch", lambda connection: _guard.Record())
        # A pipe lets nothing through by itself.
        monkeypatch.setattr(_compat, "Pipe", _NoPipe)

    return away


class _NoPipe:
    def __init__(self, outgoing: ssl.MemoryBIO) -> None:
        self.held = outgoing


# ---- sockets: every attack -----------------------------------------------------------------------


def shake(tls: ssl.SSLSocket) -> None:
    with contextlib.suppress(ssl.SSLCertVerificationError):
        tls.do_handshake()


def read(tls: ssl.SSLSocket) -> object:
    return tls.read(100)


def recv(tls: ssl.SSLSocket) -> object:
    return tls.recv(100)


def recv_into(tls: ssl.SSLSocket) -> object:
    buffer = bytearray(100)
    try:
        return tls.recv_into(buffer)
    finally:
        assert not any(buffer) or tls._sslobj.__class__ is not _guard.Guard


def write(tls: ssl.SSLSocket) -> object:
    return tls.write(peer.SECRET)


def send(tls: ssl.SSLSocket) -> object:
    return tls.send(peer.SECRET)


def sendall(tls: ssl.SSLSocket) -> object:
    tls.sendall(peer.SECRET)
    return True


def sendfile(tls: ssl.SSLSocket) -> object:
    with open(Path(__file__), "rb") as file:
        return tls.sendfile(file)


def makefile_read(tls: ssl.SSLSocket) -> object:
    with tls.makefile("rb") as file:
        return file.read(len(peer.REPLY))


def makefile_write(tls: ssl.SSLSocket) -> object:
    with contextlib.ExitStack() as stack:
        file = tls.makefile("wb", buffering=0)
        stack.callback(file.close)
        return file.write(peer.SECRET)


def unwrap(tls: ssl.SSLSocket) -> object:
    shake(tls)
    tls.recv(len(peer.REPLY)) if type(tls._sslobj) is not _guard.Guard else None
    tls._sslobj.shutdown  # noqa: B018 - it is there
    tls.unwrap()
    return True


def pending(tls: ssl.SSLSocket) -> object:
    shake(tls)
    tls.pending()
    return True


def second_handshake(tls: ssl.SSLSocket) -> object:
    shake(tls)
    tls.do_handshake()
    return tls.send(peer.SECRET)


def send_after_refusal(tls: ssl.SSLSocket) -> object:
    shake(tls)
    return tls.send(peer.SECRET)


def receive_after_refusal(tls: ssl.SSLSocket) -> object:
    shake(tls)
    return tls.recv(100)


def without_blocking(tls: ssl.SSLSocket) -> object:
    """The handshake is left to recv() on a socket that never waits."""
    tls.setblocking(False)
    while True:
        try:
            return tls.recv(100)
        except ssl.SSLWantReadError:
            assert select.select([tls], [], [], TIMEOUT)[0]
        except ssl.SSLWantWriteError:
            assert select.select([], [tls], [], TIMEOUT)[1]


def sslobj_before(tls: ssl.SSLSocket) -> object:
    """What was taken from the socket before its handshake."""
    return tls._sslobj.write(peer.SECRET)


def sslobj_after(tls: ssl.SSLSocket) -> object:
    kept = tls._sslobj
    shake(tls)
    assert kept is tls._sslobj
    return kept.read(100)


def sslobj_unforeseen(tls: ssl.SSLSocket) -> object:
    """An operation of the connection that the guard does not know by name."""
    return tls._sslobj.verify_client_post_handshake is None or tls._sslobj.write(peer.SECRET)


def two_threads(tls: ssl.SSLSocket) -> object:
    """One thread shakes hands, another one is already writing."""
    found: list[object] = []
    errors: list[BaseException] = []
    gate = threading.Barrier(2)

    def run(operation: Callable[[], object]) -> None:
        gate.wait(TIMEOUT)
        try:
            found.append(operation())
        except BaseException as error:
            errors.append(error)

    both = [
        threading.Thread(target=run, args=(work,))
        for work in (tls.do_handshake, lambda: tls.send(peer.SECRET))
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(TIMEOUT)
    if errors:
        raise errors[0]
    return found


ATTACKS = [
    *(read, recv, recv_into, write, send, sendall, sendfile, makefile_read, makefile_write),
    *(unwrap, pending, second_handshake, send_after_refusal, receive_after_refusal),
    *(without_blocking, sslobj_before, sslobj_after, sslobj_unforeseen, two_threads),
]


@VERSIONS
@GUARDED
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_attack_on_a_socket(
    attack: Callable[[ssl.SSLSocket], object],
    guarded: bool,
    version: ssl.TLSVersion,
    unguard: Callable[[], None],
) -> None:
    """Guarded it raises and nothing moves, again and again; unguarded it gets what it wants."""
    if not guarded:
        if attack is two_threads:
            pytest.skip("two threads in one OpenSSL connection, unguarded, are undefined")
        unguard()
    with victim(client(), version) as (tls, server):
        if not guarded:
            assert attack(tls)
        else:
            for _ in range(2):
                with pytest.raises(ssl.SSLCertVerificationError) as caught:
                    attack(tls)
                assert 20 == getattr(caught.value, "verify_code", 0), repr(caught.value)
    if guarded:
        assert b"" == server.received
        if not DOUBLE or attack is not two_threads:  # which counts for each thread
            assert 1 == asked()


@VERSIONS
def test_trusted_connection_moves_everything(version: ssl.TLSVersion) -> None:
    """The same operations on a server that the platform trusts."""
    trusts()
    for attack in (read, recv, write, send, sendall, makefile_read, without_blocking):
        with victim(client(), version) as (tls, server):
            assert attack(tls)
            tls.settimeout(TIMEOUT)
            assert issued(WHOLE) == ders(fasttrust.get_verified_chain(tls))
            assert issued(WHOLE) == tuple(tls.get_verified_chain())
            assert SENT.ders == ders(fasttrust.get_unverified_chain(tls))
            assert SENT.ders[0] == tls.getpeercert(True)
            assert (("DNS", HOST),) == tls.getpeercert()["subjectAltName"]
    with victim(client(), version) as (tls, server):
        tls.do_handshake()
        assert peer.REPLY == tls.recv(100)
        tls.sendall(peer.SECRET)
        tls.unwrap()
    assert peer.SECRET == server.received


def test_copied_socket_is_no_way_in() -> None:
    """`dup` is refused as ever; a detached descriptor carries no TLS of ours."""
    with victim(client()) as (tls, server):
        shake(tls)
        with pytest.raises(NotImplementedError):
            tls.dup()
        with socket.socket(fileno=tls.detach()) as raw:
            raw.settimeout(TIMEOUT)
            with contextlib.suppress(OSError):
                assert peer.REPLY not in raw.recv(10000)  # ciphertext
    assert b"" == server.received


@VERSIONS
@GUARDED
def test_session_of_another_connection(
    version: ssl.TLSVersion, guarded: bool, unguard: Callable[[], None]
) -> None:
    """A session made while the server was trusted brings it nothing later, given or set."""
    context = client()
    server = peer.server_context(SENT, version=version)
    trusts()
    with victim(context, server=server) as (tls, _):
        tls.do_handshake()
        tls.recv(100)
        session = tls.session
        assert session is not None
    refuses()
    if not guarded:
        unguard()
    for late in (False, True):
        with victim(context, server=server, session=None if late else session) as (tls, serving):
            if late:
                tls.session = session
            if guarded:
                with pytest.raises(ssl.SSLCertVerificationError):
                    tls.recv(100)
                assert not tls.session_reused
            else:
                assert tls.recv(100)
        assert b"" == serving.received


def test_settings_read_back_what_the_program_set() -> None:
    """OpenSSL verifies nobody beneath; the program sees its own settings, by ssl's rules."""
    context = client()
    base = ssl.SSLContext.__mro__[1]
    beneath = vars(base)["verify_mode"].__get__
    assert (ssl.CERT_REQUIRED, True, 0) == (
        context.verify_mode,
        context.check_hostname,
        beneath(context),
    )
    with pytest.raises(ValueError, match="check_hostname is enabled"):
        context.verify_mode = ssl.CERT_NONE
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert (ssl.CERT_NONE, False) == (context.verify_mode, context.check_hostname)
    assert isinstance(context.verify_mode, ssl.VerifyMode)
    with victim(context) as (tls, _):
        assert peer.REPLY == tls.recv(100)
        assert {} == tls.getpeercert()
        assert SENT.ders[0] == tls.getpeercert(True)
        assert () == fasttrust.get_verified_chain(tls)
    context.check_hostname = True
    assert (ssl.CERT_REQUIRED, 0) == (context.verify_mode, beneath(context))
    with victim(context) as (tls, _), pytest.raises(ssl.SSLCertVerificationError):
        tls.recv(100)
    with pytest.raises(ValueError, match="9"):
        context.verify_mode = 9
    default = fasttrust.create_default_context()
    assert (ssl.CERT_REQUIRED, True) == (default.verify_mode, default.check_hostname)
    attached = ssl.create_default_context()
    fasttrust.attach(attached)
    assert (ssl.CERT_REQUIRED, 0) == (attached.verify_mode, beneath(attached))


@TOLD
@pytest.mark.parametrize("checked", [True, False])
def test_name_is_the_platforms_to_check(checked: bool) -> None:
    """It is told the name that counts, or none."""
    context = client()
    context.check_hostname = checked
    with victim(context) as (tls, _), pytest.raises(fasttrust.VerificationError) as caught:
        tls.do_handshake()
    question = heard()
    name = _native.ffi.string(question.host).decode()
    assert (HOST if checked else "", True, True) == (
        name,
        bool(question.names_are_yours),
        bool(question.is_server),
    )
    error = caught.value
    assert (20, -67820, "“leaf” is not trusted") == (
        error.verify_code,
        error.native_code,
        error.native_message,
    )
    assert SENT.ders == ders(error.chain)
    assert error.hint


@TOLD
@pytest.mark.parametrize("host", ["other.test", "127.0.0.1", "test", "a.server.test"])
def test_platform_that_says_yes_to_a_wrong_name_is_refused(host: str) -> None:
    """The names of the leaf are looked at once more, and can only refuse."""
    trusts()
    near, far = socket.socketpair()
    with near, far:
        tls = client().wrap_socket(near, server_hostname=host, do_handshake_on_connect=False)
        server = peer.server_context(SENT)
        thread = threading.Thread(target=_serve, args=(server, far))
        thread.start()
        with tls, pytest.raises(ssl.SSLCertVerificationError, match="mismatch") as caught:
            tls.send(peer.SECRET)
        thread.join(TIMEOUT)
    assert (64 if host[0] == "1" else 62) == caught.value.verify_code


def _serve(context: ssl.SSLContext, raw: socket.socket) -> None:
    with contextlib.suppress(OSError):
        context.wrap_socket(raw, server_side=True).close()


@TOLD
@pytest.mark.parametrize(
    "lie", [(), (leaf("other", root("other")),), WHOLE[1:]], ids=["none", "other", "no leaf"]
)
def test_success_that_is_none_is_a_refusal(lie: Any) -> None:
    """A platform that trusts without a chain, or with another leaf's, trusts nobody."""
    says(0, lie)
    with victim(client()) as (tls, server):
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            tls.send(peer.SECRET)
        assert 1 == caught.value.verify_code
    assert b"" == server.received


def test_no_certificate_is_a_refusal() -> None:
    """Ciphers without certificates, which a program may allow, bring no server past the verdict."""
    trusts()
    anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context = client()
    for each in (anonymous, context):
        each.maximum_version = ssl.TLSVersion.TLSv1_2
        each.set_ciphers("aNULL:@SECLEVEL=0")
    with victim(context, server=anonymous) as (tls, server):
        with pytest.raises(ssl.SSLCertVerificationError, match="showed no certificate"):
            tls.send(peer.SECRET)
        with pytest.raises(ssl.SSLCertVerificationError):
            tls.recv(100)
    assert server.shaken
    assert b"" == server.received


def test_interrupted_verdict_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps the platform from answering, the connection is dead."""

    def interrupt(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    trusts()
    with victim(client()) as (tls, server):
        monkeypatch.setattr(_native_platform, "platform_verify", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tls.do_handshake()
        monkeypatch.undo()
        for operation in (tls.do_handshake, lambda: tls.send(b"x"), lambda: tls.recv(1)):
            with pytest.raises(ssl.SSLError, match="the verdict was not reached"):
                operation()
    assert b"" == server.received


def test_renegotiation_is_off() -> None:
    """No server shows another certificate after the verdict, whatever the program cleared."""
    context = client()
    context.options &= ~ssl.OP_NO_RENEGOTIATION
    with victim(context) as (tls, _):
        assert context.options & ssl.OP_NO_RENEGOTIATION
        shake(tls)


def test_both_sided_context_verifies_no_clients() -> None:
    """A context whose servers the platform judges cannot make OpenSSL verify clients."""
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        context = fasttrust.SSLContext(ssl.PROTOCOL_TLS)
    SENT.load(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(ssl.SSLError, match="cannot verify clients"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


def test_exchanged_context_is_refused() -> None:
    """A client connection keeps the context by which it is judged."""
    with victim(client()) as (tls, _), pytest.raises(ValueError, match="keeps its context"):
        tls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


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
@pytest.mark.parametrize("trusted", [True, False])
def test_client_certificate_waits_for_the_verdict(version: ssl.TLSVersion, trusted: bool) -> None:
    """On memory BIOs the flight with the client's certificate leaves for a trusted server only."""
    clients = root("clients")
    mine = leaf("mine", clients)
    context = client()
    Chain((mine,)).load(context)
    server = peer.server_context(SENT, version=version, client_anchors=(clients,))
    if trusted:
        trusts()
    pair = Pair(context, server)
    if trusted:
        pair.shake()
        assert mine.der == pair.server.getpeercert(True)
        return
    with pytest.raises(ssl.SSLCertVerificationError):
        pair.shake()
    with contextlib.suppress(ssl.SSLError):
        pair.server.do_handshake()
    assert () == ders(fasttrust.get_unverified_chain(pair.server))
    assert None is pair.server.version()


def test_post_handshake_authentication_of_a_client() -> None:
    """A server asks for the client's certificate only once it was judged."""
    clients = root("clients")
    mine = leaf("mine", clients)
    server = peer.server_context(SENT, version=ssl.TLSVersion.TLSv1_3, client_anchors=(clients,))
    server.post_handshake_auth = True
    for trusted in (True, False):
        (trusts if trusted else refuses)()
        context = client()
        context.post_handshake_auth = True
        Chain((mine,)).load(context)
        for carrier in ("socket", "bio"):
            outcome = peer.connect(context, server, carrier=carrier, post_handshake=True)
            moved = (outcome.server_received, outcome.client_received)
            assert ((peer.SECRET * 2, peer.REPLY * 2) if trusted else (b"", b"")) == moved


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


def test_gevent() -> None:
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
        for trusted in (guarded.refuses, guarded.trusts):
            trusted()
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
    expected = [*2 * ["20", "[b'']"], *2 * ["b'x'", "[b'secret']"]]
    printed = check_python(program).replace("[]", "[b'']")
    assert expected == printed.splitlines()


def test_environment_is_compat() -> None:
    """The file is run as it says."""
    assert ("compat", "sectrust" if DOUBLE else "told") == fasttrust.backend()[:2]
    assert "compat" == os.environ["FASTTRUST_MODE"]
