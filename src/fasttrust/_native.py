"""The only door to the C core: one function for each of C's, handles in place of pointers.

What leaves this module are numbers, bytes and opaque handles that free themselves. What enters as
an object of ``ssl`` has passed the type gate here, so that C may read its fields.
"""

from __future__ import annotations

import _ssl
import _thread  # threading takes as long as half of the rest of this import
import importlib
import os
import ssl
import sys
from collections.abc import Callable, Sequence

from ._typing import Any, NamedTuple, NewType, TypeGuard

try:
    # By name, so that freezers (PyInstaller, cx_Freeze) find what the extension needs.
    import _cffi_backend  # noqa: F401

    # Said twice, which is how mypy is told that the door's other leaf may have them.
    from ._core import ffi as ffi  # noqa: PLC0414
    from ._core import lib as lib  # noqa: PLC0414
except ImportError as error:
    from ._missing import explained

    raise explained(error, globals()) from error

#: Names this copy of the package: stands on the class of every context that carries its verifier.
HOLDER = __name__.rpartition(".")[0]

#: What the C core knows of one connection.
Record = NewType("Record", object)

STEP_NONE: int = lib.FT_STEP_NONE
STEP_UNASKED: int = lib.FT_STEP_UNASKED
STEP_OPENSSL: int = lib.FT_STEP_OPENSSL
STEP_AGREE: int = lib.FT_STEP_AGREE
STEP_BROKEN: int = lib.FT_STEP_BROKEN
#: Who decided about a peer that was accepted, for people.
STEPS: dict[int, str] = {
    lib.FT_STEP_NONE: "nobody: it showed no certificate",
    lib.FT_STEP_UNASKED: "nobody: peers are not verified here",
    lib.FT_STEP_RESUMED: "nobody anew: a session is resumed",
    lib.FT_STEP_OPENSSL: "OpenSSL",
    lib.FT_STEP_SYSTEM: "the platform",
}
#: FT_REVOCATION_*, by the words that a program says.
REVOCATION: dict[str, int] = {
    word: getattr(lib, f"FT_REVOCATION_{word.upper()}") for word in ("platform", "soft", "hard")
}

#: The verifier of this build's platform: "openssl", "cryptoapi" or "sectrust".
SYSTEM_NAME: str = ffi.string(lib.ft_system_name()).decode("ascii")
#: Whether the system is a verifier that is asked, and not a list of anchors that OpenSSL is given.
PLATFORM_DECIDES: bool = SYSTEM_NAME != "openssl"

# Of the process: importlib.reload of this module leaves what C found where it is.
_opened: bool = globals().get("_opened", False)
# Reentrant, for a signal's handler or a finalizer may make a context too.
_open_lock = _thread.RLock()


def after_fork(renew: Callable[[], None]) -> None:
    """Have every forked child call the function; on Windows nothing forks."""
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=renew)


def _after_fork() -> None:
    # Another thread of the parent may have held it, and is not there to let it go.
    global _open_lock  # noqa: PLW0603
    _open_lock = _thread.RLock()


after_fork(_after_fork)


class UnavailableError(RuntimeError):
    """Python's own OpenSSL cannot be reached; the message says why."""


class Verdict(NamedTuple):
    """How a connection's verification ended; see ``ft_verdict`` in fasttrust.h."""

    step: int
    code: int
    depth: int | None
    native_code: int | None
    native_message: str | None


if sys.implementation.name == "cpython":
    # typeshed knows _ssl's contexts, not its connections.
    _SSLSocket: type = vars(_ssl)["_SSLSocket"]
else:  # PyPy's _ssl has them elsewhere
    _SSLSocket = importlib.import_module("_cffi_ssl._stdssl")._SSLSocket
_subclass = type.__subclasscheck__


def is_context(value: object) -> TypeGuard[_ssl._SSLContext]:
    """Tell whether C may read the value as a context; a fake ``__class__`` does not help."""
    return _subclass(_ssl._SSLContext, type(value))


def is_connection(value: object) -> bool:
    """Tell whether C may read the value as a connection (``_ssl._SSLSocket``)."""
    return _subclass(_SSLSocket, type(value))


def _context_id(context: object) -> int:
    if not is_context(context):
        raise TypeError(f"not an ssl.SSLContext: {type(context).__name__!r}")
    return id(context)


def connection_id(connection: object) -> int:
    if not is_connection(connection):
        raise TypeError(f"not a connection of Python's ssl: {type(connection).__name__!r}")
    return id(connection)


