/*
 * What the core built for macOS wants of libSystem, where glibc has it otherwise: flags of dlopen,
 * the names of what is loaded, errno. Everything else is bound to glibc as it is.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAC_LAZY = 1, MAC_LOCAL = 4, MAC_NOLOAD = 16 };

/* Only what is loaded already may be opened, and the global scope. */
void *mac_dlopen(const char *path, int mode)
{
    if (mode != (path == NULL ? MAC_LAZY : MAC_LAZY | MAC_LOCAL | MAC_NOLOAD)) {
        (void)fprintf(stderr, "dlopen(%s, %#x) is not known here\n", path, (unsigned)mode);
        abort();
    }
    return dlopen(path, path == NULL ? RTLD_LAZY : RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
}

typedef struct search {
    uint32_t left; // before the one that is wanted
    uint32_t num;
    const char *name;
} search;

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    search *mine = arg;

    (void)size;
    if (mine->num++ == mine->left) {
        mine->name = info->dlpi_name;
    }
    return 0;
}

static bool hidden;
static bool libressl;

/* From here on nothing seems to be loaded. */
void mac_dyld_hide_images(void)
{
    hidden = true;
}

/* From here on nothing seems to have what LibreSSL lacks: its stacks have names of their own. */
void mac_be_libressl(void)
{
    libressl = true;
}

void *mac_dlsym(void *library, const char *name)
{
    return libressl && strncmp(name, "OPENSSL_sk_", 11) == 0 ? NULL : dlsym(library, name);
}

uint32_t mac_dyld_image_count(void)
{
    search mine = {.left = UINT32_MAX};

    (void)dl_iterate_phdr(look, &mine);
    return hidden ? 0 : mine.num;
}

/* NULL behind the last. */
const char *mac_dyld_get_image_name(uint32_t index)
{
    search mine = {.left = index};

    (void)dl_iterate_phdr(look, &mine);
    return mine.name;
}

int *mac_error(void)
{
    return &errno;
}
