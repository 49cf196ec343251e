"""The bench's own parts: statistics, verdicts, tables, pictures. No clocks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

TOP = Path(__file__).resolve().parents[1]
if not (TOP / "bench").is_dir():
    pytest.skip("the bench is not beside the tests", allow_module_level=True)
sys.path.append(str(TOP))

from bench import (  # noqa: E402
    ctool,
    environment,
    harness,
    plot,
    publish,
    report,
    stats,
)
from bench.stats import Row  # noqa: E402

RUNS = [{"fasttrust": [1.0, 2.0, 3.0], "ssl": [2.0, 4.0, 3.0]}]


def row(ratio: float, low: float | None, high: float | None, **changes: Any) -> Row:
    fields = {"figure": "a figure", "ours": "fasttrust", "peer": "ssl", "unit": "ms"}
    return Row(**{**fields, "ratio": ratio, "low": low, "high": high, **changes})


# ---- statistics ----------------------------------------------------------------------------------


def test_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """Not the ratio of the medians, which would be 2/3."""
    found = stats.beside("a figure", "ms", RUNS, "ssl")
    assert (0.5, 0.5, 0.75) == (found.ratio, found.low, found.high)
    assert (2000.0, 3000.0, "ms") == (found.value, found.peer_value, found.unit)


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        ({"at_most": 0.8}, "met"),
        ({"at_most": 0.4}, "MISSED"),
        ({"at_least": 0.4}, "met"),
        ({"at_least": 10.0}, "MISSED"),
        ({}, ""),
    ],
)
def test_target_gives_a_verdict(target: dict[str, float], verdict: str) -> None:
    """A target is what the ratio is at most, or at least."""
    assert verdict == stats.beside("a figure", "ms", RUNS, "ssl", **target).verdict


def test_target_within_the_spread_is_said() -> None:
    """Whether such a target is met the next run may see otherwise."""
    assert stats.UNDECIDED in stats.beside("a figure", "ms", RUNS, "ssl", at_most=0.6).note
    assert stats.UNDECIDED not in stats.beside("a figure", "ms", RUNS, "ssl", at_most=0.8).note


def test_one_sample_has_no_spread() -> None:
    """A dash, and how many there are beside every spread; its picture is a dot alone."""
    found = stats.beside(
        "a figure", "KiB", [{"fasttrust": [1.0], "ssl": [4.0]}], "ssl", at_most=0.5
    )
    assert (0.25, None, None, 1) == (found.ratio, found.low, found.high, found.rounds)
    assert ("\N{EN DASH} (1)", "met") == (report.spread(found), found.verdict)
    assert report.spread(stats.beside("a figure", "ms", RUNS, "ssl")).endswith(" (3)")
    assert "0.25" in _texts(plot.ratios("title", "label", [found]))


def test_derived_participant_is_of_the_same_rounds() -> None:
    """What verification takes is a difference within each round."""
    found = stats.derive(RUNS, "beyond", lambda one: one["ssl"] - one["fasttrust"])
    assert [1.0, 2.0, 0.0] == found[0]["beyond"]


def test_participants_take_turns() -> None:
    """Each is timed once a round, and the order rotates."""
    called: list[str] = []
    ticks = iter(range(1000))
    calls: harness.Peers = {name: lambda name=name: called.append(name) for name in "ab"}
    values = harness.interleave(calls, 3, 1, lambda: next(ticks))
    assert {"a": [1, 1, 1], "b": [1, 1, 1]} == values
    assert "ab" + "ab" + "ba" + "ab" == "".join(called)  # the first two find the batch's size


def test_what_warms_up_is_counted_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callgrind keeps calls of the time between two batches for the file of the next one."""
    since: list[str] = []
    files: list[list[str]] = []

    class Counter:
        def __init__(self, _: Path) -> None:
            pass

        def count(self, call: Any, times: int) -> int:
            files.append([*since])
            since.clear()
            for _ in range(times):
                call()
            files[-1] += since
            since.clear()
            return len(files)

        def instructions(self, _: int) -> float:
            return 10.0

    monkeypatch.setattr(ctool, "Counter", Counter)
    calls: harness.Peers = {name: lambda name=name: since.append(name) for name in "ab"}
    told = harness.counts(calls, 2, 30, 200, "")
    counted = [(name, file) for (name, _), file in zip(told, files, strict=True) if name]
    assert [("a", ["a"] * 3), ("b", ["b"] * 3)] * 2 == counted


def test_allocations_are_counted_by_callgrinds_calls() -> None:
    """A name stands in full once; later its number stands for it."""
    text = """
fn=(1) main
cfn=(2) malloc
calls=3 0
0 9
cfn=(3) SSL_new
calls=7 0
0 9
fn=(3)
cfn=(2)
calls=2 0
0 5
summary: 123
"""
    assert (5.0, 123.0) == (ctool.mallocs(text), ctool.instructions(text))


