/*
 * Windows: CryptoAPI builds the chain and judges it, by the machine's and the user's own stores.
 * Names are left to step 4, which has the same rules everywhere; compat mode has none, and the
 * policy checks them. The policy for TLS alone is not enough: the chain's own status has to be
 * clean as well, whatever the policy makes of it.
 */

#include "core.h"

#if defined(_WIN32) && !defined(FT_TEST_PLATFORM)

#define CERT_CHAIN_PARA_HAS_EXTRA_FIELDS

#include <windows.h>

#include <wincrypt.h>

#include <stdlib.h>
#include <string.h>

/* Flags of wininet.h for the policy. */
enum { IGNORE_NAME = 0x00001000, IGNORE_REVOCATION = 0x00000080 };

/* The longest name that is asked about, with its end: DNS has no longer one (RFC 1035). */
enum { MAX_NAME_LEN = 256 };

/* Bits of a chain's status by which nobody is refused, or only where revocation is a must. */
static const DWORD obsolete = CERT_TRUST_IS_NOT_TIME_NESTED;
static const DWORD unknown_revocation =
    CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION;

/* Windows counts 100 ns since 1601. */
static const int64_t ticks_per_second = 10000000;
static const int64_t seconds_to_1970 = 11644473600;
static const int64_t last_second = 910000000000; // the year 30806; FILETIME ends a little later

const bool ft_system_always_reads_staples = false;
const char *ft_system_name(void)
{
    return "cryptoapi";
}

/* ---- words ------------------------------------------------------------------------------- */

/* The system's own sentence, in the user's language, on one line; where it has none, `name`. Number
 * 0 has none: the system's would say that all is well. */
static void put_words(ft_answer *answer, DWORD number, const char *name)
{
    WCHAR wide[FT_MESSAGE_LEN] = {0};
    char utf8[3 * FT_MESSAGE_LEN + 1] = {0}; // three bytes at most for each of UTF-16's units
    DWORD len = 0;

    if (number != 0) {
        len = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                             number, 0, wide, FT_MESSAGE_LEN - 1, NULL);
    }

    while (len > 0 && wide[len - 1] <= L' ') {
        len--;
    }
    for (DWORD i = 0; i < len; i++) {
        wide[i] = wide[i] < L' ' ? L' ' : wide[i];
    }
    int size = len == 0 ? 0
                        : WideCharToMultiByte(CP_UTF8, 0, wide, (int)len, utf8, 3 * FT_MESSAGE_LEN,
                                              NULL, NULL);
    const char *words = size > 0 ? utf8 : name;
    size_t end = strlen(words);
    if (end >= FT_MESSAGE_LEN) {
        end = FT_MESSAGE_LEN - 1;
        while (end > 0 && ((unsigned char)words[end] & 0xC0) == 0x80) {
            end--; // not inside a character
        }
    }
    memcpy(answer->native_message, words, end);
    answer->native_message[end] = '\0';
}

/* A call failed that has to succeed: nobody is trusted by half an answer. */
static bool refuse_failure(ft_answer *answer, const char *call)
{
    DWORD number = GetLastError();
    bool no_memory = number == ERROR_NOT_ENOUGH_MEMORY || number == ERROR_OUTOFMEMORY ||
                     number == (DWORD)E_OUTOFMEMORY;

    answer->code = no_memory ? FT_V_ERR_OUT_OF_MEM : FT_V_ERR_UNSPECIFIED;
    answer->native_code = number;
    put_words(answer, number, call);
    return false;
}

/* ---- the chain --------------------------------------------------------------------------- */

/* A certificate that is none; anything else that keeps one from the store is a failure. */
static bool is_malformed(DWORD number)
{
    return number >= (DWORD)CRYPT_E_OSS_ERROR && number < (DWORD)CRYPT_E_ASN1_ERROR + 0x100;
}

