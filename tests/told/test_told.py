"""Steps 3 and 4 of the design on any system: a platform that says what a test tells it, or lies."""

from __future__ import annotations

import datetime
import ssl
import threading
from typing import Any

import pytest

import fasttrust
import modes
import peer
from fasttrust import _native
from pki import HOST, NOW, Chain, Issued, crl, flip_signature, intermediate, leaf, pem, root
from world import code, ders, hashed_directory, machine_trusts, run_python

pytestmark = [
    pytest.mark.skipif(
        _native.SYSTEM_NAME != "told", reason="needs the extension that tests/told/run builds"
    ),
    modes.no_core,
]

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
ROOT = root("root")
A = intermediate("A", ROOT)
LEAF = leaf("leaf", A)
SENT = Chain((LEAF, A))
WHOLE = (LEAF, A, ROOT)
STRANGER = root("stranger")
FLAGS = (ssl.VERIFY_CRL_CHECK_LEAF, ssl.VERIFY_CRL_CHECK_CHAIN)


def says(
    verdict: int,
    chain: tuple[Issued, ...] | None = None,
    *,
    native: int = 0,
    message: str = "",
    revocation_checked: bool = False,
) -> None:
    """Let the platform say that from now on; without a chain it gives back what it was sent."""
    ffi, lib = _native.ffi, _native.lib
    kept = [ffi.from_buffer(issued.der) for issued in chain or ()]
    array = (
        ffi.new("ft_der[]", [(each, len(each)) for each in kept]) if chain is not None else ffi.NULL
    )
    lib.ft_told_say(verdict, native, message.encode(), revocation_checked, array, len(kept))


def heard() -> Any:
    """Return what the platform was asked since it was told what to say."""
    question = _native.ffi.new("ft_told_heard *")
    _native.lib.ft_told_ask(question)
    return question


def client(*anchors: Issued, **policy: Any) -> fasttrust.SSLContext:
    context = fasttrust.SSLContext(CLIENT, **policy)
    if anchors:
        context.load_verify_locations(cadata=pem(*anchors))
    return context


def ask(
    context: ssl.SSLContext, sent: Chain = SENT, host: str | None = HOST, **options: Any
) -> peer.Outcome:
    """Connect, with the chains of the client's side as what was inspected."""
    return peer.connect(
        context,
        peer.server_context(sent),
        server_hostname=host,
        inspect=lambda tls: (
            ders(fasttrust.get_verified_chain(tls)),
            ders(fasttrust.get_unverified_chain(tls)),
        ),
        **options,
    )


def refused(outcome: peer.Outcome) -> int:
    """Return the code of a refusal after which nothing moved in either direction."""
    assert (b"", b"") == (outcome.server_received, outcome.client_received)
    assert outcome.inspected is None or outcome.inspected[0] == ()
    return code(outcome.client_error)


def accepted(outcome: peer.Outcome) -> tuple[bytes, ...]:
    """Return the verified chain of a connection that moved what it should."""
    assert None is outcome.client_error
    assert (peer.SECRET, peer.REPLY) == (outcome.server_received, outcome.client_received)
    verified: tuple[bytes, ...] = outcome.inspected[0]
    return verified


@pytest.mark.parametrize("carrier", peer.CARRIERS)
@pytest.mark.parametrize(
    ("verdict", "alert"),
    [(20, "TLSV1_ALERT_UNKNOWN_CA"), (23, "SSLV3_ALERT_CERTIFICATE_REVOKED"), (9999, None)],
)
def test_what_the_platform_refuses_is_refused(
    carrier: str, verdict: int, alert: str | None
) -> None:
    """The platform's no is the handshake's, with its number, its words and the right alert."""
    says(verdict, native=-67820, message="“leaf” is revoked")
    outcome = ask(client(), carrier=carrier)
    assert verdict == refused(outcome)
    error = outcome.client_error
    if isinstance(error, fasttrust.VerificationError):  # asyncio has ssl's own
        assert (-67820, "“leaf” is revoked", 0) == (
            error.native_code,
            error.native_message,
            error.depth,
        )
    if alert and carrier != "asyncio":
        assert alert == outcome.alert


