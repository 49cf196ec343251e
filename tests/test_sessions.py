"""A session is resumed only under what it was verified under: design decision 12."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import TrustStore, _system
from world import Pair, leaf_of, machine_trusts, made, plain

ROOT, OTHER = pki.root("root"), pki.root("other")
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
NAMES = (pki.HOST, "second.test")
SENT = pki.Chain((pki.leaf("of two names", ROOT, names=NAMES),))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ROOT)


@pytest.fixture(params=peer.VERSIONS, ids=lambda version: version.name)
def server(request: pytest.FixtureRequest) -> ssl.SSLContext:
    return peer.server_context(SENT, version=request.param)


def nothing(_: ssl.SSLContext) -> None:
    pass


def check_no_name(client: ssl.SSLContext) -> None:
    client.check_hostname = False


def verify_nobody(client: ssl.SSLContext) -> None:
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE


def trust_more(client: ssl.SSLContext) -> None:
    client.load_verify_locations(cadata=OTHER.pem)


def trust_less(client: ssl.SSLContext) -> None:
    fasttrust.attach(client, trust=TrustStore.from_der([ROOT.der]))


def trust_what_nobody_can_list(client: ssl.SSLContext) -> None:
    client.load_verify_locations(capath=str(Path(__file__).parent))


def change_the_flags(client: ssl.SSLContext) -> None:
    client.verify_flags ^= ssl.VerifyFlags.VERIFY_X509_STRICT


def look_at_no_common_name(client: ssl.SSLContext) -> None:
    client.hostname_checks_common_name = not client.hostname_checks_common_name


def want_longer_keys(client: ssl.SSLContext) -> None:
    client.set_ciphers(f"DEFAULT:@SECLEVEL={client.security_level - 1}")


CHANGES = [
    check_no_name,
    look_at_no_common_name,
    want_longer_keys,
    trust_more,
    pytest.param(trust_less, marks=modes.keeps, id="trust_less"),
    trust_what_nobody_can_list,
    change_the_flags,
]


def session_of(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLSession:
    session = Pair(client, server).shake().client.session
    assert session is not None
    return session


@modes.no_session
def test_session_is_resumed_under_the_same(server: ssl.SSLContext) -> None:
    """Nothing changed: no verification is repeated, and no chain is called verified."""
    client = made(CLIENT)
    pair = Pair(client, server, session=session_of(client, server)).shake()
    assert pair.client.session_reused
    assert () == fasttrust.get_verified_chain(pair.client)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_session_is_not_resumed_under_another(
    server: ssl.SSLContext, change: Callable[[ssl.SSLContext], None], before: bool
) -> None:
    """Other trust, settings or flags than the session was made under: a full handshake."""
    client = made(CLIENT)
    if before and change is check_no_name:
        client.check_hostname = False
        session = session_of(client, server)
        client.check_hostname = True
    else:
        session = session_of(client, server)
        change(client)
    pair = Pair(client, server, session=session).shake()
    assert not pair.client.session_reused
    assert [ROOT.der] == pair.client.get_verified_chain()[1:]


def test_session_of_nobody_verified_is_not_resumed(server: ssl.SSLContext) -> None:
    """A session of CERT_NONE brings no stranger into a context that verifies."""
    client = made(CLIENT)
    verify_nobody(client)
    stranger = peer.server_context(leaf_of(OTHER), version=server.maximum_version)
    session = session_of(client, stranger)
    client.verify_mode = ssl.CERT_REQUIRED
    client.check_hostname = True
    with pytest.raises(fasttrust.VerificationError):
        Pair(client, stranger, session=session).shake()


@modes.no_session
def test_session_is_not_resumed_for_another_host(server: ssl.SSLContext) -> None:
    """A session verified for one name is not resumed for another of the same certificate."""
    client = made(CLIENT)
    session = session_of(client, server)
    pair = Pair(client, server, session=session, server_hostname=NAMES[1]).shake()
    assert not pair.client.session_reused
    assert Pair(client, server, session=session).shake().client.session_reused


@modes.fed_once
def test_session_is_not_resumed_after_the_store_changed(
    server: ssl.SSLContext, machine: Path
) -> None:
    """A session of an older generation of the store is verified anew."""
    client = made(CLIENT)
    session = session_of(client, server)
    machine.write_text(pki.pem(ROOT, OTHER), "ascii")
    made(CLIENT).get_ca_certs()  # has a look, for all
    pair = Pair(client, server, session=session).shake()
    assert not pair.client.session_reused
    machine.write_text(OTHER.pem, "ascii")
    made(CLIENT).get_ca_certs()
    with pytest.raises(fasttrust.VerificationError):
        Pair(client, server, session=session).shake()


@modes.fed_once
def test_session_of_a_change_taken_back_is_not_resumed(
    server: ssl.SSLContext, machine: Path
) -> None:
    """A connection made before a change and verified after it leaves nothing for the time after."""
    machine.write_text(OTHER.pem, "ascii")
    client = made(CLIENT)
    pair = Pair(client, server)
    machine.write_text(ROOT.pem, "ascii")
    made(CLIENT).get_ca_certs()  # has a look, for all
    session = pair.shake().client.session
    machine.write_text(OTHER.pem, "ascii")
    made(CLIENT).get_ca_certs()
    with pytest.raises(fasttrust.VerificationError):
        Pair(client, server, session=session).shake()


@modes.no_session
def test_session_set_behind_our_back_is_refused_by_openssl(server: ssl.SSLContext) -> None:
    """A program that sets another's session on a connection gets OpenSSL's refusal."""
    client = made(CLIENT)
    session = session_of(client, server)
    pair = Pair(client, server, server_hostname=NAMES[1])
    pair.client.session = session
    with pytest.raises(ssl.SSLError, match=r"(?i)different context"):
        pair.shake()


def test_session_of_a_refused_connection_resumes_nothing(server: ssl.SSLContext) -> None:
    """What a refused handshake leaves is no session: it is had by nobody, or offered to nobody."""
    client = made(CLIENT)
    stranger = peer.server_context(leaf_of(OTHER), version=server.maximum_version)
    pair = Pair(client, stranger)
    with pytest.raises(fasttrust.VerificationError):
        pair.shake()
    try:
        session = pair.client.session
    except ValueError:  # TLS 1.2, where it has no keys yet
        assert server.maximum_version == ssl.TLSVersion.TLSv1_2
        return
    for host in (pki.HOST, NAMES[1]):
        with pytest.raises(fasttrust.VerificationError):
            Pair(client, stranger, session=session, server_hostname=host).shake()


@pytest.mark.parametrize(
    "late", [pytest.param(False, marks=modes.no_core, id="given"), pytest.param(True, id="late")]
)
def test_session_of_before_attach_carries_nothing(server: ssl.SSLContext, late: bool) -> None:
    """A session that plain `ssl` made of an unverified peer brings that peer no byte."""
    client = plain(CLIENT)
    verify_nobody(client)
    stranger = peer.server_context(leaf_of(OTHER), version=server.maximum_version)
    session = session_of(client, stranger)
    client.verify_mode = ssl.CERT_REQUIRED
    pair = Pair(client, stranger, session=None if late else session)
    fasttrust.attach(client)
    if late:
        pair = Pair(client, stranger)
        pair.client.session = session
    with contextlib.suppress(ssl.SSLError):
        pair.shake()
    with pytest.raises(ssl.SSLError):
        pair.client.write(peer.SECRET)
    with contextlib.suppress(ssl.SSLError):
        pair.server.write(peer.REPLY)
    received = b""
    with contextlib.suppress(ssl.SSLError):
        received = pair.client.read(100)
    assert b"" == received == pair.read(pair.server)
    assert () == fasttrust.get_verified_chain(pair.client)


def test_session_is_had_by_nobody_where_settings_change_meanwhile(
    server: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection made while another thread changes the settings leaves nothing to resume."""
    client = made(CLIENT)
    client.check_hostname = False
    refresh = _system.System.refresh

    def change(system: _system.System) -> None:
        client.verify_mode = ssl.CERT_NONE  # as a thread might, after the settings were read
        refresh(system)

    monkeypatch.setattr(_system.System, "refresh", change)
    session = session_of(client, server)
    monkeypatch.undo()
    for mode in (ssl.CERT_REQUIRED, ssl.CERT_NONE):
        client.verify_mode = mode
        assert not Pair(client, server, session=session).shake().client.session_reused