static bool add(HCERTSTORE store, ft_der der, PCCERT_CONTEXT *out_cert)
{
    if (der.len > MAXDWORD) {
        SetLastError((DWORD)CRYPT_E_ASN1_LARGE);
        return false;
    }
    return CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, (const BYTE *)der.data,
                                            (DWORD)der.len, CERT_STORE_ADD_ALWAYS, out_cert);
}

/* What the peer sent, in a store of its own; its leaf with the staple. */
static bool gather(const ft_question *question, HCERTSTORE store, PCCERT_CONTEXT *out_leaf,
                   ft_answer *answer)
{
    CRYPT_DATA_BLOB staple = {0};

    if (!add(store, question->certs[0], out_leaf)) {
        return refuse_failure(answer, "CertAddEncodedCertificateToStore");
    }
    for (size_t i = 1; i < question->num_certs; i++) {
        if (!add(store, question->certs[i], NULL) && !is_malformed(GetLastError())) {
            return refuse_failure(answer, "CertAddEncodedCertificateToStore");
        }
    }
    if (question->staple.len > 0 && question->staple.len <= MAXDWORD) {
        staple.cbData = (DWORD)question->staple.len;
        staple.pbData = (BYTE *)question->staple.data; // only read, though the struct is not const
        if (!CertSetCertificateContextProperty(*out_leaf, CERT_OCSP_RESPONSE_PROP_ID,
                                               CERT_SET_PROPERTY_IGNORE_PERSIST_ERROR_FLAG,
                                               &staple)) {
            return refuse_failure(answer, "CertSetCertificateContextProperty");
        }
    }
    return true;
}

static bool wants_revocation(const ft_question *question)
{
    return question->check_leaf || question->check_chain ||
           question->policy.revocation != FT_REVOCATION_PLATFORM;
}

static DWORD build_flags(const ft_question *question)
{
    bool leaf_alone = question->check_leaf && !question->check_chain &&
                      question->policy.revocation == FT_REVOCATION_PLATFORM;
    DWORD flags = CERT_CHAIN_CACHE_END_CERT;

    if (wants_revocation(question)) {
        flags |= CERT_CHAIN_REVOCATION_ACCUMULATIVE_TIMEOUT;
        flags |= leaf_alone ? CERT_CHAIN_REVOCATION_CHECK_END_CERT
                            : CERT_CHAIN_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT;
    }
    if (!question->policy.network) {
        // The first does not count for revocation, which has a flag of its own.
        flags |= CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL | CERT_CHAIN_REVOCATION_CHECK_CACHE_ONLY;
    }
    return flags;
}

static FILETIME moment(const ft_question *question)
{
    FILETIME at = {0};

    if (!question->has_time) {
        GetSystemTimeAsFileTime(&at);
        return at;
    }
    int64_t seconds = question->time;
    seconds = seconds < -seconds_to_1970 ? -seconds_to_1970 : seconds;
    seconds = seconds > last_second ? last_second : seconds;
    uint64_t ticks = (uint64_t)((seconds + seconds_to_1970) * ticks_per_second);
    at.dwLowDateTime = (DWORD)(ticks & MAXDWORD);
    at.dwHighDateTime = (DWORD)(ticks >> 32U);
    return at;
}

static bool build(const ft_question *question, HCERTSTORE store, PCCERT_CONTEXT leaf, FILETIME at,
                  PCCERT_CHAIN_CONTEXT *out_chain, ft_answer *answer)
{
    CERT_CHAIN_PARA wanted = {.cbSize = sizeof wanted};
    LPSTR purposes[1] = {NULL};

    // Only read, though the struct is not const.
    purposes[0] =
        (LPSTR)(question->is_server ? szOID_PKIX_KP_SERVER_AUTH : szOID_PKIX_KP_CLIENT_AUTH);
    wanted.RequestedUsage.dwType = USAGE_MATCH_TYPE_AND;
    wanted.RequestedUsage.Usage.cUsageIdentifier = 1;
    wanted.RequestedUsage.Usage.rgpszUsageIdentifier = purposes;
    wanted.dwUrlRetrievalTimeout =
        question->policy.timeout_ms > 0 ? (DWORD)question->policy.timeout_ms : 1;
    if (!CertGetCertificateChain(NULL, leaf, question->has_time ? &at : NULL, store, &wanted,
                                 build_flags(question), NULL, out_chain)) {
        return refuse_failure(answer, "CertGetCertificateChain");
    }
    if ((*out_chain)->cChain == 0 || (*out_chain)->rgpChain[0]->cElement == 0) {
        SetLastError((DWORD)CERT_E_CHAINING);
        return refuse_failure(answer, "CertGetCertificateChain");
    }
    return true;
}

