"""Rows that are decided by the name that the client asked for."""

from __future__ import annotations

from typing import Any

from cases_row import BAD_CERTIFICATE, CERTIFICATE_UNKNOWN, Case
from pki import HOST, Chain, intermediate, leaf, root

ROOT = root("root")
ANY_HOST = Chain((leaf("leaf", ROOT),))
WILDCARD = Chain((leaf("wildcard", ROOT, names=("*.example.test",)),))
PARTIAL_LABEL = Chain((leaf("partial label", ROOT, names=("w*.example.test",)),))
MIDDLE_WILDCARD = Chain((leaf("middle wildcard", ROOT, names=("www.*.example.test",)),))
TOP_WILDCARD = Chain((leaf("top wildcard", ROOT, names=("*.test",)),))
ADDRESSES = Chain((leaf("addresses", ROOT, names=("192.0.2.1", "2001:db8::1")),))
ADDRESS_AS_NAME = Chain((leaf("address as name", ROOT, names=("192.0.2.1",), ip_as_name=True),))
ONLY_COMMON_NAME = Chain((leaf("common name", ROOT, subject=HOST, names=()),))
OTHER_COMMON_NAME = Chain((leaf("two names", ROOT, subject=HOST, names=("other.test",)),))
ADDRESS_AND_COMMON_NAME = Chain((leaf("address", ROOT, subject=HOST, names=("192.0.2.1",)),))
NO_NAME = Chain((leaf("no name", ROOT, names=()),))
IDNA = Chain((leaf("idna", ROOT, names=("xn--bcher-kva.example.test",)),))
SEVERAL = Chain((leaf("several", ROOT, names=("a.test", "b.test", "c.test")),))

PERMITTING = intermediate("permitting", ROOT, permitted=("example.test",))
PERMITTED = Chain((leaf("permitted", PERMITTING, names=("www.example.test",)), PERMITTING))
NOT_PERMITTED = Chain((leaf("not permitted", PERMITTING, names=(HOST,)), PERMITTING))
PARTLY_PERMITTED = Chain(
    (leaf("partly permitted", PERMITTING, names=("www.example.test", HOST)), PERMITTING)
)
EXCLUDING = intermediate("excluding", ROOT, excluded=("example.test",))
EXCLUDED = Chain((leaf("excluded", EXCLUDING, names=("www.example.test",)), EXCLUDING))
NOT_EXCLUDED = Chain((leaf("not excluded", EXCLUDING, names=(HOST,)), EXCLUDING))
PERMITTING_ROOT = root("permitting root", permitted=("example.test",))
NOT_PERMITTED_BY_ROOT = Chain((leaf("outside", PERMITTING_ROOT, names=(HOST,)),))


def fits(name: str, sentence: str, sent: Chain, host: str | None, **changes: Any) -> Case:
    """Make a row whose name fits, or does not matter."""
    verified = (*sent.names, "root")
    return Case(name, sentence, sent, (ROOT,), server_hostname=host, verified=verified, **changes)


def wrong(name: str, sentence: str, sent: Chain, host: str, **changes: Any) -> Case:
    """Make a row whose name is wrong: 62, or 64 for an address."""
    expected = {"code": 62, "depth": 0, "alert": BAD_CERTIFICATE, **changes}
    return Case(name, sentence, sent, (ROOT,), server_hostname=host, **expected)


