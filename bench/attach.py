"""Figure 1: attaching costs at most 10 µs beyond the store that it replaces.

A context of ours has one X509_STORE more than a bare one: the fresh one; the old one is kept until
the SSL_CTX dies. What a store costs is measured by itself, through ctypes, less what ctypes costs.
"""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from typing import Any

import fasttrust

from . import harness
from .harness import Bench, Peers, Row, Values

TITLE = "attaching beyond the store that it replaces"
TARGET = 10.0  # µs
CALLS = 300
BARE, ATTACHED, OURS = "ssl.SSLContext", "the same, attach", "fasttrust.SSLContext"
STORE, CTYPES = "X509_STORE_new + free", "two empty calls by ctypes"


def run(bench: Bench) -> list[Row]:
    figure = "attach, time"
    runs = bench.time(figure, "attach:timings", bench.rounds)
    rows = harness.compare(figure, "µs", runs, BARE)
    for name in (ATTACHED, OURS):
        extra = harness.paired(runs, lambda one, name=name: one[name] - one[BARE])
        rows.append(harness.row(figure, f"{name}: beyond bare", "µs", extra))
        if STORE in runs[0]:
            beyond = harness.paired(runs, lambda one, name=name: _beyond_store(one, name))
            label = f"{name}: beyond bare and store"
            rows.append(harness.row(figure, label, "µs", beyond, at_most=TARGET, of_ratio=False))
        else:
            rows.append(Row(figure, STORE, verdict="not measured: no symbols"))
    return rows + _instructions(bench)


def _beyond_store(one: dict[str, float], name: str) -> float:
    return one[name] - one[BARE] - (one[STORE] - one[CTYPES])


def _instructions(bench: Bench) -> list[Row]:
    figure = "attach, instructions"
    if rows := harness.no_valgrind(figure):
        return rows
    names = [BARE, ATTACHED, OURS, *((STORE, CTYPES) if store_calls() else ())]
    runs = bench.count(figure, "attach:repeat", CALLS, names)
    rows = harness.compare(figure, "instructions", runs, BARE)
    if STORE in names:
        beyond = harness.paired(runs, lambda one: _beyond_store(one, ATTACHED))
        label = f"{ATTACHED}: beyond bare and store"
        rows.append(harness.row(figure, label, "instructions", beyond))
    return rows


def timings(rounds: int) -> Values:
    return harness.interleave(peers(), rounds)


def repeat(name: str, calls: int) -> None:
    call = peers()[name]
    for _ in range(calls):
        call()


def peers() -> Peers:
    fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # finds OpenSSL and reads the system's store
    return {BARE: _bare, ATTACHED: _attached, OURS: _ours, **store_calls()}


def _bare() -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _attached() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    fasttrust.attach(context)


def _ours() -> None:
    fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def store_calls() -> Peers:
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
