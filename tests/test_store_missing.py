"""A context without a store says at the handshake what a constructor would have raised."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

import fasttrust
import modes
import peer
import pki
from fasttrust import TrustStore, _core, _native, _places, _system
from world import Pair, attached, check_python, hashed_directory, leaf_of, machine_trusts, plain

ROOT = pki.root("root")
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ROOT)


def refusal(client: ssl.SSLContext, server: ssl.SSLContext) -> fasttrust.VerificationError:
    with pytest.raises(fasttrust.VerificationError) as refused:
        Pair(client, server).shake()
    return refused.value


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_refusal_names_variable_and_path(machine: Path, content: str | None) -> None:
    """Where the store is gone, empty or broken the hint has the words of the constructor."""
    machine.unlink()
    if content is not None:
        machine.write_text(content, "ascii")
    with pytest.raises(OSError, match="SSL_CERT_FILE") as raised:
        fasttrust.SSLContext(CLIENT)
    error = refusal(attached(CLIENT), peer.server_context(leaf_of(ROOT)))
    assert 20 == error.verify_code
    assert str(raised.value) in error.hint
    assert str(machine) in error.hint


def test_refusal_names_the_places_searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a machine without a store the hint lists where one was looked for."""
    nowhere = _system.Places(None, [], "")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_DIR")
    monkeypatch.setattr(_system, "places", lambda chosen: nowhere)
    monkeypatch.setattr(_system, "_systems", {})
    error = refusal(attached(CLIENT), peer.server_context(leaf_of(ROOT)))
    assert all(place in error.hint for place in _places.searched())


@modes.keeps
def test_server_that_trusts_the_system_says_so_too(machine: Path) -> None:
    """A server says it where the system counts for clients, and only there."""
    machine.unlink()
    for trust, expected in ((TrustStore.system(), True), (None, False)):
        server = peer.server_context(leaf_of(ROOT))
        server.verify_mode = ssl.CERT_REQUIRED
        fasttrust.attach(server, trust=trust)
        client = plain(CLIENT, ROOT)
        leaf_of(ROOT).load(client)
        assert expected == ("SSL_CERT_FILE" in refusal(client, server).hint)


def test_refusal_for_another_reason_has_its_own_hint(machine: Path) -> None:
    """Without a store the name can still be what is wrong."""
    machine.unlink()
    context = attached(CLIENT)
    context.load_verify_locations(cadata=ROOT.pem)
    with pytest.raises(fasttrust.VerificationError) as refused:
        Pair(context, peer.server_context(leaf_of(ROOT)), server_hostname="other.test").shake()
    assert "other.test" in refused.value.hint
    assert "SSL_CERT_FILE" not in refused.value.hint


@modes.reachable
def test_probe_leaves_no_errno() -> None:
    """What the kernel answered to the probe does not pass for the error of a connection."""
    assert not _native.probe(5, 5)
    assert 0 == _core.ffi.errno  # what cffi gives back to the thread at the next call
    client, server = attached(CLIENT), peer.server_context(leaf_of(pki.root("stranger")))
    pair = Pair(client, server)
    with pytest.raises(fasttrust.VerificationError):
        pair.shake()
    assert not _native.probe(5, 5)
    with pytest.raises(ssl.SSLError):
        pair.client.do_handshake()


@modes.reachable
@pytest.mark.parametrize("lock", ["_context._attaching", "_native._open_lock"])
def test_fork_while_another_thread_holds_a_lock(lock: str) -> None:
    """A child forked while a thread attaches, or opens the library, does both itself."""
    program = f"""
        import os, ssl, threading
        from fasttrust import _context, _native
        held, go_on = threading.Event(), threading.Event()
        def hold():
            with {lock}:
                held.set()
                go_on.wait(20)
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(20)
        child = os.fork()
        if child == 0:
            _native.open_library()
            _context.attach(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            os._exit(7)
        for _ in range(100):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            go_on.wait(0.1)
        else:
            os.kill(child, 9)
        go_on.set()
        thread.join()
        print(os.waitstatus_to_exitcode(status) if done else "it hangs")
    """
    warning = "ignore:This process:DeprecationWarning"  # that is what is tested
    assert "7\n" == check_python(program, "-W", warning, timeout=40)


def test_store_with_a_key_is_one(machine: Path) -> None:
    """A certificate that is no authority, with its key before it, is a store, as for `ssl`."""
    alone = pki.leaf("alone", None)
    machine.write_text(alone.key_pem + alone.pem, "ascii")
    client = attached(CLIENT)
    assert ssl.create_default_context().cert_store_stats() == client.cert_store_stats()
    Pair(client, peer.server_context(pki.Chain((alone,)))).shake()


def test_store_in_a_directory_is_not_listed(machine: Path, tmp_path: Path) -> None:
    """What the system has in a directory is trusted, and listed as little as by `ssl`."""
    more = pki.root("more")
    hashed_directory(tmp_path / "empty", more)
    client = attached(CLIENT)
    assert [ROOT.der] == client.get_ca_certs(True)
    for root in (ROOT, more):
        Pair(client, peer.server_context(leaf_of(root))).shake()
