"""Many servers at once, and how far that is."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from ._compare import compare
from ._inspect import Report, Settings, look
from ._target import Target

#: Each takes a thread and a socket; few systems allow less than 256 open files.
_MOST_AT_ONCE = 200


def look_at_all(
    targets: Sequence[Target], settings: Settings, done: Callable[[], None]
) -> Iterator[Report]:
    """Look at every server, many at once, and give the reports in the order of the targets.

    Args:
        targets: the servers.
        settings: how.
        done: called, in this thread, whenever one more is done.

    Raises:
        RuntimeError: no thread can be started.
    """
    todo: queue.SimpleQueue[tuple[int, Target] | None] = queue.SimpleQueue()
    reports: queue.SimpleQueue[tuple[int, Report]] = queue.SimpleQueue()
    for entry in enumerate(targets):
        todo.put(entry)

    def work() -> None:
        while (entry := todo.get()) is not None:
            place, target = entry
            reports.put((place, _report(target, settings)))

    _start(work, min(len(targets), _MOST_AT_ONCE))
    finished: dict[int, Report] = {}
    for place in range(len(targets)):
        while place not in finished:
            number, report = reports.get()
            finished[number] = report
            done()
        yield finished.pop(place)
    for _ in range(_MOST_AT_ONCE):
        todo.put(None)


def _report(target: Target, settings: Settings) -> Report:
    try:
        report = look(target, settings)
        if settings.compare:
            report.compared = compare(target, settings, report)
    except Exception as error:  # a defect of ours must not take the other reports along
        return Report(target, error=f"this is a defect of fasttrust, please report it: {error!r}")
    return report


def _start(work: Callable[[], None], count: int) -> None:
    for number in range(count):
        try:
            # Daemons: an interrupt waits for no server.
            threading.Thread(target=work, daemon=True).start()
        except RuntimeError:
            if not number:
                raise
            return  # with as many as there are


class Bar:
    """A progress bar on a terminal; nothing where the stream is none.

    Args:
        stream: where.
        total: how many there are to do.
    """

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._drawn = 0
        self._shows = total > 1 and stream.isatty()

    def step(self) -> None:
        """Count one more, and show it."""
        self._done += 1
        self.show()

    def show(self) -> None:
        """Draw the bar over the last one."""
        if not self._shows or self._done == self._total:
            self.clear()
            return
        count = f" {self._done}/{self._total}"
        width = max(4, min(40, shutil.get_terminal_size().columns - len(count) - 3))
        filled = width * self._done // self._total
        drawn = f"[{'#' * filled}{'.' * (width - filled)}]{count}"
        self._stream.write(f"\r{drawn}")
        self._stream.flush()
        self._drawn = len(drawn)

    def clear(self) -> None:
        """Take the bar away, to print on its line."""
        if self._drawn:
            self._stream.write(f"\r{' ' * self._drawn}\r")
            self._stream.flush()
            self._drawn = 0
