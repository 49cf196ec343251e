"""Threads on one context do not wait for each other while a server answers late."""

from __future__ import annotations

import shutil
import ssl
import sysconfig
import threading
import time
from collections.abc import Iterator
from typing import Any

from . import harness, peers, proof, stats, world
from .harness import Bench
from .peers import STDLIB, TRUSTSTORE
from .stats import OURS, Row, Values

TITLE = "threads on one context, with a server that answers late"
TARGET = 1.2  # 16 threads beside one
SLOWER = 10.0  # truststore beside ours
CORES = "what handshakes compute, they compute one after the other on the cores that there are"
WHY = "how long its lock is held, which is round each handshake, depends on the machine"
NUMBERS = (1, 4, 16, 64)
JUDGED = 16
DELAY = 0.1  # seconds before the ServerHello
PLOT = ("threads on one context, server answering after 100 ms: all of them", "threads", "ms")


def run(bench: Bench) -> Iterator[Row]:
    figure = f"threads on one context, ServerHello after {DELAY * 1e3:.0f} ms"
    bench.say(figure)
    numbers = (1, JUDGED) if bench.fast else NUMBERS
    with world.server(bench.folder, world.chain_name(), "TLS 1.3", DELAY) as port:
        values = bench.call("threads:walls", port, 2 if bench.fast else 6, numbers)
    runs = bench.keep(figure, "second", [values])
    for peer in dict.fromkeys(name.partition(", ")[0] for name in values):
        for number in numbers[1:]:
            target = TARGET if (peer, number) == (OURS, JUDGED) else None
            many, one = f"{peer}, {number}", f"{peer}, 1"
            row = stats.beside(figure, "ms", runs, one, many, at_most=target)
            yield from stats.explain([row], {one: CORES})
            if peer == TRUSTSTORE:
                least = SLOWER if number == JUDGED else None
                ours = f"{OURS}, {number}"
                row = stats.beside(figure, "ms", runs, ours, many, at_least=least)
                yield from stats.explain([row], {ours: WHY})
    for number in numbers:
        wide = [{n.partition(", ")[0]: v for n, v in values.items() if n.endswith(f", {number}")}]
        bench.line("threads lines", PLOT, number, wide)
    yield from harness.missing(figure, "truststore") + _free_threaded(figure)


def _free_threaded(figure: str) -> list[Row]:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return []
    found = next((name for name in ("python3.15t", "python3.14t") if shutil.which(name)), None)
    why = f"run the bench by {found} for that" if found else "no free-threaded Python here"
    return [stats.absent(figure, "free-threaded Python", why)]


def walls(port: int, rounds: int, numbers: list[int]) -> Values:
    makers = peers.contexts(OURS, STDLIB, TRUSTSTORE)
    made = {name: make() for name, make in makers.items()}
    values: Values = {f"{name}, {number}": [] for name in made for number in numbers}
    calls = {name: lambda name=name: _wall(made[name], port, 1) for name in made}
    prove = proof.of_connections(calls, port)
    prove()
    order = list(made)
    for _ in range(rounds):
        for name in order:
            for number in numbers:
                values[f"{name}, {number}"].append(_wall(made[name], port, number))
        order.append(order.pop(0))
    prove()
    return values


def _wall(context: ssl.SSLContext, port: int, number: int) -> float:
    """Return the time from the start of all handshakes to the end of the last one."""
    start = threading.Barrier(number + 1)
    failed: list[Exception] = []

    def client() -> None:
        start.wait()
        try:
            tls: Any = peers.connect(context, port)
            tls.close()
        except (OSError, harness.WrongVerdictError) as error:
            failed.append(error)

    threads = [threading.Thread(target=client) for _ in range(number)]
    for thread in threads:
        thread.start()
    start.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - started
    if failed:
        raise failed[0]
    return wall
