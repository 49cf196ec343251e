"""Compat mode on Windows and macOS: the contexts that make what lies beneath a guard.

Beneath a connection that the platform judges OpenSSL verifies nobody, and what a connection has it
takes from its context when it is made. So it is made by a context of our own, which verifies
nobody and is given to nobody, and then handed to the program's: there OpenSSL finds certificates,
ciphers and callbacks from then on. The program's context is touched by none of this and verifies
as the program set it, at every moment: who makes a connection past our methods (another class,
C's own method) gets one of ``ssl``'s, which refuses whom only the system knows.

A connection keeps some things of the context that made it, so ours has them as the program's does:
options, versions and post-handshake authentication can be read; ALPN and groups can not. Those are
noted when they are set, and what was set before we could hear it is read from how a handshake of
the program's context begins, once, one that goes nowhere: its callbacks for messages and for keys
shared beforehand hear of that.
"""

from __future__ import annotations

import _ssl
import contextlib
import functools
import os
import ssl
import warnings
from collections.abc import Callable

from . import _fed
from ._fed import State, state_of
from ._typing import Any, NamedTuple

_Base: Any = _ssl._SSLContext
_CLIENT = int(ssl.PROTOCOL_TLS_CLIENT)
_NONE = int(ssl.CERT_NONE)
_NO_RENEGOTIATION = int(ssl.OP_NO_RENEGOTIATION)  # 0 where nobody renegotiates (BoringSSL)
#: The protocols of one version alone, without bounds, by their numbers in ``_ssl``.
_ONE_VERSION = {1, 3, 4, 5}
_GROUPS, _ALPN = 10, 16  # extensions of TLS
#: What ``set_ecdh_curve()`` calls the groups that it can have set (RFC 8422, 7027).
_CURVES = {
    21: "secp224r1",
    22: "secp256k1",
    23: "prime256v1",
    24: "secp384r1",
    25: "secp521r1",
    26: "brainpoolP256r1",
    27: "brainpoolP384r1",
    28: "brainpoolP512r1",
    29: "X25519",
    30: "X448",
}


class Said(NamedTuple):
    """What cannot be read of a context.

    Attributes:
        alpn: the protocols as they go over the wire.
        groups: the method that set them, and what it was told; none where nobody did.
        shares_keys: whether there may be a key that was shared beforehand (PSK), which no handshake
            shows.
    """

    alpn: bytes = b""
    groups: tuple[str, ...] = ()
    shares_keys: bool = False


class _Readable(NamedTuple):
    """What a connection keeps of the context that made it, and anybody can read there."""

    protocol: int
    options: int
    minimum_version: int
    maximum_version: int
    post_handshake_auth: int


_of_c = [vars(_Base)[name] for name in _Readable._fields]


def _read(context: Any) -> _Readable:
    return _Readable(*(int(each.__get__(context)) for each in _of_c))


class _Bare(_ssl._SSLContext):
    """Of the class in C: injection is not asked."""


def connection(
    context: Any,
    state: State,
    make: Callable[..., Any],
    *ends: Any,
    host: str | None,
    owner: object,
) -> Any:
    """Return a client's connection of a context, beneath which OpenSSL verifies nobody.

    Args:
        context: the program's.
        state: the context's.
        make: C's method that makes one, for any context.
        ends: what it reads and writes.
        host: the name of the server, if any.
        owner: what wraps the connection.

    Raises:
        ssl.SSLError: what the program has set cannot be told.
    """
    made = make(_bare(_read(context), _said(context, state)), *ends, False, host, owner=owner)
    made.context = context
    return made


@functools.lru_cache(maxsize=64)
def _bare(read: _Readable, said: Said) -> Any:
    """Return a context that verifies nobody, one for all that connections keep of it."""
    try:
        context = _of_versions(read)
    except DeprecationWarning:  # under -W error, of what the program has set in spite of it
        # One thread at a time: what a second one restores is what the first has silenced.
        with _fed.feeding, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = _of_versions(read)
    context.check_hostname = False
    context.verify_mode = _NONE
    context.post_handshake_auth = bool(read.post_handshake_auth)
    if said.alpn:
        context._set_alpn_protocols(said.alpn)
    if said.groups:
        method, value = said.groups
        getattr(context, method)(value)
    if said.shares_keys:
        # OpenSSL has to find one here; whom it calls is the program's, on the program's context.
        context.set_psk_client_callback(lambda hint: (None, b""))
    return context


