"""A public bundle means the system (design decision 7): what is one, and what it then trusts."""

from __future__ import annotations

import base64
import hashlib
import logging
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest

import fasttrust
import peer
import pki
from fasttrust import TrustStore, _anchors, _bundles, _public_bundles
from world import attached, code, leaf_of, machine_trusts, made, plain

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
SYSTEM, PRIVATE, OWN = (pki.root(name) for name in ("system", "private CA", "own"))
# In the published bundle of these tests, and not in the system's store: distrusted there.
KEPT = pki.root("kept by the bundle")
BUNDLE = (KEPT, SYSTEM, *(pki.root(f"public {i}") for i in range(118)))
UNKNOWN_ISSUER = 20

CERTIFI = Path(certifi.where())


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish the bundle of these tests: the package's list has one entry more."""
    known = _public_bundles.CERTIFICATES.split()
    ours = [hashlib.sha256(each.der).hexdigest()[:32] for each in BUNDLE]
    bits = ((1 << len(ours)) - 1) << len(known)
    monkeypatch.setattr(_public_bundles, "CERTIFICATES", " ".join(known + ours))
    latest = ("2099-01-01", "test bundle", bits)
    monkeypatch.setattr(_public_bundles, "BUNDLES", (*_public_bundles.BUNDLES, latest))
    monkeypatch.setattr(_bundles, "_answers", {})


def write(path: Path, *certificates: pki.Issued) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pki.pem(*certificates), "ascii")
    return path


def verdict(context: ssl.SSLContext, root: pki.Issued) -> int:
    """Return what a client of the context makes of a server whose certificate the root issued."""
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
    assert outcome.server_received == (b"" if outcome.client_error else peer.SECRET)
    return code(outcome.client_error)


def verdicts(context: ssl.SSLContext) -> list[int]:
    return [verdict(context, root) for root in (KEPT, PRIVATE, SYSTEM)]


def own_to_choose(protocol: int) -> ssl.SSLContext:
    """Make a context of ours that trusts what is loaded, as injection makes them."""
    context = fasttrust.SSLContext(protocol, trust=TrustStore.none())
    context._fasttrust_held.exact = False
    return context


REFUSED = UNKNOWN_ISSUER
# How a context is made, and what a client of it makes of KEPT, PRIVATE and SYSTEM once a bundle
# with the private CA behind it was pushed.
WAYS: dict[str, tuple[Callable[[], ssl.SSLContext], list[int]]] = {
    "made": (lambda: made(CLIENT), [REFUSED, 0, 0]),
    "attached": (lambda: attached(CLIENT), [REFUSED, 0, 0]),
    "default": (fasttrust.create_default_context, [REFUSED, 0, 0]),
    "own to choose": (lambda: own_to_choose(CLIENT), [REFUSED, 0, 0]),
    "trust of nobody": (
        lambda: fasttrust.SSLContext(CLIENT, trust=TrustStore.none()),
        [REFUSED, 0, REFUSED],
    ),
    "attached with trust": (
        lambda: _attached_with(TrustStore.from_der([PRIVATE.der])),
        [REFUSED, 0, REFUSED],
    ),
    "cadata": (
        lambda: fasttrust.create_default_context(cadata=PRIVATE.pem),
        [REFUSED, 0, REFUSED],
    ),
}


def _attached_with(trust: TrustStore) -> ssl.SSLContext:
    context = plain(CLIENT)
    fasttrust.attach(context, trust=trust)
    return context


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[Callable[[], ssl.SSLContext], list[int]]:
    return WAYS[request.param]


@pytest.mark.usefixtures("published")
def test_pushed_bundle_trusts_only_the_system(
    way: tuple[Callable[[], ssl.SSLContext], list[int]], tmp_path: Path
) -> None:
    """A root that the system distrusts and a bundle keeps is refused, whoever pushes the bundle.

    The system is trusted where the context may choose, and not where `trust` was given. What is
    beyond the bundle counts as loaded.
    """
    make, expected = way
    context = make()
    context.load_verify_locations(write(tmp_path / "pushed.pem", *BUNDLE, PRIVATE))
    assert expected == verdicts(context)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("as_data", ["text", "bytes"])
