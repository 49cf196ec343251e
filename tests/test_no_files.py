"""strace sees what a handshake does: no file is looked at between ClientHello and Finished."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import fasttrust
import modes
import pki
from world import TESTS, check_python, hashed_directory, machine_trusts

# Between two marks in the trace lies the handshake of one context that never shook hands before.
PROGRAM = """
    import os, ssl, sys
    import fasttrust, peer, pki
    from world import Pair, leaf_of, machine_trusts
    root = pki.root("root of the trace")
    with open(os.environ["SSL_CERT_FILE"], "w") as file:
        file.write(root.pem)
    server = peer.server_context(leaf_of(root))
    stranger = peer.server_context(leaf_of(pki.root("stranger of the trace")))
    def mark(text):
        os.write(2, f"MARK {text}\\n".encode())
    def trace(name, make):
        for which, far in (("accepted", server), ("refused", stranger)):
            pair = Pair(make(), far)
            mark(f"begin {name} {which}")
            try:
                pair.shake()
            except fasttrust.VerificationError:
                came_to = "refused"
            else:
                came_to = "accepted"
            mark(f"end {name} {which}")
            assert came_to == which, (name, which, came_to)
    def attached():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        fasttrust.attach(context)
        return context
    def with_directory():
        context = fasttrust.create_default_context(capath=sys.argv[1])
        context.load_verify_locations(cadata=root.pem)
        return context
    # What Python and OpenSSL load once, whoever shakes hands, is not of interest.
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.load_verify_locations(cadata=root.pem)
    Pair(plain, server).shake()
    trace("made", fasttrust.create_default_context)
    trace("attached", attached)
    trace("directory", with_directory)
"""
LOOKS = re.compile(r"\b(open|openat|openat2|creat|stat|lstat|newfstatat|statx|access|readlink)\(")


def traced(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> list[str]:
    """Run the program under strace and return the lines of the trace."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    trace = folder / "trace"
    command = [strace, "-f", "-qq", "-e", "trace=%file,write", "-o", str(trace)]
    permitted = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if permitted.returncode != 0:
        pytest.skip(f"strace may not trace here: {permitted.stderr.strip()}")
    machine_trusts(monkeypatch, folder)
    directory = hashed_directory(folder / "hashed", pki.root("of a directory"))
    monkeypatch.setenv("PYTHONPATH", ":".join([str(TESTS), *filter(None, sys.path)]))
    ended = subprocess.run(
        [*command, sys.executable, "-c", textwrap.dedent(program), str(directory)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == ended.returncode, ended.stderr
    return trace.read_text("utf-8", "replace").splitlines()


IMPORT = """
    import os, sys
    for name in os.environ["BEFORE"].split():
        __import__(name)
    os.write(2, b"MARK begin import\\n")
    import fasttrust
    os.write(2, b"MARK end import\\n")
"""
NEEDED = """
    import sys, ssl, _cffi_backend, fasttrust
    print(*[name for name in sys.modules if "fasttrust" not in name and name != "__main__"])
"""


def test_import_opens_nothing_outside_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Once the standard library's modules are there, only files of the package are opened."""
    monkeypatch.setenv("BEFORE", check_python(NEEDED).strip())
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = looks_between(traced(monkeypatch, tmp_path, IMPORT))["import"]
    opened = [line for line in found if "open" in line.partition("(")[0] and " = -1 " not in line]
    files = [line for line in opened if "O_DIRECTORY" not in line]
    assert any("_native" in line for line in files)  # so the trace sees files
    package = f'"{Path(fasttrust.__file__).resolve().parent}/'
    # A wheel for C libraries from before 2.34 names libdl, where dlopen() was: the system's loader
    # looks it up, and finds it empty today.
    libdl = ('"/etc/ld.so.cache"', '/libdl.so.2"')
    others = [line for line in files if package not in line]
    assert [] == [line for line in others if not any(name in line for name in libdl)]


def looks_between(lines: list[str]) -> dict[str, list[str]]:
    """Return the system calls on files of each handshake."""
    found: dict[str, list[str]] = {}
    inside = None
    for line in lines:
        mark = re.search(r'write\(2, "MARK (begin|end) ([\w ]+)\\n"', line)
        if mark:
            inside = mark[2] if mark[1] == "begin" else None
            found.setdefault(mark[2], [])
        elif inside is not None and LOOKS.search(line):
            found[inside].append(line)
    return found


@modes.no_core
def test_handshake_looks_at_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Accepted or refused, cold contexts open no file; with `capath` OpenSSL does, as asked."""
    found = looks_between(traced(monkeypatch, tmp_path, PROGRAM))
    assert 6 == len(found)
    for name in ("made accepted", "made refused", "attached accepted", "attached refused"):
        assert [] == found[name]
    assert any("hashed" in line for line in found["directory refused"])  # so the trace sees files
