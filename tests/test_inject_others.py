"""Injection beside others who change `ssl`: truststore, gevent, eventlet, other copies of us."""

from __future__ import annotations

import importlib.util
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import fasttrust
from world import check_python

# What each program begins with: a PKI, the machine's store in a file, and a server's verdict.
WORLD = """
    import os, ssl, sys, pathlib, tempfile, warnings
    warnings.simplefilter("ignore")
    {first}
    import fasttrust, pki, peer
    from world import Pair, code, leaf_of
    folder = pathlib.Path(tempfile.mkdtemp())
    SYSTEM, STRANGER = pki.root("system"), pki.root("stranger")
    (folder / "system.pem").write_text(SYSTEM.pem)
    os.environ["SSL_CERT_FILE"] = str(folder / "system.pem")
    os.environ["SSL_CERT_DIR"] = str(folder)
    SSLContext = ssl.SSLContext
    servers = [peer.server_context(leaf_of(root)) for root in (SYSTEM, STRANGER)]
    def verdicts(context):
        found = []
        for server in servers:
            try:
                Pair(context, server).shake()
                found.append(0)
            except ssl.SSLCertVerificationError as error:
                found.append(error.verify_code)
        return found
    def ours(context):
        return isinstance(getattr(context, "_ctx", context), fasttrust.SSLContext)
    def settings(context):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        context.options |= ssl.OP_NO_TICKET
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = True
        return context
    def show():
        context = settings(ssl.create_default_context())
        print(type(context).__module__.partition(".")[0], ours(context), *verdicts(context))
"""


def printed(program: str, first: str = "", **environment: str) -> list[str]:
    code = WORLD.format(first=first).rstrip() + "\n" + program
    return check_python(code, **environment).splitlines()


NOBODY = "ssl False 0 20"
US = "ssl True 0 20"
TRUSTSTORE = "truststore False 0 20"
BOTH = "truststore True 0 20"


@pytest.mark.parametrize("imported", ["", "import truststore", "import urllib3, requests"])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (("inject us", "inject them", "extract us", "extract them"), [US, BOTH, TRUSTSTORE]),
        (("inject us", "inject them", "extract them", "extract us"), [US, BOTH, US]),
        (
            ("inject them", "inject us", "extract us", "extract them"),
            [TRUSTSTORE, BOTH, TRUSTSTORE],
        ),
        (("inject them", "inject us", "extract them", "extract us"), [TRUSTSTORE, BOTH, US]),
    ],
    ids=lambda value: " ".join(value).replace("inject ", "+").replace("extract ", "-"),
)
def test_truststore_in_every_order(
    order: tuple[str, ...], expected: list[str], imported: str
) -> None:
    """Injected before or after us, and undone in either order: nothing recurses or stays behind."""
    pytest.importorskip("truststore", reason="truststore is not installed")
    if "requests" in imported:
        pytest.importorskip("requests", reason="requests is not installed")
    steps = {
        "inject us": "fasttrust.inject_into_ssl()",
        "extract us": "fasttrust.extract_from_ssl()",
        "inject them": "import truststore; truststore.inject_into_ssl()",
        "extract them": "truststore.extract_from_ssl()",
    }
    program = ["    before = list(vars(SSLContext).items())", "    show()"]
    for step in order:
        program += [f"    {steps[step]}", "    show()"]
    program.append(
        "    print(ssl.SSLContext is SSLContext, before == list(vars(SSLContext).items()))"
    )
    lines = printed("\n".join(program), imported)
    assert [NOBODY, *expected, NOBODY, "True True"] == lines


def test_private_reference_beside_truststore() -> None:
    """Who kept a reference to ssl's class from before truststore makes contexts of ours with it."""
    pytest.importorskip("truststore", reason="truststore is not installed")
    program = """
    fasttrust.inject_into_ssl()
    import truststore
    truststore.inject_into_ssl()
    context = settings(SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.load_default_certs()
    print(type(context).__module__, ours(context), *verdicts(context))
    """
    assert ["ssl True 0 20"] == printed(program)


@pytest.mark.parametrize("first", ["import truststore", "import fasttrust, truststore"])
def test_default_context_beside_truststore(first: str) -> None:
    """Its class allows no other below it: the context is of ssl's own, with ssl's defaults."""
    pytest.importorskip("truststore", reason="truststore is not installed")
    program = """
    expected = settings(ssl.create_default_context())
    truststore.inject_into_ssl()
    for context in (
        fasttrust.create_default_context(),
        fasttrust.create_default_context(cadata=SYSTEM.pem),
        fasttrust.create_default_context(ssl.Purpose.CLIENT_AUTH),
    ):
        print(type(context).__module__, isinstance(context, SSLContext), ours(context))
    context = settings(fasttrust.create_default_context())
    names = "verify_mode", "check_hostname", "verify_flags", "options", "minimum_version"
    print(all(getattr(context, name) == getattr(expected, name) for name in names))
    print(*verdicts(context))
    ssl.create_default_context = lambda *_, **__: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    """
    assert ["ssl True True"] * 3 + ["True", "0 20"] == printed(program, first)


