"""Compat mode on Linux: what `ssl` itself verifies by, and what one store cannot do is refused."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import TrustStore, _compat, _mode
from world import (
    VERIFIER,
    Pair,
    attached,
    check_python,
    code,
    ders,
    hashed_directory,
    leaf_of,
    machine_trusts,
    made,
    plain,
)

pytestmark = pytest.mark.skipif(not modes.COMPAT, reason="FASTTRUST_MODE=compat pytest runs these")

CLIENT, SERVER, BOTH = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS
NAMES = ("system", "loaded", "stranger", "last")
SYSTEM, LOADED, STRANGER, LAST = (pki.root(name) for name in NAMES)
BEYOND_ITS_SIDE = r"a context that has connected as a client .* cannot verify clients"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


def as_client(context: ssl.SSLContext, root: pki.Issued) -> int:
    outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
    return code(outcome.client_error)


def server(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    leaf_of(STRANGER).load(context)
    return context


def as_server(context: ssl.SSLContext, root: pki.Issued) -> int:
    client = plain(CLIENT, STRANGER)
    leaf_of(root).load(client)
    return code(peer.connect(client, server(context), carrier="bio").server_error)


def refuses_to_serve(context: ssl.SSLContext, root: pki.Issued) -> bool:
    client = plain(CLIENT, STRANGER)
    leaf_of(root).load(client)
    outcome = peer.connect(client, server(context), carrier="bio")
    assert (b"", b"") == (outcome.server_received, outcome.client_received)
    return re.search(BEYOND_ITS_SIDE, str(outcome.server_error)) is not None


def test_backend_says_what_to_do() -> None:
    """The reason is a sentence."""
    record = fasttrust.backend()
    assert ("compat", VERIFIER, ssl.OPENSSL_VERSION) == record[:3]
    advice = "needs CPython$" if modes.PYPY else "a Python that loads OpenSSL"
    wanted = advice if modes.HIDDEN else "=compat asks for it$"
    assert re.search(wanted, record.reason)


@pytest.mark.parametrize(
    ("library", "advice"),
    [
        ("OpenSSL 3.5.0 8 Apr 2025", "loads OpenSSL as a shared library of its own"),
        ("AWS-LC 1.48.2", "uses AWS-LC 1.48.2: native mode needs a Python built with OpenSSL"),
        ("BoringSSL", "uses BoringSSL: native mode needs"),
        ("LibreSSL 4.0.0", "uses LibreSSL 4.0.0: native mode needs"),
    ],
)
def test_reason_says_what_would_help(
    library: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Python, and which."""
    monkeypatch.setattr(ssl, "OPENSSL_VERSION", library)
    if sys.implementation.name != "cpython":
        advice = "native mode needs CPython"
    assert advice in _mode._sentence("a symbol is missing")


# ---- one store for both sides --------------------------------------------------------------------


def test_server_that_verifies_is_refused_after_a_client() -> None:
    """The system is loaded at the first client connection; then no client is verified by it."""
    context = made(BOTH, LOADED)
    assert 0 == as_server(context, LOADED)
    assert 20 == as_server(context, SYSTEM)
    assert 0 == as_client(context, SYSTEM)
    for root in (SYSTEM, LOADED):
        assert refuses_to_serve(context, root)
    context.verify_mode = ssl.CERT_NONE
    assert None is peer.connect(plain(CLIENT, STRANGER), context, carrier="bio").server_error


def test_server_under_way_is_refused_after_a_client() -> None:
    """Even one whose handshake began before, at whatever step."""
    for steps in range(3):
        context = server(made(BOTH, LOADED))
        client = plain(CLIENT, STRANGER)
        leaf_of(SYSTEM).load(client)
        pair = Pair(client, context)
        for _ in range(steps):
            pair.step(pair.client)
            pair.step(pair.server)
            if steps == 2:
                break
        assert 0 == as_client(context, SYSTEM)
        with contextlib.suppress(ssl.SSLError):
            pair.shake()
        pair.client.write(peer.SECRET)
        for _ in range(2):
            with pytest.raises(ssl.SSLError):
                pair.server.read(10)
            with pytest.raises(ssl.SSLError):
                pair.server.write(b"x")


def test_sni_switch_to_a_context_of_clients_is_refused() -> None:
    """A store that holds the system for clients verifies no client by way of an SNI callback."""
    other = made(BOTH)
    assert 0 == as_client(other, SYSTEM)
    leaf_of(STRANGER).load(other)
    first = server(made(SERVER, LOADED))
    peer.choose_by_name(first, {pki.HOST: other})
    client = plain(CLIENT, STRANGER)
    leaf_of(SYSTEM).load(client)
    outcome = peer.connect(client, first, carrier="bio")
    assert (b"", b"") == (outcome.server_received, outcome.client_received)
    assert "trusts the system on both sides" in str(outcome.server_error)


