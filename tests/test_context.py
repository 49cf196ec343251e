"""
A context of ours is an `ssl.SSLContext`: every public member does what it does on a plain one.

Each is made in two ways (`SSLContext`, `attach`) and for two sides, beside a plain one that trusts
the same. What a script of calls answers or raises is the same on all of them.
"""

from __future__ import annotations

import copy
import datetime
import inspect
import pickle
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import pki
from world import Pair, hashed_directory, leaf_of, machine_trusts, made, plain

SYSTEM, LOADED = pki.root("system"), pki.root("loaded")
CLIENT, SERVER, BOTH = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS
FLAGS = ssl.VerifyFlags
Act = Callable[[ssl.SSLContext], object]


def set_to(name: str, *values: object) -> tuple[Act, ...]:
    """Return acts that set an attribute and read it back, for each of the values."""

    def act(value: object) -> Act:
        def set_and_get(context: ssl.SSLContext) -> object:
            try:
                setattr(context, name, value)
            except Exception as error:
                return type(error), str(error), getattr(context, name)
            return getattr(context, name)

        return set_and_get

    return tuple(act(value) for value in values)


def call(name: str, *calls: tuple[object, ...]) -> tuple[Act, ...]:
    """Return acts that call a method, once with each of the arguments."""

    def act(arguments: tuple[object, ...]) -> Act:
        return lambda context: getattr(context, name)(*arguments)

    return tuple(act(arguments) for arguments in calls)


def wrapped(context: ssl.SSLContext, *arguments: Any, **keywords: Any) -> object:
    """Wrap two BIOs and say what came of it."""
    connection = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), *arguments, **keywords)
    return connection.server_side, connection.server_hostname, connection.session_reused


def ignore(*_: object) -> None:
    """Do nothing, as a callback."""


# For every public member of ssl.SSLContext what is done with it; those whose effect shows in a
# handshake or needs files have tests of their own here, in test_wrappers.py or test_trust.py.
ACTS: dict[str, tuple[Act, ...]] = {
    "cert_store_stats": call("cert_store_stats", (), (1,)),
    "check_hostname": set_to("check_hostname", False, True, "yes", None),
    "get_ca_certs": call("get_ca_certs", (), (True,), (1, 2)),
    "get_ciphers": call("get_ciphers", ()),
    "get_groups": call("get_groups", (), (1,)),
    "hostname_checks_common_name": set_to("hostname_checks_common_name", False, True, 0),
    "keylog_filename": set_to("keylog_filename", "/nonexistent/folder/file", 5, None),
    "load_cert_chain": call("load_cert_chain", ("/nonexistent",), (None,), ()),
    "load_default_certs": call("load_default_certs", ("purpose",), (None,), (1, 2)),
    "load_dh_params": call("load_dh_params", ("/nonexistent",), (None,), ()),
    "load_verify_locations": call("load_verify_locations", (), (None, None, None), (5,), ("",)),
    "maximum_version": set_to(
        "maximum_version", ssl.TLSVersion.TLSv1_2, 99, ssl.TLSVersion.MAXIMUM_SUPPORTED
    ),
    "minimum_version": set_to(
        "minimum_version", ssl.TLSVersion.TLSv1_3, 99, "x", ssl.TLSVersion.MINIMUM_SUPPORTED
    ),
    "num_tickets": set_to("num_tickets", 0, 5, -1, "x"),
    "options": set_to("options", ssl.OP_ALL, ssl.OP_ALL | ssl.OP_NO_TICKET, 0, -1, "x"),
    "post_handshake_auth": set_to("post_handshake_auth", True, False, "x"),
    "protocol": set_to("protocol", CLIENT),
    "security_level": set_to("security_level", 3),
    "session_stats": call("session_stats", (), (1,)),
    "set_alpn_protocols": call("set_alpn_protocols", (["h2"],), ([],), ([""],), (["x" * 256],)),
    "set_ciphers": call("set_ciphers", ("ECDHE+AESGCM",), ("NO-SUCH",), ("",), (5,)),
    "set_ciphersuites": call("set_ciphersuites", ("TLS_AES_128_GCM_SHA256",), ("no such",), (5,)),
    "set_client_sigalgs": call("set_client_sigalgs", ("rsa_pss_rsae_sha256",), ("no such",), (5,)),
    "set_default_verify_paths": call("set_default_verify_paths", (1,)),
    "set_ecdh_curve": call("set_ecdh_curve", ("prime256v1",), ("no such",), (b"prime256v1",), (1,)),
    "set_groups": call("set_groups", ("P-256:P-384",), ("no such",), (5,)),
    "set_npn_protocols": call("set_npn_protocols", (["h2"],)),
    "set_psk_client_callback": call("set_psk_client_callback", (ignore,), (None,), (5,)),
    "set_psk_server_callback": call("set_psk_server_callback", (ignore, "hint"), (None,), (5,)),
    "set_server_sigalgs": call("set_server_sigalgs", ("rsa_pss_rsae_sha256",), ("no such",), (5,)),
    "set_servername_callback": call("set_servername_callback", (ignore,), (None,), (5,)),
    "sni_callback": set_to("sni_callback", ignore, None, 5),
    "sslobject_class": (lambda context: context.sslobject_class.__mro__[-2],),
    "sslsocket_class": (lambda context: context.sslsocket_class.__name__,),
    "verify_flags": set_to("verify_flags", FLAGS.VERIFY_X509_STRICT, FLAGS(0), -1, "x"),
    "verify_mode": set_to("verify_mode", ssl.CERT_NONE, ssl.CERT_OPTIONAL, 9, "x", 2),
    "wrap_bio": (
        wrapped,
        lambda context: wrapped(context, False, "server.test"),
        lambda context: wrapped(context, server_hostname="server.test"),
        lambda context: wrapped(context, server_side=True),
        lambda context: wrapped(context, True, "server.test"),
        lambda context: wrapped(context, False, "a\0b"),
        lambda context: wrapped(context, False, ""),
        lambda context: wrapped(context, False, ".test"),
        lambda context: wrapped(context, False, "x" * 300),
        lambda context: wrapped(context, False, "b\xfccher.test"),
        lambda context: wrapped(context, False, "127.0.0.1"),
        lambda context: wrapped(context, False, "server.test", "session"),
        lambda context: context.wrap_bio(None, None),  # type: ignore[arg-type]
    ),
    "wrap_socket": (
        lambda context: context.wrap_socket(None),  # type: ignore[arg-type]
        lambda context: context.wrap_socket(5, server_hostname="a"),  # type: ignore[arg-type]
    ),
}


