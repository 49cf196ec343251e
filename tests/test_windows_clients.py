"""Real HTTP clients under injection on Windows, each in a fresh process: its Root store counts."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "win32":
    pytest.skip("asks Windows", allow_module_level=True)

import modes
import pki
from clients.lab import Server, serving
from conftest import VARIABLES
from windows_store import trusted

CLIENT = Path(__file__).with_name("clients") / "client.py"
CLIENTS = ("urllib", "urllib3", "requests", "httpx", "httpx-per-request", "aiohttp")
# What is left out: pip and botocore, which are run on Linux alone. pip puts its own truststore
# before us, and botocore is urllib3 again.
ROOT = pki.root("windows clients")
OTHER = pki.root("windows clients' other")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    chain = pki.Chain((pki.leaf("windows clients' server", ROOT, names=("localhost",)),))
    with serving(chain, {}) as running:
        yield running


def ask(client: str, when: str, server: Server, *cafile: Path) -> tuple[str, int]:
    """Return what the client came to, and how often the server was asked for a page."""
    before = len(server.asked)
    done = subprocess.run(
        [sys.executable, CLIENT, client, when, server.url, *cafile],
        env={
            **{name: value for name, value in os.environ.items() if name not in VARIABLES},
            "NO_PROXY": "localhost",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip(), len(server.asked) - before


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name != "urllib" and importlib.util.find_spec(name.partition("-")[0]) is None:
        pytest.skip(f"{name} is not installed")
    return name


@pytest.mark.parametrize("when", ["first", "late"])
def test_clients_trust_what_windows_trusts(client: str, when: str, server: Server) -> None:
    """Injected before or after its import: its bundle means the system, whose word counts."""
    if modes.COMPAT and (client, when) == ("httpx", "late"):
        pytest.skip("compat mode: a context made before an injection keeps its bundle")
    assert ("refused 20", 0) == ask(client, when, server)
    with trusted(ROOT):
        assert ("accepted", 1) == ask(client, when, server)


def test_roots_that_the_program_names_are_taken_at_their_word(
    client: str, server: Server, tmp_path: Path
) -> None:
    """A file of roots is exactly that, whatever Windows trusts besides."""
    for issued in (ROOT, OTHER):
        (tmp_path / f"{issued.name}.pem").write_text(issued.pem, "ascii")
    assert ("accepted", 1) == ask(client, "first", server, tmp_path / f"{ROOT.name}.pem")
    with trusted(ROOT):
        assert ("refused 20", 0) == ask(client, "first", server, tmp_path / f"{OTHER.name}.pem")
