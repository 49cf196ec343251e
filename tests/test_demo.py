"""`python -m fasttrust demo`, as a newcomer runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fasttrust import _cli, _demo


def run(**environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "fasttrust", "demo"],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_demo_shows_every_verdict_and_both_chains() -> None:
    """All is as expected: status 0, each connection is there, the tree has its legend."""
    done = run(PYTHONIOENCODING="utf-8", COLUMNS="80")
    output = done.stdout.decode()
    assert (0, b"") == (done.returncode, done.stderr)
    for name in _demo.EXPECTED:
        assert f" {name}  " in output
    assert "0 bytes of the program's" in output
    assert all(f"  {role} " in output for role in ("leaf", "anchor", "unused"))
    assert "\x1b" not in output  # not a terminal


def test_demo_prints_what_the_terminal_can_show() -> None:
    """In ASCII and in 50 columns nothing is lost, and no line is longer."""
    done = run(PYTHONIOENCODING="ascii", COLUMNS="50")
    assert (0, b"") == (done.returncode, done.stderr)
    lines = done.stdout.decode("ascii").splitlines()
    assert any("`- L" in line for line in lines)
    assert [line for line in lines if len(line) > 50] == []


def test_demo_fails_where_a_verdict_is_not_the_expected_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An expectation that does not hold is named at the end, and the status is 1."""
    monkeypatch.setitem(_demo.EXPECTED, "expired", _demo.Expected(9, "bad_certificate"))
    monkeypatch.setattr(_demo, "_BUDGET", 0.0)
    assert 1 == _cli.main(["demo"])
    assert "expired: code 10" in capsys.readouterr().out


def test_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without cryptography there is one line that says what to install, and the status is 2."""
    monkeypatch.setattr(_cli.importlib.util, "find_spec", lambda name: None)
    assert 2 == _cli.main(["demo"])
    assert "pip install 'fasttrust[demo]'" in capsys.readouterr().err


def test_wrong_usage_has_a_status_of_its_own() -> None:
    """An unknown command is wrong usage: 64."""
    with pytest.raises(SystemExit) as caught:
        _cli.main(["nothing"])
    assert 64 == caught.value.code
