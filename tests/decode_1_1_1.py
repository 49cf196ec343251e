"""The decoder's column for OpenSSL 1.1.1: what that shows otherwise of a certificate, and why.

Ours shows what OpenSSL shows since 3.0, whatever runs; so held against 1.1.1 it is told its rules.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import ssl
import sys
import tempfile
from _ssl import _test_decode_cert  # type: ignore[attr-defined]
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from der import attribute, certificate, name
from fasttrust import _decode_names, _der
from fasttrust._decode_names import read_attributes
from fasttrust._der import MalformedError, Reader

#: 1.1.1 printed no otherName: UPN and its like came with 3.0.
OTHER_NAMES: dict[bytes, tuple[bytes, int]] = {}

#: To 1.1.1 a character was a number, surrogates and those above Unicode too (3.0 refuses them): a
#: name within an extension may have them, which in a subject Python cannot show.
_TEXTS = {tag: re.compile(b".*", re.DOTALL) for tag in _decode_names._CODECS} | {
    _der.BMP_STRING: re.compile(b"(?:..)*", re.DOTALL),
    _der.UNIVERSAL_STRING: re.compile(b"(?:....)*", re.DOTALL),
    # As UTF-8 was defined first: up to six bytes, none of them needless.
    _der.UTF8_STRING: re.compile(
        rb"(?:[\x00-\x7F]|[\xC2-\xDF][\x80-\xBF]"
        rb"|(?:\xE0[\xA0-\xBF]|[\xE1-\xEF][\x80-\xBF])[\x80-\xBF]"
        rb"|(?:\xF0[\x90-\xBF]|[\xF1-\xF7][\x80-\xBF])[\x80-\xBF]{2}"
        rb"|(?:\xF8[\x88-\xBF]|[\xF9-\xFB][\x80-\xBF])[\x80-\xBF]{3}"
        rb"|(?:\xFC[\x84-\xBF]|\xFD[\x80-\xBF])[\x80-\xBF]{4})*"
    ),
}


def _check_name(reader: Reader) -> Reader:
    start = reader.copy()
    for rdn in _decode_names._rdns(reader):
        for _, tag, content in read_attributes(rdn):
            if tag in _TEXTS and not _TEXTS[tag].fullmatch(content):
                raise MalformedError("a name's text was none in 1.1.1 either")
    return start


@functools.cache
def _longest_oid() -> int:
    """Return how long one may be: to 1.1.1t, that of Python for Windows, any (CVE-2023-2650)."""
    long = "1.2" + ".127" * _decode_names._LONGEST_OID
    der = certificate(subject=name(attribute(long, 0x0C, b"a")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.pem")
        path.write_text(ssl.DER_cert_to_PEM_cert(der))
        with contextlib.suppress(ssl.SSLError, ValueError, SystemError):
            _test_decode_cert(os.fspath(path))
            return sys.maxsize
    return _decode_names._LONGEST_OID


@contextlib.contextmanager
def rules() -> Iterator[None]:
    """Have the decoder read extensions by the rules of 1.1.1."""
    with mock.patch.multiple(
        _decode_names,
        _OTHER_NAMES=OTHER_NAMES,
        check_name=_check_name,
        _LONGEST_OID=_longest_oid(),
    ):
        yield
