"""What stands around a context and shows in a handshake: its settings, and wrappers of others."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import peer
import pki
from world import Pair, attached, check_python, code, machine_trusts, made, plain

ROOT, STRANGER = pki.root("root"), pki.root("stranger")
A = pki.intermediate("A", ROOT)
SENT = pki.Chain((pki.leaf("leaf of A", A), A))
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
Make = Callable[..., ssl.SSLContext]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


def test_isinstance_means_our_verifier() -> None:
    """`isinstance` with our class is true of every context of ours, and of no other."""

    class Below(fasttrust.SSLContext):
        """A subclass of ours: for it `isinstance` means what it always means."""

    class Own(ssl.SSLContext):
        """A program's own class."""

    context = Own(CLIENT)
    assert not isinstance(context, fasttrust.SSLContext)
    assert not isinstance(plain(CLIENT), fasttrust.SSLContext)
    fasttrust.attach(context)
    assert isinstance(context, fasttrust.SSLContext)
    assert not isinstance(context, Below)
    for each in (Below(CLIENT), made(CLIENT), attached(CLIENT)):
        assert isinstance(each, fasttrust.SSLContext)
        assert isinstance(each, ssl.SSLContext)
        assert isinstance(each, Below) == (type(each) is Below)


def test_attach_works_where_ssl_gave_its_name_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody put another class under `ssl.SSLContext`, contexts are still recognised."""
    standard = ssl.SSLContext
    context = plain(CLIENT)
    monkeypatch.setattr(ssl, "SSLContext", type("Injected", (standard,), {}))
    fasttrust.attach(context)
    assert isinstance(context, fasttrust.SSLContext)
    assert isinstance(fasttrust.SSLContext(CLIENT), standard)


def reaches(client: ssl.SSLContext, server: ssl.SSLContext, **keywords: Any) -> str | None:
    """Return why a handshake failed, None where it did not."""
    try:
        Pair(client, server, **keywords).shake()
    except ssl.SSLError as error:
        return error.reason or str(error)  # an older ssl has no name for what a newer OpenSSL says
    return None


SETTINGS: dict[str, Callable[[ssl.SSLContext], None]] = {
    "minimum_version": lambda each: setattr(each, "minimum_version", ssl.TLSVersion.TLSv1_3),
    "ciphers": lambda each: each.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256"),
    "no ciphers": lambda each: each.set_ciphers("PSK"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_of_a_client_decide(make: Make, setting: str) -> None:
    """Versions, options and ciphers of a context of ours decide as on a plain one."""
    server = peer.server_context(SENT, version=ssl.TLSVersion.TLSv1_2)
    reasons = []
    for each in (plain, make):
        client = each(CLIENT, ROOT)
        assert reaches(client, server) is None
        SETTINGS[setting](client)
        reasons.append(reaches(client, server))
    assert reasons[0] == reasons[1] is not None


def test_alpn_and_curve_are_agreed_on(make: Make) -> None:
    """The protocol is the one that both ends name, and a named curve still works."""
    client, server = make(CLIENT, ROOT), make(SERVER)
    SENT.load(server)
    server.set_ecdh_curve("secp384r1")
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    pair = Pair(client, server).shake()
    assert ("http/1.1", "http/1.1") == (
        pair.client.selected_alpn_protocol(),
        pair.server.selected_alpn_protocol(),
    )


def test_common_name_is_looked_at_only_where_asked(make: Make) -> None:
    """`hostname_checks_common_name` decides whether a common name counts at all."""
    server = peer.server_context(pki.Chain((pki.leaf(pki.HOST, ROOT, names=()),)))
    for looks, reason in ((False, "CERTIFICATE_VERIFY_FAILED"), (True, None)):
        client = make(CLIENT, ROOT)
        client.hostname_checks_common_name = looks
        assert reaches(client, server) == reason


def test_keys_are_logged(make: Make, tmp_path: Path) -> None:
    """`keylog_filename` gets the secrets of the connection, in the client's and server's file."""
    client, server = make(CLIENT, ROOT), make(SERVER)
    SENT.load(server)
    for context, name in ((client, "client"), (server, "server")):
        context.keylog_filename = str(tmp_path / name)
    Pair(client, server).shake()
    logged = [(tmp_path / name).read_text().splitlines()[1:] for name in ("client", "server")]
    assert sorted(logged[0]) == sorted(logged[1])
    assert "CLIENT_TRAFFIC_SECRET_0" in {line.split()[0] for line in logged[0]}


@modes.no_session
@pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
def test_sessions_are_resumed_and_counted(make: Make, version: ssl.TLSVersion) -> None:
    """A session of one context is taken by it alone, and both ends count it."""
    client, server = make(CLIENT, ROOT), make(SERVER)
    peer.pin(server, version)
    SENT.load(server)
    session = Pair(client, server).shake().client.session
    with pytest.raises(ValueError, match="different SSLContext"):
        Pair(make(CLIENT, ROOT), server, session=session)
    assert Pair(client, server, session=session).shake().client.session_reused
    assert (2, 1) == tuple(server.session_stats()[name] for name in ("accept_good", "hits"))
    if version == ssl.TLSVersion.TLSv1_3:
        server.num_tickets = 0
        assert not Pair(client, server).shake().client.session.has_ticket


def test_certificate_chain_with_a_password(make: Make, tmp_path: Path) -> None:
    """`load_cert_chain` takes passwords and refuses keys of others, as on a plain context."""
    certfile, keyfile = SENT.write(tmp_path)
    other = tmp_path / "other.pem"
    other.write_text(ROOT.key_pem, "ascii")
    for each in (plain(SERVER), make(SERVER)):
        with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
            each.load_cert_chain(certfile, other)
        each.load_cert_chain(certfile, keyfile, password=lambda: b"unused")
        assert reaches(plain(CLIENT, ROOT), each) is None


@pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
def test_pre_shared_keys_need_no_certificate(make: Make, version: ssl.TLSVersion) -> None:
    """A handshake by pre-shared key has no certificate to verify, and no chains."""
    if not hasattr(ssl.SSLContext, "set_psk_client_callback"):
        pytest.skip("ssl has pre-shared keys since Python 3.13")
    client, server = make(CLIENT), make(SERVER)
    client.check_hostname = False
    for context in (client, server):
        peer.pin(context, version)
        context.set_ciphers("PSK")
    client.set_psk_client_callback(lambda hint: ("me", b"secret key"))  # type: ignore[attr-defined]
    server.set_psk_server_callback(lambda name: b"wrong key")  # type: ignore[attr-defined]
    assert reaches(client, server) is not None
    server.set_psk_server_callback(lambda name: b"secret key")  # type: ignore[attr-defined]
    pair = Pair(client, server).shake()
    pair.client.write(peer.SECRET)
    assert peer.SECRET == pair.read(pair.server)
    assert ((), ()) == (
        fasttrust.get_verified_chain(pair.client),
        fasttrust.get_unverified_chain(pair.client),
    )


# ---- wrappers of others ----------------------------------------------------------------------


@contextmanager
def listening(context: ssl.SSLContext, answer: bytes) -> Iterator[int]:
    """Serve on loopback, one connection after the other, until the end; the port is given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        with context.wrap_socket(listener, server_side=True) as tls:

            def serve() -> None:
                while True:
                    try:
                        sock, _ = tls.accept()
                    except ssl.SSLError:
                        continue  # a client that refused
                    except OSError:
                        return
                    with suppress(OSError), sock:
                        sock.settimeout(10)
                        if not sock.recv(4096):
                            return
                        sock.sendall(answer)
                        sock.unwrap().close()

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            yield tls.getsockname()[1]
            with suppress(OSError):  # Windows knows no shutdown of a listener: its end wakes it
                tls.shutdown(socket.SHUT_RDWR)
            tls.close()
            thread.join(10)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
