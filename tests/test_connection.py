"""
The chains of a connection: when they are there, on which side, and what has none.

The server sends leaf, A and a root that nobody needs; A is issued by the trusted root.
"""

from __future__ import annotations

import contextlib
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import fasttrust
import modes
import peer
import pki
from world import Pair, attached, check_python, code, ders, leaf_of, machine_trusts, made, plain
from world import run_python as run

ROOT, STRANGER, CLIENTS = (pki.root(name) for name in ("root", "stranger", "clients"))
A = pki.intermediate("A", ROOT)
LEAF = pki.leaf("leaf of A", A)
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
SENT = pki.Chain((LEAF, A, STRANGER))
VERIFIED = (LEAF.der, A.der, ROOT.der)
Make = Callable[..., ssl.SSLContext]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


@pytest.fixture(params=[made, attached, pytest.param(plain, marks=modes.foreign)])
def make(request: pytest.FixtureRequest) -> Make:
    chosen: Make = request.param
    return chosen


@pytest.fixture(params=peer.VERSIONS, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    chosen: ssl.TLSVersion = request.param
    return chosen


def both(connection: Any) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the verified and the unverified chain as DER."""
    return (
        ders(fasttrust.get_verified_chain(connection)),
        ders(fasttrust.get_unverified_chain(connection)),
    )


def server_of(make: Make, chain: pki.Chain, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = make(SERVER)
    peer.pin(context, version)
    chain.load(context)
    return context


def refused_on_server(make: Make, chain: pki.Chain) -> tuple[bytes, ...]:
    """Return what a server still has of a client that it refused: OpenSSL keeps next to nothing."""
    return () if make is plain else chain.ders


def test_refused_peer_has_no_verified_chain(make: Make, version: ssl.TLSVersion) -> None:
    """After a refusal what the peer sent can be read, and nothing of it is called verified."""
    pair = Pair(make(CLIENT, STRANGER), server_of(plain, SENT, version))
    with pytest.raises(ssl.SSLCertVerificationError):
        pair.shake()
    assert ((), modes.kept(SENT.ders, 2, plain=make is plain)) == both(pair.client)


def test_wrong_name_has_no_verified_chain(make: Make, version: ssl.TLSVersion) -> None:
    """A chain that is right but for the name is not verified either."""
    server = server_of(plain, SENT, version)
    pair = Pair(make(CLIENT, ROOT), server, server_hostname="other.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        pair.shake()
    assert ((), modes.kept(SENT.ders, 2, plain=make is plain)) == both(pair.client)


def test_unverified_peer_has_no_verified_chain(make: Make, version: ssl.TLSVersion) -> None:
    """With CERT_NONE nothing is verified, even where it could have been."""
    client = make(CLIENT, ROOT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    pair = Pair(client, server_of(plain, SENT, version)).shake()
    assert ((), SENT.ders) == both(pair.client)


def test_chains_step_by_step(make: Make) -> None:
    """Before the handshake there are none, then both, and both stay after the goodbye."""
    pair = Pair(make(CLIENT, ROOT), server_of(plain, SENT, ssl.TLSVersion.TLSv1_3))
    assert ((), ()) == both(pair.client) == both(pair.server)
    assert not pair.step(pair.client)
    assert ((), ()) == both(pair.client)
    assert not pair.step(pair.server)
    assert pair.step(pair.client)
    assert (VERIFIED, SENT.ders) == both(pair.client)
    pair.shake()
    assert (VERIFIED, SENT.ders) == both(pair.client)
    assert ((), ()) == both(pair.server)
    pair.client.write(b"on")
    assert pair.read(pair.server) == b"on"
    pair.close()
    assert (VERIFIED, SENT.ders) == both(pair.client)


@pytest.mark.parametrize("make", [made, attached])
def test_chains_of_ours_outlive_the_socket(make: Make) -> None:
    """A closed socket of ours still tells; without a handshake there is nothing to tell."""
    kept: list[Any] = []
    peer.connect(make(CLIENT, ROOT), peer.server_context(SENT), inspect=kept.append)
    (sock,) = kept
    assert (-1, None) == (sock.fileno(), sock._sslobj)
    assert (VERIFIED, SENT.ders) == both(sock)


def test_closed_plain_socket_has_no_chains() -> None:
    """A closed socket of plain `ssl` has dropped its connection, and the chains with it."""
    kept: list[Any] = []
    peer.connect(plain(CLIENT, ROOT), peer.server_context(SENT), inspect=kept.append)
    assert ((), ()) == both(kept[0])


@pytest.mark.parametrize("carrier", peer.CARRIERS)
def test_chains_over_every_carrier(make: Make, carrier: str, version: ssl.TLSVersion) -> None:
    """Sockets, memory BIOs and asyncio's writers have the same chains."""
    server = server_of(plain, SENT, version)
    outcome = peer.connect(make(CLIENT, ROOT), server, carrier=carrier, inspect=both)
    assert (VERIFIED, SENT.ders) == outcome.inspected
    if carrier == "asyncio":

        def look(writer: Any) -> object:
            return both(writer.transport), both(writer.get_extra_info("ssl_object"))

        outcome = peer.connect(make(CLIENT, ROOT), server, carrier=carrier, inspect=look)
        assert 2 * ((VERIFIED, SENT.ders),) == outcome.inspected

        kept: list[Any] = []
        peer.connect(make(CLIENT, ROOT), server, carrier=carrier, inspect=kept.append)
        kept[0].transport.close()  # again: from 3.11 on it has now dropped its connection
        assert both(kept[0]) in (((), ()), (VERIFIED, SENT.ders))


def test_server_sees_the_clients_chain(make: Make, version: ssl.TLSVersion) -> None:
    """On a server the client's own certificate is the first, though OpenSSL keeps it apart."""
    middle = pki.intermediate("client middle", CLIENTS)
    chain = pki.Chain((pki.leaf("client", middle), middle))
    for anchors, verdict in ((ROOT, 20), (CLIENTS, 0)):
        server = server_of(lambda protocol, a=anchors: make(protocol, a), SENT, version)
        server.verify_mode = ssl.CERT_REQUIRED
        client = plain(CLIENT, ROOT)
        chain.load(client)
        outcome = peer.connect(client, server, carrier="bio", inspect_server=both)
        assert code(outcome.server_error) == verdict
        if verdict:
            assert ((), refused_on_server(make, chain)) == outcome.server_inspected
        else:
            assert ((*chain.ders, CLIENTS.der), chain.ders) == outcome.server_inspected


def test_optional_client_certificate(make: Make, version: ssl.TLSVersion) -> None:
    """A client that may send none and does is accepted, without chains."""
    server = server_of(lambda protocol: make(protocol, CLIENTS), SENT, version)
    server.verify_mode = ssl.CERT_OPTIONAL
    outcome = peer.connect(plain(CLIENT, ROOT), server, carrier="bio", inspect_server=both)
    assert (0, ((), ())) == (code(outcome.server_error), outcome.server_inspected)


@modes.no_session
def test_resumed_session_verified_nothing(make: Make, version: ssl.TLSVersion) -> None:
    """A resumed session runs no verification: the verified chain is empty on both ends."""
    client, server = make(CLIENT, ROOT), server_of(plain, SENT, version)
    pair = Pair(client, server).shake()
    resumed = Pair(client, server, session=pair.client.session).shake()
    assert resumed.client.session_reused
    verified, sent = both(resumed.client)
    # OpenSSL keeps the peer's chain in a session since 3.4 or so; before, nothing.
    assert ((), True) == (verified, sent in ((), SENT.ders))
    assert ((), ()) == both(resumed.server)


def test_session_of_an_unverified_connection_is_not_verified(make: Make) -> None:
    """A session made under CERT_NONE has no verified chain; ours verify instead of resuming it."""
    client = make(CLIENT, ROOT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    server = server_of(plain, leaf_of(STRANGER), ssl.TLSVersion.TLSv1_2)
    session = Pair(client, server).shake().client.session
    client.verify_mode = ssl.CERT_REQUIRED
    pair = Pair(client, server, session=session)
    refused = pytest.raises(fasttrust.VerificationError, match="unable to get local issuer")
    with contextlib.nullcontext() if make is plain else refused:
        pair.shake()
    assert pair.client.session_reused == (make is plain)
    assert fasttrust.get_verified_chain(pair.client) == ()


def test_post_handshake_authentication(make: Make) -> None:
    """A client certificate that is asked for later is verified then, and again for a second one."""
    for anchor, verdict in ((STRANGER, 20), (CLIENTS, 0)):
        server = server_of(lambda p, a=anchor: make(p, a), SENT, ssl.TLSVersion.TLSv1_3)
        server.verify_mode = ssl.CERT_REQUIRED
        server.post_handshake_auth = True
        client = plain(CLIENT, ROOT)
        client.post_handshake_auth = True
        leaf_of(CLIENTS).load(client)
        pair = Pair(client, server).shake()
        assert ((), ()) == both(pair.server)
        for _ in range(1 if verdict else 2):
            pair.server.verify_client_post_handshake()
            pair.server.write(b"x")
            assert pair.read(pair.client) == b"x"
            pair.client.write(b"y")
            error = None
            try:
                assert pair.read(pair.server) == b"y"
            except ssl.SSLError as refused:
                error = refused
            assert code(error) == verdict
            sent = leaf_of(CLIENTS).ders
            if verdict:
                assert ((), refused_on_server(make, leaf_of(CLIENTS))) == both(pair.server)
            else:
                assert ((*sent, CLIENTS.der), sent) == both(pair.server)


@pytest.mark.parametrize("first", [made, pytest.param(plain, marks=modes.foreign)])
@pytest.mark.parametrize("second", [made, plain])
def test_sni_callback_changes_the_context(
    first: Make, second: Make, version: ssl.TLSVersion
) -> None:
    """Who verifies a client is the context that the SNI callback chose, ours or not."""
    chosen = server_of(lambda p: second(p, CLIENTS), SENT, version)
    server = server_of(lambda p: first(p, STRANGER), SENT, version)
    server.verify_mode = chosen.verify_mode = ssl.CERT_REQUIRED
    peer.choose_by_name(server, {pki.HOST: chosen})
    for issuer, verdict in ((STRANGER, 20), (CLIENTS, 0)):
        client = plain(CLIENT, ROOT)
        leaf_of(issuer).load(client)
        outcome = peer.connect(client, server, carrier="bio", inspect_server=both)
        assert code(outcome.server_error) == verdict
        sent = leaf_of(issuer)
        if verdict:
            judge = first if modes.COMPAT else second
            assert ((), refused_on_server(judge, sent)) == outcome.server_inspected
        else:
            assert ((*sent.ders, issuer.der), sent.ders) == outcome.server_inspected


@pytest.mark.parametrize("first", [made, pytest.param(plain, marks=modes.foreign)])
@pytest.mark.parametrize("second", [made, plain])
def test_client_changes_its_context(first: Make, second: Make) -> None:
    """A client whose context was exchanged before its handshake is verified by the new one."""
    server = server_of(plain, SENT, ssl.TLSVersion.TLSv1_3)
    for anchor, verdict in ((STRANGER, 20), (ROOT, 0)):
        pair = Pair(first(CLIENT), server)
        pair.client.context = second(CLIENT, anchor)
        error = None
        try:
            pair.shake()
        except ssl.SSLError as refused:
            error = refused
        assert code(error) == verdict
        kept = modes.kept(SENT.ders, 2, plain=second is plain and not modes.COMPAT)
        assert (((), kept) if verdict else (VERIFIED, SENT.ders)) == both(pair.client)


def test_methods_of_python_3_13_on_every_version(make: Make, version: ssl.TLSVersion) -> None:
    """Our sockets have `get_verified_chain()` as Python 3.13's: lists of DER, on every version."""
    if make is plain and sys.version_info < (3, 13):
        pytest.skip("plain sockets have these methods since Python 3.13")
    server = server_of(make, SENT, version)
    pair = Pair(make(CLIENT, ROOT), server)
    assert [] == pair.client.get_verified_chain() == pair.client.get_unverified_chain()
    pair.shake()
    assert list(VERIFIED) == pair.client.get_verified_chain()
    assert list(SENT.ders) == pair.client.get_unverified_chain()
    assert [] == pair.server.get_verified_chain() == pair.server.get_unverified_chain()
    outcome = peer.connect(
        make(CLIENT, ROOT),
        server,
        inspect=lambda sock: (sock.get_verified_chain(), sock.get_unverified_chain()),
    )
    assert (list(VERIFIED), list(SENT.ders)) == outcome.inspected
    resumed = Pair(pair.client.context, server, session=pair.client.session).shake()
    assert (list(VERIFIED) if modes.COMPAT else []) == resumed.client.get_verified_chain()


def test_method_without_verification_gives_what_was_sent(make: Make) -> None:
    """With CERT_NONE `get_verified_chain()` acts as `get_unverified_chain()`, as documented."""
    if make is plain:
        pytest.skip("plain sockets give what OpenSSL built, against Python's documentation")
    client = make(CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    pair = Pair(client, server_of(plain, SENT, ssl.TLSVersion.TLSv1_3)).shake()
    assert list(SENT.ders) == pair.client.get_verified_chain()


def test_four_certificates_of_which_one_is_not_needed(make: Make) -> None:
    """Four are sent, out of order, the root among them; four others are the verified chain."""
    b = pki.intermediate("B", A)
    leaf = pki.leaf("leaf of B", b)
    sent = pki.Chain((leaf, STRANGER, A, b))
    pair = Pair(make(CLIENT, ROOT), server_of(plain, sent, ssl.TLSVersion.TLSv1_3)).shake()
    assert ((leaf.der, b.der, A.der, ROOT.der), sent.ders) == both(pair.client)


class FakeSocket:
    """An object that says it is a socket."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return ssl.SSLSocket


class FakeBare:
    """An object that says it is the connection under a socket, under one that says it is one."""

    def __init__(self) -> None:
        self._sslobj = FakeSocket()


class Endless:
    """An object that is always above itself."""

    @property
    def _sslobj(self) -> Endless:
        return self


@pytest.mark.parametrize(
    "value",
    [
        *(None, 5, b"", "x", object(), ssl.SSLSocket, ssl, ssl.MemoryBIO(), ssl.SSLSession),
        *(FakeSocket(), FakeBare(), Endless(), mock.Mock(), mock.MagicMock()),
        *(mock.Mock(spec=ssl.SSLSocket), mock.Mock(spec=ssl.SSLObject)),
        mock.Mock(spec=fasttrust.SSLContext.sslsocket_class),
        mock.create_autospec(fasttrust.SSLContext.sslobject_class, instance=True),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("ask", [fasttrust.get_verified_chain, fasttrust.get_unverified_chain])
def test_what_is_no_connection_is_a_type_error(ask: Callable[[Any], Any], value: Any) -> None:
    """Only Python's own connections are read, whatever an object says of itself."""
    with pytest.raises(TypeError):
        ask(value)


def test_connection_of_pyopenssl_is_a_type_error() -> None:
    """A connection of pyOpenSSL's belongs to another OpenSSL."""
    pyopenssl = pytest.importorskip("OpenSSL.SSL", reason="pyOpenSSL is not installed")
    connection = pyopenssl.Connection(pyopenssl.Context(pyopenssl.TLS_METHOD), None)
    with pytest.raises(TypeError, match="'Connection'"):
        fasttrust.get_verified_chain(connection)


def test_uninitialised_objects_do_not_crash() -> None:
    """Objects that no constructor of `ssl` has seen are a ValueError, or have no chains."""
    program = """
        import _ssl, socket, ssl, fasttrust
        bare = getattr(_ssl, "_SSLSocket", ssl.SSLObject)  # PyPy's has another name
        for cls in (bare, ssl.SSLObject, ssl.SSLSocket,
                    fasttrust.SSLContext.sslobject_class, fasttrust.SSLContext.sslsocket_class):
            for make in (cls, lambda: cls.__new__(cls)):
                try:
                    value = make()
                except TypeError:
                    continue  # _ssl._SSLSocket() since Python 3.13.1
                for ask in (fasttrust.get_verified_chain, fasttrust.get_unverified_chain):
                    try:
                        assert ask(value) == ()
                    except (TypeError, ValueError) as error:
                        print(type(error).__name__)
        print("alive")
    """
    process = run(program)
    assert (0, "alive") == (process.returncode, process.stdout.split()[-1]), process.stderr


def test_connection_before_connect_has_no_chains() -> None:
    """A wrapped socket that is not connected yet has no chains."""
    printed = check_python(
        """
        import socket, ssl, fasttrust
        for context in (fasttrust.create_default_context(), ssl.create_default_context()):
            with context.wrap_socket(socket.socket(), server_hostname="a") as sock:
                print(fasttrust.get_verified_chain(sock), fasttrust.get_unverified_chain(sock))
        """
    )
    assert 2 * ["() ()"] == printed.splitlines()
