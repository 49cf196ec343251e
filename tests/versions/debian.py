"""Debians in folders, by debootstrap, and in them Pythons for OpenSSLs that no Debian has together.

They are kept in ~/.cache/fasttrust-labs/versions; what is absent is made anew, which needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import labs

MIRROR = "http://deb.debian.org/debian"
#: Where a Python is that was built in a Debian.
BUILT = "/labs/built/bin/python3"
BESIDE = "gcc libc6-dev binutils strace openssl ca-certificates"
TO_BUILD = "make xz-utils zlib1g-dev liblzma-dev libffi-dev libssl-dev"


class NotHadError(Exception):
    """A Python could not be had; the message says why."""


class Debian(NamedTuple):
    """A suite, and what is installed of it beside ``BESIDE``."""

    suite: str
    packages: str
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
    "trixie": Debian("trixie", f"python3.13 python3.13-dev python3.13-venv python3.13-dbg {PYPY}"),
    "sid": Debian(
        "sid",
        "python3.14 python3.14-dev python3.14-venv python3.14-dbg"
        f" python3.15 python3.15-dev python3.15-venv python3.15-dbg {PYPY}",
    ),
    "free-threaded": Debian(
        "sid", TO_BUILD, source="python3.14", source_suite="sid", configure="--disable-gil"
    ),
    "experimental": Debian(
        "sid", TO_BUILD, "experimental", source="python3.13", source_suite="trixie", prepare=FOR_4_0
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
BUILD = f"""
mkdir -p /labs/source/lists/partial /labs/tree
cd /labs/source
echo "deb-src {MIRROR} $SUITE main" >list
apt="-qq -o Dir::State::lists=/labs/source/lists -o Dir::Etc::sourcelist=/labs/source/list"
apt="$apt -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root {STALE}"
apt-get $apt update
apt-get $apt source --download-only --tar-only "$SOURCE"
tar -xf "$SOURCE"_*.orig.tar.* -C /labs/tree --strip-components=1
cd /labs/tree
eval "$PREPARE"
./configure -q --prefix=/labs/built --disable-test-modules $CONFIGURE >configure.log 2>&1
make -s -j2 >make.log 2>&1
make -s install >install.log 2>&1
{BUILT} -c 'import ssl'
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


def root(name: str) -> Path:
    """Return the folder of that Debian; made where it is not yet whole.

    Raises:
        NotHadError: it cannot be made here.
    """
    there = labs.LABS / "versions" / name
    what = DEBIANS[name]
    done = there / "fasttrust-lab"
    wanted = repr(tuple(what))
    if done.exists() and done.read_text("utf-8") == wanted:
        return there
    if os.geteuid() != 0:
        raise NotHadError(f"Debian {name} is made by debootstrap, which needs root")
    call("unshare", "-m", "true")  # a container may forbid it
    if shutil.which("debootstrap") is None:
        call("apt-get", "install", "-y", "-qq", "debootstrap")
    if not (there / "usr" / "bin" / "apt-get").exists():
        shutil.rmtree(there, ignore_errors=True)
        there.parent.mkdir(parents=True, exist_ok=True)
        call("debootstrap", "--variant=minbase", what.suite, there, MIRROR)
    shutil.copy("/etc/resolv.conf", there / "etc" / "resolv.conf")
    run(there, INSTALL, PACKAGES=f"{what.packages} {BESIDE}")
    if what.openssl:
        run(there, OTHER_OPENSSL, OPENSSL=what.openssl)
    if what.source and not (there / BUILT.lstrip("/")).exists():
        run(
            there,
            BUILD,
            SOURCE=what.source,
            SUITE=what.source_suite,
            PREPARE=what.prepare,
            CONFIGURE=what.configure,
        )
    done.write_text(wanted, "utf-8")
    return there


def run(there: Path, script: str, **variables: str) -> None:
    """Run a script in a Debian."""
    words = inside(there, Path("/"), ["sh", "-ec", script])
    call(*words, env={**ENVIRONMENT, **variables})


def call(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command quietly.

    Raises:
        NotHadError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise NotHadError(
            f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
