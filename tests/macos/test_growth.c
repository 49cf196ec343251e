/*
 * Ten thousand verifications, half of them before macOS 12, leave no object and no memory: what the
 * first thousand have taken is enough for all. Built without a sanitizer, which would keep what was
 * freed.
 */

#include "on_double.h"

#include <malloc.h>

int check_count;

static void ask(const row *row, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        ft_answer answer = rows_ask(&row->question);

        CHECK(answer.code == row->code);
        free(answer.chain);
        CHECK(double_live(true) == 0);
        double_sweep(); // what the double keeps of the freed
    }
}

static void ask_for_some(size_t times)
{
    ask(rows_find("trusted"), times / 2);
    ask(rows_find("wrong-name"), times / 4);
    ask(rows_find("self-signed"), times / 8);
    ask(rows_find("revocation-unknown"), times / 8);
}

int main(int num_args, char **args)
{
    CHECK(num_args == 2);
    rows_load(args[1]);
    for (int version = 11; version <= 12; version++) {
        on_double(version);
        ask_for_some(1000);
        size_t before = mallinfo2().uordblks;
        ask_for_some(5000);
        CHECK(mallinfo2().uordblks == before);
    }
    double_reset();
    rows_free();
    (void)printf("test_growth: %d checks\n", check_count);
    return 0;
}
