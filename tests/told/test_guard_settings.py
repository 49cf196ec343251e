"""Compat mode where a platform decides: settings count, whoever sets them, by whatever means, when.

C's own are the only ones. They are others for the instant in which a connection is made.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from guarded import (
    GUARD_TESTS,
    SENT,
    TIMEOUT,
    TOLD,
    WINDOWS,
    client,
    leave_open,
    trusts,
    victim,
)

import fasttrust
import peer
from fasttrust import _guard, _opened
from pki import HOST
from world import Pair, check_python

pytestmark = GUARD_TESTS

_OF_C: Any = _ssl._SSLContext  # type: ignore[attr-defined]


class Straight(ssl.SSLContext):
    """A class whose setters go past every other, as gevent's do, and whose getters invent."""

    verify_mode: Any = property(lambda self: ssl.CERT_NONE, _OF_C.verify_mode.__set__)
    check_hostname: Any = property(lambda self: False, _OF_C.check_hostname.__set__)


class Below(fasttrust.SSLContext):
    """The same, below ours."""

    verify_mode: Any = Straight.verify_mode
    check_hostname: Any = Straight.check_hostname


def plainly(context: Any, name: str, value: object) -> None:
    setattr(context, name, value)


def by_c(context: Any, name: str, value: object) -> None:
    vars(_OF_C)[name].__set__(context, value)


def by_ssl(context: Any, name: str, value: object) -> None:
    getattr(ssl.SSLContext, name).__set__(context, value)


MEANS = [
    (client, plainly),
    (client, by_c),
    (client, by_ssl),
    (lambda: Below(ssl.PROTOCOL_TLS_CLIENT), plainly),
    (lambda: Below(ssl.PROTOCOL_TLS_CLIENT), by_ssl),
    (lambda: attached(Straight(ssl.PROTOCOL_TLS_CLIENT)), plainly),
    (lambda: attached(Straight(ssl.PROTOCOL_TLS_CLIENT)), by_c),
]
BY_ANY = pytest.mark.parametrize(
    ("make", "put"),
    MEANS,
    ids=["ours", "C's", "ssl's", "below", "below, ssl's", "class", "class, C's"],
)


def attached(context: ssl.SSLContext) -> ssl.SSLContext:
    fasttrust.attach(context)
    return context


def moves(context: ssl.SSLContext) -> bool:
    """Tell whether a connection to whom the platform does not trust moves anything."""
    with victim(context) as (tls, server):
        try:
            tls.sendall(peer.SECRET)
            assert peer.REPLY == tls.recv(100)
            tls.unwrap()
        except ssl.SSLCertVerificationError:
            assert () == fasttrust.get_verified_chain(tls)
            return False
    assert peer.SECRET == server.received
    return True


@BY_ANY
@pytest.mark.parametrize("mode", [ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED])
def test_what_is_set_counts(
    make: Callable[[], Any], put: Callable[[Any, str, object], None], mode: ssl.VerifyMode
) -> None:
    """From none to some verification, and back: after connections as before them."""
    context = make()
    assert not moves(context)
    for _ in range(2):
        put(context, "check_hostname", False)
        put(context, "verify_mode", ssl.CERT_NONE)
        assert moves(context)
        put(context, "verify_mode", mode)
        assert not moves(context)
        assert mode == _OF_C.verify_mode.__get__(context)
    put(context, "verify_mode", ssl.CERT_NONE)
    assert moves(context)
    put(context, "check_hostname", True)  # which turns verification on, in C
    assert not moves(context)


@TOLD
@BY_ANY
def test_name_that_is_to_be_checked_is(
    make: Callable[[], Any], put: Callable[[Any, str, object], None]
) -> None:
    """Of a server that the platform trusts under any name."""
    trusts()
    context = make()
    put(context, "check_hostname", False)
    for checked in (False, True, False, True):
        put(context, "check_hostname", checked)
        pair = Pair(context, peer.server_context(SENT), server_hostname="other.test")
        if checked:
            with pytest.raises(ssl.SSLCertVerificationError):
                pair.shake()
        else:
            pair.shake()


