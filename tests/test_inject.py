"""Injection: `ssl.SSLContext` itself makes contexts with our verifier, and is restored exactly."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import TrustStore
from world import Pair, code, leaf_of, machine_trusts, plain

SYSTEM, LOADED, STRANGER = (pki.root(name) for name in ("system", "loaded", "stranger"))
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
REFUSED = 20


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave no injection behind, and require that the class is again what it was."""
    before = list(vars(ssl.SSLContext).items())
    yield
    fasttrust.extract_from_ssl()
    assert before == list(vars(ssl.SSLContext).items())


def verdicts(client: ssl.SSLContext) -> list[int]:
    """Return what a client makes of servers of a stranger, the system's root and the loaded one."""
    codes = []
    for root in (STRANGER, SYSTEM, LOADED):
        outcome = peer.connect(client, peer.server_context(leaf_of(root)), carrier="bio")
        assert (outcome.server_received == b"") == (outcome.client_error is not None)
        codes.append(code(outcome.client_error))
    return codes


def of_clients(server: ssl.SSLContext) -> list[int]:
    """Return what a server makes of clients' certificates by the three roots."""
    server.verify_mode = ssl.CERT_REQUIRED
    leaf_of(LOADED).load(server)
    codes = []
    for root in (STRANGER, SYSTEM, LOADED):
        client = plain(CLIENT, LOADED)
        leaf_of(root).load(client)
        codes.append(code(peer.connect(client, server, carrier="bio").server_error))
    # 19 is what 20 becomes where the client could send the root as well.
    return [REFUSED if each == 19 else each for each in codes]


def loaded(protocol: int = CLIENT) -> ssl.SSLContext:
    return plain(protocol, LOADED)


def with_defaults(protocol: int = CLIENT) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.load_default_certs()
    return context


def with_default_paths(protocol: int = CLIENT) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.set_default_verify_paths()
    return context


def stdlib_context() -> ssl.SSLContext:
    return ssl._create_stdlib_context(  # type: ignore[attr-defined, no-any-return]
        cert_reqs=ssl.CERT_REQUIRED, check_hostname=True
    )


# Each way to a client's context, and what it makes of the three servers.
WAYS: dict[str, tuple[Callable[[], ssl.SSLContext], list[int]]] = {
    "bare": (lambda: ssl.SSLContext(CLIENT), [REFUSED, REFUSED, REFUSED]),
    "loaded": (loaded, [REFUSED, REFUSED, 0]),
    "load_default_certs": (with_defaults, [REFUSED, 0, REFUSED]),
    "set_default_verify_paths": (with_default_paths, [REFUSED, 0, REFUSED]),
    "create_default_context": (ssl.create_default_context, [REFUSED, 0, REFUSED]),
    "create_default_context with cadata": (
        lambda: ssl.create_default_context(cadata=LOADED.pem),
        [REFUSED, REFUSED, 0],
    ),
    "_create_default_https_context": (
        ssl._create_default_https_context,
        [REFUSED, 0, REFUSED],
    ),
    "_create_stdlib_context": (stdlib_context, [REFUSED, 0, REFUSED]),
}


@pytest.mark.parametrize("way", WAYS)
def test_context_trusts_by_the_rule_of_ssl(way: str) -> None:
    """What was loaded is trusted, and default certificates are the system; also after leaving."""
    make, expected = WAYS[way]
    assert expected == verdicts(make())
    with fasttrust.inject_into_ssl():
        context = make()
        assert isinstance(context, fasttrust.SSLContext)
        assert type(context).__name__ == "SSLContext"
        assert expected == verdicts(context)
    assert expected == verdicts(context)
    assert not isinstance(make(), fasttrust.SSLContext)


def test_server_trusts_by_the_rule_of_ssl() -> None:
    """The same holds for a server that verifies its clients."""
    with fasttrust.inject_into_ssl():
        assert [REFUSED, REFUSED, REFUSED] == of_clients(ssl.SSLContext(SERVER))
        assert [REFUSED, REFUSED, 0] == of_clients(loaded(SERVER))
        assert [REFUSED, 0, REFUSED] == of_clients(with_defaults(SERVER))
        default = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        assert [REFUSED, REFUSED, REFUSED] == of_clients(default)


def test_trust_counts_from_the_start() -> None:
    """`trust` is trusted by every context, beside what is loaded, and is what defaults mean."""
    with fasttrust.inject_into_ssl(trust=TrustStore.system()):  # the rule of truststore
        assert [REFUSED, 0, REFUSED] == verdicts(ssl.SSLContext(CLIENT))
        assert [REFUSED, 0, 0] == verdicts(loaded())
        assert [REFUSED, 0, REFUSED] == of_clients(ssl.SSLContext(SERVER))
    with fasttrust.inject_into_ssl(trust=TrustStore.from_pem(LOADED.pem)):
        for make in (lambda: ssl.SSLContext(CLIENT), with_defaults, ssl.create_default_context):
            assert [REFUSED, REFUSED, 0] == verdicts(make())
        context = ssl.create_default_context()
        assert [LOADED.der] == context.get_ca_certs(True)
    with fasttrust.inject_into_ssl(trust=TrustStore.none()):
        assert [REFUSED, REFUSED, REFUSED] == verdicts(ssl.create_default_context())


