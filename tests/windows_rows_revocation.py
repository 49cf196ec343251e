"""What Windows says of who may be revoked: by lists on loopback, and by the program's own."""

from __future__ import annotations

import base64

from pki import Chain, crl, intermediate, leaf
from windows_row import (
    CRL_CHAIN,
    CRL_LEAF,
    HARD,
    NO_CHECK,
    NO_LIST_COUNTS,
    OF_A,
    OF_ROOT,
    OFFLINE,
    OTHER_NUMBER,
    REVOKED,
    ROOT,
    SITE,
    SOFT,
    A,
    Row,
)


def _listed(name: str, *, revoked: bool, there: bool = True) -> Chain:
    """Make a leaf whose revocation list is at an address of its own."""
    issued = leaf(f"windows {name}", ROOT, crl_url=SITE.address(f"{name}.crl"))
    if there:
        text = crl(ROOT, (issued,) if revoked else ())
        SITE.serve(f"{name}.crl", base64.b64decode("".join(text.splitlines()[1:-1])))
    return Chain((issued,))


def _listed_chain(name: str, *, revoked: bool) -> Chain:
    """Make an intermediate that is revoked or not, with a leaf that is not, and both lists."""
    pages = {of: f"{name}-{of}.crl" for of in ("root", "own")}
    middle = intermediate(f"windows {name} A", ROOT, crl_url=SITE.address(pages["root"]))
    issued = leaf(f"windows {name}", middle, crl_url=SITE.address(pages["own"]))
    lists = {"root": crl(ROOT, (middle,) if revoked else ()), "own": crl(middle)}
    for of, text in lists.items():
        SITE.serve(pages[of], base64.b64decode("".join(text.splitlines()[1:-1])))
    return Chain((issued, middle))


REVOCATION = (
    Row("revoked-not-asked", _listed("not-asked", revoked=True)),
    Row(
        "revoked",
        _listed("revoked", revoked=True),
        23,
        native=(REVOKED,),
        flags=CRL_LEAF,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "revoked-hard",
        _listed("revoked-hard", revoked=True),
        23,
        native=(REVOKED,),
        policy=HARD,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
        fetched=("revoked-hard.crl",),
    ),
    Row(
        "revoked-soft",
        _listed("revoked-soft", revoked=True),
        23,
        native=(REVOKED,),
        policy=SOFT,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "not-revoked",
        _listed("not-revoked", revoked=False),
        flags=CRL_LEAF,
        fetched=("not-revoked.crl",),
    ),
    Row("not-revoked-hard", _listed("not-revoked-hard", revoked=False), policy=HARD),
    Row(
        "no-network-soft", _listed("offline-soft", revoked=True), policy={**SOFT, "network": False}
    ),
    Row(
        "no-network-hard",
        _listed("offline-hard", revoked=True),
        3,
        native=(OFFLINE,),
        policy={**HARD, "network": False},
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "list-missing-hard",
        _listed("missing-hard", revoked=False, there=False),
        3,
        native=(OFFLINE,),
        policy=HARD,
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    Row("list-missing-soft", _listed("missing-soft", revoked=False, there=False), policy=SOFT),
    Row(
        "no-list-named-hard",
        Chain((OF_ROOT,)),
        3,
        native=(NO_CHECK,),
        policy=HARD,
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    Row("no-list-named-soft", Chain((OF_ROOT,)), policy=SOFT),
    Row(
        "intermediate-without-list-hard",
        Chain((OF_A, A)),
        3,
        None,
        (NO_CHECK,),
        policy=HARD,
        wine=(3, 0x800B010E),
        deviation=OTHER_NUMBER,
    ),
    # The intermediate's turn, which VERIFY_CRL_CHECK_LEAF does not ask about.
    Row(
        "intermediate-not-revoked",
        _listed_chain("chain-good", revoked=False),
        flags=CRL_LEAF | CRL_CHAIN,
        fetched=("chain-good-root.crl", "chain-good-own.crl"),
    ),
    Row(
        "intermediate-revoked",
        _listed_chain("chain", revoked=True),
        23,
        1,
        (REVOKED,),
        flags=CRL_LEAF | CRL_CHAIN,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "intermediate-revoked-hard",
        _listed_chain("chain-hard", revoked=True),
        23,
        1,
        (REVOKED,),
        policy=HARD,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "intermediate-revoked-soft",
        _listed_chain("chain-soft", revoked=True),
        23,
        1,
        (REVOKED,),
        policy=SOFT,
        wine=(23, 0x800B010C),
        deviation=OTHER_NUMBER,
    ),
    Row(
        "intermediate-revoked-leaf-asked",
        _listed_chain("chain-leaf", revoked=True),
        flags=CRL_LEAF,
        fetched=("chain-leaf-own.crl",),
    ),
    # VERIFY_CRL_CHECK_* where the system does not know: the program's lists decide.
    Row("nobody-knows", Chain((OF_ROOT,)), 3, flags=CRL_LEAF, alone=NO_LIST_COUNTS),
    Row("own-list", Chain((OF_ROOT,)), flags=CRL_LEAF, crls=(crl(ROOT),), alone=NO_LIST_COUNTS),
    Row(
        "revoked-by-own-list",
        Chain((OF_ROOT,)),
        23,
        flags=CRL_LEAF,
        crls=(crl(ROOT, (OF_ROOT,)),),
        alone=NO_LIST_COUNTS,
    ),
    Row(
        "intermediate-revoked-by-own-list",
        Chain((OF_A, A)),
        23,
        1,
        flags=CRL_LEAF | CRL_CHAIN,
        crls=(crl(A), crl(ROOT, (A,))),
        alone=NO_LIST_COUNTS,
    ),
)
TWICE = _listed("twice", revoked=True)
