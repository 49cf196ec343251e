"""Compat mode on Windows and macOS: the platform is asked after the handshake, before any byte.

Beneath a client connection that the platform judges OpenSSL verifies nobody (CERT_NONE), for good;
what the peer is worth is said by a judge, through the guard of its connection. The context itself
verifies, but for the instant in which such a connection is made of it: by what the program loaded,
and by name. So who makes one past our methods (the program gave the context another class, or
called C's own method) gets one of ``ssl``'s, which refuses whom only the system knows. What the
program set is kept beside the context and read back; what it sets by the descriptors of another
class (``ssl.SSLContext.verify_mode.__set__(context, …)``) is not heard.

Of native mode's step 4 the program's own CRLs are missing: nobody can read them from a context. Of
step 2: what the program loads beside the system's trust.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator

from . import _log, _native, _native_platform
from ._agree import Terms, agreed
from ._certificate import Certificate
from ._fed import Settings, state_of
from ._guard import Record, sent_by
from ._typing import Any

_Base: Any = _ssl._SSLContext
_verify_mode, _check_hostname, _options, _verify_flags, _host_flags = (
    vars(_Base)[name]
    for name in ("verify_mode", "check_hostname", "options", "verify_flags", "_host_flags")
)
_NO_RENEGOTIATION = int(ssl.OP_NO_RENEGOTIATION)
_UNSPECIFIED = 1  # X509_V_ERR_*
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


def take(context: Any) -> Settings:
    """Return what a context has, before ``hand_over``."""
    return Settings(int(_verify_mode.__get__(context)), bool(_check_hostname.__get__(context)))


def hand_over(context: Any) -> None:
    """Close a context to whoever does not come by us."""
    _verify_mode.__set__(context, ssl.CERT_REQUIRED)
    _check_hostname.__set__(context, True)


def give_back(context: Any, settings: Settings) -> None:
    """Make OpenSSL verify as the program wants it."""
    _check_hostname.__set__(context, False)
    _verify_mode.__set__(context, settings.verify_mode)
    _check_hostname.__set__(context, settings.check_hostname)


# While a connection is made nobody changes who judges its context, and what is set for it is set
# back; no handshake happens meanwhile. Reentrant, for a finalizer or a signal's handler.
making = threading.RLock()


def _after_fork() -> None:
    global making  # noqa: PLW0603 - another thread of the parent may have held it
    making = threading.RLock()


_native.after_fork(_after_fork)


@contextlib.contextmanager
def opened(context: Any, verify_mode: int) -> Iterator[None]:
    """Give the one connection that is made meanwhile, under ``making``, its mode for good."""
    try:
        _check_hostname.__set__(context, False)
        _verify_mode.__set__(context, verify_mode)
        yield
    finally:
        hand_over(context)


def changed(settings: Settings, name: str, value: Any) -> Settings:
    """Return the settings after the program has set one, by the rules of ``ssl``.

    Raises:
        ValueError: a name cannot be checked of a peer that is not verified.
    """
    if name == "check_hostname":
        mode = settings.verify_mode
        if value and mode == ssl.CERT_NONE:
            mode = int(ssl.CERT_REQUIRED)
        return Settings(mode, value)
    if value == ssl.CERT_NONE and settings.check_hostname:
        raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
    return Settings(int(value), settings.check_hostname)


def forbid_renegotiation(context: Any) -> bool:
    """Let no server show another certificate after the verdict (TLS 1.2); tell if one could."""
    options = int(_options.__get__(context))
    could = not options & _NO_RENEGOTIATION
    if could:
        _options.__set__(context, options | _NO_RENEGOTIATION)
    return could


class _Setting:
    """``verify_mode`` or ``check_hostname``: what the program set, whoever judges."""

    def __init__(self, name: str, convert: Callable[[Any], Any]) -> None:
        self._name = name
        self._convert = convert

    def __get__(self, context: Any, owner: Any = None) -> Any:
        if context is None:
            return self
        state = state_of(context)
        if state is None or state.settings is None:
            return getattr(super(self._owner, context), self._name)
        return self._convert(getattr(state.settings, self._name))

    def __set__(self, context: Any, value: Any) -> None:
        with making:  # or it is lost on one whose judge is just changing
            state = state_of(context)
            if state is None or state.settings is None:
                theirs = getattr(super(self._owner, type(context)), self._name)
                theirs.__set__(context, value)
            else:
                state.settings = changed(state.settings, self._name, self._convert(value))

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner


def own_settings(owner: type) -> None:
    """Give a class the two settings that are kept beside a context of the platform's."""
    for name, convert in (("verify_mode", ssl.VerifyMode), ("check_hostname", bool)):
        setting = _Setting(name, convert)
        setting.__set_name__(owner, name)
        setattr(owner, name, setting)


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
        settings: what the program set.
        policy: of the context.
    """

    decides = True

    def __init__(self, context: Any, host: str | None, settings: Settings, policy: Any) -> None:
        flags = int(_verify_flags.__get__(context))
        self._unasked = settings.verify_mode == int(ssl.CERT_NONE)
        self._host = host if settings.check_hostname else None
        self._check = (
            bool(flags & int(ssl.VERIFY_CRL_CHECK_LEAF)),
            flags & int(ssl.VERIFY_CRL_CHECK_CHAIN) == int(ssl.VERIFY_CRL_CHECK_CHAIN),
        )
        self._policy = policy
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
        address = _is_address(self._host)
        verdict, verified = _native_platform.platform_verify(
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
            raise self._note_refusal(_times_apart(verdict, sent, self._policy.at_time), record)
        chain = self._agreed(verdict, verified, record)
        record.verdict = verdict
        record.keep(True, chain)
        self._judged = sent

    def _agreed(
        self, verdict: _native.Verdict, verified: list[bytes], record: Record
    ) -> list[bytes]:
        """Have OpenSSL look at what the platform accepts."""
        try:
            return agreed(verified, self._host, self._terms)
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
