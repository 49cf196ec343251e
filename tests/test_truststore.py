"""TrustStore: what is trusted, as a value."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import Certificate, TrustStore, _system
from world import code, leaf_of, machine_trusts

ONE, TWO, THREE = (pki.root(name) for name in ("one", "two", "three"))
CLIENT = ssl.PROTOCOL_TLS_CLIENT
CRL = pki.crl(ONE)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ONE)


@pytest.fixture
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a machine that has no store anywhere."""
    places = _system.Places(None, [], "")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setattr(_system, "places", lambda chosen: places)
    monkeypatch.setattr(_system, "_systems", {})


def codes(trust: TrustStore) -> list[int]:
    """Return what a client with exactly this trust makes of the three roots' servers."""
    context = fasttrust.SSLContext(CLIENT, trust=trust)
    servers = [peer.server_context(leaf_of(root)) for root in (ONE, TWO, THREE)]
    return [code(peer.connect(context, each, carrier="bio").client_error) for each in servers]


def test_every_way_to_the_same_certificates_is_equal(tmp_path: Path) -> None:
    """A store is what it holds, and can be listed."""
    text = pki.pem(TWO, THREE)
    file = tmp_path / "two.pem"
    file.write_bytes(text.encode())
    stores = [
        TrustStore.from_pem_file(file),
        TrustStore.from_pem_file(str(file)),
        TrustStore.from_pem(text),
        TrustStore.from_pem(text.encode()),
    ]
    assert len({*stores}) == 1
    for store in (*stores, TrustStore.from_der([TWO.der, Certificate(THREE.der)])):
        assert [Certificate(TWO.der), Certificate(THREE.der)] == list(store)
        assert 2 == len(store)
        assert [20, 0, 0] == codes(store)
    assert stores[0] != TrustStore.from_pem(TWO.pem)
    assert stores[0] != text


def test_stores_are_joined() -> None:
    """`|` is a union: commutative, and each certificate counts once."""
    two, three = TrustStore.from_pem(TWO.pem), TrustStore.from_pem(THREE.pem)
    assert two | three == three | two
    assert two | two == two
    assert two | TrustStore.none() == two
    assert 2 == len(two | three | TrustStore.from_der([TWO.der]))
    assert [20, 0, 0] == codes(two | three)
    assert [0, 0, 20] == codes(TrustStore.system() | two)
    with pytest.raises(TypeError):
        two | TWO.pem  # type: ignore[operator]


def test_nobody_is_trusted_by_none() -> None:
    """The store that trusts nobody is a store, and not a missing one."""
    assert bool(TrustStore.none())
    assert 0 == len(TrustStore.none())
    assert [] == list(TrustStore.from_der([]))
    assert [20, 20, 20] == codes(TrustStore.none())


def test_system_is_listed_as_it_is_now(machine: Path) -> None:
    """The system's store is equal to itself, whatever it holds by now."""
    store = TrustStore.system()
    assert store == TrustStore.system()
    assert [ONE.der] == [bytes(each) for each in store]
    machine.write_text(pki.pem(TWO, THREE), "ascii")
    assert 2 == len(store)
    assert store == TrustStore.system()


@pytest.mark.usefixtures("no_store")
def test_fallback_counts_where_there_is_no_store() -> None:
    """Only a machine without any store uses the fallback; without one it is an error."""
    with pytest.raises(FileNotFoundError, match=r"searched: .*/etc/ssl/certs"):
        fasttrust.SSLContext(CLIENT)
    with pytest.raises(FileNotFoundError, match="no store"):
        fasttrust.create_default_context(trust=TrustStore.system())
    assert [20, 0, 20] == codes(TrustStore.system(fallback=TrustStore.from_pem(TWO.pem)))
    assert [20, 20, 20] == codes(TrustStore.system(fallback=TrustStore.none()))


def test_fallback_does_not_count_beside_a_store(machine: Path) -> None:
    """Where there is a store the fallback is nothing, and a broken store is not a missing one."""
    store = TrustStore.system(fallback=TrustStore.from_pem(TWO.pem))
    assert [0, 20, 20] == codes(store)
    assert store != TrustStore.system()


def test_fallback_does_not_stand_in_for_a_broken_store(machine: Path) -> None:
    """What SSL_CERT_FILE names and is not there is an error, fallback or not."""
    machine.unlink()
    with pytest.raises(FileNotFoundError, match="SSL_CERT_FILE"):
        codes(TrustStore.system(fallback=TrustStore.from_pem(TWO.pem)))


def test_different_fallbacks_are_not_joined() -> None:
    """Two answers to one question are an error."""
    first = TrustStore.system(fallback=TrustStore.from_pem(TWO.pem))
    with pytest.raises(ValueError, match="fallback"):
        first | TrustStore.system(fallback=TrustStore.from_pem(THREE.pem))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ValueError),
        ("no certificate", ssl.SSLError),
        (TWO.pem[:300], ssl.SSLError),
        (TWO.pem + CRL, ValueError),
        ("\u00e9" + TWO.pem, ValueError),
    ],
    ids=["empty", "text", "cut off", "and a CRL", "not ASCII"],
)
def test_text_that_is_not_certificates_is_an_error(text: str, error: type[Exception]) -> None:
    """Nothing is left out of a text silently."""
    with pytest.raises(error):
        TrustStore.from_pem(text)


def test_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A missing file is a FileNotFoundError, one with more than certificates says so."""
    file = tmp_path / "some.pem"
    with pytest.raises(FileNotFoundError):
        TrustStore.from_pem_file(file)
    file.write_text(TWO.pem + CRL, "ascii")
    with pytest.raises(ValueError, match=r"some\.pem"):
        TrustStore.from_pem_file(file)
    file.write_text("", "ascii")
    with pytest.raises(ssl.SSLError):
        TrustStore.from_pem_file(file)


@pytest.mark.parametrize("value", [TWO.der, [b""], [TWO.der[:-1]], [TWO.pem.encode()]])
def test_der_that_is_no_certificate_is_an_error(value: Any) -> None:
    """A list of certificates holds certificates."""
    with pytest.raises((TypeError, ValueError)):
        TrustStore.from_der(value)


@pytest.mark.parametrize("value", [5, 10**12, [65], None])
def test_number_is_no_certificate(value: Any) -> None:
    """Nor are they so many zeros, which might be more than the machine has room for."""
    with pytest.raises(TypeError):
        TrustStore.from_pem(value)
    with pytest.raises(TypeError):
        TrustStore.from_der([value])


@modes.keeps
def test_trust_is_a_trust_store() -> None:
    """Neither a path nor a text is taken for trust, and no store is made by its class."""
    with pytest.raises(TypeError):
        TrustStore()
    for wrong in (TWO.pem, [TWO.der], True):
        with pytest.raises(TypeError, match="not a TrustStore"):
            fasttrust.SSLContext(CLIENT, trust=wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not a TrustStore"):
            fasttrust.create_default_context(trust=wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not a TrustStore"):
            fasttrust.attach(ssl.SSLContext(CLIENT), trust=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="fallback"):
        TrustStore.system(fallback=TWO.pem)  # type: ignore[arg-type]


def test_repr_can_be_read() -> None:
    """What a traceback shows says what is trusted."""
    store = TrustStore.system() | TrustStore.from_pem(pki.pem(TWO, THREE))
    assert "<fasttrust.TrustStore: the system | 2 certificates>" == repr(store)
    assert "<fasttrust.TrustStore: nothing>" == repr(TrustStore.none())
