"""Compat mode on Windows and macOS: a context is open for the instant in which it connects.

Beneath a connection that the platform judges OpenSSL verifies nobody, and what a connection has it
takes from its context when it is made. So the context verifies nobody just then, under a lock, and
at all other times as the program set it: by whatever means that was, for C's own settings are the
only ones. Who makes a connection past our methods (the program gave the context another class, or
called C's own method) gets one of ``ssl``'s, which refuses whom only the system knows; but for
that instant, in another thread or in what interrupts this one, when nobody is asked.

What is set in that instant by C's own descriptors (``_ssl._SSLContext.verify_mode``), which wait
for no lock of ours, counts afterwards where it is stricter than what was set before. One thing
cannot be told: CERT_REQUIRED, set so by another thread where CERT_OPTIONAL is just being put back,
may be lost. To a client both mean the same.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
import threading
from collections.abc import Callable

from . import _native
from ._typing import Any, NamedTuple

_Base: Any = _ssl._SSLContext
_verify_mode, _check_hostname, _options = (
    vars(_Base)[name] for name in ("verify_mode", "check_hostname", "options")
)
_NONE = int(ssl.CERT_NONE)
_NO_RENEGOTIATION = int(ssl.OP_NO_RENEGOTIATION)
_OPENED = "_fasttrust_opened"

# While a connection is made nobody changes who judges its context and what that trusts, and nobody
# reads or sets what is not there for the moment; no handshake happens meanwhile. Reentrant, for a
# finalizer or a signal's handler.
making: Any = threading.RLock()


#: The contexts that are open now.
_open_now: list[Any] = []
#: How often a connection is made anew because something was set meanwhile.
_TRIES = 100


def _after_fork() -> None:
    global making  # noqa: PLW0603 - another thread of the parent may have held it
    making = threading.RLock()
    _close_all()  # that thread is not there to do it


_native.after_fork(_after_fork)


class Settings(NamedTuple):
    """What the program set, in C's own numbers."""

    verify_mode: int
    check_hostname: bool


def _of_c(context: Any) -> Settings:
    return Settings(int(_verify_mode.__get__(context)), bool(_check_hostname.__get__(context)))


def _kept(context: Any) -> Settings | None:
    kept: Settings | None = getattr(context, "__dict__", {}).get(_OPENED)
    return kept


def settings_of(context: Any) -> Settings:
    """Return what the program set, also while the context is open."""
    with making:
        return _kept(context) or _of_c(context)


def _heard(context: Any) -> Settings:
    """Return what counts: what was kept, and what was set past us since then."""
    kept, now = _kept(context), _of_c(context)
    if kept is None:
        return now
    mode = kept.verify_mode if now.verify_mode == _NONE else now.verify_mode
    return Settings(mode, now.check_hostname or kept.check_hostname)


def _open(context: Any, settings: Settings) -> None:
    # Nothing is written that need not be: another thread may be about to write something stricter.
    if settings.check_hostname:
        _check_hostname.__set__(context, False)
    if settings.verify_mode != _NONE:
        # ssl's own rule: not where somebody has just had names checked. Then there is a next time.
        with contextlib.suppress(ValueError):
            _verify_mode.__set__(context, _NONE)


def put_back(context: Any) -> None:
    """Have the context as the program set it, also for who interrupts while it connects."""
    if _kept(context) is None:
        return
    settings = _heard(context)
    if settings.verify_mode != _NONE == _of_c(context).verify_mode:
        _verify_mode.__set__(context, settings.verify_mode)
    if settings.check_hostname:
        _check_hostname.__set__(context, True)


def close(context: Any) -> None:
    """Have the context as the program set it, for good."""
    put_back(context)
    vars(context).pop(_OPENED, None)


def _close_all() -> None:
    for context in _open_now:
        close(context)
    _open_now.clear()


def is_within() -> bool:
    """Tell whether this interrupts, in its own thread, the making of some connection."""
    return bool(making._is_owned())


def unverified(context: Any, make: Callable[[], Any], within: bool) -> tuple[Any, Settings]:
    """Return a connection beneath which OpenSSL verifies nobody, and what the program had set.

    To be called under ``making``.

    Args:
        context: its context.
        make: makes it.
        within: what ``is_within`` said before that.

    Raises:
        ssl.SSLError: somebody goes on changing what it is to be judged by.
    """
    if not within:  # one interrupt after another may have kept some from being closed
        _close_all()
        close(context)
    outermost, depth = _kept(context) is None, len(_open_now)
    try:
        try:
            _open_now.append(context)
            for _ in range(_TRIES):
                forbid_renegotiation(context)
                settings = vars(context)[_OPENED] = _heard(context)
                _open(context, settings)
                inner = make()
                # Not one that is made while somebody else, who waits for no lock or interrupts this
                # very thread, changes what it is to be judged by.
                as_it_was = _kept(context) == settings and _of_c(context) == (_NONE, False)
                if as_it_was and not forbid_renegotiation(context):
                    return inner, settings
            raise ssl.SSLError(
                ssl.SSL_ERROR_SSL,
                "the context's settings are changed while it connects, again and again",
            )
        finally:
            # What this interrupts may be about to forget that the context is open: it is left
            # shut, and opened again there where need be.
            (close if outermost else put_back)(context)
    except BaseException:
        if outermost:  # an interrupt may have come before it could be done, or while it was
            close(context)
        raise
    finally:
        del _open_now[depth:]


def forbid_renegotiation(context: Any) -> bool:
    """Let no server show another certificate after the verdict (TLS 1.2); tell if one could."""
    options = int(_options.__get__(context))
    # BoringSSL and its kin have no such option, for they never renegotiate.
    could = bool(_NO_RENEGOTIATION) and not options & _NO_RENEGOTIATION
    if could:
        _options.__set__(context, options | _NO_RENEGOTIATION)
    return could


class _Setting:
    """``verify_mode`` or ``check_hostname``: as it was set, also while a context is open."""

    def __init__(self, name: str, convert: Callable[[Any], Any]) -> None:
        self._name = name
        self._convert = convert

    def __get__(self, context: Any, owner: Any = None) -> Any:
        if context is None:
            return self
        with making:
            kept = _kept(context)
            if kept is not None:
                return self._convert(getattr(kept, self._name))
            return getattr(super(self._owner, context), self._name)

    def __set__(self, context: Any, value: Any) -> None:
        with making:
            put_back(context)
            getattr(super(self._owner, type(context)), self._name).__set__(context, value)
            if _kept(context) is not None:
                vars(context)[_OPENED] = _of_c(context)

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner


def own_settings(owner: type) -> None:
    """Give a class the two settings that are others while a context is open."""
    for name, convert in (("verify_mode", ssl.VerifyMode), ("check_hostname", bool)):
        setting = _Setting(name, convert)
        setting.__set_name__(owner, name)
        setattr(owner, name, setting)
