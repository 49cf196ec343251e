"""The system's store: where it is, what it holds, and whether it has changed.

The environment is read when a context asks for the system, never at import. A file of roots and a
hashed directory count together, as OpenSSL has it; what a change of either means for contexts that
exist is decided here, by whichever connection comes next.
"""

from __future__ import annotations

import _ssl
import logging
import os
import re
import ssl
import sys
import threading
import time
from typing import NamedTuple

from . import _anchors, _native, _native_anchors
from ._anchors import Index

#: How long the store is taken to be unchanged, in nanoseconds.
PERIOD = 2_000_000_000

_log = logging.getLogger(__package__)

# Where distributions keep the bundle for TLS servers, where OpenSSL's own default holds nothing: a
# wheel may bring an OpenSSL that was built for another system.
FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo, Arch, SmartOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL 7 and later
    "/etc/pki/tls/certs/ca-bundle.crt",  # older Fedora, RHEL 6
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, OpenBSD, OpenWRT, FreeBSD
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/opt/etc/ssl/certs/ca-certificates.crt",  # Entware
    "/usr/local/etc/ssl/cert.pem",  # FreeBSD, DragonFly
    "/usr/local/share/certs/ca-root-nss.crt",
    "/etc/openssl/certs/ca-certificates.crt",  # NetBSD
    "/etc/certs/ca-certificates.crt",  # Solaris, illumos
    "/etc/ssl/cacert.pem",
    "/var/ssl/certs/ca-bundle.crt",  # AIX
    "/data/data/com.termux/files/usr/etc/tls/cert.pem",  # Termux
    "/boot/system/data/ssl/CARootCertificates.pem",  # Haiku
)
DIRECTORIES = (
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/usr/local/share/certs",
    "/etc/openssl/certs",
    "/etc/certs/CA",
    "/var/ssl/certs",
    "/system/etc/security/cacerts",  # Android
)

# The name of a certificate in a hashed directory (OpenSSL's c_rehash); CRLs have an r.
_HASHED = re.compile(r"([0-9a-fA-F]{8})\.[0-9]+")
# One certificate in a file that holds other things too.
_CERTIFICATE = re.compile(
    rb"-----BEGIN ((?:X509 )?CERTIFICATE)-----.*?-----END \1-----\r?\n?", re.DOTALL
)


class NoStoreError(FileNotFoundError):
    """The machine has no store of trusted roots anywhere."""


class Places:
    """Where the system's store is, and who said so."""

    def __init__(self, file: str | None, directories: list[str], said: str) -> None:
        self.file = file
        self.directories = directories
        self.said = said
        self._paths = directories if file is None else [file, *directories]

    def signature(self) -> list[_anchors.Signature | None]:
        """Return what changes whenever the store does."""
        return [_signature(path) for path in self._paths]

    def is_settled(self) -> bool:
        """Tell whether every later change of the store would show in its signature."""
        return all(_anchors.is_settled(each) for each in self.signature() if each is not None)


def _signature(path: str) -> _anchors.Signature | None:
    try:
        return _anchors.signature(os.stat(path))
    except OSError:
        return None


def _is_setuid() -> bool:
    if sys.platform == "win32":
        return False  # there is no such thing
    return os.getuid() != os.geteuid() or os.getgid() != os.getegid()


# conda sets both for every process; where the platform decides that is no wish of anybody's.
_CONDAS = {
    "SSL_CERT_FILE": "__CONDA_OPENSSL_CERT_FILE_SET",
    "SSL_CERT_DIR": "__CONDA_OPENSSL_CERT_DIR_SET",
}


def chosen(variable: str) -> str:
    """Return what an environment variable says of the store; "" where it is as good as unset."""
    if _is_setuid():
        return ""
    if _native.PLATFORM_DECIDES and os.environ.get(_CONDAS.get(variable, "")):
        return ""
    return os.environ.get(variable, "")


def places() -> Places:
    """Return where the store is now: SSL_CERT_FILE and SSL_CERT_DIR, else the system's own places.

    Either variable, set and not empty, makes the store exactly what they name. Both are ignored in
    setuid programs.
    """
    file_variable, file, directory_variable, directory = _ssl.get_default_verify_paths()
    chosen_file = chosen(file_variable)
    chosen_directories = chosen(directory_variable)
    if chosen_file or chosen_directories:
        said = [f"{file_variable}={chosen_file}"] if chosen_file else []
        said += [f"{directory_variable}={chosen_directories}"] if chosen_directories else []
        directories = [entry for entry in chosen_directories.split(os.pathsep) if entry]
        return Places(chosen_file or None, directories, " and ".join(said))
    if os.path.isfile(file) or _has_hashed(directory):
        return Places(file if os.path.isfile(file) else None, [directory], "OpenSSL's default")
    for file in FILES:
        if os.path.isfile(file):
            return Places(file, [], "the system's usual place")
    for directory in DIRECTORIES:
        if _has_hashed(directory):
            return Places(None, [directory], "the system's usual place")
    return Places(None, [], "")


def _hashed_names(directory: str) -> list[str]:
    try:
        # The dot first: it spares the regular expression the hundreds of other names.
        names = [name for name in os.listdir(directory) if name[8:9] == "."]
    except OSError:
        return []  # an entry that is missing is skipped
    return sorted(name for name in names if _HASHED.fullmatch(name))


def _has_hashed(directory: str) -> bool:
    return bool(_hashed_names(directory))


