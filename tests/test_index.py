"""
Anchors held in every way that there is: indexes, the store, the system, and any mixture of them.

What the table of verdicts says of a chain is what plain `ssl` says with the same anchors; so it
must be said here, with code, depth, alert and verified chain, wherever each anchor is held.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

import fasttrust
import modes
from cases import CASES, Case, run
from cases_anchors import LEAF_NEW, NEW, OLD
from cases_check import check_ours, check_verdict, look
from fasttrust import TrustStore
from peer import VERSIONS, connect, server_context
from pki import Chain, Issued, intermediate, leaf, pem, root
from world import code, machine_trusts, made, plain

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
WITH_ANCHORS = [case for case in CASES if case.anchors and case.applies]

Hold = Callable[[int, tuple[Issued, ...]], ssl.SSLContext]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


class Holds:
    """Ways to give a context its anchors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.monkeypatch = monkeypatch
        self.folder = folder

    def _file(self, *anchors: Issued) -> Path:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.pem"
        path.write_text(pem(*anchors), "ascii")
        return path

    def one_file(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        return fasttrust.SSLContext(protocol, trust=TrustStore.from_pem_file(self._file(*anchors)))

    def file_each(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        context = fasttrust.SSLContext(protocol, trust=TrustStore.none())
        for anchor in anchors:
            context.load_verify_locations(self._file(anchor))
        return context

    def data_each(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        context = fasttrust.SSLContext(protocol, trust=TrustStore.none())
        for anchor in anchors:
            context.load_verify_locations(cadata=anchor.der)
        return context

    def joined(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        trust = TrustStore.none()
        for anchor in anchors:
            trust |= TrustStore.from_der([anchor.der])
        return fasttrust.SSLContext(protocol, trust=trust)

    def attached_with_trust(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        context = plain(protocol, root("dropped"))
        fasttrust.attach(context, trust=TrustStore.from_pem(pem(*anchors)))
        return context

    def store_then_files(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        context = plain(protocol, *anchors[::2])
        fasttrust.attach(context)
        for anchor in anchors[1::2]:
            context.load_verify_locations(self._file(anchor))
        return context

    def file_then_store(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        context = plain(protocol, *anchors[1::2])
        fasttrust.attach(context)
        for anchor in anchors[::2]:
            context.load_verify_locations(self._file(anchor))
        return context

    def attached_again(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        context = self.store_then_files(protocol, anchors)
        fasttrust.attach(context)
        return context

    def system(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        machine_trusts(self.monkeypatch, self.folder, *anchors)
        return fasttrust.SSLContext(protocol, trust=TrustStore.system())

    def system_and_files(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        machine_trusts(self.monkeypatch, self.folder, *anchors[::2])
        context = fasttrust.SSLContext(protocol, trust=TrustStore.system())
        for anchor in anchors[1::2]:
            context.load_verify_locations(self._file(anchor))
        return context

    def system_and_store(self, protocol: int, anchors: tuple[Issued, ...]) -> ssl.SSLContext:
        machine_trusts(self.monkeypatch, self.folder, *anchors[1::2])
        context = plain(protocol, *anchors[::2])
        fasttrust.attach(context)
        context.load_default_certs()
        return context


WAYS = [
    pytest.param(name, marks=[modes.keeps] if name == "attached_with_trust" else [])
    for name in vars(Holds)
    if not name.startswith("_")
]


@pytest.fixture(params=WAYS)
def hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hold:
    folder = tmp_path / "held"
    folder.mkdir()
    found: Hold = getattr(Holds(monkeypatch, folder), request.param)
    return found


@pytest.mark.parametrize("case", WITH_ANCHORS, ids=lambda case: case.name)
def test_every_row_wherever_its_anchors_are_held(case: Case, hold: Hold) -> None:
    """A row's verdict, code, depth, alert and chain are the same wherever its anchors are held."""
    version = ssl.TLSVersion.TLSv1_3
    outcome = run(
        case,
        carrier="bio",
        version=version,
        make_context=lambda case: hold(CLIENT, case.anchors),
        inspect=look,
    )
    check_verdict(case, "bio", version, outcome)
    check_ours(case, "bio", outcome)


@modes.fed_once
def test_rolled_over_ca_after_one_was_removed(machine: Path) -> None:
    """Of a CA's two certificates the one that leaves the store counts no more, the other does."""
    server = server_context(Chain((LEAF_NEW,)))
    context = made(CLIENT)
    for held, expected in (
        ((OLD, NEW), 0),
        ((OLD,), 20),
        ((NEW,), 0),
        ((NEW, OLD), 0),
        ((OLD,), 20),
    ):
        machine.write_text(pem(*held), "ascii")
        made(CLIENT).get_ca_certs()  # looks at the store, for the older context too
        assert expected == code(connect(plain(CLIENT, *held), server, carrier="bio").client_error)
        assert expected == code(connect(context, server, carrier="bio").client_error)


@modes.keeps
def test_rolled_over_ca_after_trust_was_replaced() -> None:
    """What `attach` with other trust drops counts no more, of whatever name it was."""
    server = server_context(Chain((LEAF_NEW,)))
    context = made(CLIENT, OLD, NEW)
    for held, expected in (((OLD,), 20), ((NEW,), 0), ((), 20), ((OLD, NEW), 0)):
        fasttrust.attach(context, trust=TrustStore.from_der([anchor.der for anchor in held]))
        assert expected == code(connect(context, server, carrier="bio").client_error)


# ---- a chain of our own ------------------------------------------------------------------------

ROOT = root("root of our own")
MIDDLE = intermediate("middle of our own", ROOT)
ALONE = Chain((leaf("our own", MIDDLE),))
HELD = [(MIDDLE,), (MIDDLE, ROOT), (ROOT,), (root("nobody's"),)]


def sent_by(context: ssl.SSLContext, *, as_server: bool, version: ssl.TLSVersion) -> list[bytes]:
    """Return what a peer receives of a context that was given its certificate alone."""
    ALONE.load(context)
    context.verify_mode = ssl.CERT_NONE if as_server else context.verify_mode
    received: list[list[bytes]] = []

    def keep(connection: object) -> None:
        received.append([bytes(each) for each in fasttrust.get_unverified_chain(connection)])

    if as_server:
        client = plain(CLIENT, ROOT, MIDDLE)
        client.minimum_version = client.maximum_version = version
        connect(client, context, carrier="bio", inspect=keep)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        server = server_context(ALONE, version=version, client_anchors=(ROOT, MIDDLE))
        connect(context, server, carrier="bio", inspect_server=keep)
    return received[0]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize("as_server", [True, False], ids=["server", "client"])
@pytest.mark.parametrize("held", HELD, ids=["middle", "both", "root", "nobody's"])
def test_chain_of_our_own_is_built_as_ever(
    held: tuple[Issued, ...], as_server: bool, version: ssl.TLSVersion, hold: Hold
) -> None:
    """OpenSSL completes a chain of our own from the anchors, wherever they are held."""
    protocol = SERVER if as_server else CLIENT
    expected = sent_by(plain(protocol, *held), as_server=as_server, version=version)
    assert ALONE.ders[0] == expected[0]
    assert (len(expected) > 1) == (MIDDLE in held)
    assert expected == sent_by(hold(protocol, held), as_server=as_server, version=version)
