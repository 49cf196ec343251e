"""
Servers on loopback for the command line: TLS, what is spoken before it, and whatever goes wrong.

    with servers.serving(servers.tls(chain)) as port:
        ...

A handler gets each connection in a thread of its own; what it raises is kept, for a client that
refuses is no failure of the server's.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import modes
import peer
from pki import Chain

Handle = Callable[[socket.socket], None]

#: No step on loopback takes longer, however busy the machine is.
LIMIT = 20.0


@contextlib.contextmanager
def serving(handle: Handle, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve every connection with the handler, and give the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        threads: list[threading.Thread] = []
        end = threading.Event()
        accepting = threading.Thread(
            target=_accept, args=(listener, handle, threads, end), daemon=True
        )
        accepting.start()
        yield listener.getsockname()[1]
        end.set()
        with socket.socket(family) as waker:
            waker.connect(listener.getsockname())
        accepting.join(LIMIT)
        for thread in threads:
            thread.join(LIMIT)
        assert not any(thread.is_alive() for thread in [accepting, *threads])


def _accept(
    listener: socket.socket,
    handle: Handle,
    threads: list[threading.Thread],
    end: threading.Event,
) -> None:
    while True:
        sock, _ = listener.accept()
        if end.is_set():
            sock.close()
            return
        thread = threading.Thread(target=_handle, args=(handle, sock), daemon=True)
        threads.append(thread)
        thread.start()


# What PyPy raises in place of ConnectionResetError: it finds no words for it.
WORDLESS = [RuntimeError] if modes.PYPY else []


def _handle(handle: Handle, sock: socket.socket) -> None:
    with sock:
        sock.settimeout(LIMIT)
        with contextlib.suppress(OSError, *WORDLESS):
            handle(sock)


def tls(chain: Chain, *alpn: str, version: ssl.TLSVersion | None = None) -> Handle:
    """Present the chain, and wait for the client's end."""
    context = peer.server_context(chain, version=version)
    if alpn:
        context.set_alpn_protocols(list(alpn))

    def handle(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as connection:
            assert connection.recv(1) == b""  # inspecting sends nothing

    return handle


def says(*parts: bytes, first: bool = False) -> Handle:
    """Send the parts, after something came unless `first`, and close when the client does."""

    def handle(sock: socket.socket) -> None:
        if not first:
            sock.recv(4096)
        sock.sendall(b"".join(parts))
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass

    return handle


def silent(sock: socket.socket) -> None:
    """Accept, and say nothing until the client gives up."""
    while sock.recv(4096):
        pass


def closes(sock: socket.socket) -> None:
    """Close at once."""


def stops(sock: socket.socket) -> None:
    """Begin a handshake's answer, and say nothing more."""
    sock.recv(4096)
    sock.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")
    silent(sock)


def line(sock: socket.socket) -> bytes:
    """Read one line, byte by byte: what follows it is TLS's."""
    read = b""
    while not read.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionError("the client is gone")
        read += byte
    return read


def smtp(then: Handle, consent: bytes = b"220 go ahead\r\n", *, offers: bool = True) -> Handle:
    """RFC 3207, with a greeting and an answer to EHLO of several lines."""

    def handle(sock: socket.socket) -> None:
        sock.sendall(b"220-mail.test ESMTP\r\n220-no spam\r\n220 welcome\r\n")
        assert line(sock).upper().startswith(b"EHLO ")
        sock.sendall(b"250-mail.test\r\n250-SIZE 1000\r\n")
        sock.sendall(b"250-STARTTLS\r\n250 HELP\r\n" if offers else b"250 HELP\r\n")
        assert line(sock) == b"STARTTLS\r\n"
        sock.sendall(consent)
        then(sock)

    return handle


def imap(then: Handle, consent: bytes = b"a1 OK begin\r\n") -> Handle:
    """RFC 9051, with an untagged answer in between."""

    def handle(sock: socket.socket) -> None:
        sock.sendall(b"* OK [CAPABILITY IMAP4rev2 STARTTLS] ready\r\n")
        assert line(sock) == b"a1 STARTTLS\r\n"
        sock.sendall(b"* CAPABILITY IMAP4rev2\r\n" + consent)
        then(sock)

    return handle


def ftp(then: Handle, consent: bytes = b"234 AUTH TLS successful\r\n") -> Handle:
    """RFC 4217, with a greeting whose middle has no code (RFC 959, section 4.2)."""

    def handle(sock: socket.socket) -> None:
        sock.sendall(b"220-Welcome\r\n all of\r\n2203 of you\r\n220 ready\r\n")
        assert line(sock) == b"AUTH TLS\r\n"
        sock.sendall(consent)
        then(sock)

    return handle


def postgres(then: Handle, consent: bytes = b"S") -> Handle:
    """PostgreSQL's SSLRequest."""

    def handle(sock: socket.socket) -> None:
        assert _exactly(sock, 8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
        sock.sendall(consent)
        then(sock)

    return handle


LDAP_SUCCESS = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
#: The same as Active Directory writes it.
LDAP_PADDED = b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07" + LDAP_SUCCESS[7:]


def ldap(then: Handle, consent: bytes = LDAP_SUCCESS) -> Handle:
    """RFC 4511, section 4.14."""

    def handle(sock: socket.socket) -> None:
        request = _exactly(sock, 31)
        assert request == b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
        sock.sendall(consent)
        then(sock)

    return handle


STARTTLS = {"smtp": smtp, "imap": imap, "ftp": ftp, "postgres": postgres, "ldap": ldap}
CONSENT = {
    "smtp": b"220 go ahead\r\n",
    "imap": b"a1 OK begin\r\n",
    "ftp": b"234 AUTH TLS successful\r\n",
    "postgres": b"S",
    "ldap": LDAP_SUCCESS,
}


def _exactly(sock: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        more = sock.recv(size - len(read))
        if not more:
            raise ConnectionError("the client is gone")
        read += more
    return read
