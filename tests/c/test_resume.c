/*
 * A session is resumed only by a connection that is bound to what it was verified under; after an
 * SNI callback handed its connection to another context it is resumed by nobody.
 */

#include "pair.h"

/* One connection of the pair, offering `session` unless that is NULL; the session it ends with. */
static SSL_SESSION *connect_bound(pair *pair, const char *hash, SSL_SESSION *session,
                                  bool *out_resumed)
{
    bool judge_is_server = pair->judge != NULL && SSL_is_server(pair->judge->ssl);

    disconnect_pair(pair);
    connect_pair(pair, judge_is_server);
    if (session != NULL) {
        CHECK(SSL_set_session(pair->client->ssl, session) == 1);
    }
    bind_to(pair->judge, hash);
    outcome end = lab_shake(pair->client, pair->server);
    CHECK(end.client_done && end.server_done);
    *out_resumed = SSL_session_reused(pair->client->ssl) == 1;
    SSL_SESSION *made = SSL_get1_session(pair->client->ssl);
    CHECK(SSL_shutdown(pair->client->ssl) >= 0);
    return made;
}

static void sessions_belong_to_what_they_were_verified_under(bool judge_is_server, int version)
{
    pair pair = make_pair(judge_is_server, SYSTEM, true, true, false);
    bool resumed = true;

    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, version) == 1);
    connect_pair(&pair, judge_is_server);
    SSL_SESSION *first = connect_bound(&pair, under_one, NULL, &resumed);
    CHECK(!resumed);
    SSL_SESSION *under_other = connect_bound(&pair, under_another, first, &resumed);
    CHECK(!resumed);
    SSL_SESSION *again = connect_bound(&pair, under_one, first, &resumed);
    CHECK(resumed);
    SSL_SESSION_free(first);
    SSL_SESSION_free(under_other);
    SSL_SESSION_free(again);
    free_pair(&pair);
}

static void on_either_side_in_either_version(void)
{
    for (int i = 0; i < 4; i++) {
        sessions_belong_to_what_they_were_verified_under(i % 2 == 0,
                                                         i < 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    }
}

/* ---- SNI --------------------------------------------------------------------------------- */

static SSL_CTX *switch_to; // NULL for no switch

static int on_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert, (void)arg;
    if (switch_to != NULL) {
        CHECK(SSL_set_SSL_CTX(ssl, switch_to) != NULL);
    }
    return SSL_TLSEXT_ERR_OK;
}

/* The other context believes the other root; its sessions must not come back under the first. */
static void a_switched_session_is_nobodys(bool other_is_ours, int version)
{
    pair pair = make_pair(true, SYSTEM, true, true, true);
    fake_context *second = lab_context(true, &lab.server, &lab.middle);
    bool resumed = true;

    lab_trusts(second, &lab.other_root);
    if (other_is_ours) {
        lab_attach(second, NULL, false, false);
    }
    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, version) == 1);
    CHECK(SSL_CTX_set_tlsext_servername_callback(pair.judge_context->ctx, on_name) == 1);
    connect_pair(&pair, true);
    switch_to = second->ctx;
    SSL_SESSION *session = connect_bound(&pair, under_one, NULL, &resumed);
    CHECK(!resumed);

    // Back at the first context: not resumed, hence verified, hence refused.
    switch_to = NULL;
    disconnect_pair(&pair);
    connect_pair(&pair, true);
    CHECK(SSL_set_session(pair.client->ssl, session) == 1);
    bind_to(pair.judge, under_one);
    outcome end = lab_shake(pair.client, pair.server);
    CHECK(!end.server_done && SSL_session_reused(pair.server->ssl) == 0);
    CHECK(verdict_of(pair.judge).code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    SSL_SESSION_free(session);
    lab_context_free(second);
    free_pair(&pair);
}

static void whoever_it_was_switched_to(void)
{
    for (int i = 0; i < 4; i++) {
        a_switched_session_is_nobodys(i % 2 == 0, i < 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    }
}

/* Resumed first, then switched to a context that verifies clients: not a byte passes. */
static void a_resumed_connection_that_is_switched_is_dead(int version)
{
    pair pair = make_pair(true, SYSTEM, true, true, false);
    fake_context *second = lab_context(true, &lab.server, &lab.middle);
    bool resumed = true;
    char byte = 0;

    lab_trusts(second, &lab.other_root);
    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, version) == 1);
    CHECK(SSL_CTX_set_tlsext_servername_callback(pair.judge_context->ctx, on_name) == 1);
    switch_to = NULL;
    connect_pair(&pair, true);
    SSL_SESSION *session = connect_bound(&pair, under_one, NULL, &resumed);
    switch_to = second->ctx;
    disconnect_pair(&pair);
    connect_pair(&pair, true);
    CHECK(SSL_set_session(pair.client->ssl, session) == 1);
    bind_to(pair.judge, under_one);
    (void)lab_shake(pair.client, pair.server);
    CHECK(SSL_session_reused(pair.server->ssl) == 1);
    (void)SSL_write(pair.client->ssl, "x", 1);
    CHECK(SSL_read(pair.server->ssl, &byte, 1) <= 0 && byte == 0);
    CHECK(SSL_write(pair.server->ssl, "x", 1) <= 0);
    ERR_clear_error();
    CHECK(chain_of(pair.judge, true) == NULL);
    SSL_SESSION_free(session);
    lab_context_free(second);
    free_pair(&pair);
}

