"""
Files of more than certificates: trust settings, CRLs, keys.

What a program loads goes through `ssl`'s own loader, with its meaning. The system's store cannot
say on which side it counts then, and is refused rather than read without what is said in it.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

import fasttrust
import peer
import pki
from fasttrust import TrustStore, _system
from world import attached, code, leaf_of, machine_trusts, made, plain

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
ROOT, SYSTEM, OWN = (pki.root(name) for name in ("root", "system", "own"))
# serverAuth and clientAuth of RFC 5280, section 4.2.1.12, as OIDs in DER.
SERVER_AUTH, CLIENT_AUTH = (bytes.fromhex(f"06082b0601050507030{n}") for n in (1, 2))
REJECTED = 28


def trusted_block(root: pki.Issued, trust: bytes = b"", reject: bytes = b"") -> str:
    """Return OpenSSL's TRUSTED CERTIFICATE: the certificate, and for what it is (not) trusted."""
    settings = bytes([0x30, len(trust)]) + trust if trust else b""
    settings += bytes([0xA0, len(reject)]) + reject if reject else b""
    content = base64.encodebytes(root.der + bytes([0x30, len(settings)]) + settings).decode()
    return f"-----BEGIN TRUSTED CERTIFICATE-----\n{content}-----END TRUSTED CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, SYSTEM)


def exact(protocol: int) -> ssl.SSLContext:
    return fasttrust.SSLContext(protocol, trust=TrustStore.none())


def loaded(make: Callable[[int], ssl.SSLContext], protocol: int, file: Path) -> ssl.SSLContext:
    context = make(protocol)
    context.load_verify_locations(file)
    return context


def kept(protocol: int) -> Callable[[Path], ssl.SSLContext]:
    """Return how a file is loaded by plain `ssl`, and kept by `attach`."""

    def load(file: Path) -> ssl.SSLContext:
        context = loaded(plain, protocol, file)
        fasttrust.attach(context)
        return context

    return load


def as_client(context: ssl.SSLContext) -> int:
    return code(
        peer.connect(context, peer.server_context(leaf_of(ROOT)), carrier="bio").client_error
    )


def as_server(context: ssl.SSLContext) -> int:
    leaf_of(OWN).load(context)
    context.verify_mode = ssl.CERT_REQUIRED
    client = plain(CLIENT, OWN)
    leaf_of(ROOT).load(client)
    return code(peer.connect(client, context, carrier="bio").server_error)


