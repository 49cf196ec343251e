"""What a fresh process pays, once. Before the clock stops nothing else of the bench is imported."""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any


def cold(name: str) -> tuple[float, float]:
    """Return the seconds that the import takes, and the first context after it.

    The import is of the name that a program uses, with all that its first mention loads. "bare" is
    a context of ``ssl`` that trusts nobody: what starting OpenSSL costs whoever does it. ``ssl`` is
    there already when another package is imported, as in any program that connects.
    """
    module_name = {"bare": "ssl", "pyOpenSSL": "OpenSSL.SSL"}.get(name, name)
    if "ssl" in sys.modules:
        raise RuntimeError("ssl was imported before the clock ran")
    if name not in ("ssl", "bare"):
        import_module("ssl")
    started = time.perf_counter()
    make = maker(name, import_module(module_name))
    imported = time.perf_counter()
    context = make()
    made = time.perf_counter()
    prove(name, context)
    return imported - started, made - imported


def prove(name: str, context: Any) -> None:
    """Raise unless the context that was timed accepts whom it should, and nobody else."""
    peers, world = (import_module(f"bench.{module}") for module in ("peers", "world"))
    if name == "wassima":  # whose store is the machine's own
        context.load_verify_locations(cadata=world.own_roots())
    peers.proved(name, context)


def maker(name: str, module: Any) -> Callable[[], Any]:
    """Return what makes a context that trusts the system, as the package's own users do."""
    if name in ("truststore", "bare"):
        kind, protocol = module.SSLContext, import_module("ssl").PROTOCOL_TLS_CLIENT
        return lambda: kind(protocol)
    if name == "wassima":
        return module.create_default_ssl_context  # type: ignore[no-any-return]
    if name == "pyOpenSSL":
        return lambda: _of_pyopenssl(module)
    return module.create_default_context  # type: ignore[no-any-return]


def _of_pyopenssl(module: Any) -> Any:
    context = module.Context(module.TLS_CLIENT_METHOD)
    context.set_default_verify_paths()
    context.set_verify(module.VERIFY_PEER)
    return context
