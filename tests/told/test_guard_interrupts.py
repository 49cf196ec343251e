"""Compat mode where a platform decides: wherever an interrupt comes, nothing is left open by it."""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded import GUARD_TESTS, SENT, TIMEOUT, client

import fasttrust
import peer
from fasttrust import _context, _guard, _opened
from pki import HOST
from world import Pair

pytestmark = GUARD_TESTS

CONNECTING = ("_compat.py", "_fed.py", "_guard.py", "_opened.py")
JUDGING = ("_asked.py", "_guard.py")


def _stop() -> None:
    raise KeyboardInterrupt


class _At:
    """Does something at one of the moments when Python looks for signals, or might."""

    def __init__(self, number: int, files: tuple[str, ...], act: Callable[[], object]) -> None:
        self.left = number
        self.files = files
        self.act = act

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()

    def trace(self, frame: Any, event: str, _: object) -> Any:
        """At each line; not where a lock is let go, which nothing can come between."""
        if not frame.f_code.co_filename.endswith(self.files):
            return None
        last = 0

        def within(frame: Any, event: str, _: object) -> Any:
            nonlocal last
            if event == "line":
                again, last = frame.f_lineno < last, frame.f_lineno
                if not (again and is_with(frame)):
                    self.count()
            return within

        return within

    def profile(self, frame: Any, event: str, _: object) -> None:
        """At each return of a function in C, and at the beginning of each in Python."""
        inside = frame.f_code.co_filename.endswith(self.files)
        if inside and event in ("call", "c_return"):
            self.count()


def is_with(frame: Any) -> bool:
    lines = Path(frame.f_code.co_filename).read_text("utf-8").splitlines()
    return lines[frame.f_lineno - 1].lstrip().startswith("with ")


def interrupts(
    how: str,
    files: tuple[str, ...],
    work: Callable[[], object],
    act: Callable[[], object] = _stop,
) -> Iterator[bool]:
    """Do the work with an interrupt at its first, second, … moment, until there is none left."""
    watch = sys.settrace if how == "trace" else sys.setprofile
    before = sys.gettrace() if how == "trace" else sys.getprofile()
    for number in range(1, 1000):
        at = _At(number, files, act)
        interrupted = False
        watch(getattr(at, how))
        try:
            work()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            watch(before)
        yield interrupted
        if at.left > 0:
            return
    raise AssertionError("no end")


def is_free() -> bool:
    """Tell whether another thread could make a connection."""
    found: list[bool] = []

    def take() -> None:
        if _opened.making.acquire(timeout=TIMEOUT):
            found.append(True)
            _opened.making.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return bool(found)


@pytest.mark.parametrize("how", ["trace", "profile"])
@pytest.mark.parametrize("mode", [ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL])
def test_interrupt_leaves_no_context_open(how: str, mode: ssl.VerifyMode) -> None:
    """Wherever it comes while a connection is made."""
    context = client()
    context.verify_mode = mode

    def work() -> None:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)

    work()
    times = 0
    for interrupted in interrupts(how, CONNECTING, work):
        assert (mode, True) == _opened._of_c(context)
        assert None is _opened._kept(context)
        times += interrupted
    assert times > 10
    assert is_free()


@pytest.mark.parametrize("how", ["trace", "profile"])
def test_handler_that_connects_leaves_no_context_open(how: str) -> None:
    """Wherever it comes while a connection is made: both connections are the platform's."""
    context = client()
    kinds: list[type] = []

    def work() -> None:
        made = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
        kinds.append(type(made._sslobj))

    work()
    times = 0
    for _ in interrupts(how, CONNECTING, work, work):
        assert (ssl.CERT_REQUIRED, True) == _opened._of_c(context)
        assert None is _opened._kept(context)
        times += 1
    assert [] == _opened._open_now
    assert times > 10
    assert {_guard.Guard} == set(kinds)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_child_has_no_context_open() -> None:
    """Of a process that is forked in the instant in which another thread connects."""
    context = client()
    pipe = os.pipe()

    def make() -> object:
        assert (ssl.CERT_NONE, False) == _opened._of_c(context)
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        return object()

    def fork() -> None:
        child = os.fork()
        if child == 0:
            os.write(pipe[1], repr(_opened._of_c(context) == (ssl.CERT_REQUIRED, True)).encode())
            os._exit(0)
        os.waitpid(child, 0)

    with _opened.making:
        _opened.unverified(context, make, within=False)
    assert b"True" == os.read(pipe[0], 100)
    for end in pipe:
        os.close(end)


def test_two_locks_have_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """attach() takes its own inside the other: a handler may attach while a connection is made."""
    orders: list[bool] = []

    class Lock:
        def __enter__(self) -> None:
            orders.append(_opened.is_within())

        def __exit__(self, *error: object) -> None:
            """Nothing is held."""

    monkeypatch.setattr(_context, "_attaching", Lock())
    fasttrust.attach(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert [True] == orders


def test_context_whose_settings_never_rest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not tried for ever, under a lock that others wait for."""
    context = client()
    monkeypatch.setattr(_opened, "forbid_renegotiation", lambda context: True)
    with pytest.raises(ssl.SSLError, match="again and again"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert (ssl.CERT_REQUIRED, True) == _opened._of_c(context)


def test_library_that_never_renegotiates_needs_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """BoringSSL's constant is 0."""
    monkeypatch.setattr(_opened, "_NO_RENEGOTIATION", 0)
    assert not _opened.forbid_renegotiation(client())


@pytest.mark.parametrize("how", ["trace", "profile"])
@pytest.mark.parametrize("operation", ["do_handshake", "read", "write"])
def test_interrupted_verdict_moves_nothing(how: str, operation: str) -> None:
    """Wherever an interrupt comes between a handshake and its verdict, there is no data."""
    context = client()
    arguments = {"read": (100,), "write": (peer.SECRET,), "do_handshake": ()}[operation]

    def flown() -> Pair:
        pair = Pair(context, peer.server_context(SENT))
        for end in (pair.client, pair.server):
            pair.step(end)
        return pair

    def work() -> None:
        with contextlib.suppress(ssl.SSLError):
            getattr(pair.client, operation)(*arguments)

    times = 0
    pair = flown()
    for interrupted in interrupts(how, JUDGING, work):
        with pytest.raises(ssl.SSLError):
            pair.client.write(peer.SECRET)
        with pytest.raises(ssl.SSLError):
            pair.client.read(100)
        with pytest.raises(ssl.SSLWantReadError):  # not even the last flight has come
            pair.server.do_handshake()
        times += interrupted
        pair = flown()
    assert times > 10
