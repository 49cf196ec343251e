"""What the bench times it proves: each of these lies would have given a figure. No clocks."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes

TOP = Path(__file__).resolve().parents[1]
if not (TOP / "bench").is_dir():
    pytest.skip("the bench is not beside the tests", allow_module_level=True)
sys.path.append(str(TOP))

from bench import (  # noqa: E402
    anchors,
    attach,
    clients,
    compat,
    context,
    ctool,
    floor,
    handshake,
    harness,
    loop,
    peers,
    process,
    proof,
    stats,
    threads,
    worker,
    world,
)

Port = int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    """A server of a run."""
    if modes.HIDDEN:
        pytest.skip("this Python hides its OpenSSL: there is no native mode to measure")
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ctool.FOLDER, "")  # prepare() sets it
        ctool.prepare(folder)
        world.make(folder)
        with world.server(folder, world.chain_name(), "TLS 1.3") as found:
            yield found


@pytest.fixture
def port(served: Port, monkeypatch: pytest.MonkeyPatch) -> Port:
    """The same, with the environment of a worker."""
    monkeypatch.setenv("SSL_CERT_FILE", str(world.bundle()))
    return served


def test_call_that_verifies_is_told_from_those_that_do_not(port: Port) -> None:
    """By name, by root, and by whether it accepts whom it should."""
    any_name = ssl.create_default_context(cafile=world.bundle())
    any_name.check_hostname = False
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    proof.of_connections(
        {
            stats.OURS: peers.connecting(fasttrust.create_default_context(), port),
            peers.UNVERIFIED: peers.connecting(peers.unverified(), port),
        },
        port,
    )()
    for lying, said in (
        (any_name, "accepts the chain of wrong"),
        (peers.unverified(), "accepts the chain of wrong"),
        (nobody, "refuses the right chain"),
    ):
        calls = {stats.OURS: peers.connecting(lying, port)}
        with pytest.raises(harness.WrongVerdictError, match=f"{stats.OURS} {said}"):
            proof.of_connections(calls, port)()
    strict = peers.connecting(fasttrust.create_default_context(), port)
    with pytest.raises(harness.WrongVerdictError, match="refuses the chain of wrong"):
        proof.of_connections({peers.UNVERIFIED: strict}, port)()


def test_unknown_root_alone_is_asked_too(port: Port) -> None:
    """One that knows names and no roots."""

    def lying() -> None:
        try:
            peers.connect(fasttrust.create_default_context(), port)
        except ssl.SSLCertVerificationError as error:
            if "Hostname mismatch" in str(error):
                raise

    with pytest.raises(harness.WrongVerdictError, match="accepts the chain of unknown"):
        proof.of_connections({stats.OURS: lying}, port)()


def test_other_failure_is_no_refusal(port: Port) -> None:
    """A participant that cannot be imported refuses nobody."""

    def broken() -> None:
        raise ImportError("no module named fasttrust")

    with pytest.raises(ImportError):
        proof.of_connections({stats.OURS: broken}, port)()


def test_server_shows_its_own_chain_again(port: Port) -> None:
    """Whatever happens while another one is shown."""
    with pytest.raises(KeyError), world.posing(port, world.UNKNOWN):
        raise KeyError
    peers.connect(fasttrust.create_default_context(), port).close()


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize("task", [context.least, context.making, attach.calls])
def test_context_that_is_timed_is_the_one_that_is_proved(
    task: Callable[[], harness.Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not another one, made in another way."""
    monkeypatch.setattr(harness, "installed", lambda _: False)
    task().prove()
    monkeypatch.setattr(fasttrust, "create_default_context", ssl._create_unverified_context)
    monkeypatch.setattr(fasttrust, "SSLContext", lambda _: peers.unverified())
    monkeypatch.setattr(fasttrust, "attach", lambda _: None)
    with pytest.raises(harness.WrongVerdictError):
        task().prove()


@pytest.mark.usefixtures("port")
def test_compat_contexts_are_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever mode they are made."""
    backend = type("Backend", (), {"mode": "compat"})
    monkeypatch.setattr(fasttrust, "backend", backend)
    monkeypatch.setattr(fasttrust, "SSLContext", lambda _: peers.unverified())
    with pytest.raises(harness.WrongVerdictError, match=r"fasttrust accepts wrong\.test"):
        compat.making().prove()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_server_is_ended_by_whoever_started_it(tmp_path: Path, port: Port) -> None:
    """Ctrl-C at a terminal reaches it too, and is not its to answer; it goes on until then."""
    command = [sys.executable, "-m", "bench.world", str(world.folder() / world.chain_name())]
    with subprocess.Popen(
        [*command, "TLS 1.3", "0", "byte"],
        cwd=TOP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        found = int(server.stdout.readline())
        server.send_signal(signal.SIGINT)
        peers.connect(fasttrust.create_default_context(), found).close()
        _, said = server.communicate()
    assert ("", 0) == (said, server.returncode)


@modes.no_verify_chain
@pytest.mark.usefixtures("port")
def test_chain_among_anchors_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a chain of another root, for the very call that is counted."""
    monkeypatch.setattr(anchors, "NAMES", {world.BUNDLE_SIZE: "the bundle"})
    monkeypatch.setattr(world, "made_bundle", lambda _: world.bundle())
    anchors.verifying().prove()
    monkeypatch.setattr(fasttrust, "verify_chain", lambda *_, **__: [1, 2, 3])
    with pytest.raises(harness.WrongVerdictError, match="another verdict"):
        anchors.verifying().prove()


