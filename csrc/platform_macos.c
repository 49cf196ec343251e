/*
 * macOS: SecTrust decides. One question is one SecTrustEvaluateWithError, which asks trustd once;
 * everything else happens in this process. Nothing is kept between questions: a policy object that
 * two trusts share is rewritten by one under the other, and no anchors are passed (those of the
 * program are OpenSSL's business), so that there is nothing worth sharing. SCTs of the handshake
 * are not passed either: OpenSSL asks servers for them only where a program validates them itself,
 * and macOS finds those that stand in certificates and staples, as nearly all do.
 *
 * Every object that a Create or Copy function returned is released once, at its function's cleanup.
 * CFRelease(NULL) ends the process, and so never happens. What cannot be made is a refusal.
 */

#include "core.h"

#if defined(__APPLE__) || defined(FT_MACOS_DOUBLE)

#include <CoreFoundation/CoreFoundation.h>
#include <Security/Security.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether this is macOS 12 or later: the compiler wants it to be the whole of an if's condition. */
#if defined(__APPLE__)
#define SINCE_MACOS_12 __builtin_available(macOS 12.0, *)
#else // on the test double, which has a version of its own
#define SINCE_MACOS_12 ft_double_since(12)
#endif

const bool ft_system_always_reads_staples = true;
const char *ft_system_name(void)
{
    return "sectrust";
}

/* A refusal of our own: the system could not be asked, or did not answer. */
static bool refuse(ft_answer *answer, int32_t code, int64_t native_code, const char *why)
{
    answer->code = code;
    answer->native_code = native_code;
    (void)snprintf(answer->native_message, sizeof answer->native_message, "%s", why);
    return false;
}

static bool out_of_memory(ft_answer *answer)
{
    return refuse(answer, FT_V_ERR_OUT_OF_MEM, 0, "out of memory");
}

/* After fork() the frameworks crash, until exec, in the children of a process that had used them.
 * The first process to ask is remembered: the one state of this file. */
static bool is_forked(void)
{
    static volatile int64_t owner; // process id, 0 before the first question
    int64_t self = getpid();

    return !ft_atomic_advance(&owner, 0, self) && ft_atomic_read(&owner) != self;
}

static void release(CFTypeRef object)
{
    if (object != NULL) {
        CFRelease(object);
    }
}

/* CFArrayAppendValue retains, and does not say whether it could. */
static bool append(CFMutableArrayRef array, CFTypeRef object)
{
    CFIndex before = CFArrayGetCount(array);

    CFArrayAppendValue(array, object);
    return CFArrayGetCount(array) == before + 1;
}

static CFDataRef create_data(ft_der bytes)
{
    return CFDataCreate(kCFAllocatorDefault, (const UInt8 *)bytes.data, (CFIndex)bytes.len);
}

/* ---- the question ------------------------------------------------------------------------ */

/* Adds one certificate. What macOS cannot read is left out, if it is not the leaf. */
static bool add_cert(CFMutableArrayRef certs, ft_der der, bool is_leaf, ft_answer *answer)
{
    CFDataRef data = create_data(der);

    if (data == NULL) {
        return out_of_memory(answer);
    }
    SecCertificateRef cert = SecCertificateCreateWithData(kCFAllocatorDefault, data);
    CFRelease(data);
    if (cert == NULL) {
        return !is_leaf ||
               refuse(answer, FT_V_ERR_UNSPECIFIED, 0, "macOS cannot read the peer's certificate");
    }
    bool ok = append(certs, cert) || out_of_memory(answer);
    CFRelease(cert);
    return ok;
}

/* The name that the leaf must have; NULL both for none and where it cannot be made. */
static CFStringRef create_host(const char *host)
{
    size_t len = strlen(host);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)host[i] >= 0x80) {
            return NULL;
        }
    }
    return len == 0 ? NULL
                    : CFStringCreateWithBytes(kCFAllocatorDefault, (const UInt8 *)host,
                                              (CFIndex)len, kCFStringEncodingUTF8, false);
}

/* The rules of TLS for the peer's side, with its name where there is one to check. */
static bool add_ssl_policy(CFMutableArrayRef policies, const ft_question *question,
                           ft_answer *answer)
{
    bool ok = false;
    SecPolicyRef policy = NULL; // owned
    CFStringRef host = question->host == NULL ? NULL : create_host(question->host);

    if (question->host != NULL && host == NULL) {
        (void)refuse(answer, FT_V_ERR_UNSPECIFIED, 0, "macOS cannot be given this name to check");
        goto cleanup;
    }
    policy = SecPolicyCreateSSL(question->is_server, host);
    if (policy == NULL) {
        // For the life of the process where CoreFoundation finds no main bundle (golang/go#61000).
        (void)refuse(answer, FT_V_ERR_APPLICATION_VERIFICATION, 0,
                     "macOS gives this process no policy for TLS; was it started by an odd path?");
        goto cleanup;
    }
    ok = append(policies, policy) || out_of_memory(answer);

cleanup:
    release(policy);
    release(host);
    return ok;
}

