"""What a peer or a program gets wrong: error, code and alert are those of plain `ssl`."""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from world import code, machine_trusts, plain

ROOT = pki.root("root")
A = pki.intermediate("A", ROOT)
SENT = pki.Chain((pki.leaf("leaf of A", A), A))
LEAF = pki.Chain((pki.leaf("server", ROOT),))
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
Make = Callable[..., ssl.SSLContext]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


def flight(message: bytes) -> bytes:
    """Return a TLS 1.2 ServerHello and a Certificate message of that body, as one record."""
    renegotiation = b"\x00\x05\xff\x01\x00\x01\x00"
    hello = b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2b" + b"\x00" + renegotiation
    body = b"\x02" + len(hello).to_bytes(3, "big") + hello
    body += b"\x0b" + len(message).to_bytes(3, "big") + message
    return b"\x16\x03\x03" + len(body).to_bytes(2, "big") + body


def listed(*certificates: bytes) -> bytes:
    """Return the body of a Certificate message."""
    body = b"".join(len(each).to_bytes(3, "big") + each for each in certificates)
    return len(body).to_bytes(3, "big") + body


def after(context: ssl.SSLContext, message: bytes) -> tuple[object, ...]:
    """Return what a client makes of a Certificate message, and what it answers on the wire."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=pki.HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    outgoing.read()
    incoming.write(flight(message))
    return made_of_it(tls), outgoing.read()


def after_client(context: ssl.SSLContext, message: bytes) -> tuple[object, ...]:
    """Return what a server makes of a client's Certificate message, and what it answers."""
    hello, incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    client = plain(CLIENT)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), hello, server_hostname=pki.HOST).do_handshake()
    incoming.write(hello.read())
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    outgoing.read()
    body = b"\x0b" + len(message).to_bytes(3, "big") + message
    incoming.write(b"\x16\x03\x03" + len(body).to_bytes(2, "big") + body)
    return made_of_it(tls), outgoing.read()


def made_of_it(tls: ssl.SSLObject) -> tuple[object, ...]:
    """Return reason and code of the refusal; what we say beyond must never be a crash."""
    try:
        tls.do_handshake()
    except ssl.SSLError as error:
        refused = error
    else:
        raise AssertionError("half a handshake was enough")
    verdict = getattr(refused, "verify_code", None)
    is_ours = verdict is not None and isinstance(tls.context, fasttrust.SSLContext)
    assert isinstance(refused, fasttrust.VerificationError) == is_ours
    if isinstance(refused, fasttrust.VerificationError):
        assert refused.chain == fasttrust.get_unverified_chain(tls)
        assert all(map(repr, refused.chain))
        assert () == fasttrust.get_verified_chain(tls)
    return refused.reason, verdict


def messages(sent: pki.Chain = SENT) -> Iterator[bytes]:
    leaf, middle = sent.ders
    yield from (listed(leaf, middle), listed(leaf), listed(middle, leaf), listed(leaf, leaf))
    yield from (b"", bytes(3), listed(b""), listed(b"\x30\x00"), listed(b"garbage"), b"\xff" * 9)
    yield from (listed(leaf + b"x"), listed(leaf[:-1]), listed(leaf, b"garbage"), listed(leaf)[:-5])
    chance = random.Random(3)
    for _ in range(250):
        mutant = bytearray(leaf)
        for _ in range(chance.randrange(1, 4)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        yield listed(bytes(mutant), middle)


def test_malformed_certificates_are_refused_as_by_ssl(make: Make) -> None:
    """Whatever a server calls its certificate, error, code and alert are those of plain `ssl`."""
    contexts = plain(CLIENT, ROOT), make(CLIENT, ROOT)
    for context in contexts:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    found = [[after(context, message) for message in messages()] for context in contexts]
    assert found[0] == found[1]
    assert len(set(found[0])) > 5
    assert (None, b"") == (found[0][0][0][1], found[0][0][1])  # the good one: more is waited for


def test_malformed_client_certificates_are_refused_as_by_ssl(make: Make) -> None:
    """Whatever a client calls its certificate, the server's verdict and alert are plain `ssl`'s."""
    contexts = plain(SERVER, ROOT), make(SERVER, ROOT)
    for context in contexts:
        LEAF.load(context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
    sent = pki.Chain((pki.leaf("client of A", A), A))
    found = [[after_client(context, each) for each in messages(sent)] for context in contexts]
    assert found[0] == found[1]
    assert len(set(found[0])) > 5
    assert (None, b"") == (found[0][0][0][1], found[0][0][1])


@pytest.mark.parametrize("length", [20, 100, pytest.param(130, marks=modes.no_core)])
def test_long_chains_are_judged_as_by_ssl(make: Make, length: int) -> None:
    """A chain of a hundred certificates is accepted or refused where plain `ssl` does so."""
    chain = [ROOT]
    for number in range(length - 1):
        chain.append(pki.intermediate(f"level {number}", chain[-1]))
    chain.append(pki.leaf("deep leaf", chain[-1]))
    server = peer.server_context(pki.Chain(tuple(reversed(chain[1:]))))
    outcomes = [
        peer.connect(each(CLIENT, ROOT), server, carrier="bio", inspect=count)
        for each in (plain, make)
    ]
    errors = [outcome.client_error for outcome in outcomes]
    assert len({getattr(error, "reason", None) for error in errors}) == 1
    assert len({getattr(error, "verify_code", 0) for error in errors}) == 1
    if errors[0] is not None and ssl.OPENSSL_VERSION_INFO < (3,):  # which keeps nothing of it
        assert (0, 0) == outcomes[0].inspected
        return
    assert outcomes[0].inspected == outcomes[1].inspected


def count(connection: object) -> tuple[int, int]:
    return (
        len(fasttrust.get_verified_chain(connection)),
        len(fasttrust.get_unverified_chain(connection)),
    )


def demands_name() -> bool:
    """Tell whether `wrap_bio` is an error without a name: since 3.14.10 and 3.15.2, or before."""
    try:
        plain(CLIENT, ROOT).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    except ValueError as error:
        return "check_hostname requires server_hostname" in str(error)
    return False


# The last of the older Pythons (seen: 3.11.17) warn where the newest raise.
@pytest.mark.filterwarnings("ignore:check_hostname requires server_hostname:DeprecationWarning")
@pytest.mark.parametrize("carrier", ["bio", "asyncio"])
def test_without_a_name_the_chain_is_verified_all_the_same(make: Make, carrier: str) -> None:
    """As with `ssl`, a connection told no name checks none, or is none where Python demands one."""
    other = pki.leaf("other", A, names=("other.test",))
    for sent, verdict in (
        (pki.Chain((other, A)), 0),
        (pki.Chain((pki.leaf("strange", pki.root("stranger"), names=("other.test",)),)), 20),
    ):
        for each in (plain, make):
            client = each(CLIENT, ROOT)
            assert client.check_hostname
            outcome = peer.connect(
                client, peer.server_context(sent), carrier=carrier, server_hostname=None
            )
            if demands_name():
                assert isinstance(outcome.client_error, ValueError)
                assert b"" == outcome.server_received
                continue
            assert verdict == code(outcome.client_error)
            assert (b"" if verdict else peer.SECRET) == outcome.server_received
    with (
        socket.socket() as raw,
        pytest.raises(ValueError, match="check_hostname requires server_hostname"),
    ):
        make(CLIENT).wrap_socket(raw)
