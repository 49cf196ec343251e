"""``typing``'s names without its import, which takes a fifth of what ``import ssl`` does.

A type checker sees the real ones. In a running program they stand in annotations, which nobody
evaluates; those that make something make it here. A named tuple takes less, too: ``typing`` has the
compiler read the annotation of each field.
"""

from __future__ import annotations

__all__ = [
    "TYPE_CHECKING",
    "Any",
    "Final",
    "Literal",
    "NamedTuple",
    "NewType",
    "Protocol",
    "TypeAlias",
    "TypeGuard",
    "TypeVar",
    "overload",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import (
        Any,
        Final,
        Literal,
        NamedTuple,
        NewType,
        Protocol,
        TypeAlias,
        TypeGuard,
        TypeVar,
        overload,
    )
else:
    from collections import namedtuple

    Any = Final = Literal = Protocol = TypeAlias = TypeGuard = object

    def NewType(name, of):  # noqa: N802
        """Return what turns a value into one of the type: it stays what it is."""
        return lambda value: value

    def TypeVar(name):  # noqa: N802
        """Return something by that name."""
        return object

    def overload(function):
        """Return the function: the last of the name is the one that is called."""
        return function

    class _Maker(type):
        def __new__(cls, name, bases, names):
            if not bases:
                return super().__new__(cls, name, bases, names)
            fields = names["__annotations__"]
            defaults = [names.pop(field) for field in fields if field in names]
            base = namedtuple(name, fields, defaults=defaults)
            return type(name, (base,), {**names, "__slots__": ()})

    class NamedTuple(metaclass=_Maker):
        """What a class of named fields derives from."""
