/*
 * Connections that take another road than the plain one: a resumed session, authentication after
 * the handshake, a context that is not ours, a question without a connection.
 */

#include "pair.h"

/* Our callback on a context that is not ours: as plain ssl, with no record made. */
static void a_foreign_context_stays_plain(void)
{
    for (int i = 0; i < 2; i++) {
        fake_context *client_context = lab_context(false, NULL, NULL);
        fake_context *server_context = lab_context(true, &lab.server, &lab.middle);
        const X509 *chain[] = {lab.server.cert, lab.middle.cert, lab.root.cert};

        SSL_CTX_set_verify(server_context->ctx, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_cert_verify_callback(client_context->ctx, ft_verify_callback, NULL);
        SSL_CTX_set_info_callback(client_context->ctx, ft_verify_watch);
        if (i == 1) {
            lab_trusts(client_context, &lab.root);
        }
        fake_connection *client = lab_connection(client_context, false);
        fake_connection *server = lab_connection(server_context, true);
        lab_join(client, server);
        outcome end = lab_shake(client, server);
        CHECK(end.client_done == (i == 1));
        CHECK(SSL_get_verify_result(client->ssl) ==
              (i == 1 ? X509_V_OK : X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY));
        CHECK(ft_record_find(client->ssl) == NULL);
        ft_chain *verified = chain_of(client, true);
        CHECK(i == 0 ? verified == NULL : lab_chain_is(verified, chain, 3));
        lab_connection_free(client);
        lab_connection_free(server);
        lab_context_free(client_context);
        lab_context_free(server_context);
    }
}

/* A resumed session verifies nothing again; what OpenSSL still holds of the peer is kept. */
static void a_resumed_session_is_captured(int version)
{
    pair pair = make_pair(false, SYSTEM, true, false, false);

    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, version) == 1);
    connect_pair(&pair, false);
    bind_to(pair.judge, under_one);
    CHECK(lab_shake(pair.client, pair.server).client_done);
    SSL_SESSION *session = SSL_get1_session(pair.judge->ssl);
    CHECK(session != NULL && SSL_SESSION_is_resumable(session) == 1);
    CHECK(SSL_shutdown(pair.judge->ssl) >= 0);
    disconnect_pair(&pair);

    connect_pair(&pair, false);
    CHECK(SSL_set_session(pair.judge->ssl, session) == 1);
    bind_to(pair.judge, under_one);
    num_callbacks = 0;
    outcome end = lab_shake(pair.client, pair.server);
    CHECK(end.client_done && end.server_done);
    CHECK(SSL_session_reused(pair.judge->ssl) == 1 && num_callbacks == 0);
    ft_verdict verdict = verdict_of(pair.judge);
    CHECK(verdict.step == FT_STEP_RESUMED && verdict.code == X509_V_OK && verdict.depth == -1);
    CHECK(chain_of(pair.judge, true) == NULL);
    ft_chain_free(chain_of(pair.judge, false)); // present from OpenSSL 3.5 on
    SSL_SESSION_free(session);
    free_pair(&pair);
}

static void resumed_sessions_are_captured(void)
{
    a_resumed_session_is_captured(TLS1_2_VERSION);
    a_resumed_session_is_captured(TLS1_3_VERSION);
}

/* One round of authentication after the handshake; the client's answer needs its read. */
static bool authenticate(const pair *pair)
{
    char byte = 0;
    bool ok = SSL_verify_client_post_handshake(pair->judge->ssl) == 1 &&
              SSL_do_handshake(pair->judge->ssl) == 1;

    (void)SSL_read(pair->shown->ssl, &byte, 1);
    int result = SSL_read(pair->judge->ssl, &byte, 1);
    ok = ok && SSL_get_error(pair->judge->ssl, result) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return ok;
}

static void authentication_after_the_handshake(void)
{
    pair pair = make_pair(true, OWN, true, false, false);
    const X509 *chain[] = {lab.client.cert, lab.middle.cert, lab.root.cert};
    ft_error err = {0};

    SSL_CTX_set_verify(pair.judge_context->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_post_handshake_auth(pair.shown_context->ctx, 1);
    connect_pair(&pair, true);
    CHECK(lab_shake(pair.client, pair.server).server_done);
    CHECK(verdict_of(pair.judge).step == FT_STEP_NONE);
    SSL_set_verify(pair.judge->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    ft_record *record = ft_record_watch((uintptr_t)pair.judge, &err);
    for (int i = 0; i < 3; i++) {
        ft_chain *before = ft_record_chain(record, true); // stays whole when it is replaced
        CHECK(authenticate(&pair));
        CHECK(verdict_of(pair.judge).code == X509_V_OK);
        CHECK(lab_chain_is(chain_of(pair.judge, true), chain, 3));
        CHECK(lab_chain_is(chain_of(pair.judge, false), chain, 2));
        CHECK(i == 0 ? before == NULL : lab_chain_is(before, chain, 3));
    }
    free_pair(&pair);
    // A record outlives its connection.
    CHECK(lab_chain_is(ft_record_chain(record, true), chain, 3));
    ft_record_free(record);
}

/* A question without a connection, as OpenSSL asks for a chain of our own, refuses. */
static void a_question_without_a_connection_refuses(void)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *question = X509_STORE_CTX_new();

    CHECK(X509_STORE_add_cert(store, lab.root.cert) == 1);
    CHECK(X509_STORE_CTX_init(question, store, lab.middle.cert, NULL) == 1);
    CHECK(watched_callback(question, NULL) == 0);
    CHECK(X509_STORE_CTX_get_error(question) == X509_V_ERR_UNSPECIFIED);
    X509_STORE_CTX_free(question);
    X509_STORE_free(store);
}

static void connections_never_initialised_are_named(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    fake_connection hollow = *connection;
    ft_error err = {0};

    CHECK(ft_record_watch((uintptr_t)&hollow, &err) == NULL && err.code == FT_E_MISUSE);
    hollow.ssl = NULL;
    err = (ft_error){0};
    CHECK(ft_record_watch((uintptr_t)&hollow, &err) == NULL && err.code == FT_E_MISUSE);
    err = (ft_error){0};
    CHECK(ft_connection_chain((uintptr_t)&hollow, true, &err) == NULL && err.code == FT_E_MISUSE);
    lab_connection_free(connection);
    lab_context_free(context);
}

int main(void)
{
    lab_begin();
    RUN(a_foreign_context_stays_plain);
    RUN(resumed_sessions_are_captured);
    RUN(authentication_after_the_handshake);
    RUN(a_question_without_a_connection_refuses);
    RUN(connections_never_initialised_are_named);
    return lab_end("test_session");
}
