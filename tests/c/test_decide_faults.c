/*
 * A platform that is asked, each call failing in turn: nobody is trusted who should not be,
 * whatever the platform says, nothing leaks, nothing stays on the error queue. ossl.c is part of
 * this unit, so that its finder can be ours.
 */

#define _GNU_SOURCE

#include "faults.h"

#include "platform_told.h"

#define ft_library_find fault_find
#include "../../csrc/ossl.c"
#undef ft_library_find

enum { MOST = 4 };

/* Lets the platform say that, about a chain of these certificates. */
static void say(int32_t code, const X509 *const *certs, size_t num_certs)
{
    unsigned char *ders[MOST] = {NULL};
    ft_der chain[MOST] = {{NULL, 0}};

    for (size_t i = 0; i < num_certs; i++) {
        int len = i2d_X509((X509 *)(uintptr_t)certs[i], &ders[i]);
        CHECK(len > 0);
        chain[i] = (ft_der){.data = (const char *)ders[i], .len = (size_t)len};
    }
    ft_told_say(code, 0, "", false, chain, num_certs);
    for (size_t i = 0; i < num_certs; i++) {
        OPENSSL_free(ders[i]);
    }
}

static bool shake(int number, int anchors, bool deserves)
{
    const X509 *chain[] = {lab.server.cert, lab.middle.cert, lab.root.cert};
    pair pair = make_pair(false, anchors, true, false, false);
    ft_trust platform = {.ask_platform = true, .for_clients = true};
    ft_error err = {0};

    CHECK(ft_context_trust_system((uintptr_t)pair.judge_context, &platform, &err));
    if ((anchors & OWN) != 0) {
        CHECK(ft_context_own((uintptr_t)pair.judge_context, &err));
    }
    connect_pair(&pair, false);
    fault_arm(number);
    outcome end = lab_shake(pair.client, pair.server);
    bool failed = fault_disarm();
    ft_verdict verdict = verdict_of(pair.judge);
    ft_chain *verified = chain_of(pair.judge, true);

    CHECK(deserves || !end.client_done);
    CHECK(failed || end.client_done == deserves);
    CHECK(end.client_done == (verdict.code == X509_V_OK && verdict.step != FT_STEP_NONE));
    CHECK(end.client_done == (SSL_get_verify_result(pair.judge->ssl) == X509_V_OK));
    CHECK(end.client_done == (verified != NULL));
    CHECK(!end.client_done || lab_chain_is(verified, chain, 3));
    free_pair(&pair);
    return failed;
}

static bool is_trusted(int number)
{
    return shake(number, NONE, true);
}

static bool is_refused(int number)
{
    return shake(number, NONE, false);
}

/* The anchor is ours; where a failure loses it, the platform, which says no, has the last word. */
static bool is_ours(int number)
{
    return shake(number, OWN, true);
}

static void a_yes_that_openssl_shares(void)
{
    const X509 *chain[] = {lab.server.cert, lab.middle.cert, lab.root.cert};

    say(0, chain, 3);
    fault_each(is_trusted);
}

static void a_yes_about_something_else(void)
{
    const X509 *another_leaf[] = {lab.other_server.cert, lab.other_root.cert};
    const X509 *another_anchor[] = {lab.server.cert, lab.middle.cert, lab.other_root.cert};
    const X509 *no_anchor[] = {lab.server.cert, lab.other_root.cert};

    say(0, another_leaf, 2);
    fault_each(is_refused);
    say(0, another_anchor, 3);
    fault_each(is_refused);
    say(0, no_anchor, 2);
    fault_each(is_refused);
    say(0, no_anchor, 0);
    fault_each(is_refused);
}

static void a_no(void)
{
    const X509 *chain[] = {lab.server.cert, lab.middle.cert, lab.root.cert};

    say(X509_V_ERR_CERT_REVOKED, chain, 3);
    fault_each(is_refused);
    fault_each(is_ours);
}

int main(void)
{
    lab_begin();
    RUN(a_yes_that_openssl_shares);
    RUN(a_yes_about_something_else);
    RUN(a_no);
    ft_told_say(1, 0, "", false, NULL, 0);
    return lab_end("test_decide_faults");
}
