"""What a refusal says: `VerificationError`, its facts, and the sentence that helps."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import re
import ssl
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

import cases_policy
import fasttrust
import peer
import pki
from fasttrust._certificate import _restored
from fasttrust._hints import hint
from modes import FORGETS, LEAF_AT_FAULT
from world import Pair, attached, code, leaf_of, machine_trusts, made, plain

ROOT, STRANGER = pki.root("root"), pki.root("Interception Inc")
A = pki.intermediate("A", ROOT)
LEAF = pki.leaf("leaf of A", A)
CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
STRICT = ssl.VerifyFlags.VERIFY_X509_STRICT
HOSTILE = "\x1b[31mred\x07\r\n\u202efoo\x00"
Make = Callable[..., ssl.SSLContext]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


def refused(
    sent: pki.Chain,
    *,
    client: ssl.SSLContext | None = None,
    host: str = pki.HOST,
    level: int | None = None,
) -> fasttrust.VerificationError:
    """Return the error by which a client refuses the chain."""
    server = peer.server_context(sent)
    pair = Pair(client or made(CLIENT, ROOT), server, server_hostname=host)
    with pytest.raises(fasttrust.VerificationError) as caught:
        pair.shake()
    return caught.value


def is_harmless(text: str) -> bool:
    """Tell whether a terminal can be shown the text: no control and no format characters."""
    return not any(unicodedata.category(character) in ("Cc", "Cf") for character in text)


def custom(issuer: pki.Issued, *names: str, subject: str = "custom") -> pki.Chain:
    """Make a leaf with names that no honest authority would certify."""
    key = pki.make_key("custom")
    builder = x509.CertificateBuilder(
        issuer_name=issuer.certificate.subject,
        subject_name=x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject)]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=pki.NOW - timedelta(days=1),
        not_valid_after=pki.NOW + timedelta(days=1),
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    der = builder.sign(issuer.key, pki.SHA256).public_bytes(serialization.Encoding.DER)
    return pki.Chain((pki.Issued("custom", der, key, pki.LEAF),))


def test_attributes_are_ssls_and_ours() -> None:
    """Everything that `ssl`'s error has is there with the same values, and what we know beyond."""
    theirs = Pair(plain(CLIENT, ROOT), peer.server_context(pki.Chain((LEAF,))))
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        theirs.shake()
    error = refused(pki.Chain((LEAF,)))
    assert isinstance(error, ssl.SSLCertVerificationError)
    for name in ("verify_code", "verify_message", "reason", "library", "errno"):
        assert (name, getattr(caught.value, name)) == (name, getattr(error, name))
    words = re.compile(r" \(_ssl\.c:\d+\)")
    assert words.sub("", str(caught.value)) == words.sub("", error.args[1])
    assert (LEAF_AT_FAULT, [LEAF.der]) == (error.depth, [bytes(each) for each in error.chain])
    assert (None, None) == (error.native_code, error.native_message)
    assert str(error).endswith(f"[{error.hint}]")
    assert type(error.__cause__) is ssl.SSLCertVerificationError


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, "pickle"])
def test_error_can_be_copied_and_pickled(clone: Any) -> None:
    """A copy says everything that the error says."""
    error = refused(pki.Chain((LEAF,)))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol)) if clone == "pickle" else clone(error)
        assert (type(error), str(error), error.args) == (type(again), str(again), again.args)
        assert error.__dict__ == again.__dict__


def test_error_without_facts_is_an_error_all_the_same() -> None:
    """The class can be raised by others, as `ssl`'s can."""
    error = fasttrust.VerificationError(1, "words")
    assert (None, (), "", "words") == (error.depth, error.chain, error.hint, error.args[1])
    assert pickle.loads(pickle.dumps(error)).args == error.args


