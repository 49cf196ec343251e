"""The context that most programs want: ``ssl``'s own defaults, verified by us."""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
import types
from collections.abc import Callable, Iterator

from ._context import Own, SSLContext, adopt, checked, is_server
from ._policy import Revocation, policy
from ._standard import Standard as _Standard
from ._trust import TrustStore
from ._typing import TYPE_CHECKING, Any
from ._verified import Held

if TYPE_CHECKING:
    import datetime
    from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]

# Ours may be put in its place.
_default_context = ssl.create_default_context


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """Keep whichever copy of the package is injected away from what this thread makes meanwhile."""
    aside = getattr(_Standard.__new__, "_fasttrust_aside", None) or threading.local()
    aside.on = True
    try:
        yield
    finally:
        aside.on = False


def _made(make: Callable[..., Any], purpose: Any) -> Any:
    # ssl knows its defaults, we do not repeat them. Naming any directory keeps it from parsing the
    # system's bundle.
    with _aside():
        return make(purpose, capath=os.devnull)


def _of_own_class(make: Any) -> Callable[..., Any]:
    """Return ``ssl``'s function, to which ``SSLContext`` is its own class, whoever took the name.

    Raises:
        RuntimeError: somebody has replaced that, too.
    """
    if getattr(make, "__globals__", None) is not vars(ssl):
        raise RuntimeError(f"ssl.SSLContext was replaced by {ssl.SSLContext.__module__}'s")
    own = types.FunctionType(make.__code__, {**vars(ssl), "SSLContext": Own})
    own.__defaults__, own.__kwdefaults__ = make.__defaults__, make.__kwdefaults__
    return own


def create_default_context(
    purpose: Any = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: str | os.PathLike[str] | None = None,
    capath: str | os.PathLike[str] | None = None,
    cadata: str | Buffer | None = None,
    trust: TrustStore | None = None,
    network: bool = True,
    revocation: Revocation = "platform",
    timeout: float = 3.0,
    at_time: datetime.datetime | None = None,
) -> SSLContext:
    """Return a context with the defaults of the running Python's ``ssl.create_default_context()``.

    With none of the keywords it trusts the system; with any of them exactly what they name. An
    empty ``cafile``, ``capath`` or ``cadata`` names nothing and raises, where ``ssl`` would take
    the system: a setting that got lost must not widen trust.

    Args:
        purpose: ``ssl.Purpose.SERVER_AUTH`` for clients, ``CLIENT_AUTH`` for servers.
        cafile: a file of certificates in PEM.
        capath: a directory of certificates named by the hash of their subject.
        cadata: certificates as PEM (``str``) or DER (``bytes``).
        trust: what to trust, to which the three above are added.
        network: as for ``SSLContext``, with the next three.
        revocation: as there.
        timeout: as there.
        at_time: as there.

    Raises:
        OSError: a file cannot be read, the system's store included.
        ssl.SSLError: a file or the data hold no certificate, or a broken one.
        TypeError: the purpose is not one of ``ssl.Purpose``.
        ValueError: this platform cannot honour a policy.
        RuntimeError: Python's own OpenSSL cannot be reached (``backend()`` says why).
    """
    chosen = policy(network, revocation, timeout, at_time)
    named = cafile is not None or capath is not None or cadata is not None
    if named and trust is None:
        trust = TrustStore.none()
    trust = checked(trust)
    context: Any = _made(_default_context, purpose)
    if not type.__subclasscheck__(_Standard, type(context)):
        context = _made(_of_own_class(_default_context), purpose)
    wants_system = trust is not None or not is_server(context)
    try:
        adopt(context, trust, chosen, must_have_store=wants_system)
    except TypeError:
        if ssl.SSLContext is _Standard:
            raise
        # Somebody's class stands there, truststore's say, and allows no other below it.
        context = _made(_of_own_class(_default_context), purpose)
        adopt(context, trust, chosen, must_have_store=wants_system)
    if named:
        held: Held = vars(context)["_fasttrust_held"]
        # Exactly the file, be it a public bundle; which, pushed later, would widen that.
        held.exact = held.bundle_means_system = False
        context.load_verify_locations(cafile, capath, cadata)
        held.exact = True
    made: SSLContext = context
    return made
