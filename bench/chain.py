"""The chains of a connection, verified and not, with and without DER, beside ``ssl``'s methods.

``ssl``'s methods make DER, every time. Ours make it when asked for it, and a captured chain keeps
it: on a connection of ours only the first request encodes, which is why that one is counted too, on
connections that nobody asked before. Of a foreign connection every call makes a new chain: nothing
is kept there, and the clock sees the encoding.
"""

from __future__ import annotations

import _ssl
import itertools
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from . import harness, peers, proof, stats, world
from .harness import Bench, Task, expect
from .peers import STDLIB
from .stats import OURS, Row

TITLE = "the chains of a connection, verified and not, with and without DER"
OWN = "ssl's method (DER)"
VIEWS, DER, METHOD = "fasttrust, no DER", "fasttrust, DER", "fasttrust's method (DER)"
FOREIGN_VIEWS, FOREIGN_DER = "of ssl's socket, no DER", "of ssl's socket, DER"
WHY = {
    DER: "OpenSSL's encoding is two thirds of ssl's and the same in ours, and an object for each"
    " certificate comes first; one call for all of them would close half of it",
    FOREIGN_VIEWS: "a new handle for each call, since nothing of a foreign connection is kept",
}
KINDS = ("verified", "unverified")
LENGTHS = (1, 3, 10)
ASKED = 20  # connections in one counted batch


def run(bench: Bench) -> Iterator[Row]:
    cases = [("verified", 3)] if bench.fast else list(itertools.product(KINDS, LENGTHS))
    for kind, length in cases:
        with world.server(bench.folder, world.chain_name(length=length), "TLS 1.3") as port:
            figure = f"the {kind} chain of {length}, later requests"
            runs = bench.time(figure, "chain:later", port, kind, length)
            yield from [_row(figure, "µs", runs, name) for name in runs[0] if name != OWN]
            figure = f"the {kind} chain of {length}, first request of a connection"
            if absent := harness.uncounted(figure):
                yield from absent
                continue
            runs = bench.count(figure, "chain:first", port, kind, most=ASKED)
            yield from [_row(figure, "instructions", runs, name) for name in runs[0] if name != OWN]


def _row(figure: str, unit: str, runs: list[stats.Values], name: str) -> Row:
    row = stats.beside(figure, unit, runs, OWN, name, at_most=1.0)
    return stats.explain([row], {OWN: WHY.get(name, WHY[DER])})[0]


def _asking(kind: str) -> dict[str, Callable[[Any], Any]]:
    import fasttrust

    ours = getattr(fasttrust, f"get_{kind}_chain")

    def own(tls: Any) -> list[bytes]:
        """What SSLSocket.get_verified_chain() does from Python 3.13 on."""
        found = getattr(tls._sslobj, f"get_{kind}_chain")()
        return [one.public_bytes(_ssl.ENCODING_DER) for one in found or ()]

    def method(tls: Any) -> Any:
        return getattr(tls, f"get_{kind}_chain")()

    def ders(tls: Any) -> list[bytes]:
        return [bytes(certificate) for certificate in ours(tls)]

    has_method = hasattr(ssl.SSLSocket, f"get_{kind}_chain")
    return {OWN: method if has_method else own, VIEWS: ours, DER: ders, METHOD: method}


def later(port: int, kind: str, length: int) -> Task:
    made, ask = peers.proved_contexts(OURS, STDLIB), _asking(kind)
    ours, theirs = (peers.connect(made[name], port) for name in (OURS, STDLIB))
    sent = length if kind == "verified" or length == 1 else length - 1
    asked = {
        OWN: (ask[OWN], theirs),
        VIEWS: (ask[VIEWS], ours),
        DER: (ask[DER], ours),
        METHOD: (ask[METHOD], ours),
        FOREIGN_VIEWS: (ask[VIEWS], theirs),
        FOREIGN_DER: (ask[DER], theirs),
    }
    calls = {
        name: lambda call=call, tls=tls: _some(call(tls)) for name, (call, tls) in asked.items()
    }

    def prove() -> None:
        expected = calls[OWN]()
        expect(len(expected) == sent, f"a chain of {len(expected)}, not {sent}")
        for name, call in calls.items():
            expect(list(map(bytes, call())) == expected, f"{name}: another chain")

    return Task(calls, proof.all_of(_proof(made), prove))


def first(port: int, kind: str) -> Task:
    """Ask connections, each opened before, for their chain; each call asks another one."""
    made, ask = peers.proved_contexts(OURS, STDLIB), _asking(kind)
    contexts = {name: made[STDLIB if name == OWN else OURS] for name in ask}
    calls = {name: _next(ask[name], context, port) for name, context in contexts.items()}
    return Task(calls, _proof(made))


def _proof(made: dict[str, Any]) -> Callable[[], None]:
    """Return the proof of the contexts whose connections are asked."""
    return proof.of_contexts(
        {name: lambda context=context: context for name, context in made.items()}
    )


def _next(ask: Callable[[Any], Any], context: ssl.SSLContext, port: int) -> Callable[[], Any]:
    opened = iter([peers.connect(context, port) for _ in range(4 * ASKED + 2)])
    return lambda: _some(ask(next(opened)))


def _some(chain: Any) -> Any:
    expect(chain, "no chain")
    return chain
