"""The package of docs/vendoring.md, made by the commands of the page and built as it says."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
PAGE = TOP / "docs" / "vendoring.md"
OURS = ("src/fasttrust", "csrc", "build_ffi.py", "pyproject.toml", "LICENSE")
# As the page builds, but with the setuptools and cffi that are here: nothing is downloaded.
HERE = ("--no-build-isolation", "--disable-pip-version-check", "--no-index", "--wheel-dir")


def blocks(language: str) -> list[str]:
    """Return the page's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def command() -> list[str]:
    """Return the page's command that builds the client."""
    (said,) = re.findall("`(pip wheel .*?)`", PAGE.read_text("utf-8"))
    return str(said).split()


def lay_out(project: Path) -> Path:
    """Follow the page: return the folder of a client that carries a copy."""
    if not (TOP / "src" / "fasttrust" / "_native.py").exists() or not PAGE.exists():
        pytest.skip("the source is not beside the tests")
    clone = project / "fasttrust"
    clone.mkdir(parents=True)
    for name in OURS:
        if (TOP / name).is_dir():
            unbuilt = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "*.egg-info")
            shutil.copytree(TOP / name, clone / name, ignore=unbuilt)
        else:
            shutil.copy(TOP / name, clone / name)
    (begin,) = blocks("toml")
    (commands,) = blocks("sh")
    (project / "pyproject.toml").write_text(begin, "utf-8")
    subprocess.run(["bash", "-euc", commands], cwd=project, check=True)
    (project / "src" / "client" / "__init__.py").touch()
    shutil.rmtree(clone)  # the client has all that it needs
    return project


def skip_without_setuptools() -> None:
    """Skip the test where there is none that builds packages of ours."""
    # By its metadata: beside a distutils that was imported before it, importing it is an error.
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    if int(version.split(".")[0]) < 77:
        pytest.skip("no setuptools that can build it")


def build(project: Path, into: Path) -> Path:
    """Build the client's wheel, and return the folder that it is unpacked into."""
    skip_without_setuptools()
    if importlib.util.find_spec("pip") is None:
        pytest.skip("there is no pip")
    if shutil.which(os.environ.get("CC", "gcc")) is None:
        pytest.skip("there is no compiler")
    wheels = into / "wheels"
    # Two minutes for what takes ten seconds: the machine may be busy.
    built = subprocess.run(
        [sys.executable, "-m", *command(), *HERE, str(wheels)],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if "Python.h: No such file" in built.stderr:
        pytest.skip("Python's headers are not installed")
    assert 0 == built.returncode, built.stderr
    (wheel,) = wheels.glob("client-1.0-*.whl")
    site = into / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site
