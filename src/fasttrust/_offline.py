"""verify_chain: the verdict of a handshake, without one."""

from __future__ import annotations

import _ssl
import base64
import binascii
import ssl
from collections.abc import Iterable, Iterator

from . import _native, _native_offline
from ._certificate import Certificate, certificates, parsed, remember_parsed
from ._connection import explain, tell_accepted
from ._context import SSLContext
from ._default import create_default_context
from ._errors import ssl_refusal
from ._mode import compat_reason
from ._places import environment
from ._policy import seconds
from ._trust import TrustStore
from ._typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime

#: One certificate in DER, one or more in PEM, or one that may have been parsed before.
Given = Certificate | str | bytes | bytearray | memoryview
_GIVEN = Certificate, str, bytes, bytearray, memoryview

#: What a TLS peer may send, in bytes: OpenSSL's SSL_MAX_CERT_LIST_DEFAULT.
MOST_BYTES = 100 * 1024
#: As many private contexts a TrustStore keeps: one for each purpose and environment.
_MOST_CONTEXTS = 16

_UNSPECIFIED = 1  # X509_V_ERR_*
_HOSTNAME_MISMATCH = 62
_IP_ADDRESS_MISMATCH = 64

_SYSTEM = TrustStore.system()
_wrap_bio: Any = vars(_ssl._SSLContext)["_wrap_bio"]
_MemoryBIO = ssl.MemoryBIO
_SERVER_AUTH, _CLIENT_AUTH = ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH


def verify_chain(
    chain: Given | Iterable[Given],
    *,
    server_hostname: str | bytes | None,
    trust: TrustStore | None = None,
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
    at_time: datetime.datetime | None = None,
) -> tuple[Certificate, ...]:
    """Verify a chain without a connection, as a handshake of ``create_default_context()`` would.

        chain = fasttrust.verify_chain([leaf_der, intermediate_der], server_hostname="example.org")

    The same callback decides, with the settings of the running Python's
    ``ssl.create_default_context()``: the same chain gives the same verdict, code and depth. What a
    handshake proves beyond that is not proved here: that the peer holds the leaf's key.

    Args:
        chain: what the peer sent, leaf first, in any mixture of DER, PEM (several certificates in
            one text, too) and ``Certificate``. A ``Certificate`` is parsed once for all calls.
        server_hostname: the name or IP address that the leaf must be for, as ``wrap_socket()``
            takes it; None, said explicitly, checks no name. For clients it must be None.
        trust: what to trust; None is the system. For clients it has to be given. It is worth
            keeping one ``TrustStore`` for many calls.
        purpose: ``ssl.Purpose.SERVER_AUTH`` to verify a server's chain, ``CLIENT_AUTH`` a client's.
        at_time: the moment to judge by, with its time zone; None is now.

    Returns:
        The verified chain, leaf first, anchor last.

    Raises:
        VerificationError: the chain is not trusted; all that a refused handshake would tell.
        ValueError: the chain is empty, malformed or larger than any peer may send (100 KiB), or an
            argument makes no sense.
        TypeError: an argument is of the wrong type.
        OSError: the system's store is needed and cannot be read, as for
            ``create_default_context()``.
        NotImplementedError: Python's own OpenSSL cannot be reached (``backend()`` says why).
    """
    is_server = _serves(purpose)
    _check_name(server_hostname, is_server)
    when = None if at_time is None else seconds(at_time)
    if trust is None and is_server:
        raise ValueError(
            "client certificates need trust=: whom the system trusts to name servers has not said "
            "who may be a client"
        )
    if trust is not None and not isinstance(trust, TrustStore):
        raise TypeError(f"trust is not a TrustStore: {type(trust).__name__!r}")
    if compat_reason():
        raise NotImplementedError(f"verify_chain() cannot be had in compat mode: {compat_reason()}")
    sent = _as_sent(chain)
    context = _private_context(_SYSTEM if trust is None else trust, is_server)
    return verify_under(
        context, sent, server_hostname=server_hostname, is_server=is_server, at_time=when
    )


def verify_under(
    context: SSLContext,
    sent: _native.Chain,
    *,
    server_hostname: str | bytes | None,
    is_server: bool,
    at_time: int | None = None,
) -> tuple[Certificate, ...]:
    """Return the verified chain of what a peer would have sent to a connection of the context.

    Raises:
        VerificationError: the peer would have been refused, or would not have been verified.
    """
    held = context._fasttrust_held
    held.freshen()
    # ssl prepares the connection: the name or address, the context's settings. Past our own
    # methods, which would bind sessions that there will be none of.
    host = context._encode_hostname(server_hostname)
    connection = _wrap_bio(context, _MemoryBIO(), _MemoryBIO(), is_server, host)
    verdict, verified = _native_offline.connection_verify(connection, sent, at_time)
    if verified is not None:
        chain = certificates(verified)
        tell_accepted(host, verdict, chain)
        return chain
    raise explain(
        _as_ssl_refuses(verdict.code or _UNSPECIFIED, host),
        verdict,
        certificates(sent),
        host=host,
        origin=held.origin(is_server),
        problem=held.problem(is_server),
        at_time=at_time,
    )


