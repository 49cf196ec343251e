/*
 * Finding the OpenSSL that Python's ssl uses. A process may hold several; calling one with the
 * pointers of another corrupts memory. So every candidate is resolved into a table of its own, and
 * only a table that pyssl.c has proved on live objects is ever published.
 */

#define _GNU_SOURCE

#include "ossl.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* Objects that dl_iterate_phdr names; a process with more has its later ones left out. */
enum { MAX_OBJECTS = 512 };

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

/* ISO C has no conversion from object to function pointers; POSIX promises that it works. */
static bool resolve(void *library, const char *name, void *out_function)
{
    void *symbol = dlsym(library, name);

    memcpy(out_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool fill(struct ft_ossl *ossl, void *library, ft_error *err)
{
#define FT_REQUIRED(result, name, arguments)                                                       \
    if (!resolve(library, #name, &ossl->name)) {                                                   \
        ft_error_set(err, FT_E_UNAVAILABLE, "dlsym", "the symbol %s cannot be reached", #name);    \
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
        ft_error_set(err, FT_E_UNAVAILABLE, "dlsym", "no way to ask for the peer's certificate");
        return false;
    }
    if (ossl->X509_NAME_hash_ex == NULL && ossl->X509_NAME_hash == NULL) {
        ft_error_set(err, FT_E_UNAVAILABLE, "dlsym", "no way to hash a name");
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

static bool try_library(void *library, const ft_specimen *specimen, ft_error *err)
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

struct objects {
    char *paths[MAX_OBJECTS];
    size_t num;
};

/* Only names here: the loader's lock is held, and dlopen belongs after it. */
static int collect(struct dl_phdr_info *info, size_t size, void *data)
{
    struct objects *objects = data;

    (void)size;
    if (objects->num < MAX_OBJECTS && info->dlpi_name != NULL && info->dlpi_name[0] != '\0') {
        objects->paths[objects->num] = strdup(info->dlpi_name);
        objects->num += objects->paths[objects->num] != NULL;
    }
    return 0;
}

/* The last resort: whichever loaded object has OpenSSL's functions and passes the proof. */
static bool try_loaded_objects(const ft_specimen *specimen, ft_error *err)
{
    bool ok = false;
    struct objects objects = {{NULL}, 0};

    (void)dl_iterate_phdr(collect, &objects);
    for (size_t i = 0; i < objects.num && !ok; i++) {
        void *library = dlopen(objects.paths[i], RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);

        if (library == NULL || dlsym(library, "TLS_client_method") == NULL) {
            continue;
        }
        ft_error ignored = {0};
        ok = try_library(library, specimen, &ignored);
    }
    if (!ok) {
        ft_error_set(err, FT_E_UNAVAILABLE, NULL, "no loaded library is the one that _ssl uses");
    }
    for (size_t i = 0; i < objects.num; i++) {
        free(objects.paths[i]);
    }
    return ok;
}

static bool open_any(const char *ssl_path, const ft_specimen *specimen, ft_error *err)
{
    // A handle to _ssl answers with what _ssl itself is linked to, unless another libssl was made
    // global before it; then the proof says no, and the global scope is asked.
    void *library =
        ssl_path == NULL ? NULL : dlopen(ssl_path, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
    ft_error ignored = {0};

    return (library != NULL && try_library(library, specimen, err)) ||
           try_library(dlopen(NULL, RTLD_LAZY), specimen, library == NULL ? err : &ignored) ||
           try_loaded_objects(specimen, err);
}

bool ft_open(const char *ssl_path, const ft_specimen *specimen, ft_error *err)
{
    int before = errno; // the loader looks for files, and not all that it looks for are there
    bool ok = ft_ossl() != NULL || open_any(ssl_path, specimen, err);

    errno = before;
    return ok;
}