@pytest.mark.parametrize("make", [made, attached])
@pytest.mark.parametrize("carrier", peer.CARRIERS)
def test_explicit_handshakes_raise_ours(make: Make, carrier: str) -> None:
    """Sockets, memory BIOs and asyncio raise our class, with the chain."""
    outcome = peer.connect(make(CLIENT), peer.server_context(leaf_of(ROOT)), carrier=carrier)
    error = outcome.client_error
    assert isinstance(error, fasttrust.VerificationError)
    assert (20, LEAF_AT_FAULT, 1) == (error.verify_code, error.depth, len(error.chain))


# A row for each reason: what is sent, and what the hint must say.
HINTS: dict[str, tuple[pki.Chain, int, str]] = {
    "missing intermediate": (
        pki.Chain((LEAF,)),
        20,
        r"alone, issued by 'CN=A', .* the peer must send it too",
    ),
    "unknown authority": (
        pki.Chain((leaf_of(STRANGER).certificates[0], pki.intermediate("x", STRANGER), ROOT)),
        20,
        ("issued by" if FORGETS else "ends at")
        + " 'CN=Interception Inc', which is not trusted here",
    ),
    "interception": (
        pki.Chain((leaf_of(STRANGER).certificates[0], STRANGER)),
        19,
        r"a root that this machine does not know, 'CN=Interception Inc': .* opens its connections",
    ),
    "self-signed": (pki.Chain((pki.leaf("alone", None),)), 18, r"signed by itself alone"),
    "expired": (
        pki.Chain((pki.leaf("old", ROOT, valid=(-9, -2)),)),
        10,
        r"'CN=old' was valid until \w{3} .* GMT; this machine's clock says \d{4}-\d\d-\d\d",
    ),
    "not yet valid": (
        pki.Chain((pki.leaf("young", ROOT, valid=(2, 9)),)),
        9,
        r"'CN=young' is valid from \w{3} .* GMT; this machine's clock says",
    ),
    "expired intermediate": (
        pki.Chain((pki.leaf("b", B := pki.intermediate("B", ROOT, valid=(-9, -2))), B)),
        10,
        r"'CN=B' was valid until",
    ),
    "wrong name": (
        pki.Chain((pki.leaf("names", ROOT, names=("a.test", "*.b.test", "10.0.0.1")),)),
        62,
        r"is for a\.test, \*\.b\.test, 10\.0\.0\.1; 'server\.test' was asked for",
    ),
    "no name": (pki.Chain((pki.leaf("nameless", ROOT, names=()),)), 62, r"no subjectAltName"),
    "wrong purpose": (
        pki.Chain((pki.leaf("cl", ROOT, purposes=("clientAuth",)),)),
        26,
        r"not meant for this side",
    ),
    "not an authority": (
        pki.Chain((pki.leaf("below", N := pki.leaf("no CA", ROOT)), N)),
        24 if ssl.OPENSSL_VERSION_INFO < (3,) else 79,
        r"without being a certificate authority",
    ),
}


@pytest.mark.parametrize("reason", HINTS)
def test_hint_says_what_can_be_done(reason: str) -> None:
    """Each reason has its code, and its sentence stands in the error's text."""
    sent, verify_code, words = HINTS[reason]
    error = refused(sent)
    assert error.verify_code == verify_code
    assert re.search(words, error.hint), error.hint
    assert error.hint in str(error)
    assert is_harmless(str(error))


def test_hint_for_a_weak_key() -> None:
    """A key below the security level is called weak."""
    weak = pki.Chain((pki.leaf("weak", ROOT, algorithm="rsa1024"),))
    error = refused(weak)
    assert (66, True) == (error.verify_code, "too weak" in error.hint)


