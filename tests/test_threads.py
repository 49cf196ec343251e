"""Many threads on one context, and chains that are read while the connection is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from world import Pair, check_python, code, leaf_of, machine_trusts, made, until_let

SYSTEM, LOADED, STRANGER = (pki.root(name) for name in ("system", "loaded", "stranger"))
THREADS = 16
SECONDS = 1.5


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


def run_together(*works: Callable[[], None], seconds: float = 0) -> None:
    """Run every work in a thread of its own, again and again for so long; raise what one raises."""
    failures: list[BaseException] = []
    gate = threading.Barrier(len(works))
    end = time.monotonic() + seconds

    def run(work: Callable[[], None]) -> None:
        gate.wait(20)
        try:
            work()
            while time.monotonic() < end and not failures:
                work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 60)
    assert not any(thread.is_alive() for thread in threads)
    for failure in failures:
        raise failure


@pytest.mark.parametrize("loader", ["load_verify_locations", "load_default_certs", "attach"])
def test_handshakes_while_the_context_changes(loader: str) -> None:
    """16 threads get the right verdict each time while another one loads, or attaches again."""
    context = made(pki.ssl.PROTOCOL_TLS_CLIENT, LOADED)
    more = [pki.root(f"more {number}") for number in range(8)]
    change: dict[str, Callable[[], None]] = {
        "load_verify_locations": lambda: context.load_verify_locations(cadata=pki.pem(*more)),
        "load_default_certs": context.load_default_certs,
        "attach": lambda: fasttrust.attach(context),
    }
    servers = {
        root: peer.server_context(leaf_of(root), version=version)
        for root, version in zip((SYSTEM, LOADED, STRANGER), peer.VERSIONS * 2, strict=False)
    }

    def shake() -> None:
        for root, server in servers.items():
            outcome = peer.connect(context, server, carrier="bio", inspect=look)
            assert code(outcome.client_error) == (20 if root is STRANGER else 0)
            assert outcome.inspected == ((0, 1) if root is STRANGER else (2, 1))

    run_together(*[shake] * THREADS, change[loader], seconds=SECONDS)


def look(connection: object) -> tuple[int, int]:
    return (
        len(fasttrust.get_verified_chain(connection)),
        len(fasttrust.get_unverified_chain(connection)),
    )


def test_contexts_of_many_threads() -> None:
    """Contexts made and used in many threads at once trust what they should, each its own."""
    server = peer.server_context(leaf_of(LOADED))

    def work() -> None:
        for anchors, expected in (((), 20), ((LOADED,), 0)):
            context = made(pki.ssl.PROTOCOL_TLS_CLIENT, *anchors)
            assert code(peer.connect(context, server, carrier="bio").client_error) == expected
            context.load_default_certs()
            assert len(context.get_ca_certs(True)) == len(anchors) + 1

    run_together(*[work] * THREADS, seconds=SECONDS)


def test_chains_of_one_connection_are_read_by_many_threads() -> None:
    """A chain that several threads ask for at once is the same for all, its DER included."""
    context = made(pki.ssl.PROTOCOL_TLS_CLIENT, LOADED)
    expected = [leaf_of(LOADED).ders[0], LOADED.der]
    for _ in range(20):
        pair = Pair(context, peer.server_context(leaf_of(LOADED))).shake()
        shared = fasttrust.get_verified_chain(pair.client)

        def read(pair: Pair = pair, shared: tuple[fasttrust.Certificate, ...] = shared) -> None:
            assert expected == [bytes(certificate) for certificate in shared]
            assert expected == pair.client.get_verified_chain()

        run_together(*[read] * 8)


def test_one_context_is_attached_by_many_threads() -> None:
    """`attach` from many threads at once leaves one context of ours that trusts what it did."""
    context = pki.ssl.SSLContext(pki.ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=LOADED.pem)
    run_together(*[lambda: fasttrust.attach(context)] * THREADS)
    for root, expected in ((STRANGER, 20), (SYSTEM, 0), (LOADED, 0)):
        outcome = peer.connect(context, peer.server_context(leaf_of(root)), carrier="bio")
        assert code(outcome.client_error) == expected


def test_store_is_replaced_while_contexts_are_made(machine: Path, tmp_path: Path) -> None:
    """While the system's store changes, every context trusts the old or the new, never both.

    Contexts follow the store, so that two connections of one may meet two states of it.
    """
    fresh = tmp_path / "fresh.pem"
    servers = [peer.server_context(leaf_of(root)) for root in (SYSTEM, LOADED, STRANGER)]
    turn = iter(range(1 << 30))

    def change() -> None:
        fresh.write_text((SYSTEM, LOADED)[next(turn) % 2].pem, "ascii")
        until_let(lambda: fresh.replace(machine))

    def work() -> None:
        context = made(pki.ssl.PROTOCOL_TLS_CLIENT)
        assert context.get_ca_certs(True) in ([SYSTEM.der], [LOADED.der])
        codes = [code(peer.connect(context, each, carrier="bio").client_error) for each in servers]
        assert codes[2] == 20
        assert set(codes[:2]) <= {0, 20}

    run_together(*[work] * 6, change, seconds=SECONDS)
    machine.write_text(SYSTEM.pem, "ascii")
    context = made(pki.ssl.PROTOCOL_TLS_CLIENT)
    codes = [code(peer.connect(context, each, carrier="bio").client_error) for each in servers]
    assert codes == [0, 20, 20]


TICKETS = """
    import socket, ssl, threading
    import fasttrust, peer, pki
    from world import made, attached
    root = pki.root("root")
    a = pki.intermediate("A", root)
    sent = pki.Chain((pki.leaf("leaf", a), a))
    server = peer.server_context(sent, version=ssl.TLSVersion.TLSv1_3)
    server.num_tickets = 200
    expected = [*sent.ders, root.der]
    seen = 0
    for make in (made, attached):
        client = make(ssl.PROTOCOL_TLS_CLIENT, root)
        for _ in range(40):
            near, far = socket.socketpair()
            near.settimeout(10), far.settimeout(10)
            def serve():
                with server.wrap_socket(far, server_side=True) as tls:
                    tls.sendall(b"end")
                    tls.recv(1)
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            with client.wrap_socket(near, server_hostname=pki.HOST) as tls:
                done = []
                def read():
                    while b"end" not in b"".join(done):
                        done.append(tls.recv(3))
                reader = threading.Thread(target=read, daemon=True)
                reader.start()
                while reader.is_alive():
                    assert expected == tls.get_verified_chain()
                    assert expected[:2] == tls.get_unverified_chain()
                    assert 3 == len(fasttrust.get_verified_chain(tls))
                    seen += 1
                reader.join(10)
                tls.send(b"x")
            thread.join(10)
    print(seen > 100)
