"""Injection and contexts made before it: one that holds a public bundle is taken over, no other."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from bundles import BUNDLE, KEPT, PRIVATE, SYSTEM, publish, verdicts
from bundles import UNKNOWN_ISSUER as REFUSED
from fasttrust import TrustStore
from world import code, leaf_of, machine_trusts, plain

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    publish(monkeypatch)
    yield machine_trusts(monkeypatch, tmp_path, SYSTEM)
    fasttrust.extract_from_ssl()


@modes.keeps
@pytest.mark.parametrize("carrier", ["bio", "socket", "asyncio"])
def test_context_with_a_public_bundle_is_taken_over(carrier: str) -> None:
    """Its next connection trusts the system in the bundle's place, and what is beyond it."""
    context = plain(CLIENT, *BUNDLE, PRIVATE)
    assert [0, 0, 0] == verdicts(context)
    with fasttrust.inject_into_ssl():
        assert not isinstance(context, fasttrust.SSLContext)  # not before it connects
        assert [REFUSED, 0, 0] == verdicts(context, carrier)
        assert isinstance(context, fasttrust.SSLContext)
    assert [REFUSED, 0, 0] == verdicts(context, carrier)


@modes.keeps
def test_first_connection_after_injection_is_explained() -> None:
    """Even the connection that takes a context over raises our error."""
    context = plain(CLIENT, *BUNDLE)
    server = peer.server_context(leaf_of(KEPT))
    with fasttrust.inject_into_ssl():
        for carrier in ("socket", "bio"):
            error = peer.connect(context, server, carrier=carrier).client_error
            assert isinstance(error, fasttrust.VerificationError)
            assert error.chain


@modes.keeps
def test_server_with_a_public_bundle_is_taken_over() -> None:
    """A server that verified clients by a bundle verifies them by the system."""
    server = plain(SERVER, *BUNDLE, PRIVATE)
    server.verify_mode = ssl.CERT_REQUIRED
    leaf_of(SYSTEM).load(server)
    with fasttrust.inject_into_ssl():
        codes = []
        for root in (KEPT, PRIVATE, SYSTEM):
            client = plain(CLIENT, SYSTEM)
            leaf_of(root).load(client)
            codes.append(code(peer.connect(client, server, carrier="bio").server_error))
    assert [REFUSED, 0, 0] == codes


@modes.keeps
def test_trust_stands_for_the_bundle() -> None:
    """Where the injection says what to trust a bundle means that."""
    context = plain(CLIENT, *BUNDLE, PRIVATE)
    with fasttrust.inject_into_ssl(trust=TrustStore.none()):
        assert [REFUSED, 0, REFUSED] == verdicts(context)


@pytest.mark.parametrize("roots", [(), (PRIVATE,), (*BUNDLE[1:], PRIVATE)])
def test_other_context_keeps_what_it_has(
    roots: tuple[pki.Issued, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Without all of a public bundle nothing changes, and the log names the context once."""
    caplog.set_level(logging.INFO, "fasttrust")
    context = plain(CLIENT, *roots)
    expected = verdicts(context)
    with fasttrust.inject_into_ssl():
        for _ in range(2):
            assert expected == verdicts(context)
        named = [each for each in caplog.messages if f"{context!r}" in each]
        assert 1 == len(named)
    assert not isinstance(context, fasttrust.SSLContext)
    assert expected == verdicts(context)


@modes.keeps
def test_bundle_that_is_loaded_later_counts(tmp_path: Path) -> None:
    """A context that was left alone is looked at again once something is loaded into it."""
    context = plain(CLIENT, PRIVATE)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(pki.pem(*BUNDLE), "ascii")
    with fasttrust.inject_into_ssl():
        assert [REFUSED, 0, REFUSED] == verdicts(context)
        context.load_verify_locations(bundle)
        assert [REFUSED, 0, 0] == verdicts(context)


def test_bundles_at_their_word(tmp_path: Path) -> None:
    """`bundles=False` leaves contexts alone, and takes what is pushed for what it says."""
    before = plain(CLIENT, *BUNDLE)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(pki.pem(*BUNDLE), "ascii")
    for trust in (None, TrustStore.none()):
        with fasttrust.inject_into_ssl(trust=trust, bundles=False):
            assert [0, REFUSED, 0] == verdicts(before)
            pushed = ssl.create_default_context(cafile=str(bundle))
            assert [0, REFUSED, 0] == verdicts(pushed)


def test_pushed_bundle_means_the_system(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What clients push onto every context they make is the system; logged once for a context."""
    caplog.set_level(logging.INFO, "fasttrust")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(pki.pem(*BUNDLE, PRIVATE), "ascii")
    with fasttrust.inject_into_ssl():
        context = ssl.SSLContext(CLIENT)
        for _ in range(3):
            context.load_verify_locations(bundle)
        assert [REFUSED, 0, 0] == verdicts(context)
        assert 1 == sum("test bundle" in each for each in caplog.messages)
        with fasttrust.inject_into_ssl(trust=TrustStore.none()):
            exact = ssl.create_default_context(cafile=str(bundle))
        assert [REFUSED, 0, REFUSED] == verdicts(exact)


def test_methods_of_the_class_serve_contexts_of_before() -> None:
    """A loader or a list called on the class does what it always did."""
    context, other = plain(CLIENT), plain(CLIENT)
    other.load_default_certs()
    with fasttrust.inject_into_ssl():
        ssl.SSLContext.load_verify_locations(context, cadata=PRIVATE.pem)
        assert [PRIVATE.der] == ssl.SSLContext.get_ca_certs(context, True)
        assert {"x509": 1, "crl": 0, "x509_ca": 1} == context.cert_store_stats()
        ssl.SSLContext.load_default_certs(context)
        assert {SYSTEM.der, PRIVATE.der} <= set(context.get_ca_certs(True))
        assert {*other.get_ca_certs(True), PRIVATE.der} == set(context.get_ca_certs(True))
        with pytest.raises(TypeError):
            ssl.SSLContext.load_default_certs(context, "no purpose")
    assert not isinstance(context, fasttrust.SSLContext)


@modes.keeps
def test_context_is_taken_over_once_by_many_threads() -> None:
    """Threads that connect at once see one context, and none an unverified connection."""
    context = plain(CLIENT, *BUNDLE)
    server = peer.server_context(leaf_of(KEPT))
    codes: list[int] = []
    barrier = threading.Barrier(8)

    def connect() -> None:
        barrier.wait(20)
        codes.append(code(peer.connect(context, server, carrier="bio").client_error))

    with fasttrust.inject_into_ssl():
        threads = [threading.Thread(target=connect) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert [REFUSED] * 8 == codes
