"""How the core that was built for macOS finds the OpenSSL of `_ssl`: by its file, or among all."""

from __future__ import annotations

import os

import pytest

from world import check_python

pytestmark = pytest.mark.skipif(
    "FASTTRUST_INTEL" not in os.environ, reason="needs the core that tests/macos/run builds"
)


@pytest.mark.parametrize("file", ["_ssl.__file__", "None", "'/nonexistent/_ssl.so'"])
def test_openssl_is_found(file: str) -> None:
    """Where `_ssl` has no file, as where it is built in, dyld's list of what is loaded helps."""
    program = f"""
        import _ssl
        import intel
        _ssl.__file__ = {file}
        import fasttrust, peer, pki
        from fasttrust import _native
        assert _native.lib.ft_open == intel.core.lib.ft_open
        print(fasttrust.backend().mode)
        root = pki.root("root")
        server = peer.server_context(pki.Chain((pki.leaf("leaf", root),)))
        for anchor in (root, pki.root("stranger")):
            client = fasttrust.create_default_context(cadata=anchor.pem)
            error = peer.connect(client, server, carrier="bio").client_error
            print(getattr(error, "verify_code", 0))
        """
    assert check_python(program).split() == ["native", "0", "20"]


@pytest.mark.parametrize(
    ("missing", "version", "reason"),
    [
        (
            "mac_dyld_hide_images",
            "OpenSSL 3.5.0",
            "those that uv installs have it built in",
        ),
        ("mac_be_libressl", "LibreSSL 3.3.6", "Python's ssl uses LibreSSL 3.3.6"),
    ],
)
def test_openssl_that_cannot_be_reached_is_compat_mode(
    missing: str, version: str, reason: str
) -> None:
    """Built in and hidden, or another library: nothing of ours calls it, and the system judges."""
    program = f"""
        import ctypes, os, ssl
        import _ssl
        import intel
        _ssl.__file__ = None
        ssl.OPENSSL_VERSION = {version!r}
        ctypes.CDLL(os.environ["FASTTRUST_DOUBLE"]).{missing}()
        import fasttrust, mac
        print(fasttrust.backend().mode, {reason!r} in fasttrust.backend().reason)
        mac.trusts(mac.ROOT)
        for host in (mac.HOST, "other.test"):
            print(getattr(mac.connect(host=host).client_error, "verify_code", 0))
        """
    assert check_python(program).split() == ["compat", "True", "0", "62"]
