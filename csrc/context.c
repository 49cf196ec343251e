/*
 * What we attach to an SSL_CTX. Owned by it and freed with it, so that no Python object has to
 * outlive a connection; what handshakes may be using is replaced and kept, never changed.
 */

#include "ossl.h"

#include <stdlib.h>

typedef struct retired_store {
    X509_STORE *store; // referenced
    struct retired_store *next;
} retired_store;

/* In the SSL_CTX's ex_data. Its presence is what tells our contexts from others. */
typedef struct ft_context {
    retired_store *retired; // running X509_STORE_CTXs point at these without a reference
} ft_context;

static ft_context *context_of(const SSL_CTX *ctx)
{
    return ft_ossl()->SSL_CTX_get_ex_data(ctx, ft_ossl()->ssl_ctx_index);
}

bool ft_context_find(const SSL_CTX *ctx)
{
    return context_of(ctx) != NULL;
}

bool ft_context_attached(uintptr_t context)
{
    ft_error ignored = {0};
    const SSL_CTX *ctx = ft_pyssl_context(context, &ignored);

    return ctx != NULL && ft_context_find(ctx);
}

void ft_context_ex_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl,
                        void *argp)
{
    ft_context *context = value;

    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    while (context != NULL && context->retired != NULL) {
        retired_store *next = context->retired->next;

        ft_ossl()->X509_STORE_free(context->retired->store);
        free(context->retired);
        context->retired = next;
    }
    free(context);
}

/* The present context of ours, made now if need be. */
static ft_context *ensure_context(SSL_CTX *ctx, ft_error *err)
{
    ft_context *context = context_of(ctx);

    if (context != NULL) {
        return context;
    }
    context = calloc(1, sizeof *context);
    if (context == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return NULL;
    }
    if (ft_ossl()->SSL_CTX_set_ex_data(ctx, ft_ossl()->ssl_ctx_index, context) == 0) {
        free(context);
        ft_error_set(err, FT_E_FOREIGN, "SSL_CTX_set_ex_data", "OpenSSL kept no data for us");
        return NULL;
    }
    return context;
}

/* Whether the certificate stands for the system: it is an anchor of it, or of a public bundle. */
static bool is_systems(const ft_trust *trust, bool *out_is, X509 *cert, ft_error *err)
{
    *out_is = false;
    return (trust->system == NULL || ft_source_hold(trust->system, out_is, cert, err)) &&
           (*out_is || trust->dropped == NULL || ft_index_hold(trust->dropped, out_is, cert, err));
}

/* Copies what the old store holds beyond the system's anchors, and its CRLs. */
static bool copy_objects(X509_STORE *to, X509_STORE *from, const ft_trust *trust, bool *out_any,
                         ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    bool ok = true;

    (void)ossl->X509_STORE_lock(from);
    const OPENSSL_STACK *objects = (const OPENSSL_STACK *)ossl->X509_STORE_get0_objects(from);
    int num = ossl->OPENSSL_sk_num(objects);
    for (int i = 0; i < num && ok; i++) {
        const X509_OBJECT *object = ossl->OPENSSL_sk_value(objects, i);
        X509 *cert = ossl->X509_OBJECT_get0_X509(object);
        X509_CRL *crl = ossl->X509_OBJECT_get0_X509_CRL(object);

        if (cert != NULL) {
            // Where that cannot be told the anchor must not be kept: as the program's own it would
            // count on both sides of a connection, the system's only on one.
            bool known = false;
            ok = is_systems(trust, &known, cert, err) &&
                 (known || ossl->X509_STORE_add_cert(to, cert) == 1);
            *out_any = *out_any || !known;
        } else if (crl != NULL) {
            ok = ossl->X509_STORE_add_crl(to, crl) == 1;
            *out_any = true;
        }
    }
    (void)ossl->X509_STORE_unlock(from);
    if (!ok) {
        ft_error_set(err, FT_E_FOREIGN, "X509_STORE_add_cert", "an anchor could not be kept");
    }
    return ok;
}

