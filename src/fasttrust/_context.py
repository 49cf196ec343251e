"""Contexts: ``attach``, and the two ways to make a context that are lines on top of it."""

from __future__ import annotations

import _ssl
import os
import ssl
import threading
import weakref

from . import _bundles, _log, _native
from ._anchors import Index, from_der
from ._connection import Watched, watched_class
from ._door import changing, door, is_attached
from ._mode import compat_reason
from ._policy import Policy, Revocation, check_judge, policy
from ._standard import Settings
from ._standard import Standard as _Standard
from ._system import Platform, System, system
from ._trust import TrustStore
from ._typing import TYPE_CHECKING, Any
from ._verified import Held, Verified

if TYPE_CHECKING:
    import datetime

# One context is not to be attached by two threads at once; a handshake never waits for this.
# Reentrant, for a signal's handler, a finalizer or a program's property may attach another.
_attaching = threading.RLock()


def _after_fork() -> None:
    # Another thread of the parent may have held it, and is not there to let it go.
    global _attaching  # noqa: PLW0603
    _attaching = threading.RLock()


_native.after_fork(_after_fork)
_log.silent_under(lambda: _attaching)


class _IsVerified(type):
    def __instancecheck__(cls, value: object) -> bool:
        # True of every context that carries our verifier, for SSLContext itself: what attach() and
        # injection give it is a class of the program's own kind, not a subclass of ours.
        if cls is SSLContext and _native.is_context(value):
            return is_attached(value)
        return super().__instancecheck__(value)


class _Ours(Verified, Settings, _Standard):  # type: ignore[misc]
    """``ssl``'s context with our methods: in the MRO below whatever the program overrides."""

    sslsocket_class = watched_class(_Standard.sslsocket_class)
    sslobject_class = watched_class(_Standard.sslobject_class)


class _Adopted(_Ours):
    """What a context of another class becomes; who calls that class gets one that trusts nobody."""

    def __new__(cls, protocol: int | None = None, *args: Any, **kwargs: Any) -> _Adopted:
        self: _Adopted = super().__new__(cls, protocol, *args, **kwargs)
        if "_fasttrust_held" not in vars(self):  # injection may have been there first
            install_new(self, None)
        return self


_Plain: type = type("SSLContext", (_Adopted,), {"__module__": "ssl", "__doc__": _Standard.__doc__})


#: ``ssl``'s own class, for where its name was given away.
Own: Any = type("SSLContext", (Settings, _Standard), {"__module__": "ssl"})


class SSLContext(_Ours, metaclass=_IsVerified):
    """An ``ssl.SSLContext`` whose connections are verified by our callback, in the handshake.

    On a client connection it trusts the system, plus what is loaded later; on a server connection
    what was loaded, and nothing of the system unless ``load_default_certs()`` asks for it. With
    ``trust`` it trusts exactly that on both sides, plus what is loaded later. Everything else is
    inherited. ``isinstance`` is true of every context that carries our verifier.

    Args:
        protocol: as for ``ssl.SSLContext``.
        trust: what to trust instead of the system.
        network: whether the platform may fetch intermediates and revocation (Windows, macOS).
        revocation: ``"platform"`` is what the platform does by itself; ``"soft"`` looks up whether
            a certificate was revoked and accepts where nobody answers, ``"hard"`` refuses there.
            What ends at an anchor that the program loads OpenSSL judges, which looks up nothing.
        timeout: for all that the platform fetches for one verdict, in seconds.
        at_time: judge by that moment instead of now.

    Raises:
        OSError: the system's store is needed and cannot be read (``ssl.SSLError`` where it can, and
            holds no certificate); names the variable and the path, or the places searched.
        ValueError: a policy cannot be honoured (revocation where OpenSSL decides, by the CRLs that
            are loaded: on Linux, and under a ``trust`` without the system; a timeout on macOS), or
            ``at_time`` has no time zone.
    """

    def __new__(
        cls,
        protocol: int | None = None,
        *args: Any,
        trust: TrustStore | None = None,
        network: bool = True,
        revocation: Revocation = "platform",
        timeout: float = 3.0,
        at_time: datetime.datetime | None = None,
        **kwargs: Any,
    ) -> SSLContext:
        chosen = policy(network, revocation, timeout, at_time)
        self: SSLContext = super().__new__(cls, protocol, *args, **kwargs)
        wants_system = trust is not None or protocol != ssl.PROTOCOL_TLS_SERVER
        _install(self, checked(trust), chosen, must_have_store=wants_system)
        _is_new(self)
        return self


_verified: weakref.WeakValueDictionary[type, type] = weakref.WeakValueDictionary()


