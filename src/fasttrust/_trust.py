"""What the machine trusts: the anchors of the system's store, read by ``ssl``'s own loader.

They are read once per process while the store's file is unchanged, and stand behind every context
that trusts the system; none of them is ever added to a context's own store.
"""

from __future__ import annotations

import _ssl
import os
import ssl
import threading
from typing import NamedTuple


class SystemStore(NamedTuple):
    """The system's anchors as they were when they were read; never changed afterwards."""

    #: Holds the store that the C core asks. Nobody else ever sees it.
    holder: _ssl._SSLContext
    #: The CA certificates of the file in DER; those of a hashed directory cannot be listed.
    certificates: tuple[bytes, ...]
    #: How many certificates, CRLs and CA certificates the file holds.
    stats: dict[str, int]


_lock = threading.Lock()
_cached: tuple[object, SystemStore] | None = None


def system_store() -> SystemStore:
    """Return the system's anchors: ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, else OpenSSL's defaults.

    Contexts made after a change of the file or of the environment see the change.
    """
    global _cached  # noqa: PLW0603 - the process's one copy of the system's anchors
    key = _signature()
    with _lock:
        if _cached is None or _cached[0] != key:
            holder = _ssl._SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            holder.set_default_verify_paths()
            # Listed now: Python before 3.13 walks a store without its lock, and look-ups in a
            # hashed directory may add to it at any time.
            _cached = (
                key,
                SystemStore(
                    holder, tuple(holder.get_ca_certs(True)), dict(holder.cert_store_stats())
                ),
            )
        return _cached[1]


def _signature() -> object:
    file_variable, file, directory_variable, directory = _ssl.get_default_verify_paths()
    file = os.environ.get(file_variable, file)
    directory = os.environ.get(directory_variable, directory)
    try:
        status = os.stat(file)
    except OSError:
        return file, directory, None
    return (
        file,
        directory,
        (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns),
    )
