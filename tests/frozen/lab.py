"""PyInstaller makes one file of a program that uses the wheel; the file is run against two servers.

No hook of ours and no option is needed: the package names what its compiled part imports.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import labs

EXPECTED = r"native True 2 b'HTTP/1.0 200 OK\r\n' refused 20"


def serve(context: ssl.SSLContext) -> int:
    """Answer one request on loopback, in a thread; return the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(120)

    def answer() -> None:
        with listener:
            sock, _ = listener.accept()
            sock.settimeout(20)
            try:
                with context.wrap_socket(sock, server_side=True) as tls:
                    tls.recv(100)
                    tls.sendall(b"HTTP/1.0 200 OK\r\n")
            except ssl.SSLError as error:
                print(f"the second server was told: {error.reason}")

    threading.Thread(target=answer, daemon=True).start()
    return int(listener.getsockname()[1])


def main() -> int:
    packages = ("cryptography", "pyinstaller", "setuptools>=77")
    inside = labs.environment("frozen", sys.executable, *packages)
    if Path(sys.prefix) != inside.parent.parent:  # the tests' PKI needs cryptography
        return subprocess.run([inside, __file__], check=False).returncode
    import peer
    import pki

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labs.pip(inside, "install", "--force-reinstall", "--no-deps", labs.wheel(folder, inside))
        program = Path(__file__).with_name("program.py")
        command = [inside, "-m", "PyInstaller", "--onefile", "--log-level", "ERROR", program]
        subprocess.run(command, cwd=folder, check=True)
        root, stranger = pki.root("root"), pki.root("stranger")
        (folder / "store.pem").write_text(root.pem, "ascii")
        chains = [pki.Chain((pki.leaf("leaf", issuer),)) for issuer in (root, stranger)]
        ports = [str(serve(peer.server_context(chain))) for chain in chains]
        store = {"SSL_CERT_FILE": str(folder / "store.pem"), "SSL_CERT_DIR": str(folder)}
        done = subprocess.run(
            [folder / "dist" / "program", *ports],
            env={**os.environ, **store},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    print(done.stdout + done.stderr)
    return 0 if (done.returncode, done.stdout.strip()) == (0, EXPECTED) else 1


if __name__ == "__main__":
    sys.exit(main())
