"""Compat mode: ``ssl`` verifies, where OpenSSL's symbols are hidden and our callback cannot be had.

This module stands where ``_native`` stands in native mode, and answers to the same names: what a
context trusts goes into ``ssl``'s own store, and every connection goes through a guard. What the
system trusts is loaded at the first client connection, lazily from a hashed directory where there
is one. A store cannot forget and cannot differ by side, so what would need that is refused.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import Any

from . import _bundles, _native
from ._guard import Guard, Listed, Record, sent_by
from ._mode import compat_reason

_Base: Any = _ssl._SSLContext
_NONE = int(ssl.CERT_NONE)
_verify_mode = vars(_Base)["verify_mode"].__get__


def door() -> Any:
    """Return who carries a context's verification: the C core, or this module in compat mode."""
    return _THIS if compat_reason() else _native


class State:
    """What one context's store holds by now.

    Attributes:
        indexes: the digests of those that were loaded.
        loaded: their certificates.
        foreign: whether there may be more, which nobody can list and nobody can take out.
        system: whether the system's roots are in the store.
        one_sided: whether they are there for client connections alone.
    """

    __slots__ = ("foreign", "indexes", "loaded", "one_sided", "system")

    def __init__(self, foreign: bool) -> None:
        self.indexes: set[bytes] = set()
        self.loaded: set[bytes] = set()
        self.foreign = foreign
        self.system = self.one_sided = False


def _state(context: Any) -> State | None:
    state = getattr(context, "__dict__", {}).get("_fasttrust_store")
    return state if isinstance(state, State) else None  # or another copy's


def loaded(context: Any) -> set[bytes]:
    """Return the certificates that we put into the context's own store, in DER."""
    state = _state(context)
    return set() if state is None else state.loaded


# ---- contexts ------------------------------------------------------------------------------------


def check_attach(context: Any, *, exact: bool) -> None:
    """Refuse to attach where something would have to leave the context's store.

    Args:
        context: the context.
        exact: whether all that was loaded before is to be dropped.

    Raises:
        RuntimeError: it cannot be had.
    """
    state = _state(context)
    if state is not None and not state.foreign and not state.indexes and not state.system:
        return  # one of ours, which has loaded nothing yet
    if exact or _bundles.in_store(context) is not None:
        what = "what it holds" if exact else "the public bundle that it holds"
        raise RuntimeError(
            f"attach() cannot make the context forget {what} in compat mode: make it by "
            f"fasttrust.SSLContext() or create_default_context() ({compat_reason()})"
        )


def context_attach(
    context: Any,
    indexes: Sequence[_native.Index],
    system: _native.Source | None,
    *,
    ask_platform: bool,
    for_servers: bool,
    keep: bool,
    policy: tuple[int, bool, int],
    dropped: _native.Index | None = None,
) -> None:
    """Give the context a state; what it trusts is loaded by its connections."""
    before = _state(context)
    state = State(keep)
    if keep:
        held = vars(context)["_fasttrust_held"]
        listed = set(held.system.listed()) if held.system and not for_servers else set()
        state.one_sided = not listed.isdisjoint(_Base.get_ca_certs(context, True))
    if before is not None:  # the store goes on to hold what it held
        state.indexes, state.loaded = set(before.indexes), set(before.loaded)
        state.system = before.system
        state.one_sided = state.one_sided or before.one_sided
        state.foreign = state.foreign or before.foreign
    context._fasttrust_store = state


def context_add(context: Any, index: _native.Index) -> None:
    """Do nothing: the next connection loads what the context holds by then."""


def context_trust_system(
    context: Any, system: _native.Source | None, *, ask_platform: bool
) -> None:
    """Do nothing: as ``context_add``."""


def context_own(context: Any) -> None:
    """Remember that ``ssl``'s own loader puts something into the context's store."""
    state = _state(context)
    if state is not None:
        state.foreign = True


def is_attached(context: object) -> bool:
    """Tell whether the context carries the verifier of this copy of the package, in any mode."""
    if not _native.is_context(context):
        return False
    return _state(context) is not None or _native.context_attached(context)


def _fill(context: Any, state: State, held: Any, server_side: bool) -> None:
    """Put what counts on that side of a connection into the context's store."""
    for index in held.indexes:
        if index.digest not in state.indexes:
            _load(context, state, index.certificates())
            state.indexes.add(index.digest)
    system = held.system
    if system is None or system.asks_platform:
        return
    system.refresh_if_due()
    if server_side and not held.for_servers:
        return
    state.one_sided = not held.for_servers  # first: whoever asks meanwhile must know
    if state.system or system.problem is not None:
        return
    found = system.state
    for directory in found.where.directories:
        with contextlib.suppress(OSError):  # one that is missing is skipped
            _Base.load_verify_locations(context, None, directory, None)
    _load(context, state, found.in_no_directory)
    state.system = True


def _load(context: Any, state: State, certificates: list[bytes]) -> None:
    new = [der for der in certificates if der not in state.loaded]
    if not new:
        return
    try:
        _Base.load_verify_locations(context, None, None, b"".join(new))
    except ssl.SSLError:
        # One of them has a defect that its frame does not show: that one is as good as absent.
        for der in new:
            with contextlib.suppress(ssl.SSLError):
                _Base.load_verify_locations(context, None, None, der)
    state.loaded.update(new)


# ---- connections ---------------------------------------------------------------------------------


