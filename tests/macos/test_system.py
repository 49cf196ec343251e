"""The whole package with macOS as its platform, on the double: verdicts, questions and errors."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

import fasttrust
import peer
from cases import CASES, Case
from cases_check import labels
from fasttrust import _native
from mac import (
    CLIENT,
    COMPAT,
    DIFFERENT,
    LEAF,
    ROOT,
    SAY_WHOSE,
    SENT,
    STRANGER,
    A,
    connect,
    needs_double,
    needs_native,
    refused,
    run_row,
    shake,
    trusts,
)
from pki import HOST, NOW, Chain, leaf
from world import run_python

pytestmark = needs_double


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_row_gives_its_verdict(case: Case) -> None:
    """A system that trusts a row's anchors says what the row says, but for what is listed."""
    if not case.applies:
        pytest.skip(case.reason)
    if COMPAT and case.crls:
        pytest.skip("no CRL of the program's counts in compat mode")
    trusts(*case.anchors)
    _native.lib.double_set_apple(False)  # many a row's leaf breaks Apple's own rules
    code, verified, _ = DIFFERENT.get(case.name, (case.code, case.verified, ""))
    outcome = run_row(case)
    if code:
        depth = refused(outcome, code).depth
        # Never another than OpenSSL's; nor none where the code says whose fault it is.
        assert depth == (case.depth or 0) or (depth is None and code not in SAY_WHOSE)
    else:
        assert outcome.client_error is None
        assert outcome.server_received == peer.SECRET
    assert labels(case, outcome.inspected.verified) == verified
    assert outcome.inspected.unverified == case.sent.ders


def test_every_difference_is_of_a_row() -> None:
    """Nothing is listed that is not there, or that does not differ."""
    rows = {case.name: case for case in CASES}
    for name, (code, verified, reason) in DIFFERENT.items():
        assert (rows[name].code, rows[name].verified) != (code, verified)
        assert reason


def test_the_platform_is_macos() -> None:
    """backend() names the verifier, and what macOS cannot do is said when a context is made."""
    assert fasttrust.backend().verifier == "sectrust"
    with pytest.raises(ValueError, match="macOS has its own limit"):
        fasttrust.SSLContext(CLIENT, timeout=5.0)


def test_refusal_carries_apples_words() -> None:
    """The number and the words of the system stay with the error; the chain is what was sent."""
    error = refused(connect(), 20)
    assert error.native_code == -25318
    assert "“leaf of A” certificate is not trusted" == error.native_message
    assert tuple(bytes(each) for each in error.chain) == SENT.ders


def test_what_is_asked() -> None:
    """Side, name, time, network and revocation reach the system as the program gave them."""
    trusts(ROOT)
    moment = NOW + datetime.timedelta(days=2)
    _native.lib.double_set_online(True)
    assert connect(network=False, revocation="soft", at_time=moment).client_error is None
    seen = _native.lib.double_recorded()
    assert (seen.evaluations, seen.round_trips, seen.num_certs) == (1, 1, 2)
    assert (seen.is_server, seen.network, seen.revocation) == (True, False, 3)
    assert _native.ffi.string(seen.host) == HOST.encode()
    assert seen.has_time
    assert seen.time == moment.timestamp() - 978307200


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8:0:0:0:0:0:1"),
        ("::ffff:192.0.2.1", "0:0:0:0:0:ffff:c000:201"),
        ("::", "0:0:0:0:0:0:0:0"),
    ],
)
def test_an_address_is_asked_for_in_full(host: str, asked: str) -> None:
    """Each number of it: of what is written shorter Apple reads only some."""
    trusts(ROOT)
    assert connect(Chain((leaf("address", A, names=(host,)), A)), host=host).client_error is None
    seen = _native.ffi.string(_native.lib.double_recorded().host).decode()
    assert asked == seen.lower()


def staple() -> bytes:
    """Make an OCSP response about the leaf, by its issuer."""
    builder = ocsp.OCSPResponseBuilder().add_response(
        LEAF.certificate, A.certificate, SHA1(), ocsp.OCSPCertStatus.GOOD, NOW, None, None, None
    )
    response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, A.certificate)
    return response.sign(A.key, SHA256()).public_bytes(Encoding.DER)