def test_hint_for_revocation(tmp_path: Path) -> None:
    """A missing, an old and a damning CRL have a sentence each."""
    sent = leaf_of(ROOT)
    for crl, verify_code, words in (
        (None, 3, "no CRL of this issuer was loaded"),
        (pki.crl(ROOT, valid=(-9, -2)), 12, "out of date"),
        (pki.crl(ROOT, sent.certificates), 23, "has revoked this certificate"),
    ):
        client = made(CLIENT, ROOT)
        client.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        if crl is not None:
            (tmp_path / "crl.pem").write_text(crl, "ascii")
            client.load_verify_locations(tmp_path / "crl.pem")
        error = refused(sent, client=client)
        assert (verify_code, True) == (error.verify_code, words in error.hint)


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="strict mode looks at it since 3.0")
@pytest.mark.parametrize(
    ("changes", "verify_code"),
    [
        pytest.param(
            {"critical_constraints": False},
            89,
            marks=pytest.mark.skipif(
                ssl.OPENSSL_VERSION_INFO >= (4,), reason=cases_policy.CONSTRAINTS_IN_4_0
            ),
            id="constraints not critical",
        ),
        pytest.param({"key_ids": ()}, 86, id="no key identifier"),
        pytest.param({"usage": None}, 92, id="no key usage"),
    ],
)
def test_strict_refusals_name_the_line_that_relaxes_them(
    changes: dict[str, Any], verify_code: int
) -> None:
    """Python 3.13 verifies strictly by default; the line in the hint is what relaxes it."""
    corporate = pki.root(f"corporate {verify_code}", **changes)
    context = fasttrust.create_default_context(cadata=corporate.pem)
    context.verify_flags |= STRICT  # as Python 3.13 does by itself
    error = refused(leaf_of(corporate), client=context)
    assert error.verify_code == verify_code
    exec(line := error.hint.rpartition("To relax it: ")[2], {"context": context, "ssl": ssl})
    assert line == "context.verify_flags &= ~ssl.VERIFY_X509_STRICT"
    Pair(context, peer.server_context(leaf_of(corporate))).shake()


def test_server_that_refuses_a_client_says_so() -> None:
    """A server's refusal has the client's chain; the server is not told what servers must do."""
    server = made(SERVER)
    leaf_of(ROOT).load(server)
    server.verify_mode = ssl.CERT_REQUIRED
    for sent in (leaf_of(STRANGER), pki.Chain((*leaf_of(STRANGER).certificates, STRANGER))):
        client = plain(CLIENT, ROOT)
        sent.load(client)
        error = peer.connect(client, server, carrier="bio").server_error
        assert isinstance(error, fasttrust.VerificationError)
        assert sent.ders == tuple(bytes(each) for each in error.chain)
        assert "Interception Inc" in error.hint
        assert "server" not in error.hint


def test_server_tells_what_a_refused_client_sent() -> None:
    """Its intermediate too, and not the root, which the server itself holds."""
    server = made(SERVER, ROOT)
    leaf_of(ROOT).load(server)
    server.verify_mode = ssl.CERT_REQUIRED
    sent = pki.Chain((pki.leaf("old", A, valid=(-9, -2), purposes=("clientAuth",)), A))
    client = plain(CLIENT, ROOT)
    sent.load(client)
    error = peer.connect(client, server, carrier="bio").server_error
    assert isinstance(error, fasttrust.VerificationError)
    assert 10 == error.verify_code
    assert sent.ders == tuple(bytes(each) for each in error.chain)
    assert "'CN=old' was valid until" in error.hint


@pytest.mark.parametrize("sent", [True, False])
def test_hostile_names_reach_no_terminal(sent: bool) -> None:
    """Control and direction characters in a peer's names are in no text that people read."""
    hostile = pki.root("hostile", subject=HOSTILE)
    chain = custom(hostile, pki.HOST, subject=HOSTILE)
    if sent:
        chain = pki.Chain((*chain.certificates, hostile))
    error = refused(chain)
    for text in (error.hint, str(error), repr(error), repr(error.chain)):
        assert is_harmless(text)
    names = custom(ROOT, "\x1b[31m.test", "\x00", "a\nb.test")
    assert is_harmless(str(refused(names)))