def _read_file(path: str, said: str) -> Index:
    """Return the index of the store's file; raise what says why there is none."""
    try:
        index = _anchors.from_file(path)
        if index is None:
            index = _as_ssl_reads(path)
    except ssl.SSLError as error:
        raise ssl.SSLError(error.errno, f"{error.strerror} ({said}: {path})") from error
    except OSError as error:
        raise type(error)(error.errno, f"{error.strerror} ({said})", path) from error
    if len(index) == 0:
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"no certificate in {path} ({said})")
    return index


def _as_ssl_reads(path: str) -> Index:
    # Not plainly certificates. What ssl makes of the file counts, unless that is more than a list
    # of certificates: negative trust or a CRL must not get lost.
    scratch = _anchors.scratch()
    scratch.load_verify_locations(path)
    content, _ = _anchors.read_file(path)
    if b"TRUSTED CERTIFICATE" in content or scratch.cert_store_stats()["crl"]:
        raise ssl.SSLError(
            ssl.SSL_ERROR_SSL, "a system's store has to hold certificates alone, no other blocks"
        )
    # A key, say, lies between them. The blocks themselves, as ssl lists those of authorities only.
    index = _anchors.from_pem(b"".join(each.group() for each in _CERTIFICATE.finditer(content)))
    if index is None:
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, "the certificates cannot be told from the rest")
    return index


def _read(where: Places) -> tuple[Index, Index | None]:
    """Return the index of file and directories together, and that of the file alone.

    Raises:
        OSError: nothing can be read; names variable and path, or the places searched.
        ssl.SSLError: what can be read holds no certificate.
    """
    index = None if where.file is None else _read_file(where.file, where.said)
    more = _read_directories(where.directories, index)
    if index is not None and not more:
        return index, index
    certificates = ([] if index is None else index.certificates()) + more
    both = _anchors.from_der(certificates) if certificates else None
    if both is None:
        if where.said:
            raise FileNotFoundError(f"no certificate found ({where.said})")
        searched = ", ".join((*FILES, *DIRECTORIES))
        raise NoStoreError(f"this machine has no store of trusted roots; searched: {searched}")
    return both, index


def _read_directories(directories: list[str], file: Index | None) -> list[bytes]:
    """Return the certificates of hashed directories whose subject the file does not have."""
    names = [(directory, name) for directory in directories for name in _hashed_names(directory)]
    if not names:
        return []
    known = set() if file is None else _native_anchors.index_name_hashes(file.handle)
    found: list[bytes] = []
    for directory, name in names:
        if int(name[:8], 16) in known:
            continue
        try:
            index = _anchors.from_file(os.path.join(directory, name))
        except OSError:
            index = None  # a link that leads nowhere, as update-ca-certificates may leave behind
        if index is None:
            _log.warning("not a certificate, left out: %s", os.path.join(directory, name))
        else:
            found += index.certificates()
    return found


class State(NamedTuple):
    """What was found at the store's places, replaced as a whole."""

    where: Places
    #: Of what was read; None where the next look must read again, whatever it finds.
    signature: object
    anchors: Index
    #: Those that ``ssl`` would list: of a directory it knows none before it has used it.
    of_file: Index | None
    #: Why nothing is trusted; None where all is well.
    problem: OSError | None


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

    def refresh_if_due(self) -> None:
        """Do nothing: the platform is always up to date."""


class System:
    """The system's anchors under one environment, for every context that trusts the system.

    Attributes:
        source: for the C core.
        state: what the store holds at present.
    """

    asks_platform = False

    def __init__(self) -> None:
        empty = _anchors.from_der([])
        if empty is None:
            raise ValueError("an empty list of certificates was refused")
        self.source = _native_anchors.source_new(empty.handle)
        unread = NoStoreError("the store has not been read")
        self.state = State(places(), None, empty, None, unread)
        self.refresh()

    @property
    def index(self) -> Index:
        """Return the anchors that count now."""
        return self.state.anchors

    @property
    def digest(self) -> bytes:
        """Return what changes whenever the anchors do."""
        return self.index.digest

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
            before = self.state
            lost = before.problem is not None
            where = places() if lost or not before.where.said else before.where
            seen = where.signature()
            if seen == before.signature and not lost:
                return
            try:
                index, of_file = _read(where)
            except OSError as error:  # ssl.SSLError is one too
                if lost:
                    self.state = before._replace(problem=error)
                else:
                    _log.warning(
                        "the system's store cannot be read, its old state counts: %s", error
                    )
                    self.state = before._replace(signature=seen)
                return
            if index is not before.anchors:
                # Before the state: no session is bound to roots that do not verify it yet.
                _native_anchors.source_replace(self.source, index.handle)
                _log.info("trusting %d roots of the system: %s", len(index), where.said)
            self.state = State(where, seen if where.is_settled() else None, index, of_file, None)

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


# Keyed by the environment. No lock: see _anchors.
_systems: dict[object, System] = {}
_MOST_SYSTEMS = 16


_PLATFORM = Platform()


def system() -> System | Platform:
    """Return the system's store as the environment names it now, freshly looked at."""
    if _native.PLATFORM_DECIDES and not any(map(chosen, _CONDAS)):
        return _PLATFORM
    environment = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    found = _systems.get(environment)
    if found is None:
        if len(_systems) >= _MOST_SYSTEMS:
            _systems.clear()
        return _systems.setdefault(environment, System())
    found.refresh()
    return found