def _verified_class(base: type) -> type:
    if issubclass(base, Verified):
        return base
    if base is _Standard:
        return _Plain
    derived = _verified.get(base)
    if derived is None:
        body = {"__module__": base.__module__, "__doc__": base.__doc__}
        metaclass: Any = type(base)
        derived = metaclass(base.__name__, (base, _Adopted), body)
        _verified[base] = derived
    return derived


def checked(trust: TrustStore | None) -> TrustStore | None:
    """Return what a program gave as ``trust=``, or raise ``TypeError``."""
    if trust is not None and not isinstance(trust, TrustStore):
        raise TypeError(f"trust is not a TrustStore: {type(trust).__name__!r}")
    return trust


_SYSTEM = TrustStore.system()
_NOBODY = TrustStore.none()
_SERVER = int(ssl.PROTOCOL_TLS_SERVER)
_protocol: Any = vars(_ssl._SSLContext)["protocol"]


def is_server(context: Any) -> bool:
    """Tell whether the context can make servers' connections alone."""
    # The C class's own number: ssl's property makes an enum of it, which costs more than attaching.
    return bool(_protocol.__get__(context) == _SERVER)


def _beyond(indexes: list[Index], the_system: System | Platform | None) -> list[Index]:
    """Return the anchors beyond the system and public bundles: those keep their side."""
    if the_system is None or not indexes:
        return indexes
    listed = set(the_system.certificates())
    ders = []
    for index in indexes:
        bundle = _bundles.find(index)
        kept = index if bundle is None else bundle.beyond
        ders += [der for der in (kept.certificates() if kept else ()) if der not in listed]
    beyond = from_der(ders)
    if beyond is None:  # they have been in an index before
        raise ValueError("a certificate is not in DER")
    return [beyond]


def _put(context: Any, attribute: str, value: object) -> None:
    try:
        setattr(context, attribute, value)
    except AttributeError as error:
        raise TypeError(f"{attribute} of {type(context)!r} cannot be set") from error


def _install(
    context: Any,
    trust: TrustStore | None,
    chosen: Policy | None = None,
    *,
    keep: bool = False,
    must_have_store: bool = False,
    derived: type | None = None,
) -> None:
    """Give a context our verifier: state, then class, then the C side, which cannot be taken back.

    A connection that another thread makes meanwhile never meets methods of ours without their
    state; until the C side is ours it is verified as before, and its session resumed by nobody.

    Args:
        context: the context.
        trust: None is the system for client connections.
        chosen: None is the policy that the context has, if any.
        keep: whether the context's own anchors stay.
        must_have_store: whether it is an error that the system's store cannot be read.
        derived: the class to give to the object.
    """
    before = vars(context).get("_fasttrust_held")
    holds = keep and any(_ssl._SSLContext.cert_store_stats(context).values())
    # The rule is to look at the store when a connection needs it. Not where it has to be told now
    # what is the system's, nor where it counts on a server's side, which SNI may reach unseen.
    lazily = trust is None and before is None and not holds
    indexes, the_system = ([], system(look=False)) if lazily else (trust or _SYSTEM)._resolve()
    if must_have_store and the_system is not None and (problem := the_system.problem) is not None:
        raise problem
    if keep and before is not None:
        indexes += _beyond(before.indexes, the_system)
    if chosen is None:
        chosen = Policy() if before is None else before.policy
    # In compat mode ssl itself verifies a server's clients.
    alone = is_server(context) and bool(compat_reason())
    check_judge(chosen, the_system is not None and the_system.asks_platform and not alone)
    listed = trust is not None or not is_server(context)
    held = Held(indexes, the_system, chosen, listed=listed)
    held.looked = None if lazily else the_system
    dropped: Index | None = None
    if holds:
        held.add(os.urandom(32))  # what stays may hold CRLs, which cannot be listed
        dropped = _bundles.in_store(context)
    if before is not None:
        # A digest names trust that only grows: no session of before is worth anything, were it
        # made by a connection that is older than what it was verified under.
        held.add(os.urandom(32))
    held.for_servers = held.exact = trust is not None
    held.bundle_means_system = True
    digest = held.digest
    if derived is not None:  # others may use the context meanwhile
        held.digest = os.urandom(32)
    with changing():
        if compat_reason():
            door().check_still(context, exact=not keep)
        _put(context, "_fasttrust_held", held)
        if vars(context).get("_fasttrust_held") is not held:
            raise TypeError(f"objects of {type(context)!r} keep no attribute of ours")
        if derived is not None:
            _put(context, "__class__", derived)
        # A subclass, or the program on the object itself, may have chosen other classes.
        for attribute in ("sslsocket_class", "sslobject_class"):
            present = getattr(context, attribute)
            if not issubclass(present, Watched):
                _put(context, attribute, watched_class(present))
        door().context_attach(
            context,
            [index.handle for index in indexes],
            None if the_system is None else the_system.source,
            ask_platform=the_system is not None and the_system.asks_platform,
            for_servers=trust is not None,
            keep=keep,
            dropped=None if dropped is None else dropped.handle,
            policy=(chosen.revocation, chosen.network, chosen.timeout),
        )
        if chosen.at_time is not None:
            door().context_set_time(context, chosen.at_time)
        held.digest = digest