/* ---- the verdict ------------------------------------------------------------------------- */

/* The element that has this bit, else -1: some are the whole chain's. */
static int32_t at_fault(const CERT_SIMPLE_CHAIN *chain, DWORD bit)
{
    for (DWORD i = 0; i < chain->cElement; i++) {
        if ((chain->rgpElement[i]->TrustStatus.dwErrorStatus & bit) != 0) {
            return (int32_t)i;
        }
    }
    return (bit & CERT_TRUST_IS_PARTIAL_CHAIN) != 0 ? (int32_t)chain->cElement - 1 : -1;
}

/* Windows has one word for "expired" and "not yet valid", and one for an unknown root. */
static int32_t finer(int32_t code, const CERT_SIMPLE_CHAIN *chain, int32_t depth, FILETIME at)
{
    if (code == FT_V_ERR_CERT_HAS_EXPIRED && depth >= 0) {
        const CERT_INFO *info = chain->rgpElement[depth]->pCertContext->pCertInfo;

        return CompareFileTime(&info->NotBefore, &at) > 0 ? FT_V_ERR_CERT_NOT_YET_VALID : code;
    }
    if (code == FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN && chain->cElement == 1) {
        return FT_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
    }
    return code;
}

/* The name as the policy takes it: without the dot at its end, and never empty. */
static bool widen_name(const char *host, WCHAR *out_name)
{
    int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, host, -1, out_name, MAX_NAME_LEN);

    if (size > 1 && out_name[size - 2] == L'.') {
        out_name[size - 2] = L'\0';
    }
    return size > 0 && out_name[0] != L'\0';
}

/*
 * Asks the policy for TLS; `unknown` says that unknown revocation is forgiven, and is there. An
 * address is the caller's to look for: Wine finds none.
 */
static bool ask_policy(const ft_question *question, PCCERT_CHAIN_CONTEXT chain, bool unknown,
                       CERT_CHAIN_POLICY_STATUS *out_status)
{
    SSL_EXTRA_CERT_CHAIN_POLICY_PARA tls = {0};
    CERT_CHAIN_POLICY_PARA policy = {.cbSize = sizeof policy};
    bool by_name =
        question->names_are_yours && question->host != NULL && !question->host_is_address;
    WCHAR name[MAX_NAME_LEN] = {0};

    if (by_name && !widen_name(question->host, name)) {
        SetLastError((DWORD)E_INVALIDARG);
        return false;
    }
    tls.cbSize = sizeof tls;
    tls.dwAuthType = question->is_server ? AUTHTYPE_SERVER : AUTHTYPE_CLIENT;
    tls.fdwChecks = (by_name ? 0U : IGNORE_NAME) | (unknown ? IGNORE_REVOCATION : 0U);
    tls.pwszServerName = by_name ? name : NULL;
    policy.dwFlags = CERT_CHAIN_POLICY_IGNORE_NOT_TIME_NESTED_FLAG |
                     (unknown ? CERT_CHAIN_POLICY_IGNORE_ALL_REV_UNKNOWN_FLAGS : 0U);
    policy.pvExtraPolicyPara = &tls;
    return CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, chain, &policy, out_status);
}

