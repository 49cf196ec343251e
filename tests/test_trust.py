"""
What a context trusts: design decision 7, row by row, refusals first.

Three roots issue a server's or a client's certificate: one in the system's store, one that the
program loads, and a stranger.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import TrustStore
from world import (
    attached,
    code,
    hashed_directory,
    leaf_of,
    machine_trusts,
    made,
    plain,
)

SYSTEM, LOADED, STRANGER = (pki.root(name) for name in ("system", "loaded", "stranger"))
OWN = pki.root("own")  # of the peer that does the judging
ROOTS = (SYSTEM, LOADED, STRANGER)
UNKNOWN_ISSUER = 20

CLIENT, SERVER, BOTH = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS
Make = Callable[[int], ssl.SSLContext]


def code_as_client(context: ssl.SSLContext, root: pki.Issued) -> int:
    """Return what a client of the context makes of a server whose certificate the root issued."""
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
    assert outcome.server_received == (b"" if outcome.client_error else peer.SECRET)
    return code(outcome.client_error)


def code_as_server(context: ssl.SSLContext, root: pki.Issued) -> int:
    """Return what a server of the context makes of a client whose certificate the root issued."""
    leaf_of(OWN).load(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    client = plain(CLIENT, OWN)
    leaf_of(root).load(client)
    outcome = peer.connect(client, context, carrier="bio")
    assert outcome.server_received == (b"" if outcome.server_error else peer.SECRET)
    return code(outcome.server_error)


def trusted(judge: Callable[[ssl.SSLContext, pki.Issued], int], make: Callable[[], ssl.SSLContext]):
    """Return the names of the roots that fresh contexts trust; all others are unknown to them."""
    codes = {root.name: judge(make(), root) for root in ROOTS}
    assert set(codes.values()) <= {0, UNKNOWN_ISSUER}
    return {name for name, verdict in codes.items() if verdict == 0}


def default(protocol: int, **exactly: object) -> ssl.SSLContext:
    """Make our default context for that side."""
    purpose = ssl.Purpose.CLIENT_AUTH if protocol == SERVER else ssl.Purpose.SERVER_AUTH
    return fasttrust.create_default_context(purpose, **exactly)


def loaded_later(protocol: int) -> ssl.SSLContext:
    context = default(protocol)
    context.load_verify_locations(cadata=LOADED.pem)
    return context


def with_cafile(protocol: int) -> ssl.SSLContext:
    return default(protocol, cafile=_write(LOADED))


def with_capath(protocol: int) -> ssl.SSLContext:
    return default(protocol, capath=hashed_directory(_folder() / "capath", LOADED))


def with_text(protocol: int) -> ssl.SSLContext:
    return default(protocol, cadata=LOADED.pem)


def with_bytes(protocol: int) -> ssl.SSLContext:
    return default(protocol, cadata=LOADED.der)


def attached_with_defaults(protocol: int) -> ssl.SSLContext:
    """Attach to a context that has loaded the system's store and a root beyond it."""
    context = plain(protocol, LOADED)
    context.load_default_certs()
    fasttrust.attach(context)
    return context


def exactly() -> TrustStore:
    return TrustStore.from_pem(LOADED.pem)


def with_trust(protocol: int) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return fasttrust.SSLContext(protocol, trust=exactly())


def with_nobody(protocol: int) -> ssl.SSLContext:
    context = fasttrust.SSLContext(protocol, trust=TrustStore.none())
    context.load_verify_locations(cadata=LOADED.pem)
    return context


def attached_with_trust(protocol: int) -> ssl.SSLContext:
    """Attach exact trust to a context that has loaded everything else."""
    context = plain(protocol, STRANGER)
    context.load_default_certs()
    fasttrust.attach(context, trust=exactly())
    return context


def ours_with_other_trust(protocol: int) -> ssl.SSLContext:
    context = made(protocol, STRANGER)
    context.load_default_certs()
    fasttrust.attach(context, trust=exactly())
    return context


