"""
One handshake in a process of its own, or several: Windows looks at its Root store once in each.

    python windows_child.py FOLDER...

Each folder holds a server's chain and key and `asked.json`; one line of JSON is printed for each.
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


def shake(client: ssl.SSLContext, server: ssl.SSLContext, host: str | None) -> ssl.SSLObject:
    """Shake hands over memory; here, for the tests' own modules take long to import."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=host)
    asked = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(5):
        for end in (asking, asked):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return asking


def answer(folder: Path) -> dict[str, Any]:
    """Shake hands as the folder says, and tell what came of it."""
    asked = json.loads((folder / "asked.json").read_text("utf-8"))
    policy = asked["policy"]
    if asked["at_time"] is not None:
        policy["at_time"] = datetime.datetime.fromtimestamp(asked["at_time"], datetime.timezone.utc)
    client = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, **policy)
    client.check_hostname = asked["host"] is not None
    client.verify_flags |= ssl.VerifyFlags(asked["flags"])
    for name in asked["crls"]:
        client.load_verify_locations(folder / name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("DEFAULT:@SECLEVEL=0")
    server.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    try:
        connection = shake(client, server, asked["host"])
    except fasttrust.VerificationError as error:
        return {
            "code": error.verify_code,
            "depth": error.depth,
            "native": error.native_code,
            "message": error.native_message,
        }
    verified = fasttrust.get_verified_chain(connection)
    return {"code": 0, "verified": [bytes(certificate).hex() for certificate in verified]}


if __name__ == "__main__":
    logging.getLogger("fasttrust").setLevel(logging.ERROR)
    for each in sys.argv[1:]:
        print(json.dumps(answer(Path(each))), flush=True)
