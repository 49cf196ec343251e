"""
One peer as Windows sees it, and what the rows of every file are made of.

`native` is what Microsoft documents. Where Wine says something else, `wine` has it and `deviation`
why: those are the only places where a test under Wine says nothing about Windows.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

from pki import HOST, Chain, intermediate, leaf, root
from windows_site import Site

SITE = Site()

REVOKED = 0x80092010
NO_CHECK = 0x80092012
OFFLINE = 0x80092013
EXPIRED = 0x800B0101
WRONG_USAGE = 0x800B0110

NO_FLAGS = ssl.VerifyFlags(0)
CRL_LEAF = ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
CRL_CHAIN = ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
HARD = {"revocation": "hard"}
SOFT = {"revocation": "soft"}

WRONG_NAME = 0x800B010F
UNKNOWN_OF_WINE = 0x800B010E

# In compat mode Windows is told the name, and has a number for it.
BY_WINDOWS = (62, WRONG_NAME)
# There the program's own lists do not count, and what Windows does not know is refused.
NO_LIST_COUNTS = (3, NO_CHECK, UNKNOWN_OF_WINE)

OTHER_NUMBER = "Wine has a number of its own for it"
STATUS_ALONE = "Wine's policy for TLS accepts it; the chain's status does not"


@dataclass(frozen=True)
class Row:
    """One peer, as Windows sees it.

    Attributes:
        code: X509_V_ERR_*, 0 is accepted; OpenSSL 3's.
        depth: of the certificate at fault; None where Windows does not say.
        native: HRESULTs that Windows may answer with; None where the system accepts.
        wine: code and native number under Wine, where they differ.
        alone: the same in compat mode, where OpenSSL has no say; why stands beside each.
        fetched: pages that must have been asked for once, by name.
    """

    name: str
    sent: Chain
    code: int = 0
    depth: int | None = 0
    native: tuple[int, ...] = ()
    wine: tuple[int, int] | None = None
    deviation: str = ""
    alone: tuple[int, ...] = ()
    host: str | None = HOST
    flags: ssl.VerifyFlags = NO_FLAGS
    policy: dict[str, Any] = field(default_factory=dict)
    days: float = 0  # at_time, from now
    crls: tuple[str, ...] = ()  # loaded by the program
    fetched: tuple[str, ...] = ()


ROOT = root("windows root", valid=(-30, 90))
A = intermediate("windows A", ROOT)
UNKNOWN = root("windows unknown")
OF_ROOT = leaf("windows leaf", ROOT)
OF_A = leaf("windows leaf of A", A)
OF_UNKNOWN = leaf("windows leaf of unknown", UNKNOWN)
