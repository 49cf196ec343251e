"""Stores that are no ordinary files: pipes, devices, directories, links, and files that change."""

from __future__ import annotations

import logging
import os
import ssl
import threading
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import TrustStore, _anchors, _system
from fasttrust._mode import compat_reason
from world import (
    attached,
    check_python,
    code,
    hashed_directory,
    leaf_of,
    machine_trusts,
    made,
    plain,
)

CLIENT = ssl.PROTOCOL_TLS_CLIENT
ONE, TWO = pki.root("one"), pki.root("two")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(_system, "PERIOD", 0)
    return machine_trusts(monkeypatch, tmp_path, ONE)


def trusted(context: ssl.SSLContext) -> list[str]:
    """Return whom a connection of the context trusts; it has its look at the store."""
    outcomes = [
        peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
        for root in (ONE, TWO)
    ]
    codes = [code(outcome.client_error) for outcome in outcomes]
    return [root.name for root, verdict in zip((ONE, TWO), codes, strict=True) if verdict == 0]


ODD = {
    "pipe": getattr(os, "mkfifo", None),  # Windows has none, and skips these
    "directory": os.mkdir,
    "device": lambda path: os.symlink(os.devnull, path),
    "link to nowhere": lambda path: os.symlink("nowhere", path),
    "link to itself": lambda path: os.symlink(path, path),
}


@pytest.mark.parametrize("kind", ODD)
def test_store_that_is_no_file_is_an_error(kind: str, machine: Path) -> None:
    """Nobody waits for who might write into a pipe: the constructor says which path is what."""
    machine.unlink()
    ODD[kind](machine)
    program = """
        import fasttrust
        try:
            fasttrust.create_default_context()
        except OSError as error:
            print(error)
    """
    printed = check_python(program, timeout=20)  # in a process of its own, which may hang
    assert f"SSL_CERT_FILE={machine}" in printed


