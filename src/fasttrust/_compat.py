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
from collections.abc import Callable, Sequence

from . import _asked, _bundles, _log, _native
from ._fed import State, fill, state_of
from ._guard import Guard, Listed, Pipe, Record, sent_by
from ._mode import compat_reason, is_guard
from ._policy import check_judge
from ._typing import Any

_Base: Any = _ssl._SSLContext
_NONE = int(ssl.CERT_NONE)
_CLIENT, _SERVER = int(ssl.PROTOCOL_TLS_CLIENT), int(ssl.PROTOCOL_TLS_SERVER)
_verify_mode = vars(_Base)["verify_mode"].__get__
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
    state = state_of(context)
    if state is not None and not state.foreign and not state.indexes and not state.system:
        return  # one of ours, which has loaded nothing yet
    bundle = None if exact else _bundles.in_store(context)
    beyond = set() if bundle is None else {*bundle.certificates()} - {*system.certificates()}
    if system.asks_platform and _protocol(context) != _SERVER:
        beyond = set()  # its own store will not be asked
    if exact or beyond:
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
    before = state_of(context)
    state = State(keep)
    held = vars(context)["_fasttrust_held"]
    if keep and held.system and not for_servers and _protocol(context) != _CLIENT:
        own = _Base.get_ca_certs(context, True)
        state.one_sided = bool(own) and not {*held.system.certificates()}.isdisjoint(own)
    if before is not None:  # the store goes on to hold what it held
        state.indexes, state.loaded = set(before.indexes), set(before.loaded)
        state.system = before.system
        # Whoever trusted the system on both sides may do so no longer.
        no_longer = before.system and not held.for_servers
        state.one_sided = state.one_sided or before.one_sided or no_longer
        state.foreign = state.foreign or before.foreign
        state.owned, state.shows = before.owned, before.shows
    _begin(context, state, ask_platform)


def context_add(context: Any, index: _native.Index) -> None:
    """Do nothing: the next connection loads what the context holds by then."""


def context_trust_system(
    context: Any, system: _native.Source | None, *, ask_platform: bool
) -> None:
    """Have the platform asked, where it can be; what can be listed is loaded by a connection."""
    state = state_of(context)
    if state is not None and state.settings is None:
        _begin(context, state, ask_platform)


def _begin(context: Any, state: State, ask_platform: bool) -> None:
    """Give the context its state, and client connections that the platform judges to it."""
    with _asked.making:
        before = state_of(context)
        if before is not None and before.settings is not None:
            _asked.give_back(context, before.settings)
        if ask_platform and _protocol(context) != _SERVER:
            state.settings = _asked.take(context)
            _asked.hand_over(context)
        context._fasttrust_store = state


def context_set_time(context: Any, at_time: int) -> None:
    """Do nothing: the platform is told with each question."""


def context_own(context: Any) -> None:
    """Remember that ``ssl``'s own loader puts something into the context's store."""
    state = state_of(context)
    if state is not None:
        state.foreign = state.owned = True


def context_attached(context: object) -> bool:
    """Tell whether the context carries the verifier of this copy of the package."""
    return state_of(context) is not None


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
    state = state_of(context)
    if state is None:
        raise ValueError("this context was never given its verifier")
    if server_side and context.sni_callback is not None and context.verify_mode != _NONE:
        _hand_out_no_tickets(context)
    pipe = None
    with _asked.making:
        state = state_of(context) or state
        settings = state.settings
        if settings is None:
            # Read before and after: another thread may set it.
            modes = [_verify_mode(context)]
            inner = make(*bio, server_side, host, owner=owner)
            modes.append(_verify_mode(context))
        else:
            modes = [settings.verify_mode if server_side else _NONE]
            pipe = Pipe(*bio) if bio and not server_side else None
            to = bio if pipe is None else (pipe.held,)
            inner = None
            # Again, where another thread that sets options has just taken that one away, or where a
            # finalizer or a signal's handler has made one meanwhile and so closed the context.
            while _asked.forbid_renegotiation(context) or inner is None:
                with _asked.opened(context, *modes):
                    inner = make(*to, server_side, host, owner=owner)
                    if _verify_mode(context) != modes[0]:
                        inner = None
    if session is not None and not isinstance(session, ssl.SSLSession):
        raise TypeError("Value is not a SSLSession.")
    fill(context, state, held, server_side)
    if settings is not None and not server_side:
        if held.indexes or state.owned:
            _tell_ignored(state)
        if state.shows and not bio:
            _asked.tell_shown()
        judge: Any = _asked.OfPlatform(context, host, settings, held.policy)
    else:
        check_judge(held.policy, False)
        judge = _OfOpenSSL(context, server_side, _NONE in modes)
        judge.check_side(context)
    return Guard(inner, judge, pipe, unowned=bool(bio) and owner is None)


def _hand_out_no_tickets(context: Any) -> None:
    """Spare clients the refusal of sessions of which a server cannot tell who verified them.

    Of TLS 1.2 ``ssl`` cannot be kept from resuming them.
    """
    with contextlib.suppress(ValueError, AttributeError):  # a context for both sides, PyPy
        context.num_tickets = 0


def _tell_ignored(state: State) -> None:
    if not state.told:
        state.told = True
        _log.warning(
            "in compat mode the platform alone judges servers: what the program loaded is ignored"
        )


def _beyond_its_side() -> ssl.SSLError:
    return ssl.SSLError(
        ssl.SSL_ERROR_SSL,
        "in compat mode a context that has connected as a client trusts the system on both sides: "
        "it cannot verify clients; use another context for servers",
    )


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
            state = state_of(each)
            if state is not None and state.one_sided:
                raise _beyond_its_side()

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
        state = state_of(context)
        if self._server_side and _verify_mode(context) != _NONE:
            _hand_out_no_tickets(self._context)
        if state is not None:
            fill(context, state, vars(context)["_fasttrust_held"], self._server_side)

    def getpeercert(self, inner: Any, binary_form: bool) -> Any:
        """Return ``ssl``'s own answer."""
        return inner.getpeercert(binary_form)


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
    elif connection.session_reused or _verify_mode(connection.context) == _NONE:
        return None
    else:
        found = connection.get_verified_chain()
    return Listed(found) if found else None
