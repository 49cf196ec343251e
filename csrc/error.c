#include "core.h"

#include <stdarg.h>
#include <stdio.h>

void ft_error_set(ft_error *err, ft_code code, const char *call, const char *format, ...)
{
    if (err->code != FT_OK) {
        return;
    }
    err->code = code;
    err->depth = -1;
    (void)snprintf(err->call, sizeof err->call, "%s", call == NULL ? "" : call);

    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
}
