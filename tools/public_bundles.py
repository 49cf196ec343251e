# /// script
# requires-python = ">=3.10"
# dependencies = []
# ///
"""Makes src/fasttrust/_public_bundles.py: the published bundles of roots, and what they held.

    python tools/public_bundles.py

asks PyPI for certifi's releases through pip, one after the other, and Debian for its package
ca-certificates through apt-get (skipped aloud where there is none). What the module holds already
stays: a bundle that was published once is in use somewhere. Run it before each release.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import runpy
import shutil
import ssl
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

MODULE = Path(__file__).resolve().parent.parent / "src" / "fasttrust" / "_public_bundles.py"
# Nobody can make another certificate with 16 given bytes of SHA-256 (2 to the 128 tries), which is
# what passing for one of these would take; a pair of one's own with equal bytes gains nothing.
FINGERPRINT_LEN = 16
FIRST = "2020"
# certifi's versions are dates; others (14.5.14, 1.0.1) are older than any we ask for.
_DATED = re.compile(r"(20\d\d)\.(\d{1,2})\.(\d{1,2})\b")
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)

Bundle = tuple[str, str, frozenset[str]]  # date, name, fingerprints

HEAD = '''"""Bundles of roots that were published: each with its date, its name and what it held.

Made by tools/public_bundles.py; not to be edited. A certificate is the first 16 bytes of its
SHA-256; a bundle is a number whose bit i says that it holds certificate i.
"""

'''


def fingerprints(pem: str) -> frozenset[str]:
    """Return the fingerprints of a text's certificates."""
    ders = [ssl.PEM_cert_to_DER_cert(block) for block in _BLOCK.findall(pem)]
    return frozenset(hashlib.sha256(der).digest()[:FINGERPRINT_LEN].hex() for der in ders)


def run(*command: str, cwd: str | None = None) -> str:
    """Run a command and return what it prints; raise where it fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout


def pip(*arguments: str) -> str:
    """Run the pip of this Python and return what it prints."""
    return run(sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments)


def from_certifi(first: str) -> Iterator[Bundle]:
    """Download every release since a year, oldest first, and return its bundle."""
    listed = pip("index", "versions", "certifi").partition("Available versions:")[2]
    versions = re.findall(r"[\w.]+", listed.partition("\n")[0])
    for version in reversed(versions):
        dated = _DATED.match(version)
        if dated is None or version < first:
            continue
        with tempfile.TemporaryDirectory() as folder:
            wheels_only = ("--no-deps", "--only-binary", ":all:", "-d", folder)
            pip("download", "-q", *wheels_only, f"certifi=={version}")
            (wheel,) = Path(folder).glob("*.whl")
            pem = zipfile.ZipFile(wheel).read("certifi/cacert.pem").decode()
        year, month, day = dated.groups()
        yield f"{year}-{month:>02}-{day:>02}", f"certifi {version}", fingerprints(pem)


def from_debian() -> Iterator[Bundle]:
    """Download Debian's package in the versions that apt offers; return what its bundle holds."""
    if not all(shutil.which(tool) for tool in ("apt-get", "apt-cache", "dpkg-deb")):
        print("skipped: no apt-get here, so no bundle of Debian's", file=sys.stderr)
        return
    listed = run("apt-cache", "madison", "ca-certificates")
    for version in sorted({line.split("|")[1].strip() for line in listed.splitlines()}):
        with tempfile.TemporaryDirectory() as folder:
            run("apt-get", "-qq", "download", f"ca-certificates={version}", cwd=folder)
            (package,) = Path(folder).glob("*.deb")
            run("dpkg-deb", "-x", str(package), "unpacked", cwd=folder)
            files = Path(folder, "unpacked", "usr/share/ca-certificates/mozilla").glob("*.crt")
            pem = "\n".join(file.read_text("utf-8") for file in files)
        date = f"{version[:4]}-{version[4:6]}-{version[6:8]}"
        yield date, f"Debian {version}", fingerprints(pem)


def known() -> Iterator[Bundle]:
    """Return what the module holds already."""
    if not MODULE.exists():
        return
    module = runpy.run_path(str(MODULE))
    certificates = module["CERTIFICATES"].split()
    for date, name, bits in module["BUNDLES"]:
        held = (each for i, each in enumerate(certificates) if bits >> i & 1)
        yield date, name, frozenset(held)


def module_text(bundles: Iterable[Bundle]) -> str:
    """Return the module; equal bundles are one, named after the first of them."""
    certificates: dict[str, int] = {}
    lines = []
    seen = set()
    for date, name, held in sorted(bundles, key=lambda bundle: bundle[:2]):
        if not held:
            raise SystemExit(f"{name} holds no certificate")
        if held in seen:
            continue
        seen.add(held)
        for each in sorted(held - certificates.keys()):
            certificates[each] = len(certificates)
        bits = sum(1 << certificates[each] for each in held)
        lines.append(f'    ("{date}", "{name}", 0x{bits:X}),')
    every = list(certificates)
    rows = [" ".join(every[i : i + 3]) for i in range(0, len(every), 3)]
    return (
        HEAD
        + 'CERTIFICATES = """\n'
        + "\n".join(rows)
        + '\n"""\n\nBUNDLES = (\n'
        + "\n".join(lines)
        + "\n)\n"
    )


def main() -> None:
    """Ask both publishers and write the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--since", default=FIRST, metavar="YEAR", help="certifi's oldest release")
    since: str = parser.parse_args().since
    text = module_text([*known(), *from_certifi(since), *from_debian()])
    MODULE.write_text(text, "utf-8")
    print(f"{MODULE}: {text.count('0x')} bundles, {len(text)} bytes")


if __name__ == "__main__":
    main()