def check(ok: object, err: Any) -> None:
    """Raise what the C core put into ``err``, unless all is well."""
    if ok:
        return
    message = ffi.string(err.message).decode("utf-8", "replace")
    if err.code == lib.FT_E_MEMORY:
        raise MemoryError(message)
    if err.code == lib.FT_E_MISUSE:
        raise ValueError(message)
    if err.code == lib.FT_E_UNAVAILABLE:
        raise UnavailableError(message)
    call = ffi.string(err.call).decode("ascii", "replace")
    raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"{call}: {message}")


def open_library() -> None:
    """Find and prove the OpenSSL of the running ``_ssl``, once per process.

    Raises:
        UnavailableError: it cannot be reached from outside ``_ssl``.
    """
    global _opened  # noqa: PLW0603 - the one state of this module: C holds the table
    if _opened:
        return
    with _open_lock:
        if _opened:
            return
        if sys.implementation.name != "cpython":
            raise UnavailableError("its objects are those of CPython alone")
        context, connection, specimen = _specimen()
        path = getattr(_ssl, "__file__", None)
        err = ffi.new("ft_error *")
        argument = ffi.NULL if path is None else os.fsencode(path)
        ok = lib.ft_open(argument, specimen, err)
        if not ok:
            # A wrong libcrypto cannot clear what the probe left on the right one's error queue.
            import contextlib  # here, for it takes long

            with contextlib.suppress(ssl.SSLError):
                context.set_ciphers("FASTTRUST-NO-SUCH-CIPHER")
        check(ok, err)
        del connection
        _opened = True


def _specimen() -> tuple[Any, Any, Any]:
    context: Any = _ssl._SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    connection: Any = context._wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, "probe.invalid")
    return context, connection, _describe(context, connection)


def _describe(context: object, connection: object) -> Any:
    return ffi.new(
        "ft_specimen *",
        {
            "header": object.__basicsize__,
            "context": id(context),
            "connection": id(connection),
        },
    )


def probe(context: object, connection: object) -> bool:
    """Tell whether two objects, of whatever type, are a context and a connection of its."""
    open_library()
    return bool(lib.ft_probe(_describe(context, connection), ffi.new("ft_error *")))


def openssl_version() -> str:
    """Return the text that the proved library gives of itself."""
    open_library()
    return str(ffi.string(lib.ft_openssl_version()).decode("ascii", "replace"))


def is_setuid() -> bool:
    """Tell whether OpenSSL takes this for a setuid program, whose environment is another's.

    Raises:
        UnavailableError: it cannot be asked.
    """
    open_library()
    return bool(lib.ft_is_setuid())


#: An immutable set of trust anchors.
Index = NewType("Index", object)
#: The system's anchors: an index that is replaced when the system's store changes.
Source = NewType("Source", object)


def _new_trust(system: Source | None, ask_platform: bool, for_servers: bool) -> Any:
    trust = _new(_TRUST)  # field by field: cffi takes three times as long over a dict
    if system is not None:
        trust.system = system
    if ask_platform:
        trust.ask_platform = True
    trust.for_clients = True
    if for_servers:
        trust.for_servers = True
    return trust


def context_attach(
    context: object,
    indexes: Sequence[Index],
    system: Source | None,
    *,
    ask_platform: bool,
    for_servers: bool,
    keep: bool,
    policy: tuple[int, bool, int],
    dropped: Index | None = None,
) -> None:
    """Give the context our verifier and a fresh store; see ``ft_context_attach``."""
    open_library()
    err = _new(_ERROR)
    trust = _new_trust(system, ask_platform, for_servers)
    if indexes:
        array = ffi.new("ft_index *[]", list(indexes))
        trust.indexes = array
        trust.num_indexes = len(indexes)
    if dropped is not None:
        trust.dropped = dropped
    trust.policy = policy
    check(lib.ft_context_attach(_context_id(context), trust, keep, err), err)


def context_add(context: object, index: Index) -> None:
    """Add an index to what the context trusts."""
    err = ffi.new("ft_error *")
    check(lib.ft_context_add(_context_id(context), index, err), err)


def context_trust_system(context: object, system: Source | None, *, ask_platform: bool) -> None:
    """Make the system count on both sides of a connection."""
    err = ffi.new("ft_error *")
    trust = _new_trust(system, ask_platform, True)
    check(lib.ft_context_trust_system(_context_id(context), trust, err), err)


