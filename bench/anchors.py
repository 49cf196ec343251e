"""What anchors cost by their number.

An index is made once per process and read by every context, so a bundle of a thousand anchors must
cost no more per anchor than one of 144, and a verification among them nothing more at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from . import harness, proof, stats, world
from .harness import Bench, Task, expect
from .stats import Row

TITLE = "reading anchors, and verifying among them, by their number"
FEW, MANY = 144, 1000
READ_TARGET = 1.1  # of an anchor of few, by instructions
LOOKUP_TARGET = 1.02  # of a verification with few
NAMES = {number: f"{number:,} anchors" for number in (FEW, MANY)}


def run(bench: Bench) -> Iterator[Row]:
    figure = "reading anchors, each"
    if absent := harness.uncounted(figure):
        yield from absent
        return
    for number in NAMES:
        world.write_bundle(number)
    runs = bench.count(figure, "anchors:reading")
    each = [
        {name: [v / number for v in run[name]] for number, name in NAMES.items()} for run in runs
    ]
    few, many = NAMES[FEW], NAMES[MANY]
    yield stats.beside(figure, "instructions", each, few, many, at_most=READ_TARGET)
    figure = "verify_chain among anchors"
    runs = bench.count(figure, "anchors:verifying")
    yield stats.beside(figure, "instructions", runs, few, many, at_most=LOOKUP_TARGET)


def reading() -> Task:
    """Index a bundle, each time as if it was seen for the first time; each tells its size."""
    calls = {name: _reading(number) for number, name in NAMES.items()}
    return Task(calls, lambda: [call() for call in calls.values()])


def _reading(number: int) -> Callable[[], None]:
    import fasttrust

    text, seen = world.made_bundle(number).read_bytes(), itertools.count()

    def call() -> None:
        store = fasttrust.TrustStore.from_pem(b"%d\n" % next(seen) + text)
        expect(len(store) == number, f"{len(store)} anchors, not {number}")

    return call


def verifying() -> Task:
    """Verify one chain, whose root is among the last of the anchors."""
    import fasttrust

    good, wrong, unknown = (
        [fasttrust.Certificate(der) for der in world.sent(name)]
        for name in (world.chain_name(), world.WRONG, world.UNKNOWN)
    )
    chain = list(good)
    calls = {name: _verifying(number, chain) for number, name in NAMES.items()}

    def prove() -> None:
        for name, call in calls.items():
            for shown in (wrong, unknown, good):
                chain[:] = shown
                expect(proof.accepts(call) == (shown is good), f"{name}: another verdict")

    return Task(calls, prove)


def _verifying(number: int, chain: list[Any]) -> Callable[[], None]:
    import fasttrust

    trust = fasttrust.TrustStore.from_pem_file(world.made_bundle(number))

    def call() -> None:
        found = fasttrust.verify_chain(chain, server_hostname=world.HOST, trust=trust)
        expect(len(found) == 3, "another chain")

    return call
