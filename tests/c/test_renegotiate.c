/*
 * TLS 1.2 lets a server begin again on an open connection, with another certificate too: that is
 * verified like the first, and where it is refused not one byte more passes. What is captured is
 * the latest; the one before is freed, unless somebody is reading it.
 */

#include "pair.h"

#include <string.h>

static identity second_server, misnamed_server;

/* Sends a byte from one end to the other; says whether it arrived. Also moves a handshake on. */
static bool pass(SSL *from, SSL *to, char sent)
{
    char byte = 0;
    bool written = SSL_write(from, &sent, 1) == 1;
    bool arrived = SSL_read(to, &byte, 1) == 1 && byte == sent;

    ERR_clear_error();
    return written && arrived;
}

static pair make_old_pair(bool with_tickets)
{
    pair pair = make_pair(false, SYSTEM, true, false, false);

    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, TLS1_2_VERSION) == 1);
    if (!with_tickets) { // nor a cache: every handshake is a full one
        SSL_CTX_set_options(pair.shown_context->ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(pair.shown_context->ctx, SSL_SESS_CACHE_OFF);
    }
    connect_pair(&pair, false);
    CHECK(SSL_set1_host(pair.judge->ssl, "peer.example") == 1);
    bind_to(pair.judge, under_one);
    CHECK(lab_shake(pair.client, pair.server).client_done);
    CHECK(pass(pair.client->ssl, pair.server->ssl, 'a'));
    CHECK(pass(pair.server->ssl, pair.client->ssl, 'b'));
    return pair;
}

/* The server begins again; both ends go on as far as they get. */
static void begin_again(const pair *pair)
{
    char byte = 0;

    CHECK(SSL_renegotiate(pair->server->ssl) == 1);
    CHECK(SSL_do_handshake(pair->server->ssl) == 1); // HelloRequest is sent
    for (int i = 0; i < 6; i++) {
        (void)SSL_read(pair->client->ssl, &byte, 1);
        (void)SSL_read(pair->server->ssl, &byte, 1);
    }
    CHECK(byte == 0);
    ERR_clear_error();
}

typedef struct again_case {
    const identity *shown, *issuer;
    int code, alert;
} again_case;

static void a_second_certificate_is_verified_like_the_first(void)
{
    const again_case cases[] = {
        {&lab.server, &lab.middle, X509_V_OK, 0},
        {&second_server, &lab.middle, X509_V_OK, 0},
        {&misnamed_server, &lab.middle, X509_V_ERR_HOSTNAME_MISMATCH,
         SSL_R_SSLV3_ALERT_BAD_CERTIFICATE},
        {&lab.other_server, NULL, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
         SSL_R_TLSV1_ALERT_UNKNOWN_CA},
        {&lab.server, NULL, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
         SSL_R_TLSV1_ALERT_UNKNOWN_CA},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const again_case *this = &cases[i];
        const X509 *chain[] = {this->shown->cert, lab.middle.cert, lab.root.cert};
        pair pair = make_old_pair(false);
        SSL *server = pair.server->ssl;
        char byte = 0;

        CHECK(SSL_use_certificate(server, this->shown->cert) == 1);
        CHECK(SSL_use_PrivateKey(server, this->shown->key) == 1);
        CHECK(SSL_clear_chain_certs(server) == 1);
        SSL_CTX_clear_chain_certs(pair.shown_context->ctx);
        if (this->issuer != NULL) {
            CHECK(SSL_add1_chain_cert(server, this->issuer->cert) == 1);
        }
        num_callbacks = 0;
        if (this->code == X509_V_OK) {
            begin_again(&pair);
            CHECK(pass(pair.client->ssl, server, 'c') && pass(server, pair.client->ssl, 'd'));
            CHECK(lab_chain_is(chain_of(pair.judge, true), chain, 3));
        } else {
            CHECK(SSL_renegotiate(server) == 1 && SSL_do_handshake(server) == 1);
            (void)SSL_read(pair.client->ssl, &byte, 1);
            (void)SSL_read(server, &byte, 1);
            CHECK(SSL_read(pair.client->ssl, &byte, 1) <= 0);
            CHECK(ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED);
            ERR_clear_error();
            CHECK(SSL_read(server, &byte, 1) <= 0);
            CHECK(ERR_GET_REASON(ERR_peek_error()) == this->alert);
            ERR_clear_error();
            for (int j = 0; j < 3; j++) {
                CHECK(!pass(pair.client->ssl, server, 'c') && !pass(server, pair.client->ssl, 'd'));
            }
            CHECK(chain_of(pair.judge, true) == NULL);
        }
        CHECK(num_callbacks == 1);
        CHECK(verdict_of(pair.judge).code == this->code);
        CHECK(lab_chain_is(chain_of(pair.judge, false), chain, this->issuer == NULL ? 1 : 2));
        free_pair(&pair);
    }
}

