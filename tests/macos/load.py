"""
Loads the library that was built for macOS on x86-64 into this Linux process, and asks it the table.

    python load.py LIBRARY.dylib DOUBLE.so ROWS

The two systems call C functions alike, so the very code that a Mac would run can run here: its
segments are put into memory, its own addresses are moved, and what it imports is bound to the
double and to glibc. A symbol that it imports from another library than it should is an error.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
from pathlib import Path
from typing import Any

import lief

TOP = Path(__file__).resolve().parent.parent.parent
FRAMEWORKS = ("CoreFoundation", "Security")
# What libSystem gives on a Mac under the name that it has in glibc too, and under another one.
ALIKE = ("bcmp", "bzero", "calloc", "close", "free", "getpid", "malloc", "memchr")
ALIKE += ("memcmp", "memcpy", "memset", "pipe", "read", "realloc", "snprintf", "strdup", "strlen")
ALIKE += ("vsnprintf", "write")
SYSTEM = {f"_{name}": name for name in ALIKE} | {
    "___bzero": "bzero",
    "___error": "mac_error",
    "__dyld_get_image_name": "mac_dyld_get_image_name",
    "__dyld_image_count": "mac_dyld_image_count",
    "_dlopen": "mac_dlopen",
    "_dlsym": "mac_dlsym",
}
PAGE = 4096
FLAGS = {"leaf": "check_leaf", "chain": "check_chain", "own": "own_crls"}


class Der(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("len", ctypes.c_size_t))


def fields(header: str, name: str) -> list[tuple[str, Any]]:
    """Return a struct's fields as the header has them: one that is added is not missed here."""
    text = (TOP / "csrc" / header).read_text("utf-8")
    (body,) = re.findall(rf"typedef struct {name} \{{\n(.*?)\n\}} {name};", text, re.DOTALL)
    found = re.findall(r"^    (.*?[ *])(\w+)(\[FT_MESSAGE_LEN\])?;", body, re.MULTILINE)
    return [
        (field, ctypes.c_char * 256 if array else TYPES[kind.strip()])
        for kind, field, array in found
    ]


TYPES: dict[str, Any] = {
    "bool": ctypes.c_bool,
    "const char *": ctypes.c_char_p,
    "const ft_der *": ctypes.POINTER(Der),
    "ft_der": Der,
    "ft_der *": ctypes.c_void_p,
    "ft_revocation": ctypes.c_int,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "size_t": ctypes.c_size_t,
}


class Policy(ctypes.Structure):
    _fields_ = fields("fasttrust.h", "ft_policy")


TYPES["ft_policy"] = Policy


class Question(ctypes.Structure):
    _fields_ = fields("core.h", "ft_question")


class Answer(ctypes.Structure):
    _fields_ = fields("core.h", "ft_answer")


