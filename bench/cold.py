"""What a fresh process pays, once. Imports nothing of the bench, which would import ``ssl``."""

import sys
import time
from importlib import import_module
from typing import Any


def cold(name: str) -> tuple[float, float]:
    """Return the seconds that the import takes, and the first context after it.

    "bare" is a context of ``ssl`` that trusts nobody: what starting OpenSSL costs whoever does it.
    ``ssl`` is there already when another package is imported, as in any program that connects.
    """
    bare = name == "bare"
    name = "ssl" if bare else name
    if "ssl" in sys.modules:
        raise RuntimeError("ssl was imported before the clock ran")
    if name != "ssl":
        import_module("ssl")
    started = time.perf_counter()
    module: Any = import_module(name)
    imported = time.perf_counter()
    if name == "truststore" or bare:
        module.SSLContext(import_module("ssl").PROTOCOL_TLS_CLIENT)
    else:
        module.create_default_context()
    return imported - started, time.perf_counter() - imported
