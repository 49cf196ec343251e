"""The bench's command, and what it checks of itself before anything is measured. No clocks."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fasttrust
import modes

TOP = Path(__file__).resolve().parents[1]
if not (TOP / "bench").is_dir():
    pytest.skip("the bench is not beside the tests", allow_module_level=True)
sys.path.append(str(TOP))

from bench import (  # noqa: E402
    __main__,
    ctool,
    floor,
    handshake,
    harness,
    peers,
    report,
    stats,
    verify,
    world,
)
from bench.stats import Row  # noqa: E402

ROWS = [
    Row("a figure", "fasttrust", "ssl", ratio=0.5, target="≤ 1.03", verdict="met"),
    Row("a figure", "fasttrust", "floor", ratio=1.5, target="≤ 1.03", verdict="MISSED"),
]


# ---- the command ---------------------------------------------------------------------------------


def test_measurements_have_the_interface() -> None:
    """A measurement has a title for --help, and a function."""
    for name in __main__.MEASUREMENTS:
        module = import_module(f"bench.{name}")
        assert module.TITLE
        assert callable(module.run)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "handshake", "nonsense"], "no measurement is called nonsense"),
        (["--compare", "no such file.json"], "no such file.json"),
        (["--compare", "{broken}"], "broken.json"),
        (["--compare", "{other}"], "'unknown'"),
        (["--compare", "{format}"], "it is of format 1, and this bench reads 2 alone"),
        (["--compare", "{list}"], "it is not a results.json"),
        (["--compare", "{facts}"], "its 'environment' is missing"),
        (["--compare", "{row}"], "row 1 is no object"),
        (["--compare", "{lacking}"], "row 1 lacks 'figure'"),
        (["--compare", "{ratio}"], "'ratio' of row 1 is '0.5'"),
        (["--compare", "{low}"], "'low' of row 1 is True"),
        (["--compare", "{note}"], "'note' of row 1 is None"),
        (["--nonsense"], "--nonsense"),
        (["--output", "{broken}"], "broken.json"),
        (["--output", "{broken}/below"], "Not a directory"),
    ],
)
def test_usage_error_is_clear(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is measured, the exit code is 2, and the sentence names what is wrong."""
    pytest.importorskip("pyperf", reason="pyperf is of the extra `bench`")
    (tmp_path / "broken.json").write_text("{")
    file = {"format": 2, "fast": True, "environment": {}}
    named = {"figure": "a figure", "ours": "fasttrust", "peer": "ssl"}
    written: dict[str, Any] = {
        "other": {**file, "rows": [{**named, "unknown": 1}]},
        "format": {**file, "format": 1},
        "list": [],
        "facts": {**file, "environment": None, "rows": []},
        "row": {**file, "rows": [1]},
        "lacking": {**file, "rows": [{}]},
        "ratio": {**file, "rows": [{**named, "ratio": "0.5"}]},
        "low": {**file, "rows": [{**named, "low": True}]},
        "note": {**file, "rows": [{**named, "note": None}]},
    }
    for name, value in written.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    places = {name: str(tmp_path / f"{name}.json") for name in ("broken", *written)}
    monkeypatch.setattr(__main__, "measure", lambda *_: pytest.fail("it measures"))
    with pytest.raises(SystemExit) as caught:
        __main__.main([text.format(**places) for text in arguments])
    assert 2 == caught.value.code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("package", ["pyperf", "cryptography"])
