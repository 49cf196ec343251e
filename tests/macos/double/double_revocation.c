/*
 * What the double knows of revocation: by the response that was stapled, which counts whatever is
 * asked, and by whoever would answer online, where a policy asks for it.
 */

#include "double_object.h"

#include <openssl/ocsp.h>

const struct __SecPolicy *double_policy_of(const struct __SecTrust *trust, bool is_ssl)
{
    for (CFIndex i = 0; i < trust->policies->num; i++) {
        const struct __SecPolicy *policy = trust->policies->values[i];

        if (policy->is_ssl == is_ssl) {
            return policy;
        }
    }
    return NULL;
}

bool double_is_among(const X509 *cert, const certs *among)
{
    for (size_t i = 0; i < among->num; i++) {
        if (X509_cmp(cert, among->certs[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* V_OCSP_CERTSTATUS_* of the leaf, if its issuer says so; unknown otherwise. */
static int stapled(const struct __SecTrust *trust, STACK_OF(X509) * chain)
{
    const unsigned char *start = trust->staple == NULL ? NULL : trust->staple->bytes;
    OCSP_RESPONSE *response =
        start == NULL ? NULL : d2i_OCSP_RESPONSE(NULL, &start, trust->staple->len);
    OCSP_BASICRESP *basic = response == NULL ? NULL : OCSP_response_get1_basic(response);
    int status = V_OCSP_CERTSTATUS_UNKNOWN;

    if (basic != NULL && sk_X509_num(chain) > 1 &&
        OCSP_basic_verify(basic, chain, NULL, OCSP_TRUSTOTHER) == 1) {
        OCSP_CERTID *id = OCSP_cert_to_id(NULL, sk_X509_value(chain, 0), sk_X509_value(chain, 1));

        (void)OCSP_resp_find_status(basic, id, &status, NULL, NULL, NULL, NULL);
        OCSP_CERTID_free(id);
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return status;
}

CFIndex double_revocation(const struct __SecTrust *trust, STACK_OF(X509) * chain)
{
    const struct __SecPolicy *policy = double_policy_of(trust, false);
    bool demanded =
        policy != NULL && (policy->revocation & kSecRevocationRequirePositiveResponse) != 0;
    bool answered = policy != NULL && policy->network && double_now.online;

    if (stapled(trust, chain) == V_OCSP_CERTSTATUS_REVOKED) {
        return DOUBLE_REVOKED;
    }
    // Of all but the anchor.
    for (int i = 0; answered && i + 1 < sk_X509_num(chain); i++) {
        if (double_is_among(sk_X509_value(chain, i), &double_now.revoked)) {
            return DOUBLE_REVOKED;
        }
    }
    return demanded && !answered && sk_X509_num(chain) > 1 ? DOUBLE_UNKNOWN : 0;
}
