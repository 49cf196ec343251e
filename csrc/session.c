/*
 * A session is worth what it was verified under. Resuming one runs no verification, so each session
 * carries, as OpenSSL's session id context, a hash of all that its verdict rests on, through
 * tickets and copies, and OpenSSL itself refuses to resume it under another.
 *
 * A server's connection has its hash from the start. A client's has it from the moment that it
 * offers a session of that hash, or has made one: OpenSSL compares it with a pre-shared key's too
 * (TLS 1.3), which is a session of no context, so that a client with a hash could use none.
 */

#include "ossl.h"

#include <string.h>

static const unsigned char nobody[FT_SESSION_CONTEXT_LEN] = "fasttrust: nobody's session";

static bool is_bound(const SSL_SESSION *session, const unsigned char *hash)
{
    unsigned int len = 0;
    const unsigned char *context = ft_ossl()->SSL_SESSION_get0_id_context(session, &len);

    return len == FT_SESSION_CONTEXT_LEN && memcmp(context, hash, len) == 0;
}

/* A platform that judges by more than signatures is glad of a stapled OCSP response. */
static bool ask_staple(SSL *ssl, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    bool is_server = ossl->SSL_is_server(ssl) != 0;
    const X509_STORE *store = ossl->SSL_CTX_get_cert_store(ossl->SSL_get_SSL_CTX(ssl));
    unsigned long flags = ossl->X509_VERIFY_PARAM_get_flags(ossl->SSL_get0_param(ssl));

    if (is_server || !ft_anchors_want_staple(store, (flags & FT_V_FLAG_CRL_CHECK) != 0) ||
        ossl->SSL_ctrl(ssl, FT_SSL_CTRL_ASK_STAPLE, FT_STAPLE_OCSP, NULL) == 1) {
        return true;
    }
    ft_error_set(err, FT_E_FOREIGN, "SSL_set_tlsext_status_type", "no staple can be asked for");
    return false;
}

/* The hash of the connection's sessions; nobody's where no verdict of the connection's own context
 * stands behind them: it was made before that was ours, or was given to another. */
static const unsigned char *hash_of(const SSL *ssl, const ft_record *record)
{
    const unsigned char *hash = record == NULL ? NULL : ft_record_hash(record);

    return hash == NULL || ft_record_switched(record, ssl) ? nobody : hash;
}

static bool bind(SSL *ssl, const unsigned char *hash, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    ft_record *record = ft_record_of(ssl, err);

    if (record == NULL) {
        return false;
    }
    ft_record_set_hash(record, hash);
    if (ossl->SSL_is_server(ssl) &&
        ossl->SSL_set_session_id_context(ssl, hash, FT_SESSION_CONTEXT_LEN) != 1) {
        ft_error_set(err, FT_E_FOREIGN, "SSL_set_session_id_context", "OpenSSL kept no context");
        return false;
    }
    // The connection's own, so that it sees an SNI callback hand the connection to any context.
    ossl->SSL_set_info_callback(ssl, ft_verify_watch);
    const SSL_SESSION *offered = ossl->SSL_get_session(ssl);
    if (offered != NULL && !is_bound(offered, hash) && ossl->SSL_set_session(ssl, NULL) != 1) {
        ft_error_set(err, FT_E_FOREIGN, "SSL_set_session", "OpenSSL kept a session");
        return false;
    }
    return ask_staple(ssl, err);
}

bool ft_connection_bind(uintptr_t connection, const char *hash, ft_error *err)
{
    SSL *ssl = ft_pyssl_connection(connection, err);

    if (ssl == NULL) {
        return false;
    }
    (void)ft_ossl()->ERR_set_mark();
    bool ok = bind(ssl, (const unsigned char *)hash, err);
    (void)ft_ossl()->ERR_pop_to_mark();
    return ok;
}

/*
 * An SNI callback gave the server another context: ours from one that trusts others, or from one
 * that is not ours. The session, which is new and nobody else's yet, carries the id context of the
 * first, under which its client is not verified.
 */
void ft_session_unbind(const SSL *ssl, const ft_record *record)
{
    SSL_SESSION *session = ft_ossl()->SSL_get_session(ssl);

    if (session != NULL && hash_of(ssl, record) == nobody &&
        (ft_ossl()->SSL_get_verify_mode(ssl) & FT_SSL_VERIFY_PEER) != 0) {
        // Fails only for more than 32 bytes.
        (void)ft_ossl()->SSL_SESSION_set1_id_context(session, nobody, sizeof nobody);
    }
}

void ft_session_offer(SSL *ssl, const ft_record *record)
{
    const SSL_SESSION *offered = ft_ossl()->SSL_get_session(ssl);
    const unsigned char *hash = hash_of(ssl, record);

    if (offered != NULL && hash != nobody && is_bound(offered, hash)) {
        (void)ft_ossl()->SSL_set_session_id_context(ssl, hash, FT_SESSION_CONTEXT_LEN);
    }
}

void ft_session_keep(SSL *ssl, const ft_record *record)
{
    SSL_SESSION *session = ft_ossl()->SSL_get_session(ssl);

    if (session != NULL) {
        (void)ft_ossl()->SSL_SESSION_set1_id_context(session, hash_of(ssl, record),
                                                     FT_SESSION_CONTEXT_LEN);
    }
}

bool ft_session_counts(const SSL *ssl, const ft_record *record)
{
    const struct ft_ossl *ossl = ft_ossl();
    const SSL_SESSION *session = ossl->SSL_get_session(ssl);
    const unsigned char *hash = hash_of(ssl, record);
    unsigned int id_len = 0;

    if (session == NULL || hash == nobody) {
        return false;
    }
    // A pre-shared key is a session that no handshake made: it has neither identifier nor ticket.
    (void)ossl->SSL_SESSION_get_id(session, &id_len);
    return is_bound(session, hash) || (id_len == 0 && ossl->SSL_SESSION_has_ticket(session) == 0);
}
