"""Injection under attack: programs' own classes, methods kept, half-set members, threads."""

from __future__ import annotations

import _ssl
import copy
import copyreg
import gc
import logging
import pickle
import socket
import ssl
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import _inject
from world import code, leaf_of, machine_trusts, plain

SYSTEM, LOADED, STRANGER = (pki.root(name) for name in ("system", "loaded", "stranger"))
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
REFUSED = 20


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    copyreg._slotnames(ssl.SSLContext)  # type: ignore[attr-defined] # which a copy would leave there
    before = list(vars(ssl.SSLContext).items())
    yield
    fasttrust.extract_from_ssl()
    assert before == list(vars(ssl.SSLContext).items())


def verdicts(client: ssl.SSLContext) -> list[int]:
    """Return what a client makes of servers of a stranger, the system's root and the loaded one."""
    codes = []
    for root in (STRANGER, SYSTEM, LOADED):
        outcome = peer.connect(client, peer.server_context(leaf_of(root)), carrier="bio")
        assert (outcome.server_received == b"") == (outcome.client_error is not None)
        codes.append(code(outcome.client_error))
    return codes


SYSTEMS = [REFUSED, 0, REFUSED]


class Meta(type):
    """A metaclass of the program's own."""


class WithNew(ssl.SSLContext, metaclass=Meta):
    """A class with a constructor, a slot and methods of its own, in both styles of calling up."""

    __slots__ = ("colour",)

    def __new__(cls, colour: str, *, size: int) -> WithNew:
        self = super().__new__(cls, CLIENT)
        self.colour = colour
        return self

    def __init__(self, colour: str, *, size: int) -> None:
        super().__init__()
        self.size = size
        self.called: list[str] = []

    def load_default_certs(self, purpose: Any = ssl.Purpose.SERVER_AUTH) -> None:
        self.called.append("load_default_certs")
        super().load_default_certs(purpose)

    def set_default_verify_paths(self) -> None:
        self.called.append("set_default_verify_paths")
        ssl.SSLContext.set_default_verify_paths(self)

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        self.called.append("get_ca_certs")
        return super().get_ca_certs(binary_form)

    def cert_store_stats(self) -> dict[str, int]:
        return ssl.SSLContext.cert_store_stats(self)

    def load_verify_locations(self, *args: Any, **kwargs: Any) -> None:
        ssl.SSLContext.load_verify_locations(self, *args, **kwargs)

    def _wrap_bio(self, *args: Any, **kwargs: Any) -> Any:
        self.called.append("_wrap_bio")
        return super()._wrap_bio(*args, **kwargs)

    def _wrap_socket(self, *args: Any, **kwargs: Any) -> Any:
        return ssl.SSLContext._wrap_socket(self, *args, **kwargs)  # type: ignore[attr-defined]


def test_class_of_the_program_calls_up_in_either_style() -> None:
    """`super()` and a call by the class's name both reach us once, and nothing recurses."""
    with fasttrust.inject_into_ssl():
        context = WithNew("red", size=1)
    for _ in range(2):  # the second time without the injection
        assert isinstance(context, WithNew)
        assert isinstance(context, fasttrust.SSLContext)
        assert ("red", 1, "WithNew", Meta) == (
            context.colour,
            context.size,
            type(context).__name__,
            type(type(context)),
        )
        context.called.clear()
        context.load_default_certs()
        assert ["load_default_certs", "set_default_verify_paths"] == context.called
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TICKET
        assert SYSTEMS == verdicts(context)
        assert "_wrap_bio" in context.called
        outcome = peer.connect(context, peer.server_context(leaf_of(SYSTEM)))
        assert peer.SECRET == outcome.server_received
        assert SYSTEM.der in context.get_ca_certs(True)
        assert context.cert_store_stats()["x509"] >= 1
    assert type(WithNew("red", size=1)) is WithNew


def test_call_by_name_keeps_sessions_apart() -> None:
    """What is loaded by the class's name changes what sessions are worth, as by our methods."""
    with fasttrust.inject_into_ssl():
        context = ssl.SSLContext(CLIENT)
        before = context._fasttrust_held.digest  # type: ignore[attr-defined]
        ssl.SSLContext.load_verify_locations(context, cadata=LOADED.pem)
        assert before != context._fasttrust_held.digest  # type: ignore[attr-defined]
        assert [REFUSED, REFUSED, 0] == verdicts(context)


class Final(ssl.SSLContext):
    """A class that allows no other below it."""

    def __init_subclass__(cls) -> None:
        raise TypeError("Final is final")


class Settled(ssl.SSLContext):
    """A class whose objects stay of it, as truststore's."""

    __class__ = property(lambda self: Settled)  # type: ignore[assignment]