def test_bundle_pushed_as_data_is_one(as_data: str) -> None:
    """`cadata` is a bundle as a file is."""
    data = pki.pem(*BUNDLE) if as_data == "text" else b"".join(each.der for each in BUNDLE)
    context = made(CLIENT)
    context.load_verify_locations(cadata=data)
    assert [UNKNOWN_ISSUER, UNKNOWN_ISSUER, 0] == verdicts(context)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("make", [made, own_to_choose])
def test_bundle_with_roots_taken_out_is_taken_at_its_word(
    make: Callable[[int], ssl.SSLContext], tmp_path: Path
) -> None:
    """Eleven roots less, or one, and the file is somebody's choice: exactly that is trusted."""
    for missing in (11, 1):
        context = make(CLIENT)
        context.load_verify_locations(
            write(tmp_path / "less.pem", *BUNDLE[: len(BUNDLE) - missing])
        )
        assert verdict(context, KEPT) == 0
        assert verdict(context, BUNDLE[-1]) == UNKNOWN_ISSUER
        assert verdict(context, BUNDLE[-missing - 1]) == 0


@pytest.mark.usefixtures("published")
def test_where_bundles_are_taken_at_their_word_they_are(tmp_path: Path) -> None:
    """A context that does not take bundles for the system trusts what they hold, and no more."""
    context = own_to_choose(CLIENT)
    context._fasttrust_held.bundle_means_system = False
    context.load_verify_locations(write(tmp_path / "b.pem", *BUNDLE[:1], *BUNDLE[2:], PRIVATE))
    assert [0, 0, UNKNOWN_ISSUER] == verdicts(context)


@pytest.mark.usefixtures("published")
def test_cafile_of_our_own_is_exactly_the_file(tmp_path: Path) -> None:
    """`create_default_context(cafile=)` trusts a bundle's roots; one pushed later is ignored."""
    file = write(tmp_path / "bundle.pem", *BUNDLE[:1], *BUNDLE[2:])
    bundle = write(tmp_path / "whole.pem", *BUNDLE)
    context = fasttrust.create_default_context(cafile=file)
    for pushed in (file, bundle):
        context.load_verify_locations(pushed)
        assert [0, UNKNOWN_ISSUER, UNKNOWN_ISSUER] == verdicts(context)
    whole = fasttrust.create_default_context(cafile=bundle)
    whole.load_verify_locations(bundle)
    assert [0, UNKNOWN_ISSUER, 0] == verdicts(whole)
    assert len(BUNDLE) == len(whole.get_ca_certs())
    assert len(BUNDLE) == len(TrustStore.from_pem_file(bundle))


@pytest.mark.usefixtures("published")
def test_ignored_bundle_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where `trust` was given a pushed bundle is ignored, with one warning for each context."""
    file = write(tmp_path / "bundle.pem", *BUNDLE)
    for _ in range(2):
        context = fasttrust.SSLContext(CLIENT, trust=TrustStore.from_der([PRIVATE.der]))
        with caplog.at_level(logging.WARNING, "fasttrust"):
            for _ in range(3):
                context.load_verify_locations(file)
        assert 1 == len(caplog.messages)
        assert "test bundle" in caplog.text
        caplog.clear()
        assert 1 == len(context.get_ca_certs())


@pytest.mark.usefixtures("published")
def test_bundle_verifies_no_client_on_the_systems_word(tmp_path: Path) -> None:
    """A server that was pushed a bundle trusts nobody by it; what is beyond it verifies clients."""
    context = made(SERVER)
    context.load_verify_locations(write(tmp_path / "bundle.pem", *BUNDLE, PRIVATE))
    leaf_of(OWN).load(context)
    context.verify_mode = ssl.CERT_REQUIRED
    for root, expected in ((SYSTEM, UNKNOWN_ISSUER), (KEPT, UNKNOWN_ISSUER), (PRIVATE, 0)):
        client = plain(CLIENT, OWN)
        leaf_of(root).load(client)
        outcome = peer.connect(client, context, carrier="bio")
        assert expected == code(outcome.server_error)


@pytest.mark.usefixtures("published")
def test_pushed_bundle_does_not_end_a_session(tmp_path: Path) -> None:
    """What adds nothing changes nothing: sessions stay good over a client's pushes."""
    context = made(CLIENT)
    before = context._fasttrust_session_context(pki.HOST)
    context.load_verify_locations(write(tmp_path / "bundle.pem", *BUNDLE))
    assert before == context._fasttrust_session_context(pki.HOST)
    context.load_verify_locations(write(tmp_path / "more.pem", *BUNDLE, PRIVATE))
    assert before != context._fasttrust_session_context(pki.HOST)


