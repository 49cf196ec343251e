#ifndef FASTTRUST_TESTS_EXPECT_H
#define FASTTRUST_TESTS_EXPECT_H

/* What the tests of single answers share: a row's question, and what it must end with. */

#include "on_double.h"

static int version; // of macOS, for the tests that run on several

/* The system as every test begins: it trusts the table's root. */
static void begin(void)
{
    on_double(version);
}

static ft_question question_of(const char *name)
{
    return rows_find(name)->question;
}

/* The question must end with this code; nothing may be left of it. */
static ft_answer expect(const ft_question *question, int32_t code)
{
    ft_answer answer = rows_ask(question);

    if (answer.code != code) {
        (void)fprintf(stderr, "code %d, native %lld: %s\n", answer.code,
                      (long long)answer.native_code, answer.native_message);
    }
    CHECK(answer.code == code);
    CHECK(double_live(true) == 0);
    free(answer.chain);
    answer.chain = NULL;
    return answer;
}

#endif
