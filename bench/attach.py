"""Attaching costs at most 10 µs beyond the store that it replaces.

A context of ours has one X509_STORE more than a bare one: the fresh one; the old one is kept until
the SSL_CTX dies. What a store costs is measured by itself, through ctypes, less what ctypes costs.
"""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from . import harness, proof, stats
from .harness import Bench, Peers, Task
from .stats import Row, Values

TITLE = "attaching, beyond the store that it replaces"
TARGET = 10.0  # µs
BARE, ATTACHED = "ssl.SSLContext, bare", "the same, attach()"
STORE, CTYPES = "X509_STORE_new + free", "two empty calls by ctypes"
BEYOND = "attach(), beyond bare and store"
WHY = "nine tenths are Python's: the context's class, its policy, what it trusts; C takes the rest"


def run(bench: Bench) -> Iterator[Row]:
    figure = "attach, time"
    runs = bench.time(figure, "attach:calls")
    yield stats.beside(figure, "µs", runs, BARE, ATTACHED)
    if STORE not in runs[0]:
        yield stats.absent(figure, STORE, "OpenSSL's symbols cannot be reached")
    else:
        row = _beyond(figure, "µs", runs)
        met = row.value is not None and row.value <= TARGET
        row = replace(row, target=f"≤ {TARGET:g} µs", verdict="met" if met else "MISSED")
        yield from stats.explain([row], {BARE: WHY})
    figure = "attach, instructions"
    if absent := harness.uncounted(figure):
        yield from absent
        return
    runs = bench.count(figure, "attach:calls")
    yield stats.beside(figure, "instructions", runs, BARE, ATTACHED)
    if STORE in runs[0]:
        yield _beyond(figure, "instructions", runs)


def _beyond(figure: str, unit: str, runs: list[Values]) -> Row:
    runs = stats.derive(
        runs, BEYOND, lambda one: one[ATTACHED] - one[BARE] - (one[STORE] - one[CTYPES])
    )
    return stats.beside(figure, unit, runs, BARE, BEYOND)


def calls() -> Task:
    import fasttrust

    def attached() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        fasttrust.attach(context)
        return context

    made: Peers = {BARE: lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ATTACHED: attached}
    return Task({**made, **store()}, proof.of_contexts({ATTACHED: attached}))


def store() -> Peers:
    """Return a pair of calls into the OpenSSL that ``_ssl`` is linked to, if it can be reached."""
    try:
        library: Any = ctypes.PyDLL(_ssl.__file__)
        new, free = library.X509_STORE_new, library.X509_STORE_free
        nothing = library.X509_free  # of NULL: it returns at once
    except (AttributeError, OSError):
        return {}
    new.restype = ctypes.c_void_p
    for function in (free, nothing):
        function.argtypes = [ctypes.c_void_p]
        function.restype = None

    def store() -> None:
        free(new())

    def empty() -> None:
        free(nothing(None))

    return {STORE: store, CTYPES: empty}