static bool judge(const ft_question *question, PCCERT_CHAIN_CONTEXT chain, FILETIME at,
                  ft_answer *answer)
{
    const CERT_SIMPLE_CHAIN *simple = chain->rgpChain[0];
    DWORD status = chain->TrustStatus.dwErrorStatus & ~obsolete;
    // Where there is no step 4, nobody asks the program's own lists for what is not known here.
    bool is_must = question->policy.revocation == FT_REVOCATION_HARD ||
                   (question->names_are_yours && (question->check_leaf || question->check_chain));
    bool unknown = (status & unknown_revocation) != 0;
    CERT_CHAIN_POLICY_STATUS policy = {.cbSize = sizeof policy};

    if (!is_must) {
        status &= ~unknown_revocation;
    }
    if (!ask_policy(question, chain, unknown && !is_must, &policy)) {
        return refuse_failure(answer, "CertVerifyCertificateChainPolicy");
    }
    if (status == 0 && policy.dwError == 0) {
        answer->revocation_checked = wants_revocation(question) && !unknown;
        return true;
    }
    // The chain's own status is the finer one; the policy has the number and the words.
    ft_reason by_status = ft_reason_of_trust_status(status);
    ft_reason by_policy = ft_reason_of_hresult(policy.dwError);
    answer->depth = status != 0 ? at_fault(simple, by_status.number) : policy.lElementIndex;
    if (answer->depth < 0 || answer->depth >= (int32_t)simple->cElement) {
        answer->depth = -1;
    }
    answer->code = finer(status != 0 ? by_status.code : by_policy.code, simple, answer->depth, at);
    if (answer->code == FT_V_ERR_HOSTNAME_MISMATCH && question->host_is_address) {
        answer->code = FT_V_ERR_IP_ADDRESS_MISMATCH;
    }
    answer->native_code = policy.dwError != 0 ? policy.dwError : status;
    put_words(answer, policy.dwError, policy.dwError != 0 ? by_policy.name : by_status.name);
    return false;
}

/* The chain as it was judged, leaf first. */
static bool take_chain(const CERT_SIMPLE_CHAIN *chain, ft_answer *answer)
{
    ft_der *borrowed = calloc(chain->cElement, sizeof *borrowed);

    if (borrowed != NULL) {
        for (DWORD i = 0; i < chain->cElement; i++) {
            const CERT_CONTEXT *cert = chain->rgpElement[i]->pCertContext;

            borrowed[i] = (ft_der){(const char *)cert->pbCertEncoded, cert->cbCertEncoded};
        }
        answer->chain = ft_ders_copy(borrowed, chain->cElement);
        free(borrowed);
    }
    if (answer->chain == NULL) {
        answer->code = FT_V_ERR_OUT_OF_MEM;
        return false;
    }
    answer->num_chain = chain->cElement;
    return true;
}

bool ft_system_verify(const ft_question *question, ft_answer *out_answer)
{
    // For whoever called OpenSSL: its sockets' errors are this number too.
    DWORD before = GetLastError();
    FILETIME at = moment(question);
    PCCERT_CONTEXT leaf = NULL;        // owned
    PCCERT_CHAIN_CONTEXT chain = NULL; // owned
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0,
                                     CERT_STORE_DEFER_CLOSE_UNTIL_LAST_FREE_FLAG, NULL); // owned
    bool trusted = false;

    *out_answer = (ft_answer){.code = FT_V_ERR_UNSPECIFIED, .depth = -1};
    if (store == NULL) {
        trusted = refuse_failure(out_answer, "CertOpenStore");
        goto cleanup;
    }
    if (!gather(question, store, &leaf, out_answer) ||
        !build(question, store, leaf, at, &chain, out_answer) ||
        !judge(question, chain, at, out_answer) || !take_chain(chain->rgpChain[0], out_answer)) {
        goto cleanup;
    }
    out_answer->code = FT_V_OK;
    trusted = true;

cleanup:
    if (chain != NULL) {
        CertFreeCertificateChain(chain);
    }
    if (leaf != NULL) {
        (void)CertFreeCertificateContext(leaf);
    }
    if (store != NULL) {
        (void)CertCloseStore(store, 0);
    }
    SetLastError(before);
    return trusted;
}

#endif
