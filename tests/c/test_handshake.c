/*
 * Handshakes through memory: on which side whose anchors count, what the peer is told, and what is
 * kept of it all. The table first, then what does not fit a table.
 */

#include "pair.h"

typedef struct trust_case {
    const char *fact;
    bool judge_is_server; // who verifies: the server its client, or the client its server
    int anchors;          // where the root is held
    bool for_clients, for_servers;
    int version;
    bool other_peer; // the peer shows a certificate of the other root
    int code;
} trust_case;

static const trust_case cases[] = {
    {"own root", false, OWN, true, false, TLS1_3_VERSION, false, X509_V_OK},
    {"own root, TLS 1.2", false, OWN, true, false, TLS1_2_VERSION, false, X509_V_OK},
    {"own root, no system", false, OWN, false, false, TLS1_3_VERSION, false, X509_V_OK},
    {"system's root", false, SYSTEM, true, false, TLS1_3_VERSION, false, X509_V_OK},
    {"system's root, TLS 1.2", false, SYSTEM, true, false, TLS1_2_VERSION, false, X509_V_OK},
    {"root in both", false, BOTH, true, true, TLS1_3_VERSION, false, X509_V_OK},
    {"system's root that is not for clients", false, SYSTEM, false, true, TLS1_3_VERSION, false,
     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"no root", false, NONE, true, true, TLS1_3_VERSION, false,
     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"another's peer", false, BOTH, true, true, TLS1_3_VERSION, true,
     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"server: own root", true, OWN, true, false, TLS1_3_VERSION, false, X509_V_OK},
    {"server: own root, TLS 1.2", true, OWN, true, false, TLS1_2_VERSION, false, X509_V_OK},
    {"server: system's root, for clients only", true, SYSTEM, true, false, TLS1_3_VERSION, false,
     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"server: the same, TLS 1.2", true, SYSTEM, true, false, TLS1_2_VERSION, false,
     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"server: system's root, for servers", true, SYSTEM, false, true, TLS1_3_VERSION, false,
     X509_V_OK},
    {"server: no root", true, NONE, true, true, TLS1_3_VERSION, false,
     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"server: another's peer", true, BOTH, true, true, TLS1_2_VERSION, true,
     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
};

static void run_case(const trust_case *this)
{
    pair pair = make_pair(this->judge_is_server, this->anchors, this->for_clients,
                          this->for_servers, this->other_peer);
    const X509 *leaf = this->judge_is_server ? lab.client.cert : lab.server.cert;
    const X509 *chain[] = {leaf, lab.middle.cert, lab.root.cert};
    const X509 *other[] = {this->judge_is_server ? lab.other_client.cert : lab.other_server.cert};
    bool accepted = this->code == X509_V_OK;

    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, this->version) == 1);
    connect_pair(&pair, this->judge_is_server);
    CHECK(verdict_of(pair.judge).step == FT_STEP_NONE);
    CHECK(chain_of(pair.judge, true) == NULL && chain_of(pair.judge, false) == NULL);
    num_callbacks = 0;
    outcome end = lab_shake(pair.client, pair.server);
    int judge_reason = this->judge_is_server ? end.server_reason : end.client_reason;
    int shown_reason = this->judge_is_server ? end.client_reason : end.server_reason;

    CHECK(num_callbacks == 1);
    CHECK((this->judge_is_server ? end.server_done : end.client_done) == accepted);
    CHECK(judge_reason == (accepted ? 0 : SSL_R_CERTIFICATE_VERIFY_FAILED));
    CHECK(shown_reason == (accepted ? 0 : SSL_R_TLSV1_ALERT_UNKNOWN_CA));
    CHECK(SSL_get_verify_result(pair.judge->ssl) == this->code);

    ft_verdict verdict = verdict_of(pair.judge);
    CHECK(verdict.step == FT_STEP_OPENSSL && verdict.code == this->code);
    CHECK(verdict.native_code == 0 && verdict.native_message[0] == '\0');
    CHECK(accepted || verdict.depth == (this->other_peer ? 0 : 1));
    CHECK(lab_chain_is(chain_of(pair.judge, false), this->other_peer ? other : chain,
                       this->other_peer ? 1 : 2));
    if (accepted) {
        CHECK(lab_chain_is(chain_of(pair.judge, true), chain, 3));
    } else {
        CHECK(chain_of(pair.judge, true) == NULL);
    }
    free_pair(&pair);
}

