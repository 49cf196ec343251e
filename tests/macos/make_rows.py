"""
Writes what the C tests here read: certificates, and questions with the answers expected of macOS.

    python make_rows.py FOLDER

`root.der` is the one root that the system must trust, `denied.der` the one certificate that it must
not, whoever issued it: the double takes them from its settings, a Mac from its keychain. Each line
of `rows.txt` has five fields with a tab between them: the row's name, the expected X509_V_ERR_*
code, the expected OSStatus, what is asked, and the files that the peer sent. The certificates
follow Apple's rules for servers, except where a row breaks one. Two of these rules do not bind a
root of the keychain's, and so cannot be seen on a Mac; such rows say "apple".
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pki

HOST = f"host={pki.HOST}"
ROOT = pki.root("root")
A = pki.intermediate("A", ROOT)
STRANGER = pki.root("stranger")
LEAF = pki.leaf("leaf", A)
STRANGE_LEAF = pki.leaf("strange leaf", STRANGER)
SELF_SIGNED = pki.leaf("self-signed", None)
NO_CA = pki.intermediate("no CA", ROOT, ca=False)
SHORT = pki.intermediate("short", ROOT, path_length=0)
TOO_DEEP = pki.intermediate("too deep", SHORT)
BOUND = pki.intermediate("bound", ROOT, permitted=("elsewhere.test",))
ADDRESSES = pki.leaf("addresses", A, names=("192.0.2.1", "2001:db8::1"))
FUTURE = pki.leaf("future", A, valid=(1, 30))
EXPIRED_A = pki.intermediate("expired A", ROOT, valid=(-30, -1))
IN_TWO_DAYS = int((pki.NOW + timedelta(days=2)).timestamp())
BROKEN = pki.flip_signature("broken", LEAF)
OTHER = pki.leaf("other", A, names=("other.test",))
DENIED = pki.intermediate("denied", ROOT)


# Leaves of their own: macOS keeps what it learned of one.
GOOD = pki.leaf("good", A)
REVOKED = pki.leaf("revoked", A)


def staple(cert: pki.Issued, status: ocsp.OCSPCertStatus) -> bytes:
    """Return what A says of the certificate."""
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    response = ocsp.OCSPResponseBuilder().add_response(
        cert.certificate,
        A.certificate,
        SHA1(),
        status,
        pki.NOW - timedelta(hours=1),
        pki.NOW + timedelta(days=6),
        pki.NOW - timedelta(days=1) if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None,
    )
    response = response.responder_id(ocsp.OCSPResponderEncoding.HASH, A.certificate)
    return response.sign(A.key, SHA256()).public_bytes(Encoding.DER)


STAPLES = {
    "good.ocsp": staple(GOOD, ocsp.OCSPCertStatus.GOOD),
    "revoked.ocsp": staple(REVOKED, ocsp.OCSPCertStatus.REVOKED),
}


def under(name: str, **changes: Any) -> tuple[pki.Issued, ...]:
    """Return a leaf by A that differs from the good one in these fields, and A."""
    return pki.leaf(name, A, **changes), A


@dataclass(frozen=True)
class Row:
    """One question and the answer that is expected."""

    name: str
    code: int
    native: int
    sent: tuple[pki.Issued, ...]
    asked: str = HOST


ROWS = (
    Row("trusted", 0, 0, (LEAF, A)),
    Row("trusted-with-its-root", 0, 0, (LEAF, A, ROOT)),
    Row("trusted-in-disorder", 0, 0, (LEAF, STRANGER, A)),
    Row("trusted-without-a-name", 0, 0, (LEAF, A), ""),
    Row("trusted-upper-case", 0, 0, (LEAF, A), "host=SERVER.TEST"),
    Row("trusted-wildcard", 0, 0, under("wild", names=("*.server.test",)), "host=a.server.test"),
    Row("trusted-address", 0, 0, (ADDRESSES, A), "address=192.0.2.1"),
    Row("trusted-address-v6", 0, 0, (ADDRESSES, A), "address=2001:db8:0:0:0:0:0:1"),
    Row("trusted-client", 0, 0, (LEAF, A), "client"),
    Row("trusted-offline", 0, 0, (LEAF, A), f"{HOST} offline"),
    Row("trusted-in-two-days", 0, 0, (FUTURE, A), f"{HOST} time={IN_TWO_DAYS}"),
    Row("trusted-soft", 0, 0, (LEAF, A), f"{HOST} soft"),
    Row("trusted-crl-check-own", 0, 0, (LEAF, A), f"{HOST} leaf own"),
    Row("trusted-staple", 0, 0, (GOOD, A), f"{HOST} staple=good.ocsp"),
    Row("trusted-staple-broken", 0, 0, (LEAF, A), f"{HOST} staple=leaf.der"),
    Row("trusted-staple-of-another", 0, 0, (LEAF, A), f"{HOST} staple=revoked.ocsp"),
    Row("revoked-staple", 23, -67820, (REVOKED, A), f"{HOST} staple=revoked.ocsp"),
    Row("denied", 28, -67654, (pki.leaf("of denied", DENIED), DENIED)),
    Row("wrong-name", 62, -67602, (LEAF, A), "host=other.test"),
    Row(
        "wildcard-of-a-part",
        62,
        -67602,
        under("part", names=("s*.server.test",)),
        "host=sa.server.test",
    ),
    Row("wrong-address", 64, -67602, (ADDRESSES, A), "address=192.0.2.2"),
    Row("name-in-common-name-only", 62, -67602, under("server.test", names=("other.test",))),
    Row("expired", 10, -67818, under("expired", valid=(-30, -1))),
    Row("not-yet-valid", 10, -67818, (FUTURE, A)),
    Row("expired-intermediate", 10, -67818, (pki.leaf("of expired A", EXPIRED_A), EXPIRED_A)),
    Row("unknown-root-sent", 19, -67843, (STRANGE_LEAF, STRANGER)),
    Row("unknown-root", 20, -25318, (STRANGE_LEAF,)),
    Row("intermediate-missing", 20, -25318, (LEAF,)),
    Row("unknown-before-known", 20, -25318, (STRANGE_LEAF, LEAF, A)),
    Row("self-signed", 18, -67843, (SELF_SIGNED,)),
    Row("wrong-purpose", 26, -67609, under("client only", purposes=("clientAuth",))),
    Row("no-purpose", 26, -67609, under("no purpose", purposes=None), f"{HOST} apple"),
    Row("client-by-a-server", 26, -67609, under("srv only", purposes=("serverAuth",)), "client"),
    Row("lives-too-long", 28, -67901, under("long", valid=(-1, 830)), f"{HOST} apple"),
    Row("weak-key", 66, -67735, under("weak", algorithm="rsa1024")),
    Row("issuer-is-no-ca", 79, -67605, (pki.leaf("of no CA", NO_CA), NO_CA)),
    Row("path-too-long", 25, -67611, (pki.leaf("deep", TOO_DEEP), TOO_DEEP, SHORT)),
    Row("unknown-critical", 34, -67603, under("critical", unknown_critical=True)),
    Row("name-constraint", 47, -67900, (pki.leaf("of bound", BOUND), BOUND)),
    Row("bad-signature", 7, -67690, (BROKEN, A)),
    Row("revocation-unknown", 3, -67635, (LEAF, A), f"{HOST} hard"),
    Row("revocation-unknown-leaf", 3, -67635, (LEAF, A), f"{HOST} leaf"),
    Row("revocation-unknown-chain", 3, -67635, (LEAF, A), f"{HOST} leaf chain"),
    Row("untrusted-before-name", 19, -67843, (STRANGE_LEAF, STRANGER), "host=other.test"),
    Row("name-before-expired", 62, -67602, under("both", valid=(-30, -1)), "host=other.test"),
)


def main(folder: Path) -> None:
    """Write the table and every certificate of it."""
    issued = [ROOT, LEAF, OTHER, *(each for row in ROWS for each in row.sent)]
    files = {each.der: f"{each.name.replace(' ', '-')}.der" for each in issued}
    assert len(files) == len(set(files.values())), "two certificates of one name"
    for der, name in files.items():
        (folder / name).write_bytes(der)
    for name, response in STAPLES.items():
        (folder / name).write_bytes(response)
    (folder / "rows.txt").write_text(
        "".join(
            "\t".join(
                (
                    row.name,
                    str(row.code),
                    str(row.native),
                    row.asked,
                    " ".join(files[each.der] for each in row.sent),
                )
            )
            + "\n"
            for row in ROWS
        ),
        "ascii",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
