"""Whose root a chain ends at, and what plain `ssl` and certifi say of the same server."""

from __future__ import annotations

from pathlib import Path

import pytest

import pki
import servers
from command import EXPIRED, GOOD, ROOT, UNKNOWN, Command
from fasttrust import _anchors, _bundles, _compare, _roots
from world import machine_trusts


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    return machine_trusts(monkeypatch, tmp_path, ROOT)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def test_root_is_public_or_somebody_elses(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the list of published bundles, which here holds our root instead."""

    def kind_of(chain: pki.Chain, status: int) -> tuple[str, str]:
        with servers.serving(servers.tls(chain)) as port:
            root = command.server(f"localhost:{port}", status=status)["root"]
        return root["kind"], root["said"]

    kind, said = kind_of(GOOD, 0)
    assert "not public" == kind
    assert "opens its connections" in said
    kind, said = kind_of(UNKNOWN, 1)
    assert ("not public", True) == (kind, "as it was sent: nothing is verified" in said)
    kind, said = kind_of(pki.Chain(UNKNOWN.certificates[:1]), 1)
    assert ("unknown", True) == (kind, "was not sent" in said)
    ours = {ROOT.der: "certifi 2026.1.1"}
    monkeypatch.setattr(_roots, "published_in", lambda der: ours.get(der, ""))
    kind, said = kind_of(GOOD, 0)
    assert ("public", True) == (kind, "certifi 2026.1.1" in said)
    kind, said = kind_of(EXPIRED, 1)
    assert ("public", True) == (kind, "by its name alone: nothing is verified" in said)


def test_systems_public_roots_are_in_published_bundles() -> None:
    """The real list knows the roots of a bundle, and no other that stands in its file."""
    certifi = pytest.importorskip("certifi")
    index = _anchors.from_file(certifi.where())
    bundle = index and _bundles.find(index, certifi.where())
    if not index or not bundle:
        pytest.skip("this certifi is newer than the list")
    # A machine may have added its own authority to certifi's file.
    beyond = bundle.beyond.certificates() if bundle.beyond else []
    for der in index.certificates():
        assert (der not in beyond) == bool(_roots.published_in(der))
    assert len(beyond) < 10
    assert "" == _roots.published_in(ROOT.der)


def bundle_of(monkeypatch: pytest.MonkeyPatch, folder: Path, *roots: pki.Issued) -> None:
    """Make the roots certifi's bundle."""
    file = folder / "cacert.pem"
    file.write_text(pki.pem(*roots), "ascii")
    monkeypatch.setattr(_compare, "_certifi", lambda: str(file))


def test_verdicts_that_differ_are_explained_by_roots(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who does not know the root is named, with what it trusts instead."""
    bundle_of(monkeypatch, tmp_path, UNKNOWN.certificates[1])
    with (
        servers.serving(servers.tls(GOOD)) as good,
        servers.serving(servers.tls(UNKNOWN)) as unknown,
        servers.serving(servers.tls(EXPIRED)) as old,
    ):
        ports = [f"localhost:{port}" for port in (good, unknown, old)]
        found = command.servers("--compare", *ports, status=1)
    verdicts = [[one["code"] for one in each["compare"].values()] for each in found]
    assert [[0, 0, 20], [19, 19, 0], [10, 10, 20]] == verdicts
    assert ["fasttrust", "ssl", "certifi"] == list(found[0]["compare"])
    assert ["certifi does not know 'CN=Example Root': it trusts certifi's bundle, 1 root."] == (
        found[0]["why"]
    )
    fasttrusts, ssls = found[1]["why"]
    assert fasttrusts.startswith('fasttrust does not know "CN=Stranger\'s Root": it trusts the sy')
    assert ssls.startswith("ssl does not know")
    assert [
        "For fasttrust and ssl: certificate has expired.",
        "For certifi: nobody who issued it is trusted.",
    ] == found[2]["why"]


def test_verdicts_that_agree_are_said_to(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the same root, or by different ones."""
    bundle_of(monkeypatch, tmp_path, ROOT)
    with servers.serving(servers.tls(GOOD)) as port:
        done = command("inspect", "--compare", f"localhost:{port}")
        assert "why        They agree.\n" in done.out
        # A second root of the same name and key.
        bundle_of(monkeypatch, tmp_path, pki.root("its twin", subject=ROOT.name, key=ROOT.name))
        found = command.server("--compare", f"localhost:{port}", status=0)
    assert found["why"][0].startswith("They agree, by different roots: ")


def test_certifi_that_is_not_installed_is_said_so(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are compared none the less."""
    monkeypatch.setattr(_compare, "_certifi", lambda: None)
    with servers.serving(servers.tls(GOOD)) as port:
        done = command("inspect", "--compare", f"localhost:{port}")
    assert "certifi    not asked: not installed here: pip install certifi" in done.out
    assert "They agree." in done.out


def test_comparison_asks_nobody_where_nobody_is(command: Command) -> None:
    """One connection that failed is enough."""
    with servers.serving(servers.closes) as port:
        done = command("inspect", "--compare", f"localhost:{port}")
    assert 2 == done.status
    assert "why" not in done.out
