"""Connections: their chains, whoever wraps them, and what the sockets of our contexts add."""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Callable

from . import _log, _native
from ._certificate import Certificate, certificates, encoded
from ._door import door, is_attached
from ._errors import VerificationError, ssl_refusal, verification_error
from ._hints import hint, without_store
from ._mode import compat_reason, is_guard
from ._typing import Any

_MISSING, _CLOSED = object(), object()


class Watched:
    """What the sockets and objects of our contexts have beyond ``ssl``'s: a mixin before its class.

    The record outlives ``_sslobj``, which ``SSLSocket.close()`` drops, and reading what it captured
    never touches the connection: any thread may, while others read and write.
    """

    _fasttrust_record: _native.Record | None = None
    #: What was asked for before, unverified and verified, and how many captures there had been.
    _fasttrust_chains: dict[bool, tuple[int, tuple[Certificate, ...]]]

    def do_handshake(self, *args: Any, **kwargs: Any) -> None:
        """Perform the TLS handshake.

        Raises:
            VerificationError: the peer is not trusted; it received the matching alert.
        """
        try:
            super().do_handshake(*args, **kwargs)  # type: ignore[misc]
        except ssl.SSLCertVerificationError as error:
            ours = self._explained(error)
            if ours is None:
                raise
            try:
                raise ours from error
            finally:
                del ours  # or the error and this frame would keep each other alive
        if getattr(self, "session_reused", False):
            self._check_resumed()
        if _log.is_debugging():
            self._tell()

    def _check_resumed(self) -> None:
        """Raise where the session was verified by another context: no byte passes from here."""
        record = self._fasttrust_record
        if record is None:
            return
        verdict = door().record_verdict(record)
        if verdict.step == _native.STEP_BROKEN:
            text = "the session was verified by another context"
            error = self._explained(ssl_refusal(verdict.code, text))
            if error is not None:
                raise error

    def _tell(self) -> None:
        """Log who decided about an accepted peer, and by which anchor."""
        record = self._known()
        if record is not None:
            host = getattr(self, "server_hostname", None)
            tell_accepted(host, door().record_verdict(record), get_verified_chain(self))

    def _known(self) -> _native.Record | None:
        """Return our record of the connection; None where its context is not ours."""
        if self._fasttrust_record is not None:
            return self._fasttrust_record
        sslobj = find_sslobj(self)  # gevent tells no owner
        if sslobj is None or not self._is_ours() or is_guard(sslobj) != bool(compat_reason()):
            return None  # made past our methods, say
        record: _native.Record = door().record_watch(sslobj)
        return record

    def get_verified_chain(self) -> list[bytes]:
        """Return the verified chain in DER, leaf first, as Python 3.13's method of that name.

        Where the connection does not verify its peer this is ``get_unverified_chain()``.
        """
        theirs = self._of_ssl("get_verified_chain")
        if theirs is not None:
            return theirs()
        chain = get_verified_chain(self)
        record = self._fasttrust_record
        if not chain and record is not None:
            unasked = door().record_verdict(record).step == _native.STEP_UNASKED
            chain = get_unverified_chain(self) if unasked else ()
        return encoded(chain)

    def get_unverified_chain(self) -> list[bytes]:
        """Return what the peer sent in DER, leaf first, as Python 3.13's method of that name."""
        theirs = self._of_ssl("get_unverified_chain")
        if theirs is not None:
            return theirs()
        return encoded(get_unverified_chain(self))

    def _of_ssl(self, name: str) -> Callable[[], list[bytes]] | None:
        """Return ``ssl``'s own method, if there is one and the context is not ours."""
        if self._fasttrust_record is not None or self._is_ours():
            return None
        return getattr(super(), name, None)

    def _is_ours(self) -> bool:
        context = getattr(self, "context", None)
        return is_attached(context)

    def _explained(self, error: ssl.SSLCertVerificationError) -> VerificationError | None:
        """Return the refusal with what we know of it; None where it is not one of ours."""
        record = self._known()
        if record is None:
            return None
        verdict = door().record_verdict(record)
        if verdict.code != getattr(error, "verify_code", None):
            return None
        held = getattr(getattr(self, "context", None), "_fasttrust_held", None)
        is_server = bool(getattr(self, "server_side", False))
        return explain(
            error,
            verdict,
            get_unverified_chain(self),
            host=getattr(self, "server_hostname", None),
            origin=held.origin(is_server) if held else "what the program loaded",
            problem=held and held.problem(is_server),
            at_time=held and held.policy.at_time,
        )


def tell_accepted(
    host: str | None, verdict: _native.Verdict, chain: tuple[Certificate, ...]
) -> None:
    """Log who decided about an accepted peer, and by which anchor."""
    _log.debug(
        "accepted %s: decided by %s; anchor: %s",
        host or "a peer",
        _native.STEPS[verdict.step],
        *(chain[-1:] or ("none",)),
    )