/* Where the second handshake resumes the first session nothing is verified again, nor forgotten. */
static void beginning_again_may_resume(void)
{
    pair pair = make_old_pair(true);
    const X509 *chain[] = {lab.server.cert, lab.middle.cert, lab.root.cert};

    num_callbacks = 0;
    begin_again(&pair);
    CHECK(SSL_session_reused(pair.client->ssl) == 1 && num_callbacks == 0);
    CHECK(pass(pair.client->ssl, pair.server->ssl, 'c'));
    CHECK(pass(pair.server->ssl, pair.client->ssl, 'd'));
    CHECK(lab_chain_is(chain_of(pair.judge, true), chain, 3));
    CHECK(verdict_of(pair.judge).step == FT_STEP_OPENSSL);
    free_pair(&pair);
}

/* How many leaves that were ever judged are still somebody's. */
static int num_leaves, leaf_index;

static void leaf_is_gone(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl,
                         void *argp)
{
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    num_leaves -= value != NULL;
}

static int counting_callback(X509_STORE_CTX *question, void *arg)
{
    X509 *leaf = sk_X509_value(X509_STORE_CTX_get0_untrusted(question), 0);

    CHECK(X509_set_ex_data(leaf, leaf_index, &num_leaves) == 1);
    num_leaves++;
    return watched_callback(question, arg);
}

/* A server that begins again all the time makes its client hold one capture, not all of them. */
static void captures_do_not_pile_up(void)
{
    pair pair = make_old_pair(false);
    const X509 *sent[] = {lab.server.cert, lab.middle.cert};
    ft_error err = {0};
    ft_record *record = ft_record_watch((uintptr_t)pair.judge, &err);

    leaf_index = X509_get_ex_new_index(0, NULL, NULL, NULL, leaf_is_gone);
    SSL_CTX_set_cert_verify_callback(pair.judge_context->ctx, counting_callback, NULL);
    begin_again(&pair);
    ft_chain *held = ft_record_chain(record, false);
    for (int i = 0; i < 20; i++) {
        begin_again(&pair);
    }
    CHECK(ft_record_captures(record) == 22);
    CHECK(num_leaves == 2); // the one that we hold, and the latest
    CHECK(lab_chain_is(held, sent, 2));
    CHECK(num_leaves == 1);
    free_pair(&pair);
    CHECK(num_leaves == 1); // the record's, which outlives the connection
    ft_record_free(record);
    CHECK(num_leaves == 0);
}

int main(void)
{
    lab_begin();
    second_server = lab_cert("second", &lab.middle, false);
    misnamed_server = lab_cert("misnamed", &lab.middle, false);
    int place = X509_get_ext_by_NID(misnamed_server.cert, NID_subject_alt_name, -1);
    X509_EXTENSION_free(X509_delete_ext(misnamed_server.cert, place));
    CHECK(X509_sign(misnamed_server.cert, lab.middle.key, EVP_sha256()) > 0);
    RUN(a_second_certificate_is_verified_like_the_first);
    RUN(beginning_again_may_resume);
    RUN(captures_do_not_pile_up);
    lab_identity_free(&second_server);
    lab_identity_free(&misnamed_server);
    return lab_end("test_renegotiate");
}
