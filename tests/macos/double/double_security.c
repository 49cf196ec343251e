/* The double's Security: certificates and policies. */

#include "double_object.h"

/* ---- certificates ------------------------------------------------------------------------ */

static void destroy_cert(object *self)
{
    struct __SecCertificate *cert = (struct __SecCertificate *)self;

    X509_free(cert->x509);
    OPENSSL_free(cert->der);
}

/* What lies behind the certificate is left out, as by Apple. */
SecCertificateRef SecCertificateCreateWithData(CFAllocatorRef allocator, CFDataRef given)
{
    const struct __CFData *data = double_check(given, KIND_DATA, "SecCertificateCreateWithData");
    const unsigned char *start = data->bytes;
    X509 *x509 = d2i_X509(NULL, &start, (long)data->len);

    if (allocator != kCFAllocatorDefault) {
        double_die("SecCertificateCreateWithData with an allocator");
    }
    SecCertificateRef cert =
        x509 == NULL ? NULL : double_new(KIND_CERT, sizeof *cert, destroy_cert);
    if (cert == NULL) {
        X509_free(x509);
        return NULL;
    }
    cert->x509 = x509;
    cert->der_len = i2d_X509(x509, &cert->der);
    return cert;
}

CFDataRef SecCertificateCopyData(SecCertificateRef given)
{
    const struct __SecCertificate *cert = double_check(given, KIND_CERT, "SecCertificateCopyData");

    if (double_now.lie == DOUBLE_NONSENSE) {
        return CFDataCreate(kCFAllocatorDefault, cert->der, cert->der_len / 2);
    }
    return CFDataCreate(kCFAllocatorDefault, cert->der, cert->der_len);
}

/* ---- policies ---------------------------------------------------------------------------- */

static void destroy_policy(object *self)
{
    double_release(((struct __SecPolicy *)self)->host);
}

SecPolicyRef SecPolicyCreateSSL(Boolean is_server, CFStringRef host)
{
    if (host != NULL) {
        (void)double_check(host, KIND_STRING, "SecPolicyCreateSSL");
    }
    SecPolicyRef policy =
        double_now.bundle ? double_new(KIND_POLICY, sizeof *policy, destroy_policy) : NULL;
    if (policy != NULL) {
        policy->is_ssl = true;
        policy->is_server = is_server;
        policy->host = host == NULL ? NULL : CFRetain(host);
        policy->network = true;
    }
    return policy;
}

SecPolicyRef SecPolicyCreateRevocation(CFOptionFlags flags)
{
    SecPolicyRef policy = flags == 0 || flags >= 1 << 7
                              ? NULL
                              : double_new(KIND_POLICY, sizeof *policy, destroy_policy);

    if (policy != NULL) {
        policy->revocation = flags;
        policy->network = (flags & kSecRevocationNetworkAccessDisabled) == 0;
    }
    return policy;
}
