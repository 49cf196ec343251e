"""The store changes under 16 threads, after a pause, and under a fork at any moment."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import _system
from world import attached, check_python, code, leaf_of, machine_trusts, made, until_let

STAYS, GONE = pki.root("stays"), pki.root("gone")
SPARE = tuple(pki.root(f"spare {number}") for number in range(3))
STRANGER = pki.root("stranger")
SERVERS = {root.name: peer.server_context(leaf_of(root)) for root in (STAYS, GONE, STRANGER)}
CLIENT = ssl.PROTOCOL_TLS_CLIENT
NUM_THREADS = 16
TIMEOUT = 20


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, STAYS, GONE)


def verdict(context: ssl.SSLContext, root: pki.Issued) -> int:
    return code(peer.connect(context, SERVERS[root.name], carrier="bio").client_error)


def replaced(store: Path, content: str) -> None:
    """Put a file in the store's place, as a package manager does."""
    fresh = store.with_suffix(".new")
    fresh.write_text(content, "ascii")
    until_let(lambda: os.replace(fresh, store))


class _Connects(logging.Handler):
    """A handler that sends what it is told over TLS; it is used by one thread at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.go = threading.Event()
        self.sent: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.begun.set()
        self.go.wait(TIMEOUT)
        fasttrust.create_default_context().wrap_bio(
            ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=pki.HOST
        )
        self.sent.append(record.getMessage())


def _finds_another_store(machine: Path) -> None:
    replaced(machine, pki.pem(GONE))
    made(CLIENT).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=pki.HOST)


def _finds_no_store(machine: Path) -> None:
    replaced(machine, "broken")
    made(CLIENT).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=pki.HOST)


def _attaches(machine: Path) -> None:
    replaced(machine, pki.pem(GONE))
    fasttrust.attach(ssl.SSLContext(CLIENT))


def _takes_over(machine: Path) -> None:
    before = ssl.SSLContext(CLIENT)
    with fasttrust.inject_into_ssl():
        before.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=pki.HOST)


@pytest.mark.parametrize("work", [_finds_another_store, _finds_no_store, _attaches, _takes_over])
def test_log_handler_that_connects_waits_for_nobody(
    work: Callable[[Path], object],
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While one thread's message is being sent, another's waits for the handler, with no lock."""
    monkeypatch.setattr(_system, "PERIOD", 0)
    caplog.set_level(logging.INFO, "fasttrust")
    made(CLIENT)  # it has been read
    handler = _Connects()
    logger = logging.getLogger()
    logger.addHandler(handler)
    threads = [
        threading.Thread(target=logging.getLogger("program").warning, args=("one",), daemon=True),
        threading.Thread(target=work, args=(machine,), daemon=True),
    ]
    try:
        threads[0].start()
        assert handler.begun.wait(TIMEOUT)
        threads[1].start()
        time.sleep(0.3)  # by then it has something to say
        handler.go.set()
        for thread in threads:
            thread.join(TIMEOUT)
        assert [False, False] == [thread.is_alive() for thread in threads]
    finally:
        logger.removeHandler(handler)
    assert "one" in handler.sent
    assert len(handler.sent) > 1


