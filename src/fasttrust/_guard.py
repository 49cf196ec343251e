"""The guard of compat mode: what stands in place of ``_sslobj``, so that nothing passes unjudged.

Whatever a program does with a connection goes through this object, be it a socket's or a memory
BIO's, and however it was wrapped. Every operation that could move an application byte first
completes the handshake, as ``ssl``'s implicit handshake does, and then the verdict. After a refusal
the guard lets go of the connection for good: there is nothing left to move a byte through.
"""

from __future__ import annotations

import functools
import ssl
import weakref
from collections.abc import Callable

from . import _log, _native
from ._certificate import Certificate, Unparsed, certificates
from ._pipe import Pipe, new_lock
from ._typing import Any, Protocol

_DER = 2  # _ssl.ENCODING_DER


class Listed(Unparsed):
    """A chain as ``_ssl`` gives it: its certificates, in DER only on request, then all."""

    __slots__ = ("_certificates",)

    def __init__(self, found: list[Any]) -> None:
        self._certificates = found
        self.length = len(found)
        self.ders = None
        self.parsed = None

    def same(self, found: list[Any]) -> bool:
        """Tell whether these are the same certificates."""
        return self._certificates == found

    def encode(self) -> list[bytes]:
        """Return every certificate in DER."""
        ders = self.ders = [
            one if isinstance(one, bytes) else one.public_bytes(_DER) for one in self._certificates
        ]
        return ders


def sent_by(inner: Any) -> list[Any]:
    """Return what the peer sent: on servers the client's own certificate is first, if any."""
    return [one for one in inner.get_unverified_chain() or () if one is not None]


class Record:
    """What is known of one connection, and outlives it."""

    __slots__ = ("captures", "chains", "verdict")

    def __init__(self) -> None:
        self.captures = 0
        self.chains: dict[bool, Listed] = {}
        self.verdict = _native.Verdict(_native.STEP_NONE, 0, None, None, None)

    def keep(self, verified: bool, found: list[Any] | None) -> None:
        """Keep a chain; an empty one is none."""
        if found:
            self.chains[verified] = Listed(found)
            self.captures += 1


class Judge(Protocol):
    """Who says what a connection is worth."""

    #: Whether the verdict is ours, by what the peer sent, and not OpenSSL's in the handshake.
    decides: bool

    def look(self, inner: Any, record: Record) -> None:
        """Judge what is there; raises the refusal."""

    def refused(self, error: ssl.SSLError, inner: Any, record: Record) -> None:
        """Take note that OpenSSL refused."""

    def moved(self, context: Any) -> None:
        """Prepare another context, before it takes over the connection."""

    def getpeercert(self, inner: Any, binary_form: bool) -> Any:
        """Answer in the connection's place."""


def _same(answer: Any) -> Any:
    return answer


# What is still told of a connection that was refused: these, and what these answer.
_KEPT = ("context", "server_hostname", "server_side", "session_reused")
_ANSWERS = ("cipher", "compression", "selected_alpn_protocol", "shared_ciphers")
# What tells something of a connection and moves nothing.
_TELLS = frozenset(
    {
        "cipher",
        "compression",
        "context",
        "group",
        "owner",
        "selected_alpn_protocol",
        "server_hostname",
        "server_side",
        "session",
        "session_reused",
        "shared_ciphers",
        "sigalg",
        "client_sigalg",
        "uses_ktls_for_send",
        "uses_ktls_for_recv",
    }
)


