"""Compat mode where ``ssl`` itself verifies: what its verdict is worth, and what sessions are.

One store serves both sides of a connection, and of a session that a server resumes nobody can tell
by what its client was verified. What would need that is refused.
"""

from __future__ import annotations

import _ssl
import contextlib
import ssl
import time

from . import _fed, _native
from ._fed import State, fill, state_of
from ._guard import Record, sent_by
from ._standard import all_settings, asked_of
from ._typing import Any

_Base: Any = _ssl._SSLContext
_NONE = int(ssl.CERT_NONE)
_NO_TICKET = int(ssl.OP_NO_TICKET)
_options = vars(_Base)["options"]


def given(context: Any) -> tuple[Any, State]:
    """Return what a context trusts, and what its store holds of that."""
    held, state = vars(context).get("_fasttrust_held"), state_of(context)
    if held is None or state is None:
        with _fed.feeding:  # for another thread may be just about to give it
            held, state = vars(context).get("_fasttrust_held"), state_of(context)
    if held is None or state is None:
        raise ValueError(
            "this context was never given its verifier: call fasttrust.SSLContext() or attach()"
        )
    return held, state


def verifies(context: Any) -> bool:
    return asked_of(context).verify_mode != _NONE


def hand_out_no_tickets(context: Any) -> None:
    """Spare clients the refusal of sessions of which a server cannot tell who verified them.

    Of TLS 1.2 ``ssl`` cannot be kept from resuming them.
    """
    with contextlib.suppress(ValueError, AttributeError):  # a context for both sides, PyPy
        context.num_tickets = 0


def note_trust(context: Any, state: State, held: Any) -> None:
    """Notice that clients are verified under something else: sessions of before count no more.

    Most are then not even looked at, for a full handshake: those in tickets, which OpenSSL keeps
    nowhere. Of those that it keeps by their numbers (TLS 1.2), ``state.since`` decides.
    """
    under = held.digest, all_settings(context)
    if state.under not in (None, under):
        state.since = time.time()
    state.under = under
    if state.since:
        _options.__set__(context, _options.__get__(context) | _NO_TICKET)
        hand_out_no_tickets(context)


def _built_of_sent(inner: Any) -> list[Any]:
    """Return what is known of what a refused peer sent, where OpenSSL has forgotten it.

    Servers' does, and 1.1.1, but for the chain that they tried to build: what the context does not
    hold of that was sent.
    """
    built = inner.get_verified_chain() or []
    context = inner.context
    held = {*_fed.loaded(context), *_Base.get_ca_certs(context, True)}
    return built[:1] + [one for one in built[1:] if one.public_bytes(2) not in held]


def _beyond_its_side() -> ssl.SSLError:
    return ssl.SSLError(
        ssl.SSL_ERROR_SSL,
        "in compat mode a context that has connected as a client trusts the system on both sides: "
        "it cannot verify clients; use another context for servers",
    )


class OfOpenSSL:
    """OpenSSL has decided in the handshake, by what the context's store held."""

    decides = False

    def __init__(self, context: Any, server_side: bool, modes: list[int]) -> None:
        self._context = context
        self._server_side = server_side
        # Where that changed just when the connection was made both may be true.
        self._unasked = _NONE in modes
        self._asks = any(mode != _NONE for mode in modes)

    def check_side(self, context: Any) -> None:
        """Refuse to verify clients by roots that were loaded to verify servers."""
        if not self._server_side or not self._asks:
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
        asks = self._asks or (switched and verifies(inner.context))
        switches = switched or self._context.sni_callback is not None
        if asks and (switches or inner.getpeercert(True) is None or self._is_old(inner.session)):
            raise ssl.SSLError(
                ssl.SSL_ERROR_SSL,
                "in compat mode a server that verifies clients resumes no session of which it "
                "cannot tell by which context its client was verified, and none from before that "
                "context trusted something else",
            )

    def _is_old(self, session: Any) -> bool:
        """Tell whether a session may be from before the context's trust changed."""
        with _fed.feeding:
            held, state = given(self._context)
            note_trust(self._context, state, held)
            # OpenSSL counts in whole seconds. One from the future: somebody has set the clock.
            return bool(state.since) and not state.since < session.time <= time.time()

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
            record.chains.pop(True, None)
            record.keep(False, sent_by(inner) or _built_of_sent(inner))
            record.verdict = _native.Verdict(_native.STEP_OPENSSL, code, None, None, None)

    def moved(self, context: Any) -> None:
        """Prepare the context that takes over, as a server's may once it hears a name."""
        state = state_of(context)
        if self._server_side and verifies(context):
            hand_out_no_tickets(self._context)
        if state is None:
            return
        vars(context)["_fasttrust_held"].freshen()
        with _fed.feeding:
            held, state = given(context)
            fill(context, state, held, self._server_side)

    def getpeercert(self, inner: Any, binary_form: bool) -> Any:
        """Return ``ssl``'s own answer."""
        return inner.getpeercert(binary_form)
