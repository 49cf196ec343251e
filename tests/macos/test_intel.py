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


def test_openssl_that_is_not_shown_is_compat_mode() -> None:
    """Without a list, a file or a global scope that lead to it nothing of ours calls OpenSSL."""
    program = """
        import ctypes, os
        import _ssl
        import intel
        _ssl.__file__ = None
        ctypes.CDLL(os.environ["FASTTRUST_DOUBLE"]).mac_dyld_hide_images()
        import fasttrust
        print(fasttrust.backend().mode, "cannot be reached" in fasttrust.backend().reason)
        """
    assert check_python(program).split() == ["compat", "True"]
