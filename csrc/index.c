/*
 * The index of trust anchors. Building one splits PEM and hashes subjects without parsing anything:
 * nearly all of what a bundle costs OpenSSL is the decoding of public keys that no handshake will
 * use. An anchor is parsed when OpenSSL first asks for its subject, and kept for everybody; slots
 * are published by compare-and-swap, so that where two threads parse the same one a parse is wasted
 * and nobody waits.
 */

#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "ossl.h"

typedef struct slot {
    uint64_t key;
    ft_span der;           // in `bytes`
    uint32_t next;         // in the bucket: its place + 1, 0 ends
    void *volatile parsed; // X509 *, referenced; NULL until asked for
} slot;

struct ft_index {
    volatile int32_t references;
    size_t num;
    size_t num_buckets; // a power of two
    uint32_t *buckets;  // place + 1 of the first slot, 0 for none
    slot *slots;
    uint8_t *bytes; // every DER, one behind the other
};

void ft_index_free(ft_index *index)
{
    if (index == NULL || ft_atomic_add(&index->references, -1) > 0) {
        return;
    }
    for (size_t i = 0; i < index->num; i++) {
        if (index->slots[i].parsed != NULL) {
            ft_ossl()->X509_free(index->slots[i].parsed);
        }
    }
    free(index->buckets);
    free(index->slots);
    free(index->bytes);
    free(index);
}

ft_index *ft_index_ref(ft_index *index)
{
    (void)ft_atomic_add(&index->references, 1);
    return index;
}

size_t ft_index_len(const ft_index *index)
{
    return index->num;
}

ft_der ft_index_der(const ft_index *index, size_t place)
{
    const ft_span *der = &index->slots[place].der;
    return (ft_der){(const char *)der->data, der->len};
}

static ft_index *index_new(size_t num_bytes, ft_error *err)
{
    ft_index *index = calloc(1, sizeof *index);

    if (index != NULL) {
        index->references = 1;
        index->bytes = malloc(num_bytes == 0 ? 1 : num_bytes);
    }
    if (index == NULL || index->bytes == NULL) {
        ft_index_free(index);
        ft_error_set(err, FT_E_MEMORY, "malloc", "out of memory");
        return NULL;
    }
    return index;
}

/* Adds the DER that lies at `der`, which must stay. False where it has no certificate's frame. */
static bool push(ft_index *index, size_t *capacity, ft_span der, ft_error *err)
{
    ft_span subject;
    uint64_t key = 0;

    if (!ft_der_subject(der, &subject) || !ft_der_name_key(subject, &key)) {
        ft_error_set(err, FT_E_MALFORMED, NULL, "a certificate has not the form of one");
        return false;
    }
    if (index->num == *capacity) {
        size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
        slot *slots =
            wanted > UINT32_MAX / 2 ? NULL : realloc(index->slots, wanted * sizeof *slots);
        if (slots == NULL) {
            ft_error_set(err, FT_E_MEMORY, "realloc", "out of memory");
            return false;
        }
        index->slots = slots;
        *capacity = wanted;
    }
    index->slots[index->num++] = (slot){.key = key, .der = der};
    return true;
}

static uint32_t *bucket_of(const ft_index *index, uint64_t key)
{
    // FNV mixes its low bits least where the input ends: fold the high half in.
    return &index->buckets[(key ^ key >> 32) & (index->num_buckets - 1)];
}

