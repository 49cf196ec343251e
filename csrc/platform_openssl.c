/*
 * Linux and the BSDs: OpenSSL is the system's verifier, and the system's anchors are a list that we
 * hold. So steps 2 and 3 of the design are one verification, which decide.c makes, step 4 is
 * nothing, and nobody asks the platform.
 */

#include "core.h"

#if !defined(_WIN32) && !defined(__APPLE__) && !defined(FT_TEST_PLATFORM)

const bool ft_system_always_reads_staples = false;
const char *ft_system_name(void)
{
    return "openssl";
}

bool ft_system_verify(const ft_question *question, ft_answer *out_answer)
{
    (void)question;
    out_answer->code = FT_V_ERR_UNSPECIFIED;
    out_answer->depth = -1;
    return false;
}

#endif
