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

/* ---- Windows: TrustStatus and HRESULT ---------------------------------------------------- */

typedef struct windows_row {
    uint32_t number;
    int32_t code;
    const char *name;
} windows_row;

/*
 * CERT_TRUST_STATUS.dwErrorStatus, the gravest first: what nobody may forgive, then who issued it,
 * then what it is good for, and last what could not be found out.
 */
static const windows_row status_bits[] = {
    {0x00000004, FT_V_ERR_CERT_REVOKED, "CERT_TRUST_IS_REVOKED"},
    {0x04000000, FT_V_ERR_CERT_REJECTED, "CERT_TRUST_IS_EXPLICIT_DISTRUST"},
    // Before the next: a weak signature counts as an invalid one too.
    {0x00100000, FT_V_ERR_CA_MD_TOO_WEAK, "CERT_TRUST_HAS_WEAK_SIGNATURE"},
    {0x00000008, FT_V_ERR_CERT_SIGNATURE_FAILURE, "CERT_TRUST_IS_NOT_SIGNATURE_VALID"},
    {0x00010000, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "CERT_TRUST_IS_PARTIAL_CHAIN"},
    {0x00000080, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "CERT_TRUST_IS_CYCLIC"},
    {0x00000020, FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "CERT_TRUST_IS_UNTRUSTED_ROOT"},
    {0x00000400, FT_V_ERR_INVALID_CA, "CERT_TRUST_INVALID_BASIC_CONSTRAINTS"},
    {0x00004000, FT_V_ERR_PERMITTED_VIOLATION, "CERT_TRUST_HAS_NOT_PERMITTED_NAME_CONSTRAINT"},
    {0x00008000, FT_V_ERR_EXCLUDED_VIOLATION, "CERT_TRUST_HAS_EXCLUDED_NAME_CONSTRAINT"},
    {0x00002000, FT_V_ERR_PERMITTED_VIOLATION, "CERT_TRUST_HAS_NOT_DEFINED_NAME_CONSTRAINT"},
    {0x00001000, FT_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE,
     "CERT_TRUST_HAS_NOT_SUPPORTED_NAME_CONSTRAINT"},
    {0x00000800, FT_V_ERR_SUBTREE_MINMAX, "CERT_TRUST_INVALID_NAME_CONSTRAINTS"},
    {0x00000001, FT_V_ERR_CERT_HAS_EXPIRED, "CERT_TRUST_IS_NOT_TIME_VALID"}, // or not yet valid
    {0x08000000, FT_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
     "CERT_TRUST_HAS_NOT_SUPPORTED_CRITICAL_EXT"},
    {0x00000100, FT_V_ERR_INVALID_EXTENSION, "CERT_TRUST_INVALID_EXTENSION"},
    {0x00000010, FT_V_ERR_INVALID_PURPOSE, "CERT_TRUST_IS_NOT_VALID_FOR_USAGE"},
    {0x00000200, FT_V_ERR_INVALID_POLICY_EXTENSION, "CERT_TRUST_INVALID_POLICY_CONSTRAINTS"},
    {0x02000000, FT_V_ERR_NO_EXPLICIT_POLICY, "CERT_TRUST_NO_ISSUANCE_CHAIN_POLICY"},
    {0x01000000, FT_V_ERR_UNABLE_TO_GET_CRL, "CERT_TRUST_IS_OFFLINE_REVOCATION"},
    {0x00000040, FT_V_ERR_UNABLE_TO_GET_CRL, "CERT_TRUST_REVOCATION_STATUS_UNKNOWN"},
};

/* What CertVerifyCertificateChainPolicy puts into dwError. */
static const windows_row policy_results[] = {
    {0x80092010, FT_V_ERR_CERT_REVOKED, "CRYPT_E_REVOKED"},
    {0x80092012, FT_V_ERR_UNABLE_TO_GET_CRL, "CRYPT_E_NO_REVOCATION_CHECK"},
    {0x80092013, FT_V_ERR_UNABLE_TO_GET_CRL, "CRYPT_E_REVOCATION_OFFLINE"},
    {0x80096004, FT_V_ERR_CERT_SIGNATURE_FAILURE, "TRUST_E_CERT_SIGNATURE"},
    {0x80096019, FT_V_ERR_INVALID_CA, "TRUST_E_BASIC_CONSTRAINTS"},
    {0x800B0101, FT_V_ERR_CERT_HAS_EXPIRED, "CERT_E_EXPIRED"},
    {0x800B0103, FT_V_ERR_INVALID_CA, "CERT_E_ROLE"},
    {0x800B0104, FT_V_ERR_PATH_LENGTH_EXCEEDED, "CERT_E_PATHLENCONST"},
    {0x800B0105, FT_V_ERR_UNHANDLED_CRITICAL_EXTENSION, "CERT_E_CRITICAL"},
    {0x800B0106, FT_V_ERR_INVALID_PURPOSE, "CERT_E_PURPOSE"},
    {0x800B0109, FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "CERT_E_UNTRUSTEDROOT"},
    {0x800B010A, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "CERT_E_CHAINING"},
    {0x800B010C, FT_V_ERR_CERT_REVOKED, "CERT_E_REVOKED"},
    {0x800B010D, FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "CERT_E_UNTRUSTEDTESTROOT"},
    {0x800B010E, FT_V_ERR_UNABLE_TO_GET_CRL, "CERT_E_REVOCATION_FAILURE"},
    {0x800B010F, FT_V_ERR_HOSTNAME_MISMATCH, "CERT_E_CN_NO_MATCH"},
    {0x800B0110, FT_V_ERR_INVALID_PURPOSE, "CERT_E_WRONG_USAGE"},
    {0x800B0111, FT_V_ERR_CERT_REJECTED, "TRUST_E_EXPLICIT_DISTRUST"},
    {0x800B0112, FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "CERT_E_UNTRUSTEDCA"},
    {0x800B0113, FT_V_ERR_INVALID_POLICY_EXTENSION, "CERT_E_INVALID_POLICY"},
    // Names are step 4's business, so that what is left of this one are name constraints.
    {0x800B0114, FT_V_ERR_PERMITTED_VIOLATION, "CERT_E_INVALID_NAME"},
};

static ft_reason reason(const windows_row *row)
{
    return (ft_reason){row->number, row->code, row->name};
}

static ft_reason unknown_reason(uint32_t number)
{
    return (ft_reason){number, number == 0 ? FT_V_OK : FT_V_ERR_APPLICATION_VERIFICATION, ""};
}

ft_reason ft_reason_of_trust_status(uint32_t status)
{
    for (size_t i = 0; i < sizeof status_bits / sizeof *status_bits; i++) {
        if ((status & status_bits[i].number) != 0) {
            return reason(&status_bits[i]);
        }
    }
    return unknown_reason(status);
}

ft_reason ft_reason_of_hresult(uint32_t result)
{
    for (size_t i = 0; i < sizeof policy_results / sizeof *policy_results; i++) {
        if (policy_results[i].number == result) {
            return reason(&policy_results[i]);
        }
    }
    return unknown_reason(result);
}
