/*
 * Linux and the BSDs: OpenSSL is the system's verifier. The question that it prepared for this
 * connection already carries everything (the store with our hooks, name, purpose, time, depth,
 * security level, CPython's denylist in its verify callback), so that steps 2 and 3 of the design
 * are this one verification, and step 4 is nothing.
 */

#include "ossl.h"

bool ft_system_verify(void *question, ft_verdict *out_verdict)
{
    const struct ft_ossl *ossl = ft_ossl();
    X509_STORE_CTX *ctx = question;
    bool accepted = ossl->X509_verify_cert(ctx) == 1;

    out_verdict->step = FT_STEP_OPENSSL;
    out_verdict->code = ossl->X509_STORE_CTX_get_error(ctx);
    out_verdict->depth = ossl->X509_STORE_CTX_get_error_depth(ctx);
    if (!accepted && out_verdict->code == FT_V_OK) {
        out_verdict->code = FT_V_ERR_UNSPECIFIED; // a refusal is never called "ok"
    }
    return accepted && out_verdict->code == FT_V_OK;
}
