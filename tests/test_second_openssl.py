"""A process that holds a second OpenSSL: native if the probe proves it, else compat, no crash."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from world import check_python


def bundled() -> Path:
    """Return the folder of another OpenSSL, which psycopg2's wheel brings for its own use."""
    spec = importlib.util.find_spec("psycopg2")
    if spec is None or spec.origin is None:
        pytest.skip("psycopg2-binary is not installed")
    folder = Path(spec.origin).parent.parent / "psycopg2_binary.libs"
    if not list(folder.glob("libssl*")):
        pytest.skip("psycopg2 brings no OpenSSL of its own here")
    return folder


WORK = """
    import fasttrust, peer, pki
    from world import *
    root = pki.root("root")
    server = peer.server_context(pki.Chain((pki.leaf("leaf", root),)))
    codes = []
    for anchor in (root, pki.root("stranger")):
        client = fasttrust.create_default_context(cadata=anchor.pem)
        for carrier in ("socket", "bio"):
            codes.append(code(peer.connect(client, server, carrier=carrier).client_error))
    print(codes)
    record = fasttrust.backend()
    print(record.mode in ("native", "compat"), record.openssl == ssl.OPENSSL_VERSION)
"""
EXPECTED = ["[0, 0, 20, 20]", "True True"]


@pytest.mark.parametrize("when", ["global, before ssl", "global, after ssl", "local, before ssl"])
def test_second_openssl(when: str) -> None:
    """Whichever of the two `ssl` ended up with, the verdicts are right and the version is ssl's."""
    scope, _, order = when.partition(", ")
    load = f"""
    import ctypes, glob
    folder = {str(bundled())!r}
    for name in ("libcrypto", "libssl"):
        for path in glob.glob(folder + "/" + name + "*"):
            ctypes.CDLL(path, ctypes.RTLD_{scope.upper()})
    """
    first, second = (load, "    import ssl\n")
    if order == "after ssl":
        first, second = second, first
    assert EXPECTED == check_python(first + second + WORK).splitlines()


@pytest.mark.parametrize("first", ["psycopg2", "ssl"])
def test_psycopg2_itself(first: str) -> None:
    """Imported in either order, as a program does."""
    bundled()
    second = "ssl" if first == "psycopg2" else "psycopg2"
    assert EXPECTED == check_python(f"    import {first}, {second}\n{WORK}").splitlines()
