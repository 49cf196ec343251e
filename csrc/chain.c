/*
 * A chain, captured or given: referenced X509s, DER only on request and then for all of it at once.
 */

#include "ossl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct ft_chain {
    volatile int32_t references;
    void *volatile ders; // ft_der[num], with the bytes behind it; NULL until asked for
    size_t num;
    X509 *certs[]; // each referenced
};

static size_t stack_len(const ft_x509s *certs)
{
    // OPENSSL_sk_num answers -1 for NULL.
    int num = certs == NULL ? 0 : ft_ossl()->OPENSSL_sk_num((const OPENSSL_STACK *)certs);
    return num < 0 ? 0 : (size_t)num;
}

/* A chain of nobody yet, with room for `num`; owned. */
static ft_chain *chain_with_room(size_t num, ft_error *err)
{
    ft_chain *chain = malloc(sizeof *chain + num * sizeof chain->certs[0]);

    if (chain == NULL) {
        ft_error_set(err, FT_E_MEMORY, "malloc", "out of memory");
        return NULL;
    }
    chain->references = 1;
    chain->ders = NULL;
    chain->num = 0;
    return chain;
}

ft_chain *ft_chain_new(X509 *first, ft_x509s *certs, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    size_t num = stack_len(certs) + (first != NULL);
    ft_chain *chain = num == 0 ? NULL : chain_with_room(num, err);

    if (chain == NULL) {
        return NULL;
    }
    if (first != NULL) {
        chain->certs[chain->num++] = first;
    }
    while (chain->num < num) {
        int index = (int)(chain->num - (first != NULL));
        chain->certs[chain->num++] = ossl->OPENSSL_sk_value((const OPENSSL_STACK *)certs, index);
    }
    for (size_t i = 0; i < num; i++) {
        (void)ossl->X509_up_ref(chain->certs[i]); // fails only where the count would overflow
    }
    return chain;
}

/* Exactly one certificate, and nothing behind it; owned. */
static X509 *parse(ft_der der)
{
    const struct ft_ossl *ossl = ft_ossl();
    const unsigned char *end = (const unsigned char *)der.data;
    X509 *cert = der.len > INT_MAX ? NULL : ossl->d2i_X509(NULL, &end, (long)der.len);

    if (cert != NULL && (const char *)end != der.data + der.len) {
        ossl->X509_free(cert);
        cert = NULL;
    }
    return cert;
}

ft_chain *ft_chain_make(const ft_part *parts, size_t num, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    ft_chain *chain = chain_with_room(num, err); // owned

    if (chain == NULL) {
        return NULL;
    }
    (void)ossl->ERR_set_mark();
    for (; chain->num < num; chain->num++) {
        const ft_part *part = &parts[chain->num];
        X509 *cert = part->chain == NULL ? parse(part->der) : part->chain->certs[part->place];

        if (cert == NULL) {
            ft_error_set(err, FT_E_MALFORMED, "d2i_X509", "a certificate is malformed");
            err->depth = (int32_t)chain->num;
            ft_chain_free(chain);
            chain = NULL;
            break;
        }
        if (part->chain != NULL) {
            (void)ossl->X509_up_ref(cert);
        }
        chain->certs[chain->num] = cert;
    }
    (void)ossl->ERR_pop_to_mark();
    return chain;
}

ft_chain *ft_chain_ref(ft_chain *chain)
{
    if (chain != NULL) {
        (void)ft_atomic_add(&chain->references, 1);
    }
    return chain;
}

void ft_chain_free(ft_chain *chain)
{
    if (chain == NULL || ft_atomic_add(&chain->references, -1) > 0) {
        return;
    }
    for (size_t i = 0; i < chain->num; i++) {
        ft_ossl()->X509_free(chain->certs[i]);
    }
    free(chain->ders);
    free(chain);
}

size_t ft_chain_len(const ft_chain *chain)
{
    return chain->num;
}

X509 *ft_chain_cert(const ft_chain *chain, size_t place)
{
    return chain->certs[place];
}

/* One block: the list, then the bytes. */
static ft_der *encode(const ft_chain *chain)
{
    const struct ft_ossl *ossl = ft_ossl();
    size_t size = chain->num * sizeof(ft_der);

    for (size_t i = 0; i < chain->num; i++) {
        int len = ossl->i2d_X509(chain->certs[i], NULL);
        if (len <= 0) {
            return NULL;
        }
        size += (size_t)len;
    }
    ft_der *ders = malloc(size);
    if (ders == NULL) {
        return NULL;
    }
    unsigned char *end = (unsigned char *)(ders + chain->num);
    for (size_t i = 0; i < chain->num; i++) {
        ders[i].data = (const char *)end;
        ders[i].len = (size_t)ossl->i2d_X509(chain->certs[i], &end);
    }
    return ders;
}

const ft_der *ft_chain_ders(ft_chain *chain)
{
    ft_der *ders = ft_atomic_load(&chain->ders);

    if (ders == NULL) {
        (void)ft_ossl()->ERR_set_mark();
        ders = encode(chain);
        (void)ft_ossl()->ERR_pop_to_mark();
        // Where two threads ask at once the first one's answer stays.
        if (ders != NULL && !ft_atomic_replace(&chain->ders, NULL, ders)) {
            free(ders);
            ders = ft_atomic_load(&chain->ders);
        }
    }
    return ders;
}

/* What OpenSSL holds is believed only as far as design decision 5 says. */
static bool was_verified(const SSL *ssl)
{
    const struct ft_ossl *ossl = ft_ossl();

    return ossl->SSL_get_verify_result(ssl) == FT_V_OK && ossl->SSL_session_reused(ssl) == 0 &&
           (ossl->SSL_get_verify_mode(ssl) & FT_SSL_VERIFY_PEER) != 0;
}

ft_chain *ft_chain_of_ssl(SSL *ssl, bool verified, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    ft_chain *chain = NULL;
    X509 *leaf = NULL; // owned

    (void)ossl->ERR_set_mark();
    if (verified) {
        if (was_verified(ssl)) {
            chain = ft_chain_new(NULL, ossl->SSL_get0_verified_chain(ssl), err);
        }
    } else {
        // On a server OpenSSL keeps the leaf apart from the rest.
        leaf = ossl->SSL_is_server(ssl) ? ossl->SSL_get1_peer_certificate(ssl) : NULL;
        chain = ft_chain_new(leaf, ossl->SSL_get_peer_cert_chain(ssl), err);
    }
    ossl->X509_free(leaf);
    (void)ossl->ERR_pop_to_mark();
    return chain;
}
