"""Python's own OpenSSL, found and proved: what is accepted, what is not, and what then happens."""

from __future__ import annotations

import gc
import random
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
from fasttrust import _native
from world import VERIFIER, check_python, machine_trusts, run_python

CLIENT = ssl.PROTOCOL_TLS_CLIENT


def live_objects() -> list[object]:
    """Return thousands of objects of every type that this process has."""
    found: list[object] = [None, True, 0, 1 << 70, 1.5, "", "text", b"", b"x" * 200, ()]
    found += [bytearray(64), memoryview(b"x" * 64), ssl.MemoryBIO(), ssl, ssl.SSLContext]
    by_type: dict[type, list[object]] = {}
    for each in gc.get_objects():
        by_type.setdefault(type(each), []).append(each)
    chance = random.Random(1)
    for objects in by_type.values():
        found += chance.sample(objects, min(8, len(objects)))
    return found


@modes.reachable
def test_probe_leaves_no_errno() -> None:
    """The digits of a number are no address: EFAULT, which no later call may find."""
    ffi = _native.ffi
    ffi.errno = 0
    assert not _native.probe(7, 7)
    assert 0 == ffi.errno


@modes.reachable
def test_probe_accepts_only_the_true_pair() -> None:
    """Of all pairs of live objects one context and its own connection are a pair, nothing else."""
    context, other = (ssl.SSLContext(CLIENT) for _ in range(2))

    def connection_of(owner: ssl.SSLContext) -> Any:
        wrapped = owner.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="a.test")
        return wrapped._sslobj  # type: ignore[attr-defined]

    connection, stranger = connection_of(context), connection_of(other)
    assert not _native.probe(context, stranger)
    assert not _native.probe(other, connection)
    assert not _native.probe(connection, context)
    assert not _native.probe(context, context)
    assert not _native.probe(connection, connection)
    objects = live_objects()
    assert len(objects) > 1000
    for each in objects:
        assert not _native.probe(each, connection) or each is context
        assert not _native.probe(context, each) or each is connection
        assert not _native.probe(each, each)
    chance = random.Random(2)
    for _ in range(3000):
        first, second = chance.choice(objects), chance.choice(objects)
        if not isinstance(first, ssl.SSLContext):
            assert not _native.probe(first, second)
    assert _native.probe(context, connection)


def test_type_gate_is_not_fooled() -> None:
    """C reads objects of the two types only, whatever they say of themselves."""

    class Fake:
        __class__ = ssl.SSLContext  # type: ignore[assignment]

    assert isinstance(Fake(), ssl.SSLContext)
    for value in (*live_objects(), Fake(), Fake, ssl.SSLContext):
        mro = type.mro(type(value)) if type(value) is not type else []
        assert _native.is_context(value) == (ssl.SSLContext.__mro__[1] in mro)
    assert not _native.is_connection(Fake())


def test_backend_is_an_immutable_record() -> None:
    """`backend()` names mode, verifier and the OpenSSL that `ssl` names."""
    record = fasttrust.backend()
    mode = "compat" if modes.COMPAT else "native"
    assert (mode, VERIFIER, ssl.OPENSSL_VERSION) == record[:3]
    assert ("mode", "verifier", "openssl", "reason") == record._fields
    with pytest.raises(AttributeError):
        record.mode = "compat"  # type: ignore[misc]


@pytest.mark.parametrize("mode", ["Compat", "Native", "no", " "])
def test_mode_that_there_is_not_is_an_import_error(mode: str) -> None:
    """A FASTTRUST_MODE that cannot be had is an ImportError that names it."""
    process = run_python("import fasttrust", FASTTRUST_MODE=mode)
    assert process.returncode == 1
    last = process.stderr.splitlines()[-1]
    assert last.startswith("ImportError: FASTTRUST_MODE=")
    assert mode in last


@modes.reachable
@pytest.mark.parametrize("mode", ["native", ""])
def test_mode_native_and_none(mode: str) -> None:
    """`native` and an empty variable import, where OpenSSL can be proved."""
    program = "import fasttrust; print(fasttrust.backend().mode)"
    assert check_python(program, FASTTRUST_MODE=mode) == "native\n"


@modes.reachable
@pytest.mark.parametrize("option", ["-E", "-I"])
def test_mode_is_ignored_where_python_ignores_such_variables(option: str) -> None:
    """Under -E and -I the variable does not count."""
    path = [each for each in sys.path if each]
    program = f"import sys; sys.path[:0] = {path!r}; from fasttrust import backend"
    program += "; print(backend().mode)"
    assert check_python(program, option, FASTTRUST_MODE="compat") == "native\n"


# A pair that is none: the same proof that a foreign or hidden OpenSSL fails, on real code.
BLIND = """
    import ssl
    from fasttrust import _native
    import fasttrust
    real = _native._specimen
    def wrong():
        context, connection, _ = real()
        return context, connection, _native._describe({context}, {connection})
    _native._specimen = wrong
"""
WRONG_PAIRS = {
    "no context": ("object()", "connection"),
    "no connection": ("context", "object()"),
    "swapped": ("connection", "context"),
    "of another": ("ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)", "connection"),
}