/*
 * What is to be asked for about revocation, 0 for nothing beyond what macOS does by itself. It has
 * no way to ask about the leaf alone. What the program's flags want known must be known, whatever
 * the policy; but where it may hold CRLs of its own no answer from the system is no refusal:
 * OpenSSL, asked afterwards, demands those CRLs.
 */
static CFOptionFlags revocation_flags(const ft_question *question)
{
    const CFOptionFlags soft = kSecRevocationUseAnyAvailableMethod;
    const CFOptionFlags hard = soft | kSecRevocationRequirePositiveResponse;
    bool is_wanted = question->check_leaf || question->check_chain;

    if (question->policy.revocation == FT_REVOCATION_HARD || (is_wanted && !question->own_crls)) {
        return hard;
    }
    return is_wanted || question->policy.revocation == FT_REVOCATION_SOFT ? soft : 0;
}

static bool add_revocation_policy(CFMutableArrayRef policies, CFOptionFlags flags,
                                  ft_answer *answer)
{
    SecPolicyRef policy = SecPolicyCreateRevocation(flags);

    if (policy == NULL) {
        return refuse(answer, FT_V_ERR_APPLICATION_VERIFICATION, 0,
                      "macOS gave no policy for revocation");
    }
    bool ok = append(policies, policy) || out_of_memory(answer);
    CFRelease(policy);
    return ok;
}

/* A call that answers with a status, with the refusal that follows from it. */
static bool succeeded(OSStatus status, const char *why, ft_answer *answer)
{
    return status == errSecSuccess ||
           refuse(answer, ft_code_of_os_status(status, false), status, why);
}

static bool set_time(SecTrustRef trust, int64_t time, ft_answer *answer)
{
    CFDateRef date =
        CFDateCreate(kCFAllocatorDefault, (double)time - kCFAbsoluteTimeIntervalSince1970);

    if (date == NULL) {
        return out_of_memory(answer);
    }
    bool ok = succeeded(SecTrustSetVerifyDate(trust, date), "macOS did not take the time", answer);
    CFRelease(date);
    return ok;
}

static bool set_staple(SecTrustRef trust, ft_der staple, ft_answer *answer)
{
    CFDataRef data = create_data(staple);

    if (data == NULL) {
        return out_of_memory(answer);
    }
    bool ok = succeeded(SecTrustSetOCSPResponse(trust, data),
                        "macOS did not take the stapled response", answer);
    CFRelease(data);
    return ok;
}

/* The whole question as macOS takes it; NULL after a refusal; owned. */
static SecTrustRef create_trust(const ft_question *question, ft_answer *answer)
{
    SecTrustRef trust = NULL; // owned
    bool ok = false;
    CFOptionFlags flags = revocation_flags(question);
    CFMutableArrayRef certs =
        CFArrayCreateMutable(kCFAllocatorDefault, 0, &kCFTypeArrayCallBacks); // owned
    CFMutableArrayRef policies =
        CFArrayCreateMutable(kCFAllocatorDefault, 0, &kCFTypeArrayCallBacks); // owned

    if (certs == NULL || policies == NULL) {
        (void)out_of_memory(answer);
        goto cleanup;
    }
    for (size_t i = 0; i < question->num_certs; i++) {
        if (!add_cert(certs, question->certs[i], i == 0, answer)) {
            goto cleanup;
        }
    }
    if (!add_ssl_policy(policies, question, answer) ||
        (flags != 0 && !add_revocation_policy(policies, flags, answer)) ||
        !succeeded(SecTrustCreateWithCertificates(certs, policies, &trust),
                   "macOS did not take the question", answer) ||
        (trust == NULL && !out_of_memory(answer))) {
        goto cleanup;
    }
    // The network comes after the policies, which that call rewrites.
    ok = (question->policy.network || succeeded(SecTrustSetNetworkFetchAllowed(trust, false),
                                                "macOS cannot be kept off the network", answer)) &&
         (question->staple.len == 0 || set_staple(trust, question->staple, answer)) &&
         (!question->has_time || set_time(trust, question->time, answer));

cleanup:
    release(certs);
    release(policies);
    if (!ok) {
        release(trust);
        trust = NULL;
    }
    return trust;
}

/* ---- the answer -------------------------------------------------------------------------- */

