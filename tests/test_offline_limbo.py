"""x509-limbo's server cases without a connection: what plain ssl, or ``openssl verify``, says."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import fasttrust
import limbo
import modes
import peer
from fasttrust._offline import _as_sent, verify_under
from world import ders, machine_trusts

#: Code, depth of the certificate at fault, and the verified chain.
Verdict = tuple[int, int | None, tuple[bytes, ...]]

# Where `openssl verify` has another rule than a client of ssl's: it takes a * within a label, and
# no option forbids it.
OTHER_RULES = {"webpki::san::wildcard-embedded-leftmost-san"}


pytestmark = modes.no_verify_chain


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


def sent(case: dict[str, Any]) -> list[str]:
    return [case["peer_certificate"], *case["untrusted_intermediates"]]


def said(verify: Any, *arguments: Any, **keywords: Any) -> Verdict:
    try:
        return 0, None, ders(verify(*arguments, **keywords))
    except fasttrust.VerificationError as error:
        return error.verify_code, error.depth, ()


def by_handshake(
    context: ssl.SSLContext, case: dict[str, Any], server: ssl.SSLContext
) -> Verdict | None:
    """Return a handshake's verdict; None where it fails before there is one."""
    outcome = peer.connect(
        context,
        server,
        carrier="bio",
        server_hostname=limbo.host(case),
        inspect=lambda tls: ders(
            certificate.public_bytes(2) for certificate in tls._sslobj.get_verified_chain() or ()
        ),
    )
    error = outcome.client_error
    if error is None:
        return 0, None, outcome.inspected
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    return error.verify_code, None, ()


@limbo.needs_data
def test_limbo_without_a_connection_gives_what_plain_ssl_gives(tmp_path: Path) -> None:
    """Of every case that a server can present: code and verified chain of a plain handshake."""
    differences, compared = {}, 0
    for case in limbo.KEYED:
        server = limbo.server(case, tmp_path)
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nobody = fasttrust.TrustStore.none()
        ours = fasttrust.SSLContext(ssl.PROTOCOL_TLS_CLIENT, trust=nobody)
        try:
            limbo.dress(plain, case, case["trusted_certs"], tmp_path)
        except ssl.SSLError:
            continue  # ssl loads no such anchor
        if server is None:
            continue  # OpenSSL loads no such chain into a server: below
        limbo.dress(ours, case, case["trusted_certs"], tmp_path)
        expected = by_handshake(plain, case, server)
        if expected is None:
            continue  # no common parameters, for a key of a forbidden curve
        found = said(
            verify_under,
            ours,
            _as_sent(sent(case)),
            server_hostname=limbo.host(case),
            is_server=False,
        )
        compared += 1
        if (expected[0], expected[2]) != (found[0], found[2]):
            differences[case["id"]] = expected, found
    assert {} == differences
    assert compared > 150


def moment(case: dict[str, Any]) -> datetime | None:
    text = case["validation_time"]
    return None if text is None else datetime.fromisoformat(text)


def by_function(case: dict[str, Any]) -> Verdict:
    """Return the verdict of the public function, which knows no CRLs."""
    return said(
        fasttrust.verify_chain,
        sent(case),
        server_hostname=limbo.host(case),
        trust=fasttrust.TrustStore.from_pem("".join(case["trusted_certs"])),
        at_time=moment(case),
    )


def under_crls(case: dict[str, Any], folder: Path) -> Verdict:
    """Return the verdict under a context of the same settings that holds the case's CRLs."""
    context = fasttrust.create_default_context(trust=fasttrust.TrustStore.none())
    limbo.dress(context, case, case["trusted_certs"], folder)
    at_time = moment(case)
    return said(
        verify_under,
        context,
        _as_sent(sent(case)),
        server_hostname=limbo.host(case),
        is_server=False,
        at_time=None if at_time is None else int(at_time.timestamp()),
    )


def _openssl() -> str | None:
    """Return why `openssl verify` cannot be asked; None where it can."""
    if shutil.which("openssl") is None:
        return "openssl is not installed"
    asked = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True)
    if not asked.stdout.startswith(ssl.OPENSSL_VERSION):
        return f"openssl is another version than Python's: {asked.stdout.strip()}"
    return None


def by_openssl(case: dict[str, Any], folder: Path) -> tuple[int, int | None]:
    """Return code and depth of the first thing that `openssl verify` finds, 0 where it accepts."""
    folder.mkdir()
    options = ["-no-CApath", "-purpose", "sslserver", "-show_chain"]
    if ssl.OPENSSL_VERSION_INFO >= (3,):  # 1.1.1 has no stores by URI, nor a word against them
        options.append("-no-CAstore")
    context = fasttrust.create_default_context(trust=fasttrust.TrustStore.none())
    options += ["-auth_level", str(context.security_level)]
    for flag, option in (
        (ssl.VerifyFlags.VERIFY_X509_STRICT, "-x509_strict"),
        (ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN, "-partial_chain"),
    ):
        options += [option] if context.verify_flags & flag else []
    name = case["expected_peer_name"]
    if name is not None:
        options += ["-verify_ip" if name["kind"] == "IP" else "-verify_hostname", name["value"]]
    at_time = moment(case)
    if at_time is not None:
        options += ["-attime", str(int(at_time.timestamp()))]
    for option, texts in (
        ("-CAfile", case["trusted_certs"]),
        ("-untrusted", case["untrusted_intermediates"]),
        ("-CRLfile", case["crls"]),
    ):
        if texts:
            file = folder / option
            file.write_text("".join(texts), "ascii")
            options += [option, str(file)]
    if case["crls"]:
        options.append("-crl_check")
    leaf = folder / "leaf"
    leaf.write_text(case["peer_certificate"], "ascii")
    asked = subprocess.run(
        ["openssl", "verify", *options, str(leaf)], capture_output=True, text=True, check=False
    )
    found = re.search(r"^error (\d+) at (\d+) depth lookup", asked.stderr, re.MULTILINE)
    if found is not None:
        return int(found.group(1)), int(found.group(2))
    assert asked.returncode == 0, (case["id"], asked.stderr)
    return 0, None


@limbo.needs_data
def test_limbo_without_a_connection_gives_what_openssl_verify_gives(tmp_path: Path) -> None:
    """Of every case, at its own time: code and depth of `openssl verify` with the same options."""
    if (reason := _openssl()) is not None:
        pytest.skip(reason)
    differences = {}
    with ThreadPoolExecutor(4) as pool:
        expected = list(
            pool.map(
                lambda place: by_openssl(limbo.CASES[place], tmp_path / str(place)),
                range(len(limbo.CASES)),
            )
        )
    for case, (code, depth) in zip(limbo.CASES, expected, strict=True):
        found = under_crls(case, tmp_path) if case["crls"] else by_function(case)
        if (code, depth) != found[:2]:
            differences[case["id"]] = (code, depth), found[:2]
    assert OTHER_RULES >= differences.keys(), differences