@pytest.mark.parametrize("first_verifies", [True, False])
def test_sni_server_hands_out_nothing_that_it_would_refuse(first_verifies: bool) -> None:
    """Nobody could tell by which context a client was verified: its next handshake is full."""
    first, second = made(SERVER, LOADED), made(SERVER, LOADED)
    for context in (first, second):
        server(context)
    first.verify_mode = ssl.CERT_REQUIRED if first_verifies else ssl.CERT_NONE
    peer.choose_by_name(first, {pki.HOST: second})
    client = plain(CLIENT, STRANGER)
    leaf_of(LOADED).load(client)
    if not first_verifies:  # it learns by its first connection that the second one verifies
        Pair(client, first).shake().close()
    session = None
    for _ in range(2):
        pair = Pair(client, first, session=session).shake()
        assert not pair.server.session_reused
        pair.client.write(peer.SECRET)
        assert peer.SECRET == pair.server.read(100)
        session = pair.client.session
        pair.close()


def test_both_sides_where_the_program_asked_for_both() -> None:
    """The default certificates, and `trust=`, count on both sides: nothing is refused."""
    asked = made(BOTH, LOADED)
    asked.load_default_certs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        given = fasttrust.SSLContext(BOTH, trust=TrustStore.system())
    for context in (asked, given):
        assert 0 == as_client(context, SYSTEM) == as_server(context, SYSTEM)
        assert [20, 20] == [as_client(context, LAST), as_server(context, LAST)]


def test_attached_server_that_holds_the_system_is_refused() -> None:
    """Its store cannot be told to forget what the system trusts."""
    context = plain(SERVER, LOADED)
    context.load_default_certs()
    fasttrust.attach(context)
    assert refuses_to_serve(context, SYSTEM)
    client = plain(CLIENT, LOADED)
    client.load_default_certs()
    fasttrust.attach(client)
    assert [0, 0, 20] == [as_client(client, root) for root in (SYSTEM, LOADED, STRANGER)]


@pytest.mark.parametrize("asked", ["default certificates", "trust=", "its root", "loaded by ssl"])
def test_attached_server_whose_system_is_a_directory_is_refused(
    asked: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor where nobody can list what OpenSSL reads of it when it needs it."""
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed_directory(tmp_path / "hashed", SYSTEM)))
    if asked == "loaded by ssl":
        context = plain(SERVER, SYSTEM)
    elif asked == "default certificates":
        context = made(SERVER)
        context.load_default_certs()
    else:
        both = TrustStore.system() if asked == "trust=" else TrustStore.from_der([SYSTEM.der])
        context = fasttrust.SSLContext(SERVER, trust=both)
    if asked != "loaded by ssl":
        assert 0 == as_server(context, SYSTEM)
    fasttrust.attach(context)
    for _ in range(2):
        assert refuses_to_serve(context, SYSTEM)
    if asked == "default certificates":
        context.load_default_certs()
        assert 0 == as_server(context, SYSTEM)


def test_attach_refuses_what_a_store_cannot_forget() -> None:
    """`attach(trust=)` would leave what was loaded: the context stays as it was."""
    context = plain(CLIENT)
    before = dict(vars(context))
    with pytest.raises(RuntimeError, match=r"cannot make the context forget .* in compat mode"):
        fasttrust.attach(context, trust=TrustStore.none())
    assert (ssl.SSLContext, before) == (type(context), vars(context))
    used = made(CLIENT)
    assert 0 == as_client(used, SYSTEM)
    with pytest.raises(RuntimeError, match="forget"):
        fasttrust.attach(used, trust=TrustStore.none())
    unused = made(CLIENT)
    fasttrust.attach(unused, trust=TrustStore.from_der([LOADED.der]))
    assert [20, 0] == [as_client(unused, root) for root in (SYSTEM, LOADED)]


@pytest.mark.parametrize("exact", [False, True], ids=["beside the system", "exactly one"])
def test_handler_that_attaches_just_before_the_store_is_fed(
    exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is not fed what counts no more, and it is known what it holds."""
    context = made(BOTH)
    trust = TrustStore.from_der([LOADED.der]) if exact else None
    fill = _compat.fill

    def interrupted(*given: Any) -> bool:
        monkeypatch.setattr(_compat, "fill", fill)
        fasttrust.attach(context, trust=trust)
        return fill(*given)

    monkeypatch.setattr(_compat, "fill", interrupted)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if exact:
        assert [20, 0] == [as_client(context, root) for root in (SYSTEM, LOADED)]
    else:
        assert 0 == as_client(context, SYSTEM)
        assert refuses_to_serve(context, SYSTEM)


# ---- what is fed ---------------------------------------------------------------------------------


def test_hashed_directory_is_read_lazily(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Roots of a directory are parsed when asked for; the file's that no directory has, at once."""
    more = pki.root("more")
    directory = hashed_directory(tmp_path / "hashed", SYSTEM, more)
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    context = made(CLIENT)
    base: Any = ssl.SSLContext.__mro__[1]
    assert 20 == as_client(context, STRANGER)
    assert 0 == base.cert_store_stats(context)["x509"]
    assert 0 == as_client(context, more)
    assert 1 == base.cert_store_stats(context)["x509"]
    assert 0 == as_client(context, SYSTEM)
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed_directory(tmp_path / "other", more)))
    context = made(CLIENT)
    assert 20 == as_client(context, STRANGER)
    assert 1 == base.cert_store_stats(context)["x509"]
    assert [0, 0] == [as_client(context, root) for root in (SYSTEM, more)]


