#ifndef FASTTRUST_TESTS_ON_DOUBLE_H
#define FASTTRUST_TESTS_ON_DOUBLE_H

/* What the table's tests on the double begin with. */

#include "platform_double.h"
#include "rows.h"

/* on_double makes the double's system the one that the table speaks of. */
static inline void on_double(int version)
{
    ft_der root = rows_file("root.der");
    ft_der denied = rows_file("denied.der");

    double_reset();
    double_set_version(version);
    double_trust_der(root.data, root.len);
    double_deny_der(denied.data, denied.len);
}

#endif