class Loader:
    """One Mach-O library in this process's memory."""

    def __init__(self, path: str, double: ctypes.CDLL) -> None:
        lief.logging.disable()  # it warns of tables that are empty
        fat = lief.MachO.parse(path)
        assert fat is not None
        binary = fat.at(0)
        # Nothing of lief's is kept: it complains at exit of what lives.
        self.values = {each.name: each.value for each in binary.symbols}
        self.double = double
        self.double.ft_double_since.restype = ctypes.c_bool
        self.glibc = ctypes.CDLL(None)
        segments = [each for each in binary.segments if each.virtual_size]
        size = max(each.virtual_address + each.virtual_size for each in segments)
        size = -(-size // PAGE) * PAGE
        self.memory = mmap.mmap(-1, size, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        # Never let go: OpenSSL calls the core when the process ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.memory))
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        for segment in segments:
            content = bytes(segment.content)
            at = segment.virtual_address
            self.memory[at : at + len(content)] = content
        self.kept: list[object] = []
        self.bound: dict[str, str] = {}
        self._fix(binary)

    def _put(self, address: int, value: int) -> None:
        ctypes.c_uint64.from_address(self.base + address).value = value

    def _fix(self, binary: lief.MachO.Binary) -> None:
        """Move what points into the library, bind what points out of it."""
        for relocation in binary.relocations:
            if not isinstance(relocation, lief.MachO.RelocationObject):
                at = relocation.address
                value = ctypes.c_uint64.from_address(self.base + at).value
                target = getattr(relocation, "target", value) or value
                self._put(at, self.base + target)
        for binding in binary.bindings:
            self._put(binding.address, self._resolve(binding))

    def _resolve(self, binding: lief.MachO.BindingInfo) -> int:
        name = binding.symbol.name
        library = Path(binding.library.name).name if binding.has_library else ""
        self.bound[name] = library
        # What macOS 11 lacks must not keep the library from being loaded there; all else must.
        assert binding.weak_import == (name == "_SecTrustCopyCertificateChain"), name
        if library in FRAMEWORKS:
            assert name.startswith("_Sec") == (library == "Security"), (name, library)
            return self._address(self.double, name[1:])
        if name == "__availability_version_check":
            return self._version_check()
        if name == "dyld_stub_binder":
            return 0  # everything is bound already
        assert name in SYSTEM, f"{name} of {library!r} is not known here"
        ours = SYSTEM[name].startswith("mac_")
        return self._address(self.double if ours else self.glibc, SYSTEM[name])

    @staticmethod
    def _address(library: ctypes.CDLL, name: str) -> int:
        return ctypes.addressof(ctypes.c_char.in_dll(library, name))

    def _version_check(self) -> int:
        """Return what __builtin_available asks: whether the double's macOS is that new."""

        @ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32))
        def check(_count: int, versions: ctypes.POINTER(ctypes.c_uint32)) -> bool:  # type: ignore[valid-type]
            return bool(self.double.ft_double_since(versions[1] >> 16))

        self.kept.append(check)
        return ctypes.cast(check, ctypes.c_void_p).value or 0

    def of_double(self, name: str) -> int:
        """Return the address of a function of the double's."""
        return self._address(self.double, name)

    def function(self, name: str) -> int:
        """Return the address of a function of the library's own."""
        return self.base + self.values[f"_{name}"]


def question(asked: str, ders: list[bytes], folder: Path) -> Question:
    """Return one row's question, as rows.c makes it."""
    made = Question(is_server=True, policy=Policy(network=True))
    made.certs = (Der * len(ders))(*[Der(der, len(der)) for der in ders])
    made.num_certs = len(ders)
    for word in asked.split():
        name, _, value = word.partition("=")
        if name in ("host", "address"):
            made.host = value.encode()
            made.host_is_address = name == "address"
        elif name == "staple":
            response = (folder / value).read_bytes()
            made.staple = Der(response, len(response))
        elif name == "time":
            made.has_time, made.time = True, int(value)
        elif name in ("soft", "hard"):
            made.policy.revocation = 1 if name == "soft" else 2
        elif name == "apple":
            pass
        elif name == "client":
            made.is_server = False
        elif name == "offline":
            made.policy.network = False
        else:
            setattr(made, FLAGS[name], True)
    return made


def main(library: str, double_path: str, folder: Path) -> int:
    double = ctypes.CDLL(double_path)
    wrong = asked_in_all = 0
    root = (folder / "root.der").read_bytes()
    double.double_trust_der(root, ctypes.c_size_t(len(root)))
    denied = (folder / "denied.der").read_bytes()
    double.double_deny_der(denied, ctypes.c_size_t(len(denied)))
    rows = [line.split("\t") for line in (folder / "rows.txt").read_text("ascii").splitlines()]
    for version in (11, 12, 14):
        # Loaded anew: the answer about the version is kept inside.
        loader = Loader(library, double)
        verify = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.POINTER(Question), ctypes.POINTER(Answer))(
            loader.function("ft_system_verify")
        )
        double.double_set_version(version)
        for name, code, native, asked, files in rows:
            ders = [(folder / file).read_bytes() for file in files.split()]
            answer = Answer()
            trusted = verify(ctypes.byref(question(asked, ders, folder)), ctypes.byref(answer))
            ok = (answer.code, answer.native_code) == (int(code), int(native))
            ok = ok and trusted == (answer.code == 0) == (answer.num_chain > 0)
            ok = ok and double.double_live(True) == 0
            if not ok:
                print(f"WRONG {name} on {version}: {answer.code}, {answer.native_code}")
            wrong += not ok
            asked_in_all += 1
    print(f"{asked_in_all} questions to the code built for macOS, {wrong} wrong")
    print(f"{len(loader.bound)} symbols bound, each to its own framework or to libSystem")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
