"""Compat mode: ``ssl`` verifies, where OpenSSL's symbols are hidden and our callback cannot be had.

This module stands where ``_native`` stands in native mode, and answers to the same names: what a
context trusts goes into ``ssl``'s own store, and every connection goes through a guard. What the
system trusts is loaded at the first client connection, lazily from a hashed directory where there
is one. A store cannot forget and cannot differ by side, so what would need that is refused.
"""

from __future__ import annotations

import _ssl
import ssl
import time
from collections.abc import Callable, Sequence

from . import _asked, _bare, _bundles, _fed, _log, _native
from ._fed import State, fill, state_of
from ._guard import Guard, Listed, Record, sent_by
from ._mode import compat_reason, is_guard
from ._of_openssl import OfOpenSSL, given, hand_out_no_tickets, note_trust, verifies
from ._pipe import Pipe
from ._policy import check_judge
from ._standard import asked_of
from ._typing import Any

_Base: Any = _ssl._SSLContext
_NONE = int(ssl.CERT_NONE)
_CLIENT, _SERVER = int(ssl.PROTOCOL_TLS_CLIENT), int(ssl.PROTOCOL_TLS_SERVER)
_protocol = vars(_Base)["protocol"].__get__


# ---- contexts ------------------------------------------------------------------------------------


def check_attach(context: Any, system: Any, *, exact: bool) -> None:
    """Refuse to attach where something would have to leave the context's store.

    Args:
        context: the context.
        system: the system's store.
        exact: whether all that was loaded before is to be dropped.

    Raises:
        RuntimeError: it cannot be had.
    """
    if _is_unfed(context):
        return
    bundle = None if exact else _bundles.in_store(context)
    beyond = set() if bundle is None else {*bundle.certificates()} - {*system.certificates()}
    if system.asks_platform and _protocol(context) != _SERVER:
        beyond = set()  # its own store will not be asked
    if exact or beyond:
        raise _cannot_forget("what it holds" if exact else "the public bundle that it holds")


def _cannot_forget(what: str) -> RuntimeError:
    return RuntimeError(
        f"attach() cannot make the context forget {what} in compat mode: make it by "
        f"fasttrust.SSLContext() or create_default_context() ({compat_reason()})"
    )


def _is_unfed(context: Any) -> bool:
    """Tell whether the context is one of ours, which has loaded nothing yet."""
    state = state_of(context)
    ours = state is not None and not state.foreign and not state.fed
    return ours and not _holds(context)


def _holds(context: Any) -> bool:
    """Tell whether something was loaded, be it past our methods."""
    return any(_Base.cert_store_stats(context).values())


def check_still(context: Any, *, exact: bool) -> None:
    """Refuse where another thread has loaded what would have to leave, since ``check_attach``.

    To be called under ``_fed.feeding``, under which the context is then attached.

    Raises:
        RuntimeError: it has.
    """
    if exact and (_holds(context) or not (state_of(context) is None or _is_unfed(context))):
        raise _cannot_forget("what it holds")


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
    # The store goes on to hold what it held, and whoever is just filling it goes on to say so.
    state = state_of(context) or State()
    held = vars(context)["_fasttrust_held"]
    # Whoever trusted the system on both sides may do so no longer.
    state.one_sided = state.one_sided or (state.system and not held.for_servers)
    if keep and held.system and not for_servers and _protocol(context) != _CLIENT:
        own = _Base.get_ca_certs(context, True)
        shared = bool(own) and not {*held.system.certificates()}.isdisjoint(own)
        state.one_sided = state.one_sided or shared
    state.foreign = state.foreign or keep
    # Whatever clients were verified under until now.
    state.under = None
    state.since = time.time() if _Base.session_stats(context)["accept"] else 0.0
    context._fasttrust_store = state


def context_add(context: Any, index: _native.Index) -> None:
    """Do nothing: the next connection loads what the context holds by then."""


def context_trust_system(
    context: Any, system: _native.Source | None, *, ask_platform: bool
) -> None:
    """Do nothing: the next connection asks who judges it, and loads what can be listed."""


def context_set_time(context: Any, at_time: int) -> None:
    """Do nothing: the platform is told with each question."""


def context_own(context: Any) -> None:
    """Remember that ``ssl``'s own loader puts something into the context's store."""
    state = state_of(context)
    if state is not None:
        state.foreign = state.owned = True


def context_is_new(context: Any) -> None:
    """Remember that nobody has set anything yet."""
    state = state_of(context)
    if state is not None:
        state.said = _bare.Said()._asdict()


def context_regained(context: Any) -> None:
    """Remember that for a while our methods were not there to hear what was set."""
    state = state_of(context)
    if state is not None:
        _bare.forget(state)


def context_attached(context: object) -> bool:
    """Tell whether the context carries the verifier of this copy of the package."""
    return state_of(context) is not None


