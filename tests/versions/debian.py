"""Debians in folders, by debootstrap, and in them Pythons for OpenSSLs that no Debian has together.

They are kept in ~/.cache/fasttrust-labs/versions; what is absent is made anew, which needs root.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import labs

MIRROR = "http://deb.debian.org/debian"
#: Where a Python is that was built in a Debian.
BUILT = "/labs/built/bin/python3"
BESIDE = "openssl ca-certificates"
WHOLE = "gcc libc6-dev binutils strace"
TO_BUILD = f"{WHOLE} make xz-utils zlib1g-dev liblzma-dev libffi-dev libssl-dev"


class NotHadError(Exception):
    """A Python could not be had; the message says why."""


class Debian(NamedTuple):
    """A suite, and what is installed of it beside ``BESIDE``."""

    suite: str
    packages: str
    #: What only the whole suite and other Pythons ask for.
    more: str = ""
    #: Another suite, whose OpenSSL takes the place of this one's.
    openssl: str = ""
    #: The source package of a Python that is built there, its suite, and how it is prepared.
    source: str = ""
    source_suite: str = ""
    prepare: str = ""
    #: What configure is told beside.
    configure: str = ""


# CPython 3.13 knows OpenSSL up to 3.5: in 4.0 strings are opaque, and methods of one version gone.
STRINGS = (
    r"s/name->d\.ip->length/ASN1_STRING_length(name->d.ip)/",
    r"s/unsigned char \*p = name->d\.ip->data/const unsigned char *p = ASN1_STRING_get0_data(name->d.ip)/",  # noqa: E501
    r"s/uri->data/ASN1_STRING_get0_data(uri)/",
    r"s/uri->length/ASN1_STRING_length(uri)/",
)
GONE = ("SSL3", "SSL3_METHOD", "TLS1_METHOD", "TLS1_1_METHOD", "TLS1_2_METHOD")
FOR_4_0 = f"""
sed -i '{"; ".join(STRINGS)}' Modules/_ssl.c
export CFLAGS="{" ".join(f"-DOPENSSL_NO_{name}" for name in GONE)}"
"""
PYPY = "pypy3 pypy3-dev pypy3-venv"
DEBIANS = {
    "bullseye": Debian("bullseye", TO_BUILD, source="python3.11", source_suite="bookworm"),
    "trixie": Debian(
        "trixie", "python3.13 python3.13-venv", f"{WHOLE} python3.13-dev python3.13-dbg {PYPY}"
    ),
    "sid": Debian(
        "sid",
        "python3.14 python3.14-venv",
        f"{WHOLE} python3.14-dev python3.14-dbg"
        f" python3.15 python3.15-dev python3.15-venv python3.15-dbg {PYPY}",
    ),
    "free-threaded": Debian(
        "trixie", TO_BUILD, source="python3.13", source_suite="trixie", configure="--disable-gil"
    ),
    "experimental": Debian(
        "sid",
        TO_BUILD,
        openssl="experimental",
        source="python3.13",
        source_suite="trixie",
        prepare=FOR_4_0,
    ),
}
ENVIRONMENT = {
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "SSL_CERT_FILE": "/etc/fasttrust-lab.pem",
    "PIP_CERT": "/etc/fasttrust-lab.pem",  # an old pip has a bundle of its own
    "DEBIAN_FRONTEND": "noninteractive",
}
#: Seconds, of any step: a Python is built in a tenth of it.
LONGEST = 3600
# A mirror may lag behind: its lists are signed, if old.
STALE = "-o Acquire::Check-Valid-Until=false"
INSTALL = f"""
grep -qs localhost /etc/hosts || echo "127.0.0.1 localhost" >>/etc/hosts
apt-get {STALE} update -qq
apt-get install -y -qq --no-install-recommends $PACKAGES
"""
OTHER_OPENSSL = f"""
echo "deb {MIRROR} $OPENSSL main" >/etc/apt/sources.list.d/openssl.list
apt-get {STALE} update -qq
apt-get install -y -qq --no-install-recommends -t "$OPENSSL" libssl-dev openssl
"""
# The source package SOURCE of the suite SUITE, unpacked in TREE.
FETCH = f"""
mkdir -p /labs/source/lists/partial "$TREE"
cd /labs/source
echo "deb-src {MIRROR} $SUITE main" >list
apt="-qq -o Dir::State::lists=/labs/source/lists -o Dir::Etc::sourcelist=/labs/source/list"
apt="$apt -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root {STALE}"
apt-get $apt update
apt-get $apt source --download-only --tar-only "$SOURCE"
tar -xf "$SOURCE"_*.orig.tar.* -C "$TREE" --strip-components=1
cd "$TREE"
"""
BUILD = f"""
eval "$PREPARE"
./configure -q --prefix=/labs/built --disable-test-modules $CONFIGURE >configure.log 2>&1
make -s -j2 >make.log 2>&1
make -s install >install.log 2>&1
{BUILT} -c 'import ssl'
touch /labs/built/whole
"""


def inside(root: Path, cwd: Path, words: list[str]) -> list[str]:
    """Return the command that runs another in a Debian, in ``ENVIRONMENT``."""
    # Whom this machine trusts, for pip has to go by that; and /proc and /dev for the tests, in a
    # space of mounts that ends with the command.
    ours = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(ours, root / "etc" / "fasttrust-lab.pem")
    script = f'mount --rbind /dev "{root}/dev"; mount -t proc proc "{root}/proc"'
    script += f'; exec chroot "{root}" sh -c \'cd "$0" && exec "$@"\' "$@"'
    return ["unshare", "-m", "sh", "-ec", script, "sh", str(cwd), *words]


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Wait until nobody else makes that Debian, or uses that Python of the table."""
    folder = labs.LABS / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def root(name: str, *, smoke: bool = False) -> Path:
    """Return the folder of that Debian; made where it is not yet whole.

    Args:
        name: one of ``DEBIANS``.
        smoke: only what takes a minute is made: no Python is built.

    Raises:
        NotHadError: it cannot be made here.
    """
    there, what = labs.LABS / "versions" / name, DEBIANS[name]
    packages = f"{BESIDE} {what.packages}{'' if smoke else f' {what.more}'}"
    wanted = f"{packages} {what.openssl} {what.source} {what.configure}".split()
    with alone(name):
        done = there / "fasttrust-lab"
        if done.exists() and set(wanted) <= set(done.read_text("utf-8").split()):
            return there
        if smoke and what.source and not is_built(there):
            raise NotHadError("its Python has to be built, which takes minutes: --all does")
        make(there, what, packages)
        done.write_text(" ".join(wanted), "utf-8")
    return there


