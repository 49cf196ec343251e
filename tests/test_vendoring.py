"""A copy in another package, as docs/vendoring.md says, beside the installed one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import fasttrust
import vendor
from world import check_python

BEGIN = """
    import os, ssl, sys, pathlib, tempfile, threading
    sys.path.insert(0, {site!r})
    {first}
    import pki, peer
    from world import Pair, leaf_of
    folder = pathlib.Path(tempfile.mkdtemp())
    SYSTEM, STRANGER = pki.root("system"), pki.root("stranger")
    (folder / "system.pem").write_text(SYSTEM.pem)
    os.environ["SSL_CERT_FILE"] = str(folder / "system.pem")
    os.environ["SSL_CERT_DIR"] = str(folder)
    good, bad = (peer.server_context(leaf_of(root)) for root in (SYSTEM, STRANGER))
    def verdicts(context):
        found = []
        for server in (good, bad):
            try:
                Pair(context, server).shake()
                found.append(0)
            except ssl.SSLCertVerificationError as error:
                found.append(error.verify_code)
        return found
    def whose(context):
        return [isinstance(context, copy.SSLContext) for copy in copies]
    def refused(call, *arguments):
        try:
            call(*arguments)
        except RuntimeError as error:
            return str(error).rpartition(" ")[2]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the built client."""
    folder = tmp_path_factory.mktemp("vendored")
    return vendor.build(vendor.lay_out(folder / "project"), folder)


def printed(site: Path, first: str, program: str) -> list[str]:
    begin = BEGIN.format(site=str(site), first=first).rstrip()
    return check_python(f"{begin}\n{program}").splitlines()


def test_copy_says_only_its_own_name(site: Path) -> None:
    """Every module of the copy, that of the extension too, is known by the client's name."""
    lines = printed(
        site,
        "from client import _tls; copies = [_tls]; modules = sorted(sys.modules)",
        """
    print(*[name for name in modules if "_core" in name])
    print([name for name in modules if name.startswith("fasttrust")])
    context = _tls.create_default_context()
    print(whose(context), verdicts(context), _tls.backend().mode)
    try:
        Pair(context, bad).shake()
    except _tls.VerificationError as error:
        print(type(error).__module__.split(".")[0], len(error.chain))
    """,
    )
    assert ["client._tls._core client._tls._core.lib", "[]"] == lines[:2]
    assert [f"[True] [0, 20] {fasttrust.backend().mode}", "client 1"] == lines[2:]


def test_wheel_carries_our_licence_and_types(site: Path) -> None:
    """What stands beside the modules is in the wheel: our licence too, which goes where they go."""
    copied = site / "client" / "_tls"
    assert (vendor.TOP / "LICENSE").read_bytes() == (copied / "LICENSE").read_bytes()
    assert {"py.typed", "_core.pyi"} <= {path.name for path in copied.iterdir()}


@pytest.mark.parametrize("flags", ["", "sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL); "])
@pytest.mark.parametrize("order", ["fasttrust, client._tls", "client._tls, fasttrust"])
def test_both_at_once(site: Path, order: str, flags: str) -> None:
    """Each has contexts of its own, in threads too, even where libraries share all symbols."""
    lines = printed(
        site,
        f"{flags}import {order}; _tls = client._tls; copies = [fasttrust, _tls]",
        """
    made = [copy.create_default_context() for copy in copies]
    print(*[whose(context) for context in made])
    found = []
    def many(context):
        found.extend(verdicts(context) for _ in range(20))
    threads = [threading.Thread(target=many, args=[context]) for context in made * 2]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    print(len(found), found.count([0, 20]))
    print(refused(_tls.attach, made[0]), refused(fasttrust.attach, made[1]))
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _tls.attach(plain)
    print(refused(fasttrust.attach, plain), whose(plain), verdicts(plain))
    pair = Pair(made[0], good).shake()
    print(_tls.get_verified_chain(pair.client) == _tls.get_verified_chain(pair.client) != ())
    """,
    )
    assert ["[True, False] [False, True]", "80 80"] == lines[:2]
    assert ["fasttrust client._tls", "client._tls [False, True] [0, 20]", "True"] == lines[2:]


@pytest.mark.parametrize("injected", ["fasttrust", "_tls"])
def test_either_injected(site: Path, injected: str) -> None:
    """The other refuses to inject, by the name of who did, and makes its own contexts."""
    lines = printed(
        site,
        "import fasttrust; from client import _tls; copies = [fasttrust, _tls]",
        f"""
    first = {injected}
    (second,) = [copy for copy in copies if copy is not first]
    first.inject_into_ssl()
    context = ssl.create_default_context()
    print(isinstance(context, first.SSLContext), isinstance(context, second.SSLContext))
    print(verdicts(context), refused(second.inject_into_ssl), refused(second.attach, context))
    own = second.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    print(isinstance(own, first.SSLContext), isinstance(own, second.SSLContext), verdicts(own))
    first.extract_from_ssl()
    with second.inject_into_ssl():
        print(isinstance(ssl.create_default_context(), second.SSLContext))
    """,
    )
    name = injected.replace("_tls", "client._tls")
    assert ["True False", f"[0, 20] {name} {name}", "False True [0, 20]", "True"] == lines


def test_one_file_under_two_names(tmp_path: Path) -> None:
    """Where a tool has made one file of two copies, the loader has one library: nobody notices."""
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "__init__.py").touch()
    package = Path(fasttrust.__file__).parent

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            pytest.skip("the package is on another file system")

    unlike = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, tmp_path / "linked" / "tls", copy_function=link, ignore=unlike)
    lines = printed(
        tmp_path,
        "import fasttrust, linked.tls; copies = [fasttrust, linked.tls]",
        """
    made = [copy.create_default_context() for copy in copies]
    print(*[whose(context) for context in made], *[verdicts(context) for context in made])
    print(refused(linked.tls.attach, made[0]), refused(fasttrust.attach, made[1]))
    fasttrust.inject_into_ssl()
    print(whose(ssl.create_default_context()), refused(linked.tls.inject_into_ssl))
    """,
    )
    assert "[True, False] [False, True] [0, 20] [0, 20]" == lines[0]
    assert ["fasttrust linked.tls", "[True, False] fasttrust"] == lines[1:]


def test_page_is_short() -> None:
    """The commands and the file of the page are twenty lines."""
    if not vendor.PAGE.exists():
        pytest.skip("the page is not beside the tests")
    lines = [line for block in ("sh", "toml") for line in vendor.blocks(block)[0].splitlines()]
    assert len([line for line in lines if line]) <= 20
