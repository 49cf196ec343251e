"""
A machine for tests: what its store holds, connections moved by hand, and Python processes.

The system's store is what SSL_CERT_FILE and SSL_CERT_DIR name. `machine_trusts` sets both, so that
nothing of the real machine's store can count.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fasttrust
from pki import HOST, Chain, Issued, leaf, pem, root

#: Who verifies where nobody chose a store of roots.
VERIFIER = {"win32": "cryptoapi", "darwin": "sectrust"}.get(sys.platform, "openssl")
TESTS = Path(__file__).resolve().parent
#: How many times longer a process may take before it hangs: one begins slowly under Wine.
PATIENCE = 5 if sys.platform == "win32" else 1


def machine_trusts(monkeypatch: pytest.MonkeyPatch, folder: Path, *anchors: Issued) -> Path:
    """Make the anchors the system's store, in one file, and return the file."""
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    store = folder / "system.pem"
    # A store without any root is no store, and an error: a machine that trusts nobody of ours
    # trusts a stranger.
    store.write_text(pem(*(anchors or (root("stranger of the system"),))), "ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    monkeypatch.setenv("SSL_CERT_DIR", str(empty))
    # `ssl` lists these besides on Windows, whatever the variables say.
    monkeypatch.setattr(ssl.SSLContext, "_windows_cert_stores", (), raising=False)
    return store


def until_let(change: Callable[[], object]) -> None:
    """Change a file; Windows does not let one be replaced or removed while somebody reads it."""
    for attempt in range(1000):
        try:
            change()
        except PermissionError:
            if sys.platform != "win32" or attempt == 999:
                raise
            time.sleep(0.001)
        else:
            return


def hashed_directory(folder: Path, *anchors: Issued) -> Path:
    """Write each anchor into a file named by its subject's hash, as OpenSSL looks for it."""
    folder.mkdir(exist_ok=True)
    for anchor in anchors:
        (folder / f"{_name_hash(anchor.profile.subject or anchor.name):08x}.0").write_text(
            anchor.pem, "ascii"
        )
    return folder


def _name_hash(common_name: str) -> int:
    """Return X509_NAME_hash of a subject that is one common name."""
    value = " ".join(common_name.lower().split()).encode()
    attribute = b"\x06\x03\x55\x04\x03\x0c" + bytes([len(value)]) + value
    canonical = bytes([0x31, len(attribute) + 2, 0x30, len(attribute)]) + attribute
    return int.from_bytes(hashlib.sha1(canonical).digest()[:4], "little")


def plain(protocol: int, *anchors: Issued) -> ssl.SSLContext:
    """Make the standard library's context; PROTOCOL_TLS, for both sides, is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(protocol)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    return context


def made(protocol: int, *anchors: Issued) -> ssl.SSLContext:
    """Make a context of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = fasttrust.SSLContext(protocol)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    return context


def attached(protocol: int, *anchors: Issued) -> ssl.SSLContext:
    """Make the standard library's context and attach our verifier to it."""
    context = plain(protocol, *anchors)
    fasttrust.attach(context)
    return context


def leaf_of(anchor: Issued) -> Chain:
    """Make a chain of a leaf alone, for either side, issued by the anchor."""
    return Chain((leaf(f"leaf of {anchor.name}", anchor),))


def code(error: BaseException | None) -> int:
    """Return the X509_V_ERR_* by which one side refused the other, 0 where it did not."""
    if error is None:
        return 0
    assert isinstance(error, ssl.SSLCertVerificationError), repr(error)
    return error.verify_code


class Pair:
    """A client and a server over memory BIOs, moved by hand."""

    def __init__(
        self,
        client: ssl.SSLContext,
        server: ssl.SSLContext,
        *,
        server_hostname: str | None = HOST,
        session: ssl.SSLSession | None = None,
    ) -> None:
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(
            to_client, to_server, server_hostname=server_hostname, session=session
        )
        self.server = server.wrap_bio(to_server, to_client, server_side=True)

    @staticmethod
    def step(end: ssl.SSLObject) -> bool:
        """Go on with one end's handshake as far as it gets; say whether it is done."""
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def shake(self) -> Pair:
        """Carry the handshake through, and what TLS 1.3 sends after it."""
        for _ in range(10):
            done = self.step(self.client), self.step(self.server)
            if done == (True, True):
                self.read(self.client)
                return self
        raise AssertionError("the handshake does not end")

    @staticmethod
    def read(end: ssl.SSLObject) -> bytes:
        """Read what is there: application bytes, or b"" after TLS's own messages."""
        try:
            return end.read(1 << 16)
        except ssl.SSLWantReadError:
            return b""

    def close(self) -> None:
        """Say goodbye under TLS, on both ends."""
        for end in (self.client, self.server, self.client):
            with contextlib.suppress(ssl.SSLError):
                end.unwrap()


def ders(chain: Any) -> tuple[bytes, ...]:
    """Return a chain of ours as DER."""
    return tuple(bytes(certificate) for certificate in chain)


def run_python(
    code: str, *options: str, timeout: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own, which finds the tests' modules as this one does."""
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", *options, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=timeout * PATIENCE,
        check=False,
    )


def check_python(code: str, *options: str, timeout: float = 60, **environment: str) -> str:
    """Run code in a Python of its own, require that it ends well, and return what it printed."""
    process = run_python(code, *options, timeout=timeout, **environment)
    assert (0, "") == (process.returncode, process.stderr)
    return process.stdout
