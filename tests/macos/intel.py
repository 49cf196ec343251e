"""
A plugin of pytest: the whole C core, as it was built for macOS on x86-64, in the extension's place.

    PYTHONPATH=tests/macos pytest -p intel tests/macos

The package must have been built on the double (tests/macos/run). FASTTRUST_INTEL names the core,
and FASTTRUST_DOUBLE the double. So a Mac's code finds the OpenSSL of this process's `_ssl`, proves
it, and verifies in its handshakes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import types
from importlib.machinery import PathFinder
from typing import Any

from load import Loader


class Lib:
    """Has what the extension's own `lib` has; functions are those of the loaded core."""

    def __init__(self, loader: Loader, real: types.ModuleType) -> None:
        self._loader = loader
        self._real = real

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real.lib, name)
        if callable(value):
            of_double = name.startswith("double_")
            find = self._loader.of_double if of_double else self._loader.function
            value = self._real.ffi.cast(self._real.ffi.typeof(value), find(name))
        setattr(self, name, value)
        return value


def extension() -> types.ModuleType:
    """Return the extension as it was built here, without the package around it."""
    package = PathFinder.find_spec("fasttrust")
    assert package is not None
    spec = PathFinder.find_spec("fasttrust._core", package.submodule_search_locations)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


loader = Loader(os.environ["FASTTRUST_INTEL"], ctypes.CDLL(os.environ["FASTTRUST_DOUBLE"]))
real = extension()
core = types.ModuleType("fasttrust._core")
core.ffi, core.lib = real.ffi, Lib(loader, real)  # type: ignore[attr-defined]
sys.modules["fasttrust._core"] = core


def pytest_report_header() -> str:
    return f"the core built for macOS: {len(loader.bound)} symbols bound"
