"""
The whole suite under Wine: a file that hangs, or ends Python, is named, and the run goes on.

    python3 tests/windows/suite.py WINE PYTHON.EXE FILE... [-- PYTEST ARGUMENTS]

Prints what pytest does, as it does; then what was skipped, by reason, and what failed.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
from collections import Counter

LIMIT = 600  # seconds without a word: the slowest test takes a quarter of it on a busy machine
ENDED = (0, 1, 5)  # pytest came to its end: all is well, something failed, there was no test
WORDS = ("passed", "failed", "error", "errors", "skipped", "xfailed")


def run(command: list[str]) -> tuple[str, int | None]:
    """Run pytest, show what it prints, and return that with its exit status; None if it hung."""
    # Python's streams have to be pipes under Wine.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    printed = b""
    with selectors.DefaultSelector() as selector, process.stdout as pipe:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(LIMIT):
            text = os.read(pipe.fileno(), 65536)
            if not text:
                return printed.decode("utf-8", "replace"), process.wait()
            printed += text
            sys.stdout.buffer.write(text)
            sys.stdout.flush()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return printed.decode("utf-8", "replace"), None


def counts(output: str) -> Counter[str]:
    """Return how many tests ended how, from pytest's last line."""
    found = re.findall(r"(\d+) (\w+)", output.rstrip().rpartition("\n")[2])
    return Counter({word: int(number) for number, word in found if word in WORDS})


def skips(output: str) -> Counter[str]:
    """Return how many tests were skipped, by reason, from the plugin's lines."""
    found = re.findall(r"^ *(\d+) skipped: (.*)$", output, re.MULTILINE)
    return Counter({reason.strip(): int(number) for number, reason in found})


def main(arguments: list[str]) -> int:
    """Run the files, those behind a broken one in a process of their own."""
    wine, python, *files = arguments
    extra: list[str] = []
    if "--" in files:
        extra = files[files.index("--") + 1 :]
        files = files[: files.index("--")]
    # A dump of all threads comes before the end.
    command = [wine, python, "-u", "-X", "faulthandler", "-m", "pytest", "-p", "wine"]
    command += ["-o", f"faulthandler_timeout={LIMIT - 60}", "-ra", *extra]
    ended: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    broken: list[str] = []
    while files:
        output, status = run([*command, *files])
        ended += counts(output)
        skipped += skips(output)
        if status in ENDED:
            break
        begun = re.findall(r"^(tests\S+\.py)(?= )", output.replace("\\", "/"), re.MULTILINE)
        at = files.index(begun[-1]) if begun and begun[-1] in files else len(files) - 1
        what = "hung" if status is None else f"ended Python with status {status}"
        print(f"\n{files[at]}: {what}", flush=True)
        broken.append(files[at])
        files = files[at + 1 :]
    print("\nskipped, by reason:")
    for reason, number in skipped.most_common():
        print(f"{number:5d}  {reason}")
    print(", ".join(f"{number} {word}" for word, number in ended.items()))
    print(*(f"broken: {file}\n" for file in broken), sep="", end="")
    return 1 if broken or ended["failed"] or ended["error"] or ended["errors"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
