"""A chain without a connection beside pyOpenSSL, ``cryptography`` and the floor; how cost grows.

A server's chain below one of the bundle's anchors, which each peer has read before. Each peer's own
objects are there already in one form ("parsed"); in the other the chain comes in DER. Ours checks
the name, the purpose, and the policy of ``create_default_context()``; ``cryptography`` the name and
the web's policy; pyOpenSSL no name and no purpose. The two bring an OpenSSL of their own, of
whatever version: Python's may be older. The floor is ``X509_verify_cert`` of Python's, with name
and purpose.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from . import floor, harness, stats, world
from .harness import Bench, Task, expect
from .peers import PYOPENSSL
from .stats import OURS, Row

TITLE = "a chain without a connection; growth by length, anchors, names"
CRYPTOGRAPHY = "cryptography"
FORMS = ("parsed", "DER")
NOTES = {
    PYOPENSSL: "checks no name and no purpose; an OpenSSL of its own",
    CRYPTOGRAPHY: "the web's policy; a verifier for each call, which has its name and time; an"
    " OpenSSL of its own",
    floor.FLOOR: "Python's OpenSSL alone",
}
TARGETS = {PYOPENSSL: 1.0, CRYPTOGRAPHY: 1.0}
#: How each says no.
REFUSALS = ("VerificationError", "X509StoreContextError", "RefusedError")
FORBIDDEN = "Ed25519"  # by the web's policy
ANCHORS = (10, 150, 1000)
WHY_FLOOR = "Python's OpenSSL is older and takes what the floor shows; beyond that it is "
WHY = (
    " 100,000 instructions, a"
    " third of them for the connection that is asked, which one kept between calls would save"
)


def run(bench: Bench) -> Iterator[Row]:
    import fasttrust

    if fasttrust.backend().mode != "native":
        yield stats.absent("verify_chain", "all", "NotImplementedError in compat mode")
        return
    for key in list(world.KEYS)[: 1 if bench.fast else None]:
        for form in FORMS:
            case = f"{key}, {form}"
            yield from _case(bench, f"verify_chain: {case}", world.chain_name(key), form)
            if key == FORBIDDEN:
                why = "its policy, the web's, forbids Ed25519"
                yield stats.absent(f"verify_chain: {case}", CRYPTOGRAPHY, why)
            figure = f"verify_chain, instructions: {case}"
            if missing := harness.uncounted(figure):
                yield from missing
                continue
            chain = world.chain_name(key)
            runs = bench.count(figure, "verify:peers", chain, form, world.BUNDLE_SIZE)
            yield from _beside(figure, "instructions", runs)
    yield from _growth(bench)
    if why := floor.why_not():
        yield stats.absent("verify_chain", floor.FLOOR, why)
    yield from harness.missing("verify_chain", "OpenSSL", "cryptography")


def _growth(bench: Bench) -> Iterator[Row]:
    ways = [
        ("certificates in the chain", world.LENGTHS[1:]),
        ("anchors", ANCHORS),
        ("names in the leaf", world.NAMES),
    ]
    for what, numbers in ways:
        plot = f"verify by {what}"
        texts = (f"verify_chain by {what}, parsed before", what, "µs")
        for number in (numbers[0], numbers[-1]) if bench.fast else numbers:
            chain, anchors = world.chain_name(), world.BUNDLE_SIZE
            if what == "anchors":
                anchors = number
                world.write_bundle(number)
            elif what == "names in the leaf":
                chain = world.chain_name(names=number)
            else:
                chain = world.chain_name(length=number)
            figure = f"verify_chain, {number} {what}"
            yield from _case(bench, figure, chain, "parsed", anchors)
            bench.line(plot, texts, number, bench.values[figure])


def _case(
    bench: Bench, figure: str, chain: str, form: str, anchors: int = world.BUNDLE_SIZE
) -> list[Row]:
    return _beside(figure, "µs", bench.time(figure, "verify:peers", chain, form, anchors))


def _beside(figure: str, unit: str, runs: list[stats.Values]) -> list[Row]:
    rows = stats.all_beside(figure, unit, runs, targets=TARGETS, notes=NOTES)
    why = f"{WHY_FLOOR if floor.FLOOR in runs[0] else ''}{WHY}"
    return stats.explain(rows, dict.fromkeys(TARGETS, why))


def peers(chain: str, form: str, anchors: int) -> Task:
    """Return a call of each peer, which verifies; each has refused without the anchors before."""
    sent, bundle, is_parsed = world.sent(chain), world.bundle(anchors), form == "parsed"
    unknown = world.sent(world.UNKNOWN)
    makers = {OURS: _ours}
    if harness.installed("OpenSSL"):
        makers[PYOPENSSL] = _pyopenssl
    if harness.installed("cryptography") and not chain.startswith(FORBIDDEN):
        makers[CRYPTOGRAPHY] = _cryptography
    if not floor.why_not():
        makers[floor.FLOOR] = _floor
    calls = {name: make(bundle, sent, is_parsed) for name, make in makers.items()}

    def prove() -> None:
        for name, make in makers.items():
            expect(_refuses(make(bundle, unknown, is_parsed)), f"{name} accepts an unknown root")
            wrong = _refuses(make(bundle, sent, is_parsed, "wrong.test"))
            expect(wrong or name == PYOPENSSL, f"{name} accepts wrong.test")
            expect(not _refuses(calls[name]), f"{name} refuses {chain}")

    return Task(calls, prove)


def _refuses(call: Any) -> bool:
    """Tell whether the call refuses a chain; whatever else it fails by is a failure."""
    try:
        call()
    except Exception as error:
        if type(error).__name__ in REFUSALS:
            return True
        raise
    return False


def _ours(bundle: Path, chain: list[bytes], is_parsed: bool, host: str = world.HOST) -> Any:
    import fasttrust

    trust = fasttrust.TrustStore.from_pem_file(bundle)
    sent: Any = [fasttrust.Certificate(der) for der in chain] if is_parsed else chain
    verify, expected = fasttrust.verify_chain, len(chain) + 1
    return lambda: expect(
        len(verify(sent, server_hostname=host, trust=trust)) == expected, "another chain"
    )


def _pyopenssl(bundle: Path, chain: list[bytes], is_parsed: bool, _: str = "") -> Any:
    crypto: Any = import_module("OpenSSL.crypto")
    store = crypto.X509Store()
    store.load_locations(str(bundle))

    def parse() -> list[Any]:
        return [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]

    def verify(leaf: Any, *others: Any) -> None:
        found = crypto.X509StoreContext(store, leaf, list(others)).get_verified_chain()
        expect(len(found) == len(chain) + 1, "another chain")

    sent = parse()
    return lambda: verify(*sent) if is_parsed else verify(*parse())


def _cryptography(bundle: Path, chain: list[bytes], is_parsed: bool, host: str = world.HOST) -> Any:
    x509: Any = import_module("cryptography.x509")
    verification: Any = import_module("cryptography.x509.verification")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some public roots have serial numbers of old habits
        store = verification.Store(x509.load_pem_x509_certificates(bundle.read_bytes()))
    name = x509.DNSName(host)
    depth = max(8, len(chain))  # its default is 8 intermediates
    builder = verification.PolicyBuilder().store(store).max_chain_depth(depth)

    def parse() -> list[Any]:
        return [x509.load_der_x509_certificate(der) for der in chain]

    def verify(leaf: Any, *others: Any) -> None:
        found = builder.build_server_verifier(name).verify(leaf, list(others))
        expect(len(found) == len(chain) + 1, "another chain")

    sent = parse()
    return lambda: verify(*sent) if is_parsed else verify(*parse())


def _floor(bundle: Path, chain: list[bytes], is_parsed: bool, host: str = world.HOST) -> Any:
    return floor.verifying(bundle, chain, is_parsed, host, len(chain) + 1)