@pytest.mark.parametrize("carrier", peer.CARRIERS)
@pytest.mark.parametrize("version", peer.VERSIONS)
def test_what_the_platform_accepts_is_accepted(carrier: str, version: ssl.TLSVersion) -> None:
    """Its yes counts once OpenSSL agrees; the chain is the platform's, fetched anchor included."""
    says(0, WHOLE)
    context = client()
    peer.pin(context, version)
    outcome = ask(context, carrier=carrier)
    assert ders_of(WHOLE) == accepted(outcome)
    assert SENT.ders == outcome.inspected[1]
    if hasattr(ssl.SSLSocket, "get_verified_chain") and carrier == "socket":
        same = peer.connect(
            context,
            peer.server_context(SENT),
            inspect=lambda tls: [bytes(c) for c in tls._sslobj.get_verified_chain() or ()],
        )
        assert len(WHOLE) == len(same.inspected)


def ders_of(chain: tuple[Issued, ...]) -> tuple[bytes, ...]:
    return tuple(issued.der for issued in chain)


def test_fetched_intermediate_counts() -> None:
    """A chain that the platform completed is verified, and what was sent stays what was sent."""
    says(0, WHOLE)
    outcome = ask(client(), Chain((LEAF,)))
    assert ders_of(WHOLE) == accepted(outcome)
    assert (LEAF.der,) == outcome.inspected[1]


def test_leaf_that_is_an_anchor() -> None:
    """A chain of one: the platform trusts this very certificate."""
    alone = leaf("alone", None)
    says(0, (alone,))
    assert (alone.der,) == accepted(ask(client(), Chain((alone,))))


@pytest.mark.parametrize("carrier", peer.CARRIERS)
@pytest.mark.parametrize(
    ("lie", "sent", "host", "expected"),
    [
        pytest.param(WHOLE, SENT, "other.test", 62, id="wrong name"),
        pytest.param(WHOLE, SENT, "127.0.0.1", 64, id="wrong address"),
        pytest.param((), SENT, HOST, 1, id="no chain"),
        pytest.param((leaf("another", A), A, ROOT), SENT, HOST, 1, id="another leaf"),
        pytest.param((A, ROOT), SENT, HOST, 1, id="leaf left out"),
        pytest.param((LEAF, STRANGER), SENT, HOST, 2, id="a stranger for an anchor"),
        pytest.param(
            (flip_signature("bad", LEAF), A, ROOT),
            Chain((flip_signature("bad", LEAF), A)),
            HOST,
            7,
            id="one bad signature",
        ),
        pytest.param(
            (LEAF, flip_signature("bad A", A), ROOT), SENT, HOST, 7, id="a bad intermediate"
        ),
    ],
)
def test_lie_is_refused(
    carrier: str, lie: tuple[Issued, ...], sent: Chain, host: str, expected: int
) -> None:
    """Where the platform accepts what it must not, OpenSSL refuses its chain."""
    says(0, lie)
    found = refused(ask(client(), sent, host, carrier=carrier))
    # A chain that does not end at its anchor: OpenSSL's versions differ in which word they use.
    assert found == expected or {found, expected} <= {2, 20, 21}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"valid": (-9, -1)}, 10),
        ({"valid": (1, 9)}, 9),
        ({"purposes": ("clientAuth",)}, 26),
        ({"algorithm": "rsa1024"}, 66),
        ({"unknown_critical": True}, 34),
    ],
)
def test_openssl_sees_what_a_lying_platform_does_not(
    changes: dict[str, Any], expected: int
) -> None:
    """Dates, purpose, strength and extensions are looked at again."""
    bad = leaf(f"bad {expected}", A, **changes)
    says(0, (bad, A, ROOT))
    context = client()
    if expected == 66:
        context.set_ciphers("DEFAULT:@SECLEVEL=2")
    assert expected == refused(ask(context, Chain((bad, A))))