def test_gevent_patched_before_and_after() -> None:
    """Gevent's own class is below ssl's: its contexts are ours too, in either order."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    patch = "import gevent.monkey; gevent.monkey.patch_all()"
    program = """
    before = list(vars(SSLContext).items())
    fasttrust.inject_into_ssl()
    {later}
    show()
    context = ssl.create_default_context()
    fasttrust.extract_from_ssl()
    print(*verdicts(context))
    show()
    print(before == list(vars(SSLContext).items()))
    """
    first = printed(program.format(later="import gevent.ssl"), patch)
    assert ["gevent True 0 20", "0 20", "gevent False 0 20", "True"] == first
    later = printed(program.format(later=patch))
    assert ["gevent True 0 20", "0 20", "gevent False 0 20", "True"] == later


def test_gevent_sockets_of_an_injected_context() -> None:
    """A connection of gevent's own sockets is verified, refused and explained."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    program = """
    import gevent, socket
    fasttrust.inject_into_ssl()
    for server in servers:
        client = ssl.create_default_context()
        near, far = socket.socketpair()
        def serve():
            try:
                server.wrap_socket(far, server_side=True).sendall(b"x")
            except ssl.SSLError as error:
                print(error.reason)
        greenlet = gevent.spawn(serve)
        with gevent.Timeout(20):
            try:
                with client.wrap_socket(near, server_hostname=pki.HOST) as tls:
                    print(len(fasttrust.get_verified_chain(tls)), tls.recv(1))
            except fasttrust.VerificationError as error:
                print(error.verify_code, len(error.chain))
            greenlet.join()
    """
    patch = "import gevent.monkey; gevent.monkey.patch_all()"
    assert ["2 b'x'", "20 1", "TLSV1_ALERT_UNKNOWN_CA"] == printed(program, patch)


def test_eventlet() -> None:
    """Eventlet's green contexts are ours too."""
    if importlib.util.find_spec("eventlet") is None:  # imported it would warn whoever forks later
        pytest.skip("eventlet is not installed")
    program = """
    fasttrust.inject_into_ssl()
    context = ssl.create_default_context()
    print(type(context).__module__, ours(context))
    for server in servers:
        near, far = socket.socketpair()
        def serve():
            try:
                server.wrap_socket(far, server_side=True).sendall(b"x")
            except ssl.SSLError as error:
                print(error.reason)
        thread = eventlet.spawn(serve)
        with eventlet.Timeout(20):
            try:
                tls = context.wrap_socket(near, server_hostname=pki.HOST)
                print(tls.recv(1))
            except ssl.SSLCertVerificationError as error:
                print(error.verify_code)
            thread.wait()
    """
    first = "import eventlet; eventlet.monkey_patch(); import socket"
    expected = ["eventlet.green.ssl True", "b'x'", "20", "TLSV1_ALERT_UNKNOWN_CA"]
    assert expected == printed(program, first)


def test_second_copy_does_not_inject_over_us(tmp_path: Path) -> None:
    """A vendored copy refuses, names who is there, and its contexts stay its own."""
    shutil.copytree(Path(fasttrust.__file__).parent, tmp_path / "vendor" / "fasttrust")
    (tmp_path / "vendor" / "__init__.py").touch()
    program = f"""
    sys.path.insert(0, {str(tmp_path)!r})
    import vendor.fasttrust as vendored
    fasttrust.inject_into_ssl()
    try:
        vendored.inject_into_ssl()
    except RuntimeError as error:
        print(str(error).rpartition(" ")[2])
    show()
    for make in (lambda: vendored.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                 vendored.create_default_context):
        try:
            context = make()
            print(isinstance(context, vendored.SSLContext), ours(context), *verdicts(context))
        except RuntimeError as error:
            print(str(error))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        vendored.attach(context)
    except RuntimeError as error:
        print(str(error).rpartition(" ")[2])
    fasttrust.extract_from_ssl()
    with vendored.inject_into_ssl():
        context = ssl.create_default_context()
        print(isinstance(context, vendored.SSLContext), ours(context), *verdicts(context))
    """
    lines = printed(program)
    assert ["fasttrust", US, "True False 0 20"] == lines[:3]
    assert ["True False 0 20", "fasttrust", "True False 0 20"] == lines[3:]


def test_compat_mode() -> None:
    """Where our callback cannot be had the guards of compat mode come by injection as well."""
    program = """
    before = list(vars(SSLContext).items())
    fasttrust.inject_into_ssl()
    show()
    context = ssl.create_default_context()
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    fasttrust.extract_from_ssl()
    print(*verdicts(context), *verdicts(bare))
    show()
    print(before == list(vars(SSLContext).items()))
    """
    expected = [US, "0 20 20 20", NOBODY, "True"]
    assert expected == printed(program, FASTTRUST_MODE="compat")


@pytest.fixture
def restored() -> Iterator[None]:
    before = list(vars(ssl.SSLContext).items())
    yield
    fasttrust.extract_from_ssl()
    assert before == list(vars(ssl.SSLContext).items())


@pytest.mark.usefixtures("restored")
def test_member_that_others_wrapped_since_stays(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrapper put over ours is left where it is, and what it calls does what it always did."""
    fasttrust.inject_into_ssl()
    ours = ssl.SSLContext.load_default_certs
    calls = []

    def wrapper(self: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        calls.append(purpose)
        ours(self, purpose)

    with monkeypatch.context() as patch:
        patch.setattr(ssl.SSLContext, "load_default_certs", wrapper)
        fasttrust.extract_from_ssl()
        assert ssl.SSLContext.load_default_certs is wrapper
        assert "load_default_certs was replaced since" in caplog.text
        context = ssl.create_default_context()
        assert not isinstance(context, fasttrust.SSLContext)
        fasttrust.inject_into_ssl()
        assert isinstance(ssl.create_default_context(), fasttrust.SSLContext)
        fasttrust.extract_from_ssl()
        assert ssl.SSLContext.load_default_certs is wrapper
    # Its own end: ours is put back, with nobody injected.
    assert 1 == len(calls)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", _before)


_before = vars(ssl.SSLContext)["load_default_certs"]
