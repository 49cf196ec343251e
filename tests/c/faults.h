#ifndef FASTTRUST_TESTS_FAULTS_H
#define FASTTRUST_TESTS_FAULTS_H

/*
 * One call after another fails: every malloc, calloc, realloc and strdup of the core (--wrap), and
 * every function of OpenSSL that the core calls and that can fail (its table is filled by a finder
 * of ours). A failing function of OpenSSL leaves an error on the queue, as the real ones do.
 */

#include "pair.h"

/* fault_arm makes the call with this number fail, counted from 1; fault_disarm says whether it came
 * to that. Between the two nothing but the core and OpenSSL may run. */
void fault_arm(int number);
bool fault_disarm(void);

/* fault_each runs the body once for each call that can fail in it, and once more, where none does.
 */
void fault_each(bool (*body)(int number));

/* fault_hide makes one symbol unfindable; NULL for none. */
void fault_hide(const char *name);

/* fault_find stands in for ft_library_find inside csrc/ossl.c. */
void *fault_find(const void *library, const char *name);

/* fault_reopen forgets the proved table and proves it again; in the unit that holds ossl.c. */
bool fault_reopen(const ft_specimen *specimen, ft_error *err);

#endif