def explain(
    error: ssl.SSLCertVerificationError,
    verdict: _native.Verdict,
    chain: tuple[Certificate, ...],
    *,
    host: str | None,
    origin: str,
    problem: OSError | None,
    at_time: int | None,
) -> VerificationError:
    """Return ``ssl``'s refusal with what we know of it, and log it.

    Args:
        error: what ``ssl`` raises.
        verdict: the same by our record.
        chain: what the peer sent.
        host: the name that was asked for, if any.
        origin: where trust came from.
        problem: why nothing of the system's store is trusted, if so.
        at_time: the moment it was judged by, in seconds since 1970; None is now.
    """
    _log.info(
        "refused %s: %d %s (depth %s); trusted: %s",
        host or "a peer",
        error.verify_code,
        error.verify_message,
        verdict.depth,
        origin,
    )
    say = hint(error.verify_code, verdict.depth, chain, host, at_time)
    if problem:
        say = without_store(error.verify_code, problem) or say
    return verification_error(
        error,
        depth=verdict.depth,
        chain=chain,
        native_code=verdict.native_code,
        native_message=verdict.native_message,
        hint=say,
    )


def watch(sslobj: object, owner: object, digest: bytes) -> None:
    """Prepare a new connection of one of our contexts, before its handshake."""
    record = door().connection_bind(sslobj, digest)
    if isinstance(owner, Watched):
        owner._fasttrust_chains = {}
        owner._fasttrust_record = record


# A class holds the one that it is derived from: neither outlives the contexts that use them.
_watched: weakref.WeakValueDictionary[type, type] = weakref.WeakValueDictionary()


def watched_class(base: type) -> type:
    """Return the class of sockets or objects with our methods on top of another."""
    if issubclass(base, Watched):
        return base
    derived = _watched.get(base)
    if derived is None:
        # The name stays: a traceback or a repr shows what the program asked for.
        body = {"__module__": base.__module__, "__doc__": base.__doc__}
        derived = type(base.__name__, (Watched, base), body)
        _watched[base] = derived
    return derived


def find_sslobj(connection: object) -> object | None:
    """Return the ``_ssl._SSLSocket`` under whatever wraps it; None where there is none (yet).

    Raises:
        TypeError: this is not a TLS connection of Python's ``ssl``.
    """
    inner: object = connection
    for _ in range(4):
        if _native.is_connection(inner) or is_guard(inner):
            return inner
        below = _below(inner)
        if below is _CLOSED:
            return None
        if below is _MISSING:
            break
        if below is None and isinstance(inner, (ssl.SSLSocket, ssl.SSLObject, Watched)):
            return None  # not connected yet, or closed
        inner = below
    raise TypeError(f"not a TLS connection of Python's ssl: {type(connection).__name__!r}")


def _below(wrapper: object) -> object:
    # SSLSocket and SSLObject, gevent's too, have _sslobj; urllib3's SSLTransport has sslobj.
    for attribute in ("_sslobj", "sslobj"):
        below = getattr(wrapper, attribute, _MISSING)
        if below is not _MISSING:
            return below
    # The transports and writers of asyncio, and uvloop's, answer this.
    ask = getattr(wrapper, "get_extra_info", None)
    try:
        below = ask("ssl_object") if callable(ask) else None
    except AttributeError:
        return _CLOSED  # from Python 3.11 on such a transport has dropped its connection
    return _MISSING if below is None else below


def _captured(
    connection: Watched, record: _native.Record, verified: bool
) -> tuple[Certificate, ...]:
    """Return a captured chain: the same objects, with their DER, until there is another."""
    captures = door().record_captures(record)
    known = connection._fasttrust_chains.get(verified)
    if known is not None and known[0] == captures:
        return known[1]
    chain = certificates(door().record_chain(record, verified))
    connection._fasttrust_chains[verified] = captures, chain
    return chain


def _chain_of(connection: object, verified: bool) -> tuple[Certificate, ...]:
    if isinstance(connection, Watched) and connection._fasttrust_record is not None:
        captured = _captured(connection, connection._fasttrust_record, verified)
        if captured:
            return captured
        # Nothing was captured, or the connection was given to a context that is not ours.
    sslobj = find_sslobj(connection)
    if sslobj is None:
        return ()
    return certificates(door().connection_chain(sslobj, verified))


def get_verified_chain(connection: object) -> tuple[Certificate, ...]:
    """Return the chain by which the peer was verified, leaf first, anchor last.

    Empty before the handshake, on a connection that does not verify its peer, after a refusal, and
    on a resumed session (nothing was verified again). It is there from the verdict on, before the
    peer has proved that it holds the leaf's key: only a finished handshake says that. On
    connections of our contexts other threads may read and write meanwhile; on others they must not,
    as with ``ssl``'s own methods.

    Args:
        connection: an ``ssl.SSLSocket`` or ``ssl.SSLObject``, what urllib3 and gevent make of them,
            an asyncio transport or ``StreamWriter``.

    Raises:
        TypeError: this is not a TLS connection of Python's ``ssl``.
        ValueError: the connection was never initialised.
    """
    return _chain_of(connection, True)


def get_unverified_chain(connection: object) -> tuple[Certificate, ...]:
    """Return what the peer sent, leaf first, as it was sent. Nothing in it need be true.

    There before the verdict, and after a refusal. Arguments and errors are those of
    ``get_verified_chain``.
    """
    return _chain_of(connection, False)
