"""A context: its time, instructions, allocations and memory, made alone and used once.

How long the first context of a process takes is measured by ``start``, HTTP clients by ``clients``.
"""

from __future__ import annotations

import gc
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import floor, harness, peers, proof, stats, world
from .harness import Bench, Peers, Task
from .peers import HASHED, PYOPENSSL, STDLIB
from .stats import OURS, Row

TITLE = "a context: time, allocations, memory, with its first handshake"
BARE = "ssl.SSLContext, bare"
TARGET = 1.1  # of a bare one
WHY = {BARE: "the verifier's own: a second store, what is trusted, the context's class; see attach"}
NOTES = {**peers.NOTES, BARE: "trusts nobody", floor.UNVERIFIED: "trusts nobody"}
SHARED = "the index, which a process has once, is in the row of its first context"
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
CONTEXTS = 600  # of those that cost little memory; of the others a tenth


def run(bench: Bench) -> Iterator[Row]:
    figure = "a context that trusts the system"
    runs = bench.time(figure, "context:least")
    rows = stats.all_beside(figure, "µs", runs, targets={BARE: TARGET}, notes=NOTES)
    yield from stats.explain(rows, WHY)
    yield from harness.uncounted(figure) or _counted(bench)
    figure = "create_default_context(), made and thrown away"
    yield from stats.all_beside(figure, "ms", bench.time(figure, "context:making"), notes=NOTES)
    with world.server(bench.folder, world.chain_name(), "TLS 1.3") as port:
        figure = "a new context and its first handshake"
        runs = bench.time(figure, "context:used", port)
        yield from stats.all_beside(figure, "ms", runs, notes=NOTES)
        yield from _memory(bench, port)
    yield from harness.missing(figure, "truststore", "wassima", "certifi", "OpenSSL")


def _counted(bench: Bench) -> list[Row]:
    figure = "a context that trusts the system, instructions"
    runs = bench.count(figure, "context:counted", bench.fast)
    rows = stats.all_beside(figure, "instructions", runs, targets={BARE: TARGET}, notes=NOTES)
    allocations = bench.allocations[figure]
    figure = "the same, allocations: calls of malloc, calloc, realloc"
    return rows + stats.all_beside(figure, "calls", allocations, notes=NOTES)


def _memory(bench: Bench, port: int) -> list[Row]:
    names = [OURS, STDLIB, HASHED]
    names += [] if bench.fast else [peers.CERTIFI, PYOPENSSL, peers.WASSIMA]
    return _first_memory(bench, port, names) + _later_memory(bench, port, names)


def _first_memory(bench: Bench, port: int, names: list[str]) -> list[Row]:
    figure = "memory that a process grows by with its first context, used"
    bench.say(figure)
    found: dict[str, list[float]] = {name: [] for name in names}
    order = list(names)
    for _ in range(3 if bench.fast else 7):
        for name in order:
            grown = bench.call("context:first_memory", name, port)
            found[name] += [] if grown is None else [max(float(PAGE), grown)]
        order.append(order.pop(0))
    runs = bench.keep(figure, "byte", [{name: values for name, values in found.items() if values}])
    notes = {**NOTES, HASHED: f"{NOTES[HASHED]}; a page at least is counted"}
    return stats.all_beside(figure, "KiB", runs, notes=notes)


def _later_memory(bench: Bench, port: int, names: list[str]) -> list[Row]:
    figure = "memory of each later context, used, beyond a bare one's"
    bench.say(figure)
    values: stats.Values = {name: [] for name in names}
    contexts = CONTEXTS // 3 if bench.fast else CONTEXTS
    for _ in range(1 if bench.fast else 3):
        bare = bench.call("context:memory", BARE, port, contexts)
        for name in list(values):
            used = bench.call("context:memory", name, port, contexts)
            if used is None:
                values.pop(name)
            else:
                values[name].append(max(1.0, used - bare))
    runs = bench.keep(figure, "byte", [values])
    notes = {**NOTES, STDLIB: SHARED}
    return stats.all_beside(figure, "KiB", runs, targets={STDLIB: 0.05}, notes=notes)


def bare() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def least() -> Task:
    import fasttrust

    return _made({OURS: lambda: fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT), BARE: bare})


def counted(is_fast: bool) -> Task:
    heavy = [] if is_fast else [STDLIB, PYOPENSSL, *([] if floor.why_not() else [floor.FLOOR])]
    made = making().calls
    return _made({**least().calls, **{n: made[n] for n in (HASHED, *heavy) if n in made}})


def making() -> Task:
    calls: Peers = {**peers.contexts(), BARE: bare}
    calls.pop(peers.UNVERIFIED)
    if not floor.why_not():
        calls[floor.FLOOR] = floor.make_context(world.bundle())
    return _made(calls)


def _made(calls: Peers) -> Task:
    return Task(calls, proof.of_contexts({n: make for n, make in calls.items() if n != BARE}))


def used(port: int) -> Task:
    calls: Peers = {name: peers.fresh(make, port) for name, make in peers.contexts().items()}
    if not floor.why_not():
        calls[floor.FLOOR] = floor.fresh(world.bundle(), port, world.HOST)
    return Task(calls, proof.of_connections(calls, port))


def first_memory(name: str, port: int) -> float | None:
    """Return how many bytes the process grows by with its first context that verifies.

    Imports, and what OpenSSL makes at the first handshake of any kind, are there already.
    """
    make = peers.contexts(name).get(name)
    if make is None:
        return None
    kept = [peers.unverified() for _ in range(20)]  # so that no gap is left to be filled
    for bare_one in kept:
        peers.connect(bare_one, port).close()
    gc.collect()
    before = _resident()
    context = make()
    peers.connect(context, port).close()
    grown = float(_resident() - before)
    peers.proved(name, context)
    return grown


def memory(name: str, port: int, contexts: int) -> float | None:
    """Return how many bytes the process grew by for each context that has shaken hands."""
    makers = peers.contexts() | {BARE: peers.unverified}
    if name not in makers:
        return None
    make = makers[name]
    number = contexts if name in (BARE, OURS, HASHED) else contexts // 10
    kept: list[Any] = []
    for _ in range(20):  # what the first ones bring along is nobody's
        peers.connect(make(), port).close()
    gc.collect()
    before = _resident()
    for _ in range(number):
        context = make()
        peers.connect(context, port).close()
        kept.append(context)
    grown = (_resident() - before) / number
    peers.proved(peers.UNVERIFIED if name == BARE else name, kept[-1])
    return grown


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * PAGE
