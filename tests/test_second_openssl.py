"""A process that holds a second OpenSSL: native if the probe proves it, else compat, no crash."""

from __future__ import annotations

import importlib.util
import shutil
import ssl
import sys
from pathlib import Path

import pytest

import modes
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


@modes.no_core
@pytest.mark.skipif(sys.platform != "win32", reason="of Windows, where DLLs have one name each")
@pytest.mark.parametrize("first", ["copy", "ssl"])
def test_copy_of_the_same_name(first: str, tmp_path: Path) -> None:
    """Windows' _ssl is followed by its imports: whoever asked by name got what was loaded first."""
    assert ssl._ssl.__file__  # type: ignore[attr-defined]
    own = Path(ssl._ssl.__file__).parent  # type: ignore[attr-defined]
    names = sorted(path.name for path in own.glob("lib[cs]*-*.dll") if "ffi" not in path.name)
    assert 2 == len(names)
    for name in names:
        shutil.copy(own / name, tmp_path)
    load = f"""
    import ctypes
    copies = [ctypes.WinDLL({str(tmp_path)!r} + "\\\\" + name) for name in {names!r}]
    """
    loads = [load.rstrip() + "\n", "    import ssl\n"]
    if first == "ssl":
        loads.reverse()
    tell = f"""
    handle = ctypes.windll.kernel32.GetModuleHandleW
    handle.restype = ctypes.c_void_p
    places = [{str(tmp_path)!r}, {str(own)!r}]
    print(len({{handle(place + "\\\\" + {names[1]!r}) for place in places}} - {{None}}))
    print(record.mode)
    """
    lines = check_python("".join(loads) + WORK + tell).splitlines()
    # The loader gave _ssl, which came second, the copy; or _ssl's own stand beside it.
    assert [*EXPECTED, "1" if first == "copy" else "2", "native"] == lines