def answers(context: ssl.SSLContext, acts: tuple[Act, ...]) -> list[object]:
    """Return what each act gives, or the type of what it raises, with its text.

    Of a TypeError the type alone: C and Python count arguments in different words.
    """
    found: list[object] = []
    for act in acts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                found.append(act(context))
            except TypeError:
                found.append(TypeError)
            except Exception as error:
                found.append((type(error), str(error)))
    return found


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


def like(protocol: int) -> ssl.SSLContext:
    """Make the plain context that trusts what one of ours trusts on its side."""
    context = plain(protocol)
    if protocol != SERVER:
        context.load_default_certs()
    return context


# How PyPy keeps a context, which is nobody's business.
PYPYS = {"alpn_protocols", "ctx", "keylog_bio", "set_hostname", "set_min_max_proto_version"}
NEWER = {
    *("set_psk_client_callback", "set_psk_server_callback"),  # since Python 3.13
    *("get_groups", "set_groups", "set_ciphersuites"),  # since Python 3.15
    *("set_client_sigalgs", "set_server_sigalgs"),
    *(("security_level",) if modes.PYPY else ()),
}


def public_members() -> set[str]:
    names = {name for name in dir(ssl.SSLContext) if not name.startswith("_")}
    return names - PYPYS if modes.PYPY else names


def test_every_public_member_is_in_the_table() -> None:
    """A member that some Python adds has to be looked at before this passes."""
    assert public_members() | NEWER == set(ACTS)


@pytest.mark.parametrize("protocol", [CLIENT, SERVER, BOTH])
@pytest.mark.parametrize("name", sorted(public_members()))
def test_member_answers_as_on_a_plain_context(
    make: Callable[..., ssl.SSLContext], protocol: int, name: str
) -> None:
    """Values, exceptions and their words are those of a plain context that trusts the same."""
    expected, actual = (answers(each, ACTS[name]) for each in (like(protocol), make(protocol)))
    assert expected == actual


@pytest.mark.parametrize("name", sorted(public_members()))
def test_member_has_the_signature_of_a_plain_context(name: str) -> None:
    """What is overridden can be called with the same keywords."""
    theirs, ours = (getattr(each, name) for each in (ssl.SSLContext, fasttrust.SSLContext))
    if theirs is not ours and callable(theirs):
        expected, actual = (list(inspect.signature(each).parameters) for each in (theirs, ours))
        assert expected == actual