def test_instructions_of_python_are_told_apart() -> None:
    """By the object in which they lie; what a callee took is told of itself."""
    text = """
ob=(1) /usr/lib/libpython3.11.so.1.0
fn=(1) main
12 3
cob=(2) /usr/lib/libcrypto.so.3
cfn=(2) EVP_sign
calls=1 0
+1 100
ob=(2)
fn=(2)
* 70
-2 30
ob=(3) /somewhere/python3.11/_core.abi3.so
0 9
ob=(1)
fn=(1)
0 4
summary: 116
"""
    assert (7.0, 116.0) == (ctool.in_python(text), ctool.instructions(text))


def test_part_is_taken_off_round_by_round() -> None:
    """What lies outside Python is each round's own."""
    whole, part = [{"a": [5.0, 7.0]}], [{"a": [1.0, 2.0], "b": [9.0, 9.0]}]
    assert [{"a": [4.0, 5.0]}] == stats.less(whole, part)


# ---- comparing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (row(1.0, 0.9, 1.1), row(1.05, 1.0, 1.2), ""),  # the spreads overlap
        (row(1.0, 1.0, 1.0), row(1.005, 1.005, 1.005), ""),  # apart, and nothing to speak of
        (row(1.0, 0.9, 1.1), row(1.5, 1.4, 1.6), "worse"),
        (row(1.0, 0.9, 1.1), row(0.5, 0.4, 0.6), "better"),
        (row(12, 11, 13, target="≥ 10"), row(6, 5, 7, target="≥ 10"), "worse"),
        (row(1.0, 0.9, 1.1), Row("a figure", "fasttrust", "ssl"), "not measured any more"),
        (
            row(0.002, None, None),
            row(0.003, None, None),
            "not judged, for one sample has no spread",
        ),
        (
            row(0.002, 0.001, 0.003),
            row(0.1, None, None),
            "not judged, for one sample has no spread",
        ),
        (row(0.002, None, None), row(0.002, None, None), ""),
    ],
)
def test_change_is_what_goes_beyond_both_spreads(old: Row, new: Row, word: str) -> None:
    """Anything less is noise, and is not told."""
    expected = [word] if word else []
    assert expected == [line.split(":")[0] for line in stats.changes([old], [new])]


def test_change_of_a_verdict_is_told() -> None:
    """So is a row that is new, or gone."""
    old = [row(1.0, 1.0, 1.0, target="≤ 1.1", verdict="met"), row(1, 1, 1, figure="old")]
    new = [row(1.5, 1.5, 1.5, target="≤ 1.1", verdict="MISSED"), row(1, 1, 1, figure="new")]
    first, *others = stats.changes(old, new)
    assert first.endswith("was met, is MISSED")
    assert ["gone: old: fasttrust / ssl", "new: new: fasttrust / ssl"] == others


# ---- reporting -----------------------------------------------------------------------------------

ROWS = [
    row(0.5, 0.4, 0.6, value=1.0, peer_value=2.0, target="≤ 1.03", verdict="met"),
    row(1.5, 1.4, 1.6, peer="a|b <c> & d", target="≤ 1.03", verdict="MISSED", note="why"),
    stats.absent("another figure", "valgrind", "not installed"),
]


def test_markdown_table_has_a_line_for_each_row() -> None:
    """A figure is named in its first row; a bar in a name is no column."""
    lines = report.markdown(ROWS).splitlines()
    assert 2 + len(ROWS) == len(lines)
    assert {len(report.HEADINGS) + 1} == {line.replace("\\|", "").count("|") for line in lines}
    assert 1 == sum("a figure" in line for line in lines)
    assert "MISSED; why" in lines[3]
    assert "not installed" in lines[4]


def test_terminal_table_and_what_was_missed() -> None:
    """The terminal shows the same rows, and at the end each miss with its reason."""
    text = report.table(ROWS)
    assert all(
        name in text for name in ("a figure", "another figure", "0.400\N{EN DASH}0.600", "MISSED")
    )
    (missed,) = report.missed(ROWS)
    assert "1.500, target ≤ 1.03 (why)" in missed
    assert "1 targets met, 1 missed" == report.summary(ROWS)


def _texts(svg: str) -> list[str]:
    tree = ElementTree.fromstring(svg)
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    return [element.text or "" for element in tree.iter("{http://www.w3.org/2000/svg}text")]


def test_picture_of_ratios_is_well_formed() -> None:
    """Every measured row has its name and number, whatever is in the name."""
    texts = _texts(plot.ratios("title & <more>", "label", ROWS))
    assert {"title & <more>", "label", "a figure", "ssl", "a|b <c> & d", "0.5", "1.5"} <= {*texts}
    assert "" == plot.ratios("title", "label", ROWS[2:])


def test_picture_says_which_rows_it_leaves_out() -> None:
    """A long table's picture shows the rows with a target."""
    many = [row(1.0, 0.9, 1.1, figure=f"{number}") for number in range(plot.MOST)]
    texts = _texts(plot.ratios("title", "label", [*ROWS, *many]))
    assert "a figure" in texts
    assert "7" not in texts
    assert any(f"{plot.MOST} rows without a target" in text for text in texts)


