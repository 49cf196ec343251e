/*
 * Who decides about a peer: OpenSSL with the anchors that we hold, the platform where nobody among
 * them issued the certificate, and OpenSSL once more where the platform accepts. A verdict begins
 * as a refusal, and the last step can only refuse.
 */

#include "ossl.h"

#include <stdlib.h>
#include <string.h>

static bool nobody_known_issued(int32_t code)
{
    return code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           code == FT_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           code == FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
           code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           code == FT_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

bool ft_verify_question(X509_STORE_CTX *ctx, ft_step step, ft_verdict *out_verdict)
{
    const struct ft_ossl *ossl = ft_ossl();
    bool accepted = ossl->X509_verify_cert(ctx) == 1;

    out_verdict->step = step;
    out_verdict->code = ossl->X509_STORE_CTX_get_error(ctx);
    out_verdict->depth = ossl->X509_STORE_CTX_get_error_depth(ctx);
    if (!accepted && out_verdict->code == FT_V_OK) {
        out_verdict->code = FT_V_ERR_UNSPECIFIED; // a refusal is never called "ok"
    }
    return accepted && out_verdict->code == FT_V_OK;
}

/* ---- step 3: the platform ---------------------------------------------------------------- */

/* What the platform is told of the connection, and what is freed after it answered. */
typedef struct inquiry {
    ft_question question;
    char *address; // owned, OPENSSL_free
} inquiry;

/* A name where the connection checks one; OpenSSL 1.1.1 does not say it, and step 4 checks it. */
static void tell_name(const X509_VERIFY_PARAM *param, inquiry *to)
{
    const struct ft_ossl *ossl = ft_ossl();
    X509_VERIFY_PARAM *mine = (X509_VERIFY_PARAM *)param; // not const in its getters

    if (ossl->X509_VERIFY_PARAM_get0_host != NULL) {
        to->question.host = ossl->X509_VERIFY_PARAM_get0_host(mine, 0);
    }
    if (to->question.host == NULL && ossl->X509_VERIFY_PARAM_get1_ip_asc != NULL) {
        to->address = ossl->X509_VERIFY_PARAM_get1_ip_asc(mine);
        to->question.host = to->address;
        to->question.host_is_address = to->address != NULL;
    }
}

static void tell_staple(SSL *ssl, ft_der *out_staple)
{
    unsigned char *response = NULL;
    long len = ft_ossl()->SSL_ctrl(ssl, FT_SSL_CTRL_GET_STAPLE, 0, &response);

    if (len > 0 && response != NULL) {
        *out_staple = (ft_der){.data = (const char *)response, .len = (size_t)len};
    }
}

static bool ask_platform(X509_STORE_CTX *ctx, SSL *ssl, ft_chain *peer, const ft_judges *judges,
                         ft_answer *out_answer)
{
    const struct ft_ossl *ossl = ft_ossl();
    const X509_VERIFY_PARAM *param = ossl->X509_STORE_CTX_get0_param(ctx);
    unsigned long flags = ossl->X509_VERIFY_PARAM_get_flags(param);
    inquiry asked = {.question = {.certs = ft_chain_ders(peer),
                                  .num_certs = ft_chain_len(peer),
                                  .is_server = ossl->SSL_is_server(ssl) == 0,
                                  .check_leaf = (flags & FT_V_FLAG_CRL_CHECK) != 0,
                                  .check_chain = (flags & FT_V_FLAG_CRL_CHECK_ALL) != 0,
                                  .own_crls = judges->own_crls,
                                  .has_time = (flags & FT_V_FLAG_USE_CHECK_TIME) != 0,
                                  .policy = judges->policy}};

    *out_answer = (ft_answer){.code = FT_V_ERR_UNSPECIFIED, .depth = -1};
    if (asked.question.certs == NULL) {
        out_answer->code = FT_V_ERR_OUT_OF_MEM;
        return false;
    }
    if (asked.question.has_time) {
        asked.question.time = ossl->X509_VERIFY_PARAM_get_time(param);
    }
    tell_name(param, &asked);
    tell_staple(ssl, &asked.question.staple);
    bool trusted = ft_system_verify(&asked.question, out_answer) && out_answer->code == FT_V_OK &&
                   out_answer->chain != NULL && out_answer->num_chain > 0;
    if (!trusted && out_answer->code == FT_V_OK) {
        out_answer->code = FT_V_ERR_UNSPECIFIED; // a success without a chain is a failure
    }
    ossl->CRYPTO_free(asked.address, __FILE__, __LINE__);
    return trusted;
}

/* The platforms have one word for "expired" and "not yet valid": the certificates know which. */
static void tell_times_apart(X509_STORE_CTX *ctx, ft_chain *peer, ft_verdict *verdict)
{
    const struct ft_ossl *ossl = ft_ossl();
    const X509_VERIFY_PARAM *param = ossl->X509_STORE_CTX_get0_param(ctx);
    time_t at = ossl->X509_VERIFY_PARAM_get_time(param);
    bool is_set =
        (ossl->X509_VERIFY_PARAM_get_flags(param) & FT_V_FLAG_USE_CHECK_TIME) != 0; // else now

    if (verdict->code != FT_V_ERR_CERT_HAS_EXPIRED &&
        verdict->code != FT_V_ERR_CERT_NOT_YET_VALID) {
        return;
    }
    for (size_t i = 0; i < ft_chain_len(peer); i++) {
        const X509 *cert = ft_chain_cert(peer, i);
        time_t *when = is_set ? &at : NULL;
        bool early = ossl->X509_cmp_time(ossl->X509_get0_notBefore(cert), when) > 0;
        bool late = ossl->X509_cmp_time(ossl->X509_get0_notAfter(cert), when) < 0;

        if (early || late) {
            verdict->code = early ? FT_V_ERR_CERT_NOT_YET_VALID : FT_V_ERR_CERT_HAS_EXPIRED;
            verdict->depth = (int32_t)i;
            return;
        }
    }
}

/* OpenSSL 1.1.1 has another number for a CA that is none. */
static int32_t code_here(int32_t code)
{
    bool is_old = ft_ossl()->OpenSSL_version_num() < FT_OPENSSL_3;

    return is_old && code == FT_V_ERR_INVALID_CA ? FT_V_ERR_INVALID_CA_1_1_1 : code;
}

/* ---- the road ---------------------------------------------------------------------------- */

bool ft_decide(X509_STORE_CTX *question, SSL *ssl, ft_chain *peer, ft_verdict *out_verdict)
{
    const struct ft_ossl *ossl = ft_ossl();
    ft_judges judges = ft_anchors_judges(question);
    ft_verdict first = {.depth = -1};
    ft_answer answer = {0};

    // 2. OpenSSL, with the anchors that we hold.
    if (!judges.platform || judges.own) {
        bool trusted = ft_verify_question(question, FT_STEP_OPENSSL, &first);

        if (trusted || !judges.platform || !nobody_known_issued(first.code)) {
            *out_verdict = first;
            return trusted;
        }
    }
    // 3. The system.
    bool trusted = ask_platform(question, ssl, peer, &judges, &answer);
    *out_verdict = (ft_verdict){.step = FT_STEP_SYSTEM,
                                .code = code_here(answer.code),
                                .depth = answer.depth,
                                .native_code = answer.native_code};
    memcpy(out_verdict->native_message, answer.native_message, sizeof answer.native_message);
    tell_times_apart(question, peer, out_verdict);
    if (!trusted && judges.own && nobody_known_issued(answer.code)) {
        out_verdict->code = first.code; // neither knows who issued it: OpenSSL's number is finer
        out_verdict->depth = first.depth;
    }
    // 4. OpenSSL must agree with the system's chain.
    ft_verdict last = {0};
    if (trusted && !ft_agree(question, ssl, peer, &answer, &last)) {
        *out_verdict = last;
        trusted = false;
    }
    free(answer.chain);
    ossl->X509_STORE_CTX_set_error_depth(question, out_verdict->depth < 0 ? 0 : out_verdict->depth);
    return trusted;
}
