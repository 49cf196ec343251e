"""
Compat mode where a platform decides: nothing moves before its verdict, and nothing after a refusal.

Each attack is a way in which an application could move data on a connection that is not trusted. It
is tried with the guard, where it raises and nothing moves, and without it, where it succeeds: so
each attack is one that the guard stops, and not something that could not have worked anyway.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guarded import (
    GUARD_TESTS,
    GUARDED,
    SENT,
    TIMEOUT,
    VERSIONS,
    WHOLE,
    asked,
    client,
    issued,
    refuses,
    trusts,
    victim,
)

import fasttrust
import peer
from fasttrust import _guard, _native_platform
from pki import HOST
from world import ders

pytestmark = GUARD_TESTS


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


def duplicated(tls: ssl.SSLSocket) -> object:
    """`dup` is refused as ever; a copy of the descriptor makes a connection of its own."""
    with pytest.raises(NotImplementedError):
        tls.dup()
    with socket.socket(fileno=socket.dup(tls.fileno())) as copy:
        copy.settimeout(TIMEOUT)
        with tls.context.wrap_socket(copy, server_hostname=HOST) as again:
            return again.recv(100)


def detached(tls: ssl.SSLSocket) -> object:
    """What the socket leaves behind is a descriptor, which carries nothing yet."""
    with socket.socket(fileno=tls.detach()) as raw:
        raw.settimeout(TIMEOUT)
        with tls.context.wrap_socket(raw, server_hostname=HOST) as again:
            return again.recv(100)


ATTACKS = [
    *(read, recv, recv_into, write, send, sendall, sendfile, makefile_read, makefile_write),
    *(unwrap, pending, second_handshake, send_after_refusal, receive_after_refusal),
    *(without_blocking, sslobj_before, sslobj_after, sslobj_unforeseen, duplicated, detached),
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
        unguard()
    with victim(client(), version) as (tls, server):
        if not guarded:
            assert attack(tls)
        else:
            for _ in range(1 if attack in (duplicated, detached) else 2):
                with pytest.raises(ssl.SSLCertVerificationError) as caught:
                    attack(tls)
                assert 20 == getattr(caught.value, "verify_code", 0), repr(caught.value)
    if guarded:
        assert b"" == server.received
        assert 1 == asked()


class Later:
    """A connection of a later Python's, with one operation more."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write_later(self, data: bytes) -> object:
        return self._inner.write(data)


def test_operation_that_nobody_foresaw_waits_for_the_verdict() -> None:
    """Like any other, after a refusal as before it."""
    with victim(client()) as (tls, server):
        guard: Any = tls._sslobj
        guard._inner = Later(guard._inner)
        for operation in (guard.write_later, guard.write_later, guard.write):
            with pytest.raises(ssl.SSLCertVerificationError):
                operation(peer.SECRET)
    assert b"" == server.received


def test_certificate_before_the_handshake_is_an_error() -> None:
    """As with ``ssl``."""
    with victim(client()) as (tls, _), pytest.raises(ValueError, match="handshake not done"):
        tls._sslobj.getpeercert()


@VERSIONS
@GUARDED
@pytest.mark.parametrize("operation", [write, recv, read, shake], ids=lambda each: each.__name__)
def test_second_thread_while_the_verdict_is_awaited(
    operation: Callable[[ssl.SSLSocket], object],
    guarded: bool,
    version: ssl.TLSVersion,
    unguard: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second thread that comes between OpenSSL's part and the platform's word waits."""
    shaken, begun = threading.Event(), threading.Event()
    outcomes: list[object] = []
    verify = _native_platform.platform_verify

    def slowly(*args: Any, **kwargs: Any) -> Any:
        shaken.set()
        assert begun.wait(TIMEOUT)
        return verify(*args, **kwargs)

    def second(tls: ssl.SSLSocket) -> None:
        assert shaken.wait(TIMEOUT)
        begun.set()
        try:
            outcomes.append(tls.do_handshake() if operation is shake else operation(tls))
        except ssl.SSLCertVerificationError as error:
            outcomes.append(error)

    monkeypatch.setattr(_native_platform, "platform_verify", slowly)
    if not guarded:
        unguard()
    with victim(client(), version) as (tls, server):
        thread = threading.Thread(target=second, args=(tls,))
        thread.start()
        if guarded:
            with pytest.raises(ssl.SSLCertVerificationError):
                tls.do_handshake()
        else:
            tls.do_handshake()
            shaken.set()
        thread.join(TIMEOUT)
    assert guarded == isinstance(outcomes[0], ssl.SSLCertVerificationError)
    if guarded:
        assert b"" == server.received


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
        assert tls.session is None  # not told: C's own method would resume it, verified by nobody
        session = tls._sslobj._inner.session  # type: ignore[attr-defined]
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
