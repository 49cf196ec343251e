"""The system's store changes under contexts that exist, under threads, and under a fork."""

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
from fasttrust import _anchors, _native, _native_anchors, _system
from world import attached, check_python, code, hashed_directory, leaf_of, machine_trusts, made

ROOTS = tuple(pki.root(name) for name in ("one", "two"))
SERVERS = tuple(peer.server_context(leaf_of(root)) for root in ROOTS)
CLIENT = ssl.PROTOCOL_TLS_CLIENT
ONE, TWO, NONE = [0, 20], [20, 0], [20, 20]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ROOTS[0])


def codes(context: ssl.SSLContext) -> list[int]:
    """Return what a connection to the server of each root comes to."""
    return [code(peer.connect(context, each, carrier="bio").client_error) for each in SERVERS]


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection find that the time for a look has come."""
    monkeypatch.setattr(_system, "PERIOD", 0)


@modes.fed_once
@pytest.mark.usefixtures("due")
@pytest.mark.parametrize("make", [made, attached])
def test_long_lived_context_follows_the_store(make: type[ssl.SSLContext], machine: Path) -> None:
    """A root that is added is trusted at the next connection, one that is removed no more."""
    context = make(CLIENT)
    for held, expected in ((ROOTS, [0, 0]), (ROOTS[1:], TWO), (ROOTS[:1], ONE), (ROOTS[1:], TWO)):
        machine.write_text(pki.pem(*held), "ascii")
        assert expected == codes(context)


def test_nobody_looks_before_it_is_time(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the period a connection asks nothing of the file system."""
    context = made(CLIENT)
    assert ONE == codes(context)  # the first of them has had its look
    monkeypatch.setattr(os, "stat", lambda *_: pytest.fail("a connection looked at the store"))
    assert ONE == codes(context)


