"""The same for programs: objects that ``json`` writes, in ASCII alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ._certificate import Certificate
from ._compare import why
from ._facts import facts_of
from ._info import Info, Trust
from ._inspect import Report, Settings
from ._roots import Roots


def inspect_json(
    trust: Trust, reports: Sequence[Report], roots: Roots, settings: Settings, now: datetime
) -> str:
    """Return everything about servers, in the order in which they were named."""
    servers = [_report(report, roots, settings, now) for report in reports]
    return json.dumps({"trust": _trust(trust), "servers": servers}, indent=2)


def info_json(info: Info, bundles: tuple[str, str]) -> str:
    """Return what a bug report should say."""
    date, name = bundles
    return json.dumps(
        {
            "fasttrust": info.version,
            "backend": info.backend._asdict(),
            "python": info.python,
            "openssl": info.openssl,
            "system": info.system,
            "trust": _trust(info.trust),
            "public_bundles": {"newest": name, "date": date},
            "environment": info.environment,
            "remarks": list(info.remarks),
        },
        indent=2,
    )


def _trust(trust: Trust) -> dict[str, Any]:
    return {
        "chosen_by": trust.said,
        "places": list(trust.places),
        "anchors": trust.anchors,
        "changed": _date(trust.changed),
        "problem": trust.problem or None,
    }


def _report(report: Report, roots: Roots, settings: Settings, now: datetime) -> dict[str, Any]:
    root = roots.of(report)
    found = {
        "host": report.target.host,
        "port": report.target.port,
        "said": report.target.said,
        **_verdict(report),
        "depth": report.depth,
        "native_code": report.native_code,
        "native_message": report.native_message or None,
        "hint": report.hint or None,
        "alert_sent": report.alert_sent or None,
        "alert_received": report.alert_received or None,
        "address": report.address or None,
        "protocol": report.protocol or None,
        "cipher": report.cipher or None,
        "alpn": report.alpn or None,
        "asks_for_certificate": report.asks_for_certificate,
        "seconds": round(report.seconds, 6),
        "root": root and {"kind": root.kind, "subject": root.subject, "said": root.said},
        "verified": [_certificate(each, now) for each in report.verified],
        "sent": [_certificate(each, now) for each in report.sent],
    }
    if report.compared:
        found["compare"] = {name: _verdict(one) for name, one in report.compared.items()}
        found["why"] = why(report.compared, settings)
    return found


def _verdict(report: Report) -> dict[str, Any]:
    return {"verdict": report.verdict, "code": report.code, "error": report.error or None}


def _certificate(certificate: Certificate, now: datetime) -> dict[str, Any]:
    facts = facts_of(certificate)
    sha256 = certificate.fingerprint().hex()
    if facts.problem:
        return {"problem": facts.problem, "sha256": sha256}
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "names": list(facts.names),
        "key": facts.key,
        "serial": facts.serial,
        "not_before": _date(facts.begins),
        "not_after": _date(facts.ends),
        "days_left": facts.days_left(now),
        "sha256": sha256,
    }


def _date(date: datetime | None) -> str | None:
    return None if date is None else date.isoformat().replace("+00:00", "Z")
