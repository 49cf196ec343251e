"""Nothing grows and nothing is kept alive: contexts, connections, chains, errors, classes."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import peer
import pki
from world import Pair, attached, check_python, leaf_of, machine_trusts, made, plain

tracemalloc = pytest.importorskip("tracemalloc")  # PyPy has none

ROOT, STRANGER = pki.root("root"), pki.root("stranger")
A = pki.intermediate("A", ROOT)
SENT = pki.Chain((pki.leaf("leaf of A", A), A))
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, STRANGER)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Leave the work to reference counts: a cycle would stay."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# What one process does a thousand times; each must end where it began.
WORKS = {
    "contexts": """
        def work():
            fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            fasttrust.create_default_context(cadata=root.pem)
            context = plain(ssl.PROTOCOL_TLS_CLIENT, root)
            fasttrust.attach(context)
            context.load_default_certs()
            context.get_ca_certs()
            context.cert_store_stats()
    """,
    "used contexts": """
        def work():
            client = made(ssl.PROTOCOL_TLS_CLIENT, root)
            pair = Pair(client, server).shake()
            assert len(fasttrust.get_verified_chain(pair.client)) == 3
    """,
    "accepted": """
        def work():
            pair = Pair(client, server).shake()
            for chain in (pair.client.get_verified_chain(), pair.client.get_unverified_chain()):
                assert len(chain) > 1
            pair.close()
    """,
    "refused": """
        def work():
            pair = Pair(client, server, server_hostname="other.test")
            try:
                pair.shake()
            except fasttrust.VerificationError as error:
                assert bytes(error.chain[0]) == sent.ders[0] and error.hint
            else:
                raise AssertionError("accepted")
    """,
    "resumed": """
        session = Pair(client, server).shake().client.session
        def work():
            pair = Pair(client, server, session=session).shake()
            assert pair.client.session_reused
            assert fasttrust.get_verified_chain(pair.client) == ()
    """,
    "plain": """
        ordinary = plain(ssl.PROTOCOL_TLS_CLIENT, root)
        def work():
            pair = Pair(ordinary, server).shake()
            assert len(fasttrust.get_verified_chain(pair.client)) == 3
            assert len(fasttrust.get_unverified_chain(pair.client)) == 2
    """,
    "without a connection": """
        trust = fasttrust.TrustStore.from_der([root.der])
        kept = [fasttrust.Certificate(der) for der in sent.ders]
        def work():
            for chain in (sent.ders, kept, [kept[0], a.pem]):
                assert len(fasttrust.verify_chain(chain, server_hostname=HOST, trust=trust)) == 3
            for chain, host in ((sent.ders, "other.test"), (sent.ders[:1], HOST), ([b"0"], HOST)):
                try:
                    fasttrust.verify_chain(chain, server_hostname=host, trust=trust)
                except (fasttrust.VerificationError, ValueError) as error:
                    assert str(error)
                else:
                    raise AssertionError("accepted")
            fresh = fasttrust.TrustStore.from_der([root.der])
            fasttrust.verify_chain(sent.ders, server_hostname=None, trust=fresh)
    """,
    "system changes": """
        import os
        store = os.environ["SSL_CERT_FILE"]
        def work():
            with open(store + ".new", "w") as file:
                file.write(root.pem)
            os.replace(store + ".new", store)
            made(ssl.PROTOCOL_TLS_CLIENT).load_default_certs()
    """,
    "failures": """
        def work():
            for call in (
                lambda: fasttrust.attach(None),
                lambda: fasttrust.get_verified_chain(client),
                lambda: fasttrust.Certificate(b"x"),
                lambda: fasttrust.create_default_context(cafile="/nonexistent"),
                lambda: client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=""),
            ):
                try:
                    call()
                except (TypeError, ValueError, OSError):
                    continue
                raise AssertionError("no error")
    """,
}
MEASURE = """
    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
    grown = []
    for stretch in range(3):
        before = resident()
        for _ in range(ROUNDS // 2):
            work()
        grown.append(resident() - before)
    print(min(grown[1:]))  # not the first; Python takes memory by the MiB, once in a while
"""
PREPARE = """
    import gc, os, ssl
    import fasttrust, peer, pki
    from world import *
    root = pki.root("root")
    a = pki.intermediate("A", root)
    sent = pki.Chain((pki.leaf("leaf", a), a))
    server = peer.server_context(sent)
    client = made(ssl.PROTOCOL_TLS_CLIENT, root)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory's size from /proc")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=modes.WITHOUT.get(name, ())) for name in WORKS]
)
def test_process_does_not_grow(name: str, tmp_path: Path) -> None:
    """Hundreds of rounds leave the process's memory as it was after the first hundreds."""
    store = tmp_path / "store.pem"
    store.write_text(STRANGER.pem, "ascii")
    environment = {"SSL_CERT_FILE": str(store), "SSL_CERT_DIR": str(tmp_path / "none")}
    rounds = 3000 if name in ("contexts", "failures") else 1200
    parts = (PREPARE, f"ROUNDS = {rounds}", WORKS[name], MEASURE)
    program = "\n".join(map(textwrap.dedent, parts))
    grown = int(check_python(program, timeout=120, **environment))
    # One leaked X509, SSL or SSL_CTX per round would be more than a thousand KiB.
    assert grown < 500


