"""One connection of the demo, as both of its ends saw it."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field

from ._certificate import Certificate
from ._connection import get_unverified_chain, get_verified_chain

#: What the client sends after the handshake, and tries to send after a refusal.
MESSAGE = b"GET /secret HTTP/1.1\r\n\r\n"

# No step of a connection on loopback takes longer, however busy the machine is.
_TIMEOUT = 10.0


@dataclass
class ServerSide:
    """What the server saw."""

    alert: str | None = None  # by its name in RFC 8446, section 6
    received: bytes = b""  # application bytes
    after_alert: int = 0  # bytes of any kind that arrived after the alert
    trouble: Exception | None = None  # anything else that went wrong


@dataclass
class Outcome:
    """What one connection came to."""

    server: ServerSide = field(default_factory=ServerSide)
    error: Exception | None = None  # what the client's handshake raised
    sent: tuple[Certificate, ...] = ()  # what the server sent
    verified: tuple[Certificate, ...] = ()

    @property
    def code(self) -> int | None:
        """0 where the server was accepted, the code of the refusal, None where neither happened."""
        if isinstance(self.error, ssl.SSLCertVerificationError):
            return self.error.verify_code
        return 0 if self.error is None else None


def connect(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> Outcome:
    """Start a server on loopback, connect to it once, and tell how that went.

    Raises:
        OSError: no server can be started.
    """
    outcome = Outcome()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT)
        thread = threading.Thread(
            target=_serve, args=(listener, server, outcome.server), daemon=True
        )
        thread.start()
        with socket.create_connection(listener.getsockname(), _TIMEOUT) as sock:
            _ask(client, sock, host, outcome)
            with contextlib.suppress(OSError):  # the server may have given up first
                sock.shutdown(socket.SHUT_WR)
            # Not closed before the server has read all: what arrives unread would reset it.
            thread.join(3 * _TIMEOUT)
    if thread.is_alive():
        outcome.server.trouble = TimeoutError("the server did not finish")
    return outcome


def _ask(client: ssl.SSLContext, sock: socket.socket, host: str, outcome: Outcome) -> None:
    with client.wrap_socket(
        sock.dup(), server_hostname=host, do_handshake_on_connect=False
    ) as connection:
        try:
            connection.do_handshake()
        except Exception as error:  # whatever was raised is the outcome
            outcome.error = error
        outcome.sent = get_unverified_chain(connection)
        outcome.verified = get_verified_chain(connection)
        try:
            connection.sendall(MESSAGE)
        except OSError as error:
            # After a refusal this is as it should be: nothing can be sent any more.
            outcome.error = outcome.error or error


def _serve(listener: socket.socket, context: ssl.SSLContext, seen: ServerSide) -> None:
    try:
        sock, _ = listener.accept()
        sock.settimeout(_TIMEOUT)
        with context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False
        ) as connection:
            try:
                connection.do_handshake()
                while received := connection.recv(4096):
                    seen.received += received
            except ssl.SSLError as error:
                seen.alert = _alert(error)
                if seen.alert is None:
                    raise
                seen.after_alert = _drain(connection)
    except Exception as error:  # the demo reports it
        seen.trouble = error


def _drain(connection: ssl.SSLSocket) -> int:
    """Count what still arrives below TLS, until the client's end."""
    count = 0
    with socket.socket(fileno=connection.detach()) as sock:
        sock.settimeout(_TIMEOUT)
        while received := sock.recv(4096):
            count += len(received)
    return count


def _alert(error: ssl.SSLError) -> str | None:
    found = re.search(r"\b(?:SSLV3|TLSV1|TLSV13)_ALERT_(\w+)", f"{error.reason} {error}")
    return found and found[1].lower()
