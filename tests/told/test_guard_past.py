"""Compat mode where a platform decides: connections that are made past the guard altogether.

Whoever takes the guard's methods away from a context, or calls C's own on it, finds a context of
``ssl`` that verifies by what the program itself loaded, and so refuses whom only the system knows.
"""

from __future__ import annotations

import _ssl
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest
from guarded import (
    GUARD_TESTS,
    GUARDED,
    ROOT,
    SENT,
    TIMEOUT,
    VERSIONS,
    WINDOWS,
    Server,
    client,
    leave_open,
    refuses,
    trusts,
    victim,
)

import fasttrust
import peer
from fasttrust import _fed, _guard
from pki import HOST, Chain, leaf, pem, root

pytestmark = GUARD_TESTS


def method_of_c(context: Any, raw: socket.socket) -> Any:
    """`_wrap_socket` as C has it, called on our context."""
    return _ssl._SSLContext._wrap_socket(context, raw, False, HOST)  # type: ignore[attr-defined]


def another_class(context: Any, raw: socket.socket) -> Any:
    """The class is exchanged, as eventlet does with what `ssl.create_default_context` returns."""
    context.__class__ = ssl.SSLContext
    return context.wrap_socket(raw, server_hostname=HOST, do_handshake_on_connect=False)


def injected_before(context: Any, raw: socket.socket) -> Any:
    """A context of an injection that has ended, of a class that the program gave it meanwhile."""
    return context.wrap_socket(raw, server_hostname=HOST, do_handshake_on_connect=False)


def made_for(way: Callable[..., Any]) -> ssl.SSLContext:
    class Green(ssl.SSLContext):
        pass

    if way is not injected_before:
        return client()
    with fasttrust.inject_into_ssl():
        context = ssl.create_default_context()
        context.__class__ = Green
    return context


WAYS = pytest.mark.parametrize(
    "way", [method_of_c, another_class, injected_before], ids=lambda way: way.__name__
)


@VERSIONS
@GUARDED
@WAYS
def test_past_the_guard(
    way: Callable[[Any, socket.socket], Any],
    guarded: bool,
    version: ssl.TLSVersion,
) -> None:
    """OpenSSL itself refuses, in the handshake; left open, the context lets everything through."""
    if not WINDOWS:
        trusts()  # even then: nobody asks the system
    context = made_for(way)
    if not guarded:
        leave_open(context)
    near, far = socket.socketpair()
    with near:
        near.settimeout(TIMEOUT)
        server = Server(far, peer.server_context(SENT, version=version))
        past = way(context, near)
        assert type(getattr(past, "_sslobj", past)) is not _guard.Guard
        if guarded:
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                past.do_handshake()
            assert 20 == caught.value.verify_code
            with pytest.raises(OSError):  # noqa: PT011 - which one depends on what the peer does
                past.write(peer.SECRET)
        else:
            past.do_handshake()
            assert past.read(100)
            assert past.write(peer.SECRET)
        if isinstance(past, ssl.SSLSocket):
            past.close()
        del past
    server.thread.join(TIMEOUT)
    assert b"" == server.received or not guarded


@GUARDED
def test_past_the_guard_over_memory(guarded: bool) -> None:
    """`_wrap_bio` as C has it."""
    context = client()
    if not guarded:
        leave_open(context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    past = _ssl._SSLContext._wrap_bio(context, incoming, outgoing, False, HOST)  # type: ignore[attr-defined]
    far = peer.server_context(SENT).wrap_bio(outgoing, incoming, server_side=True)
    with contextlib.ExitStack() as stack:
        if guarded:
            stack.enter_context(pytest.raises(ssl.SSLCertVerificationError))
        for _ in range(5):
            for end in (past, far):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
        assert past.write(peer.SECRET)


@GUARDED
def test_callback_is_given_no_bare_connection(guarded: bool, unguard: Callable[[], None]) -> None:
    """A connection over memory that nobody wraps is shown to callbacks: it is the guard's."""
    if not guarded:
        unguard()
    shown: list[Any] = []
    context: Any = client()
    context._msg_callback = lambda connection, *_: shown.append(connection)
    server: Any = fasttrust.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    SENT.load(server)
    server.sni_callback = lambda connection, *_: shown.append(connection)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        context._wrap_bio(incoming, outgoing, False, HOST),
        server._wrap_bio(outgoing, incoming, True),
    ]
    for end in ends * 2:
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLCertVerificationError):
            end.do_handshake()
    assert {*map(id, ends)} == {*map(id, shown)}
    if guarded:
        assert [None, None] == [end.owner for end in ends]
        with pytest.raises(ssl.SSLCertVerificationError):
            shown[0].write(peer.SECRET)
    else:
        assert shown[0].write(peer.SECRET)


