"""After a refusal: the connection is dead for good, and the alert lies where the peer finds it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import peer
import pki
from world import Pair, leaf_of, machine_trusts, made

ROOT = pki.root("root")
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
Make = Callable[..., ssl.SSLContext]

# Whatever a program may go on with that moves bytes, or says that the handshake is done.
USES: dict[str, Callable[[Any], object]] = {
    "do_handshake": lambda tls: tls.do_handshake(),
    "read": lambda tls: tls.read(100),
    "read into": lambda tls: tls.read(100, bytearray(100)),
    "write": lambda tls: tls.write(peer.SECRET),
    "unwrap": lambda tls: tls.unwrap(),
    "getpeercert": lambda tls: tls.getpeercert(True),
    "post-handshake authentication": lambda tls: tls.verify_client_post_handshake(),
}
SOCKET_USES: dict[str, Callable[[Any], object]] = {
    **USES,
    "send": lambda sock: sock.send(peer.SECRET),
    "sendall": lambda sock: sock.sendall(peer.SECRET),
    "recv": lambda sock: sock.recv(100),
    "recv_into": lambda sock: sock.recv_into(bytearray(100)),
    "makefile": lambda sock: sock.makefile("rwb", buffering=0).write(peer.SECRET),
}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


@pytest.fixture(params=peer.VERSIONS, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    chosen: ssl.TLSVersion = request.param
    return chosen


@pytest.mark.parametrize("use", USES)
def test_object_is_dead_for_good(make: Make, version: ssl.TLSVersion, use: str) -> None:
    """Each use of a refused SSLObject is an error, again and again, and writes nothing."""
    server = peer.server_context(leaf_of(ROOT), version=version)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = make(CLIENT).wrap_bio(to_client, to_server, server_hostname=pki.HOST)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (near, far):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    with pytest.raises(fasttrust.VerificationError):
        near.do_handshake()
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        Pair.read(far)  # whether the server is done by its own account (TLS 1.3) or not
    for _ in range(3):
        with pytest.raises((ssl.SSLError, ValueError)):
            USES[use](near)
        assert b"" == to_server.read()
        assert near.version() is None
        assert not near.session_reused


@pytest.mark.parametrize("use", SOCKET_USES)
def test_socket_is_dead_for_good(make: Make, version: ssl.TLSVersion, use: str) -> None:
    """So it is on a socket, whose end is at most that of a stream; the server hears the alert."""
    near, far = socket.socketpair()
    server = peer.server_context(leaf_of(ROOT), version=version)
    heard: list[object] = []

    def serve() -> None:
        far.settimeout(20)
        try:
            with server.wrap_socket(far, server_side=True) as tls:
                heard.append(tls.recv(100))
        except ssl.SSLError as error:
            heard.append(peer.alert_in(error))

    thread = threading.Thread(target=serve)
    thread.start()
    near.settimeout(20)
    with make(CLIENT).wrap_socket(
        near, server_hostname=pki.HOST, do_handshake_on_connect=False
    ) as tls:
        with pytest.raises(fasttrust.VerificationError):
            tls.do_handshake()
        thread.join(20)
        for _ in range(3):
            with contextlib.suppress(OSError, ValueError):
                moved = SOCKET_USES[use](tls)
                # suppress_ragged_eofs is ssl's default; None is a raw file's "nothing was written".
                assert moved is None or (moved in (b"", 0) and use.startswith("re"))
    assert not thread.is_alive()
    assert ["TLSV1_ALERT_UNKNOWN_CA"] == heard


def test_alert_of_a_server_reaches_its_client(version: ssl.TLSVersion) -> None:
    """A client that a server refuses reads the alert that fits, and none of the server's bytes."""
    judge = made(SERVER, ROOT)
    peer.pin(judge, version)
    leaf_of(ROOT).load(judge)
    judge.verify_mode = ssl.CERT_REQUIRED
    for issuer, valid, alert in (
        (pki.root("strange"), (-1, 1), "TLSV1_ALERT_UNKNOWN_CA"),
        (ROOT, (-9, -2), "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    ):
        client = made(CLIENT, ROOT)
        pki.Chain((pki.leaf(f"client of {issuer.name}", issuer, valid=valid),)).load(client)
        for carrier in ("socket", "bio"):
            outcome = peer.connect(client, judge, carrier=carrier)
            assert isinstance(outcome.server_error, fasttrust.VerificationError)
            assert (alert, b"") == (outcome.client_alert, outcome.client_received)
            assert b"" == outcome.server_received
