/*
 * Whatever fails, nobody is trusted who should not be, nothing leaks (the address sanitizer's last
 * word), nothing stays on the error queue, and a failure is told. ossl.c is part of this unit, so
 * that its table can be forgotten and its finder be ours.
 */

#define _GNU_SOURCE

#include "faults.h"

#define ft_library_find fault_find
#include "../../csrc/ossl.c"
#undef ft_library_find

bool fault_reopen(const ft_specimen *specimen, ft_error *err)
{
    (void)ft_atomic_swap(&published, NULL);
    return ft_open(NULL, specimen, err);
}

/* ---- opening ----------------------------------------------------------------------------- */

static bool open_with_fault(int number)
{
    const struct ft_ossl *before = ft_ossl();
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    ft_specimen specimen = lab_specimen(context, connection);
    ft_error err = {0};

    ERR_clear_error();
    fault_arm(number);
    bool ok = fault_reopen(&specimen, &err);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0);
    CHECK(ok == (ft_ossl() != NULL) && (ok || err.code != FT_OK));
    if (!ok) {
        (void)ft_atomic_swap(&published, (void *)(uintptr_t)before);
    }
    lab_connection_free(connection);
    lab_context_free(context);
    return failed;
}

static void a_failure_while_opening(void)
{
    fault_each(open_with_fault);
}

/* A library without one of the functions is not used, and the error names what it lacks. */
static void every_required_function_is_required(void)
{
    static const char *const required[] = {
#define NAME_OF(result, name, arguments) #name,
#define NO_NAME(result, name, arguments)
        FT_OSSL_FUNCTIONS(NAME_OF, NO_NAME)};
    const struct ft_ossl *before = ft_ossl();
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    ft_specimen specimen = lab_specimen(context, connection);

    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        ft_error err = {0};
        fault_hide(required[i]);
        CHECK(!fault_reopen(&specimen, &err));
        CHECK(err.code == FT_E_UNAVAILABLE && strstr(err.message, required[i]) != NULL);
    }
    ft_error err = {0};
    fault_hide("SSL_get1_peer_certificate");
    CHECK(fault_reopen(&specimen, &err) == (OPENSSL_VERSION_NUMBER < 0x30000000L));
    fault_hide(NULL);
    CHECK(ERR_peek_error() == 0);
    (void)ft_atomic_swap(&published, (void *)(uintptr_t)before);
    lab_connection_free(connection);
    lab_context_free(context);
}

/* ---- attaching --------------------------------------------------------------------------- */

static bool holds(const fake_context *context, const X509 *anchor)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context->ctx));
    bool found = false;

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        found = found || (cert != NULL && X509_cmp(cert, anchor) == 0);
    }
    return found;
}

/* All or nothing: attached with a store free of the system's, or as it was, with an error. */
static bool attach_with_fault(int number)
{
    ft_source *system = lab_system(&lab.root);
    fake_context *context = lab_context(true, &lab.server, &lab.middle);
    ft_trust trust = {.system = system, .for_clients = true};
    ft_error err = {0};

    lab_trusts(context, &lab.root);
    lab_trusts(context, &lab.other_root);
    X509_STORE *old = SSL_CTX_get_cert_store(context->ctx);
    CHECK(X509_STORE_add_crl(old, lab.crl) == 1);
    fault_arm(number);
    bool ok = ft_context_attach((uintptr_t)context, &trust, true, &err);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0);
    CHECK(ok == (err.code == FT_OK));
    CHECK(ok == ft_context_attached((uintptr_t)context));
    CHECK(ok == (SSL_CTX_get_cert_store(context->ctx) != old));
    CHECK(!ok || !holds(context, lab.root.cert));
    CHECK(holds(context, lab.other_root.cert));

    // A second attaching that fails leaves the first one standing.
    if (!ok) {
        lab_attach(context, system, true, false);
    }
    X509_STORE *first = SSL_CTX_get_cert_store(context->ctx);
    err = (ft_error){0};
    fault_arm(number);
    ok = ft_context_attach((uintptr_t)context, &trust, true, &err);
    failed = fault_disarm() || failed;
    CHECK(ERR_peek_error() == 0 && ok == (err.code == FT_OK));
    CHECK(ft_context_attached((uintptr_t)context));
    CHECK(ok == (SSL_CTX_get_cert_store(context->ctx) != first));
    CHECK(!holds(context, lab.root.cert) && holds(context, lab.other_root.cert));
    lab_context_free(context);
    ft_source_free(system);
    return failed;
}