def wrap(
    context: Any,
    held: Any,
    make: Callable[..., Any],
    *bio: ssl.MemoryBIO,
    server_side: bool,
    host: str | None,
    owner: object,
    session: object,
) -> Guard:
    """Return a connection of one of our contexts, behind its guard.

    Args:
        context: the context.
        held: what it trusts.
        make: makes the connection of what it writes to, side, name and owner.
        bio: what it writes to, where that is a memory BIO.
        server_side: whether it is a server's.
        host: the name of the server, if any.
        owner: what wraps the connection.
        session: left out: what it was verified under cannot be told.

    Raises:
        ssl.SSLError: the store cannot serve this side of a connection any more.
    """
    state = _state(context)
    if state is None:
        raise ValueError("this context was never given its verifier")
    unasked = _verify_mode(context) == _NONE
    inner = make(*bio, server_side, host, owner=owner)
    if session is not None and not isinstance(session, ssl.SSLSession):
        raise TypeError("Value is not a SSLSession.")
    _fill(context, state, held, server_side)
    judge = _OfOpenSSL(context, server_side, unasked)
    judge.check_side(context)
    return Guard(inner, judge)


class _OfOpenSSL:
    """OpenSSL has decided in the handshake, by what the context's store held."""

    decides = False

    def __init__(self, context: Any, server_side: bool, unasked: bool) -> None:
        self._context = context
        self._server_side = server_side
        self._unasked = unasked

    def check_side(self, context: Any) -> None:
        """Refuse to verify clients by roots that were loaded to verify servers."""
        if not self._server_side or self._unasked:
            return
        for each in (self._context, context):  # the one it began with, and the one that SNI chose
            state = _state(each)
            if state is not None and state.one_sided:
                raise ssl.SSLError(
                    ssl.SSL_ERROR_SSL,
                    "in compat mode a context that has connected as a client trusts the system "
                    "on both sides: it cannot verify clients; use another context for servers",
                )

    def _check_session(self, inner: Any) -> None:
        """Refuse to believe a client by what another context may have verified."""
        if not self._server_side or not inner.session_reused:
            return
        switched = inner.context is not self._context
        asks = not self._unasked or (switched and _verify_mode(inner.context) != _NONE)
        switches = switched or self._context.sni_callback is not None
        if asks and (switches or inner.getpeercert(True) is None):
            raise ssl.SSLError(
                ssl.SSL_ERROR_SSL,
                "in compat mode a server that verifies clients resumes no session of which it "
                "cannot tell by which context its client was verified",
            )

    def look(self, inner: Any, record: Record) -> None:
        """Keep the chains; raises where the store was not one for servers."""
        self.check_side(inner.context)
        self._check_session(inner)
        sent = sent_by(inner)
        known = record.chains.get(False)
        if sent and (known is None or not known.same(sent)):
            record.keep(False, sent)
            if not self._unasked:
                record.keep(True, inner.get_verified_chain())
        step = _native.STEP_UNASKED if self._unasked else _native.STEP_OPENSSL
        record.verdict = _native.Verdict(step, 0, None, None, None)

    def refused(self, error: ssl.SSLError, inner: Any, record: Record) -> None:
        """Keep what the peer sent, and the number of the refusal."""
        if isinstance(error, ssl.SSLCertVerificationError):
            code = error.verify_code
            # A server's OpenSSL forgets whom it refused, but for the chain that it tried to build.
            built = inner.get_verified_chain() or []
            record.chains.pop(True, None)
            record.keep(False, sent_by(inner) or built[:1])
            record.verdict = _native.Verdict(_native.STEP_OPENSSL, code, None, None, None)

    def moved(self, context: Any) -> None:
        """Prepare the context that takes over, as a server's may once it hears a name."""
        state = _state(context)
        if state is not None:
            _fill(context, state, vars(context)["_fasttrust_held"], self._server_side)

    def getpeercert(self, inner: Any, binary_form: bool) -> Any:
        """Return ``ssl``'s own answer."""
        return inner.getpeercert(binary_form)


def connection_bind(connection: object, digest: bytes) -> None:
    """Do nothing: no session is resumed."""


def record_watch(connection: Any) -> Record:
    """Return the record of a connection of ours, which outlives it."""
    if not isinstance(connection, Guard):
        raise TypeError(f"not a connection of ours: {type(connection).__name__!r}")
    return connection.record


def record_verdict(record: Record) -> _native.Verdict:
    """Return the latest verdict on the connection."""
    return _checked(record).verdict


def record_captures(record: Record) -> int:
    """Return how often anything was captured."""
    return _checked(record).captures


def record_chain(record: Record, verified: bool) -> Listed | None:
    """Return what was captured, None where there is nothing."""
    return _checked(record).chains.get(verified)


def _checked(record: object) -> Record:
    if not isinstance(record, Record):
        raise TypeError(f"not a record: {type(record).__name__!r}")
    return record


def connection_chain(connection: Any, verified: bool) -> Listed | None:
    """Return the chain of any connection, None where there is nothing.

    That of a connection which is not ours counts only after its handshake, and the verified one
    where it was not resumed, and its context verifies.
    """
    if isinstance(connection, Guard):
        return connection.record.chains.get(verified)
    if not _native.is_connection(connection):
        raise TypeError(f"not a connection of Python's ssl: {type(connection).__name__!r}")
    if connection.version() is None:
        return None  # one that was never initialised says so too, and must not be asked more
    if not verified:
        found = sent_by(connection)
    elif connection.session_reused or _verify_mode(connection.context) == _NONE:
        return None
    else:
        found = connection.get_verified_chain()
    return Listed(found) if found else None


_THIS = sys.modules[__name__]
