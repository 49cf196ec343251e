"""Injection: ``ssl.SSLContext`` itself makes contexts with our verifier, for the whole process.

The name is never rebound: members are set on the existing class object, which everybody refers to,
whenever and from wherever they imported it. Two rules keep threads from ever seeing a half:

- Every member does what it did before, except where the settings below say that we are injected;
  those are one value, published last and taken back first.
- A context that gets our verifier gets a class of its own (``_context``) while it is made, and so
  needs none of these members: they serve contexts made before, and who calls a method of
  ``ssl.SSLContext`` by that name. Nothing has to be done for it when we leave.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

from . import _bundles, _context, _log, _native
from ._connection import watched_class
from ._door import changing, door
from ._mode import compat_reason
from ._native import HOLDER
from ._standard import Standard as _Standard
from ._trust import TrustStore
from ._typing import Any, NamedTuple
from ._verified import Held, Verified

_METHODS = (
    "load_verify_locations",
    "load_default_certs",
    "set_default_verify_paths",
    "get_ca_certs",
    "cert_store_stats",
    # Where a platform decides, and ``ssl`` has them.
    "_set_alpn_protocols",
    "set_ecdh_curve",
    "set_groups",
    "set_psk_client_callback",
)
_WRAPPERS = ("_wrap_socket", "_wrap_bio")
_CLASSES = ("sslsocket_class", "sslobject_class")
# Nothing stood there: a value that is one and the same after a reload, too.
_MISSING = ...


class _Settings(NamedTuple):
    trust: TrustStore | None
    bundles: bool


# Both outlive importlib.reload of this module, as what stands in the class does.
# None while we are not injected. Read once by every call.
_settings: _Settings | None = globals().get("_settings")
# Our members, and what stood in the class's dictionary in their place.
_placed: dict[str, tuple[object, object]] = globals().get("_placed", {})
# Reentrant, for a signal's handler may inject or extract too.
_changing = threading.RLock()


def _after_fork() -> None:
    # Another thread of the parent may have held it, and is not there to let it go.
    global _changing  # noqa: PLW0603
    _changing = threading.RLock()


_native.after_fork(_after_fork)
_log.silent_under(lambda: _changing)


class Injection:
    """What ``inject_into_ssl()`` did: as a context manager it restores what was before."""

    def __init__(self, before: _Settings | None) -> None:
        self._before = before

    def __enter__(self) -> None:
        """Go on injected."""

    def __exit__(self, *_: object) -> None:
        """Restore the settings from before the injection, or the class where there were none."""
        _change(self._before)


def inject_into_ssl(*, trust: TrustStore | None = None, bundles: bool = True) -> Injection:
    """Make every ``ssl.SSLContext`` of this process verify by our callback from now on.

    What a context trusts stays ``ssl``'s own rule: what is loaded into it, on both sides of a
    connection. Default certificates (``load_default_certs()``, ``create_default_context()``) mean
    the system's store, and so does a public bundle such as certifi's. Contexts made before keep
    what they have, except that one which holds a public bundle is taken over at its next
    connection. A second call replaces the settings of the first.

    Args:
        trust: what every context trusts from the start, and what default certificates mean, in
            place of the system; on servers it verifies clients too. A public bundle then adds
            nothing. ``TrustStore.system()`` is the rule of truststore.
        bundles: False takes public bundles at their word.

    Returns:
        A context manager that restores what was before; it need not be used as one.

    Raises:
        RuntimeError: another copy of the package is injected.
    """
    settings = _Settings(_context.checked(trust), bundles)
    compat_reason()  # decides the mode, which is the process's for good
    with _changing:
        before = _settings
        _change(settings)
    _log.catch_up()
    return Injection(before)


def extract_from_ssl() -> None:
    """Restore ``ssl.SSLContext`` exactly, however often it was injected into.

    Contexts made meanwhile keep our verifier. Without an injection this does nothing. A member that
    somebody else has put over ours since then stays, and goes on to do what it did before ours.
    """
    _change(None)


def _change(settings: _Settings | None) -> None:
    global _settings  # noqa: PLW0603
    with _changing:
        if settings is not None:
            _place()
            _settings = settings
        else:
            _settings = None
            _restore()
    _log.catch_up()


def _place() -> None:
    if _placed:
        return
    other = getattr(_Standard.__new__, "_fasttrust_holder", HOLDER)
    if other != HOLDER:
        raise RuntimeError(f"another copy of fasttrust is injected into ssl: {other}")
    members: dict[str, Any] = {"__new__": staticmethod(_constructor(_Standard.__new__))}
    ours = [name for name in _METHODS if name in vars(Verified)]
    members |= {name: _method(name, getattr(_Standard, name)) for name in ours}
    members |= {name: _wrapper(name, getattr(_Standard, name)) for name in _WRAPPERS}
    members |= {name: watched_class(getattr(_Standard, name)) for name in _CLASSES}
    for name, member in members.items():
        _placed[name] = member, vars(_Standard).get(name, _MISSING)
        setattr(_Standard, name, member)


def _restore() -> None:
    for name, (member, before) in _placed.items():
        if vars(_Standard).get(name) is not member:
            _log.warning("ssl.SSLContext.%s was replaced since the injection and stays", name)
        elif before is _MISSING:
            delattr(_Standard, name)
        else:
            setattr(_Standard, name, before)
    _placed.clear()


def _constructor(before: Callable[..., Any]) -> Callable[..., Any]:
    aside = threading.local()

    @functools.wraps(before)
    def new(cls: type, protocol: int | None = None, *args: Any, **kwargs: Any) -> Any:
        context = before(cls, protocol, *args, **kwargs)
        settings = _settings
        if settings is None or getattr(aside, "on", False):
            return context
        if not _is_settled(cls, context):
            _give_verifier(context, settings)
        return context

    # For other copies: who is here, and how a thread of theirs makes a context that is not ours.
    new._fasttrust_holder = HOLDER  # type: ignore[attr-defined]
    new._fasttrust_aside = aside  # type: ignore[attr-defined]
    return new


def _is_settled(cls: type, context: Any) -> bool:
    """Tell whether a new context is one of ours, which knows its trust, or of another copy."""
    if "_fasttrust_held" in vars(context):
        return True
    holder = getattr(cls, "_fasttrust_holder", None)
    return holder is not None and (holder != HOLDER or issubclass(cls, _context.SSLContext))


def _give_verifier(context: Any, settings: _Settings) -> None:
    own = type(context)
    state = vars(context).copy()
    try:
        _context.install_new(
            context,
            settings.trust,
            bundles=settings.bundles,
            derived=_context._verified_class(own),
        )
    except (AttributeError, TypeError) as error:
        # Its class allows no other below it, or is truststore's, which connects by an inner one.
        _log.info("a context of %r keeps ssl's own verification: %s", own, error)
        if type(context) is not own:
            context.__class__ = own
        vars(context).clear()
        vars(context).update(state)


def _method(name: str, before: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method for who calls it on the class: of ours for contexts of ours."""
    ours = vars(Verified)[name]

    @functools.wraps(ours)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_ours(self):
            return ours(self, *args, **kwargs)
        vars(self).pop("_fasttrust_left", None)  # what it holds may be about to change
        return before(self, *args, **kwargs)

    return method


