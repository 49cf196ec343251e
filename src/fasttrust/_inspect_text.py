"""What came to light about servers, for people."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from ._compare import why
from ._info import Info, Trust
from ._inspect import REFUSED, TRUSTED, UNREACHABLE, Report, Settings
from ._paper import BOLD, GREEN, RED, YELLOW, Paper, Styled
from ._roots import OTHER, Roots
from ._tree import draw, draw_legend, plant

_STYLES = {TRUSTED: GREEN, REFUSED: RED, UNREACHABLE: YELLOW}
_LABEL = 10
_MOST_TEXT = 1000


def show_trust(paper: Paper, trust: Trust, now: datetime) -> None:
    """Print what is trusted and where that comes from."""
    _say(paper, "trust", trust_text(trust, now), style=RED if trust.problem else "", indent=0)


def trust_text(trust: Trust, now: datetime) -> str:
    """Return what is trusted and where that comes from, in a sentence."""
    if trust.problem:
        return f"nothing: {trust.problem}"
    if trust.anchors is None:
        return trust.said
    changed = "" if trust.changed is None else f", changed {trust.changed:%Y-%m-%d %H:%M} UTC"
    ago = "" if trust.changed is None else f" ({_ago(trust.changed, now)})"
    # A variable is said with its value, which is the place.
    places = "" if "=" in trust.said else f" of {', '.join(trust.places)}"
    count = f"{trust.anchors} root{'' if trust.anchors == 1 else 's'}"
    return f"{count}{places}, by {trust.said}{changed}{ago}"


def _ago(then: datetime, now: datetime) -> str:
    days = (now - then).days
    return "today" if days <= 0 else f"{days} day{'' if days == 1 else 's'} ago"


def show_report(paper: Paper, report: Report, roots: Roots, settings: Settings) -> None:
    """Print one server: its verdict, what led to it, and its chains."""
    good = report.verdict == TRUSTED
    mark = paper.glyphs.good if good else paper.glyphs.bad
    paper.line()
    paper.text(
        f"{mark} {_short(str(report.target))}  {report.verdict}", style=_STYLES[report.verdict]
    )
    if report.target.host not in report.target.said:
        _say(paper, "asked for", report.target.said)
    _say(paper, "server", _server(report))
    if not good:
        code = "" if report.code is None else f"{report.code}, "
        depth = f" (depth {report.depth})" if report.depth else ""
        _say(paper, "code" if code else "error", f"{code}{_short(report.error)}{depth}")
        if report.native_code is not None or report.native_message:
            _say(paper, "system", f"{report.native_code}, {report.native_message}")
        if report.verdict == REFUSED:
            _say(paper, "alert", report.alert_sent and f"{report.alert_sent}, sent to the server")
        _say(paper, "hint", _short(report.hint))
    root = roots.of(report)
    if root is not None:
        _say(paper, "root", _short(root.said), style=YELLOW if root.kind == OTHER else "")
    if report.compared:
        _show_comparison(paper, report, settings)
    if report.verified or report.sent:
        paper.line()
        draw(paper, plant(report.verified, report.sent))


def _server(report: Report) -> str:
    facts = [report.address, report.protocol, report.cipher]
    facts.append(f"ALPN {report.alpn}" if report.alpn else "")
    facts.append("asks for a client certificate" if report.asks_for_certificate else "")
    if not any(facts):
        return ""
    return ", ".join(filter(None, [*facts, f"{report.seconds * 1000:.0f} ms"]))


def _show_comparison(paper: Paper, report: Report, settings: Settings) -> None:
    for name, one in report.compared.items():
        code = f"{one.code}, " if one.code else ""
        error = f": {code}{_short(one.error)}" if one.error else ""
        _say(paper, name, f"{one.verdict}{error}", style=_STYLES.get(one.verdict, ""))
    _say(paper, "why", " ".join(why(report.compared, settings)))


def show_summary(paper: Paper, reports: list[Report]) -> None:
    """Print what the roles mean, and how many servers came to which verdict."""
    if any(report.verified for report in reports):
        draw_legend(paper)
    if len(reports) > 1:
        counts = Counter(report.verdict for report in reports)
        parts = [f"{counts[verdict]} {verdict}" for verdict in _STYLES]
        paper.line()
        paper.text(f"{len(reports)} servers: {', '.join(parts)}.", style=BOLD)


def show_info(paper: Paper, info: Info, bundles: tuple[str, str], now: datetime) -> None:
    """Print what a bug report should say."""
    mode = info.backend
    verifier = f"{mode.mode} ({mode.verifier})" if mode.verifier else mode.mode
    date, name = bundles
    age = (now.date() - datetime.fromisoformat(date).date()).days
    rows = [
        ("fasttrust", info.version),
        ("backend", f"{verifier}: {mode.reason}"),
        ("python", info.python),
        ("openssl", info.openssl),
        ("system", info.system),
        ("trust", trust_text(info.trust, now)),
        ("bundles", f"the newest one known is {name} of {date}, {age} days old"),
        *((variable, value or "(empty)") for variable, value in info.environment.items()),
        *(("remark", remark) for remark in info.remarks),
    ]
    for label, text in rows:
        _say(paper, label, text, indent=0)
    if not info.environment:
        _say(paper, "variables", "none is set that changes trust, mode or logging", indent=0)


def _say(paper: Paper, label: str, text: str, *, style: str = "", indent: int = 2) -> None:
    if not text:
        return
    if len(label) > _LABEL:  # a line of its own leaves room for the text
        paper.line(" " * indent, Styled(label, BOLD))
        label = ""
    paper.text(text, label=f"{label:{_LABEL}} ", indent=indent, style=style)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."
