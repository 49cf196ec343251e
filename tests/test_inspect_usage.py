"""`python -m fasttrust inspect`: what it is given, and the status with which it ends."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import pki
import servers
from command import EXPIRED, GOOD, ROOT, STRANGER, UNKNOWN, Command, closed_port
from fasttrust import _inspect_command
from world import machine_trusts


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ROOT)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("good",), 0),
        (("good", "good"), 0),
        (("good", "old"), 1),
        (("good", "dead"), 2),
        (("dead", "old", "good"), 1),
    ],
)
def test_status_is_that_of_the_worst(command: Command, kinds: tuple[str, ...], status: int) -> None:
    """A refusal counts more than somebody who cannot be reached."""
    with (
        servers.serving(servers.tls(GOOD)) as good,
        servers.serving(servers.tls(EXPIRED)) as old,
    ):
        ports = {"good": good, "old": old, "dead": closed_port()}
        # Distinct spellings, since the same server is looked at once.
        done = command(
            "inspect", *(f"127.0.0.1:{ports[kind]}" for kind in kinds), f"localhost:{good}"
        )
    assert status == done.status
    assert f"{len(set(kinds)) + 1} servers: " in done.out


def test_file_of_hosts_adds_to_those_named(command: Command, tmp_path: Path) -> None:
    """In their order, each once."""
    hosts = tmp_path / "hosts.txt"
    with servers.serving(servers.tls(GOOD)) as port:
        hosts.write_text(
            f"# ours\n\nlocalhost:{port}\nlocalhost.:{port}\n127.0.0.1:{port}  # by address\n",
            "utf-8",
        )
        found = command.servers(f"127.0.0.1:{port}", "--file", str(hosts), status=0)
    assert ["127.0.0.1", "localhost"] == [each["host"] for each in found]


def test_hosts_come_from_standard_input(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With - for a file."""
    with servers.serving(servers.tls(GOOD)) as port:
        text = f"\ufefflocalhost:{port}\r\n".encode()
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text)))
        assert 0 == command("inspect", "--file", "-").status


def test_trust_is_exactly_the_file_that_was_named(command: Command, tmp_path: Path) -> None:
    """Nothing of the system counts beside it."""
    file = tmp_path / "other.pem"
    file.write_text(STRANGER.pem, "ascii")
    with (
        servers.serving(servers.tls(UNKNOWN)) as theirs,
        servers.serving(servers.tls(GOOD)) as ours,
    ):
        done = command("inspect", "--trust", str(file), f"localhost:{theirs}", f"localhost:{ours}")
    assert 1 == done.status
    assert "1 trusted, 1 not trusted" in done.out
    assert "by --trust, changed" in " ".join(done.out.split())


def test_machine_without_a_store_refuses_and_says_so(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is trusted, and both the head and the hint name the variable."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with servers.serving(servers.tls(GOOD)) as port:
        done = command("inspect", f"localhost:{port}")
    text = " ".join(done.out.split())
    assert 1 == done.status
    assert "trust nothing: " in text
    assert "Nothing of the system's store is trusted" in text
    assert 2 <= text.count("SSL_CERT_FILE")


WRONG = [
    [],
    ["a.example:0"],
    ["a.example:70000"],
    ["a.example:http"],
    ["a b"],
    ["a\x1b[31mb"],
    ["a\u202eb"],
    [""],
    ["--file", "/nonexistent/hosts"],
    ["--trust", "/nonexistent/roots", "a.example"],
    ["--timeout", "0", "a.example"],
    ["--timeout", "-1", "a.example"],
    ["--timeout", "nan", "a.example"],
    ["--timeout", "1e999", "a.example"],
    ["--timeout", "soon", "a.example"],
    ["--starttls", "pop3", "a.example"],
    ["--starttls", "\x1b[31m", "a.example"],
    ["--nothing\x1b[31m", "a.example"],
    ["--time", "3", "a.example"],
]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_usage_is_64_and_connects_to_nobody(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """One line on standard error says what is wrong, beside argparse's own usage."""
    monkeypatch.setattr(_inspect_command, "look_at_all", None)
    done = command("inspect", *arguments)
    assert (64, "") == (done.status, done.out)
    last = done.err.splitlines()[-1]
    assert re.match(r"python -m fasttrust( inspect)?: ", last)
    assert not re.search(r"\b_", last)  # no name of ours


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no host was given"),
        (b"# nobody\n", "no host was given"),
        (b"a.example\nb.example:0\n", "line 2: "),
        (b"a.example\n\xff\xfe\n", "utf-8"),
        (b"a\0b\n", "line 1: "),
    ],
)
def test_wrong_file_of_hosts_is_64(
    command: Command, tmp_path: Path, content: bytes, why: str
) -> None:
    """It is named with the line."""
    hosts = tmp_path / "hosts.txt"
    hosts.write_bytes(content)
    done = command("inspect", "--file", str(hosts))
    assert (64, "") == (done.status, done.out)
    assert why in done.err


@pytest.mark.parametrize("content", ["", "not a certificate", pki.crl(ROOT)])
def test_wrong_file_of_roots_is_64(command: Command, tmp_path: Path, content: str) -> None:
    """Nothing is connected to with a trust that was not meant."""
    roots = tmp_path / "roots.pem"
    roots.write_text(content, "ascii")
    done = command("inspect", "--trust", str(roots), "a.example")
    assert (64, "") == (done.status, done.out)
    assert f"--trust {roots}: " in done.err


def test_picture_that_cannot_be_written_is_said_after_the_verdicts(
    command: Command, tmp_path: Path
) -> None:
    """Nothing that was found is lost."""
    with servers.serving(servers.tls(GOOD)) as port:
        done = command("inspect", f"localhost:{port}", "--svg", str(tmp_path / "no" / "p.svg"))
    assert 64 == done.status
    assert "trusted" in done.out
    assert "--svg" in done.err