/* Whether a slot's DER is already in its bucket: equal DER counts once. */
static bool is_duplicate(const ft_index *index, const slot *fresh, uint32_t first)
{
    for (uint32_t place = first; place != 0; place = index->slots[place - 1].next) {
        const slot *other = &index->slots[place - 1];
        if (other->key == fresh->key && other->der.len == fresh->der.len &&
            memcmp(other->der.data, fresh->der.data, fresh->der.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Fills the buckets, dropping duplicates; the order among equal subjects stays the file's. */
static bool link_slots(ft_index *index, ft_error *err)
{
    size_t num = 0;

    index->num_buckets = 16;
    while (index->num_buckets < index->num * 2) {
        index->num_buckets *= 2;
    }
    index->buckets = calloc(index->num_buckets, sizeof *index->buckets);
    if (index->buckets == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return false;
    }
    for (size_t i = 0; i < index->num; i++) {
        slot fresh = index->slots[i];
        uint32_t *end = bucket_of(index, fresh.key);

        if (is_duplicate(index, &fresh, *end)) {
            continue;
        }
        while (*end != 0) {
            end = &index->slots[*end - 1].next;
        }
        index->slots[num++] = fresh;
        *end = (uint32_t)num;
    }
    index->num = num;
    return true;
}

ft_index *ft_index_from_pem(const char *text, size_t text_len, ft_error *err)
{
    bool ok = false;
    ft_index *index = index_new(text_len, err); // owned
    ft_span pem = {(const uint8_t *)text, text_len};
    size_t position = 0;
    size_t used = 0;
    size_t capacity = 0;
    size_t len = 0;

    if (index == NULL) {
        return NULL;
    }
    while (true) {
        ft_pem found = ft_pem_next(pem, &position, index->bytes + used, &len);

        if (found == FT_PEM_OTHER) {
            ft_error_set(err, FT_E_MALFORMED, NULL, "the text is not certificates in PEM alone");
            goto cleanup;
        }
        if (found == FT_PEM_END) {
            break;
        }
        if (!push(index, &capacity, (ft_span){index->bytes + used, len}, err)) {
            goto cleanup;
        }
        used += len;
    }
    ok = link_slots(index, err);

cleanup:
    if (!ok) {
        ft_index_free(index);
        index = NULL;
    }
    return index;
}

ft_index *ft_index_from_der(const char *data, size_t data_len, const size_t *lens, size_t num,
                            ft_error *err)
{
    bool ok = false;
    ft_index *index = index_new(data_len, err); // owned
    size_t used = 0;
    size_t capacity = 0;

    if (index == NULL) {
        return NULL;
    }
    memcpy(index->bytes, data, data_len);
    for (size_t i = 0; i < num; i++) {
        if (lens[i] > data_len - used) {
            ft_error_set(err, FT_E_MISUSE, NULL, "the lengths are more than the data");
            goto cleanup;
        }
        if (!push(index, &capacity, (ft_span){index->bytes + used, lens[i]}, err)) {
            goto cleanup;
        }
        used += lens[i];
    }
    ok = link_slots(index, err);

cleanup:
    if (!ok) {
        ft_index_free(index);
        index = NULL;
    }
    return index;
}

/* The key of a Name that OpenSSL parsed. It accepts BER, so the entries are read, not the bytes. */
static uint64_t key_of(const X509_NAME *name)
{
    const struct ft_ossl *ossl = ft_ossl();
    int num = ossl->X509_NAME_entry_count(name);
    uint64_t key = 0;

    for (int i = 0; i < num; i++) {
        const X509_NAME_ENTRY *entry = ossl->X509_NAME_get_entry(name, i);
        const ASN1_OBJECT *type = ossl->X509_NAME_ENTRY_get_object(entry);
        const ASN1_STRING *value = ossl->X509_NAME_ENTRY_get_data(entry);
        int value_len = ossl->ASN1_STRING_length(value);

        key += ft_name_part_key(
            (ft_span){ossl->OBJ_get0_data(type), ossl->OBJ_length(type)},
            ossl->ASN1_STRING_type(value),
            (ft_span){ossl->ASN1_STRING_get0_data(value), value_len < 0 ? 0 : (size_t)value_len});
    }
    return key;
}

/* Whether OpenSSL made use of all of it: what memory was too short for stays undone in it. */
static bool is_whole(X509 *cert)
{
    const struct ft_ossl *ossl = ft_ossl();

    return ossl->X509_get0_pubkey(cert) != NULL &&
           (ossl->X509_get_extension_flags(cert) & FT_EXFLAG_INVALID) == 0;
}

/*
 * The parsed anchor, owned; NULL where OpenSSL cannot parse it, and where there was no memory. It
 * is kept for all where nothing of it is missing, so that a shortage passes.
 */
static X509 *parsed(slot *place)
{
    const struct ft_ossl *ossl = ft_ossl();
    X509 *cert = ft_atomic_load(&place->parsed);

    if (cert == NULL) {
        const unsigned char *end = place->der.data;
        cert = ossl->d2i_X509(NULL, &end, (long)place->der.len);
        if (cert == NULL || !is_whole(cert)) {
            return cert;
        }
        if (!ft_atomic_replace(&place->parsed, NULL, cert)) {
            ossl->X509_free(cert); // another thread was first
            cert = ft_atomic_load(&place->parsed);
        }
    }
    (void)ossl->X509_up_ref(cert);
    return cert;
}

/* OpenSSL's own function wants the name parsed, which takes ten times as long as all the rest. */
static uint32_t name_hash(ft_span certificate)
{
    enum { MAX_CANONICAL = 512, SHA1_LEN = 20 };
    const struct ft_ossl *ossl = ft_ossl();
    ft_span subject = {NULL, 0};
    unsigned long hash = 0;
    uint8_t canonical[MAX_CANONICAL];
    uint8_t digest[SHA1_LEN];

    if (!ft_der_subject(certificate, &subject)) {
        return 0;
    }
    size_t len = ft_der_name_canonical(subject, canonical, sizeof canonical);
    if (len > 0 && ossl->SHA1 != NULL && ossl->SHA1(canonical, len, digest) != NULL) {
        return digest[0] | (uint32_t)digest[1] << 8 | (uint32_t)digest[2] << 16 |
               (uint32_t)digest[3] << 24;
    }
    const unsigned char *end = subject.data;
    X509_NAME *name = ossl->d2i_X509_NAME(NULL, &end, (long)subject.len); // owned
    if (name != NULL) {
        hash = ossl->X509_NAME_hash_ex != NULL ? ossl->X509_NAME_hash_ex(name, NULL, NULL, NULL)
                                               : ossl->X509_NAME_hash(name);
    }
    ossl->X509_NAME_free(name);
    return (uint32_t)hash;
}

void ft_index_name_hashes(const ft_index *index, uint32_t *out_hashes)
{
    (void)ft_ossl()->ERR_set_mark();
    for (size_t i = 0; i < index->num; i++) {
        out_hashes[i] = name_hash(index->slots[i].der);
    }
    (void)ft_ossl()->ERR_pop_to_mark();
}

bool ft_index_find(ft_index *index, const X509_NAME *subject, ft_x509s *to)
{
    const struct ft_ossl *ossl = ft_ossl();
    uint64_t key = key_of(subject);

    for (uint32_t place = *bucket_of(index, key); place != 0;
         place = index->slots[place - 1].next) {
        slot *candidate = &index->slots[place - 1];
        X509 *cert = candidate->key == key ? parsed(candidate) : NULL;

        if (cert == NULL || ossl->X509_NAME_cmp(ossl->X509_get_subject_name(cert), subject) != 0) {
            ossl->X509_free(cert);
            continue;
        }
        if (ossl->OPENSSL_sk_push((OPENSSL_STACK *)to, cert) <= 0) {
            ossl->X509_free(cert);
            return false;
        }
    }
    return true;
}

/* Whether a slot of that key has the very DER of the certificate. Parses nothing. */
static bool has_der(const ft_index *index, uint64_t key, const X509 *cert)
{
    const struct ft_ossl *ossl = ft_ossl();
    int len = 0;
    unsigned char *der = NULL; // owned
    bool found = false;

    for (uint32_t place = *bucket_of(index, key); place != 0 && !found;
         place = index->slots[place - 1].next) {
        const slot *candidate = &index->slots[place - 1];
        if (candidate->key != key) {
            continue;
        }
        if (der == NULL) {
            len = ossl->i2d_X509(cert, NULL);
            der = len <= 0 ? NULL : malloc((size_t)len);
            if (der == NULL) {
                return false;
            }
            unsigned char *end = der;
            len = ossl->i2d_X509(cert, &end);
        }
        found = len > 0 && candidate->der.len == (size_t)len &&
                memcmp(candidate->der.data, der, (size_t)len) == 0;
    }
    free(der);
    return found;
}

bool ft_index_hold(ft_index *index, bool *out_held, X509 *cert, ft_error *err)
{
    const struct ft_ossl *ossl = ft_ossl();
    uint64_t key = key_of(ossl->X509_get_subject_name(cert));

    *out_held = has_der(index, key, cert);
    for (uint32_t place = *bucket_of(index, key); place != 0 && !*out_held;
         place = index->slots[place - 1].next) {
        slot *candidate = &index->slots[place - 1];
        if (candidate->key != key) {
            continue;
        }
        X509 *held = parsed(candidate);
        if (held == NULL) { // too little memory, or a damaged namesake: nobody can tell which
            ft_error_set(err, FT_E_FOREIGN, "d2i_X509", "an anchor of that name cannot be read");
            return false;
        }
        *out_held = ossl->X509_cmp(held, cert) == 0;
        ossl->X509_free(held);
    }
    return true;
}