def test_callback_is_given_who_wraps_a_connection() -> None:
    """And not the bare one, be it a socket's or over memory."""
    shown: list[Any] = []
    context: Any = client()
    context._msg_callback = lambda connection, *_: shown.append(connection)
    wrapped = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        wrapped.do_handshake()
    with victim(context) as (tls, _), contextlib.suppress(ssl.SSLCertVerificationError):
        tls.do_handshake()
    assert {id(wrapped), id(tls)} == {*map(id, shown)}


@pytest.mark.parametrize("host", [HOST, "other.test"])
def test_past_the_guard_the_programs_own_anchors_count(host: str) -> None:
    """As with ``ssl``: whom the program's own anchors vouch for, under that name, is accepted."""
    context = client()
    context.load_verify_locations(cadata=pem(ROOT))
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)  # feeds the store
    context.__class__ = ssl.SSLContext
    outcome = peer.connect(context, peer.server_context(SENT), server_hostname=host)
    if host == HOST:
        assert (peer.SECRET, peer.REPLY) == (outcome.server_received, outcome.client_received)
    else:
        assert (b"", b"") == (outcome.server_received, outcome.client_received)


@pytest.mark.parametrize(
    ("mode", "checked"),
    [(ssl.CERT_REQUIRED, True), (ssl.CERT_REQUIRED, False), (ssl.CERT_OPTIONAL, True)],
)
def test_context_is_as_it_was_set_whatever_happens(mode: ssl.VerifyMode, checked: bool) -> None:
    """After a connection, one that failed to be made, and one that another thread makes."""
    context = client()
    context.check_hostname = checked
    context.verify_mode = mode

    def as_it_was(context: Any) -> bool:
        settings = [vars(_ssl._SSLContext)[name] for name in ("verify_mode", "check_hostname")]
        return [mode, checked] == [setting.__get__(context) for setting in settings]

    assert as_it_was(context)
    for name in (HOST, "a" * 300, ".", b"\xff"):
        with contextlib.suppress(ValueError, TypeError, ssl.SSLError, UnicodeError):
            context._wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, name)
        assert as_it_was(context)
    with pytest.raises(TypeError):
        context._wrap_bio(None, ssl.MemoryBIO(), False, HOST)  # type: ignore[arg-type]
    assert as_it_was(context)
    threads = [
        threading.Thread(
            target=lambda: [
                context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
                for _ in range(50)
            ]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert as_it_was(context)
    assert (mode, checked) == (context.verify_mode, context.check_hostname)


def test_many_threads_make_connections_that_the_platform_judges() -> None:
    """At once, of one context: each is the platform's."""
    trusts()
    context = client()
    server = peer.server_context(SENT)
    wrong: list[object] = []

    def connect() -> None:
        for _ in range(20):
            outcome = peer.connect(context, server, carrier="bio")
            if outcome.client_error or outcome.server_received != peer.SECRET:
                wrong.append(outcome)

    threads = [threading.Thread(target=connect) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
    refuses()
    assert peer.connect(context, server, carrier="bio").server_received == b""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_fork_while_a_store_is_fed() -> None:
    """The child waits for no thread of its parent's."""
    gate, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with _fed.feeding:
            gate.set()
            leave.wait(TIMEOUT)

    thread = threading.Thread(target=hold)
    thread.start()
    assert gate.wait(TIMEOUT)
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            context = client()
            context.load_verify_locations(cadata=pem(ROOT))
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
            status = 0
        os._exit(status)
    leave.set()
    thread.join(TIMEOUT)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_both_sided_context_verifies_clients_by_what_was_loaded() -> None:
    """A context whose servers the platform judges verifies clients as ``ssl`` does."""
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        context = fasttrust.SSLContext(ssl.PROTOCOL_TLS)
    clients = root("clients")
    SENT.load(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pem(clients))
    trusts()
    with victim(context) as (tls, _):  # as a client; its own servers are another matter
        tls.do_handshake()
    for issuer, accepted in ((clients, True), (root("others"), False), (None, False)):
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        theirs.load_verify_locations(cadata=pem(ROOT))
        if issuer is not None:
            Chain((leaf("mine", issuer),)).load(theirs)
        outcome = peer.connect(theirs, context)
        assert accepted == (outcome.server_received == peer.SECRET)
