"""Python's TLS verified by the operating system's trust store, in C, during the handshake.

    import fasttrust

    context = fasttrust.create_default_context()  # a real ssl.SSLContext; nothing else changes
    with socket.create_connection((host, 443)) as sock:
        with context.wrap_socket(sock, server_hostname=host) as tls:
            for certificate in fasttrust.get_verified_chain(tls):
                print(certificate)

A server that is not trusted is refused inside the handshake: ``wrap_socket`` raises
``VerificationError``, the server receives the matching alert, and not one byte of the program's.
"""

from importlib import import_module as _import_module

from . import _mode as _mode  # raises what stands in the way of any use
from . import _typing

if _typing.TYPE_CHECKING:
    from ._backend import backend
    from ._certificate import ENCODING_DER, ENCODING_PEM, Certificate
    from ._connection import get_unverified_chain, get_verified_chain
    from ._context import SSLContext, attach
    from ._default import create_default_context
    from ._errors import VerificationError
    from ._inject import extract_from_ssl, inject_into_ssl
    from ._offline import verify_chain
    from ._trust import TrustStore

__all__ = [
    "ENCODING_DER",
    "ENCODING_PEM",
    "Certificate",
    "SSLContext",
    "TrustStore",
    "VerificationError",
    "attach",
    "backend",
    "create_default_context",
    "extract_from_ssl",
    "get_unverified_chain",
    "get_verified_chain",
    "inject_into_ssl",
    "verify_chain",
]

# Where each name comes from, when it is first used: a program that imports the package and makes
# no connection pays for none.
_HOMES = {
    "_backend": ("backend",),
    "_certificate": ("ENCODING_DER", "ENCODING_PEM", "Certificate"),
    "_connection": ("get_unverified_chain", "get_verified_chain"),
    "_context": ("SSLContext", "attach"),
    "_default": ("create_default_context",),
    "_errors": ("VerificationError",),
    "_inject": ("extract_from_ssl", "inject_into_ssl"),
    "_offline": ("verify_chain",),
    "_trust": ("TrustStore",),
}

if not _typing.TYPE_CHECKING:  # which would take every name for one of the package

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                module = _import_module(f".{home}", __name__)
                globals().update({each: getattr(module, each) for each in names})
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