def _wrapper(name: str, before: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that makes a connection, and first takes the context over if it must."""
    ours = vars(Verified)[name]

    @functools.wraps(ours)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        settings = _settings
        if _is_ours(self) or (settings is not None and _taken_over(self, settings)):
            return ours(self, *args, **kwargs)
        return before(self, *args, **kwargs)

    return wrapper


def _is_ours(context: Any) -> bool:
    """Tell whether a context is ours. One to which the program gave a class (eventlet) stays so."""
    if isinstance(context, Verified):
        return True
    if not isinstance(vars(context).get("_fasttrust_held"), Held):
        return False
    try:
        context.__class__ = _context._verified_class(type(context))
    except (AttributeError, TypeError):
        return False
    if compat_reason():
        door().context_regained(context)
    return True


def _taken_over(context: Any, settings: _Settings) -> bool:
    """Take a context over that was made before us, if it holds a public bundle; tell whether."""
    if vars(context).get("_fasttrust_left") is settings:
        return False
    if hasattr(context, "_fasttrust_holder"):
        return False  # another copy's
    with changing(), _context._attaching:
        taken = _take_over(context, settings)
    _log.catch_up()
    return taken


def _take_over(context: Any, settings: _Settings) -> bool:
    if isinstance(context, Verified):
        return True  # another thread did
    try:
        if not settings.bundles or _bundles.in_store(context) is None:
            why = "it holds no public bundle"
        elif compat_reason():
            why = "in compat mode it cannot be made to forget its public bundle"
        else:
            _context.take_over(context, settings.trust, bundles=True)
            _log.info("a context made before the injection holds a public bundle: taken over")
            return True
    except (AttributeError, TypeError) as error:
        why = str(error)
    _log.info("a context made before the injection keeps what it trusts (%s): %r", why, context)
    vars(context)["_fasttrust_left"] = settings
    return False
