"""What is timed gives the verdicts that its name promises, before the rounds and after them.

Asked is the very call that is timed, with the server to which it always connects, which meanwhile
shows another certificate: one for another name, below a root that is trusted; one below a root
that is not. A call that makes a context is asked by the context that it returns. A refusal is one
for the certificate; whatever fails by anything else has failed.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from . import floor, peers, world
from .harness import Calls, expect

#: Participants that accept whoever answers, and are shown for that.
LAX = (peers.UNVERIFIED, floor.UNVERIFIED)
REASONS = ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed")


def accepts(call: Callable[[], object]) -> bool:
    """Tell whether the call accepts the server; raises what is no refusal of a certificate."""
    try:
        call()
    except Exception as error:
        if isinstance(error, ssl.SSLCertVerificationError | floor.RefusedError):
            return False
        if any(reason in str(error) for reason in REASONS):
            return False
        raise
    return True


def of_connections(calls: Calls, port: int) -> Callable[[], None]:
    """Return the proof of calls that connect to the server at the port."""

    def prove() -> None:
        for chain in (world.WRONG, world.UNKNOWN, ""):
            with world.posing(port, chain):
                _ask(calls, chain)

    return prove


def over_memory(calls: Calls, stand: world.Stand) -> Callable[[], None]:
    """Return the proof of calls that shake hands with whatever context is on the stand."""

    def prove() -> None:
        real = stand.context
        version = next(n for n, v in world.VERSIONS.items() if v == real.maximum_version)
        for chain in (world.WRONG, world.UNKNOWN):
            stand.context = world.server_context(world.folder() / chain, version)
            try:
                _ask(calls, chain)
            finally:
                stand.context = real
        _ask(calls, "")

    return prove


def _ask(calls: Calls, chain: str) -> None:
    for name, call in calls.items():
        names_none = name == peers.PYOPENSSL and chain == world.WRONG  # as NOTES has it
        should = not chain or name in LAX or names_none
        did = accepts(call)
        what = f"the chain of {chain}" if chain else "the right chain"
        expect(did == should, f"{name} {'accepts' if did else 'refuses'} {what}")


def of_contexts(makers: Calls) -> Callable[[], None]:
    """Return the proof of calls that make a context, by one that each makes for it."""

    def prove() -> None:
        for name, make in makers.items():
            if name == floor.FLOOR:
                of_the_floor()
            else:
                peers.proved(name, make())

    return prove


def of_the_floor() -> None:
    good, unknown = (world.folder() / name for name in (world.chain_name(), world.UNKNOWN))
    floor.prove(world.bundle(), good, unknown, world.HOST)


def all_of(*proofs: Callable[[], object]) -> Callable[[], None]:
    def prove() -> None:
        for proof in proofs:
            proof()

    return prove
