"""
The table's column for Windows.

The rows of `CASES` whose verdict is another one where CryptoAPI judges, with the row's anchors in
the system's Root store, and why.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_DOCUMENTED = "Microsoft does not document this verdict, and only Wine's was seen"


@dataclass(frozen=True)
class Differs:
    """What becomes of a row on Windows.

    Attributes:
        code: X509_V_ERR_* under Wine, 0 is accepted.
        reason: why it is not what OpenSSL says.
        windows: what follows from Microsoft's documents; None where they do not say.
    """

    code: int
    reason: str
    windows: int | None


_STRICT = "X509_STRICT is not applied to chains that the system accepts"
_ROOTS = "in the Root store only what signed itself is an anchor"
_PATHS = "CryptoAPI tries every way to a root"
_LENGTH = "CryptoAPI has one word for what is no CA and for a chain too long below one"

DIFFERS = {
    "trusted-intermediate": Differs(20, "CryptoAPI has one word for a way that ends", 20),
    "trusted-intermediate-partial": Differs(20, _ROOTS, None),
    "trusted-intermediate-sent-partial": Differs(19, _ROOTS, None),
    "trusted-leaf-partial": Differs(20, _ROOTS, None),
    "cross-signed-intermediate-second": Differs(0, _PATHS, 0),
    "cross-signed-among-anchors-without-its-root": Differs(0, _PATHS, 0),
    "expired-intermediate-among-anchors": Differs(0, _PATHS, 0),
    "expired-and-wrong-host": Differs(10, "the system judges before OpenSSL sees the name", 10),
    "path-length-exceeded": Differs(79, _LENGTH, 79),
    "path-length-of-root-exceeded": Differs(79, _LENGTH, 79),
    "strict-not-critical-constraints": Differs(0, _STRICT, 0),
    "strict-not-critical-constraints-in-intermediate": Differs(0, _STRICT, 0),
    "strict-no-authority-id": Differs(0, _STRICT, 0),
    "strict-no-authority-id-in-intermediate": Differs(0, _STRICT, 0),
    "strict-ca-without-usage": Differs(0, _STRICT, 0),
    "strict-root-without-usage": Differs(0, _STRICT, 0),
    # Wine's own.
    "bad-signature-anchor": Differs(7, "Wine looks at a root's signature of itself", None),
    "leaf-that-is-a-ca": Differs(26, "Wine wants a CA's key to sign certificates", None),
    "intermediate-may-not-sign": Differs(26, "Wine counts this as a wrong use", None),
    "strict-no-subject-id-in-root": Differs(20, "Wine finds an issuer by its key id alone", 0),
    "rsa-pss": Differs(7, "Wine does not know RSA-PSS", 0),
    "ed25519": Differs(7, "Wine does not know Ed25519", None),
}

# What is otherwise in compat mode, where OpenSSL has no say: code, and why.
_NO_LIST = "the program's own lists do not count there, and what Windows does not know is refused"
ALONE = {
    "common-name-beside-address": (62, "Windows is told the name, and Wine's counts the address"),
    "revoked-leaf": (3, _NO_LIST),
    "revoked-leaf-of-intermediate": (3, _NO_LIST),
    "not-revoked": (3, _NO_LIST),
    "expired-list": (3, _NO_LIST),
    "revoked-intermediate": (3, _NO_LIST),
    "revoked-intermediate-leaf-checked": (3, _NO_LIST),
    "not-revoked-chain": (3, _NO_LIST),
}
