"""The house rules that a program can check: who knows whom, what leaves, and how long files are."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from pathlib import Path

import pytest

import fasttrust

TOP = Path(__file__).resolve().parent.parent
PACKAGE = TOP / "src" / "fasttrust"
C_FILES = sorted(path for path in (TOP / "csrc").glob("*.[ch]"))
MODULES = sorted(PACKAGE.glob("*.py"))
# Files that know no OpenSSL, and those of them that know one system only.
PURE = {"platform_windows.c", "platform_macos.c", "codes.c", "pem.c", "der.c", "alone.c"}
PLATFORM = {"platform_windows.c", "platform_macos.c"}

# Without a checkout (a wheel's own test run) there is no package folder beside the tests.
needs_source = pytest.mark.skipif(not MODULES, reason="the source is not beside the tests")
needs_c = pytest.mark.skipif(not C_FILES, reason="the C core is not beside the tests")


def includes(path: Path) -> list[str]:
    return re.findall(r"^\s*#\s*include\s*([<\"][^>\"]+[>\"])", path.read_text("utf-8"), re.M)


def imported(path: Path) -> set[str]:
    """Return the modules of this package that a module imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
    return found - {"_typing"}  # which is everybody's


@needs_source
def test_only_native_imports_core() -> None:
    """`_native` is the one door to the C core."""
    users = [path.name for path in MODULES if "_core" in imported(path)]
    assert ["_native.py"] == users
    strings = [
        path.name for path in MODULES if re.search(r"['\"][\w.]*_core['\"]", path.read_text())
    ]
    assert [] == strings


@needs_c
def test_pure_files_know_no_openssl() -> None:
    """Tables, readers and the platform files can be built without OpenSSL's declarations."""
    offenders = [
        path.name for path in C_FILES if path.name in PURE and '"ossl.h"' in includes(path)
    ]
    assert [] == offenders


@needs_c
def test_platform_files_include_core_and_their_system_only() -> None:
    """A platform file can be compiled and tested away from everything but its system."""
    for path in C_FILES:
        if path.name in PLATFORM:
            own = [name for name in includes(path) if name.startswith('"')]
            assert ['"core.h"'] == own


@needs_c
def test_c_core_knows_no_python_and_no_openssl_headers() -> None:
    """No Python.h, no OpenSSL header and no callback into Python: a handshake needs no GIL."""
    for path in C_FILES:
        for name in includes(path):
            assert not re.search(r"python|openssl/", name, re.I), (path.name, name)
        assert 'extern "Python"' not in path.read_text("utf-8"), path.name


@needs_c
def test_header_has_no_condition_after_its_guard() -> None:
    """The header is read by cffi too, which has no preprocessor."""
    lines = (TOP / "csrc" / "fasttrust.h").read_text("utf-8").splitlines()
    conditions = [line for line in lines if re.match(r"\s*#\s*(if|ifdef|ifndef|el|endif)", line)]
    assert ["#ifndef FASTTRUST_H", "#endif"] == conditions
    assert lines[0] == conditions[0]
    assert lines[-1] == conditions[-1]


