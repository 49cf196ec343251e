"""`python -m fasttrust info`: what a bug report should say."""

from __future__ import annotations

import json
import os
import platform
import ssl
from pathlib import Path

import pytest

import fasttrust
import servers
from command import GOOD, ROOT, Command
from fasttrust import _bundles, _info, _mode, _places, _system
from world import VERIFIER, check_python, machine_trusts


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("COLUMNS", "100")
    return Command(capsys)


def test_info_says_what_a_bug_report_should(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Versions, backend with its reason, trust with its place and age, overrides, bundles."""
    store = machine_trusts(monkeypatch, tmp_path, ROOT)
    os.utime(store, (0, 0))
    os.utime(tmp_path / "empty", (86400, 86400))
    monkeypatch.setenv("SSLKEYLOGFILE", "")
    done = command("info")
    assert (0, "") == (done.status, done.err)
    text = " ".join(done.out.split())
    for wanted in (
        f"backend {fasttrust.backend().mode} ({VERIFIER}): {fasttrust.backend().reason}",
        f"{platform.python_implementation()} {platform.python_version()}",
        " ".join(ssl.OPENSSL_VERSION.split()),
        platform.release(),
        "trust 1 root, by SSL_CERT_FILE=",
        "changed 1970-01-02 00:00 UTC",
        "SSLKEYLOGFILE (empty)",
        "bundles the newest one known is ",
        " days old",
    ):
        assert wanted in text, wanted


def test_info_for_programs_has_the_same(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As JSON, in ASCII."""
    store = machine_trusts(monkeypatch, tmp_path, ROOT)
    done = command("info", "--json")
    assert done.out.isascii()
    found = json.loads(done.out)
    assert fasttrust.backend().mode == found["backend"]["mode"]
    assert (1, [str(store), str(tmp_path / "empty")], None) == (
        found["trust"]["anchors"],
        found["trust"]["places"],
        found["trust"]["problem"],
    )
    assert {"SSL_CERT_FILE", "SSL_CERT_DIR"} == {*found["environment"]} - {"FASTTRUST_MODE"}
    assert _bundles.newest() == (
        found["public_bundles"]["date"],
        found["public_bundles"]["newest"],
    )


def test_info_without_variables_says_so(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """That nothing overrides the system is worth a line."""
    monkeypatch.delenv("FASTTRUST_MODE", raising=False)
    done = command("info")
    assert 0 == done.status
    assert "none is set that changes trust, mode or logging" in done.out
    assert "SSL_CERT" not in done.out


def test_broken_store_is_told_as_a_problem(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Telling is all that was asked for: the status is 0."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    done = command("info")
    assert 0 == done.status
    assert "trust      nothing: " in done.out
    assert json.loads(command("info", "--json").out)["trust"]["problem"]


def test_info_in_compat_mode_gives_the_reason(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is needed most."""
    monkeypatch.setattr(_mode, "_reason", "its symbols are hidden")
    done = command("info")
    assert 0 == done.status
    assert f"backend    compat ({VERIFIER}): its symbols are hidden" in done.out


def test_values_of_variables_steer_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the user's, and yet are printed like everything else."""
    monkeypatch.setenv("SSLKEYLOGFILE", "\x1b[31m\u202e")
    assert 0 == command("info").status  # the command's own check of what it prints
    assert "\\u001b[31m\\u202e" in command("info", "--json").out


def test_commands_need_no_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`inspect` and `info` run on the bare install: cffi and nothing else."""
    machine_trusts(monkeypatch, tmp_path, ROOT)
    with servers.serving(servers.tls(GOOD)) as port:
        printed = check_python(
            f"""
            import sys

            class Nothing:
                def find_spec(self, name, path=None, target=None):
                    if name.partition(".")[0] in ("cryptography", "certifi", "rich"):
                        raise ModuleNotFoundError(name)

            sys.meta_path.insert(0, Nothing())
            from fasttrust import _cli

            status = _cli.main(["info"])
            status += _cli.main(["inspect", "--compare", "localhost:{port}"])
            print(status)
            """,
            PYTHONIOENCODING="utf-8",
        )
    assert "backend " in printed
    assert "CN=Example Root" in printed
    assert "pip install certifi" in printed
    assert printed.endswith("\n0\n")


def test_variable_that_is_ignored_is_said_to_be(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a setuid program, or where conda sets it for every process."""
    machine_trusts(monkeypatch, tmp_path, ROOT)
    assert "is ignored" not in command("info").out
    monkeypatch.setattr(_info, "environment", lambda: _places.UNSET)
    assert "remark     SSL_CERT_FILE is ignored: " in command("info").out


def test_system_that_lists_no_anchor_is_told_as_such(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows and macOS are asked for each server: a number would be a lie."""
    monkeypatch.setattr(_info, "system", _system.Platform)
    assert "trust      the operating system, asked for each server" in command("info").out
    assert None is json.loads(command("info", "--json").out)["trust"]["anchors"]
