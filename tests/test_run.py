"""`python -m fasttrust run`: a program finds itself as Python would have started it, injected."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

# What a program can see of how it was started, less the frames of whoever started it.
PROGRAM = """
import atexit, os, pickle, ssl, sys, __main__
class Mine: pass
def last():
    print(sys.modules["__main__"].__name__)
atexit.register(last)
spec = __main__.__spec__
print(sys.argv, __name__, __file__, spec and spec.name, __package__, sys.path[0])
print(__main__.__dict__ is globals(), type(__loader__).__name__, sorted(set(globals()) - {"spec"}))
print(type(pickle.loads(pickle.dumps(Mine()))) is Mine)
print(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).__class__.__mro__[1].__name__)
sys.exit(7)
"""


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "script.py").write_text(PROGRAM, "utf-8")
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").touch()
    (folder / "pack" / "__main__.py").write_text(PROGRAM, "utf-8")
    (folder / "module.py").write_text(PROGRAM, "utf-8")
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", PROGRAM)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sub/script.py", "-x", "--", "-m"),
        ("link.py",),
        ("-m", "module", "--help"),
        ("-m", "pack", "a b"),
        ("pack",),
        ("archive.zip", "run"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("dashes", [(), ("--",)], ids=["", "--"])
@pytest.mark.parametrize("isolation", [(), ("-I",)], ids=["", "-I"])
def test_program_finds_itself(
    tmp_path: Path, arguments: tuple[str, ...], dashes: tuple[str, ...], isolation: tuple[str, ...]
) -> None:
    """Name, arguments, path, `__main__` and exit status are Python's own; the context is ours."""
    write(tmp_path)
    if arguments[0] == "link.py":
        (tmp_path / "link.py").symlink_to(tmp_path / "sub" / "script.py")
    if isolation and "-m" in arguments[:1]:
        pytest.skip("an isolated Python does not look into the present folder")
    expected = python(*isolation, *arguments, cwd=tmp_path)
    got = python(*isolation, "-m", "fasttrust", "run", *dashes, *arguments, cwd=tmp_path)
    assert (7, "") == (expected.returncode, expected.stderr)
    assert (7, "") == (got.returncode, got.stderr)
    theirs, ours = expected.stdout.splitlines(), got.stdout.splitlines()
    assert ("_SSLContext", "_Adopted") == (theirs.pop(3), ours.pop(3))
    assert theirs == ours


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 64, "expected SCRIPT or -m MODULE"),
        (("-m",), 64, "expected SCRIPT or -m MODULE"),
        (("-c", "pass"), 64, "no such option: -c"),
        (("nothing.py",), 2, "no file named 'nothing.py'"),
        (("-m", "no.such.module"), 2, "no module named 'no.such.module' can be run"),
        (("-m", "..."), 2, "no module named '...' can be run"),
    ],
)
def test_what_is_no_program_is_said(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """Wrong usage and a program that is not there are told apart, in one line."""
    done = python("-m", "fasttrust", "run", *arguments, cwd=tmp_path)
    assert (status, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_error_of_the_program_is_its_own(tmp_path: Path) -> None:
    """An exception ends the program as it would without us: traceback, status 1."""
    (tmp_path / "script.py").write_text("def f():\n    raise ValueError('mine')\nf()\n", "utf-8")
    done = python("-m", "fasttrust", "run", "script.py", cwd=tmp_path)
    assert 1 == done.returncode
    assert done.stderr.endswith("ValueError: mine\n")
    assert f'File "{tmp_path / "script.py"}", line 2, in f' in done.stderr


@pytest.mark.parametrize(
    ("method", "expected"), [("spawn", "['_SSLContext']\n"), ("fork", "['_Adopted']\n")]
)
def test_pool_of_processes_works(tmp_path: Path, method: str, expected: str) -> None:
    """Processes that are spawned find the program's functions; they are not injected."""
    script = f"""
        import multiprocessing, ssl
        def name(_):
            return type(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)).__mro__[1].__name__
        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(1) as pool:
                print(pool.map(name, [0]))
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script), "utf-8")
    done = python("-m", "fasttrust", "run", "script.py", cwd=tmp_path)
    assert (0, "") == (done.returncode, done.stderr)
    assert expected == done.stdout