@modes.fed_once
def test_threads_shake_hands_while_the_store_changes(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is refused who stays in the store, nobody believed who was never in it."""
    monkeypatch.setattr(_system, "PERIOD", 1_000_000)  # a look every millisecond
    contexts = [made(CLIENT), attached(CLIENT)]
    wrong: list[object] = []
    counts = [0] * NUM_THREADS
    over = threading.Event()

    def shake(number: int) -> None:
        while not over.is_set():
            context = contexts[number % 2]
            found = verdict(context, STAYS), verdict(context, STRANGER)
            counts[number] += 1
            if found != (0, 20):
                wrong.append(found)
                return

    threads = [
        threading.Thread(target=shake, args=(number,), daemon=True) for number in range(NUM_THREADS)
    ]
    for thread in threads:
        thread.start()
    broken = ("", "no certificate", STAYS.pem[:200], STRANGER.pem[:-40])
    for turn in range(40):
        # Whole stores by replacement: one that is written in place may be read half-written.
        replaced(machine, pki.pem(STAYS, *SPARE[: turn % 4], *([GONE] if turn % 2 else [])))
        time.sleep(0.01)
        if turn % 8 == 3:
            until_let(machine.unlink)
        elif turn % 4 == 1:
            os.truncate(machine, 100)
        else:
            machine.write_text(broken[turn % len(broken)], "ascii")
        time.sleep(0.01)
    replaced(machine, pki.pem(STAYS))
    over.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert [] == wrong
    assert min(counts) > 0
    time.sleep(0.002)
    for context in (*contexts, made(CLIENT), attached(CLIENT)):
        assert (0, 20) == (verdict(context, STAYS), verdict(context, GONE))


@modes.fed_once
def test_idle_context_sees_the_change_at_its_next_connection(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an hour without a connection the very first one meets the store as it is."""
    contexts = [made(CLIENT), attached(CLIENT)]
    assert [0, 0] == [verdict(context, GONE) for context in contexts]
    clock = time.monotonic_ns
    for number, held in enumerate(((STAYS,), (STAYS, GONE)), 1):
        replaced(machine, pki.pem(*held))
        hours = number * 3_600_000_000_000
        monkeypatch.setattr(time, "monotonic_ns", lambda hours=hours: clock() + hours)
        assert (0 if GONE in held else 20) == verdict(contexts[number - 1], GONE)


@modes.fed_once
def test_long_lived_context_sees_the_change_within_three_seconds(machine: Path) -> None:
    """A context that is in use all the time follows by the real clock; a new one is there first."""
    context = made(CLIENT)
    assert 0 == verdict(context, GONE)
    replaced(machine, pki.pem(STAYS))
    began = time.monotonic()
    while verdict(context, GONE) == 0:
        assert time.monotonic() - began < 3
        time.sleep(0.02)
    replaced(machine, pki.pem(STAYS, GONE))
    assert 0 == verdict(made(CLIENT), GONE)


def test_fork_at_any_moment_leaves_both_refreshing(machine: Path) -> None:
    """Children forked while threads hold the locks of attaching and reading do both themselves."""
    program = """
        import os, ssl, sys, threading, time
        import fasttrust, peer, pki
        from fasttrust import _context, _system
        from world import code, leaf_of
        _system.PERIOD = 0
        store = os.environ["SSL_CERT_FILE"]
        one, two = pki.root("one"), pki.root("two")
        servers = [peer.server_context(leaf_of(root)) for root in (one, two)]
        def put(*roots):
            fresh = f"{store}.{os.getpid()}.{threading.get_ident()}"
            with open(fresh, "w") as file:
                file.write(pki.pem(*roots))
            os.replace(fresh, store)
        def codes(context):
            return [code(peer.connect(context, s, carrier="bio").client_error) for s in servers]
        put(one)
        client = ssl.PROTOCOL_TLS_CLIENT
        context = fasttrust.SSLContext(client)
        over, begun = threading.Event(), threading.Barrier(4)
        # Locks of ours, and none of OpenSSL's, which attaching takes too: a call into libcrypto at
        # the moment of a fork leaves the child one of its locks held for ever, with any package.
        def busy():
            begun.wait(20)
            while not over.is_set():
                for _ in range(20):
                    with _context._attaching:
                        _system.system()
                put(one, two)
                put(one)
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        begun.wait(20)
        children = []
        for _ in range(20):
            time.sleep(0.005)
            child = os.fork()
            if child == 0:
                fasttrust.attach(ssl.SSLContext(client))
                fasttrust.SSLContext(client)
                os._exit(7 if codes(context)[0] == 0 else 8)
            children.append(child)
        ended = {}
        until = time.monotonic() + 20
        while len(ended) < len(children) and time.monotonic() < until:
            for child in children:
                if child not in ended:
                    done, status = os.waitpid(child, os.WNOHANG)
                    if done:
                        ended[child] = os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        for child in set(children) - set(ended):
            os.kill(child, 9)
        over.set()
        for thread in threads:
            thread.join()
        print(len(ended), set(ended.values()))
        child = os.fork()  # and now both see a change that comes after it
        put(two)
        seen = codes(context)
        if child == 0:
            os._exit(7 if seen == [20, 0] else 8)
        print(seen, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    warning = "ignore:This process:DeprecationWarning"  # that is what is tested
    assert "20 {7}\n[20, 0] 7\n" == check_python(program, "-W", warning, timeout=60)
    assert machine.exists()
