"""How a handshake begins, by what was set on its context, and the ways to a context of ours."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import Any

import pytest

import fasttrust
from fasttrust import _default, _guard
from pki import HOST

Setting = Callable[[Any], object]
SETTINGS: dict[str, Setting] = {
    "nothing": lambda context: None,
    "ALPN": lambda context: context.set_alpn_protocols(["h2", "http/1.1"]),
    "ALPN, another": lambda context: context.set_alpn_protocols(["one"]),
    "no ALPN": lambda context: context.set_alpn_protocols([]),
    "a curve": lambda context: context.set_ecdh_curve("secp384r1"),
    "another curve": lambda context: context.set_ecdh_curve(b"prime256v1"),
    "X25519": lambda context: context.set_ecdh_curve("X25519"),
    "ciphers": lambda context: context.set_ciphers("ECDHE+AESGCM:@SECLEVEL=0"),
    "no curves": lambda context: (_tls_1_2(context), context.set_ciphers("AES128-SHA")),
    "TLS 1.2": lambda context: _tls_1_2(context),  # noqa: PLW0108 - it comes below
    "TLS 1.3": lambda context: setattr(context, "minimum_version", ssl.TLSVersion.TLSv1_3),
    "old": lambda context: setattr(context, "minimum_version", ssl.TLSVersion.TLSv1_1),
    "level 4": lambda context: context.set_ciphers("DEFAULT:@SECLEVEL=4"),
    "no tickets": lambda context: _option(context, ssl.OP_NO_TICKET),
    "no TLS 1.2": lambda context: _option(context, ssl.OP_NO_TLSv1_2),
    "later certificates": lambda context: setattr(context, "post_handshake_auth", True),
    "a group (OpenSSL 3)": lambda context: context.set_ecdh_curve("ffdhe2048"),
    "a key, and none (3.13)": lambda context: (
        context.set_ciphers("PSK:ECDHE+AESGCM"),
        context.set_psk_client_callback(lambda hint: (None, b"")),
        context.set_psk_client_callback(None),
    ),
    "suites (3.15)": lambda context: context.set_ciphersuites("TLS_AES_128_GCM_SHA256"),
    "groups (3.15)": lambda context: context.set_groups("secp384r1:secp256r1"),
    "signatures (3.15)": lambda context: (
        context.set_client_sigalgs("ecdsa_secp256r1_sha256"),
        context.set_server_sigalgs("ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384"),
    ),
}
PROTOCOLS = [ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS, ssl.PROTOCOL_TLSv1_2]
# Where they were set before the context was attached.
UNTOLD = ("groups (3.15)", "a group (OpenSSL 3)")


def _tls_1_2(context: Any) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _option(context: Any, option: int) -> None:
    context.options |= option


def sets(context: Any, *names: str) -> None:
    """Set it all, or skip where this Python or this OpenSSL knows nothing of it."""
    for name in names:
        try:
            SETTINGS[name](context)
        except (AttributeError, ValueError, ssl.SSLError) as error:
            if "(" not in name and name != "X25519" and context.protocol in PROTOCOLS[:2]:
                raise
            pytest.skip(f"not to be set here: {error}")


def hello(context: ssl.SSLContext) -> tuple[bytes, dict[int, bytes]]:
    """Return what a handshake begins with: suites, and extensions but for keys."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    made = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    ours = isinstance(context, fasttrust.SSLContext)
    assert ours == (type(made._sslobj) is _guard.Guard)  # type: ignore[attr-defined]
    with contextlib.suppress(ssl.SSLWantReadError):
        made.do_handshake()
    sent = outgoing.read()
    assert (22, 1) == (sent[0], sent[5])
    at = 44 + sent[43]
    suites = sent[at + 2 : at + 2 + int.from_bytes(sent[at : at + 2], "big")]
    at += 2 + len(suites)
    at += 1 + sent[at] + 2
    found = {}
    while at < len(sent):
        kind, size = (int.from_bytes(sent[at + n : at + n + 2], "big") for n in (0, 2))
        content = sent[at + 4 : at + 4 + size]
        # Of the shares of keys, groups and sizes: the keys are new each time.
        found[kind] = content if kind != 51 else _without_keys(content)
        at += 4 + size
    return suites, found


