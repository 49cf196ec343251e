"""Contexts: ``attach``, and the two ways to make a context that are lines on top of it."""

from __future__ import annotations

import _ssl
import os
import ssl
import threading
import weakref
from typing import TYPE_CHECKING, Any

from . import _native
from ._connection import Watched, watch, watched_class
from ._decode import decode
from ._trust import SystemStore, system_store

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]

#: Names this copy of the package on every context that carries its verifier.
HOLDER = __name__.rpartition(".")[0]

# One context is not to be attached by two threads at once; a handshake never waits for this.
_attaching = threading.Lock()


def _standard_class() -> type[_ssl._SSLContext]:
    # By its origin, not by its name: others (truststore) put their own class under ssl.SSLContext.
    for candidate in _ssl._SSLContext.__subclasses__():
        if candidate.__module__ == "ssl" and candidate.__qualname__ == "SSLContext":
            return candidate
    raise ImportError("the module ssl defines no SSLContext")


_Standard: Any = _standard_class()


class Verified:
    """What a context with our verifier has beyond ``ssl``'s: a mixin before its class."""

    #: Which copy of the package holds the context; other copies read it before they attach.
    _fasttrust_holder: str
    #: What get_ca_certs() lists beyond the context's own store.
    _fasttrust_system: SystemStore | None

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: object = None,
        session: ssl.SSLSession | None = None,
    ) -> Any:
        connection = super()._wrap_socket(  # type: ignore[misc]
            sock, server_side, server_hostname, owner=owner, session=session
        )
        watch(connection, owner)
        return connection

    def _wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: object = None,
        session: ssl.SSLSession | None = None,
    ) -> Any:
        connection = super()._wrap_bio(  # type: ignore[misc]
            incoming, outgoing, server_side, server_hostname, owner=owner, session=session
        )
        watch(connection, owner)
        return connection

    def load_default_certs(self, purpose: Any = ssl.Purpose.SERVER_AUTH) -> None:
        """Trust the system from now on, on either side of a connection.

        Raises:
            TypeError: the purpose is not one of ``ssl.Purpose``.
        """
        if not isinstance(purpose, ssl._ASN1Object):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """Trust the system from now on, on either side of a connection."""
        system = system_store()
        _native.context_trust(_own(self), system.holder, for_clients=True, for_servers=True)
        self._fasttrust_system = system

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """Return the CA certificates that the context trusts, the system's included.

        As ``ssl`` does, without those of a hashed directory. Each as ``getpeercert()`` would give
        it, or in DER.
        """
        own: list[Any] = super().get_ca_certs(binary_form)  # type: ignore[misc]
        beyond = self._fasttrust_beyond()
        return own + (beyond if binary_form else [decode(der) for der in beyond])

    def cert_store_stats(self) -> dict[str, int]:
        """Return how many certificates, CRLs and CA certificates the context trusts."""
        own: dict[str, int] = super().cert_store_stats()  # type: ignore[misc]
        if self._fasttrust_system is None:
            return own
        both = len(self._fasttrust_system.certificates) - len(self._fasttrust_beyond())
        counts = {kind: own[kind] + number for kind, number in self._fasttrust_system.stats.items()}
        counts["x509"] -= both
        counts["x509_ca"] -= both
        return counts

    def _fasttrust_beyond(self) -> list[bytes]:
        """Return the system's certificates that the context's own store does not hold."""
        if self._fasttrust_system is None:
            return []
        own = set(super().get_ca_certs(True))  # type: ignore[misc]
        return [der for der in self._fasttrust_system.certificates if der not in own]


class _IsVerified(type):
    def __instancecheck__(cls, value: object) -> bool:
        # True of every context that carries our verifier, for SSLContext itself: what attach() and
        # injection give it is a class of the program's own kind, not a subclass of ours.
        if cls is SSLContext and _native.is_context(value):
            return _native.context_attached(value)
        return super().__instancecheck__(value)


class SSLContext(Verified, _Standard, metaclass=_IsVerified):  # type: ignore[misc]
    """An ``ssl.SSLContext`` whose connections are verified by our callback, in the handshake.

    On a client connection it trusts the system, plus what is loaded later; on a server connection
    what was loaded, and nothing of the system unless ``load_default_certs()`` asks for it.
    Everything else is inherited. ``isinstance`` is true of every context that carries our verifier.

    Args:
        protocol: as for ``ssl.SSLContext``.
    """

    sslsocket_class = watched_class(_Standard.sslsocket_class)
    sslobject_class = watched_class(_Standard.sslobject_class)

    def __new__(cls, protocol: int | None = None, *args: Any, **kwargs: Any) -> SSLContext:
        self: SSLContext = super().__new__(cls, protocol, *args, **kwargs)
        _install(self, system_store())
        return self