static void resumed_and_switched_in_either_version(void)
{
    a_resumed_connection_that_is_switched_is_dead(TLS1_2_VERSION);
    a_resumed_connection_that_is_switched_is_dead(TLS1_3_VERSION);
}

/* ---- clients ----------------------------------------------------------------------------- */

/* A client's judge, and a session that it made under one, by whoever verified then. */
static SSL_SESSION *session_under(pair *pair, const char *hash, int version)
{
    bool resumed = true;

    CHECK(SSL_CTX_set_max_proto_version(pair->shown_context->ctx, version) == 1);
    connect_pair(pair, false);
    SSL_SESSION *session = connect_bound(pair, hash, NULL, &resumed);
    CHECK(!resumed);
    disconnect_pair(pair);
    connect_pair(pair, false);
    return session;
}

/* Not a byte passes in either direction, whatever the handshake says of itself. */
static void is_dead(const pair *pair)
{
    char byte = 0;

    CHECK(SSL_write(pair->client->ssl, "x", 1) <= 0);
    CHECK(SSL_read(pair->server->ssl, &byte, 1) <= 0 && byte == 0);
    (void)SSL_write(pair->server->ssl, "x", 1);
    CHECK(SSL_read(pair->client->ssl, &byte, 1) <= 0 && byte == 0);
    ERR_clear_error();
    CHECK(chain_of(pair->judge, true) == NULL);
}

/* A session that is set after the hash, by the program, is resumed or refused as one set before. */
static void sessions_set_late_are_compared(int version)
{
    for (int i = 0; i < 2; i++) {
        pair pair = make_pair(false, SYSTEM, true, false, false);
        SSL_SESSION *session = session_under(&pair, under_one, version);

        bind_to(pair.judge, i == 0 ? under_one : under_another);
        CHECK(SSL_set_session(pair.client->ssl, session) == 1);
        outcome end = lab_shake(pair.client, pair.server);
        CHECK(end.client_done == (i == 0));
        CHECK(SSL_session_reused(pair.client->ssl) == 1);
        CHECK(end.client_reason ==
              (i == 0 ? 0 : SSL_R_ATTEMPT_TO_REUSE_SESSION_IN_DIFFERENT_CONTEXT));
        SSL_SESSION_free(session);
        free_pair(&pair);
    }
}

/* Verified by nobody, before the context was ours: resumed by a connection of before, or one that
 * is bound, which the program gives the session behind our back. */
static void sessions_of_before_carry_nothing(int version)
{
    for (int i = 0; i < 3; i++) {
        pair pair = make_pair(false, NONE, true, false, false);
        fake_context *plain = lab_context(false, NULL, NULL);
        fake_context *ours = pair.judge_context;

        pair.judge_context = plain;
        SSL_CTX_set_verify(plain->ctx, SSL_VERIFY_NONE, NULL);
        CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, version) == 1);
        connect_pair(&pair, false);
        CHECK(lab_shake(pair.client, pair.server).client_done);
        SSL_SESSION *session = SSL_get1_session(pair.client->ssl);
        CHECK(SSL_shutdown(pair.client->ssl) >= 0);
        disconnect_pair(&pair);

        SSL_CTX_set_verify(plain->ctx, SSL_VERIFY_PEER, NULL);
        connect_pair(&pair, false);
        CHECK(SSL_set_session(pair.client->ssl, session) == 1);
        lab_attach(plain, pair.system, true, false);
        if (i == 1) { // without a session of its own at that moment
            disconnect_pair(&pair);
            connect_pair(&pair, false);
            bind_to(pair.judge, under_one);
            CHECK(SSL_set_session(pair.client->ssl, session) == 1);
        }
        if (i == 2) { // offered as it should be: left out, hence verified, hence refused
            bind_to(pair.judge, under_one);
            CHECK(SSL_get_session(pair.client->ssl) == NULL);
            CHECK(!lab_shake(pair.client, pair.server).client_done);
        } else {
            (void)lab_shake(pair.client, pair.server);
            CHECK(SSL_session_reused(pair.client->ssl) == 1);
            is_dead(&pair);
        }
        SSL_SESSION_free(session);
        lab_context_free(ours);
        free_pair(&pair);
    }
}

