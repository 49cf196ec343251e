"""Builds the extension: cffi reads the C core's one public header, setuptools compiles the core.

The module's name comes from the Extension in pyproject.toml, so that a vendored copy only changes
it there.
"""

from __future__ import annotations

import gzip
import os
import sys
import sysconfig
import tarfile
from pathlib import Path

from cffi import FFI
from setuptools import Extension
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
HEADER = "fasttrust.h"
# A folder of C files that speak for the platform, for tests alone; its platform*.h is read by cffi.
PLATFORM = os.environ.get("FASTTRUST_PLATFORM", "")
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def limited_api() -> tuple[str | None, tuple[str, str | None]]:
    """Return the oldest Python that the extension is for, None for this alone, and cffi's macro."""
    if sys.implementation.name == "cpython" and not FREE_THREADED:
        return "cp310", ("Py_LIMITED_API", "0x030A0000")
    if sys.implementation.name == "cpython" and sys.version_info >= (3, 15):
        return "cp315", ("Py_TARGET_ABI3T", "0x030F0000")  # of the version, for cffi's header
    # A free-threaded Python has no limited API before 3.15, and PyPy none at all.
    return None, ("_CFFI_NO_LIMITED_API", None)


def stand_in(pattern: str) -> list[Path]:
    """Return the files of that pattern that stand in for the platform; none in a real build."""
    return sorted((ROOT / PLATFORM).glob(pattern)) if PLATFORM else []


def declarations() -> str:
    """Return the headers as cffi reads them: without preprocessor lines and the one annotation."""
    headers = [ROOT / "csrc" / HEADER, *stand_in("platform*.h")]
    lines = [line for header in headers for line in header.read_text("utf-8").splitlines()]
    kept = "\n".join("" if line.startswith("#") else line for line in lines)
    return kept.replace("FT_MUST_USE ", "")


class BuildExt(build_ext):
    """Adds the generated wrapper to the sources of the one extension."""

    def run(self) -> None:
        for extension in self.extensions:
            self.complete(extension)
        super().run()

    def complete(self, extension: Extension) -> None:
        """Add what no compiler has a say in."""
        oldest, macro = limited_api()
        extension.py_limited_api = oldest is not None
        extension.define_macros.append(macro)
        ffi = FFI()
        ffi.cdef(declarations())
        headers = [HEADER, *(header.name for header in stand_in("platform*.h"))]
        ffi.set_source(extension.name, "\n".join(f'#include "{name}"' for name in headers))
        if PLATFORM:
            extension.sources += [str(path.relative_to(ROOT)) for path in stand_in("*.c")]
            extension.include_dirs.append(str(ROOT / PLATFORM))
            extension.define_macros.append(("FT_TEST_PLATFORM", "1"))
        wrapper = Path(self.build_temp, f"{extension.name}.c")
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        ffi.emit_c_code(str(wrapper))
        extension.sources = [*extension.sources, str(wrapper)]

    def build_extensions(self) -> None:
        for extension in self.extensions:
            if self.compiler.compiler_type == "msvc":
                extension.extra_compile_args += ["/std:c11", "/utf-8"]
            else:
                # One symbol leaves the extension, its PyInit function; what debuggers read, three
                # quarters of the file, does not, nor the folder that it was built in.
                extension.extra_compile_args += ["-std=c11", "-fvisibility=hidden", "-g0"]
            if sys.platform == "linux":
                extension.libraries.append("dl")  # where dlopen was before glibc 2.34
            if sys.platform == "win32":
                extension.libraries.append("crypt32")
            if sys.platform == "darwin":
                extension.extra_link_args += ["-framework", "CoreFoundation"]
                extension.extra_link_args += ["-framework", "Security"]
            # For sanitizers and warnings-as-errors in .ci/run, on top of the platform's own flags.
            extension.extra_compile_args += os.environ.get("FASTTRUST_CFLAGS", "").split()
            extension.extra_link_args += os.environ.get("FASTTRUST_CFLAGS", "").split()
        super().build_extensions()


class BdistWheel(bdist_wheel):
    """Tags the wheel for every CPython from 3.10 on, or for what it was built for."""

    def finalize_options(self) -> None:
        self.py_limited_api = limited_api()[0] or False
        super().finalize_options()


class Sdist(sdist):
    """Where SOURCE_DATE_EPOCH is set, the same files give the same bytes, whoever packs them."""

    def make_archive(
        self, base_name: str, format: str, *args: str | None, base_dir: str, **whose: str | None
    ) -> str:
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if not epoch or format != "gztar":
            return str(super().make_archive(base_name, format, *args, base_dir=base_dir, **whose))

        def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.mtime = int(epoch)
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            return entry

        name = f"{base_name}.tar.gz"
        with (
            gzip.GzipFile(name, "wb", mtime=int(epoch)) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(base_dir, filter=nobodys)  # in the order of names
        return name
