"""Compat mode where a platform decides: what the program reads back, and what is no verdict."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import sys
import threading
import weakref
from typing import Any

import pytest
from guarded import (
    GUARD_TESTS,
    ROOT,
    SENT,
    TIMEOUT,
    TOLD,
    VERSIONS,
    WHOLE,
    asked,
    client,
    trusts,
    victim,
)
from telling import heard, says

import fasttrust
import modes
import peer
from fasttrust import _asked, _compat, _native, _native_platform
from pki import HOST, Chain, Issued, leaf, root
from world import Pair, code, ders

pytestmark = GUARD_TESTS

STRANGER = root("stranger")
UNLINKED = [(*SENT.certificates, STRANGER), (SENT.certificates[0], STRANGER, ROOT)]


def test_settings_read_back_what_the_program_set() -> None:
    """The program sees its own settings, by ssl's rules, and so does C."""
    context = client()
    base = ssl.SSLContext.__mro__[1]
    beneath = vars(base)["verify_mode"].__get__
    assert (ssl.CERT_REQUIRED, True, ssl.CERT_REQUIRED) == (
        context.verify_mode,
        context.check_hostname,
        beneath(context),
    )
    with pytest.raises(ValueError, match="check_hostname is enabled"):
        context.verify_mode = ssl.CERT_NONE
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert (ssl.CERT_NONE, False) == (context.verify_mode, context.check_hostname)
    assert isinstance(context.verify_mode, ssl.VerifyMode)
    with victim(context) as (tls, _):
        assert peer.REPLY == tls.recv(100)
        assert {} == tls.getpeercert()
        assert SENT.ders[0] == tls.getpeercert(True)
        assert () == fasttrust.get_verified_chain(tls)
    context.check_hostname = True
    assert (ssl.CERT_REQUIRED, 2) == (context.verify_mode, beneath(context))
    with victim(context) as (tls, _), pytest.raises(ssl.SSLCertVerificationError):
        tls.recv(100)
    with pytest.raises(ValueError, match=r"9|verify_mode"):
        context.verify_mode = 9  # type: ignore[assignment]
    default = fasttrust.create_default_context()
    assert (ssl.CERT_REQUIRED, True) == (default.verify_mode, default.check_hostname)
    attached = ssl.create_default_context()
    fasttrust.attach(attached)
    assert (ssl.CERT_REQUIRED, 2) == (attached.verify_mode, beneath(attached))


def test_setting_is_kept_while_the_judge_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another thread sets while a context is attached again counts afterwards."""
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS)
    fasttrust.attach(context)
    assert ssl.CERT_NONE == context.verify_mode
    attach, threads = _compat.context_attach, []

    def interrupted(context: Any, *args: Any, **options: Any) -> None:
        threads.append(
            threading.Thread(target=setattr, args=(context, "verify_mode", ssl.CERT_REQUIRED))
        )
        threads[0].start()
        threads[0].join(0.2)  # it is done by now, or it waits
        attach(context, *args, **options)

    monkeypatch.setattr(_compat, "context_attach", interrupted)
    fasttrust.attach(context)
    threads[0].join(TIMEOUT)
    assert ssl.CERT_REQUIRED == context.verify_mode
    with victim(context) as (tls, _), pytest.raises(ssl.SSLCertVerificationError):
        tls.recv(100)


@TOLD
def test_certificate_is_told_of_what_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of the connection, which another thread may be reading."""
    trusts()
    with victim(client()) as (tls, _):
        tls.do_handshake()
        monkeypatch.setattr(_asked, "sent_by", lambda inner: pytest.fail("asked again"))
        assert SENT.ders[0] == tls.getpeercert(True)
        assert tls.getpeercert()["subjectAltName"] == (("DNS", HOST),)
        assert SENT.ders == ders(fasttrust.get_unverified_chain(tls))


@TOLD
@pytest.mark.parametrize("checked", [True, False])
def test_name_is_the_platforms_to_check(checked: bool) -> None:
    """It is told the name that counts, or none."""
    context = client()
    context.check_hostname = checked
    with victim(context) as (tls, _), pytest.raises(fasttrust.VerificationError) as caught:
        tls.do_handshake()
    question = heard()
    name = _native.ffi.string(question.host).decode()
    assert (HOST if checked else "", True, True) == (
        name,
        bool(question.names_are_yours),
        bool(question.is_server),
    )
    error = caught.value
    assert (20, -67820, "“leaf” is not trusted") == (
        error.verify_code,
        error.native_code,
        error.native_message,
    )
    assert SENT.ders == ders(error.chain)
    assert error.hint


