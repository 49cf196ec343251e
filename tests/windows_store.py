"""
Windows' stores of certificates, for tests: an anchor in Root, and gone again; others likewise.

Under Wine it is the user's. A real Windows asks the user in a window before it changes that one, so
there it is the machine's, for which an administrator is needed (GitHub's runners are one).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import sys
from collections.abc import Iterator
from typing import Any

from pki import Issued

_SYSTEM_STORE = 10  # CERT_STORE_PROV_SYSTEM_W
_CURRENT_USER = 1 << 16  # CERT_SYSTEM_STORE_CURRENT_USER
_LOCAL_MACHINE = 2 << 16
_X509 = 1
_REPLACE_EXISTING = 3
_FIND_SHA1 = 1 << 16
_KEPT = r"Software\Microsoft\SystemCertificates\{}\Certificates\{}"


def is_wine() -> bool:
    """Tell whether this Windows is Wine."""
    return sys.platform == "win32" and hasattr(ctypes.windll.ntdll, "wine_get_version")


def _crypt32() -> Any:
    library = ctypes.WinDLL("crypt32", use_last_error=True)
    library.CertOpenStore.restype = ctypes.c_void_p
    library.CertFindCertificateInStore.restype = ctypes.c_void_p
    return library


@contextlib.contextmanager
def _store(name: str) -> Iterator[tuple[Any, ctypes.c_void_p]]:
    crypt32 = _crypt32()
    place = _CURRENT_USER if is_wine() else _LOCAL_MACHINE
    store = ctypes.c_void_p(
        crypt32.CertOpenStore(ctypes.c_void_p(_SYSTEM_STORE), 0, None, place, name)
    )
    if not store:
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        yield crypt32, store
    finally:
        crypt32.CertCloseStore(store, 0)


def trust(anchor: Issued, store_name: str = "Root") -> None:
    """Put an anchor into the store; processes that begin later trust it."""
    with _store(store_name) as (crypt32, store):
        der = anchor.der
        if not crypt32.CertAddEncodedCertificateToStore(
            store, _X509, der, len(der), _REPLACE_EXISTING, None
        ):
            raise ctypes.WinError(ctypes.get_last_error())


def distrust(anchor: Issued, store_name: str = "Root") -> None:
    """Take an anchor out again."""
    digest = hashlib.sha1(anchor.der).digest()
    if is_wine():
        # Wine deletes from its memory alone; what it keeps stays.
        import winreg

        key = _KEPT.format(store_name, digest.hex().upper())
        with contextlib.suppress(FileNotFoundError):
            winreg.DeleteKey(winreg.HKEY_CURRENT_USER, key)
        return

    class Blob(ctypes.Structure):
        _fields_ = (("size", ctypes.c_uint32), ("data", ctypes.c_char_p))

    with _store(store_name) as (crypt32, store):
        wanted = Blob(len(digest), digest)
        found = crypt32.CertFindCertificateInStore(
            store, _X509, 0, _FIND_SHA1, ctypes.byref(wanted), None
        )
        if found and not crypt32.CertDeleteCertificateFromStore(ctypes.c_void_p(found)):
            raise ctypes.WinError(ctypes.get_last_error())


@contextlib.contextmanager
def trusted(*anchors: Issued, store_name: str = "Root") -> Iterator[None]:
    """Keep anchors in the store for a while; what is in "CA" is no anchor, but known."""
    try:
        for anchor in anchors:
            trust(anchor, store_name)
        yield
    finally:
        for anchor in anchors:
            distrust(anchor, store_name)
