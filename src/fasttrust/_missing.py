"""Why the compiled part cannot be imported, in a sentence for who reads the ``ImportError``."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Mapping

from ._typing import Any


def explained(error: ImportError, module: Mapping[str, Any]) -> ImportError:
    """Return an error that says why.

    Args:
        error: what the import of cffi or of the extension raised.
        module: the globals of the module that imports them.
    """
    package = module["__package__"]
    return ImportError(_sentence(error, package, module.get("__loader__")), name=package)


def _sentence(error: ImportError, package: str, loader: object) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if "subinterpreter" in str(error):
        return f"{package} cannot be loaded in an isolated subinterpreter, as cffi cannot: {error}"
    if missing is not None and type(loader).__name__ == "zipimporter":
        return f"{package} is in a zip archive, from which Python loads nothing compiled: unpack it"
    if missing == "_cffi_backend" and is_free_threaded() and sys.version_info < (3, 14):
        return f"{package} needs cffi, which supports no free-threaded Python before 3.14"
    if missing == "_cffi_backend":
        return f"{package} needs cffi, which is not installed for {sys.executable}"
    if missing is None:
        return f"{package}'s compiled part cannot be loaded: {error}"
    return f"{package}'s compiled part was not built for {sys.implementation.cache_tag}"


def is_free_threaded() -> bool:
    """Tell whether this Python was built to run without a GIL."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
