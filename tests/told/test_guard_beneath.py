"""Compat mode where a platform decides: what lies beneath the guard has the program's settings.

It is made by another context than the program's, which nobody may notice: a handshake begins with
the very message with which one of ``ssl``'s would, and goes on as it would.
"""

from __future__ import annotations

import ssl
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from beginnings import (
    PROTOCOLS,
    SETTINGS,
    UNTOLD,
    WAYS,
    attached,
    attached_again,
    attached_between,
    attached_first,
    by_default,
    class_lost,
    hello,
    ours,
    plain,
    set_between,
    sets,
)
from guarded import GUARD_TESTS, SENT, TIMEOUT, TOLD, client, trusts, victim
from telling import says

import fasttrust
import peer
import test_renegotiation as renegotiation
from fasttrust import _bare
from pki import Chain, leaf, pem, root
from world import ders

pytestmark = [*GUARD_TESTS, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


#: Ways by which something is set that our methods do not hear.
UNHEARD = (attached, attached_again, attached_between, by_default, class_lost)


@WAYS
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("name", SETTINGS)
def test_handshake_begins_as_one_of_ssls(
    way: Callable[..., ssl.SSLContext], protocol: ssl._SSLMethod, name: str
) -> None:
    try:
        expected = hello(plain(protocol, name))
    except ssl.SSLError as error:  # none begins at all
        with pytest.raises(ssl.SSLError, match=error.reason):
            hello(way(protocol, name))
        return
    context = way(protocol, name)
    if name in UNTOLD and way in UNHEARD:
        with pytest.raises(ssl.SSLError, match="set them after attach"):
            hello(context)
        sets(context, name)
    assert expected == hello(context)
    assert expected == hello(context)


@WAYS
@pytest.mark.parametrize(
    "names",
    [
        ("ALPN", "a curve"),
        ("a curve", "ALPN, another"),
        ("ALPN", "no ALPN"),
        ("a curve", "another curve"),
        ("another curve", "TLS 1.2", "ALPN"),
        ("ciphers", "ALPN", "ALPN, another"),
    ],
    ids=", ".join,
)
def test_what_is_set_one_after_the_other(
    way: Callable[..., ssl.SSLContext], names: tuple[str, ...]
) -> None:
    assert hello(plain(PROTOCOLS[0], *names)) == hello(way(PROTOCOLS[0], *names))


def test_setting_that_is_refused_changes_nothing() -> None:
    context: Any = ours(PROTOCOLS[0], "ALPN", "a curve")
    before = hello(context)
    for method, value in (
        (context.set_ecdh_curve, "no curve"),
        (context.set_ecdh_curve, 1),
        (context._set_alpn_protocols, 5),
    ):
        with pytest.raises((ValueError, TypeError)):
            method(value)
    with pytest.raises(ssl.SSLError):
        context.set_alpn_protocols([""])
    assert before == hello(context)


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        (ssl.PROTOCOL_TLS_CLIENT, "old"),
        (ssl.PROTOCOL_TLS_CLIENT, "no TLS 1.2"),
        (ssl.PROTOCOL_TLSv1_2, "nothing"),
    ],
)
def test_old_settings_warn_nobody_again(protocol: ssl._SSLMethod, name: str) -> None:
    """The program was warned when it set them; under -W error nothing would connect."""
    context = ours(protocol, name)
    _bare._bare.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hello(context)


def test_old_settings_are_silenced_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the second restores what the first has silenced, and nobody is warned any more."""
    read = _bare._read(ours(PROTOCOLS[0], "old"))
    silence, of_versions = warnings.simplefilter, _bare._of_versions
    refused, both = threading.Barrier(2), threading.Barrier(2)
    met: list[bool] = []

    def together(read: Any) -> Any:
        try:
            return of_versions(read)
        except DeprecationWarning:
            refused.wait(TIMEOUT)
            raise

    def slowly(*args: Any) -> None:
        silence(*args)
        try:
            both.wait(0.5)
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)

    with warnings.catch_warnings():
        silence("error")
        monkeypatch.setattr(_bare, "_of_versions", together)
        monkeypatch.setattr(warnings, "simplefilter", slowly)
        before = [*warnings.filters]
        threads = [
            threading.Thread(target=_bare._bare.__wrapped__, args=(read, _bare.Said()))
            for _ in range(2)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert [False, False] == met
        assert before == warnings.filters


def test_one_context_makes_what_many_have() -> None:
    """A context costs no second one, whatever is set on it."""
    _bare._bare.cache_clear()
    for _ in range(20):
        hello(ours(PROTOCOLS[0], "ALPN", "a curve", "no tickets"))
    assert 1 == _bare._bare.cache_info().currsize


def test_it_verifies_nobody_whatever_is_set() -> None:
    """And is told no settings of verification: those are the judge's."""
    context = client()
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_CRL_CHECK_CHAIN
    beneath = _bare._bare(_bare._read(context), _bare.Said())
    assert (ssl.CERT_NONE, False) == (beneath.verify_mode, beneath.check_hostname)


