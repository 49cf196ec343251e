"""The whole suite, from the built wheel and away from the checkout, on one Python after another.

Without a name: one Python of each OpenSSL series. Names are those of ``PYTHONS`` below; ``--list``
shows them. Debian's come by debootstrap, as root, into ~/.cache/fasttrust-labs/versions, where
their environments stay; what is absent is made anew. PyPy compiles its wheel from the sdist.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import labs

MIRROR = "http://deb.debian.org/debian"
DEBIAN = {
    "trixie": "python3.13 python3.13-dev python3.13-venv python3.13-dbg",
    "sid": "python3.14 python3.14-dev python3.14-venv python3.14-dbg"
    " python3.15 python3.15-dev python3.15-venv python3.15-dbg",
}
BESIDE = "pypy3 pypy3-dev pypy3-venv gcc libc6-dev binutils strace openssl ca-certificates"

#: What is copied beside the wheel: all that tests read, and nothing to import.
BESIDE_TESTS = ("tests", "docs", "csrc", "bench", "README.md", "pyproject.toml", "CHANGELOG.md")
NEEDED = (
    "certifi",
    "cryptography",
    "hypothesis",
    "pyOpenSSL",
    "pytest",
    "setuptools",
    "trustme",
    "urllib3",
    # The newest do not load in Debian's PyPy.
    "cryptography<46; implementation_name == 'pypy'",
)
#: Left out, and said so, where there is no wheel of them for a Python.
WELCOME = ("gevent", "uvloop")
PROBE = (
    "import fasttrust, platform, sys;"
    "print(platform.python_implementation(), platform.python_version(),"
    "'debug' if hasattr(sys, 'gettotalrefcount') else '', '|', *fasttrust.backend(), sep=' ')"
)


class Place(NamedTuple):
    """Where a Python is: its command, and the Debian that it is in; None is this machine."""

    command: str
    debian: str | None = None
    by_default: bool = False


PYTHONS = {
    "3.10": Place("3.10"),
    "3.11": Place("3.11", by_default=True),  # OpenSSL 3.0
    "3.12": Place("3.12"),
    "3.13": Place("3.13"),
    "trixie-3.13": Place("python3.13", "trixie", by_default=True),  # 3.5
    "trixie-3.13-dbg": Place("python3.13-dbg", "trixie"),
    "sid-3.14": Place("python3.14", "sid", by_default=True),  # 3.6
    "sid-3.14-dbg": Place("python3.14-dbg", "sid"),
    "sid-3.15": Place("python3.15", "sid"),
    "sid-3.15-dbg": Place("python3.15-dbg", "sid"),
    "trixie-pypy": Place("pypy3", "trixie"),
    "sid-pypy": Place("pypy3", "sid"),
}


def call(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command, quietly unless it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise SystemExit(
            f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )


def debian(name: str) -> Path:
    """Return the folder of that Debian; made where it is not yet whole."""
    root = labs.LABS / "versions" / name
    wanted = f"{DEBIAN[name]} {BESIDE}"
    done = root / "fasttrust-lab"
    if done.exists() and done.read_text("utf-8") == wanted:
        return root
    if os.geteuid() != 0:
        raise SystemExit(f"Debian {name} is made by debootstrap, which needs root")
    if shutil.which("debootstrap") is None:
        call("apt-get", "install", "-y", "-qq", "debootstrap")
    if not (root / "usr" / "bin" / "apt-get").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        call("debootstrap", "--variant=minbase", name, root, MIRROR)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted.split())
    # A mirror may lag behind: its lists are signed, if old.
    call("chroot", root, "apt-get", "-o", "Acquire::Check-Valid-Until=false", "update", "-qq")
    call("chroot", root, *install, env=quiet)
    done.write_text(wanted, "utf-8")
    return root


class Python:
    """An environment of one Python, here or in a Debian."""

    def __init__(self, name: str, place: Place) -> None:
        self.root = debian(place.debian) if place.debian else None
        folder = Path("/labs" if self.root else labs.LABS / "versions" / "here") / name
        self.inside = folder / "bin" / "python"
        self.command = place.command
        if not self.path(folder / "done").exists():
            shutil.rmtree(self.path(folder), ignore_errors=True)
            self.run(self.found(), "-m", "venv", folder)
            self.pip(f"cffi{labs.NEEDED.removeprefix('cffi')}", *NEEDED)
            for package in WELCOME:
                self.pip("--only-binary=:all:", package, must=False)
            self.path(folder / "done").touch()

    def path(self, inside: Path) -> Path:
        """Return what a path inside is called outside."""
        return self.root / inside.relative_to("/") if self.root else inside

    def found(self) -> str:
        """Return the command of the Python itself."""
        if self.root is not None:
            return f"/usr/bin/{self.command}"
        homes = [Path.home() / ".pyenv", Path(os.environ.get("PYENV_ROOT", "/nowhere"))]
        pyenv = [
            p for home in homes for p in (home / "versions").glob(f"{self.command}.*/bin/python")
        ]
        on_path = shutil.which(f"python{self.command}")
        if pyenv or on_path:
            return str(
                max(pyenv, key=lambda p: int(p.parts[-3].split(".")[2])) if pyenv else on_path
            )
        raise SystemExit(f"there is no Python {self.command} here: neither pyenv's nor on PATH")

    def run(
        self, *command: str | Path, must: bool = True, shown: bool = False, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, in a folder."""
        words = [str(word) for word in command]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "LC_ALL": "C.UTF-8"}
        if self.root is not None:
            # Nothing of this machine's but whom it trusts, which pip has to go by.
            ours = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
            shutil.copy(ours, self.root / "etc" / "fasttrust-lab.pem")
            environment = {
                "HOME": "/root",
                "LC_ALL": "C.UTF-8",
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "SSL_CERT_FILE": "/etc/fasttrust-lab.pem",
            }
            # /proc for the tests, in a space of mounts that ends with the command.
            script = f'mount --rbind /dev "{self.root}/dev"; mount -t proc proc "{self.root}/proc"'
            script += f'; exec chroot "{self.root}" sh -c \'cd "$0" && exec "$@"\' "$@"'
            words = ["unshare", "-m", "sh", "-ec", script, "sh", str(cwd or "/"), *words]
            cwd = None
        done = subprocess.run(
            words, cwd=cwd, env=environment, capture_output=not shown, text=True, check=False
        )
        if must and done.returncode != 0:
            raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        return done

    def pip(self, *arguments: str | Path, must: bool = True) -> None:
        """Install into the environment."""
        pip = (self.inside, "-m", "pip", "install", "-q", "--disable-pip-version-check")
        if self.run(*pip, *arguments, must=must).returncode != 0:
            print(f"  left out: {arguments[-1]} has no wheel for this Python")

    def test(self, wheel: Path, sdist: Path, clone: Path, arguments: list[str]) -> bool:
        """Install the wheel and run the suite beside it; tell whether all is well."""
        ask = "import sys; print(sys.implementation.name)"
        cpython = self.run(self.inside, "-c", ask).stdout.strip() == "cpython"
        work = Path(tempfile.mkdtemp(prefix="fasttrust-", dir=self.path(Path("/tmp"))))
        inside = Path("/tmp") / work.name if self.root else work
        try:
            shutil.copy(wheel if cpython else sdist, work)
            package = inside / (wheel if cpython else sdist).name
            self.pip("--force-reinstall", "--no-deps", package)
            (work / "suite").mkdir()
            for name in BESIDE_TESTS:
                copy = shutil.copytree if (clone / name).is_dir() else shutil.copy
                copy(clone / name, work / "suite" / name)
            shared = labs.TOP.parent / "shared"
            if shared.exists():
                shutil.copytree(shared, work / "shared")
            print(self.run(self.inside, "-c", PROBE, cwd=inside).stdout.strip(), flush=True)
            pytest = (self.inside, "-m", "pytest", "-q", "-rs", *arguments)
            return self.run(*pytest, must=False, shown=True, cwd=inside / "suite").returncode == 0
        finally:
            shutil.rmtree(work, ignore_errors=True)


