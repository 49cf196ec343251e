"""SSL_CERT_FILE and SSL_CERT_DIR in every state (design decision 8)."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

import fasttrust
import pki
from fasttrust import _native, _places, _system
from world import attached, check_python, hashed_directory, made

CLIENT = ssl.PROTOCOL_TLS_CLIENT
ONE, TWO = pki.root("one"), pki.root("two")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.pem"
    path.write_text(ONE.pem, "ascii")
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return hashed_directory(tmp_path / "hashed", TWO)


def name(monkeypatch: pytest.MonkeyPatch, file: object, directory: object) -> None:
    """Set the two variables; None is unset."""
    for variable, value in (("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)):
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, str(value))


def trusted() -> set[bytes] | str:
    """Return what a new context trusts, or the error of making one."""
    try:
        context = made(CLIENT)
    except OSError as error:
        return str(error)
    return of(context)


def of(context: ssl.SSLContext) -> set[bytes]:
    """Return the system's anchors of a context, those of a directory too, which `ssl` lists not."""
    return set(context._fasttrust_held.system.certificates())


def test_set_variables_are_the_store_exactly(
    monkeypatch: pytest.MonkeyPatch, file: Path, directory: Path
) -> None:
    """One that is set replaces both default places, where OpenSSL would keep the other one."""
    for one, other, expected in (
        (file, None, {ONE.der}),
        (None, directory, {TWO.der}),
        (file, directory, {ONE.der, TWO.der}),
        (file, "", {ONE.der}),
        ("", directory, {TWO.der}),
    ):
        name(monkeypatch, one, other)
        assert expected == trusted()


def test_empty_variables_are_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set and empty says nothing: the system's own places count."""
    name(monkeypatch, None, None)
    expected = trusted()
    for one, other in (("", ""), ("", None), (None, "")):
        name(monkeypatch, one, other)
        assert expected == trusted()


def test_missing_entry_of_the_directories_is_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: Path
) -> None:
    """Of a list of directories those count that are there."""
    more = hashed_directory(tmp_path / "more", ONE)
    missing = tmp_path / "missing"
    name(monkeypatch, None, os.pathsep.join(map(str, (missing, directory, "", more, missing))))
    assert {ONE.der, TWO.der} == trusted()


def test_directories_without_a_certificate_are_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where no entry is there, or holds anything, nothing is trusted, and the variable is named."""
    (tmp_path / "no hashed name.pem").write_text(ONE.pem, "ascii")
    for value in (tmp_path / "missing", tmp_path):
        name(monkeypatch, None, value)
        assert f"SSL_CERT_DIR={value}" in str(trusted())
        assert set() == of(attached(CLIENT))


def test_missing_file_is_an_error_beside_a_good_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: Path
) -> None:
    """A file that was named and cannot be read is never made up for."""
    name(monkeypatch, tmp_path / "missing.pem", directory)
    assert f"SSL_CERT_FILE={tmp_path}" in str(trusted())
    assert set() == of(attached(CLIENT))


def test_condas_marks_count_where_the_platform_decides(
    monkeypatch: pytest.MonkeyPatch, file: Path, directory: Path
) -> None:
    """On Windows and macOS what conda set for every process is as unset; here it is a wish."""
    name(monkeypatch, file, directory)
    assert {ONE.der, TWO.der} == trusted()
    both = _places.Environment(str(file), str(directory))
    for file_marked, directory_marked in (
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ):
        for marked, variable in (
            (file_marked, "__CONDA_OPENSSL_CERT_FILE_SET"),
            (directory_marked, "__CONDA_OPENSSL_CERT_DIR_SET"),
        ):
            monkeypatch.setenv(variable, "1" if marked else "")
        monkeypatch.setattr(_native, "PLATFORM_DECIDES", True)
        expected = ("" if file_marked else both.file, "" if directory_marked else both.directories)
        assert expected == _places.environment()
        monkeypatch.setattr(_native, "PLATFORM_DECIDES", False)
        assert both == _places.environment()
        assert {ONE.der, TWO.der} == trusted()


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_isolated_mode_changes_nothing(option: str, file: Path) -> None:
    """`-E` and `-I` are about Python's variables: OpenSSL's count, as they do for `ssl`."""
    code = f"""
        import sys
        sys.path[:0] = {sys.path!r}
        import ssl, fasttrust
        print(len(fasttrust.create_default_context().get_ca_certs()))
        print(len(ssl.create_default_context().get_ca_certs()))
    """
    empty = file.parent / "empty"
    empty.mkdir()
    printed = check_python(code, option, SSL_CERT_FILE=str(file), SSL_CERT_DIR=str(empty))
    ours, plain = printed.split()
    assert "1" == ours
    if sys.platform != "win32":  # there `ssl` lists Windows' own stores besides
        assert "1" == plain


def test_given_trust_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Path
) -> None:
    """`trust=` asks neither variable, not even one that names nothing."""
    for named in (file, tmp_path / "missing"):
        name(monkeypatch, named, None)
        trust = fasttrust.TrustStore.from_der([TWO.der])
        assert [TWO.der] == fasttrust.SSLContext(CLIENT, trust=trust).get_ca_certs(True)


def test_relative_path_is_one_for_good(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Path
) -> None:
    """A process that changes its directory meets no other store there under the old name."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "hashed").mkdir(parents=True)
    (elsewhere / file.name).write_text(TWO.pem, "ascii")
    hashed_directory(tmp_path / "hashed", ONE)
    hashed_directory(elsewhere / "hashed", TWO)
    monkeypatch.setattr(_system, "PERIOD", 0)
    for one, other in ((file.name, None), (None, "hashed")):
        monkeypatch.chdir(tmp_path)
        name(monkeypatch, one, other)
        context = made(CLIENT)
        monkeypatch.chdir(elsewhere)
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="server.test")
        assert {ONE.der} == of(context)
        assert {ONE.der} == trusted()