@pytest.mark.parametrize("purpose", [ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH])
def test_defaults_are_those_of_ssl(purpose: Any) -> None:
    """`create_default_context()` has the defaults of the running Python, but for the trust."""
    theirs, ours = ssl.create_default_context(purpose), fasttrust.create_default_context(purpose)
    for name in sorted(public_members()):
        if not callable(getattr(theirs, name)):
            assert (name, getattr(theirs, name)) == (name, getattr(ours, name))
    assert theirs.get_ciphers() == ours.get_ciphers()
    assert (type(theirs), True) == (ssl.SSLContext, isinstance(ours, ssl.SSLContext))


@pytest.mark.parametrize("purpose", [None, "1.3.6.1.5.5.7.3.1", 5])
def test_unknown_purpose_is_a_type_error(purpose: Any) -> None:
    """A purpose that is none raises what `ssl` raises."""
    for create in (ssl.create_default_context, fasttrust.create_default_context):
        with pytest.raises(TypeError):
            create(purpose)


@pytest.mark.parametrize("arguments", [(), (99,), ("x",), (None,)])
def test_unknown_protocol_raises_as_ssl_does(arguments: tuple[Any, ...]) -> None:
    """A protocol that is none, or none at all, is what it is for `ssl.SSLContext`."""

    def attempt(cls: type[ssl.SSLContext]) -> object:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                protocol: object = cls(*arguments).protocol
            except Exception as error:
                protocol = type(error), str(error)
        return protocol, [str(each.message) for each in caught]

    assert attempt(ssl.SSLContext) == attempt(fasttrust.SSLContext)


