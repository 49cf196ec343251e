"""CPython's own TLS tests, run plain, injected and attached: what fails must be the same.

``tests/cpython/run`` runs test_ssl on one version, ``--all`` every module on every
version. Versions can be named ("3.12"). Environments are kept in ~/.cache/fasttrust-labs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import labs

MODULES = (
    "test.test_ssl",
    "test.test_httplib",
    "test.test_urllib2_localnet",
    "test.test_ftplib",
    "test.test_poplib",
    "test.test_imaplib",
    "test.test_asyncio.test_ssl",
    "test.test_asyncio.test_sslproto",
)
MODES = ("plain", "injected", "attached")
TIMEOUT = 600

# A difference that is meant: which test, in which mode, and why.
MEANT: dict[tuple[str, str], str] = {}


class Outcome(NamedTuple):
    """What one run of a module came to."""

    run: int
    failed: frozenset[str]
    skipped: frozenset[str]


def find_pythons(wanted: list[str]) -> dict[str, Path]:
    """Return the CPythons from 3.10 to 3.13 that bring their own tests."""
    candidates = sorted((Path.home() / ".pyenv" / "versions").glob("3.1[0-3]*/bin/python"))
    root = os.environ.get("PYENV_ROOT")
    candidates += sorted(Path(root, "versions").glob("3.1[0-3]*/bin/python")) if root else []
    found: dict[str, Path] = {}
    for python in [*candidates, Path(sys.executable)]:
        ask = "import sys, test.test_ssl, venv; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
        version = done.stdout.strip()
        if done.returncode == 0 and (version in wanted or not wanted):
            found.setdefault(version, python)
    return found


def run(python: Path, mode: str, module: str, ids: frozenset[str] = frozenset()) -> Outcome:
    """Run a module, or some of its tests, in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcome.json"
        command = [python, Path(__file__).with_name("one.py"), mode, module, file, *sorted(ids)]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        if not file.exists():
            raise SystemExit(f"{module}, {mode}: the run did not end\n{done.stderr[-3000:]}")
        read = json.loads(file.read_text("utf-8"))
    return Outcome(read["run"], frozenset(read["failed"]), frozenset(read["skipped"]))


def differs(python: Path, module: str) -> list[str]:
    """Return, as sentences, how the modes differ, and print what each came to."""
    baseline = run(python, "plain", module)
    differences = []
    for mode in MODES[1:]:
        ours = run(python, mode, module)
        suspects = ours.failed ^ baseline.failed
        if suspects:
            # A machine under load fails some tests now and then, with us or without.
            again = [(run(python, m, module, suspects).failed, m) for m in ("plain", mode) * 2]
            noisy = frozenset().union(*(failed for failed, m in again if m == "plain"))
            steady = frozenset().union(*(failed for failed, m in again if m == mode))
            suspects = (ours.failed - baseline.failed - noisy) & steady
        for test in sorted(suspects):
            if (reason := MEANT.get((test, mode))) is not None:
                print(f"    meant, {mode}: {test}: {reason}")
            else:
                differences.append(f"{mode}: {test} fails, and does not without us")
        if (ours.run, ours.skipped) != (baseline.run, baseline.skipped):
            more = sorted(ours.skipped ^ baseline.skipped)
            differences.append(f"{mode}: {ours.run} tests run, not {baseline.run}; skipped: {more}")
    print(f"  {module}: {baseline.run} tests, {len(baseline.failed)} fail without us", flush=True)
    return differences


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/cpython/run", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every module on every version")
    parser.add_argument("--module", action="append", help="of these modules alone")
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    options = parser.parse_args()
    pythons = find_pythons(options.versions)
    if not pythons:
        print("no CPython from 3.10 to 3.13 with its own tests was found: nothing was tested")
        return 1
    if not options.all and not options.versions:
        pythons = dict([max(pythons.items(), key=lambda item: int(item[0].split(".")[1]))])
    modules = options.module or (MODULES if options.all else MODULES[:1])
    bad = []
    built: Path | None = None
    with tempfile.TemporaryDirectory() as folder:
        for version, python in sorted(pythons.items()):
            inside = labs.environment(f"cpython/{version}", python, "setuptools>=77")
            built = built or labs.wheel(Path(folder), inside)
            labs.pip(inside, "install", "--force-reinstall", "--no-deps", built)
            print(f"CPython {version}", flush=True)
            for module in modules:
                if module.startswith("test.test_asyncio.test_ssl") and not _has(inside, module):
                    print(f"  {module}: this version has none")
                    continue
                bad += [f"CPython {version}, {each}" for each in differs(inside, module)]
    print(*bad, sep="\n")
    print("no difference" if not bad else f"{len(bad)} differences")
    return 1 if bad else 0


def _has(python: Path, module: str) -> bool:
    ask = f"import importlib.util; raise SystemExit(not importlib.util.find_spec({module!r}))"
    return subprocess.run([python, "-c", ask], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
