"""A context of compat mode, where ``ssl`` itself verifies, beside a bare one.

The workers run with FASTTRUST_MODE=compat and a hashed directory as the system's store, which
OpenSSL reads when a handshake asks: a context costs little more than a bare one there.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from . import harness, proof, stats
from .harness import Bench, Peers, Task, expect
from .stats import OURS, Row

TITLE = "compat mode: a context where there is a hashed directory"
BARE = "ssl.SSLContext, bare"
TARGET = 1.2


def run(bench: Bench) -> Iterator[Row]:
    figure = "compat mode, a context with a hashed directory"
    compat = {
        "FASTTRUST_MODE": "compat",
        "SSL_CERT_DIR": str(bench.folder / "hashed"),
        "SSL_CERT_FILE": "",
    }
    runs = bench.time(figure, "compat:making", **compat)
    yield from stats.all_beside(figure, "µs", runs, targets={BARE: TARGET})
    figure += ", instructions"
    if absent := harness.uncounted(figure):
        yield from absent
        return
    runs = bench.count(figure, "compat:making", **compat)
    yield from stats.all_beside(figure, "instructions", runs, targets={BARE: TARGET})


def making() -> Task:
    import fasttrust

    expect(fasttrust.backend().mode == "compat", "this is not compat mode")
    ours: Peers = {OURS: lambda: fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    calls = {**ours, BARE: lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    return Task(calls, proof.of_contexts(ours))
