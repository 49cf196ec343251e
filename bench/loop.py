"""asyncio: connections opened at once on one context, and how long the loop stands still.

The stall is the longest time between two ticks of a clock in the same loop that ticks each
millisecond, less that millisecond.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator

from . import harness, peers, proof, stats, world
from .harness import Bench, expect
from .peers import STDLIB, TRUSTSTORE, UNVERIFIED
from .stats import OURS, Row, Values

TITLE = "asyncio: many connections at once, and the loop's longest stall"
NUMBERS = (1, 16, 256)
TICK = 0.001
WHY = {
    STDLIB: "both stand still for the steps of handshakes that are ready together, of which the"
    " loop takes all in turn; ours are shorter or longer by what `handshake` shows"
}
FIGURES = {"total": "asyncio: connections at once, all of them", "stall": "asyncio: longest stall"}


def run(bench: Bench) -> Iterator[Row]:
    numbers = NUMBERS[:2] if bench.fast else NUMBERS
    with world.server(bench.folder, world.chain_name(), "TLS 1.3") as port:
        for number in numbers:
            bench.say(f"asyncio, {number} at once")
            rounds = (4 if bench.fast else 20) if number < NUMBERS[-1] else 3
            done = bench.call("loop:timings", port, number, rounds)
            for what, title in FIGURES.items():
                runs = bench.keep(f"{title}: {number}", "second", [done[what]])
                targets = {STDLIB: 1.0} if what == "stall" else {}
                rows = stats.all_beside(
                    f"{title}: {number}", "ms", runs, targets=targets, notes=peers.NOTES
                )
                yield from stats.explain(rows, WHY)
                bench.line(what, (title, "connections at once", "ms"), number, runs)
    yield from harness.missing("asyncio", "truststore")


def timings(port: int, number: int, rounds: int) -> dict[str, Values]:
    makers = peers.contexts(OURS, STDLIB, UNVERIFIED, TRUSTSTORE)
    made = {name: make() for name, make in makers.items()}
    found: dict[str, Values] = {what: {name: [] for name in made} for what in FIGURES}
    order = list(made)
    calls = {
        name: lambda name=name: asyncio.run(_connect_all(made[name], port, 1)) for name in made
    }
    prove = proof.of_connections(calls, port)
    prove()  # which warms up, too
    for _ in range(rounds):
        for name in order:
            total, stall = asyncio.run(_connect_all(made[name], port, number))
            found["total"][name].append(total)
            found["stall"][name].append(stall)
        order.append(order.pop(0))
    prove()
    return found


async def _connect_all(context: ssl.SSLContext, port: int, number: int) -> tuple[float, float]:
    """Return the time until the last connection has its byte, and the longest stall meanwhile."""
    gaps = [0.0]
    ticking = asyncio.create_task(_tick(gaps))
    await asyncio.sleep(0)
    started = time.perf_counter()
    await asyncio.gather(*(_connect(context, port) for _ in range(number)))
    total = time.perf_counter() - started
    await asyncio.sleep(2 * TICK)  # a stall at the very end is seen by the next tick
    ticking.cancel()
    return total, max(max(gaps) - TICK, 1e-6)


async def _tick(gaps: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(TICK)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now


async def _connect(context: ssl.SSLContext, port: int) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=world.HOST
    )
    expect(await reader.read(1) == world.ANSWERS["byte"], "another byte than the server's")
    writer.transport.abort()
