/*
 * The system's anchors, replaced while handshakes use them. Whoever reads counts itself before it
 * loads the pointer; an index that was replaced is freed at a later check that finds the count at
 * zero. No lock, no worker, and nothing that a fork could leave in a wrong state for good: a child
 * that inherits a count above zero keeps a retired index a little longer, and no more.
 */

#include "ossl.h"

#include <stdlib.h>

typedef struct retired {
    ft_index *index; // referenced
    struct retired *next;
} retired;

struct ft_source {
    volatile int32_t references;
    volatile int32_t users;    // between loading `current` and being done with it
    void *volatile current;    // ft_index *, referenced, never NULL
    void *volatile replaced;   // retired *
    volatile int64_t deadline; // when the store is next looked at
};

static void free_retired(retired *first)
{
    while (first != NULL) {
        retired *next = first->next;

        ft_index_free(first->index);
        free(first);
        first = next;
    }
}

ft_source *ft_source_new(ft_index *index, ft_error *err)
{
    ft_source *source = calloc(1, sizeof *source);

    if (source == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return NULL;
    }
    source->references = 1;
    source->current = ft_index_ref(index);
    return source;
}

ft_source *ft_source_ref(ft_source *source)
{
    (void)ft_atomic_add(&source->references, 1);
    return source;
}

void ft_source_free(ft_source *source)
{
    if (source == NULL || ft_atomic_add(&source->references, -1) > 0) {
        return;
    }
    ft_index_free(source->current);
    free_retired(source->replaced);
    free(source);
}

bool ft_source_due(ft_source *source, int64_t now, int64_t period)
{
    int64_t deadline = ft_atomic_read(&source->deadline);

    return now >= deadline && ft_atomic_advance(&source->deadline, deadline, now + period);
}

static void push_retired(ft_source *source, retired *first)
{
    retired *last = first;

    while (last->next != NULL) {
        last = last->next;
    }
    do {
        last->next = ft_atomic_load(&source->replaced);
    } while (!ft_atomic_replace(&source->replaced, last->next, first));
}

bool ft_source_replace(ft_source *source, ft_index *index, ft_error *err)
{
    retired *old = calloc(1, sizeof *old);

    if (old == NULL) {
        ft_error_set(err, FT_E_MEMORY, "calloc", "out of memory");
        return false;
    }
    old->index = ft_atomic_swap(&source->current, ft_index_ref(index));
    push_retired(source, old);
    // Taken out first, counted second: whoever counts itself later loads a pointer that is not
    // here.
    retired *free_now = ft_atomic_swap(&source->replaced, NULL);
    if (free_now != NULL && ft_atomic_add(&source->users, 0) != 0) {
        push_retired(source, free_now);
        free_now = NULL;
    }
    free_retired(free_now);
    return true;
}

bool ft_source_find(ft_source *source, const X509_NAME *subject, ft_x509s *to)
{
    (void)ft_atomic_add(&source->users, 1);
    bool ok = ft_index_find(ft_atomic_load(&source->current), subject, to);
    (void)ft_atomic_add(&source->users, -1);
    return ok;
}

bool ft_source_hold(ft_source *source, bool *out_held, X509 *cert, ft_error *err)
{
    (void)ft_atomic_add(&source->users, 1);
    bool ok = ft_index_hold(ft_atomic_load(&source->current), out_held, cert, err);
    (void)ft_atomic_add(&source->users, -1);
    return ok;
}
