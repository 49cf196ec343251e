"""
Inputs for the readers of PEM and DER: three small certificates, and what fuzzing has taught.

The certificates are fixed, so that the same mutations give the same bytes in every run.
"""

from __future__ import annotations

import base64
import textwrap


def _der(*lines: str) -> bytes:
    return base64.b64decode("".join(lines))


# Self-signed with Ed25519; TWO has a subject of two attributes, one of them a BMPString, and LEAF
# is no CA.
ONE = _der(
    "MIHfMIGSoAMCAQICAQcwBQYDK2VwMA4xDDAKBgNVBAMMA09uZTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MDEw"
    "MTAwMDAwMFowDjEMMAoGA1UEAwwDT25lMCowBQYDK2VwAyEAO2pvWPjRIMhe2qVjHlaLURuHhJYMfYNy89Vx"
    "78vfUPSjEzARMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EAaY1Rt4aUdbQ2axv2Gxqi0UiqNfrfp/s9rPaU"
    "mT31PEEpwwZm56nEB5XiHjofgSXvij4mESloZlkS4ldbM7ZsDw=="
)
TWO = _der(
    "MIIBGTCBzKADAgECAgEHMAUGAytlcDArMRQwEgYDVQQKEwtUd28gIG9mIFR3bzETMBEGA1UEAx4KAFoAdwD2"
    "AGwAZjAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MDEwMTAwMDAwMFowKzEUMBIGA1UEChMLVHdvICBvZiBUd28x"
    "EzARBgNVBAMeCgBaAHcA9gBsAGYwKjAFBgMrZXADIQDybjBWj+le30swQKqYyAOyPqv66NKJJz91ITFA3/B2"
    "QqMTMBEwDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQBQjsST374szJVwEW7LRXaycnmf3lXaPhZIQUAUWGbN"
    "SwfKBAHkN6uRo48AhipHrqFVOfWUCesOrfDOQDk7kc8I"
)
LEAF = _der(
    "MIHeMIGRoAMCAQICAQcwBQYDK2VwMA8xDTALBgNVBAMMBGxlYWYwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTAx"
    "MDEwMDAwMDBaMA8xDTALBgNVBAMMBGxlYWYwKjAFBgMrZXADIQDECEoNoWcRhf8EL75sbnm/JaoFcQNiWA0H"
    "zuP7bG5RIaMQMA4wDAYDVR0TAQH/BAIwADAFBgMrZXADQQDoEWtrKjJd8W28qZELsa9GHjb0v4+R8Q/v1wyk"
    "oDYrHzPwBHlAk/j7QJ9p/WAP7KlOlk0sPQbIpMfpnaj90XEJ"
)


def block(
    der: bytes, label: str = "CERTIFICATE", *, width: int = 64, end: str = "\n", headers: str = ""
) -> bytes:
    """Return a block of PEM."""
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), width)
    text = [f"-----BEGIN {label}-----", *headers.splitlines(), *lines, f"-----END {label}-----", ""]
    return end.join(text).encode("ascii")


BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
GOOD = block(ONE)
BODY = GOOD[len(BEGIN) : -len(END)]
# A CRL of nothing, by nobody; a loader has to look at it to see that.
EMPTY = b"\x30\x00"

#: What a text is put together from.
PIECES = (
    GOOD,
    block(TWO),
    block(LEAF),
    block(ONE, end="\r\n"),
    block(TWO, width=76),
    block(TWO, width=77),
    block(TWO, width=60),
    block(TWO, width=1024),
    block(TWO, width=63),
    block(ONE, "X509 CERTIFICATE"),
    block(TWO, "TRUSTED CERTIFICATE"),
    block(EMPTY, "X509 CRL"),
    block(EMPTY, "PRIVATE KEY"),
    block(ONE, headers="Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"),
    block(ONE, headers="Comment: x\n\n"),
    block(ONE, headers="\n"),
    block(ONE + b"\0"),
    block(ONE + TWO),
    block(ONE[:-1]),
    block(b""),
    BEGIN,
    END,
    BODY,
    b"# Subject: CN = One\n",
    b"\n",
    b"\r\n",
    b" \t\n",
    b"text without an end of line",
    b"-----\n",
    b"-----BEGIN",
    b"-----BEGIN CERTIFICATE----- \n",
    b" -----BEGIN CERTIFICATE-----\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\0",
    b"\x1a",
    b"\x0b",
    b"=",
    b"====\n",
    b"x" * 300 + b"\n",
)

