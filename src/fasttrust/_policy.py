"""How far the platform goes for one verdict: a handful of keywords, checked when a context is made.

What a platform cannot honour is a ``ValueError``, never a silent weaker meaning.
"""

from __future__ import annotations

from . import _native
from ._mode import compat_reason
from ._typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime
    from typing import Literal

    Revocation = Literal["platform", "soft", "hard"]
else:
    Revocation = str

_DEFAULT_TIMEOUT = 3.0
_LONGEST_TIMEOUT = 2**31 / 1000


class Policy(NamedTuple):
    """What the C core is told.

    Attributes:
        revocation: FT_REVOCATION_*.
        network: whether intermediates and revocation may be fetched.
        timeout: for all that is fetched for one verdict, in milliseconds.
        at_time: the moment to judge by, in seconds since 1970; None is now.
    """

    revocation: int = _native.REVOCATION["platform"]
    network: bool = True
    timeout: int = int(_DEFAULT_TIMEOUT * 1000)
    at_time: int | None = None


_DEFAULT = Policy()


def policy(
    network: bool,
    revocation: Revocation,
    timeout: float,
    at_time: datetime.datetime | None,
) -> Policy:
    """Return the policy of four keywords.

    Raises:
        TypeError: one is of the wrong type.
        ValueError: one means nothing, or nothing that this platform can do.
    """
    if network is True and (revocation, timeout, at_time) == ("platform", _DEFAULT_TIMEOUT, None):
        return _DEFAULT  # what nearly every context has, without a look at each
    if not isinstance(network, bool):
        raise TypeError(f"network is not a bool: {type(network).__name__!r}")
    if revocation not in _native.REVOCATION:
        raise ValueError(f"revocation={revocation!r}: expected 'platform', 'soft' or 'hard'")
    if revocation != "platform" and not _native.PLATFORM_DECIDES:
        raise ValueError(
            f"revocation={revocation!r}: OpenSSL, which verifies here, knows only CRLs that are "
            "loaded; set verify_flags to ssl.VERIFY_CRL_CHECK_LEAF and load them"
        )
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout is not a number: {type(timeout).__name__!r}")
    if not 0 < timeout < _LONGEST_TIMEOUT:
        raise ValueError(f"timeout={timeout!r}: expected seconds, above 0")
    if timeout != _DEFAULT_TIMEOUT and _native.SYSTEM_NAME == "sectrust":
        raise ValueError(f"timeout={timeout!r}: macOS has its own limit, 3 seconds for each fetch")
    if at_time is not None and not _native.PLATFORM_DECIDES and compat_reason():
        raise ValueError(f"at_time cannot be had in compat mode: {compat_reason()}")
    return Policy(
        _native.REVOCATION[revocation],
        network,
        max(1, round(timeout * 1000)),
        None if at_time is None else seconds(at_time),
    )


def check_judge(chosen: Policy, asks_platform: bool) -> None:
    """Refuse what means nothing where OpenSSL judges, by what a context or its environment names.

    Args:
        chosen: the context's policy.
        asks_platform: whether the platform judges the peers of its connections.

    Raises:
        ValueError: a verdict would be softer than the policy says.
    """
    if asks_platform:
        return
    if chosen.revocation != _DEFAULT.revocation:
        raise ValueError(
            "revocation: OpenSSL, which judges by what this context trusts, knows only CRLs that "
            "are loaded; set verify_flags to ssl.VERIFY_CRL_CHECK_LEAF and load them"
        )
    if chosen.at_time is not None and (reason := compat_reason()):
        raise ValueError(f"at_time cannot be had in compat mode where ssl itself judges: {reason}")


def seconds(at_time: datetime.datetime) -> int:
    """Return a moment as whole seconds since 1970.

    Raises:
        TypeError: it is not a ``datetime``.
        ValueError: it has no time zone, and could mean any moment of a day.
    """
    import datetime  # here, for it takes long

    if not isinstance(at_time, datetime.datetime):
        raise TypeError(f"at_time is not a datetime: {type(at_time).__name__!r}")
    if at_time.utcoffset() is None:
        raise ValueError("at_time has no time zone: give it one, such as datetime.timezone.utc")
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (at_time - epoch) // datetime.timedelta(seconds=1)
