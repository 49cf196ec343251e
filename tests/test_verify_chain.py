"""verify_chain: the forms of a chain and of a name that it takes, and what it says of bad ones."""

from __future__ import annotations

import inspect
import random
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import modes
import pki
from fasttrust import _offline
from offline import LEAF, ROOT, SENT, STRANGER, TRUST, WHOLE, A, captured, refused, verify
from world import ders, machine_trusts

pytestmark = modes.no_verify_chain

Form = Callable[[], Any]
DIRECT = pki.leaf("leaf of root", ROOT)

FORMS: dict[str, Form] = {
    "der": lambda: [LEAF.der, A.der],
    "tuple": lambda: (LEAF.der, A.der),
    "generator": lambda: (der for der in SENT.ders),
    "other buffers": lambda: [bytearray(LEAF.der), memoryview(A.der)],
    "one text": lambda: LEAF.pem + A.pem,
    "one text in bytes": (LEAF.pem + A.pem).encode,
    "text with words": lambda: [f"the leaf\n{LEAF.pem}\nand more\r\n{A.pem}", pki.pem(STRANGER)],
    "two texts": lambda: [LEAF.pem, A.pem.replace("\n", "\r\n")],
    "another label": lambda: [LEAF.pem, A.pem.replace(" CERT", " X509 CERT")],
    "certificates": lambda: [fasttrust.Certificate(der) for der in SENT.ders],
    "a mixture": lambda: [fasttrust.Certificate(LEAF.der), A.pem, ROOT.der],
    "another mixture": lambda: [LEAF.der, fasttrust.Certificate(A.der), ROOT.pem.encode()],
    "captured": lambda: captured(False),
    "captured and verified": lambda: captured(True),
    "some that were captured": lambda: [captured(True)[0], A.der],
    "captured in another order": lambda: [captured(True)[i] for i in (0, 2, 1)],
    "with strangers": lambda: [LEAF.der, STRANGER.der, LEAF.der, A.der, A.der],
}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, STRANGER)


def test_signature_is_the_designs() -> None:
    """The name is never left out by accident: it has no default."""
    parameters = inspect.signature(fasttrust.verify_chain).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    empty = inspect.Parameter.empty
    purpose = ssl.Purpose.SERVER_AUTH
    expected = {"trust": None, "purpose": purpose, "at_time": None}
    assert {"chain": empty, "server_hostname": empty, **expected} == defaults
    with pytest.raises(TypeError, match="server_hostname"):
        fasttrust.verify_chain(SENT.ders, trust=TRUST)  # type: ignore[call-arg]


# ---- what is taken ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_a_chain_is_taken(form: Form) -> None:
    """DER, PEM, certificates and mixtures are one chain, verified and refused alike."""
    assert WHOLE == verify(form())
    refusal = refused(form(), server_hostname="other.test")
    assert (62, 0, LEAF.der) == (refusal.verify_code, refusal.depth, bytes(refusal.chain[0]))
    assert refused(form(), trust=fasttrust.TrustStore.none()).verify_code in (19, 20)


@pytest.mark.parametrize("form", [DIRECT.der, DIRECT.pem, fasttrust.Certificate(DIRECT.der)])
def test_one_certificate_is_a_chain(form: Any) -> None:
    """Without a list around it, too."""
    assert (DIRECT.der, ROOT.der) == verify(form)
    assert (DIRECT.der,) == ders(refused(form, server_hostname="other.test").chain)


