"""Whose root a chain ends at: one of the public ones, or somebody else's (interception)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ._bundles import published_in
from ._facts import Facts, facts_of
from ._inspect import REFUSED, TRUSTED, Report
from ._trust import TrustStore

PUBLIC, OTHER, UNKNOWN = "public", "not public", "unknown"

_SOMEBODY = (
    "It is a private authority, or something between you and the server that opens its "
    "connections (a company's proxy, an antivirus program)."
)


@dataclass(frozen=True)
class Root:
    """Where a chain ends.

    Attributes:
        kind: PUBLIC, OTHER, or UNKNOWN where the root itself was not there to be looked at.
        subject: its name, or the name of whom the chain says is next.
        said: all of it as a sentence.
    """

    kind: str
    subject: str
    said: str


class Roots:
    """Tells of chains where they end.

    Args:
        trust: whose anchors count as known by their names.
    """

    def __init__(self, trust: TrustStore) -> None:
        self._trust = trust
        self._by_name: dict[object, Facts] | None = None

    def of(self, report: Report) -> Root | None:
        """Return the root of a connection's chain; None where there is no chain."""
        if report.verdict == TRUSTED and report.verified:
            root = _judged(facts_of(report.verified[-1]), "")
            # A refusal's hint says this where it matters.
            return replace(root, said=f"{root.said}. {_SOMEBODY}") if root.kind == OTHER else root
        if report.verdict == REFUSED and report.sent:
            return self._claimed([facts_of(certificate) for certificate in report.sent])
        return None

    def _claimed(self, chain: list[Facts]) -> Root:
        """Return where a chain says it ends, which nothing has verified."""
        last = _last(chain)
        if last.problem:
            return Root(UNKNOWN, "", f"the chain cannot be read: {last.problem}")
        if last.is_self_issued:
            return _judged(last, " (as it was sent: nothing is verified)")
        known = self._anchors().get(last.issuer_name)
        if known is not None:
            return _judged(known, " (by its name alone: nothing is verified)")
        said = f"unknown: above {last.issuer}, which was not sent and is not trusted here"
        return Root(UNKNOWN, last.issuer, said)

    def _anchors(self) -> dict[object, Facts]:
        if self._by_name is None:
            try:
                facts = [facts_of(certificate) for certificate in self._trust]
            except TypeError:  # a system whose anchors nobody can list
                facts = []
            self._by_name = {each.subject_name: each for each in facts if not each.problem}
        return self._by_name


def _last(chain: list[Facts]) -> Facts:
    """Follow issuers from the leaf through what was sent; the first that nobody sent ends it."""
    current, left = chain[0], chain[1:]
    while not current.is_self_issued:
        issuer = next((facts for facts in left if facts.issued(current)), None)
        if issuer is None:
            break
        left.remove(issuer)
        current = issuer
    return current


def _judged(root: Facts, how: str) -> Root:
    bundle = published_in(bytes(root.certificate))
    if bundle:
        said = f"public: {root.subject}{how}; the newest bundle with it is {bundle}"
        return Root(PUBLIC, root.subject, said)
    return Root(OTHER, root.subject, f"not a public one: {root.subject}{how}")
