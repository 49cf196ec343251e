/*
 * What OpenSSL is answered when it asks a store of ours for an issuer: the union of what the store
 * itself holds and of every index of its context, in this order. Nothing of an index is ever added
 * to a store: it could not be taken out again, and the system must not count on both sides.
 */

#include "ossl.h"

#include <stdlib.h>

/* One immutable answer to "what else counts", replaced as a whole. */
typedef struct sources {
    struct sources *replaced; // kept: a handshake may be reading it
    ft_source *system;        // referenced, NULL for none
    bool for_clients;
    bool for_servers;
    size_t num_indexes;
    ft_index *indexes[]; // each referenced
} sources;

struct ft_anchors {
    void *volatile latest; // sources *
};

static void free_sources(sources *first)
{
    while (first != NULL) {
        sources *next = first->replaced;

        ft_source_free(first->system);
        for (size_t i = 0; i < first->num_indexes; i++) {
            ft_index_free(first->indexes[i]);
        }
        free(first);
        first = next;
    }
}

void ft_anchors_ex_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl,
                        void *argp)
{
    ft_anchors *anchors = value;

    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    if (anchors != NULL) {
        free_sources(anchors->latest);
        free(anchors);
    }
}

/* The store's free callback drops the anchors: this asks for no count of references. */
static ft_anchors *anchors_of(const X509_STORE *store)
{
    return ft_ossl()->X509_STORE_get_ex_data(store, ft_ossl()->store_index);
}

static void push_all(ft_x509s *to, ft_x509s *from, bool *ok)
{
    const struct ft_ossl *ossl = ft_ossl();
    int num = from == NULL ? 0 : ossl->OPENSSL_sk_num((const OPENSSL_STACK *)from);

    for (int i = 0; i < num && *ok; i++) {
        X509 *cert = ossl->OPENSSL_sk_value((const OPENSSL_STACK *)from, i);

        (void)ossl->X509_up_ref(cert);
        if (ossl->OPENSSL_sk_push((OPENSSL_STACK *)to, cert) <= 0) {
            ossl->X509_free(cert);
            *ok = false;
        }
    }
}

static void free_certs(void *cert)
{
    ft_ossl()->X509_free(cert);
}

static void free_stack(ft_x509s *certs)
{
    ft_ossl()->OPENSSL_sk_pop_free((OPENSSL_STACK *)certs, free_certs);
}

/*
 * The side is the connection's. A question without a connection is about our own chain, or about
 * the issuer of a CRL (whose chain must end where the peer's ended): everything we trust counts.
 */
static bool system_counts(const sources *source, X509_STORE_CTX *question)
{
    const struct ft_ossl *ossl = ft_ossl();
    int index = ossl->SSL_get_ex_data_X509_STORE_CTX_idx();
    const SSL *ssl = ossl->X509_STORE_CTX_get_ex_data(question, index);

    if (source == NULL || source->system == NULL) {
        return false;
    }
    if (ssl == NULL) {
        return source->for_clients || source->for_servers;
    }
    return ossl->SSL_is_server(ssl) ? source->for_servers : source->for_clients;
}

/* The hook behind X509_STORE_CTX_get1_certs's callers: partial chains, trusted leaves, CRLs. */
static ft_x509s *lookup_certs(X509_STORE_CTX *question, const X509_NAME *subject)
{
    const struct ft_ossl *ossl = ft_ossl();
    ft_anchors *anchors = anchors_of(ossl->X509_STORE_CTX_get0_store(question));
    const sources *source = anchors == NULL ? NULL : ft_atomic_load(&anchors->latest);
    ft_x509s *own = NULL; // owned

    (void)ossl->ERR_set_mark();
    ft_x509s *all = (ft_x509s *)ossl->OPENSSL_sk_new_null(); // owned
    bool ok = all != NULL;
    if (ok) {
        own = ossl->X509_STORE_CTX_get1_certs(question, subject); // NULL is none
        push_all(all, own, &ok);
    }
    for (size_t i = 0; ok && source != NULL && i < source->num_indexes; i++) {
        ok = ft_index_find(source->indexes[i], subject, all);
    }
    if (ok && system_counts(source, question)) {
        ok = ft_source_find(source->system, subject, all);
    }
    (void)ossl->ERR_pop_to_mark();
    free_stack(own);
    if (!ok) {
        free_stack(all);
        all = NULL;
    }
    return all;
}

/* Whether OpenSSL would call the certificate valid at the time of this question. */
static bool is_current(X509_STORE_CTX *question, const X509 *cert)
{
    const struct ft_ossl *ossl = ft_ossl();
    const X509_VERIFY_PARAM *param = ossl->X509_STORE_CTX_get0_param(question);
    unsigned long flags = ossl->X509_VERIFY_PARAM_get_flags(param);
    time_t at = 0;
    time_t *when = NULL; // NULL is now

    if ((flags & FT_V_FLAG_USE_CHECK_TIME) != 0) {
        at = ossl->X509_VERIFY_PARAM_get_time(param);
        when = &at;
    } else if ((flags & FT_V_FLAG_NO_CHECK_TIME) != 0) {
        return true;
    }
    // -1: the certificate's time is not after `when`; 1: it is; 0: it cannot be read.
    return ossl->X509_cmp_time(ossl->X509_get0_notBefore(cert), when) < 0 &&
           ossl->X509_cmp_time(ossl->X509_get0_notAfter(cert), when) > 0;
}

/*
 * The hook that finds an issuer. The choice among several is OpenSSL's: those that pass *its* check
 * (X509_check_issued would look at keyUsage too), the first currently valid, else the latest to
 * expire.
 */