def test_package_that_is_missing_is_named(
    package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a sentence, before anything is made."""
    monkeypatch.setattr(harness, "installed", lambda name: name != package)
    with pytest.raises(SystemExit):
        __main__.main([])
    assert f"{package} is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("with_floor", [False, True])
def test_miss_is_explained_by_what_was_measured(with_floor: bool) -> None:
    """The floor is named where there is one."""
    run = {stats.OURS: [2.0, 2.0], peers.PYOPENSSL: [1.0, 1.0]}
    rows = verify._beside(
        "a figure", "µs", [{**run, **({floor.FLOOR: [1.0, 1.0]} if with_floor else {})}]
    )
    assert with_floor == ("the floor" in rows[0].note)
    assert "no purpose" in rows[0].note


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Measurements by name, in place of the bench's own; nothing is prepared for them."""
    pytest.importorskip("pyperf", reason="pyperf is of the extra `bench`")
    monkeypatch.setattr(ctool, "prepare", lambda _: {"floor.c": "", "count.c": ""})
    monkeypatch.setattr(world, "make", lambda into: (into / "bundle.pem").write_text(""))

    def put(**runs: Callable[[harness.Bench], Iterator[Row]]) -> None:
        for name, run in runs.items():
            module: Any = ModuleType(f"bench.{name}")
            module.TITLE, module.run = name, run
            monkeypatch.setitem(sys.modules, f"bench.{name}", module)
        monkeypatch.setattr(__main__, "MEASUREMENTS", tuple(runs))

    return put


def _works(bench: harness.Bench) -> Iterator[Row]:
    bench.keep("a figure", "second", [{"fasttrust": [1.0], "ssl": [2.0]}])
    yield ROWS[0]


def _ends_by(error: BaseException) -> Callable[[harness.Bench], Iterator[Row]]:
    def run(_: harness.Bench) -> Iterator[Row]:
        yield ROWS[1]
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("worker failed:\nWrongVerdictError: ssl accepts wrong.test"), "WrongVerdict"),
        (OSError("no port is free"), "OSError: no port is free"),
        (ValueError(), "ValueError"),
    ],
)
def test_failed_measurement_loses_nothing_else(
    error: Exception,
    said: str,
    measurements: Callable[..., None],
    tmp_path: Path,
) -> None:
    """It is a row that says FAILED; its rows until then and all others are written; exit code 1."""
    measurements(broken=_ends_by(error), working=_works)
    assert 1 == __main__.main(["--output", str(tmp_path)])
    rows, _ = report.read(tmp_path / "results.json")
    first, failed, last = (row.verdict for row in rows)
    assert ("MISSED", "met") == (first, last)
    assert failed.startswith(f"FAILED: {said}")


def test_run_that_is_ended_early_keeps_what_it_has(
    measurements: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C, or a kill: what was measured is written, and where it ended is said."""
    measurements(working=_works, ended=_ends_by(KeyboardInterrupt()), never=_ends_by(OSError()))
    assert 130 == __main__.main(["--output", str(tmp_path)])
    rows, written = report.read(tmp_path / "results.json")
    assert ["met", "MISSED"] == [row.verdict for row in rows]
    assert written["environment"]["stopped"].endswith("in ended")
    assert "stopped" in capsys.readouterr().err


def test_comparing_the_two_forms_is_said(
    measurements: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their figures are of other cases and rounds."""
    measurements(working=_works)
    old = tmp_path / "old" / "results.json"
    __main__.main(["--output", str(old.parent), "--fast"])
    said = "the older run is of the fast form, this one of the full form"
    for form, is_said in ((["--fast"], False), ([], True)):
        capsys.readouterr()
        assert 0 == __main__.main(["--output", str(tmp_path), "--compare", str(old), *form])
        assert is_said == (said in capsys.readouterr().out)


def test_each_measurement_is_written_when_it_is_done(
    measurements: Callable[..., None], tmp_path: Path
) -> None:
    """Whatever ends the process, the measurements before it are there."""

    def look(_: harness.Bench) -> Iterator[Row]:
        rows, _ = report.read(tmp_path / "results.json")
        yield from rows

    measurements(working=_works, looking=look)
    assert 0 == __main__.main(["--output", str(tmp_path)])
    rows, _ = report.read(tmp_path / "results.json")
    assert [ROWS[0], ROWS[0]] == rows


def test_worker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement that never ends would cost all those behind it."""
    monkeypatch.setattr(harness, "LONGEST", 0.01)
    with pytest.raises(RuntimeError, match=r"cold:cold did not end in 0\.01 s"):
        harness.Bench(tmp_path, True).call("cold:cold", "ssl")


# ---- self-checks ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run's folder: its PKI, and the floor where it compiles."""
    if modes.HIDDEN:
        pytest.skip("this Python hides its OpenSSL: there is no native mode to measure")
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ctool.FOLDER, "")  # prepare() sets it
        ctool.prepare(folder)
        world.make(folder)
        yield folder


