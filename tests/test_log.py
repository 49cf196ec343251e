"""What is logged of each verdict."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

import fasttrust
import peer
import pki
from fasttrust import _context, _log, _system
from fasttrust._certificate import _restored
from modes import COMPAT, LEAF_AT_FAULT
from world import Pair, leaf_of, machine_trusts, made

ROOT, STRANGER = pki.root("root"), pki.root("Interception Inc")
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
Make = Callable[..., ssl.SSLContext]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


@pytest.mark.parametrize("carrier", peer.CARRIERS)
def test_each_verdict_is_logged(
    make: Make, carrier: str, machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal is told at INFO with host, code and origin of trust; who accepted, at DEBUG."""
    client = make(CLIENT, ROOT)
    with caplog.at_level(logging.DEBUG, "fasttrust"):
        peer.connect(client, peer.server_context(leaf_of(STRANGER)), carrier=carrier)
        peer.connect(client, peer.server_context(leaf_of(ROOT)), carrier=carrier)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        peer.connect(client, peer.server_context(leaf_of(STRANGER)), carrier=carrier)
    told = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "fasttrust"]
    origin = f"the system (SSL_CERT_FILE={machine} and SSL_CERT_DIR={machine.parent / 'empty'})"
    words = f"20 unable to get local issuer certificate (depth {LEAF_AT_FAULT})"
    assert told == [
        (
            "INFO",
            f"refused {pki.HOST}: {words}; trusted: {origin} and what the program gave or loaded",
        ),
        ("DEBUG", f"accepted {pki.HOST}: decided by OpenSSL; anchor: {_restored(ROOT.der)!r}"),
        (
            "DEBUG",
            f"accepted {pki.HOST}: decided by nobody: peers are not verified here; anchor: none",
        ),
    ]


def test_resumed_and_client_verdicts_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A session that is resumed says so, and a server tells whom it refused by what."""
    client, server = made(CLIENT, ROOT), made(SERVER, ROOT)
    leaf_of(ROOT).load(server)
    session = Pair(client, server).shake().client.session
    server.verify_mode = ssl.CERT_REQUIRED
    leaf_of(STRANGER).load(client)
    with caplog.at_level(logging.DEBUG, "fasttrust"):
        pair = Pair(client, server, session=session)
        with pytest.raises(fasttrust.VerificationError):
            pair.shake()
        server.verify_mode = ssl.CERT_NONE
        Pair(client, server, session=session).shake()
    told = [each.getMessage() for each in caplog.records]
    words = f"20 unable to get local issuer certificate (depth {LEAF_AT_FAULT})"
    assert f"refused a peer: {words}; trusted: what the program gave or loaded" in told
    said = f"accepted {pki.HOST}: decided by nobody anew: a session is resumed; anchor: none"
    assert COMPAT or said in told  # where no session is resumed


def test_message_under_a_lock_is_said_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    """Each, in its order, once the thread holds none of ours."""
    caplog.set_level(logging.INFO, "fasttrust")
    with _system._refreshing:
        _log.info("first %d", 1)
        with _context._attaching:
            _log.warning("second")
        _log.catch_up()
        assert [] == caplog.messages
    _log.catch_up()
    assert ["first 1", "second"] == caplog.messages


def test_handler_that_raises_keeps_no_message_back(caplog: pytest.LogCaptureFixture) -> None:
    """What comes after it is said by whoever says something next."""

    class Fails(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logger.removeHandler(self)
            raise ZeroDivisionError

    logger = logging.getLogger("fasttrust")
    logger.addHandler(Fails())
    with _system._refreshing:
        _log.warning("first")
        _log.warning("second")
    with pytest.raises(ZeroDivisionError):
        _log.catch_up()
    _log.warning("third")
    assert ["second", "third"] == [said for said in caplog.messages if said != "first"]