def test_strictness_is_not_applied_to_the_platforms_chain() -> None:
    """Corporate roots fail VERIFY_X509_STRICT; the platform has decided about them."""
    lax_root = root("lax root", critical_constraints=False)
    lax_leaf = leaf("leaf of lax root", lax_root)
    says(0, (lax_leaf, lax_root))
    context = client()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert 2 == len(accepted(ask(context, Chain((lax_leaf,)))))


@pytest.mark.parametrize("own", [(), (STRANGER,), (ROOT,)], ids=["none", "another", "the root"])
@pytest.mark.parametrize("checked", [False, True])
def test_programs_crl_revokes_under_the_platforms_root(
    own: tuple[Issued, ...], checked: bool, tmp_path: Any
) -> None:
    """Revoked by the program's own list is 23, whoever trusts the root."""
    says(0, WHOLE, revocation_checked=checked)
    context = client(*own)
    lists = tmp_path / "lists.pem"
    lists.write_text(crl(A, (LEAF,)) + crl(ROOT), "ascii")
    context.load_verify_locations(lists)
    for flags in FLAGS:
        context.verify_flags |= flags
        assert 23 == refused(ask(context))


@pytest.mark.parametrize("flags", FLAGS)
def test_no_crl_is_forgiven_only_where_the_platform_looked(flags: ssl.VerifyFlags) -> None:
    """A program that wants revocation known is answered by the platform, or refused with 3."""
    context = client()
    context.verify_flags |= flags
    says(0, WHOLE, revocation_checked=False)
    assert 3 == refused(ask(context))
    says(0, WHOLE, revocation_checked=True)
    assert ders_of(WHOLE) == accepted(ask(context))


def test_forgiving_one_missing_list_hides_no_other(tmp_path: Any) -> None:
    """The leaf's issuer has no list; the intermediate's has, and revokes it."""
    says(0, WHOLE, revocation_checked=True)
    context = client()
    lists = tmp_path / "lists.pem"
    lists.write_text(crl(ROOT, (A,)), "ascii")
    context.load_verify_locations(lists)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    assert 23 == refused(ask(context))


@pytest.mark.parametrize(
    ("own", "sent", "asked", "expected"),
    [
        pytest.param((ROOT,), SENT, 0, 0, id="our own anchor decides"),
        pytest.param((STRANGER,), SENT, 1, 23, id="nobody of ours issued it"),
        pytest.param((), SENT, 1, 23, id="no anchors of ours"),
        pytest.param(
            (ROOT,),
            Chain((leaf("expired", A, valid=(-9, -1)), A)),
            0,
            10,
            id="expired under our own anchor is final",
        ),
    ],
)
def test_whose_word_counts(own: tuple[Issued, ...], sent: Chain, asked: int, expected: int) -> None:
    """The platform is asked only where nobody among the program's anchors issued the peer."""
    says(23)
    outcome = ask(client(*own), sent)
    found = refused(outcome) if expected else code(outcome.client_error)
    assert (expected, asked) == (found, heard().times)


def test_both_know_nobody() -> None:
    """Where the platform too knows no issuer, OpenSSL's finer number is reported."""
    says(20, native=5)
    lonely = leaf("lonely", None)
    outcome = ask(client(ROOT), Chain((lonely,)))
    assert 18 == refused(outcome)
    assert isinstance(outcome.client_error, fasttrust.VerificationError)
    assert 5 == outcome.client_error.native_code


@pytest.mark.parametrize(("valid", "expected"), [((1, 9), 9), ((-9, -1), 10)])
@pytest.mark.parametrize("said", [9, 10])
def test_dates_are_told_apart_by_the_certificates(
    valid: tuple[float, float], expected: int, said: int
) -> None:
    """Apple says expired for both."""
    says(said)
    outcome = ask(client(), Chain((leaf(f"dated {valid}", A, valid=valid), A)))
    assert expected == refused(outcome)