NAME_CASES = (
    fits("one-of-several-names", "Any of a leaf's names will do.", SEVERAL, "b.test"),
    fits("name-in-other-case", "Names are compared without regard to case.", SEVERAL, "B.Test"),
    wrong("wrong-host", "A leaf for another host is refused.", ANY_HOST, "other.test"),
    wrong(
        "subdomain-of-host",
        "A name does not cover what is below it.",
        ANY_HOST,
        "www.server.test",
    ),
    wrong("no-name-at-all", "A leaf without any name is for no host.", NO_NAME, HOST),
    fits("wildcard", "A wildcard stands for one label.", WILDCARD, "www.example.test"),
    wrong(
        "wildcard-two-labels",
        "A wildcard does not stand for two labels.",
        WILDCARD,
        "a.b.example.test",
    ),
    wrong(
        "wildcard-no-label",
        "A wildcard does not stand for nothing.",
        WILDCARD,
        "example.test",
    ),
    wrong(
        "wildcard-partial-label",
        "A wildcard is a whole label, never a part of one.",
        PARTIAL_LABEL,
        "www.example.test",
    ),
    wrong(
        "wildcard-in-the-middle",
        "A wildcard is the first label.",
        MIDDLE_WILDCARD,
        "www.a.example.test",
    ),
    wrong(
        "wildcard-below-top",
        "A wildcard right below a top-level domain stands for nothing.",
        TOP_WILDCARD,
        HOST,
    ),
    fits("address-v4", "An IPv4 address is found among the names.", ADDRESSES, "192.0.2.1"),
    fits(
        "address-v6",
        "An IPv6 address is found however it is written.",
        ADDRESSES,
        "2001:db8:0:0::1",
    ),
    wrong("wrong-address", "Another address is refused.", ADDRESSES, "192.0.2.2", code=64),
    wrong(
        "address-as-name",
        "An address that the leaf gives as a DNS name is no address.",
        ADDRESS_AS_NAME,
        "192.0.2.1",
        code=64,
    ),
    wrong("address-for-host", "A leaf with names only has no address.", ANY_HOST, "::1", code=64),
    fits(
        "common-name-only",
        "By default a leaf without DNS names may have its host as common name.",
        ONLY_COMMON_NAME,
        HOST,
    ),
    wrong(
        "common-name-not-checked",
        "With hostname_checks_common_name False the common name does not count.",
        ONLY_COMMON_NAME,
        HOST,
        common_name=False,
    ),
    wrong(
        "common-name-beside-names",
        "Where there are DNS names the common name does not count.",
        OTHER_COMMON_NAME,
        HOST,
    ),
    fits(
        "common-name-beside-address",
        "Addresses are no DNS names: the common name still counts.",
        ADDRESS_AND_COMMON_NAME,
        HOST,
    ),
    fits("idna", "An umlaut in a host is looked for by its A-label.", IDNA, "bücher.example.test"),
    wrong("idna-mismatch", "Another umlaut is another host.", IDNA, "bächer.example.test"),
    fits(
        "no-name-check",
        "Without check_hostname a leaf for another host is accepted.",
        ANY_HOST,
        "other.test",
        check_hostname=False,
    ),
    fits(
        "no-name-asked",
        "Without check_hostname no name need be asked for.",
        ANY_HOST,
        None,
        check_hostname=False,
    ),
    fits(
        "name-constraints-permitted",
        "A CA may issue for the names it is permitted.",
        PERMITTED,
        "www.example.test",
    ),
    wrong(
        "name-constraints-not-permitted",
        "A CA may issue for no other names.",
        NOT_PERMITTED,
        HOST,
        code=47,
        alert=CERTIFICATE_UNKNOWN,
    ),
    wrong(
        "name-constraints-partly-permitted",
        "One name too many spoils the others.",
        PARTLY_PERMITTED,
        "www.example.test",
        code=47,
        alert=CERTIFICATE_UNKNOWN,
    ),
    wrong(
        "name-constraints-excluded",
        "A CA may not issue for the names it is denied.",
        EXCLUDED,
        "www.example.test",
        code=48,
        alert=CERTIFICATE_UNKNOWN,
    ),
    fits(
        "name-constraints-not-excluded",
        "A CA may issue for the names it is not denied.",
        NOT_EXCLUDED,
        HOST,
    ),
    Case(
        name="name-constraints-of-root",
        sentence="The constraints of a trusted root hold as well.",
        sent=NOT_PERMITTED_BY_ROOT,
        anchors=(PERMITTING_ROOT,),
        code=47,
        depth=0,
        alert=CERTIFICATE_UNKNOWN,
    ),
)