@TOLD
@pytest.mark.parametrize("host", ["other.test", "127.0.0.1", "test", "a.server.test"])
def test_platform_that_says_yes_to_a_wrong_name_is_refused(host: str) -> None:
    """The names of the leaf are looked at once more, and can only refuse."""
    trusts()
    near, far = socket.socketpair()
    with near, far:
        tls = client().wrap_socket(near, server_hostname=host, do_handshake_on_connect=False)
        server = peer.server_context(SENT)
        thread = threading.Thread(target=_serve, args=(server, far))
        thread.start()
        with tls, pytest.raises(ssl.SSLCertVerificationError, match="mismatch") as caught:
            tls.send(peer.SECRET)
        thread.join(TIMEOUT)
    assert (64 if host[0] == "1" else 62) == caught.value.verify_code


@TOLD
def test_address_that_the_leaf_has_as_a_dns_name_is_none() -> None:
    """A platform may take it for one."""
    address = Chain((leaf("127.0.0.1", ROOT, names=("127.0.0.1",), ip_as_name=True),))
    says(0, (*address.certificates, ROOT))
    outcome = peer.connect(client(), peer.server_context(address), server_hostname="127.0.0.1")
    assert (b"", b"", 64) == (
        outcome.server_received,
        outcome.client_received,
        code(outcome.client_error),
    )


@TOLD
@pytest.mark.parametrize(("level", "expected"), [(2, 66), (0, 0)])
def test_strength_is_the_security_levels(level: int, expected: int) -> None:
    """A key that the platform accepts, and the context's security level does not."""
    weak = Chain((leaf("weak", ROOT, algorithm="rsa1024"),))
    says(0, (*weak.certificates, ROOT))
    context = client()
    context.set_ciphers(f"DEFAULT:@SECLEVEL={level}")
    server = peer.server_context(weak)
    server.set_ciphers("DEFAULT:@SECLEVEL=0")
    outcome = peer.connect(context, server)
    assert expected == code(outcome.client_error)
    assert (b"" if expected else peer.SECRET) == outcome.server_received
    if expected:
        assert isinstance(outcome.client_error, fasttrust.VerificationError)
        assert 0 == outcome.client_error.depth
        assert outcome.client_error.hint


@TOLD
@pytest.mark.parametrize("counts", [True, False])
def test_common_name_counts_as_the_program_says(counts: bool) -> None:
    """As ``ssl`` has it: where there are no DNS names."""
    named = Chain((leaf("cn", ROOT, names=(), subject=HOST),))
    says(0, (*named.certificates, ROOT))
    context = client()
    context.hostname_checks_common_name = counts
    outcome = peer.connect(context, peer.server_context(named))
    assert (0 if counts else 62) == code(outcome.client_error)


def _serve(context: ssl.SSLContext, raw: socket.socket) -> None:
    with contextlib.suppress(OSError):
        context.wrap_socket(raw, server_side=True).close()


@TOLD
@pytest.mark.parametrize(
    "lie", [(), (leaf("other", root("other")),), WHOLE[1:]], ids=["none", "other", "no leaf"]
)
def test_success_that_is_none_is_a_refusal(lie: Any) -> None:
    """A platform that trusts without a chain, or with another leaf's, trusts nobody."""
    says(0, lie)
    with victim(client()) as (tls, server):
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            tls.send(peer.SECRET)
        assert 1 == caught.value.verify_code
    assert b"" == server.received


@TOLD
@pytest.mark.parametrize("chain", UNLINKED, ids=["anchor", "intermediate"])
def test_chain_whose_names_do_not_fit_is_refused(chain: tuple[Issued, ...]) -> None:
    """A platform that goes by keys alone (Wine) takes another name for the issuer's."""
    says(0, chain)
    with victim(client()) as (tls, server):
        with pytest.raises(fasttrust.VerificationError) as caught:
            tls.do_handshake()
        assert (20, None) == (caught.value.verify_code, caught.value.depth)
    assert b"" == server.received


@TOLD
def test_names_that_openssl_calls_equal_fit() -> None:
    """Case, spaces and the type of a string do not count."""
    upper = root("spaced", subject="SERVER   test ROOT", key="root", string="PrintableString")
    below = leaf("below", root("as it says", subject="server test root", key="root"))
    says(0, (below, upper))
    assert None is peer.connect(client(), peer.server_context(Chain((below,)))).client_error


