"""The two chains of one connection, drawn as one tree: the anchor on top, the leaf at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import pairwise

from ._certificate import Certificate
from ._facts import Facts, facts_of
from ._paper import CYAN, DIM, GREEN, YELLOW, Paper, Styled, width_of

LEGEND = (
    ("leaf", "the server's own certificate"),
    ("anchor", "trusted by this client; the verified chain ends here"),
    ("unused", "sent, but no part of the verified chain"),
)
_STYLES = {"leaf": CYAN, "anchor": GREEN, "unused": YELLOW}
_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}
# How many of a certificate's names are worth reading, and how much of one.
_MOST_NAMES = 4
_LONGEST_NAME = 64
# What a line of the tree needs for a name, however deep in it.
_ROOM = 26


@dataclass
class Node:
    """One certificate of the tree.

    Attributes:
        facts: what it says of itself.
        role: "leaf", "anchor", "unused" or "".
        place: which of those sent it is, from 1; 0 where it was not sent.
        issued: those below it.
        label: a short name for it.
        above: the one that it hangs below.
    """

    facts: Facts
    role: str
    place: int
    issued: list[Node] = field(default_factory=list)
    label: str = ""
    above: Node | None = None

    @property
    def name(self) -> str:
        """Its subject, after its label if it has one."""
        return f"{self.label}  {self.facts.subject}" if self.label else self.facts.subject

    def lines(self) -> list[str]:
        """Return what is to be said of it beside its name."""
        facts = self.facts
        sent = f"sent {_ordinal(self.place)}" if self.place else "not sent"
        if facts.problem:
            return [f"{facts.problem} {sent}"]
        said = [f"{facts.key}, {facts.validity(datetime.now(timezone.utc))}, {sent}"]
        if facts.names and self.role != "anchor":
            said.insert(0, f"for {names_text(facts.names)}")
        return said


def _ordinal(place: int) -> str:
    return _ORDINALS.get(place, f"{place}th")


def names_text(names: Sequence[str]) -> str:
    """Return the first few names of a certificate, and how many more there are."""
    shown = [
        name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        for name in names[:_MOST_NAMES]
    ]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(shown) + more


def plant(
    verified: Sequence[Certificate],
    sent: Sequence[Certificate],
    labels: Mapping[Certificate, str] | None = None,
) -> list[Node]:
    """Return the trees that both chains make: the verified one, and what hangs nowhere else.

    What was sent but not verified hangs below what it says issued it. Without a verified chain, as
    after a refusal, that alone makes the trees.
    """
    nodes: dict[Certificate, Node] = {}
    for certificate in (*verified, *sent):
        if certificate not in nodes:
            nodes[certificate] = Node(
                facts_of(certificate),
                _role(certificate, verified, sent),
                sent.index(certificate) + 1 if certificate in sent else 0,
                label=(labels or {}).get(certificate, ""),
            )
    roots = [nodes[verified[-1]]] if verified else []
    for below, above in pairwise(verified):
        _hang(nodes[below], nodes[above])
    by_name: dict[object, Node] = {}
    for node in nodes.values():
        if not node.facts.problem:
            by_name.setdefault(node.facts.subject_name, node)
    for certificate, node in nodes.items():
        if certificate in verified:
            continue
        issuer = None if node.facts.is_self_issued else by_name.get(node.facts.issuer_name)
        if issuer is None or _is_below(issuer, node):
            roots.append(node)
        else:
            _hang(node, issuer)
    return roots


def _hang(node: Node, issuer: Node) -> None:
    node.above = issuer
    issuer.issued.append(node)


def _is_below(node: Node, other: Node) -> bool:
    """Tell whether a node hangs below another, or is it: names may go round in circles."""
    above: Node | None = node
    while above is not None and above is not other:
        above = above.above
    return above is other


def _role(
    certificate: Certificate, verified: Sequence[Certificate], sent: Sequence[Certificate]
) -> str:
    if not verified:
        return "leaf" if certificate == sent[0] else ""
    if certificate not in verified:
        return "unused"
    if certificate == verified[-1]:
        return "anchor"
    return "leaf" if certificate == verified[0] else ""


def walk(roots: Sequence[Node], depth: int = 0) -> Iterator[tuple[int, Node]]:
    """Return every node with its depth, each above those it issued."""
    for node in roots:
        yield depth, node
        yield from walk(node.issued, depth + 1)


def draw(paper: Paper, roots: Sequence[Node], *, indent: int = 2) -> None:
    """Print the certificates of both chains, each below its issuer."""
    deepest = max(0, (paper.width - indent - _ROOM) // 3)
    wanted = max(3 * min(depth, deepest) + width_of(node.name) for depth, node in walk(roots))
    column = min(wanted, paper.width - indent - 2 - max(map(len, _STYLES)))
    for root in roots:
        _draw_node(paper, root, (" " * indent, " " * indent), column + indent, deepest)


def draw_legend(paper: Paper) -> None:
    """Print what the roles mean."""
    paper.line()
    for role, meaning in LEGEND:
        paper.line("  ", Styled(f"{role:8}", _STYLES[role]), meaning) if (
            len(meaning) + 10 <= paper.width
        ) else paper.text(meaning, label=f"{role:8}", indent=2)


def _draw_node(
    paper: Paper, node: Node, before: tuple[str, str], column: int, deepest: int
) -> None:
    """Print a node and what it issued.

    Args:
        paper: where.
        node: what.
        before: what stands before its name, and before every line below that.
        column: where its role stands.
        deepest: how many more levels there is room for; below them the tree grows no wider.
    """
    first, rest = before
    trunk = paper.glyphs.trunk if node.issued and deepest else "   "
    paper.line(
        Styled(first, DIM),
        paper.fit(node.name, column - len(first)),
        "  ",
        Styled(node.role, _STYLES.get(node.role, DIM)),
    )
    for line in node.lines():
        paper.text(line, label=rest + trunk, again=True)
    for child in node.issued:
        last = child is node.issued[-1]
        if deepest:
            branch = paper.glyphs.last if last else paper.glyphs.branch
            below = (rest + branch, rest + ("   " if last else paper.glyphs.trunk))
        else:
            below = (rest, rest)
        _draw_node(paper, child, below, column, max(0, deepest - 1))
