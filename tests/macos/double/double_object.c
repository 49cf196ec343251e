/* The objects of the double: types, counts, who is alive, and what was freed. */

#include "double_object.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALIVE = 0x0b1ec7ed, FREED = 0xdeadbeef };

static const char *const kind_names[] = {"CFArray", "CFData",         "CFDate",    "CFString",
                                         "CFError", "SecCertificate", "SecPolicy", "SecTrust"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of all that follows
static object *living;
static object *freed; // their heads are kept, so that a later use is recognised
static int num_living;
static int num_made;
static pid_t owner;

static int fail_at; // 0 for never
static int num_allocations;

void double_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("the double: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputs("\n", stderr);
    va_end(args);
    abort();
}

/* As CoreFoundation looks for it. */
static void check_process(void)
{
    if (owner == 0) {
        owner = getpid();
    }
    if (owner != getpid()) {
        double_die("CoreFoundation after fork() of a process that had used it");
    }
}

bool double_fails(void)
{
    int at = __atomic_load_n(&fail_at, __ATOMIC_SEQ_CST);

    return at != 0 && __atomic_add_fetch(&num_allocations, 1, __ATOMIC_SEQ_CST) == at;
}

void double_fail(int number)
{
    fail_at = number;
    num_allocations = 0;
}

bool double_failed(void)
{
    return fail_at != 0 && num_allocations >= fail_at;
}

void *double_malloc(size_t size)
{
    return double_fails() ? NULL : malloc(size);
}

void *double_calloc(size_t num, size_t size)
{
    return double_fails() ? NULL : calloc(num, size);
}

void *double_reserve(size_t size)
{
    void *block = calloc(1, size);

    if (block == NULL) {
        double_die("no memory for the double itself");
    }
    return block;
}

void *double_new(kind kind, size_t size, void (*destroy)(object *self))
{
    object *made = NULL;

    (void)pthread_mutex_lock(&lock);
    check_process();
    num_made++;
    if (!double_fails()) {
        made = double_reserve(size);
        *made = (object){.magic = ALIVE, .kind = kind, .count = 1, .number = num_made};
        made->destroy = destroy;
        made->next = living;
        if (living != NULL) {
            living->previous = made;
        }
        living = made;
        num_living++;
    }
    (void)pthread_mutex_unlock(&lock);
    return made;
}

kind double_kind(const void *given, const char *call)
{
    const object *object = given;

    if (object == NULL) {
        double_die("%s(NULL)", call);
    }
    if (object->magic == (uint32_t)FREED) {
        double_die("%s of a freed %s, number %d", call, kind_names[object->kind], object->number);
    }
    if (object->magic != ALIVE) {
        double_die("%s of what is no object", call);
    }
    return object->kind;
}

void *double_check(const void *given, kind kind, const char *call)
{
    if (double_kind(given, call) != kind) {
        double_die("%s of a %s", call, kind_names[double_kind(given, call)]);
    }
    return (void *)given;
}

CFTypeRef CFRetain(CFTypeRef given)
{
    object *object = (void *)given;

    (void)double_kind(given, "CFRetain");
    (void)__atomic_add_fetch(&object->count, 1, __ATOMIC_SEQ_CST);
    return given;
}

void CFRelease(CFTypeRef given)
{
    object *object = (void *)given;

    (void)double_kind(given, "CFRelease");
    if (__atomic_sub_fetch(&object->count, 1, __ATOMIC_SEQ_CST) > 0) {
        return;
    }
    object->destroy(object);
    (void)pthread_mutex_lock(&lock);
    check_process();
    object->magic = (uint32_t)FREED;
    if (object->previous != NULL) {
        object->previous->next = object->next;
    } else {
        living = object->next;
    }
    if (object->next != NULL) {
        object->next->previous = object->previous;
    }
    object->next = freed;
    freed = object;
    num_living--;
    (void)pthread_mutex_unlock(&lock);
}

void double_release(const void *object)
{
    if (object != NULL) {
        CFRelease(object);
    }
}

int double_made(void)
{
    return num_made;
}

int double_live(bool say)
{
    for (const object *each = living; say && each != NULL; each = each->next) {
        (void)fprintf(stderr, "the double: never released: %s, number %d, count %d\n",
                      kind_names[each->kind], each->number, each->count);
    }
    return num_living;
}

void double_sweep(void)
{
    if (num_living != 0) {
        double_die("%d objects live", double_live(true));
    }
    while (freed != NULL) {
        object *next = freed->next;

        free(freed);
        freed = next;
    }
    num_made = 0;
}