def shaken(client: ssl.SSLContext, host: str = pki.HOST) -> Any:
    pair = Pair(client, peer.server_context(SENT), server_hostname=host)
    with contextlib.suppress(fasttrust.VerificationError):
        pair.shake()
    return pair.client


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("make", [made, attached])
@pytest.mark.parametrize("host", [pki.HOST, "other.test"])
def test_connections_are_in_no_cycle(make: Callable[..., ssl.SSLContext], host: str) -> None:
    """A connection, accepted or refused, and its context are gone when nobody holds them."""
    client = make(CLIENT, ROOT)
    connection = shaken(client, host)
    certificates = fasttrust.get_unverified_chain(connection)
    ends = [weakref.ref(client), weakref.ref(connection)]
    del connection, client
    assert [None, None] == [end() for end in ends]
    assert bytes(certificates[0]) == SENT.ders[0]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("host", [pki.HOST, "other.test"])
def test_sockets_are_in_no_cycle(host: str) -> None:
    """Sockets are gone as well, without being closed, and the errors of refused ones with them."""
    near, far = socket.socketpair()
    near.settimeout(10)
    far.settimeout(10)
    server = peer.server_context(SENT)

    def serve() -> None:
        with contextlib.suppress(OSError), server.wrap_socket(far, server_side=True) as tls:
            tls.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    refused = False
    sock = made(CLIENT, ROOT).wrap_socket(near, server_hostname=host, do_handshake_on_connect=False)
    end = weakref.ref(sock)
    try:
        sock.do_handshake()
    except fasttrust.VerificationError:
        refused = True
    sock.send(b"x") if not refused else sock.close()
    thread.join(10)
    sock.close()
    del sock
    assert (None, host != pki.HOST) == (end(), refused)


@pytest.mark.usefixtures("no_collector")
def test_error_keeps_only_what_its_traceback_holds() -> None:
    """An error without its traceback holds certificates and no connection."""
    pair = Pair(made(CLIENT), peer.server_context(SENT))
    end = weakref.ref(pair.client)
    kept = []
    try:
        pair.shake()
    except fasttrust.VerificationError as error:
        kept.append(error.with_traceback(None))
    kept[0].__cause__ = kept[0].__context__ = None
    del pair
    assert end() is None
    assert kept[0].chain[0].public_bytes(fasttrust.ENCODING_DER) == SENT.ders[0]


def test_classes_die_with_their_contexts() -> None:
    """Attaching to objects of short-lived classes keeps none of the classes."""

    def attach_once() -> list[weakref.ref[type]]:
        sockets = type("Socket", (ssl.SSLSocket,), {})
        own = type("Own", (ssl.SSLContext,), {"sslsocket_class": sockets})
        context = own(CLIENT)
        fasttrust.attach(context)
        again = own(CLIENT)
        fasttrust.attach(again)
        assert type(context) is type(again)
        assert context.sslsocket_class is again.sslsocket_class
        return [weakref.ref(each) for each in (own, sockets, type(context))]

    classes = attach_once()
    for _ in range(3):  # the derived classes first, what they held then
        gc.collect()
    assert [None, None, None] == [each() for each in classes]


def _allocated() -> int:
    """Return what Python holds, less the names of our temporary files: pathlib interns each."""
    snapshot = tracemalloc.take_snapshot()
    others = (tracemalloc.Filter(False, f"*{name}*") for name in ("pathlib", "tracemalloc.py"))
    return sum(trace.size for trace in snapshot.filter_traces(list(others)).traces)


def test_python_side_does_not_grow() -> None:
    """What Python allocates for contexts, connections and errors is given back."""
    client = made(CLIENT, ROOT)

    def grown(rounds: int = 100) -> int:
        before = _allocated()
        for _ in range(rounds):
            for host in (pki.HOST, "other.test"):
                shaken(client, host)
            attached(CLIENT, ROOT)
        gc.collect()
        return _allocated() - before

    tracemalloc.start()
    try:
        grown(20)
        # Python 3.10 keeps a frame of every function, and makes one anew at times of its own:
        # that may come in any hundred rounds, while a leak comes in all of them.
        least = min(grown() for _ in range(3))
    finally:
        tracemalloc.stop()
    assert least < 5_000


def test_server_that_verifies_does_not_grow() -> None:
    """Contexts that chose themselves by SNI are freed with the connections that used them."""
    ends = []
    for make_first, make_second in ((made, plain), (plain, made), (made, made)):
        first, second = make_first(SERVER), make_second(SERVER)
        for server in (first, second):
            SENT.load(server)
        peer.choose_by_name(first, {pki.HOST: second})
        connection = Pair(made(CLIENT, ROOT), first).shake().server
        ends += [weakref.ref(each) for each in (first, second, connection)]
        first.sni_callback = None  # the callback holds both contexts
        del first, second, server, connection
    gc.collect()
    assert [None] * len(ends) == [end() for end in ends]


def test_many_clients_of_one_root_hold_it_once() -> None:
    """Leaves of one chain do not multiply: verified chains of two connections are equal values."""
    client = made(CLIENT, ROOT)
    chains = {fasttrust.get_verified_chain(shaken(client)) for _ in range(50)}
    assert len(chains) == 1
    assert leaf_of(ROOT).ders[0] not in [bytes(each) for each in chains.pop()]