LOCAL = pki.Chain((pki.leaf("local", A, names=("localhost",)), A))


def test_http_client_of_the_standard_library(make: Make) -> None:
    """`http.client` verifies by our context; `accept()` on a server of ours gives our sockets."""
    server = make(SERVER)
    LOCAL.load(server)
    with listening(server, ANSWER) as port:
        for anchor, host, verdict in (
            (STRANGER, "localhost", 20),
            (ROOT, "127.0.0.1", 64),
            (ROOT, "localhost", 0),
        ):
            context = make(CLIENT, anchor)
            connection = http.client.HTTPSConnection(host, port, context=context, timeout=10)
            try:
                connection.request("GET", "/")
            except OSError as error:
                assert code(error) == verdict  # noqa: PT017 - which one is the loop's to say
            else:
                assert verdict == 0
                assert len(fasttrust.get_verified_chain(connection.sock)) == 3
                assert connection.getresponse().read() == b"ok"
            connection.close()


def test_urllib3_and_its_tls_in_tls() -> None:
    """Connections of urllib3's pools, and its SSLTransport, have their chains."""
    urllib3 = pytest.importorskip("urllib3", reason="urllib3 is not installed")
    from urllib3.util.ssltransport import SSLTransport

    server = plain(SERVER)
    LOCAL.load(server)
    with listening(server, ANSWER) as port:
        with (
            urllib3.PoolManager(ssl_context=made(CLIENT), retries=False, timeout=10) as pool,
            pytest.raises(urllib3.exceptions.SSLError, match="unable to get local issuer"),
        ):
            pool.request("GET", f"https://localhost:{port}/")
        with urllib3.PoolManager(ssl_context=made(CLIENT, ROOT), timeout=10) as pool:
            assert pool.request("GET", f"https://localhost:{port}/").data == b"ok"
        for client, verified in ((made(CLIENT, ROOT), 3), (plain(CLIENT, ROOT), 3)):
            with socket.create_connection(("127.0.0.1", port), 10) as sock:
                transport = SSLTransport(sock, client, server_hostname="localhost")
                assert verified == len(fasttrust.get_verified_chain(transport))
                assert len(fasttrust.get_unverified_chain(transport)) == 2
                transport.sendall(b"x")
                assert transport.recv(2) == b"HT"


