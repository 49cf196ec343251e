"""The logger ``fasttrust``, fetched when there is something to say: importing logging takes long.

Where nothing has imported it, nothing has asked to hear less than a warning.
"""

from __future__ import annotations

import sys

from ._typing import TYPE_CHECKING

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


def debug(message: str, *args: object) -> None:
    """Say what is of interest to who looks for something."""
    if logger := _heard():
        logger.debug(message, *args, stacklevel=2)


def info(message: str, *args: object) -> None:
    """Say what is of interest to who listens."""
    if logger := _heard():
        logger.info(message, *args, stacklevel=2)


def warning(message: str, *args: object) -> None:
    """Say what is to be seen even where logging was never set up."""
    import logging

    logging.getLogger(__package__).warning(message, *args, stacklevel=2)
