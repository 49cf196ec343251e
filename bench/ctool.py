"""The two small C libraries of the bench, compiled into its folder when they are first asked for.

``floor.c`` is the floor: what a handshake and a verification cost without Python. ``count.c`` tells
callgrind where a batch begins and ends. What is missing for them (a compiler, headers) is said.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FOLDER = "FASTTRUST_BENCH"  # the environment's name for the folder of this run
PYTHON = r"python|_cffi_backend"  # in an object's name: Python, and extensions made for it
MALLOCS = ("malloc", "calloc", "realloc", "posix_memalign")


def folder() -> Path:
    """Return where this run's libraries are."""
    return run_folder() / "tools"


def run_folder() -> Path:
    """Return the folder of this run; the workers inherit it."""
    if FOLDER not in os.environ:
        raise RuntimeError(f"{FOLDER} is not set: this is a task of a run, see harness.py")
    return Path(os.environ[FOLDER])


def prepare(run: Path) -> dict[str, str]:
    """Compile what can be compiled; the answer tells for each file why not, or nothing."""
    os.environ[FOLDER] = str(run)
    folder().mkdir(exist_ok=True)
    return {name: _compile(name, folder()) for name in ("floor.c", "count.c")}


def unavailable(name: str) -> str:
    """Return why a library is missing; empty if it is there."""
    note = folder() / f"{name}.missing"
    return note.read_text("utf-8") if note.exists() else ""


def _compile(name: str, into: Path) -> str:
    libraries, why = openssl_libraries() if name == "floor.c" else ([], "")
    why = why or ("" if shutil.which("cc") else "no C compiler")
    targets = [["-fPIC", "-shared", "-o", str(into / name.replace(".c", ".so"))]]
    if name == "floor.c":
        targets.append(["-DPROGRAM", "-o", str(into / "floor")])
    for target in targets:
        why = why or _run_compiler([*target, str(HERE / name), *libraries])
    if why:
        (into / f"{name}.missing").write_text(f"{name}: {why}", "utf-8")
    return why


def _run_compiler(arguments: list[str]) -> str:
    """Return the first error, and nothing if there was none."""
    major, minor = ssl.OPENSSL_VERSION_INFO[:2]
    running = [f"-DRUNNING_MAJOR={major}", f"-DRUNNING_MINOR={minor}"]
    command = ["cc", "-std=gnu11", "-O2", *running, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if "error" in line] or ["cc failed"]
    return re.sub(r"^.*error: ", "", errors[0])


def openssl_libraries() -> tuple[list[str], str]:
    """Return the shared libraries that Python's ``_ssl`` has loaded, or why there are none."""
    maps = Path("/proc/self/maps")
    text = maps.read_text("utf-8") if maps.exists() else ""
    found = [re.search(rf"(/\S*/lib{name}\.so\S*)", text) for name in ("ssl", "crypto")]
    paths = [match.group(1) for match in found if match]
    if len(paths) != len(found):
        return [], "Python's OpenSSL is not a shared library"
    return [*paths, f"-Wl,-rpath,{Path(paths[0]).parent}"], ""


@functools.cache
def library(name: str) -> Any:
    """Return a compiled library; its functions let go of the GIL."""
    return ctypes.CDLL(str(folder() / name))


class Counter:
    """Counts batches under callgrind: each leaves a numbered file, which is read outside."""

    def __init__(self, into: Path) -> None:
        self._folder = into
        self._library = library("count.so")
        self.number = 0
        self._library.count_begin()

    def count(self, call: Callable[[], object], times: int) -> int:
        """Count so many calls; return the number of the file."""
        self._library.count_on()
        for _ in repeat(None, times):
            call()
        self._library.count_off()
        self.number += 1
        return self.number

    def instructions(self, number: int) -> float:
        """Return a file's instructions; its head is read alone, for this runs under callgrind."""
        with (self._folder / f"out.{number}").open(encoding="utf-8") as file:
            return instructions(file.read(20_000))


def instructions(text: str) -> float:
    found = re.search(r"^summary: (\d+)", text, re.MULTILINE)
    if found is None:
        raise RuntimeError("callgrind gave no count")
    return float(found.group(1))


def in_python(text: str) -> float:
    """Return how many of a callgrind file's instructions are Python's own and its modules'."""
    names: dict[str, str] = {}
    total = 0
    counts = is_call = False
    for line in text.splitlines():
        if match := re.match(r"(c?)ob=(\(\d+\))(?: (.*))?$", line):
            called, number, name = match.groups()
            if name:
                names[number] = name
            if not called:
                counts = bool(re.search(PYTHON, names[number].rpartition("/")[2]))
        elif line.startswith("calls="):
            is_call = True  # the next line has what the callee took, which is told of itself
        elif re.match(r"[\d+*-]", line):
            total += int(line.split()[1]) if counts and not is_call else 0
            is_call = False
    return float(total)


def mallocs(text: str) -> float:
    """Return how often the functions of MALLOCS were called, by the calls in a callgrind file."""
    names: dict[str, str] = {}
    total = 0
    callee = ""
    for line in text.splitlines():
        if line.startswith("calls="):
            total += int(line[6:].split()[0]) if names.get(callee, "") in MALLOCS else 0
        elif match := re.match(r"c?fn=(\(\d+\))(?: (.*))?$", line):
            callee, name = match.groups()
            if name:
                names[callee] = name
    return float(total)