def test_context_without_a_store_takes_no_other_environments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Path
) -> None:
    """A context whose store is missing waits for that store, and not for what is named later."""
    monkeypatch.setattr(_system, "PERIOD", 0)
    missing = tmp_path / "missing.pem"
    name(monkeypatch, missing, None)
    context = attached(CLIENT)
    name(monkeypatch, file, None)
    assert {ONE.der} == trusted()
    for expected in (set(), {TWO.der}):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="server.test")
        assert expected == of(context)
        missing.write_text(TWO.pem, "ascii")


def test_setuid_program_ignores_the_environment(file: Path, tmp_path: Path) -> None:
    """Who runs a program of somebody else's does not choose whom it trusts; so it is for `ssl`.

    Nor after the program has taken on one user for good: the variables are what they were.
    """
    groups = [group for group in (*os.getgroups(), 65534) if group != os.getgid()]
    python = tmp_path / "python"
    shutil.copy(os.path.realpath(sys.executable), python)
    try:
        os.chown(python, -1, groups[0])
    except PermissionError:
        pytest.skip("this user has no second group to make a setgid program with")
    python.chmod(0o2755)
    program = f"""
import os
print(os.getgid() != os.getegid())
import ssl, fasttrust
def counts():
    contexts = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    fasttrust.attach(contexts[1])
    der = bytes.fromhex("{ONE.der.hex()}")
    return [der in context.get_ca_certs(True) for context in contexts]
print(counts())
os.setgid(os.getgid())
print(os.getgid() == os.getegid(), counts())
"""
    package = Path(fasttrust.__file__).parent.parent
    environment = {
        **os.environ,
        "PYTHONHOME": f"{sys.base_prefix}:{sys.base_exec_prefix}",
        "PYTHONPATH": os.pathsep.join([str(package), *filter(None, sys.path)]),
        "SSL_CERT_FILE": str(file),
    }
    process = subprocess.run(
        [python, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if process.returncode and "fasttrust" not in process.stderr:
        pytest.skip(f"a copy of this Python does not run: {process.stderr[-300:]}")
    if process.stdout.startswith("False"):
        pytest.skip("the temporary folder is mounted nosuid")
    assert ("", "True\n[False, False]\nTrue [False, False]\n") == (process.stderr, process.stdout)