def _of_versions(read: _Readable) -> Any:
    one = read.protocol in _ONE_VERSION
    context: Any = _Bare(read.protocol if one else _CLIENT)
    context.options = read.options | _NO_RENEGOTIATION
    if not one:
        context.minimum_version, context.maximum_version = (
            read.minimum_version,
            read.maximum_version,
        )
    return context


# ---- what cannot be read -------------------------------------------------------------------------


def _note(context: Any, **said: Any) -> None:
    """Note what the program has set."""
    state = state_of(context)
    if state is not None:
        state.said.update(said)


def forget(state: State) -> None:
    """Forget what was noted, but for what no handshake shows."""
    state.said = {"shares_keys": True} if state.said.get("shares_keys") else {}


def _set_alpn_protocols(self: Any, protocols: Any) -> None:
    """Set the protocols of ALPN, as they go over the wire."""
    _Base._set_alpn_protocols(self, protocols)
    _note(self, alpn=bytes(protocols))


def set_ecdh_curve(self: Any, name: str | bytes) -> None:
    """Set the one group of a key exchange, as ``ssl`` does."""
    _Base.set_ecdh_curve(self, name)
    _note(self, groups=("set_ecdh_curve", os.fsdecode(name)))


def set_groups(self: Any, groups: str) -> None:
    """Set the groups of a key exchange, as ``ssl`` does (Python 3.15)."""
    _Base.set_groups(self, groups)
    _note(self, groups=("set_groups", groups))


def set_psk_client_callback(self: Any, callback: Any) -> None:
    """Set what tells a key that was shared beforehand, as ``ssl`` does (Python 3.13)."""
    _Base.set_psk_client_callback(self, callback)
    _note(self, shares_keys=callback is not None)


def _said(context: Any, state: State) -> Said:
    """Return what was set; what nobody noted, from how a handshake begins."""
    said = state.said
    if len(said) < len(Said._fields):
        begun = _as_it_begins(context, said)
        for name, found in begun._asdict().items():
            said.setdefault(name, found)  # another thread may just have set it
    return Said(**said)


def _as_it_begins(context: Any, noted: dict[str, Any]) -> Said:
    """Read from a handshake what the program has set; ours, beside it, tells the defaults."""
    shares_keys = noted.get("shares_keys", False)
    beside = _bare.__wrapped__(_read(context), Said(shares_keys=shares_keys))
    old = [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
    level = getattr(context, "security_level", None)  # PyPy tells none
    at_level = [] if level is None else [f"@SECLEVEL={level}"]
    beside.set_ciphers(":".join([*(old or ["DEFAULT"]), *at_level]))
    theirs, ours = _hello(context), _hello(beside)
    groups: tuple[str, ...] = ()
    if "groups" not in noted and theirs.get(_GROUPS) != ours.get(_GROUPS):
        number = int.from_bytes(theirs.get(_GROUPS, b"")[2:], "big")  # of the only one, or nonsense
        if number not in _CURVES:
            raise ssl.SSLError(
                ssl.SSL_ERROR_SSL,
                "in compat mode it cannot be told which groups were set before the context was "
                "attached: set them after attach()",
            )
        groups = "set_ecdh_curve", _CURVES[number]
    return Said(theirs.get(_ALPN, b"")[2:], groups, shares_keys)


def _hello(context: Any) -> dict[int, bytes]:
    """Return the extensions of a ClientHello (RFC 8446, section 4.1.2) of the context's."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = _Base._wrap_bio(context, incoming, outgoing, False, "nobody.invalid")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    sent = outgoing.read()
    at = 5 + 4 + 2 + 32  # headers of record and message, version, random
    for size in (1, 2, 1):  # of the lengths of session, suites and compression
        at += size + int.from_bytes(sent[at : at + size], "big")
    at += 2
    found = {}
    while at < len(sent):
        kind, size = (int.from_bytes(sent[at + n : at + n + 2], "big") for n in (0, 2))
        found[kind] = sent[at + 4 : at + 4 + size]
        at += 4 + size
    return found
