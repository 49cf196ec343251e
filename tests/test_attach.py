"""`attach`: any context of the program's own gets the verifier, and nothing else of it changes."""

from __future__ import annotations

import _ssl
import shutil
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import peer
import pki
from world import Pair, attached, check_python, code, ders, leaf_of, machine_trusts, plain

SYSTEM, LOADED, STRANGER = (pki.root(name) for name in ("system", "loaded", "stranger"))
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


def verdicts(context: ssl.SSLContext) -> list[int]:
    """Return what a client context says of a stranger, the system's root and the loaded one."""
    codes = []
    for root in (STRANGER, SYSTEM, LOADED):
        outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
        codes.append(code(outcome.client_error))
    return codes


class Fake:
    """An object that says it is a context."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return ssl.SSLContext


class FakeOfMeta(type):
    """A metaclass whose classes are said to be contexts' by whoever asks them."""

    def mro(cls) -> list[type]:
        return [cls, object]

    def __subclasscheck__(cls, other: type) -> bool:
        return True


class Liar(metaclass=FakeOfMeta):
    _fasttrust_holder = "fasttrust"


@pytest.mark.parametrize(
    "value",
    [None, 5, "context", b"", object(), Fake(), Liar(), ssl.SSLContext, ssl, ssl.MemoryBIO()],
    ids=repr,
)
def test_what_is_no_context_is_a_type_error(value: Any) -> None:
    """What is no `ssl.SSLContext` is refused by its type, whatever it says of itself."""
    with pytest.raises(TypeError, match=r"not an ssl\.SSLContext"):
        fasttrust.attach(value)
    assert not isinstance(value, fasttrust.SSLContext)


def test_bare_context_of_the_c_module_is_a_type_error() -> None:
    """`_ssl._SSLContext` itself has no methods that we could replace."""
    bare = _ssl._SSLContext(CLIENT)
    with pytest.raises(TypeError, match="'_SSLContext'"):
        fasttrust.attach(bare)  # type: ignore[arg-type]
    assert not isinstance(bare, fasttrust.SSLContext)


def test_context_of_pyopenssl_is_a_type_error() -> None:
    """A context of pyOpenSSL's belongs to another OpenSSL."""
    pyopenssl = pytest.importorskip("OpenSSL.SSL", reason="pyOpenSSL is not installed")
    with pytest.raises(TypeError, match="'Context'"):
        fasttrust.attach(pyopenssl.Context(pyopenssl.TLS_METHOD))


def test_context_of_another_copy_is_a_runtime_error_that_names_it() -> None:
    """A context that another copy verifies for stays as it was, and the error names the copy."""
    context = plain(CLIENT, LOADED)
    context._fasttrust_holder = "client._vendor.fasttrust"  # type: ignore[attr-defined]
    before = context.__dict__.copy()
    with pytest.raises(RuntimeError, match=r"client\._vendor\.fasttrust"):
        fasttrust.attach(context)
    assert (ssl.SSLContext, before) == (type(context), context.__dict__)
    assert [20, 20, 0] == verdicts(context)


def test_two_copies_live_side_by_side(tmp_path: Path) -> None:
    """A vendored copy works on its own contexts, and neither copy takes the other's."""
    package = Path(fasttrust.__file__).parent
    shutil.copytree(package, tmp_path / "vendor" / "fasttrust")
    (tmp_path / "vendor" / "__init__.py").touch()
    printed = check_python(
        f"""
        import sys, ssl
        sys.path.insert(0, {str(tmp_path)!r})
        import fasttrust, vendor.fasttrust as vendored
        from world import *
        import pki
        for ours, other in ((fasttrust, vendored), (vendored, fasttrust)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ours.attach(context)
            try:
                other.attach(context)
            except RuntimeError as error:
                print(str(error).rpartition(" ")[2])
            print(isinstance(context, ours.SSLContext), isinstance(context, other.SSLContext))
        chain = leaf_of(pki.root("root"))
        clients = [copy.create_default_context(cadata=pki.root("root").pem)
                   for copy in (fasttrust, vendored)]
        server = plain(ssl.PROTOCOL_TLS_SERVER)
        chain.load(server)
        for client in clients:
            pair = Pair(client, server).shake()
            print(*[len(copy.get_verified_chain(pair.client)) for copy in (fasttrust, vendored)])
        """
    )
    assert [
        *("fasttrust", "True False", "vendor.fasttrust", "True False"),
        *("2 2", "2 2"),
    ] == printed.split("\n")[:-1]


class Meta(type):
    """A metaclass of the program's own."""


