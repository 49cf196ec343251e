/*
 * From a Python ssl object to its SSL * or SSL_CTX *. Where the fields lie is known from CPython's
 * source (the first after the object's header in PySSLContext, the second in PySSLSocket), and is
 * proved on live objects before anything is built on it: data first, read through the kernel so
 * that no address can crash us, functions of OpenSSL last.
 */

#include "ossl.h"

#include <string.h>

/* Words of a struct of OpenSSL that are looked at: `method` is among the first four in each. */
enum { NUM_WORDS = 16 };

/* Finds the struct behind a field, and the method pointer among its words [first, last]. */
static bool looks_like(const struct ft_ossl *ossl, uintptr_t field, size_t first, size_t last,
                       uintptr_t *out_struct)
{
    uintptr_t words[NUM_WORDS] = {0};
    uintptr_t method = (uintptr_t)ossl->TLS_client_method();

    if (!ft_memory_read(field, out_struct, sizeof *out_struct) ||
        !ft_memory_read(*out_struct, words, sizeof words)) {
        return false;
    }
    for (size_t i = first; i <= last; i++) {
        if (words[i] == method) {
            return true;
        }
    }
    return false;
}

static bool prove_objects(const struct ft_ossl *ossl, const ft_specimen *specimen, ft_error *err)
{
    uintptr_t ctx = 0;
    uintptr_t ssl = 0;

    // SSL_CTX: word 0 in 1.1.1, word 1 since 3.0. SSL: word 1, since 3.2 words 2 and 3.
    if (!looks_like(ossl, specimen->context + specimen->header, 0, 1, &ctx)) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "the context is not one of this OpenSSL");
        return false;
    }
    if (!looks_like(ossl, specimen->connection + specimen->header + sizeof(void *), 1, 3, &ssl)) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "the connection is not one of this OpenSSL");
        return false;
    }
    if ((uintptr_t)ossl->SSL_get_SSL_CTX((const SSL *)ssl) != ctx ||
        (uintptr_t)ossl->SSL_get_ex_data((const SSL *)ssl, 0) != specimen->connection) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "connection and context are not a pair");
        return false;
    }
    return true;
}

/*
 * libcrypto is the right one if it shows the errors that the proved libssl raises: two different
 * ones, since what an earlier failure left on the queue would look like one of them.
 */
static bool prove_libcrypto(const struct ft_ossl *ossl, ft_error *err)
{
    SSL_CTX *ctx = NULL; // owned
    bool ok = false;

    (void)ossl->ERR_set_mark();
    if (ossl->SSL_CTX_new(NULL) == NULL) {
        unsigned long first = ossl->ERR_peek_last_error();
        ctx = ossl->SSL_CTX_new(ossl->TLS_client_method());
        if (ctx != NULL && ossl->SSL_CTX_set_cipher_list(ctx, "FASTTRUST-NO-SUCH-CIPHER") == 0) {
            unsigned long second = ossl->ERR_peek_last_error();
            ok = first != 0 && second != 0 && first != second;
        }
    }
    (void)ossl->ERR_pop_to_mark();
    ossl->SSL_CTX_free(ctx);
    if (!ok) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "libcrypto is not the one that libssl uses");
    }
    return ok;
}

bool ft_pyssl_prove(const struct ft_ossl *ossl, const ft_specimen *specimen, ft_error *err)
{
    return prove_objects(ossl, specimen, err) && prove_libcrypto(ossl, err);
}

static bool is_open(ft_error *err)
{
    if (ft_ossl() == NULL) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "OpenSSL has not been opened");
        return false;
    }
    return true;
}

bool ft_probe(const ft_specimen *specimen, ft_error *err)
{
    return is_open(err) && prove_objects(ft_ossl(), specimen, err);
}

static void *field_of(uintptr_t object, size_t index)
{
    void *value = NULL;

    memcpy(&value, (const char *)object + ft_ossl()->header + index * sizeof(void *), sizeof value);
    return value;
}

SSL_CTX *ft_pyssl_context(uintptr_t context, ft_error *err)
{
    SSL_CTX *ctx = NULL;

    if (is_open(err)) {
        ctx = field_of(context, 0);
        if (ctx == NULL) {
            ft_error_set(err, FT_E_MISUSE, NULL, "the context was never initialised");
        }
    }
    return ctx;
}

SSL *ft_pyssl_connection(uintptr_t connection, ft_error *err)
{
    SSL *ssl = is_open(err) ? field_of(connection, 1) : NULL;

    // _ssl._SSLSocket() could be called until Python 3.13.1, and has no SSL then.
    if (ssl == NULL || (uintptr_t)ft_ossl()->SSL_get_ex_data(ssl, 0) != connection) {
        ft_error_set(err, FT_E_MISUSE, NULL, "the connection was never initialised");
        return NULL;
    }
    return ssl;
}
