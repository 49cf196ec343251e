"""Compat mode on Windows and macOS: the platform is asked after the handshake, before any byte.

Beneath a client connection that the platform judges OpenSSL verifies nobody (CERT_NONE), for good;
what the peer is worth is said by a judge, through the guard of its connection. How such a
connection comes to be: ``_bare``.

The program's own anchors count before that, as in native mode (step 2), where it is known what they
are: certificates that were given to us, or loaded into a context of ours. Not what ``ssl`` itself
loaded: CRLs and directories, which nobody can read from a context, and whatever was there before
the context was attached, which may be the system's. So CRLs are missing from step 4 too.
"""

from __future__ import annotations

import _ssl
import ssl
import time

from . import _log, _native, _native_platform
from ._agree import Terms, agreed, verified
from ._certificate import Certificate
from ._fed import state_of
from ._guard import Record, sent_by
from ._standard import Asked
from ._typing import Any

_Base: Any = _ssl._SSLContext
_verify_flags, _host_flags = (vars(_Base)[name] for name in ("verify_flags", "_host_flags"))
_UNSPECIFIED = 1  # X509_V_ERR_*
_NOBODY_KNOWN = (2, 18, 19, 20, 21)  # issued this: somebody else may know better
_NOT_YET_VALID = 9
_EXPIRED = 10
_INVALID_CA_1_1_1, _INVALID_CA = 24, 79
_HOSTNAME_MISMATCH = 62
_IP_ADDRESS_MISMATCH = 64
_OF_THE_LEAF = (62, 64, 66)  # whose depth is known: ssl tells none

# OpenSSL's words for what the platforms say; it cannot be asked for them here.
_WORDS = {
    7: "certificate signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    23: "certificate revoked",
    26: "unsuitable certificate purpose",
    28: "certificate rejected",
    50: "application verification failure",
}


