"""Fail unless this Python verifies as it is expected to: PyPy in compat mode, all others native.

Before a run of the tests, which hold in both modes: were the library not found any more on some
system, they would pass there in compat mode, and nobody would notice.
"""

from __future__ import annotations

import platform
import sys

import fasttrust

found = fasttrust.backend()
debug = " debug" if hasattr(sys, "gettotalrefcount") else ""
print(f"{platform.python_implementation()} {platform.python_version()}{debug} | {found}")
EXPECTED = "native" if sys.implementation.name == "cpython" else "compat"
if found.mode != EXPECTED:
    sys.exit(f"{EXPECTED} mode is expected here")
