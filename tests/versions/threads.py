"""Threads on a Python without a GIL: what pytest's helpers need (cryptography) has no wheel there.

    python threads.py FOLDER    which the certificates are made in, by the command openssl

One context shared by all threads and one for each handshake, a store that changes on disk, contexts
that are attached to and an injection meanwhile: each server gets its verdict, and nothing crashes.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

FOLDER = Path(sys.argv[1])
THREADS, ROUNDS = 8, 150


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=FOLDER)


def issue(name: str) -> ssl.SSLContext:
    """Make a root and a server's certificate by it; return the server's context."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    ca = ("-subj", f"/CN=root of {name}", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-x509", *key, *ca, "-keyout", f"{name}.ca", "-out", f"{name}.root")
    whose = ("-CA", f"{name}.root", "-CAkey", f"{name}.ca", "-subj", f"/CN={name}")
    usage = ("-addext", "subjectAltName=DNS:server.test", "-addext", "basicConstraints=CA:FALSE")
    openssl("req", "-x509", *key, *whose, *usage, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(FOLDER / f"{name}.pem", FOLDER / f"{name}.key")
    return server


GOOD, BAD = issue("good"), issue("bad")
STORE = FOLDER / "store.pem"
STORE.write_bytes((FOLDER / "good.root").read_bytes())
os.environ["SSL_CERT_FILE"] = str(STORE)

import fasttrust  # noqa: E402
from fasttrust import _system  # noqa: E402


def shake(client: ssl.SSLContext, server: ssl.SSLContext) -> int:
    """Return the code of the refusal, 0 where the server is trusted and its chain is whole."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(one, other, server_hostname="server.test")
    far = server.wrap_bio(other, one, server_side=True)
    for _ in range(3):
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_code
    chain = fasttrust.get_verified_chain(near)
    assert len(chain) == 2, chain
    assert chain[0].get_info()["subject"] == ((("commonName", "good"),),)
    return 0


SHARED = fasttrust.create_default_context()
DER = [ssl.PEM_cert_to_DER_cert((FOLDER / name).read_text()) for name in ("good.pem", "good.root")]
FOUND: list[tuple[object, ...]] = []


def work(number: int) -> None:
    for turn in range(ROUNDS):
        contexts = [SHARED, fasttrust.create_default_context()]
        attached = ssl.create_default_context(cadata=DER[1])
        fasttrust.attach(attached)
        contexts.append(attached)
        FOUND.append(tuple(shake(each, server) for each in contexts for server in (GOOD, BAD)))
        verified = fasttrust.verify_chain(DER[:1], server_hostname="server.test")
        assert len(verified) == 2
        if number == 0:  # the store is another file, with the same and another root
            more = (FOLDER / "good.root").read_bytes() * (1 + turn % 2)
            (FOLDER / "new.pem").write_bytes(more)
            os.replace(FOLDER / "new.pem", STORE)
        if number == 1:
            with fasttrust.inject_into_ssl():
                FOUND.append(tuple(shake(ssl.create_default_context(), s) for s in (GOOD, BAD)) * 3)


_system.PERIOD = 0  # type: ignore[attr-defined]  # every connection looks at the store
started = [threading.Thread(target=work, args=[number]) for number in range(THREADS)]
for thread in started:
    thread.start()
for thread in started:
    thread.join()
whole = (THREADS + 1) * ROUNDS
gil = getattr(sys, "_is_gil_enabled", lambda: True)()
print(len(FOUND), "of", whole, "rounds,", {len(each) for each in FOUND}, set(FOUND), "GIL:", gil)
sys.exit(0 if len(FOUND) == whole and set(FOUND) == {(0, 20) * 3} else 1)
