/* Certificates in DER, as the platforms take and give them. */

#include "der.h"

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

static bool names_of(ft_der der, ft_span *out_issuer, ft_span *out_subject)
{
    return ft_der_names((ft_span){(const uint8_t *)der.data, der.len}, out_issuer, out_subject);
}

static bool same(ft_span one, ft_span other)
{
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

int32_t ft_ders_unissued(const ft_der *certs, size_t num, int32_t *out_depth)
{
    size_t at = 0;

    *out_depth = -1;
    for (size_t steps = 0; steps < num; steps++) {
        ft_span issuer;
        ft_span subject;
        size_t next = 0;

        if (!names_of(certs[at], &issuer, &subject)) {
            break;
        }
        if (same(issuer, subject)) {
            *out_depth = (int32_t)steps;
            return at == 0 ? FT_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
                           : FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
        }
        for (size_t i = 1; i < num && next == 0; i++) {
            ft_span its_issuer;
            ft_span its_subject;

            if (i != at && names_of(certs[i], &its_issuer, &its_subject) &&
                same(its_subject, issuer)) {
                next = i;
            }
        }
        if (next == 0) {
            *out_depth = (int32_t)steps;
            break;
        }
        at = next;
    }
    return FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
}
