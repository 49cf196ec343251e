"""What is a public bundle: by what it holds, or as the untouched file of a distribution."""

from __future__ import annotations

import base64
import hashlib
import ssl
import subprocess
import sys
import zipfile
from functools import cache
from importlib.metadata import files
from pathlib import Path

import certifi
import pytest

import pki
from bundles import BUNDLE, KEPT, PRIVATE, SYSTEM, UNKNOWN_ISSUER, verdicts, write
from fasttrust import _anchors, _bundles, _public_bundles
from world import machine_trusts, made, plain

CLIENT = ssl.PROTOCOL_TLS_CLIENT
CERTIFI = Path(certifi.where())


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


def found_in(path: Path) -> _bundles.Bundle | None:
    index = _anchors.from_file(str(path))
    assert index is not None
    return _bundles.find(index, str(path))


@cache
def blocks() -> list[str]:
    """Return certifi's certificates, without those that somebody has added to its file here."""
    end = "-----END CERTIFICATE-----\n"
    every = [block + end for block in CERTIFI.read_text("utf-8").split(end) if "BEGIN" in block]
    every = ["-----BEGIN" + block.partition("-----BEGIN")[2] for block in every]
    (listed,) = (file for file in files("certifi") or () if file.name == CERTIFI.name)
    digest = base64.urlsafe_b64encode(hashlib.sha256(CERTIFI.read_bytes()).digest())
    if listed.hash is not None and listed.hash.value == digest.decode().rstrip("="):
        return every
    known = set(_public_bundles.CERTIFICATES.split())
    ders = {block: ssl.PEM_cert_to_DER_cert(block) for block in every}
    return [block for block in every if hashlib.sha256(ders[block]).hexdigest()[:32] in known]


def test_certifis_file_is_a_public_bundle() -> None:
    """The file that requests, httpx and others push; a company's CA may stand in it as well."""
    found = found_in(CERTIFI)
    assert found is not None
    ours = {ssl.PEM_cert_to_DER_cert(block) for block in blocks()}
    assert found.beyond is None or not ours & set(found.beyond.certificates())
    before = len(made(CLIENT).get_ca_certs())
    context = made(CLIENT)
    context.load_verify_locations(CERTIFI)
    added = 0 if found.beyond is None else len(found.beyond)
    assert before + added == len(context.get_ca_certs())


def test_copy_of_certifis_file_is_one(tmp_path: Path) -> None:
    """A copy is one by what it holds, in whatever order and with whatever text between."""
    copy = tmp_path / "copy.pem"
    copy.write_text("\n".join(["some text", *reversed(blocks())]), "ascii")
    found = found_in(copy)
    assert found is not None
    assert found.beyond is None


def test_copy_and_a_private_ca_is_one_with_something_beyond(tmp_path: Path) -> None:
    """The usual file of a company: certifi's with its own CA behind."""
    copy = tmp_path / "copy.pem"
    copy.write_text("".join(blocks()) + PRIVATE.pem, "ascii")
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
    every = blocks()
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
    path.write_text(blocks()[0] + pki.pem(PRIVATE, KEPT), "ascii")
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
