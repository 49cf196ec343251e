"""Compat mode where a platform decides: wherever an interrupt comes, nothing is open to anybody."""

from __future__ import annotations

import _ssl
import contextlib
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded import GUARD_TESTS, ROOT, SENT, TIMEOUT, client

import fasttrust
import peer
from fasttrust import _context, _fed, _guard
from pki import HOST, pem
from world import Pair

pytestmark = GUARD_TESTS

CONNECTING = ("_bare.py", "_compat.py", "_fed.py", "_guard.py")
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

    def profile(self, frame: Any, event: str, function: object) -> None:
        """At each return of a function in C, and at the beginning of each in Python.

        Not where a lock has been taken: since Python 3.14 an interrupt may come there, before the
        block that lets it go has begun, and no program can help it.
        """
        inside = frame.f_code.co_filename.endswith(self.files)
        if inside and event in ("call", "c_return"):
            if event == "c_return" and getattr(function, "__name__", "") == "__enter__":
                return
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
    """Tell whether another thread could feed a store."""
    found: list[bool] = []

    def take() -> None:
        if _fed.feeding.acquire(timeout=TIMEOUT):
            found.append(True)
            _fed.feeding.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return bool(found)


def of_c(context: object) -> list[object]:
    """Return C's own settings, whatever a class says they are."""
    names = ("verify_mode", "check_hostname", "options", "minimum_version", "_host_flags")
    return [vars(_ssl._SSLContext)[name].__get__(context) for name in names]  # type: ignore[attr-defined]


def make(context: ssl.SSLContext) -> ssl.SSLObject:
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)


@pytest.mark.parametrize("how", ["trace", "profile"])
@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("mode", [ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL, ssl.CERT_NONE])
def test_context_is_as_it_was_set_at_every_moment(
    mode: ssl.VerifyMode, attached: bool, how: str
) -> None:
    """While a connection is made: to other threads, to handlers, in a child that is forked then."""
    context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if attached else client()
    context.check_hostname = mode != ssl.CERT_NONE
    context.verify_mode = mode
    context.set_alpn_protocols(["one"])
    if attached:
        fasttrust.attach(context)
    before, moments = of_c(context), 0

    def look() -> None:
        nonlocal moments
        moments += 1
        assert before == of_c(context)

    class Every(_At):
        def count(self) -> None:
            self.act()

    watch = sys.settrace if how == "trace" else sys.setprofile
    was = sys.gettrace() if how == "trace" else sys.getprofile()
    watch(getattr(Every(0, CONNECTING, look), how))
    try:
        made = make(context)
    finally:
        watch(was)
    assert type(made._sslobj) is _guard.Guard  # type: ignore[attr-defined]
    assert before == of_c(context)
    assert moments > 20


@pytest.mark.parametrize("how", ["trace", "profile"])
def test_who_connects_past_us_meanwhile_is_refused(how: str) -> None:
    """At every moment in which a connection of the same context is being made."""
    context = client()
    refused = 0

    def past() -> None:
        nonlocal refused
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        bare = _ssl._SSLContext._wrap_bio(context, incoming, outgoing, False, HOST)  # type: ignore[attr-defined]
        server = peer.server_context(SENT).wrap_bio(outgoing, incoming, server_side=True)
        for end in (bare, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
        with pytest.raises(ssl.SSLCertVerificationError):
            bare.do_handshake()
        refused += 1

    for _ in interrupts(how, ("_bare.py", "_compat.py"), lambda: make(context), past):
        pass
    assert refused > 10


@pytest.mark.parametrize("how", ["trace", "profile"])
def test_interrupt_leaves_nothing_held(how: str) -> None:
    """Wherever it comes while a connection is made: the next is made, and judged."""
    context = client()
    context.load_verify_locations(cadata=pem(ROOT))
    times = 0
    for interrupted in interrupts(how, CONNECTING, lambda: make(context)):
        times += interrupted
    assert times > 10
    assert is_free()
    assert type(make(context)._sslobj) is _guard.Guard  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["trace", "profile"])
def test_handler_that_connects_meanwhile(how: str) -> None:
    """Wherever it comes while a connection is made: both connections are the platform's."""
    context = client()
    kinds: list[type] = []

    def work() -> None:
        kinds.append(type(make(context)._sslobj))  # type: ignore[attr-defined]

    for _ in interrupts(how, CONNECTING, work, work):
        pass
    assert len(kinds) > 20
    assert {_guard.Guard} == set(kinds)


def test_two_locks_have_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """attach() takes its own inside the other: a handler may attach while a store is fed."""
    orders: list[bool] = []

    class Lock:
        def __enter__(self) -> None:
            orders.append(_fed.feeding._is_owned())

        def __exit__(self, *error: object) -> None:
            """Nothing is held."""

    monkeypatch.setattr(_context, "_attaching", Lock())
    fasttrust.attach(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert [True] == orders


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