@contextlib.contextmanager
def stapling_server(folder: Path, response: bytes, version: str) -> Iterator[int]:
    """Run OpenSSL's own server, as Python's ssl cannot staple; give its port on loopback."""
    certfile, keyfile = SENT.write(folder)
    (folder / "staple.der").write_bytes(response)
    command = ["openssl", "s_server", version, "-accept", "127.0.0.1:0", "-naccept", "1"]
    command += ["-cert", certfile, "-cert_chain", certfile, "-key", keyfile]
    command += ["-status_file", folder / "staple.der"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield next(int(x.rpartition(":")[2]) for x in process.stdout if x.startswith("ACCEPT"))
    finally:
        process.kill()
        process.communicate()


@needs_native
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_staple_reaches_the_system(version: str, tmp_path: Path) -> None:
    """Under TLS 1.3 the staple is there when the verdict is asked for; under 1.2 it comes later."""
    trusts(ROOT)
    response = staple()
    with (
        stapling_server(tmp_path, response, version) as port,
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        fasttrust.SSLContext(CLIENT).wrap_socket(plain, server_hostname=HOST) as client,
    ):
        assert len(fasttrust.get_verified_chain(client)) == 3
    seen = _native.lib.double_recorded()
    expected = response if version == "-tls1_3" else b""
    assert (len(expected), expected[:64]) == (
        seen.staple_len,
        bytes(_native.ffi.buffer(seen.staple, min(seen.staple_len, 64))),
    )


@needs_native
@pytest.mark.parametrize(("purpose", "code"), [("clientAuth", 0), ("serverAuth", 26)])
def test_a_servers_question_is_about_a_client(purpose: str, code: int) -> None:
    """Where a server was told to trust the system: without a name, for the other purpose."""
    trusts(ROOT)
    server = fasttrust.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    SENT.load(server)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cadata=ROOT.pem)
    Chain((leaf("a client", A, purposes=(purpose,)), A)).load(client)
    # Nothing was said to be trusted of clients: not even by the system.
    unasked = peer.connect(client, server, carrier="bio")
    assert isinstance(unasked.server_error, fasttrust.VerificationError)
    assert _native.lib.double_recorded().evaluations == 0
    server.load_default_certs()
    outcome = peer.connect(client, server, carrier="bio")
    assert getattr(outcome.server_error, "verify_code", 0) == code
    assert (outcome.server_received == peer.SECRET) == (code == 0)
    seen = _native.lib.double_recorded()
    assert (seen.evaluations, seen.is_server, _native.ffi.string(seen.host)) == (1, False, b"")


def test_own_anchors_come_first() -> None:
    """OpenSSL decides by them without the system; where it knows nobody the system is asked."""
    assert connect(SENT, ROOT).client_error is None
    assert _native.lib.double_recorded().evaluations == 0
    trusts(ROOT)
    assert connect(SENT, STRANGER).client_error is None
    assert _native.lib.double_recorded().evaluations == 1


def test_revocation_by_the_system() -> None:
    """Hard refuses without an answer, soft does not; revoked is 23 for both."""
    trusts(ROOT)
    assert refused(connect(revocation="hard"), 3).native_code == -67635
    assert connect(revocation="soft").client_error is None
    _native.lib.double_set_online(True)
    assert connect(revocation="hard").client_error is None
    _native.lib.double_revoke_der(LEAF.der, len(LEAF.der))
    for revocation in ("soft", "hard"):
        assert refused(connect(revocation=revocation), 23).native_code == -67820


@pytest.mark.parametrize("revocation", ["platform", "soft", "hard"])
@pytest.mark.parametrize("flag", [ssl.VERIFY_CRL_CHECK_LEAF, ssl.VERIFY_CRL_CHECK_CHAIN])
def test_revocation_wanted_by_flags(revocation: Any, flag: ssl.VerifyFlags) -> None:
    """What the program's flags want known is no softer for its policy, in either mode."""
    trusts(ROOT)
    context = fasttrust.SSLContext(CLIENT, revocation=revocation)
    context.verify_flags |= flag
    refused(shake(context), 3)
    _native.lib.double_set_online(True)
    assert shake(context).client_error is None
    _native.lib.double_revoke_der(LEAF.der, len(LEAF.der))
    refused(shake(context), 23)


EXACT: list[dict[str, Any]] = [
    {"trust": fasttrust.TrustStore.from_pem(ROOT.pem)},
    {"cadata": ROOT.pem},
]


