"""The system's store: what it holds, and whether it has changed.

The environment is read when a context asks for the system, never at import. A file of roots and a
hashed directory count together, as OpenSSL has it; what a change of either means for contexts that
exist is decided here, by whichever connection comes next.
"""

from __future__ import annotations

import os
import ssl
import threading
import time

from . import _anchors, _log, _native, _native_anchors
from ._anchors import Index, Signature, is_settled, signature_of
from ._mode import compat_reason
from ._native_anchors import index_name_hashes
from ._places import UNSET, Environment, Places, environment, hashed_names, places, searched
from ._typing import NamedTuple

#: How long the store is taken to be unchanged, in nanoseconds.
PERIOD = 2_000_000_000


#: What changes whenever the store does, by path: of file and directories, and of what was read in
#: these.
Signatures = dict[str, Signature | None]


class NoStoreError(FileNotFoundError):
    """The machine has no store of trusted roots anywhere."""


def _read_file(path: str, said: str) -> Index:
    """Return the index of the store's file; raise what says why there is none."""
    try:
        index = _anchors.from_file(path)
        if index is None:
            index = _anchors.from_unusual_file(path)
        if index is None:  # negative trust or a CRL must not get lost
            raise ssl.SSLError(
                ssl.SSL_ERROR_SSL,
                "a system's store has to hold certificates alone, no other blocks",
            )
    except ssl.SSLError as error:
        raise ssl.SSLError(error.errno, f"{error.strerror} ({said}: {path})") from error
    except OSError as error:
        raise type(error)(error.errno, f"{error.strerror} ({said})", path) from error
    if len(index) == 0:
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"no certificate in {path} ({said})")
    return index


class Found(NamedTuple):
    """What was read at the store's places."""

    anchors: Index
    #: Those that ``ssl`` would list: of a directory it knows none before it has used it.
    of_file: Index | None
    #: Those of the file, in DER, that no directory has; in native mode all of them.
    in_no_directory: list[bytes]
    #: How the files in the directories were that were read.
    entries: Signatures


def _read(where: Places) -> Found:
    """Return what file and directories hold together.

    Raises:
        OSError: nothing can be read; names variable and path, or the places searched.
        ssl.SSLError: what can be read holds no certificate.
    """
    index = None if where.file is None else _read_file(where.file, where.said)
    more, entries = _read_directories(where.directories, index)
    of_file = [] if index is None else index.certificates()
    if index is not None and not more:
        return Found(index, index, of_file, entries)
    certificates = of_file + more
    both = _anchors.from_der(certificates) if certificates else None
    if both is None:
        if where.said:
            raise FileNotFoundError(f"no certificate found ({where.said})")
        looked = ", ".join(searched())
        raise NoStoreError(f"this machine has no store of trusted roots; searched: {looked}")
    elsewhere = set(more)
    return Found(both, index, [der for der in of_file if der not in elsewhere], entries)


def _read_directories(directories: list[str], file: Index | None) -> tuple[list[bytes], Signatures]:
    """Return the certificates of hashed directories whose subject the file does not have.

    An entry can be changed without a trace in its directory: how each was is returned too.
    """
    entries: Signatures = {}
    names = [(directory, name) for directory in directories for name in hashed_names(directory)]
    if not names:
        return [], entries
    # Compat mode reads every entry, for what the file alone has, and leaves the rest to OpenSSL.
    lazily = bool(compat_reason())
    known = set() if file is None or lazily else index_name_hashes(file.handle)
    found: list[bytes] = []
    for directory, name in names:
        if int(name[:8], 16) in known:
            continue
        path = os.path.join(directory, name)
        if not lazily:
            entries[path] = signature_of(path)
        try:
            index = _anchors.from_pem(_anchors.read_file(path)[0])
        except OSError:
            index = None  # a link that leads nowhere, as update-ca-certificates may leave behind
        if index is None:
            _log.warning("not a certificate, left out: %s", path)
        elif not lazily and int(name[:8], 16) not in index_name_hashes(index.handle):
            _log.warning("not under its subject's name, left out: %s", path)
        else:
            found += index.certificates()
    return found, entries


class State(NamedTuple):
    """What was found at the store's places, replaced as a whole."""

    where: Places
    #: Of what was read; None where the next look must read again, whatever it finds.
    signatures: Signatures | None
    anchors: Index
    of_file: Index | None
    in_no_directory: list[bytes]
    #: Why nothing is trusted; None where all is well.
    problem: OSError | None
    #: How often the anchors have changed.
    generation: int = 0


def _settled(seen: Signatures, at: int) -> Signatures | None:
    """Return the signatures if every later change will show in them."""
    every = all(is_settled(each, at) for each in seen.values() if each is not None)
    return seen if every else None


