/*
 * Without a handshake: the question is the one that OpenSSL prepares for the same connection, the
 * verdict the same, and whatever is wrong with the chain or the connection is told. Our callback is
 * wrapped (--wrap), to see what it is asked on both roads.
 */

#include "pair.h"

#include <pthread.h>
#include <string.h>

/* Everything of a question that can be read back. */
typedef struct facts {
    unsigned long flags;
    unsigned int host_flags;
    int depth, auth_level;
    time_t time;
    char host[32], address[32];
    X509_STORE *store;
    X509_STORE_CTX_verify_cb verify_one;
    bool is_about_the_leaf;
    int num_sent;
} facts;

static __thread facts asked;
static __thread const SSL *asked_of;

int __real_ft_verify_callback(X509_STORE_CTX *question, void *arg);
int __wrap_ft_verify_callback(X509_STORE_CTX *question, void *arg);

int __wrap_ft_verify_callback(X509_STORE_CTX *question, void *arg)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(question);
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(question);

    asked_of = X509_STORE_CTX_get_ex_data(question, SSL_get_ex_data_X509_STORE_CTX_idx());
    memset(&asked, 0, sizeof asked); // its padding too: it is compared as a whole
    asked.flags = X509_VERIFY_PARAM_get_flags(param);
    asked.host_flags = X509_VERIFY_PARAM_get_hostflags(param);
    asked.depth = X509_VERIFY_PARAM_get_depth(param);
    asked.auth_level = X509_VERIFY_PARAM_get_auth_level(param);
    asked.time = X509_VERIFY_PARAM_get_time(param);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    const char *host = X509_VERIFY_PARAM_get0_host(param, 0);
    (void)ERR_set_mark(); // asking for an address that is not set is an error to OpenSSL
    char *address = X509_VERIFY_PARAM_get1_ip_asc(param);
    (void)ERR_pop_to_mark();
    (void)snprintf(asked.host, sizeof asked.host, "%s", host == NULL ? "" : host);
    (void)snprintf(asked.address, sizeof asked.address, "%s", address == NULL ? "" : address);
    OPENSSL_free(address);
#endif
    asked.store = X509_STORE_CTX_get0_store(question);
    asked.verify_one = X509_STORE_CTX_get_verify_cb(question);
    asked.is_about_the_leaf = X509_STORE_CTX_get0_cert(question) == sk_X509_value(sent, 0);
    asked.num_sent = sk_X509_num(sent);
    return __real_ft_verify_callback(question, arg);
}

/* A certificate's DER; owned, OPENSSL_free. */
static ft_der der_of(const X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);

    CHECK(len > 0);
    return (ft_der){.data = (const char *)der, .len = (size_t)len};
}

/* The chain as it would be given in DER; owned, ft_chain_free. */
static ft_chain *given(const X509 *leaf, const X509 *issuer)
{
    ft_part parts[2] = {{.der = der_of(leaf)}, {.der = der_of(issuer)}};
    ft_error err = {0};
    ft_chain *chain = ft_chain_make(parts, 2, &err);

    CHECK(chain != NULL && err.code == FT_OK && ERR_peek_error() == 0);
    OPENSSL_free((void *)(uintptr_t)parts[0].der.data);
    OPENSSL_free((void *)(uintptr_t)parts[1].der.data);
    return chain;
}

static ft_verdict verify(const fake_connection *connection, const ft_chain *chain,
                         const int64_t *at_time, ft_chain **out_verified)
{
    ft_verdict verdict = {0};
    ft_error err = {0};

    *out_verified = NULL;
    CHECK(
        ft_connection_verify((uintptr_t)connection, &verdict, out_verified, chain, at_time, &err));
    CHECK(err.code == FT_OK && ERR_peek_error() == 0);
    CHECK((*out_verified != NULL) == (verdict.code == X509_V_OK));
    CHECK(verdict.code == verdict_of(connection).code);
    return verdict;
}

/* ---- the question ------------------------------------------------------------------------- */

static int refuse_all(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED); // as CPython's denylist does
    return 0;
}

static void as_it_is(SSL *ssl)
{
    (void)ssl;
}

static void with_a_name(SSL *ssl)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK(X509_VERIFY_PARAM_set1_host(param, "peer.example", 0) == 1);
}

static void with_another_name(SSL *ssl)
{
    CHECK(X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), "other.example", 0) == 1);
}

static void with_an_address(SSL *ssl)
{
    CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "192.0.2.1") == 1);
}

static void with_flags_and_depth(SSL *ssl)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    CHECK(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN));
    X509_VERIFY_PARAM_set_depth(param, 5);
}

static void with_too_little_depth(SSL *ssl)
{
    X509_VERIFY_PARAM_set_depth(SSL_get0_param(ssl), 0);
}

static void with_a_level(SSL *ssl)
{
    SSL_set_security_level(ssl, 4); // more than the keys of 256 bits are worth
}

static void with_suite_b(SSL *ssl)
{
    (void)SSL_set_cert_flags(ssl, SSL_CERT_FLAG_SUITEB_192_LOS); // their curve is another
}

