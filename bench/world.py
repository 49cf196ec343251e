"""What a figure needs around it: certificates, bundles of anchors, and a TLS server."""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from . import ctool, harness

HOST = "server.test"
BODY = b"ok"
# What a server sends: by itself, or to whoever asks.
ANSWERS = {
    "byte": b"x",
    "http": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n" + BODY,
}
KEYS = {"P-256": "p256", "RSA-2048": "rsa2048", "Ed25519": "ed25519"}
LENGTHS = (1, 2, 3, 4, 10)  # certificates in a chain, the root counted; all but 3 with P-256 alone
NAMES = (1, 100, 1000)  # in a leaf
VERSIONS = {"TLS 1.3": ssl.TLSVersion.TLSv1_3, "TLS 1.2": ssl.TLSVersion.TLSv1_2}
BUNDLE_SIZE = 144  # as many as Debian's ca-certificates holds at the time of writing
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
UNKNOWN = "unknown"  # the chain of a root that is in no bundle
WRONG = "wrong"  # a chain for another name, of a root that is in all
END = "-----END CERTIFICATE-----\n"


def chain_name(key: str = "P-256", length: int = 3, names: int = 1) -> str:
    """Return the folder's name of a chain; `length` counts the root, which is not sent."""
    return f"{key}-{length}" if names == 1 else f"{key}-{length}-{names}-names"


def folder() -> Path:
    """Return a worker's folder of certificates."""
    return ctool.run_folder()


def bundle(size: int = BUNDLE_SIZE) -> Path:
    """Return the file of so many anchors, the bench's own among them."""
    return folder() / "bundle.pem" if size == BUNDLE_SIZE else made_bundle(size)


def made_bundle(size: int) -> Path:
    """Return the file that write_bundle() writes."""
    return folder() / f"bundle-{size}.pem"


def own_roots() -> str:
    return (folder() / "own.pem").read_text("ascii")


def sent(name: str) -> list[bytes]:
    """Return the DER of the certificates that the server of a chain sends."""
    text = (folder() / name / "chain.pem").read_text("ascii")
    return [ssl.PEM_cert_to_DER_cert(part + END) for part in text.split(END)[:-1]]


def make(into: Path) -> None:
    """Write the PKI, its chains, and the bundles and the hashed directory that hold its roots."""
    sys.path.append(str(harness.ROOT / "tests"))
    pki: Any = import_module("pki")
    own = [*(_chains(pki, into, key) for key in KEYS), _alone(pki, into)]
    _write_chain(pki, into / UNKNOWN, pki.root(UNKNOWN), 3)
    public = _public_anchors()
    if len(public) + len(own) < BUNDLE_SIZE:
        print(f"note: the bundle holds {len(public) + len(own)} anchors, not {BUNDLE_SIZE}")
    anchors = [*public[: BUNDLE_SIZE - len(own)], *own]
    (into / "own.pem").write_text("".join(own), "ascii")
    (into / "bundle.pem").write_text("".join(anchors), "utf-8")
    _hash_into(into / "hashed", anchors)


def _chains(pki: Any, into: Path, key: str) -> str:
    root = pki.root(f"root {key}", algorithm=KEYS[key])
    for length in LENGTHS[1:] if key == "P-256" else (3,):
        _write_chain(pki, into / chain_name(key, length), root, length)
    for number in NAMES[1:] if key == "P-256" else ():
        names = (*(f"name-{i}.test" for i in range(number - 1)), HOST)  # the right one comes last
        _write_chain(pki, into / chain_name(key, 3, number), root, 3, names)
    if key == "P-256":
        _write_chain(pki, into / WRONG, root, 3, ("wrong.test",))
    return str(root.pem)


def _write_chain(
    pki: Any, into: Path, root: Any, length: int, names: tuple[str, ...] = (HOST,)
) -> None:
    """Write what a server below the root sends; all keys are of the root's kind."""
    algorithm, issuers = root.profile.algorithm, [root]
    for number in range(length - 2):
        label = f"intermediate {number} of {into.name}"
        issuers.append(pki.intermediate(label, issuers[-1], algorithm=algorithm))
    leaf = pki.leaf(f"leaf {into.name}", issuers[-1], algorithm=algorithm, names=names)
    into.mkdir()
    pki.Chain((leaf, *reversed(issuers[1:]))).write(into)