def test_certificate_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second verification of the same objects parses nothing, in whatever order they come."""
    chain = [fasttrust.Certificate(der) for der in WHOLE]
    assert WHOLE == verify(chain)
    monkeypatch.setattr(fasttrust.Certificate, "__bytes__", lambda _: b"not asked for")
    for again in (chain, chain[:2], [chain[0], chain[2], chain[1]]):
        verified = fasttrust.verify_chain(again, server_hostname=pki.HOST, trust=TRUST)
        assert len(WHOLE) == len(verified)


def test_verified_chain_is_a_tuple_of_certificates() -> None:
    """What is returned is what get_verified_chain() of a connection is."""
    verified = fasttrust.verify_chain(SENT.ders, server_hostname=pki.HOST, trust=TRUST)
    assert isinstance(verified, tuple)
    assert verified == captured(True)
    assert all(type(each) is fasttrust.Certificate for each in verified)


BAD_CHAINS: dict[str, tuple[Any, type[Exception], str]] = {
    "nothing": ([], ValueError, "empty"),
    "an empty text": ("", ValueError, "neither DER nor PEM"),
    "empty bytes": ([b""], ValueError, "neither DER nor PEM"),
    "garbage": ([b"garbage"], ValueError, "neither DER nor PEM"),
    "garbage behind": ([LEAF.der, b"\x00" * 50], ValueError, "neither DER nor PEM"),
    "garbage in DER": ([LEAF.der, b"0\x03abc"], ValueError, "certificate 1 of the chain"),
    "cut off": ([LEAF.der, A.der[:-1]], ValueError, "certificate 1 of the chain"),
    "something behind": ([LEAF.der + b"\0"], ValueError, "certificate 0 of the chain"),
    "two in one": ([LEAF.der + A.der], ValueError, "certificate 0 of the chain"),
    "not ASCII": ("-----BEGIN C\u00c9", ValueError, "not ASCII"),
    "a null": (LEAF.pem.replace("\n", "\0", 2), ValueError, "broken|neither"),
    "a text cut off": (LEAF.pem + A.pem[:99], ValueError, "cut off"),
    "a text cut off before": (A.pem[:99] + LEAF.pem, ValueError, "broken|cut off"),
    "many beginnings": ("-----BEGIN CERTIFICATE-----\n" * 200_000, ValueError, "cut off"),
    "broken base64": (LEAF.pem.replace("M", "!"), ValueError, "broken"),
    "empty block": (
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        ValueError,
        "certificate 0 of the chain",
    ),
    "a key": (LEAF.pem + LEAF.key_pem, ValueError, "PRIVATE KEY"),
    "trust settings": (LEAF.pem.replace(" CERT", " TRUSTED CERT"), ValueError, "TRUSTED CERT"),
    "a CRL": (LEAF.pem + pki.crl(ROOT), ValueError, "X509 CRL"),
    "None": (None, TypeError, "NoneType"),
    "a number": (5, TypeError, "int"),
    "a list of None": ([LEAF.der, None], TypeError, "DER, PEM or Certificate: 'NoneType'"),
    "a list of numbers": (list(LEAF.der), TypeError, "DER, PEM or Certificate: 'int'"),
    "a list of lists": ([[LEAF.der]], TypeError, "DER, PEM or Certificate: 'list'"),
    "what the tests issue": ([LEAF], TypeError, "DER, PEM or Certificate: 'Issued'"),
}


@pytest.mark.parametrize(("chain", "kind", "words"), BAD_CHAINS.values(), ids=BAD_CHAINS)
def test_bad_chain_is_told(chain: Any, kind: type[Exception], words: str) -> None:
    """What is no chain raises a sentence that says why, and no verdict."""
    with pytest.raises(kind, match=words):
        verify(chain)
    assert WHOLE == verify()  # nothing stays on OpenSSL's error queue


def test_a_hundred_certificates_are_a_chain_within_a_peers_limit() -> None:
    """A peer may send that many small ones; more than 100 KiB no peer can, however it is made."""
    assert WHOLE == verify([LEAF.der, *[STRANGER.der] * 97, A.der])
    with pytest.raises(ValueError, match="100 KiB"):
        verify([LEAF.der] * (_offline.MOST_BYTES // len(LEAF.der) + 1))
    with pytest.raises(ValueError, match="100 KiB"):
        verify(iter(lambda: LEAF.der, b""))  # without end


def test_a_long_chain_has_the_depth_of_a_handshake() -> None:
    """OpenSSL follows a hundred issuers and no more."""
    issuers = [ROOT]
    for number in range(110):
        issuers.append(pki.intermediate(f"issuer {number}", issuers[-1]))
    sent = pki.Chain((pki.leaf("far leaf", issuers[-1]), *issuers[:0:-1]))
    assert 22 == refused(sent.ders).verify_code


# ---- the name ---------------------------------------------------------------------------------

NAMED = pki.leaf("named", ROOT, names=("xn--bcher-kva.example", "*.wild.test", "127.0.0.1", "::1"))


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("b\u00fccher.example", 0),
        ("B\u00dcCHER.example", 0),
        ("xn--bcher-kva.example", 0),
        (b"xn--bcher-kva.example", 0),
        ("any.wild.test", 0),
        ("wild.test", 62),
        ("other.test", 62),
        ("x" * 63 + ".wild.test", 0),
        ("127.0.0.1", 0),
        ("::1", 0),
        ("0:0:0:0:0:0:0:1", 0),
        ("127.0.0.2", 64),
        ("::2", 64),
        (None, 0),
    ],
)
def test_name_is_taken_as_wrap_bio_takes_it(host: str | bytes | None, code: int) -> None:
    """Names, IDNA and addresses; the words of a refusal are ssl's."""
    trust = fasttrust.TrustStore.from_der([ROOT.der])
    if code == 0:
        assert (NAMED.der, ROOT.der) == verify([NAMED.der], server_hostname=host, trust=trust)
        return
    refusal = refused([NAMED.der], server_hostname=host, trust=trust)
    what = "Hostname" if code == 62 else "IP address"
    expected = f"{what} mismatch, certificate is not valid for '{host!s}'."
    assert (code, expected) == (refusal.verify_code, refusal.verify_message)


