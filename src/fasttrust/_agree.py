"""Steps 2 and 4 where OpenSSL's functions cannot be reached: it is shown a chain in a handshake.

A client of ``ssl``'s own is handed, over memory, how a handshake of TLS 1.2 begins: a server's
hello, and the chain as its certificates. OpenSSL verifies a chain as soon as it has come, before
the server proves that it holds the key, which the real handshake has seen: its word is all that is
wanted, and nothing else ever comes. So signatures below the anchor are looked at a second time, and
names, purposes, the security level and CPython's list of certificates never to trust count.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
from collections.abc import Sequence

from ._typing import Any, NamedTuple

_TLS_1_2 = 0x0303
_RECORD = 1 << 14
# The suites of TLS 1.2 for the two kinds of keys (RFC 5289), and the extension without which
# OpenSSL 3 talks to no server: safe renegotiation (RFC 5746), the first time.
_SUITES = {
    False: ("ECDHE-ECDSA-AES256-GCM-SHA384", b"\xc0\x2c"),
    True: ("ECDHE-RSA-AES256-GCM-SHA384", b"\xc0\x30"),
}
_EXTENSIONS = b"\x00\x05\xff\x01\x00\x01\x00"

_OF_THE_KEY = ("WRONG_CERTIFICATE_TYPE", "UNKNOWN_CERTIFICATE_TYPE")

_NO_TLS_1_2 = int(ssl.OP_NO_TLSv1_2)
_CRLS = int(ssl.VERIFY_CRL_CHECK_CHAIN)
_STRICT = int(ssl.VERIFY_X509_STRICT)
_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_*
_NO_CHECK_TIME = 0x200000


class _Client(_ssl._SSLContext):
    """Of the class in C: injection is not asked. On PyPy that works only in one below it."""


class Terms(NamedTuple):
    """What OpenSSL is to go by, of the program's context.

    Attributes:
        level: the security level; None where it cannot be told (PyPy): OpenSSL's own.
        flags: ``verify_flags``.
        host_flags: how names are looked for.
        timeless: whether the dates are for the system alone to judge: ``ssl`` has no other now.
    """

    level: int | None
    flags: int
    host_flags: int
    timeless: bool


def agreed(chain: Sequence[bytes], host: str | None, terms: Terms) -> list[bytes]:
    """Return the chain that OpenSSL verifies of the one that the platform trusts.

    Args:
        chain: leaf first, anchor last, in DER; the anchor alone is trusted.
        host: a name or an address; None where none is to be checked.
        terms: what counts.

    Raises:
        ssl.SSLCertVerificationError: OpenSSL refuses it.
        ssl.SSLError, ValueError: it did not come to a verdict.
    """
    # Lists and strictness are not for chains that a system accepts.
    flags = terms.flags & ~(_CRLS | _STRICT) | _PARTIAL_CHAIN
    found = verified(chain[:-1] or chain, chain[-1:], host, terms._replace(flags=flags))
    if found[-1] != chain[-1]:
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, "OpenSSL came to no verdict on the chain")
    return found


def verified(
    sent: Sequence[bytes], anchors: Sequence[bytes], host: str | None, terms: Terms
) -> list[bytes]:
    """Return the chain that OpenSSL finds from what was sent to one of the anchors, all in DER.

    Raises:
        ssl.SSLCertVerificationError: OpenSSL refuses it.
        ssl.SSLError, ValueError: it did not come to a verdict.
    """
    suite, number = _SUITES[_has_rsa_key(sent[0])]
    context = _context(suite, host, terms)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context._wrap_bio(incoming, outgoing, False, host)
    # Only now: PyPy leaves a refusal in OpenSSL's queue of errors until somebody connects again,
    # and takes it for one of loading.
    try:
        context.load_verify_locations(None, None, b"".join(anchors))
    except ssl.SSLError:
        if len(anchors) == 1:
            raise
        for der in anchors:  # one that is broken is as good as absent
            with contextlib.suppress(ssl.SSLError):
                context.load_verify_locations(None, None, der)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    incoming.write(_flight(number, sent))
    try:
        client.do_handshake()
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        # It waits for what the server does with its key: there is none to come. Or TLS 1.2 knows no
        # such key (ML-DSA), which OpenSSL says after it has verified the chain.
        if not isinstance(error, ssl.SSLWantReadError) and error.reason not in _OF_THE_KEY:
            raise
    found = [one.public_bytes(_ssl.ENCODING_DER) for one in client.get_verified_chain() or ()]
    if found[:1] != [*sent[:1]]:
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, "OpenSSL came to no verdict on the chain")
    return found


def _context(suite: str, host: str | None, terms: Terms) -> Any:
    context: Any = _Client(int(ssl.PROTOCOL_TLS_CLIENT))
    context.minimum_version = context.maximum_version = _TLS_1_2
    context.options &= ~_NO_TLS_1_2  # the machine's configuration may say so of real connections
    same = terms.level is None or terms.level == context.security_level
    context.set_ciphers(suite if same else f"{suite}:@SECLEVEL={terms.level}")
    context.verify_mode = int(ssl.CERT_REQUIRED)
    context.check_hostname = host is not None
    context._host_flags = terms.host_flags
    context.verify_flags = terms.flags | (_NO_CHECK_TIME if terms.timeless else 0)
    return context


def _has_rsa_key(der: bytes) -> bool:
    from ._decode import spki  # here, for it takes long
    from ._decode_key import describe_key

    with contextlib.suppress(ValueError):  # which OpenSSL will refuse
        return describe_key(spki(der)).startswith("RSA")
    return False


def _flight(suite: bytes, certificates: Sequence[bytes]) -> bytes:
    """Return the records with a server's hello and its certificates (RFC 5246, section 7.4)."""
    hello = _TLS_1_2.to_bytes(2, "big") + bytes(32) + b"\x00" + suite + b"\x00" + _EXTENSIONS
    listed = _sized(b"".join(map(_sized, certificates)))
    content = b"\x02" + _sized(hello) + b"\x0b" + _sized(listed)
    parts = [content[at : at + _RECORD] for at in range(0, len(content), _RECORD)]
    return b"".join(b"\x16\x03\x03" + len(part).to_bytes(2, "big") + part for part in parts)


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + content
