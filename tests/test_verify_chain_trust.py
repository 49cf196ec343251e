"""verify_chain: whom it trusts, for what and when, and what a refusal says; threads."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import re
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import pki
from fasttrust import _mode, _offline, _system
from offline import LEAF, ROOT, SENT, STRANGER, TRUST, WHOLE, A, refused, verify
from world import Pair, ders, machine_trusts, made

pytestmark = modes.no_verify_chain

CLIENT_AUTH = ssl.Purpose.CLIENT_AUTH
PAST = datetime(1990, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, STRANGER)


# ---- purpose and time -------------------------------------------------------------------------


def test_client_certificates_are_verified_as_a_server_does() -> None:
    """The purpose is the client's; the verdict is that of a server's handshake."""
    for purposes, code in ((("clientAuth",), 0), (("serverAuth",), 26), (None, 0)):
        client = pki.leaf(f"client {purposes}", A, purposes=purposes)
        sent = pki.Chain((client, A))
        server = fasttrust.create_default_context(CLIENT_AUTH, trust=TRUST)
        pki.Chain((LEAF, A)).load(server)
        server.verify_mode = ssl.CERT_REQUIRED
        shown = made(ssl.PROTOCOL_TLS_CLIENT, ROOT)
        sent.load(shown)
        pair = Pair(shown, server)
        if code == 0:
            pair.shake()
            expected = ders(fasttrust.get_verified_chain(pair.server))
            found = verify(sent.ders, server_hostname=None, purpose=CLIENT_AUTH)
            assert (client.der, A.der, ROOT.der) == expected == found
            continue
        with pytest.raises(fasttrust.VerificationError) as caught:
            pair.shake()
        refusal = refused(sent.ders, server_hostname=None, purpose=CLIENT_AUTH)
        assert (code, caught.value.hint) == (refusal.verify_code, refusal.hint)
        assert (caught.value.depth, caught.value.chain) == (refusal.depth, refusal.chain)


def test_client_certificates_need_a_trust_and_no_name() -> None:
    """What the system trusts to name servers is no list of clients, and a client has no host."""
    with pytest.raises(ValueError, match="trust="):
        verify(server_hostname=None, trust=None, purpose=CLIENT_AUTH)
    with pytest.raises(ValueError, match="server_hostname must be None"):
        verify(purpose=CLIENT_AUTH)
    for purpose in (None, "SERVER_AUTH", 1, ssl.Purpose):
        with pytest.raises(TypeError, match="purpose"):
            verify(purpose=purpose)


def test_time_is_the_one_that_was_given() -> None:
    """A chain counts within its dates, whatever the clock says, and the hint tells the moment."""
    old = pki.leaf("old", ROOT, valid=(-20, -10))
    for days, code in ((-25, 9), (-15, 0), (-5, 10)):
        root = pki.root("old root", key="root", subject="root", valid=(-100, 100))
        trust = fasttrust.TrustStore.from_der([root.der])
        moment = pki.NOW + timedelta(days=days)
        for at_time in (moment, moment.astimezone(timezone(timedelta(hours=14)))):
            if code == 0:
                assert (old.der, root.der) == verify([old.der], trust=trust, at_time=at_time)
                continue
            refusal = refused([old.der], trust=trust, at_time=at_time)
            assert (code, 0) == (refusal.verify_code, refusal.depth)
            assert f"it was to be judged at {moment:%Y-%m-%d %H:%M} UTC" in refusal.hint
    assert "this machine's clock says" in refused([old.der]).hint


def test_time_of_a_call_is_that_calls_alone() -> None:
    """The private context that calls share keeps no time."""
    assert 9 == refused(at_time=PAST).verify_code
    assert WHOLE == verify()
    assert 9 == refused(at_time=PAST).verify_code


@pytest.mark.parametrize("year", [1, 1900, 1949, 1950, 1969, 1970, 2038, 2050, 2106, 9999])
def test_time_may_be_any_year(year: int) -> None:
    """However far away: a refusal for its dates, or for a time that OpenSSL cannot compare."""
    moment = datetime(year, 6, 1, tzinfo=timezone.utc)
    assert refused(at_time=moment).verify_code in (9, 10, 13, 14)


def test_bad_time_is_told() -> None:
    """A moment without a time zone could be any moment of a day."""
    with pytest.raises(ValueError, match="time zone"):
        verify(at_time=datetime(2026, 1, 1))
    for wrong in (0, "2026-01-01", datetime(2026, 1, 1).date()):
        with pytest.raises(TypeError, match="at_time"):
            verify(at_time=wrong)


# ---- trust ------------------------------------------------------------------------------------


def test_system_is_trusted_unless_something_else_is_given(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is the system as it is now: after a change of the store, and of the environment."""
    monkeypatch.setattr(_system, "PERIOD", 0)
    assert 20 == refused(trust=None).verify_code
    machine.write_text(ROOT.pem, "ascii")
    assert WHOLE == verify(trust=None) == verify(trust=fasttrust.TrustStore.system())
    other = machine.with_name("other.pem")
    other.write_text(STRANGER.pem, "ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    assert 20 == refused(trust=None).verify_code
    monkeypatch.setenv("SSL_CERT_FILE", str(machine))
    assert WHOLE == verify(trust=None)


def test_missing_store_is_told_as_by_a_context(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No store is no verdict; a store that goes later leaves its last state in force."""
    monkeypatch.setattr(_system, "PERIOD", 0)
    monkeypatch.setenv("SSL_CERT_FILE", str(machine.with_name("absent.pem")))
    with pytest.raises(FileNotFoundError, match=r"SSL_CERT_FILE.*absent\.pem"):
        verify(trust=None)
    assert WHOLE == verify()  # who trusts something else needs no system
    machine.write_text(ROOT.pem, "ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(machine))
    assert WHOLE == verify(trust=None)
    machine.unlink()
    assert WHOLE == verify(trust=None)


def test_fallback_counts_only_while_there_is_no_store(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that gets a store is trusted from then on, by the same TrustStore."""
    trust = fasttrust.TrustStore.system(fallback=TRUST)
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable)
    places = _system.Places(None, [], "")
    monkeypatch.setattr(_system, "places", lambda _: places)
    monkeypatch.setattr(_system, "_systems", {})
    assert WHOLE == verify(trust=trust) == verify(trust=trust)
    places = _system.Places(str(machine), [], "the test")
    assert 20 == refused(trust=trust).verify_code


def test_trust_is_a_trust_store() -> None:
    """Nothing else names what to trust."""
    for trust in (ROOT.pem, [ROOT.der], True):
        with pytest.raises(TypeError, match="trust is not a TrustStore"):
            verify(trust=trust)


def test_nothing_is_trusted_by_none() -> None:
    """TrustStore.none() refuses everybody, with a hint."""
    for chain, code in ((SENT.ders, 20), (WHOLE, 19), ([ROOT.der], 18)):
        refusal = refused(chain, trust=fasttrust.TrustStore.none())
        assert (code, True) == (refusal.verify_code, bool(refusal.hint))


def test_context_is_made_once_for_each_trust_and_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context costs more than most verifications: it is kept by the TrustStore."""
    count = 0
    make = fasttrust.create_default_context

    def counted(*arguments: Any, **keywords: Any) -> fasttrust.SSLContext:
        nonlocal count
        count += 1
        return make(*arguments, **keywords)

    monkeypatch.setattr(_offline, "create_default_context", counted)
    trust = fasttrust.TrustStore.from_der([ROOT.der])
    for _ in range(5):
        verify(trust=trust)
        refused(trust=trust, server_hostname=None, at_time=PAST)
    assert 1 == count
    for _ in range(5):
        verify(trust=trust, server_hostname=None, purpose=CLIENT_AUTH)
    assert 2 == count
    for number in range(20):  # environments without end are not kept without end
        monkeypatch.setenv("SSL_CERT_DIR", str(number))
        refused(trust=None)
    assert _offline._MOST_CONTEXTS >= len(_offline._SYSTEM._contexts)


def test_private_context_is_nobodys() -> None:
    """What a program sets on its own contexts does not reach it, and it verifies for sure."""
    verify()
    for context in TRUST._contexts.values():
        assert ssl.CERT_REQUIRED == context.verify_mode


# ---- how it is said ---------------------------------------------------------------------------


def test_refusal_can_be_pickled_and_copied() -> None:
    """As a refused handshake's."""
    refusal = refused(server_hostname="other.test")
    for again in (pickle.loads(pickle.dumps(refusal)), copy.copy(refusal)):
        assert vars(refusal) == vars(again)
        assert str(refusal) == str(again)
    assert refusal.__cause__ is None
    assert re.fullmatch(r"\[SSL: CERTIFICATE_VERIFY_FAILED\] .*\.", refusal.args[1])


def test_unreachable_openssl_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenSSL's symbols are hidden there is nothing to ask."""
    monkeypatch.setattr(_mode, "_reason", "the symbol SSL_new cannot be reached")
    with pytest.raises(NotImplementedError, match=r"verify_chain.*cannot be reached"):
        verify()


def test_sixteen_threads_get_their_own_verdict() -> None:
    """One TrustStore, one context, the same parsed certificates: no verdict is another's."""
    chain = [fasttrust.Certificate(der) for der in SENT.ders]
    trust = fasttrust.TrustStore.from_der([ROOT.der])

    def work(number: int) -> None:
        for _ in range(20):
            assert WHOLE == verify(chain, trust=trust)
            assert 62 == refused(chain, trust=trust, server_hostname=f"{number}.test").verify_code
            assert f"'{number}.test'" in str(
                refused(SENT.ders, trust=trust, server_hostname=f"{number}.test")
            )
            assert 9 == refused(chain, trust=trust, at_time=PAST).verify_code

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))


def test_injection_changes_nothing(machine: Path) -> None:
    """A program that injected fasttrust gets the same verdicts."""
    assert os.environ["SSL_CERT_FILE"] == str(machine)
    inject = getattr(fasttrust, "inject_into_ssl", None)
    if inject is None:
        pytest.skip("no injection yet")
    inject()
    try:
        trust = fasttrust.TrustStore.from_der([ROOT.der])
        assert WHOLE == verify(trust=trust)
        assert 62 == refused(trust=trust, server_hostname="other.test").verify_code
    finally:
        fasttrust.extract_from_ssl()


def test_verdicts_are_logged_as_a_handshakes(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal at INFO, with host and code; at DEBUG who accepted, and by which anchor."""
    with caplog.at_level(logging.DEBUG, "fasttrust"):
        verify()
        refused(server_hostname="other.test")
    accepted, told = caplog.messages[-2:]
    assert f"accepted {pki.HOST}: decided by " in accepted
    assert "CN=root" in accepted
    assert "refused other.test: 62 Hostname mismatch" in told