static void with_a_list_of_rejected(SSL *ssl)
{
    SSL_set_verify(ssl, SSL_VERIFY_PEER, refuse_all);
}

static void long_ago(SSL *ssl)
{
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), 86400);
}

static void with_nobody_verified(SSL *ssl)
{
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
}

/* ALONE: with this setting no handshake comes as far as a verdict, as TLS itself refuses first. */
typedef enum compared { ON_BOTH_SIDES, ON_CLIENTS, ALONE } compared;

typedef struct setting {
    const char *fact;
    void (*set)(SSL *ssl);
    int code;
    compared compared;
} setting;

static const setting settings[] = {
    {"as it is", as_it_is, X509_V_OK, ON_BOTH_SIDES},
    {"its name", with_a_name, X509_V_OK, ON_BOTH_SIDES},
    {"another name", with_another_name, X509_V_ERR_HOSTNAME_MISMATCH, ON_BOTH_SIDES},
    {"an address", with_an_address, X509_V_ERR_IP_ADDRESS_MISMATCH, ON_BOTH_SIDES},
    {"flags and depth", with_flags_and_depth, X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER,
     ON_BOTH_SIDES},
    {"too little depth", with_too_little_depth, X509_V_ERR_CERT_CHAIN_TOO_LONG, ON_BOTH_SIDES},
    {"keys too weak", with_a_level, X509_V_ERR_EE_KEY_TOO_SMALL, ALONE},
    {"suite B", with_suite_b, X509_V_ERR_SUITE_B_LOS_NOT_ALLOWED, ALONE},
    {"a list of rejected", with_a_list_of_rejected, X509_V_ERR_CERT_REJECTED, ON_BOTH_SIDES},
    {"long ago", long_ago, X509_V_ERR_CERT_NOT_YET_VALID, ON_BOTH_SIDES},
    {"CERT_NONE", with_nobody_verified, X509_V_ERR_APPLICATION_VERIFICATION, ON_CLIENTS},
};

/* The same context and settings, once with a peer, and once with nobody at the other end. */
static void ask_both_ways(const setting *this, bool judge_is_server, int anchors)
{
    pair pair = make_pair(judge_is_server, anchors, true, true, false);
    const X509 *leaf = judge_is_server ? lab.client.cert : lab.server.cert;
    const X509 *whole[] = {leaf, lab.middle.cert, lab.root.cert};
    ft_chain *chain = given(leaf, lab.middle.cert);
    ft_chain *verified = NULL;

    connect_pair(&pair, judge_is_server);
    this->set(pair.judge->ssl);
    fake_connection *alone = lab_connection(pair.judge_context, judge_is_server);
    this->set(alone->ssl);
    asked.num_sent = 0;
    (void)lab_shake(pair.client, pair.server);
    facts by_handshake = asked;
    ft_verdict expected = verdict_of(pair.judge);
    ft_chain *expected_chain = chain_of(pair.judge, true);
    CHECK((by_handshake.num_sent == 0) == (this->compared == ALONE));
    ft_verdict verdict = verify(alone, chain, NULL, &verified);
    CHECK(asked.num_sent == 2 && asked.is_about_the_leaf && asked_of == alone->ssl);
    if (this->compared != ALONE) {
        CHECK(memcmp(&asked, &by_handshake, sizeof asked) == 0);
        CHECK(verdict.step == expected.step && verdict.depth == expected.depth);
        CHECK(verdict.code == expected.code);
        CHECK((verified == NULL) == (expected_chain == NULL));
    }
    CHECK(verdict.code == this->code);
    CHECK(verified == NULL || lab_chain_is(verified, whole, 3));
    CHECK(lab_chain_is(chain_of(alone, false), whole, 2));
    ft_chain_free(expected_chain);
    ft_chain_free(chain);
    lab_connection_free(alone);
    free_pair(&pair);
}

static void the_question_is_that_of_a_handshake(void)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        ask_both_ways(&settings[i], false, OWN);
        ask_both_ways(&settings[i], false, SYSTEM);
        if (settings[i].compared != ON_CLIENTS) {
            ask_both_ways(&settings[i], true, BOTH);
        }
    }
}

/* Whoever is trusted on one side of a connection is nobody on the other. */
static void the_side_is_the_connections(void)
{
    for (int is_server = 0; is_server < 2; is_server++) {
        pair pair = make_pair(is_server == 1, SYSTEM, is_server == 1, is_server == 0, false);
        ft_chain *chain = given(lab.server.cert, lab.middle.cert);
        fake_connection *alone = lab_connection(pair.judge_context, is_server == 1);
        ft_chain *verified = NULL;

        ft_verdict verdict = verify(alone, chain, NULL, &verified);
        CHECK(verdict.code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        ft_chain_free(chain);
        lab_connection_free(alone);
        free_pair(&pair);
    }
}

static void the_time_is_the_one_given(void)
{
    static const struct {
        int64_t days;
        int code;
    } times[] = {
        {-2, X509_V_ERR_CERT_NOT_YET_VALID}, {0, X509_V_OK}, {2, X509_V_ERR_CERT_HAS_EXPIRED}};
    pair pair = make_pair(false, OWN, true, false, false);
    ft_chain *chain = given(lab.server.cert, lab.middle.cert);

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        fake_connection *alone = lab_connection(pair.judge_context, false);
        int64_t at_time = (int64_t)time(NULL) + times[i].days * 86400;
        ft_chain *verified = NULL;

        CHECK(verify(alone, chain, &at_time, &verified).code == times[i].code);
        ft_chain_free(verified);
        lab_connection_free(alone);
    }
    ft_chain_free(chain);
    free_pair(&pair);
}

