"""The logger ``fasttrust``, fetched when there is something to say: importing logging takes long.

Where nothing has imported it, nothing has asked to hear less than a warning.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from ._typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging


_logger: logging.Logger | None = None


def _heard() -> logging.Logger | None:
    global _logger  # noqa: PLW0603 - every connection asks; there is one logger of a name for good
    if _logger is None and "logging" in sys.modules:
        import logging

        _logger = logging.getLogger(__package__)
    return _logger


def is_debugging() -> bool:
    """Tell whether anybody hears what ``debug`` says."""
    logger = _heard()
    return logger is not None and logger.isEnabledFor(10)  # logging.DEBUG


class _Held(threading.local):
    """What a thread has to say once it holds no lock of ours."""

    said: list[Any] | None = None


_held = _Held()


@contextlib.contextmanager
def afterwards() -> Iterator[None]:
    """Say what is said within when it is over.

    A program's handler may wait for another thread's connection, and that for a lock of ours.
    """
    if _held.said is not None:
        yield
        return
    said: list[Any] = []
    _held.said = said
    try:
        yield
    finally:
        _held.said = None
        for say, message, args in said:
            say(message, *args)


def debug(message: str, *args: object) -> None:
    """Say what is of interest to who looks for something."""
    if logger := _heard():
        logger.debug(message, *args, stacklevel=2)


def info(message: str, *args: object) -> None:
    """Say what is of interest to who listens."""
    if _held.said is not None:
        _held.said.append((info, message, args))
    elif logger := _heard():
        logger.info(message, *args, stacklevel=2)


def warning(message: str, *args: object) -> None:
    """Say what is to be seen even where logging was never set up."""
    if _held.said is not None:
        _held.said.append((warning, message, args))
        return
    import logging

    logging.getLogger(__package__).warning(message, *args, stacklevel=2)
