"""What a handshake said on the wire, read from OpenSSL's messages as they pass."""

from __future__ import annotations

import ssl
from typing import Any

# Content types of TLS, and OpenSSL's own for the five bytes before each record.
_ALERT, _HANDSHAKE, _HEADER = 21, 22, 256
_SERVER_HELLO, _CERTIFICATE_REQUEST = 2, 13
# RFC 8446, section 6.2: what Python's AlertDescription lacks.
_NEWER_ALERTS = {86: "inappropriate_fallback", 109: "missing_extension"}
_NEWER_ALERTS |= {116: "certificate_required", 120: "no_application_protocol"}
_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2"}
_VERSIONS |= {0x0304: "TLSv1.3"}


class Wire:
    """What was seen, also of a handshake that was refused.

    Attributes:
        alert_sent: the last one of ours, "" for none; not close_notify.
        alert_received: the last one of the server's.
        first: the first five bytes that the server sent.
        version: of the protocol, once the server chose it.
        asks_for_certificate: whether the server wants one of the client's.
    """

    def __init__(self) -> None:
        self.alert_sent = ""
        self.alert_received = ""
        self.first = b""
        self.version = ""
        self.asks_for_certificate = False
        self._suite = -1

    def watch(self, context: ssl.SSLContext) -> None:
        """See every message of the context's connections: it should have one only."""
        hooked: Any = context
        hooked._msg_callback = self._seen

    def cipher(self, context: ssl.SSLContext) -> str:
        """Return the cipher suite that the server chose, "" where it did not come to that."""
        for cipher in context.get_ciphers():
            if cipher["id"] & 0xFFFF == self._suite:
                return str(cipher["name"])
        return "" if self._suite < 0 else f"0x{self._suite:04X}"

    def _seen(
        self, _: object, direction: str, version: int, content: int, kind: int, data: bytes
    ) -> None:
        sent = direction == "write"
        if content == _HEADER and not sent and not self.first:
            self.first = bytes(data)
        elif content == _ALERT and len(data) == 2 and data[1]:
            if sent:
                self.alert_sent = _alert(data[1])
            else:
                self.alert_received = _alert(data[1])
        elif content == _HANDSHAKE and not sent:
            self.version = _VERSIONS.get(version, f"0x{version:04X}")
            self.asks_for_certificate |= kind == _CERTIFICATE_REQUEST
            # Four bytes of header, version, random, the session's id with its length; the suite.
            if kind == _SERVER_HELLO and len(data) > 38:
                at = 39 + data[38]
                self._suite = int.from_bytes(data[at : at + 2], "big")


def _alert(number: int) -> str:
    try:
        name = ssl.AlertDescription(number).name
    except ValueError:
        return _NEWER_ALERTS.get(number, f"unknown ({number})")
    return name.removeprefix("ALERT_DESCRIPTION_").lower()
