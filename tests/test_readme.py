"""The README's code runs, and prints what the README says."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest
import trustme

import fasttrust

README = Path(__file__).resolve().parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A machine whose store holds one root, and on which every name leads to one server."""
    authority = trustme.CA()
    store = tmp_path / "store.pem"
    authority.cert_pem.write_to_path(store)
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("www.example.org").configure_cert(context)
    real = socket.create_connection

    def serve(listener: socket.socket) -> None:
        with listener:
            sock, _ = listener.accept()
            sock.settimeout(10)
            with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as tls:
                tls.recv(1)

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        return real(listener.getsockname(), timeout)

    monkeypatch.setattr(socket, "create_connection", connect)
    return authority


@pytest.mark.usefixtures("world")
def test_example_prints_what_the_readme_shows() -> None:
    """The first server is shown with its chain, the second refused in the words of the README."""
    (code,) = blocks("python")
    (refusal,) = blocks("text")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(README), "exec"), {})
    lines = printed.getvalue().splitlines()
    assert ["<fasttrust.Certificate"] * 2 == [line.split()[0] for line in lines[:2]]
    assert refusal.splitlines() == lines[2:]


def test_commands_are_the_ones_that_ci_runs() -> None:
    """The README names the two commands, each with its own set-up."""
    (commands,) = blocks("sh")
    setup = "python3 -m venv .venv && .venv/bin/pip install "
    assert [
        f"{setup}'.[demo]' && .venv/bin/python -m fasttrust demo",
        f"{setup}-e '.[test]' && .venv/bin/pytest",
    ] == commands.splitlines()


def test_adopting_an_option_takes_six_lines(monkeypatch: pytest.MonkeyPatch, world: object) -> None:
    """The code of docs/adopting.md makes a context of ours, or ssl's where the import fails."""
    page = README.parent / "docs" / "adopting.md"
    if not page.exists():
        pytest.skip("the page is not beside the tests")
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    lines = [line for line in code.splitlines() if line and line != "import ssl"]
    assert 5 == len(lines)  # and the line of pyproject.toml
    ours: dict[str, ssl.SSLContext] = {}
    exec(compile(code, str(page), "exec"), ours)
    assert isinstance(ours["context"], fasttrust.SSLContext)
    monkeypatch.setitem(sys.modules, "fasttrust", None)
    theirs: dict[str, ssl.SSLContext] = {}
    exec(compile(code, str(page), "exec"), theirs)
    assert type(theirs["context"]) is ssl.SSLContext