class Guard:
    """A connection that does nothing before it was judged, and nothing at all once refused.

    Args:
        inner: the ``_ssl._SSLSocket``; nobody else may have it.
        judge: who says what it is worth.
        pipe: what it writes to, where what leaves has to wait for the verdict.
        unowned: whether callbacks (SNI, messages) would be shown the bare connection.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_error",
        "_inner",
        "_judge",
        "_kept",
        "_lock",
        "_open",
        "_owner",
        "_pipe",
        "record",
    )

    #: By which another copy of the package knows a guard of this one.
    _fasttrust_guard = True

    def __init__(
        self, inner: Any, judge: Judge, pipe: Pipe | None = None, *, unowned: bool = False
    ) -> None:
        self._inner = inner
        self._judge = judge
        self._pipe = pipe
        self._kept: dict[str, Any] = {}
        self._owner: Callable[[], Any] = lambda: None
        self._open = False
        #: Whether the peer, a client, may show a certificate after the handshake.
        self._asked = False
        self._error: Callable[[], BaseException] | None = None
        # For two threads that begin to use one connection: its handshake and verdict come once.
        self._lock = new_lock(self)
        self.record = Record()
        if unowned:
            inner.owner = self

    # ---- handshake and verdict ---------------------------------------------------------------

    def do_handshake(self) -> None:
        """Complete handshake and verdict; raises what either of them says."""
        with self._lock:
            inner = self._alive()
            if self._open:
                self._through(inner.do_handshake)
                return
            try:
                inner.do_handshake()
            except ssl.SSLError as error:
                if not isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
                    self._judge.refused(error, inner, self.record)
                # With TLS 1.2 a client's certificate leaves before its server is done, or spoils
                # the rest of the handshake.
                if self._judge.decides and self._pipe and sent_by(inner):
                    self._judged(inner)
                self._let_go()  # and an alert
                if isinstance(error, ssl.SSLCertVerificationError):
                    self._die(error)
                raise
            self._judged(inner)
            self._open = True
            self._let_go()

    def _judged(self, inner: Any) -> None:
        try:
            self._judge.look(inner, self.record)
        except BaseException as error:
            self._die(error)
            raise

    def _die(self, error: BaseException) -> None:
        if self._error is not None:
            return  # of a verdict within this one, by a finalizer or a signal's handler
        if not isinstance(error, ssl.SSLError):  # an interrupt, say: there was no verdict
            error = ssl.SSLError(ssl.SSL_ERROR_SSL, f"the verdict was not reached: {error!r}")
        kind, args, state = type(error), error.args, dict(vars(error))

        def again() -> BaseException:
            same = kind(*args)
            same.__dict__.update(state)
            return same

        owner = self.owner
        self._owner = (lambda: None) if owner is None else weakref.ref(owner)  # it holds us
        self._kept = {name: getattr(self._inner, name) for name in _KEPT}
        for name in _ANSWERS:
            self._kept[name] = functools.partial(_same, getattr(self._inner, name)())
        self._error = again
        self._inner = self._pipe = None

    def _alive(self) -> Any:
        if self._error is not None:
            raise self._error()
        return self._inner

    def _ready(self) -> Any:
        """Return the connection, once it was judged."""
        if not self._open:
            self.do_handshake()
        return self._alive()

    def _let_go(self) -> None:
        if self._pipe is not None:
            self._pipe.let_go()

    def _through(self, operation: Callable[..., Any], *args: Any) -> Any:
        try:
            return operation(*args)
        finally:
            self._let_go()

    # ---- what moves bytes --------------------------------------------------------------------

    def read(self, *args: Any) -> Any:
        """Read application bytes."""
        inner = self._ready()
        if not self._asked:
            return self._through(inner.read, *args)
        try:
            found = self._through(inner.read, *args)
        except ssl.SSLCertVerificationError as error:
            self._judge.refused(error, inner, self.record)
            raise
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._judged(inner)
            raise
        self._judged(inner)
        return found

    def write(self, *args: Any) -> Any:
        """Write application bytes."""
        return self._through(self._ready().write, *args)

    def _write_with_length(self, *args: Any) -> Any:
        # PyPy's sendall writes so.
        return self._through(self._ready()._write_with_length, *args)

    def shutdown(self, *args: Any) -> Any:
        """Say goodbye under TLS."""
        return self._through(self._ready().shutdown, *args)

    def pending(self) -> int:
        """Return how many bytes can be read at once: none before the verdict."""
        inner = self._alive()
        return int(inner.pending()) if self._open else 0

    def __getattr__(self, name: str) -> Any:
        # Only for what is not defined here: facts are told, an operation that nobody foresaw
        # waits for the verdict like any other.
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._kept:
            return self._kept[name]
        inner = self._alive()
        found = getattr(inner, name)
        if name in _TELLS or not callable(found):
            return found

        def operation(*args: Any) -> Any:
            return self._through(getattr(self._ready(), name), *args)

        return operation

    # ---- what is ours to say -----------------------------------------------------------------

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the peer's certificate as ``ssl`` does: what was not verified is ``{}``."""
        inner = self._alive()
        if not self._open:
            raise ValueError("handshake not done yet")
        return self._judge.getpeercert(inner, binary_form)

    def get_unverified_chain(self) -> list[Certificate]:
        """Return what the peer sent."""
        return list(certificates(self.record.chains.get(False)))

    def get_verified_chain(self) -> list[Certificate]:
        """Return what was verified."""
        return list(certificates(self.record.chains.get(True)))

    def version(self) -> Any:
        """Return the version of TLS; after a refusal there is none."""
        return None if self._error is not None else self._inner.version()

    def get_channel_binding(self, cb_type: str = "tls-unique") -> Any:
        """Return bytes that are this connection's own."""
        return self._alive().get_channel_binding(cb_type)

    def verify_client_post_handshake(self) -> Any:
        """Ask a client for its certificate; OpenSSL verifies it, on servers, while we read."""
        found = self._through(self._ready().verify_client_post_handshake)
        self._asked = True
        return found

    @property
    def context(self) -> Any:
        """The context, which a server may change while it hears whom the client asks for."""
        return self._kept["context"] if self._kept else self._alive().context

    @context.setter
    def context(self, context: Any) -> None:
        inner = self._alive()
        self._judge.moved(context)
        inner.context = context

    @property
    def owner(self) -> Any:
        """Whoever wraps the connection."""
        found = self._owner() if self._kept else self._alive().owner
        return None if found is self else found

    @owner.setter
    def owner(self, owner: Any) -> None:
        inner = self._alive()
        before = inner.owner
        try:
            inner.owner = owner
        except TypeError:  # C has dropped the one before by then, and shows callbacks itself
            inner.owner = self if before is None else before
            raise

    @property
    def session(self) -> Any:
        """The session; one that is offered is left out, for nobody can tell how it was verified.

        A refused connection has none, nor one that OpenSSL did not verify: it would be resumed
        where OpenSSL should.
        """
        none = self._error is not None or self._judge.decides
        return None if none else self._inner.session

    @session.setter
    def session(self, session: Any) -> None:
        if not isinstance(session, ssl.SSLSession):
            raise TypeError("Value is not a SSLSession.")
        _log.debug("a session is left out: what it was verified under cannot be told")
