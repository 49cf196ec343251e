/* The double's Security: certificates, policies, trusts, and the settings of the system. */

#include "double_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

settings double_now = {.version = 14, .bundle = true, .apple = true};
_Thread_local double_record double_seen;

/* ---- settings and records ---------------------------------------------------------------- */

static X509 *parse(const char *der, size_t der_len)
{
    const unsigned char *start = (const unsigned char *)der;
    X509 *cert = d2i_X509(NULL, &start, (long)der_len);

    if (cert == NULL) {
        double_die("what is set is no certificate");
    }
    return cert;
}

static void keep(X509 **certs, size_t *num, const char *der, size_t der_len)
{
    if (*num == DOUBLE_MANY) {
        double_die("no room for another certificate");
    }
    certs[(*num)++] = parse(der, der_len);
}

void double_reset(void)
{
    for (size_t i = 0; i < double_now.num_roots; i++) {
        X509_free(double_now.roots[i]);
    }
    for (size_t i = 0; i < double_now.num_revoked; i++) {
        X509_free(double_now.revoked[i]);
    }
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
    keep(double_now.roots, &double_now.num_roots, der, der_len);
}

void double_revoke_der(const char *der, size_t der_len)
{
    keep(double_now.revoked, &double_now.num_revoked, der, der_len);
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

double_record double_recorded(void)
{
    return double_seen;
}

void double_record_clear(void)
{
    double_seen = (double_record){0};
}

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

/* ---- trusts: the question ---------------------------------------------------------------- */

static void destroy_trust(object *self)
{
    struct __SecTrust *trust = (struct __SecTrust *)self;

    double_release(trust->certs);
    double_release(trust->policies);
    double_release(trust->date);
    double_release(trust->staple);
    double_release(trust->chain);
}

/* An array of the same objects; NULL where memory runs out; owned. */
static CFMutableArrayRef copy_array(CFArrayRef array)
{
    CFMutableArrayRef copy = CFArrayCreateMutable(kCFAllocatorDefault, 0, &kCFTypeArrayCallBacks);

    for (CFIndex i = 0; copy != NULL && i < array->num; i++) {
        CFArrayAppendValue(copy, array->values[i]);
        if (copy->num != i + 1) {
            CFRelease(copy);
            return NULL;
        }
    }
    return copy;
}

/* Whether this is an array of at least one such object, all of them alive. */
static bool is_array_of(CFTypeRef given, kind kind)
{
    CFArrayRef array = double_check(given, KIND_ARRAY, "SecTrustCreateWithCertificates");

    for (CFIndex i = 0; i < array->num; i++) {
        if (double_kind(array->values[i], "SecTrustCreateWithCertificates") != kind) {
            return false;
        }
    }
    return array->num > 0;
}

OSStatus SecTrustCreateWithCertificates(CFTypeRef certs, CFTypeRef policies, SecTrustRef *out_trust)
{
    if (!is_array_of(certs, KIND_CERT) || !is_array_of(policies, KIND_POLICY)) {
        return errSecParam;
    }
    SecTrustRef trust = double_new(KIND_TRUST, sizeof *trust, destroy_trust);
    if (trust == NULL) {
        return errSecAllocate;
    }
    trust->network = true;
    trust->certs = copy_array(certs);
    trust->policies = copy_array(policies);
    if (trust->certs == NULL || trust->policies == NULL) {
        CFRelease(trust);
        return errSecAllocate;
    }
    *out_trust = trust;
    return errSecSuccess;
}

/* Every setter makes what was found invalid. */
static SecTrustRef change(SecTrustRef given, const char *call)
{
    SecTrustRef trust = double_check(given, KIND_TRUST, call);

    trust->is_judged = false;
    return trust;
}

OSStatus SecTrustSetNetworkFetchAllowed(SecTrustRef given, Boolean allow)
{
    SecTrustRef trust = change(given, "SecTrustSetNetworkFetchAllowed");

    if (double_fails()) {
        return errSecAllocate;
    }
    trust->network = allow;
    for (CFIndex i = 0; i < trust->policies->num; i++) {
        // The very objects that the caller made: TSan sees a policy that two threads share.
        ((SecPolicyRef)trust->policies->values[i])->network = allow;
    }
    return errSecSuccess;
}

OSStatus SecTrustSetOCSPResponse(SecTrustRef given, CFTypeRef response)
{
    SecTrustRef trust = change(given, "SecTrustSetOCSPResponse");

    (void)double_check(response, KIND_DATA, "SecTrustSetOCSPResponse");
    if (double_fails()) {
        return errSecAllocate;
    }
    double_release(trust->staple);
    trust->staple = CFRetain(response);
    return errSecSuccess;
}

OSStatus SecTrustSetVerifyDate(SecTrustRef given, CFDateRef date)
{
    SecTrustRef trust = change(given, "SecTrustSetVerifyDate");

    (void)double_check(date, KIND_DATE, "SecTrustSetVerifyDate");
    if (double_fails()) {
        return errSecAllocate;
    }
    double_release(trust->date);
    trust->date = CFRetain(date);
    return errSecSuccess;
}

/* ---- trusts: the answer ------------------------------------------------------------------ */

static void note(const struct __SecTrust *trust)
{
    double_record *seen = &double_seen;

    seen->num_certs = (size_t)trust->certs->num;
    seen->revocation = 0;
    seen->host[0] = '\0';
    seen->network = trust->network;
    seen->has_time = trust->date != NULL;
    seen->time = trust->date == NULL ? 0 : trust->date->time;
    seen->has_staple = trust->staple != NULL;
    seen->staple_len = trust->staple == NULL ? 0 : (size_t)trust->staple->len;
    for (size_t i = 0; i < sizeof seen->staple; i++) {
        seen->staple[i] = i < seen->staple_len ? (char)trust->staple->bytes[i] : '\0';
    }
    for (CFIndex i = 0; i < trust->policies->num; i++) {
        const struct __SecPolicy *policy = trust->policies->values[i];

        if (policy->network != trust->network) {
            double_die("a policy came after SecTrustSetNetworkFetchAllowed");
        }
        if (!policy->is_ssl) {
            seen->revocation = policy->revocation;
            continue;
        }
        seen->is_server = policy->is_server;
        if (policy->host != NULL) {
            (void)snprintf(seen->host, sizeof seen->host, "%s", policy->host->text);
        }
    }
}

/* As trustd would be asked: only where nothing stands already. */
static bool judge(SecTrustRef trust)
{
    if (!trust->is_judged) {
        note(trust);
        double_seen.round_trips++;
        double_release(trust->chain);
        trust->chain = NULL;
        trust->is_judged = double_judge(trust);
    }
    return trust->is_judged;
}

static void destroy_error(object *self)
{
    double_release(((struct __CFError *)self)->description);
}

/* NULL where memory runs out; owned. */
static CFErrorRef make_error(CFIndex code, const char *reason)
{
    CFErrorRef error = double_new(KIND_ERROR, sizeof *error, destroy_error);

    if (error != NULL) {
        error->code = code;
        error->description =
            reason[0] == '\0'
                ? NULL
                : CFStringCreateWithBytes(kCFAllocatorDefault, (const UInt8 *)reason,
                                          (CFIndex)strlen(reason), kCFStringEncodingUTF8, false);
    }
    return error;
}

bool SecTrustEvaluateWithError(SecTrustRef given, CFErrorRef *out_error)
{
    SecTrustRef trust = double_check(given, KIND_TRUST, "SecTrustEvaluateWithError");

    double_seen.evaluations++;
    *out_error = NULL;
    if (!judge(trust)) {
        *out_error = make_error(errSecAllocate, "");
        return false;
    }
    if (!trust->trusted && double_now.lie != DOUBLE_NO_REASON) {
        *out_error = make_error(trust->code, trust->reason);
    }
    return trust->trusted;
}

CFIndex SecTrustGetCertificateCount(SecTrustRef given)
{
    SecTrustRef trust = double_check(given, KIND_TRUST, "SecTrustGetCertificateCount");

    return judge(trust) && trust->chain != NULL ? trust->chain->num : 0;
}

SecCertificateRef SecTrustGetCertificateAtIndex(SecTrustRef given, CFIndex index)
{
    SecTrustRef trust = double_check(given, KIND_TRUST, "SecTrustGetCertificateAtIndex");

    if (index == 0 && trust->chain == NULL) {
        return (SecCertificateRef)trust->certs->values[0];
    }
    if (double_now.lie == DOUBLE_HOLE && index > 0) {
        return NULL;
    }
    if (!judge(trust) || trust->chain == NULL || index < 0 || index >= trust->chain->num) {
        return NULL;
    }
    return (SecCertificateRef)trust->chain->values[index];
}

CFArrayRef SecTrustCopyCertificateChain(SecTrustRef given)
{
    SecTrustRef trust = double_check(given, KIND_TRUST, "SecTrustCopyCertificateChain");

    if (double_now.version < 12) {
        double_die("SecTrustCopyCertificateChain before macOS 12");
    }
    return judge(trust) && trust->chain != NULL ? copy_array(trust->chain) : NULL;
}