/* Given to another context, a client neither resumes nor leaves a session for the first. */
static void clients_given_to_another_context(int version)
{
    for (int i = 0; i < 2; i++) {
        pair pair = make_pair(false, SYSTEM, true, false, false);
        fake_context *second = lab_context(false, NULL, NULL);
        SSL_SESSION *session = session_under(&pair, under_one, version);

        lab_trusts(second, &lab.root);
        if (i == 0) {
            CHECK(SSL_set_session(pair.client->ssl, session) == 1);
        }
        bind_to(pair.judge, under_one);
        CHECK(SSL_set_SSL_CTX(pair.client->ssl, second->ctx) == second->ctx);
        outcome end = lab_shake(pair.client, pair.server);
        CHECK(end.client_done == (i == 1)); // i == 0: OpenSSL, by the session's hash
        if (i == 1) {
            SSL_SESSION *made = SSL_get1_session(pair.client->ssl);
            disconnect_pair(&pair);
            connect_pair(&pair, false);
            CHECK(SSL_set_session(pair.client->ssl, made) == 1);
            bind_to(pair.judge, under_one);
            CHECK(SSL_get_session(pair.client->ssl) == NULL);
            SSL_SESSION_free(made);
        }
        SSL_SESSION_free(session);
        lab_context_free(second);
        free_pair(&pair);
    }
}

static void clients_in_either_version(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (int i = 0; i < 2; i++) {
        sessions_set_late_are_compared(versions[i]);
        sessions_of_before_carry_nothing(versions[i]);
        clients_given_to_another_context(versions[i]);
    }
}

/* A pre-shared key needs no certificate, in TLS 1.3 either, where it looks like a session. */
static unsigned int as_client(SSL *ssl, const char *hint, char *identity, unsigned int identity_len,
                              unsigned char *key, unsigned int key_len)
{
    (void)ssl, (void)hint;
    CHECK(identity_len > 2 && key_len >= 32);
    identity[0] = 'm';
    identity[1] = '\0';
    for (int i = 0; i < 32; i++) {
        key[i] = 7;
    }
    return 32;
}

static unsigned int as_server(SSL *ssl, const char *identity, unsigned char *key,
                              unsigned int key_len)
{
    char name[4];

    return identity[0] == 'm' ? as_client(ssl, NULL, name, sizeof name, key, key_len) : 0;
}

static void pre_shared_keys_are_no_sessions(void)
{
    pair pair = make_pair(false, NONE, true, false, false);
    char byte = 0;

    // As CPython 3.13 makes clients: without a session id context of the SSL_CTX's.
    CHECK(SSL_CTX_set_session_id_context(pair.judge_context->ctx, NULL, 0) == 1);
    // With the hash that such keys go with, or the server would rather show its certificate.
    CHECK(SSL_CTX_set_ciphersuites(pair.judge_context->ctx, "TLS_AES_128_GCM_SHA256") == 1);
    SSL_CTX_set_psk_client_callback(pair.judge_context->ctx, as_client);
    SSL_CTX_set_psk_server_callback(pair.shown_context->ctx, as_server);
    connect_pair(&pair, false);
    bind_to(pair.judge, under_one);
    outcome end = lab_shake(pair.client, pair.server);
    CHECK(end.client_done && end.server_done);
    CHECK(SSL_version(pair.client->ssl) == TLS1_3_VERSION);
    CHECK(SSL_write(pair.server->ssl, "x", 1) == 1);
    CHECK(SSL_read(pair.client->ssl, &byte, 1) == 1 && byte == 'x');
    CHECK(chain_of(pair.judge, true) == NULL && verdict_of(pair.judge).step == FT_STEP_RESUMED);
    // The ticket that came of it is no session of that hash.
    SSL_SESSION *ticket = SSL_get1_session(pair.client->ssl);
    CHECK(SSL_SESSION_has_ticket(ticket) == 1);
    SSL_CTX_set_psk_client_callback(pair.judge_context->ctx, NULL);
    disconnect_pair(&pair);
    connect_pair(&pair, false);
    CHECK(SSL_set_session(pair.client->ssl, ticket) == 1);
    bind_to(pair.judge, under_one);
    CHECK(!lab_shake(pair.client, pair.server).client_done);
    CHECK(verdict_of(pair.judge).code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    SSL_SESSION_free(ticket);
    free_pair(&pair);
}

int main(void)
{
    lab_begin();
    RUN(on_either_side_in_either_version);
    RUN(whoever_it_was_switched_to);
    RUN(resumed_and_switched_in_either_version);
    RUN(clients_in_either_version);
    RUN(pre_shared_keys_are_no_sessions);
    return lab_end("test_resume");
}
