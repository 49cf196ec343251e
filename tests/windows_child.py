"""
One handshake in a process of its own, or several: Windows looks at its Root store once in each.

    python windows_child.py FOLDER...

Each folder holds the judged end's chain and key, and `asked.json`, an `Asked` of windows_ask.py;
one line of JSON is printed for each.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import ssl
import sys
from pathlib import Path
from typing import Any

import fasttrust


def shake(client: Any, server: Any) -> None:
    """Shake hands over memory; here, for the tests' own modules take long to import."""
    for _ in range(6):
        for end in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()


def shake_with_staple(client: ssl.SSLContext, asked: dict[str, Any], folder: Path) -> Any:
    """Shake hands with a server that staples; `ssl` has none, and pyOpenSSL's OpenSSL is another.

    Returns:
        The client's end; `asked["stapled"]` says whether it wanted a staple.
    """
    from OpenSSL import SSL

    def give(connection: Any, data: Any) -> bytes:
        asked["stapled"] = True
        return (folder / "staple.der").read_bytes()

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(str(folder / "chain.pem"))
    context.use_privatekey_file(str(folder / "key.pem"))
    context.set_ocsp_server_callback(give)
    server = SSL.Connection(context, None)
    server.set_accept_state()
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=asked["host"])
    for _ in range(6):
        with contextlib.suppress(ssl.SSLWantReadError):
            ours.do_handshake()
        if sent := to_server.read():
            server.bio_write(sent)
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            to_client.write(server.bio_read(1 << 16))
    return ours


def prepare(context: ssl.SSLContext, asked: dict[str, Any], folder: Path) -> None:
    """Give the judging end's context what is asked for."""
    context.set_ciphers(f"DEFAULT:@SECLEVEL={asked['level']}")
    context.verify_flags |= ssl.VerifyFlags(asked["flags"])
    context.hostname_checks_common_name = asked["common_name"]
    for anchor in asked["anchors"]:
        context.load_verify_locations(cadata=anchor)
    for crl in asked["crls"]:
        (folder / "one.crl").write_text(crl, "ascii")
        context.load_verify_locations(folder / "one.crl")


def connect(asked: dict[str, Any], folder: Path) -> Any:
    """Connect, and return the judging end."""
    policy = asked["policy"]
    if asked["at_time"] is not None:
        policy["at_time"] = datetime.datetime.fromtimestamp(asked["at_time"], datetime.timezone.utc)
    if asked["server"]:
        judge = fasttrust.SSLContext(ssl.PROTOCOL_TLS_SERVER, **policy)
        judge.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        judge.verify_mode = ssl.CERT_REQUIRED
        judge.load_cert_chain(folder / "server" / "chain.pem", folder / "server" / "key.pem")
        judged = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        judged.check_hostname = False
        judged.verify_mode = ssl.CERT_NONE
    else:
        if asked["defaults"]:
            judge = fasttrust.create_default_context(**policy)
            judge.load_default_certs()
        else:
            judge = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, **policy)
        judge.check_hostname = asked["host"] is not None and asked["check_hostname"]
        judged = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    prepare(judge, asked, folder)
    if asked["staple"]:
        return shake_with_staple(judge, asked, folder)
    judged.set_ciphers("DEFAULT:@SECLEVEL=0")
    judged.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    first, second = ssl.MemoryBIO(), ssl.MemoryBIO()
    if asked["server"]:
        ours = judge.wrap_bio(first, second, server_side=True)
        shake(judged.wrap_bio(second, first), ours)
    else:
        ours = judge.wrap_bio(first, second, server_hostname=asked["host"])
        shake(ours, judged.wrap_bio(second, first, server_side=True))
    return ours


def answer(folder: Path) -> dict[str, Any]:
    """Shake hands as the folder says, and tell what came of it."""
    asked = json.loads((folder / "asked.json").read_text("utf-8"))
    try:
        connection = connect(asked, folder)
    except fasttrust.VerificationError as error:
        found = {
            "code": error.verify_code,
            "depth": error.depth,
            "native": error.native_code,
            "message": error.native_message,
        }
    else:
        verified = fasttrust.get_verified_chain(connection)
        found = {"code": 0, "verified": [bytes(certificate).hex() for certificate in verified]}
    return {**found, "stapled": asked.get("stapled", False)}


if __name__ == "__main__":
    logging.getLogger("fasttrust").setLevel(logging.ERROR)
    for each in sys.argv[1:]:
        print(json.dumps(answer(Path(each))), flush=True)
