"""The whole package with macOS as its platform, on the double: verdicts, errors, and lies."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

import fasttrust
import peer
from cases import CASES, Case, run
from cases_check import labels, look
from fasttrust import _native
from pki import HOST, NOW, Chain, Issued, crl, flip_signature, intermediate, leaf, pem, root
from world import run_python

pytestmark = pytest.mark.skipif(
    not hasattr(_native.lib, "double_reset"), reason="needs the extension of tests/macos/run"
)

COMPAT = fasttrust.backend().mode == "compat"
needs_native = pytest.mark.skipif(
    COMPAT, reason="in compat mode the system alone judges: no step 4, nothing of the program's own"
)

CLIENT = ssl.PROTOCOL_TLS_CLIENT
ROOT = root("root")
A = intermediate("A", ROOT)
LEAF = leaf("leaf of A", A)
SENT = Chain((LEAF, A))
STRANGER = root("stranger")
YES, OTHER_LEAF = 1, 2  # double_lie

# Where macOS differs from OpenSSL: the code, the labels of the verified chain, and why.
ANY_ANCHOR = "on macOS every anchor ends a chain, self-signed or not"
NO_STRICT = "X509_STRICT is not applied to the system's chains: corporate roots fail it"
OWN_LEVEL = "Apple has its own least strengths, whatever the security level, and one code for keys"
NO_COMMON_NAME = "Apple never looks at the common name"
A_BY_STRANGER = ("leaf of A", "A by stranger")
DIFFERENT: dict[str, tuple[int, tuple[str, ...], str]] = {
    "chain-of-102": (
        7,
        (),
        "the double's limit of a chain's length, in Apple's word for a bad one",
    ),
    "trusted-intermediate": (0, ("leaf of A", "A"), ANY_ANCHOR),
    "trusted-leaf": (0, ("leaf",), ANY_ANCHOR),
    "cross-signed-among-anchors": (0, A_BY_STRANGER, ANY_ANCHOR),
    "cross-signed-among-anchors-without-its-root": (0, A_BY_STRANGER, ANY_ANCHOR),
    "cross-signed-expired-among-anchors": (0, A_BY_STRANGER, ANY_ANCHOR),
    "common-name-only": (62, (), NO_COMMON_NAME),
    "common-name-beside-address": (62, (), NO_COMMON_NAME),
    "name-constraints-excluded": (47, (), "Apple has one code for both kinds"),
    "future-root": (10, (), "one code for both, and the certificate at fault was not sent"),
    "strict-not-critical-constraints": (0, ("leaf of not critical", "not critical"), NO_STRICT),
    "strict-not-critical-constraints-in-intermediate": (
        0,
        ("leaf of ca not critical", "ca not critical", "root"),
        NO_STRICT,
    ),
    "strict-no-authority-id": (0, ("no authority id", "root"), NO_STRICT),
    "strict-no-authority-id-in-intermediate": (
        0,
        ("leaf of ca no authority id", "ca no authority id", "root"),
        NO_STRICT,
    ),
    "strict-no-subject-id-in-root": (0, ("leaf of no key id", "no key id"), NO_STRICT),
    "strict-ca-without-usage": (0, ("leaf of ca no usage", "ca no usage", "root"), NO_STRICT),
    "strict-root-without-usage": (0, ("leaf of no usage", "no usage"), NO_STRICT),
    "weak-leaf-level-1": (66, (), OWN_LEVEL),
    "weak-intermediate": (66, (), OWN_LEVEL),
    "weak-root": (66, (), OWN_LEVEL),
    "sha1-leaf-level-0": (68, (), OWN_LEVEL),
}


@pytest.fixture(autouse=True, params=[11, 14], ids=lambda version: f"macOS-{version}")
def mac(request: pytest.FixtureRequest) -> Iterator[None]:
    """Begin with a Mac that trusts nobody; end with no object left."""
    _native.lib.double_reset()
    _native.lib.double_set_version(request.param)
    yield
    assert _native.lib.double_live(True) == 0
    _native.lib.double_reset()


def trusts(*anchors: Issued) -> None:
    for anchor in anchors:
        _native.lib.double_trust_der(anchor.der, len(anchor.der))


def connect(sent: Chain = SENT, *anchors: Issued, host: str = HOST, **policy: Any) -> peer.Outcome:
    """Connect a context that trusts the system and the anchors to a server that sends the chain."""
    context = fasttrust.SSLContext(CLIENT, **policy)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    return shake(context, sent, host)


def shake(context: ssl.SSLContext, sent: Chain = SENT, host: str = HOST) -> peer.Outcome:
    server = peer.server_context(sent, version=ssl.TLSVersion.TLSv1_3)
    return peer.connect(context, server, carrier="bio", server_hostname=host, inspect=look)


def refused(outcome: peer.Outcome, code: int) -> fasttrust.VerificationError:
    """Assert that the client refused by that code, and that nothing of its data got through."""
    error = outcome.client_error
    assert isinstance(error, fasttrust.VerificationError), error
    assert error.verify_code == code
    assert outcome.server_received == outcome.client_received == b""
    assert outcome.inspected.verified == ()
    return error


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
    version = ssl.TLSVersion.TLSv1_3
    outcome = run(
        case,
        carrier="bio",
        version=version,
        make_context=lambda _: fasttrust.SSLContext(CLIENT),
        inspect=look,
    )
    if code:
        refused(outcome, code)
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


@needs_native
@pytest.mark.parametrize("anchors", [(), (STRANGER,), (ROOT,)], ids=len)
@pytest.mark.parametrize("lie", [0, YES])
def test_revoked_by_the_programs_list(
    anchors: tuple[Issued, ...], lie: int, tmp_path: Path
) -> None:
    """The program's CRL counts whoever trusts, and whatever the system says."""
    trusts(ROOT)
    _native.lib.double_set_lie(lie)
    context = fasttrust.SSLContext(CLIENT)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    Path(tmp_path, "crl.pem").write_text(crl(A, [LEAF]), "ascii")
    context.load_verify_locations(tmp_path / "crl.pem")
    refused(shake(context), 23)


