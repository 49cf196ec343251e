"""What anchors cost: by their number, by the number of contexts that use them.

An index is made once per process and read by every context, so a bundle of a thousand anchors must
cost no more per anchor than one of 144, and a verification nothing more at all. ``ssl`` pays memory
for each context, however many there are; a hashed directory costs it little, as it is read when a
handshake asks.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import fasttrust

from . import harness, world
from .harness import Bench, Row

TITLE = "anchors by their number, memory of used contexts"
FEW, MANY = 144, 1000
READ_TARGET = 1.1  # of an anchor of few, by instructions
LOOKUP_TARGET = 1.02  # of a verification with few
MEMORY_TARGET = 20.0  # KiB
CONTEXTS = 1000
BARE = "bare"


def run(bench: Bench) -> list[Row]:
    rows = _by_number(bench)
    figure = f"memory of a used context, beyond a bare one's ({CONTEXTS:,} of ours, 100 of others)"
    with world.server(bench.folder, "P-256", "TLS 1.3") as port:
        names = [name for name in world.everybody() if name != "truststore"]
        runs = [
            {name: bench.child("anchors:memory", name, port) for name in (BARE, *names)}
            for _ in range(1 if bench.fast else 3)
        ]
    for name in names:
        beyond = [run[name] - run[BARE] for run in runs]
        target = MEMORY_TARGET if name == "fasttrust" else None
        rows.append(harness.row(figure, name, "KiB", beyond, at_most=target, of_ratio=False))
    return rows


def _by_number(bench: Bench) -> list[Row]:
    figures = (
        ("reading anchors, each", "anchors:read", READ_TARGET, 20),
        ("a verification among them", "anchors:verify", LOOKUP_TARGET, 100),
    )
    if rows := harness.no_valgrind(figures[0][0]):
        return rows
    names = [str(FEW), str(MANY)]
    for name in names:
        world.write_roots(bench.folder / f"{name}.pem", int(name))
    rows = []
    for figure, task, target, calls in figures:
        runs = bench.count(figure, task, calls, names, str(bench.folder))
        if task == "anchors:read":
            runs = [{name: [run[name][0] / int(name)] for name in names} for run in runs]
            bench.values[figure] = runs
        rows += harness.compare(figure, "instructions", runs, str(FEW), {str(MANY): target})
    return rows


def read(name: str, calls: int, folder: str) -> None:
    """Index a bundle so many times, each time as if it was seen for the first time."""
    text = Path(folder, f"{name}.pem").read_bytes()
    for number in range(calls):
        fasttrust.TrustStore.from_pem(b"%d\n" % number + text)


def verify(name: str, calls: int, folder: str) -> None:
    """Verify one chain so many times, whose root is the last of the anchors."""
    trust = fasttrust.TrustStore.from_pem_file(Path(folder, f"{name}.pem"))
    trust |= fasttrust.TrustStore.from_pem_file(Path(folder, "bundle.pem"))
    chain = Path(folder, "P-256", "chain.pem").read_text("ascii")
    for _ in range(calls):
        fasttrust.verify_chain(chain, server_hostname=world.HOST, trust=trust)


def memory(name: str, port: int) -> float:
    """Return how many bytes the process grew by for each context that has shaken hands."""
    makers: dict[str, Callable[[], ssl.SSLContext]] = {BARE: _bare, **world.everybody()}
    make = makers[name]
    number = CONTEXTS if name in (BARE, "fasttrust") else 100
    kept = []
    for _ in range(20):  # what the first ones bring along is nobody's
        world.connect(make(), port).close()
    before = _resident()
    for _ in range(number):
        context = make()
        world.connect(context, port).close()
        kept.append(context)
    return (_resident() - before) / number


def _bare() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
