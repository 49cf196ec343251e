/* Linux, macOS and the BSDs: what the dynamic loader has, and memory that may not be there. */

#define _GNU_SOURCE

#include "core.h"

#if !defined(_WIN32)

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#else
#include <link.h>
#endif

/* Objects that the loader names; a process with more has its later ones left out. */
enum { MAX_OBJECTS = 512 };

struct objects {
    char *paths[MAX_OBJECTS];
    size_t num;
};

void *ft_library_find(const void *library, const char *name)
{
    return dlsym((void *)library, name); // a handle is nobody's memory to change
}

static void keep_name(struct objects *objects, const char *name)
{
    if (objects->num < MAX_OBJECTS && name != NULL && name[0] != '\0') {
        objects->paths[objects->num] = strdup(name);
        objects->num += objects->paths[objects->num] != NULL;
    }
}

#if defined(__APPLE__)

/* No lock is held meanwhile: another thread's dlclose may move the numbers, and NULL is an end. */
static void name_objects(struct objects *objects)
{
    for (uint32_t i = 0; i < _dyld_image_count(); i++) {
        keep_name(objects, _dyld_get_image_name(i));
    }
}

#else

static int name_object(struct dl_phdr_info *info, size_t size, void *objects)
{
    (void)size;
    keep_name(objects, info->dlpi_name);
    return 0;
}

/* Only names here: the loader's lock is held, and dlopen belongs after it. */
static void name_objects(struct objects *objects)
{
    (void)dl_iterate_phdr(name_object, objects);
}

#endif

/* The last resort: whatever is loaded and has OpenSSL's functions. */
static bool each_object(ft_library_try_fn take, void *arg)
{
    bool taken = false;
    struct objects objects = {{NULL}, 0};

    name_objects(&objects);
    for (size_t i = 0; i < objects.num && !taken; i++) {
        const void *library = dlopen(objects.paths[i], RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);

        taken = library != NULL && ft_library_find(library, "TLS_client_method") != NULL &&
                take(library, arg);
    }
    for (size_t i = 0; i < objects.num; i++) {
        free(objects.paths[i]);
    }
    return taken;
}

bool ft_library_each(const char *ssl_path, ft_library_try_fn take, void *arg)
{
    // A handle to _ssl answers with what _ssl itself is linked to, unless another libssl was made
    // global before it; then the proof says no, and the global scope is asked.
    const void *library =
        ssl_path == NULL ? NULL : dlopen(ssl_path, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);

    return (library != NULL && take(library, arg)) || take(dlopen(NULL, RTLD_LAZY), arg) ||
           each_object(take, arg);
}

/* write(2) answers EFAULT where a read would be a crash. */
bool ft_memory_read(uintptr_t address, void *out_bytes, size_t num_bytes)
{
    bool ok = false;
    int ends[2] = {-1, -1};
    int before = errno; // EFAULT is an answer here, and elsewhere would pass for a socket's error

    if (address == 0 || pipe(ends) != 0) {
        errno = before;
        return false;
    }
    // NOLINTNEXTLINE: the address is a number until the kernel has looked at it
    if (write(ends[1], (const void *)address, num_bytes) != (ssize_t)num_bytes) {
        goto cleanup;
    }
    ok = read(ends[0], out_bytes, num_bytes) == (ssize_t)num_bytes;

cleanup:
    (void)close(ends[0]);
    (void)close(ends[1]);
    errno = before;
    return ok;
}

#endif
