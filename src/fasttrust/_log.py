"""The logger ``fasttrust``, fetched when there is something to say: importing logging takes long.

Where nothing has imported it, nothing has asked to hear less than a warning.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

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


#: What there is to say, once its thread holds no lock of ours.
_waiting: deque[tuple[Callable[..., None], str, tuple[object, ...]]] = deque()
_locks: list[Callable[[], Any]] = []


def silent_under(lock: Callable[[], Any]) -> None:
    """Say nothing while the thread holds that lock, which the function returns.

    A program's handler may wait for another thread's connection, and that for the lock. Whoever
    lets go of it calls ``catch_up``.
    """
    _locks.append(lock)


def catch_up() -> None:
    """Say what had to wait."""
    while _waiting and not any(lock()._is_owned() for lock in _locks):
        try:
            say, message, args = _waiting.popleft()
        except IndexError:  # another thread said it
            return
        say(message, *args)


def debug(message: str, *args: object) -> None:
    """Say what is of interest to who looks for something."""
    if logger := _heard():
        logger.debug(message, *args, stacklevel=2)


def info(message: str, *args: object) -> None:
    """Say what is of interest to who listens."""
    _waiting.append((_info, message, args))
    catch_up()


def _info(message: str, *args: object) -> None:
    if logger := _heard():
        logger.info(message, *args)


def warning(message: str, *args: object) -> None:
    """Say what is to be seen even where logging was never set up."""
    _waiting.append((_warning, message, args))
    catch_up()


def _warning(message: str, *args: object) -> None:
    import logging

    logging.getLogger(__package__).warning(message, *args)
