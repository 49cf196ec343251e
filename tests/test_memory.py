"""A handshake in a process whose memory has really ended: refused, or right; never a stranger."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from world import check_python, machine_trusts

PROGRAM = """
    import ctypes, resource, ssl
    import fasttrust, peer, pki
    from world import leaf_of, made
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    root, stranger = pki.root("root"), pki.root("stranger")
    servers = {root: peer.server_context(leaf_of(root)),
               stranger: peer.server_context(leaf_of(stranger))}
    client = made(ssl.PROTOCOL_TLS_CLIENT, root)
    eaten = (ctypes.c_void_p * 200_000)()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]

    def limit(size):
        resource.setrlimit(resource.RLIMIT_AS, (size, hard))

    def eat_all():
        # Whatever malloc can still give, from large pieces to small ones.
        count = 0
        try:
            for piece in (65536, 8192, 1024, 256, 128, 64, 32, 16):
                while count < len(eaten):
                    taken = libc.malloc(piece)
                    if not taken:
                        break
                    eaten[count] = taken
                    count += 1
        except MemoryError:
            pass
        return count

    def attempt(server, spare):
        # The client's step that verifies, with so many of the smallest pieces left; None is enough.
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname=pki.HOST)
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        limit(hard if spare is None else size)
        count = 0 if spare is None else eat_all()
        for _ in range(min(count, spare or 0)):
            count -= 1
            libc.free(eaten[count])
        error = None
        try:
            near.do_handshake()
        except Exception as raised:
            error = raised
        limit(hard)
        for place in range(count):
            libc.free(eaten[place])
        return near, error

    came_to = set()
    for spare in (*range(0, 200, 4), 1000, 10_000, len(eaten), None):
        for issuer, server in servers.items():
            near, error = attempt(server, spare)
            verified = len(fasttrust.get_verified_chain(near))
            came_to.add((issuer.name, type(error).__name__))
            if error is None:
                assert issuer is root and verified == 2, (issuer.name, verified)
                continue
            assert issuer is root or verified == 0
            try:
                near.write(b"secret")
            except OSError:  # ssl's own, or "Cannot allocate memory" where errno still says so
                continue
            # OpenSSL 3.5 goes on with a handshake whose memory ended before the verdict.
            verified = len(fasttrust.get_verified_chain(near))
            assert issuer is root and verified == 2, "a refused connection took a byte"
    print(*sorted(came_to))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS, malloc and /proc")
def test_no_memory_is_no_trust(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever memory ends: no byte moves without the true verdict and the whole chain."""
    machine_trusts(monkeypatch, tmp_path)
    printed = check_python(PROGRAM, timeout=120)
    assert "('stranger', 'NoneType')" not in printed
    assert "('root', 'NoneType')" in printed
    assert "('root', 'SSLError')" in printed  # so the memory did end
