"""Figure 5: ``verify_chain`` beside pyOpenSSL and ``cryptography``: one chain, the same anchors.

A server's chain of three, two of them sent, below one of the bundle's anchors, which each peer has
read before. Each peer's own objects are there already in one row ("parsed"); in the other the chain
comes in DER. Ours checks the name, the purpose, and the policy of ``create_default_context()``;
``cryptography`` the name and the web's policy; pyOpenSSL no name. The two bring an OpenSSL of their
own, of whatever version: Python's may be older.
"""

from __future__ import annotations

import ssl
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import fasttrust

from . import harness, world
from .harness import Bench, Peers, Row, Values

TITLE = "a chain without a connection"
CALLS = 60
OURS, PYOPENSSL, CRYPTOGRAPHY = "fasttrust", "pyOpenSSL", "cryptography"
FORMS = ("parsed", "DER")


def run(bench: Bench) -> list[Row]:
    rows = []
    for key in world.KEYS:
        folder = str(bench.folder / key)
        for form in FORMS:
            figure = f"verify_chain, {key}, {form}"
            timed = bench.time(figure, "verify:timings", folder, form, bench.rounds)
            rows += _beside(figure, "µs", timed)
            if bench.fast and key != "P-256":
                continue  # a process for each number, each of which reads the bundle
            figure += ", instructions"
            if absent := harness.no_valgrind(figure):
                rows += absent
                continue
            names = list(timed[0])
            counted = bench.count(figure, "verify:repeat", CALLS, names, folder, form)
            rows += _beside(figure, "instructions", counted)
    return [*rows, *harness.missing(TITLE, "OpenSSL"), *harness.missing(TITLE, "cryptography")]


def _beside(figure: str, unit: str, runs: list[Values]) -> list[Row]:
    """Return a row for each peer, with what ours takes as a share of it."""
    return [
        harness.row(
            figure,
            peer if peer == OURS else f"{peer}; ours in parts of it",
            unit,
            [value for run in runs for value in run[peer]],
            ratios=()
            if peer == OURS
            else harness.paired(runs, lambda one, peer=peer: one[OURS] / one[peer]),
            at_most=None if peer == OURS else 1.0,
        )
        for peer in runs[0]
    ]


def timings(folder: str, form: str, rounds: int) -> Values:
    return harness.interleave(peers(Path(folder), form), rounds)


def repeat(name: str, calls: int, folder: str, form: str) -> None:
    call = peers(Path(folder), form)[name]
    for _ in range(calls):
        call()


def peers(folder: Path, form: str) -> Peers:
    """Return a call of each peer; each verifies, and answers with a chain of three."""
    text = (folder / "chain.pem").read_text("ascii")
    chain = [ssl.PEM_cert_to_DER_cert(part + world.END) for part in text.split(world.END)[:-1]]
    bundle = folder.parent / "bundle.pem"
    makers = {OURS: _ours}
    if harness.installed("OpenSSL"):
        makers[PYOPENSSL] = _pyopenssl
    if harness.installed("cryptography"):
        makers[CRYPTOGRAPHY] = _cryptography
    calls = {name: make(bundle, chain, form == "parsed") for name, make in makers.items()}
    for name, call in calls.items():
        if len(call()) != 3:
            raise RuntimeError(f"{name} gives another chain")
    return calls


def _ours(bundle: Path, chain: list[bytes], is_parsed: bool) -> Any:
    trust = fasttrust.TrustStore.from_pem_file(bundle)
    sent: Any = [fasttrust.Certificate(der) for der in chain] if is_parsed else chain
    return lambda: fasttrust.verify_chain(sent, server_hostname=world.HOST, trust=trust)


def _pyopenssl(bundle: Path, chain: list[bytes], is_parsed: bool) -> Any:
    crypto: Any = import_module("OpenSSL.crypto")
    store = crypto.X509Store()
    store.load_locations(str(bundle))

    def parse() -> list[Any]:
        return [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]

    def verify(leaf: Any, *others: Any) -> Any:
        return crypto.X509StoreContext(store, leaf, list(others)).get_verified_chain()

    sent = parse()
    return lambda: verify(*sent) if is_parsed else verify(*parse())


def _cryptography(bundle: Path, chain: list[bytes], is_parsed: bool) -> Any:
    x509: Any = import_module("cryptography.x509")
    verification: Any = import_module("cryptography.x509.verification")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some public roots have serial numbers of old habits
        store = verification.Store(x509.load_pem_x509_certificates(bundle.read_bytes()))
    name = x509.DNSName(world.HOST)

    def parse() -> list[Any]:
        return [x509.load_der_x509_certificate(der) for der in chain]

    def verify(leaf: Any, *others: Any) -> Any:
        builder = verification.PolicyBuilder().store(store)
        return builder.build_server_verifier(name).verify(leaf, list(others))

    sent = parse()
    return lambda: verify(*sent) if is_parsed else verify(*parse())
