/*
 * What OpenSSL is answered when it asks a store of ours for an issuer: the union of what the store
 * itself holds and of the system's anchors, in this order. Nothing of the system is ever added to a
 * store: it could not be taken out again, and it must not count on both sides of a connection.
 */

#include "ossl.h"

#include <stdlib.h>

/* One immutable answer to "what else counts", replaced as a whole. */
typedef struct sources {
    X509_STORE *system; // referenced, NULL for none; never changed by anybody
    bool for_clients;
    bool for_servers;
    struct sources *replaced; // kept: a handshake may be reading it
} sources;

struct ft_anchors {
    void *volatile latest; // sources *
};

static void free_sources(sources *first)
{
    while (first != NULL) {
        sources *next = first->replaced;

        ft_ossl()->X509_STORE_free(first->system);
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

/* Every certificate of that subject in another store; owned, NULL for none. */
static ft_x509s *ask_store(X509_STORE *store, const X509_NAME *subject)
{
    const struct ft_ossl *ossl = ft_ossl();
    X509_STORE_CTX *asking = ossl->X509_STORE_CTX_new(); // owned
    ft_x509s *found = NULL;

    if (asking != NULL && ossl->X509_STORE_CTX_init(asking, store, NULL, NULL) == 1) {
        found = ossl->X509_STORE_CTX_get1_certs(asking, subject);
    }
    ossl->X509_STORE_CTX_free(asking);
    return found;
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
    ft_x509s *own = NULL;    // owned
    ft_x509s *system = NULL; // owned
    ft_x509s *all = (ft_x509s *)ossl->OPENSSL_sk_new_null();
    bool ok = all != NULL;

    (void)ossl->ERR_set_mark();
    if (ok) {
        own = ossl->X509_STORE_CTX_get1_certs(question, subject);
        push_all(all, own, &ok);
    }
    if (ok && system_counts(source, question)) {
        system = ask_store(source->system, subject);
        push_all(all, system, &ok);
    }
    (void)ossl->ERR_pop_to_mark();
    free_stack(own);
    free_stack(system);
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

static sources *sources_new(X509_STORE *system, const ft_trust *trust, ft_error *err)
{
    sources *fresh = calloc(1, sizeof *fresh);

    if (fresh == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return NULL;
    }
    if (system != NULL) {
        (void)ft_ossl()->X509_STORE_up_ref(system);
        fresh->system = system;
    }
    fresh->for_clients = trust->for_clients;
    fresh->for_servers = trust->for_servers;
    return fresh;
}

bool ft_anchors_install(X509_STORE *store, X509_STORE *system, const ft_trust *trust, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    sources *fresh = sources_new(system, trust, err); // owned
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

bool ft_anchors_change(X509_STORE *store, X509_STORE *system, const ft_trust *trust, ft_error *err)
{
    ft_anchors *anchors = anchors_of(store);
    sources *fresh = NULL; // owned

    if (anchors == NULL) {
        ft_error_set(err, FT_E_MISUSE, NULL, "the store is not one of ours");
        return false;
    }
    sources *latest = ft_atomic_load(&anchors->latest);
    if (latest->system == system && latest->for_clients == trust->for_clients &&
        latest->for_servers == trust->for_servers) {
        return true;
    }
    fresh = sources_new(system, trust, err);
    if (fresh == NULL) {
        return false;
    }
    do {
        fresh->replaced = ft_atomic_load(&anchors->latest);
    } while (!ft_atomic_replace(&anchors->latest, fresh->replaced, fresh));
    return true;
}

bool ft_anchors_hold(X509_STORE *store, X509 *cert, bool *out_held, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    unsigned long before = ossl->ERR_peek_last_error();
    ft_x509s *same_subject = ask_store(store, ossl->X509_get_subject_name(cert)); // owned
    int num = same_subject == NULL ? 0 : ossl->OPENSSL_sk_num((const OPENSSL_STACK *)same_subject);

    // NULL is what "none" looks like, until 3.5, and a failure too: only that leaves an error.
    if (same_subject == NULL && ossl->ERR_peek_last_error() != before) {
        ft_error_set(err, FT_E_FOREIGN, "X509_STORE_CTX_get1_certs",
                     "the system's anchors cannot be asked");
        return false;
    }
    *out_held = false;
    for (int i = 0; i < num && !*out_held; i++) {
        X509 *held = ossl->OPENSSL_sk_value((const OPENSSL_STACK *)same_subject, i);
        *out_held = ossl->X509_cmp(held, cert) == 0;
    }
    free_stack(same_subject);
    return true;
}
