#ifndef FASTTRUST_COMPILER_H
#define FASTTRUST_COMPILER_H

/*
 * What differs between compilers, and nothing else: the one annotation that fasttrust.h may carry,
 * and the few atomic operations that the core needs (MSVC's C11 atomics are still experimental).
 * Every operation is sequentially consistent: none stands on a path where that could be felt.
 */

#include <stdbool.h>
#include <stdint.h>

#if defined(_MSC_VER)

#include <intrin.h>
#include <sal.h>

#define FT_MUST_USE _Check_return_
#define FT_PRINTF(text, first)

static __inline int32_t ft_atomic_add(volatile int32_t *number, int32_t by)
{
    return _InterlockedExchangeAdd((volatile long *)number, by) + by;
}

static __inline void *ft_atomic_load(void *volatile *slot)
{
    return _InterlockedCompareExchangePointer(slot, 0, 0);
}

static __inline void *ft_atomic_swap(void *volatile *slot, void *value)
{
    return _InterlockedExchangePointer(slot, value);
}

static __inline bool ft_atomic_replace(void *volatile *slot, void *expected, void *value)
{
    return _InterlockedCompareExchangePointer(slot, value, expected) == expected;
}

static __inline int64_t ft_atomic_read(volatile int64_t *number)
{
    return _InterlockedCompareExchange64(number, 0, 0);
}

static __inline bool ft_atomic_advance(volatile int64_t *number, int64_t expected, int64_t value)
{
    return _InterlockedCompareExchange64(number, value, expected) == expected;
}

#else

#define FT_MUST_USE __attribute__((warn_unused_result))
#define FT_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Adds, and returns the sum. */
static inline int32_t ft_atomic_add(volatile int32_t *number, int32_t by)
{
    return __atomic_add_fetch(number, by, __ATOMIC_SEQ_CST);
}

static inline void *ft_atomic_load(void *volatile *slot)
{
    return __atomic_load_n(slot, __ATOMIC_SEQ_CST);
}

/* Stores, and returns what was there. */
static inline void *ft_atomic_swap(void *volatile *slot, void *value)
{
    return __atomic_exchange_n(slot, value, __ATOMIC_SEQ_CST);
}

/* Stores only where `expected` still stands; says whether it did. */
static inline bool ft_atomic_replace(void *volatile *slot, void *expected, void *value)
{
    return __atomic_compare_exchange_n(slot, &expected, value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* The same for a number. */
static inline int64_t ft_atomic_read(volatile int64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static inline bool ft_atomic_advance(volatile int64_t *number, int64_t expected, int64_t value)
{
    return __atomic_compare_exchange_n(number, &expected, value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

#endif

#endif
