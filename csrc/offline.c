/*
 * A verification without a handshake. A connection that talks to nobody is put the question that
 * OpenSSL's ssl_verify_cert_chain would put had its peer sent these certificates, prepared in the
 * same order, and the one callback decides: verdict, depth and chains are in the connection's
 * record, as after a handshake.
 */

#include "ossl.h"

/* The certificates of a chain, borrowed from it; owned, OPENSSL_sk_free. */
static ft_x509s *stack_of(const ft_chain *chain, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    OPENSSL_STACK *certs = ossl->OPENSSL_sk_new_null();
    bool ok = certs != NULL;

    for (size_t i = 0; ok && i < ft_chain_len(chain); i++) {
        ok = ossl->OPENSSL_sk_push(certs, ft_chain_cert(chain, i)) > 0;
    }
    if (!ok) {
        ossl->OPENSSL_sk_free(certs);
        ft_error_set(err, FT_E_MEMORY, "OPENSSL_sk_push", "out of memory");
        return NULL;
    }
    return (ft_x509s *)certs;
}

/* What ssl_verify_cert_chain does before it calls the callback, with `certs` as the peer's. */
static bool prepare(X509_STORE_CTX *question, SSL *ssl, ft_x509s *certs, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    X509_STORE *store = ossl->SSL_CTX_get_cert_store(ossl->SSL_get_SSL_CTX(ssl));
    X509 *leaf = ossl->OPENSSL_sk_value((const OPENSSL_STACK *)certs, 0);
    ft_verify_one_fn verify_one = ossl->SSL_get_verify_callback(ssl); // CPython's denylist
    const char *peer = ossl->SSL_is_server(ssl) ? "ssl_client" : "ssl_server";
    unsigned long suite_b =
        (unsigned long)ossl->SSL_ctrl(ssl, FT_SSL_CTRL_CERT_FLAGS, 0, NULL) & FT_SUITE_B;

    if (ossl->X509_STORE_CTX_init(question, store, leaf, certs) != 1) {
        ft_error_set(err, FT_E_FOREIGN, "X509_STORE_CTX_init", "no verification can begin");
        return false;
    }
    X509_VERIFY_PARAM *param = ossl->X509_STORE_CTX_get0_param(question);
    ossl->X509_VERIFY_PARAM_set_auth_level(param, ossl->SSL_get_security_level(ssl));
    ossl->X509_STORE_CTX_set_flags(question, suite_b);
    int index = ossl->SSL_get_ex_data_X509_STORE_CTX_idx();
    if (ossl->X509_STORE_CTX_set_ex_data(question, index, ssl) != 1) {
        ft_error_set(err, FT_E_FOREIGN, "X509_STORE_CTX_set_ex_data", "OpenSSL kept no data");
        return false;
    }
    // OpenSSL itself looks at neither of these two answers. Without the purpose, or without the
    // name, somebody could be trusted who is not.
    if (ossl->X509_STORE_CTX_set_default(question, peer) != 1 ||
        ossl->X509_VERIFY_PARAM_set1(param, ossl->SSL_get0_param(ssl)) != 1) {
        ft_error_set(err, FT_E_FOREIGN, "X509_VERIFY_PARAM_set1", "the settings were lost");
        return false;
    }
    if (verify_one != NULL) {
        ossl->X509_STORE_CTX_set_verify_cb(question, verify_one);
    }
    return true;
}

/* On the connection, as a program would set it: whatever asks the connection sees it too. */
static bool set_time(SSL *ssl, const int64_t *at_time, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();

    if (at_time == NULL) {
        return true;
    }
    if ((int64_t)(time_t)*at_time != *at_time) {
        ft_error_set(err, FT_E_MISUSE, NULL, "the time is beyond what this system can tell");
        return false;
    }
    ossl->X509_VERIFY_PARAM_set_time(ossl->SSL_get0_param(ssl), (time_t)*at_time);
    return true;
}

bool ft_connection_set_time(uintptr_t connection, int64_t at, ft_error *err)
{
    SSL *ssl = ft_pyssl_connection(connection, err);

    return ssl != NULL && set_time(ssl, &at, err);
}

/* Asks, and reads the answer in the connection's record. */
static bool verify(SSL *ssl, ft_verdict *out_verdict, ft_chain **out_verified,
                   const ft_chain *chain, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    X509_STORE_CTX *question = ossl->X509_STORE_CTX_new(); // owned
    ft_x509s *certs = stack_of(chain, err);                // owned
    ft_record *record = ft_record_of(ssl, err);
    bool ok = false;

    if (question == NULL) {
        ft_error_set(err, FT_E_MEMORY, "X509_STORE_CTX_new", "out of memory");
    }
    if (question == NULL || certs == NULL || record == NULL ||
        !prepare(question, ssl, certs, err)) {
        goto cleanup;
    }
    int32_t before = ft_record_captures(record);
    (void)ft_verify_callback(question, NULL); // its verdict is in the record, or there is none
    ok = ft_record_captures(record) != before;
    if (!ok) {
        ft_error_set(err, FT_E_MEMORY, "malloc", "out of memory");
        goto cleanup;
    }
    ft_record_verdict(record, out_verdict);
    *out_verified = out_verdict->code == FT_V_OK ? ft_record_chain(record, true) : NULL;

cleanup:
    ossl->X509_STORE_CTX_free(question);
    ossl->OPENSSL_sk_free((OPENSSL_STACK *)certs);
    return ok;
}

bool ft_connection_verify(uintptr_t connection, ft_verdict *out_verdict, ft_chain **out_verified,
                          const ft_chain *chain, const int64_t *at_time, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    SSL *ssl = ft_pyssl_connection(connection, err);

    if (ssl == NULL) {
        return false;
    }
    if (!ft_context_find(ossl->SSL_get_SSL_CTX(ssl))) {
        ft_error_set(err, FT_E_MISUSE, NULL, "the connection's context has not our verifier");
        return false;
    }
    (void)ossl->ERR_set_mark();
    bool ok = set_time(ssl, at_time, err) && verify(ssl, out_verdict, out_verified, chain, err);
    (void)ossl->ERR_pop_to_mark();
    return ok;
}

const char *ft_code_text(int32_t code)
{
    return ft_ossl()->X509_verify_cert_error_string(code);
}
