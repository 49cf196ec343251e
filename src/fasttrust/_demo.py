"""``python -m fasttrust demo``: real TLS servers on loopback, and what becomes of each."""

from __future__ import annotations

import ssl
import sys
from typing import NamedTuple

from . import _demo_cost as cost
from . import _demo_pki as pki
from ._backend import backend
from ._certificate import Certificate
from ._context import SSLContext
from ._default import create_default_context
from ._demo_peer import MESSAGE, Outcome, connect
from ._errors import VerificationError
from ._paper import BOLD, GREEN, RED, Paper, Styled
from ._tree import draw, draw_legend, plant

#: How long each of the two timings takes, in seconds.
_BUDGET = 1.5


class Expected(NamedTuple):
    """What a connection must come to: a code of OpenSSL's, and the alert that tells the server."""

    code: int
    alert: str | None


# The codes are X509_V_ERR_*, the alerts those of RFC 8446, section 6.2.
EXPECTED = {
    "good": Expected(0, None),
    "missing intermediate": Expected(20, "unknown_ca"),
    "expired": Expected(10, "certificate_expired"),
    "not yet valid": Expected(9, "bad_certificate"),
    "wrong host": Expected(62, "bad_certificate"),
    "self-signed": Expected(18, "unknown_ca"),
    "unknown authority": Expected(19, "unknown_ca"),
    "wrong usage": Expected(26, "unsupported_certificate"),
}


def demo() -> int:
    """Show everything, and return the exit status: 1 if anything was not as expected.

    Raises:
        OSError: no server can be started on loopback.
    """
    paper = Paper(sys.stdout)
    made = pki.make()
    client = create_default_context(cadata=made.root.pem)
    mode = backend()
    paper.text(f"fasttrust, {mode.mode} mode: {mode.openssl}")
    paper.text(f"The client trusts one root, Demo Root C, and asks every server for {pki.HOST}.")
    wrong = _show_connections(paper, client, made)
    wrong += _show_chains(paper, client, made)
    _show_costs(paper, client, made)
    paper.line()
    for complaint in wrong:
        paper.text(complaint, label=f"{paper.glyphs.bad} ", style=RED)
    if not wrong:
        paper.text("Everything went as expected.", label=f"{paper.glyphs.good} ", style=GREEN)
    return 1 if wrong else 0


def _show_connections(paper: Paper, client: ssl.SSLContext, made: pki.PKI) -> list[str]:
    paper.heading("Connections")
    wrong = []
    for name, expected in EXPECTED.items():
        outcome = connect(client, pki.server_context(made.chains[name]), pki.HOST)
        _show_outcome(paper, name, outcome)
        wrong += [f"{name}: {complaint}" for complaint in _complaints(outcome, expected)]
    return wrong


def _show_outcome(paper: Paper, name: str, outcome: Outcome) -> None:
    accepted = outcome.error is None
    mark = paper.glyphs.good if accepted else paper.glyphs.bad
    verdict = "accepted" if accepted else "refused"
    paper.line()
    paper.line(Styled(f"{mark} {name}", BOLD), "  ", Styled(verdict, GREEN if accepted else RED))
    error = outcome.error
    if isinstance(error, ssl.SSLCertVerificationError):
        paper.text(f"{error.verify_code}, {error.verify_message}", label="code    ", indent=2)
    elif error is not None:
        paper.text(str(error), label="error   ", indent=2)
    received = len(outcome.server.received)
    alert = f"the alert {outcome.server.alert}" if outcome.server.alert else "no alert"
    paper.text(
        f"the server received {alert} and {received} bytes of the program's",
        label="peer    ",
        indent=2,
    )
    if isinstance(error, VerificationError) and error.hint:
        paper.text(error.hint, label="hint    ", indent=2)


def _complaints(outcome: Outcome, expected: Expected) -> list[str]:
    found = []
    server = outcome.server
    if outcome.code != expected.code:
        found.append(f"code {outcome.code} ({outcome.error}), not {expected.code}")
    if server.alert != expected.alert:
        found.append(f"the server received the alert {server.alert}, not {expected.alert}")
    wanted = MESSAGE if expected.code == 0 else b""
    if server.received != wanted:
        found.append(f"the server received {server.received!r}, not {wanted!r}")
    if server.after_alert:
        found.append(f"{server.after_alert} bytes followed the alert")
    if server.trouble is not None:
        found.append(f"the server failed: {server.trouble!r}")
    return found


def _show_chains(paper: Paper, client: ssl.SSLContext, made: pki.PKI) -> list[str]:
    paper.heading("The two chains of one connection")
    sent = made.chains["L, A, B, C"]
    outcome = connect(client, pki.server_context(sent), pki.HOST)
    labels = {Certificate(issued.der): label for issued, label in zip(sent, "LABC", strict=True)}
    paper.text("The server sends L, A, B and C; L, A and C are verified, B is not needed.")
    paper.line()
    wrong = _complaints(outcome, Expected(0, None))
    if not outcome.sent:
        return [*wrong, "chains: none was captured"]
    draw(paper, plant(outcome.verified, outcome.sent, labels))
    draw_legend(paper)
    for chain, kind, names in (
        (outcome.verified, "verified", "LAC"),
        (outcome.sent, "sent", "LABC"),
    ):
        found = "".join(labels.get(certificate, "?") for certificate in chain)
        if found != names:
            wrong.append(f"chains: {', '.join(found)} {kind}, not {', '.join(names)}")
    return wrong


def _show_costs(paper: Paper, client: ssl.SSLContext, made: pki.PKI) -> None:
    paper.heading("Costs, measured now and in turns")
    paper.text(f"Making contexts and doing handshakes for {2 * _BUDGET:.0f} seconds ...")
    first = cost.first_context()
    contexts = cost.in_turns(
        {
            "bare ssl.SSLContext": lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            "fasttrust.SSLContext": lambda: SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            "ssl.create_default_context": ssl.create_default_context,
            "fasttrust.create_default_context": create_default_context,
        },
        _BUDGET,
    )
    server = pki.server_context(made.chains["good"])
    plain = ssl.create_default_context(cadata=made.root.pem)
    handshakes = cost.in_turns(
        {
            "plain ssl": lambda: cost.handshake(plain, server, pki.HOST),
            "fasttrust": lambda: cost.handshake(client, server, pki.HOST),
        },
        _BUDGET,
    )
    _table(paper, f"a context, median of {contexts.rounds}", contexts, "bare ssl.SSLContext")
    paper.text(f"the first one of this process, which reads the system's store: {_time(first)}")
    _table(paper, f"a handshake, both ends, median of {handshakes.rounds}", handshakes, "plain ssl")


def _table(paper: Paper, title: str, medians: cost.Medians, peer: str) -> None:
    paper.line()
    paper.line(Styled(title, BOLD))
    width = max(map(len, medians.seconds))
    for name, seconds in medians.seconds.items():
        ratio = "" if name == peer else f"  {seconds / medians.seconds[peer]:.2f} of {peer}"
        paper.text(f"{_time(seconds)}{ratio}", label=f"  {name.ljust(width)}  ")


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:8.3f} ms"