#: Texts that readers have been known to disagree on; every one that fuzzing finds is added here.
TEXTS = {
    "nothing": b"",
    "one": GOOD,
    "twice": GOOD + GOOD,
    "both names": block(ONE, "X509 CERTIFICATE") + block(TWO),
    "no end of line": (GOOD + block(TWO)).rstrip(),
    "text between": b"One\n" + GOOD + b"\nTwo\n====\n" + block(TWO) + b"trailer",
    "carriage returns": block(ONE, end="\r\n") + block(TWO, end="\r\n"),
    "old Macintosh": block(ONE, end="\r") + block(TWO, end="\r"),
    "two carriage returns": block(ONE, end="\r\r\n"),
    "mark of byte order": b"\xef\xbb\xbf" + GOOD,
    "mark of byte order, then text": b"\xef\xbb\xbf# One\n" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "no END": BEGIN + BODY,
    "no END, then another": BEGIN + BODY + block(TWO),
    "no BEGIN": BODY + END + block(TWO),
    "END of another": GOOD.replace(b"END CERTIFICATE", b"END X509 CERTIFICATE"),
    "a block in a block": BEGIN + GOOD + END,
    "empty block": BEGIN + END,
    "empty block, then another": BEGIN + END + GOOD,
    "cut off in base64": GOOD + block(TWO)[:-70],
    "cut off in END": GOOD + block(TWO)[:-7],
    "noise in base64": GOOD + block(TWO).replace(b"A", b"*", 1),
    "blank in base64": BEGIN + b" " + BODY + END,
    "blank behind base64": BEGIN + BODY.replace(b"\n", b" \n") + END,
    "blank line in base64": BEGIN + BODY.replace(b"\n", b"\n\n", 1) + END,
    "padding too early": BEGIN + b"AA==\n" + BODY + END,
    "bits behind the end": GOOD.replace(b"==", b"x=", 1),
    "header": block(ONE, headers="Comment: x\n\n"),
    "encrypted": block(ONE, headers="Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"),
    "NUL in text": b"a\0b\n" + GOOD,
    "NUL in base64": BEGIN + b"\0" + BODY + END,
    "NUL behind BEGIN": GOOD.replace(b"-----\n", b"-----\0\n", 1),
    "blank behind BEGIN": GOOD.replace(b"-----\n", b"----- \n", 1),
    "blank before BEGIN": b" " + GOOD,
    "text before BEGIN": b"x" + GOOD,
    "text behind BEGIN": GOOD.replace(b"-----\n", b"-----x\n", 1),
    "BEGIN in small letters": GOOD.lower(),
    "longer than a line of OpenSSL": b"x" * 254 + GOOD + b"x" * 255 + GOOD + b"x" * 256 + GOOD,
    "BEGIN where OpenSSL cuts a line": b"x" * 253 + GOOD,
    "a megabyte in a line": b"x" * (1 << 20) + b"\n" + GOOD,
    "base64 in one line": block(ONE, width=10_000),
    "something behind the DER": block(ONE + b"\0") + block(TWO),
    "two certificates in a block": block(ONE + TWO),
    "trusted": block(TWO, "TRUSTED CERTIFICATE") + GOOD,
    "CRL of nothing": block(EMPTY, "X509 CRL") + GOOD,
    "key": GOOD + block(EMPTY, "PRIVATE KEY"),
    "certificate request": GOOD + block(EMPTY, "CERTIFICATE REQUEST"),
    "unknown label": GOOD + block(EMPTY, "WHATEVER"),
    "no certificate's frame": GOOD + block(EMPTY),
    "PKCS 7": block(EMPTY, "PKCS7"),
    "end of file of CP/M": GOOD + b"\x1a" + block(TWO),
}


def _longer(der: bytes, at: int) -> bytes:
    """Write the length at a place of the DER in a longer form than is needed."""
    size = der[at] & 0x7F
    return (
        der[:at] + bytes([der[at] + 1]) + b"\0" + der[at + 1 : at + 1 + size] + der[at + 1 + size :]
    )


#: The same for DER.
DERS = {
    "nothing": b"",
    "one": ONE,
    "all": ONE + TWO + LEAF,
    "twice": ONE + ONE,
    "something behind": ONE + b"\0",
    "zeros behind": ONE + bytes(16),
    "end of contents behind": ONE + b"\0\0" + TWO,
    "cut off": ONE[:-1],
    "second cut off": ONE + TWO[:-1],
    "empty sequence": EMPTY,
    "empty sequence behind": ONE + EMPTY,
    "length not minimal": _longer(ONE, 1),
    "length not minimal inside": _longer(TWO, 5),
    "indefinite length": b"\x30\x80" + TWO[4:] + b"\0\0",
    "length of nine bytes": b"\x30\x89" + bytes(8) + b"\x01" + ONE,
    "length of all bits": b"\x30\x84\xff\xff\xff\xff" + ONE,
    "length of no bytes": b"\x30\xff" + ONE,
    "another version": ONE.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),
    "no curve": ONE.replace(b"\x2b\x65\x70", b"\x2b\x65\x7f"),
    "extension that is no sequence": TWO.replace(b"\x04\x05\x30", b"\x04\x05\x00"),
    "the same twice": TWO + TWO.replace(b"\x04\x05\x30", b"\x04\x05\x00"),
    "date of no month": ONE.replace(b"200101", b"201301"),
    "string of another type": ONE.replace(b"\x0c\x03One", b"\x04\x03One"),
    "string that is not UTF-8": ONE.replace(b"\x0c\x03One", b"\x0c\x03\xff\xfe\xfd"),
    "string of strings": ONE.replace(b"\x0c\x03One", b"\x2c\x03\x0c\x01O"),
    "half a character": TWO.replace(b"\x1e\x0a", b"\x1e\x09"),
    "a set of sets": ONE.replace(b"\x31\x0c\x30\x0a", b"\x31\x0c\x31\x0a"),
    "PEM": GOOD,
}
