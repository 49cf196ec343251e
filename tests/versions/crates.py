"""cryptography, which the tests need, compiled for a PyPy that nobody makes wheels of it for.

Its source is Debian's, and so are the crates, which are only unpacked: installed, they would ask
for hundreds more. Their versions are not those that cryptography was locked to.
"""

from __future__ import annotations

from pathlib import Path

import debian

CRATES = (
    "asn1 asn1-derive base64 bitflags cc cfg-if find-msvc-tools foreign-types-0.3"
    " foreign-types-shared-0.1 heck itoa libc once-cell openssl openssl-macros openssl-sys pem"
    " pkg-config portable-atomic proc-macro2 pyo3 pyo3-build-config pyo3-ffi pyo3-macros"
    " pyo3-macros-backend quote self-cell shlex syn syn-2 target-lexicon unicode-ident vcpkg"
)
#: Where the wheel is then.
WHEELS = Path("/labs/wheels")
COMPILE = f"""
apt-get {debian.STALE} update -qq
apt-get install -y -qq --no-install-recommends cargo rustc pkgconf libssl-dev
mkdir -p /labs/crates
cd /labs/crates
for each in $CRATES; do
    apt-get -qq -o APT::Sandbox::User=root download "librust-$each-dev"
done
for each in *.deb; do dpkg -x "$each" .; done
{debian.FETCH}
mkdir -p .cargo
cat >.cargo/config.toml <<END
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "/labs/crates/usr/share/cargo/registry"
END
for each in cc pyo3 pyo3-build-config; do
    had=$(cd /labs/crates/usr/share/cargo/registry && echo "$each"-[0-9]*)
    sed -Ei 's/^('"$each"' = .*")[0-9.]+"/\\1'"${{had#"$each"-}}"'"/' Cargo.toml
done
rm Cargo.lock
cargo generate-lockfile --offline
"$PYTHON" -m pip install -q "maturin<2" setuptools
PATH="${{PYTHON%/*}}:$PATH" "$PYTHON" -m pip wheel -q --no-build-isolation --no-deps -w {WHEELS} .
"""


def compiled(root: Path, python: Path) -> tuple[str | Path, ...]:
    """Return what tells pip of the wheel for that Python of a Debian; made where it is not yet.

    Raises:
        NotHadError: it cannot be made here.
    """
    if not any((root / WHEELS.relative_to("/")).glob("*.whl")):
        debian.run(
            root,
            COMPILE,
            CRATES=CRATES,
            SOURCE="python-cryptography",
            SUITE="sid",
            TREE="/labs/cryptography",
            PYTHON=str(python),
        )
    return "--only-binary=cryptography", "--find-links", WHEELS
