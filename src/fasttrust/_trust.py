"""TrustStore: what is trusted, as a value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from . import _anchors
from ._anchors import Index
from ._certificate import Certificate
from ._system import NoStoreError, Platform, System, system
from ._typing import Any


class TrustStore:
    """An immutable set of trust anchors: the system's, some of your own, or both.

    Made by the class methods and joined with ``|`` (after PEP 543). Sharing one between contexts
    costs nothing: it is read once, and an anchor is parsed only when a handshake needs it.

    ``len()`` and iteration answer from what the store holds at that moment; with the system's on
    Windows and macOS, which cannot be listed, they raise ``TypeError``.
    """

    __slots__ = ("_contexts", "_fallback", "_indexes", "_system")

    _indexes: tuple[Index, ...]
    _system: bool
    _fallback: TrustStore | None
    #: What verify_chain() keeps from one call to the next.
    _contexts: dict[object, Any]

    def __new__(cls) -> TrustStore:
        raise TypeError(
            "use TrustStore.system(), from_pem_file(), from_pem(), from_der() or none()"
        )

    @classmethod
    def _make(
        cls, indexes: Iterable[Index], system: bool = False, fallback: TrustStore | None = None
    ) -> TrustStore:
        store = object.__new__(cls)
        # Equal contents are one index: the order in which they came does not matter.
        store._indexes = tuple({index.digest: index for index in indexes if len(index)}.values())
        store._system = system
        store._fallback = fallback
        store._contexts = {}
        return store

    @classmethod
    def system(cls, *, fallback: TrustStore | None = None) -> TrustStore:
        """Return the system's store, whatever it holds at the time of each handshake.

        Args:
            fallback: used only where the machine has no store at all.
        """
        if fallback is not None and not isinstance(fallback, TrustStore):
            raise TypeError(f"fallback is not a TrustStore: {type(fallback).__name__!r}")
        return cls._make((), system=True, fallback=fallback)

    @classmethod
    def none(cls) -> TrustStore:
        """Return the store that trusts nobody."""
        return cls._make(())

    @classmethod
    def from_pem_file(cls, path: str | os.PathLike[str]) -> TrustStore:
        """Return the certificates of a file in PEM, as it is now.

        Raises:
            OSError: it cannot be read.
            ssl.SSLError: it holds no certificate, or a broken one.
            ValueError: it holds more than certificates; ``load_verify_locations()`` takes CRLs and
                ``TRUSTED CERTIFICATE`` blocks.
        """
        path = os.fspath(path)
        index = _anchors.from_file(path)
        if index is None or len(index) == 0:
            scratch = _anchors.scratch()
            scratch.load_verify_locations(path)
            raise ValueError(f"the file holds more than certificates: {path}")
        return cls._make([index])

    @classmethod
    def from_pem(cls, text: str | bytes) -> TrustStore:
        """Return the certificates of a text in PEM.

        Raises:
            ssl.SSLError: it holds no certificate, or a broken one.
            ValueError: it is empty or not ASCII, or holds more than certificates.
        """
        # Not bytes(text): that makes zeros of a number, and as many as it says.
        data = text.encode("ascii") if isinstance(text, str) else memoryview(text).tobytes()
        if not data:  # PyPy's own loader raises SSLError
            raise ValueError("the text is empty")
        index = _anchors.from_pem(data)
        if index is None or len(index) == 0:
            _anchors.scratch().load_verify_locations(None, None, data.decode("ascii"))
            raise ValueError("the text holds more than certificates")
        return cls._make([index])

    @classmethod
    def from_der(cls, certificates: Iterable[bytes | Certificate]) -> TrustStore:
        """Return certificates, each in DER.

        Raises:
            ValueError: one is malformed.
        """
        if isinstance(certificates, (bytes, bytearray, memoryview)):
            raise TypeError("expected a list of certificates, not one")
        ders = [
            bytes(each if isinstance(each, Certificate) else Certificate(each))
            for each in certificates
        ]
        index = _anchors.from_der(ders)
        if index is None:
            raise ValueError("a certificate is not in DER")
        return cls._make([index])

    def __or__(self, other: object) -> TrustStore:
        if not isinstance(other, TrustStore):
            return NotImplemented
        if self._system and other._system and self._fallback != other._fallback:
            raise ValueError("the two stores have different fallbacks for the system")
        return self._make(
            (*self._indexes, *other._indexes),
            self._system or other._system,
            self._fallback or other._fallback,
        )

    def _resolve(self) -> tuple[list[Index], System | Platform | None]:
        """Return what to give a context now."""
        indexes = list(self._indexes)
        if not self._system:
            return indexes, None
        the_system = system()
        if self._fallback is not None and isinstance(the_system.problem, NoStoreError):
            more, nested = self._fallback._resolve()
            return indexes + more, nested
        return indexes, the_system

    def _certificates(self) -> list[bytes]:
        stores, the_system = self._resolve()
        if the_system is not None and the_system.asks_platform:
            raise TypeError("what the system trusts cannot be listed here: it is asked")
        listed = [*stores, the_system] if the_system is not None else stores
        return list(dict.fromkeys(der for store in listed for der in store.certificates()))

    def __len__(self) -> int:
        return len(self._certificates())

    def __bool__(self) -> bool:
        return True  # a store is an answer, even the one that trusts nobody

    def __iter__(self) -> Iterator[Certificate]:
        return iter([Certificate(der) for der in self._certificates()])

    def _value(self) -> object:
        return frozenset(index.digest for index in self._indexes), self._system, self._fallback

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrustStore):
            return NotImplemented
        return self._value() == other._value()

    def __hash__(self) -> int:
        return hash(self._value())

    def __repr__(self) -> str:
        parts = [f"{len(index)} certificates" for index in self._indexes]
        if self._system:
            parts.insert(0, "the system")
        return f"<fasttrust.TrustStore: {' | '.join(parts) or 'nothing'}>"
