"""What OpenSSL still sees where the platform accepts what it must not (step 4)."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from telling import (
    LEAF,
    ROOT,
    SENT,
    STRANGER,
    TOLD,
    WHOLE,
    A,
    accepted,
    ask,
    client,
    ders_of,
    refused,
    says,
)

import modes
import peer
from pki import HOST, Chain, Issued, crl, flip_signature, leaf, root
from world import run_python

pytestmark = TOLD

FLAGS = (ssl.VERIFY_CRL_CHECK_LEAF, ssl.VERIFY_CRL_CHECK_CHAIN)


@pytest.mark.parametrize("carrier", peer.CARRIERS)
@pytest.mark.parametrize(
    ("lie", "sent", "host", "expected"),
    [
        pytest.param(WHOLE, SENT, "other.test", 62, id="wrong name"),
        pytest.param(WHOLE, SENT, "127.0.0.1", 64, id="wrong address"),
        pytest.param((), SENT, HOST, 1, id="no chain"),
        pytest.param((leaf("another", A), A, ROOT), SENT, HOST, 1, id="another leaf"),
        pytest.param((A, ROOT), SENT, HOST, 1, id="leaf left out"),
        pytest.param((LEAF, STRANGER), SENT, HOST, 2, id="a stranger for an anchor"),
        pytest.param(
            (flip_signature("bad", LEAF), A, ROOT),
            Chain((flip_signature("bad", LEAF), A)),
            HOST,
            7,
            id="one bad signature",
        ),
        pytest.param(
            (LEAF, flip_signature("bad A", A), ROOT), SENT, HOST, 7, id="a bad intermediate"
        ),
    ],
)
def test_lie_is_refused(
    carrier: str, lie: tuple[Issued, ...], sent: Chain, host: str, expected: int
) -> None:
    """Where the platform accepts what it must not, OpenSSL refuses its chain."""
    says(0, lie)
    found = refused(ask(client(), sent, host, carrier=carrier))
    # A chain that does not end at its anchor: OpenSSL's versions differ in which word they use.
    assert found == expected or {found, expected} <= {2, 20, 21}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"valid": (-9, -1)}, 10),
        ({"valid": (1, 9)}, 9),
        ({"purposes": ("clientAuth",)}, 26),
        ({"algorithm": "rsa1024"}, 66),
        ({"unknown_critical": True}, 34),
    ],
)
def test_openssl_sees_what_a_lying_platform_does_not(
    changes: dict[str, Any], expected: int
) -> None:
    """Dates, purpose, strength and extensions are looked at again."""
    bad = leaf(f"bad {expected}", A, **changes)
    says(0, (bad, A, ROOT))
    context = client()
    if expected == 66:
        context.set_ciphers("DEFAULT:@SECLEVEL=2")
    assert expected == refused(ask(context, Chain((bad, A))))


def test_strictness_is_not_applied_to_the_platforms_chain() -> None:
    """Corporate roots fail VERIFY_X509_STRICT; the platform has decided about them."""
    lax_root = root("lax root", critical_constraints=False)
    lax_leaf = leaf("leaf of lax root", lax_root)
    says(0, (lax_leaf, lax_root))
    context = client()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert 2 == len(accepted(ask(context, Chain((lax_leaf,)))))


@modes.no_core
@pytest.mark.parametrize("own", [(), (STRANGER,), (ROOT,)], ids=["none", "another", "the root"])
@pytest.mark.parametrize("checked", [False, True])
def test_programs_crl_revokes_under_the_platforms_root(
    own: tuple[Issued, ...], checked: bool, tmp_path: Any
) -> None:
    """Revoked by the program's own list is 23, whoever trusts the root."""
    says(0, WHOLE, revocation_checked=checked)
    context = client(*own)
    lists = tmp_path / "lists.pem"
    lists.write_text(crl(A, (LEAF,)) + crl(ROOT), "ascii")
    context.load_verify_locations(lists)
    for flags in FLAGS:
        context.verify_flags |= flags
        assert 23 == refused(ask(context))


@modes.no_core
@pytest.mark.parametrize("flags", FLAGS)
def test_no_crl_is_forgiven_only_where_the_platform_looked(flags: ssl.VerifyFlags) -> None:
    """A program that wants revocation known is answered by the platform, or refused with 3."""
    context = client()
    context.verify_flags |= flags
    says(0, WHOLE, revocation_checked=False)
    assert 3 == refused(ask(context))
    says(0, WHOLE, revocation_checked=True)
    assert ders_of(WHOLE) == accepted(ask(context))


@modes.no_core
def test_forgiving_one_missing_list_hides_no_other(tmp_path: Any) -> None:
    """The leaf's issuer has no list; the intermediate's has, and revokes it."""
    says(0, WHOLE, revocation_checked=True)
    context = client()
    lists = tmp_path / "lists.pem"
    lists.write_text(crl(ROOT, (A,)), "ascii")
    context.load_verify_locations(lists)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    assert 23 == refused(ask(context))


@modes.no_core
def test_denylist_of_the_running_python_counts() -> None:
    """The connection's own verify callback has the last word on every certificate of the chain."""
    # Python with a denylist installs one; here one of ours does, through OpenSSL itself.
    says(0, WHOLE)
    process = run_python(
        """
        import ctypes, ssl, _ssl, sys
        import telling
        from world import ders
        context = telling.client()
        libssl = ctypes.CDLL(_ssl.__file__)
        seen = []
        KIND = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        def callback(ok, question):
            seen.append(ok)
            libssl.X509_STORE_CTX_set_error.argtypes = [ctypes.c_void_p, ctypes.c_int]
            libssl.X509_STORE_CTX_set_error(question, 28)
            return 0
        kept = KIND(callback)
        raw = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
        libssl.SSL_CTX_set_verify.argtypes = [ctypes.c_void_p, ctypes.c_int, KIND]
        libssl.SSL_CTX_set_verify(raw, 1, kept)
        telling.says(0, telling.WHOLE)
        assert 28 == telling.refused(telling.ask(context, carrier="bio"))
        assert seen
        print("refused")
        """,
    )
    assert "refused\n" == process.stdout, process.stderr
