/*
 * A session is worth what it was verified under. Resuming one runs no verification, so each
 * connection carries, as OpenSSL's session id context, a hash of all that its verdict rests on; a
 * session keeps the hash of the connection that made it, through tickets and copies, and OpenSSL
 * itself refuses to resume it under another.
 */

#include "ossl.h"

#include <string.h>

static bool is_bound(const SSL_SESSION *session, const unsigned char *hash)
{
    unsigned int len = 0;
    const unsigned char *context = ft_ossl()->SSL_SESSION_get0_id_context(session, &len);

    return len == FT_SESSION_CONTEXT_LEN && memcmp(context, hash, len) == 0;
}

bool ft_connection_bind(uintptr_t connection, const char *hash, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    const unsigned char *bytes = (const unsigned char *)hash;
    SSL *ssl = ft_pyssl_connection(connection, err);

    if (ssl == NULL) {
        return false;
    }
    if (ossl->SSL_set_session_id_context(ssl, bytes, FT_SESSION_CONTEXT_LEN) != 1) {
        ft_error_set(err, FT_E_FOREIGN, "SSL_set_session_id_context", "OpenSSL kept no context");
        return false;
    }
    const SSL_SESSION *offered = ossl->SSL_get_session(ssl);
    if (offered != NULL && !is_bound(offered, bytes) && ossl->SSL_set_session(ssl, NULL) != 1) {
        ft_error_set(err, FT_E_FOREIGN, "SSL_set_session", "OpenSSL kept a session");
        return false;
    }
    return true;
}

/*
 * An SNI callback switched the connection to a context that trusts others. The session carries the
 * hash of the first one, under which it was not verified: it gets one that no connection has.
 */
void ft_session_unbind(const SSL *ssl)
{
    static const unsigned char nobody[FT_SESSION_CONTEXT_LEN] = "fasttrust: switched by SNI";
    SSL_SESSION *session = ft_ossl()->SSL_get_session(ssl);

    if (session != NULL) {
        (void)ft_ossl()->SSL_SESSION_set1_id_context(session, nobody, sizeof nobody);
    }
}
