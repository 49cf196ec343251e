"""What injection costs: nothing where it is not used, and little for clients that make contexts.

HTTP clients reach their first byte by way of a Session or Client of their own for each request:
injected, with a context that was prepared once, and without us. Their server is a process of its
own, and the bundle that they load without us is the bench's, since its server is in no other.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from importlib import import_module
from typing import Any

import fasttrust

from . import harness, world
from .harness import Bench, Row, Values

TITLE = "injected: unused, a default context, HTTP clients that make one per request"
BARE, DEFAULT = "ssl.SSLContext", "ssl.create_default_context(), injected"
ALONE, UNUSED = "not injected", "injected, a context made before"
INJECTED, PREPARED, WITHOUT = "injected", "a prepared context", "without us"
CLIENTS = ("requests", "httpx")


def run(bench: Bench) -> list[Row]:
    figure = "a default context under injection, time"
    runs = bench.time(figure, "inject:timings", bench.rounds)
    rows = harness.compare(figure, "ms", runs, BARE, {DEFAULT: 1.1})
    figure = "inject_into_ssl() and its end, time"
    runs = bench.time(figure, "inject:call_timings", bench.rounds)
    rows += harness.compare(figure, "µs", runs, "inject and extract")
    if missing := harness.no_valgrind("injection, instructions"):
        return rows + missing
    figure = "a default context under injection, instructions"
    runs = bench.count(figure, "inject:make", 200, [BARE, DEFAULT])
    rows += harness.compare(figure, "instructions", runs, BARE, {DEFAULT: 1.1})
    with world.server(bench.folder, "P-256", "TLS 1.3") as port:
        figure = "injected and unused: a handshake"
        runs = bench.count(figure, "inject:connect", 60, [ALONE, UNUSED], port)
        rows += harness.compare(figure, "instructions", runs, ALONE, {UNUSED: 1.01})
    with world.server(bench.folder, "P-256", "TLS 1.3", answer="http") as port:
        for client in CLIENTS:
            rows += harness.missing("a request", client) or _requests(bench, client, port)
    return rows


def _requests(bench: Bench, client: str, port: int) -> list[Row]:
    figure = f"a fresh {client} client to its first byte"
    peers = [f"{client}, {how}" for how in (PREPARED, INJECTED, WITHOUT)]
    runs = bench.count(figure, "inject:request", 12, peers, port)
    prepared, injected, without = peers
    rows = harness.compare(figure, "instructions", runs, prepared, {injected: 1.1})
    cheaper = harness.paired(runs, lambda one: one[injected] / one[without])
    # Ten times cheaper on OpenSSL 3.0; from 3.5 on a bundle costs a tenth of that.
    target = 0.1 if ssl.OPENSSL_VERSION_INFO < (3, 5) else None
    name = f"{injected}, of {without}"
    values = [one[injected][0] for one in runs]
    return [
        *rows,
        harness.row(figure, name, "instructions", values, ratios=cheaper, at_most=target),
    ]


def timings(rounds: int) -> Values:
    fasttrust.inject_into_ssl()
    standard = ssl.SSLContext.__new__.__wrapped__  # type: ignore[attr-defined]
    peers: harness.Peers = {
        BARE: lambda: standard(ssl.SSLContext, ssl.PROTOCOL_TLS_CLIENT),
        DEFAULT: ssl.create_default_context,
    }
    return harness.interleave(peers, rounds)


def call_timings(rounds: int) -> Values:
    def both() -> None:
        fasttrust.inject_into_ssl()
        fasttrust.extract_from_ssl()

    return harness.interleave({"inject and extract": both}, rounds)


def make(name: str, calls: int) -> None:
    call: Callable[[], object] = ssl.create_default_context
    if name == BARE:
        call = lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # noqa: E731
    else:
        fasttrust.inject_into_ssl()
    for _ in range(calls):
        call()


def connect(name: str, calls: int, port: int) -> None:
    context = ssl.create_default_context()
    if name == UNUSED:
        fasttrust.inject_into_ssl()
    for _ in range(calls):
        world.connect(context, port).close()


def request(name: str, calls: int, port: int) -> None:
    client, _, how = name.partition(", ")
    find = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *more, **words: find("127.0.0.1", *more, **words)  # type: ignore[assignment]
    bundle = os.environ["SSL_CERT_FILE"] if how == WITHOUT else None
    prepared = fasttrust.create_default_context() if how == PREPARED else None
    if how == INJECTED:
        fasttrust.inject_into_ssl()
    get = {"requests": _of_requests, "httpx": _of_httpx}[client](bundle, prepared)
    for _ in range(calls):
        get(f"https://{world.HOST}:{port}/")


def _of_requests(bundle: str | None, prepared: ssl.SSLContext | None) -> Callable[[str], None]:
    requests: Any = import_module("requests")
    adapters: Any = import_module("requests.adapters")

    class Prepared(adapters.HTTPAdapter):  # type: ignore[misc]
        def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
            super().init_poolmanager(*arguments, ssl_context=prepared, **keywords)

    def get(url: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            if prepared is not None:
                session.mount("https://", Prepared())
            assert session.get(url, verify=bundle or True).content == world.BODY

    return get


def _of_httpx(bundle: str | None, prepared: ssl.SSLContext | None) -> Callable[[str], None]:
    httpx: Any = import_module("httpx")

    def get(url: str) -> None:
        verify: Any = prepared or (ssl.create_default_context(cafile=bundle) if bundle else True)
        with httpx.Client(verify=verify, trust_env=False) as client:
            assert client.get(url).content == world.BODY

    return get