# ---- what is a public bundle: certifi's real file and its kin ----


def found_in(path: Path) -> _bundles.Bundle | None:
    index = _anchors.from_file(str(path))
    assert index is not None
    return _bundles.find(index, str(path))


def blocks(path: Path) -> list[str]:
    end = "-----END CERTIFICATE-----\n"
    return [block + end for block in path.read_text("ascii").split(end) if "BEGIN" in block]


def test_certifis_file_is_a_public_bundle() -> None:
    """The file that requests, httpx and others push."""
    found = found_in(CERTIFI)
    assert found is not None
    assert found.beyond is None
    before = len(made(CLIENT).get_ca_certs())
    context = made(CLIENT)
    context.load_verify_locations(CERTIFI)
    assert before == len(context.get_ca_certs())


def test_copy_of_certifis_file_is_one(tmp_path: Path) -> None:
    """A copy is one by what it holds, in whatever order and with whatever text between."""
    copy = tmp_path / "copy.pem"
    copy.write_text("\n".join(["some text", *reversed(blocks(CERTIFI))]), "ascii")
    found = found_in(copy)
    assert found is not None
    assert found.beyond is None


def test_copy_and_a_private_ca_is_one_with_something_beyond(tmp_path: Path) -> None:
    """The usual file of a company: certifi's with its own CA behind."""
    copy = tmp_path / "copy.pem"
    copy.write_text("".join(blocks(CERTIFI)) + PRIVATE.pem, "ascii")
    found = found_in(copy)
    assert found is not None
    assert found.beyond is not None
    assert [PRIVATE.der] == found.beyond.certificates()
    context = made(CLIENT)
    context.load_verify_locations(copy)
    assert {SYSTEM.der, PRIVATE.der} == set(context.get_ca_certs(True))


@pytest.mark.parametrize("missing", [1, 11])
def test_certifi_with_roots_taken_out_is_none(tmp_path: Path, missing: int) -> None:
    """Whichever roots somebody took out of it, what is left is his own list."""
    every = blocks(CERTIFI)
    for begin in range(0, len(every) - missing, 10):
        less = every[:begin] + every[begin + missing :]
        path = tmp_path / f"less {begin}.pem"
        path.write_text("".join(less), "ascii")
        assert found_in(path) is None
    context = made(CLIENT)
    context.load_verify_locations(path)
    assert len(less) + 1 == len(context.get_ca_certs())


def test_corporate_bundle_is_none(tmp_path: Path) -> None:
    """Three roots of a company, one of them public, are taken at their word."""
    path = tmp_path / "corporate.pem"
    path.write_text(blocks(CERTIFI)[0] + pki.pem(PRIVATE, KEPT), "ascii")
    assert found_in(path) is None
    context = made(CLIENT)
    context.load_verify_locations(path)
    assert 4 == len(context.get_ca_certs())