def test_arguments_are_checked() -> None:
    """What is no trust store is refused before anything changes."""
    for wrong in (True, LOADED.pem, [LOADED.der]):
        with pytest.raises(TypeError, match="not a TrustStore"):
            fasttrust.inject_into_ssl(trust=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        fasttrust.inject_into_ssl(TrustStore.none())  # type: ignore[misc]
    assert not isinstance(ssl.SSLContext(CLIENT), fasttrust.SSLContext)


def test_second_injection_replaces_the_first() -> None:
    """Settings are replaced, calls are not counted, and one extraction undoes all."""
    fasttrust.inject_into_ssl()
    fasttrust.inject_into_ssl(trust=TrustStore.from_pem(LOADED.pem))
    assert [REFUSED, REFUSED, 0] == verdicts(ssl.create_default_context())
    fasttrust.extract_from_ssl()
    assert not isinstance(ssl.SSLContext(CLIENT), fasttrust.SSLContext)
    fasttrust.extract_from_ssl()  # and once more does nothing


def test_context_manager_restores_what_was_before() -> None:
    """Within another injection the end of `with` restores that one, else the class."""
    with fasttrust.inject_into_ssl():
        with fasttrust.inject_into_ssl(trust=TrustStore.from_pem(LOADED.pem)):
            assert [REFUSED, REFUSED, 0] == verdicts(ssl.create_default_context())
            fasttrust.extract_from_ssl()
            assert not isinstance(ssl.SSLContext(CLIENT), fasttrust.SSLContext)
        assert [REFUSED, 0, REFUSED] == verdicts(ssl.create_default_context())
    with pytest.raises(KeyError), fasttrust.inject_into_ssl():
        raise KeyError
    assert not isinstance(ssl.SSLContext(CLIENT), fasttrust.SSLContext)


def test_name_and_class_are_the_same_object() -> None:
    """Nothing is rebound: references from before the injection make verified contexts."""
    mine = ssl.SSLContext
    new = ssl.create_default_context
    with fasttrust.inject_into_ssl():
        assert mine is ssl.SSLContext
        assert isinstance(mine(CLIENT), fasttrust.SSLContext)
        assert isinstance(new(), fasttrust.SSLContext)


def test_refusal_is_explained_to_the_end() -> None:
    """Connections of injected contexts raise our error, with the hint, also after leaving."""
    server = peer.server_context(leaf_of(STRANGER))
    with fasttrust.inject_into_ssl():
        context = ssl.create_default_context()
    for carrier in ("socket", "bio"):
        error = peer.connect(context, server, carrier=carrier).client_error
        assert isinstance(error, fasttrust.VerificationError)
        assert (modes.LEAF_AT_FAULT, "leaf of stranger") == (error.depth, _name(error.chain[0]))
        assert error.hint
    good = Pair(context, peer.server_context(leaf_of(SYSTEM))).shake()
    assert [*leaf_of(SYSTEM).ders, SYSTEM.der] == good.client.get_verified_chain()


def _name(certificate: fasttrust.Certificate) -> object:
    return certificate.get_info()["subject"][0][0][1]


@modes.no_session
def test_session_is_bound_after_leaving() -> None:
    """A context that outlives the injection resumes under the same trust, and under no other."""
    server = peer.server_context(leaf_of(LOADED))
    with fasttrust.inject_into_ssl():
        context = loaded()
    session = Pair(context, server).shake().client.session
    assert Pair(context, server, session=session).shake().client.session_reused
    context.load_verify_locations(cadata=STRANGER.pem)
    assert not Pair(context, server, session=session).shake().client.session_reused


@modes.fed_once
def test_default_certificates_once_more_keep_sessions() -> None:
    """Who asks for the default certificates for every connection, as truststore, can resume."""
    server = peer.server_context(leaf_of(SYSTEM))
    with fasttrust.inject_into_ssl():
        context = ssl.create_default_context()
        session = Pair(context, server).shake().client.session
        context.set_default_verify_paths()
        assert Pair(context, server, session=session).shake().client.session_reused


@modes.fed_once
def test_system_stays_fresh_after_leaving(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that outlives the injection sees the system's store change."""
    monkeypatch.setattr("fasttrust._system.PERIOD", 0)
    with fasttrust.inject_into_ssl():
        context = ssl.create_default_context()
    assert [REFUSED, 0, REFUSED] == verdicts(context)
    machine.write_text(LOADED.pem, "ascii")
    assert [REFUSED, REFUSED, 0] == verdicts(context)
    context.load_verify_locations(cadata=STRANGER.pem)
    assert [0, REFUSED, 0] == verdicts(context)
    assert {LOADED.der, STRANGER.der} == set(context.get_ca_certs(True))


def test_missing_store_refuses_with_its_reason(machine: Path) -> None:
    """Under injection a store that cannot be read raises nowhere but in the handshake."""
    machine.unlink()
    with fasttrust.inject_into_ssl():
        context = ssl.create_default_context()
        outcome = peer.connect(context, peer.server_context(leaf_of(SYSTEM)))
    assert isinstance(outcome.client_error, fasttrust.VerificationError)
    assert str(machine) in outcome.client_error.hint
    assert outcome.server_received == b""
