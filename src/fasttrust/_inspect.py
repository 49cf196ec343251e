"""One look at a server: a handshake of ours, and everything that came to light in it.

Nothing is ever accepted in order to look at it. What an untrusted server sent is shown by the
handshake that refused it, and the connection ends there.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ._certificate import Certificate
from ._connection import get_unverified_chain, get_verified_chain
from ._context import attach
from ._default import create_default_context
from ._errors import VerificationError
from ._starttls import Deadline, InjectionError, StartTLSError, start_tls
from ._target import Target
from ._trust import TrustStore
from ._wire import Wire

TRUSTED, REFUSED, UNREACHABLE = "trusted", "not trusted", "unreachable"
#: Of a verifier that is not here.
NOT_ASKED = "not asked"

# What we offer where HTTP is likely: under STARTTLS something else is spoken.
_ALPN = ("h2", "http/1.1")
_SHAKING = "in the TLS handshake"
# The types of TLS records, with which everything that a server sends begins.
_RECORDS = range(20, 25)


@dataclass(frozen=True)
class Settings:
    """How servers are looked at.

    Attributes:
        trust: what to trust; None is the system.
        starttls: the protocol that is spoken before TLS, "" for none.
        timeout: seconds for each connection, from the look-up of its name to its verdict.
        compare: whether plain ``ssl`` and certifi are asked too.
    """

    trust: TrustStore | None = None
    starttls: str = ""
    timeout: float = 10.0
    compare: bool = False


@dataclass
class Report:
    """What one connection came to.

    Attributes:
        target: where to.
        verdict: TRUSTED, REFUSED, or UNREACHABLE where it did not come to a verdict (or NOT_ASKED).
        error: why it is not trusted or not reachable, "" where it is trusted.
        code: X509_V_ERR_* of the refusal; 0 where trusted, None where there is no verdict.
        depth: the certificate at fault, 0 is the leaf.
        native_code: the platform verifier's own.
        native_message: its own words.
        hint: what can be done about it.
        alert_sent: to the server, by its name in RFC 8446; "" for none.
        alert_received: from the server.
        address: of the server, as text.
        protocol: of TLS, as ``SSLSocket.version()`` writes it; "" where it did not come to that.
        cipher: its cipher suite.
        alpn: what the server chose, "" for nothing.
        asks_for_certificate: whether the server asked for a client certificate; it gets none.
        sent: the chain that the server sent.
        verified: the chain that it was verified by.
        seconds: how long all took.
        compared: what others said, by their names.
    """

    target: Target
    verdict: str = UNREACHABLE
    error: str = ""
    code: int | None = None
    depth: int | None = None
    native_code: int | None = None
    native_message: str = ""
    hint: str = ""
    alert_sent: str = ""
    alert_received: str = ""
    address: str = ""
    protocol: str = ""
    cipher: str = ""
    alpn: str = ""
    asks_for_certificate: bool = False
    sent: tuple[Certificate, ...] = ()
    verified: tuple[Certificate, ...] = ()
    seconds: float = 0.0
    compared: dict[str, Report] = field(default_factory=dict)


def verifying_context(trust: TrustStore | None) -> ssl.SSLContext:
    """Return a context as programs make it.

    Where the machine's store cannot be read it trusts nobody, and its refusals say why.
    """
    try:
        return create_default_context(trust=trust)
    except OSError:
        # Naming any directory keeps ssl from loading its own; attaching then asks the system.
        context = ssl.create_default_context(capath=os.devnull)
        attach(context)
        return context


def look(
    target: Target, settings: Settings, make: Callable[[], ssl.SSLContext] | None = None
) -> Report:
    """Connect to a server, verify it, and tell everything about that: also what goes wrong.

    Args:
        target: the server.
        settings: how.
        make: makes the context, for the comparison; ours by default.
    """
    make = make or (lambda: verifying_context(settings.trust))
    offer = () if settings.starttls else _ALPN
    try:
        report = _attempt(target, settings, make(), offer)
        if report.alert_received == "no_application_protocol":
            report = _attempt(target, settings, make(), ())
    except OSError as error:  # of making it: a file of roots, or SSLKEYLOGFILE
        return Report(target, error=f"no context could be made: {error}")
    return report


def _attempt(
    target: Target, settings: Settings, context: ssl.SSLContext, offer: tuple[str, ...]
) -> Report:
    report = Report(target)
    wire = Wire()
    wire.watch(context)
    if offer:
        context.set_alpn_protocols(list(offer))
    begun = time.monotonic()
    deadline = Deadline(settings.timeout)
    doing = f"looking up {target.host}"
    try:
        addresses = _addresses(target, deadline)
        doing = "connecting"
        with _connect(addresses, deadline) as sock:
            report.address = str(sock.getpeername()[0])
            if settings.starttls:
                doing = f"speaking {settings.starttls}"
                start_tls(settings.starttls, sock, deadline)
            doing = _SHAKING
            sock.settimeout(deadline.left())
            with context.wrap_socket(
                sock, server_hostname=target.server_hostname, do_handshake_on_connect=False
            ) as connection:
                _shake(connection, report)
        report.verdict, report.code = TRUSTED, 0
    except ssl.SSLCertVerificationError as error:
        _refused(report, error)
    except InjectionError as error:
        report.verdict, report.error = REFUSED, str(error)
    except (OSError, ValueError) as error:
        report.error = _explain(error, doing, settings, wire)
    report.protocol = wire.version
    report.cipher = wire.cipher(context)
    report.asks_for_certificate = wire.asks_for_certificate
    report.alert_sent, report.alert_received = wire.alert_sent, wire.alert_received
    report.seconds = time.monotonic() - begun
    return report


def _shake(connection: ssl.SSLSocket, report: Report) -> None:
    try:
        connection.do_handshake()
        report.verified = get_verified_chain(connection)
    finally:
        # Where it failed too: what was sent is then the thing to look at.
        with contextlib.suppress(ValueError):
            report.sent = get_unverified_chain(connection)
            report.alpn = connection.selected_alpn_protocol() or ""


def _refused(report: Report, error: ssl.SSLCertVerificationError) -> None:
    report.verdict = REFUSED
    report.code = error.verify_code
    report.error = error.verify_message
    if isinstance(error, VerificationError):
        report.depth = error.depth
        report.native_code = error.native_code
        report.native_message = error.native_message or ""
        report.hint = error.hint
        report.sent = error.chain or report.sent


_Address = tuple[int, int, int, str, Any]


def _addresses(target: Target, deadline: Deadline) -> list[_Address]:
    """Return where the host is; a name that nobody answers for costs no more than the deadline."""

    def ask() -> list[Any]:
        return socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)

    try:
        ipaddress.ip_address(target.host)
    except ValueError:
        pass
    else:
        return ask()
    answer: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answer.put(ask())
        except OSError as error:
            answer.put(error)

    # The system's resolver knows no timeout, so it is left behind where it takes too long.
    threading.Thread(target=resolve, daemon=True).start()
    try:
        found = answer.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError("timed out") from None
    if isinstance(found, OSError):
        raise found
    return found


def _connect(addresses: list[_Address], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; each has its share of the time."""
    failed: OSError = OSError("the name has no address")
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(deadline.left() / (len(addresses) - place))
            sock.connect(address)
        except OSError as error:
            if sock is not None:
                sock.close()
            failed = error
        else:
            return sock
    raise failed


