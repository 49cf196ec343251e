/*
 * A verification without a handshake, each call failing in turn: a verdict or an error, nobody is
 * trusted who should not be, nothing leaks, nothing stays on the error queue. ossl.c is part of
 * this unit, so that its finder can be ours.
 */

#define _GNU_SOURCE

#include "faults.h"

#define ft_library_find fault_find
#include "../../csrc/ossl.c"
#undef ft_library_find

/* A verdict or an error; and where the connection's settings get lost nobody profits. */
static bool verify_with_fault(int number, int anchors, const char *host, bool deserves)
{
    const X509 *chain[] = {lab.server.cert, lab.middle.cert, lab.root.cert};
    pair pair = make_pair(false, anchors, true, false, false);
    fake_connection *alone = lab_connection(pair.judge_context, false);
    unsigned char *ders[2] = {NULL, NULL};
    ft_part parts[2] = {{.chain = NULL}, {.chain = NULL}};
    int64_t now = (int64_t)time(NULL);
    ft_verdict verdict = {0};
    ft_chain *verified = NULL;
    ft_error err = {0};

    CHECK(X509_VERIFY_PARAM_set1_host(SSL_get0_param(alone->ssl), host, 0) == 1);
    for (int i = 0; i < 2; i++) {
        int len = i2d_X509((X509 *)(uintptr_t)chain[i], &ders[i]);
        CHECK(len > 0);
        parts[i].der = (ft_der){.data = (const char *)ders[i], .len = (size_t)len};
    }
    fault_arm(number);
    ft_chain *sent = ft_chain_make(parts, 2, &err);
    bool ok = sent != NULL &&
              ft_connection_verify((uintptr_t)alone, &verdict, &verified, sent, &now, &err);
    bool failed = fault_disarm();
    CHECK(ERR_peek_error() == 0 && ok == (err.code == FT_OK));
    CHECK((verified != NULL) == (ok && verdict.code == X509_V_OK));
    CHECK(deserves || verified == NULL);
    CHECK(failed || (ok && (verified != NULL) == deserves));
    CHECK(verified == NULL || lab_chain_is(verified, chain, 3));
    ft_chain_free(sent);
    OPENSSL_free(ders[0]);
    OPENSSL_free(ders[1]);
    lab_connection_free(alone);
    free_pair(&pair);
    return failed;
}

static bool verify_own(int number)
{
    return verify_with_fault(number, OWN, "peer.example", true);
}

static bool verify_system(int number)
{
    return verify_with_fault(number, SYSTEM, "peer.example", true);
}

static bool verify_other_name(int number)
{
    return verify_with_fault(number, BOTH, "other.example", false);
}

static bool verify_stranger(int number)
{
    return verify_with_fault(number, NONE, "peer.example", false);
}

static void a_failure_without_a_handshake(void)
{
    fault_each(verify_own);
    fault_each(verify_system);
    fault_each(verify_other_name);
    fault_each(verify_stranger);
}

int main(void)
{
    lab_begin();
    RUN(a_failure_without_a_handshake);
    return lab_end("test_offline_faults");
}