def attached_again(protocol: int) -> ssl.SSLContext:
    """Attach to a context of ours that has loaded a root of the system and one beyond it."""
    context = made(protocol, LOADED, SYSTEM)
    fasttrust.attach(context)
    return context


def _folder() -> Path:
    return Path(ssl.get_default_verify_paths().cafile or "").parent


def _write(root: pki.Issued) -> Path:
    file = _folder() / "loaded.pem"
    file.write_text(root.pem, "ascii")
    return file


@dataclass(frozen=True)
class Row:
    """One row of the table: how a context is made, and whom it trusts on either side."""

    name: str
    make: Make
    as_client: frozenset[str]
    as_server: frozenset[str]


def row(name: str, make: Make, as_client: str, as_server: str) -> Row:
    return Row(name, make, frozenset(as_client.split()), frozenset(as_server.split()))


ROWS = (
    row("made", made, "system", ""),
    row("made, loaded later", lambda protocol: made(protocol, LOADED), "system loaded", "loaded"),
    row("default", default, "system", ""),
    row("default, loaded later", loaded_later, "system loaded", "loaded"),
    row("cafile", with_cafile, "loaded", "loaded"),
    row("capath", with_capath, "loaded", "loaded"),
    row("cadata as text", with_text, "loaded", "loaded"),
    row("cadata as bytes", with_bytes, "loaded", "loaded"),
    row("attached", attached, "system", ""),
    row("attached, loaded", lambda protocol: attached(protocol, LOADED), "system loaded", "loaded"),
    row("attached again", attached_again, "system loaded", "loaded"),
    row("trust", with_trust, "loaded", "loaded"),
    row("trust of nobody, loaded later", with_nobody, "loaded", "loaded"),
    row("default with trust", lambda p: default(p, trust=exactly()), "loaded", "loaded"),
    row("ours, attached with other trust", ours_with_other_trust, "loaded", "loaded"),
    row(
        "trust of the system and more",
        lambda p: fasttrust.SSLContext(p, trust=TrustStore.system() | exactly()),
        "system loaded",
        "system loaded",
    ),
)
if not modes.COMPAT:  # where one store can neither differ by side nor forget: test_compat.py
    ROWS += (
        row("attached, with defaults", attached_with_defaults, "system loaded", "loaded"),
        row("attached with trust", attached_with_trust, "loaded", "loaded"),
    )


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a machine that trusts one root; return the file of its store."""
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


@pytest.fixture(params=ROWS, ids=lambda row: row.name)
def chosen(request: pytest.FixtureRequest) -> Row:
    found: Row = request.param
    return found


def test_server_context_trusts_what_the_row_says(chosen: Row) -> None:
    """A server believes no client certificate on the system's word alone."""
    assert chosen.as_server == trusted(code_as_server, lambda: chosen.make(SERVER))


def test_client_context_trusts_what_the_row_says(chosen: Row) -> None:
    """A client believes exactly the roots of its row."""
    assert chosen.as_client == trusted(code_as_client, lambda: chosen.make(CLIENT))


@modes.one_store
@pytest.mark.parametrize("make", [made, attached])
def test_side_is_the_connections(make: Make) -> None:
    """One context used for both sides trusts the system only where it is the client."""
    context = make(BOTH)
    verdicts = [judge(context, SYSTEM) for judge in 3 * (code_as_server, code_as_client)]
    assert 3 * [UNKNOWN_ISSUER, 0] == verdicts
    assert [UNKNOWN_ISSUER] * 2 == [
        code_as_server(context, STRANGER),
        code_as_client(context, STRANGER),
    ]


@pytest.mark.parametrize("loader", ["load_default_certs", "set_default_verify_paths"])
def test_default_certificates_are_the_system_on_both_sides(chosen: Row, loader: str) -> None:
    """A program that asks for the default certificates gets the system on either side."""

    def make(protocol: int) -> ssl.SSLContext:
        context = chosen.make(protocol)
        getattr(context, loader)()
        return context

    assert chosen.as_server | {"system"} == trusted(code_as_server, lambda: make(SERVER))
    assert chosen.as_client | {"system"} == trusted(code_as_client, lambda: make(CLIENT))