@pytest.mark.parametrize("host", ["other.test\n", "any.wild.test."])
def test_name_that_nobody_has_is_refused(host: str) -> None:
    """It does not match; OpenSSL 4.0 takes no such name, and ssl says so of a connection, too."""
    trust = fasttrust.TrustStore.from_der([ROOT.der])
    with pytest.raises(ssl.SSLError) as caught:
        verify([NAMED.der], server_hostname=host, trust=trust)
    if ssl.OPENSSL_VERSION_INFO < (4,):
        expected = f"Hostname mismatch, certificate is not valid for '{host}'."
        assert (62, expected) == (caught.value.verify_code, caught.value.verify_message)
    else:
        with pytest.raises(ssl.SSLError) as plain:
            ssl.create_default_context().wrap_bio(
                ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=host
            )
        assert str(plain.value) == str(caught.value)


@pytest.mark.parametrize(
    "host", ["", ".test", "a..b", "x" * 64 + ".test", "\ud800", b"\xff", "a\0b"]
)
def test_bad_name_is_told(host: str | bytes) -> None:
    """What can be no name is a ValueError, as it is for ssl; a null character, too."""
    with pytest.raises(ValueError, match=r"."):
        verify(server_hostname=host)
    with pytest.raises(TypeError, match="server_hostname"):
        verify(server_hostname=5)
    with pytest.raises(TypeError, match="server_hostname"):
        verify(server_hostname=["server.test"])


def test_mutated_chain_is_refused() -> None:
    """A bit that is flipped anywhere is no certificate or no verdict, never a crash or a yes."""
    chance = random.Random(5)
    signed = LEAF.certificate.tbs_certificate_bytes, A.certificate.tbs_certificate_bytes
    for _ in range(400):
        bytes_of = [bytearray(der) for der in SENT.ders]
        place = chance.randrange(2)
        bytes_of[place][chance.randrange(len(bytes_of[place]))] ^= 1 << chance.randrange(8)
        try:
            verified = verify(bytes_of)
        except (ValueError, fasttrust.VerificationError):
            continue
        # What no signature covers, such as the unused bits of the signature itself.
        assert signed[place] in verified[place]