/* ---- what is told ------------------------------------------------------------------------- */

static void a_foreign_context_gives_no_verdict(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    ft_chain *chain = given(lab.server.cert, lab.middle.cert);
    ft_chain *verified = NULL;
    ft_verdict verdict = {0};
    ft_error err = {0};

    lab_trusts(context, &lab.root);
    fake_connection *alone = lab_connection(context, false);
    CHECK(!ft_connection_verify((uintptr_t)alone, &verdict, &verified, chain, NULL, &err));
    CHECK(err.code == FT_E_MISUSE && verified == NULL && ft_record_find(alone->ssl) == NULL);

    SSL *ssl = alone->ssl;
    alone->ssl = NULL; // as an object of Python's that was never initialised
    err = (ft_error){0};
    CHECK(!ft_connection_verify((uintptr_t)alone, &verdict, &verified, chain, NULL, &err));
    CHECK(err.code == FT_E_MISUSE && verified == NULL && ERR_peek_error() == 0);
    alone->ssl = ssl;
    ft_chain_free(chain);
    lab_connection_free(alone);
    lab_context_free(context);
}

static void a_malformed_certificate_is_told(void)
{
    ft_der good = der_of(lab.server.cert);
    char *bytes = malloc(good.len + 1);
    ft_chain *whole = given(lab.server.cert, lab.middle.cert);

    CHECK(bytes != NULL);
    memcpy(bytes, good.data, good.len);
    bytes[good.len] = 0;
    const ft_der bad[] = {
        {"", 0}, {"0", 1}, {"0\x80", 2}, {bytes, good.len - 1}, {bytes, good.len + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ft_part parts[3] = {{.chain = whole, .place = 1}, {.der = good}, {.der = bad[i]}};
        ft_error err = {0};

        CHECK(ft_chain_make(parts, 3, &err) == NULL);
        CHECK(err.code == FT_E_MALFORMED && err.depth == 2 && ERR_peek_error() == 0);
    }
    // Parsed and given ones make one chain; what was parsed is shared, and outlives its chain.
    ft_part parts[2] = {{.der = good}, {.chain = whole, .place = 1}};
    const X509 *certs[] = {lab.server.cert, lab.middle.cert};
    ft_error err = {0};
    ft_chain *joined = ft_chain_make(parts, 2, &err);
    CHECK(joined != NULL && ft_chain_cert(joined, 1) == ft_chain_cert(whole, 1));
    ft_chain_free(whole);
    CHECK(lab_chain_is(joined, certs, 2));
    free(bytes);
    OPENSSL_free((void *)(uintptr_t)good.data);
}

static void every_code_has_words(void)
{
    for (int32_t code = -1; code < 200; code++) {
        CHECK(strcmp(ft_code_text(code), X509_verify_cert_error_string(code)) == 0);
    }
}

/* ---- threads ------------------------------------------------------------------------------ */

enum { NUM_THREADS = 8, TIMES = 50 };

static struct {
    const fake_context *context;
    ft_chain *chain;
} shared;

static void *verify_often(void *arg)
{
    bool is_right = arg != NULL;

    for (int i = 0; i < TIMES; i++) {
        fake_connection *alone = lab_connection(shared.context, false);
        ft_chain *verified = NULL;

        (is_right ? with_a_name : with_another_name)(alone->ssl);
        int code = verify(alone, shared.chain, NULL, &verified).code;
        CHECK(code == (is_right ? X509_V_OK : X509_V_ERR_HOSTNAME_MISMATCH));
        ft_chain_free(verified);
        lab_connection_free(alone);
    }
    return NULL;
}

/* One context, the same parsed certificates: each connection has its own verdict. */
static void threads_share_context_and_chain(void)
{
    pair pair = make_pair(false, SYSTEM, true, false, false);
    pthread_t threads[NUM_THREADS];

    shared.context = pair.judge_context;
    shared.chain = given(lab.server.cert, lab.middle.cert);
    for (int i = 0; i < NUM_THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, verify_often, i % 2 == 0 ? &shared : NULL) == 0);
    }
    for (int i = 0; i < NUM_THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    ft_chain_free(shared.chain);
    free_pair(&pair);
}

int main(void)
{
    lab_begin();
    RUN(the_question_is_that_of_a_handshake);
    RUN(the_side_is_the_connections);
    RUN(the_time_is_the_one_given);
    RUN(a_foreign_context_gives_no_verdict);
    RUN(a_malformed_certificate_is_told);
    RUN(every_code_has_words);
    RUN(threads_share_context_and_chain);
    return lab_end("test_offline");
}