def context_own(context: object) -> None:
    """Say that ``ssl``'s own loader puts something into the context's store."""
    err = ffi.new("ft_error *")
    check(lib.ft_context_own(_context_id(context), err), err)


def context_set_time(context: object, at_time: int) -> None:
    """Judge by that moment, in seconds since 1970, on connections made from now on."""
    err = ffi.new("ft_error *")
    check(lib.ft_context_set_time(_context_id(context), at_time, err), err)


def connection_set_time(connection: object, at_time: int) -> None:
    """Judge by that moment on a new connection, whatever became of its context's flags."""
    err = ffi.new("ft_error *")
    check(lib.ft_connection_set_time(connection_id(connection), at_time, err), err)


def context_attached(context: object) -> bool:
    """Tell whether the context carries the verifier of this copy of the package."""
    if not _opened or not lib.ft_context_attached(_context_id(context)):
        return False
    # One file under two names is one library to the loader: it may have been the other's.
    return bool(getattr(type(context), "_fasttrust_holder", HOLDER) == HOLDER)


_bind = lib.ft_connection_bind
_watch = lib.ft_record_watch
_record_free = lib.ft_record_free
_gc = ffi.gc
_new = ffi.new
_ERROR = ffi.typeof("ft_error *")
_TRUST = ffi.typeof("ft_trust *")


def connection_bind(connection: object, digest: bytes) -> Record:
    """Bind a new connection's sessions to what they are verified under, by a hash of 32 bytes.

    Returns:
        The connection's record, which outlives it.
    """
    address = connection_id(connection)
    err = _new(_ERROR)
    record = _bind(address, digest, err) and _watch(address, err)
    check(record, err)
    return Record(_gc(record, _record_free))


def record_watch(connection: object) -> Record:
    """Return the record of a connection, which outlives it."""
    err = _new(_ERROR)
    record = _watch(connection_id(connection), err)
    check(record, err)
    return Record(_gc(record, _record_free))


def record_verdict(record: Record) -> Verdict:
    """Return the latest verdict on the connection."""
    verdict = ffi.new("ft_verdict *")
    lib.ft_record_verdict(record, verdict)
    return verdict_of(verdict)


def verdict_of(verdict: Any) -> Verdict:
    message = ffi.string(verdict.native_message).decode("utf-8", "replace")
    return Verdict(
        verdict.step,
        verdict.code,
        verdict.depth if verdict.depth >= 0 else None,
        verdict.native_code or None,
        message or None,
    )


_record_chain = lib.ft_record_chain
_connection_chain = lib.ft_connection_chain
_chain_free = lib.ft_chain_free
_chain_len = lib.ft_chain_len
_chain_ders = lib.ft_chain_ders
_unpack = ffi.unpack


class Chain:
    """A captured chain: referenced certificates, leaf first, in DER only on request, then all.

    Attributes:
        length: the number of certificates.
        ders: None until ``encode()`` was called.
    """

    __slots__ = ("_handle", "ders", "length")

    def __init__(self, handle: Any) -> None:
        self._handle = _gc(handle, _chain_free)
        self.length: int = _chain_len(handle)
        self.ders: list[bytes] | None = None

    def encode(self) -> list[bytes]:
        """Return every certificate in DER."""
        found = _chain_ders(self._handle)
        if not found:
            raise MemoryError("a certificate could not be encoded")
        ders = self.ders = [_unpack(der.data, der.len) for der in _unpack(found, self.length)]
        return ders


#: How often anything was captured: a chain stays the present one while the number does.
record_captures: Callable[[Record], int] = lib.ft_record_captures


def record_chain(record: Record, verified: bool) -> Chain | None:
    """Return what was captured, None where there is nothing."""
    chain = _record_chain(record, verified)
    return Chain(chain) if chain else None


def connection_chain(connection: object, verified: bool) -> Chain | None:
    """Return the chain of any connection, None where there is nothing.

    Raises:
        ValueError: the connection was never initialised.
    """
    open_library()
    err = _new(_ERROR)
    chain = _connection_chain(connection_id(connection), verified, err)
    if not chain:
        check(err.code == lib.FT_OK, err)
        return None
    return Chain(chain)


def code_text(code: int) -> str:
    """Return OpenSSL's own words for a code of a verdict."""
    return str(ffi.string(lib.ft_code_text(code)).decode("ascii", "replace"))
