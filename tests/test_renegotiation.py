"""TLS 1.2 renegotiation with a peer that has another OpenSSL: whom a server becomes is verified."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import pki
from world import code, ders, machine_trusts

pyopenssl = pytest.importorskip("OpenSSL.SSL", reason="pyOpenSSL is not installed")

ROOT, STRANGER = pki.root("root"), pki.root("stranger")
CLIENT = ssl.PROTOCOL_TLS_CLIENT
FIRST = pki.leaf("first", ROOT)
# Whom the server becomes, and what the client says of it.
SECONDS = {
    "the same": (FIRST, 0),
    "another": (pki.leaf("second", ROOT), 0),
    "another name": (pki.leaf("misnamed", ROOT, names=("other.test",)), 62),
    "a stranger": (pki.leaf("strange", STRANGER), 20),
    "expired": (pki.leaf("expired", ROOT, valid=(-9, -2)), 10),
}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


class Peer:
    """A server of pyOpenSSL's, and a client's SSLObject, moved by hand."""

    def __init__(self, client: ssl.SSLContext) -> None:
        context = pyopenssl.Context(pyopenssl.TLSv1_2_METHOD)
        context.set_session_cache_mode(pyopenssl.SESS_CACHE_OFF)
        context.set_options(pyopenssl.OP_NO_TICKET)
        self._show(context, FIRST)
        self.server = pyopenssl.Connection(context, None)
        self.server.set_accept_state()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self.incoming, self.outgoing, server_hostname=pki.HOST)

    @staticmethod
    def _show(whom: Any, issued: pki.Issued) -> None:
        whom.use_certificate(issued.certificate)
        whom.use_privatekey(issued.key)

    def become(self, issued: pki.Issued) -> None:
        self._show(self.server, issued)
        assert self.server.renegotiate()
        self.server.do_handshake()
        self.move()

    def move(self) -> None:
        with contextlib.suppress(pyopenssl.WantReadError):
            self.incoming.write(self.server.bio_read(1 << 16))
        if data := self.outgoing.read():
            self.server.bio_write(data)

    def shake(self) -> None:
        """Carry a handshake through that one end has begun."""
        for _ in range(6):
            for read in (self.client.read, self.server.recv):
                with contextlib.suppress(ssl.SSLWantReadError, pyopenssl.WantReadError):
                    assert read(100) is None  # nobody has sent anything yet
                self.move()


@modes.no_core
@pytest.mark.parametrize("second", SECONDS)
def test_whom_a_server_becomes_is_verified(make: Callable[..., Any], second: str) -> None:
    """A second certificate on an open connection is judged as the first; refused, all is over."""
    issued, expected = SECONDS[second]
    peer = Peer(make(CLIENT, ROOT))
    peer.shake()
    assert (FIRST.der, ROOT.der) == ders(fasttrust.get_verified_chain(peer.client))
    peer.become(issued)
    error = None
    try:
        peer.shake()
    except ssl.SSLError as refused:
        error = refused
    assert expected == code(error)
    assert (issued.der,) == ders(fasttrust.get_unverified_chain(peer.client))
    if expected == 0:
        peer.server.send(b"news")
        peer.move()
        assert b"news" == peer.client.read(100)
        assert (issued.der, ROOT.der) == ders(fasttrust.get_verified_chain(peer.client))
        return
    assert () == fasttrust.get_verified_chain(peer.client)
    peer.move()
    with pytest.raises(pyopenssl.Error, match="alert"):
        peer.server.recv(100)
    for use in (lambda: peer.client.write(b"secret"), lambda: peer.client.read(100)):
        with pytest.raises(ssl.SSLError):
            use()
    assert b"" == peer.outgoing.read()
