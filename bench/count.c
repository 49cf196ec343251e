/*
 * Where a batch begins and ends, for callgrind, which counts nothing between batches. Each dump
 * zeroes what was counted. Outside callgrind these calls do nothing.
 */
#include <valgrind/callgrind.h>

void count_begin(void)
{
    CALLGRIND_START_INSTRUMENTATION;
}

void count_on(void)
{
    CALLGRIND_TOGGLE_COLLECT;
}

void count_off(void)
{
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT("batch");
}