def _without_keys(shares: bytes) -> bytes:
    at, found = 2, b""
    while at < len(shares):
        found += shares[at : at + 4]
        at += 4 + int.from_bytes(shares[at + 2 : at + 4], "big")
    return found


def _of_class(kind: type[ssl.SSLContext], protocol: int, *names: str) -> ssl.SSLContext:
    try:
        context = kind(protocol)
    except ValueError as error:  # of one version, in OpenSSL 4
        pytest.skip(f"not to be had here: {error}")
    sets(context, *names)
    return context


def plain(protocol: int, *names: str) -> ssl.SSLContext:
    return _of_class(ssl.SSLContext, protocol, *names)


def ours(protocol: int, *names: str) -> ssl.SSLContext:
    return _of_class(fasttrust.SSLContext, protocol, *names)


def attached(protocol: int, *names: str) -> ssl.SSLContext:
    context = plain(protocol, *names)
    fasttrust.attach(context)
    return context


def attached_first(protocol: int, *names: str) -> ssl.SSLContext:
    context = attached(protocol)
    sets(context, *names)
    return context


def attached_between(protocol: int, *names: str) -> ssl.SSLContext:
    context = attached(protocol, *names[:1])
    sets(context, *names[1:])
    return context


def set_between(protocol: int, *names: str) -> ssl.SSLContext:
    context = ours(protocol, *names[:1])
    hello(context)
    sets(context, *names[1:])
    return context


def injected(protocol: int, *names: str) -> ssl.SSLContext:
    with fasttrust.inject_into_ssl():
        context = plain(protocol)
        context.load_default_certs()
        sets(context, *names)
    return context


def class_lost(protocol: int, *names: str) -> ssl.SSLContext:
    """A context of an injection that loses our class, as eventlet's do, and gets it back."""
    with fasttrust.inject_into_ssl():
        context = plain(protocol)
        context.load_default_certs()
        hello(context)
    context.__class__ = type("Green", (ssl.SSLContext,), {})
    sets(context, *names)
    with fasttrust.inject_into_ssl(), contextlib.suppress(ssl.SSLError):
        # None may begin, or it cannot be told how.
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    return context


def attached_again(protocol: int, *names: str) -> ssl.SSLContext:
    """A context that loses our class, and is attached anew."""
    context = attached(protocol)
    hello(context)
    context.__class__ = ssl.SSLContext
    sets(context, *names)
    fasttrust.attach(context)
    return context


def attached_twice(protocol: int, *names: str) -> ssl.SSLContext:
    """A context whose settings were heard, and which is attached anew."""
    context = attached_first(protocol, *names)
    fasttrust.attach(context)
    return context


def by_default(protocol: int, *names: str) -> ssl.SSLContext:
    """A default context, of a program that has its own way to make ``ssl``'s."""

    def theirs(*_: object, **__: object) -> ssl.SSLContext:
        return plain(protocol, *names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_default, "_default_context", theirs)
        return fasttrust.create_default_context()


class ByName(ssl.SSLContext):
    """A class that calls its parent's methods by name, and not by ``super()``."""

    def set_ecdh_curve(self, name: Any) -> None:
        ssl.SSLContext.set_ecdh_curve(self, name)

    def set_alpn_protocols(self, protocols: Any) -> None:
        ssl.SSLContext.set_alpn_protocols(self, protocols)

    if hasattr(ssl.SSLContext, "set_groups"):

        def set_groups(self, groups: Any) -> None:
            ssl.SSLContext.set_groups(self, groups)


def by_name(protocol: int, *names: str) -> ssl.SSLContext:
    with fasttrust.inject_into_ssl():
        context = ByName(protocol)
        context.load_default_certs()
        sets(context, *names)
    return context


WAYS = pytest.mark.parametrize(
    "way",
    [
        ours,
        attached,
        attached_first,
        attached_between,
        attached_again,
        attached_twice,
        by_default,
        set_between,
        injected,
        by_name,
        class_lost,
    ],
    ids=lambda way: way.__name__,
)
