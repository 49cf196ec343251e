"""Many servers at once: in the time of the slowest, in order, with nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import peer
from command import EXPIRED, GOOD, ROOT
from fasttrust import _inspect_all
from fasttrust._inspect import REFUSED, TRUSTED, UNREACHABLE, Report, Settings
from fasttrust._inspect_all import Bar, look_at_all
from fasttrust._target import Target, target
from world import machine_trusts

HOSTS, DEAD = 200, 20


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ROOT)


async def _serve(ports: list[int], ready: threading.Event, end: threading.Event) -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(1)
        writer.close()

    async with contextlib.AsyncExitStack() as stack:
        for number in range(HOSTS - DEAD):
            context = peer.server_context(EXPIRED if number % 9 == 0 else GOOD)
            server = await asyncio.start_server(wait, "127.0.0.1", 0, ssl=context)
            await stack.enter_async_context(server)
            ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        while not end.is_set():
            await asyncio.sleep(0.05)


@pytest.fixture
def servers() -> Iterator[list[int]]:
    """Serve 180 hosts from one thread; 20 more have a listener whom nobody serves."""
    ports: list[int] = []
    ready, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(ports, ready, end)))
    thread.start()
    assert ready.wait(60)
    with contextlib.ExitStack() as stack:
        for number in range(DEAD):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            ports.insert(number * 9, listener.getsockname()[1])
        yield ports
        end.set()
        thread.join(60)


def test_200_hosts_take_the_time_of_the_slowest(servers: list[int]) -> None:
    """A tenth of them says nothing: all together take little longer than one of those."""
    targets = [target(f"localhost:{port}") for port in servers]
    steps: list[None] = []
    began = time.monotonic()
    reports = list(look_at_all(targets, Settings(timeout=4.0), lambda: steps.append(None)))
    took = time.monotonic() - began
    assert targets == [report.target for report in reports]
    assert HOSTS == len(steps)
    verdicts = [report.verdict for report in reports]
    assert [DEAD, 20, HOSTS - DEAD - 20] == (
        [verdicts.count(each) for each in (UNREACHABLE, REFUSED, TRUSTED)]
    )
    # One after the other the silent ones alone would take twenty times as long.
    assert took < 3 * max(report.seconds for report in reports)


def test_more_hosts_than_threads_are_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they were named, whoever is first."""
    monkeypatch.setattr(_inspect_all, "_MOST_AT_ONCE", 3)
    monkeypatch.setattr(_inspect_all, "look", lambda target, settings: Report(target))
    targets = [target(f"a{number}.example") for number in range(50)]
    assert targets == [each.target for each in look_at_all(targets, Settings(), lambda: None)]


def test_defect_of_ours_takes_no_other_report_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told with the server at which it showed."""

    def look(target: Target, settings: Settings) -> Report:
        if target.host == "b.example":
            raise ZeroDivisionError("oops")
        return Report(target, TRUSTED)

    monkeypatch.setattr(_inspect_all, "look", look)
    targets = [target(f"{letter}.example") for letter in "abc"]
    reports = list(look_at_all(targets, Settings(), lambda: None))
    assert [TRUSTED, UNREACHABLE, TRUSTED] == [report.verdict for report in reports]
    assert "defect of fasttrust" in reports[1].error
    assert "oops" in reports[1].error


def test_system_that_gives_few_threads_is_slow_and_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One thread is enough; none is an error."""
    start = threading.Thread.start
    allowed = [1]

    def few(self: threading.Thread) -> None:
        if not allowed:
            raise RuntimeError("can't start new thread")
        allowed.pop()
        start(self)

    monkeypatch.setattr(threading.Thread, "start", few)
    monkeypatch.setattr(_inspect_all, "look", lambda target, settings: Report(target))
    targets = [target(f"a{number}.example") for number in range(9)]
    assert 9 == len(list(look_at_all(targets, Settings(), lambda: None)))
    with pytest.raises(RuntimeError):
        list(look_at_all(targets, Settings(), lambda: None))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_counts_to_its_end_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each state is drawn over the last, no wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "30")
    stream = _Terminal()
    bar = Bar(stream, 4)
    bar.show()
    for _ in range(4):
        bar.step()
    drawn = stream.getvalue().split("\r")
    assert [f" {count}/4" for count in range(4)] == [each[-4:] for each in drawn[1:5]]
    assert ["", ""] == [each.strip() for each in drawn[5:]]
    assert max(map(len, drawn)) < 30


def test_bar_needs_a_terminal_and_more_than_one_server() -> None:
    """In a log it would be noise."""
    for stream, total in ((io.StringIO(), 9), (_Terminal(), 1)):
        bar = Bar(stream, total)
        bar.show()
        bar.step()
        assert "" == stream.getvalue()