@pytest.mark.parametrize("exact", EXACT, ids=["trust", "cadata"])
@pytest.mark.parametrize("revocation", ["soft", "hard"])
def test_revocation_where_the_system_is_not_asked(exact: dict[str, Any], revocation: Any) -> None:
    """A policy that nobody would follow is an error when the context is made."""
    with pytest.raises(ValueError, match="revocation: OpenSSL, which judges"):
        fasttrust.create_default_context(**exact, revocation=revocation)
    context = fasttrust.SSLContext(CLIENT, revocation=revocation)
    with pytest.raises((ValueError, RuntimeError)):
        fasttrust.attach(context, trust=fasttrust.TrustStore.from_pem(ROOT.pem))
    trusts(ROOT)
    _native.lib.double_set_online(True)
    assert shake(context).client_error is None
    assert _native.lib.double_recorded().evaluations == 1


def test_revocation_where_the_environment_names_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is OpenSSL's business, who makes it the system's when a context is there, too."""
    context = fasttrust.SSLContext(CLIENT, revocation="hard")
    Path(tmp_path, "root.pem").write_text(ROOT.pem, "ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    with pytest.raises(ValueError, match="revocation: OpenSSL, which judges"):
        context.load_default_certs()
    with pytest.raises(ValueError, match="revocation: OpenSSL, which judges"):
        fasttrust.SSLContext(CLIENT, revocation="hard")
    trusts(ROOT)
    refused(shake(context), 3)


@pytest.mark.parametrize("exact", EXACT, ids=["trust", "cadata"])
def test_time_where_the_system_is_not_asked(exact: dict[str, Any]) -> None:
    """OpenSSL judges by it too; where ssl itself does, which cannot, that is an error."""
    moment = NOW + datetime.timedelta(days=3650)
    if not COMPAT:
        refused(shake(fasttrust.create_default_context(**exact, at_time=moment)), 10)
        return
    with pytest.raises(ValueError, match="at_time cannot be had in compat mode"):
        fasttrust.create_default_context(**exact, at_time=moment)
    with pytest.raises(ValueError, match="at_time cannot be had in compat mode"):
        fasttrust.SSLContext(ssl.PROTOCOL_TLS_SERVER, at_time=moment)
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        both = fasttrust.SSLContext(ssl.PROTOCOL_TLS, at_time=moment)
    with pytest.raises(ValueError, match="at_time cannot be had in compat mode"):
        both.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


def test_a_process_without_a_main_bundle_is_told_so() -> None:
    """It gets no policy for TLS as long as it lives, and so verifies nobody (golang/go#61000)."""
    trusts(ROOT)
    _native.lib.double_set_bundle(False)
    for _ in range(2):
        error = refused(connect(), 50)
        assert error.native_message is not None
        assert "gives this process no policy for TLS" in error.native_message
    assert _native.lib.double_recorded().evaluations == 0


def test_handshakes_at_once() -> None:
    """Threads share nothing of a question, and each gets the answer to its own."""
    trusts(ROOT)
    context = fasttrust.SSLContext(CLIENT)
    hosts = [HOST, "other.test"] * 16
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda host: shake(context, SENT, host), hosts))
    codes = [getattr(outcome.client_error, "verify_code", 0) for outcome in outcomes]
    assert codes == [0, 62] * 16


def test_import_and_contexts_touch_nothing() -> None:
    """No object of the frameworks is made before a peer is there to be judged."""
    run_python(
        """
        import ssl, fasttrust
        from fasttrust import _native
        def connect(context):
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="server.test")
        context = fasttrust.create_default_context(network=False, revocation="hard")
        if fasttrust.backend().mode == "native":
            fasttrust.attach(ssl.create_default_context(), trust=fasttrust.TrustStore.system())
        with fasttrust.inject_into_ssl():
            connect(ssl.create_default_context())
        connect(context)
        fasttrust.backend()
        assert _native.lib.double_made() == 0
        """,
        SSL_CERT_FILE="",
        SSL_CERT_DIR="",
    ).check_returncode()


def test_fork_after_a_verification_is_refused() -> None:
    """In a child whose parent had verified the frameworks would crash: it is told so instead."""
    done = run_python(
        """
        import os
        import fasttrust, mac
        mac.trusts(mac.ROOT)
        assert mac.connect().client_error is None
        child = os.fork()
        if child == 0:
            for context in (fasttrust.SSLContext(mac.CLIENT), fasttrust.create_default_context()):
                error = mac.refused(mac.shake(context), 50)
                print(error.verify_code, error.native_message, flush=True)
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert mac.connect().client_error is None
        """,
        SSL_CERT_FILE="",
        SSL_CERT_DIR="",
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("50 macOS cannot verify after fork()")