def _explain(error: Exception, doing: str, settings: Settings, wire: Wire) -> str:
    """Return in one sentence why there is no verdict."""
    if isinstance(error, TimeoutError):
        return f"no answer within {settings.timeout:g} seconds, {doing}"
    if doing == _SHAKING:
        return _explain_handshake(error, settings, wire)
    if isinstance(error, StartTLSError):
        return str(error)
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved: {error.strerror}"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there: connection refused"
    return f"{doing}: {error}"


def _explain_handshake(error: Exception, settings: Settings, wire: Wire) -> str:
    if wire.alert_received:
        wanted = " after it asked for a client certificate" if wire.asks_for_certificate else ""
        return f"the server ended the handshake with the alert {wire.alert_received}{wanted}"
    if wire.first and wire.first[0] not in _RECORDS:
        return _no_tls(wire.first, bool(settings.starttls))
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)):
        return "the server closed the connection during the TLS handshake"
    # Without the parts that only a programmer reads.
    return "the TLS handshake failed: " + re.sub(r"^\[[^]]*] | \(_ssl\.c:\d+\)$", "", str(error))


def _no_tls(first: bytes, starttls: bool) -> str:
    said = first.decode("ascii", "replace")
    if first.startswith(b"HTTP/"):
        return "the server speaks plain HTTP on this port, not TLS"
    if not starttls and first[:4] in (b"220 ", b"220-", b"* OK"):
        kind = "imap" if first.startswith(b"*") else "smtp (or ftp)"
        return f"the server speaks plain text first, not TLS: try --starttls {kind}"
    return f"the server does not speak TLS on this port, it said: {said!r}"
