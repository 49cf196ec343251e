"""Compat mode: what was done past our methods, and connections in a child that was forked."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import pki
from fasttrust import TrustStore, _default
from world import Pair, machine_trusts, made, plain

pytestmark = pytest.mark.skipif(not modes.COMPAT, reason="FASTTRUST_MODE=compat pytest runs these")

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
SYSTEM, LOADED, STRANGER = (pki.root(name) for name in ("system", "loaded", "stranger"))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


@pytest.mark.parametrize("way", ["by name", "class lost"])
def test_what_was_loaded_past_us_is_not_forgotten(way: str) -> None:
    """`attach(trust=)` goes by what the store holds, not by what went through our methods."""
    context: Any = made(CLIENT)
    if way == "class lost":
        context.__class__ = ssl.SSLContext
        context.load_verify_locations(cadata=STRANGER.pem)
    else:
        ssl.SSLContext.load_verify_locations(context, cadata=STRANGER.pem)
    with pytest.raises(RuntimeError, match="forget"):
        fasttrust.attach(context, trust=TrustStore.from_der([LOADED.der]))


def test_what_a_program_loads_into_every_context_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where its own function makes ssl's default contexts, none is exactly what was named."""

    def theirs(*args: Any, **options: Any) -> ssl.SSLContext:
        context = ssl.create_default_context(*args, **options)
        context.load_verify_locations(cadata=STRANGER.pem)
        return context

    monkeypatch.setattr(_default, "_default_context", theirs)
    with pytest.raises(RuntimeError, match="forget"):
        fasttrust.create_default_context(trust=TrustStore.from_der([LOADED.der]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_child_waits_for_no_handshake_of_its_parents() -> None:
    """Of a connection that another thread was shaking hands on: its own time is what counts."""
    near, far = socket.socketpair()
    near.settimeout(1)
    tls = made(CLIENT).wrap_socket(near, server_hostname=pki.HOST, do_handshake_on_connect=False)

    def shake() -> None:
        with contextlib.suppress(OSError):
            tls.do_handshake()

    thread = threading.Thread(target=shake)
    with tls, far:
        thread.start()
        assert far.recv(1)  # by then it waits for the server
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            status = 1
            with contextlib.suppress(BaseException):
                try:
                    tls.recv(1)
                except TimeoutError:
                    status = 0
            os._exit(status)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        thread.join()


def test_session_that_is_none_is_a_type_error() -> None:
    """As with ``ssl``, though one that is offered is left out."""
    pair = Pair(made(CLIENT), plain(SERVER))
    for wrong in (1, None):
        with pytest.raises(TypeError, match="not a SSLSession"):
            pair.client.session = wrong  # type: ignore[assignment]
    with pytest.raises(TypeError, match="not a SSLSession"):
        Pair(made(CLIENT), plain(SERVER), session=1)  # type: ignore[arg-type]