def _as_ssl_refuses(code: int, host: str | None) -> ssl.SSLCertVerificationError:
    """Return what ``ssl`` raises in a handshake, with the words that it has for the code."""
    if code == _HOSTNAME_MISMATCH:
        text = f"Hostname mismatch, certificate is not valid for '{host}'."
    elif code == _IP_ADDRESS_MISMATCH:
        text = f"IP address mismatch, certificate is not valid for '{host}'."
    else:
        text = _native.code_text(code)
    return ssl_refusal(code, text)


def _private_context(trust: TrustStore, is_server: bool) -> SSLContext:
    """Return a context that nobody else has, made once for each purpose and environment."""
    chosen = environment() if trust._system else None
    key = is_server, chosen
    context: SSLContext | None = trust._contexts.get(key)
    if context is None:
        context = create_default_context(_CLIENT_AUTH if is_server else _SERVER_AUTH, trust=trust)
        context.verify_mode = ssl.CERT_REQUIRED
        if trust._system and context._fasttrust_held.system is None:
            return context  # the fallback of a machine without a store, which may get one
        if chosen is not None and chosen != environment():
            return context  # another thread changed it meanwhile: nobody knows which one counts
        if len(trust._contexts) >= _MOST_CONTEXTS:
            trust._contexts.clear()
        trust._contexts[key] = context
    return context


# ---- arguments -------------------------------------------------------------------------------


def _serves(purpose: object) -> bool:
    """Tell whether we are the server, whose peers are clients."""
    if purpose is _SERVER_AUTH:
        return False
    if purpose is _CLIENT_AUTH:
        return True
    raise TypeError(f"purpose is neither Purpose.SERVER_AUTH nor CLIENT_AUTH: {purpose!r}")


def _check_name(name: object, is_server: bool) -> None:
    if name is None:
        return
    if not isinstance(name, (str, bytes)):
        raise TypeError(f"server_hostname is not str, bytes or None: {type(name).__name__!r}")
    if is_server:
        raise ValueError("a client certificate is for no host: server_hostname must be None")
    if (b"\0" if isinstance(name, bytes) else "\0") in name:  # type: ignore[operator]
        raise ValueError(f"server_hostname has a null character: {name!r}")


def _as_sent(chain: Given | Iterable[Given]) -> _native.Chain:
    """Return the chain as OpenSSL parses it.

    Raises:
        ValueError: there is none, or it is malformed or too large.
        TypeError: this is no chain.
    """
    given = list(_certificates(chain))
    if not given:
        raise ValueError("the chain is empty")
    parts: list[bytes | tuple[_native.Chain, int]] = []
    for one in given:
        parts.append(one if isinstance(one, bytes) else parsed(one) or bytes(one))
    first = parts[0]
    if isinstance(first, tuple) and parts == [(first[0], i) for i in range(first[0].length)]:
        return first[0]
    sent = _native_offline.chain_make(parts)
    for place, one in enumerate(given):
        if isinstance(one, Certificate):
            remember_parsed(one, sent, place)
    return sent


def _certificates(chain: Given | Iterable[Given]) -> Iterator[bytes | Certificate]:
    size = 0
    for item in (chain,) if isinstance(chain, _GIVEN) else chain:
        for certificate in (item,) if isinstance(item, Certificate) else _read(item):
            size += len(bytes(certificate))
            if size > MOST_BYTES:
                raise ValueError("the chain is larger than any TLS peer may send: 100 KiB")
            yield certificate


def _read(data: object) -> list[bytes]:
    """Return the certificates of DER or PEM, each in DER."""
    if isinstance(data, str):
        if not data.isascii():
            raise ValueError("a text of the chain is not PEM: not ASCII")
        return _read_pem(data.encode("ascii"))
    try:
        view = memoryview(data)  # type: ignore[arg-type]
    except TypeError as error:
        raise TypeError(
            f"the chain has something other than DER, PEM or Certificate: {type(data).__name__!r}"
        ) from error
    content = view.tobytes()
    return [content] if content[:1] == b"\x30" else _read_pem(content)


def _read_pem(text: bytes) -> list[bytes]:
    _, *blocks = text.split(b"-----BEGIN ")
    if not blocks:
        raise ValueError("the chain has something that is neither DER nor PEM")
    return [_read_block(block) for block in blocks]


def _read_block(block: bytes) -> bytes:
    label, _, rest = block.partition(b"-----")
    if label not in (b"CERTIFICATE", b"X509 CERTIFICATE"):
        raise ValueError(f"the chain has a PEM block that is no certificate: {label[:60]!r}")
    body, end, _ = rest.partition(b"-----END " + label + b"-----")
    if not end:
        raise ValueError("a PEM block of the chain is cut off")
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a PEM block of the chain is broken: {error}") from error