@pytest.mark.usefixtures("port")
def test_handshakes_over_memory_are_proved() -> None:
    """By the call that is timed, with another server in the place of its own."""
    stand = world.Stand(world.server_context(world.folder() / world.chain_name(), "TLS 1.2"))
    for made, is_right in ((fasttrust.create_default_context(), True), (peers.unverified(), False)):
        seconds = floor.ctypes.c_double()
        calls = {stats.OURS: handshake._over_memory(made, stand, seconds, False)}
        if is_right:
            proof.over_memory(calls, stand)()
            continue
        with pytest.raises(harness.WrongVerdictError, match="accepts the chain of wrong"):
            proof.over_memory(calls, stand)()


@pytest.mark.parametrize("task", [loop.timings, threads.walls])
def test_context_that_is_exchanged_between_is_noticed(
    task: Callable[..., Any], port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the rounds is asked again."""
    makers = peers.contexts(stats.OURS)
    monkeypatch.setattr(peers, "contexts", lambda *_: makers)
    arguments = (port, 1, 1) if task is loop.timings else (port, 1, [1])
    task(*arguments)
    own, asked = proof.of_connections, []

    def exchanging(calls: Any, port: Port) -> Callable[[], None]:
        prove, cells = own(calls, port), calls[stats.OURS].__closure__

        def lying() -> None:
            prove()
            made = next(c.cell_contents for c in cells if isinstance(c.cell_contents, dict))
            made[stats.OURS] = peers.unverified()
            asked.append(1)

        return lying

    monkeypatch.setattr(proof, "of_connections", exchanging)
    with pytest.raises(harness.WrongVerdictError, match="fasttrust accepts the chain of wrong"):
        task(*arguments)
    assert 1 == len(asked)


@pytest.mark.parametrize("how", ["time", "count"])
def test_worker_proves_before_and_after(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is timed or counted."""
    done: list[str] = []
    for name in ("interleave", "counts"):
        monkeypatch.setattr(harness, name, lambda *_: done.append("rounds"))
    pytest.importorskip("pyperf", reason="pyperf is of the extra `bench`")
    task = harness.Task({}, lambda: done.append("proof"))
    worker.measure(how, lambda: task, [1] * (4 if how == "count" else 2))
    assert ["proof", "rounds", "proof"] == done


def test_aiohttp_is_labelled_by_what_it_does() -> None:
    """It would keep one context, so what is measured is not how it comes."""
    assert ["aiohttp"] == [name for name, way in clients.WITHOUT.items() if "comes" not in way]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import ssl; context = ssl._create_unverified_context()", "accepts the chain of wrong"),
        ("import nothing_of_that_name", "No module named"),
    ],
)
def test_program_that_does_not_verify_is_not_timed(
    program: str, said: str, tmp_path: Path, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one that cannot start, whose failure is no refusal."""
    monkeypatch.setattr(process, "CONTEXTS", {stats.OURS: program})
    bench = harness.Bench(world.folder(), True)
    commands = process.commands(bench.folder, port, world.HOST)
    calls = {stats.OURS: lambda: process._run(bench, commands[stats.OURS])}
    with pytest.raises(harness.WrongVerdictError, match=said):
        proof.of_connections(calls, port)()


def test_floor_as_a_program_is_proved(port: Port) -> None:
    """It says which failure is a refusal."""
    if why := floor.why_not():
        pytest.skip(why)
    bench = harness.Bench(world.folder(), True)
    commands = process.commands(bench.folder, port, world.HOST)
    calls = {
        name: lambda name=name: process._run(bench, commands[name])
        for name in (floor.FLOOR, floor.UNVERIFIED)
    }
    proof.of_connections(calls, port)()


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize("name", ["ssl", "bare"])
def test_first_context_of_a_process_is_proved(name: str) -> None:
    """By handshakes, when the clock has stopped."""
    lies = "cold.maker = lambda *_: __import__('ssl')._create_unverified_context"
    for lie, said in (("", ""), (lies, f"{name} accepts ")):
        done = subprocess.run(
            [sys.executable, "-c", f"from bench import cold\n{lie}\ncold.cold({name!r})"],
            cwd=TOP,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert bool(said) == bool(done.returncode), done.stderr
        assert said in done.stderr


@pytest.mark.parametrize("name", [stats.OURS, peers.STDLIB])
def test_first_context_has_what_later_ones_share(name: str, port: Port) -> None:
    """The index of a process is told, in a process that has none yet."""
    if not Path("/proc/self/statm").exists() or sys.implementation.name != "cpython":
        pytest.skip("nobody tells here what of the process's memory is whose")
    bench = harness.Bench(world.folder(), True)
    first = bench.call("context:first_memory", name, port)
    later = bench.call("context:memory", name, port, 50) - bench.call(
        "context:memory", context.BARE, port, 50
    )
    assert first > 100 * 1024
    assert (name == stats.OURS) == (later < first / 5)
