"""The command line: arguments in, an exit status out; every answer comes from the library."""

from __future__ import annotations

import argparse
import errno
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, TypeAlias

from ._paper import printable
from ._starttls import PORTS

# What a command returns; 64 is EX_USAGE of sysexits.h.
_CANNOT_RUN = 2
_USAGE = 64
_INTERRUPTED = 130

# No connection is worth more seconds.
_LONGEST = 3600.0

_PROGRAM = f"python -m {__package__}"
_RUN_USAGE = f"{_PROGRAM} run [--] SCRIPT | -m MODULE [ARGUMENT ...]"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(_USAGE, printable(f"{self.prog}: {message} (--help shows more)") + "\n")


_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description="TLS verified by the operating system's trust store, inside the handshake.",
        epilog=f"examples:\n  {_PROGRAM} inspect www.example.org\n  {_PROGRAM} demo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    _add_inspect(commands)
    _add_info(commands)
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
    _add_run(commands)
    return parser


def _add_inspect(commands: _Commands) -> None:
    parser = commands.add_parser(
        "inspect",
        help="connect to servers and show verdict, chains and why",
        description=(
            "Connect to servers, and show for each: the verdict with code, hint and alert,\n"
            "both chains, protocol and cipher, and whose root it ends at. Nothing is accepted\n"
            "in order to look at it: an untrusted chain is shown by the handshake that\n"
            "refused it."
        ),
        epilog=(
            "examples:\n"
            f"  {_PROGRAM} inspect www.example.org\n"
            f"  {_PROGRAM} inspect --starttls smtp --compare mail.example.org:587\n"
            f"  {_PROGRAM} inspect --file hosts.txt --json > report.json\n\n"
            "exit status:\n"
            "  0   all are trusted\n"
            "  1   one or more are not trusted\n"
            "  2   none is refused, but one or more are unreachable (or Python's own\n"
            "      OpenSSL is: nothing can be verified then)\n"
            "  64  wrong usage\n\n"
            "Colours are left out with NO_COLOR=1, and where the output is not\na terminal."
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("hosts", nargs="*", metavar="HOST[:PORT]", help="a server; [IPv6]:PORT too")
    parser.add_argument("--file", metavar="FILE", help="more servers, one a line; - is stdin")
    parser.add_argument("--trust", metavar="FILE", help="trust exactly this file's roots (PEM)")
    parser.add_argument(
        "--compare", action="store_true", help="ask plain ssl and certifi too, and say why"
    )
    parser.add_argument(
        "--starttls", choices=tuple(PORTS), default="", help="what is spoken before TLS"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="SECONDS", help="for each connection (10)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument("--svg", metavar="FILE", help="draw the chains, as a picture")
    parser.set_defaults(run=_inspect)


def _add_info(commands: _Commands) -> None:
    parser = commands.add_parser(
        "info",
        help="show what verifies here, and what is trusted: for bug reports",
        description="Show what a bug report should say: backend, versions, trust, environment.",
        epilog=f"example:\n  {_PROGRAM} info",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=_info)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"expected seconds, above 0 and at most {_LONGEST:g}, not {text!r}"
        )
    return seconds


def _inspect(arguments: argparse.Namespace) -> int:
    from ._inspect_command import inspect

    try:
        return inspect(arguments)
    except ValueError as error:
        return _wrong("inspect", str(error))


def _info(arguments: argparse.Namespace) -> int:
    from ._info_command import info

    return info(arguments)


def _add_run(commands: _Commands) -> None:
    # For its help alone: what follows the program's name is the program's own, see main().
    commands.add_parser(
        "run",
        help="run a Python program whose TLS is verified by fasttrust",
        usage=_RUN_USAGE,
        description=(
            "Run a Python program, unmodified, in this process, injected into ssl: its TLS is\n"
            "verified by what the system trusts. That of processes which it starts anew is not."
        ),
        epilog=(
            f"examples:\n  {_PROGRAM} run script.py --its-own option\n"
            f"  {_PROGRAM} run -m pip install requests\n\n"
            "exit status:\n  that of the program\n"
            "  2   it cannot be run\n"
            "  64  wrong usage"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _run(arguments: Sequence[str]) -> int:
    from ._inject import inject_into_ssl
    from ._run import find, run

    try:
        program = find(arguments)
    except ValueError as error:
        _Parser(prog=f"{_PROGRAM} run", usage=_RUN_USAGE).error(str(error))
    except ImportError as error:
        return _cannot_run("run", f"cannot run this: {error}")
    inject_into_ssl()
    run(program)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("cryptography") is None:
        return _cannot_run("demo", "needs the package cryptography: pip install 'fasttrust[demo]'")
    from ._demo import demo

    try:
        return demo()
    except OSError as error:
        if _is_closed(error):
            raise
        return _cannot_run("demo", f"cannot run here: {error}")


def _is_closed(error: OSError) -> bool:
    """Tell whether nobody reads our output any more: Windows has an ill-fitting number for that."""
    return isinstance(error, BrokenPipeError) or (
        sys.platform == "win32" and error.errno == errno.EINVAL
    )


def _cannot_run(command: str, why: str) -> int:
    print(printable(f"{_PROGRAM} {command} {why}"), file=sys.stderr)
    return _CANNOT_RUN


def _wrong(command: str, why: str) -> int:
    print(printable(f"{_PROGRAM} {command}: {why} (--help shows more)"), file=sys.stderr)
    return _USAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: those after the program's name; the process's own by default.

    Raises:
        SystemExit: help was printed, or the arguments are wrong.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["run"] and given[1:2] not in (["-h"], ["--help"]):
        return _run(given[1:])
    parsed = _parser().parse_args(given)
    try:
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except OSError as error:
        if not _is_closed(error):
            raise
        # Whoever read our output has seen enough; Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status
