"""What a program pays before its first connection: the import, and the first context.

The import is ``from package import name``: a package that loads the name later gains nothing.

The first context of a process reads and indexes the store; a bare one shows how much of it is
OpenSSL's own start, which no context can be without.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from . import harness, peers, stats
from .harness import Bench
from .peers import BARE, PYOPENSSL, STDLIB, TRUSTSTORE, WASSIMA
from .stats import OURS, Row

TITLE = "import, and the first context of a process"
IMPORTED = {OURS: "fasttrust", STDLIB: "ssl", TRUSTSTORE: "truststore", WASSIMA: "wassima"}
PACKAGES = {PYOPENSSL: "OpenSSL"}
NOTES = {
    **peers.NOTES,
    BARE: "trusts nobody: OpenSSL's own start",
    STDLIB: "whose own import is in none of the others",
    TRUSTSTORE: "lazy: its context loads the bundle at every connection",
    PYOPENSSL: "an OpenSSL of its own, whose default store is that one's",
}
WHY = {STDLIB: "OpenSSL's own start is in each, see bare"}


def run(bench: Bench) -> Iterator[Row]:
    present = [n for n in (*IMPORTED, PYOPENSSL) if harness.installed(PACKAGES.get(n, n))]
    imports: stats.Values = {name: [] for name in present}
    firsts: stats.Values = {name: [] for name in (*present, BARE)}
    bench.say("import, and the first context, each in a process of its own")
    order = list(firsts)
    for _ in range(5 if bench.fast else 20):  # an import happens once
        for name in order:
            imported, made = bench.call("cold:cold", name)
            firsts[name].append(made)
            if name in imports:
                imports[name].append(imported)
        order.append(order.pop(0))
    # a bundle is 10 times cheaper to load from OpenSSL 3.5 on
    target = 1 / 20 if ssl.OPENSSL_VERSION_INFO < (3, 5) else 1 / 4
    kept = bench.keep("import", "second", [imports])
    yield from stats.all_beside("import", "ms", kept, notes=NOTES)
    figure = "the first context of a process"
    runs = bench.keep(figure, "second", [firsts])
    found = stats.all_beside(figure, "ms", runs, targets={STDLIB: target}, notes=NOTES)
    yield from stats.explain(found, WHY)
    both = {
        name: [sum(pair) for pair in zip(imports[name], firsts[name], strict=True)]
        for name in present
    }
    added = "the import and the first context, both"
    kept = bench.keep(added, "second", [both])
    yield from stats.all_beside(added, "ms", kept, notes=NOTES)
    beyond = stats.derive(runs, "ours beyond bare", lambda one: max(1e-6, one[OURS] - one[BARE]))
    beyond = stats.derive(beyond, "ssl beyond bare", lambda one: max(1e-6, one[STDLIB] - one[BARE]))
    yield stats.beside(figure, "ms", beyond, "ssl beyond bare", "ours beyond bare")
    yield from harness.missing("import", "truststore", "wassima", "OpenSSL")
