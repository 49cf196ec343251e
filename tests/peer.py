"""
Real TLS connections on loopback, one at a time, for tests.

    server = peer.server_context(chain, version=ssl.TLSVersion.TLSv1_3)
    outcome = peer.connect(client_context, server, carrier="bio", server_hostname="server.test")
    assert outcome.server_received == peer.SECRET

One conversation is carried in three ways: over a pair of sockets with the server in a thread, over
memory BIOs pumped by hand, and over asyncio streams. The client does the handshake and sends
SECRET, the server answers REPLY. A client that refused the handshake tries to send SECRET all the
same, so an empty `server_received` proves that nothing could be sent, not that nobody tried.

Nothing here can hang: `peer_carriers` has a limit for each of them.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from peer_carriers import End, Sides, over_asyncio, over_bios, over_sockets
from pki import HOST, Chain, Issued, pem

SECRET = b"secret"
REPLY = b"welcome"
CARRIERS = {"socket": over_sockets, "bio": over_bios, "asyncio": over_asyncio}
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

Inspect = Callable[[Any], object]


@dataclass
class Outcome:
    """What one connection came to, seen from both ends."""

    client_error: Exception | None = None
    server_error: Exception | None = None
    server_received: bytes = b""  # application bytes, as are the next
    client_received: bytes = b""
    version: str | None = None  # TLS version by the client's word, such as "TLSv1.3"
    inspected: Any = None  # what `inspect` returned
    server_inspected: Any = None  # what `inspect_server` returned
    session: ssl.SSLSession | None = None  # the client's at the end, to be resumed
    session_reused: bool | None = None
    # What sending SECRET raised in a client that had refused the handshake.
    forced: Exception | None = None

    @property
    def alert(self) -> str | None:
        """The alert that the server received, such as 'TLSV1_ALERT_UNKNOWN_CA'."""
        return alert_in(self.server_error)

    @property
    def client_alert(self) -> str | None:
        """The alert that the client received."""
        return alert_in(self.client_error)


def connect(
    client: ssl.SSLContext,
    server: ssl.SSLContext,
    *,
    carrier: str = "socket",
    server_hostname: str | None = HOST,
    implicit: bool = False,
    session: ssl.SSLSession | None = None,
    post_handshake: bool = False,
    inspect: Inspect | None = None,
    inspect_server: Inspect | None = None,
) -> Outcome:
    """Run one connection and say what it came to; TLS errors are in the outcome, never raised.

    `implicit` leaves the handshake to the client's first send. `post_handshake` lets the server ask
    for a client certificate after SECRET and has both ends speak once more. `inspect` is called on
    the client's connection right after the handshake or its refusal, except where asyncio refused,
    which leaves no connection. `inspect_server` is called on the server's at the end.
    """
    if carrier == "asyncio" and (implicit or session is not None):
        raise ValueError("asyncio does the handshake itself and takes no session")
    outcome = Outcome()
    CARRIERS[carrier](
        Sides(client, server, server_hostname, session),
        partial(_client, outcome, implicit, post_handshake, inspect),
        partial(_server, outcome, post_handshake, inspect_server),
    )
    return outcome


def server_context(
    chain: Chain,
    *,
    version: ssl.TLSVersion | None = None,
    client_anchors: tuple[Issued, ...] = (),
) -> ssl.SSLContext:
    """Make a server that presents the chain, whatever it is worth.

    With anchors it demands a client certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys are the client's to refuse
    if version is not None:
        pin(context, version)
    chain.load(context)
    if client_anchors:
        context.load_verify_locations(cadata=pem(*client_anchors))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def pin(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Allow this one TLS version."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = version
    context.minimum_version = version


def choose_by_name(server: ssl.SSLContext, contexts: Mapping[str, ssl.SSLContext]) -> None:
    """Give the server an SNI callback that switches to the context of the name the client sent."""

    def switch(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None and name in contexts:
            connection.context = contexts[name]

    server.sni_callback = switch


def alert_in(error: BaseException | None) -> str | None:
    """Return the name of the TLS alert that the error reports, if it reports one."""
    if not isinstance(error, ssl.SSLError):
        return None
    found = re.search(r"\b(?:SSLV3|TLSV1|TLSV13)_ALERT_\w+", f"{error.reason} {error}")
    return found and found.group()


async def _client(
    outcome: Outcome, implicit: bool, post_handshake: bool, inspect: Inspect | None, end: End
) -> None:
    try:
        if not implicit:
            await end.handshake()
        else:
            await end.send(SECRET)
    except Exception as error:  # whatever was raised is the outcome
        outcome.client_error = error
    if inspect is not None and end.connection is not None:
        outcome.inspected = inspect(end.connection)
    if outcome.client_error is not None:
        try:
            await end.send(SECRET)
        except Exception as error:
            outcome.forced = error
        return
    try:
        if not implicit:
            await end.send(SECRET)
        outcome.client_received = await end.receive(len(REPLY))
        if post_handshake:
            await end.send(SECRET)
            outcome.client_received += await end.receive(len(REPLY))
    except Exception as error:
        outcome.client_error = error
    if end.tls is not None:
        outcome.version = end.tls.version()
        outcome.session = end.tls.session
        outcome.session_reused = end.tls.session_reused


async def _server(
    outcome: Outcome, post_handshake: bool, inspect: Inspect | None, end: End
) -> None:
    try:
        await end.handshake()
        outcome.server_received = await end.receive(len(SECRET))
        if post_handshake:
            assert isinstance(end.tls, (ssl.SSLSocket, ssl.SSLObject))
            end.tls.verify_client_post_handshake()
        if outcome.server_received:
            await end.send(REPLY)
        if post_handshake:
            outcome.server_received += await end.receive(len(SECRET))
            await end.send(REPLY)
    except Exception as error:  # whatever was raised is the outcome
        outcome.server_error = error
    if inspect is not None and end.connection is not None:
        outcome.server_inspected = inspect(end.connection)
