/*
 * Indexes, sources and sessions whose calls fail one after another: nothing leaks, nobody is
 * trusted who should not be, and what stood before stays. ossl.c is part of this unit, as in
 * test_faults.c.
 */

#define _GNU_SOURCE

#include "faults.h"

#include <string.h>

#define ft_library_find fault_find
#include "../../csrc/ossl.c"
#undef ft_library_find

enum { NUM_COPIES = 70 }; // more than an index has room for at first

static bool index_of_pem(int number)
{
    const identity *anchors[] = {&lab.root, &lab.other_root};
    char *text = lab_pem(anchors, 2);
    ft_error err = {0};

    fault_arm(number);
    ft_index *index = ft_index_from_pem(text, strlen(text), &err);
    bool failed = fault_disarm();
    CHECK(failed == (index == NULL) && err.code == (failed ? FT_E_MEMORY : FT_OK));
    CHECK(failed || ft_index_len(index) == 2);
    ft_index_free(index);
    free(text);
    return failed;
}

static bool index_of_der(int number)
{
    const identity *anchors[] = {&lab.root};
    ft_index *one = lab_index(anchors, 1);
    ft_der der = ft_index_der(one, 0);
    char *ders = malloc(NUM_COPIES * der.len);
    size_t lens[NUM_COPIES];
    ft_error err = {0};

    for (size_t i = 0; i < NUM_COPIES; i++) {
        memcpy(ders + i * der.len, der.data, der.len);
        lens[i] = der.len;
    }
    fault_arm(number);
    ft_index *index = ft_index_from_der(ders, NUM_COPIES * der.len, lens, NUM_COPIES, &err);
    bool failed = fault_disarm();
    CHECK(failed == (index == NULL) && err.code == (failed ? FT_E_MEMORY : FT_OK));
    CHECK(failed || ft_index_len(index) == 1);
    ft_index_free(index);
    ft_index_free(one);
    free(ders);
    return failed;
}

/* What could not be read once is read the next time; "not held" is never guessed. */
static bool index_is_asked(int number)
{
    const identity *anchors[] = {&lab.root, &lab.other_root};
    ft_index *index = lab_index(anchors, 2);
    ft_x509s *found = (ft_x509s *)OPENSSL_sk_new_null();
    X509_NAME *name = X509_get_subject_name(lab.root.cert);
    uint32_t hashes[2] = {1, 1};
    ft_error err = {0};
    bool held = false;

    (void)ERR_set_mark();
    fault_arm(number);
    bool decided = ft_index_hold(index, &held, lab.root.cert, &err);
    bool ok = ft_index_find(index, name, found);
    ft_index_name_hashes(index, hashes);
    bool failed = fault_disarm();
    (void)ERR_pop_to_mark();
    CHECK(ERR_peek_error() == 0);
    CHECK(decided == held && decided == (err.code == FT_OK));
    CHECK(failed || (ok && sk_X509_num(found) == 1));
    CHECK(hashes[0] == 0 || hashes[0] == (uint32_t)X509_NAME_hash_ex(name, NULL, NULL, NULL));
    sk_X509_pop_free(found, X509_free);

    found = (ft_x509s *)OPENSSL_sk_new_null();
    CHECK(ft_index_find(index, name, found) && sk_X509_num(found) == 1);
    sk_X509_pop_free(found, X509_free);
    ft_index_free(index);
    return failed;
}

static bool source_changes(int number)
{
    const identity *anchors[] = {&lab.root};
    ft_index *index = lab_index(anchors, 1);
    ft_index *empty = lab_index(NULL, 0);
    ft_error err = {0};
    ft_x509s *found = (ft_x509s *)OPENSSL_sk_new_null();

    fault_arm(number);
    ft_source *source = ft_source_new(index, &err);
    bool replaced = source != NULL && ft_source_replace(source, empty, &err);
    bool failed = fault_disarm();
    CHECK(failed == !replaced && err.code == (failed ? FT_E_MEMORY : FT_OK));
    if (source != NULL) {
        CHECK(ft_source_find(source, X509_get_subject_name(lab.root.cert), found));
        CHECK(sk_X509_num(found) == (replaced ? 0 : 1));
    }
    sk_X509_pop_free(found, X509_free);
    ft_source_free(source);
    ft_index_free(index);
    ft_index_free(empty);
    return failed;
}

static void a_failure_in_an_index(void)
{
    fault_each(index_of_pem);
    fault_each(index_of_der);
    fault_each(index_is_asked);
    fault_each(source_changes);
}

/* An index that was not added does not count, one that was counts from then on. */
static bool add_with_fault(int number)
{
    const identity *anchors[] = {&lab.root};
    pair pair = make_pair(false, NONE, true, false, false);
    ft_index *index = lab_index(anchors, 1);
    ft_error err = {0};

    fault_arm(number);
    bool ok = ft_context_add((uintptr_t)pair.judge_context, index, &err);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0 && ok == (err.code == FT_OK) && ok == !failed);
    ft_index_free(index);
    connect_pair(&pair, false);
    CHECK(lab_shake(pair.client, pair.server).client_done == ok);
    free_pair(&pair);
    return failed;
}

/* Attached with an index and the system, all or nothing. */
static bool attach_with_fault(int number)
{
    const identity *anchors[] = {&lab.other_root};
    fake_context *context = lab_context(false, NULL, NULL);
    ft_source *system = lab_system(&lab.root);
    ft_index *index = lab_index(anchors, 1);
    ft_trust trust = {.indexes = &index, .num_indexes = 1, .system = system, .for_clients = true};
    X509_STORE *old = SSL_CTX_get_cert_store(context->ctx);
    ft_error err = {0};

    fault_arm(number);
    bool ok = ft_context_attach((uintptr_t)context, &trust, false, &err);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0 && ok == (err.code == FT_OK));
    CHECK(ok == ft_context_attached((uintptr_t)context));
    CHECK(ok == (SSL_CTX_get_cert_store(context->ctx) != old));
    lab_context_free(context);
    ft_index_free(index);
    ft_source_free(system);
    return failed;
}

static void a_failure_while_trust_is_given(void)
{
    fault_each(add_with_fault);
    fault_each(attach_with_fault);
}

/* Who could not be bound is told; who is bound offers no session of another. */
static bool bind_with_fault(int number)
{
    static const char hash[FT_SESSION_CONTEXT_LEN] = "verified under this";
    pair pair = make_pair(false, SYSTEM, true, false, false);
    ft_error err = {0};

    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, TLS1_2_VERSION) == 1);
    connect_pair(&pair, false);
    CHECK(lab_shake(pair.client, pair.server).client_done);
    SSL_SESSION *session = SSL_get1_session(pair.judge->ssl);
    CHECK(SSL_shutdown(pair.judge->ssl) >= 0);
    disconnect_pair(&pair);
    connect_pair(&pair, false);
    CHECK(SSL_set_session(pair.judge->ssl, session) == 1);
    fault_arm(number);
    bool ok = ft_connection_bind((uintptr_t)pair.judge, hash, &err);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0 && ok == (err.code == FT_OK) && ok == !failed);
    CHECK(!ok || SSL_get_session(pair.judge->ssl) == NULL);
    SSL_SESSION_free(session);
    free_pair(&pair);
    return failed;
}

static void a_failure_while_binding(void)
{
    fault_each(bind_with_fault);
}

int main(void)
{
    lab_begin();
    RUN(a_failure_in_an_index);
    RUN(a_failure_while_trust_is_given);
    RUN(a_failure_while_binding);
    return lab_end("test_index_faults");
}
