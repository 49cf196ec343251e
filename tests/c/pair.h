#ifndef FASTTRUST_TESTS_PAIR_H
#define FASTTRUST_TESTS_PAIR_H

/* Two sides of a connection: the judge, who verifies with our callback, and who is shown to it. */

#include "lab.h"

/* Where lab.root is held. */
enum { NONE = 0, OWN = 1, SYSTEM = 2, BOTH = OWN | SYSTEM };

typedef struct pair {
    fake_context *judge_context, *shown_context;
    ft_source *system;
    fake_connection *judge, *shown;
    const fake_connection *client, *server;
} pair;

/* How often watched_callback ran. */
extern int num_callbacks;

/* Our callback, between two looks at an error queue that holds something of the caller's. */
int watched_callback(X509_STORE_CTX *question, void *arg);

/* make_pair attaches the judge, whose system is `system`; the other side verifies nobody. */
pair make_pair(bool judge_is_server, int anchors, bool for_clients, bool for_servers,
               bool other_peer);
void connect_pair(pair *pair, bool judge_is_server);
void disconnect_pair(pair *pair);
void free_pair(pair *pair);

/* Binds the connection's sessions to what they are verified under, as Python does for each. */
extern const char under_one[FT_SESSION_CONTEXT_LEN], under_another[FT_SESSION_CONTEXT_LEN];
void bind_to(const fake_connection *connection, const char *hash);

/* What was captured; the chain is owned, ft_chain_free. */
ft_chain *chain_of(const fake_connection *connection, bool verified);
ft_verdict verdict_of(const fake_connection *connection);

#endif
