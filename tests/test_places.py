"""Where the system's store is looked for, on machines of every kind, without the variables."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest

import fasttrust
import modes
import pki
from fasttrust import _places, _system
from world import attached, hashed_directory

ONE, TWO, THREE = (pki.root(name) for name in ("one", "two", "three"))


class Machine:
    """A machine with OpenSSL's own places and others, all of which are missing at first."""

    def __init__(self, folder: Path) -> None:
        self.default_file, self.default_directory = folder / "cert.pem", folder / "certs"
        self.files = [folder / f"bundle {number}.pem" for number in range(3)]
        self.directories = [folder / f"hashed {number}" for number in range(2)]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    default = ("SSL_CERT_FILE", str(made.default_file), "SSL_CERT_DIR", str(made.default_directory))
    fake = SimpleNamespace(get_default_verify_paths=lambda: default)
    monkeypatch.setattr(_places, "_ssl", fake)
    monkeypatch.setattr(_places, "FILES", [str(path) for path in made.files])
    monkeypatch.setattr(_places, "DIRECTORIES", [str(path) for path in made.directories])
    monkeypatch.setattr(_system, "_systems", {})
    monkeypatch.setattr(_system, "PERIOD", 0)
    return made


def trusted() -> set[str]:
    """Return whom the system trusts, as a context finds it that nobody made before."""
    _system._systems.clear()
    ders = {root.der: root.name for root in (ONE, TWO, THREE)}
    return {ders[bytes(certificate)] for certificate in fasttrust.TrustStore.system()}


def test_openssls_own_file_and_directory_count_together(machine: Machine) -> None:
    """OpenSSL's places come first, and a certificate in either of them counts."""
    machine.files[0].write_text(THREE.pem, "ascii")
    machine.default_file.write_text(ONE.pem, "ascii")
    assert {"one"} == trusted()
    hashed_directory(machine.default_directory, TWO)
    assert {"one", "two"} == trusted()
    machine.default_file.unlink()
    assert {"two"} == trusted()


@modes.no_core
def test_entry_of_a_name_that_the_file_has_is_not_read(machine: Machine) -> None:
    """A directory counts where the file has nobody of that name: a distribution holds both."""
    machine.default_file.write_text(ONE.pem, "ascii")
    twin = pki.root("twin", subject="one")
    hashed_directory(machine.default_directory, twin, TWO)
    assert {"one", "two"} == trusted()
    machine.default_file.write_text(THREE.pem, "ascii")
    hashed_directory(machine.default_directory, ONE)
    assert {"one", "two", "three"} == trusted()


def test_first_place_with_a_store_counts(machine: Machine) -> None:
    """Where OpenSSL's own places hold nothing, one other does, and no second one."""
    machine.default_directory.mkdir()
    (machine.default_directory / "README").write_text("no certificate", "ascii")
    hashed_directory(machine.directories[1], THREE)
    assert {"three"} == trusted()
    hashed_directory(machine.directories[0], TWO)
    assert {"two"} == trusted()
    machine.files[2].write_text(ONE.pem, "ascii")
    assert {"one"} == trusted()
    machine.files[1].write_text(pki.pem(TWO, THREE), "ascii")
    assert {"two", "three"} == trusted()


@pytest.mark.parametrize("content", ["", "no certificate", ONE.pem[:100]])
def test_place_that_is_broken_is_an_error(machine: Machine, content: str) -> None:
    """A store that is there and says nothing is not made up for by the next place."""
    machine.files[0].write_text(content, "ascii")
    machine.files[1].write_text(ONE.pem, "ascii")
    with pytest.raises(ssl.SSLError, match=machine.files[0].name):
        fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_machine_without_a_store_says_where_it_was_looked_for(machine: Machine) -> None:
    """No store at all is an error with every place, until there is one."""
    with pytest.raises(FileNotFoundError) as raised:
        fasttrust.create_default_context()
    own = (machine.default_file, machine.default_directory)
    for path in (*own, *machine.files, *machine.directories):
        assert str(path) in str(raised.value)
    context = attached(ssl.PROTOCOL_TLS_CLIENT)
    assert [] == context.get_ca_certs()
    machine.files[0].write_text(ONE.pem, "ascii")
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="server.test")
    assert [ONE.der] == context.get_ca_certs(True)


def test_place_that_was_found_is_kept(machine: Machine) -> None:
    """Where a store was found and is no more, its last state counts, and no other place's."""
    machine.files[1].write_text(ONE.pem, "ascii")
    context = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    machine.files[1].unlink()
    machine.files[2].write_text(TWO.pem, "ascii")
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="server.test")
    assert [ONE.der] == context.get_ca_certs(True)
