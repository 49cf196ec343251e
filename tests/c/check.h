#ifndef FASTTRUST_TESTS_CHECK_H
#define FASTTRUST_TESTS_CHECK_H

/* The whole of the C tests' framework: a condition that must hold, counted, in any thread. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

extern int check_count;

/* CHECK ends the process where the condition does not hold: what follows would only confuse. */
#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)

static inline void check_that(bool holds, const char *condition, const char *file, int line)
{
    (void)__atomic_add_fetch(&check_count, 1, __ATOMIC_RELAXED);
    if (!holds) {
        (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
        abort();
    }
}

/* RUN names the test before it runs, so that a crash has a name too. */
#define RUN(test)                                                                                  \
    do {                                                                                           \
        if (getenv("CHECK_VERBOSE") != NULL) {                                                     \
            (void)fprintf(stderr, "  %s\n", #test);                                                \
        }                                                                                          \
        test();                                                                                    \
    } while (0)

#endif
