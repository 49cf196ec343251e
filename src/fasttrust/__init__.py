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
