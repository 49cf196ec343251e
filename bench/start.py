"""What a program pays before its first connection: the import, and contexts.

The first context of a process reads and indexes the store; a bare one shows how much of it is
OpenSSL's own start, which no context can be without.
"""

from __future__ import annotations

import ssl

import fasttrust

from . import harness, world
from .harness import Bench, Row, Values

TITLE = "import and contexts that trust the system"
IMPORTED = ("ssl", "fasttrust", "truststore")
BARE = "bare"


def run(bench: Bench) -> list[Row]:
    present = [name for name in IMPORTED if harness.installed(name)]
    first = {"fasttrust": 1 / 20 if ssl.OPENSSL_VERSION_INFO < (3, 5) else 1 / 4}
    imports: list[Values] = []
    firsts: list[Values] = []
    for _ in range(5 if bench.fast else 20):  # a process each: an import happens once
        both = {name: bench.child("cold:cold", name) for name in (*present, BARE)}
        imports.append({name: [both[name][0]] for name in present})
        firsts.append({name: [made] for name, (_, made) in both.items()})
    rows = []
    for figure, runs, targets in (("import", imports, {}), ("the first context", firsts, first)):
        bench.values[figure] = runs
        rows += harness.compare(figure, "ms", runs, "ssl", targets)
    figure = "every further context"
    runs = bench.time(figure, "start:timings", bench.rounds)
    rows += harness.compare(figure, "ms", runs, "ssl")
    figure = "a context that trusts the system beside a bare one"
    runs = bench.time(figure, "start:least_timings", bench.rounds)
    rows += harness.compare(figure, "ms", runs, BARE, {"fasttrust": 1.1})
    return rows + harness.missing(figure, "truststore")


def least_timings(rounds: int) -> Values:
    peers: harness.Peers = {
        BARE: lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        "fasttrust": lambda: fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    }
    return harness.interleave(peers, rounds)


def timings(rounds: int) -> Values:
    return harness.interleave(world.everybody(), rounds)