@pytest.mark.parametrize("pair", WRONG_PAIRS)
def test_unproved_openssl_is_compat_mode(pair: str) -> None:
    """Without proof nothing of ours calls OpenSSL: `ssl` verifies, and the reason is told."""
    context, connection = WRONG_PAIRS[pair]
    program = (
        BLIND.format(context=context, connection=connection)
        + """
    record = fasttrust.backend()
    print(record.mode, record.verifier, record.openssl == ssl.OPENSSL_VERSION)
    print(record.reason.startswith("Python's own OpenSSL cannot be reached: "))
    import pki, peer
    root = pki.root("root")
    chain = pki.Chain((pki.leaf("leaf", root),))
    for anchor in (pki.root("stranger"), root):
        for make in (ssl.create_default_context, fasttrust.create_default_context):
            outcome = peer.connect(make(cadata=anchor.pem), peer.server_context(chain))
            print(getattr(outcome.client_error, "verify_code", 0), outcome.server_error is None)
    """
    )
    expected = [f"compat {VERIFIER} True", "True", *2 * ["20 False"], *2 * ["0 True"]]
    assert expected == check_python(program, FASTTRUST_MODE="").splitlines()


def test_mode_native_without_proof_is_an_import_error() -> None:
    """FASTTRUST_MODE=native proves at import, and says why it cannot."""
    program = """
        import sys, types, _ssl
        real = _ssl._SSLContext
        class Other(real):  # its connections are of a context that is somewhere else
            def _wrap_bio(self, *args):
                return real(16)._wrap_bio(*args)
        import ssl
        _ssl._SSLContext = Other
        try:
            import fasttrust
        except ImportError as error:
            print(type(error).__name__, str(error).startswith("FASTTRUST_MODE=native: "))
    """
    assert check_python(program, FASTTRUST_MODE="native") == "ImportError True\n"


def test_mode_is_decided_once() -> None:
    """A failed proof is remembered: contexts of two modes would not know each other's state."""
    program = (
        BLIND.format(context="object()", connection="connection")
        + """
    print(fasttrust.backend().mode)
    _native._specimen = real
    print(fasttrust.backend().mode, len(fasttrust.create_default_context().get_ciphers()) > 0)
    """
    )
    assert ["compat", "compat True"] == check_python(program, FASTTRUST_MODE="").splitlines()


def test_import_opens_only_modules_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Importing the package reads modules alone and runs no thread; a context reads the store."""
    program = """
        import os, sys, threading
        import ssl, _cffi_backend  # what they open themselves is theirs
        opened, started = [], []
        def hook(event, args):
            if event == "open":
                opened.append(str(args[0]))
            elif event in ("os.fork", "subprocess.Popen", "socket.connect", "os.putenv",
                           "_thread.start_new_thread", "ctypes.dlopen"):
                started.append(event)
        sys.addaudithook(hook)
        from fasttrust import SSLContext
        mine = len(opened)  # an opener of ours is told twice, by open() and os.open()
        own = (".py", ".pyc", ".so")
        def strange(names):
            modules = [name for name in names if name.endswith(own) or ".pyc." in name]
            return list(dict.fromkeys(name for name in names if name not in modules))
        threads = threading.active_count(), len(os.listdir("/proc/self/task"))
        print(strange(opened), started, *threads)
        print(any("fasttrust" in name for name in opened))
        SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if MODULES_LATER:
            print(strange(opened[mine:]), started, threading.active_count())
        else:
            print(list(dict.fromkeys(opened[mine:])), started, threading.active_count())
    """
    store = machine_trusts(monkeypatch, tmp_path)
    program = program.replace(
        "MODULES_LATER", str(modes.COMPAT)
    )  # which native mode has no use for
    printed = check_python(program, PYTHONDONTWRITEBYTECODE="1").splitlines()
    assert ["[] [] 1 1", "True", f"{[str(store)]} [] 1"] == printed


def test_first_contexts_of_many_threads_prove_once() -> None:
    """Threads that make the process's first contexts at once all get one."""
    program = """
        import ssl, threading, fasttrust
        made, gate = [], threading.Barrier(16)
        def make():
            gate.wait(20)
            made.append(fasttrust.create_default_context())
        threads = [threading.Thread(target=make) for _ in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join(30)
        print(len(made), all(isinstance(each, fasttrust.SSLContext) for each in made))
    """
    assert check_python(program) == "16 True\n"


def test_fork_works_on_both_sides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Parent and child of a fork go on with a context of before, and make new ones."""
    program = """
        import os, ssl, sys, fasttrust, peer, pki
        root = pki.root("root")
        server = peer.server_context(pki.Chain((pki.leaf("leaf", root),)))
        client = fasttrust.create_default_context(cadata=root.pem)
        def works():
            stranger = fasttrust.create_default_context()
            codes = [peer.connect(each, server, carrier="bio").client_error
                     for each in (stranger, client)]
            return [getattr(code, "verify_code", 0) for code in codes] == [20, 0]
        assert works()
        child = os.fork()
        if child == 0:
            os._exit(0 if works() else 9)
        print(works(), os.waitpid(child, 0)[1])
    """
    machine_trusts(monkeypatch, tmp_path)
    assert check_python(program) == "True 0\n"