static int get_issuer(X509 **out_issuer, X509_STORE_CTX *question, X509 *cert)
{
    const struct ft_ossl *ossl = ft_ossl();
    ft_check_issued_fn issued = ossl->X509_STORE_CTX_get_check_issued(question);
    ft_x509s *candidates = lookup_certs(question, ossl->X509_get_issuer_name(cert)); // owned
    X509 *best = NULL;

    *out_issuer = NULL;
    if (candidates == NULL) {
        return -1;
    }
    int num = ossl->OPENSSL_sk_num((const OPENSSL_STACK *)candidates);
    (void)ossl->ERR_set_mark();
    for (int i = 0; i < num; i++) {
        X509 *candidate = ossl->OPENSSL_sk_value((const OPENSSL_STACK *)candidates, i);

        if (issued(question, cert, candidate) == 0) {
            continue;
        }
        if (is_current(question, candidate)) {
            best = candidate;
            break;
        }
        if (best == NULL || ossl->ASN1_TIME_compare(ossl->X509_get0_notAfter(candidate),
                                                    ossl->X509_get0_notAfter(best)) > 0) {
            best = candidate;
        }
    }
    (void)ossl->ERR_pop_to_mark();
    if (best != NULL) {
        (void)ossl->X509_up_ref(best);
        *out_issuer = best;
    }
    free_stack(candidates);
    return best != NULL;
}

/* A copy of `trust`, with one index more unless `more` is NULL. */
static sources *sources_new(const ft_trust *trust, ft_index *more, ft_error *err)
{
    size_t num = trust->num_indexes + (more != NULL);
    sources *fresh = calloc(1, sizeof *fresh + num * sizeof fresh->indexes[0]);

    if (fresh == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < num; i++) {
        fresh->indexes[i] = ft_index_ref(i < trust->num_indexes ? trust->indexes[i] : more);
    }
    fresh->num_indexes = num;
    fresh->system = trust->system == NULL ? NULL : ft_source_ref(trust->system);
    fresh->for_clients = trust->for_clients;
    fresh->for_servers = trust->for_servers;
    return fresh;
}

static ft_trust trust_of(sources *source)
{
    return (ft_trust){.indexes = source->indexes,
                      .num_indexes = source->num_indexes,
                      .system = source->system,
                      .for_clients = source->for_clients,
                      .for_servers = source->for_servers};
}

bool ft_anchors_install(X509_STORE *store, const ft_trust *trust, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    sources *fresh = sources_new(trust, NULL, err);   // owned
    ft_anchors *anchors = calloc(1, sizeof *anchors); // owned
    bool ok = false;

    if (fresh == NULL || anchors == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        goto cleanup;
    }
    anchors->latest = fresh;
    if (ossl->X509_STORE_set_ex_data(store, ossl->store_index, anchors) == 0) {
        ft_error_set(err, FT_E_FOREIGN, "X509_STORE_set_ex_data", "OpenSSL kept no data for us");
        goto cleanup;
    }
    anchors = NULL; // the store's now
    fresh = NULL;
    // Plain writes, copied by X509_STORE_CTX_init: before anybody can use the store.
    ossl->X509_STORE_set_get_issuer(store, get_issuer);
    ossl->X509_STORE_set_lookup_certs(store, lookup_certs);
    ok = true;

cleanup:
    free_sources(fresh);
    free(anchors);
    return ok;
}

static ft_anchors *anchors_to_change(const X509_STORE *store, ft_error *err)
{
    ft_anchors *anchors = anchors_of(store);

    if (anchors == NULL) {
        ft_error_set(err, FT_E_MISUSE, NULL, "the store is not one of ours");
    }
    return anchors;
}

/* Publishes `fresh`, which it takes, unless somebody else replaced `before` meanwhile. */
static bool publish(ft_anchors *anchors, sources *before, sources *fresh)
{
    fresh->replaced = before;
    if (ft_atomic_replace(&anchors->latest, before, fresh)) {
        return true;
    }
    fresh->replaced = NULL;
    free_sources(fresh);
    return false;
}

bool ft_anchors_add(X509_STORE *store, ft_index *index, ft_error *err)
{
    ft_anchors *anchors = anchors_to_change(store, err);
    sources *before = NULL;
    sources *fresh = NULL;

    if (anchors == NULL) {
        return false;
    }
    do {
        before = ft_atomic_load(&anchors->latest);
        for (size_t i = 0; i < before->num_indexes; i++) {
            if (before->indexes[i] == index) {
                return true; // clients load the same file for every connection
            }
        }
        ft_trust trust = trust_of(before);
        fresh = sources_new(&trust, index, err);
        if (fresh == NULL) {
            return false;
        }
    } while (!publish(anchors, before, fresh));
    return true;
}

bool ft_anchors_set_system(X509_STORE *store, ft_source *system, bool for_clients, bool for_servers,
                           ft_error *err)
{
    ft_anchors *anchors = anchors_to_change(store, err);
    sources *before = NULL;
    sources *fresh = NULL;

    if (anchors == NULL) {
        return false;
    }
    do {
        before = ft_atomic_load(&anchors->latest);
        if (before->system == system && before->for_clients == for_clients &&
            before->for_servers == for_servers) {
            return true;
        }
        ft_trust trust = trust_of(before);
        trust.system = system;
        trust.for_clients = for_clients;
        trust.for_servers = for_servers;
        fresh = sources_new(&trust, NULL, err);
        if (fresh == NULL) {
            return false;
        }
    } while (!publish(anchors, before, fresh));
    return true;
}
