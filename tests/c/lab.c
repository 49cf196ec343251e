#include "lab.h"

#include <string.h>

int check_count;
pki lab;

enum { DAY = 24 * 60 * 60 };

/* ---- certificates ------------------------------------------------------------------------ */

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);

    CHECK(maker != NULL && EVP_PKEY_keygen_init(maker) == 1);
    CHECK(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(maker, NID_X9_62_prime256v1) == 1);
    CHECK(EVP_PKEY_keygen(maker, &key) == 1);
    EVP_PKEY_CTX_free(maker);
    return key;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX about;

    X509V3_set_ctx_nodb(&about);
    X509V3_set_ctx(&about, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &about, nid, value);
    CHECK(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509_NAME *make_name(const char *text)
{
    X509_NAME *name = X509_NAME_new();

    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1,
                                     0) == 1);
    return name;
}

identity lab_cert(const char *name, const identity *issuer, bool is_ca)
{
    static long serial = 1;
    identity made = {X509_new(), make_key()};
    const identity *signer = issuer == NULL ? &made : issuer;
    X509_NAME *subject = make_name(name);

    CHECK(X509_set_version(made.cert, 2) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial++) == 1);
    CHECK(X509_set_subject_name(made.cert, subject) == 1);
    CHECK(X509_set_issuer_name(made.cert, X509_get_subject_name(signer->cert)) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(made.cert), -DAY) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(made.cert), DAY) != NULL);
    CHECK(X509_set_pubkey(made.cert, made.key) == 1);
    add_extension(made.cert, signer->cert, NID_basic_constraints,
                  is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(made.cert, signer->cert, NID_key_usage,
                  is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    add_extension(made.cert, signer->cert, NID_subject_key_identifier, "hash");
    if (!is_ca) {
        add_extension(made.cert, signer->cert, NID_subject_alt_name, "DNS:peer.example");
    }
    CHECK(X509_sign(made.cert, signer->key, EVP_sha256()) > 0);
    X509_NAME_free(subject);
    return made;
}

void lab_identity_free(identity *identity)
{
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    identity->cert = NULL;
    identity->key = NULL;
}

static X509_CRL *make_crl(const identity *issuer)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -DAY);
    ASN1_TIME *until = X509_gmtime_adj(NULL, DAY);

    CHECK(X509_CRL_set_version(crl, 1) == 1);
    CHECK(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert)) == 1);
    CHECK(X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1);
    CHECK(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return crl;
}

/* ---- stand-ins for Python objects -------------------------------------------------------- */

/* Words that lead somewhere readable, so that a wrong offset is refused for what it finds. */
static void fill_words(void **words, size_t num)
{
    static void *somewhere[LAB_SPARE];

    for (size_t i = 0; i < num; i++) {
        words[i] = somewhere;
    }
}

fake_context *lab_context(bool is_server, const identity *self, const identity *issuer)
{
    fake_context *context = calloc(1, sizeof *context);

    CHECK(context != NULL);
    fill_words(context->head, 2);
    fill_words(context->spare, LAB_SPARE);
    context->ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    CHECK(context->ctx != NULL);
    SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    CHECK(SSL_CTX_set_session_id_context(context->ctx, (const unsigned char *)"lab", 3) == 1);
    if (self != NULL) {
        CHECK(SSL_CTX_use_certificate(context->ctx, self->cert) == 1);
        CHECK(SSL_CTX_use_PrivateKey(context->ctx, self->key) == 1);
    }
    if (issuer != NULL) {
        CHECK(SSL_CTX_add1_chain_cert(context->ctx, issuer->cert) == 1);
    }
    return context;
}

void lab_context_free(fake_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->ctx);
        free(context);
    }
}

void lab_trusts(const fake_context *context, const identity *anchor)
{
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context->ctx), anchor->cert) == 1);
}

fake_connection *lab_connection(const fake_context *context, bool is_server)
{
    fake_connection *connection = calloc(1, sizeof *connection);

    CHECK(connection != NULL);
    fill_words(connection->head, 2);
    fill_words(connection->spare, LAB_SPARE);
    fill_words(&connection->socket, 1);
    connection->ssl = SSL_new(context->ctx);
    CHECK(connection->ssl != NULL);
    CHECK(SSL_set_ex_data(connection->ssl, 0, connection) == 1); // as CPython does
    if (is_server) {
        SSL_set_accept_state(connection->ssl);
    } else {
        SSL_set_connect_state(connection->ssl);
    }
    return connection;
}

void lab_connection_free(fake_connection *connection)
{
    if (connection != NULL) {
        SSL_free(connection->ssl);
        free(connection);
    }
}

ft_specimen lab_specimen(const fake_context *context, const fake_connection *connection)
{
    ft_specimen specimen = {LAB_HEADER, (uintptr_t)context, (uintptr_t)connection};
    return specimen;
}

/* ---- trust ------------------------------------------------------------------------------- */

ft_index *lab_index(const identity *const *anchors, size_t num_anchors)
{
    unsigned char *ders = NULL;
    size_t lens[8];
    size_t len = 0;
    ft_error err = {0};

    CHECK(num_anchors <= sizeof lens / sizeof lens[0]);
    for (size_t i = 0; i < num_anchors; i++) {
        int one = i2d_X509(anchors[i]->cert, NULL);
        CHECK(one > 0);
        lens[i] = (size_t)one;
        len += lens[i];
    }
    ders = malloc(len + 1);
    CHECK(ders != NULL);
    unsigned char *end = ders;
    for (size_t i = 0; i < num_anchors; i++) {
        CHECK(i2d_X509(anchors[i]->cert, &end) > 0);
    }
    ft_index *index = ft_index_from_der((const char *)ders, len, lens, num_anchors, &err);
    CHECK(index != NULL && err.code == FT_OK);
    free(ders);
    return index;
}