static void a_failure_while_attaching(void)
{
    fault_each(attach_with_fault);
}

static bool change_with_fault(int number)
{
    pair pair = make_pair(true, SYSTEM, true, false, false);
    ft_error err = {0};

    fault_arm(number);
    ft_trust both = {.system = pair.system, .for_clients = true, .for_servers = true};
    bool ok = ft_context_trust_system((uintptr_t)pair.judge_context, &both, &err);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0 && ok == (err.code == FT_OK));
    connect_pair(&pair, true);
    CHECK(lab_shake(pair.client, pair.server).server_done == ok);
    free_pair(&pair);
    return failed;
}

static void a_failure_while_changing_trust(void)
{
    fault_each(change_with_fault);
}

/* ---- handshakes -------------------------------------------------------------------------- */

/* Who is accepted was verified, by the whole chain; who should not be never is. */
static bool shake_with_fault(int number, bool judge_is_server, int anchors, bool deserves)
{
    const X509 *chain[] = {judge_is_server ? lab.client.cert : lab.server.cert, lab.middle.cert,
                           lab.root.cert};
    pair pair = make_pair(judge_is_server, anchors, true, anchors == BOTH, !deserves);

    connect_pair(&pair, judge_is_server);
    fault_arm(number);
    outcome end = lab_shake(pair.client, pair.server);
    bool failed = fault_disarm();
    bool accepted = judge_is_server ? end.server_done : end.client_done;
    ft_verdict verdict = verdict_of(pair.judge);
    ft_chain *verified = chain_of(pair.judge, true);

    CHECK(deserves || !accepted);
    CHECK(failed || accepted == deserves);
    CHECK(accepted == (verdict.step == FT_STEP_OPENSSL && verdict.code == X509_V_OK));
    CHECK(accepted == (SSL_get_verify_result(pair.judge->ssl) == X509_V_OK));
    CHECK(accepted == (verified != NULL));
    CHECK(!accepted || lab_chain_is(verified, chain, 3));
    free_pair(&pair);
    return failed;
}

static bool client_own(int number)
{
    return shake_with_fault(number, false, OWN, true);
}

static bool client_system(int number)
{
    return shake_with_fault(number, false, SYSTEM, true);
}

static bool client_stranger(int number)
{
    return shake_with_fault(number, false, BOTH, false);
}

static bool server_both(int number)
{
    return shake_with_fault(number, true, BOTH, true);
}

static bool server_stranger(int number)
{
    return shake_with_fault(number, true, BOTH, false);
}

static void a_failure_in_a_handshake(void)
{
    fault_each(client_own);
    fault_each(client_system);
    fault_each(client_stranger);
    fault_each(server_both);
    fault_each(server_stranger);
}

/* Verifying nobody goes on; a verdict of "trusted" never comes of it. */
static bool shake_unasked(int number)
{
    pair pair = make_pair(false, BOTH, true, false, false);

    SSL_CTX_set_verify(pair.judge_context->ctx, SSL_VERIFY_NONE, NULL);
    connect_pair(&pair, false);
    fault_arm(number);
    CHECK(lab_shake(pair.client, pair.server).client_done);
    bool failed = fault_disarm();
    CHECK(SSL_get_verify_result(pair.judge->ssl) != X509_V_OK);
    ft_verdict verdict = verdict_of(pair.judge);
    CHECK(verdict.step == FT_STEP_NONE || verdict.code != X509_V_OK);
    CHECK(chain_of(pair.judge, true) == NULL);
    free_pair(&pair);
    return failed;
}