def test_question_says_what_the_connection_wants() -> None:
    """The platform is told name, side, flags, policy and time."""
    says(20)
    at = NOW.replace(tzinfo=datetime.timezone.utc)
    context = client(network=False, revocation="hard", timeout=1.5, at_time=at)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    ask(context)
    question = heard()
    assert (HOST, False) == (_native.ffi.string(question.host).decode(), question.host_is_address)
    assert (2, True, True, False) == (
        question.num_certs,
        question.is_server,
        question.check_leaf,
        question.check_chain,
    )
    assert (True, int(at.timestamp())) == (question.has_time, question.time)
    policy = question.policy
    assert (_native.REVOCATION["hard"], False, 1500) == (
        policy.revocation,
        policy.network,
        policy.timeout_ms,
    )
    ask(client(), host="127.0.0.1")
    assert ("127.0.0.1", True) == (
        _native.ffi.string(heard().host).decode(),
        heard().host_is_address,
    )


def test_time_is_the_contexts() -> None:
    """A certificate that was valid then is accepted then, and only then."""
    old = leaf("old", A, valid=(-9, -5))
    says(0, (old, A, ROOT))
    assert 10 == refused(ask(client(), Chain((old, A))))
    root_then = root("root then", valid=(-20, 20))
    a_then = intermediate("A then", root_then, valid=(-20, 20))
    old = leaf("old then", a_then, valid=(-9, -5))
    says(0, (old, a_then, root_then))
    context = client(at_time=NOW - datetime.timedelta(days=7))
    assert 3 == len(accepted(ask(context, Chain((old, a_then)))))


def test_server_asks_the_platform_only_where_the_program_wants_it() -> None:
    """Client certificates are not the system's to judge, unless default certificates are loaded."""
    ours = fasttrust.SSLContext(SERVER)
    Chain((leaf("server", ROOT),)).load(ours)
    ours.verify_mode = ssl.CERT_REQUIRED
    theirs = ssl.SSLContext(CLIENT)
    theirs.load_verify_locations(cadata=pem(ROOT))
    SENT.load(theirs)
    says(0, WHOLE)
    outcome = peer.connect(theirs, ours)
    assert (0, 20) == (heard().times, code(outcome.server_error))
    ours.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    outcome = peer.connect(theirs, ours)
    assert (peer.SECRET, 1, False) == (outcome.server_received, heard().times, heard().is_server)


@pytest.mark.parametrize("where", ["constructor", "attach"])
def test_exact_trust_never_asks(where: str) -> None:
    """`trust=` means exactly that."""
    says(0, WHOLE)
    trust = fasttrust.TrustStore.from_der([STRANGER.der])
    if where == "attach":
        context: ssl.SSLContext = ssl.SSLContext(CLIENT)
        fasttrust.attach(context, trust=trust)
    else:
        context = fasttrust.SSLContext(CLIENT, trust=trust)
    assert 20 == refused(ask(context))
    assert 0 == heard().times
    assert refused(ask(fasttrust.SSLContext(CLIENT, trust=fasttrust.TrustStore.none())))
    context = fasttrust.SSLContext(CLIENT, trust=trust | fasttrust.TrustStore.system())
    assert ders_of(WHOLE) == accepted(ask(context))


def test_attached_context_asks_beyond_what_it_holds() -> None:
    """attach(context) trusts the system and what the context holds."""
    says(0, WHOLE)
    context = ssl.SSLContext(CLIENT)
    context.load_verify_locations(cadata=pem(STRANGER))
    fasttrust.attach(context)
    assert ders_of(WHOLE) == accepted(ask(context))
    other = leaf("leaf of stranger", STRANGER)
    says(20)
    assert (other.der, STRANGER.der) == accepted(ask(context, Chain((other,))))
    assert 0 == heard().times


