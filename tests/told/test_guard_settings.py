"""Compat mode where a platform decides: settings count, whoever sets them, by whatever means, when.

C's own are the only ones.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from guarded import (
    GUARD_TESTS,
    SENT,
    TOLD,
    WINDOWS,
    client,
    trusts,
    victim,
)
from telling import says

import fasttrust
import peer
from fasttrust import _bare, _guard
from pki import HOST
from world import Pair, check_python, code

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


@TOLD
def test_platform_has_one_word_for_names_and_addresses() -> None:
    """OpenSSL has two, and ``ssl`` tells which."""
    for host, expected in (("other.test", 62), ("127.0.0.1", 64), ("::1", 64)):
        says(62)
        outcome = peer.connect(client(), peer.server_context(SENT), server_hostname=host)
        assert expected == code(outcome.client_error)
        assert f"not valid for '{host}'" in str(outcome.client_error)


def test_context_for_servers_makes_no_client() -> None:
    """Although it trusts the system: it is ``ssl`` that refuses."""
    context = fasttrust.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_default_certs()
    with pytest.raises(ssl.SSLError, match="PROTOCOL_TLS_SERVER"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)


@TOLD
@pytest.mark.parametrize("put", [plainly, by_c, by_ssl], ids=lambda put: put.__name__)
def test_what_is_set_while_a_connection_is_made_counts_for_the_next(
    put: Callable[[Any, str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a handler in the same thread, or by another: a connection goes by what was set before."""
    context = client()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = _bare.connection

    def interrupted(*args: Any, **options: Any) -> Any:
        put(context, "check_hostname", True)
        return connection(*args, **options)

    monkeypatch.setattr(_bare, "connection", interrupted)
    assert moves(context)
    monkeypatch.undo()
    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)
    assert not moves(context)
    trusts()
    assert moves(context)


def test_server_that_a_handler_makes_meanwhile_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context for both sides: its servers are as it was set while it connects as a client."""
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        context = fasttrust.SSLContext(ssl.PROTOCOL_TLS)
    SENT.load(context)
    context.verify_mode = ssl.CERT_REQUIRED
    connection, made = _bare.connection, []
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def interrupted(*args: Any, **options: Any) -> Any:
        made.append(context.wrap_bio(incoming, outgoing, server_side=True))
        return connection(*args, **options)

    monkeypatch.setattr(_bare, "connection", interrupted)
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