@modes.fed_once
@pytest.mark.parametrize("kind", ODD)
def test_store_that_is_replaced_by_no_file_leaves_its_last_state(
    kind: str, machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What takes the store's place and cannot be read changes nothing, and is said."""
    contexts = [made(CLIENT), attached(CLIENT)]
    fresh = machine.with_suffix(".fresh")
    ODD[kind](fresh)
    machine.unlink()
    os.rename(fresh, machine)
    with caplog.at_level(logging.WARNING, "fasttrust"):
        assert [["one"], ["one"]] == [trusted(context) for context in contexts]
    assert "its old state counts" in caplog.text
    if kind == "directory":
        machine.rmdir()
    else:
        machine.unlink()
    machine.write_text(TWO.pem, "ascii")
    assert [["two"], ["two"]] == [trusted(context) for context in contexts]


@modes.fed_once
def test_link_that_is_turned_is_followed(machine: Path, tmp_path: Path) -> None:
    """A store that is a link to one of two files is whichever it leads to."""
    targets = {root.name: tmp_path / f"{root.name}.pem" for root in (ONE, TWO)}
    for root in (ONE, TWO):
        targets[root.name].write_text(root.pem.ljust(4096, "\n"), "ascii")
        os.utime(targets[root.name], (10**9, 10**9))
    machine.unlink()
    machine.symlink_to(targets["one"])
    context = made(CLIENT)
    for name in ("one", "two", "one", "two"):
        turned = tmp_path / "turned"
        turned.symlink_to(targets[name])
        os.replace(turned, machine)
        assert [name] == trusted(made(CLIENT)) == trusted(context)


@modes.fed_once
def test_certificates_of_a_directory_are_followed_in_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A certificate that is edited where it lies is seen, though its directory has not changed."""
    directory = hashed_directory(tmp_path / "hashed", ONE)
    (entry,) = directory.iterdir()
    elsewhere = tmp_path / "elsewhere.pem"
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    context = made(CLIENT)
    assert ["one"] == trusted(context)
    namesake = pki.root("another of that name", subject="one")
    for root, expected in ((namesake, []), (ONE, ["one"])):
        entry.write_text(root.pem, "ascii")
        assert expected == trusted(made(CLIENT)) == trusted(context)
    # So it is behind a link, as update-ca-certificates makes them.
    elsewhere.write_text(ONE.pem, "ascii")
    entry.unlink()
    entry.symlink_to(elsewhere)
    for root, expected in ((namesake, []), (ONE, ["one"])):
        elsewhere.write_text(root.pem, "ascii")
        assert expected == trusted(context)
    # One that is gone leaves nothing behind, as long as there is anything else.
    hashed_directory(directory, TWO)
    assert ["one", "two"] == trusted(context)
    elsewhere.unlink()
    assert ["two"] == trusted(context)
    elsewhere.write_text(ONE.pem, "ascii")
    assert ["one", "two"] == trusted(context)


def test_odd_entries_of_a_directory_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a hashed directory only files count that hold certificates and nothing else."""
    directory = hashed_directory(tmp_path / "hashed", ONE)
    for number, make in enumerate(filter(None, ODD.values())):
        make(directory / f"0000000{number}.0")
    trusted_block = TWO.pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE")
    (directory / "11111111.0").write_text(trusted_block, "ascii")
    (directory / "22222222.0").write_text("no certificate", "ascii")
    (directory / "33333333.r0").write_text(TWO.pem, "ascii")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    with caplog.at_level(logging.WARNING, "fasttrust"):
        assert [ONE.der] == [bytes(each) for each in TrustStore.system()]
    assert all(f"0000000{number}.0" in caplog.text for number in range(len(ODD)))


def test_pipe_is_loaded_by_ssl(tmp_path: Path) -> None:
    """What can be read only once is read once, by `ssl`'s own loader, whatever it holds."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = ONE.pem + TWO.pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE")
    for context in (plain(CLIENT), fasttrust.SSLContext(CLIENT, trust=TrustStore.none())):
        writer = threading.Thread(target=pipe.write_text, args=(text, "ascii"), daemon=True)
        writer.start()
        context.load_verify_locations(pipe)
        writer.join(20)
        assert {"x509": 2, "crl": 0, "x509_ca": 2} == context.cert_store_stats()
        assert ["one", "two"] == trusted(context)


@modes.fed_once
def test_reader_who_was_interrupted_has_not_the_last_word(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal's handler that looks at the store in the middle of a look has the newer one."""
    prior = made(CLIENT)
    assert ["one"] == trusted(prior)
    monkeypatch.setattr(_system, "PERIOD", 3_600_000_000_000)
    assert ["one"] == trusted(prior)  # the next look is an hour away
    read = _system._read
    inside: list[ssl.SSLContext] = []

    def read_and_be_interrupted(where: _system.Places) -> object:
        found = read(where)
        if not inside:
            inside.append(plain(CLIENT))
            machine.write_text(TWO.pem, "ascii")
            inside.append(made(CLIENT))
            inside[1].get_ca_certs()
        return found

    machine.write_text(pki.pem(ONE, TWO), "ascii")
    monkeypatch.setattr(_system, "_read", read_and_be_interrupted)
    outer = made(CLIENT)
    outer.get_ca_certs()
    assert ["two"] == trusted(prior) == trusted(outer) == trusted(inside[1])


def test_entry_of_another_name_counts_as_with_openssl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A hashed directory's file whose name is not its subject's hash is found by nobody."""
    directory = hashed_directory(tmp_path / "hashed", ONE, TWO)
    names = sorted(directory.iterdir())
    text = TWO.pem
    wrong = next(path for path in names if path.read_text("ascii") == text)
    wrong.rename(directory / "01234567.0")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    theirs = plain(CLIENT)
    theirs.load_verify_locations(capath=directory)
    assert ["one"] == trusted(theirs) == trusted(made(CLIENT))
    assert compat_reason() or "01234567.0" in caplog.text


def test_file_that_never_stands_still_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that changes during each of several reads is an error, and no mixture of two."""
    signature = _anchors.signature
    times = iter(range(1000))

    def restless(status: os.stat_result) -> _anchors.Signature:
        *rest, changed = signature(status)
        return (*rest, changed + next(times))  # type: ignore[return-value]

    monkeypatch.setattr(_anchors, "signature", restless)
    monkeypatch.setattr(_system, "_systems", {})  # nobody has read it yet
    with pytest.raises(OSError, match=r"changes while it is read.*SSL_CERT_FILE"):
        made(CLIENT)
