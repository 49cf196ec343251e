"""What the platform is asked, and what is asked of its answers."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from telling import (
    HEARS_NAMES,
    LEAF,
    ROOT,
    STRANGER,
    TOLD_TESTS,
    WHOLE,
    A,
    accepted,
    ask,
    client,
    ders_of,
    heard,
    refused,
    says,
)

import fasttrust
from fasttrust import _native
from pki import HOST, NOW, Chain, Issued, crl, intermediate, leaf, root
from world import ders

pytestmark = TOLD_TESTS


def test_question_says_what_the_connection_wants() -> None:
    """The platform is told name, side, flags, policy and time."""
    says(20)
    at = NOW.replace(tzinfo=datetime.timezone.utc)
    context = client(network=False, revocation="hard", timeout=1.5, at_time=at)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    ask(context)
    question = heard()
    name = HOST if HEARS_NAMES else ""
    assert (name, False) == (_native.ffi.string(question.host).decode(), question.host_is_address)
    assert (2, True, True, False) == (
        question.num_certs,
        question.is_server,
        question.check_leaf,
        question.check_chain,
    )
    assert (True, int(at.timestamp())) == (question.has_time, question.time)
    policy = question.policy
    assert (_native.REVOCATION["hard"], False, 1500) == (
        policy.revocation,
        policy.network,
        policy.timeout_ms,
    )
    ask(client(), host="127.0.0.1")
    assert ("127.0.0.1" if HEARS_NAMES else "", HEARS_NAMES) == (
        _native.ffi.string(heard().host).decode(),
        heard().host_is_address,
    )


@pytest.mark.parametrize(("valid", "expected"), [((1, 9), 9), ((-9, -1), 10)])
@pytest.mark.parametrize("said", [9, 10])
def test_dates_are_told_apart_by_the_certificates(
    valid: tuple[float, float], expected: int, said: int
) -> None:
    """Apple says expired for both."""
    says(said)
    outcome = ask(client(), Chain((leaf(f"dated {valid}", A, valid=valid), A)))
    assert expected == refused(outcome)


def test_time_is_the_contexts() -> None:
    """A certificate that was valid then is accepted then, and only then."""
    old = leaf("old", A, valid=(-9, -5))
    says(0, (old, A, ROOT))
    assert 10 == refused(ask(client(), Chain((old, A))))
    root_then = root("root then", valid=(-20, 20))
    a_then = intermediate("A then", root_then, valid=(-20, 20))
    old = leaf("old then", a_then, valid=(-9, -5))
    says(0, (old, a_then, root_then))
    context = client(at_time=NOW - datetime.timedelta(days=7))
    assert 3 == len(accepted(ask(context, Chain((old, a_then)))))


@pytest.mark.parametrize("own", [(), (STRANGER,)], ids=["none", "an anchor"])
def test_platform_is_told_where_there_may_be_lists(own: tuple[Issued, ...], tmp_path: Path) -> None:
    """Anchors of the program's are no CRLs: the platform alone can know, and must, until it has."""
    context = client(*own)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    says(0, WHOLE, revocation_checked=True)
    assert ders_of(WHOLE) == accepted(ask(context))
    assert not heard().own_crls
    lists = tmp_path / "lists.pem"
    lists.write_text(crl(A), "ascii")
    context.load_verify_locations(lists)
    assert ders_of(WHOLE) == accepted(ask(context))
    assert heard().own_crls


def test_store_that_cannot_be_listed_says_so() -> None:
    """A list would be a lie."""
    for question in (len, list, iter):
        with pytest.raises(TypeError, match="cannot be listed"):
            question(fasttrust.TrustStore.system())  # type: ignore[operator]
    assert [] == client().get_ca_certs()
    assert 0 == client().cert_store_stats()["x509"]


def test_chain_without_connection_walks_the_same_road() -> None:
    """verify_chain() asks the platform too, and OpenSSL must agree."""
    says(0, WHOLE)
    verified = fasttrust.verify_chain([LEAF.der, A.der], server_hostname=HOST)
    assert ders_of(WHOLE) == ders(verified)
    with pytest.raises(fasttrust.VerificationError) as caught:
        fasttrust.verify_chain([LEAF.der, A.der], server_hostname="other.test")
    assert 62 == caught.value.verify_code
    says(23)
    with pytest.raises(fasttrust.VerificationError) as caught:
        fasttrust.verify_chain([LEAF.der, A.der], server_hostname=HOST)
    assert 23 == caught.value.verify_code


def test_platform_is_named() -> None:
    """backend() says who verifies."""
    assert ("native", "told") == fasttrust.backend()[:2]
