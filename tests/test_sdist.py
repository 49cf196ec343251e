"""What is published as source: all that builds, tests and explains the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import vendor
from world import TESTS

TOP = TESTS.parent
WHOLE = ("bench", "csrc", "docs", "src/fasttrust", "tests")
BESIDE = ("CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "SECURITY.md")
BUILDS = ("build_ffi.py", "pyproject.toml")
# Left out of the copy and to be left out of the archive, be they there.
UNWANTED = ("*.so", "*.pyd", "*.pyc", "__pycache__", ".hypothesis", ".clang-format")
RUBBISH = (
    "tests/__pycache__/pki.pyc",
    "tests/.hypothesis/examples/one",
    "tests/core.dump",
    "src/fasttrust/_core.so",
    "bench/old.pyc",
)
BUILD = "import sys, setuptools.build_meta as backend; backend.build_sdist(sys.argv[1])"


def files(top: Path) -> set[str]:
    """Return the paths of all files below a folder, relative to it."""
    return {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}


def test_sdist_is_whole(tmp_path: Path) -> None:
    """The tests in it can be run: with their helpers and all that they read, and no rubbish."""
    if not (TOP / "MANIFEST.in").exists():
        pytest.skip("the source is not beside the tests")
    vendor.skip_without_setuptools()
    copy = tmp_path / "copy"
    for name in WHOLE:
        shutil.copytree(TOP / name, copy / name, ignore=shutil.ignore_patterns(*UNWANTED))
    for name in (*BESIDE, *BUILDS):
        shutil.copy(TOP / name, copy)
    wanted = files(copy)
    for rubbish in RUBBISH:
        (copy / rubbish).parent.mkdir(exist_ok=True, parents=True)
        (copy / rubbish).touch()
    process = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path / "dist")],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert 0 == process.returncode, process.stderr
    (built,) = (tmp_path / "dist").iterdir()
    with tarfile.open(built) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
    found = {member.name.partition("/")[2] for member in members}
    made = {"PKG-INFO", "setup.cfg"}
    assert wanted == {name for name in found if "egg-info/" not in name} - made