static void every_case_of_the_table(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (getenv("CHECK_VERBOSE") != NULL) {
            (void)fprintf(stderr, "    %s\n", cases[i].fact);
        }
        run_case(&cases[i]);
    }
}

/* The name is OpenSSL's to check, in the same verification. */
static void a_wrong_name_is_refused(void)
{
    static const char *const names[] = {"peer.example", "other.example"};

    for (int i = 0; i < 2; i++) {
        pair pair = make_pair(false, SYSTEM, true, false, false);
        connect_pair(&pair, false);
        CHECK(SSL_set1_host(pair.judge->ssl, names[i]) == 1);
        outcome end = lab_shake(pair.client, pair.server);
        CHECK(end.client_done == (i == 0));
        CHECK(verdict_of(pair.judge).code == (i == 0 ? X509_V_OK : X509_V_ERR_HOSTNAME_MISMATCH));
        ft_chain *verified = chain_of(pair.judge, true);
        CHECK((verified == NULL) == (i == 1));
        ft_chain_free(verified);
        CHECK(end.server_reason == (i == 0 ? 0 : SSL_R_SSLV3_ALERT_BAD_CERTIFICATE));
        free_pair(&pair);
    }
}

/* The program's own CRL counts against a chain of the system's, and a missing one is refused. */
static void revocation_lists_count(void)
{
    for (int i = 0; i < 2; i++) {
        pair pair = make_pair(false, SYSTEM, true, false, false);
        X509_STORE *store = SSL_CTX_get_cert_store(pair.judge_context->ctx);

        CHECK(X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1);
        if (i == 1) {
            CHECK(X509_STORE_add_crl(store, lab.crl) == 1); // root's, and the leaf is middle's
        }
        connect_pair(&pair, false);
        outcome end = lab_shake(pair.client, pair.server);
        CHECK(!end.client_done && end.client_reason == SSL_R_CERTIFICATE_VERIFY_FAILED);
        CHECK(verdict_of(pair.judge).code == X509_V_ERR_UNABLE_TO_GET_CRL);
        free_pair(&pair);
    }
}

/* CERT_NONE goes on, and can never be mistaken for verified. */
static void who_verifies_nobody_goes_on(void)
{
    pair pair = make_pair(false, NONE, true, false, false);
    const X509 *sent[] = {lab.server.cert, lab.middle.cert};

    SSL_CTX_set_verify(pair.judge_context->ctx, SSL_VERIFY_NONE, NULL);
    connect_pair(&pair, false);
    outcome end = lab_shake(pair.client, pair.server);
    CHECK(end.client_done && end.server_done);
    ft_verdict verdict = verdict_of(pair.judge);
    CHECK(verdict.step == FT_STEP_UNASKED && verdict.code == X509_V_ERR_APPLICATION_VERIFICATION);
    CHECK(SSL_get_verify_result(pair.judge->ssl) == X509_V_ERR_APPLICATION_VERIFICATION);
    CHECK(chain_of(pair.judge, true) == NULL);
    CHECK(lab_chain_is(chain_of(pair.judge, false), sent, 2));
    free_pair(&pair);
}

/*
 * CPython from 3.13.18 on has a list of certificates never to trust, in the connection's verify
 * callback: it is asked about each certificate of the chain, and its no is the verdict (code 28),
 * whoever vouches for the chain.
 */
static int asked[3]; // how often, by depth
static int rejected; // the depth of which the list says no, -1 for none
static bool forgives;