static void a_failure_where_nobody_is_asked(void)
{
    fault_each(shake_unasked);
}

static bool resume_with_fault(int number)
{
    pair pair = make_pair(false, SYSTEM, true, false, false);

    CHECK(SSL_CTX_set_max_proto_version(pair.shown_context->ctx, TLS1_2_VERSION) == 1);
    connect_pair(&pair, false);
    bind_to(pair.judge, under_one);
    CHECK(lab_shake(pair.client, pair.server).client_done);
    SSL_SESSION *session = SSL_get1_session(pair.judge->ssl);
    CHECK(SSL_shutdown(pair.judge->ssl) >= 0);
    disconnect_pair(&pair);
    connect_pair(&pair, false);
    CHECK(SSL_set_session(pair.judge->ssl, session) == 1);
    bind_to(pair.judge, under_one);
    fault_arm(number);
    bool done = lab_shake(pair.client, pair.server).client_done;
    bool failed = fault_disarm();
    CHECK(failed || done);
    CHECK(!done || SSL_session_reused(pair.judge->ssl) == 1);
    ft_verdict verdict = verdict_of(pair.judge);
    CHECK(verdict.step == FT_STEP_NONE || verdict.step == FT_STEP_RESUMED);
    CHECK(chain_of(pair.judge, true) == NULL);
    ft_chain_free(chain_of(pair.judge, false));
    SSL_SESSION_free(session);
    free_pair(&pair);
    return failed;
}

static void a_failure_in_a_resumption(void)
{
    fault_each(resume_with_fault);
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Asking a connection, ours or not: an answer, nothing, or an error; never two of them. */
static bool read_with_fault(int number, bool ours, bool verified)
{
    pair pair = make_pair(false, OWN, true, false, false);
    ft_error err = {0};

    if (!ours) { // a plain context, with the same anchors
        lab_context_free(pair.judge_context);
        pair.judge_context = lab_context(false, NULL, NULL);
        lab_trusts(pair.judge_context, &lab.root);
    }
    connect_pair(&pair, false);
    CHECK(lab_shake(pair.client, pair.server).client_done);
    fault_arm(number);
    ft_chain *chain = ft_connection_chain((uintptr_t)pair.judge, verified, &err);
    const ft_der *ders = chain == NULL ? NULL : ft_chain_ders(chain);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0);
    CHECK(failed || ders != NULL);
    CHECK(ders == NULL || (err.code == FT_OK && ft_chain_len(chain) == (verified ? 3U : 2U)));
    ft_chain_free(chain);

    err = (ft_error){0};
    fault_arm(number);
    ft_record *record = ft_record_watch((uintptr_t)pair.judge, &err);
    failed = fault_disarm() || failed;
    CHECK(ERR_peek_error() == 0);
    CHECK((record != NULL) == (err.code == FT_OK));
    ft_record_free(record);
    free_pair(&pair);
    return failed;
}

static bool read_ours(int number)
{
    return read_with_fault(number, true, true);
}

static bool read_foreign(int number)
{
    return read_with_fault(number, false, true);
}

static bool read_foreign_sent(int number)
{
    return read_with_fault(number, false, false);
}

static void a_failure_while_reading(void)
{
    fault_each(read_ours);
    fault_each(read_foreign);
    fault_each(read_foreign_sent);
}

int main(void)
{
    lab_begin();
    RUN(a_failure_while_opening);
    RUN(every_required_function_is_required);
    RUN(a_failure_while_attaching);
    RUN(a_failure_while_changing_trust);
    RUN(a_failure_in_a_handshake);
    RUN(a_failure_where_nobody_is_asked);
    RUN(a_failure_in_a_resumption);
    RUN(a_failure_while_reading);
    return lab_end("test_faults");
}
