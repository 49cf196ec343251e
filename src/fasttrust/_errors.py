"""The exceptions, and where a refused connection's facts become one of them."""

from __future__ import annotations

import ssl

from ._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._certificate import Certificate


class VerificationError(ssl.SSLCertVerificationError):
    """The peer is not trusted.

    Everything of ``ssl.SSLCertVerificationError`` is there (``verify_code`` is an ``X509_V_ERR_*``
    of the running OpenSSL, ``verify_message`` its text), so code that catches ``ssl``'s error
    catches this one. It can be pickled.
    """

    #: The certificate at fault: 0 is the leaf; None where that is not known.
    depth: int | None = None
    #: What the peer sent, leaf first. Nothing in it has been verified.
    chain: tuple[Certificate, ...] = ()
    #: The platform verifier's own code (an OSStatus or HRESULT); None where OpenSSL decided.
    native_code: int | None = None
    #: The platform verifier's own words; None where OpenSSL decided.
    native_message: str | None = None
    #: What can be done about it; "" where there is nothing to say.
    hint: str = ""

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} [{self.hint}]" if self.hint else text


def ssl_refusal(code: int, text: str) -> ssl.SSLCertVerificationError:
    """Return what ``ssl`` raises where a handshake is refused, but for the line of its source."""
    refusal = ssl.SSLCertVerificationError(
        int(ssl.SSL_ERROR_SSL),
        f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {text}",
    )
    refusal.library, refusal.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    refusal.verify_code, refusal.verify_message = code, text
    return refusal


def verification_error(
    error: ssl.SSLCertVerificationError,
    *,
    depth: int | None,
    chain: tuple[Certificate, ...],
    native_code: int | None,
    native_message: str | None,
    hint: str,
) -> VerificationError:
    """Return ``ssl``'s error as ours, with what we know beyond it."""
    ours = VerificationError(*error.args)
    # library, reason, verify_code and verify_message are set on ssl's instance, not by __init__.
    ours.__dict__.update(error.__dict__)
    ours.depth = depth
    ours.chain = chain
    ours.native_code = native_code
    ours.native_message = native_message
    ours.hint = hint
    return ours
