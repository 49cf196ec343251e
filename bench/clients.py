"""HTTP clients, from their constructor to the first byte of the first request.

A Session or Client of its own for each request: injected; as the client comes, with the bundle;
with truststore injected; and with a context of ours that was prepared once: the least there is.
aiohttp makes one context when it is imported and keeps it, so there each session is given one of
its own by each way, and the rows say so.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from . import harness, proof, stats, world
from .harness import Bench, Task, expect
from .stats import OURS, Row

TITLE = "requests, httpx, aiohttp: from the constructor to the first byte"
PREPARED, TRUSTSTORE = "a prepared context", "truststore"
#: Plain ssl in each client.
WITHOUT = {
    "requests": "ssl, as it comes",
    "httpx": "ssl, as it comes",
    "aiohttp": "ssl, a context of its own for each session",
}
PREPARED_TARGET = 1.1
WHY = {PREPARED: "a context of its own: the client makes one for each Session or Client"}
#: Ten times cheaper on OpenSSL 3.0; from 3.5 on a bundle costs a tenth of that.
WITHOUT_TARGET = 0.1 if ssl.OPENSSL_VERSION_INFO < (3, 5) else 1.0
NOTES = {
    PREPARED: "ours, made once: the least there is",
    TRUSTSTORE: "reads the bundle at every connection",
}
Get = Callable[[str], None]


def run(bench: Bench) -> Iterator[Row]:
    yield from harness.missing("a fresh HTTP client to its first byte", *WITHOUT)
    with world.server(bench.folder, world.chain_name(), "TLS 1.3", answer="http") as port:
        for client in filter(harness.installed, WITHOUT):
            figure = f"a fresh {client} client to its first byte"
            runs = bench.time(figure, "clients:peers", client, port)
            yield from stats.all_beside(figure, "ms", runs, notes=NOTES)
            figure += ", instructions"
            if bench.fast:
                continue
            if absent := harness.uncounted(figure):
                yield from absent
                continue
            runs = bench.count(figure, "clients:counted", client, port)
            targets = {PREPARED: PREPARED_TARGET, WITHOUT[client]: WITHOUT_TARGET}
            found = stats.all_beside(figure, "instructions", runs, targets=targets, notes=NOTES)
            yield from stats.explain(found, WHY)


def peers(client: str, port: int) -> Task:
    """Return a request by each way; what is injected is taken out again behind each."""
    import fasttrust

    find = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *more, **words: find("127.0.0.1", *more, **words)  # type: ignore[assignment]
    make = {"requests": _requests, "httpx": _httpx, "aiohttp": _aiohttp}[client]
    url = f"https://{world.HOST}:{port}/"
    bundle, prepared = str(world.bundle()), fasttrust.create_default_context()
    gets: dict[str, Get] = {
        OURS: _between(fasttrust.inject_into_ssl, fasttrust.extract_from_ssl, make(None, None)),
        PREPARED: make(None, prepared),
        WITHOUT[client]: make(bundle, None),
    }
    if harness.installed("truststore"):
        module: Any = import_module("truststore")
        gets[TRUSTSTORE] = _between(
            module.inject_into_ssl, module.extract_from_ssl, make(None, None)
        )
    calls = {name: lambda get=get: get(url) for name, get in gets.items()}
    return Task(calls, proof.of_connections(calls, port))


def counted(client: str, port: int) -> Task:
    """Return those that are judged: truststore's reading of a bundle is 100 times the others'."""
    calls = {n: call for n, call in peers(client, port).calls.items() if n != TRUSTSTORE}
    return Task(calls, proof.of_connections(calls, port))


def _between(before: Callable[[], object], after: Callable[[], object], get: Get) -> Get:
    def call(url: str) -> None:
        before()
        try:
            get(url)
        finally:
            after()

    return call


def _requests(bundle: str | None, prepared: ssl.SSLContext | None) -> Get:
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
            expect(session.get(url, verify=bundle or True).content == world.BODY, "another body")

    return get


def _httpx(bundle: str | None, prepared: ssl.SSLContext | None) -> Get:
    httpx: Any = import_module("httpx")

    def get(url: str) -> None:
        verify: Any = prepared or (ssl.create_default_context(cafile=bundle) if bundle else True)
        with httpx.Client(verify=verify, trust_env=False) as client:
            expect(client.get(url).content == world.BODY, "another body")

    return get


def _aiohttp(bundle: str | None, prepared: ssl.SSLContext | None) -> Get:
    aiohttp: Any = import_module("aiohttp")
    loop = asyncio.new_event_loop()

    async def request(url: str) -> None:
        context = prepared or ssl.create_default_context(cafile=bundle)
        connector = aiohttp.TCPConnector(ssl=context, resolver=aiohttp.ThreadedResolver())
        async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as got:
            expect(await got.read() == world.BODY, "another body")

    return lambda url: loop.run_until_complete(request(url))