def test_gevent_sockets() -> None:
    """Gevent's contexts can be attached to, and its sockets, which are not `ssl`'s, have chains."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    program = """
        import warnings
        warnings.simplefilter("ignore")
        import gevent.ssl, gevent.socket, gevent, ssl
        import fasttrust, pki
        root = pki.root("root")
        a = pki.intermediate("A", root)
        sent = pki.Chain((pki.leaf("leaf", a), a))
        server = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        sent.load(server)
        for anchor in (pki.root("stranger"), root):
            client = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            client.load_verify_locations(cadata=anchor.pem)
            fasttrust.attach(client)
            assert isinstance(client, gevent.ssl.SSLContext)
            near, far = gevent.socket.socketpair()
            def serve():
                try:
                    server.wrap_socket(far, server_side=True).send(b"x")
                except ssl.SSLError as error:
                    print(error.reason)
            greenlet = gevent.spawn(serve)
            with gevent.Timeout(20):
                try:
                    tls = client.wrap_socket(near, server_hostname=pki.HOST)
                    print(type(tls).__module__, isinstance(tls, gevent.ssl.SSLSocket))
                    print(len(fasttrust.get_verified_chain(tls)), tls.recv(1))
                    tls.close()
                    print(fasttrust.get_verified_chain(tls))
                except fasttrust.VerificationError as error:
                    print(error.verify_code, len(error.chain))
                greenlet.join()
    """
    expected = ["20 2", "TLSV1_ALERT_UNKNOWN_CA", "gevent.ssl True", "3 b'x'", "()"]
    printed = check_python(program, SSL_CERT_FILE="none").replace("gevent._ssl3", "gevent.ssl")
    assert expected == printed.splitlines()


def test_default_context_under_gevent() -> None:
    """Where gevent has patched ``ssl`` our default context is gevent's, with our verdict."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    program = """
        import warnings
        warnings.simplefilter("ignore")
        import gevent.monkey
        gevent.monkey.patch_all()
        import gevent, socket, ssl
        import fasttrust, pki
        root = pki.root("root")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pki.Chain((pki.leaf("leaf", root),)).load(server)
        for anchor in (pki.root("stranger"), root):
            client = fasttrust.create_default_context(cadata=anchor.pem)
            near, far = socket.socketpair()
            def serve():
                try:
                    server.wrap_socket(far, server_side=True).sendall(b"x")
                except ssl.SSLError as error:
                    print(error.reason)
            greenlet = gevent.spawn(serve)
            with gevent.Timeout(20):
                try:
                    with client.wrap_socket(near, server_hostname=pki.HOST) as tls:
                        print(len(fasttrust.get_verified_chain(tls)), tls.recv(1))
                except fasttrust.VerificationError as error:
                    print(error.verify_code)
                greenlet.join()
        print(isinstance(client, gevent.ssl.SSLContext), isinstance(client, fasttrust.SSLContext))
    """
    expected = ["20", "TLSV1_ALERT_UNKNOWN_CA", "2 b'x'", "True True"]
    assert expected == check_python(program, SSL_CERT_FILE="none").splitlines()


def test_uvloop_transports() -> None:
    """Uvloop's transports and writers have chains, and its handshakes our verdict."""
    pytest.importorskip("uvloop", reason="uvloop is not installed")
    program = """
        import asyncio, ssl, uvloop
        import fasttrust, peer, pki
        root = pki.root("root")
        a = pki.intermediate("A", root)
        server = peer.server_context(pki.Chain((pki.leaf("leaf", root), a)))
        received = []
        async def serve(reader, writer):
            received.append(await reader.read(100))
            writer.close()
        async def main():
            listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
            port = listener.sockets[0].getsockname()[1]
            for anchor in (pki.root("stranger"), root):
                client = fasttrust.create_default_context(cadata=anchor.pem)
                opening = asyncio.open_connection(
                    "127.0.0.1", port, ssl=client, server_hostname=pki.HOST)
                try:
                    reader, writer = await asyncio.wait_for(opening, 20)
                except fasttrust.VerificationError as error:
                    print(error.verify_code, len(error.chain))
                    continue
                print(type(writer.transport).__module__.partition(".")[0])
                for each in (writer, writer.transport, writer.get_extra_info("ssl_object")):
                    print(*[len(ask(each)) for ask in (
                        fasttrust.get_verified_chain, fasttrust.get_unverified_chain)])
                writer.write(b"secret")
                writer.write_eof() if writer.can_write_eof() else writer.close()
                await asyncio.wait_for(reader.read(), 20)
            listener.close()
        loop = uvloop.new_event_loop()
        loop.run_until_complete(main())
        print(received)
    """
    expected = ["20 2", "uvloop", "2 2", "2 2", "2 2", "[b'secret']"]
    assert expected == check_python(program).splitlines()


def test_deprecated_protocols_warn_once(make: Make) -> None:
    """A deprecated protocol warns as `ssl` does, and no more."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ssl.SSLContext(ssl.PROTOCOL_TLS)
        fasttrust.SSLContext(ssl.PROTOCOL_TLS)
    assert len(caught) == 2
    assert str(caught[0].message) == str(caught[1].message)