def test_huge_names_make_no_huge_text() -> None:
    """A certificate with thousands of names, or with long ones, has a hint that can be read."""
    many = custom(ROOT, *(f"host-{number}.test" for number in range(2000)))
    error = refused(many)
    assert "host-7.test and 1992 more; 'server.test' was asked for" in error.hint
    long = custom(ROOT, *(letter * 8000 + ".test" for letter in "abcdefgh"))
    for each in (error, refused(long), refused(custom(STRANGER, subject="x" * 20000))):
        assert 0 < len(each.hint) < 4000
    big = pki.root("big", subject="y" * 64)
    assert 0 < len(refused(pki.Chain((*custom(big).certificates, big))).hint) < 4000


def test_hint_never_raises() -> None:
    """Whatever a peer sends, and OpenSSL parses, a hint is a harmless text."""
    chance = random.Random(7)
    leaf = bytearray(pki.leaf("mutant", A, names=("a.test", "10.0.0.1")).der)
    codes = (2, 3, 9, 10, 12, 18, 19, 20, 21, 23, 26, 28, 62, 64, 66, 79, 85, 999)
    parsed = 0
    for _ in range(1500):
        mutant = leaf.copy()
        for _ in range(chance.randrange(1, 4)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        try:
            der = _ssl_parses(bytes(mutant))
        except ssl.SSLError:
            continue
        parsed += 1
        good = pki.root("root").der
        for ders in ((der, good), (good, der), (der,)):
            chain = [_view(each) for each in ders]
            for verify_code in chance.sample(codes, 6):
                text = hint(verify_code, chance.choice([None, 0, 1, 9]), chain, "a.test")
                assert is_harmless(text)
    assert parsed > 300


def _ssl_parses(der: bytes) -> bytes:
    ssl.SSLContext(CLIENT).load_verify_locations(cadata=der)
    return der


def _view(der: bytes) -> fasttrust.Certificate:
    """Make what a connection gives: a certificate that nobody has looked at yet."""
    return _restored(der)


def test_odd_times_do_not_hide_the_refusal() -> None:
    """A date that cannot be read, beside an expired certificate, changes nothing of the verdict."""
    old = pki.intermediate("old A", ROOT, valid=(-9, -2))
    other = pki.intermediate("odd", ROOT)
    years = other.certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ").encode()
    odd = replace(other, der=other.der.replace(years, b"991399999999Z"))
    assert odd.der != other.der
    server = peer.server_context(pki.Chain((pki.leaf("of old", old), odd, old)))
    error = peer.connect(made(CLIENT, ROOT), server, carrier="bio").client_error
    assert (10, fasttrust.VerificationError) == (code(error), type(error))


class Pinned(ssl.SSLObject):
    """A program's own connection, which refuses by itself, without a code."""

    def do_handshake(self) -> None:
        super().do_handshake()
        raise ssl.SSLCertVerificationError("not pinned")


def test_refusal_of_the_programs_own_class_stays_its_own() -> None:
    """An error that a program's class raises after our verdict is passed on as it is."""
    context = plain(CLIENT, ROOT)
    context.sslobject_class = Pinned
    fasttrust.attach(context)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"^\('not pinned',\)$|not pinned") as e:
        Pair(context, peer.server_context(leaf_of(ROOT))).shake()
    assert (ssl.SSLCertVerificationError, None) == (type(e.value), e.value.__cause__)


def test_error_is_in_no_reference_cycle() -> None:
    """An error that nobody holds is gone at once, and its connection with it."""
    client, server = made(CLIENT), peer.server_context(leaf_of(ROOT))
    gc.collect()
    gc.disable()
    try:
        pair: Pair | None = Pair(client, server)
        with pytest.raises(fasttrust.VerificationError):
            pair.shake()  # type: ignore[union-attr]
        before = sum(isinstance(each, ssl.SSLObject) for each in gc.get_objects())
        pair = None
        after = sum(isinstance(each, ssl.SSLObject) for each in gc.get_objects())
        assert after == before - 2
    finally:
        gc.enable()