def test_picture_of_lines_is_well_formed() -> None:
    """Every participant's name stands beside its line."""
    line = [(1.0, 2.0, 1.5, 3.0), (1000.0, 20.0, 0.0, 30.0)]
    drawn = harness.Plot("title", "anchors", "µs", {"fasttrust": line, "a & b": line})
    assert {"title", "anchors", "µs", "fasttrust", "a & b", "1000"} <= {
        *_texts(plot.lines(drawn, ""))
    }


def test_rows_survive_json(tmp_path: Path) -> None:
    """What --compare reads is what was written."""
    pytest.importorskip("pyperf", reason="pyperf is of the extra `bench`")
    bench = harness.Bench(tmp_path, True)
    bench.keep("a figure", "second", [{"fasttrust": [1.0], "ssl": [2.0]}])
    facts = {"python": "3", "openssl": "3", "verdict": "quiet"}
    report.write(tmp_path / "out", facts, {"name": ROWS}, bench)
    rows, written = report.read(tmp_path / "out" / "results.json")
    assert (ROWS, facts) == (rows, written["environment"])
    assert {"name.svg", "table.md", "pyperf.json", "results.json"} == {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_loaded_machine_is_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of a machine on which others ran are not to be quoted, and the run says so."""
    clock = iter((0.0, 10.0, 10.0))
    busy = iter((100.0, 115.0, 115.0))
    own = iter((1.0, 2.0, 2.0))
    monkeypatch.setattr(environment, "monotonic", lambda: next(clock))
    monkeypatch.setattr(environment, "_busy", lambda: next(busy))
    monkeypatch.setattr(environment, "_own", lambda: next(own))
    load = environment.Load()
    assert 1.4 == pytest.approx(load.others())
    assert load.facts({})["verdict"].startswith("LOADED: others kept 1.40 cores busy")


@pytest.mark.parametrize(
    ("others", "parts", "said"),
    [
        (0.02, {"start": 0.05, "clients": None}, "quiet"),
        (0.02, {"start": 0.05, "clients": 0.9}, "LOADED in clients: others kept 0.90 cores"),
        (0.02, {"wine": 0.9}, "quiet"),
        (0.2, {"start": 0.2}, "LOADED: others kept 0.20 cores busy"),
        (None, {"start": None}, "unknown: "),
    ],
)
def test_one_busy_minute_is_said(
    others: float | None, parts: dict[str, float | None], said: str
) -> None:
    """A run of a quarter of an hour is not quiet because the rest of it was."""
    assert environment.verdict(others, parts).startswith(said)


# ---- publishing ----------------------------------------------------------------------------------


def test_published_results_go_between_their_comments(tmp_path: Path) -> None:
    """What stands before and behind stays; a page without a place is an error, not a loss."""
    page = tmp_path / "README.md"
    marks = ("<!-- results: written by bench/publish.py -->", "<!-- end of results -->")
    page.write_text("before\n{}\nold\n{}\nbehind\n".format(*marks), "utf-8")
    environment = {"verdict": "LOADED: by others", "cpu": "a", "cores": "2", "store": "144 anchors"}
    written = {"environment": {**environment, "python": "3", "openssl": "3"}, "fast": True}
    publish.place(page, "results", publish.whole(ROWS, written, [Path("a.svg")]))
    text = page.read_text("utf-8")
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("behind\n")
    assert "Fast run on a machine that was **LOADED: by others**" in text
    assert "![a](results/a.svg)" in text
    with pytest.raises(ValueError, match="no place for other"):
        publish.place(page, "other", "")


@pytest.mark.parametrize("path", ["README.md", "bench/README.md"])
def test_readmes_have_a_place_for_results(path: str) -> None:
    """Both show the last published run."""
    page = TOP / path
    assert "<!-- results: written by bench/publish.py -->" in page.read_text("utf-8")


def test_only_the_runs_own_pictures_are_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder may hold those of an older run, of measurements that are no more."""
    pytest.importorskip("pyperf", reason="pyperf is of the extra `bench`")
    folder, top = tmp_path / "out", tmp_path / "top"
    bench = harness.Bench(tmp_path, True)
    bench.keep("a figure", "second", [{"fasttrust": [1.0], "ssl": [2.0]}])
    facts = {
        "verdict": "quiet",
        **dict.fromkeys(("cpu", "cores", "python", "openssl", "store"), ""),
    }
    report.write(folder, facts, {"new": ROWS}, bench)
    (folder / "old.svg").write_text("<svg/>")
    marks = "<!-- results: written by bench/publish.py --><!-- end of results -->"
    (top / "bench").mkdir(parents=True)
    for page in (top / "README.md", top / "bench" / "README.md"):
        page.write_text(marks, "utf-8")
    monkeypatch.setattr(harness, "ROOT", top)
    monkeypatch.setattr(publish, "RESULTS", top / "bench" / "results")
    monkeypatch.setattr(sys, "argv", ["publish", str(folder)])
    assert 0 == publish.main()
    assert {"new.svg", "results.json"} == {path.name for path in publish.RESULTS.iterdir()}
    assert "(results/new.svg)" in (top / "bench" / "README.md").read_text("utf-8")
    monkeypatch.setattr(sys, "argv", ["publish", str(tmp_path / "nowhere")])
    assert 2 == publish.main()
