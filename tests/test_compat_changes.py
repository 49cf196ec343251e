"""Compat mode: contexts that change while they are used, and interrupts on the way."""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import TrustStore, _compat, _fed, _of_openssl
from world import Pair, code, hashed_directory, leaf_of, machine_trusts, made, plain

pytestmark = pytest.mark.skipif(not modes.COMPAT, reason="FASTTRUST_MODE=compat pytest runs these")

CLIENT, SERVER, BOTH = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS
SYSTEM, LOADED, STRANGER = (pki.root(name) for name in ("system", "loaded", "stranger"))
TIMEOUT = 10


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


# ---- sessions of clients -------------------------------------------------------------------------

MINE = leaf_of(LOADED)


def load_more(server: ssl.SSLContext) -> None:
    server.load_verify_locations(cadata=STRANGER.pem)


def set_flags(server: ssl.SSLContext) -> None:
    server.verify_flags ^= ssl.VERIFY_X509_STRICT


def attach_again(server: ssl.SSLContext) -> None:
    fasttrust.attach(server)


def server_of(version: ssl.TLSVersion) -> ssl.SSLContext:
    server = made(SERVER, LOADED)
    server.verify_mode = ssl.CERT_REQUIRED
    server.minimum_version = server.maximum_version = version
    leaf_of(STRANGER).load(server)
    return server


def client_of(*, tickets: bool) -> ssl.SSLContext:
    client = plain(CLIENT, STRANGER)
    MINE.load(client)
    if not tickets:
        client.options |= ssl.OP_NO_TICKET
    return client


SESSIONS = pytest.mark.parametrize(
    ("version", "tickets"),
    [
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_2, False),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
    ids=["TLS 1.2, ticket", "TLS 1.2, number", "TLS 1.3"],
)


def talk(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bool, ssl.SSLSession | None]:
    """Let the client say something; return whether its session was resumed, and its next one."""
    pair = Pair(client, server, session=session).shake()
    pair.client.write(peer.SECRET)
    assert peer.SECRET == pair.server.read(100)
    found = bool(pair.server.session_reused), pair.client.session
    pair.close()
    return found


@SESSIONS
@pytest.mark.parametrize("late", [False, True], ids=["", "while it connects"])
def test_client_that_was_revoked_is_not_resumed(
    version: ssl.TLSVersion, tickets: bool, late: bool, tmp_path: Path
) -> None:
    """A session of before brings it nothing, though it could be resumed until then."""
    server, client = server_of(version), client_of(tickets=tickets)
    assert (True, True) == (talk(client, server, talk(client, server)[1])[0], True)
    session = talk(client, server)[1]
    pair = Pair(client, server, session=session) if late else None
    file = tmp_path / "crl.pem"
    file.write_text(pki.crl(LOADED, MINE.certificates), "ascii")
    server.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    server.load_verify_locations(file)
    pair = pair or Pair(client, server, session=session)
    with pytest.raises(ssl.SSLError) as caught:
        pair.shake()
    if isinstance(caught.value, ssl.SSLCertVerificationError):
        assert 23 == code(caught.value)
    else:
        assert "resumes no session" in str(caught.value)
    with pytest.raises(ssl.SSLError):
        pair.server.read(100)


@SESSIONS
@pytest.mark.parametrize(
    "change", [load_more, set_flags, attach_again], ids=lambda change: change.__name__
)
def test_session_of_before_a_change_is_worth_nothing(
    version: ssl.TLSVersion,
    tickets: bool,
    change: Callable[[ssl.SSLContext], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full handshake where OpenSSL can be kept from resuming it, else a refusal."""
    server, client = server_of(version), client_of(tickets=tickets)
    session = talk(client, server)[1]
    change(server)
    if tickets:
        assert not talk(client, server, session)[0]
    else:
        with pytest.raises(ssl.SSLError, match="resumes no session"):
            talk(client, server, session)
    if version == ssl.TLSVersion.TLSv1_2:
        # OpenSSL counts in seconds: let that have been a while ago.
        vars(server)["_fasttrust_store"].since -= 10
        assert talk(client, server, talk(client, server)[1])[0]
        monkeypatch.setattr(_of_openssl.time, "time", lambda: 5.0)  # somebody sets the clock back
        with pytest.raises(ssl.SSLError, match="resumes no session"):
            talk(client, server, talk(client, server)[1])


@SESSIONS
def test_session_of_before_it_was_attached_is_worth_nothing(
    version: ssl.TLSVersion, tickets: bool
) -> None:
    """A context of `ssl` that has served: nobody knows what for."""
    server = plain(SERVER, LOADED)
    server.verify_mode = ssl.CERT_REQUIRED
    server.minimum_version = server.maximum_version = version
    leaf_of(STRANGER).load(server)
    client = client_of(tickets=tickets)
    session = talk(client, server)[1]
    fasttrust.attach(server)
    if tickets:
        assert not talk(client, server, session)[0]
    else:
        with pytest.raises(ssl.SSLError, match="resumes no session"):
            talk(client, server, session)


# ---- threads -------------------------------------------------------------------------------------


class Meanwhile:
    """Another thread's work, which begins at some point of ours and may have to wait for it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._work = work
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run)
            self._thread.start()
            self._thread.join(0.3)  # it is done by now, or it waits

    def end(self) -> None:
        assert self._thread is not None
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except RuntimeError as error:
            self.error = error


def connects(context: ssl.SSLContext) -> None:
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=pki.HOST)