@needs_native
def test_a_system_that_says_yes_to_a_wrong_name() -> None:
    """Step 4 checks the name again."""
    trusts(ROOT)
    _native.lib.double_set_lie(YES)
    assert connect().client_error is None
    error = refused(connect(host="other.test"), 62)
    assert error.native_code is None


@needs_native
@pytest.mark.parametrize("place", [0, 1])
def test_a_system_that_says_yes_to_a_bad_signature(place: int) -> None:
    """Step 4 checks every signature below the anchor again."""
    trusts(ROOT)
    _native.lib.double_set_lie(YES)
    sent = [LEAF, A]
    sent[place] = flip_signature("broken", sent[place])
    refused(connect(Chain(tuple(sent))), 7)


def test_a_system_that_answers_about_another_leaf() -> None:
    """A chain that begins with another certificate than the peer's is none."""
    trusts(ROOT)
    _native.lib.double_set_lie(OTHER_LEAF)
    refused(connect(), 1)


@needs_native
def test_a_system_that_says_yes_to_everything_else() -> None:
    """What has expired or is for another purpose is refused by step 4 too."""
    trusts(ROOT)
    _native.lib.double_set_lie(YES)
    expired = leaf("expired", A, valid=(-30, -1))
    for_clients = leaf("for clients", A, purposes=("clientAuth",))
    refused(connect(Chain((expired, A))), 10)
    refused(connect(Chain((for_clients, A))), 26)


@needs_native  # without a handshake there is no verdict in compat mode
def test_fork_after_a_verification_is_refused() -> None:
    """In a child whose parent had verified the frameworks would crash: it is told so instead."""
    done = run_python(
        """
        import os
        import fasttrust, pki
        from fasttrust import _native
        root = pki.root("root")
        leaf = pki.leaf("leaf", root)
        _native.lib.double_trust_der(root.der, len(root.der))
        def ask():
            fasttrust.verify_chain([leaf.der], server_hostname=pki.HOST)
        ask()
        child = os.fork()
        if child == 0:
            try:
                ask()
            except fasttrust.VerificationError as error:
                print(error.verify_code, error.native_message, flush=True)
                os._exit(3)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        ask()
        """,
        SSL_CERT_FILE="",
        SSL_CERT_DIR="",
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("50 macOS cannot verify after fork()")