/* The chain that the verdict rests on; before macOS 12 only its members can be had; owned. */
static CFArrayRef copy_chain(SecTrustRef trust)
{
    if (SINCE_MACOS_12) {
        return SecTrustCopyCertificateChain(trust);
    }
    CFIndex num = SecTrustGetCertificateCount(trust);
    CFMutableArrayRef chain = CFArrayCreateMutable(kCFAllocatorDefault, 0, &kCFTypeArrayCallBacks);

    for (CFIndex i = 0; chain != NULL && i < num; i++) {
        SecCertificateRef cert = SecTrustGetCertificateAtIndex(trust, i); // borrowed
        if (cert == NULL || !append(chain, cert)) {
            CFRelease(chain);
            chain = NULL;
        }
    }
    return chain;
}

/* The bytes of each certificate, which `datas` keeps alive. */
static bool read_chain(CFArrayRef chain, CFMutableArrayRef datas, ft_der *ders)
{
    for (CFIndex i = 0; i < CFArrayGetCount(chain); i++) {
        SecCertificateRef cert = (SecCertificateRef)CFArrayGetValueAtIndex(chain, i); // borrowed
        CFDataRef data = SecCertificateCopyData(cert);

        if (data == NULL) {
            return false;
        }
        bool ok = append(datas, data);
        ders[i].data = (const char *)CFDataGetBytePtr(data);
        ders[i].len = (size_t)CFDataGetLength(data);
        CFRelease(data);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* A success without a chain is a failure. */
static bool keep_chain(SecTrustRef trust, ft_answer *answer)
{
    CFMutableArrayRef datas = NULL; // owned
    ft_der *ders = NULL;            // owned
    CFArrayRef chain = copy_chain(trust);
    size_t num = chain == NULL ? 0 : (size_t)CFArrayGetCount(chain);

    if (num == 0) {
        (void)refuse(answer, FT_V_ERR_APPLICATION_VERIFICATION, 0,
                     "macOS accepted the certificate and gave no chain");
        goto cleanup;
    }
    ders = calloc(num, sizeof *ders);
    datas = CFArrayCreateMutable(kCFAllocatorDefault, 0, &kCFTypeArrayCallBacks);
    if (ders != NULL && datas != NULL && read_chain(chain, datas, ders)) {
        answer->chain = ft_ders_copy(ders, num);
    }
    if (answer->chain == NULL) {
        (void)out_of_memory(answer);
        goto cleanup;
    }
    answer->num_chain = num;

cleanup:
    free(ders);
    release(datas);
    release(chain);
    return answer->chain != NULL;
}

/* In the user's language; cut at the border of a character. What is behind it is 0 already. */
static void copy_message(CFErrorRef error, ft_answer *answer)
{
    CFStringRef text = CFErrorCopyDescription(error);
    CFIndex len = 0;

    if (text != NULL) {
        (void)CFStringGetBytes(text, CFRangeMake(0, CFStringGetLength(text)), kCFStringEncodingUTF8,
                               0, false, (UInt8 *)answer->native_message,
                               (CFIndex)sizeof answer->native_message - 1, &len);
        CFRelease(text);
    }
}

/* Whose fault it is macOS does not say. It follows where the name is wrong or no issuer known. */
static void explain(CFErrorRef error, const ft_question *question, ft_answer *answer)
{
    if (error == NULL) {
        (void)refuse(answer, FT_V_ERR_APPLICATION_VERIFICATION, 0,
                     "macOS refused the certificate without a reason");
        return;
    }
    answer->native_code = CFErrorGetCode(error);
    answer->code = ft_code_of_os_status(answer->native_code, question->host_is_address);
    if (answer->code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) {
        answer->code = ft_ders_unissued(question->certs, question->num_certs, &answer->depth);
    }
    if (answer->native_code == errSecHostNameMismatch) {
        answer->depth = 0;
    }
    copy_message(error, answer);
}

bool ft_system_verify(const ft_question *question, ft_answer *out_answer)
{
    bool trusted = false;
    CFErrorRef error = NULL;  // owned
    SecTrustRef trust = NULL; // owned

    *out_answer = (ft_answer){.code = FT_V_ERR_UNSPECIFIED, .depth = -1};
    if (is_forked()) {
        return refuse(out_answer, FT_V_ERR_APPLICATION_VERIFICATION, 0,
                      "macOS cannot verify after fork() in a process that had verified before it; "
                      "start such processes anew (multiprocessing: \"spawn\")");
    }
    trust = create_trust(question, out_answer);
    if (trust == NULL) {
        goto cleanup;
    }
    if (!SecTrustEvaluateWithError(trust, &error)) {
        explain(error, question, out_answer);
        goto cleanup;
    }
    if (!keep_chain(trust, out_answer)) {
        goto cleanup;
    }
    out_answer->code = FT_V_OK;
    out_answer->revocation_checked =
        (revocation_flags(question) & kSecRevocationRequirePositiveResponse) != 0;
    trusted = true;

cleanup:
    release(error);
    release(trust);
    return trusted;
}

#endif
