"""verify_chain where a platform is asked: steps 3 and 4 without a connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from telling import HEARS_NAMES, LEAF, ROOT, SENT, STRANGER, WHOLE, A, ask, client, heard, says

import fasttrust
import modes
from fasttrust import _native
from pki import HOST, NOW, flip_signature, leaf
from world import ders

pytestmark = [
    pytest.mark.skipif(
        _native.SYSTEM_NAME != "told", reason="needs the extension that tests/told/run builds"
    ),
    modes.no_verify_chain,
]


def verify(chain: Any = SENT.ders, **changes: Any) -> tuple[bytes, ...]:
    return ders(fasttrust.verify_chain(chain, **{"server_hostname": HOST, **changes}))


def refused(chain: Any = SENT.ders, **changes: Any) -> fasttrust.VerificationError:
    with pytest.raises(fasttrust.VerificationError) as caught:
        verify(chain, **changes)
    return caught.value


def test_platform_is_asked_as_in_a_handshake() -> None:
    """Its yes counts once OpenSSL agrees, and it hears the name, the chain and the moment."""
    says(0, WHOLE)
    assert tuple(issued.der for issued in WHOLE) == verify()
    question = heard()
    assert (1, HOST if HEARS_NAMES else "", 2, False) == (
        question.times,
        _native.ffi.string(question.host).decode(),
        question.num_certs,
        question.has_time,
    )
    says(0, WHOLE)
    moment = NOW + timedelta(days=2)
    assert 3 == len(verify(server_hostname=None, at_time=moment))
    question = heard()
    assert (b"", True, int(moment.timestamp())) == (
        _native.ffi.string(question.host),
        question.has_time,
        question.time,
    )


def test_what_the_platform_refuses_is_refused_in_its_words() -> None:
    """Number, native number and words are those of a refused handshake."""
    for verdict in (20, 23, 9999):
        says(verdict, native=-67820, message="it is revoked")
        handshake = ask(client(), carrier="bio").client_error
        assert isinstance(handshake, fasttrust.VerificationError)
        refusal = refused()
        for name in ("verify_code", "verify_message", "depth", "chain", "native_code", "hint"):
            assert (name, getattr(handshake, name)) == (name, getattr(refusal, name))
        assert "it is revoked" == refusal.native_message


def test_platform_that_lies_is_not_believed() -> None:
    """Another name, another moment, a signature that is none, another leaf: OpenSSL disagrees."""
    says(0, WHOLE)
    assert 62 == refused(server_hostname="other.test").verify_code
    assert 10 == refused(at_time=NOW + timedelta(days=100)).verify_code
    forged = flip_signature("forged", LEAF)
    says(0, (forged, A, ROOT))
    assert 7 == refused([forged.der, A.der]).verify_code
    says(0, (leaf("another leaf", A), A, ROOT))
    assert refused().verify_code != 0
    says(0, ())
    assert refused().verify_code != 0


def test_own_anchors_are_asked_first() -> None:
    """Who names what to trust does not ask the platform; with the system beside it, last."""
    own = fasttrust.TrustStore.from_der([ROOT.der])
    says(23)
    assert 3 == len(verify(trust=own))
    assert 3 == len(verify(trust=own | fasttrust.TrustStore.system()))
    assert 0 == heard().times
    stranger = fasttrust.TrustStore.from_der([STRANGER.der])
    assert 20 == refused(trust=stranger).verify_code
    assert 0 == heard().times
    assert 23 == refused(trust=stranger | fasttrust.TrustStore.system()).verify_code
    assert 1 == heard().times
