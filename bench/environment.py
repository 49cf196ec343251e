"""On what a run was measured, and how much others took of the machine meanwhile."""

from __future__ import annotations

import os
import platform
import re
import ssl
import subprocess
import sysconfig
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any

from . import harness
from .world import END

PACKAGES = (
    "fasttrust",
    "truststore",
    "wassima",
    "certifi",
    "pyOpenSSL",
    "cryptography",
    "requests",
    "httpx",
    "aiohttp",
    "pyperf",
)
QUIET = 0.1  # of one core: what others may take on a machine that counts as quiet
BUSY = 0.3  # the same for one measurement, which is too short to be judged as closely
#: Whose work is done by a server that is no child of ours.
UNJUDGED = ("wine",)
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def machine(bundle: Path, tools: dict[str, str]) -> dict[str, str]:
    """Tell on what the figures are measured; `tools` is what ctool.prepare() answered."""
    import fasttrust

    text = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*: (.*)", text)
    backend = fasttrust.backend()
    facts = {
        "cpu": found.group(1) if found else platform.processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "free-threaded": "yes" if sysconfig.get_config_var("Py_GIL_DISABLED") else "no",
        "openssl": ssl.OPENSSL_VERSION,
        "mode": f"{backend.mode}, {backend.verifier}",
        "store": f"{bundle.read_text('utf-8').count(END)} anchors",
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    if harness.installed("cryptography"):
        own: Any = import_module("cryptography.hazmat.backends.openssl").backend
        facts["openssl of pyOpenSSL and cryptography"] = own.openssl_version_text()
    facts["floor"] = tools["floor.c"] or f"{_first_line('cc', '--version')}, -O2"
    facts["callgrind"] = tools["count.c"] or _first_line("valgrind", "--version")
    return facts


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not installed"
    return done.stdout.partition("\n")[0]


class Load:
    """What others take of the machine, from now on: the busy time that is not this program's."""

    def __init__(self) -> None:
        self._at_start = _load_average()
        self._began = monotonic()
        self._busy, self._own = _busy(), _own()

    def others(self) -> float | None:
        """Return how many cores others kept busy on average; None where nobody tells."""
        if self._busy is None:
            return None
        passed = monotonic() - self._began
        busy = (_busy() or 0.0) - self._busy
        return max(0.0, busy - (_own() - self._own)) / passed if passed else 0.0

    def facts(self, parts: Mapping[str, float | None]) -> dict[str, str]:
        """Tell what others took of all that ran, and of each of its measurements."""
        others = self.others()
        return {
            "load average before": self._at_start,
            "load average after": _load_average(),
            "taken by others": "unknown" if others is None else f"{others:.2f} cores",
            "verdict": verdict(others, parts),
        }


def verdict(others: float | None, parts: Mapping[str, float | None]) -> str:
    """Judge the whole run, and the parts of one that was quiet as a whole."""
    if others is None:
        return "unknown: nobody tells what else ran"
    if others > QUIET:
        return f"LOADED: others kept {others:.2f} cores busy; times are not to be quoted"
    busy = {n: part for n, part in parts.items() if part is not None and n not in UNJUDGED}
    loaded = {name: part for name, part in busy.items() if part > BUSY}
    if not loaded:
        return "quiet"
    names, most = ", ".join(loaded), max(loaded.values())
    return f"LOADED in {names}: others kept {most:.2f} cores busy; those times are not to be quoted"


def load_average() -> float:
    """Return the load of the last minute, 0 where nobody tells."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _load_average() -> str:
    return " ".join(f"{one:.2f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else ""


def _busy() -> float | None:
    """Return the seconds that all cores together were busy since the machine started."""
    path = Path("/proc/stat")
    if not path.exists():
        return None
    user, nice, system, _, _, irq, softirq, steal = path.read_text("ascii").split()[1:9]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICKS


def _own() -> float:
    """Return the seconds that this process and its ended children took."""
    return sum(os.times()[:4])