def build(folder: Path, clone: Path) -> tuple[Path, Path]:
    """Build sdist and wheel of the checkout's commit, as they are published."""
    tools = labs.environment("versions/tools", sys.executable, "build", "setuptools>=77")
    call("git", "clone", "-q", labs.TOP, clone)
    call(tools, "-m", "build", "-o", folder / "dist", clone)
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/versions/run", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every Python of the table")
    parser.add_argument("--list", action="store_true", help="show the table and end")
    parser.add_argument("--pytest", default="", help="more arguments for pytest")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*PYTHONS, []])
    options = parser.parse_args()
    if options.list:
        print(*PYTHONS, sep="\n")
        return 0
    names = options.names or [n for n, place in PYTHONS.items() if options.all or place.by_default]
    came_to = {}
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"  # wheel and tests are of one commit
        wheel, sdist = build(Path(folder), clone)
        for name in names:
            began = time.monotonic()
            print(f"\n== {name}", flush=True)
            good = Python(name, PYTHONS[name]).test(wheel, sdist, clone, options.pytest.split())
            came_to[name] = good
            print(f"{name}: {'passed' if good else 'FAILED'}, {time.monotonic() - began:.0f} s")
    print(
        *(f"{'passed' if good else 'FAILED'}  {name}" for name, good in came_to.items()), sep="\n"
    )
    return 0 if all(came_to.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
