/*
 * What we know of one connection. The handshake's thread publishes a capture, complete and never
 * changed again, by swapping one pointer; any thread may read meanwhile. A reader counts itself
 * before it loads the pointer, so that a capture which a later one replaced (post-handshake
 * authentication) is freed only when nobody can still be reaching for it.
 */

#include "ossl.h"

#include <stdlib.h>
#include <string.h>

typedef struct capture {
    ft_chain *peer;           // as sent, leaf first; NULL if none
    ft_chain *verified;       // NULL if none
    ft_verdict verdict;       //
    struct capture *replaced; // the one before it, until it can be freed
} capture;

struct ft_record {
    volatile int32_t references; // one is the SSL's
    volatile int32_t readers;    // on their way from `latest` to references of their own
    const void *origin;          // the store that it was to be verified by; never followed
    bool is_bound;               // whether there is a hash
    unsigned char hash[FT_SESSION_CONTEXT_LEN]; // of what its sessions are verified under
    volatile int32_t captures;                  // how many were published
    void *volatile latest;                      // capture *
};

static void free_captures(capture *first)
{
    while (first != NULL) {
        capture *next = first->replaced;

        ft_chain_free(first->peer);
        ft_chain_free(first->verified);
        free(first);
        first = next;
    }
}

void ft_record_free(ft_record *record)
{
    if (record == NULL || ft_atomic_add(&record->references, -1) > 0) {
        return;
    }
    free_captures(record->latest);
    free(record);
}

void ft_record_ex_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl,
                       void *argp)
{
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    ft_record_free(value);
}

/* SSL_dup would otherwise copy the pointer without a reference. */
int ft_record_ex_dup(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **value, int index,
                     long argl, void *argp)
{
    (void)to, (void)from, (void)index, (void)argl, (void)argp;
    *value = NULL;
    return 1;
}

/* What stands for a connection's trust: no two contexts share one, attaching brings another, and
 * none is freed before its context, which a connection keeps. */
static const void *store_of(const SSL *ssl)
{
    return ft_ossl()->SSL_CTX_get_cert_store(ft_ossl()->SSL_get_SSL_CTX(ssl));
}

ft_record *ft_record_find(const SSL *ssl)
{
    return ft_ossl()->SSL_get_ex_data(ssl, ft_ossl()->ssl_index);
}

ft_record *ft_record_of(SSL *ssl, ft_error *err)
{
    ft_record *record = ft_record_find(ssl);

    if (record != NULL) {
        return record;
    }
    record = calloc(1, sizeof *record);
    if (record == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return NULL;
    }
    record->references = 1;
    record->origin = store_of(ssl);
    (void)ft_ossl()->ERR_set_mark();
    bool kept = ft_ossl()->SSL_set_ex_data(ssl, ft_ossl()->ssl_index, record) != 0;
    (void)ft_ossl()->ERR_pop_to_mark();
    if (!kept) {
        free(record);
        ft_error_set(err, FT_E_FOREIGN, "SSL_set_ex_data", "OpenSSL kept no data for us");
        return NULL;
    }
    return record;
}

ft_record *ft_record_watch(uintptr_t connection, ft_error *err)
{
    SSL *ssl = ft_pyssl_connection(connection, err);
    ft_record *record = ssl == NULL ? NULL : ft_record_of(ssl, err);

    if (record != NULL) {
        (void)ft_atomic_add(&record->references, 1);
    }
    return record;
}

bool ft_record_publish(ft_record *record, ft_chain *peer, ft_chain *verified,
                       const ft_verdict *verdict, ft_error *err)
{
    capture *latest = calloc(1, sizeof *latest);

    if (latest == NULL) {
        ft_chain_free(peer);
        ft_chain_free(verified);
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return false;
    }
    latest->peer = peer;
    latest->verified = verified;
    latest->verdict = *verdict;
    // Only the handshake's thread publishes, so nobody changes `latest` between these two.
    latest->replaced = ft_atomic_load(&record->latest);
    (void)ft_atomic_swap(&record->latest, latest);
    (void)ft_atomic_add(&record->captures, 1);
    if (ft_atomic_add(&record->readers, 0) == 0) {
        free_captures(latest->replaced);
        latest->replaced = NULL;
    }
    return true;
}

void ft_record_set_hash(ft_record *record, const unsigned char *hash)
{
    memcpy(record->hash, hash, sizeof record->hash);
    record->is_bound = true;
}

const unsigned char *ft_record_hash(const ft_record *record)
{
    return record->is_bound ? record->hash : NULL;
}

bool ft_record_switched(const ft_record *record, const SSL *ssl)
{
    return record->origin != store_of(ssl);
}

bool ft_record_captured(ft_record *record)
{
    return ft_atomic_load(&record->latest) != NULL;
}

int32_t ft_record_captures(ft_record *record)
{
    return ft_atomic_add(&record->captures, 0);
}

ft_chain *ft_record_chain(ft_record *record, bool verified)
{
    (void)ft_atomic_add(&record->readers, 1);
    capture *latest = ft_atomic_load(&record->latest);
    ft_chain *chain =
        latest == NULL ? NULL : ft_chain_ref(verified ? latest->verified : latest->peer);
    (void)ft_atomic_add(&record->readers, -1);
    return chain;
}

void ft_record_verdict(ft_record *record, ft_verdict *out_verdict)
{
    static const ft_verdict none = {.depth = -1};

    (void)ft_atomic_add(&record->readers, 1);
    capture *latest = ft_atomic_load(&record->latest);
    *out_verdict = latest == NULL ? none : latest->verdict;
    (void)ft_atomic_add(&record->readers, -1);
}

ft_chain *ft_connection_chain(uintptr_t connection, bool verified, ft_error *err)
{
    SSL *ssl = ft_pyssl_connection(connection, err);

    if (ssl == NULL) {
        return NULL;
    }
    ft_record *record = ft_record_find(ssl);
    // A connection of ours that an SNI callback handed to a foreign context has a record and no
    // capture: there OpenSSL's own word is all there is.
    if (record != NULL &&
        (ft_record_captured(record) || ft_context_find(ft_ossl()->SSL_get_SSL_CTX(ssl)))) {
        return ft_record_chain(record, verified);
    }
    return ft_chain_of_ssl(ssl, verified, err);
}