class Frozen(ssl.SSLContext):
    """A class whose objects take no attribute."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set")


class Choosy(ssl.SSLContext):
    """A class that says for good which sockets are made."""

    sslsocket_class = property(lambda self: ssl.SSLSocket)  # type: ignore[assignment]


class Forgetful(ssl.SSLContext):
    """A class whose objects keep no attribute, and do not say so."""

    def __setattr__(self, name: str, value: object) -> None:
        pass


@pytest.mark.parametrize("own", [Final, Settled, Frozen, Choosy, Forgetful])
def test_class_that_does_not_go_along_keeps_ssls_verdict(
    own: type[ssl.SSLContext], caplog: pytest.LogCaptureFixture
) -> None:
    """Such a context is `ssl`'s own, whole, named in the log, and verifies."""
    caplog.set_level(logging.INFO, "fasttrust")
    theirs = vars(ssl.SSLContext(CLIENT))
    with fasttrust.inject_into_ssl():
        context = own(CLIENT)
        assert (theirs, True) == (vars(context), own.__name__ in caplog.text)
        assert not isinstance(context, fasttrust.SSLContext)
        context.load_default_certs()
        assert SYSTEMS == verdicts(context)
    assert SYSTEMS == verdicts(context)


def test_constructor_called_by_hand() -> None:
    """`__new__` by hand gives a context of ours; that of C one that `ssl` verifies for."""
    with fasttrust.inject_into_ssl():
        context: Any = ssl.SSLContext.__new__(ssl.SSLContext, CLIENT)
        assert isinstance(context, fasttrust.SSLContext)
        context.load_default_certs()
        assert SYSTEMS == verdicts(context)
        past: Any = _ssl._SSLContext.__new__(ssl.SSLContext, CLIENT)
        assert type(past) is ssl.SSLContext
        past.load_default_certs()
        assert SYSTEMS == verdicts(past)


def test_methods_kept_from_before_and_from_meanwhile() -> None:
    """A method taken off the class, at whatever time, does right by every context at any other."""
    names = ("load_default_certs", "wrap_bio", "wrap_socket")
    kept = [{name: getattr(ssl.SSLContext, name) for name in names}]
    contexts = [ssl.SSLContext(CLIENT)]
    with fasttrust.inject_into_ssl():
        kept.append({name: getattr(ssl.SSLContext, name) for name in names})
        contexts.append(ssl.SSLContext(CLIENT))
        for methods in kept:
            for context in contexts:
                _use(methods, context)
    contexts.append(ssl.SSLContext(CLIENT))
    for methods in kept:
        for context in contexts:
            _use(methods, context)


def _use(methods: dict[str, Callable[..., Any]], context: ssl.SSLContext) -> None:
    methods["load_default_certs"](context)
    for root, verdict in ((SYSTEM, 0), (STRANGER, REFUSED)):
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = methods["wrap_bio"](context, to_client, to_server, server_hostname=pki.HOST)
        server = peer.server_context(leaf_of(root)).wrap_bio(to_server, to_client, True)
        assert verdict == _shake(client, server)
        near, far = socket.socketpair()
        with near, far:
            tls = methods["wrap_socket"](
                context, near, server_hostname=pki.HOST, do_handshake_on_connect=False
            )
            assert isinstance(tls, ssl.SSLSocket)
            tls.close()


def _shake(client: ssl.SSLObject, server: ssl.SSLObject) -> int:
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_code
    assert client.version()
    return 0


class Painted(ssl.SSLContext):
    """A class that a program gives to contexts which others made, as eventlet does."""


@pytest.mark.parametrize("given", [ssl.SSLContext, Painted])
def test_class_given_by_the_program_is_kept_and_verifies(given: type[ssl.SSLContext]) -> None:
    """A context of ours that is given another class is of that class, and still ours."""
    with fasttrust.inject_into_ssl():
        context = ssl.create_default_context()
        context.__class__ = given
        assert SYSTEMS == verdicts(context)
        assert isinstance(context, given)
        assert isinstance(context, fasttrust.SSLContext)
        context.__class__ = given
        assert 1 == context.cert_store_stats()["x509"]
    assert SYSTEMS == verdicts(context)


@modes.no_guard
def test_class_given_back_after_the_injection_still_verifies() -> None:
    """Without our methods, and nobody to bring them, the verdict is still our callback's."""
    with fasttrust.inject_into_ssl():
        context = ssl.create_default_context()
    context.__class__ = ssl.SSLContext
    assert SYSTEMS == verdicts(context)
    assert isinstance(context, fasttrust.SSLContext)


