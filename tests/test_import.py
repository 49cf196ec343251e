"""What the import takes and leaves, and what it says where the package cannot be."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import _cffi_backend
import pytest

import fasttrust
import modes
from world import check_python, run_python

PACKAGE = Path(fasttrust.__file__).resolve().parent


@pytest.mark.skipif(
    sys.version_info < (3, 12) or sys.implementation.name != "cpython",
    reason="interpreters are isolated in CPython from 3.12 on",
)
def test_isolated_interpreter_is_told_why() -> None:
    """The import fails in a sentence that names what cannot be."""
    program = """
        import sys
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        code = f'''
        import sys; sys.path[:0] = {sys.path!r}
        try:
            import fasttrust
        except ImportError as error:
            print(type(error).__name__, "|", error, flush=True)
        '''
        import textwrap
        isolated = interpreters.create()
        run = getattr(interpreters, "exec", None) or interpreters.run_string
        run(isolated, textwrap.dedent(code))
        interpreters.destroy(isolated)
    """
    # Its words alone: CPython 3.12.1 aborts at the end where such an interpreter imported ssl.
    said = run_python(program).stdout
    begin = "ImportError | fasttrust cannot be loaded in an isolated subinterpreter, as cffi cannot"
    assert said.startswith(begin), said


@pytest.mark.parametrize("beside", [True, False], ids=["cffi beside it", "no cffi"])
def test_zip_archive_is_told_why(beside: bool, tmp_path: Path) -> None:
    """`python -m zipapp` makes an archive, from which nothing compiled can be loaded."""
    app = tmp_path / "app.pyz"
    with zipfile.ZipFile(app, "w") as archive:
        for path in PACKAGE.iterdir():
            if path.is_file():
                archive.write(path, f"fasttrust/{path.name}")
        archive.writestr("__main__.py", "import fasttrust")
    cffi = os.path.dirname(getattr(_cffi_backend, "__file__", ""))
    # Without site, which finds a package that is installed to be edited wherever a part is missing.
    ended = subprocess.run(
        [sys.executable, "-S", str(app)],
        env={**os.environ, "PYTHONPATH": cffi if beside else ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 1 == ended.returncode
    last = ended.stderr.splitlines()[-1]
    expected = "fasttrust is in a zip archive, from which Python loads nothing compiled: unpack it"
    assert f"ImportError: {expected}" == last


@modes.no_core
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_mode_is_not_decided_for_lack_of_descriptors() -> None:
    """A process that has none left for the moment is told so, and asked again the next time."""
    program = """
        import os, resource, ssl
        import fasttrust
        spare = []
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, most))
        try:
            while True:
                spare.append(os.dup(0))
        except OSError:
            pass
        try:
            fasttrust.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        except OSError as error:
            print(error.errno)
        for each in spare:
            os.close(each)
        fasttrust.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        print(fasttrust.backend().mode)
    """
    assert f"{errno.EMFILE}\nnative\n" == check_python(program)


def test_question_who_verifies_decides_no_mode() -> None:
    """`isinstance` is asked of contexts that are none of ours, too, and needs no descriptor."""
    program = """
        import ssl
        import fasttrust
        from fasttrust import _mode
        print(isinstance(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), fasttrust.SSLContext))
        print(_mode.is_decided())
    """
    assert "False\nFalse\n" == check_python(program, FASTTRUST_MODE="")


def test_missing_cffi_and_unbuilt_source_are_told(tmp_path: Path) -> None:
    """Where cffi or the compiled part is not there, the error says which, and of what."""
    (tmp_path / "fasttrust").mkdir()
    for path in PACKAGE.glob("*.py"):
        (tmp_path / "fasttrust" / path.name).write_bytes(path.read_bytes())
    program = """
        import sys
        sys.path.insert(0, {folder!r})
        {before}
        try:
            import fasttrust
        except ImportError as error:
            print(error)
    """
    folder = str(tmp_path)
    said = check_python(program.format(folder=folder, before=""), "-S")
    assert f"fasttrust's compiled part was not built for {sys.implementation.cache_tag}\n" == said
    hidden = 'sys.modules["_cffi_backend"] = None'
    said = check_python(program.format(folder=folder, before=hidden), "-S")
    assert said.startswith("fasttrust needs cffi, which ")


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python is not free-threaded"
)
def test_free_threaded_python_keeps_its_gil_off() -> None:
    """Importing the package does not turn the GIL on."""
    program = "import fasttrust, sys; print(sys._is_gil_enabled())"
    assert "False\n" == check_python(program, PYTHON_GIL="0")


#: Neither for the package nor for a context: what takes long, or is a command line's or a loop's.
UNWANTED = (
    *("argparse", "asyncio", "cryptography", "json", "subprocess"),
    *("calendar", "dataclasses", "datetime", "ipaddress", "logging", "pathlib", "textwrap"),
    *("typing", "urllib"),
)


def test_import_brings_in_nothing_big() -> None:
    """Nothing that takes long or serves a command line comes with the package or its first context.

    The package alone is its door to the C core; the rest comes with the first name that needs it.
    """
    program = f"""
        import sys, ssl, _cffi_backend
        before = set(sys.modules)
        import fasttrust
        new = set(sys.modules) - before
        print(sorted(n for n in new if n.startswith("fasttrust.") and n.count(".") == 1))
        print("hashlib" in new)
        fasttrust.create_default_context()
        new = set(sys.modules) - before
        print(sorted(new & set({UNWANTED!r})))
        commands = ("fasttrust._demo", "fasttrust._inspect")
        print(sorted(name for name in new if name.startswith(commands)))
        print("fasttrust._compat" in new)
    """
    few = ["_core", "_mode", "_native", "_typing"]
    modules = [f"fasttrust.{name}" for name in few]
    expected = [str(modules), "False", "[]", "[]", str(modes.COMPAT)]
    assert expected == check_python(program).splitlines()


def test_import_leaves_nothing_behind(tmp_path: Path) -> None:
    """The package leaves no file, no child and no variable of the environment behind."""
    program = f"""
        import os
        os.chdir({str(tmp_path)!r})
        before = dict(os.environ)
        import fasttrust
        fasttrust.backend()
        print(before == dict(os.environ), os.listdir("."))
    """
    assert "True []\n" == check_python(program)
    assert os.listdir(tmp_path) == []
