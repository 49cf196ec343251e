/*
 * The callback: the road of the design, step by step. It runs on the handshake's thread without the
 * GIL, takes no lock, calls no Python, ignores its argument (OpenSSL stores callback and argument
 * in two plain writes), and leaves OpenSSL's error queue as it found it. Whatever cannot decide
 * refuses: every verdict begins as a refusal.
 */

#include "ossl.h"

/* The road itself. Returns whether the handshake may go on; `verdict` begins as a refusal. */
static bool walk(X509_STORE_CTX *question, SSL *ssl, ft_chain *peer, ft_chain **out_verified,
                 ft_verdict *verdict, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();

    // 1. A connection that verifies nobody goes on, and can never be mistaken for a verified one.
    if ((ossl->SSL_get_verify_mode(ssl) & FT_SSL_VERIFY_PEER) == 0) {
        verdict->step = FT_STEP_UNASKED;
        verdict->code = FT_V_ERR_APPLICATION_VERIFICATION;
        return true;
    }
    if (peer == NULL) {
        return false;
    }
    // 2 to 4. The program's anchors, and the system.
    ft_verdict answer = {.depth = -1, .code = FT_V_ERR_UNSPECIFIED};
    bool trusted = ft_decide(question, ssl, peer, &answer);
    // 5. A success without a chain is a failure.
    if (trusted) {
        *out_verified = ft_chain_new(NULL, ossl->X509_STORE_CTX_get0_chain(question), err);
        if (*out_verified == NULL) {
            return false;
        }
    }
    *verdict = answer;
    return trusted;
}

int ft_verify_callback(X509_STORE_CTX *question, void *arg)
{
    const struct ft_ossl *ossl = ft_ossl();
    SSL *ssl =
        ossl->X509_STORE_CTX_get_ex_data(question, ossl->SSL_get_ex_data_X509_STORE_CTX_idx());
    ft_verdict verdict = {.step = FT_STEP_BROKEN, .code = FT_V_ERR_UNSPECIFIED, .depth = -1};
    ft_chain *verified = NULL; // owned
    ft_error err = {0};

    (void)arg;
    if (ssl != NULL && !ft_context_find(ossl->SSL_get_SSL_CTX(ssl))) {
        return ossl->X509_verify_cert(question); // not a context of ours: as plain ssl
    }
    (void)ossl->ERR_set_mark();
    ft_record *record = ssl == NULL ? NULL : ft_record_of(ssl, &err);
    // The untrusted certificates are what the peer sent, its leaf first.
    ft_chain *peer = ft_chain_new(NULL, ossl->X509_STORE_CTX_get0_untrusted(question), &err);
    bool go_on = record != NULL && walk(question, ssl, peer, &verified, &verdict, &err);
    if (err.code == FT_E_MEMORY) {
        verdict.code = FT_V_ERR_OUT_OF_MEM;
    }
    // `peer` and `verified` are the record's from here.
    if (record == NULL) {
        ft_chain_free(peer);
    } else if (!ft_record_publish(record, peer, verified, &verdict, &err)) {
        verdict.code = FT_V_ERR_OUT_OF_MEM;
        go_on = false;
    }
    ossl->X509_STORE_CTX_set_error(question, verdict.code);
    (void)ossl->ERR_pop_to_mark();
    return go_on;
}

/*
 * A resumed session runs no verification, so its chains are kept when its handshake is done: later,
 * another thread's read could free them (a TLS 1.3 ticket replaces the session).
 */
static void capture_resumed(SSL *ssl, bool refused)
{
    const struct ft_ossl *ossl = ft_ossl();
    ft_error err = {0};
    ft_record *record = ft_record_of(ssl, &err);

    if (record == NULL || ft_record_captured(record)) {
        return;
    }
    ft_verdict verdict = {.step = FT_STEP_RESUMED, .depth = -1};
    verdict.code = (int32_t)ossl->SSL_get_verify_result(ssl);
    if (refused) {
        verdict.step = FT_STEP_BROKEN;
        verdict.code = FT_V_ERR_APPLICATION_VERIFICATION;
    }
    ft_chain *peer = ft_chain_of_ssl(ssl, false, &err);
    ft_chain *verified = ft_chain_of_ssl(ssl, true, &err);
    // Without memory there is no capture, and the functions answer ().
    if (!ft_record_publish(record, peer, verified, &verdict, &err)) {
        return;
    }
}

/* Whether a resumed session may stand for the verification that this connection asks for. */
static bool may_resume(const SSL *ssl, const ft_record *record)
{
    const struct ft_ossl *ossl = ft_ossl();

    if ((ossl->SSL_get_verify_mode(ssl) & FT_SSL_VERIFY_PEER) == 0) {
        return true;
    }
    // A server's sessions have been compared by OpenSSL, before SNI could switch the context.
    return ossl->SSL_is_server(ssl) ? record != NULL && !ft_record_switched(record, ssl)
                                    : ft_session_counts(ssl, record);
}

void ft_verify_watch(const SSL *ssl, int where, int value)
{
    const struct ft_ossl *ossl = ft_ossl();
    SSL *mine = (SSL *)ssl; // OpenSSL calls with the connection itself and says const only here
    const ft_record *record = ft_record_find(ssl);
    bool is_server = ossl->SSL_is_server(ssl) != 0;
    bool is_done = (where & FT_SSL_CB_HANDSHAKE_DONE) != 0;

    (void)value;
    if (!is_server && (where & FT_SSL_CB_HANDSHAKE_START) != 0) {
        ft_session_offer(mine, record);
    } else if (ossl->SSL_session_reused(ssl) == 0) {
        if (!is_server && is_done) {
            ft_session_keep(mine, record);
        } else if (is_server && !is_done) {
            ft_session_unbind(ssl, record); // the step after ClientHello precedes every ticket
        }
    } else if (is_done) {
        // Nobody verified this peer for this connection: no byte of the program's passes it.
        bool refused = !may_resume(ssl, record);

        if (refused) {
            ossl->SSL_set_shutdown(mine, FT_SSL_BOTH_SHUTDOWN);
        }
        capture_resumed(mine, refused);
    }
}
