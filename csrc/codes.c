/*
 * What the platforms' own codes mean in OpenSSL's language. Pure tables, built and tested on every
 * system. What no table knows is a refusal that keeps its number: it never means trust.
 */

#include "core.h"

typedef struct meaning {
    int64_t native;
    int32_t code;
} meaning;

static int32_t look_up(const meaning *meanings, size_t num, int64_t native)
{
    for (size_t i = 0; i < num; i++) {
        if (meanings[i].native == native) {
            return meanings[i].code;
        }
    }
    return FT_V_ERR_APPLICATION_VERIFICATION;
}

/* ---- macOS: OSStatus --------------------------------------------------------------------- */

/* By Security/SecBase.h and SecPolicyChecks.list, the same for TLS from macOS 10.14 on. */
static const meaning os_statuses[] = {
    {-67602, FT_V_ERR_HOSTNAME_MISMATCH},  // errSecHostNameMismatch
    {-67818, FT_V_ERR_CERT_HAS_EXPIRED},   // errSecCertificateExpired; or not yet valid
    {-67819, FT_V_ERR_CERT_NOT_YET_VALID}, // errSecCertificateNotValidYet
    {-67843, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY}, // errSecNotTrusted
    {-25318, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY}, // errSecCreateChainFailed
    {-67820, FT_V_ERR_CERT_REVOKED},                      // errSecCertificateRevoked
    {-67635, FT_V_ERR_UNABLE_TO_GET_CRL},                 // errSecIncompleteCertRevocationCheck
    {-67654, FT_V_ERR_CERT_REJECTED},                     // errSecTrustSettingDeny
    {-67901, FT_V_ERR_CERT_REJECTED},                     // errSecCertificateValidityPeriodTooLong
    {-67608, FT_V_ERR_INVALID_PURPOSE},                   // errSecInvalidKeyUsageForPolicy
    {-67609, FT_V_ERR_INVALID_PURPOSE},                   // errSecInvalidExtendedKeyUsage
    {-67902, FT_V_ERR_INVALID_PURPOSE},                   // errSecCertificateIsCA
    {-67735, FT_V_ERR_EE_KEY_TOO_SMALL},                  // errSecUnsupportedKeySize
    {-67815, FT_V_ERR_CA_MD_TOO_WEAK},                    // errSecInvalidDigestAlgorithm
    {-67825, FT_V_ERR_NO_VALID_SCTS},                     // errSecVerifyActionFailed
    {-67604, FT_V_ERR_INVALID_CA},                        // errSecNoBasicConstraints
    {-67605, FT_V_ERR_INVALID_CA},                        // errSecNoBasicConstraintsCA
    {-67826, FT_V_ERR_INVALID_CA},                        // errSecInvalidCertAuthority
    {-67611, FT_V_ERR_PATH_LENGTH_EXCEEDED},              // errSecPathLengthConstraintExceeded
    {-67603, FT_V_ERR_UNHANDLED_CRITICAL_EXTENSION},      // errSecUnknownCriticalExtensionFlag
    {-67610, FT_V_ERR_INVALID_EXTENSION},                 // errSecInvalidIDLinkage
    {-67618, FT_V_ERR_INVALID_EXTENSION},                 // errSecUnknownCertExtension
    {-67655, FT_V_ERR_INVALID_EXTENSION},                 // errSecInvalidSubjectName
    {-67903, FT_V_ERR_INVALID_EXTENSION},                 // errSecCertificateDuplicateExtension
    {-67689, FT_V_ERR_PERMITTED_VIOLATION},               // errSecInvalidName
    {-67900, FT_V_ERR_PERMITTED_VIOLATION},               // errSecCertificateNameNotAllowed
    {-67835, FT_V_ERR_INVALID_POLICY_EXTENSION},          // errSecInvalidPolicyIdentifiers
    {-67899, FT_V_ERR_INVALID_POLICY_EXTENSION},          // errSecCertificatePolicyNotAllowed
    {-67690, FT_V_ERR_CERT_SIGNATURE_FAILURE},            // errSecInvalidCertificateRef
    {-50, FT_V_ERR_UNSPECIFIED},                          // errSecParam
    {-108, FT_V_ERR_OUT_OF_MEM},                          // errSecAllocate
};

int32_t ft_code_of_os_status(int64_t status, bool host_is_address)
{
    int32_t code = look_up(os_statuses, sizeof os_statuses / sizeof *os_statuses, status);

    return code == FT_V_ERR_HOSTNAME_MISMATCH && host_is_address ? FT_V_ERR_IP_ADDRESS_MISMATCH
                                                                 : code;
}