static int on_list(int accepted, X509_STORE_CTX *question)
{
    int depth = X509_STORE_CTX_get_error_depth(question);

    if (X509_STORE_CTX_get_current_cert(question) != NULL && depth >= 0 && depth < 3) {
        asked[depth]++;
    }
    if (accepted != 0 && depth == rejected) {
        X509_STORE_CTX_set_error(question, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    return forgives ? 1 : accepted;
}

static void run_list(bool judge_is_server, int anchors, int version, int depth)
{
    pair pair = make_pair(judge_is_server, anchors, true, true, false);
    int mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;

    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, version) == 1);
    SSL_CTX_set_verify(pair.judge_context->ctx, mode, on_list);
    connect_pair(&pair, judge_is_server);
    rejected = depth;
    for (int i = 0; i < 3; i++) {
        asked[i] = 0;
    }
    outcome end = lab_shake(pair.client, pair.server);
    CHECK((judge_is_server ? end.server_done : end.client_done) == (depth < 0));
    CHECK(verdict_of(pair.judge).code == (depth < 0 ? X509_V_OK : X509_V_ERR_CERT_REJECTED));
    CHECK(depth < 0 || verdict_of(pair.judge).depth == depth);
    CHECK((judge_is_server ? end.client_reason : end.server_reason) ==
          (depth < 0 ? 0 : SSL_R_SSLV3_ALERT_BAD_CERTIFICATE));
    for (int i = 0; i < 3; i++) {
        CHECK(asked[i] > 0 || i < depth); // from the anchor down to the one that is rejected
    }
    ft_chain *verified = chain_of(pair.judge, true);
    CHECK((verified != NULL) == (depth < 0));
    ft_chain_free(verified);
    free_pair(&pair);
}

static void a_list_of_certificates_never_to_trust_counts(void)
{
    for (int depth = -1; depth < 3; depth++) {
        for (int i = 0; i < 8; i++) {
            run_list(i % 2 == 0, i % 4 < 2 ? SYSTEM : OWN, i < 4 ? TLS1_2_VERSION : TLS1_3_VERSION,
                     depth);
        }
    }
}

/* A callback that lets a bad certificate pass cannot make us accept it: its code is the verdict. */
static void a_callback_that_forgives_is_not_believed(void)
{
    pair pair = make_pair(false, NONE, true, false, false);

    SSL_CTX_set_verify(pair.judge_context->ctx, SSL_VERIFY_PEER, on_list);
    connect_pair(&pair, false);
    rejected = -1;
    forgives = true;
    CHECK(!lab_shake(pair.client, pair.server).client_done);
    CHECK(verdict_of(pair.judge).code != X509_V_OK && chain_of(pair.judge, true) == NULL);
    forgives = false;
    free_pair(&pair);
}

/* Trust changed after attaching counts for the next handshake, in both directions. */
static void trust_can_be_changed(void)
{
    pair pair = make_pair(true, SYSTEM, true, false, false);
    ft_error err = {0};

    for (int i = 0; i < 6; i++) {
        bool counts = i % 2 == 1;
        ft_trust trust = {.system = pair.system, .for_clients = true, .for_servers = counts};
        CHECK(ft_context_trust_system((uintptr_t)pair.judge_context, &trust, &err));
        connect_pair(&pair, true);
        outcome end = lab_shake(pair.client, pair.server);
        CHECK(end.server_done == counts);
        disconnect_pair(&pair);
    }
    ft_trust nobody = {.for_clients = true, .for_servers = true};
    CHECK(ft_context_trust_system((uintptr_t)pair.judge_context, &nobody, &err));
    connect_pair(&pair, true);
    CHECK(!lab_shake(pair.client, pair.server).server_done);
    CHECK(err.code == FT_OK && ERR_peek_error() == 0);
    free_pair(&pair);
}

int main(void)
{
    lab_begin();
    RUN(every_case_of_the_table);
    RUN(a_wrong_name_is_refused);
    RUN(revocation_lists_count);
    RUN(who_verifies_nobody_goes_on);
    RUN(a_list_of_certificates_never_to_trust_counts);
    RUN(a_callback_that_forgives_is_not_believed);
    RUN(trust_can_be_changed);
    return lab_end("test_handshake");
}