def test_directory_of_the_program_is_asked_first(tmp_path: Any) -> None:
    """A capath of the program's is OpenSSL's, which is asked before the platform."""
    says(23)
    context = client()
    context.load_verify_locations(capath=hashed_directory(tmp_path / "anchors", ROOT))
    assert ders_of(WHOLE) == accepted(ask(context))
    assert 0 == heard().times


def test_environment_wins_over_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """SSL_CERT_FILE makes the system exactly what it names; conda's marked value does not."""
    machine_trusts(monkeypatch, tmp_path, STRANGER)
    says(0, WHOLE)
    assert 20 == refused(ask(client()))
    assert 0 == heard().times
    monkeypatch.setenv("__CONDA_OPENSSL_CERT_FILE_SET", "1")
    with pytest.raises(FileNotFoundError, match="SSL_CERT_DIR"):
        client()  # that still stands, and holds nothing
    monkeypatch.setenv("__CONDA_OPENSSL_CERT_DIR_SET", "1")
    assert ders_of(WHOLE) == accepted(ask(client()))


def test_store_that_cannot_be_listed_says_so() -> None:
    """A list would be a lie."""
    for question in (len, list, iter):
        with pytest.raises(TypeError, match="cannot be listed"):
            question(fasttrust.TrustStore.system())  # type: ignore[operator]
    assert [] == client().get_ca_certs()
    assert 0 == client().cert_store_stats()["x509"]


def test_nobody_verified_asks_nobody() -> None:
    """CERT_NONE is not the platform's business, and never verified."""
    says(0, WHOLE)
    context = client()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outcome = ask(context)
    assert () == accepted(outcome)
    assert 0 == heard().times


def test_chain_without_connection_walks_the_same_road() -> None:
    """verify_chain() asks the platform too, and OpenSSL must agree."""
    says(0, WHOLE)
    verified = fasttrust.verify_chain([LEAF.der, A.der], server_hostname=HOST)
    assert ders_of(WHOLE) == ders(verified)
    with pytest.raises(fasttrust.VerificationError) as caught:
        fasttrust.verify_chain([LEAF.der, A.der], server_hostname="other.test")
    assert 62 == caught.value.verify_code
    says(23)
    with pytest.raises(fasttrust.VerificationError) as caught:
        fasttrust.verify_chain([LEAF.der, A.der], server_hostname=HOST)
    assert 23 == caught.value.verify_code


def test_many_threads_ask_at_once() -> None:
    """Eight threads, one context: each has its own answer."""
    says(0, WHOLE)
    context = client()
    wrong: list[object] = []

    def connect() -> None:
        for _ in range(20):
            outcome = ask(context, carrier="bio")
            if outcome.inspected[0] != ders_of(WHOLE):
                wrong.append(outcome)

    threads = [threading.Thread(target=connect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong


def test_denylist_of_the_running_python_counts() -> None:
    """The connection's own verify callback has the last word on every certificate of the chain."""
    # Python with a denylist installs one; here one of ours does, through OpenSSL itself.
    says(0, WHOLE)
    process = run_python(
        """
        import ctypes, ssl, _ssl, sys
        import test_told
        from world import ders
        context = test_told.client()
        libssl = ctypes.CDLL(_ssl.__file__)
        seen = []
        KIND = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        def callback(ok, question):
            seen.append(ok)
            libssl.X509_STORE_CTX_set_error.argtypes = [ctypes.c_void_p, ctypes.c_int]
            libssl.X509_STORE_CTX_set_error(question, 28)
            return 0
        kept = KIND(callback)
        raw = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
        libssl.SSL_CTX_set_verify.argtypes = [ctypes.c_void_p, ctypes.c_int, KIND]
        libssl.SSL_CTX_set_verify(raw, 1, kept)
        test_told.says(0, test_told.WHOLE)
        assert 28 == test_told.refused(test_told.ask(context, carrier="bio"))
        assert seen
        print("refused")
        """,
    )
    assert "refused\n" == process.stdout, process.stderr


def test_platform_is_named() -> None:
    """backend() says who verifies."""
    assert ("native", "told") == fasttrust.backend()[:2]
