"""A public bundle means the system (design decision 7): what is trusted once one was pushed."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from bundles import (
    BUNDLE,
    KEPT,
    OWN,
    PRIVATE,
    SYSTEM,
    UNKNOWN_ISSUER,
    publish,
    verdict,
    verdicts,
    write,
)
from fasttrust import TrustStore
from world import attached, code, leaf_of, machine_trusts, made, plain

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish the bundle of these tests: the package's list has one entry more."""
    publish(monkeypatch)


def own_to_choose(protocol: int) -> ssl.SSLContext:
    """Make a context of ours that trusts what is loaded, as injection makes them."""
    context = fasttrust.SSLContext(protocol, trust=TrustStore.none())
    context._fasttrust_held.exact = False
    return context


REFUSED = UNKNOWN_ISSUER
# How a context is made, and what a client of it makes of KEPT, PRIVATE and SYSTEM once a bundle
# with the private CA behind it was pushed.
WAYS: dict[str, tuple[Callable[[], ssl.SSLContext], list[int]]] = {
    "made": (lambda: made(CLIENT), [REFUSED, 0, 0]),
    "attached": (lambda: attached(CLIENT), [REFUSED, 0, 0]),
    "default": (fasttrust.create_default_context, [REFUSED, 0, 0]),
    "own to choose": (lambda: own_to_choose(CLIENT), [REFUSED, 0, 0]),
    "trust of nobody": (
        lambda: fasttrust.SSLContext(CLIENT, trust=TrustStore.none()),
        [REFUSED, 0, REFUSED],
    ),
    "attached with trust": (
        lambda: _attached_with(TrustStore.from_der([PRIVATE.der])),
        [REFUSED, 0, REFUSED],
    ),
    "cadata": (
        lambda: fasttrust.create_default_context(cadata=PRIVATE.pem),
        [REFUSED, 0, REFUSED],
    ),
}


def _attached_with(trust: TrustStore) -> ssl.SSLContext:
    context = plain(CLIENT)
    fasttrust.attach(context, trust=trust)
    return context


@pytest.fixture(
    params=[
        pytest.param(way, marks=modes.keeps if way == "attached with trust" else ()) for way in WAYS
    ]
)
def way(request: pytest.FixtureRequest) -> tuple[Callable[[], ssl.SSLContext], list[int]]:
    return WAYS[request.param]


@pytest.mark.usefixtures("published")
def test_pushed_bundle_trusts_only_the_system(
    way: tuple[Callable[[], ssl.SSLContext], list[int]], tmp_path: Path
) -> None:
    """A root that the system distrusts and a bundle keeps is refused, whoever pushes the bundle.

    The system is trusted where the context may choose, and not where `trust` was given. What is
    beyond the bundle counts as loaded.
    """
    make, expected = way
    context = make()
    context.load_verify_locations(write(tmp_path / "pushed.pem", *BUNDLE, PRIVATE))
    assert expected == verdicts(context)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("form", ["one line", "a key", "a mark of its encoding"])
def test_bundle_in_unusual_pem_is_one(form: str, tmp_path: Path) -> None:
    """A company's CA that was pasted behind a bundle in a way of its own hides no bundle."""
    one_line = PRIVATE.pem.replace("\n", "").replace("CERTIFICATE-----M", "CERTIFICATE-----\nM")
    one_line = one_line.replace("-----END", "\n-----END") + "\n"
    text = {
        "one line": pki.pem(*BUNDLE) + one_line,
        "a key": pki.pem(*BUNDLE) + OWN.key_pem + PRIVATE.pem,
        "a mark of its encoding": "\ufeff" + pki.pem(*BUNDLE, PRIVATE),
    }[form]
    file = tmp_path / "unusual.pem"
    file.write_text(text, "utf-8")
    context = plain(CLIENT)
    context.load_verify_locations(file)
    # OpenSSL 1.1.1 reads no certificate behind the mark: of this file, not the distrusted root.
    unread = form == "a mark of its encoding" and ssl.OPENSSL_VERSION_INFO < (3,)
    as_given = [UNKNOWN_ISSUER if unread else 0, 0, 0]
    assert as_given == verdicts(context)
    for context in (made(CLIENT), attached(CLIENT)):
        context.load_verify_locations(file)
        assert [UNKNOWN_ISSUER, 0, 0] == verdicts(context)
    assert as_given == verdicts(fasttrust.create_default_context(cafile=file))


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("as_data", ["text", "bytes"])
def test_bundle_pushed_as_data_is_one(as_data: str) -> None:
    """`cadata` is a bundle as a file is."""
    data = pki.pem(*BUNDLE) if as_data == "text" else b"".join(each.der for each in BUNDLE)
    context = made(CLIENT)
    context.load_verify_locations(cadata=data)
    assert [UNKNOWN_ISSUER, UNKNOWN_ISSUER, 0] == verdicts(context)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("make", [made, own_to_choose])
def test_bundle_with_roots_taken_out_is_taken_at_its_word(
    make: Callable[[int], ssl.SSLContext], tmp_path: Path
) -> None:
    """Eleven roots less, or one, and the file is somebody's choice: exactly that is trusted."""
    for missing in (11, 1):
        context = make(CLIENT)
        context.load_verify_locations(
            write(tmp_path / "less.pem", *BUNDLE[: len(BUNDLE) - missing])
        )
        assert verdict(context, KEPT) == 0
        assert verdict(context, BUNDLE[-1]) == UNKNOWN_ISSUER
        assert verdict(context, BUNDLE[-missing - 1]) == 0


