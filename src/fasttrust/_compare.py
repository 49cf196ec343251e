"""What plain ``ssl`` and certifi's roots say of the same server, and why they differ."""

from __future__ import annotations

import functools
import importlib
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

from ._certificate import Certificate
from ._facts import facts_of
from ._inspect import (
    NOT_ASKED,
    REFUSED,
    TRUSTED,
    UNREACHABLE,
    Report,
    Settings,
    look,
    verifying_context,
)
from ._target import Target

OURS = "fasttrust"
_CERTIFI = "certifi"
# X509_V_ERR_*: nobody known issued this.
_NOBODY_KNOWN = (2, 18, 19, 20, 21)


class _Verifier(NamedTuple):
    make: Callable[[], ssl.SSLContext]
    roots: str  # what it trusts, in words


def _certifi() -> str | None:
    """Return where certifi's bundle is; None where certifi is not installed."""
    try:
        where: Any = importlib.import_module("certifi").where
    except ImportError:
        return None
    return str(where())


def _verifiers(settings: Settings) -> dict[str, _Verifier]:
    ours = "what --trust names" if settings.trust is not None else "the system's store"
    paths = ssl.get_default_verify_paths()
    places = [place for place in (paths.cafile, paths.capath) if place]
    own = f"OpenSSL's own places ({', '.join(places) or 'which hold nothing here'})"
    found = {
        OURS: _Verifier(lambda: verifying_context(settings.trust), ours),
        "ssl": _Verifier(ssl.create_default_context, own),
    }
    bundle = _certifi()
    if bundle is not None:
        found[_CERTIFI] = _Verifier(
            lambda: ssl.create_default_context(cafile=bundle), "certifi's bundle"
        )
    return found


def compare(target: Target, settings: Settings, ours: Report) -> dict[str, Report]:
    """Ask the others, each in a verified handshake of its own.

    Returns:
        What each said, our own report first; nothing where the server could not be reached.
    """
    if ours.verdict == UNREACHABLE:
        return {}
    found = {OURS: ours}
    for name, verifier in _verifiers(settings).items():
        if name != OURS:
            found[name] = look(target, settings, verifier.make)
    if _CERTIFI not in found:
        found[_CERTIFI] = Report(target, NOT_ASKED, "not installed here: pip install certifi")
    return found


def why(reports: dict[str, Report], settings: Settings) -> list[str]:
    """Return in sentences why they differ, or that they do not."""
    said = [
        f"{name} got no verdict: {report.error}."
        for name, report in reports.items()
        if report.verdict == UNREACHABLE
    ]
    judged = {name: one for name, one in reports.items() if one.verdict in (TRUSTED, REFUSED)}
    if len({(one.verdict, one.code) for one in judged.values()}) == 1:
        anchors = {one.verified[-1] for one in judged.values() if one.verified}
        return [*said, "They agree." if len(anchors) < 2 else _by_other_roots(judged)]
    accepted = {name: one for name, one in judged.items() if one.verdict == TRUSTED}
    refused = {name: one for name, one in judged.items() if one.verdict == REFUSED}
    if not accepted:
        return [*said, *_other_reasons(refused)]
    anchors = {one.verified[-1] for one in accepted.values() if one.verified}
    for name, report in refused.items():
        said.append(f"{name} {_because(name, report, settings, anchors)}")
    return said


def _by_other_roots(reports: dict[str, Report]) -> str:
    parts = [f"{name} by {_name(one.verified[-1])}" for name, one in reports.items()]
    return f"They agree, by different roots: {', '.join(parts)}."


def _other_reasons(refused: dict[str, Report]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, one in refused.items():
        nobody = one.code in _NOBODY_KNOWN
        reason = "nobody who issued it is trusted" if nobody else one.error.rstrip(".")
        reasons.setdefault(reason, []).append(name)
    return [f"For {' and '.join(names)}: {reason}." for reason, names in reasons.items()]


def _because(name: str, report: Report, settings: Settings, anchors: set[Certificate]) -> str:
    if report.code not in _NOBODY_KNOWN:
        return f"knows the chain's issuers, and refuses for another reason: {report.error}."
    held = _held(name, settings)
    names = " and ".join(sorted(_name(anchor) for anchor in anchors - held))
    if not names:
        return f"holds the root, and found no way to it: {report.error}."
    trusted = _verifiers(settings)[name].roots
    if held:  # some systems list none
        trusted += f", {len(held)} root{'' if len(held) == 1 else 's'}"
    return f"does not know {names}: it trusts {trusted}."


@functools.lru_cache(maxsize=8)
def _held(name: str, settings: Settings) -> frozenset[Certificate]:
    """Return the roots of a verifier; of a directory only what it loaded can be listed."""
    context = _verifiers(settings)[name].make()
    return frozenset(Certificate(der) for der in context.get_ca_certs(True))


def _name(certificate: Certificate) -> str:
    return repr(facts_of(certificate).subject)