@modes.fed_once
@pytest.mark.usefixtures("due")
@pytest.mark.parametrize("content", [None, "", "no certificate", ROOTS[1].pem[:200]])
def test_store_that_breaks_leaves_its_last_state(
    machine: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that is gone, empty or broken changes nothing, and says so; repaired it counts."""
    context = made(CLIENT)
    machine.unlink()
    if content is not None:
        machine.write_text(content, "ascii")
    with caplog.at_level(logging.WARNING, "fasttrust"):
        assert ONE == codes(context)
    assert "its old state counts" in caplog.text
    machine.write_text(ROOTS[1].pem, "ascii")
    assert TWO == codes(context)


@pytest.mark.usefixtures("due")
def test_store_that_comes_later_is_found(machine: Path) -> None:
    """A context that was attached while there was no store trusts the store once there is one."""
    machine.unlink()
    context = attached(CLIENT)
    assert NONE == codes(context)
    machine.write_text(ROOTS[0].pem, "ascii")
    assert ONE == codes(context)


def test_change_within_one_tick_of_the_clock_is_seen(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store rewritten in place, to the same size and in the same instant, is read again."""
    fine = _anchors.signature
    tick = 10_000_000  # as of a kernel with 100 ticks a second

    def coarse(status: os.stat_result) -> _anchors.Signature:
        *identity, modified, changed = fine(status)
        return (*identity, modified // tick * tick, changed // tick * tick)  # type: ignore[return-value]

    monkeypatch.setattr(_anchors, "signature", coarse)
    size = max(len(root.pem) for root in ROOTS) + 1
    texts = [root.pem.ljust(size, "\n") for root in ROOTS]
    for turn in range(30):
        machine.write_text(texts[turn % 2], "ascii")
        assert [ROOTS[turn % 2].der] == made(CLIENT).get_ca_certs(True)


def test_who_read_first_has_not_the_last_word(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow reader of the old store does not undo what a quick one found in the new store."""

    def look() -> None:
        made(CLIENT).get_ca_certs()

    look()
    slow_has_read, quick_is_between, slow_is_done = (threading.Event() for _ in range(3))
    replace = _native_anchors.source_replace

    def replace_in_turns(source: _native.Source, index: _native.Index) -> None:
        # Between the C core's half of a change and Python's, as unlucky as can be. Readers that
        # wait for each other never come to that: then the events are waited for in vain.
        if threading.current_thread() is slow:
            slow_has_read.set()
            quick_is_between.wait(0.5)
            replace(source, index)
        else:
            replace(source, index)
            quick_is_between.set()
            slow_is_done.wait(0.5)

    def be_slow() -> None:
        look()
        slow_is_done.set()

    monkeypatch.setattr(_native_anchors, "source_replace", replace_in_turns)
    slow = threading.Thread(target=be_slow, daemon=True)
    quick = threading.Thread(target=look, daemon=True)
    machine.write_text(pki.pem(*ROOTS), "ascii")
    slow.start()
    assert slow_has_read.wait(10)
    machine.write_text(ROOTS[1].pem, "ascii")
    quick.start()
    for thread in (slow, quick):
        thread.join(10)
        assert not thread.is_alive()
    assert TWO == codes(made(CLIENT))


@modes.fed_once
def test_first_connection_after_default_certificates_looks_at_the_store(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system holds when it is asked for counts, whenever anybody looked before."""
    monkeypatch.setattr(_system, "PERIOD", 3_600_000_000_000)
    context = made(CLIENT)
    assert ONE == codes(context)
    machine.write_text(pki.pem(ROOTS[1]), "ascii")
    context.load_default_certs()
    assert TWO == codes(context)


def test_default_certificates_while_another_thread_connects(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its look was at the store of before: the next connection looks at the one that counts now."""
    monkeypatch.setattr(_system, "PERIOD", 3_600_000_000_000)
    other = tmp_path / "other.pem"
    other.write_text(ROOTS[0].pem, "ascii")
    context = made(CLIENT)
    refresh = _system.System.refresh

    def meanwhile(system: _system.System) -> None:
        refresh(system)
        monkeypatch.setattr(_system.System, "refresh", refresh)
        monkeypatch.setenv("SSL_CERT_FILE", str(other))
        assert ONE == codes(made(CLIENT))  # somebody has looked at it before
        other.write_text(ROOTS[1].pem, "ascii")
        context.load_default_certs()

    monkeypatch.setattr(_system.System, "refresh", meanwhile)
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=pki.HOST)
    assert TWO == codes(context)


@modes.fed_once
def test_first_connection_of_a_context_looks_at_the_store(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new context looks when it first connects: what changed since it was made counts too."""
    monkeypatch.setattr(_system, "PERIOD", 3_600_000_000_000)
    old, waiting = made(CLIENT), made(CLIENT)
    assert ONE == codes(old)
    machine.write_text(ROOTS[1].pem, "ascii")
    assert ONE == codes(old)  # nobody looks again so soon
    assert TWO == codes(waiting)
    assert TWO == codes(old)


@pytest.mark.usefixtures("due")
def test_hashed_directory_is_followed_too(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A root that is put into the store's directory counts, unless the file has its name."""
    directory = hashed_directory(tmp_path / "hashed")
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    context = made(CLIENT)
    assert ONE == codes(context)
    hashed_directory(directory, ROOTS[1])
    assert [0, 0] == codes(context)
    namesake = pki.root("namesake of one", subject="one")
    hashed_directory(directory, namesake)
    assert namesake.der not in context.get_ca_certs(True)
    assert machine.exists()


def test_fork_while_the_store_is_read() -> None:
    """A child forked in the middle of another thread's look makes contexts and goes on looking."""
    program = """
        import os, ssl, threading, fasttrust
        from fasttrust import _system
        fasttrust.create_default_context()
        held, go_on = threading.Event(), threading.Event()
        def hold():
            with _system._refreshing:
                held.set()
                go_on.wait(20)
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(20)
        child = os.fork()
        if child == 0:
            fasttrust.create_default_context()
            os._exit(7)
        status = os.waitpid(child, 0)[1]
        go_on.set()
        thread.join()
        fasttrust.create_default_context()
        print(os.waitstatus_to_exitcode(status))
    """
    warning = "ignore:This process:DeprecationWarning"  # that is what is tested
    assert "7\n" == check_python(program, "-W", warning, timeout=30)


def test_system_of_another_environment_is_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A context keeps to the store of the environment in which it was made."""
    first = made(CLIENT)
    other = tmp_path / "other"
    other.mkdir()
    machine_trusts(monkeypatch, other, ROOTS[1])
    second = made(CLIENT)
    assert [ONE, TWO] == [codes(first), codes(second)]
    assert len(fasttrust.TrustStore.system()) == 1