@needs_source
def test_imports_inside_the_package_are_relative() -> None:
    """The package can be vendored under any name: it never says its own."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] == "fasttrust"], path.name


# Who may import whom: arrows go down, a module to those in its row and to those in no other.
BELOW = {
    "_typing": set(),
    "_log": set(),
    "_core": set(),
    "_der": set(),
    "_missing": set(),
    "_native": {"_core", "_missing"},
    "_decode_names": {"_der"},
    "_decode_extensions": {"_der", "_decode_names"},
    "_decode_key": {"_der", "_decode_names"},
    "_decode": {"_der", "_decode_names", "_decode_extensions"},
    "_mode": {"_native"},
    "_native_anchors": {"_native"},
    "_native_offline": {"_native"},
    "_anchors": {"_native", "_native_anchors"},
    "_public_bundles": set(),
    "_bundles": {"_anchors", "_public_bundles"},
    "_policy": {"_native", "_mode"},
    "_places": {"_native"},
    "_system": {"_log", "_native", "_native_anchors", "_anchors", "_mode", "_places"},
    "_pipe": {"_native"},
    "_guard": {"_log", "_native", "_certificate", "_pipe"},
    "_door": {"_native", "_mode", "_compat", "_fed"},
    "_native_platform": {"_native"},
    "_fed": {"_log", "_native"},
    "_bare": {"_fed"},
    "_agree": {"_decode", "_decode_key"},
    "_asked": {
        "_log",
        "_native",
        "_native_platform",
        "_agree",
        "_certificate",
        "_fed",
        "_guard",
        "_standard",
    },
    "_of_openssl": {"_native", "_fed", "_guard", "_standard"},
    "_compat": {
        "_log",
        "_native",
        "_asked",
        "_bare",
        "_bundles",
        "_fed",
        "_guard",
        "_mode",
        "_of_openssl",
        "_pipe",
        "_policy",
        "_standard",
    },
    "_trust": {"_anchors", "_certificate", "_system"},
    "_certificate": {"_native", "_decode"},
    "_errors": {"_certificate"},
    "_hints": {"_certificate", "_decode"},
    "_backend": {"_native", "_mode"},
    "_connection": {"_log", "_native", "_certificate", "_door", "_errors", "_hints", "_mode"},
    "_verified": {
        "_asked",
        "_bare",
        "_fed",
        "_log",
        "_native",
        "_anchors",
        "_bundles",
        "_connection",
        "_door",
        "_mode",
        "_policy",
        "_standard",
        "_system",
    },
    "_standard": set(),
    "_context": {
        "_log",
        "_native",
        "_anchors",
        "_bundles",
        "_connection",
        "_door",
        "_mode",
        "_policy",
        "_standard",
        "_system",
        "_trust",
        "_verified",
    },
    "_inject": {
        "_log",
        "_native",
        "_bundles",
        "_connection",
        "_context",
        "_door",
        "_mode",
        "_standard",
        "_trust",
        "_verified",
    },
    "_default": {"_context", "_policy", "_standard", "_trust", "_verified"},
    "_offline": {
        "_errors",
        "_native",
        "_native_offline",
        "_certificate",
        "_connection",
        "_context",
        "_default",
        "_places",
        "_mode",
        "_policy",
        "_trust",
    },
}

# The command line stands on the library, and among itself on this; only its last rows print.
COMMAND_LINE: dict[str, set[str]] = {
    "_paper": set(),
    "_target": set(),
    "_starttls": set(),
    "_wire": set(),
    "_facts": set(),
    "_info": set(),
    "_tree": {"_paper", "_facts"},
    "_inspect": {"_target", "_starttls", "_wire"},
    "_compare": {"_facts", "_inspect", "_target"},
    "_inspect_all": {"_compare", "_inspect", "_target"},
    "_roots": {"_facts", "_inspect"},
    "_inspect_svg": {"_inspect", "_paper", "_tree"},
    "_inspect_json": {"_compare", "_facts", "_info", "_inspect", "_roots"},
    "_inspect_text": {"_compare", "_info", "_inspect", "_paper", "_roots", "_tree"},
}


@needs_source
def test_dependencies_point_one_way() -> None:
    """No module knows what is above it; those of the command line are above everything."""
    for path in MODULES:
        if path.stem in BELOW:
            assert imported(path) <= BELOW[path.stem], path.name
        elif path.stem in COMMAND_LINE:
            assert imported(path) - set(BELOW) <= COMMAND_LINE[path.stem], path.name
        else:
            known = r"_cli|_demo|_run|_(info|inspect)_command|__main__|__init__"
            assert re.match(known, path.stem), f"{path.name} has no place"
    library = {name for path in MODULES if path.stem in BELOW for name in imported(path)}
    assert library <= set(BELOW)
    assert imported(PACKAGE / "__init__.py") <= set(BELOW)


@needs_source
def test_library_prints_nothing() -> None:
    """What is found out and what is printed are two things: only the last rows know a stream."""
    silent = {*BELOW, *COMMAND_LINE} - {"_paper", "_inspect_all"}
    for path in MODULES:
        if path.stem in silent:
            found = re.search(r"\bprint\(|sys\.std(out|err)", path.read_text("utf-8"))
            assert found is None, (path.name, found)


@needs_source
def test_native_names_the_backend_of_cffi() -> None:
    """Freezers find what the extension imports at run time because `_native` names it."""
    tree = ast.parse((PACKAGE / "_native.py").read_text("utf-8"))
    named = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert "_cffi_backend" in named


def test_public_names_are_exactly_these() -> None:
    """What can be imported without an underscore is what is public, and all of it is explained."""
    public = {
        *(
            "ENCODING_DER",
            "ENCODING_PEM",
            "Certificate",
            "SSLContext",
            "TrustStore",
            "VerificationError",
        ),
        *("attach", "backend", "create_default_context"),
        *("extract_from_ssl", "inject_into_ssl"),
        *("get_unverified_chain", "get_verified_chain", "verify_chain"),
    }
    assert public == set(fasttrust.__all__)
    assert len(public) == len(fasttrust.__all__)
    assert public <= set(dir(fasttrust))
    assert public == {name for names in fasttrust._HOMES.values() for name in names}
    with pytest.raises(AttributeError, match="module 'fasttrust' has no attribute 'nothing'"):
        fasttrust.nothing  # noqa: B018
    for name in public:
        getattr(fasttrust, name)
    visible = {
        name
        for name, value in vars(fasttrust).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == visible
    for name in public - {"ENCODING_DER", "ENCODING_PEM"}:
        assert inspect.getdoc(getattr(fasttrust, name)), name


@needs_source
def test_extension_exports_one_symbol() -> None:
    """Nothing of the core can clash with another library, or another copy of it."""
    (library,) = Path(fasttrust.__file__).parent.glob("_core*.so")
    try:
        listed = subprocess.run(
            ["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("nm is not installed")
    symbols = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert {"PyInit__core"} == symbols


@needs_source
def test_no_file_is_too_long() -> None:
    """Up to 400 lines: what is longer is several things."""
    own = [*C_FILES, *MODULES, *sorted((TOP / "tests").glob("*.py"))]
    own += [*sorted((TOP / "tests" / "c").glob("*.[ch]")), *sorted((TOP / "bench").glob("*.py"))]
    long = {path.name: n for path in own if (n := len(path.read_text("utf-8").splitlines())) > 400}
    assert {} == long


@needs_source
def test_no_file_names_a_machine() -> None:
    """No path into anybody's home or temporary folder stands in a file."""
    for path in (*C_FILES, *MODULES, *sorted((TOP / "tests").glob("*.py"))):
        if path.name != Path(__file__).name:
            found = re.search(r"/(home|root|Users|tmp|work)/\w", path.read_text("utf-8"))
            assert found is None, (path.name, found)
