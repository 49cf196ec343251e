"""The commands where a stream cannot show every character: Windows' code pages, redirected."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pki
import servers
from fasttrust._paper import _takes_colours

# Of Windows in the west, of its consoles in America and Europe, of Japan's; and what lacks nothing.
PAGES = ["cp1252", "cp437", "cp850", "cp932", "utf-8"]
ROOT = pki.root("Würzburg Ω Root")
SERVER = pki.Chain((pki.leaf("leaf \u2713 \u202e", ROOT, names=("localhost",)),))


def run(page: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose streams have that encoding."""
    return subprocess.run(
        [sys.executable, "-m", "fasttrust", *arguments],
        env={**os.environ, "PYTHONIOENCODING": page, "COLUMNS": "80"},
        capture_output=True,
        timeout=300,
        check=False,
    )


def text(done: subprocess.CompletedProcess[bytes], page: str) -> str:
    """Return what was printed, which nothing was lost of and nobody's terminal is steered by."""
    assert b"" == done.stderr, done.stderr
    printed = done.stdout.decode(page).replace("\r\n", "\n")
    assert all(line.isprintable() for line in printed.split("\n")), repr(printed)
    return printed


@pytest.mark.parametrize("page", PAGES)
def test_info_and_inspect_print_what_the_page_has(page: str, tmp_path: Path) -> None:
    """Every character that the page lacks is written as its number; the status is as ever."""
    done = run(page, "info")
    assert 0 == done.returncode
    assert "backend" in text(done, page)
    trusted = tmp_path / "root.pem"
    trusted.write_text(ROOT.pem, "ascii")
    with servers.serving(servers.tls(SERVER)) as port:
        for more, status in ((("--trust", trusted), 0), ((), 1)):
            done = run(page, "inspect", *more, f"localhost:{port}")
            printed = text(done, page)
            assert (status, True) == (done.returncode, f"localhost:{port}" in printed), printed
            assert (
                more == ()
                or ("W\N{LATIN SMALL LETTER U WITH DIAERESIS}rzburg" in printed)
                or ("W\\xfcrzburg" in printed)
            )
    done = run(page, "inspect", f"{'x' * 70}.\u2713.test:1")
    assert (64, b"") == (done.returncode, done.stdout)
    done.stderr.decode(page)


@pytest.mark.parametrize("page", PAGES[:2])
def test_demo_prints_what_the_page_has(page: str) -> None:
    """So does the demo, whose glyphs are plainer there."""
    done = run(page, "demo")
    assert "expected" in text(done, page)
    assert 0 == done.returncode, done.stdout


def test_page_of_help_is_ascii() -> None:
    """What argparse prints passes no paper of ours."""
    for command in ((), ("inspect",), ("info",), ("demo",), ("run",)):
        done = run("ascii", *command, "--help")
        assert (0, b"") == (done.returncode, done.stderr)
        assert done.stdout.isascii()


@pytest.mark.skipif(sys.platform != "win32", reason="a console of Windows is asked")
def test_what_is_no_console_gets_no_colours(tmp_path: Path) -> None:
    """Whatever it says of itself: sequences that nobody understands are left out."""
    with open(tmp_path / "file", "w", encoding="ascii") as file:
        assert not _takes_colours(file)
    assert not _takes_colours(io.StringIO())
