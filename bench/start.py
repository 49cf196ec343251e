"""What a program pays before its first connection: the import, and contexts.

No target: the numbers stand beside those of the peers.
"""

from __future__ import annotations

from . import harness, world
from .harness import Bench, Row, Values

TITLE = "import and contexts that trust the system"
IMPORTED = ("ssl", "fasttrust", "truststore")


def run(bench: Bench) -> list[Row]:
    present = [name for name in IMPORTED if harness.installed(name)]
    imports: list[Values] = []
    firsts: list[Values] = []
    for _ in range(5 if bench.fast else 20):  # a process each: an import happens once
        both = {name: bench.child("cold:cold", name) for name in present}
        imports.append({name: [imported] for name, (imported, _) in both.items()})
        firsts.append({name: [made] for name, (_, made) in both.items()})
    rows = []
    for figure, runs in (("import", imports), ("the first context", firsts)):
        bench.values[figure] = runs
        rows += harness.compare(figure, "ms", runs, "ssl")
    figure = "every further context"
    runs = bench.time(figure, "start:timings", bench.rounds)
    rows += harness.compare(figure, "ms", runs, "ssl")
    return rows + harness.missing(figure, "truststore")


def timings(rounds: int) -> Values:
    return harness.interleave(world.contexts(), rounds)
