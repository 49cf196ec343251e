"""What a figure needs around it: certificates, a bundle of anchors, clients, and a TLS server."""

from __future__ import annotations

import argparse
import itertools
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from . import harness

HOST = "server.test"
HASHED = "ssl, hashed directory"
BODY = b"ok"
# What a server sends: by itself, or to whoever asks.
ANSWERS = {
    "byte": b"x",
    "http": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n" + BODY,
}
KEYS = {"P-256": "p256", "RSA-2048": "rsa2048"}
VERSIONS = {"TLS 1.3": ssl.TLSVersion.TLSv1_3, "TLS 1.2": ssl.TLSVersion.TLSv1_2}
BUNDLE_SIZE = 144  # as many as Debian's ca-certificates holds at the time of writing
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
END = "-----END CERTIFICATE-----\n"


def make(folder: Path) -> None:
    """Write the PKI: root, intermediate and leaf for each kind of key, and a bundle of anchors."""
    sys.path.append(str(harness.ROOT / "tests"))
    pki: Any = import_module("pki")
    roots = []
    for name, algorithm in KEYS.items():
        root = pki.root(f"root {name}", algorithm=algorithm)
        middle = pki.intermediate(f"intermediate {name}", root, algorithm=algorithm)
        leaf = pki.leaf(f"leaf {name}", middle, algorithm=algorithm, names=(HOST,))
        (folder / name).mkdir()
        pki.Chain((leaf, middle)).write(folder / name)
        roots.append(root.pem)
    public = _public_anchors()[: BUNDLE_SIZE - len(roots)]
    if len(public) + len(roots) < BUNDLE_SIZE:
        print(f"note: the bundle holds {len(public) + len(roots)} anchors, not {BUNDLE_SIZE}")
    (folder / "bundle.pem").write_text("".join([*public, *roots]), "utf-8")
    _hash_into(folder / "hashed", [*public, *roots])


def _hash_into(folder: Path, anchors: list[str]) -> None:
    """Write a directory in which OpenSSL finds each anchor by the hash of its subject."""
    native: Any = import_module("fasttrust._native_anchors")
    folder.mkdir()
    for anchor in anchors:
        (name,) = native.index_name_hashes(native.index_from_pem(anchor.encode()))
        free = (folder / f"{name:08x}.{number}" for number in itertools.count())
        next(path for path in free if not path.exists()).write_text(anchor, "utf-8")


def write_roots(path: Path, number: int) -> None:
    """Write a bundle of so many roots made anew."""
    pki: Any = import_module("pki")
    path.write_text("".join(pki.root(f"root {i} of {number}").pem for i in range(number)), "ascii")


def _public_anchors() -> list[str]:
    candidates = [Path(path) for path in BUNDLES]
    if harness.installed("certifi"):
        candidates.append(Path(import_module("certifi").where()))
    for path in candidates:
        if path.exists():
            blocks = path.read_text("utf-8").split(END)[:-1]
            return [block.strip() + "\n" + END for block in blocks]
    return []


def contexts() -> dict[str, Callable[[], ssl.SSLContext]]:
    """Return how each installed peer makes a client's context that trusts the system."""
    import fasttrust

    makers: dict[str, Callable[[], ssl.SSLContext]] = {
        "ssl": ssl.create_default_context,
        "fasttrust": fasttrust.create_default_context,
    }
    if harness.installed("truststore"):
        truststore: Any = import_module("truststore")
        makers["truststore"] = lambda: truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return makers


def everybody() -> dict[str, Callable[[], ssl.SSLContext]]:
    """Return contexts(), and beside them ``ssl`` with a hashed directory, which it reads lazily."""
    directory = Path(os.environ["SSL_CERT_FILE"]).parent / "hashed"

    def hashed() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(capath=directory)
        return context

    return {**contexts(), HASHED: hashed}


def connect(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    """Connect, verify, and read the one byte that the server sends behind its session tickets."""
    plain = socket.create_connection(("127.0.0.1", port))
    tls = context.wrap_socket(plain, server_hostname=HOST)
    tls.recv(1)
    return tls


@contextmanager
def server(
    folder: Path, key: str, version: str, delay: float = 0.0, answer: str = "byte"
) -> Iterator[int]:
    """Run a server in a process of its own; the value is its port."""
    command = [sys.executable, "-m", "bench.world", str(folder / key), version, str(delay), answer]
    process = subprocess.Popen(
        command, cwd=harness.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate()  # the end of its standard input ends it


def _serve(folder: Path, version: str, delay: float, answer: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = VERSIONS[version]
    context.minimum_version = VERSIONS[version]
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=_answer, args=(context, plain, delay, answer), daemon=True).start()


def _answer(context: ssl.SSLContext, plain: socket.socket, delay: float, answer: str) -> None:
    """Answer one client; `delay` seconds pass before the ServerHello."""
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
