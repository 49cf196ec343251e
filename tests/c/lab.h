#ifndef FASTTRUST_TESTS_LAB_H
#define FASTTRUST_TESTS_LAB_H

/*
 * What the C tests share: a small PKI made by OpenSSL's own functions, stand-ins for the two Python
 * objects that the core reads, and handshakes through memory. The real headers of OpenSSL come
 * first, and the core's list beside them.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#undef SSL_get_peer_certificate

#include "check.h"
#include "ossl.h"

/* ---- certificates ------------------------------------------------------------------------ */

typedef struct identity {
    X509 *cert;
    EVP_PKEY *key;
} identity;

/*
 *   root ── middle ── server (peer.example), client
 *   other_root ── other_server (peer.example), other_client
 */
typedef struct pki {
    identity root, middle, server, client;
    identity other_root, other_server, other_client;
    X509_CRL *crl; // by root, empty
} pki;

extern pki lab;

/* lab_cert makes a certificate, self-signed where `issuer` is NULL; its own, lab_identity_free. */
identity lab_cert(const char *name, const identity *issuer, bool is_ca);
void lab_identity_free(identity *identity);

/* ---- stand-ins for Python objects -------------------------------------------------------- */

/* As object.__basicsize__ says on every CPython of 64 bits with the GIL. */
enum { LAB_HEADER = 2 * sizeof(void *), LAB_SPARE = 64 };

/* Both with readable words behind them: a probe at a wrong offset must find memory, not luck. */
typedef struct fake_context {
    void *head[2];
    SSL_CTX *ctx;
    void *spare[LAB_SPARE];
} fake_context;

typedef struct fake_connection {
    void *head[2];
    void *socket;
    SSL *ssl;
    void *spare[LAB_SPARE];
} fake_connection;

/* lab_context makes a context that verifies its peers, and shows `self` to them; owned. */
fake_context *lab_context(bool is_server, const identity *self, const identity *issuer);
void lab_context_free(fake_context *context);
void lab_trusts(const fake_context *context, const identity *anchor);

fake_connection *lab_connection(const fake_context *context, bool is_server);
void lab_connection_free(fake_connection *connection);

ft_specimen lab_specimen(const fake_context *context, const fake_connection *connection);

/* ---- trust ------------------------------------------------------------------------------- */

/* lab_index holds the anchors, in their order; owned, ft_index_free. */
ft_index *lab_index(const identity *const *anchors, size_t num_anchors);

/* lab_pem is the anchors in PEM; owned, free. */
char *lab_pem(const identity *const *anchors, size_t num_anchors);

/* lab_system is a system's store of one anchor, of none for NULL; owned, ft_source_free. */
ft_source *lab_system(const identity *anchor);

/*
 * lab_attach is ft_context_attach with what the context holds, which must succeed and leave the
 * error queue alone.
 */
void lab_attach(const fake_context *context, ft_source *system, bool for_clients, bool for_servers);

/* ---- handshakes -------------------------------------------------------------------------- */

typedef struct outcome {
    bool client_done, server_done;
    int client_reason, server_reason; // SSL_R_*, 0 for none
} outcome;

/* lab_join connects two connections; lab_shake carries their handshake as far as it goes. */
void lab_join(const fake_connection *client, const fake_connection *server);
outcome lab_shake(const fake_connection *client, const fake_connection *server);

/* lab_chain_is tells whether the chain is these certificates, by DER; frees the chain. */
bool lab_chain_is(ft_chain *chain, const X509 *const *certs, size_t num_certs);

/* lab_begin proves OpenSSL and makes the PKI; lab_end frees it and prints the closing line. */
void lab_begin(void);
int lab_end(const char *name);

#endif
