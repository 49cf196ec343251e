"""From plain text to TLS on one connection: SMTP, IMAP, FTP, PostgreSQL, LDAP.

Everything here is read before anything is verified, so nothing of it is believed: it only decides
whether a handshake follows. Whatever arrives behind the server's consent and before the handshake
was put there by somebody else (CVE-2011-0411, CVE-2021-23222), and is a refusal.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable

_LONGEST_LINE = 4096
_MOST_LINES = 500
_LONGEST_MESSAGE = 1 << 16


class StartTLSError(OSError):
    """The server does not go over to TLS; the message says why."""


class InjectionError(OSError):
    """Plain text arrived where the handshake should begin."""


class Deadline:
    """When a connection has taken too long.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class _Plain:
    """The connection before TLS: bounded in time, and in what it takes."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._buffer = b""
        self._lines = 0

    def send(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def receive(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def line(self) -> str:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LONGEST_LINE:
                raise StartTLSError("the server sent a line without an end")
            self._more()
        line, _, self._buffer = self._buffer.partition(b"\n")
        self._lines += 1
        if self._lines > _MOST_LINES or len(line) > _LONGEST_LINE:
            raise StartTLSError("the server does not stop talking")
        return line.rstrip(b"\r").decode("ascii", "replace")

    def check_silence(self) -> None:
        """Raise InjectionError if anything came behind the last answer."""
        if self._buffer:
            raise InjectionError(
                f"{len(self._buffer)} bytes of plain text came behind the answer to STARTTLS: "
                "somebody put them there, and the connection was given up"
            )

    def _more(self) -> None:
        self._sock.settimeout(self._deadline.left())
        data = self._sock.recv(4096)
        if not data:
            raise StartTLSError("the server closed the connection before TLS")
        self._buffer += data


def _reply(plain: _Plain) -> tuple[str, list[str]]:
    """Return code and lines of a reply of SMTP (RFC 5321, 4.2) or FTP (RFC 959, 4.2)."""
    lines = [plain.line()]
    code = lines[0][:3]
    if re.fullmatch(r"[1-5][0-9][0-9]([ -].*)?", lines[0]) is None:
        raise StartTLSError(f"the server does not speak this protocol, it said: {lines[0][:80]!r}")
    while lines[-1] != code and not lines[-1].startswith(f"{code} "):
        lines.append(plain.line())
    return code, [line[4:] for line in lines]


def _expect(plain: _Plain, wanted: str, what: str) -> list[str]:
    code, lines = _reply(plain)
    if code != wanted:
        raise StartTLSError(f"the server refused {what}: {code} {lines[-1][:200]}")
    return lines


def _smtp(plain: _Plain) -> None:
    # RFC 3207
    _expect(plain, "220", "the connection")
    plain.send(b"EHLO [127.0.0.1]\r\n")
    offered = _expect(plain, "250", "EHLO")
    if not any(line.upper().split()[:1] == ["STARTTLS"] for line in offered[1:]):
        raise StartTLSError("the server does not offer STARTTLS")
    plain.send(b"STARTTLS\r\n")
    _expect(plain, "220", "STARTTLS")


def _imap(plain: _Plain) -> None:
    # RFC 9051, sections 6.2.1 and 7.1
    greeting = plain.line()
    if not greeting.upper().startswith("* OK"):
        raise StartTLSError(f"the server does not greet as IMAP does: {greeting[:80]!r}")
    plain.send(b"a1 STARTTLS\r\n")
    while True:
        line = plain.line()
        if line.upper().startswith("A1 "):
            break
        if not line.startswith("* "):
            raise StartTLSError(f"the server's answer is not IMAP: {line[:80]!r}")
    if line.upper().split()[1:2] != ["OK"]:
        raise StartTLSError(f"the server refused STARTTLS: {line[3:200]}")


def _ftp(plain: _Plain) -> None:
    # RFC 4217, section 4
    _expect(plain, "220", "the connection")
    plain.send(b"AUTH TLS\r\n")
    _expect(plain, "234", "AUTH TLS")


def _postgres(plain: _Plain) -> None:
    # PostgreSQL's protocol, SSLRequest
    plain.send(struct.pack("!II", 8, 80877103))
    answer = plain.receive(1)
    if answer == b"N":
        raise StartTLSError("the server does not offer TLS")
    if answer != b"S":
        raise StartTLSError(f"the server's answer is not PostgreSQL's: {answer!r}")


def _ldap(plain: _Plain) -> None:
    # RFC 4511, section 4.14: an ExtendedRequest, and a result of 0.
    plain.send(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037")
    message = plain.receive(_ber_header(plain, 0x30))
    end, number = _ber(message, 0, 0x02)
    end, response = _ber(message, end, 0x78)
    _, result = _ber(response, 0, 0x0A)
    if int.from_bytes(number, "big") != 1:
        raise StartTLSError("the server's answer is to nothing that was asked")
    if any(result) or not result:
        code = int.from_bytes(result[:4], "big")
        raise StartTLSError(f"the server refused StartTLS: LDAP result {code}")


def _ber_header(plain: _Plain, tag: int) -> int:
    """Read tag and length of a value in BER, and return the length."""
    found, size = plain.receive(2)
    if found == tag and 0x80 < size <= 0x84:  # Active Directory pads its lengths
        size = int.from_bytes(plain.receive(size - 0x80), "big")
    elif size >= 0x80:
        size = _LONGEST_MESSAGE + 1
    if found != tag or size > _LONGEST_MESSAGE:
        raise StartTLSError("the server's answer is not LDAP")
    return size


def _ber(data: bytes, at: int, tag: int) -> tuple[int, bytes]:
    """Return where a value in BER ends, and its content."""
    header = data[at : at + 2]
    begin = at + 2
    size = header[1] if len(header) == 2 and header[0] == tag else 0x80
    if 0x80 < size <= 0x84:
        begin += size - 0x80
        size = int.from_bytes(data[at + 2 : begin], "big")
    elif size == 0x80 or size > 0x84:
        raise StartTLSError("the server's answer is not LDAP's to StartTLS")
    if begin + size > len(data):
        raise StartTLSError("the server's answer is cut off")
    return begin + size, data[begin : begin + size]


_PROTOCOLS: dict[str, tuple[int, Callable[[_Plain], None]]] = {
    "smtp": (25, _smtp),
    "imap": (143, _imap),
    "ftp": (21, _ftp),
    "postgres": (5432, _postgres),
    "ldap": (389, _ldap),
}
#: What ``start_tls`` knows, and on which port it is usually spoken.
PORTS = {name: port for name, (port, _) in _PROTOCOLS.items()}


def start_tls(protocol: str, sock: socket.socket, deadline: Deadline) -> None:
    """Speak a protocol up to where the TLS handshake begins.

    Raises:
        StartTLSError: the server does not speak it, or does not go over to TLS.
        InjectionError: bytes came behind its consent; nothing may be sent here any more.
        TimeoutError: it took too long.
        OSError: the connection broke.
    """
    _, speak = _PROTOCOLS[protocol]
    plain = _Plain(sock, deadline)
    speak(plain)
    plain.check_silence()
