"""A cold process: from its start to the first verified byte, and its end.

Each participant is a program of four lines, started in turns. What Python itself takes to start is
shown beside it. Each has refused a wrong name and an unknown root before and after.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import floor, harness, peers, proof, stats, world
from .harness import Bench, expect
from .peers import CERTIFI, HASHED, STDLIB, TRUSTSTORE, UNVERIFIED, WASSIMA
from .stats import OURS, Row

TITLE = "a cold process, from its start to the first verified byte"
EMPTY = "python -c pass"
NOTES = {
    **peers.NOTES,
    EMPTY: "connects to nobody",
    WASSIMA: "lists the machine's own store",
    floor.FLOOR: "has no Python to start",
    floor.UNVERIFIED: "has no Python to start, and verifies nothing",
}
PROGRAM = """
import socket, sys
{context}
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", {port})), server_hostname="{host}")
sys.exit(tls.recv(1) != b"x")
"""
CONTEXTS = {
    OURS: "import fasttrust; context = fasttrust.create_default_context()",
    STDLIB: "import ssl; context = ssl.create_default_context()",
    HASHED: "import ssl; context = ssl.create_default_context(capath={hashed!r})",
    CERTIFI: "import certifi, ssl; context = ssl.create_default_context(cafile=certifi.where())"
    "\ncontext.load_verify_locations({own!r})",
    TRUSTSTORE: "import ssl, truststore; context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)",
    WASSIMA: "import wassima; context = wassima.create_default_ssl_context()"
    "\ncontext.load_verify_locations({own!r})",
    UNVERIFIED: "import ssl; context = ssl._create_unverified_context()",
}
WHY = {
    STDLIB: "what ours and cffi's modules take to import, against the bundle that is not loaded;"
    " fewer modules would close it"
}
PACKAGES = {CERTIFI: "certifi", TRUSTSTORE: "truststore", WASSIMA: "wassima"}


def run(bench: Bench) -> Iterator[Row]:
    figure = "a cold process to its first verified byte"
    bench.say(figure)
    with world.server(bench.folder, world.chain_name(), "TLS 1.3") as port:
        programs = commands(bench.folder, port, world.HOST)
        calls = {n: lambda n=n: _run(bench, programs[n]) for n in programs if n != EMPTY}
        prove = proof.of_connections(calls, port)
        prove()
        values: stats.Values = {name: [] for name in programs}
        order = list(programs)
        for _ in range(5 if bench.fast else 20):
            for name in order:
                started = time.perf_counter()
                _run(bench, programs[name])
                values[name].append(time.perf_counter() - started)
            order.append(order.pop(0))
        prove()
    runs = bench.keep(figure, "second", [values])
    rows = stats.all_beside(figure, "ms", runs, targets={STDLIB: 1.0}, notes=NOTES)
    yield from stats.explain(rows, WHY) + harness.missing(figure, *PACKAGES.values())


def commands(folder: Path, port: int, host: str) -> dict[str, list[str]]:
    """Return each participant's command."""
    places = {"hashed": str(folder / "hashed"), "own": str(folder / "own.pem")}
    made = {
        name: [
            sys.executable,
            "-c",
            PROGRAM.format(context=text.format(**places), port=port, host=host),
        ]
        for name, text in CONTEXTS.items()
        if name not in PACKAGES or harness.installed(PACKAGES[name])
    }
    made[EMPTY] = [sys.executable, "-c", "pass"]
    if not floor.why_not():
        program = str(floor.program())
        made[floor.FLOOR] = [program, str(folder / "bundle.pem"), str(port), host]
        made[floor.UNVERIFIED] = [program, "", str(port), host]
    return made


def _run(bench: Bench, command: list[str]) -> None:
    """Run a program to its end; raises with what it says where it fails."""
    done = subprocess.run(
        command, env=bench.environment(), capture_output=True, text=True, check=False
    )
    expect(done.returncode == 0, done.stderr)
