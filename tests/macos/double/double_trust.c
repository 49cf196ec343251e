/* The double's Security: trusts, which hold a question, and the answer once they were evaluated. */

#include "double_object.h"

#include <stdio.h>
#include <string.h>

static _Thread_local double_record seen;

/* ---- the question ------------------------------------------------------------------------ */

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
    if (double_now.lie == DOUBLE_NO_TRUST) {
        return errSecSuccess;
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

/* ---- the answer -------------------------------------------------------------------------- */

double_record double_recorded(void)
{
    return seen;
}

void double_record_clear(void)
{
    seen = (double_record){0};
}

static void note(const struct __SecTrust *trust)
{
    seen.num_certs = (size_t)trust->certs->num;
    seen.revocation = 0;
    seen.host[0] = '\0';
    seen.network = trust->network;
    seen.has_time = trust->date != NULL;
    seen.time = trust->date == NULL ? 0 : trust->date->time;
    seen.has_staple = trust->staple != NULL;
    seen.staple_len = trust->staple == NULL ? 0 : (size_t)trust->staple->len;
    for (size_t i = 0; i < sizeof seen.staple; i++) {
        seen.staple[i] = i < seen.staple_len ? (char)trust->staple->bytes[i] : '\0';
    }
    for (CFIndex i = 0; i < trust->policies->num; i++) {
        const struct __SecPolicy *policy = trust->policies->values[i];

        if (policy->network != trust->network) {
            double_die("a policy came after SecTrustSetNetworkFetchAllowed");
        }
        if (!policy->is_ssl) {
            seen.revocation = policy->revocation;
            continue;
        }
        seen.is_server = policy->is_server;
        if (policy->host != NULL) {
            (void)snprintf(seen.host, sizeof seen.host, "%s", policy->host->text);
        }
    }
}

/* As trustd would be asked: only where nothing stands already. */
static bool judge(SecTrustRef trust)
{
    if (!trust->is_judged) {
        note(trust);
        seen.round_trips++;
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

    seen.evaluations++;
    *out_error = NULL;
    if (!judge(trust)) {
        *out_error = make_error(errSecAllocate, "");
        return false;
    }
    if (trust->trusted ? double_now.lie == DOUBLE_YES_AND_NO : double_now.lie != DOUBLE_NO_REASON) {
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