def test_injection_makes_nothing_of_what_lies_beneath() -> None:
    """It is of the class in C."""
    _bare._bare.cache_clear()
    with fasttrust.inject_into_ssl():
        beneath = _bare._bare(_bare._read(client()), _bare.Said())
    assert not hasattr(beneath, "_fasttrust_held")


def test_reading_what_was_set_changes_no_context_that_makes_connections() -> None:
    """What is set on one for that is set on one of its own."""
    context = attached(PROTOCOLS[0], "ciphers")
    beneath = _bare._bare(_bare._read(context), _bare.Said())
    before = beneath.get_ciphers()
    hello(context)
    assert before == beneath.get_ciphers()


@pytest.mark.parametrize("way", [ours, attached_first, set_between])
@pytest.mark.parametrize("mode", [ssl.CERT_NONE, ssl.CERT_REQUIRED])
@pytest.mark.parametrize("again", [False, True])
def test_key_that_was_shared_beforehand(
    way: Callable[..., ssl.SSLContext], mode: ssl.VerifyMode, again: bool
) -> None:
    """It serves where the program verifies nobody; no certificate is a refusal elsewhere."""
    key = b"shared beforehand"
    if not hasattr(ssl.SSLContext, "set_psk_client_callback"):
        pytest.skip("ssl knows no such keys")
    server: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_psk_server_callback(lambda name: key)
    context: Any = way(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = mode
    context.set_psk_client_callback(lambda hint: ("us", key))
    for each in (server, context):
        each.maximum_version = ssl.TLSVersion.TLSv1_2
        each.set_ciphers("PSK:@SECLEVEL=0")
    if again:
        fasttrust.attach(context)
    outcome = peer.connect(context, server)
    if mode == ssl.CERT_NONE:
        assert (peer.SECRET, peer.REPLY) == (outcome.server_received, outcome.client_received)
    else:
        assert (b"", b"") == (outcome.server_received, outcome.client_received)
        assert "showed no certificate" in str(outcome.client_error)


@TOLD
@pytest.mark.parametrize("late", [False, True])
def test_certificate_of_the_client_is_shown(late: bool) -> None:
    """Loaded before the context was attached, or after it connected."""
    trusts()
    clients = root("clients")
    mine = Chain((leaf("mine", clients),))
    server = peer.server_context(SENT)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=pem(clients))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not late:
        mine.load(context)
    fasttrust.attach(context)
    if late:
        hello(context)
        mine.load(context)
    assert peer.SECRET == peer.connect(context, server).server_received


@TOLD
@pytest.mark.parametrize("late", [False, True])
def test_secrets_are_logged_and_messages_shown(late: bool, tmp_path: Path) -> None:
    """To whom the program's context tells them, from whenever it does."""
    trusts()
    context: Any = client()
    shown: list[Any] = []
    with victim(context) as (tls, _):
        if late:
            tls.context.keylog_filename = str(tmp_path / "keys")
        tls.do_handshake()
        assert tls.context is context
        assert tls._sslobj._inner.context is context  # type: ignore[attr-defined]
    context.keylog_filename = str(tmp_path / "keys")
    context._msg_callback = lambda connection, *_: shown.append(connection)
    with victim(context) as (tls, _):
        tls.do_handshake()
    assert {id(tls)} == {*map(id, shown)}
    assert "CLIENT_HANDSHAKE_TRAFFIC_SECRET" in (tmp_path / "keys").read_text("ascii")


@TOLD
def test_server_does_not_become_another() -> None:
    """TLS 1.2 renegotiation is refused, whatever the program cleared: no second certificate."""
    says(0, (renegotiation.FIRST, renegotiation.ROOT))
    context = client()
    context.options &= ~ssl.OP_NO_RENEGOTIATION
    there = renegotiation.Peer(context)
    there.shake()
    seen = there.client.getpeercert(True)
    assert renegotiation.FIRST.der == seen
    there.become(renegotiation.SECONDS["another"][0])
    there.move()
    with pytest.raises(renegotiation.pyopenssl.Error, match="no renegotiation"):
        there.shake()
    assert seen == there.client.getpeercert(True)
    assert (seen,) == ders(fasttrust.get_unverified_chain(there.client))
    assert not context.options & ssl.OP_NO_RENEGOTIATION
