#ifndef FASTTRUST_CORE_H
#define FASTTRUST_CORE_H

/*
 * What the files of the core share and Python may not see. No header of OpenSSL, of Python or of a
 * system: a platform file can include this one and its own system's.
 */

#include "fasttrust.h"

/* ---- error.c ----------------------------------------------------------------------------- */

/* ft_error_set fills an error that nobody filled before. `call` may be NULL. */
void ft_error_set(ft_error *err, ft_code code, const char *call, const char *format, ...)
    FT_PRINTF(4, 5);

/* ---- platform_<one>.c: the seam ---------------------------------------------------------- */

/*
 * ft_system_verify asks the system for its verdict on what the peer sent (design, step 3).
 * `question` is the X509_STORE_CTX that OpenSSL prepared for this connection: platform_openssl.c
 * reads it; a platform that wants DER has it made by its caller.
 * Fills `out_verdict`; returns whether the peer is trusted, which agrees with a code of 0.
 * Runs on the handshake's thread, takes no lock, and touches no state but the question.
 */
FT_MUST_USE bool ft_system_verify(void *question, ft_verdict *out_verdict);

#endif
