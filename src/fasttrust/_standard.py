"""``ssl``'s own class of contexts, whoever has put another under its name."""

from __future__ import annotations

import _ssl
import operator
import ssl
from collections.abc import Callable

from ._typing import Any, NamedTuple


def _find() -> type[_ssl._SSLContext]:
    # By its origin, not by its name: others (truststore) put their own class under ssl.SSLContext.
    for candidate in _ssl._SSLContext.__subclasses__():
        if candidate.__module__ == "ssl" and candidate.__qualname__ == "SSLContext":
            return candidate
    raise ImportError("the module ssl defines no SSLContext")


Standard: Any = _find()


def _setting(name: str) -> property:
    """Return a property of that class, which can be set also where its name was given away.

    Its setter says ``super(SSLContext, SSLContext)``, and means itself where that is another class.
    """
    theirs = vars(Standard)[name]
    of_c = getattr(_ssl._SSLContext, name)

    def write(self: object, value: Any) -> None:
        (theirs if ssl.SSLContext is Standard else of_c).__set__(self, value)

    return property(theirs.fget, write, doc=theirs.__doc__)


class Settings:
    """The properties of which that is true: a mixin before the class."""

    options = _setting("options")
    verify_flags = _setting("verify_flags")
    verify_mode = _setting("verify_mode")
    minimum_version = _setting("minimum_version")
    maximum_version = _setting("maximum_version")


_NAMES = "verify_mode", "verify_flags", "check_hostname", "_host_flags", "security_level"
#: The settings that a verdict rests on, in one order.
AllSettings = tuple[int, ...]

_read: Callable[[object], AllSettings] = operator.attrgetter(
    *(name for name in _NAMES if name in vars(_ssl._SSLContext))  # PyPy has no security_level
)


def all_settings(context: object) -> AllSettings:
    """Return them as C's own numbers: the properties of ``ssl``'s class make enums of them."""
    return _read(super(Standard, context))


class Asked(NamedTuple):
    """What a connection is to be verified for, in C's own numbers."""

    verify_mode: int
    check_hostname: bool


_asked = [vars(_ssl._SSLContext)[name] for name in Asked._fields]


def asked_of(context: object) -> Asked:
    """Return what the program has set, by whatever means, on any context of ``ssl``'s."""
    mode, checks = (of_c.__get__(context) for of_c in _asked)
    return Asked(int(mode), bool(checks))
