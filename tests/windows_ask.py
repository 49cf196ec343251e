"""What a client of ours says of a server, asked in a process of its own: ``windows_child.py``."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conftest import VARIABLES
from pki import HOST, Chain

CHILD = Path(__file__).with_name("windows_child.py")
# The server's chain is not what a client of some level would send itself.
LEVEL = 2


@dataclass(frozen=True)
class Asked:
    """What the client wants of the server.

    Attributes:
        at_time: seconds since 1970; None is now.
        crls: PEM, loaded by the program.
        anchors: the program's own, PEM.
        defaults: whether the client is create_default_context()'s, with load_default_certs().
        staple: whether a process of another library serves, with the folder's staple.der.
        server: whether a client's certificate is what is judged, by a server of ours.
    """

    host: str | None = HOST
    check_hostname: bool = True
    flags: int = 0
    policy: dict[str, Any] = field(default_factory=dict)
    at_time: float | None = None
    crls: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    defaults: bool = False
    level: int = LEVEL
    common_name: bool = True
    staple: bool = False
    server: bool = False


def write(folder: Path, sent: Chain, asked: Asked) -> Path:
    """Write down what the process shall ask."""
    folder.mkdir()
    sent.write(folder)
    (folder / "asked.json").write_text(json.dumps(asdict(asked)), "utf-8")
    return folder


def ask(*folders: Path) -> list[dict[str, Any]]:
    """Ask about all in one process."""
    return [json.loads(line) for line in printed(CHILD, *folders).splitlines()]


def printed(*command: str | Path) -> str:
    """Run a program in a process of its own, by the machine's store, and return what it printed."""
    process = subprocess.run(
        [sys.executable, *command],
        env={name: value for name, value in os.environ.items() if name not in VARIABLES},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (0, "") == (process.returncode, process.stderr)
    return process.stdout


def in_this_openssl(code: int) -> int:
    """Return the code as the running OpenSSL has it: 1.1.1 has another one for an invalid CA."""
    return 24 if code == 79 and ssl.OPENSSL_VERSION_INFO < (3,) else code
