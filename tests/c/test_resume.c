/*
 * A session is resumed only by a connection that is bound to what it was verified under; after an
 * SNI callback handed its connection to another context it is resumed by nobody.
 */

#include "pair.h"

#include <string.h>

static const char one[FT_SESSION_CONTEXT_LEN] = "verified under one";
static const char other[FT_SESSION_CONTEXT_LEN] = "verified under another";

static void bind(const fake_connection *connection, const char *hash)
{
    ft_error err = {0};

    CHECK(ft_connection_bind((uintptr_t)connection, hash, &err));
    CHECK(err.code == FT_OK && ERR_peek_error() == 0);
    // As Python does: the record remembers with which context the connection was made.
    ft_record *record = ft_record_watch((uintptr_t)connection, &err);
    CHECK(record != NULL);
    ft_record_free(record);
}

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
    bind(pair->judge, hash);
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
    SSL_SESSION *first = connect_bound(&pair, one, NULL, &resumed);
    CHECK(!resumed);
    SSL_SESSION *under_other = connect_bound(&pair, other, first, &resumed);
    CHECK(!resumed);
    SSL_SESSION *again = connect_bound(&pair, one, first, &resumed);
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
    SSL_SESSION *session = connect_bound(&pair, one, NULL, &resumed);
    CHECK(!resumed);

    // Back at the first context: not resumed, hence verified, hence refused.
    switch_to = NULL;
    disconnect_pair(&pair);
    connect_pair(&pair, true);
    CHECK(SSL_set_session(pair.client->ssl, session) == 1);
    bind(pair.judge, one);
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
    SSL_SESSION *session = connect_bound(&pair, one, NULL, &resumed);
    switch_to = second->ctx;
    disconnect_pair(&pair);
    connect_pair(&pair, true);
    CHECK(SSL_set_session(pair.client->ssl, session) == 1);
    bind(pair.judge, one);
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

int main(void)
{
    lab_begin();
    RUN(on_either_side_in_either_version);
    RUN(whoever_it_was_switched_to);
    RUN(resumed_and_switched_in_either_version);
    return lab_end("test_resume");
}
