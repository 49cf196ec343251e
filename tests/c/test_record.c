/*
 * One writer, many readers: captures that replace each other while others read them, and chains
 * whose DER many ask for at once. Built with the address sanitizer and again with the thread one.
 */

#include "lab.h"

#include <pthread.h>
#include <string.h>

enum { NUM_READERS = 4, NUM_CAPTURES = 4000, NUM_CHAINS = 300 };

static int32_t over; // set once the writer is done
static ft_record *shared_record;
static ft_chain *shared_chain;
static pthread_barrier_t together;

static ft_chain *make_chain(int num_certs)
{
    X509 *const certs[] = {lab.server.cert, lab.middle.cert, lab.root.cert};
    STACK_OF(X509) *stack = sk_X509_new_null();
    ft_error err = {0};

    for (int i = 0; i < num_certs; i++) {
        CHECK(sk_X509_push(stack, certs[i]) > 0);
    }
    ft_chain *chain = ft_chain_new(NULL, stack, &err);
    CHECK(err.code == FT_OK && (chain == NULL) == (num_certs == 0));
    sk_X509_free(stack);
    return chain;
}

/* A capture's parts agree: depth n goes with a peer's chain of n + 1 and a verified one of n. */
static void *read_captures(void *arg)
{
    (void)arg;
    (void)pthread_barrier_wait(&together);
    while (ft_atomic_add(&over, 0) == 0) {
        ft_verdict verdict;
        ft_chain *peer = ft_record_chain(shared_record, false);
        ft_chain *verified = ft_record_chain(shared_record, true);

        ft_record_verdict(shared_record, &verdict);
        CHECK(verdict.depth >= -1 && verdict.depth <= 2);
        CHECK(verdict.depth < 0 || verdict.code == 100 + verdict.depth);
        if (peer != NULL) {
            CHECK(ft_chain_len(peer) >= 1 && ft_chain_len(peer) <= 3);
            CHECK(ft_chain_ders(peer)[0].len > 0);
        }
        if (verified != NULL) {
            CHECK(ft_chain_len(verified) >= 1 && ft_chain_len(verified) <= 2);
        }
        ft_chain_free(verified);
        ft_chain_free(peer);
    }
    return NULL;
}

static void start(pthread_t *threads, void *(*body)(void *))
{
    CHECK(pthread_barrier_init(&together, NULL, NUM_READERS + 1) == 0);
    for (int i = 0; i < NUM_READERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, body, NULL) == 0);
    }
    (void)pthread_barrier_wait(&together);
}

static void finish(pthread_t *threads)
{
    for (int i = 0; i < NUM_READERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(pthread_barrier_destroy(&together) == 0);
}

/* The record outlives its connection, which is freed while all are reading. */
static void readers_meet_whole_captures(void)
{
    pthread_t threads[NUM_READERS];
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    ft_error err = {0};

    shared_record = ft_record_watch((uintptr_t)connection, &err);
    CHECK(shared_record != NULL && !ft_record_captured(shared_record));
    (void)ft_atomic_add(&over, -over);
    start(threads, read_captures);
    for (int i = 0; i < NUM_CAPTURES; i++) {
        ft_verdict verdict = {.step = FT_STEP_OPENSSL, .depth = i % 3, .code = 100 + i % 3};

        CHECK(ft_record_publish(shared_record, make_chain(i % 3 + 1), make_chain(i % 3), &verdict,
                                &err));
        if (i == NUM_CAPTURES / 2) {
            lab_connection_free(connection);
        }
    }
    (void)ft_atomic_add(&over, 1);
    finish(threads);
    CHECK(err.code == FT_OK && ft_record_captured(shared_record));
    CHECK(ft_record_captures(shared_record) == NUM_CAPTURES);
    ft_record_free(shared_record);
    ft_record_free(NULL);
    lab_context_free(context);
}

static void *ask_for_der(void *arg)
{
    (void)arg;
    for (int i = 0; i < NUM_CHAINS; i++) {
        (void)pthread_barrier_wait(&together);
        ft_chain *chain = ft_chain_ref(shared_chain);
        const ft_der *ders = ft_chain_ders(chain);
        CHECK(ders != NULL && ders == ft_chain_ders(chain));
        CHECK(ders[2].data[0] == 0x30 && ders[2].len > 100);
        ft_chain_free(chain);
        (void)pthread_barrier_wait(&together);
    }
    return NULL;
}

static void all_who_ask_get_the_same_der(void)
{
    pthread_t threads[NUM_READERS];

    CHECK(pthread_barrier_init(&together, NULL, NUM_READERS + 1) == 0);
    for (int i = 0; i < NUM_READERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, ask_for_der, NULL) == 0);
    }
    for (int i = 0; i < NUM_CHAINS; i++) {
        shared_chain = make_chain(3);
        (void)pthread_barrier_wait(&together);
        (void)pthread_barrier_wait(&together);
        ft_chain_free(shared_chain);
    }
    finish(threads);
}

