#include "pair.h"

int num_callbacks;

int watched_callback(X509_STORE_CTX *question, void *arg)
{
    num_callbacks++;
    ERR_clear_error();
    ERR_put_error(ERR_LIB_USER, 0, 7, __FILE__, __LINE__);
    unsigned long mine = ERR_peek_error();
    int go_on = ft_verify_callback(question, arg);
    CHECK(ERR_get_error() == mine && ERR_peek_error() == 0);
    // A refusal is never called "ok", and whatever goes on with CERT_NONE never says trusted.
    CHECK(go_on == 1 || X509_STORE_CTX_get_error(question) != X509_V_OK);
    return go_on;
}

pair make_pair(bool judge_is_server, int anchors, bool for_clients, bool for_servers,
               bool other_peer)
{
    pair made = {0};
    const identity *shown = judge_is_server ? &lab.client : &lab.server;
    const identity *other = judge_is_server ? &lab.other_client : &lab.other_server;

    made.system = lab_system((anchors & SYSTEM) != 0 ? &lab.root : NULL);
    made.judge_context = judge_is_server ? lab_context(true, &lab.server, &lab.middle)
                                         : lab_context(false, NULL, NULL);
    made.shown_context = other_peer ? lab_context(!judge_is_server, other, NULL)
                                    : lab_context(!judge_is_server, shown, &lab.middle);
    SSL_CTX_set_verify(made.shown_context->ctx, SSL_VERIFY_NONE, NULL);
    if ((anchors & OWN) != 0) {
        lab_trusts(made.judge_context, &lab.root);
    }
    lab_attach(made.judge_context, made.system, for_clients, for_servers);
    if ((anchors & OWN) != 0 && (anchors & SYSTEM) != 0) {
        lab_trusts(made.judge_context, &lab.root); // attaching took it out, as the system has it
    }
    SSL_CTX_set_cert_verify_callback(made.judge_context->ctx, watched_callback, NULL);
    return made;
}

void connect_pair(pair *pair, bool judge_is_server)
{
    pair->judge = lab_connection(pair->judge_context, judge_is_server);
    pair->shown = lab_connection(pair->shown_context, !judge_is_server);
    pair->client = judge_is_server ? pair->shown : pair->judge;
    pair->server = judge_is_server ? pair->judge : pair->shown;
    lab_join(pair->client, pair->server);
}

void disconnect_pair(pair *pair)
{
    lab_connection_free(pair->judge);
    lab_connection_free(pair->shown);
    pair->judge = NULL;
    pair->shown = NULL;
}

void free_pair(pair *pair)
{
    disconnect_pair(pair);
    lab_context_free(pair->judge_context);
    lab_context_free(pair->shown_context);
    ft_source_free(pair->system);
}

const char under_one[FT_SESSION_CONTEXT_LEN] = "verified under one";
const char under_another[FT_SESSION_CONTEXT_LEN] = "verified under another";

void bind_to(const fake_connection *connection, const char *hash)
{
    ft_error err = {0};

    CHECK(ft_connection_bind((uintptr_t)connection, hash, &err));
    CHECK(err.code == FT_OK && ERR_peek_error() == 0);
}

ft_chain *chain_of(const fake_connection *connection, bool verified)
{
    ft_error err = {0};
    ft_chain *chain = ft_connection_chain((uintptr_t)connection, verified, &err);

    CHECK(err.code == FT_OK && ERR_peek_error() == 0);
    return chain;
}

ft_verdict verdict_of(const fake_connection *connection)
{
    ft_error err = {0};
    ft_verdict verdict;
    ft_record *record = ft_record_watch((uintptr_t)connection, &err);

    CHECK(record != NULL && ERR_peek_error() == 0);
    ft_record_verdict(record, &verdict);
    ft_record_free(record);
    return verdict;
}
