"""Compat mode where a platform decides: data in the very flight that ends a handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
from guarded import GUARD_TESTS, SENT, client, refuses, take_away, trusts

import peer
from pki import HOST

pytestmark = GUARD_TESTS


@contextlib.contextmanager
def flown() -> Iterator[ssl.SSLSocket]:
    """Give a client who has yet to read the server's Finished, and data right behind it."""
    context = client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where the server's flight is the last
    to_server, from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = peer.server_context(SENT).wrap_bio(to_server, from_server, server_side=True)
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        tls = context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False)
        with tls:
            for _ in range(2):
                with pytest.raises(ssl.SSLWantReadError):
                    tls.do_handshake()
                to_server.write(far.recv(1 << 16))
                with contextlib.suppress(ssl.SSLWantReadError):
                    server.do_handshake()
                    server.write(peer.REPLY)
                far.sendall(from_server.read())
            assert server.version() == "TLSv1.2"
            yield tls


BUFFER = bytearray(len(peer.REPLY))

OPERATIONS: dict[str, Callable[[ssl.SSLSocket], object]] = {
    "do_handshake": lambda tls: tls.do_handshake(),
    "read": lambda tls: tls.read(),
    "recv": lambda tls: tls.recv(100),
    "recv_into": lambda tls: tls.recv_into(BUFFER),
    "unwrap": lambda tls: tls.unwrap(),
    "send": lambda tls: tls.send(peer.SECRET),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_data_behind_the_handshake_of_a_refused_server_is_not_read(operation: str) -> None:
    """By whatever call it would be: the verdict comes between, and it is for good."""
    refuses()
    with flown() as tls:
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError):
                OPERATIONS[operation](tls)
        for each in OPERATIONS.values():
            with pytest.raises(ssl.SSLCertVerificationError):
                each(tls)
        assert not any(BUFFER)


def test_data_behind_the_handshake_of_a_trusted_server_is_read() -> None:
    """After the verdict, and nothing of it is lost."""
    trusts()
    with flown() as tls:
        assert peer.REPLY == tls.recv(len(peer.REPLY))


def test_without_the_guard_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the refusals above are the guard's doing."""
    take_away(monkeypatch.setattr)
    refuses()
    with flown() as tls:
        assert peer.REPLY == tls.recv(len(peer.REPLY))