def test_load_default_certs_for_clients_is_the_system_too() -> None:
    """`load_default_certs(CLIENT_AUTH)`, the usual call of a server, asks for the system."""
    context = made(SERVER)
    assert code_as_server(context, SYSTEM) == UNKNOWN_ISSUER
    context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    assert code_as_server(context, STRANGER) == UNKNOWN_ISSUER
    assert code_as_server(context, SYSTEM) == 0


@pytest.mark.parametrize("make", [made, attached, default])
@pytest.mark.parametrize("loader", ["load_default_certs", "set_default_verify_paths"])
def test_one_context_does_not_change_another(make: Make, loader: str) -> None:
    """What one context loads counts in no other."""
    before = make(SERVER)
    busy = make(SERVER)
    getattr(busy, loader)()
    busy.load_verify_locations(cadata=LOADED.pem)
    assert code_as_server(before, SYSTEM) == UNKNOWN_ISSUER
    assert code_as_server(make(SERVER), SYSTEM) == UNKNOWN_ISSUER
    assert code_as_server(before, LOADED) == UNKNOWN_ISSUER
    assert code_as_client(make(CLIENT), LOADED) == UNKNOWN_ISSUER


@modes.keeps
def test_attached_directory_is_lost_and_can_be_loaded_again(tmp_path: Path) -> None:
    """A directory loaded before `attach` counts no more; loaded afterwards it does."""
    directory = hashed_directory(tmp_path / "capath", LOADED)
    context = plain(CLIENT)
    context.load_verify_locations(capath=directory)
    fasttrust.attach(context)
    assert code_as_client(context, LOADED) == UNKNOWN_ISSUER
    context.load_verify_locations(capath=directory)
    assert code_as_client(context, LOADED) == 0


@modes.keeps
def test_attach_keeps_only_what_is_beyond_the_system() -> None:
    """A root loaded before `attach` that the system holds too counts on the client's side alone."""
    server = attached(SERVER, SYSTEM, LOADED)
    assert code_as_server(server, SYSTEM) == UNKNOWN_ISSUER
    assert code_as_server(server, LOADED) == 0
    assert code_as_client(attached(CLIENT, SYSTEM, LOADED), SYSTEM) == 0


def test_root_of_the_systems_name_is_not_the_systems() -> None:
    """A root with the system's subject and another key is beyond the system, and kept."""
    twin = pki.root("twin", subject="system")
    server = attached(SERVER, twin)
    assert code_as_server(server, SYSTEM) != 0
    assert code_as_server(server, twin) == 0
    client = attached(CLIENT, twin)
    assert code_as_client(client, twin) == 0
    assert code_as_client(client, SYSTEM) == 0
    assert code_as_client(made(CLIENT), twin) != 0


def test_hashed_directory_is_the_system(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SSL_CERT_DIR names a directory whose roots count beside the file's, on the same side."""
    more = pki.root("more")
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed_directory(tmp_path / "hashed", more)))
    assert machine.exists()
    assert code_as_server(made(SERVER), more) == UNKNOWN_ISSUER
    assert code_as_client(made(CLIENT), STRANGER) == UNKNOWN_ISSUER
    assert code_as_client(default(CLIENT, cadata=LOADED.pem), more) == UNKNOWN_ISSUER
    for context in (made(CLIENT), default(CLIENT), attached(CLIENT)):
        assert [0, 0] == [code_as_client(context, root) for root in (more, SYSTEM)]


def test_changed_store_is_seen_by_contexts_made_afterwards(machine: Path) -> None:
    """Contexts made after a change trust the store as it is by then."""
    assert UNKNOWN_ISSUER == code_as_client(made(CLIENT), STRANGER)
    machine.write_text(STRANGER.pem, "ascii")
    for context in (made(CLIENT), default(CLIENT), attached(CLIENT)):
        assert [UNKNOWN_ISSUER, 0] == [code_as_client(context, root) for root in (SYSTEM, STRANGER)]