@modes.no_session
def test_session_set_late_is_resumed_under_the_same(server: ssl.SSLContext) -> None:
    """A program may set the session on the connection, as `ssl` has it."""
    client = made(CLIENT)
    session = session_of(client, server)
    pair = Pair(client, server)
    pair.client.session = session
    assert pair.shake().client.session_reused
    pair = Pair(client, server)
    pair.client.session = session
    pair.client.context = made(CLIENT, ROOT)
    with pytest.raises(ssl.SSLError, match=r"(?i)different context"):
        pair.shake()


@modes.keeps
def test_session_is_not_resumed_where_trust_changed_on_the_way(server: ssl.SSLContext) -> None:
    """A connection that is there already resumes nothing that its context no longer believes."""
    client = made(CLIENT)
    session = session_of(client, server)
    pair = Pair(client, server, session=session)
    fasttrust.attach(client, trust=TrustStore.none())
    with pytest.raises(ssl.SSLError, match=r"(?i)different context"):
        pair.shake()


@modes.keeps
def test_session_is_not_resumed_after_trust_came_and_went(server: ssl.SSLContext) -> None:
    """A connection older than what verified it leaves nothing to one that trusts less again."""
    trust = TrustStore.from_der([OTHER.der])
    client = plain(CLIENT)
    fasttrust.attach(client, trust=trust)
    pair = Pair(client, server)
    client.load_verify_locations(cadata=ROOT.pem)
    session = pair.shake().client.session
    fasttrust.attach(client, trust=trust)
    with pytest.raises(fasttrust.VerificationError):
        Pair(client, server, session=session).shake()


