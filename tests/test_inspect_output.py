"""What `inspect` prints: for people in whatever terminal, for programs, and as a picture."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

import fasttrust
import modes
import pki
import servers
from command import EXPIRED, GOOD, ISSUER, NAMES, ROOT, UNKNOWN, Command
from fasttrust import _inspect_svg
from fasttrust._certificate import _restored
from fasttrust._paper import Paper, width_of
from fasttrust._tree import draw, plant
from world import TESTS, machine_trusts

# What could steer a terminal, turn the direction of writing, or break XML.
ABSURD = "\x1b]0;x\x07\x1b[31mred\r\n\t\x00\x7f\x9b31m\u202egpj\u2066\u2069\u200b\ufeff\ufffe<&\">'"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    return machine_trusts(monkeypatch, tmp_path, ROOT)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def world() -> Iterator[tuple[str, str]]:
    """Serve a good and a bad server, and give their names."""
    with (
        servers.serving(servers.tls(GOOD)) as good,
        servers.serving(servers.tls(EXPIRED)) as old,
    ):
        yield f"localhost:{good}", f"localhost:{old}"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "fasttrust", "inspect", "--timeout", "20", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_tree_shows_anchor_leaf_and_unused(command: Command) -> None:
    """Each below its issuer, with names, dates, key, days left, and its place among those sent."""
    other = pki.intermediate("Unused Issuer", ROOT, algorithm="rsa2048")
    leaf, issuer = GOOD.certificates
    with servers.serving(servers.tls(pki.Chain((leaf, issuer, other)))) as port:
        out = command("inspect", f"localhost:{port}").out
    tree = out[out.index("  CN=Example Root") : out.index("  leaf    the")].splitlines()
    dates = f"{pki.NOW:%Y-%m}"
    assert re.fullmatch(r"  CN=Example Root +anchor", tree[0])
    assert tree[1].startswith("  │  EC P-256, ")
    assert tree[1].endswith("29 days left, not sent")
    assert "  ├─ CN=Example Issuer" == tree[2]
    assert re.fullmatch(r"  │  └─ CN=good +leaf", tree[4])
    assert "  │        for localhost, 127.0.0.1, 0:0:0:0:0:0:0:1" == tree[5]
    assert tree[6].endswith("sent 1st")
    assert re.fullmatch(r"  └─ CN=Unused Issuer +unused", tree[7])
    assert tree[8].startswith("        RSA 2048, ")
    assert sum(dates in line for line in tree) >= 3


def test_refused_chain_is_a_tree_too(command: Command) -> None:
    """From what was sent: the last one that has an issuer there is on top."""
    leaf, root = UNKNOWN.certificates
    middle = pki.intermediate("Stranger's Issuer", root)
    sent = pki.Chain((pki.leaf("below", middle, names=NAMES), root, middle, leaf))
    with servers.serving(servers.tls(sent)) as port:
        out = command("inspect", f"localhost:{port}").out
    names = re.findall(r"^ *[│ ]*[├└]?─? ?(CN=[^\n]*?)(?:  +\w+)?$", out, re.M)
    beside = [] if modes.FORGETS else ["CN=proxied"]
    assert ["CN=Stranger's Root", "CN=Stranger's Issuer", "CN=below", *beside] == names


@pytest.mark.parametrize("width", ["40", "80"])
def test_lines_fit_the_terminal(world: tuple[str, str], width: str) -> None:
    """However narrow it is, and nothing of the words is lost."""
    done = run(*world, COLUMNS=width, PYTHONIOENCODING="utf-8")
    out = done.stdout.decode()
    assert (1, b"") == (done.returncode, done.stderr)
    assert [] == [line for line in out.splitlines() if len(line) > int(width)]
    assert "certificate_expired, sent to the server" in " ".join(out.split())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-16", "cp437"])
def test_any_encoding_of_the_output_will_do(world: tuple[str, str], encoding: str) -> None:
    """What it cannot show is shown in another way."""
    chain = pki.Chain((pki.leaf("b\u00fccher \u4f8b\u3048 \u202e", ISSUER, names=NAMES), ISSUER))
    with servers.serving(servers.tls(chain)) as port:
        done = run(*world, f"localhost:{port}", PYTHONIOENCODING=encoding)
    assert (1, b"") == (done.returncode, done.stderr)
    assert "CN=Example Root" in done.stdout.decode(encoding)


@pytest.mark.parametrize("trusted", [True, False])
def test_absurd_certificate_steers_nothing(command: Command, tmp_path: Path, trusted: bool) -> None:
    """No control character, no mark of direction and no tag of its names gets out."""
    names = [*NAMES, *(f"{part}.test" for part in ("a\x1b[2Jb", "\x00", "<b>&", "x" * 5000))]
    root = ROOT if trusted else pki.root("absurd root", subject=f"r {ABSURD}"[:60])
    issuer = pki.intermediate("absurd issuer", root, subject=f"i {ABSURD}"[:60])
    leaf = pki.leaf("absurd", issuer, subject=f"l {ABSURD}"[:60], names=tuple(names))
    picture = tmp_path / "picture.svg"
    with servers.serving(servers.tls(pki.Chain((leaf, issuer)))) as port:
        done = command("inspect", "--compare", "--svg", str(picture), f"localhost:{port}")
        as_json = command("inspect", "--json", f"localhost:{port}")
    assert (0 if trusted else 1, "") == (done.status, done.err)
    assert None is STEERING.search(done.out)
    assert as_json.out.isascii()
    assert None is STEERING.search(as_json.out)
    assert ABSURD[:20] in json.loads(as_json.out)["servers"][0]["sent"][0]["subject"]
    drawn = picture.read_text("utf-8")
    assert None is STEERING.search(drawn)
    assert "red" in "".join(ET.fromstring(drawn).itertext())


@pytest.mark.parametrize("server", ["\x1b[31m", "\u202e", "\x9b31m"])
def test_servers_words_steer_nothing(command: Command, server: str) -> None:
    """Nor does what it says in plain text."""
    words = f"454 {server} no\r\n".encode()
    with servers.serving(servers.smtp(servers.silent, words)) as port:
        done = command("inspect", "--starttls", "smtp", f"localhost:{port}")
    assert 2 == done.status
    assert None is STEERING.search(done.out)


@pytest.mark.parametrize("size", [90_000, 110_000])
def test_certificate_of_100_kb_is_no_trouble(command: Command, tmp_path: Path, size: int) -> None:
    """All its names are in the JSON, few in the text; beyond OpenSSL's limit it is unreachable."""
    names = (*NAMES, *(f"{number:040}.test" for number in range(size // 47)))
    chain = pki.Chain((pki.leaf("much", ISSUER, names=names), ISSUER))
    picture = tmp_path / "picture.svg"
    with servers.serving(servers.tls(chain)) as port:
        done = command("inspect", "--svg", str(picture), f"localhost:{port}")
        as_json = json.loads(command("inspect", "--json", f"localhost:{port}").out)
    if size > 100_000:
        assert 2 == done.status
        assert "excessive message size" in " ".join(done.out.split())
    else:
        assert 0 == done.status
        assert f"and {len(names) - 4} more" in done.out
        assert len(names) == len(as_json["servers"][0]["sent"][0]["names"])
    assert len(done.out) < 4000
    assert picture.stat().st_size < 8000


def test_two_that_issued_each_other_are_drawn(command: Command) -> None:
    """Each once, however the names go round; a twin of the root has a tree of its own."""
    one = pki.root("one")
    two = pki.intermediate("two", one)
    one_by_two = pki.cross_sign("one by two", one, two)
    twin = pki.root("twin of one", subject="one")
    leaf = pki.leaf("in circles", two, names=NAMES)
    with servers.serving(servers.tls(pki.Chain((leaf, one_by_two, two, twin)))) as port:
        out = command("inspect", f"localhost:{port}").out
    assert (1 if modes.FORGETS else 2, 1, 1) == (
        len(re.findall(r"CN=one$", out, re.M)),
        len(re.findall(r"CN=two$", out, re.M)),
        len(re.findall(r"CN=in circles +leaf$", out, re.M)),
    )


def test_certificate_that_cannot_be_read_is_drawn_as_such() -> None:
    """OpenSSL takes what is not quite DER; we say that we cannot read it, and draw the rest."""
    broken = _restored(b"\x30\x80 not DER")
    leaf = fasttrust.Certificate(GOOD.certificates[0].der)
    stream = io.StringIO()
    draw(Paper(stream), plant((), (leaf, broken)))
    assert "  (unreadable)\n     The certificate is not DER: " in stream.getvalue()
    assert "CN=good" in stream.getvalue()


def test_wide_characters_take_their_columns(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names in Chinese are cut and wrapped by what they take on a terminal."""
    monkeypatch.setenv("COLUMNS", "40")
    chain = pki.Chain((pki.leaf("wide", ISSUER, subject="証明書" * 7),))
    with servers.serving(servers.tls(chain)) as port:
        lines = command("inspect", f"localhost:{port}").out.splitlines()
    assert max(map(width_of, lines)) <= 40
    assert any("証明書" in line for line in lines)


def test_deep_chain_fits_the_terminal(command: Command) -> None:
    """A hundred and eighty levels are no wider than the paper, and nothing overflows."""
    chain = [pki.root("deep root")]
    for number in range(180):
        chain.append(pki.intermediate(f"deep {number}", chain[-1]))
    chain.append(pki.leaf("deepest", chain[-1], names=NAMES))
    sent = pki.Chain(tuple(reversed(chain)))
    with servers.serving(servers.tls(sent)) as port:
        done = command("inspect", f"localhost:{port}")
    assert 1 == done.status
    assert max(map(len, done.out.splitlines())) <= 80
    assert "CN=deepest" in done.out


def on_a_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run `inspect` on a terminal, standard error too, and return status and output."""
    master, slave = pytest.importorskip("pty").openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "fasttrust", "inspect", *arguments],
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(TESTS), **environment},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        output = b""
        while True:
            try:
                output += os.read(master, 4096)
            except OSError:  # Linux's way to say that nobody writes any more
                break
        os.close(master)
    return process.returncode, output.decode()


def test_terminal_gets_colours_and_a_progress_bar(world: tuple[str, str]) -> None:
    """The bar is gone when a report is printed; a single server has none."""
    status, out = on_a_terminal(*world)
    assert 1 == status
    assert "\x1b[32m" in out
    assert re.search(r"\r\[[#.]+\] [01]/2", out)
    assert re.search(r"\r +\r", out)
    assert "/1" not in on_a_terminal(world[0])[1]


def test_no_color_is_heeded(world: tuple[str, str]) -> None:
    """https://no-color.org: any value but the empty one."""
    assert "\x1b" not in on_a_terminal(*world, NO_COLOR="1")[1]
    assert "\x1b" in on_a_terminal(*world, NO_COLOR="")[1]


def test_reader_that_has_seen_enough_is_no_trouble(world: tuple[str, str]) -> None:
    """A closed pipe ends the command without a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fasttrust", "inspect", *world],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process:
        assert b"" == process.stderr.read()


def test_picture_has_a_box_for_each_certificate(command: Command, tmp_path: Path) -> None:
    """Their names, roles and verdicts are in it, inside its borders; it fetches nothing."""
    picture = tmp_path / "picture.svg"
    with (
        servers.serving(servers.tls(GOOD)) as good,
        servers.serving(servers.tls(UNKNOWN)) as unknown,
    ):
        command("inspect", f"localhost:{good}", f"localhost:{unknown}", "--svg", str(picture))
    drawn = ET.fromstring(picture.read_text("utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    assert {"svg", "rect", "text", "path"} == {
        each.tag.removeprefix(space) for each in drawn.iter()
    }
    text = [each.text or "" for each in drawn.iter(f"{space}text")]
    for wanted in ("trusted", "not trusted", "CN=Example Root", "anchor", "CN=proxied", "leaf"):
        assert wanted in text
    boxes = list(drawn.iter(f"{space}rect"))[1:]
    assert 5 == len(boxes)
    for box in boxes:
        assert float(box.get("x", 0)) + float(box.get("width", 0)) <= float(drawn.get("width", 0))
        assert float(box.get("y", 0)) + float(box.get("height", 0)) <= float(drawn.get("height", 0))


def test_wide_letters_stay_in_their_box() -> None:
    """A name is cut by how wide its letters are, not by how many there are."""
    assert 20 < len(_inspect_svg._fitted("W" * 500, 300, 13)) < 26
    assert 40 < len(_inspect_svg._fitted("i" * 500, 300, 13)) < 60
    assert "short" == _inspect_svg._fitted("short", 300, 13)


def test_readme_shows_what_is_printed(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its sample is the real output, dates and times aside."""
    root = pki.root("Example Root CA")
    issuer = pki.intermediate("Example Issuing CA 1", root, valid=(-200, 900))
    host = "expired.example.org"
    leaf = pki.leaf(host, issuer, names=(host,), valid=(-90, -1))
    machine_trusts(monkeypatch, tmp_path, root)
    readme = (TESTS.parent / "README.md").read_text("utf-8")
    (sample,) = re.findall(r"```console\n\$ [^\n]*\n(.*?)```", readme, re.DOTALL)
    resolve = socket.getaddrinfo
    with servers.serving(servers.tls(pki.Chain((leaf, issuer)), "h2")) as port:
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *args, **kwargs: resolve("127.0.0.1", port, **kwargs)
        )
        out = command("inspect", host).out
    assert _timeless(sample) == _timeless(out[out.index("✗") :])


def _timeless(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\d|\w{3} [ \d]\d \d\d:\d\d:\d\d|\d\d:\d\d", "then", text)
    return re.sub(r"\d+ ms|\d+ days left|\d+\.\d+\.\d+\.\d+| \d{4} GMT", "so much", text)


@pytest.mark.parametrize("verb", [[], ["inspect"], ["info"], ["demo"]])
def test_help_shows_an_example(command: Command, verb: list[str]) -> None:
    """Of each verb, as it is typed."""
    done = command(*verb, "--help")
    assert 0 == done.status
    assert re.search(rf"^  python -m fasttrust {' '.join(verb) or 'inspect'}\b", done.out, re.M)
