"""The participants: how each makes a client's context that trusts the bench's anchors.

``proved`` is the check that comes before every measurement: a participant that is said to verify
must refuse a wrong name and an unknown root, and one that is said not to must not.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from importlib import import_module
from typing import Any

from . import harness, world
from .harness import expect
from .stats import OURS

STDLIB = "ssl"
UNVERIFIED = "ssl, CERT_NONE"
HASHED = "ssl, hashed directory"
CERTIFI = "ssl, certifi"
TRUSTSTORE, WASSIMA, PYOPENSSL = "truststore", "wassima", "pyOpenSSL"
BARE = "bare"  # trusts nobody

#: What a participant does less than the others, or otherwise.
NOTES = {
    UNVERIFIED: "verifies nothing",
    HASHED: "lazy: reads only the anchors that a handshake asks for",
    CERTIFI: "certifi's bundle and the bench's roots",
    TRUSTSTORE: "lazy: its context loads the bundle at every connection",
    WASSIMA: "lists the machine's own store, and keeps the list for a while",
    PYOPENSSL: "checks no name; an OpenSSL of its own",
}

Maker = Callable[[], Any]


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def hashed() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=world.folder() / "hashed")
    return context


def contexts(*names: str) -> dict[str, Maker]:
    """Return the makers of those that are installed, in this order; by default of all."""
    import fasttrust

    makers: dict[str, Maker] = {
        OURS: fasttrust.create_default_context,
        STDLIB: ssl.create_default_context,
        UNVERIFIED: unverified,
        HASHED: hashed,
        **(_certifi() if harness.installed("certifi") else {}),
        **(_truststore() if harness.installed("truststore") else {}),
        **(_wassima() if WASSIMA in (names or (WASSIMA,)) and harness.installed("wassima") else {}),
        **(_pyopenssl() if harness.installed("OpenSSL") else {}),
    }
    return {name: makers[name] for name in names or makers if name in makers}


def _certifi() -> dict[str, Maker]:
    where, own = import_module("certifi").where(), world.own_roots()

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=where)
        context.load_verify_locations(cadata=own)
        return context

    return {CERTIFI: make}


def _truststore() -> dict[str, Maker]:
    module: Any = import_module("truststore")
    return {TRUSTSTORE: lambda: module.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}


def _wassima() -> dict[str, Maker]:
    module: Any = import_module("wassima")
    for block in world.own_roots().split(world.END)[:-1]:
        module.register_ca(ssl.PEM_cert_to_DER_cert(block.strip() + "\n" + world.END))
    return {WASSIMA: module.create_default_ssl_context}


def _pyopenssl() -> dict[str, Maker]:
    module: Any = import_module("OpenSSL.SSL")
    bundle = str(world.bundle())

    def make() -> Any:
        context = module.Context(module.TLS_CLIENT_METHOD)
        context.load_verify_locations(bundle)
        context.set_verify(module.VERIFY_PEER)
        return context

    return {PYOPENSSL: make}


def connect(context: Any, port: int, host: str = world.HOST) -> Any:
    """Connect, verify, and read the one byte that the server sends behind its session tickets."""
    plain = socket.create_connection(("127.0.0.1", port))
    if hasattr(context, "wrap_socket"):
        tls = context.wrap_socket(plain, server_hostname=host)
    else:
        tls = import_module("OpenSSL.SSL").Connection(context, plain)
        tls.set_tlsext_host_name(host.encode())
        tls.set_connect_state()
    expect(tls.recv(1) == world.ANSWERS["byte"], "another byte than the server's")
    return tls


def connecting(context: Any, port: int) -> Callable[[], None]:
    return lambda: connect(context, port).close()


def fresh(make: Maker, port: int) -> Callable[[], None]:
    """Return a call that makes a context and shakes hands with it once."""
    return lambda: connect(make(), port).close()


def shake(
    context: ssl.SSLContext, server: ssl.SSLContext, host: str = world.HOST
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands over memory BIOs; return the client's and the server's side."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname=host)
    peer = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        if step(client):
            break
        step(peer)
    step(peer)
    return client, peer


def step(side: ssl.SSLObject) -> bool:
    """Go on as far as there is something to read; tell whether the handshake is done."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _accepts(context: Any, server: ssl.SSLContext, host: str) -> bool:
    """Shake hands; tell whether the client verified the server."""
    if not hasattr(context, "wrap_bio"):
        return _pyopenssl_accepts(context, server, host)
    try:
        shake(context, server, host)
    except ssl.SSLCertVerificationError:
        return False
    return True


def _pyopenssl_accepts(context: Any, server: ssl.SSLContext, host: str) -> bool:
    module: Any = import_module("OpenSSL.SSL")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, peer = module.Connection(context), server.wrap_bio(up, down, server_side=True)
    client.set_tlsext_host_name(host.encode())
    client.set_connect_state()
    for _ in range(4):
        try:
            client.do_handshake()
        except module.WantReadError:
            up.write(client.bio_read(2**16))
            step(peer)
            client.bio_write(down.read())
        except module.Error as error:
            expect("certificate verify failed" in str(error), f"another refusal: {error}")
            return False
        else:
            return True
    raise harness.WrongVerdictError("pyOpenSSL's handshake does not end")


def proved(name: str, context: Any) -> Any:
    """Return the context, after it has given the verdicts that its name promises."""
    good = world.server_context(world.folder() / world.chain_name(), "TLS 1.3")
    unknown = world.server_context(world.folder() / world.UNKNOWN, "TLS 1.3")
    for server, host in ((good, world.HOST), (good, "wrong.test"), (unknown, world.HOST)):
        should = name == UNVERIFIED or ((server, host) == (good, world.HOST) and name != BARE)
        if name == PYOPENSSL and server is good:
            should = True  # NOTES says that it checks no name
        did = _accepts(context, server, host)
        what = f"{host} of {'a known' if server is good else 'an unknown'} root"
        expect(did == should, f"{name} {'accepts' if did else 'refuses'} {what}")
    return context


def proved_contexts(*names: str) -> dict[str, Any]:
    """Return one context of each, with its verdicts proved."""
    return {name: proved(name, make()) for name, make in contexts(*names).items()}
