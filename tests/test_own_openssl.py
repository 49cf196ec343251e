"""
A Python that brings a shared OpenSSL in a folder of its own: native mode finds that one.

So do python.org's, Homebrew's and conda's builds on a Mac, and conda's on Linux. Here the folder is
made, with copies of what this Python's `_ssl` is linked to.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from modes import reachable
from world import check_python

pytestmark = [
    reachable,
    pytest.mark.skipif(sys.platform != "linux", reason="reads what is loaded from /proc"),
]

LOADED = """
    import re
    def loaded():
        with open("/proc/self/maps") as file:
            found = re.findall(r" (/.*/lib(?:ssl|crypto)[.-].*)", file.read())
        return sorted(set(found))
"""
WORK = """
    import fasttrust, peer, pki
    from world import *
    root = pki.root("root")
    server = peer.server_context(pki.Chain((pki.leaf("leaf", root),)))
    for anchor in (root, pki.root("stranger")):
        client = fasttrust.create_default_context(cadata=anchor.pem)
        print(code(peer.connect(client, server).client_error))
    print(fasttrust.backend().mode)
"""


def loaded(**environment: str) -> list[Path]:
    """Return the files of OpenSSL that `import ssl` loads."""
    program = "    import ssl\n" + LOADED + "    print(*loaded(), sep='\\n')"
    return [Path(line) for line in check_python(program, **environment).splitlines() if line]


@pytest.fixture(scope="module")
def originals() -> list[Path]:
    """Return the libraries that this Python's `_ssl` is linked to."""
    found = loaded()
    if not found:
        pytest.skip("this Python has no shared OpenSSL")
    return found


@pytest.fixture
def folder(originals: list[Path], tmp_path: Path) -> str:
    """Return a folder with copies, as a Python's own."""
    for library in originals:
        shutil.copy(library, tmp_path)
    if {each.parent for each in loaded(LD_LIBRARY_PATH=str(tmp_path))} != {tmp_path}:
        pytest.skip("this Python brings an OpenSSL of its own already")
    return str(tmp_path)


def test_its_own_openssl_is_found(folder: str, originals: list[Path]) -> None:
    """Nothing but the copies is loaded, and they are used."""
    printed = check_python(
        WORK + LOADED + "    print(*loaded(), sep='\\n')",
        LD_LIBRARY_PATH=folder,
        FASTTRUST_MODE="",
    ).split()
    copies = sorted(str(Path(folder, each.name)) for each in originals)
    assert printed == ["0", "20", "native", *copies]


@pytest.mark.parametrize("before", [False, True], ids=["after ssl", "before ssl"])
@pytest.mark.parametrize("scope", ["LOCAL", "GLOBAL"])
def test_the_systems_openssl_beside_it(
    folder: str, originals: list[Path], scope: str, before: bool
) -> None:
    """What else is loaded, by whoever and however, is not taken for it; no case crashes."""
    load = f"""
    import ctypes
    for path in {[str(each) for each in sorted(originals)]!r}:
        ctypes.CDLL(path, ctypes.RTLD_{scope})
    """
    ssl_first = "    import ssl\n"
    program = load + ssl_first if before else ssl_first + load
    printed = check_python(
        program + WORK + LOADED + "    print(len(loaded()))",
        LD_LIBRARY_PATH=folder,
        FASTTRUST_MODE="",
    )
    assert printed.split()[:3] == ["0", "20", "native"]
    # What was there before ssl glibc may take for the library of that name, or for one of them.
    assert int(printed.split()[3]) == 2 * len(originals) or before
