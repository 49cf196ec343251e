#ifndef FASTTRUST_TESTS_SECURITY_H
#define FASTTRUST_TESTS_SECURITY_H

/* Our own declarations of what platform_macos.c uses of Security; see CoreFoundation.h beside it.
 */

#include <CoreFoundation/CoreFoundation.h>

typedef struct __SecCertificate *SecCertificateRef;
typedef struct __SecPolicy *SecPolicyRef;
typedef struct __SecTrust *SecTrustRef;

enum {
    errSecSuccess = 0,
    errSecParam = -50,
    errSecAllocate = -108,
    errSecHostNameMismatch = -67602
};

enum {
    kSecRevocationOCSPMethod = 1 << 0,
    kSecRevocationCRLMethod = 1 << 1,
    kSecRevocationPreferCRL = 1 << 2,
    kSecRevocationRequirePositiveResponse = 1 << 3,
    kSecRevocationNetworkAccessDisabled = 1 << 4,
    kSecRevocationUseAnyAvailableMethod = kSecRevocationOCSPMethod | kSecRevocationCRLMethod
};

SecCertificateRef SecCertificateCreateWithData(CFAllocatorRef allocator, CFDataRef data) FT_OWNED
    FT_SINCE(10.6);
CFDataRef SecCertificateCopyData(SecCertificateRef certificate) FT_OWNED FT_SINCE(10.6);

SecPolicyRef SecPolicyCreateSSL(Boolean is_server, CFStringRef host) FT_OWNED FT_SINCE(10.6);
SecPolicyRef SecPolicyCreateRevocation(CFOptionFlags flags) FT_OWNED FT_SINCE(10.9);

OSStatus SecTrustCreateWithCertificates(CFTypeRef certificates, CFTypeRef policies,
                                        SecTrustRef *out_trust FT_OWNED) FT_SINCE(10.3);
OSStatus SecTrustSetNetworkFetchAllowed(SecTrustRef trust, Boolean allow) FT_SINCE(10.9);
OSStatus SecTrustSetOCSPResponse(SecTrustRef trust, CFTypeRef response) FT_SINCE(10.9);
OSStatus SecTrustSetVerifyDate(SecTrustRef trust, CFDateRef date) FT_SINCE(10.3);
bool SecTrustEvaluateWithError(SecTrustRef trust, CFErrorRef *out_error FT_OWNED) FT_SINCE(10.14);
CFIndex SecTrustGetCertificateCount(SecTrustRef trust) FT_SINCE(10.7);
SecCertificateRef SecTrustGetCertificateAtIndex(SecTrustRef trust, CFIndex index) FT_BORROWED
    FT_BETWEEN(10.7, 12.0);
CFArrayRef SecTrustCopyCertificateChain(SecTrustRef trust) FT_OWNED FT_SINCE(12.0);

#if !defined(__APPLE__)
/* The double has a version of its own. */
bool ft_double_since(int major);
#endif

#endif
