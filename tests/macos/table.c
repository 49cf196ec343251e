/*
 * The table, row by row, against the framework that this program was built with: on a Mac the real
 * one, whose keychain must trust the table's root, elsewhere the double. One line for each row, the
 * same on both as long as the double is right.
 *
 *     table FOLDER [MACOS-VERSION of the double]
 */

#include "rows.h"

#include <string.h>

#if !defined(__APPLE__)
#include "on_double.h"
#endif

int check_count;

/* The root is trusted: by the double's settings, or by the keychain already. */
static void prepare(int num_args, char **args)
{
#if defined(__APPLE__)
    (void)args;
    CHECK(num_args == 2);
#else
    on_double(num_args > 2 ? atoi(args[2]) : 14);
#endif
}

static bool cannot_be_seen(const row *row)
{
#if defined(__APPLE__)
    return row->is_apples;
#else
    (void)row;
    return false;
#endif
}

int main(int num_args, char **args)
{
    int num_wrong = 0;

    CHECK(num_args > 1);
    rows_load(args[1]);
    prepare(num_args, args);
    for (size_t i = 0; i < num_rows; i++) {
        if (cannot_be_seen(&rows[i])) {
            (void)printf("skip  %-26s\n", rows[i].name);
            continue;
        }
        ft_answer answer = rows_ask(&rows[i].question);
        bool right = answer.code == rows[i].code && answer.native_code == rows[i].native_code;

        (void)printf("%s %-26s code %d, native %lld, chain of %zu%s%s\n", right ? "ok   " : "WRONG",
                     rows[i].name, answer.code, (long long)answer.native_code, answer.num_chain,
                     answer.native_message[0] == '\0' ? "" : ": ", answer.native_message);
        if (!right) {
            (void)printf("      expected code %d, native %lld\n", rows[i].code,
                         (long long)rows[i].native_code);
        }
        num_wrong += !right;
        free(answer.chain);
    }
    (void)printf("%zu rows, %d wrong\n", num_rows, num_wrong);
    rows_free();
    return num_wrong > 0;
}
