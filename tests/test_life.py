"""Life in a process: how it starts, forks and ends."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import fasttrust
import modes
from world import TESTS, check_python

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
