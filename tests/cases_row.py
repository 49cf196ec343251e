"""
One row of the table of verdicts, and how a row is run.

Anchors, host and flags are the client's side, `sent` is the server's. What is expected is what
plain `ssl` gives; `test_plain_ssl_gives_the_same_verdict` holds the table to that.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import peer
from pki import HOST, Chain, Issued, pem

NO_FLAGS = ssl.VerifyFlags(0)
PARTIAL = ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
STRICT = ssl.VerifyFlags.VERIFY_X509_STRICT
CRL_LEAF = ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
CRL_CHAIN = ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN

BAD_CERTIFICATE = "SSLV3_ALERT_BAD_CERTIFICATE"
CERTIFICATE_UNKNOWN = "SSLV3_ALERT_CERTIFICATE_UNKNOWN"
DECRYPT_ERROR = "TLSV1_ALERT_DECRYPT_ERROR"
EXPIRED = "SSLV3_ALERT_CERTIFICATE_EXPIRED"
REVOKED = "SSLV3_ALERT_CERTIFICATE_REVOKED"
UNKNOWN_CA = "TLSV1_ALERT_UNKNOWN_CA"
UNSUPPORTED = "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"


@dataclass(frozen=True)
class Case:
    """One peer as one client sees it.

    Accepted rows have `verified`; refused ones have `code`, `depth` and `alert`.
    """

    name: str
    sentence: str
    sent: Chain
    anchors: tuple[Issued, ...]
    code: int = 0  # X509_V_ERR_*; 0 is accepted
    depth: int | None = None  # of the certificate at fault, 0 is the leaf
    alert: str | None = None  # as the server sees it, in TLS 1.2 and 1.3 alike
    verified: tuple[str, ...] = ()  # leaf first, by the labels of pki.py
    server_hostname: str | None = HOST
    flags: ssl.VerifyFlags = NO_FLAGS  # beside VERIFY_X509_TRUSTED_FIRST, which is the default
    crls: tuple[str, ...] = ()
    check_hostname: bool = True
    verify_mode: ssl.VerifyMode = ssl.CERT_REQUIRED
    common_name: bool = True  # hostname_checks_common_name; True is the default of SSLContext
    level: int = 2  # OpenSSL's security level
    since: tuple[int, int] = (0, 0)  # OpenSSL versions that the row is true of: from this one
    until: tuple[int, int] | None = None  # to before this one
    reason: str = ""  # why versions differ

    @property
    def applies(self) -> bool:
        """Whether the row is about the OpenSSL that this Python runs with."""
        version = ssl.OPENSSL_VERSION_INFO[:2]
        return self.since <= version and (self.until is None or version < self.until)


MakeContext = Callable[[Case], ssl.SSLContext]


def make_plain(case: Case) -> ssl.SSLContext:
    """Make the standard library's own context, which trusts the row's anchors and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if case.anchors:
        context.load_verify_locations(cadata=pem(*case.anchors))
    return context


def run(
    case: Case,
    *,
    carrier: str,
    version: ssl.TLSVersion,
    make_context: MakeContext = make_plain,
    implicit: bool = False,
    inspect: peer.Inspect | None = None,
) -> peer.Outcome:
    """Connect a client of the row, made by `make_context` with its anchors, to the row's server."""
    return peer.connect(
        dress(make_context(case), case),
        _server(case.sent, version),
        carrier=carrier,
        server_hostname=case.server_hostname,
        implicit=implicit,
        inspect=inspect,
    )


def dress(context: ssl.SSLContext, case: Case) -> ssl.SSLContext:
    """Give a client context everything of the row but the anchors."""
    context.set_ciphers(f"DEFAULT:@SECLEVEL={case.level}")
    context.check_hostname = case.check_hostname
    context.verify_mode = case.verify_mode
    context.hostname_checks_common_name = case.common_name
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | case.flags
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "crl.pem")
        for crl in case.crls:
            file.write_text(crl, "ascii")
            context.load_verify_locations(cafile=file)
    return context


@cache
def _server(sent: Chain, version: ssl.TLSVersion) -> ssl.SSLContext:
    return peer.server_context(sent, version=version)
