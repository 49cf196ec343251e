"""How the decoder is held against `ssl`; the fixture `reference` gives the `Oracle`."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from _ssl import _test_decode_cert  # type: ignore[attr-defined]
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import decode_1_1_1
from fasttrust._decode import decode

Oracle: TypeAlias = Callable[[bytes], dict[str, Any] | None]

#: A UTCTime of less than 13 bytes, or a GeneralizedTime of less than 15: without seconds, or worse.
TOO_SHORT = re.compile(rb"\x17[\x00-\x0c]\d|\x18[\x00-\x0e]\d")


def oracle(path: Path) -> Oracle:
    """Return what asks `ssl`, which reads files only: each certificate is written to `path`."""

    def ask(der: bytes) -> dict[str, Any] | None:
        path.write_text(ssl.DER_cert_to_PEM_cert(der))
        try:
            return dict(_test_decode_cert(os.fspath(path)))
        except (ssl.SSLError, ValueError, SystemError):
            return None

    return ask


def ours(der: bytes) -> tuple[Any, str]:
    """Return what `decode` makes of `der` by the running OpenSSL's rules; a refusal's message."""
    try:
        with decode_1_1_1.rules() if ssl.OPENSSL_VERSION_INFO < (3,) else contextlib.nullcontext():
            return decode(der), ""
    except UnicodeError:
        raise  # it is a ValueError too, but says nothing to whoever reads it
    except ValueError as error:
        return None, str(error)


def check(reference: Oracle, der: bytes) -> None:
    """Assert that `decode` and `ssl` agree on `der`, or that it is not DER."""
    answer, refusal = ours(der)
    if not refusal.startswith("The certificate is not DER: "):
        assert reference(der) == answer


def check_times(reference: Oracle, der: bytes) -> None:
    """
    Assert that `decode` and `ssl` agree on `der`, whose times RFC 5280 may forbid.

    About those, versions of OpenSSL differ: some leave out "GMT" after subtracting an offset, and
    3.5 calls a text that is too short malformed, where 3.0 prints it, or "Bad time value".
    """
    expected = reference(der)
    answer, _ = ours(der)
    if expected is None:
        malformed = ssl.OPENSSL_VERSION_INFO >= (3, 5) and TOO_SHORT.search(der)
        assert answer is None or malformed or "Bad time value" in answer.values()
        return
    for key in ("notBefore", "notAfter"):
        if answer[key] == "Bad time value" and ssl.OPENSSL_VERSION_INFO >= (4,):
            # Before 4.0, a time of before 1900 was none once an offset was subtracted.
            assert expected[key] == answer[key] or int(expected[key].split()[3]) < 1900
            expected[key] = answer[key]
        expected[key] = expected[key].removesuffix(" GMT")
        answer[key] = answer[key].removesuffix(" GMT")
    assert expected == answer
