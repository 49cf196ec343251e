"""Real clients under injection: accepted by the system's store alone, refused without it.

``tests/clients/run [CLIENT ...]``. The server and the store are of a private PKI; certifi and
botocore are the real ones, whose bundle gets one root more, with its hash in RECORD, as if that
root had been published with them.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import labs

# What each environment holds, and the bundle of roots that its client would use by itself.
PACKAGES = {
    "urllib": ((), None),
    "urllib3": (("urllib3>=2",), None),
    "requests": (("requests",), "certifi/cacert.pem"),
    "httpx": (("httpx",), "certifi/cacert.pem"),
    "httpx-per-request": (("httpx",), "certifi/cacert.pem"),
    "aiohttp": (("aiohttp",), None),
    "botocore": (("botocore",), "botocore/cacert.pem"),
    "pip": (("pip>=25",), "pip/_vendor/certifi/cacert.pem"),
}
ACCEPTED, REFUSED = "accepted", "refused 20"


class Lab(NamedTuple):
    """What a run has: a folder with stores, the installed package, and the two servers."""

    folder: Path
    site: Path
    trusted: Server
    kept: Server


class Server(NamedTuple):
    """An HTTPS server on loopback that counts what it was asked."""

    url: str
    asked: list[str]


@contextmanager
def serving(chain: Any, files: dict[str, bytes]) -> Iterator[Server]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = files.get(self.path, b"ok")
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if body[:1] == b"<" else "x/x")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing: a client that refuses is what is asked for."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain.load(context)
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Server(f"https://localhost:{server.server_port}/", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def add_to_bundle(python: Path, bundle: str, pem: str) -> None:
    """Give the installed bundle one root more than it was published with, and say so in RECORD."""
    (site,) = python.parent.parent.glob("lib/python3*/site-packages")
    file = site / bundle
    original = site / f"{bundle}.original"
    if not original.exists():
        original.write_bytes(file.read_bytes())
    file.write_bytes(original.read_bytes() + b"\n" + pem.encode())
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
    (record,) = site.glob(f"{bundle.partition('/')[0]}-*.dist-info/RECORD")
    lines = [
        f"{bundle},sha256={digest.rstrip('=')},{file.stat().st_size}"
        if line.startswith(f"{bundle},")
        else line
        for line in record.read_text("utf-8").splitlines()
    ]
    record.write_text("\n".join(lines) + "\n", "utf-8")


def python(
    lab: Lab, inside: Path, store: str, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run Python where that file is the system's store."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {
        **kept,
        "PYTHONPATH": str(lab.site),
        "SSL_CERT_FILE": str(lab.folder / store),
        "SSL_CERT_DIR": str(lab.folder),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "localhost",
    }
    return subprocess.run(
        [inside, *arguments],
        env=environment,
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Case(NamedTuple):
    """One request, in a process of its own."""

    what: str
    when: str = "first"  # injected before the client is imported, "late", or "plain": not
    store: str = "system.pem"  # the system's store; "other.pem" lacks the server's root
    expected: str = ACCEPTED
    run: bool = False  # by python -m fasttrust run
    given: str | None = None  # the file of roots that the program names
    kept: bool = False  # the server is the one whose root only the client's bundle holds


CASES = (
    Case("root in the system's store"),
    Case("the same, injected late", "late"),
    Case("the same, by fasttrust run", "plain", run=True),
    Case("root not in the system's store", store="other.pem", expected=REFUSED),
    Case("the same, injected late", "late", "other.pem", REFUSED),
    Case("root given by the program", store="other.pem", given="system.pem"),
    Case("another one given", given="other.pem", expected=REFUSED),
)
# Who trusts a bundle of its own does not ask the system, which is what injection is for.
ALONE = (Case("not injected: the system's root", "plain"),)
ALONE_WITH_BUNDLE = (
    Case("not injected: the system's root", "plain", expected=REFUSED),
    Case("not injected: a root that the bundle keeps", "plain", kept=True),
    Case("a root that only the bundle keeps", kept=True, expected=REFUSED),
    Case("the same, injected late", "late", kept=True, expected=REFUSED),
)


def check(lab: Lab, name: str, inside: Path, with_bundle: bool) -> list[str]:
    """Return what went otherwise than it should."""
    script = Path(__file__).with_name("client.py")
    wrong = []
    cases = (*CASES, *(ALONE_WITH_BUNDLE if with_bundle else ALONE))
    for case in cases:
        server = lab.kept if case.kept else lab.trusted
        before = len(server.asked)
        arguments = [script, name, case.when, server.url]
        arguments += [lab.folder / case.given] if case.given else []
        run = ("-m", "fasttrust", "run") if case.run else ()
        done = python(lab, inside, case.store, *run, *arguments)
        got, asked = done.stdout.strip(), len(server.asked) - before
        if (got, done.returncode, asked) != (case.expected, 0, case.expected == ACCEPTED):
            wrong.append(
                f"{name}: {case.what}: {got!r}, not {case.expected!r}; asked {asked} times"
            )
            wrong.append(done.stderr[-2000:])
    print(f"  {name}: {len(cases)} requests{'' if wrong else ' as they should be'}", flush=True)
    return wrong


def check_pip(lab: Lab, inside: Path) -> list[str]:
    """Let pip, unmodified, download from an index whose root only the system knows, or does not."""
    wrong = []
    for store, expected in (("system.pem", True), ("other.pem", False)):
        for way in ((), ("--use-deprecated=legacy-certs",)):
            asked = len(lab.trusted.asked)
            target = lab.folder / f"pip-{store}-{len(way)}"
            arguments = ["download", "--no-deps", "--no-cache-dir", "--retries", "0", *way]
            arguments += ["--index-url", f"{lab.trusted.url}simple/", "-d", str(target), "thing"]
            done = python(lab, inside, store, "-m", "fasttrust", "run", "-m", "pip", *arguments)
            got = (target / "thing-1-py3-none-any.whl").exists()
            if got != expected or (len(lab.trusted.asked) > asked) != expected:
                wrong.append(
                    f"pip {' '.join(way)}, {store}: downloaded: {got}\n{done.stderr[-2000:]}"
                )
    print(f"  pip: 4 downloads{'' if wrong else ' as they should be'}", flush=True)
    return wrong


def thing() -> bytes:
    """Return a wheel that holds nothing."""
    import io

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        folder = "thing-1.dist-info"
        archive.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1\n")
        archive.writestr(
            f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{folder}/RECORD", "")
    return content.getvalue()


def main() -> int:
    import pki

    began = time.monotonic()
    names = sys.argv[1:] or list(PACKAGES)
    root, kept, other = (pki.root(f"lab {name}") for name in ("system", "kept", "other"))
    leaf, leaf_of_kept = (
        pki.Chain((pki.leaf("localhost", each, names=("localhost",)),)) for each in (root, kept)
    )
    files = {
        "/simple/thing/": b'<a href="/thing-1-py3-none-any.whl">thing-1-py3-none-any.whl</a>',
        "/thing-1-py3-none-any.whl": thing(),
    }
    wrong = []
    with (
        tempfile.TemporaryDirectory() as name,
        serving(leaf, files) as trusted,
        serving(leaf_of_kept, files) as keeping,
    ):
        lab = Lab(Path(name), Path(name) / "site", trusted, keeping)
        (lab.folder / "system.pem").write_text(root.pem, "ascii")
        (lab.folder / "other.pem").write_text(other.pem, "ascii")
        driver = Path(sys.executable)
        built = labs.wheel(lab.folder, driver)
        labs.pip(driver, "install", "--no-deps", "--target", lab.site, built)
        for each in names:
            packages, bundle = PACKAGES[each]
            inside = labs.environment(f"clients/{each}", sys.executable, *packages)
            if bundle:
                add_to_bundle(inside, bundle, kept.pem)
            if each == "pip":
                wrong += check_pip(lab, inside)
            else:
                wrong += check(lab, each, inside, bundle is not None)
    print(*wrong, sep="\n")
    print(f"{'as it should be' if not wrong else 'WRONG'}, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    driver = labs.environment("clients/driver", sys.executable, "cryptography", "setuptools>=77")
    if Path(sys.prefix) != driver.parent.parent:
        os.execv(driver, [str(driver), __file__, *sys.argv[1:]])
    sys.exit(main())
