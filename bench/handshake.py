"""A verified handshake beside ``ssl``'s own, beside one without verification, and beside the floor.

Over loopback the clock sees the client, the server and the kernel; over memory BIOs the client's
steps alone. Instructions are those of the client's process. What belongs to verification is the
difference between a verified handshake and the same by CERT_NONE, or the same of the floor.
"""

from __future__ import annotations

import ctypes
import itertools
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from . import floor, harness, peers, proof, stats, world
from .floor import FLOOR
from .harness import Bench, Calls, Peers, Task, WrongVerdictError, expect
from .peers import STDLIB, TRUSTSTORE, UNVERIFIED
from .stats import OURS, Row, Values

TITLE = "a verified handshake: memory BIOs, loopback, resumed; time and instructions"
TARGET = 1.03
SHARE_OURS, SHARE_FLOOR = "fasttrust, verification", "floor, verification"
SHARE_STDLIB = "ssl, verification"
WHY = (
    "the same for every chain: about 15,000 instructions of the callback's, which keeps both"
    " chains, and 50,000 of Python's, where wrap_socket() binds the connection's sessions to what"
    " they are verified under; reading and hashing that in C would close a third of it"
)
WHY_RESUMED = (
    "the 50,000 instructions by which Python binds a session to what it is verified under, and"
    " no verification beside which they are little; reading that in C would close a third"
)
WHY_TIME = "a clock's; the instructions of the same handshake are in a row of their own"
NOTES = {
    **peers.NOTES,
    FLOOR: "Python's socket and wrap_socket() are in ours",
    floor.UNVERIFIED: "verifies nothing",
}
KEYS_AND_VERSIONS = [
    (key, 3, version) for key, version in itertools.product(world.KEYS, world.VERSIONS)
]
FIRST = "P-256, chain of 3, TLS 1.3"
RESUMED = "resumed"
CASES = [*KEYS_AND_VERSIONS, *(("P-256", length, "TLS 1.3") for length in (2, 4))]


def run(bench: Bench) -> Iterator[Row]:
    for key, length, version in CASES[:1] if bench.fast else CASES:
        case = f"{key}, chain of {length}, {version}"
        yield from _case(bench, case, world.chain_name(key, length), version)
    if why := floor.why_not():
        yield stats.absent("handshake", FLOOR, why)
    yield from harness.missing("handshake", "truststore")
    if import_module("fasttrust").backend().mode != "native":
        yield stats.absent(f"handshake, {RESUMED}", "all", "session= is left out in compat mode")
        return
    for version in world.VERSIONS:
        yield from _case(bench, f"{RESUMED}, P-256, {version}", world.chain_name(), version)


def _case(bench: Bench, case: str, chain: str, version: str) -> Iterator[Row]:
    is_resumed = case.startswith(RESUMED)
    figure = f"handshake over memory BIOs: {case}"
    runs = bench.time(figure, "handshake:memory", chain, version, is_resumed)
    yield from _rows(figure, "ms", runs, is_resumed)
    with world.server(bench.folder, chain, version) as port:
        figure = f"handshake over loopback: {case}"
        runs = bench.time(figure, "handshake:loopback", port, is_resumed)
        yield from _rows(figure, "ms", runs, is_resumed)
        if bench.fast and is_resumed:
            return
        figure = f"handshake, instructions: {case}"
        if missing := harness.uncounted(figure):
            yield from missing
            return
        # truststore takes 30 times as many as the others, which is seen once.
        others = [] if bench.fast or case != FIRST else [TRUSTSTORE]
        runs = bench.count(figure, "handshake:counted", port, is_resumed, others)
    yield from _rows(figure, "instructions", runs, is_resumed)
    if not is_resumed and FLOOR in runs[0]:
        yield from _share(f"verification's part of it, instructions: {case}", runs)
        outside = stats.less(runs, bench.in_python[figure])
        yield from _share(f"the same outside Python, instructions: {case}", outside)


def _share(figure: str, runs: list[Values]) -> Iterator[Row]:
    runs = stats.derive(runs, SHARE_OURS, lambda one: one[OURS] - one[UNVERIFIED])
    runs = stats.derive(runs, SHARE_STDLIB, lambda one: one[STDLIB] - one[UNVERIFIED])
    runs = stats.derive(runs, SHARE_FLOOR, lambda one: one[FLOOR] - one[floor.UNVERIFIED])
    mine = stats.beside(figure, "instructions", runs, SHARE_FLOOR, SHARE_OURS, at_most=TARGET)
    yield from stats.explain([mine], {SHARE_FLOOR: WHY})
    yield stats.beside(figure, "instructions", runs, SHARE_STDLIB, SHARE_OURS)
    yield stats.beside(figure, "instructions", runs, SHARE_FLOOR, SHARE_STDLIB)


