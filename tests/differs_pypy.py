"""What PyPy does otherwise, with the reason: left out there, and counted as skipped.

Its ``ssl`` is CPython's, above an ``_ssl`` of its own, which is written in Python.
"""

from __future__ import annotations

import re

import pytest

_SHOWN = r"test_decode\.py::test_decode_equals_ssl\["
_NAMED = r"(subject|SAN: DirName|SAN, then DNS: DirName): "

#: By a part of the test's name, from the file on.
DIFFERS = {
    # CPython's _ssl is the reference of our decoder; PyPy's has another one, in Python.
    rf"{_SHOWN}{_NAMED}BIT STRING(\]| with unused bits| of no bits)": "PyPy's ssl shows no value"
    " that is not text",
    rf"{_SHOWN}{_NAMED}attribute (with a long name|of (one )?586.byte)"
    rf"|{_SHOWN}SAN(, then DNS)?: Registered ID, too long to convert": "PyPy's ssl has 256 bytes"
    " for an object identifier, and warns that it would write beyond",
    rf"{_SHOWN}SAN(, then DNS)?: IP of (0|3|5|8|15) bytes": "PyPy's ssl shows no address that is"
    " none",
    rf"{_SHOWN}SAN(, then DNS)?: othername \w+: UTF8String with a newline\]"
    rf"|{_SHOWN}serial number: -?0x10{{36,37}}\]": "PyPy's ssl leaves out the end of a line that"
    " OpenSSL broke",
    rf"{_SHOWN}(version: (-1|above|below)|subject: (empty|only an empty RDN))": "PyPy's ssl answers"
    " None",
    rf"{_SHOWN}SAN: nothing\]|{_SHOWN}SAN twice": "PyPy's ssl shows a list that ssl leaves out",
    r"test_decode_generated\.py::test_decode_\w+_equals?_ssl": "what is drawn has the oddities of"
    " test_decode.py",
    r"test_context\.py::test_member_answers_\w+\[\w+-sni_callback": "PyPy makes another object"
    " of it for each context",
    r"test_context\.py::test_context_cannot_be_copied_"
    r"|test_inject_attacks\.py::test_contexts_cannot_be_copied": "PyPy copies contexts, ssl's too",
    r"test_attach\.py::test_failure_\w+\[Frozen"
    r"|test_inject_attacks\.py::test_class_that_\w+\[(Frozen|Forgetful)": "PyPy sets what is its"
    " own as anybody would: it can make none",
    r"test_attach\.py::test_bare_context_of_the_c_module_": "PyPy can make none of the bare class",
    r"test_inject_attacks\.py::test_contexts_are_freed": "PyPy's collector takes its time",
    r"test_inspect\.py::test_server_that_does_not_come_\w+\[handle-the alert unknown": "PyPy has no"
    " words for an unknown alert, and raises RuntimeError",
    r"test_inspect\.py::test_context_that_cannot_be_made_is_told": "PyPy's OSError names no file",
    r"test_life\.py::test_ends_with_handshakes_in_": "PyPy's daemon threads run on at its end",
    r"test_import\.py::test_missing_cffi_": "PyPy's ssl itself needs cffi, which is built in",
    r"test_memory\.py::test_no_memory_is_no_trust": "PyPy itself ends where memory does",
    r"test_sessions\.py::test_session_is_not_resumed_\w+\[.*want_longer_keys": "PyPy's contexts do"
    " not tell their security level",
    r"test_sessions\.py::test_session_of_before_attach_\w+\[.*-late": "PyPy takes a refusal for an"
    " error of the next certificate that is loaded, plain ssl's too",
}


def leave_out(items: list[pytest.Item]) -> None:
    """Skip what is listed, by its reason."""
    for item in items:
        for pattern, reason in DIFFERS.items():
            if re.search(pattern, item.nodeid):
                item.add_marker(pytest.mark.skip(reason=f"PyPy: {reason}"))
