"""A verification by CryptoAPI beside truststore's, in a Windows Python under Wine.

The Pythons, our wheel and truststore are those of ``tests/windows/run``, which has to have run.
Both ask the same machine, whose Root store holds the root, about the same chain and name, with no
revocation. By itself: ours by ``verify_chain``, which asks OpenSSL after the system, truststore's
by its own function, in ctypes. And in a handshake over memory, both ends, with a context that was
there before. Both have refused an expired leaf. Wine's speed says nothing about Windows'.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from . import harness, stats, world
from .harness import Bench, Peers, expect
from .stats import OURS, Row

TITLE = "Windows, under Wine: a verification beside truststore's"
FIGURES = {
    "verify": "Windows under Wine, a verification",
    "shake": "Windows under Wine, a handshake",
}
NOTE = "does not ask OpenSSL too, and takes Wine's policy at its word"
TRUSTSTORE = "truststore"
WINE = Path("/usr/lib/wine/wine64")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
LAB = CACHE / "fasttrust-labs" / "windows"
PYTHON = LAB / "python" / "cp313"
TESTS = harness.ROOT / "tests"
GOOD, EXPIRED = "good", "expired"


def run(bench: Bench) -> Iterator[Row]:
    if not WINE.exists() or not (PYTHON / "Lib" / "site-packages" / "fasttrust").exists():
        why = "tests/windows/run has not run here"
        yield from [stats.absent(figure, TRUSTSTORE, why) for figure in FIGURES.values()]
        return
    with (LAB / "lock").open("w") as lock:
        if not _is_free(lock):
            why = "tests/windows/run is using the laboratory"
            yield from [stats.absent(figure, TRUSTSTORE, why) for figure in FIGURES.values()]
            return
        yield from _measured(bench)


def _is_free(lock: IO[str]) -> bool:
    """Take the laboratory's lock, unless somebody else has it."""
    fcntl: Any = import_module("fcntl")  # which Windows has not
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _measured(bench: Bench) -> Iterator[Row]:
    folder = bench.folder / "wine"
    folder.mkdir()
    pki: Any = import_module("pki")
    # Another name each time: a run that was killed leaves its root in the store.
    # RSA: some ECDSA signatures are false ones to Wine 8, which does not fill up a short number.
    rsa = {"algorithm": "rsa2048"}
    root = pki.root(f"bench under Wine {os.urandom(4).hex()}", **rsa)
    middle = pki.intermediate("bench intermediate under Wine", root, **rsa)
    for name, valid in ((GOOD, (-1, 30)), (EXPIRED, (-9, -2))):
        leaf = pki.leaf(f"{name} under Wine", middle, names=(world.HOST,), valid=valid, **rsa)
        (folder / name).mkdir()
        pki.Chain((leaf, middle)).write(folder / name)
    (folder / "root.pem").write_text(root.pem, "ascii")
    try:
        _under_wine("trust", str(folder))
        for way, figure in FIGURES.items():
            bench.say(figure)
            arguments = (way, str(folder), 8 if bench.fast else 20)
            runs = [_under_wine("measured", *arguments) for _ in range(1 if bench.fast else 4)]
            bench.keep(figure, "second", runs)
            yield from stats.all_beside(figure, "µs", runs, notes={TRUSTSTORE: NOTE})
    finally:
        _under_wine("distrust", str(folder))


def _under_wine(function: str, *arguments: object) -> Any:
    """Return what a function of this module answers in the Windows Python."""
    worker = [WINE, PYTHON / "python.exe", "-m", "bench.worker", "call", f"wine:{function}"]
    left_out = ("SSL_CERT_FILE", "SSL_CERT_DIR", "FASTTRUST_MODE", "DISPLAY")
    environment = {name: text for name, text in os.environ.items() if name not in left_out}
    paths = (_windows_path(folder) for folder in (harness.ROOT, TESTS))
    environment |= {"WINEPREFIX": str(LAB / "prefix"), "WINEDEBUG": "-all"}
    done = subprocess.run(  # Python's streams have to be pipes there
        [*worker, *map(json.dumps, arguments)],
        cwd=harness.ROOT,
        env={**environment, "PYTHONPATH": ";".join(paths)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return harness.answer(f"wine:{function}", done)


def _windows_path(path: Path) -> str:
    return f"Z:{path}".replace("/", "\\")


# ---- there ----


def trust(folder: str) -> None:
    """Put the root into the Root store; processes that begin later trust it."""
    _store().trust(_root(folder))


def distrust(folder: str) -> None:
    """Take it out again."""
    _store().distrust(_root(folder))


def _store() -> Any:
    return import_module("windows_store")


def _root(folder: str) -> Any:
    pki: Any = import_module("pki")
    text = Path(_windows_path(Path(folder, "root.pem"))).read_text("ascii")
    return pki.Issued("root", ssl.PEM_cert_to_DER_cert(text), None, None)


def measured(way: str, folder: str, rounds: int) -> stats.Values:
    """Return what one verification or handshake took each of the two."""
    import fasttrust

    backend = fasttrust.backend()
    expect((backend.mode, backend.verifier) == ("native", "cryptoapi"), "this is not CryptoAPI")
    make = {"verify": _verifying, "shake": _shaking}[way]
    folders = [Path(_windows_path(Path(folder, name))) for name in (GOOD, EXPIRED)]
    peers, refusing = map(make, folders)
    _prove(refusing)
    values = harness.interleave(peers, rounds, batch=0.05)
    _prove(refusing)
    return values


def _prove(refusing: Peers) -> None:
    for name, call in refusing.items():
        try:
            call()
        except ssl.SSLCertVerificationError:
            continue
        raise harness.WrongVerdictError(f"{name} accepts an expired leaf")


def _verifying(folder: Path) -> Peers:
    import fasttrust

    own: Any = import_module("truststore._windows")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blocks = (folder / "chain.pem").read_text("ascii").split(world.END)[:-1]
    chain = [ssl.PEM_cert_to_DER_cert(block.strip() + "\n" + world.END) for block in blocks]

    def ours() -> None:
        found = fasttrust.verify_chain(chain, server_hostname=world.HOST)
        expect(len(found) == len(chain) + 1, "another chain")

    return {
        OURS: ours,
        TRUSTSTORE: lambda: own._verify_peercerts_impl(context, chain, server_hostname=world.HOST),
    }


def _shaking(folder: Path) -> Peers:
    import fasttrust

    truststore: Any = import_module("truststore")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    clients = {OURS: fasttrust.SSLContext, TRUSTSTORE: truststore.SSLContext}

    def shaking(client: ssl.SSLContext) -> Callable[[], None]:
        return lambda: _shake(client, server)

    return {name: shaking(made(ssl.PROTOCOL_TLS_CLIENT)) for name, made in clients.items()}


def _shake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    first, second = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(first, second, server_hostname=world.HOST)
    asked = server.wrap_bio(second, first, server_side=True)
    for _ in range(2):
        for end in (asking, asked):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    expect(asked.version(), "the handshake is not over")
