#ifndef FASTTRUST_TEST_CALLS_H
#define FASTTRUST_TEST_CALLS_H

/*
 * The calls that platform_windows.c makes, led through here: each can fail, and what CryptoAPI was
 * asked stays to be looked at. For tests/windows/test_platform.c alone, which includes this file
 * before it.
 */

/* ---- calls that fail --------------------------------------------------------------------- */

static LONG num_calls;
static LONG failing_call; // counted from 1; 0 for none
static DWORD failing_error = ERROR_NOT_ENOUGH_MEMORY;

static bool fails(void)
{
    bool now = InterlockedIncrement(&num_calls) == failing_call;

    if (now) {
        SetLastError(failing_error);
    }
    return now;
}

/* ---- what CryptoAPI is asked ------------------------------------------------------------- */

/* By the numbers of wincrypt.h and wininet.h, as platforms' documents have them. */
enum {
    BASE = 0x1,
    CHECK_LEAF = 0x10000000,
    CHECK_CHAIN = 0x40000000,
    ONE_TIMEOUT = 0x08000000,
    NEST = 0x4, // the policy's own: validity periods need not nest
    FORGIVE = 0xF00
};
static const DWORD no_network = 0x80000000 | 0x4;

/* The staple that the leaf brings along when its chain is asked for. */
static char staple[64];
static DWORD staple_len;

/* How it is asked for, and what of the policy for TLS. */
static DWORD chain_flags;
static DWORD chain_timeout;
static FILETIME chain_at; // zero for now
static char chain_purpose[32];
static SSL_EXTRA_CERT_CHAIN_POLICY_PARA policy_tls;
static DWORD policy_flags;

/* A policy that finds no fault with anybody, as Wine's with much. */
static bool policy_lies;

static bool look_at_chain(const CERT_CONTEXT *leaf, const FILETIME *at,
                          const CERT_CHAIN_PARA *wanted, DWORD flags)
{
    staple_len = sizeof staple;
    if (!CertGetCertificateContextProperty(leaf, CERT_OCSP_RESPONSE_PROP_ID, staple, &staple_len)) {
        staple_len = 0;
    }
    chain_at = at == NULL ? (FILETIME){0} : *at;
    chain_flags = flags;
    chain_timeout = wanted->dwUrlRetrievalTimeout;
    (void)snprintf(chain_purpose, sizeof chain_purpose, "%s%s",
                   wanted->RequestedUsage.dwType == USAGE_MATCH_TYPE_AND &&
                           wanted->RequestedUsage.Usage.cUsageIdentifier == 1
                       ? ""
                       : "not one: ",
                   wanted->RequestedUsage.Usage.rgpszUsageIdentifier[0]);
    return true;
}

static bool look_at_policy(const CERT_CHAIN_POLICY_PARA *policy)
{
    memcpy(&policy_tls, policy->pvExtraPolicyPara, sizeof policy_tls);
    policy_flags = policy->dwFlags;
    return true;
}

static bool lie(CERT_CHAIN_POLICY_STATUS *status)
{
    if (policy_lies) {
        status->dwError = 0;
    }
    return true;
}

#define CertOpenStore(...) (fails() ? NULL : CertOpenStore(__VA_ARGS__))
#define CertAddEncodedCertificateToStore(...)                                                      \
    (fails() ? FALSE : CertAddEncodedCertificateToStore(__VA_ARGS__))
#define CertSetCertificateContextProperty(...)                                                     \
    (fails() ? FALSE : CertSetCertificateContextProperty(__VA_ARGS__))
#define CertGetCertificateChain(engine, leaf, at, store, wanted, flags, ...)                       \
    (!fails() && look_at_chain(leaf, at, wanted, flags) &&                                         \
     CertGetCertificateChain(engine, leaf, at, store, wanted, flags, __VA_ARGS__))
#define CertVerifyCertificateChainPolicy(which, chain, policy, status)                             \
    (!fails() && look_at_policy(policy) &&                                                         \
     CertVerifyCertificateChainPolicy(which, chain, policy, status) && lie(status))
#define FormatMessageW(...) (fails() ? 0 : FormatMessageW(__VA_ARGS__))
#define MultiByteToWideChar(...) (fails() ? 0 : MultiByteToWideChar(__VA_ARGS__))
#define WideCharToMultiByte(...) (fails() ? 0 : WideCharToMultiByte(__VA_ARGS__))
#define calloc(...) (fails() ? NULL : calloc(__VA_ARGS__))
#define ft_ders_copy(...) (fails() ? NULL : ft_ders_copy(__VA_ARGS__))

#endif
