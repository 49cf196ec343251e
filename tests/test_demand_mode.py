"""Before the tests of a wheel, the mode is demanded that they are meant for."""

from __future__ import annotations

import re

import pytest

import modes
from world import TESTS, run_python

TOP = TESTS.parent
SCRIPT = TESTS / "demand_mode.py"
RUN = f"import runpy; runpy.run_path({str(SCRIPT)!r})"


def test_mode_that_is_not_expected_ends_the_run() -> None:
    """Compat mode where native is expected is a failure that says so, and why it came to that."""
    process = run_python(RUN, FASTTRUST_MODE="compat")
    if modes.PYPY:
        assert 0 == process.returncode, process.stderr
        return
    assert 1 == process.returncode
    assert process.stderr.splitlines() == ["native mode is expected here"]
    assert "FASTTRUST_MODE=compat asks for it" in process.stdout


@modes.reachable
def test_expected_mode_lets_the_run_go_on() -> None:
    """Where the library is found, what there is is printed, and that is all."""
    process = run_python(RUN, FASTTRUST_MODE="")
    assert (0, "") == (process.returncode, process.stderr)
    assert "found and proved" in process.stdout


@pytest.mark.parametrize("name", [".ci/run", "tests/versions/lab.py"])
def test_every_laboratory_of_the_wheel_demands_it(name: str) -> None:
    """What installs the wheel elsewhere runs the script there."""
    if not (TOP / name).exists():
        pytest.skip(f"{name} is not beside the tests")
    assert "tests/demand_mode.py" in (TOP / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "tests"),
    [("pyproject.toml", r"^test-command = .*"), (".github/workflows/ci.yml", r"^ +- run: .*")],
)
def test_every_run_of_the_tests_demands_it(name: str, tests: str) -> None:
    """Wherever a wheel or an installation is tested, the script runs before pytest does."""
    if not (TOP / name).exists():
        pytest.skip(f"{name} is not beside the tests")
    commands = re.findall(tests, (TOP / name).read_text("utf-8"), re.MULTILINE)
    running = [number for number, command in enumerate(commands) if "pytest " in command]
    assert running
    for number in running:
        before = "\n".join(commands[max(0, number - 1) : number + 1]).partition("pytest ")[0]
        assert "demand_mode.py" in before, commands[number]
