"""Which server is meant: HOST[:PORT] as people write it, and files of such lines."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

#: Without STARTTLS.
HTTPS = 443

# Labels of letters, digits, hyphens and underscores: RFC 952 and 1123, and what is met in the wild.
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_LONGEST_NAME = 253
# Python's IDNA (2003) makes another name of these than browsers' (2008) do.
_TWO_MEANINGS = "\u00df\u03c2\u200c\u200d"


class Target(NamedTuple):
    """A server.

    Attributes:
        host: what is connected to: a name in ASCII, or an address.
        port: the TCP port.
        said: as the user wrote it.
    """

    host: str
    port: int
    said: str

    @property
    def server_hostname(self) -> str:
        """What its certificate has to be for: the host, without an address's zone."""
        return self.host.partition("%")[0]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def target(text: str, default_port: int = HTTPS) -> Target:
    """Return what ``HOST``, ``HOST:PORT``, ``[IPv6]`` or ``[IPv6]:PORT`` names.

    Names beyond ASCII are encoded as Python's ``ssl`` and ``socket`` do it (IDNA 2003).

    Raises:
        ValueError: it names none; says why.
    """
    said = text.strip(" \t\r\n")
    if not said:
        raise ValueError("an empty host name")
    if "://" in said:
        raise ValueError(f"{said!r} is a URL: give its host, as in www.example.org:443")
    host, port = _split(said)
    number = default_port if port is None else _port(port, said)
    return Target(_address(host) or _name(host, said), number, said)


def _split(said: str) -> tuple[str, str | None]:
    if said.startswith("["):
        host, bracket, rest = said[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or ":" not in host:
            raise ValueError(f"{said!r} is not [IPv6 address]:port")
        if _address(host) is None:
            raise ValueError(f"{host!r} is not an IPv6 address")
        return host, rest[1:] if rest else None
    if said.count(":") > 1:
        if _address(said) is None:
            raise ValueError(f"{said!r} has two colons and is no IPv6 address")
        return said, None
    host, colon, port = said.partition(":")
    return host, port if colon else None


def _port(text: str, said: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or not 1 <= int(text) <= 0xFFFF:
        raise ValueError(f"{said!r}: a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host)) if host.isprintable() else None
    except ValueError:
        return None


def _name(host: str, said: str) -> str:
    name = host.removesuffix(".")
    if any(character in _TWO_MEANINGS for character in name):
        raise ValueError(f"{said!r} means one name or another: write it as xn--...")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError(f"{said!r} cannot be a host name: {error}") from error
    if len(name) > _LONGEST_NAME or _NAME.fullmatch(name) is None:
        raise ValueError(f"{said!r} is not a host name")
    return name


def targets(lines: Iterable[str], default_port: int = HTTPS) -> list[Target]:
    """Return what the lines of a file name, one each; empty ones and those after # do not count.

    Raises:
        ValueError: some name none; says which, and why.
    """
    found, wrong = [], []
    for number, line in enumerate(lines, 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        try:
            found.append(target(said, default_port))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return found