# ---- on the server -------------------------------------------------------------------------------


def judge_of(anchor: pki.Issued, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Make a server of ours that believes the clients of one authority."""
    server = made(SERVER, anchor)
    peer.pin(server, version)
    SENT.load(server)
    server.verify_mode = ssl.CERT_REQUIRED
    return server


def client_of(anchor: pki.Issued) -> ssl.SSLContext:
    client = plain(CLIENT, ROOT)
    leaf_of(anchor).load(client)
    return client


@modes.no_session
@pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize("make_second", ["ours", "plain"])
def test_client_of_one_authority_does_not_come_back_under_another(
    version: ssl.TLSVersion, make_second: str
) -> None:
    """A client believed after an SNI switch is not believed without it, on its session's word."""
    first = judge_of(ROOT, version)
    second = judge_of(OTHER, version) if make_second == "ours" else plain(SERVER, OTHER)
    SENT.load(second)
    peer.choose_by_name(first, {NAMES[1]: second})
    client = client_of(OTHER)
    pair = Pair(client, first, server_hostname=NAMES[1]).shake()
    session = pair.client.session
    pair.close()
    again = Pair(client, first, server_hostname=NAMES[0], session=session)
    with pytest.raises(fasttrust.VerificationError) as refused:  # the server's
        again.shake()
    assert 20 == refused.value.verify_code
    assert not again.server.session_reused
    assert () == fasttrust.get_verified_chain(again.server)
    believed = client_of(ROOT)
    pair = Pair(believed, first).shake()
    session = pair.client.session
    pair.close()
    assert Pair(believed, first, session=session).shake().server.session_reused


@modes.no_guard
@pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
def test_client_believed_by_ours_does_not_come_back_under_ssls(version: ssl.TLSVersion) -> None:
    """Where the first context is `ssl`'s own, its session does not carry the verdict of ours."""
    first, second = plain(SERVER, ROOT), judge_of(OTHER, version)
    SENT.load(first)
    first.verify_mode = ssl.CERT_REQUIRED
    peer.pin(first, version)
    peer.choose_by_name(first, {NAMES[1]: second})
    client = client_of(OTHER)
    pair = Pair(client, first, server_hostname=NAMES[1]).shake()
    session = pair.client.session
    pair.close()
    again = Pair(client, first, server_hostname=NAMES[1], session=session).shake()
    assert not again.server.session_reused
    assert b"" == again.read(again.server)  # neither closed nor refused
    session = again.client.session
    again.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        Pair(client, first, server_hostname=NAMES[0], session=session).shake()


@pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
def test_resumed_connection_that_is_switched_carries_nothing(version: ssl.TLSVersion) -> None:
    """A client believed by the first context is not believed by the one that SNI switches to."""
    first, second = judge_of(ROOT, version), judge_of(OTHER, version)
    client = client_of(ROOT)
    pair = Pair(client, first, server_hostname=NAMES[1]).shake()
    session = pair.client.session
    pair.close()
    # Whatever the name: on a resumed connection of TLS 1.2 OpenSSL tells none.
    first.sni_callback = lambda connection, *_: setattr(connection, "context", second)
    again = Pair(client, first, server_hostname=NAMES[1], session=session)
    with pytest.raises(ssl.SSLError, match=r"another context|by which context"):  # the server's
        again.shake()
    with contextlib.suppress(ssl.SSLError):
        again.step(again.client)
        again.client.write(peer.SECRET)
    assert again.client.session_reused
    received = b""
    with contextlib.suppress(ssl.SSLError):
        received = again.server.read(100)
    assert b"" == received
    with pytest.raises(ssl.SSLError):
        again.server.write(peer.REPLY)


@modes.keeps
@pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
def test_client_of_the_system_does_not_come_back_without_the_system(
    version: ssl.TLSVersion,
) -> None:
    """The same anchors, on one side of a connection instead of both, are another trust."""
    server = plain(SERVER)
    peer.pin(server, version)
    SENT.load(server)
    server.verify_mode = ssl.CERT_REQUIRED
    fasttrust.attach(server, trust=TrustStore.system())
    client = client_of(ROOT)
    pair = Pair(client, server).shake()
    session = pair.client.session
    pair.close()
    fasttrust.attach(server)
    with pytest.raises(fasttrust.VerificationError):  # the server's
        Pair(client, server, session=session).shake()