def _is_new(context: Any) -> None:
    """Say that nobody has had the context yet."""
    if compat_reason():
        door().context_is_new(context)


def install_new(
    context: Any, trust: TrustStore | None, *, bundles: bool = True, derived: type | None = None
) -> None:
    """Give a context that is being made our verifier, under ``ssl``'s own rule of what it trusts.

    That is what will be loaded into it; default certificates mean the system.

    Args:
        context: the context, which nobody else has yet.
        trust: what is trusted from the start, and what default certificates mean, in place of that.
        bundles: whether a public bundle means what default certificates do.
        derived: the class to give to the object.
    """
    _install(context, _NOBODY if trust is None else trust, derived=derived)
    _is_new(context)
    _rule(context, trust, bundles)


def take_over(context: Any, trust: TrustStore | None, *, bundles: bool) -> None:
    """Give a context that holds a public bundle our verifier, as if it had been ours before that.

    What it holds beyond the bundle stays; the arguments are those of ``install_new``.
    """
    adopt(context, _SYSTEM if trust is None else trust, keep=True)
    _rule(context, trust, bundles)


def _rule(context: Any, trust: TrustStore | None, bundles: bool) -> None:
    held: Held = vars(context)["_fasttrust_held"]
    held.fixed = trust is not None
    held.exact = held.fixed and bundles
    held.bundle_means_system = bundles


def adopt(
    context: Any,
    trust: TrustStore | None,
    chosen: Policy | None = None,
    *,
    keep: bool = False,
    must_have_store: bool = False,
) -> None:
    """Give a context that is not of our making our class and our verifier, or leave it alone."""
    other = getattr(context, "_fasttrust_holder", _native.HOLDER)
    if other != _native.HOLDER:
        raise RuntimeError(f"the context is verified by another copy of fasttrust: {other}")
    # In this order: a signal's handler may attach while a connection is made.
    try:
        with changing(), _attaching:
            _adopt(context, trust, chosen, keep=keep, must_have_store=must_have_store)
    finally:
        _log.catch_up()  # also before an error, which it may explain


def _adopt(
    context: Any,
    trust: TrustStore | None,
    chosen: Policy | None,
    *,
    keep: bool,
    must_have_store: bool,
) -> None:
    before = type(context)
    derived = _verified_class(before)
    state = context.__dict__.copy()
    try:
        if compat_reason() and derived is not before:
            door().context_regained(context)
        _install(
            context, trust, chosen, keep=keep, must_have_store=must_have_store, derived=derived
        )
    except BaseException:
        if type(context) is not before:
            context.__class__ = before
        context.__dict__.clear()
        context.__dict__.update(state)
        raise


def attach(context: ssl.SSLContext, *, trust: TrustStore | None = None) -> None:
    """Give any ``ssl.SSLContext`` our verifier, in place.

    The context then trusts the system on client connections, and on either side what it holds
    beyond the system's own anchors: other certificates and CRLs loaded before stay loaded, but not
    a public bundle (certifi's, say), which means the system. A directory given as ``capath`` before
    cannot be seen and is lost: load it afterwards. A verify callback that other native code
    installed is replaced. The object gets a class derived from its own. What a call replaces is
    kept until the context dies, for connections may be using it: once is enough.

    Where the system's store cannot be read nothing of it is trusted, and connections are refused.
    A context of ours that trusted exactly some anchors trusts the system too afterwards: give
    ``trust`` to keep it exact.

    Args:
        context: the context.
        trust: what to trust, exactly, on both sides: what was loaded before is dropped.

    Raises:
        TypeError: this is not an ``ssl.SSLContext``, or its class cannot be derived from.
        ValueError: it is ours, and its policy cannot be honoured under this trust.
        RuntimeError: another copy of the package verifies for it, or Python's own OpenSSL cannot be
            reached (``backend()`` says why).
    """
    if not type.__subclasscheck__(_Standard, type(context)):
        raise TypeError(f"not an ssl.SSLContext: {type(context).__name__!r}")
    if compat_reason():
        door().check_attach(context, system(), exact=trust is not None)
    adopt(context, checked(trust), keep=trust is None)
