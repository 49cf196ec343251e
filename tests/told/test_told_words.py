"""Whose word counts: the platform's, or that of the program's own anchors (steps 2 and 3)."""

from __future__ import annotations

import ssl
import threading
from typing import Any

import pytest
from telling import (
    CLIENT,
    LEAF,
    ROOT,
    SENT,
    SERVER,
    STRANGER,
    TOLD_TESTS,
    WHOLE,
    A,
    accepted,
    ask,
    client,
    ders_of,
    heard,
    refused,
    says,
)

import fasttrust
import peer
from pki import Chain, Issued, leaf, pem
from world import code, hashed_directory, machine_trusts

pytestmark = TOLD_TESTS


@pytest.mark.parametrize("carrier", peer.CARRIERS)
@pytest.mark.parametrize(
    ("verdict", "alert"),
    [(20, "TLSV1_ALERT_UNKNOWN_CA"), (23, "SSLV3_ALERT_CERTIFICATE_REVOKED"), (9999, None)],
)
def test_what_the_platform_refuses_is_refused(
    carrier: str, verdict: int, alert: str | None
) -> None:
    """The platform's no is the handshake's, with its number, its words and the right alert."""
    says(verdict, native=-67820, message="“leaf” is revoked")
    outcome = ask(client(), carrier=carrier)
    assert verdict == refused(outcome)
    error = outcome.client_error
    if isinstance(error, fasttrust.VerificationError):  # asyncio has ssl's own
        assert (-67820, "“leaf” is revoked", 0) == (
            error.native_code,
            error.native_message,
            error.depth,
        )
    if alert and carrier != "asyncio":
        assert alert == outcome.alert


@pytest.mark.parametrize("carrier", peer.CARRIERS)
@pytest.mark.parametrize("version", peer.VERSIONS)
def test_what_the_platform_accepts_is_accepted(carrier: str, version: ssl.TLSVersion) -> None:
    """Its yes counts once OpenSSL agrees; the chain is the platform's, fetched anchor included."""
    says(0, WHOLE)
    context = client()
    peer.pin(context, version)
    outcome = ask(context, carrier=carrier)
    assert ders_of(WHOLE) == accepted(outcome)
    assert SENT.ders == outcome.inspected[1]
    if hasattr(ssl.SSLSocket, "get_verified_chain") and carrier == "socket":
        same = peer.connect(
            context,
            peer.server_context(SENT),
            inspect=lambda tls: len(tls._sslobj.get_verified_chain()),
        )
        assert len(WHOLE) == same.inspected


def test_fetched_intermediate_counts() -> None:
    """A chain that the platform completed is verified, and what was sent stays what was sent."""
    says(0, WHOLE)
    outcome = ask(client(), Chain((LEAF,)))
    assert ders_of(WHOLE) == accepted(outcome)
    assert (LEAF.der,) == outcome.inspected[1]


def test_leaf_that_is_an_anchor() -> None:
    """A chain of one: the platform trusts this very certificate."""
    alone = leaf("alone", None)
    says(0, (alone,))
    assert (alone.der,) == accepted(ask(client(), Chain((alone,))))


@pytest.mark.parametrize(
    ("own", "sent", "asked", "expected"),
    [
        pytest.param((ROOT,), SENT, 0, 0, id="our own anchor decides"),
        pytest.param((STRANGER,), SENT, 1, 23, id="nobody of ours issued it"),
        pytest.param((), SENT, 1, 23, id="no anchors of ours"),
        pytest.param(
            (ROOT,),
            Chain((leaf("expired", A, valid=(-9, -1)), A)),
            0,
            10,
            id="expired under our own anchor is final",
        ),
    ],
)
def test_whose_word_counts(own: tuple[Issued, ...], sent: Chain, asked: int, expected: int) -> None:
    """The platform is asked only where nobody among the program's anchors issued the peer."""
    says(23)
    outcome = ask(client(*own), sent)
    found = refused(outcome) if expected else code(outcome.client_error)
    assert (expected, asked) == (found, heard().times)