static void a_chain_is_its_certificates(void)
{
    const X509 *certs[] = {lab.client.cert, lab.server.cert, lab.middle.cert, lab.root.cert};
    STACK_OF(X509) *none = sk_X509_new_null();
    STACK_OF(X509) *three = sk_X509_new_null();
    ft_error err = {0};

    CHECK(ft_chain_new(NULL, NULL, &err) == NULL && err.code == FT_OK);
    CHECK(ft_chain_new(NULL, none, &err) == NULL && err.code == FT_OK);
    CHECK(sk_X509_push(three, lab.server.cert) > 0 && sk_X509_push(three, lab.middle.cert) > 0);
    CHECK(sk_X509_push(three, lab.root.cert) > 0);
    CHECK(lab_chain_is(ft_chain_new(lab.client.cert, none, &err), certs, 1));
    CHECK(lab_chain_is(ft_chain_new(lab.client.cert, NULL, &err), certs, 1));
    CHECK(lab_chain_is(ft_chain_new(lab.client.cert, three, &err), certs, 4));
    ft_chain *chain = ft_chain_new(NULL, three, &err);
    sk_X509_free(three);
    sk_X509_free(none);
    CHECK(ft_chain_ref(chain) == chain);
    ft_chain_free(chain);
    CHECK(lab_chain_is(chain, certs + 1, 3));
    CHECK(ft_chain_ref(NULL) == NULL);
    ft_chain_free(NULL);
}

/* Handshakes on many threads with one context: its store, its hooks, the system's store. */
static fake_context *shared_client, *shared_server;

static void *shake_hands(void *arg)
{
    (void)arg;
    (void)pthread_barrier_wait(&together);
    for (int i = 0; i < 25; i++) {
        fake_connection *client = lab_connection(shared_client, false);
        fake_connection *server = lab_connection(shared_server, true);
        const X509 *chain[] = {lab.server.cert, lab.middle.cert, lab.root.cert};
        ft_error err = {0};

        lab_join(client, server);
        CHECK(lab_shake(client, server).client_done);
        CHECK(lab_chain_is(ft_connection_chain((uintptr_t)client, true, &err), chain, 3));
        lab_connection_free(client);
        lab_connection_free(server);
    }
    return NULL;
}

static void one_context_serves_many_threads(void)
{
    pthread_t threads[NUM_READERS];
    ft_source *system = lab_system(&lab.root);
    ft_error err = {0};

    shared_client = lab_context(false, NULL, NULL);
    shared_server = lab_context(true, &lab.server, &lab.middle);
    SSL_CTX_set_verify(shared_server->ctx, SSL_VERIFY_NONE, NULL);
    lab_attach(shared_client, system, true, false);
    start(threads, shake_hands);
    for (int i = 0; i < 200; i++) {
        ft_trust trust = {.system = system, .for_clients = true, .for_servers = i % 2 == 0};
        CHECK(ft_context_trust_system((uintptr_t)shared_client, &trust, &err));
    }
    finish(threads);
    lab_context_free(shared_client);
    lab_context_free(shared_server);
    ft_source_free(system);
}

int main(void)
{
    lab_begin();
    RUN(a_chain_is_its_certificates);
    RUN(readers_meet_whole_captures);
    RUN(all_who_ask_get_the_same_der);
    RUN(one_context_serves_many_threads);
    return lab_end("test_record");
}
