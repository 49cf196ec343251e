"""A class of ours on an object that never got our verifier: an exception, never a crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

CASES = {
    "__new__ past ours": (
        "c = ssl.SSLContext.__new__(fasttrust.SSLContext, ssl.PROTOCOL_TLS_CLIENT)",
        "never given its verifier",
    ),
    "__class__ assigned": (
        "c = ssl.create_default_context(); c.__class__ = fasttrust.SSLContext",
        "never given its verifier",
    ),
}
CALLS = (
    "c.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname='a')",
    "c.wrap_socket(socket.socket(), server_hostname='a', do_handshake_on_connect=False).connect(p)",
    "c.load_default_certs()",
    "c.load_verify_locations(cadata=b'0')",
    "c.get_ca_certs()",
    "c.cert_store_stats()",
)


def outcome(program: str) -> tuple[int, str]:
    """Return how a fresh process ends, in which nothing of ours was opened before."""
    head = "import socket, ssl, fasttrust\nl = socket.create_server(('127.0.0.1', 0))\n"
    head += "p = l.getsockname()\n"
    done = subprocess.run(
        [sys.executable, "-c", head + program], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("made", CASES)
def test_object_without_verifier_is_refused(made: str, call: str) -> None:
    """Whatever is asked of it: no connection is made, nothing is loaded, the error says why."""
    prelude, words = CASES[made]
    status, error = outcome(f"{prelude}\n{call}")
    assert (1, True) == (status, words in error), error


def test_plain_context_with_our_socket_class_refuses_as_ssl_does() -> None:
    """The refusal of a context that is not ours is ``ssl``'s own."""
    status, error = outcome(
        """
import trustme
c = ssl.create_default_context()
c.sslobject_class = fasttrust.SSLContext.sslobject_class
s = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
trustme.CA().issue_cert("a.test").configure_cert(s)
i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
a, b = c.wrap_bio(i, o, server_hostname="a.test"), s.wrap_bio(o, i, server_side=True)
for _ in range(4):
    for end in (a, b):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass
"""
    )
    assert (1, True) == (status, "SSLCertVerificationError: [" in error), error
    assert "fasttrust" not in error.splitlines()[-1]


def test_property_that_attaches_another_context_does_not_hang() -> None:
    """Attaching may happen inside attaching: a property, a signal's handler, a finalizer."""
    status, error = outcome(
        """
import faulthandler
faulthandler.dump_traceback_later(20, exit=True)
class C(ssl.SSLContext):
    @property
    def sslsocket_class(self):
        fasttrust.attach(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return ssl.SSLSocket
    @sslsocket_class.setter
    def sslsocket_class(self, value):
        pass
c = C(ssl.PROTOCOL_TLS_CLIENT)
fasttrust.attach(c)
assert isinstance(c, fasttrust.SSLContext)
"""
    )
    assert (0, "") == (status, error)