_verified: weakref.WeakValueDictionary[type, type] = weakref.WeakValueDictionary()


def _verified_class(base: type) -> type:
    if issubclass(base, Verified):
        return base
    if base is _Standard:
        return SSLContext
    derived = _verified.get(base)
    if derived is None:
        body = {"__module__": base.__module__, "__doc__": base.__doc__}
        metaclass: Any = type(base)
        derived = metaclass(base.__name__, (Verified, base), body)
        _verified[base] = derived
    return derived


def _own(context: Any) -> _ssl._SSLContext:
    """Return the context, checked to be what C may read."""
    if not _native.is_context(context):
        raise TypeError(f"not an ssl.SSLContext: {type(context).__name__!r}")
    return context


def _install(context: Any, system: SystemStore | None) -> None:
    """Give a context our verifier: the C side last, because it cannot be taken back."""
    context._fasttrust_holder = HOLDER
    only_servers = context.protocol == ssl.PROTOCOL_TLS_SERVER
    context._fasttrust_system = None if only_servers else system
    # A subclass, or the program on the object itself, may have chosen other classes.
    for attribute in ("sslsocket_class", "sslobject_class"):
        chosen = getattr(context, attribute)
        if not issubclass(chosen, Watched):
            setattr(context, attribute, watched_class(chosen))
    holder = None if system is None else system.holder
    _native.context_attach(context, holder, for_clients=True, for_servers=False)


def _adopt(context: Any, system: SystemStore | None) -> None:
    """Give a context that is not of our making our class and our verifier, or leave it alone."""
    before = type(context)
    with _attaching:
        state = context.__dict__.copy()
        context.__class__ = _verified_class(before)
        try:
            _install(context, system)
        except BaseException:
            context.__class__ = before
            context.__dict__.clear()
            context.__dict__.update(state)
            raise


def attach(context: ssl.SSLContext) -> None:
    """Give any ``ssl.SSLContext`` our verifier, in place.

    The context then trusts the system on client connections, and on either side what it holds
    beyond the system's own anchors: certificates and CRLs loaded before stay loaded. A directory
    given as ``capath`` before cannot be seen and is lost: load it afterwards. A verify callback
    that other native code installed is replaced. The object gets a class derived from its own.

    Raises:
        TypeError: this is not an ``ssl.SSLContext``, or its class cannot be derived from.
        RuntimeError: another copy of the package verifies for it, or Python's own OpenSSL cannot be
            reached (``backend()`` says why).
    """
    if not type.__subclasscheck__(_Standard, type(context)):
        raise TypeError(f"not an ssl.SSLContext: {type(context).__name__!r}")
    other = getattr(context, "_fasttrust_holder", HOLDER)
    if other != HOLDER:
        raise RuntimeError(f"the context is verified by another copy of fasttrust: {other}")
    _adopt(context, system_store())


def create_default_context(
    purpose: Any = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: str | os.PathLike[str] | None = None,
    capath: str | os.PathLike[str] | None = None,
    cadata: str | Buffer | None = None,
) -> SSLContext:
    """Return a context with the defaults of the running Python's ``ssl.create_default_context()``.

    With none of the keywords it trusts the system; with any of them exactly what they name.

    Args:
        purpose: ``ssl.Purpose.SERVER_AUTH`` for clients, ``CLIENT_AUTH`` for servers.
        cafile: a file of certificates in PEM.
        capath: a directory of certificates named by the hash of their subject.
        cadata: certificates as PEM (``str``) or DER (``bytes``).

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: a file or the data hold no certificate, or a broken one.
        TypeError: the purpose is not one of ``ssl.Purpose``.
        RuntimeError: Python's own OpenSSL cannot be reached (``backend()`` says why).
    """
    # ssl knows its defaults, we do not repeat them. Naming any directory keeps it from parsing the
    # system's bundle; nothing of it reaches the fresh store that attaching installs.
    context = ssl.create_default_context(purpose, capath=os.devnull)
    exactly = cafile is not None or capath is not None or cadata is not None
    if type(context) is not _Standard:
        raise RuntimeError(f"ssl.SSLContext was replaced by {type(context).__module__}")
    _adopt(context, None if exactly else system_store())
    if exactly:
        context.load_verify_locations(cafile, capath, cadata)
    return context  # type: ignore[return-value]