class Socket(ssl.SSLSocket):
    """A socket class of the program's own."""


class Object(ssl.SSLObject):
    """The same for memory BIOs."""


class OwnClasses(ssl.SSLContext):
    """A context that makes connections of its own classes."""

    sslsocket_class = Socket
    sslobject_class = Object


class WithMeta(ssl.SSLContext, metaclass=Meta):
    """A context of a metaclass."""


class WithSlots(ssl.SSLContext):
    """A context with a slot."""

    __slots__ = ("slot",)


class WithInit(ssl.SSLContext):
    """A context whose constructor has arguments of its own."""

    def __new__(cls, colour: str, *, size: int) -> WithInit:
        return super().__new__(cls, CLIENT)

    def __init__(self, colour: str, *, size: int) -> None:
        self.colour, self.size = colour, size

    def load_verify_locations(self, *args: Any, **kwargs: Any) -> None:
        self.size += 1
        super().load_verify_locations(*args, **kwargs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: OwnClasses(CLIENT),
        lambda: WithMeta(CLIENT),
        lambda: WithSlots(CLIENT),
        lambda: WithInit("red", size=1),
    ],
    ids=["own classes", "metaclass", "slots", "constructor"],
)
def test_subclasses_keep_what_they_are(make: Any) -> None:
    """An object of a program's own class stays one, of the same name, and is verified for."""
    context = make()
    own = type(context)
    state = context.__dict__.copy()
    if own is WithSlots:
        context.slot = "kept"
    fasttrust.attach(context)
    assert isinstance(context, own)
    assert isinstance(context, fasttrust.SSLContext)
    assert (own.__name__, own.__module__, type(own)) == (
        type(context).__name__,
        type(context).__module__,
        type(type(context)),
    )
    assert state == {name: context.__dict__[name] for name in state}
    assert getattr(context, "slot", "kept") == "kept"
    context.load_verify_locations(cadata=LOADED.pem)
    assert getattr(context, "size", 2) == 2
    assert [20, 0, 0] == verdicts(context)
    assert [20, 20, 20] == verdicts(plain(CLIENT))


def test_socket_classes_of_the_class_are_kept() -> None:
    """Connections are of the context's own classes, and have what ours have."""
    server = plain(SERVER)
    leaf_of(SYSTEM).load(server)
    context = OwnClasses(CLIENT)
    fasttrust.attach(context)
    pair = Pair(context, server).shake()
    assert isinstance(pair.client, Object)
    assert len(pair.client.get_verified_chain()) == 2
    outcome = peer.connect(context, server, carrier="socket", inspect=type)
    assert (Socket, "Socket") == (outcome.inspected.__mro__[2], outcome.inspected.__name__)


def test_socket_classes_of_the_object_are_kept() -> None:
    """So it is where the program set the class on the context itself."""
    context = plain(CLIENT)
    context.sslsocket_class = Socket
    context.sslobject_class = Object
    fasttrust.attach(context)
    assert issubclass(context.sslsocket_class, Socket)
    assert issubclass(context.sslobject_class, Object)
    assert ssl.SSLContext.sslsocket_class is ssl.SSLSocket


def test_class_that_is_set_after_attach_is_the_programs() -> None:
    """A plain class set on an attached context works; its errors are `ssl`'s, its verdicts ours."""
    context = attached(CLIENT)
    context.sslobject_class = Object
    server = plain(SERVER)
    leaf_of(STRANGER).load(server)
    pair = Pair(context, server)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        pair.shake()
    assert (20, ssl.SSLCertVerificationError) == (caught.value.verify_code, type(caught.value))
    assert len(fasttrust.get_unverified_chain(pair.client)) == 1
    assert fasttrust.get_verified_chain(pair.client) == ()


class Final(ssl.SSLContext):
    """A class that allows no other below it."""

    def __init_subclass__(cls) -> None:
        raise TypeError("Final is final")


