/* Certificates in DER, as the platforms take and give them. */

#include "core.h"

#include <stdlib.h>
#include <string.h>

ft_der *ft_ders_copy(const ft_der *ders, size_t num)
{
    size_t size = num * sizeof *ders;

    for (size_t i = 0; i < num; i++) {
        size += ders[i].len;
    }
    ft_der *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        return NULL;
    }
    char *end = (char *)(copy + num);
    for (size_t i = 0; i < num; i++) {
        memcpy(end, ders[i].data, ders[i].len);
        copy[i] = (ft_der){.data = end, .len = ders[i].len};
        end += ders[i].len;
    }
    return copy;
}
