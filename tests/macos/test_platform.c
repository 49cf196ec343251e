/*
 * What platform_macos.c asks, and what it makes of every answer, lies included. All of it on both
 * sides of macOS 12, where the way to the chain changes.
 */

#include "expect.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int check_count;

/* ---- the question ------------------------------------------------------------------------ */

static void the_question_arrives_whole(void)
{
    ft_question question = question_of("trusted");

    begin();
    (void)expect(&question, 0);
    double_record seen = double_recorded();
    CHECK(seen.num_certs == 2 && seen.is_server && strcmp(seen.host, "server.test") == 0);
    CHECK(seen.revocation == 0 && seen.network && !seen.has_time && !seen.has_staple);

    question = question_of("trusted-client");
    (void)expect(&question, 0);
    seen = double_recorded();
    CHECK(!seen.is_server && seen.host[0] == '\0');

    question = question_of("trusted");
    question.policy.network = false;
    question.has_time = true;
    question.time = 1784000000; // in 2026; 978307200 is the first of 2001
    question.staple = (ft_der){"staple\0behind", 13};
    (void)expect(&question, 10);
    seen = double_recorded();
    CHECK(!seen.network && seen.has_time && seen.time == 1784000000.0 - 978307200.0);
    CHECK(seen.staple_len == 13 && memcmp(seen.staple, "staple\0behind", 13) == 0);
}

/* One evaluation, and nothing that asks trustd a second time. */
static void one_question_is_one_round_trip(void)
{
    for (size_t i = 0; i < num_rows; i++) {
        begin();
        (void)expect(&rows[i].question, rows[i].code);
        CHECK(double_recorded().evaluations == 1 && double_recorded().round_trips == 1);
    }
}

static void a_name_that_cannot_be_asked_is_refused(void)
{
    static const char *const names[] = {"", "sérver.test", "server.test\xff"};
    ft_question question = question_of("trusted");

    begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        question.host = names[i];
        ft_answer answer = expect(&question, FT_V_ERR_UNSPECIFIED);
        CHECK(strstr(answer.native_message, "name") != NULL);
    }
    CHECK(double_recorded().evaluations == 0);
}

static void certificates_that_cannot_be_read(void)
{
    ft_der leaf = rows_file("leaf.der");
    ft_der a = rows_file("A.der");
    ft_question question = question_of("trusted");
    ft_der certs[3] = {{"nonsense", 8}, a};

    begin();
    question.certs = certs;
    ft_answer answer = expect(&question, FT_V_ERR_UNSPECIFIED);
    CHECK(strstr(answer.native_message, "cannot read") != NULL);
    certs[0] = (ft_der){leaf.data, leaf.len - 1};
    (void)expect(&question, FT_V_ERR_UNSPECIFIED);
    certs[0] = (ft_der){leaf.data, 0};
    (void)expect(&question, FT_V_ERR_UNSPECIFIED);
    CHECK(double_recorded().evaluations == 0);

    // Beside the leaf it is left out.
    certs[0] = leaf;
    certs[1] = (ft_der){"nonsense", 8};
    certs[2] = a;
    question.num_certs = 3;
    (void)expect(&question, 0);
    CHECK(double_recorded().num_certs == 2);
}

/* ---- revocation -------------------------------------------------------------------------- */

enum { ANY = 3, ANY_AND_POSITIVE = 11 };

static void revocation_is_asked_for_as_the_program_wants(void)
{
    begin();
    double_set_online(true);
    for (int bits = 0; bits < 24; bits++) {
        ft_question question = question_of("trusted");
        question.policy.revocation = (ft_revocation)(bits / 8);
        question.check_leaf = (bits & 1) != 0;
        question.check_chain = (bits & 2) != 0;
        question.own_crls = (bits & 4) != 0;
        bool wanted = question.check_leaf || question.check_chain;
        unsigned long flags = bits / 8 == FT_REVOCATION_HARD   ? ANY_AND_POSITIVE
                              : wanted && !question.own_crls   ? ANY_AND_POSITIVE
                              : wanted                         ? ANY
                              : bits / 8 == FT_REVOCATION_SOFT ? ANY
                                                               : 0;
        ft_answer answer = expect(&question, 0);
        CHECK(double_recorded().revocation == flags);
        // Only where the lack of an answer would have been a refusal is anything known.
        CHECK(answer.revocation_checked == (flags == ANY_AND_POSITIVE));
    }
}

