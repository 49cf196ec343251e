/*
 * Finding the OpenSSL that Python's ssl uses. A process may hold several; calling one with the
 * pointers of another corrupts memory. So every candidate is resolved into a table of its own, and
 * only a table that pyssl.c has proved on live objects is ever published.
 */

#include "ossl.h"

#include <errno.h>
#include <string.h>

static struct ft_ossl table;
static void *volatile published; // const struct ft_ossl *, NULL until proved

const struct ft_ossl *ft_ossl(void)
{
    return ft_atomic_load(&published);
}

const char *ft_openssl_version(void)
{
    return ft_ossl()->OpenSSL_version(0);
}

bool ft_is_setuid(void)
{
    return ft_ossl()->OPENSSL_issetugid() != 0;
}

/* ISO C has no conversion from object to function pointers; every system of ours has. */
static bool resolve(const void *library, const char *name, void *out_function)
{
    void *symbol = ft_library_find(library, name);

    memcpy(out_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool fill(struct ft_ossl *ossl, const void *library, ft_error *err)
{
#define FT_REQUIRED(result, name, arguments)                                                       \
    if (!resolve(library, #name, &ossl->name)) {                                                   \
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "the symbol %s cannot be reached", #name);       \
        return false;                                                                              \
    }
#define FT_OPTIONAL(result, name, arguments) (void)resolve(library, #name, &ossl->name);
    FT_OSSL_FUNCTIONS(FT_REQUIRED, FT_OPTIONAL)
#undef FT_REQUIRED
#undef FT_OPTIONAL
    if (ossl->SSL_get1_peer_certificate == NULL) {
        ossl->SSL_get1_peer_certificate = ossl->SSL_get_peer_certificate; // its name in 1.1.1
    }
    if (ossl->SSL_get1_peer_certificate == NULL) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "no way to ask for the peer's certificate");
        return false;
    }
    if (ossl->X509_NAME_hash_ex == NULL && ossl->X509_NAME_hash == NULL) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "no way to hash a name");
        return false;
    }
    return true;
}

static bool reserve_indexes(struct ft_ossl *ossl, ft_error *err)
{
    (void)ossl->ERR_set_mark();
    ossl->ssl_index = ossl->CRYPTO_get_ex_new_index(FT_EX_INDEX_SSL, 0, NULL, NULL,
                                                    ft_record_ex_dup, ft_record_ex_free);
    ossl->ssl_ctx_index =
        ossl->CRYPTO_get_ex_new_index(FT_EX_INDEX_SSL_CTX, 0, NULL, NULL, NULL, ft_context_ex_free);
    ossl->store_index = ossl->CRYPTO_get_ex_new_index(FT_EX_INDEX_X509_STORE, 0, NULL, NULL, NULL,
                                                      ft_anchors_ex_free);
    ossl->question_index =
        ossl->CRYPTO_get_ex_new_index(FT_EX_INDEX_X509_STORE_CTX, 0, NULL, NULL, NULL, NULL);
    (void)ossl->ERR_pop_to_mark();
    if (ossl->ssl_index < 0 || ossl->ssl_ctx_index < 0 || ossl->store_index < 0 ||
        ossl->question_index < 0) {
        ft_error_set(err, FT_E_FOREIGN, "CRYPTO_get_ex_new_index", "OpenSSL gave no index");
        return false;
    }
    return true;
}

static bool try_library(const void *library, const ft_specimen *specimen, ft_error *err)
{
    struct ft_ossl candidate = {0};

    candidate.header = specimen->header;
    if (!fill(&candidate, library, err) || !ft_pyssl_prove(&candidate, specimen, err) ||
        !reserve_indexes(&candidate, err)) {
        return false;
    }
    table = candidate;
    (void)ft_atomic_swap(&published, &table);
    return true;
}

/* A search for the one library, and the reason that counts where there is none: the first. */
typedef struct search {
    const ft_specimen *specimen;
    ft_error first;
} search;

static bool try_one(const void *library, void *arg)
{
    search *mine = arg;
    ft_error err = {0};
    bool ok = try_library(library, mine->specimen, &err);

    if (!ok && mine->first.code == FT_OK) {
        mine->first = err;
    }
    return ok;
}

static bool open_any(const char *ssl_path, const ft_specimen *specimen, ft_error *err)
{
    search mine = {.specimen = specimen};

    if (ft_library_each(ssl_path, try_one, &mine)) {
        return true;
    }
    ft_error_set(&mine.first, FT_E_UNAVAILABLE, NULL, "no loaded library is the one of _ssl");
    *err = mine.first;
    return false;
}

bool ft_open(const char *ssl_path, const ft_specimen *specimen, ft_error *err)
{
    int before = errno; // the loader looks for files, and not all that it looks for are there
    bool ok = ft_ossl() != NULL || open_any(ssl_path, specimen, err);

    errno = before;
    return ok;
}
