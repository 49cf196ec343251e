"""What injection costs where nobody uses it, and a default context under it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from . import harness, peers, proof, stats, world
from .harness import Bench, Task, expect
from .stats import Row

TITLE = "injection: unused, a default context, the call itself"
BARE, DEFAULT = "ssl.SSLContext, bare", "ssl.create_default_context(), injected"
WHY = "attaching, and what create_default_context() itself sets, which a bare one is spared"
ALONE, UNUSED = "not injected", "injected, a context made before"
BOTH = "inject_into_ssl() and extract_from_ssl()"


def run(bench: Bench) -> Iterator[Row]:
    figure = "a default context under injection"
    runs = bench.time(figure, "inject:making")
    yield from [stats.beside(figure, "µs", runs, name, DEFAULT) for name in (BARE, BOTH)]
    figure += ", instructions"
    if absent := harness.uncounted(figure):
        yield from absent
        return
    runs = bench.count(figure, "inject:making")
    row = stats.beside(figure, "instructions", runs, BARE, DEFAULT, at_most=1.1)
    yield from stats.explain([row], {BARE: WHY})
    figure = "injected and unused: a handshake"
    with world.server(bench.folder, world.chain_name(), "TLS 1.3") as port:
        # Two processes: what an injection costs at the next connection is not to be counted here.
        (alone,) = bench.count(figure, "inject:connecting", port, ALONE)
        (unused,) = bench.count(f"{figure}, injected", "inject:connecting", port, UNUSED)
    runs = [{**alone, **unused}]
    yield stats.beside(figure, "instructions", runs, ALONE, UNUSED, at_most=1.01)


def making() -> Task:
    import fasttrust

    fasttrust.inject_into_ssl()
    standard = ssl.SSLContext.__new__.__wrapped__  # type: ignore[attr-defined]

    def both() -> None:
        fasttrust.extract_from_ssl()
        fasttrust.inject_into_ssl()

    calls = {
        BARE: lambda: standard(ssl.SSLContext, ssl.PROTOCOL_TLS_CLIENT),
        DEFAULT: ssl.create_default_context,
        BOTH: both,
    }

    def prove() -> None:
        made = calls[DEFAULT]()
        expect(isinstance(made, fasttrust.SSLContext), "nothing is injected")
        peers.proved(DEFAULT, made)

    return Task(calls, prove)


def connecting(port: int, name: str) -> Task:
    """Connect with a context made before, injected or not."""
    import fasttrust

    context = ssl.create_default_context()
    if name == UNUSED:
        fasttrust.inject_into_ssl()
    calls = {name: peers.connecting(context, port)}
    return Task(calls, proof.of_connections(calls, port))
