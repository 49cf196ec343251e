"""The two chains of one connection, drawn as one tree: the anchor on top, the leaf at the end."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ._certificate import Certificate, name_text
from ._demo_paper import CYAN, DIM, GREEN, YELLOW, Paper, Styled

LEGEND = (
    ("leaf", "the server's own certificate"),
    ("anchor", "trusted by this client; the verified chain ends here"),
    ("unused", "sent, but no part of the verified chain"),
)
_STYLES = {"leaf": CYAN, "anchor": GREEN, "unused": YELLOW}
_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}
_DAY = 24 * 60 * 60


@dataclass
class _Node:
    certificate: Certificate
    label: str
    role: str
    facts: str
    issued: list[_Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        subject = name_text(self.certificate.get_info()["subject"])
        return f"{self.label}  {subject}" if self.label else subject


def draw(
    paper: Paper,
    verified: Sequence[Certificate],
    sent: Sequence[Certificate],
    labels: Mapping[Certificate, str],
) -> None:
    """Print the certificates of both chains, each below its issuer, and the legend."""
    roots = _plant(verified, sent, labels)
    wanted = max(_widest(root, 0) for root in roots)
    column = min(wanted, paper.width - 4 - max(map(len, _STYLES)))
    for root in roots:
        _draw_node(paper, root, "  ", "  ", column)
    paper.line()
    for role, meaning in LEGEND:
        paper.line("  ", Styled(f"{role:8}", _STYLES[role]), meaning) if (
            len(meaning) + 10 <= paper.width
        ) else paper.text(meaning, label=f"{role:8}", indent=2)


def _plant(
    verified: Sequence[Certificate],
    sent: Sequence[Certificate],
    labels: Mapping[Certificate, str],
) -> list[_Node]:
    nodes: dict[Certificate, _Node] = {}
    for certificate in (*verified, *sent):
        if certificate not in nodes:
            nodes[certificate] = _Node(
                certificate,
                labels.get(certificate, ""),
                _role(certificate, verified),
                _facts(certificate, sent),
            )
    roots = [nodes[verified[-1]]] if verified else []
    for below, above in pairwise(verified):
        nodes[above].issued.append(nodes[below])
    # What was not used hangs below what it says issued it, if that is drawn already: two that
    # issued each other hang nowhere.
    placed = list(verified)
    waiting = [certificate for certificate in nodes if certificate not in verified]
    while waiting:
        certificate = next((one for one in waiting if _issuer(one, placed)), waiting[0])
        issuer = _issuer(certificate, placed)
        siblings = roots if issuer is None else nodes[issuer].issued
        siblings.append(nodes[certificate])
        waiting.remove(certificate)
        placed.append(certificate)
    return roots


def _issuer(certificate: Certificate, among: Iterable[Certificate]) -> Certificate | None:
    name = certificate.get_info()["issuer"]
    return next((one for one in among if one.get_info()["subject"] == name), None)


def _role(certificate: Certificate, verified: Sequence[Certificate]) -> str:
    if certificate not in verified:
        return "unused"
    if certificate == verified[-1]:
        return "anchor"
    return "leaf" if certificate == verified[0] else ""


def _facts(certificate: Certificate, sent: Sequence[Certificate]) -> str:
    place = sent.index(certificate) + 1 if certificate in sent else 0
    order = f"sent {_ORDINALS.get(place, f'{place}th')}" if place else "not sent"
    return f"{_key(certificate)}, {_days(certificate)}, {order}"


def _key(certificate: Certificate) -> str:
    """Return what kind of key it is, as people say it: RSA 2048, EC P-256, Ed25519."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = certificate.to_cryptography().public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC P-{key.key_size}" if key.curve.name.startswith("secp") else key.curve.name
    return type(key).__name__.lstrip("_").removesuffix("PublicKey")


def _days(certificate: Certificate) -> str:
    end = ssl.cert_time_to_seconds(certificate.get_info()["notAfter"])
    left = int((end - time.time()) // _DAY)
    if left < 0:
        return "expired"
    return f"{left} day{'' if left == 1 else 's'} left"


def _widest(node: _Node, depth: int) -> int:
    """Return how wide the names of a subtree are, with what is drawn before them."""
    here = 3 * depth + len(node.name)
    return max([here, *(_widest(child, depth + 1) for child in node.issued)])


def _draw_node(paper: Paper, node: _Node, first: str, rest: str, column: int) -> None:
    """Print a node, ``first`` before its name and ``rest`` before every line below it."""
    below = paper.glyphs.trunk if node.issued else "   "
    paper.line(
        Styled(first, DIM),
        paper.fit(node.name, column + 2 - len(first)),
        "  ",
        Styled(node.role, _STYLES.get(node.role, DIM)),
    )
    paper.text(node.facts, label=rest + below)
    for child in node.issued:
        last = child is node.issued[-1]
        _draw_node(
            paper,
            child,
            rest + (paper.glyphs.last if last else paper.glyphs.branch),
            rest + ("   " if last else paper.glyphs.trunk),
            column,
        )