def test_changed_directory_is_seen_by_new_contexts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A root that is gone from the directory is gone for contexts made afterwards."""
    directory = hashed_directory(tmp_path / "hashed", LOADED)
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    assert 0 == as_client(made(CLIENT), LOADED)
    for name in list(directory.iterdir()):
        name.unlink()
    hashed_directory(directory, STRANGER)
    assert [20, 0] == [as_client(made(CLIENT), root) for root in (LOADED, STRANGER)]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /proc")
def test_long_lived_context_does_not_grow(tmp_path: Path) -> None:
    """Handshakes by a hashed directory, accepted and refused, leave memory and store alone."""
    grown = check_python(
        """
        import gc, os, ssl
        import peer, pki
        from world import *
        roots = [pki.root("of the directory"), pki.root("nobody")]
        hashed_directory(Path(os.environ["SSL_CERT_DIR"]), roots[0], pki.root("more"))
        servers = [peer.server_context(leaf_of(root)) for root in roots]
        client = made(ssl.PROTOCOL_TLS_CLIENT)
        def work():
            for server, expected in zip(servers, (0, 20)):
                error = None
                try:
                    Pair(client, server).shake()
                except ssl.SSLError as refused:
                    error = refused
                assert code(error) == expected
        def resident():
            gc.collect()
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
        for _ in range(200):
            work()
        stats, grown = client.cert_store_stats(), []
        for _ in range(3):
            before = resident()
            for _ in range(200):
                work()
            grown.append(resident() - before)
        assert stats == client.cert_store_stats()
        print(min(grown))
        """,
        SSL_CERT_DIR=str(tmp_path / "hashed"),
    )
    assert int(grown) < 200  # one X509 for each handshake would be 1,000 KiB and more


# ---- connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", peer.VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize("late", [False, True], ids=["given", "late"])
def test_session_is_left_out(version: ssl.TLSVersion, late: bool) -> None:
    """A session of an unverified peer brings it nothing: the handshake is a full one."""
    client = made(CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    stranger = peer.server_context(leaf_of(STRANGER), version=version)
    session = Pair(client, stranger).shake().client.session
    client.verify_mode = ssl.CERT_REQUIRED
    pair = Pair(client, stranger, session=None if late else session)
    if late:
        pair.client.session = session
    with pytest.raises(fasttrust.VerificationError):
        pair.shake()
    assert not pair.client.session_reused


def test_policy_that_ssl_cannot_honour_is_an_error() -> None:
    """`at_time` cannot be told to `ssl`; `verify_chain` has nobody to ask."""
    with pytest.raises(ValueError, match="at_time cannot be had in compat mode"):
        fasttrust.SSLContext(CLIENT, at_time=pki.NOW)
    with pytest.raises(NotImplementedError, match=r"verify_chain\(\) cannot be had in compat"):
        fasttrust.verify_chain([SYSTEM.der], server_hostname=None)


def test_chains_of_other_contexts_are_ssls_own() -> None:
    """After the handshake, where the context verifies."""
    chain = leaf_of(LOADED)
    for make in (plain, attached):
        pair = Pair(make(CLIENT, LOADED), peer.server_context(chain))
        assert () == fasttrust.get_verified_chain(pair.client)
        pair.shake()
        assert (*chain.ders, LOADED.der) == ders(fasttrust.get_verified_chain(pair.client))
        assert chain.ders == ders(fasttrust.get_unverified_chain(pair.client))
    client = plain(CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    pair = Pair(client, peer.server_context(chain)).shake()
    assert () == fasttrust.get_verified_chain(pair.client)


def test_mode_of_a_child_is_the_parents() -> None:
    """The variable reaches the processes that the program starts."""
    assert modes.HIDDEN or "compat" == os.environ["FASTTRUST_MODE"]
    assert "compat\n" == check_python("import fasttrust; print(fasttrust.backend().mode)")
