/*
 * Step 4 of the design: where the platform accepted, OpenSSL verifies its chain once more and can
 * only refuse. One verification gives the check of the name on every platform, CPython's denylist,
 * the program's CRLs, a second look at every signature below the anchor (a platform's verifier has
 * skipped one before: CVE-2020-0601), and the verified chain in OpenSSL's own form.
 */

#include "ossl.h"

#include <string.h>

/* What our verify callback is told, by the X509_STORE_CTX's ex_data. */
typedef struct consent {
    ft_verify_one_fn next; // the connection's own callback: CPython's denylist
    bool knows_revocation; // the platform looked, so that having no CRL is no failure
} consent;

static int verify_one(int ok, X509_STORE_CTX *ctx)
{
    const struct ft_ossl *ossl = ft_ossl();
    const consent *mine = ossl->X509_STORE_CTX_get_ex_data(ctx, ossl->question_index);

    if (mine == NULL) {
        return ok; // the nested question about a CRL's issuer
    }
    if (ok == 0 && mine->knows_revocation &&
        ossl->X509_STORE_CTX_get_error(ctx) == FT_V_ERR_UNABLE_TO_GET_CRL) {
        ossl->X509_STORE_CTX_set_error(ctx, FT_V_OK);
        ok = 1;
    }
    return mine->next == NULL ? ok : mine->next(ok, ctx);
}

static bool push(ft_x509s *certs, X509 *cert)
{
    const struct ft_ossl *ossl = ft_ossl();

    if (cert != NULL && ossl->OPENSSL_sk_push((OPENSSL_STACK *)certs, cert) > 0) {
        return true;
    }
    ossl->X509_free(cert);
    return false;
}

static bool same_der(ft_der one, ft_der other)
{
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

/* A certificate of the system's chain; the peer's own is not parsed again; owned. */
static X509 *parse(ft_der der, ft_chain *peer)
{
    const struct ft_ossl *ossl = ft_ossl();
    const ft_der *sent = ft_chain_ders(peer);
    const unsigned char *start = (const unsigned char *)der.data;

    for (size_t i = 0; sent != NULL && i < ft_chain_len(peer); i++) {
        if (same_der(der, sent[i])) {
            X509 *cert = ft_chain_cert(peer, i);

            return ossl->X509_up_ref(cert) == 1 ? cert : NULL;
        }
    }
    return ossl->d2i_X509(NULL, &start, (long)der.len);
}

/* The last of the system's chain, and all between it and the leaf. */
static bool split_chain(const ft_answer *answer, ft_chain *peer, ft_x509s *out_trusted,
                        ft_x509s *out_untrusted)
{
    for (size_t i = 1; i < answer->num_chain; i++) {
        bool is_last = i + 1 == answer->num_chain;

        if (!push(is_last ? out_trusted : out_untrusted, parse(answer->chain[i], peer))) {
            return false;
        }
    }
    // A leaf that is an anchor itself.
    return answer->num_chain > 1 || push(out_trusted, parse(answer->chain[0], peer));
}

/* A question like the one that OpenSSL prepared, about the system's chain. */
static bool prepare(X509_STORE_CTX *ctx, X509_STORE_CTX *question, const SSL *ssl,
                    ft_x509s *trusted, ft_x509s *untrusted, consent *told)
{
    const struct ft_ossl *ossl = ft_ossl();

    if (ossl->X509_STORE_CTX_init(ctx, ossl->X509_STORE_CTX_get0_store(question),
                                  ossl->X509_STORE_CTX_get0_cert(question), untrusted) != 1) {
        return false;
    }
    X509_VERIFY_PARAM *param = ossl->X509_STORE_CTX_get0_param(ctx);
    told->next = ossl->X509_STORE_CTX_get_verify_cb(question);
    ossl->X509_STORE_CTX_set_verify_cb(ctx, verify_one);
    ossl->X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
    return ossl->X509_VERIFY_PARAM_set1(param, ossl->X509_STORE_CTX_get0_param(question)) == 1 &&
           ossl->X509_VERIFY_PARAM_set_flags(param, FT_V_FLAG_PARTIAL_CHAIN) == 1 &&
           // Corporate roots fail its strictness, and the system has decided.
           ossl->X509_VERIFY_PARAM_clear_flags(param, FT_V_FLAG_X509_STRICT) == 1 &&
           ossl->X509_STORE_CTX_set_ex_data(ctx, ossl->SSL_get_ex_data_X509_STORE_CTX_idx(),
                                            (void *)ssl) == 1 &&
           ossl->X509_STORE_CTX_set_ex_data(ctx, ossl->question_index, told) == 1;
}

/* Gives the connection its verified chain, where OpenSSL and Python look for it. */
static bool hand_over(X509_STORE_CTX *from, X509_STORE_CTX *question)
{
    ft_x509s *chain = ft_ossl()->X509_STORE_CTX_get1_chain(from);

    if (chain != NULL) {
        ft_ossl()->X509_STORE_CTX_set0_verified_chain(question, chain);
    }
    return chain != NULL;
}

static void free_cert(void *cert)
{
    ft_ossl()->X509_free(cert);
}

bool ft_agree(X509_STORE_CTX *question, const SSL *ssl, ft_chain *peer, const ft_answer *answer,
              ft_verdict *out_verdict)
{
    const struct ft_ossl *ossl = ft_ossl();
    consent told = {.knows_revocation = answer->revocation_checked};
    ft_x509s *trusted = (ft_x509s *)ossl->OPENSSL_sk_new_null();   // owned
    ft_x509s *untrusted = (ft_x509s *)ossl->OPENSSL_sk_new_null(); // owned
    X509_STORE_CTX *ctx = ossl->X509_STORE_CTX_new();              // owned
    const ft_der *sent = ft_chain_ders(peer);
    bool agreed = false;

    *out_verdict = (ft_verdict){.step = FT_STEP_AGREE, .code = FT_V_ERR_UNSPECIFIED, .depth = -1};
    if (trusted == NULL || untrusted == NULL || ctx == NULL || sent == NULL) {
        out_verdict->code = FT_V_ERR_OUT_OF_MEM;
        goto cleanup;
    }
    // About the peer's own leaf, or about nothing.
    if (!same_der(answer->chain[0], sent[0]) || !split_chain(answer, peer, trusted, untrusted) ||
        !prepare(ctx, question, ssl, trusted, untrusted, &told) ||
        !ft_verify_question(ctx, FT_STEP_AGREE, out_verdict)) {
        goto cleanup;
    }
    if (!hand_over(ctx, question)) {
        out_verdict->code = FT_V_ERR_OUT_OF_MEM;
        goto cleanup;
    }
    agreed = true;

cleanup:
    ossl->X509_STORE_CTX_free(ctx);
    ossl->OPENSSL_sk_pop_free((OPENSSL_STACK *)trusted, free_cert);
    ossl->OPENSSL_sk_pop_free((OPENSSL_STACK *)untrusted, free_cert);
    return agreed;
}