@pytest.mark.usefixtures("published")
def test_where_bundles_are_taken_at_their_word_they_are(tmp_path: Path) -> None:
    """A context that does not take bundles for the system trusts what they hold, and no more."""
    context = own_to_choose(CLIENT)
    context._fasttrust_held.bundle_means_system = False
    context.load_verify_locations(write(tmp_path / "b.pem", *BUNDLE[:1], *BUNDLE[2:], PRIVATE))
    assert [0, 0, UNKNOWN_ISSUER] == verdicts(context)


@pytest.mark.usefixtures("published")
def test_cafile_of_our_own_is_exactly_the_file(tmp_path: Path) -> None:
    """`create_default_context(cafile=)` trusts a bundle's roots; one pushed later is ignored."""
    file = write(tmp_path / "bundle.pem", *BUNDLE[:1], *BUNDLE[2:])
    bundle = write(tmp_path / "whole.pem", *BUNDLE)
    context = fasttrust.create_default_context(cafile=file)
    for pushed in (file, bundle):
        context.load_verify_locations(pushed)
        assert [0, UNKNOWN_ISSUER, UNKNOWN_ISSUER] == verdicts(context)
    whole = fasttrust.create_default_context(cafile=bundle)
    whole.load_verify_locations(bundle)
    assert [0, UNKNOWN_ISSUER, 0] == verdicts(whole)
    assert len(BUNDLE) == len(whole.get_ca_certs())
    assert len(BUNDLE) == len(TrustStore.from_pem_file(bundle))


@pytest.mark.usefixtures("published")
def test_ignored_bundle_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where `trust` was given a pushed bundle is ignored, with one warning for each context."""
    file = write(tmp_path / "bundle.pem", *BUNDLE)
    for _ in range(2):
        context = fasttrust.SSLContext(CLIENT, trust=TrustStore.from_der([PRIVATE.der]))
        with caplog.at_level(logging.WARNING, "fasttrust"):
            for _ in range(3):
                context.load_verify_locations(file)
        assert 1 == len(caplog.messages)
        assert "test bundle" in caplog.text
        caplog.clear()
        assert 1 == len(context.get_ca_certs())


@pytest.mark.usefixtures("published")
def test_bundle_verifies_no_client_on_the_systems_word(tmp_path: Path) -> None:
    """A server that was pushed a bundle trusts nobody by it; what is beyond it verifies clients."""
    context = made(SERVER)
    context.load_verify_locations(write(tmp_path / "bundle.pem", *BUNDLE, PRIVATE))
    leaf_of(OWN).load(context)
    context.verify_mode = ssl.CERT_REQUIRED
    for root, expected in ((SYSTEM, UNKNOWN_ISSUER), (KEPT, UNKNOWN_ISSUER), (PRIVATE, 0)):
        client = plain(CLIENT, OWN)
        leaf_of(root).load(client)
        outcome = peer.connect(client, context, carrier="bio")
        assert expected == code(outcome.server_error)


@pytest.mark.usefixtures("published")
def test_pushed_bundle_does_not_end_a_session(tmp_path: Path) -> None:
    """What adds nothing changes nothing: sessions stay good over a client's pushes."""
    context = made(CLIENT)
    before = context._fasttrust_held.session_context((), pki.HOST)
    context.load_verify_locations(write(tmp_path / "bundle.pem", *BUNDLE))
    assert before == context._fasttrust_held.session_context((), pki.HOST)
    context.load_verify_locations(write(tmp_path / "more.pem", *BUNDLE, PRIVATE))
    assert before != context._fasttrust_held.session_context((), pki.HOST)


@modes.keeps
@pytest.mark.usefixtures("published")
def test_attach_keeps_no_public_bundle(tmp_path: Path) -> None:
    """Of a bundle that plain `ssl` loaded `attach` keeps what is beyond it, on either side."""
    file = write(tmp_path / "bundle.pem", *BUNDLE, PRIVATE)
    context = plain(CLIENT)
    context.load_verify_locations(file)
    fasttrust.attach(context)
    assert [UNKNOWN_ISSUER, 0, 0] == verdicts(context)
    assert {SYSTEM.der, PRIVATE.der} == set(context.get_ca_certs(True))
    server = plain(SERVER)
    server.load_verify_locations(file)
    fasttrust.attach(server)
    assert [PRIVATE.der] == server.get_ca_certs(True)


@modes.keeps
@pytest.mark.usefixtures("published")
def test_attach_to_one_of_ours_keeps_no_public_bundle(tmp_path: Path) -> None:
    """A context that trusted exactly a bundle trusts the system, and what was beyond the bundle."""
    file = write(tmp_path / "bundle.pem", *BUNDLE, PRIVATE)
    context = fasttrust.create_default_context(cafile=file)
    assert [0, 0, 0] == verdicts(context)
    fasttrust.attach(context)
    assert [UNKNOWN_ISSUER, 0, 0] == verdicts(context)
    context.load_verify_locations(file)
    assert [UNKNOWN_ISSUER, 0, 0] == verdicts(context)


@pytest.mark.usefixtures("published")
def test_attach_keeps_a_bundle_with_roots_taken_out(tmp_path: Path) -> None:
    """What is no public bundle is kept as loaded."""
    context = plain(CLIENT)
    context.load_verify_locations(write(tmp_path / "less.pem", *BUNDLE[:-11]))
    fasttrust.attach(context)
    assert [0, UNKNOWN_ISSUER, 0] == verdicts(context)