static void what_is_revoked_is_refused(void)
{
    const ft_revocation asked[] = {FT_REVOCATION_SOFT, FT_REVOCATION_HARD};
    const char *const revoked[] = {"leaf.der", "A.der"};

    for (size_t i = 0; i < 4; i++) {
        ft_question question = question_of("trusted");
        ft_der der = rows_file(revoked[i % 2]);
        begin();
        double_revoke_der(der.data, der.len);
        question.policy.revocation = asked[i / 2];
        double_set_online(true);
        CHECK(expect(&question, FT_V_ERR_CERT_REVOKED).native_code == -67820);
        // Nobody answers, or nobody may be asked: soft accepts, hard refuses.
        int32_t unknown = i / 2 == 0 ? FT_V_OK : FT_V_ERR_UNABLE_TO_GET_CRL;
        question.policy.network = false;
        (void)expect(&question, unknown);
        question.policy.network = true;
        double_set_online(false);
        (void)expect(&question, unknown);
    }
}

/* ---- the answer -------------------------------------------------------------------------- */

static void every_number_keeps_its_number(void)
{
    const int32_t statuses[] = {-108, -50, -25318, -4, 1};
    ft_question question = question_of("trusted");

    begin();
    // Those of trust lie from -67903 to -67602.
    for (int32_t i = 0; i < 405 + 5; i++) {
        int32_t status = i < 5 ? statuses[i] : -67505 - i;
        int32_t code = ft_code_of_os_status(status, false);

        double_set_refusal(status, "so says the system");
        if (code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) {
            int32_t depth = -1;
            code = ft_ders_unissued(question.certs, question.num_certs, &depth);
        }
        ft_answer answer = expect(&question, code);
        CHECK(answer.native_code == status);
        CHECK(strcmp(answer.native_message, "so says the system") == 0);
    }
    question.host_is_address = true;
    double_set_refusal(-67602, "an address");
    (void)expect(&question, FT_V_ERR_IP_ADDRESS_MISMATCH);
}

/* Cut where a character ends, at every offset within one. */
static void messages_are_cut_between_characters(void)
{
    ft_question question = question_of("trusted");

    for (size_t shift = 0; shift < 4; shift++) {
        char text[512] = "";
        begin();
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4) {
            memcpy(text + i, "\xf0\x9f\x94\x92", 5);
        }
        double_set_refusal(-67843, text);
        ft_answer answer = expect(&question, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        size_t len = strlen(answer.native_message);
        CHECK(len <= FT_MESSAGE_LEN - 1 && len > FT_MESSAGE_LEN - 1 - 4);
        CHECK((len - shift) % 4 == 0 && memcmp(answer.native_message, text, len) == 0);
    }
}

static void no_policy_for_tls_is_a_refusal(void)
{
    ft_question question = question_of("trusted");

    begin();
    double_set_bundle(false);
    ft_answer answer = expect(&question, FT_V_ERR_APPLICATION_VERIFICATION);
    CHECK(strstr(answer.native_message, "no policy for TLS") != NULL);
    CHECK(double_recorded().evaluations == 0);
}

/* ---- fork -------------------------------------------------------------------------------- */

static void in_a_child(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        body();
        exit(0); // not _exit: coverage is written by exit
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void is_trusted(void)
{
    ft_question question = question_of("trusted");

    (void)expect(&question, 0);
}

static void is_refused(void)
{
    ft_question question = question_of("trusted");
    ft_answer answer = expect(&question, FT_V_ERR_APPLICATION_VERIFICATION);

    CHECK(strstr(answer.native_message, "fork()") != NULL);
    CHECK(double_recorded().evaluations == 0);
}

static void a_child_of_who_never_asked_may_ask(void)
{
    begin();
    in_a_child(is_trusted);
    in_a_child(is_trusted);
}

static void a_child_of_who_asked_is_refused(void)
{
    begin();
    is_trusted();
    double_record_clear();
    in_a_child(is_refused);
    in_a_child(is_refused);
    is_trusted(); // and the parent goes on
}

int main(int num_args, char **args)
{
    CHECK(num_args == 2);
    rows_load(args[1]);
    version = 14;
    RUN(a_child_of_who_never_asked_may_ask);
    RUN(every_number_keeps_its_number);
    for (version = 10; version <= 14; version += 2) {
        RUN(the_question_arrives_whole);
        RUN(one_question_is_one_round_trip);
        RUN(a_name_that_cannot_be_asked_is_refused);
        RUN(certificates_that_cannot_be_read);
        RUN(revocation_is_asked_for_as_the_program_wants);
        RUN(what_is_revoked_is_refused);
        RUN(messages_are_cut_between_characters);
        RUN(no_policy_for_tls_is_a_refusal);
    }
    RUN(a_child_of_who_asked_is_refused);
    CHECK(strcmp(ft_system_name(), "sectrust") == 0);
    double_sweep();
    double_reset();
    rows_free();
    (void)printf("test_platform: %d checks\n", check_count);
    return 0;
}
