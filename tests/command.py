"""The command line, run in this process on a machine that trusts one root."""

from __future__ import annotations

import json
import socket
from typing import Any, NamedTuple

import pytest

import pki
from fasttrust import _cli

ROOT = pki.root("Example Root")
ISSUER = pki.intermediate("Example Issuer", ROOT)
STRANGER = pki.root("Stranger's Root")
NAMES = ("localhost", "127.0.0.1", "::1")
GOOD = pki.Chain((pki.leaf("good", ISSUER, names=NAMES), ISSUER))
EXPIRED = pki.Chain((pki.leaf("old", ISSUER, names=NAMES, valid=(-90, -1)), ISSUER))
UNKNOWN = pki.Chain((pki.leaf("proxied", STRANGER, names=NAMES), STRANGER))
WRONG_NAME = pki.Chain((pki.leaf("other", ISSUER, names=("other.test",)), ISSUER))


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class Command:
    """Runs the command line, and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Done:
        self._capsys.readouterr()
        try:
            status = _cli.main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        out, err = self._capsys.readouterr()
        for printed in (out, err):
            assert all(line.isprintable() for line in printed.split("\n")), repr(printed)
        return Done(status, out, err)

    def servers(self, *arguments: str, status: int) -> list[dict[str, Any]]:
        """Return what `inspect --json` says of each server."""
        done = self("inspect", "--json", "--timeout", "20", *arguments)
        assert (status, "") == (done.status, done.err)
        assert done.out.isascii()
        found: list[dict[str, Any]] = json.loads(done.out)["servers"]
        return found

    def server(self, *arguments: str, status: int) -> dict[str, Any]:
        """Return what it says of the only one."""
        (found,) = self.servers(*arguments, status=status)
        return found


def closed_port() -> int:
    """Return a port of 127.0.0.1 where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