def accepts(context: ssl.SSLContext, root: pki.Issued) -> int:
    outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
    return code(outcome.client_error)


@pytest.mark.parametrize("when", ["made", "filled"])
def test_attaching_while_a_connection_is_made(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the old trust has put into the store was there before, or is never put there."""
    context = made(CLIENT)
    meanwhile = Meanwhile(
        lambda: fasttrust.attach(context, trust=TrustStore.from_der([LOADED.der]))
    )
    if when == "filled":
        fill = _compat.fill

        def filled(*args: Any) -> Any:
            meanwhile.begin()
            return fill(*args)

        monkeypatch.setattr(_compat, "fill", filled)
    else:
        given, times = _compat.given, []

        def read(context: Any) -> Any:
            found = given(context)
            times.append(None)
            if len(times) == 1:
                meanwhile.begin()
            return found

        monkeypatch.setattr(_compat, "given", read)
    connects(context)
    meanwhile.end()
    monkeypatch.undo()
    exact = [20, 0] == [accepts(context, root) for root in (SYSTEM, LOADED)]
    assert exact == (meanwhile.error is None)
    if not exact:
        assert "cannot make the context forget" in str(meanwhile.error)


def test_connecting_while_it_is_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that comes in between waits, or finds all of the old."""
    context = made(CLIENT)
    meanwhile = Meanwhile(lambda: connects(context))
    attach = _compat.context_attach

    def attached(*args: Any, **options: Any) -> None:
        meanwhile.begin()
        attach(*args, **options)

    monkeypatch.setattr(_compat, "context_attach", attached)
    fasttrust.attach(context, trust=TrustStore.from_der([LOADED.der]))
    meanwhile.end()
    assert [20, 0] == [accepts(context, root) for root in (SYSTEM, LOADED)]


def test_attached_again_while_a_client_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server connection of it verifies no client by what its store was given for servers."""
    context = made(BOTH, LOADED)
    meanwhile = Meanwhile(lambda: fasttrust.attach(context))
    load = _fed._load

    def loaded(*args: Any) -> None:
        meanwhile.begin()
        load(*args)

    monkeypatch.setattr(_fed, "_load", loaded)
    connects(context)
    meanwhile.end()
    monkeypatch.undo()
    leaf_of(STRANGER).load(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    client = plain(CLIENT, STRANGER)
    leaf_of(SYSTEM).load(client)
    outcome = peer.connect(client, context, carrier="bio")
    assert (b"", b"") == (outcome.server_received, outcome.client_received)
    assert "cannot verify clients" in str(outcome.server_error)


def test_setting_that_changes_just_then_is_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's connection that may verify its client is refused as one that does."""
    context = made(BOTH, LOADED)
    connects(context)
    leaf_of(STRANGER).load(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    asked_of = _compat.asked_of

    def before_it_changes(context: Any) -> Any:
        found = asked_of(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return found

    monkeypatch.setattr(_compat, "asked_of", before_it_changes)
    with pytest.raises(ssl.SSLError, match="cannot verify clients"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


# ---- interrupts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "directory"])
def test_interrupt_hides_nothing_of_what_was_loaded(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A store that may hold a part of the system cannot be made to forget it."""
    if place == "directory":
        monkeypatch.setenv("SSL_CERT_DIR", str(hashed_directory(tmp_path / "hashed", SYSTEM)))
    files = ("_fed.py", "_compat.py")
    interrupted = refused = 0
    for number in range(1, 500):
        context: Any = made(CLIENT)
        left = number

        def watch(frame: Any, event: str, _: object) -> None:
            nonlocal left
            inside = frame.f_code.co_filename.endswith(files)
            if inside and event in ("call", "c_return"):
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt

        sys.setprofile(watch)
        try:
            connects(context)
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.setprofile(None)
        holds = ssl.SSLContext.__mro__[1].cert_store_stats(context)["x509"] > 0
        try:
            fasttrust.attach(context, trust=TrustStore.none())
        except RuntimeError:
            refused += 1
        else:
            assert not holds
            assert 20 == accepts(context, SYSTEM)
        if left > 0:
            break
    assert interrupted > 10
    assert 0 < refused < interrupted
