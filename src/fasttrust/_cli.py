"""The command line: arguments in, an exit status out; every answer comes from the library."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ._backend import backend

# What a command returns; 64 is EX_USAGE of sysexits.h.
_CANNOT_RUN = 2
_USAGE = 64
_INTERRUPTED = 130

_PROGRAM = f"python -m {__package__}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(_USAGE, f"{self.prog}: {message} (--help shows more)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description="TLS verified by the operating system's trust store, inside the handshake.",
        epilog=f"example:\n  {_PROGRAM} demo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="show accepted and refused connections, chains and costs on this machine",
        description=(
            "Start real TLS servers on 127.0.0.1 with a private PKI, and show which ones a client\n"
            "accepts, which it refuses and why, what the refused ones receive, the two chains of\n"
            "a connection, and what it costs beside plain ssl. Takes a few seconds, stays on\n"
            "loopback, and only reads the system's store, to time that."
        ),
        epilog=(
            f"example:\n  pip install 'fasttrust[demo]'\n  {_PROGRAM} demo\n\n"
            "exit status:\n"
            "  0   everything went as expected\n"
            "  1   something did not; what, and why, is the last thing printed\n"
            "  2   the demo cannot run here; the reason is printed\n"
            "  64  wrong usage\n\n"
            "Colours are left out with NO_COLOR=1, and where the output is not a terminal."
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.set_defaults(run=_demo)
    return parser


def _demo() -> int:
    if importlib.util.find_spec("cryptography") is None:
        return _cannot_run("needs the package cryptography: pip install 'fasttrust[demo]'")
    mode = backend()
    if mode.mode == "unavailable":
        return _cannot_run(f"cannot run on this Python: {mode.reason}")
    from ._demo import demo

    try:
        return demo()
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        return _cannot_run(f"cannot run here: {error}")


def _cannot_run(why: str) -> int:
    print(f"{_PROGRAM} demo {why}", file=sys.stderr)
    return _CANNOT_RUN


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: those after the program's name; the process's own by default.

    Raises:
        SystemExit: help was printed, or the arguments are wrong.
    """
    parsed = _parser().parse_args(arguments)
    try:
        status: int = parsed.run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status
