"""Compat mode where a platform decides: wherever an interrupt comes, nothing is left open by it."""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded import GUARD_TESTS, SENT, TIMEOUT, client

import peer
from fasttrust import _opened
from pki import HOST
from world import Pair

pytestmark = GUARD_TESTS

CONNECTING = ("_compat.py", "_fed.py", "_guard.py", "_opened.py")
JUDGING = ("_asked.py", "_guard.py")


class _At:
    """Raises KeyboardInterrupt at one of the moments when Python looks for signals, or might."""

    def __init__(self, number: int, files: tuple[str, ...]) -> None:
        self.left = number
        self.files = files

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

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


def interrupts(how: str, files: tuple[str, ...], work: Callable[[], object]) -> Iterator[bool]:
    """Do the work with an interrupt at its first, second, … moment, until there is none left."""
    watch = sys.settrace if how == "trace" else sys.setprofile
    before = sys.gettrace() if how == "trace" else sys.getprofile()
    for number in range(1, 1000):
        at = _At(number, files)
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
