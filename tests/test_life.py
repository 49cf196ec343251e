"""Life in a process: how it starts, forks, ends, and where the package cannot be at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import sysconfig
import textwrap
import zipfile
from pathlib import Path

import _cffi_backend
import pytest

import fasttrust
import modes
from world import TESTS, check_python, run_python

PACKAGE = Path(fasttrust.__file__).resolve().parent
# Where the package and what it needs are, for a Python that is told to look nowhere by itself.
PLACES = [str(TESTS), str(PACKAGE.parent), *filter(None, sys.path)]

WORLD = """
    import os, ssl, sys
    sys.path[:0] = {places!r}
    import fasttrust, pki, peer
    from world import Pair, leaf_of
    root = pki.root("root of a life")
    good = peer.server_context(leaf_of(root))
    bad = peer.server_context(leaf_of(pki.root("stranger")))
    def verdicts(context):
        found = []
        for server in (good, bad):
            try:
                Pair(context, server).shake()
                found.append(0)
            except fasttrust.VerificationError as error:
                found.append(error.verify_code)
        return found
    def made():
        return fasttrust.create_default_context(cadata=root.pem)
"""


def printed(program: str, *options: str) -> list[str]:
    begin = WORLD.format(places=PLACES).rstrip()
    return check_python(f"{begin}\n{program}", *options).splitlines()


@modes.keeps
@pytest.mark.parametrize("options", ["-Xdev", "-Werror", "-O", "-OO", "-I", "-S", "-bb", "-E"])
def test_verifies_however_python_was_started(options: str) -> None:
    """No option of Python's changes a verdict, and none makes the package warn."""
    # Without warnings as errors for what is not ours: the tests' own needs come afterwards.
    program = """
    print(verdicts(made()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    fasttrust.attach(context, trust=fasttrust.TrustStore.from_pem(root.pem))
    print(verdicts(context))
    """
    assert ["[0, 20]", "[0, 20]"] == printed(program, options)


def test_reloaded_package_goes_on() -> None:
    """importlib.reload of the package leaves its contexts, its classes and new ones working."""
    program = """
    import importlib
    before = made()
    importlib.reload(fasttrust)
    print(verdicts(before), verdicts(made()))
    print(isinstance(before, fasttrust.SSLContext), isinstance(made(), fasttrust.SSLContext))
    fasttrust.attach(before)
    """
    assert ["[0, 20] [0, 20]", "True True"] == printed(program)


@pytest.mark.parametrize("module", ["_inject", "_native"])
def test_reload_forgets_neither_injection_nor_library(module: str) -> None:
    """What a module did to the process it still knows: ssl is injected, and is restored exactly."""
    program = f"""
    import importlib
    original = dict(vars(ssl.SSLContext))
    fasttrust.inject_into_ssl(trust=fasttrust.TrustStore.from_pem(root.pem))
    before = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    importlib.reload(sys.modules["fasttrust.{module}"])
    print(isinstance(before, fasttrust.SSLContext), verdicts(before))
    fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    print(isinstance(fresh, fasttrust.SSLContext), verdicts(fresh))
    importlib.reload(sys.modules["fasttrust.{module}"])
    # By the name of before the reload, and as a program that asks anew has it.
    fasttrust.extract_from_ssl()
    print(original == dict(vars(ssl.SSLContext)))
    with sys.modules["fasttrust._inject"].inject_into_ssl():
        importlib.reload(sys.modules["fasttrust.{module}"])
    print(original == dict(vars(ssl.SSLContext)))
    """
    assert ["True [0, 20]", "True [0, 20]", "True", "True"] == printed(program)


