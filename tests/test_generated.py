"""
Generated authorities: namesakes, rollovers, cross-signatures, expired and ill-made certificates.

Some are sent, some are trusted, in whatever holds them. Verdict, code, depth and verified chain are
those of plain `ssl` with the same anchors. `ssl` tells no depth: that is taken from a context of
ours whose anchors all lie in OpenSSL's own store, which has to agree with plain `ssl` for the rest.
"""

from __future__ import annotations

import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import fasttrust
from cases_check import look
from fasttrust import TrustStore
from peer import connect, server_context
from pki import INTERMEDIATE, LEAF, Chain, Issued, Profile, issue, pem
from world import attached, machine_trusts, plain

CLIENT = ssl.PROTOCOL_TLS_CLIENT
MOST_AUTHORITIES = 8
# The same name for X509_NAME_cmp: case, spacing and the type of the string do not count.
SPELLINGS = {
    "alpha": ("Alpha One", "ALPHA one", "  alpha   one "),
    "beta": ("Beta", "beta", "bETa "),
    "gamma": ("Gamma \N{GREEK SMALL LETTER GAMMA}",),
}
STRINGS = ("UTF8String", "PrintableString", "BMPString")
VALID = ((-1, 30),) * 4 + ((-2, 20), (-3, 40), (-30, -1), (-30, -2), (1, 30))
USAGES = (("key_cert_sign", "crl_sign"), ("key_cert_sign",), None, None) * 2
USAGES += (("digital_signature",),)
KEY_IDS = (("subject", "issuer"),) * 3 + ((), ("subject",), ("issuer",), ("subject", "another's"))
HOLDERS = ("store", "file", "second file", "data", "data each")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path)


@dataclass
class World:
    """What is sent, what is trusted by which holder, and how strictly."""

    sent: Chain
    anchors: list[tuple[str, Issued]]
    partial: bool


@st.composite
def profiles(draw: st.DrawFn, number: int) -> Profile:
    """Describe an authority; one in many has something wrong with it."""
    spellings = SPELLINGS[draw(st.sampled_from(sorted(SPELLINGS)))]
    subject = draw(st.sampled_from(spellings))
    is_ca = draw(st.sampled_from([True] * 10 + [False, None]))
    strings = STRINGS if subject.isascii() else ("UTF8String", "BMPString")
    return Profile(
        subject=subject,
        string=draw(st.sampled_from(strings)),
        key=f"pool {draw(st.integers(0, 3))}",
        valid=draw(st.sampled_from(VALID)),
        serial=number + 1,
        ca=is_ca,
        path_length=draw(st.sampled_from([None, None, None, None, 0, 1])) if is_ca else None,
        usage=draw(st.sampled_from(USAGES)),
        key_ids=draw(st.sampled_from(KEY_IDS)),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw authorities, each signed by itself or by an earlier one, and a leaf."""
    authorities: list[Issued] = []
    for number in range(draw(st.integers(1, MOST_AUTHORITIES))):
        profile = draw(profiles(number))
        issuer = draw(st.sampled_from([None, *authorities]))
        authorities.append(issue(f"authority {number}", issuer, profile))
    if draw(st.booleans()):  # a plain one, so that not all of them end at the first defect
        issuer = draw(st.sampled_from(authorities))
        authorities.append(issue("sound authority", issuer, INTERMEDIATE))
    leaf = issue("leaf", draw(st.sampled_from(authorities)), LEAF)
    sent = draw(st.lists(st.sampled_from(authorities), unique_by=id, max_size=MOST_AUTHORITIES))
    trusted = draw(
        st.lists(st.sampled_from([*authorities, leaf]), unique_by=id, max_size=MOST_AUTHORITIES)
    )
    anchors = [(draw(st.sampled_from(HOLDERS)), anchor) for anchor in trusted]
    anchors.sort(key=lambda held: HOLDERS.index(held[0]))
    return World(Chain((leaf, *sent)), anchors, draw(st.booleans()))


def mixture(world: World, folder: Path) -> ssl.SSLContext:
    """Make a context of ours, each anchor where the world says."""
    held = {
        holder: [anchor for its, anchor in world.anchors if its == holder] for holder in HOLDERS
    }
    if held["store"]:
        context = attached(CLIENT, *held["store"])
    else:
        context = fasttrust.SSLContext(CLIENT, trust=TrustStore.none())
    for number, holder in enumerate(("file", "second file")):
        if held[holder]:
            path = folder / f"{number}.pem"
            path.write_text(pem(*held[holder]), "ascii")
            context.load_verify_locations(path)
    if held["data"]:
        context.load_verify_locations(cadata=pem(*held["data"]))
    for anchor in held["data each"]:
        context.load_verify_locations(cadata=anchor.der)
    return context


def verdict(world: World, context: ssl.SSLContext, server: ssl.SSLContext) -> tuple[object, ...]:
    """Return code, depth (None of plain `ssl`) and verified chain of a connection."""
    if world.partial:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    else:
        context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    outcome = connect(context, server, carrier="bio", inspect=look)
    error = outcome.client_error
    if error is None:
        return 0, None, outcome.inspected.verified
    assert isinstance(error, ssl.SSLCertVerificationError), error
    return error.verify_code, getattr(error, "depth", None), ()


# Windows' qsort is not stable, and OpenSSL takes first which of several namesakes it left first.
@pytest.mark.skipif(sys.platform == "win32", reason="two stores of the same anchors differ there")
# How long it takes is bounded by the number of worlds; they are the same in every run.
@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(worlds())
def test_generated_authorities_are_judged_as_by_ssl(tmp_path: Path, world: World) -> None:
    """Whoever is trusted and whatever is sent, we say what plain `ssl` says."""
    server = server_context(world.sent)
    anchors = [anchor for _, anchor in world.anchors]
    # Which of several namesakes an ordinary store takes first is the C library's choice (qsort).
    references = []
    for each in (anchors, anchors[::-1]):
        with_store = verdict(world, attached(CLIENT, *each), server)
        code, _, chain = verdict(world, plain(CLIENT, *each), server)
        assert (code, chain) == (with_store[0], with_store[2])
        references.append(with_store)
    event(f"code {references[0][0]}, {'the same' if references[0] == references[1] else 'either'}")
    assert verdict(world, mixture(world, tmp_path), server) in references
