"""The hash that binds a session to what it was verified under is remembered, and never mistaken."""

from __future__ import annotations

import ssl

import pytest

import fasttrust
import pki
from fasttrust import TrustStore

OURS, OTHER = (2, 0, True), (2, 8, True)  # two contexts' settings
HOSTS = (pki.HOST, None, "None", *map(str, range(200)))


@pytest.mark.parametrize("settings", [OURS, OTHER])
def test_hash_is_the_same_whoever_asks_meanwhile(settings: tuple[int, ...]) -> None:
    """Of many hosts, under settings that change, and while another thread asks under others."""
    root = TrustStore.from_der([pki.root("root").der])
    held, fresh = (
        fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, trust=root)._fasttrust_held for _ in range(2)
    )

    class Meanwhile(str):
        def __repr__(self) -> str:
            held.session_context(OTHER if settings == OURS else OURS, pki.HOST)
            return str.__repr__(self)

    expected = {host: fresh.session_context(settings, host) for host in HOSTS}
    assert len(HOSTS) == len({*expected.values()})
    for host in HOSTS * 2:
        assert expected[host] == held.session_context(settings, host)
        if host is not None:
            assert expected[host] == held.session_context(settings, Meanwhile(host))
    assert len(held.hashed[1]) < len(HOSTS)
