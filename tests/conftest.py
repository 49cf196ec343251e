"""What every test starts from: an environment that does not choose the trust, and a small PKI."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

import differs_pypy
import modes
import pki
from decode_reference import Oracle, oracle
from world import attached, made

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what PyPy does otherwise."""
    if modes.PYPY:
        differs_pypy.leave_out(items)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the variables that would change trust, mode or logging of the whole run."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def root() -> pki.Issued:
    """Make the anchor of the chains below."""
    return pki.root("root")


@pytest.fixture(scope="session")
def intermediate(root: pki.Issued) -> pki.Issued:
    """Make root -> A."""
    return pki.intermediate("A", root)


@pytest.fixture(scope="session")
def leaf_chain(root: pki.Issued) -> pki.Chain:
    """Make root -> leaf; the leaf is for server.test."""
    return pki.Chain((pki.leaf("leaf", root),))


@pytest.fixture(scope="session")
def long_chain(intermediate: pki.Issued) -> pki.Chain:
    """Make root -> A -> leaf; leaf and A are sent."""
    return pki.Chain((pki.leaf("leaf of A", intermediate), intermediate))


@pytest.fixture(params=[made, attached])
def make(request: pytest.FixtureRequest) -> Callable[..., ssl.SSLContext]:
    """Make contexts in both ways: ours from the start, and ssl's with our verifier attached."""
    chosen: Callable[..., ssl.SSLContext] = request.param
    return chosen


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    """Return what `ssl` makes of a DER certificate: a dictionary, or None if it refuses."""
    return oracle(tmp_path_factory.mktemp("decode") / "certificate.pem")
