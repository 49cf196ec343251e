"""The whole suite, from the built wheel and away from the checkout, on one Python after another.

Without a name: one Python of each OpenSSL series. Names are those of ``PYTHONS`` below; ``--list``
shows them. Debian's are kept in ~/.cache/fasttrust-labs/versions; what is absent is made anew, but
for ``--smoke`` no Python is built. PyPy compiles its wheel from the sdist. Where nothing failed,
but a Python could not be had, the status is 77.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wheels"))
import crates
import debian
from linux import Wheels

import labs

#: What is copied beside the wheel: all that tests read, and nothing to import.
BESIDE_TESTS = ("tests", "docs", "csrc", "bench", "README.md", "pyproject.toml", "CHANGELOG.md")
NEEDED = (
    # The newest do not load in Debian's PyPy. First, for pip looks into the newest where it may.
    "cryptography<46; implementation_name == 'pypy' and implementation_version < '8'",
    "hypothesis<6.150; implementation_name == 'pypy'",
    "certifi",
    "cryptography",
    "hypothesis",
    "pyOpenSSL",
    "pytest",
    "setuptools",
    "trustme",
    "urllib3",
)
#: Where what OpenSSL and Python say differs most from version to version.
SMOKE = ("cases", "connection", "decode", "life", "native", "sessions")
#: Left out, and said so, where there is no wheel of them for a Python.
WELCOME = ("gevent", "uvloop")


class Place(NamedTuple):
    """Where a Python is: its command, and the Debian that it is in; None is this machine."""

    command: str
    debian: str | None = None
    by_default: bool = False
    #: The oldest cffi that pyproject.toml allows, in place of the newest.
    oldest_cffi: bool = False
    #: It has no GIL, and no wheels of what the tests need: threads.py runs in place of them.
    threads: bool = False
    #: Nobody makes wheels of cryptography for it.
    compiled: bool = False


PYTHONS = {
    "3.10": Place("3.10"),
    "3.10-oldest-cffi": Place("3.10", oldest_cffi=True),
    "3.11": Place("3.11", by_default=True),  # OpenSSL 3.0
    "3.12": Place("3.12"),
    "3.13": Place("3.13"),
    "bullseye-3.11": Place("built", "bullseye", by_default=True),  # 1.1.1
    "trixie-3.13": Place("python3.13", "trixie", by_default=True),  # 3.5
    "trixie-3.13-dbg": Place("python3.13-dbg", "trixie"),
    "sid-3.14": Place("python3.14", "sid", by_default=True),  # 3.6
    "sid-3.14-dbg": Place("python3.14-dbg", "sid"),
    "sid-3.15": Place("python3.15", "sid"),
    "sid-3.15-dbg": Place("python3.15-dbg", "sid"),
    "experimental-3.13": Place("built", "experimental", by_default=True),  # 4.0
    "free-threaded-3.13": Place("built", "free-threaded", threads=True),
    "trixie-pypy": Place("pypy3", "trixie"),
    "sid-pypy": Place("pypy3", "sid", compiled=True),
}


def oldest_cffi() -> str:
    """Return the oldest version that the package says it works with."""
    found = re.search(
        r'dependencies = \["cffi>=([\d.]+)"', (labs.TOP / "pyproject.toml").read_text()
    )
    assert found is not None
    return found[1]


class Python:
    """An environment of one Python, here or in a Debian."""

    def __init__(self, name: str, place: Place, *, smoke: bool = False) -> None:
        self.root = debian.root(place.debian, smoke=smoke) if place.debian else None
        folder = Path("/labs" if self.root else labs.LABS / "versions" / "here") / name
        self.inside = folder / "bin" / "python"
        self.command, self.threads = place.command, place.threads
        cffi = f"cffi=={oldest_cffi()}" if place.oldest_cffi else "cffi"
        done, wanted = self.path(folder / "done"), " ".join((cffi, *NEEDED, *WELCOME))
        if not done.exists() or done.read_text("utf-8") != wanted:
            shutil.rmtree(self.path(folder), ignore_errors=True)
            self.run(self.found(), "-m", "venv", folder)
            if place.threads:
                self.cffi_in_spite_of_itself(folder)
            elif self.root is not None and place.compiled:
                self.pip(*crates.compiled(self.root, self.inside), cffi, *NEEDED)
            else:
                self.pip(cffi, *NEEDED)
            for package in () if place.threads else WELCOME:
                self.pip("--only-binary=:all:", package, must=False)
            done.write_text(wanted, "utf-8")

    def path(self, inside: Path) -> Path:
        """Return what a path inside is called outside."""
        return self.root / inside.relative_to("/") if self.root else inside

    def found(self) -> str:
        """Return the command of the Python itself."""
        if self.root is not None:
            return debian.BUILT if self.command == "built" else f"/usr/bin/{self.command}"
        homes = [Path.home() / ".pyenv", Path(os.environ.get("PYENV_ROOT", "/nowhere"))]
        pyenv = [
            p for home in homes for p in (home / "versions").glob(f"{self.command}.*/bin/python")
        ]
        on_path = shutil.which(f"python{self.command}")
        if pyenv or on_path:
            return str(
                max(pyenv, key=lambda p: int(p.parts[-3].split(".")[2])) if pyenv else on_path
            )
        raise debian.NotHadError(f"there is no {self.command} here: neither pyenv's nor on PATH")

    def run(
        self, *command: str | Path, must: bool = True, shown: bool = False, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, in a folder."""
        words = [str(word) for word in command]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "LC_ALL": "C.UTF-8"}
        if self.root is not None:
            words = debian.inside(self.root, cwd or Path("/"), words)
            environment, cwd = debian.ENVIRONMENT, None
        done = subprocess.run(
            words, cwd=cwd, env=environment, capture_output=not shown, text=True, check=False
        )
        if must and done.returncode != 0:
            raise debian.NotHadError(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        return done

    def pip(self, *arguments: str | Path, must: bool = True) -> bool:
        """Install into the environment; tell whether it went well, or say why not."""
        pip = (self.inside, "-m", "pip", "install", "-q", "--disable-pip-version-check")
        done = self.run(*pip, *arguments, must=must)
        if done.returncode != 0:
            print(f"  not installed: {arguments[-1]}: {done.stderr.strip()[-300:]}", flush=True)
        return done.returncode == 0

    def cffi_in_spite_of_itself(self, folder: Path) -> None:
        """Install cffi on a free-threaded 3.13, which it refuses before it is compiled.

        The source of 3.14t is not to be had, and what cffi does there it does here.
        """
        there = self.path(folder)
        download = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=cffi")
        debian.call(*download, "-d", there, "cffi")
        (packed,) = there.glob("cffi-*.tar.gz")
        with tarfile.open(packed) as archive:
            archive.extractall(there, filter="data")
        name = packed.name.removesuffix(".tar.gz")
        setup = there / name / "setup.py"
        text = setup.read_text("utf-8")
        setup.write_text(text.replace("sys.version_info < (3, 14)", "False"), "utf-8")
        self.pip("setuptools>=77")
        self.pip("--no-build-isolation", folder / name)

    def test(self, wheel: Path, sdist: Path, clone: Path, arguments: list[str]) -> bool:
        """Install the wheel and run the suite beside it; tell whether all is well."""
        ask = "import sys; print(sys.implementation.name)"
        cpython = self.run(self.inside, "-c", ask).stdout.strip() == "cpython"
        served = cpython and not self.threads  # by the wheel
        work = Path(tempfile.mkdtemp(prefix="fasttrust-", dir=self.path(Path("/tmp"))))
        inside = Path("/tmp") / work.name if self.root else work
        try:
            shutil.copy(wheel if served else sdist, work)
            package = inside / (wheel if served else sdist).name
            alone = ("--no-build-isolation",) if self.threads else ()
            if not self.pip(*alone, "--force-reinstall", "--no-deps", package, must=False):
                return False
            (work / "suite").mkdir()
            for name in BESIDE_TESTS:
                copy = shutil.copytree if (clone / name).is_dir() else shutil.copy
                copy(clone / name, work / "suite" / name)
            shared = labs.TOP.parent / "shared"
            if shared.exists():
                shutil.copytree(shared, work / "shared")
            demand = self.run(self.inside, "tests/demand_mode.py", must=False, cwd=inside / "suite")
            print(demand.stdout + demand.stderr, end="", flush=True)
            if demand.returncode != 0:
                return False
            tests: tuple[str | Path, ...] = ("-m", "pytest", "-q", "-rs", *arguments)
            if self.threads:
                tests = ("-Werror", "tests/versions/threads.py", inside)
            tested = self.run(self.inside, *tests, must=False, shown=True, cwd=inside / "suite")
            return tested.returncode == 0
        finally:
            shutil.rmtree(work, ignore_errors=True)


def build(folder: Path) -> tuple[Path, Path, Path]:
    """Return wheel and sdist of the checkout's commit, as they are published, and its clone."""
    wheels = Wheels(folder)
    wheel = wheels.of(f"{platform.machine()}-linux-gnu.2.17", "wheel")
    return wheel, wheels.build("sdist", "sdist"), folder / "wheel" / "clone"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/versions/run", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every Python of the table")
    parser.add_argument("--list", action="store_true", help="show the table and end")
    parser.add_argument("--smoke", action="store_true", help="some of the suite only")
    parser.add_argument("--pytest", default="", help="more arguments for pytest")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*PYTHONS, []])
    options = parser.parse_args()
    if options.list:
        print(*PYTHONS, sep="\n")
        return 0
    names = options.names or [n for n, place in PYTHONS.items() if options.all or place.by_default]
    arguments = [f"tests/test_{name}.py" for name in SMOKE] if options.smoke else []
    arguments += options.pytest.split()
    came_to = {}
    with tempfile.TemporaryDirectory() as folder:
        wheel, sdist, clone = build(Path(folder))  # wheel and tests are of one commit
        for name in names:
            began = time.monotonic()
            print(f"\n== {name}", flush=True)
            try:
                with debian.alone(name):  # two runs would install into one environment
                    python = Python(name, PYTHONS[name], smoke=options.smoke)
                    good = python.test(wheel, sdist, clone, arguments)
                came_to[name] = "passed" if good else "FAILED"
            except debian.NotHadError as error:
                came_to[name] = f"not run: {error}"
            print(f"{name}: {came_to[name]}, {time.monotonic() - began:.0f} s", flush=True)
    print(*(f"{name:20}{end}" for name, end in came_to.items()), sep="\n")
    if "FAILED" in came_to.values():
        return 1
    return 0 if set(came_to.values()) == {"passed"} else 77


if __name__ == "__main__":
    sys.exit(main())