SETTINGS = {
    "none": {},
    "not for servers": {"reject": SERVER_AUTH},
    "not for clients": {"reject": CLIENT_AUTH},
    "for servers": {"trust": SERVER_AUTH},
    "for clients": {"trust": CLIENT_AUTH},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("beside", ["alone", "beside a plain certificate"])
def test_trust_settings_mean_what_they_mean_to_ssl(
    settings: str, beside: str, tmp_path: Path
) -> None:
    """A root that its file rejects for servers, say, is refused where a server shows it."""
    file = tmp_path / "settings.pem"
    text = trusted_block(ROOT, **SETTINGS[settings])
    file.write_text(text + (OWN.pem if beside != "alone" else ""), "ascii")
    for protocol, judge in ((CLIENT, as_client), (SERVER, as_server)):
        expected = judge(loaded(plain, protocol, file))
        assert (expected == REJECTED) == (
            settings in ("not for servers", "for clients")
            if protocol == CLIENT
            else settings in ("not for clients", "for servers")
        )
        for make in (made, attached, exact):
            assert expected == judge(loaded(make, protocol, file)), make
        assert expected == judge(kept(protocol)(file))
    exactly = fasttrust.create_default_context(cafile=file)
    assert as_client(loaded(plain, CLIENT, file)) == as_client(exactly)


def test_crl_in_a_file_counts(tmp_path: Path) -> None:
    """A file that holds a root and its CRL revokes, wherever plain `ssl` says so."""
    leaf = leaf_of(ROOT)
    for revoked, expected in (((), 0), (leaf.certificates, 23)):
        file = tmp_path / "crl.pem"
        file.write_text(ROOT.pem + pki.crl(ROOT, revoked=revoked), "ascii")
        for make in (plain, made, attached, exact):
            context = loaded(make, CLIENT, file)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
            assert expected == as_client(context), make


OTHER = {
    "trust settings": trusted_block(ROOT, reject=SERVER_AUTH),
    "bare trust settings": trusted_block(ROOT),
    "CRL": pki.crl(ROOT),
}


@pytest.mark.parametrize("other", OTHER)
def test_system_of_more_than_certificates_is_refused(
    other: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative trust or a CRL must not get lost: nothing of such a store is trusted."""
    before = made(CLIENT)
    monkeypatch.setattr(_system, "_systems", {})
    monkeypatch.setattr(_system, "PERIOD", 0)
    machine.write_text(SYSTEM.pem + ROOT.pem + OTHER[other], "ascii")
    with pytest.raises(ssl.SSLError, match="certificates alone") as raised:
        made(CLIENT)
    assert f"SSL_CERT_FILE={machine}" in str(raised.value)
    assert as_client(attached(CLIENT)) == 20
    assert as_client(before) == 20  # it keeps what it had


def test_system_with_a_key_between_is_read(machine: Path) -> None:
    """A block that says nothing of trust takes nothing from the certificates beside it."""
    machine.write_text(SYSTEM.pem + ROOT.key_pem + ROOT.pem, "ascii")
    assert as_client(made(CLIENT)) == 0


def written(line: int, end: str = "\n") -> str:
    """Return the root in PEM, in lines of another length than its writers choose."""
    text = base64.b64encode(ROOT.der).decode()
    lines = [text[at : at + line] for at in range(0, len(text), line)]
    marks = (f"-----{mark} CERTIFICATE-----" for mark in ("BEGIN", "END"))
    return end.join([next(marks), *lines, next(marks), ""])


UNUSUAL = {
    "one line": written(10_000),
    "lines of 100": written(100),
    "lines of 63": written(63),
    "spaces behind": written(64, "  \n"),
    "with a mark of its encoding": "\ufeff" + written(64),
    "an odd one and a key": written(100) + OWN.key_pem,
    "a leaf between": written(100) + leaf_of(OWN).certificates[0].pem,
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_system_in_unusual_pem_is_read_as_by_ssl(
    text: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that somebody pasted in lines of his own is not the end of the store."""
    machine.write_text(text + SYSTEM.pem, "utf-8")
    monkeypatch.setattr(_system, "_systems", {})
    context = plain(CLIENT)
    try:
        context.load_verify_locations(machine)
    except ssl.SSLError:
        with pytest.raises(ssl.SSLError):
            made(CLIENT)
        return
    ours = set(TrustStore.system())
    if text.startswith("\ufeff") and ssl.OPENSSL_VERSION_INFO < (3,):
        # 1.1.1 passes over the certificate behind the mark: of half a store we take nothing.
        assert (0, 1) == (len(ours), context.cert_store_stats()["x509"])
        with pytest.raises(ssl.SSLError):
            made(CLIENT)
        return
    assert context.cert_store_stats()["x509"] == len(ours)
    assert set(context.get_ca_certs(True)) <= {bytes(each) for each in ours}
    assert as_client(context) == as_client(made(CLIENT))


@pytest.mark.parametrize("before", ["", "  "])
def test_system_in_indented_pem_is_never_more_than_ssl_reads(
    before: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What OpenSSL makes of indented marks depends on the bytes between: the same, or nothing."""
    machine.write_text(before + written(64, "\n  ") + SYSTEM.pem, "ascii")
    monkeypatch.setattr(_system, "_systems", {})
    context = plain(CLIENT)
    with contextlib.suppress(ssl.SSLError):
        context.load_verify_locations(machine)
    ours = {bytes(each) for each in TrustStore.system()}
    assert ours in (set(), set(context.get_ca_certs(True)))