"""


def test_chains_are_read_while_tickets_arrive() -> None:
    """Reading chains while another thread reads hundreds of session tickets crashes nothing.

    Each ticket of TLS 1.3 replaces the session, and OpenSSL's own chains with it: CPython's methods
    crash here.
    """
    assert check_python(TICKETS) == "True\n"


@modes.no_session
def test_resumed_chains_are_read_while_tickets_arrive() -> None:
    """So it is on a resumed connection, where no verification ran that could have kept them."""
    program = """
        import ssl, threading
        import fasttrust, peer, pki
        from world import Pair, made
        root = pki.root("root")
        server = peer.server_context(pki.Chain((pki.leaf("leaf", root),)))
        server.num_tickets = 200
        client = made(ssl.PROTOCOL_TLS_CLIENT, root)
        session = Pair(client, server).shake().client.session
        for _ in range(30):
            pair = Pair(client, server, session=session)
            stop = threading.Event()
            def look():
                while not stop.is_set():
                    assert fasttrust.get_verified_chain(pair.client) == ()
                    fasttrust.get_unverified_chain(pair.client)
            thread = threading.Thread(target=look, daemon=True)
            thread.start()
            pair.shake()
            pair.server.write(b"x")
            assert pair.read(pair.client) == b"x"
            stop.set()
            thread.join(10)
            assert pair.client.session_reused
        print("alive")
    """
    assert check_python(program) == "alive\n"