def load_cert_chain(self: Any, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
    """Load a certificate of ours and its key, as ``ssl`` does.

    On a socket it leaves before the platform has judged the server: that is said, once.
    """
    _Base.load_cert_chain(self, certfile, keyfile, password)
    state = state_of(self)
    if state is not None:
        state.shows = True


_told: set[str] = set()


def tell_shown() -> None:
    """Say, once in a process, that servers see a client's certificate before the verdict."""
    if not _told:
        _told.add("shown")
        _log.warning(
            "in compat mode a client certificate leaves, on a socket, before the server is judged; "
            "over memory BIOs (asyncio) it waits"
        )


class OfPlatform:
    """The judge of one client connection.

    Args:
        context: its context, for the flags and the like.
        host: the name that was asked for, if any.
        asked: what the program had set when it was made.
        held: what the context trusts, and its policy.
    """

    decides = True

    def __init__(
        self,
        context: Any,
        host: str | None,
        asked: Asked,
        held: Any,
    ) -> None:
        flags = int(_verify_flags.__get__(context))
        self._unasked = asked.verify_mode == int(ssl.CERT_NONE)
        self._host = host if asked.check_hostname else None
        self._check = (
            bool(flags & int(ssl.VERIFY_CRL_CHECK_LEAF)),
            flags & int(ssl.VERIFY_CRL_CHECK_CHAIN) == int(ssl.VERIFY_CRL_CHECK_CHAIN),
        )
        self._held = held
        self._policy = policy = held.policy
        level = getattr(context, "security_level", None)
        self._terms = Terms(level, flags, _host_flags.__get__(context), policy.at_time is not None)
        self._sent: list[bytes] = []
        self._judged: list[bytes] = []

    def moved(self, context: Any) -> None:
        """Refuse: another context's trust would not count."""
        raise ValueError("in compat mode a client connection keeps its context")

    def look(self, inner: Any, record: Record) -> None:
        """Ask the platform, unless it has judged these certificates already."""
        sent = self._sent = [one.public_bytes(2) for one in sent_by(inner)]
        if self._judged and sent == self._judged:
            return
        record.chains.clear()
        record.keep(False, sent)
        if self._unasked:
            record.verdict = _native.Verdict(_native.STEP_UNASKED, 0, None, None, None)
            return
        if not sent:
            raise self._note_refusal(
                _native.Verdict(_native.STEP_NONE, _UNSPECIFIED, None, None, None), record
            )
        own = self._of_own_anchors(sent, record)
        if record.verdict.step == _native.STEP_OPENSSL and own is None:
            self._judged = sent
            return
        address = _is_address(self._host)
        verdict, chain = _native_platform.platform_verify(
            sent,
            self._host,
            host_is_address=address,
            check=self._check,
            at_time=self._policy.at_time,
            policy=(self._policy.revocation, self._policy.network, self._policy.timeout),
        )
        if verdict.code != 0:
            if verdict.code == _INVALID_CA and ssl.OPENSSL_VERSION_INFO < (3,):
                verdict = verdict._replace(code=_INVALID_CA_1_1_1)
            if address and verdict.code == _HOSTNAME_MISMATCH:
                verdict = verdict._replace(code=_IP_ADDRESS_MISMATCH)
            if own is not None and verdict.code in _NOBODY_KNOWN:
                raise own
            raise self._note_refusal(_times_apart(verdict, sent, self._policy.at_time), record)
        chain = self._agreed(verdict, chain, record)
        record.verdict = verdict
        record.keep(True, chain)
        self._judged = sent

    def _of_own_anchors(
        self, sent: list[bytes], record: Record
    ) -> ssl.SSLCertVerificationError | None:
        """Have OpenSSL look for one of the program's anchors; return why it knows none."""
        if self._policy.at_time is not None:
            return None  # OpenSSL has no other now to judge them by
        # Those of now: more may have been loaded since the connection was made.
        anchors = [der for index in self._held.indexes for der in index.certificates()]
        if not anchors:
            return None
        verdict = _native.Verdict(_native.STEP_OPENSSL, 0, None, None, None)
        try:
            chain = verified(sent, anchors, self._host, self._terms)
        except (ssl.SSLError, ValueError) as error:
            verdict = verdict._replace(code=getattr(error, "verify_code", _UNSPECIFIED))
            refusal = self._note_refusal(verdict, record, getattr(error, "verify_message", ""))
            # Where OpenSSL came to no verdict it will come to none on the system's chain either.
            said = isinstance(error, ssl.SSLCertVerificationError)
            if said and verdict.code not in _NOBODY_KNOWN:
                raise refusal from error
            return refusal
        record.verdict = verdict
        record.keep(True, chain)
        return None

    def _agreed(self, verdict: _native.Verdict, chain: list[bytes], record: Record) -> list[bytes]:
        """Have OpenSSL look at what the platform accepts."""
        try:
            return agreed(chain, self._host, self._terms)
        except (ssl.SSLError, ValueError) as error:
            code = getattr(error, "verify_code", _UNSPECIFIED)
            depth = 0 if code in _OF_THE_LEAF else None
            verdict = verdict._replace(step=_native.STEP_AGREE, code=code, depth=depth)
            text = getattr(error, "verify_message", str(error))
            raise self._note_refusal(verdict, record, text) from error

    def _note_refusal(
        self, verdict: _native.Verdict, record: Record, text: str = ""
    ) -> ssl.SSLCertVerificationError:
        record.verdict = verdict
        return _refusal(verdict, self._host, text)

    def refused(self, error: ssl.SSLError, inner: Any, record: Record) -> None:
        """Do nothing: OpenSSL verifies nobody here."""

    def getpeercert(self, inner: Any, binary_form: bool) -> Any:
        """Return what ``ssl`` would: what nobody verified is ``{}``.

        Of what was judged: another thread that reads may be exchanging the connection's own.
        """
        if not self._sent:
            return None
        der = self._sent[0]
        if binary_form:
            return der
        return {} if self._unasked else Certificate(der).get_info()


def _is_address(host: str | None) -> bool:
    import ipaddress  # here, for it takes long

    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return True


def _times_apart(
    verdict: _native.Verdict, sent: list[bytes], at_time: int | None
) -> _native.Verdict:
    """Tell "expired" and "not yet valid" apart, for which the platforms have one word."""
    if verdict.code not in (_NOT_YET_VALID, _EXPIRED):
        return verdict
    now = time.time() if at_time is None else at_time
    for depth, der in enumerate(sent):
        try:
            info: Any = Certificate(der).get_info()
            begins, ends = (ssl.cert_time_to_seconds(info[name]) for name in _DATES)
        except ValueError:
            continue
        if now < begins or now > ends:
            code = _NOT_YET_VALID if now < begins else _EXPIRED
            return verdict._replace(code=code, depth=depth)
    return verdict


_DATES = ("notBefore", "notAfter")


def _refusal(verdict: _native.Verdict, host: str | None, text: str) -> ssl.SSLCertVerificationError:
    """Return what ``ssl`` would raise in a handshake; the text is OpenSSL's, if it had a word."""
    if verdict.step == _native.STEP_NONE:
        text = "the server showed no certificate"
    elif text:
        pass  # OpenSSL's own
    elif verdict.code == _HOSTNAME_MISMATCH:
        text = f"Hostname mismatch, certificate is not valid for '{host}'."
    elif verdict.code == _IP_ADDRESS_MISMATCH:
        text = f"IP address mismatch, certificate is not valid for '{host}'."
    else:
        text = _WORDS.get(verdict.code) or verdict.native_message or "unspecified certificate error"
    refusal = ssl.SSLCertVerificationError(
        int(ssl.SSL_ERROR_SSL),
        f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {text}",
    )
    refusal.library, refusal.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    refusal.verify_code, refusal.verify_message = verdict.code, text
    return refusal