def test_context_made_by_the_class_of_another() -> None:
    """`type(context)(protocol)` trusts nobody, meanwhile and afterwards."""
    with fasttrust.inject_into_ssl():
        first = ssl.create_default_context()
        meanwhile = type(first)(CLIENT)
    later = type(first)(CLIENT)
    for context in (meanwhile, later):
        assert isinstance(context, fasttrust.SSLContext)
        assert [REFUSED, REFUSED, REFUSED] == verdicts(context)
        context.load_default_certs()
        assert SYSTEMS == verdicts(context)
    with fasttrust.inject_into_ssl(trust=fasttrust.TrustStore.from_pem(LOADED.pem)):
        assert [REFUSED, REFUSED, 0] == verdicts(type(first)(CLIENT))


@pytest.mark.parametrize("make_another", [copy.copy, copy.deepcopy, pickle.dumps])
def test_contexts_cannot_be_copied(make_another: Callable[[object], object]) -> None:
    """As `ssl`'s own: a copy would be a context that nobody verifies for."""
    with pytest.raises(TypeError) as theirs:
        make_another(ssl.SSLContext(CLIENT))
    with fasttrust.inject_into_ssl():
        context = ssl.SSLContext(CLIENT)
        with pytest.raises(TypeError) as ours:
            make_another(context)
    assert str(theirs.value) == str(ours.value)


def test_every_prefix_of_the_members_is_harmless() -> None:
    """With any number of members set, and none of the settings, all contexts are as ever."""
    plainly = ssl.create_default_context().cert_store_stats()["x509"]  # on Windows its own besides
    fasttrust.inject_into_ssl()
    members = {name: vars(ssl.SSLContext)[name] for name in _inject._placed}
    theirs = ssl.create_default_context()
    fasttrust.extract_from_ssl()
    before = dict(vars(ssl.SSLContext))
    assert 10 <= len(members)  # more where a platform decides
    for number in range(len(members) + 1):
        part = list(members)[:number]
        for name in part:
            setattr(ssl.SSLContext, name, members[name])
        context = ssl.create_default_context()
        assert not isinstance(context, fasttrust.SSLContext)
        for each, held in ((context, plainly), (theirs, 1)):
            assert SYSTEMS == verdicts(each)
            assert held == each.cert_store_stats()["x509"]
            outcome = peer.connect(each, peer.server_context(leaf_of(STRANGER)))
            assert REFUSED == code(outcome.client_error)
        for name in part:
            if name in before:
                setattr(ssl.SSLContext, name, before[name])
            else:
                delattr(ssl.SSLContext, name)


def test_threads_make_contexts_while_others_inject() -> None:
    """Each context is `ssl`'s or ours, whole, and no connection goes unverified."""
    servers = {root: peer.server_context(leaf_of(root)) for root in (SYSTEM, STRANGER)}
    stop = threading.Event()
    kinds: set[bool] = set()
    wrong: list[object] = []

    def make() -> None:
        while not stop.is_set():
            try:
                context = ssl.create_default_context()
                ours = isinstance(context, fasttrust.SSLContext)
                kinds.add(ours)
                if ours != ("_fasttrust_held" in vars(context)):
                    wrong.append(context)
                for root, server in servers.items():
                    error = peer.connect(context, server, carrier="bio").client_error
                    if code(error) != (0 if root is SYSTEM else REFUSED):
                        wrong.append(error)
            except BaseException as error:  # whatever it is, it is wrong
                wrong.append(error)
                return

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(600):
        fasttrust.inject_into_ssl(trust=fasttrust.TrustStore.system() if number % 2 else None)
        fasttrust.extract_from_ssl()
    fasttrust.inject_into_ssl()
    while True not in kinds and not wrong:
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert [] == wrong
    assert {True, False} == kinds


def test_contexts_are_freed() -> None:
    """Neither the injection nor its end keeps a context, or a class made for it, alive."""

    class Own(ssl.SSLContext):
        """A class that is gone with the test."""

    before = plain(CLIENT)
    with fasttrust.inject_into_ssl():
        contexts = [ssl.create_default_context(), Own(CLIENT), before]
        verdicts(before)
    gone = [weakref.ref(context) for context in contexts] + [weakref.ref(Own)]  # type: ignore[list-item]
    del contexts, before, Own
    for _ in range(2):  # a class made of another is let go first
        gc.collect()
    assert [None] * 4 == [each() for each in gone]


def test_deprecated_call_warns_as_often_as_ssl() -> None:
    """A context without a protocol is made, with `ssl`'s own warnings."""

    def warned() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert ssl.SSLContext().protocol == ssl.PROTOCOL_TLS
        return [str(each.message) for each in caught]

    theirs = warned()
    with fasttrust.inject_into_ssl():
        assert theirs == warned()
