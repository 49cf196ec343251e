"""From a refusal to a sentence that says what can be done about it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

from ._certificate import Certificate, name_text
from ._decode import PeerCert

# X509_V_ERR_*, the same numbers in every OpenSSL.
_NOT_YET_VALID = 9
_EXPIRED = 10
_SELF_SIGNED_LEAF = 18
_SELF_SIGNED_IN_CHAIN = 19
_NAMES = (62, 63, 64)
_UNKNOWN_ISSUER = (2, 20, 21)
_NO_CRL = 3
_CRL_EXPIRED = 12
_REVOKED = 23
_PURPOSE = 26
_REJECTED = 28
_WEAK = (66, 67, 68)
_INVALID_CA = 79 if ssl.OPENSSL_VERSION_INFO >= (3,) else 24  # by the same name in 1.1.1
#: What only VERIFY_X509_STRICT refuses.
_STRICT = range(80, 94)

#: How many of a certificate's names are worth reading.
_MOST_NAMES = 8
#: A name can be as long as its maker likes; a hint is read by people.
_MOST_TEXT = 700


def hint(
    code: int,
    depth: int | None,
    chain: Sequence[Certificate],
    host: str | None,
    at_time: int | None = None,
) -> str:
    """Return what to do about a refusal, "" where there is nothing useful to say.

    Args:
        code: the X509_V_ERR_* of the refusal.
        depth: the certificate at fault, 0 is the leaf.
        chain: what the peer sent.
        host: the name that was asked for, if any.
        at_time: the moment it was judged by, in seconds since 1970; None is now.
    """
    try:
        infos = [certificate.get_info() for certificate in chain]
    except ValueError:
        return "The peer sent a certificate that is malformed, or not in DER."
    if not infos:
        return ""
    say = _SENTENCES.get(code)
    if say is None:
        return _strict() if code in _STRICT else ""
    try:
        if say is _dates:
            return _printable(_dates(infos, depth or 0, host, at_time))
        return _printable(say(infos, depth or 0, host))
    except (ValueError, OverflowError):
        return ""  # dates that are none: nothing may hide the refusal itself


def without_store(code: int, problem: OSError) -> str:
    """Return why nothing of the system is trusted, "" where that is not why a peer was refused."""
    if code not in (*_UNKNOWN_ISSUER, _SELF_SIGNED_LEAF, _SELF_SIGNED_IN_CHAIN):
        return ""
    return f"Nothing of the system's store is trusted: {problem}"


def _printable(text: str) -> str:
    # Names come from the peer: no control character of theirs reaches a terminal.
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."


def _unknown_issuer(infos: list[PeerCert], depth: int, host: str | None) -> str:
    last = infos[_last_linked(infos)]
    issuer = name_text(last["issuer"])
    if len(infos) > 1:
        return (
            f"The chain ends at {issuer!r}, which is not trusted here. If that is a private "
            "authority, such as a company's, add its root to the system's store or load it with "
            "load_verify_locations()."
        )
    where = f" (published at {last['caIssuers'][0]})" if last.get("caIssuers") else ""
    return (
        f"The peer sent its own certificate alone, issued by {issuer!r}, which is not trusted "
        f"here. If that is an intermediate, the peer must send it too{where}; if it is a private "
        "authority, add its root to the system's store or load it with load_verify_locations()."
    )


def _last_linked(infos: list[PeerCert]) -> int:
    """Follow issuers from the leaf through what was sent; the first that nobody sent ends it."""
    place, seen = 0, {0}
    while True:
        for index, info in enumerate(infos):
            if index not in seen and info["subject"] == infos[place]["issuer"]:
                place = index
                seen.add(index)
                break
        else:
            return place


def _self_signed_leaf(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return (
        "The peer's certificate is signed by itself alone. Trust that very certificate with "
        "load_verify_locations(), or give the peer one from an authority."
    )


def _self_signed_in_chain(infos: list[PeerCert], depth: int, host: str | None) -> str:
    root = name_text(infos[_last_linked(infos)]["subject"])
    return (
        f"The chain ends at a root that this machine does not know, {root!r}: a private authority, "
        "or something between you and the peer that opens its connections (a company's proxy, an "
        "antivirus program). If you expect it, have its root added to the system's store."
    )


def _dates(
    infos: list[PeerCert],
    depth: int,
    host: str | None,
    at_time: int | None = None,
) -> str:
    import datetime  # here, for it takes long

    utc = datetime.timezone.utc
    now = datetime.datetime.now(utc)
    clock = "this machine's clock says"
    if at_time is not None:
        now = datetime.datetime.fromtimestamp(at_time, utc)
        clock = "it was to be judged at"
    clock += f" {now:%Y-%m-%d %H:%M} UTC"
    for info in infos:
        begins = ssl.cert_time_to_seconds(info["notBefore"])
        ends = ssl.cert_time_to_seconds(info["notAfter"])
        who = name_text(info["subject"]) or "the leaf"
        if now.timestamp() < begins:
            return f"{who!r} is valid from {info['notBefore']}; {clock}."
        if now.timestamp() > ends:
            return f"{who!r} was valid until {info['notAfter']}; {clock}."
    return f"An anchor is outside its dates; {clock}."


def _wrong_name(infos: list[PeerCert], depth: int, host: str | None) -> str:
    names = [
        value
        for kind, value in infos[0].get("subjectAltName", ())
        if kind in ("DNS", "IP Address") and isinstance(value, str)
    ]
    if not names:
        subject = name_text(infos[0]["subject"])
        return (
            f"The certificate of {subject!r} has no subjectAltName, where a server's names belong "
            f"(RFC 9525, section 6.3); {host!r} was asked for."
        )
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"The certificate is for {', '.join(names[:_MOST_NAMES])}{more}; {host!r} was asked for."


def _no_crl(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return (
        "verify_flags ask for a CRL check, and no CRL of this issuer was loaded: load it with "
        "load_verify_locations()."
    )


def _crl_expired(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return "The CRL that was loaded is out of date: load a new one."


def _revoked(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return "The issuer has revoked this certificate: the peer needs a new one."


def _purpose(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return (
        "The certificate is not meant for this side of a TLS connection (extendedKeyUsage, RFC "
        "5280, section 4.2.1.12): a server needs serverAuth, a client clientAuth."
    )


def _rejected(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return "The certificate, or one of its issuers, is on a list of certificates never to trust."


def _weak(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return (
        "A key or a signature of the chain is too weak for this system's OpenSSL security level: "
        "the certificate has to be issued again."
    )


def _invalid_ca(infos: list[PeerCert], depth: int, host: str | None) -> str:
    return "A certificate of the chain issued another one without being a certificate authority."


def _strict() -> str:
    return (
        "Python 3.13 and later verify strictly (RFC 5280), which many a company's root does not "
        "pass. To relax it: context.verify_flags &= ~ssl.VERIFY_X509_STRICT"
    )


_SENTENCES: dict[int, Callable[[list[PeerCert], int, str | None], str]] = {
    **dict.fromkeys(_UNKNOWN_ISSUER, _unknown_issuer),
    **dict.fromkeys(_NAMES, _wrong_name),
    **dict.fromkeys(_WEAK, _weak),
    _SELF_SIGNED_LEAF: _self_signed_leaf,
    _SELF_SIGNED_IN_CHAIN: _self_signed_in_chain,
    _NOT_YET_VALID: _dates,
    _EXPIRED: _dates,
    _NO_CRL: _no_crl,
    _CRL_EXPIRED: _crl_expired,
    _REVOKED: _revoked,
    _PURPOSE: _purpose,
    _REJECTED: _rejected,
    _INVALID_CA: _invalid_ca,
}
