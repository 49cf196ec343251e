"""What this machine trusts and what runs here: what a maintainer asks for in a bug report."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import ssl
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ._backend import Backend, backend
from ._places import CHOOSERS, environment
from ._system import Platform, system
from ._trust import TrustStore

#: What changes trust, mode or logging of a program that uses the package.
VARIABLES = (
    "FASTTRUST_MODE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
    "__CONDA_OPENSSL_CERT_FILE_SET",
    "__CONDA_OPENSSL_CERT_DIR_SET",
)


@dataclass(frozen=True)
class Trust:
    """What is trusted, and where that comes from.

    Attributes:
        said: who chose it: a variable, an option, the system.
        places: its file and its directories.
        anchors: how many there are; None where the system cannot list them.
        changed: when the last of the places did; None where that is not known.
        problem: why nothing is trusted, "" where all is well.
    """

    said: str
    places: tuple[str, ...] = ()
    anchors: int | None = 0
    changed: datetime | None = None
    problem: str = ""


def trust_of_system() -> Trust:
    """Return what this machine trusts now."""
    the_system = system()
    if isinstance(the_system, Platform):
        return Trust("the operating system, asked for each server", anchors=None)
    state = the_system.state
    where = state.where
    places = tuple(filter(None, (where.file, *where.directories)))
    return Trust(
        where.said or "no store was found",
        places,
        len(state.anchors),
        _changed(places),
        "" if state.problem is None else str(state.problem),
    )


def trust_of_file(path: str, store: TrustStore) -> Trust:
    """Return the same of a file that the user named."""
    return Trust("--trust", (path,), len(store), _changed((path,)))


def _changed(places: tuple[str, ...]) -> datetime | None:
    times = []
    for place in places:
        with contextlib.suppress(OSError):
            times.append(os.stat(place).st_mtime)
    return datetime.fromtimestamp(max(times), timezone.utc) if times else None


@dataclass(frozen=True)
class Info:
    """What a bug report should say."""

    version: str
    backend: Backend
    python: str
    openssl: str
    system: str
    trust: Trust
    environment: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def gather() -> Info:
    """Find it out; nothing here needs a connection, or a backend that works."""
    mode = backend()
    return Info(
        version=_version(),
        backend=mode,
        python=_python(),
        openssl=mode.openssl or ssl.OPENSSL_VERSION,
        system=_system(),
        trust=trust_of_system(),
        environment={name: os.environ[name] for name in VARIABLES if name in os.environ},
        remarks=tuple(_remarks()),
    )


def _version() -> str:
    package = __name__.rpartition(".")[0]
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"unknown, vendored as {package}"


def _python() -> str:
    build = " ".join(filter(None, platform.python_build()))
    gil = getattr(sys, "_is_gil_enabled", None)
    free = ", free-threaded" if gil is not None and not gil() else ""
    return f"{platform.python_implementation()} {platform.python_version()} ({build}){free}"


def _system() -> str:
    name = f"{platform.system()} {platform.release()} {platform.machine()}"
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return name
    return f"{release.get('PRETTY_NAME') or release['NAME']}, {name}"


def _remarks() -> list[str]:
    said = []
    if sys.flags.ignore_environment and "FASTTRUST_MODE" in os.environ:
        said.append("FASTTRUST_MODE is ignored: Python runs with -E or -I.")
    said += [
        f"{name} is ignored: the program is setuid, or conda has set it for every process."
        for name, value in zip(CHOOSERS, environment(), strict=True)
        if os.environ.get(name) and not value
    ]
    return said
