"""``python -m bench.publish DIR``: place a run's results in this folder and in both READMEs.

The pictures and results.json go to bench/results; the whole table and the environment into
bench/README.md, the headlines into README.md, each between two comments that say so.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import harness, report
from .stats import OURS, Row

RESULTS = harness.ROOT / "bench" / "results"
LARGEST = 2_000_000  # bytes of results.json that are worth a commit
CASE = "P-256, chain of 3, TLS 1.3"
#: And the pictures there.
PICTURES = {
    "handshake": "handshakes: ours beside each peer",
    "threads-lines": "threads on one context, with a server that answers late",
}
PARSED = "P-256, parsed"
#: What the top README shows: what it is called there, and the row.
HEADLINES = (
    (
        "a context that trusts the system, instructions",
        "a context that trusts the system, instructions",
        "ssl.SSLContext, bare",
    ),
    ("the same, time", "a context that trusts the system", "ssl.SSLContext, bare"),
    ("`create_default_context()`", "create_default_context(), made and thrown away", "ssl"),
    ("a new context and its first handshake", "a new context and its first handshake", "ssl"),
    (
        "memory of a first context",
        "memory that a process grows by with its first context, used",
        "ssl",
    ),
    (
        "memory of each later context",
        "memory of each later context, used, beyond a bare one's",
        "ssl",
    ),
    ("the import and the first context", "the import and the first context, both", "ssl"),
    ("a verified handshake, instructions", f"handshake, instructions: {CASE}", "ssl"),
    ("the same", f"handshake, instructions: {CASE}", "floor"),
    ("a verified handshake over loopback", f"handshake over loopback: {CASE}", "truststore"),
    ("a cold process to its first byte", "a cold process to its first verified byte", "ssl"),
    ("asyncio, longest stall of 16", "asyncio: longest stall: 16", "ssl"),
    (
        "`verify_chain()`, parsed, instructions",
        f"verify_chain, instructions: {PARSED}",
        "pyOpenSSL",
    ),
    ("the same", f"verify_chain, instructions: {PARSED}", "cryptography"),
    ("the same", f"verify_chain, instructions: {PARSED}", "floor"),
    ("the same from DER", "verify_chain, instructions: P-256, DER", "pyOpenSSL"),
    ("the same from DER", "verify_chain, instructions: P-256, DER", "floor"),
    (
        "a fresh requests client to its first byte",
        "a fresh requests client to its first byte",
        "ssl, as it comes",
    ),
)


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m bench.publish DIR", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    try:
        rows, written = report.read(folder / "results.json")
    except (OSError, ValueError) as error:
        print(f"{folder} holds no results of a run: {error}", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    for old in RESULTS.iterdir():
        old.unlink()
    pictures = [folder / name for name in written["pictures"]]
    for path in pictures:
        shutil.copy(path, RESULTS)
    if (folder / "results.json").stat().st_size <= LARGEST:
        shutil.copy(folder / "results.json", RESULTS)
    place(harness.ROOT / "bench" / "README.md", "results", whole(rows, written, pictures))
    place(harness.ROOT / "README.md", "results", headlines(rows, written))
    return 0


def place(path: Path, name: str, text: str) -> None:
    """Put the text between the two comments of that name; they must be there."""
    first, last = f"<!-- {name}: written by bench/publish.py -->", f"<!-- end of {name} -->"
    before = path.read_text("utf-8")
    pattern = re.compile(re.escape(first) + ".*?" + re.escape(last), re.DOTALL)
    if not pattern.search(before):
        raise ValueError(f"{path.name} has no place for {name}")
    path.write_text(pattern.sub(lambda _: f"{first}\n\n{text}\n{last}", before), "utf-8")


def told(written: dict[str, Any]) -> str:
    """Return in a sentence how and where a run was made."""
    facts = written["environment"]
    load = facts["verdict"]
    ended = f" It was ended early, {facts['stopped']}." if "stopped" in facts else ""
    return (
        f"{'Fast' if written['fast'] else 'Full'} run on a machine that was "
        f"{'quiet' if load == 'quiet' else f'**{load}**'}: {facts['cpu']}, {facts['cores']} cores, "
        f"{facts['python']}, {facts['openssl']}, {facts['store']}.{ended}"
    )


def whole(rows: Sequence[Row], written: dict[str, Any], pictures: Sequence[Path]) -> str:
    shown = [f"![{path.stem}](results/{path.name})" for path in pictures]
    facts = [f"- {name}: {value}" for name, value in written["environment"].items()]
    folded = f"<details><summary>The environment</summary>\n\n{chr(10).join(facts)}\n\n</details>"
    parts = (told(written), report.summary(rows) + ".", folded, *shown, report.markdown(rows))
    return "\n\n".join(parts)


def headlines(rows: Sequence[Row], written: dict[str, Any]) -> str:
    found = {(row.figure, row.ours, row.peer): row for row in rows}
    lines = ["| | ours | beside | ratio | spread | target |", "|---|---|---|---|---|---|"]
    for title, figure, peer in HEADLINES:
        row = found.get((figure, OURS, peer))
        if row is not None and row.ratio is not None:
            lines.append(_line(title, row))
    for row in rows:
        if row.figure.startswith("threads") and ", 16" in row.ours and row.target:
            lines.append(_line(f"threads: {row.ours}", row))
    shown = [f"![{text}](bench/results/{name}.svg)" for name, text in PICTURES.items()]
    return "\n\n".join((told(written), chr(10).join(lines), *shown)) + "\n"


def _line(title: str, row: Row) -> str:
    _, _, peer, ours, theirs, ratio, spread, target, _ = report.cells(row)
    judged = f"{target}{'' if row.verdict == 'met' else ', missed'}" if target else ""
    return f"| {title} | {ours} | {peer}: {theirs} | {ratio} | {spread} | {judged} |"


if __name__ == "__main__":
    sys.exit(main())