@pytest.mark.parametrize("put", [plainly, by_c, by_ssl], ids=lambda put: put.__name__)
@pytest.mark.parametrize("late", [False, True], ids=["before it is made", "after"])
@pytest.mark.parametrize(
    "change",
    [
        ("verify_mode", ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL),
        ("verify_mode", ssl.CERT_REQUIRED, ssl.CERT_NONE),
        ("verify_mode", ssl.CERT_OPTIONAL, ssl.CERT_NONE),
        ("check_hostname", True, ssl.CERT_NONE),
        ("check_hostname", True, ssl.CERT_OPTIONAL),
    ],
)
def test_what_is_set_while_a_connection_is_made_counts(
    put: Callable[[Any, str, object], None],
    late: bool,
    change: tuple[str, object, ssl.VerifyMode],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a handler in the same thread, or past our lock by another: for that connection too."""
    name, value, mode = change
    context = client()
    context.check_hostname = False
    context.verify_mode = mode
    opens, of_c, done = _opened._open, _opened._of_c, []

    def set_once() -> None:
        if not done:
            done.append(None)
            put(context, name, value)

    def interrupted(context: Any, settings: Any) -> None:
        opens(context, settings)
        if not late:
            set_once()

    def interrupted_later(context: Any) -> Any:
        found = of_c(context)
        if late and _opened._kept(context) is not None:
            set_once()
        return found

    monkeypatch.setattr(_opened, "_open", interrupted)
    monkeypatch.setattr(_opened, "_of_c", interrupted_later)
    if late:  # what is made just before that goes by what was set before
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert not moves(context)
    monkeypatch.undo()
    assert value == getattr(context, name)
    assert not moves(context)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ((ssl.CERT_OPTIONAL, True), ("verify_mode", ssl.CERT_REQUIRED), (ssl.CERT_REQUIRED, True)),
        ((ssl.CERT_REQUIRED, True), ("verify_mode", ssl.CERT_OPTIONAL), (ssl.CERT_OPTIONAL, True)),
        ((ssl.CERT_REQUIRED, True), ("check_hostname", False), (ssl.CERT_REQUIRED, False)),
        ((ssl.CERT_REQUIRED, False), ("verify_mode", ssl.CERT_NONE), (ssl.CERT_NONE, False)),
        ((ssl.CERT_NONE, False), ("check_hostname", True), (ssl.CERT_REQUIRED, True)),
    ],
)
def test_handler_that_sets_something_while_a_connection_is_made(
    before: tuple[ssl.VerifyMode, bool],
    change: tuple[str, object],
    after: tuple[ssl.VerifyMode, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It counts from then on, stricter or not, and what it does not set stays; as it was made."""
    context = client()
    context.check_hostname = False
    context.verify_mode, context.check_hostname = before
    assert before == _opened._of_c(context)
    opens, done = _opened._open, []

    def interrupted(context: Any, settings: Any) -> None:
        opens(context, settings)
        if not done:
            done.append(None)
            setattr(context, *change)
            assert after == (context.verify_mode, context.check_hostname)

    monkeypatch.setattr(_opened, "_open", interrupted)
    assert moves(context) == (after[0] == ssl.CERT_NONE)
    assert after == _opened._of_c(context) == (context.verify_mode, context.check_hostname)


@TOLD
@pytest.mark.parametrize("put", [plainly, by_c], ids=lambda put: put.__name__)
def test_connection_that_is_made_meanwhile_is_the_platforms(
    put: Callable[[Any, str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not OpenSSL's, which knows nobody, whatever is set just then."""
    trusts()
    context = client()
    context.verify_mode = ssl.CERT_OPTIONAL
    opens, done = _opened._open, []

    def interrupted(context: Any, settings: Any) -> None:
        opens(context, settings)
        if not done:
            done.append(None)
            put(context, "verify_mode", ssl.CERT_REQUIRED)

    monkeypatch.setattr(_opened, "_open", interrupted)
    assert moves(context)


def test_settings_are_read_as_they_are_while_a_connection_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a handler of the same thread at once, by another thread once it is made."""
    context = client()
    opens, read = _opened._open, []
    threads: list[threading.Thread] = []

    def look() -> None:
        read.append((context.verify_mode, context.check_hostname))

    def interrupted(context: Any, settings: Any) -> None:
        opens(context, settings)
        look()
        threads.append(threading.Thread(target=look))
        threads[0].start()
        threads[0].join(0.2)  # it has looked by now, or it waits

    monkeypatch.setattr(_opened, "_open", interrupted)
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    threads[0].join(TIMEOUT)
    assert [(ssl.CERT_REQUIRED, True)] * 2 == read


def test_server_that_a_handler_makes_meanwhile_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context for both sides: what is open for a client's connection is not for a server's."""
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        context = fasttrust.SSLContext(ssl.PROTOCOL_TLS)
    SENT.load(context)
    context.verify_mode = ssl.CERT_REQUIRED
    opens, made = _opened._open, []
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def interrupted(context: Any, settings: Any) -> None:
        opens(context, settings)
        if not made:
            made.append(context.wrap_bio(incoming, outgoing, server_side=True))

    monkeypatch.setattr(_opened, "_open", interrupted)
    first = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert type(first._sslobj) is _guard.Guard
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = False
    theirs.verify_mode = ssl.CERT_NONE
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    stranger = theirs.wrap_bio(outgoing, incoming, server_hostname=HOST)
    for end in (stranger, made[0], stranger):
        assert not Pair.step(end)
    with pytest.raises(ssl.SSLError, match="did not return a certificate"):
        made[0].do_handshake()


def test_context_that_was_left_open_is_closed_by_the_next() -> None:
    """As interrupts at every turn might leave it: what was set before them counts."""
    context = client()
    vars(context)[_opened._OPENED] = _opened._of_c(context)
    leave_open(context)
    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)
    assert not moves(context)
    assert (ssl.CERT_REQUIRED, True) == _opened._of_c(context)
    assert not moves(context)


@contextlib.contextmanager
def as_truststore_does(context: Any) -> Iterator[None]:
    """What truststore does on Windows and macOS to a context from which it makes a connection."""
    checked, mode = context.check_hostname, context.verify_mode
    context.check_hostname = False
    by_ssl(context, "verify_mode", ssl.CERT_NONE)
    try:
        yield
    finally:
        context.check_hostname = checked
        by_ssl(context, "verify_mode", mode)


def test_who_verifies_by_himself_can() -> None:
    """truststore, which turns verification off past our settings, and on again."""
    context = client()
    with as_truststore_does(context):
        pair = Pair(context, peer.server_context(SENT)).shake()
    pair.client.write(peer.SECRET)
    assert peer.SECRET == pair.server.read(100)
    assert SENT.ders == tuple(map(bytes, fasttrust.get_unverified_chain(pair.client)))
    assert not moves(context)


@pytest.mark.skipif(WINDOWS, reason="truststore under Wine believes whom nobody knows")
@pytest.mark.parametrize("order", ["truststore, fasttrust", "fasttrust, truststore"])
def test_truststore(order: str) -> None:
    """Injected before or after us: whom the system does not trust is refused, and no more."""
    pytest.importorskip("truststore")
    injections = "; ".join(f"{name}.inject_into_ssl()" for name in order.split(", "))
    program = f"""
        import ssl, truststore
        import fasttrust, guarded, peer
        server = peer.server_context(guarded.SENT)
        {injections}
        guarded.refuses()
        for make in (ssl.create_default_context, lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)):
            for carrier in ("socket", "bio"):
                outcome = peer.connect(make(), server, carrier=carrier)
                print(type(outcome.client_error).__name__, outcome.server_received)
    """
    assert {"SSLCertVerificationError b''"} == {*check_python(program).splitlines()}