def _rows(figure: str, unit: str, runs: list[Values], is_resumed: bool) -> list[Row]:
    rows = stats.all_beside(figure, unit, runs, targets={STDLIB: TARGET}, notes=NOTES)
    return stats.explain(rows, {STDLIB: WHY_RESUMED if is_resumed else WHY_TIME})


def loopback(port: int, is_resumed: bool = False) -> Task:
    """Connect with a context at hand; where resumed, with the session of a connection before."""
    made = peers.proved_contexts(OURS, STDLIB, UNVERIFIED, TRUSTSTORE)
    calls: Peers = {
        name: resuming(context, port) if is_resumed else peers.connecting(context, port)
        for name, context in made.items()
    }
    for name, bundle in _floors().items():
        calls[name] = floor.connecting(bundle, port, world.HOST, is_resumed)
    return Task(calls, proof.of_connections(_asked(calls, is_resumed), port))


def _asked(calls: Calls, is_resumed: bool) -> Calls:
    """Return the calls that a proof may ask: an impostor cannot resume what it never began."""
    return {n: call for n, call in calls.items() if not (is_resumed and n in proof.LAX)}


def _floors() -> dict[str, Path | None]:
    """Return the bundle of each floor; empty if there is none."""
    if floor.why_not():
        return {}
    return {FLOOR: world.bundle(), floor.UNVERIFIED: None}


def counted(port: int, is_resumed: bool, others: list[str]) -> Task:
    calls = loopback(port, is_resumed).calls
    calls = {n: call for n, call in calls.items() if n != TRUSTSTORE or n in others}
    return Task(calls, proof.of_connections(_asked(calls, is_resumed), port))


def resuming(context: Any, port: int) -> Callable[[], None]:
    first = peers.connect(context, port)
    session = first.session
    first.close()

    def call() -> None:
        plain = peers.socket.create_connection(("127.0.0.1", port))
        tls = context.wrap_socket(plain, server_hostname=world.HOST, session=session)
        expect(tls.recv(1) == world.ANSWERS["byte"], "another byte than the server's")
        expect(tls.session_reused, "a full handshake where one should be resumed")
        tls.close()

    call()
    return call


class ClientClock:
    """Adds up what the client's side takes; read as the clock of the measurement."""

    def __init__(self) -> None:
        self.seconds = ctypes.c_double()  # which the floor writes too

    def read(self) -> float:
        return self.seconds.value


def memory(chain: str, version: str, is_resumed: bool = False) -> Task:
    """Shake hands over memory BIOs, by a clock that sees the client's steps only."""
    folder = world.folder() / chain
    stand, clock = world.Stand(world.server_context(folder, version)), ClientClock()
    made = peers.proved_contexts(OURS, STDLIB, UNVERIFIED, TRUSTSTORE)
    calls: Peers = {
        name: _over_memory(context, stand, clock.seconds, is_resumed)
        for name, context in made.items()
    }
    prove = proof.over_memory(_asked(calls, is_resumed), stand)
    for name, bundle in _floors().items():
        calls[name] = floor.over_memory(
            bundle, folder, world.VERSIONS[version], world.HOST, clock.seconds, resumed=is_resumed
        )
    if FLOOR in calls:
        prove = proof.all_of(prove, proof.of_the_floor)
    return Task(calls, prove, clock.read)


def _over_memory(
    context: ssl.SSLContext, stand: world.Stand, seconds: ctypes.c_double, is_resumed: bool
) -> Callable[[], None]:
    session = _session(context, stand.context) if is_resumed else None

    def call() -> None:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        peer = stand.context.wrap_bio(up, down, server_side=True)
        started = time.perf_counter()
        client = context.wrap_bio(down, up, server_hostname=world.HOST, session=session)
        is_done = peers.step(client)
        seconds.value += time.perf_counter() - started
        for _ in range(4):
            if is_done:
                break
            peers.step(peer)
            started = time.perf_counter()
            is_done = peers.step(client)
            seconds.value += time.perf_counter() - started
        expect(is_done and peers.step(peer), "the handshake does not end")
        expect(client.session_reused == is_resumed, "a full handshake, or a resumed one")
        started = time.perf_counter()
        del client
        seconds.value += time.perf_counter() - started

    return call


def _session(context: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLSession:
    """Return what a connection of that context to the server can resume."""
    client, _ = peers.shake(context, server)
    with suppress(ssl.SSLWantReadError):
        client.read(1)  # TLS 1.3 sends its tickets behind the handshake
    session = client.session
    if session is None:
        raise WrongVerdictError("there is no session to resume")
    return session