@pytest.fixture
def run_folder(made_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with the environment of a worker."""
    monkeypatch.setenv("SSL_CERT_FILE", str(made_folder / "bundle.pem"))
    return made_folder


@pytest.mark.usefixtures("run_folder")
def test_participants_are_proved_before_they_are_measured() -> None:
    """All that are said to verify do, by name and by root; what is said not to does not."""
    names = (stats.OURS, peers.STDLIB, peers.HASHED, peers.UNVERIFIED)
    made = peers.proved_contexts(*names)
    assert names == tuple(made)
    assert [True, False, False, False] == [
        isinstance(c, fasttrust.SSLContext) for c in made.values()
    ]


@pytest.mark.usefixtures("run_folder")
def test_pyopenssl_is_proved_by_its_roots() -> None:
    """It checks no name, as its rows say; one that verifies nobody is not timed."""
    module: Any = pytest.importorskip("OpenSSL.SSL")
    peers.proved_contexts(peers.PYOPENSSL)
    nobody = module.Context(module.TLS_CLIENT_METHOD)
    with pytest.raises(harness.WrongVerdictError, match=r"accepts server\.test of an unknown"):
        peers.proved(peers.PYOPENSSL, nobody)


@modes.no_verify_chain
@pytest.mark.usefixtures("run_folder")
@pytest.mark.parametrize(
    ("accepted", "said"), [("unknown", "accepts an unknown root"), ("wrong.test", "wrong.test")]
)
def test_verifier_that_accepts_anything_is_not_timed(
    accepted: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of chains without a connection, too: before the clock runs, each has refused."""
    theirs = verify._floor if not floor.why_not() else verify._ours
    unknown = world.sent(world.UNKNOWN)

    def lax(bundle: Path, chain: list[bytes], is_parsed: bool, host: str = world.HOST) -> Any:
        is_lax = chain == unknown if accepted == "unknown" else host == accepted
        return (lambda: None) if is_lax else theirs(bundle, chain, is_parsed, host)

    verify.peers(world.chain_name(), "DER", world.BUNDLE_SIZE).prove()
    monkeypatch.setattr(verify, "_ours", lax)
    with pytest.raises(harness.WrongVerdictError, match=f"fasttrust .*{said}"):
        verify.peers(world.chain_name(), "DER", world.BUNDLE_SIZE).prove()


@pytest.mark.usefixtures("run_folder")
def test_wrong_verdict_stops_the_measurement() -> None:
    """A participant that accepts anybody, accepts any name, or refuses everybody is not timed."""
    any_name = ssl.create_default_context(cafile=world.bundle())
    any_name.check_hostname = False
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, said in (
        (peers.unverified(), "accepts wrong.test of a known root"),
        (any_name, "accepts wrong.test of a known root"),
        (nobody, "refuses server.test of a known root"),
    ):
        with pytest.raises(harness.WrongVerdictError, match=said):
            peers.proved("ssl", context)
    with pytest.raises(harness.WrongVerdictError, match="refuses wrong\\.test"):
        peers.proved(peers.UNVERIFIED, ssl.create_default_context(cafile=world.bundle()))


@modes.no_session
@pytest.mark.usefixtures("run_folder")
@pytest.mark.parametrize("version", world.VERSIONS)
def test_resumed_handshakes_are_resumed(version: str) -> None:
    """Over memory BIOs, too, each participant resumes, with no verification."""
    task = handshake.memory(world.chain_name(), version, True)
    task.prove()
    for call in task.calls.values():
        before = task.clock()
        call()
        assert task.clock() > before


def test_floor_gives_the_verdicts_too(run_folder: Path) -> None:
    """The floor refuses a wrong name and an unknown root: it does the work that it stands for."""
    if why := floor.why_not():
        pytest.skip(why)
    version = ssl.TLSVersion.TLSv1_3
    seconds = floor.ctypes.c_double()
    good, unknown = run_folder / world.chain_name(), run_folder / world.UNKNOWN
    floor.over_memory(world.bundle(), good, version, world.HOST, seconds)()
    assert seconds.value > 0
    for each in world.VERSIONS.values():
        floor.over_memory(world.bundle(), good, each, world.HOST, seconds, resumed=True)()
    floor.over_memory(None, unknown, version, "wrong.test", seconds)()  # unverified
    for folder, host in ((good, "wrong.test"), (unknown, world.HOST)):
        with pytest.raises(harness.WrongVerdictError, match="line"):
            floor.over_memory(world.bundle(), folder, version, host, seconds)()
    verify = floor.verifying(world.bundle(), world.sent(good.name), False, world.HOST, 3)
    verify()
    with pytest.raises(harness.WrongVerdictError):
        floor.verifying(world.bundle(), world.sent(unknown.name), False, world.HOST, 3)()
    floor.prove(world.bundle(), good, unknown, world.HOST)
    with pytest.raises(harness.WrongVerdictError, match=r"the floor refuses server\.test"):
        floor.prove(world.folder() / "own.pem", unknown, good, world.HOST)
