"""A program to freeze: one request to each port it is given, and what became of it."""

from __future__ import annotations

import socket
import sys

import fasttrust


def ask(port: int) -> str:
    """Make a request and return the first line of the answer, or why the server was refused."""
    context = fasttrust.create_default_context()
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as sock,
            context.wrap_socket(sock, server_hostname="server.test") as tls,
        ):
            tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return f"{len(fasttrust.get_verified_chain(tls))} {tls.recv(100)!r}"
    except fasttrust.VerificationError as error:
        return f"refused {error.verify_code}"


print(fasttrust.backend().mode, getattr(sys, "frozen", False), *map(ask, map(int, sys.argv[1:])))
