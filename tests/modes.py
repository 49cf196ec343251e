"""
The two modes of the package, for tests: which one this run is in, and what excuses a test.

    FASTTRUST_MODE=compat pytest

A test of what only native mode has is marked with the sentence of the design that excuses it, and
skipped with it. What holds in compat mode instead is in test_compat.py.
"""

from __future__ import annotations

import os
import ssl
import sys

import pytest

import fasttrust
from fasttrust._native import PLATFORM_DECIDES

COMPAT = fasttrust.backend().mode == "compat"

#: Where a refusal is at fault: ssl does not tell.
LEAF_AT_FAULT = None if COMPAT else 0
#: Whether OpenSSL forgets what a refused server sent, but for the chain that it tried to build.
FORGETS = COMPAT and ssl.OPENSSL_VERSION_INFO < (3,)


#: Whether this is PyPy, whose `_ssl` is written in Python: what a test asks of it alone says why.
PYPY = sys.implementation.name == "pypy"

#: Whether this is a debug build of CPython.
DEBUG = hasattr(sys, "gettotalrefcount")

#: Whether this Python's OpenSSL could be reached at all.
HIDDEN = COMPAT and os.environ.get("FASTTRUST_MODE") != "compat"


def _native(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(COMPAT, reason=f"compat mode: {reason}")


one_store = _native("one store cannot differ by side: the system's is loaded at the first client")
fed_once = _native("ssl's own verification is fed once: a changed store is seen by new contexts")
keeps = _native("ssl's own store cannot forget: attach() refuses where something has to be dropped")
no_session = _native("session= is left out (a full handshake)")
no_verify_chain = _native("verify_chain raises NotImplementedError with the reason")
foreign = _native("chains of other contexts are ssl's own, after the handshake: test_compat.py")
no_guard = _native("a connection that ssl's own context made has no guard, whoever takes it over")
no_core = _native("OpenSSL's symbols cannot be reached: no callback, no index and no record in C")
reachable = pytest.mark.skipif(HIDDEN, reason="this Python hides its OpenSSL: no native mode")

#: Whether clients judge servers after the handshake, by the platform and the program's own anchors.
LATE = COMPAT and PLATFORM_DECIDES
held_before = pytest.mark.skipif(
    LATE, reason="compat mode: what a context held before attach() nobody can read from it"
)

#: The works of test_growth that compat mode does without.
WITHOUT = {"resumed": no_session, "without a connection": no_verify_chain}


def kept(sent: tuple[bytes, ...], built: int, *, plain: bool) -> tuple[bytes, ...]:
    """Return what is known of what a refused peer sent: OpenSSL 1.1.1 itself keeps nothing.

    Args:
        sent: all of it.
        built: of how many a chain was built.
        plain: whether a connection of `ssl`'s refused it.
    """
    if plain:
        return () if ssl.OPENSSL_VERSION_INFO < (3,) else sent
    return sent[:built] if FORGETS else sent
