"""Figure 3: threads on one context do not wait for each other while a server answers late."""

from __future__ import annotations

import ssl
import threading
import time

from . import harness, world
from .harness import Bench, Row, Values

TITLE = "threads on one context, with a server that answers late"
TARGET = 1.2
THREADS = 16
DELAY = 0.1  # seconds before the ServerHello


def run(bench: Bench) -> list[Row]:
    figure = f"{THREADS} threads, ServerHello after {DELAY * 1e3:.0f} ms"
    with world.server(bench.folder, "P-256", "TLS 1.3", DELAY) as port:
        runs = bench.time(figure, "threads:walls", port, 4 if bench.fast else 8)
    rows = []
    for peer in dict.fromkeys(name.partition(", ")[0] for name in runs[0]):
        one, all_of_them = f"{peer}, 1", f"{peer}, {THREADS}"
        ratios = harness.paired(
            runs, lambda both, one=one, many=all_of_them: both[many] / both[one]
        )
        rows.append(harness.row(figure, one, "ms", [v for run in runs for v in run[one]]))
        rows.append(
            harness.row(
                figure,
                all_of_them,
                "ms",
                [v for run in runs for v in run[all_of_them]],
                ratios=ratios,
                at_most=TARGET if peer == "fasttrust" else None,
            )
        )
    return rows + harness.missing(figure, "truststore")


def walls(port: int, rounds: int) -> Values:
    made = {name: make() for name, make in world.contexts().items()}
    values: Values = {f"{name}, {number}": [] for name in made for number in (1, THREADS)}
    for context in made.values():
        world.connect(context, port).close()
    for _ in range(rounds):
        for name, context in made.items():
            for number in (1, THREADS):
                values[f"{name}, {number}"].append(_wall(context, port, number))
    return values


def _wall(context: ssl.SSLContext, port: int, number: int) -> float:
    """Return the time from the start of all handshakes to the end of the last one."""
    start = threading.Barrier(number + 1)
    failed: list[Exception] = []

    def client() -> None:
        start.wait()
        try:
            world.connect(context, port).close()
        except OSError as error:
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