class Files:
    """What programs hand to loaders: every kind of wrong file, and right ones."""

    def __init__(self, folder: Path) -> None:
        self.missing = folder / "missing.pem"
        self.folder = folder / "folder"
        self.folder.mkdir()
        self.empty = self._write(folder / "empty.pem", "")
        self.text = self._write(folder / "text.pem", "not a certificate\n")
        self.cut = self._write(folder / "cut.pem", LOADED.pem[: len(LOADED.pem) // 2])
        self.broken = self._write(folder / "broken.pem", LOADED.pem.replace("M", "A", 20))
        self.good = self._write(folder / "good.pem", LOADED.pem)
        self.half = self._write(folder / "half.pem", LOADED.pem + LOADED.pem.replace("M", "A", 20))
        self.crl = self._write(folder / "crl.pem", pki.crl(LOADED))
        self.both = self._write(folder / "both.pem", SYSTEM.pem + pki.crl(LOADED) + LOADED.pem)
        self.key = self._write(folder / "key.pem", LOADED.key_pem)
        self.unreadable = self._write(folder / "unreadable.pem", LOADED.pem)
        self.unreadable.chmod(0)  # which says nothing to root

    @staticmethod
    def _write(file: Path, text: str) -> Path:
        file.write_text(text, "ascii")
        return file


@pytest.mark.parametrize("protocol", [CLIENT, SERVER])
def test_loaders_raise_what_ssl_raises(
    make: Callable[..., ssl.SSLContext], protocol: int, tmp_path: Path
) -> None:
    """For every wrong file and wrong data the exception, its words and the store are `ssl`'s."""
    data = (LOADED.pem, LOADED.der, LOADED.der[:-1], LOADED.der + b"x", "", b"", "x", "\u20ac", 5)
    more = (bytearray(LOADED.der), memoryview(SYSTEM.der + LOADED.der), LOADED.pem + "x")
    for name, file in vars(Files(tmp_path)).items():
        for argument in (file, str(file), bytes(file)):
            acts = (
                lambda each, given=argument: each.load_verify_locations(given),
                lambda each, given=argument: each.load_verify_locations(capath=given),
                lambda each, given=argument: each.load_verify_locations(given, None, SYSTEM.der),
                lambda each, given=argument: each.load_cert_chain(given),
                lambda each, given=argument: each.load_dh_params(given),
                lambda each: each.cert_store_stats(),
            )
            theirs, ours = like(protocol), make(protocol)
            assert (name, answers(theirs, acts)) == (name, answers(ours, acts))
    for value in (*data, *more):
        acts = (
            lambda each, given=value: each.load_verify_locations(cadata=given),
            lambda each: each.cert_store_stats(),
            lambda each: sorted(each.get_ca_certs(True)),
        )
        assert answers(like(protocol), acts) == answers(make(protocol), acts)


def test_exact_contexts_raise_what_ssl_raises(tmp_path: Path) -> None:
    """`create_default_context(cafile=...)` raises what `ssl`'s raises for the same file."""
    for name, file in vars(Files(tmp_path)).items():
        raised = []
        for create in (ssl.create_default_context, fasttrust.create_default_context):
            try:
                raised.append(create(cafile=str(file)).cert_store_stats())
            except Exception as error:
                raised.append((type(error), str(error)))
        assert (name, raised[0]) == (name, raised[1])


LOADS: dict[str, Act] = {
    "nothing": lambda context: None,
    "root": lambda context: context.load_verify_locations(cadata=LOADED.pem),
    "twice": lambda context: context.load_verify_locations(cadata=LOADED.pem + LOADED.pem),
    "the system's": lambda context: context.load_verify_locations(cadata=SYSTEM.pem),
    "leaf": lambda context: context.load_verify_locations(cadata=leaf_of(LOADED).ders[0]),
    "defaults": lambda context: context.load_default_certs(),
    "defaults twice": lambda context: [context.set_default_verify_paths() for _ in range(2)],
}


@pytest.mark.parametrize("protocol", [CLIENT, SERVER, BOTH])
@pytest.mark.parametrize("load", LOADS)
def test_listed_certificates_are_those_of_an_equal_plain_context(
    make: Callable[..., ssl.SSLContext], protocol: int, load: str, machine: Path
) -> None:
    """`get_ca_certs` and `cert_store_stats` count the system once, on the side where it counts."""
    machine.write_text(SYSTEM.pem + pki.root("second").pem, "ascii")
    theirs, ours = like(protocol), make(protocol)
    for context in (theirs, ours):
        LOADS[load](context)
    assert theirs.cert_store_stats() == ours.cert_store_stats()
    assert sorted(theirs.get_ca_certs(True)) == sorted(ours.get_ca_certs(True))
    assert sorted(map(repr, theirs.get_ca_certs())) == sorted(map(repr, ours.get_ca_certs()))


def test_exact_context_lists_exactly_what_it_trusts(tmp_path: Path) -> None:
    """A context with `cafile=` lists that file; one with a directory lists nothing yet."""
    context = fasttrust.create_default_context(cadata=LOADED.pem)
    assert [LOADED.der] == context.get_ca_certs(binary_form=True)
    directory = hashed_directory(tmp_path / "capath", LOADED)
    context = fasttrust.create_default_context(capath=str(directory))
    assert [] == context.get_ca_certs()
    server = plain(SERVER)
    leaf_of(LOADED).load(server)
    Pair(context, server).shake()
    assert [LOADED.der] == context.get_ca_certs(True)  # found in the handshake, as with plain ssl


def test_real_store_is_listed_as_ssl_lists_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every root of this machine's own store reads the same in both forms."""
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable)
    theirs, ours = ssl.create_default_context(), fasttrust.create_default_context()
    assert theirs.cert_store_stats() == ours.cert_store_stats()
    assert sorted(theirs.get_ca_certs(True)) == sorted(ours.get_ca_certs(True))
    assert sorted(map(repr, theirs.get_ca_certs())) == sorted(map(repr, ours.get_ca_certs()))


@modes.no_core
@pytest.mark.parametrize("flags", [None, FLAGS.VERIFY_DEFAULT, FLAGS.VERIFY_X509_TRUSTED_FIRST])
@pytest.mark.parametrize(("days", "code"), [(3650, 10), (-3650, 9), (1, 0)])
def test_flags_that_are_set_anew_leave_the_time(days: int, code: int, flags: Any) -> None:
    """To OpenSSL that a context has a time is one of its flags: at_time= does not end with it."""
    moment = pki.NOW + datetime.timedelta(days=days)
    trust = fasttrust.TrustStore.from_pem(LOADED.pem)
    client = fasttrust.SSLContext(CLIENT, trust=trust, at_time=moment)
    if flags is not None:
        client.verify_flags = flags
    server = plain(SERVER)
    leaf_of(LOADED).load(server)
    pair = Pair(client, server)
    if code == 0:
        pair.shake()
        return
    with pytest.raises(fasttrust.VerificationError) as caught:
        pair.shake()
    assert code == caught.value.verify_code


def test_keylog_environment_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSLKEYLOGFILE names the file for default contexts, as with `ssl`, and for no others."""
    file = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(file))
    assert str(file) == fasttrust.create_default_context().keylog_filename
    assert str(file) == fasttrust.create_default_context(cadata=LOADED.pem).keylog_filename
    assert made(CLIENT).keylog_filename is None


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, *range(pickle.HIGHEST_PROTOCOL + 1)])
def test_context_cannot_be_copied_nor_pickled(make: Callable[..., Any], copied: Any) -> None:
    """A copy would share what is trusted and not who verifies: there is none, as of ssl's."""
    for context in (plain(CLIENT), make(CLIENT, LOADED)):
        with pytest.raises(TypeError):
            pickle.dumps(context, copied) if isinstance(copied, int) else copied(context)
