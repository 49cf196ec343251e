"""What a person wants to know of one certificate, whatever it is worth."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ._certificate import Certificate, name_text
from ._decode import PeerCert, spki
from ._decode_key import describe_key

_DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Facts:
    """What a certificate says of itself: nothing in it need be true.

    Attributes:
        certificate: which.
        subject: as people write it; never empty.
        issuer: the same.
        names: its DNS names, IP addresses and the like.
        key: kind and size.
        serial: its number, hexadecimal.
        begins: from when it is valid; None where that is no date.
        ends: until when.
        problem: why it cannot be read; "" where it can, and else nothing but it and the certificate
            counts.
    """

    certificate: Certificate
    subject: str
    issuer: str = ""
    names: tuple[str, ...] = ()
    key: str = ""
    serial: str = ""
    begins: datetime | None = None
    ends: datetime | None = None
    problem: str = ""
    subject_name: Any = None  # for comparison, as get_info() gives them
    issuer_name: Any = None

    @property
    def is_self_issued(self) -> bool:
        """Whether it names itself as its issuer, as roots do."""
        return not self.problem and self.subject_name == self.issuer_name

    def issued(self, other: Facts) -> bool:
        """Tell whether the other one names this one as its issuer."""
        both = not self.problem and not other.problem
        return both and bool(self.subject_name == other.issuer_name)

    def validity(self, now: datetime) -> str:
        """Return dates and days left, in words."""
        if self.begins is None or self.ends is None:
            return "dates that are none"
        return f"{self.begins:%Y-%m-%d} to {self.ends:%Y-%m-%d}, {self._left(now)}"

    def _left(self, now: datetime) -> str:
        if self.begins is not None and now < self.begins:
            return "not valid yet"
        days = self.days_left(now)
        if days is None or days < 0:
            return "expired"
        return f"{days} day{'' if days == 1 else 's'} left"

    def days_left(self, now: datetime) -> int | None:
        """Return how many full days are left, negative after the end; None without a date."""
        return None if self.ends is None else int((self.ends - now).total_seconds() // _DAY)


def facts_of(certificate: Certificate) -> Facts:
    """Read a certificate; one that cannot be read says so in ``problem``."""
    try:
        info = certificate.get_info()
    except ValueError as error:
        return Facts(certificate, "(unreadable)", problem=str(error))
    try:
        key = describe_key(spki(bytes(certificate)))
    except ValueError:
        key = "an unreadable key"
    names = _names(info)
    subject = name_text(info["subject"]) or (f"({names[0]})" if names else "(no subject)")
    return Facts(
        certificate,
        subject,
        name_text(info["issuer"]) or "(no issuer)",
        names,
        key,
        info["serialNumber"],
        _date(info["notBefore"]),
        _date(info["notAfter"]),
        "",
        info["subject"],
        info["issuer"],
    )


def _names(info: PeerCert) -> tuple[str, ...]:
    return tuple(
        name_text(value) if isinstance(value, tuple) else value
        for _, value in info.get("subjectAltName", ())
    )


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
