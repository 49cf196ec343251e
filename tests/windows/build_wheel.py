"""Builds the Windows wheel on Linux, with mingw: what setuptools would do there, less its compiler.

    python3 tests/windows/build_wheel.py OUT HEADERS PYTHON3.DLL

Run in the checkout's top folder, by a Python that has setuptools and cffi. The compiler is
``$CC``, else mingw's for x86-64.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import Distribution

COMPILER = os.environ.get("CC", "x86_64-w64-mingw32-gcc")


def compile_extension(dist: Distribution, to: Path, headers: str, library: str) -> None:
    """Compile the one extension into a folder of packages."""
    (extension,) = dist.ext_modules
    command = dist.get_command_obj("build_ext")
    command.ensure_finalized()
    command.complete(extension)
    macros = [f"-D{name}={value}" for name, value in extension.define_macros]
    folders = [f"-I{folder}" for folder in (*extension.include_dirs, headers)]
    # Windows knows no other name for an extension under the limited API.
    target = to.joinpath(*extension.name.split(".")).with_suffix(".pyd")
    flags = ["-std=c11", "-O2", "-shared", "-static-libgcc", "-s"]
    sources = [*extension.sources, library, "-lcrypt32"]
    subprocess.run([COMPILER, *flags, *macros, *folders, "-o", target, *sources], check=True)


def main(out: str, headers: str, library: str) -> None:
    """Build and pack."""
    dist = Distribution({"script_name": "build_ffi.py"})
    dist.parse_config_files()
    with tempfile.TemporaryDirectory() as folder:
        dist.get_command_obj("build").build_base = folder
        dist.get_command_obj("build").build_lib = f"{folder}/lib"
        dist.get_command_obj("egg_info").egg_base = folder
        dist.run_command("build_py")
        compile_extension(dist, Path(folder, "lib"), headers, library)
        packer = dist.get_command_obj("bdist_wheel")
        packer.skip_build = True
        packer.plat_name = "win_amd64"
        packer.bdist_dir = f"{folder}/packed"
        packer.dist_dir = out
        dist.run_command("bdist_wheel")


if __name__ == "__main__":
    main(*sys.argv[1:])
