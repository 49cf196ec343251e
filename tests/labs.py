"""Environments for laboratories: made where they are not, and kept outside the repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
LABS = Path(os.environ.get("FASTTRUST_LABS") or Path.home() / ".cache" / "fasttrust-labs")
NEEDED = "cffi>=2.0"


def environment(name: str, python: str | Path, *packages: str) -> Path:
    """Return the Python of the environment of that name, which has fasttrust's needs too."""
    inside = LABS / name / "bin" / "python"
    done = LABS / name / "done"
    wanted = " ".join((NEEDED, *packages))
    if not done.exists() or done.read_text("utf-8") != wanted:
        subprocess.run([python, "-m", "venv", "--clear", LABS / name], check=True)
        pip(inside, "install", NEEDED, *packages)
        done.write_text(wanted, "utf-8")
    return inside


def wheel(folder: Path, python: Path) -> Path:
    """Build the wheel of this checkout in a folder; the environment has to have setuptools."""
    pip(python, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, TOP)
    (built,) = folder.glob("fasttrust-*.whl")
    return built


def pip(python: Path, *arguments: str | Path) -> None:
    """Run pip quietly; what went wrong is in the error."""
    command = [python, "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
