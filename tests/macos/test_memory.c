/*
 * Every allocation fails in turn: those of the core's own memory, of each object, of each growth of
 * an array, and of what a setter needs. Nothing of that may end in trust.
 */

#include "on_double.h"

#include <string.h>

int check_count;

static void begin(int version)
{
    on_double(version);
    double_set_online(true);
}

/* Asks until no allocation is left to fail; returns how many there were. */
static int sweep(const ft_question *question, int32_t code)
{
    for (int number = 1;; number++) {
        CHECK(number < 1000);
        double_fail(number);
        ft_answer answer = rows_ask(question);
        bool failed = double_failed();

        double_fail(0);
        CHECK(double_live(true) == 0);
        double_sweep();
        free(answer.chain);
        if (!failed) {
            CHECK(answer.code == code);
            return number - 1;
        }
        CHECK(answer.code != FT_V_OK);
    }
}

/* Every row, with everything asked for that can be. A certificate that the peer sent in vain is
 * left out where it cannot be read, and a lack of memory looks the same: these rows need all. */
static void no_allocation_that_fails_yields_trust(void)
{
    int total = 0;

    for (int version = 11; version <= 12; version++) {
        for (size_t i = 0; i < num_rows; i++) {
            ft_question question = rows[i].question;

            begin(version);
            if (strstr(rows[i].name, "with-its-root") != NULL ||
                strstr(rows[i].name, "disorder") != NULL) {
                continue;
            }
            double_set_online(strstr(rows[i].name, "revocation-unknown") == NULL);
            total += sweep(&question, rows[i].code);
            if (rows[i].code == FT_V_OK) {
                question.staple = (ft_der){"staple", 6};
                question.policy.network = false;
                question.policy.revocation = FT_REVOCATION_SOFT;
                question.has_time = true;
                question.time = rows_find("trusted-in-two-days")->question.time;
                total += sweep(&question, FT_V_OK);
            }
        }
    }
    (void)printf("%d failures, ", total);
}

/* Where the peer sends more than is needed, a success stands on the whole chain or is none. */
static void a_certificate_too_many_may_be_lost(void)
{
    ft_question question = rows_find("trusted-with-its-root")->question;

    begin(14);
    for (int number = 1, failed = 1; failed; number++) {
        double_fail(number);
        ft_answer answer = rows_ask(&question);
        failed = double_failed();
        double_fail(0);
        CHECK(answer.code != FT_V_OK || answer.num_chain == 3);
        CHECK(double_live(true) == 0);
        free(answer.chain);
    }
}

int main(int num_args, char **args)
{
    CHECK(num_args == 2);
    rows_load(args[1]);
    RUN(no_allocation_that_fails_yields_trust);
    RUN(a_certificate_too_many_may_be_lost);
    double_sweep();
    double_reset();
    rows_free();
    (void)printf("test_memory: %d checks\n", check_count);
    return 0;
}