/* A store of ours; with `keep` it holds what `old` does beyond the system; owned. */
static X509_STORE *fresh_store(X509_STORE *old, const ft_trust *trust, bool keep, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    bool ok = false;
    ft_trust whole = *trust;
    X509_STORE *fresh = ossl->X509_STORE_new(); // owned

    if (fresh == NULL) {
        ft_error_set(err, FT_E_MEMORY, "X509_STORE_new", "out of memory");
        goto cleanup;
    }
    if (ossl->X509_STORE_set1_param(fresh, ossl->X509_STORE_get0_param(old)) == 0) {
        ft_error_set(err, FT_E_FOREIGN, "X509_STORE_set1_param", "the store's settings were lost");
        goto cleanup;
    }
    ok = (!keep || copy_objects(fresh, old, trust, &whole.own, err)) &&
         ft_anchors_install(fresh, &whole, err);

cleanup:
    if (!ok) {
        ossl->X509_STORE_free(fresh);
        fresh = NULL;
    }
    return fresh;
}

/* Gives the SSL_CTX another store; the present one is kept for handshakes that are using it. */
static void replace_store(SSL_CTX *ctx, ft_context *context, retired_store *retired,
                          X509_STORE *fresh)
{
    const struct ft_ossl *ossl = ft_ossl();

    retired->store = ossl->SSL_CTX_get_cert_store(ctx);
    (void)ossl->X509_STORE_up_ref(retired->store);
    retired->next = context->retired;
    context->retired = retired;
    ossl->SSL_CTX_set1_cert_store(ctx, fresh);
}

bool ft_context_attach(uintptr_t context, const ft_trust *trust, bool keep, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    bool ok = false;
    SSL_CTX *ctx = ft_pyssl_context(context, err);

    if (ctx == NULL) {
        return false;
    }
    (void)ossl->ERR_set_mark();
    X509_STORE *fresh = fresh_store(ossl->SSL_CTX_get_cert_store(ctx), trust, keep, err); // owned
    retired_store *retired = calloc(1, sizeof *retired);                                  // owned
    if (retired == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
    }
    // The last step that can fail: a context that has an ft_context is one that we verify.
    ft_context *ours = fresh == NULL || retired == NULL ? NULL : ensure_context(ctx, err);
    if (ours == NULL) {
        goto cleanup;
    }
    replace_store(ctx, ours, retired, fresh);
    retired = NULL; // the context's now
    // In this order: a callback that finds no ft_context verifies as plain ssl would.
    ossl->SSL_CTX_set_info_callback(ctx, ft_verify_watch);
    ossl->SSL_CTX_set_cert_verify_callback(ctx, ft_verify_callback, NULL);
    ok = true;

cleanup:
    free(retired);
    ossl->X509_STORE_free(fresh);
    (void)ossl->ERR_pop_to_mark();
    return ok;
}

bool ft_context_add(uintptr_t context, ft_index *index, ft_error *err)
{
    SSL_CTX *ctx = ft_pyssl_context(context, err);

    return ctx != NULL && ft_anchors_add(ft_ossl()->SSL_CTX_get_cert_store(ctx), index, err);
}

bool ft_context_trust_system(uintptr_t context, const ft_trust *trust, ft_error *err)
{
    SSL_CTX *ctx = ft_pyssl_context(context, err);

    return ctx != NULL && ft_anchors_set_system(ft_ossl()->SSL_CTX_get_cert_store(ctx), trust, err);
}

bool ft_context_own(uintptr_t context, ft_error *err)
{
    SSL_CTX *ctx = ft_pyssl_context(context, err);

    return ctx != NULL && ft_anchors_set_own(ft_ossl()->SSL_CTX_get_cert_store(ctx), err);
}

bool ft_context_set_time(uintptr_t context, int64_t at, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    SSL_CTX *ctx = ft_pyssl_context(context, err);

    if (ctx == NULL) {
        return false;
    }
    if ((int64_t)(time_t)at != at) {
        ft_error_set(err, FT_E_MISUSE, NULL, "the moment is beyond this system's clock");
        return false;
    }
    ossl->X509_VERIFY_PARAM_set_time(ossl->SSL_CTX_get0_param(ctx), (time_t)at);
    return true;
}