def is_built(there: Path) -> bool:
    """Tell whether that Debian has the Python that is built in it, whole."""
    return (there / "labs" / "built" / "whole").exists()


def make(there: Path, what: Debian, packages: str) -> None:
    """Make a Debian, or what is missing of it.

    Raises:
        NotHadError: it cannot be made here.
    """
    name = there.name
    if os.geteuid() != 0:
        raise NotHadError(f"Debian {name} is made by debootstrap, which needs root")
    call("unshare", "-m", "true")  # a container may forbid it
    if shutil.which("debootstrap") is None:
        call("apt-get", "update", "-qq")
        call("apt-get", "install", "-y", "-qq", "debootstrap")
    begun = there / "debootstrap"  # which ends by taking it away
    if begun.exists() or not (there / "usr" / "bin" / "apt-get").exists():
        shutil.rmtree(there, ignore_errors=True)
        call("debootstrap", "--variant=minbase", what.suite, there, MIRROR)
    shutil.copy("/etc/resolv.conf", there / "etc" / "resolv.conf")
    run(there, INSTALL, PACKAGES=packages)
    if what.openssl:
        run(there, OTHER_OPENSSL, OPENSSL=what.openssl)
    if what.source and not is_built(there):
        run(
            there,
            FETCH + BUILD,
            TREE="/labs/tree",
            SOURCE=what.source,
            SUITE=what.source_suite,
            PREPARE=what.prepare,
            CONFIGURE=what.configure,
        )


def run(there: Path, script: str, **variables: str) -> None:
    """Run a script in a Debian."""
    words = inside(there, Path("/"), ["sh", "-ec", script])
    call(*words, env={**ENVIRONMENT, **variables})


def call(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command quietly.

    Raises:
        NotHadError: it failed.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=env, timeout=LONGEST
        )
    except subprocess.TimeoutExpired as error:
        raise NotHadError(str(error)) from error
    if done.returncode != 0:
        raise NotHadError(
            f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
