/* What tests set the double to. */

#include "double_object.h"

#include <stdio.h>

settings double_now = {.version = 14, .bundle = true, .apple = true};

static X509 *parse(const char *der, size_t der_len)
{
    const unsigned char *start = (const unsigned char *)der;
    X509 *cert = d2i_X509(NULL, &start, (long)der_len);

    if (cert == NULL) {
        double_die("what is set is no certificate");
    }
    return cert;
}

static void keep(certs *certs, const char *der, size_t der_len)
{
    if (certs->num == DOUBLE_MANY) {
        double_die("no room for another certificate");
    }
    certs->certs[certs->num++] = parse(der, der_len);
}

static void let_go(certs *certs)
{
    while (certs->num > 0) {
        X509_free(certs->certs[--certs->num]);
    }
}

void double_reset(void)
{
    let_go(&double_now.roots);
    let_go(&double_now.revoked);
    let_go(&double_now.denied);
    double_now = (settings){.version = 14, .bundle = true, .apple = true};
    double_fail(0);
    double_record_clear();
}

void double_set_version(int major)
{
    double_now.version = major;
}

bool ft_double_since(int major)
{
    return double_now.version >= major;
}

void double_trust_der(const char *der, size_t der_len)
{
    keep(&double_now.roots, der, der_len);
}

void double_revoke_der(const char *der, size_t der_len)
{
    keep(&double_now.revoked, der, der_len);
}

void double_deny_der(const char *der, size_t der_len)
{
    keep(&double_now.denied, der, der_len);
}

void double_set_online(bool online)
{
    double_now.online = online;
}

void double_set_bundle(bool found)
{
    double_now.bundle = found;
}

void double_set_apple(bool holds)
{
    double_now.apple = holds;
}

void double_set_lie(double_lie lie)
{
    double_now.lie = lie;
}

void double_set_refusal(int32_t status, const char *description)
{
    double_now.refusal = status;
    (void)snprintf(double_now.refusal_text, sizeof double_now.refusal_text, "%s", description);
}
