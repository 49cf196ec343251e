"""Figure 2: a verified handshake costs what ``ssl``'s own does, in the client's instructions.

The server is a process of its own, so that the client's process does nothing but connect. Context
and anchors are there before: what is counted is the socket, the handshake, the session tickets, one
byte, and the close.
"""

from __future__ import annotations

import itertools
import ssl
import time

from . import harness, world
from .harness import Bench, Row, Values

TITLE = "a verified handshake beside ssl's own"
TARGET = 1.03


def run(bench: Bench) -> list[Row]:
    cases = list(itertools.product(world.KEYS, world.VERSIONS))
    rows = []
    for key, version in cases[:1] if bench.fast else cases:
        with world.server(bench.folder, key, version) as port:
            rows += _instructions(bench, f"{key}, {version}", port)
    with world.server(bench.folder, "P-256", "TLS 1.3") as port:
        figure = "handshake, client's CPU time"
        runs = bench.time(figure, "handshake:timings", port, bench.rounds)
        rows += harness.compare(figure, "ms", runs, "ssl")
        figure = "a new context and its handshake, client's CPU time"
        runs = bench.time(figure, "handshake:fresh_timings", port, bench.rounds)
        rows += harness.compare(figure, "ms", runs, "ssl")
    return rows + harness.missing(figure, "truststore")


def _instructions(bench: Bench, case: str, port: int) -> list[Row]:
    figure = f"handshake, {case}"
    if rows := harness.no_valgrind(figure):
        return rows
    runs = bench.count(figure, "handshake:repeat", 60, ["ssl", "fasttrust"], port)
    if harness.installed("truststore"):
        # It reads the system's bundle for every connection: three take long enough.
        slow = bench.count(figure, "handshake:repeat", 3, ["truststore"], port)
        runs = [{**one, **other} for one, other in zip(runs, slow, strict=True)]
        bench.values[figure] = runs
    return harness.compare(figure, "instructions", runs, "ssl", {"fasttrust": TARGET})


def repeat(name: str, calls: int, port: int) -> None:
    context = world.contexts()[name]()
    for _ in range(calls):
        world.connect(context, port).close()


def timings(port: int, rounds: int) -> Values:
    made = {name: make() for name, make in world.contexts().items()}
    peers = {
        name: lambda context=context: world.connect(context, port).close()
        for name, context in made.items()
    }
    return harness.interleave(peers, rounds, time.process_time)


def fresh_timings(port: int, rounds: int) -> Values:
    """Time new contexts with their handshake; beside them the handshake alone, which all pay."""
    ready = ssl.create_default_context()
    peers = {
        name: lambda make=make: world.connect(make(), port).close()
        for name, make in world.everybody().items()
    }
    peers["ssl, a context at hand"] = lambda: world.connect(ready, port).close()
    return harness.interleave(peers, rounds, time.process_time)