@modes.fed_once
def test_changed_store_is_seen_by_contexts_made_before(machine: Path) -> None:
    """And so do those of before, once one of the newer has had a look."""
    before = made(CLIENT)
    assert UNKNOWN_ISSUER == code_as_client(before, STRANGER)
    machine.write_text(STRANGER.pem, "ascii")
    made(CLIENT)
    # All share the system's anchors, at which the newer contexts had a look.
    assert [UNKNOWN_ISSUER, 0] == [code_as_client(before, root) for root in (SYSTEM, STRANGER)]


def test_replaced_store_is_seen_even_of_the_same_size(machine: Path, tmp_path: Path) -> None:
    """A store renamed over the old one is another file, whatever its size and date."""
    one, other = pki.root("one of two"), pki.root("two of two")
    machine.write_text(one.pem.ljust(4096, "\n"), "ascii")
    assert code_as_client(made(CLIENT), one) == 0
    fresh = tmp_path / "fresh.pem"
    fresh.write_text(other.pem.ljust(4096, "\n"), "ascii")
    fresh.replace(machine)
    assert [UNKNOWN_ISSUER, 0] == [code_as_client(made(CLIENT), root) for root in (one, other)]


def test_changed_environment_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables are read when a context asks for the system, not at import."""
    assert code_as_client(made(CLIENT), LOADED) == UNKNOWN_ISSUER
    machine_trusts(monkeypatch, tmp_path, LOADED)
    assert [UNKNOWN_ISSUER, 0] == [code_as_client(made(CLIENT), root) for root in (SYSTEM, LOADED)]


@pytest.mark.parametrize("content", [None, "", "no certificate", pki.pem(SYSTEM)[:200]])
def test_broken_store_is_an_error_and_trusts_nothing(machine: Path, content: str | None) -> None:
    """Of a store that is missing, empty or broken nothing is trusted, and nothing takes its place.

    Our constructors raise what names variable and path; a context that is attached refuses.
    """
    machine.unlink()
    if content is not None:
        machine.write_text(content, "ascii")
    for make in (made, default, made_with_the_system):
        with pytest.raises(FileNotFoundError if content is None else ssl.SSLError) as raised:
            make(CLIENT)
        assert f"SSL_CERT_FILE={machine}" in str(raised.value)
    assert code_as_client(attached(CLIENT), SYSTEM) == UNKNOWN_ISSUER
    assert code_as_client(attached(CLIENT, LOADED), LOADED) == 0
    # Who needs nothing of the system asks nothing of it.
    assert code_as_client(default(CLIENT, cadata=LOADED.pem), LOADED) == 0
    assert code_as_server(made(SERVER, LOADED), LOADED) == 0
    with pytest.raises(OSError, match="SSL_CERT_FILE"):
        made_with_the_system(SERVER)


def made_with_the_system(protocol: int) -> ssl.SSLContext:
    return fasttrust.SSLContext(protocol, trust=fasttrust.TrustStore.system())


def test_intermediate_of_the_systems_store_is_no_anchor_for_servers() -> None:
    """A server with one loaded root does not complete a client's chain to the system's."""
    middle = pki.intermediate("middle", SYSTEM)
    context = made(SERVER, middle)
    leaf_of(OWN).load(context)
    assert code_as_server(context, middle) == 2  # its issuer, the system's root, is not trusted
    assert code_as_client(made(CLIENT, middle), middle) == 0


def test_several_threads_of_trust_meet_in_one_chain() -> None:
    """A chain may pass through a loaded intermediate and end at the system's root."""
    middle = pki.intermediate("quiet middle", SYSTEM)
    assert code_as_client(made(CLIENT), middle) == UNKNOWN_ISSUER
    assert code_as_client(made(CLIENT, middle), middle) == 0
    exact = default(CLIENT, cadata=middle.pem)
    exact.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # Python 3.13 sets it
    assert code_as_client(exact, middle) == 2
