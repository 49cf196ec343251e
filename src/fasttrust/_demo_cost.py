"""What a context and a handshake cost, ours beside ``ssl``'s, measured in turns in one run."""

from __future__ import annotations

import ssl
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ._default import create_default_context

_FEWEST, _MOST = 5, 1000


class Medians(NamedTuple):
    """Medians in seconds, by name, and of how many rounds."""

    seconds: dict[str, float]
    rounds: int


def in_turns(subjects: Mapping[str, Callable[[], object]], budget: float) -> Medians:
    """Time every subject once per round, each time in another order, for so many seconds.

    What a subject returns is freed outside its time.
    """
    names = list(subjects)
    times: dict[str, list[int]] = {name: [] for name in names}
    for make in subjects.values():
        make()  # warms caches up
    rounds = 0
    end = time.perf_counter() + budget
    while rounds < _FEWEST or (rounds < _MOST and time.perf_counter() < end):
        for name in names:
            make = subjects[name]
            begun = time.perf_counter_ns()
            made = make()
            times[name].append(time.perf_counter_ns() - begun)
            del made
        names.append(names.pop(0))
        rounds += 1
    return Medians({name: statistics.median(taken) / 1e9 for name, taken in times.items()}, rounds)


def first_context() -> float:
    """Return the seconds that the process's first context takes, which reads the system's store."""
    ssl.create_default_context()  # the files are in the kernel's cache from here on, for both
    begun = time.perf_counter()
    create_default_context()
    return time.perf_counter() - begun


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> None:
    """Do one handshake over memory, both ends included.

    Raises:
        ssl.SSLError: one of the ends refused.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while ends:
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