char *lab_pem(const identity *const *anchors, size_t num_anchors)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes = NULL;

    for (size_t i = 0; i < num_anchors; i++) {
        CHECK(PEM_write_bio_X509(memory, anchors[i]->cert) == 1);
    }
    long len = BIO_get_mem_data(memory, &bytes);
    char *text = calloc(1, (size_t)len + 1);
    CHECK(text != NULL);
    memcpy(text, bytes, (size_t)len);
    BIO_free(memory);
    return text;
}

ft_source *lab_system(const identity *anchor)
{
    ft_index *index = lab_index(&anchor, anchor == NULL ? 0 : 1);
    ft_error err = {0};
    ft_source *system = ft_source_new(index, &err);

    CHECK(system != NULL && err.code == FT_OK);
    ft_index_free(index);
    return system;
}

void lab_attach(const fake_context *context, ft_source *system, bool for_clients, bool for_servers)
{
    ft_trust trust = {.system = system, .for_clients = for_clients, .for_servers = for_servers};
    ft_error err = {0};

    CHECK(ERR_peek_error() == 0);
    CHECK(ft_context_attach((uintptr_t)context, &trust, true, &err));
    CHECK(err.code == FT_OK);
    CHECK(ERR_peek_error() == 0);
    CHECK(ft_context_attached((uintptr_t)context));
}

/* ---- handshakes -------------------------------------------------------------------------- */

void lab_join(const fake_connection *client, const fake_connection *server)
{
    BIO *ends[2] = {NULL, NULL};

    CHECK(BIO_new_bio_pair(&ends[0], 0, &ends[1], 0) == 1);
    SSL_set_bio(client->ssl, ends[0], ends[0]);
    SSL_set_bio(server->ssl, ends[1], ends[1]);
}

/* One step of one side. Says whether it is over; keeps the reason where it failed. */
static bool step(SSL *ssl, bool *done, int *reason)
{
    if (*done || *reason != 0) {
        return true;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(ssl);
    if (result == 1) {
        *done = true;
    } else if (SSL_get_error(ssl, result) == SSL_ERROR_SSL) {
        *reason = ERR_GET_REASON(ERR_peek_last_error());
    }
    ERR_clear_error();
    return *done || *reason != 0;
}

/* Reads what arrived after the handshake: tickets, and the alert of a peer that refused. */
static void read_rest(SSL *ssl, int *reason)
{
    char byte = 0;
    int result = SSL_read(ssl, &byte, 1);

    if (*reason == 0 && result <= 0 && SSL_get_error(ssl, result) == SSL_ERROR_SSL) {
        *reason = ERR_GET_REASON(ERR_peek_last_error());
    }
    ERR_clear_error();
}

outcome lab_shake(const fake_connection *client, const fake_connection *server)
{
    outcome end = {false, false, 0, 0};
    bool over = false;

    for (int i = 0; i < 20 && !over; i++) {
        bool client_over = step(client->ssl, &end.client_done, &end.client_reason);
        bool server_over = step(server->ssl, &end.server_done, &end.server_reason);
        over = client_over && server_over;
    }
    if (end.client_done) {
        read_rest(client->ssl, &end.client_reason);
    }
    if (end.server_done) {
        read_rest(server->ssl, &end.server_reason);
    }
    return end;
}

bool lab_chain_is(ft_chain *chain, const X509 *const *certs, size_t num_certs)
{
    ft_error err = {0};
    bool same = chain != NULL && ft_chain_len(chain) == num_certs;
    const ft_der *ders = same ? ft_chain_ders(chain) : NULL;

    CHECK(!same || (ders != NULL && err.code == FT_OK));
    CHECK(ERR_peek_error() == 0);
    for (size_t i = 0; i < num_certs && same; i++) {
        unsigned char *der = NULL;
        int len = i2d_X509(certs[i], &der);

        same = len > 0 && ders[i].len == (size_t)len && memcmp(ders[i].data, der, (size_t)len) == 0;
        OPENSSL_free(der);
    }
    ft_chain_free(chain);
    return same;
}

/* ---- begin and end ----------------------------------------------------------------------- */

static void make_pki(void)
{
    lab.root = lab_cert("root", NULL, true);
    lab.middle = lab_cert("middle", &lab.root, true);
    lab.server = lab_cert("server", &lab.middle, false);
    lab.client = lab_cert("client", &lab.middle, false);
    lab.other_root = lab_cert("other root", NULL, true);
    lab.other_server = lab_cert("other server", &lab.other_root, false);
    lab.other_client = lab_cert("other client", &lab.other_root, false);
    lab.crl = make_crl(&lab.root);
}

static void free_pki(void)
{
    identity *all[] = {&lab.root,       &lab.middle,       &lab.server,      &lab.client,
                       &lab.other_root, &lab.other_server, &lab.other_client};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        lab_identity_free(all[i]);
    }
    X509_CRL_free(lab.crl);
    lab.crl = NULL;
}

void lab_begin(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    ft_specimen specimen = lab_specimen(context, connection);
    ft_error err = {0};

    CHECK(ft_open(NULL, &specimen, &err));
    CHECK(err.code == FT_OK && ft_ossl() != NULL);
    CHECK(ERR_peek_error() == 0);
    lab_connection_free(connection);
    lab_context_free(context);
    make_pki();
    ERR_clear_error();
}

int lab_end(const char *name)
{
    free_pki();
    (void)printf("%s: %d checks\n", name, check_count);
    return 0;
}
