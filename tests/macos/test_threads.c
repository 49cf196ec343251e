/* Several handshakes at once: nothing of a question is shared, which TSan would see. */

#include "on_double.h"

#include <pthread.h>

int check_count;

enum { THREADS = 4, ROUNDS = 4 };

static void *ask_all(void *start)
{
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < num_rows; i++) {
            const row *row = &rows[(i + *(size_t *)start) % num_rows];
            ft_answer answer = rows_ask(&row->question);

            CHECK(answer.code == row->code && answer.native_code == row->native_code);
            free(answer.chain);
        }
    }
    return NULL;
}

int main(int num_args, char **args)
{
    CHECK(num_args == 2);
    rows_load(args[1]);
    for (int version = 11; version <= 14; version += 3) {
        pthread_t threads[THREADS];
        size_t starts[THREADS];

        on_double(version);
        for (size_t i = 0; i < THREADS; i++) {
            starts[i] = i * 5;
            CHECK(pthread_create(&threads[i], NULL, ask_all, &starts[i]) == 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
        }
        CHECK(double_live(true) == 0);
        double_sweep();
    }
    double_reset();
    rows_free();
    (void)printf("test_threads: %d checks\n", check_count);
    return 0;
}
