"""``python -m fasttrust run``: an unmodified program, as if Python itself had started it.

``runpy`` would do for most programs, but takes its ``__main__`` back at the program's end, before
threads and exit handlers are done with it, and leaves a script the present folder on ``sys.path``.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, SourcelessFileLoader
from importlib.util import find_spec
from typing import NamedTuple


class Program(NamedTuple):
    """A program that was found."""

    code: types.CodeType
    names: dict[str, object]  # what its __main__ begins with
    arguments: list[str]  # its sys.argv
    folder: str | None  # where it finds its own modules; None where that is the present folder


def find(arguments: Sequence[str]) -> Program:
    """Return the program that ``[--] SCRIPT`` or ``[--] -m MODULE`` and its arguments name.

    Raises:
        ValueError: they name none.
        ImportError: there is no such script or module, or none that can be run.
        SyntaxError: it is not Python.
    """
    rest = list(arguments)
    if rest[:1] == ["--"]:
        del rest[0]
    is_module = rest[:1] == ["-m"]
    if is_module:
        del rest[0]
    elif rest and rest[0].startswith("-"):
        raise ValueError(f"no such option: {rest[0]}")
    if not rest:
        raise ValueError("expected SCRIPT or -m MODULE")
    if is_module:
        spec = _find_module(rest[0])
        return Program(*_load(spec), [str(spec.origin), *rest[1:]], None)
    return _find_script(rest)


def _find_module(name: str) -> ModuleSpec:
    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:  # of the package above it; not a name
        raise ImportError(f"no module named {name!r} can be run: {error}") from error
    if spec is None:
        raise ImportError(f"no module named {name!r} can be run")
    return spec


def _find_script(arguments: list[str]) -> Program:
    path = os.path.abspath(arguments[0])
    if not os.path.exists(path):
        raise ImportError(f"no file named {arguments[0]!r}")
    if pkgutil.get_importer(path) is not None:  # a folder or an archive
        spec = PathFinder.find_spec("__main__", [path])
        if spec is None:
            raise ImportError(f"no __main__ in {arguments[0]!r}")
        return Program(*_load(spec), arguments, path)
    loader: SourceFileLoader | SourcelessFileLoader
    try:
        if path.endswith(".pyc"):
            loader = SourcelessFileLoader("__main__", path)
            code = loader.get_code("__main__")
        else:
            loader = SourceFileLoader("__main__", path)
            # Not its get_code(), which would leave a file behind.
            code = loader.source_to_code(loader.get_data(path), path)
    except OSError as error:
        raise ImportError(str(error)) from error
    if code is None:
        raise ImportError(f"{arguments[0]!r} holds no code")
    names: dict[str, object] = {"__file__": path, "__loader__": loader, **_cached(None)}
    return Program(code, names, arguments, os.path.dirname(os.path.realpath(path)))


def _load(spec: ModuleSpec) -> tuple[types.CodeType, dict[str, object]]:
    code = getattr(spec.loader, "get_code", lambda _: None)(spec.name)
    if code is None:
        raise ImportError(f"the module {spec.name!r} is not Python code")
    names: dict[str, object] = {
        "__spec__": spec,
        "__file__": spec.origin,
        "__loader__": spec.loader,
        "__package__": spec.parent,
        **_cached(spec.cached),
    }
    return code, names


def _cached(path: str | None) -> dict[str, object]:
    return {"__cached__": path} if sys.version_info < (3, 15) else {}  # it is gone since


def run(program: Program) -> None:
    """Run a program to its end; whatever it raises is let through, ``SystemExit`` included."""
    sys.argv = program.arguments
    # "python -m" has put the present folder first, unless it was told not to (-P, -I).
    placed = not (getattr(sys.flags, "safe_path", False) or sys.flags.isolated)
    if program.folder is not None:
        own = "__spec__" not in program.names  # a folder or an archive is always on its own path
        if placed:
            del sys.path[0]
        if placed or not own:
            sys.path.insert(0, program.folder)
    main = types.ModuleType("__main__")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    vars(main).update(program.names, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    exec(program.code, vars(main))
