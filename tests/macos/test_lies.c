/*
 * A system that lies, or answers by half: what platform_macos.c makes of it, on both sides of macOS
 * 12. What is handed on is refused by step 4 of the design, which test_system.py shows.
 */

#include "expect.h"

#include <string.h>

int check_count;

static void a_success_without_a_chain_is_none(void)
{
    ft_question question = question_of("trusted");
    const double_lie lies[] = {DOUBLE_NO_CHAIN, DOUBLE_EMPTY};

    for (size_t i = 0; i < 2; i++) {
        begin();
        double_set_lie(lies[i]);
        ft_answer answer = expect(&question, FT_V_ERR_APPLICATION_VERIFICATION);
        CHECK(strstr(answer.native_message, "no chain") != NULL);
    }
    begin();
    if (version < 12) { // where the chain is had one by one
        double_set_lie(DOUBLE_HOLE);
        (void)expect(&question, FT_V_ERR_APPLICATION_VERIFICATION);
    }
}

static void a_refusal_without_a_reason_is_one(void)
{
    ft_question question = question_of("trusted");

    begin();
    double_set_lie(DOUBLE_NO_REASON);
    ft_answer answer = expect(&question, FT_V_ERR_APPLICATION_VERIFICATION);
    CHECK(answer.native_code == 0 && strstr(answer.native_message, "without a reason") != NULL);
    double_set_lie(DOUBLE_NO_WORDS);
    answer = expect(&question, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    CHECK(answer.native_code == -67843 && answer.native_message[0] == '\0');
}

/* Whatever is handed over must be worth nothing on its own: NULL, and half an answer. */
static void what_is_not_there_is_not_used(void)
{
    ft_question question = question_of("trusted");

    begin();
    double_set_lie(DOUBLE_NO_TRUST);
    (void)expect(&question, FT_V_ERR_OUT_OF_MEM);
    question.policy.network = false;
    question.staple = (ft_der){"staple", 6};
    question.has_time = true;
    (void)expect(&question, FT_V_ERR_OUT_OF_MEM);
    CHECK(double_recorded().evaluations == 0);

    question = question_of("trusted");
    double_set_lie(DOUBLE_YES_AND_NO); // the error beside it is let go
    (void)expect(&question, FT_V_OK);
}

/* Success has the number 0, and so has what is cut to 32 bits. */
static void a_refusal_by_no_number_is_one(void)
{
    ft_question question = question_of("trusted");

    begin();
    double_set_lie(DOUBLE_NO_CODE);
    CHECK(expect(&question, FT_V_ERR_APPLICATION_VERIFICATION).native_code == 0);
    double_set_lie(DOUBLE_WIDE_CODE);
    CHECK(expect(&question, FT_V_ERR_APPLICATION_VERIFICATION).native_code == (int64_t)1 << 32);
}

/* The chain is told as it was given, whatever it is; who uses it must not trust it. */
static void an_odd_chain_is_told_as_it_is(void)
{
    static const struct {
        double_lie lie;
        size_t num;
    } odd[] = {{DOUBLE_HONEST, 3},   {DOUBLE_LONGER, 4}, {DOUBLE_SHORTER, 2},
               {DOUBLE_REVERSED, 3}, {DOUBLE_TWICE, 6},  {DOUBLE_NONSENSE, 3}};
    ft_question question = question_of("trusted");

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        ft_answer answer = {0};

        begin();
        double_set_lie(odd[i].lie);
        CHECK(ft_system_verify(&question, &answer) && answer.num_chain == odd[i].num);
        free(answer.chain);
        CHECK(double_live(true) == 0 && double_recorded().round_trips == 1);
    }
}

/* Another leaf's chain is the system's word; step 4 of the design refuses it. */
static void another_leafs_chain_is_passed_on(void)
{
    ft_question question = question_of("trusted");
    ft_answer answer = {0};
    ft_der a = rows_file("A.der");

    begin();
    double_set_lie(DOUBLE_OTHER_LEAF);
    CHECK(ft_system_verify(&question, &answer) && answer.num_chain == 2);
    CHECK(answer.chain[0].len == a.len && memcmp(answer.chain[0].data, a.data, a.len) == 0);
    free(answer.chain);
}

int main(int num_args, char **args)
{
    CHECK(num_args == 2);
    rows_load(args[1]);
    for (version = 10; version <= 14; version += 2) {
        RUN(a_success_without_a_chain_is_none);
        RUN(a_refusal_without_a_reason_is_one);
        RUN(what_is_not_there_is_not_used);
        RUN(a_refusal_by_no_number_is_one);
        RUN(an_odd_chain_is_told_as_it_is);
        RUN(another_leafs_chain_is_passed_on);
    }
    double_sweep();
    double_reset();
    rows_free();
    (void)printf("test_lies: %d checks\n", check_count);
    return 0;
}
