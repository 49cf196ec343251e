"""Where the system's store is: what the environment names, else where the system keeps it."""

from __future__ import annotations

import _ssl
import os
import re
import sys
from functools import cache

from . import _native
from ._typing import NamedTuple

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
    "/apex/com.android.conscrypt/cacerts",  # Android 14 and later
    "/system/etc/security/cacerts",
)

# The name of a certificate in a hashed directory (OpenSSL's c_rehash); CRLs have an r.
_HASHED = re.compile(r"([0-9a-fA-F]{8})\.[0-9]+")


class Environment(NamedTuple):
    """What SSL_CERT_FILE and SSL_CERT_DIR say, "" where one is unset, or as good as that."""

    file: str
    directories: str


UNSET = Environment("", "")
#: The variables' names.
CHOOSERS = Environment("SSL_CERT_FILE", "SSL_CERT_DIR")
# conda sets both for every process; where the platform decides that is no wish of anybody's.
_CONDAS = Environment("__CONDA_OPENSSL_CERT_FILE_SET", "__CONDA_OPENSSL_CERT_DIR_SET")


def environment() -> Environment:
    """Return what the environment says now; nothing in a setuid program."""
    read = os.environ.get
    chosen = Environment(read(CHOOSERS.file, ""), read(CHOOSERS.directories, ""))
    if chosen == UNSET or _is_setuid():
        return UNSET
    if _native.PLATFORM_DECIDES:
        marks = [os.environ.get(mark) for mark in _CONDAS]
        return Environment(
            *("" if mark else value for mark, value in zip(marks, chosen, strict=True))
        )
    return chosen


@cache
def _is_setuid() -> bool:
    if sys.platform == "win32":
        return False  # there is no such thing
    try:
        return _native.is_setuid()
    except _native.UnavailableError:
        return (os.getuid(), os.getgid()) != (os.geteuid(), os.getegid())


class Places:
    """Where the system's store is, and who said so."""

    def __init__(self, file: str | None, directories: list[str], said: str) -> None:
        self.file = file
        self.directories = directories
        self.said = said
        self.paths = directories if file is None else [file, *directories]


def places(chosen: Environment) -> Places:
    """Return where the store is: where the environment says, else the system's own places.

    A variable that says something makes the store exactly what they name. A relative path is one
    from the directory that the process is in now, for good.
    """
    _, file, _, directory = _ssl.get_default_verify_paths()
    if any(chosen):
        named = zip(CHOOSERS, chosen, strict=True)
        said = " and ".join(f"{variable}={value}" for variable, value in named if value)
        directories = [entry for entry in chosen.directories.split(os.pathsep) if entry]
        return Places(
            os.path.abspath(chosen.file) if chosen.file else None,
            [os.path.abspath(entry) for entry in directories],
            said,
        )
    if os.path.isfile(file) or hashed_names(directory):
        return Places(file if os.path.isfile(file) else None, [directory], "OpenSSL's default")
    for file in FILES:
        if os.path.isfile(file):
            return Places(file, [], "the system's usual place")
    for directory in DIRECTORIES:
        if hashed_names(directory):
            return Places(None, [directory], "the system's usual place")
    return Places(None, [], "")


def searched() -> list[str]:
    """Return every place where a store was looked for that no variable names."""
    _, file, _, directory = _ssl.get_default_verify_paths()
    return [file, directory, *FILES, *DIRECTORIES]


def hashed_names(directory: str) -> list[str]:
    """Return the names of the certificates in a hashed directory; none where it is missing."""
    try:
        # The dot first: it spares the regular expression the hundreds of other names.
        names = [name for name in os.listdir(directory) if name[8:9] == "."]
    except OSError:
        return []
    return sorted(name for name in names if _HASHED.fullmatch(name))