class Frozen(ssl.SSLContext):
    """A class whose objects take no attribute."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set")


class Fixed(ssl.SSLContext):
    """A class whose objects cannot have another class of sockets."""

    @property
    def sslsocket_class(self) -> type:  # type: ignore[override]
        return ssl.SSLSocket


class Settled(ssl.SSLContext):
    """A class whose objects stay of it."""

    __class__ = property(lambda self: Settled)  # type: ignore[assignment]


@pytest.mark.parametrize("own", [Final, Frozen, Fixed, Settled])
def test_failure_leaves_the_context_as_it_was(own: type[ssl.SSLContext]) -> None:
    """A class that does not go along is an error, after which the context is as before."""
    context = own(CLIENT)
    context.load_verify_locations(cadata=LOADED.pem)
    state = context.__dict__.copy()
    with pytest.raises(TypeError):
        fasttrust.attach(context)
    assert (own, state) == (type(context), context.__dict__)
    assert not isinstance(context, fasttrust.SSLContext)
    assert [20, 20, 0] == verdicts(context)


def test_attach_twice_changes_nothing() -> None:
    """A second `attach` leaves class, trust and connections as the first made them."""
    context = plain(CLIENT, LOADED)
    classes = []
    for _ in range(3):
        fasttrust.attach(context)
        classes.append((type(context), context.sslsocket_class, context.sslobject_class))
        assert [20, 0, 0] == verdicts(context)
    assert len(set(classes)) == 1


def test_attach_adds_the_system_to_an_exact_context() -> None:
    """`attach` to a context of ours that trusts exactly a file makes it trust the system too."""
    context = fasttrust.create_default_context(cadata=LOADED.pem)
    assert [20, 20, 0] == verdicts(context)
    fasttrust.attach(context)
    assert [20, 0, 0] == verdicts(context)


@modes.one_store
@pytest.mark.parametrize("steps", range(3))
def test_attach_between_the_steps_of_a_handshake(steps: int) -> None:
    """A handshake under way when `attach` comes is verified by what the context has by then."""
    for root, expected in ((STRANGER, 20), (SYSTEM, 0), (LOADED, 0)):
        server = plain(SERVER)
        leaf_of(root).load(server)
        context = plain(CLIENT, LOADED)
        pair = Pair(context, server)
        for end in (pair.client, pair.server, pair.client)[:steps]:
            pair.step(end)
        fasttrust.attach(context)
        error = None
        try:
            pair.shake()
        except ssl.SSLError as refused:
            error = refused
        assert code(error) == expected
        assert len(fasttrust.get_verified_chain(pair.client)) == (0 if expected else 2)
        assert leaf_of(root).ders == ders(fasttrust.get_unverified_chain(pair.client))


def test_attach_after_a_handshake_keeps_the_connection() -> None:
    """An open connection stays open and keeps its chains."""
    server = plain(SERVER)
    leaf_of(LOADED).load(server)
    context = plain(CLIENT, LOADED)
    pair = Pair(context, server).shake()
    before = ders(fasttrust.get_verified_chain(pair.client))
    fasttrust.attach(context)
    pair.client.write(b"on")
    assert pair.read(pair.server) == b"on"
    assert (leaf_of(LOADED).ders[0], LOADED.der) == before
    assert before == ders(fasttrust.get_verified_chain(pair.client))


def test_attach_while_connections_shake_hands() -> None:
    """A store is replaced under running handshakes without a wrong verdict."""
    context = plain(CLIENT, LOADED)
    server = peer.server_context(leaf_of(LOADED))
    stranger = peer.server_context(leaf_of(STRANGER))
    stop = threading.Event()

    def attach() -> None:
        while not stop.is_set():
            fasttrust.attach(context)

    thread = threading.Thread(target=attach)
    thread.start()
    try:
        for _ in range(60):
            assert code(peer.connect(context, server, carrier="bio").client_error) == 0
            assert code(peer.connect(context, stranger, carrier="bio").client_error) == 20
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_revocation_lists_are_kept(tmp_path: Path) -> None:
    """A CRL loaded before `attach` revokes afterwards as well, whoever issued the certificate."""
    for root in (SYSTEM, LOADED):
        revoked, good = (pki.Chain((pki.leaf(name, root),)) for name in ("revoked", "good"))
        crl = tmp_path / "crl.pem"
        crl.write_text(pki.crl(root, revoked.certificates), "ascii")
        context = plain(CLIENT, root)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        context.load_verify_locations(cafile=crl)
        fasttrust.attach(context)
        codes = [
            code(peer.connect(context, peer.server_context(chain), carrier="bio").client_error)
            for chain in (revoked, good)
        ]
        assert [23, 0] == codes


def test_settings_are_kept() -> None:
    """`attach` changes the trust and nothing else."""
    before, after = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=LOADED.pem) for _ in range(2)
    )
    for context in (before, after):
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        context.set_ciphers("ECDHE+AESGCM")
        context.maximum_version, context.num_tickets = ssl.TLSVersion.TLSv1_2, 1
    fasttrust.attach(after)
    for name in dir(ssl.SSLContext):
        value = getattr(before, name, None)  # PyPy lists what is not set yet
        if not name.startswith("_") and not callable(value):
            assert (name, value) == (name, getattr(after, name, None))
    assert before.get_ciphers() == after.get_ciphers()
