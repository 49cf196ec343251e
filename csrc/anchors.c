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
    ft_trust trust;           // its indexes are those below
    ft_index *indexes[];      // each referenced
} sources;

struct ft_anchors {
    void *volatile latest; // sources *
};

static void free_sources(sources *first)
{
    while (first != NULL) {
        sources *next = first->replaced;

        ft_source_free(first->trust.system);
        for (size_t i = 0; i < first->trust.num_indexes; i++) {
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

static const sources *sources_of(const X509_STORE *store)
{
    ft_anchors *anchors = anchors_of(store);

    return anchors == NULL ? NULL : ft_atomic_load(&anchors->latest);
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

    if (ssl == NULL) {
        return source->trust.for_clients || source->trust.for_servers;
    }
    return ossl->SSL_is_server(ssl) ? source->trust.for_servers : source->trust.for_clients;
}

ft_judges ft_anchors_judges(X509_STORE_CTX *question)
{
    const sources *source = sources_of(ft_ossl()->X509_STORE_CTX_get0_store(question));

    if (source == NULL) {
        return (ft_judges){.own = true};
    }
    bool counts = system_counts(source, question);
    bool has_store = source->trust.own || (counts && source->trust.system != NULL);
    return (ft_judges){.own = has_store || source->trust.num_indexes > 0,
                       .own_crls = has_store,
                       .platform = counts && source->trust.ask_platform,
                       .policy = source->trust.policy};
}

bool ft_anchors_want_staple(const X509_STORE *store, bool looks_up)
{
    const sources *source = sources_of(store);

    return source != NULL && source->trust.ask_platform && source->trust.for_clients &&
           (looks_up || ft_system_always_reads_staples ||
            source->trust.policy.revocation != FT_REVOCATION_PLATFORM);
}

/* The hook behind X509_STORE_CTX_get1_certs's callers: partial chains, trusted leaves, CRLs. */
static ft_x509s *lookup_certs(X509_STORE_CTX *question, const X509_NAME *subject)
{
    const struct ft_ossl *ossl = ft_ossl();
    const sources *source = sources_of(ossl->X509_STORE_CTX_get0_store(question));
    ft_x509s *own = NULL; // owned

    (void)ossl->ERR_set_mark();
    ft_x509s *all = (ft_x509s *)ossl->OPENSSL_sk_new_null(); // owned
    bool ok = all != NULL;
    if (ok) {
        own = ossl->X509_STORE_CTX_get1_certs(question, subject); // NULL is none
        push_all(all, own, &ok);
    }
    for (size_t i = 0; ok && source != NULL && i < source->trust.num_indexes; i++) {
        ok = ft_index_find(source->indexes[i], subject, all);
    }
    if (ok && source != NULL && source->trust.system != NULL && system_counts(source, question)) {
        ok = ft_source_find(source->trust.system, subject, all);
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
    fresh->trust = *trust;
    fresh->trust.indexes = fresh->indexes;
    fresh->trust.num_indexes = num;
    fresh->trust.dropped = NULL; // attaching's business, and over
    if (trust->system != NULL) {
        (void)ft_source_ref(trust->system);
    }
    return fresh;
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

/* What is to be different from now on. */
typedef struct change_wanted {
    ft_index *more;         // one index more, NULL for none
    const ft_trust *system; // another system, NULL for the present one
    bool own;               // the store itself holds something
} change_wanted;

static bool is_granted(const sources *source, const change_wanted *wish)
{
    const ft_trust *is = &source->trust;
    const ft_trust *system = wish->system == NULL ? is : wish->system;
    bool found = wish->more == NULL;

    for (size_t i = 0; i < is->num_indexes && !found; i++) {
        found = source->indexes[i] == wish->more; // clients load one file for every connection
    }
    return found && (is->own || !wish->own) && is->system == system->system &&
           is->ask_platform == system->ask_platform && is->for_clients == system->for_clients &&
           is->for_servers == system->for_servers;
}

static bool change(X509_STORE *store, const change_wanted *wish, ft_error *err)
{
    ft_anchors *anchors = anchors_to_change(store, err);
    sources *before = NULL;
    sources *fresh = NULL;

    if (anchors == NULL) {
        return false;
    }
    do {
        before = ft_atomic_load(&anchors->latest);
        if (is_granted(before, wish)) {
            return true;
        }
        ft_trust changed = before->trust;
        changed.own = changed.own || wish->own;
        if (wish->system != NULL) {
            changed.system = wish->system->system;
            changed.ask_platform = wish->system->ask_platform;
            changed.for_clients = wish->system->for_clients;
            changed.for_servers = wish->system->for_servers;
        }
        fresh = sources_new(&changed, wish->more, err);
        if (fresh == NULL) {
            return false;
        }
    } while (!publish(anchors, before, fresh));
    return true;
}

bool ft_anchors_add(X509_STORE *store, ft_index *index, ft_error *err)
{
    return change(store, &(change_wanted){.more = index}, err);
}

bool ft_anchors_set_system(X509_STORE *store, const ft_trust *trust, ft_error *err)
{
    return change(store, &(change_wanted){.system = trust}, err);
}

bool ft_anchors_set_own(X509_STORE *store, ft_error *err)
{
    return change(store, &(change_wanted){.own = true}, err);
}