class Platform:
    """The system where it is asked for its verdict (Windows, macOS): nobody can list its anchors.

    Attributes as those of ``System``.
    """

    source = None
    problem = None
    asks_platform = True
    digest = b"the platform"
    said = "the platform's word"

    def certificates(self) -> list[bytes]:
        """Return no anchor: a list would be a lie."""
        return []

    listed = certificates

    def refresh(self) -> None:
        """Do nothing: the platform is always up to date."""

    refresh_if_due = refresh


class System:
    """The system's anchors under one environment, for every context that trusts the system.

    Attributes:
        source: for the C core.
        state: what the store holds at present.
    """

    asks_platform = False

    def __init__(self, chosen: Environment) -> None:
        empty = _anchors.from_der([])
        if empty is None:
            raise ValueError("an empty list of certificates was refused")
        self.source = _native_anchors.source_new(empty.handle)
        #: Where the environment says; None where it says nothing, and the store may yet turn up.
        self._chosen = places(chosen) if any(chosen) else None
        where = Places(None, [], "")
        unread = NoStoreError("the store has not been read")
        self.state = State(where, None, empty, None, [], unread)
        self.refresh()

    @property
    def index(self) -> Index:
        """Return the anchors that count now."""
        return self.state.anchors

    @property
    def digest(self) -> bytes:
        """Return what changes whenever the anchors do, and never comes back.

        A connection may be made before a change and verified after it: its session must be worth
        nothing once that change is taken back.
        """
        state = self.state
        return state.anchors.digest + state.generation.to_bytes(8, "big")

    @property
    def said(self) -> str:
        """Return who says where the store is, for people."""
        return self.state.where.said or "none was found"

    def certificates(self) -> list[bytes]:
        """Return the anchors that count now, in DER."""
        return self.index.certificates()

    def listed(self) -> list[bytes]:
        """Return those of them, in DER, that ``ssl`` would list: the ones in the store's file."""
        return [] if self.state.of_file is None else self.state.of_file.certificates()

    @property
    def problem(self) -> OSError | None:
        """Return why nothing is trusted; None where all is well."""
        return self.state.problem

    def refresh(self) -> None:
        """Look at the store, and read it if it changed."""
        # One at a time: who read first must not have the last word.
        with _refreshing:
            self._refresh()
        _log.catch_up()

    def _refresh(self) -> None:
        before = self.state
        lost = before.problem is not None
        where = self._chosen or (places(UNSET) if lost else before.where)
        began = time.time_ns()
        old = None if lost else before.signatures
        seen = {path: signature_of(path) for path in old or where.paths}
        if seen == old:
            return
        try:
            found = _read(where)
        except OSError as error:  # ssl.SSLError is one too
            if lost:
                self.state = before._replace(problem=error)
            else:
                _log.warning("the system's store cannot be read, its old state counts: %s", error)
                self.state = before._replace(signatures=_settled(seen, began))
            return
        if self.state is not before:
            return  # a signal's handler was here meanwhile, and read what is newer
        anchors = found.anchors
        changed = anchors is not before.anchors
        if changed:
            # Before the state: no session is bound to roots that do not verify it yet.
            _native_anchors.source_replace(self.source, anchors.handle)
            _log.info("trusting %d roots of the system: %s", len(anchors), where.said)
        read = {path: seen[path] for path in where.paths} | found.entries
        self.state = State(
            where,
            _settled(read, began),
            anchors,
            found.of_file,
            found.in_no_directory,
            problem=None,
            generation=before.generation + changed,
        )

    def refresh_if_due(self) -> None:
        """Look at the store if nobody has for a while; costs a connection next to nothing."""
        if _native_anchors.source_due(self.source, time.monotonic_ns(), PERIOD):
            self.refresh()


# Reentrant, for a signal's handler may make a context too.
_refreshing = threading.RLock()


def _after_fork() -> None:
    # Another thread of the parent may have held it.
    global _refreshing  # noqa: PLW0603
    _refreshing = threading.RLock()


_native.after_fork(_after_fork)
_log.silent_under(lambda: _refreshing)


# Keyed by the environment. No lock: see _anchors.
_systems: dict[Environment, System] = {}
_MOST_SYSTEMS = 16

_PLATFORM = Platform()


def system(*, look: bool = True) -> System | Platform:
    """Return the system's store as the environment names it now.

    Args:
        look: whether to see to it that a change of the store counts from now on; otherwise that is
            ``refresh()``'s business, before anything is decided by it.
    """
    chosen = environment()
    if _native.PLATFORM_DECIDES and not any(chosen):
        return _PLATFORM
    found = _systems.get(chosen)
    if found is None:
        if len(_systems) >= _MOST_SYSTEMS:
            _systems.clear()
        return _systems.setdefault(chosen, System(chosen))
    if look or found.problem is not None:
        found.refresh()
    return found