def test_both_know_nobody() -> None:
    """Where the platform too knows no issuer, OpenSSL's finer number is reported."""
    says(20, native=5)
    lonely = leaf("lonely", None)
    outcome = ask(client(ROOT), Chain((lonely,)))
    assert 18 == refused(outcome)
    assert isinstance(outcome.client_error, fasttrust.VerificationError)
    assert 5 == outcome.client_error.native_code


def test_server_asks_the_platform_only_where_the_program_wants_it() -> None:
    """Client certificates are not the system's to judge, unless default certificates are loaded."""
    ours = fasttrust.SSLContext(SERVER)
    Chain((leaf("server", ROOT),)).load(ours)
    ours.verify_mode = ssl.CERT_REQUIRED
    theirs = ssl.SSLContext(CLIENT)
    theirs.load_verify_locations(cadata=pem(ROOT))
    SENT.load(theirs)
    says(0, WHOLE)
    outcome = peer.connect(theirs, ours)
    assert (0, 20) == (heard().times, code(outcome.server_error))
    ours.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    outcome = peer.connect(theirs, ours)
    assert (peer.SECRET, 1, False) == (outcome.server_received, heard().times, heard().is_server)


@pytest.mark.parametrize("where", ["constructor", "attach"])
def test_exact_trust_never_asks(where: str) -> None:
    """`trust=` means exactly that."""
    says(0, WHOLE)
    trust = fasttrust.TrustStore.from_der([STRANGER.der])
    if where == "attach":
        context: ssl.SSLContext = ssl.SSLContext(CLIENT)
        fasttrust.attach(context, trust=trust)
    else:
        context = fasttrust.SSLContext(CLIENT, trust=trust)
    assert 20 == refused(ask(context))
    assert 0 == heard().times
    assert refused(ask(fasttrust.SSLContext(CLIENT, trust=fasttrust.TrustStore.none())))
    context = fasttrust.SSLContext(CLIENT, trust=trust | fasttrust.TrustStore.system())
    assert ders_of(WHOLE) == accepted(ask(context))


def test_attached_context_asks_beyond_what_it_holds() -> None:
    """attach(context) trusts the system and what the context holds."""
    says(0, WHOLE)
    context = ssl.SSLContext(CLIENT)
    context.load_verify_locations(cadata=pem(STRANGER))
    fasttrust.attach(context)
    assert ders_of(WHOLE) == accepted(ask(context))
    other = leaf("leaf of stranger", STRANGER)
    says(20)
    assert (other.der, STRANGER.der) == accepted(ask(context, Chain((other,))))
    assert 0 == heard().times


def test_directory_of_the_program_is_asked_first(tmp_path: Any) -> None:
    """A capath of the program's is OpenSSL's, which is asked before the platform."""
    says(23)
    context = client()
    context.load_verify_locations(capath=hashed_directory(tmp_path / "anchors", ROOT))
    assert ders_of(WHOLE) == accepted(ask(context))
    assert 0 == heard().times


def test_environment_wins_over_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """SSL_CERT_FILE makes the system exactly what it names; conda's marked value does not."""
    machine_trusts(monkeypatch, tmp_path, STRANGER)
    says(0, WHOLE)
    assert 20 == refused(ask(client()))
    assert 0 == heard().times
    monkeypatch.setenv("__CONDA_OPENSSL_CERT_FILE_SET", "1")
    with pytest.raises(FileNotFoundError, match="SSL_CERT_DIR"):
        client()  # that still stands, and holds nothing
    monkeypatch.setenv("__CONDA_OPENSSL_CERT_DIR_SET", "1")
    assert ders_of(WHOLE) == accepted(ask(client()))


def test_nobody_verified_asks_nobody() -> None:
    """CERT_NONE is not the platform's business, and never verified."""
    says(0, WHOLE)
    context = client()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outcome = ask(context)
    assert () == accepted(outcome)
    assert 0 == heard().times


def test_many_threads_ask_at_once() -> None:
    """Eight threads, one context: each has its own answer."""
    says(0, WHOLE)
    context = client()
    wrong: list[object] = []

    def connect() -> None:
        for _ in range(20):
            outcome = ask(context, carrier="bio")
            if outcome.inspected[0] != ders_of(WHOLE):
                wrong.append(outcome)

    threads = [threading.Thread(target=connect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