def test_empty_file_is_an_error_as_ever(tmp_path: Path) -> None:
    """An empty bundle raises what `ssl` raises, and trusts nothing."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    for context in (made(CLIENT), plain(CLIENT)):
        with pytest.raises(ssl.SSLError, match="NO_CERTIFICATE_OR_CRL_FOUND"):
            context.load_verify_locations(empty)


def test_every_release_of_the_list_is_one_and_large_enough() -> None:
    """The list is dated, in order, and no bundle is too small to be looked at."""
    bundles = _public_bundles.BUNDLES
    assert sorted(bundles) == list(bundles)
    assert 30 < len(bundles)
    known = _public_bundles.CERTIFICATES.split()
    assert len(known) == len(set(known))
    assert {32} == {len(each) for each in known}
    for _, name, bits in bundles:
        assert _bundles.LEAST <= bits.bit_count(), name
        assert bits < 1 << len(known)
    assert max(bundles)[:2] == _bundles.newest()


# ---- the untouched file of an installed distribution ----


def install(site: Path, name: str, relative: str, *roots: pki.Issued) -> Path:
    """Install a distribution that brings one file, as pip does."""
    file = write(site / relative, *roots)
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
    record = f"{relative},sha256={digest.rstrip('=')},{file.stat().st_size}\n"
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "RECORD").write_text(f"other/__init__.py,sha256=AAAA,0\n{record}", "utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "relative"),
    [
        ("certifi", "certifi/cacert.pem"),
        ("botocore", "botocore/cacert.pem"),
        ("pip", "pip/_vendor/certifi/cacert.pem"),
    ],
)
def test_untouched_file_of_a_distribution_is_one(tmp_path: Path, name: str, relative: str) -> None:
    """A release newer than our list is known by the hash in its RECORD, until somebody edits it."""
    file = install(tmp_path / "site", name, relative, *BUNDLE)
    context = made(CLIENT)
    context.load_verify_locations(file)
    assert [UNKNOWN_ISSUER, UNKNOWN_ISSUER, 0] == verdicts(context)
    link = tmp_path / "link.pem"
    link.symlink_to(file)
    assert found_in(link) is not None
    with file.open("a") as edited:
        edited.write(PRIVATE.pem)
    assert found_in(file) is None
    file.unlink()
    assert found_in(write(file, *BUNDLE[1:])) is None


def test_distribution_that_nobody_knows_is_none(tmp_path: Path) -> None:
    """RECORD vouches for the files of known distributions alone."""
    file = install(tmp_path / "site", "mycompany", "mycompany/cacert.pem", *BUNDLE)
    assert found_in(file) is None
    file = install(tmp_path / "other", "mycompany", "certifi/cacert.pem", *BUNDLE)
    assert found_in(file) is None


@pytest.mark.parametrize("line", ["", "certifi/cacert.pem,,", "certifi/cacert.pem,sha256=!,1"])
def test_record_that_says_nothing_vouches_for_nothing(tmp_path: Path, line: str) -> None:
    """Without a hash in RECORD only what a file holds can tell."""
    file = install(tmp_path, "certifi", "certifi/cacert.pem", *BUNDLE)
    (tmp_path / "certifi-1.0.dist-info" / "RECORD").write_text(line, "utf-8")
    assert found_in(file) is None


def test_copy_of_an_installed_bundle_newer_than_the_list_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the installed certifi holds is public, in a copy with a private CA behind too."""
    monkeypatch.delitem(sys.modules, "certifi")
    monkeypatch.syspath_prepend(tmp_path / "site")
    install(tmp_path / "site", "certifi", "certifi/cacert.pem", *BUNDLE)
    (tmp_path / "site" / "certifi" / "__init__.py").touch()
    found = found_in(write(tmp_path / "copy.pem", *BUNDLE, PRIVATE))
    assert found is not None
    assert found.beyond is not None
    assert [PRIVATE.der] == found.beyond.certificates()
    assert found_in(write(tmp_path / "less.pem", *BUNDLE[1:], PRIVATE)) is None


def test_botocores_real_file_is_one(tmp_path: Path) -> None:
    """The old list of botocore's own, as its wheel brings it."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q"]
    command += ["--no-deps", "--only-binary", ":all:", "-d", str(tmp_path), "botocore"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if process.returncode:
        pytest.skip(f"botocore cannot be downloaded: {process.stderr.strip()[-300:]}")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "dist-info" in name or "cacert" in name]
        archive.extractall(tmp_path / "site", names)
    file = tmp_path / "site" / "botocore" / "cacert.pem"
    found = found_in(file)
    assert found is not None
    assert found.beyond is None
    context = made(CLIENT)
    context.load_verify_locations(file)
    assert [SYSTEM.der] == context.get_ca_certs(True)