def test_no_certificate_is_a_refusal() -> None:
    """Ciphers without certificates, which a program may allow, bring no server past the verdict."""
    trusts()
    anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context = client()
    for each in (anonymous, context):
        each.maximum_version = ssl.TLSVersion.TLSv1_2
        each.set_ciphers("aNULL:@SECLEVEL=0")
    with victim(context, server=anonymous) as (tls, server):
        with pytest.raises(ssl.SSLCertVerificationError, match="showed no certificate"):
            tls.send(peer.SECRET)
        with pytest.raises(ssl.SSLCertVerificationError):
            tls.recv(100)
    assert server.shaken
    assert b"" == server.received


@VERSIONS
@pytest.mark.parametrize("carrier", ["socket", "bio"])
def test_question_is_asked_once(version: ssl.TLSVersion, carrier: str) -> None:
    """Of a connection, although over memory its certificates are looked at before its end."""
    trusts()
    server = peer.server_context(SENT, version=version)
    assert peer.SECRET == peer.connect(client(), server, carrier=carrier).server_received
    assert 1 == asked()


@TOLD
def test_verdict_is_on_the_certificates_that_were_judged() -> None:
    """A judge that is shown others asks again."""
    trusts()
    other = leaf("of others", STRANGER)
    with victim(client()) as (tls, _):
        tls.do_handshake()
        guard: Any = tls._sslobj
        judge, record = guard._judge, guard.record
        judge.look(guard._inner, record)
        assert {False, True} == set(record.chains)
        says(0, (other, STRANGER))
        with victim(client(), server=peer.server_context(Chain((other,)))) as (another, _):
            another.do_handshake()
            says(20)
            with pytest.raises(ssl.SSLCertVerificationError):
                judge.look(another._sslobj._inner, record)  # type: ignore[attr-defined]
    assert {False} == set(record.chains)
    assert [other.der] == record.chains[False].encode()


@pytest.mark.skipif(modes.PYPY, reason="counts references")
def test_refused_connection_is_let_go() -> None:
    """And what it would have sent: nobody has either any more."""
    pair = Pair(client(), peer.server_context(SENT))
    guard: Any = pair.client._sslobj  # type: ignore[attr-defined]
    parts = [guard._inner, guard._pipe, object()]
    with pytest.raises(ssl.SSLCertVerificationError):
        pair.shake()
    gc.collect()
    assert 1 == len({sys.getrefcount(part) for part in parts})
    wrapped = weakref.ref(pair.client)
    del pair
    assert wrapped() is None  # without the collector, though we are asked who it was
    assert guard.owner is None


def test_interrupted_verdict_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps the platform from answering, the connection is dead."""

    def interrupt(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    trusts()
    with victim(client()) as (tls, server):
        monkeypatch.setattr(_native_platform, "platform_verify", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tls.do_handshake()
        monkeypatch.undo()
        for operation in (tls.do_handshake, lambda: tls.send(b"x"), lambda: tls.recv(1)):
            with pytest.raises(ssl.SSLError, match="the verdict was not reached"):
                operation()
    assert b"" == server.received


def test_handler_that_reads_while_a_connection_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged within, and as dead afterwards for whom the handler interrupted."""
    verify, within = _native_platform.platform_verify, []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if not within:
            with pytest.raises(ssl.SSLCertVerificationError):
                within.append(tls) or tls.recv(100)
        return verify(*args, **kwargs)

    monkeypatch.setattr(_native_platform, "platform_verify", interrupted)
    with victim(client()) as (tls, server):
        for operation in (tls.do_handshake, lambda: tls.send(peer.SECRET), lambda: tls.recv(1)):
            with pytest.raises(ssl.SSLCertVerificationError):
                operation()
    assert b"" == server.received


def test_exchanged_context_is_refused() -> None:
    """A client connection keeps the context by which it is judged."""
    with victim(client()) as (tls, _), pytest.raises(ValueError, match="keeps its context"):
        tls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_client_certificate_on_a_socket_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not over memory, not without a certificate, and once in a process."""
    monkeypatch.setattr(_asked, "_told", set())
    mine = Chain((leaf("mine", root("clients")),))

    def said() -> int:
        return sum("client certificate leaves" in each.message for each in caplog.records)

    with victim(client()):
        assert 0 == said()
    for context in (client(), client()):
        mine.load(context)
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert 0 == said()
    for _ in range(2):
        context = client()
        mine.load(context)
        for _ in range(2):
            with victim(context):
                assert 1 == said()