# ---- connections ---------------------------------------------------------------------------------


def wrap(
    context: Any,
    make: Callable[..., Any],
    *ends: Any,
    server_side: bool,
    host: str | None,
    owner: object,
    session: object,
) -> Guard:
    """Return a connection of one of our contexts, behind its guard.

    Args:
        context: the context.
        make: C's method that makes one, of a context, ``ends``, side, name and owner.
        ends: a socket, or the memory BIOs that are read and written.
        server_side: whether it is a server's.
        host: the name of the server, if any.
        owner: what wraps the connection.
        session: left out: what it was verified under cannot be told.

    Raises:
        ValueError: the context was never given its verifier.
        ssl.SSLError: the store cannot serve this side of a connection any more.
    """
    if server_side and context.sni_callback is not None and context.verify_mode != _NONE:
        hand_out_no_tickets(context)
    guard = None
    while guard is None:
        held, state = given(context)
        held.freshen()  # logs, which is nothing to do under a lock
        if not server_side and _asks_platform(context, held.system):
            guard = _judged_by_platform(context, held, state, make, *ends, host=host, owner=owner)
        else:
            guard = _judged_by_openssl(
                context, held, make, *ends, server_side=server_side, host=host, owner=owner
            )
    if session is not None and not isinstance(session, ssl.SSLSession):
        raise TypeError("Value is not a SSLSession.")
    return guard


def _asks_platform(context: Any, system: Any) -> bool:
    """Tell whether the platform judges the context's client connections."""
    asks = system is not None and system.asks_platform
    return bool(asks and _protocol(context) != _SERVER)


def _judged_by_platform(
    context: Any,
    held: Any,
    state: State,
    make: Callable[..., Any],
    *ends: Any,
    host: str | None,
    owner: object,
) -> Guard:
    """Return a client's connection beneath which OpenSSL verifies nobody."""
    bio = ends[1:]
    pipe = Pipe(*bio) if bio else None
    if pipe is not None:
        ends = ends[0], pipe.held
    asked = asked_of(context)
    inner = _bare.connection(context, state, make, *ends, host=host, owner=owner)
    judge = _asked.OfPlatform(context, host, asked, held)
    # The platform asks nobody what the store holds: who connects past our methods does.
    if not state.indexes.issuperset([index.digest for index in held.indexes]):
        with _fed.feeding:
            fill(context, state, held, False)
    _tell(held, state, shown=not bio)
    return Guard(inner, judge, pipe, unowned=bool(bio) and owner is None)


def _judged_by_openssl(
    context: Any,
    held: Any,
    make: Callable[..., Any],
    *ends: Any,
    server_side: bool,
    host: str | None,
    owner: object,
) -> Guard | None:
    """Return a connection that ``ssl`` itself verifies.

    Returns:
        None where the context's trust was changed before all of that was done.
    """
    with _fed.feeding:
        now, state = given(context)
        if now is not held or held.looked is not held.system:
            return None
        check_judge(held.policy, False)
        # Read before and after: another thread may set it.
        modes = [asked_of(context).verify_mode]
        if server_side and modes != [_NONE]:
            note_trust(context, state, held)
        inner = make(context, *ends, server_side, host, owner=owner)
        modes.append(asked_of(context).verify_mode)
        judge = OfOpenSSL(context, server_side, modes)
        if not fill(context, state, held, server_side):
            return None
    judge.check_side(context)
    return Guard(inner, judge, unowned=len(ends) > 1 and owner is None)


def _tell(held: Any, state: State, *, shown: bool) -> None:
    """Say what the platform does not look at, and that a socket shows our certificate early."""
    if state.owned or (held.indexes and held.policy.at_time is not None):
        _tell_ignored(state)
    if state.shows and shown:
        _asked.tell_shown()


def _tell_ignored(state: State) -> None:
    if not state.told:
        state.told = True
        _log.warning(
            "in compat mode no server is judged by what ssl itself loaded (a CRL, a directory), "
            "nor, where at_time was given, by an anchor of the program's"
        )


def connection_bind(connection: object, digest: bytes) -> Record:
    """Return the connection's record; nothing is bound, for no session is resumed."""
    return record_watch(connection)


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
    if is_guard(connection):  # of another copy of the package, and so are its certificates
        theirs = connection.get_verified_chain if verified else connection.get_unverified_chain
        return Listed(theirs()) if theirs() else None
    if not _native.is_connection(connection):
        raise TypeError(f"not a connection of Python's ssl: {type(connection).__name__!r}")
    if connection.version() is None:
        return None  # one that was never initialised says so too, and must not be asked more
    if not verified:
        found = sent_by(connection)
    elif connection.session_reused or not verifies(connection.context):
        return None
    else:
        found = connection.get_verified_chain()
    return Listed(found) if found else None