@pytest.mark.skipif(sys.platform == "win32", reason="nothing forks on Windows")
def test_each_module_reloaded_alone_goes_on() -> None:
    """importlib.reload of any one module changes no verdict, no chain, and not the injection.

    Where the module has a class of the public names, reload makes another, as Python says of it:
    what a program has by name is the one of before, and ssl's own classes are what both are. In
    compat mode two know their own by its class: contexts of before are refused with an error.
    """
    program = """
    import importlib
    for name in fasttrust.__all__:
        getattr(fasttrust, name)
    original = dict(vars(ssl.SSLContext))
    before = made()
    fasttrust.inject_into_ssl(trust=fasttrust.TrustStore.from_pem(root.pem))
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    def story():
        contexts = (before, made(), old, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        yield all(isinstance(context, fasttrust.SSLContext) for context in contexts)
        for context in contexts:
            pair = Pair(context, good).shake()
            yield len(fasttrust.get_verified_chain(pair.client))
            try:
                Pair(context, bad).shake()
            except ssl.SSLCertVerificationError as error:
                yield error.verify_code, isinstance(error, fasttrust.VerificationError)
        fasttrust.extract_from_ssl()
        yield original == dict(vars(ssl.SSLContext))
    list(zip(range(9), story()))  # once, to load what it needs, without its end
    modules = [name for name in sorted(sys.modules) if name.rpartition(".")[0] == "fasttrust"]
    told = {}
    for name in ("", *modules):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if name:
                    importlib.reload(sys.modules[name])
                os.write(write, repr(list(story())).encode())
            except BaseException as error:
                os.write(write, type(error).__name__.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(write)
        told[name] = os.read(read, 10000).decode()
        os.close(read)
    print(len(modules) > 20, told[""])
    for name in modules:
        if told[name] != told[""]:
            print(name, told[name])
    """
    one = [2, (20, True)] * 4
    other = str([True, *[2, (20, False)] * 4, True])
    expected = [f"True {[True, *one, True]}"]
    expected += [f"fasttrust._context {[False, *one, True]}", f"fasttrust._errors {other}"]
    if modes.COMPAT:
        expected += ["fasttrust._fed ValueError", "fasttrust._guard TypeError"]
    assert expected == printed(program)


@pytest.mark.skipif(sys.platform == "win32", reason="nothing forks on Windows")
def test_fork_of_a_thread_amid_handshakes() -> None:
    """A child that is forked while threads shake hands verifies with contexts old and new."""
    program = """
    import threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, trust=fasttrust.TrustStore.from_pem(root.pem))
    old, stop = made(), threading.Event()
    wanted = [0, 20]
    def shake():
        while not stop.is_set():
            assert verdicts(old) == wanted
    threads = [threading.Thread(target=shake) for _ in range(2)]
    for thread in threads: thread.start()
    # What a child cannot do is OpenSSL's to say: its locks are lost where a thread held one. What
    # it can always do is what needs none: say who verifies a context, and whose the classes are.
    ended = []
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(0 if isinstance(old, fasttrust.SSLContext) and fasttrust.backend() else 1)
        ended.append(os.waitpid(child, 0)[1])
    stop.set()
    for thread in threads: thread.join(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if verdicts(old) == wanted == verdicts(made()) else 1)
    print(ended, os.waitpid(child, 0)[1], verdicts(old), verdicts(made()))
    """
    assert ["[0, 0, 0, 0, 0] 0 [0, 20] [0, 20]"] == printed(program)


METHODS = ("spawn", "forkserver", "fork")


@pytest.mark.parametrize("method", METHODS if sys.platform != "win32" else ["spawn"])
def test_multiprocessing(method: str, tmp_path: Path) -> None:
    """Workers of every kind verify; what a refusal says reaches the parent whole."""
    program = tmp_path / "workers.py"
    program.write_text(
        textwrap.dedent(WORLD.format(places=PLACES))
        + textwrap.dedent(
            """
            import multiprocessing
            def refusal(pem):
                context = fasttrust.create_default_context(cadata=pem)
                try:
                    Pair(context, bad).shake()
                except fasttrust.VerificationError as error:
                    return error
            if __name__ == "__main__":
                made()
                with multiprocessing.get_context(METHOD).Pool(1) as pool:
                    error = pool.apply_async(refusal, [root.pem]).get(60)
                print(type(error).__name__, error.verify_code, len(error.chain), bool(error.hint))
            """
        ).replace("METHOD", repr(method)),
        "utf-8",
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(program)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    expected = (0, "VerificationError 20 1 True\n", "")
    assert expected == (ended.returncode, ended.stdout, ended.stderr)


def test_ends_with_handshakes_in_daemon_threads() -> None:
    """The interpreter ends while daemon threads verify, accept and refuse: no crash, no noise."""
    program = """
    import threading
    started = threading.Barrier(5)
    def forever():
        context = made()
        started.wait(30)
        while True:
            verdicts(context)
    for _ in range(4):
        threading.Thread(target=forever, daemon=True).start()
    started.wait(30)
    print("ends")
    """
    for _ in range(5):
        assert ["ends"] == printed(program)


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
