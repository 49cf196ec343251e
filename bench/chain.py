"""Figure 4: ``get_verified_chain`` of three certificates beside ``ssl``'s own method.

``ssl``'s method makes DER, every time. Ours makes it when asked for it, and a captured chain keeps
it: on a connection of ours only the first request encodes, which is why that one is counted too, on
connections that nobody asked before. Of a foreign connection every call makes a new chain: nothing
is kept there, and the clock sees the encoding.
"""

from __future__ import annotations

import _ssl
import ssl
from collections.abc import Callable
from typing import Any

import fasttrust

from . import harness, world
from .harness import Bench, Row, Values

TITLE = "the verified chain of three certificates"
CONNECTIONS = 32
OWN = "ssl's method (DER)"
VIEWS, DER, METHOD = "fasttrust, no DER", "fasttrust, DER", "fasttrust's method (DER)"
FOREIGN_VIEWS, FOREIGN_DER = "of ssl's socket, no DER", "of ssl's socket, DER"
TARGETS = {VIEWS: 1.0, DER: 1.0, METHOD: 1.0, FOREIGN_VIEWS: 1.0, FOREIGN_DER: 1.0}


def run(bench: Bench) -> list[Row]:
    rows = []
    with world.server(bench.folder, "P-256", "TLS 1.3") as port:
        figure = "chain, later requests"
        runs = bench.time(figure, "chain:timings", port, bench.rounds)
        rows += harness.compare(figure, "µs", runs, OWN, TARGETS)
        figure = "chain, first request of a connection"
        if absent := harness.no_valgrind(figure):
            return rows + absent
        names = [OWN, VIEWS, DER, METHOD]
        runs = bench.count(figure, "chain:first", CONNECTIONS, names, port, 2 * CONNECTIONS)
    return rows + harness.compare(figure, "instructions", runs, OWN, TARGETS)


def own(tls: Any) -> list[bytes]:
    """What SSLSocket.get_verified_chain() does from Python 3.13 on."""
    chain = tls._sslobj.get_verified_chain()
    if chain is None:
        return []
    return [certificate.public_bytes(_ssl.ENCODING_DER) for certificate in chain]


def views(tls: Any) -> object:
    return fasttrust.get_verified_chain(tls)


def ders(tls: Any) -> list[bytes]:
    return [bytes(certificate) for certificate in fasttrust.get_verified_chain(tls)]


def method(tls: Any) -> object:
    return tls.get_verified_chain()


def _own() -> Callable[[Any], object]:
    return method if hasattr(ssl.SSLSocket, "get_verified_chain") else own


def timings(port: int, rounds: int) -> Values:
    makers = world.contexts()
    theirs = world.connect(makers["ssl"](), port)
    ours = world.connect(makers["fasttrust"](), port)
    expected = own(theirs)
    if len(expected) != 3 or not expected == ders(ours) == ders(theirs) == method(ours):
        raise RuntimeError("the chains differ")
    calls = {
        OWN: (_own(), theirs),
        VIEWS: (views, ours),
        DER: (ders, ours),
        METHOD: (method, ours),
        FOREIGN_VIEWS: (views, theirs),
        FOREIGN_DER: (ders, theirs),
    }
    peers = {name: lambda ask=ask, tls=tls: ask(tls) for name, (ask, tls) in calls.items()}
    return harness.interleave(peers, rounds)


def first(name: str, asked: int, port: int, connections: int) -> None:
    """Connect a number of times, then ask some of the connections for their chain, each once."""
    ask = {OWN: _own(), VIEWS: views, DER: ders, METHOD: method}[name]
    context = world.contexts()["ssl" if name == OWN else "fasttrust"]()
    opened = [world.connect(context, port) for _ in range(connections)]
    for tls in opened[:asked]:
        ask(tls)
