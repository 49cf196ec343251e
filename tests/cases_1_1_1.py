"""The table's column for OpenSSL 1.1.1: the rows whose verdict is another one there, and why."""

from __future__ import annotations

import dataclasses
import ssl

from cases_row import Case

_NO_CA = "79 came with OpenSSL 3.0: what is no CA was 24, an invalid CA, before"
_STRICT = "strict mode looks at this since OpenSSL 3.0"

DIFFERS = {
    "intermediate-no-ca": (24, _NO_CA),
    "intermediate-says-nothing": (24, _NO_CA),
    "intermediate-may-not-sign": (24, _NO_CA),
    "strict-not-critical-constraints": (0, _STRICT),
    "strict-not-critical-constraints-in-intermediate": (0, _STRICT),
    "strict-no-authority-id": (0, _STRICT),
    "strict-no-authority-id-in-intermediate": (0, _STRICT),
    "strict-no-subject-id-in-root": (0, _STRICT),
    "strict-ca-without-usage": (0, _STRICT),
    "strict-root-without-usage": (0, _STRICT),
}


def of_this_openssl(row: Case) -> Case:
    """Return the row as the OpenSSL that this Python runs with judges it."""
    if ssl.OPENSSL_VERSION_INFO >= (3,) or row.name not in DIFFERS:
        return row
    code, _ = DIFFERS[row.name]
    if code:
        return dataclasses.replace(row, code=code)
    verified = (*row.sent.names, row.anchors[0].name)
    accepted = {"depth": None, "alert": None, "until": None, "reason": ""}
    return dataclasses.replace(row, code=0, verified=verified, **accepted)
