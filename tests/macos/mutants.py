"""
Breaks the platform's file in one place after the other and says which breaks no test notices.

    python mutants.py ROWS WORK

ROWS is the folder of make_rows.py, WORK an empty one. Every release is dropped and doubled, and
each call and condition that safety rests on is taken out (mutants.txt). A break nobody notices
must stand in survivors.txt with its reason; one that stands there and is noticed is an error too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
SOURCE = (TOP / "csrc" / "platform_macos.c").read_text("utf-8")
INCLUDES = [f"-I{TOP / folder}" for folder in ("csrc", "tests/c", "tests/macos")]
INCLUDES += [f"-I{HERE / folder}" for folder in ("include", "double")]
FLAGS = ["-std=gnu11", "-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
TESTED = ["-DFT_MACOS_DOUBLE", "-Dmalloc=double_malloc", "-Dcalloc=double_calloc", "-w"]
TESTS = ("table", "test_platform", "test_lies", "test_memory")


@dataclass(frozen=True)
class Mutant:
    """One break: its name, and the whole file as it is then."""

    name: str
    text: str


def listed() -> Iterator[tuple[str, str, str]]:
    """Return the breaks of mutants.txt: name, what stands there, and what stands there instead."""
    text = (HERE / "mutants.txt").read_text("utf-8")
    for block in text.split("\n\n")[1:]:
        name, old, new = block.strip().split("\n")
        yield name, old.removeprefix("- "), new.removeprefix("+").strip()


def releases() -> Iterator[Mutant]:
    """Drop and double every release of an object, and every free."""
    for match in re.finditer(r"^ +(CFRelease|release|free)\((\w+)\);\n", SOURCE, re.M):
        if "static" in SOURCE[match.start() - 60 : match.start()] and match[2] == "object":
            continue  # inside release() itself: every other mutant drops it
        line = SOURCE.count("\n", 0, match.start()) + 1
        where = re.findall(r"^\w.*?(\w+)\(", SOURCE[: match.start()], re.M)[-1]
        name = f"{where}: {match[1]}({match[2]}) of line {line - start_of(where)}"
        before, after = SOURCE[: match.start()], SOURCE[match.end() :]
        yield Mutant(f"{name} dropped", before + after)
        yield Mutant(f"{name} doubled", before + 2 * match[0] + after)


def start_of(function: str) -> int:
    """Return the line on which the function's body is, so that names stay when others change."""
    found = [m.start() for m in re.finditer(rf"^\w.*?\b{function}\(", SOURCE, re.M)]
    return SOURCE.count("\n", 0, found[-1]) + 1


def mutants() -> Iterator[Mutant]:
    """Return every break."""
    yield from releases()
    for name, old, new in listed():
        # However clang-format breaks the lines.
        found = list(re.finditer(r"\s+".join(map(re.escape, old.split())), SOURCE))
        assert len(found) == 1, f"{name}: the file has {old!r} {len(found)} times"
        yield Mutant(name, SOURCE[: found[0].start()] + new + SOURCE[found[0].end() :])


def compile_c(source: Path, output: Path, *flags: str) -> bool:
    command = ["gcc", *FLAGS, *flags, *INCLUDES, "-c", str(source), "-o", str(output)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def notice(number: int, mutant: Mutant, rows: Path, work: Path, objects: list[str]) -> str:
    """Return which test noticed the break, "" for none."""
    folder = work / str(number)
    folder.mkdir()
    source, output = folder / "platform.c", folder / "platform.o"
    source.write_text(mutant.text, "utf-8")
    if not compile_c(source, output, *TESTED):
        return "the compiler"
    for test in TESTS:
        program = folder / test
        link = ["gcc", *FLAGS, str(work / f"{test}.o"), str(output), *objects, "-o", str(program)]
        subprocess.run([*link, "-lcrypto", "-lpthread"], check=True, capture_output=True)
        for version in ("11", "14") if test == "table" else ("",):
            arguments = [str(program), str(rows), *filter(None, [version])]
            try:
                run = subprocess.run(arguments, check=False, capture_output=True, timeout=120)
            except subprocess.TimeoutExpired:
                return f"{test}, which did not end"
            if run.returncode != 0:
                return test
        program.unlink()
    return ""


def main(rows: Path, work: Path) -> int:
    beside = [TOP / f"csrc/{name}.c" for name in ("codes", "der")]
    beside += [HERE / "rows.c", *sorted((HERE / "double").glob("*.c"))]
    objects = []
    for source in [*beside, *(HERE / f"{test}.c" for test in TESTS)]:
        output = work / f"{source.stem}.o"
        assert compile_c(source, output), source
        if source.stem not in TESTS:
            objects.append(str(output))
    assert compile_c(TOP / "csrc/ders.c", work / "ders.o", *TESTED)
    objects.append(str(work / "ders.o"))

    every = list(mutants())
    assert len({mutant.name for mutant in every}) == len(every)
    assert notice(-1, Mutant("", SOURCE), rows, work, objects) == "", "the tests fail as they are"
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [
            pool.submit(notice, number, mutant, rows, work, objects)
            for number, mutant in enumerate(every)
        ]
        for done, _ in enumerate(as_completed(jobs), 1):
            if done % 10 == 0:
                print(f"{done} of {len(every)}", flush=True)
        noticed = {mutant.name: job.result() for mutant, job in zip(every, jobs, strict=True)}
    text = (HERE / "survivors.txt").read_text("utf-8")
    explained = {line for line in text.splitlines() if line and not line.startswith(("#", " "))}
    survivors = {name for name, by in noticed.items() if not by}
    for name in sorted(survivors - explained):
        print(f"nobody noticed: {name}")
    for name in sorted(explained - survivors):
        print(f"explained, but noticed by {noticed.get(name, 'nobody, as it is none')}: {name}")
    print(f"{len(every)} mutants, {len(survivors)} survive, {len(survivors & explained)} explained")
    return survivors != explained


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