def _alone(pki: Any, into: Path) -> str:
    """Write a server's certificate that is its own anchor: a chain of one."""
    leaf = pki.leaf("leaf alone", None)
    (into / chain_name(length=1)).mkdir()
    pki.Chain((leaf,)).write(into / chain_name(length=1))
    return str(leaf.pem)


def _hash_into(into: Path, anchors: list[str]) -> None:
    """Write a directory in which OpenSSL finds each anchor by the hash of its subject."""
    native: Any = import_module("fasttrust._native_anchors")
    into.mkdir()
    for anchor in anchors:
        (name,) = native.index_name_hashes(native.index_from_pem(anchor.encode()))
        free = (into / f"{name:08x}.{number}" for number in itertools.count())
        next(path for path in free if not path.exists()).write_text(anchor, "utf-8")


def write_bundle(size: int) -> None:
    """Write a bundle of so many anchors made anew, the bench's own among them, last."""
    path = made_bundle(size)
    if path.exists():
        return
    pki: Any = import_module("pki")
    own = own_roots()
    others = [pki.root(f"root {i} of {size}").pem for i in range(size - own.count(END))]
    path.write_text("".join([*others, own]), "ascii")


def _public_anchors() -> list[str]:
    candidates = [Path(path) for path in BUNDLES]
    if harness.installed("certifi"):
        candidates.append(Path(import_module("certifi").where()))
    for path in candidates:
        if path.exists():
            blocks = path.read_text("utf-8").split(END)[:-1]
            return [block.strip() + "\n" + END for block in blocks]
    return []


@dataclass
class Stand:
    """Where the context of a server in memory stands; another may take its place."""

    context: ssl.SSLContext


@contextmanager
def posing(port: int, chain: str) -> Iterator[None]:
    """Let the server at the port show another chain meanwhile; nothing changes if it is ""."""
    instead = _instead(folder(), port)
    if chain:
        instead.write_text(chain, "ascii")
    try:
        yield
    finally:
        instead.unlink(missing_ok=True)


def _instead(run: Path, port: int) -> Path:
    """Return the file that tells the server at the port which chain to show instead of its own."""
    return run / f"instead-{port}"


@contextmanager
def server(
    bench_folder: Path, chain: str, version: str, delay: float = 0.0, answer: str = "byte"
) -> Iterator[int]:
    """Run a server in a process of its own; the value is its port."""
    command = [sys.executable, "-m", "bench.world", str(bench_folder / chain)]
    process = subprocess.Popen(
        [*command, version, str(delay), answer],
        cwd=harness.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate()  # the end of its standard input ends it


def server_context(chain_folder: Path, version: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_folder / "chain.pem", chain_folder / "key.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = VERSIONS[version]
    context.minimum_version = VERSIONS[version]
    return context


def _serve(chain_folder: Path, version: str, delay: float, answer: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it, Ctrl-C or not
    context = server_context(chain_folder, version)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = listener.getsockname()[1]
    instead = _instead(chain_folder.parent, port)
    print(port, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a byte waits for an ACK
        shown = context
        if instead.exists():
            shown = server_context(chain_folder.parent / instead.read_text("ascii"), version)
        threading.Thread(target=_answer, args=(shown, plain, delay, answer), daemon=True).start()


def _answer(context: ssl.SSLContext, plain: socket.socket, delay: float, answer: str) -> None:
    """Answer one client; between its ClientHello and the ServerHello pass `delay` seconds."""
    if delay:
        plain.recv(1, socket.MSG_PEEK)
        time.sleep(delay)
    with suppress(OSError), context.wrap_socket(plain, server_side=True) as tls:
        if answer == "http":
            tls.recv(4096)
        tls.sendall(ANSWERS[answer])
        tls.recv(1)  # until the client is gone


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("version", choices=VERSIONS)
    parser.add_argument("delay", type=float)
    parser.add_argument("answer", choices=ANSWERS)
    options = parser.parse_args()
    _serve(options.folder, options.version, options.delay, options.answer)
