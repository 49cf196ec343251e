/*
 * The double's trustd: OpenSSL finds every fault of the chain, Apple's order picks the one that is
 * told. Names and revocation are looked at here, and two of Apple's rules for servers.
 */

#include "double_object.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* The most serious comes first (SecTrustInternal.h). */
typedef enum rank {
    RANK_REVOKED,
    RANK_KEY_SIZE,
    RANK_WEAK_HASH,
    RANK_DENIED,
    RANK_COMPLIANCE,
    RANK_TRUST,
    RANK_USAGE,
    RANK_NAME,
    RANK_EXPIRED,
    RANK_NONE
} rank;

typedef struct fault {
    rank rank;
    CFIndex code;
    const char *words;
} fault;

static const fault none = {RANK_NONE, 0, ""};

/* What each of OpenSSL's complaints is in Apple's words. */
static fault fault_of(int code)
{
    switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return (fault){RANK_TRUST, -25318, "is not trusted"};
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return (fault){RANK_TRUST, -67843, "is not trusted"};
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return (fault){RANK_EXPIRED, -67818, "is expired"};
    case X509_V_ERR_INVALID_PURPOSE:
        return (fault){RANK_USAGE, -67609, "is not permitted for this usage"};
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        return (fault){RANK_KEY_SIZE, -67735, "has a key that is too small"};
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return (fault){RANK_WEAK_HASH, -67815, "uses a weak hash"};
    case X509_V_ERR_CERT_REJECTED:
        return (fault){RANK_DENIED, -67654, "is explicitly distrusted"};
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        return (fault){RANK_COMPLIANCE, -67611, "is not standards compliant"};
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
        return (fault){RANK_COMPLIANCE, -67603, "is not standards compliant"};
    case X509_V_ERR_INVALID_CA:
        return (fault){RANK_COMPLIANCE, -67605, "is not standards compliant"};
    case X509_V_ERR_INVALID_EXTENSION:
        return (fault){RANK_COMPLIANCE, -67618, "is not standards compliant"};
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        return (fault){RANK_COMPLIANCE, -67900, "is not standards compliant"};
    case X509_V_ERR_INVALID_POLICY_EXTENSION:
    case X509_V_ERR_NO_EXPLICIT_POLICY:
        return (fault){RANK_COMPLIANCE, -67899, "is not standards compliant"};
    default:
        return (fault){RANK_COMPLIANCE, -67690, "is not standards compliant"};
    }
}

static void worsen(fault *worst, fault found)
{
    if (found.rank < worst->rank) {
        *worst = found;
    }
}

/* OpenSSL's verify callback: notes the fault and goes on. */
static int collect(int ok, X509_STORE_CTX *ctx)
{
    if (ok == 0) {
        worsen(X509_STORE_CTX_get_app_data(ctx), fault_of(X509_STORE_CTX_get_error(ctx)));
    }
    return 1;
}

/* ---- what OpenSSL is not asked ----------------------------------------------------------- */

/* A name first, then an address; never the common name; a wildcard is a whole label. */
static bool has_name(X509 *leaf, CFStringRef host)
{
    // Apple's parser knows no "::ffff:192.0.2.1", and no zones.
    bool is_hybrid = strchr(host->text, ':') != NULL && strpbrk(host->text, ".%") != NULL;

    return X509_check_host(leaf, host->text, (size_t)host->len,
                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                           NULL) == 1 ||
           (!is_hybrid && X509_check_ip_asc(leaf, host->text, 0) == 1);
}

/* Who is revoked, and whom the user or an administrator trusts in nothing. */
static void look_up(const struct __SecTrust *trust, STACK_OF(X509) * chain, fault *worst)
{
    CFIndex code = double_revocation(trust, chain);

    if (code == DOUBLE_REVOKED) {
        worsen(worst, (fault){RANK_REVOKED, code, "is revoked"});
    } else if (code != 0) {
        worsen(worst, (fault){RANK_COMPLIANCE, code, "is not standards compliant"});
    }
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (double_is_among(sk_X509_value(chain, i), &double_now.denied)) {
            worsen(worst, (fault){RANK_DENIED, -67654, "is explicitly distrusted"});
        }
    }
}

/* Servers need an EKU and, from July 2019 on, live no longer than 825 days. */
static void apply_apples_rules(X509 *leaf, fault *worst)
{
    int days = 0;
    int seconds = 0;
    ASN1_TIME *july = ASN1_TIME_new();

    if (july == NULL || ASN1_TIME_set_string_X509(july, "20190701000000Z") != 1) {
        double_die("no time");
    }
    if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0 ||
        (X509_get_extended_key_usage(leaf) & (XKU_SSL_SERVER | XKU_ANYEKU)) == 0) {
        worsen(worst, (fault){RANK_USAGE, -67609, "is not permitted for this usage"});
    }
    if (ASN1_TIME_compare(X509_get0_notBefore(leaf), july) >= 0 &&
        ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(leaf), X509_get0_notAfter(leaf)) == 1 &&
        days >= 825) {
        worsen(worst, (fault){RANK_COMPLIANCE, -67901, "is not standards compliant"});
    }
    ASN1_TIME_free(july);
}

/* ---- the verdict ------------------------------------------------------------------------- */

static X509_STORE *make_store(void)
{
    X509_STORE *store = X509_STORE_new();

    for (size_t i = 0; i < double_now.roots.num; i++) {
        if (store == NULL || X509_STORE_add_cert(store, double_now.roots.certs[i]) != 1) {
            double_die("no store");
        }
    }
    return store;
}

static STACK_OF(X509) * make_stack(const struct __SecTrust *trust)
{
    STACK_OF(X509) *certs = sk_X509_new_null();

    for (CFIndex i = 0; i < trust->certs->num; i++) {
        SecCertificateRef cert = (SecCertificateRef)trust->certs->values[i];

        if (certs == NULL || sk_X509_push(certs, cert->x509) == 0) {
            double_die("no stack");
        }
    }
    return certs;
}

/* The chain as OpenSSL builds it from the leaf at `start`, and the worst fault of it; owned. */
static STACK_OF(X509) * build(const struct __SecTrust *trust, CFIndex start, fault *out_worst)
{
    const struct __SecPolicy *policy = double_policy_of(trust, true);
    X509 *leaf = ((SecCertificateRef)trust->certs->values[start])->x509;
    X509_STORE *store = make_store();
    STACK_OF(X509) *untrusted = make_stack(trust);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    *out_worst = none;
    if (policy == NULL || ctx == NULL || X509_STORE_CTX_init(ctx, store, leaf, untrusted) != 1) {
        double_die("a trust without a policy for TLS");
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    (void)X509_STORE_CTX_set_purpose(ctx, policy->is_server ? X509_PURPOSE_SSL_SERVER
                                                            : X509_PURPOSE_SSL_CLIENT);
    (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_auth_level(param, 2); // RSA of 2,048 bits, SHA-256
    if (trust->date != NULL) {
        X509_VERIFY_PARAM_set_time(param,
                                   (time_t)(trust->date->time + kCFAbsoluteTimeIntervalSince1970));
    }
    (void)X509_STORE_CTX_set_app_data(ctx, out_worst);
    X509_STORE_CTX_set_verify_cb(ctx, collect);
    if (X509_verify_cert(ctx) != 1) {
        worsen(out_worst, fault_of(X509_STORE_CTX_get_error(ctx)));
    }
    STACK_OF(X509) *chain = X509_STORE_CTX_get1_chain(ctx);
    if (policy->host != NULL && !has_name(leaf, policy->host)) {
        worsen(out_worst, (fault){RANK_NAME, -67602, "certificate name does not match input"});
    }
    if (policy->is_server && double_now.apple) {
        apply_apples_rules(leaf, out_worst);
    }
    if (chain != NULL) {
        look_up(trust, chain, out_worst);
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_free(untrusted);
    X509_STORE_free(store);
    return chain;
}

/* False where memory runs out. */
static bool append_cert(CFMutableArrayRef chain, const X509 *x509)
{
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);
    CFDataRef data = CFDataCreate(kCFAllocatorDefault, der, len);
    SecCertificateRef cert =
        data == NULL ? NULL : SecCertificateCreateWithData(kCFAllocatorDefault, data);
    CFIndex before = chain->num;

    if (cert != NULL) {
        CFArrayAppendValue(chain, cert);
    }
    double_release(cert);
    double_release(data);
    OPENSSL_free(der);
    return chain->num == before + 1;
}

/* What was sent, whatever it is worth, and the root that its last one names. */
static STACK_OF(X509) * forge(const struct __SecTrust *trust)
{
    STACK_OF(X509) *chain = make_stack(trust);
    X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);

    for (size_t i = 0; i < double_now.roots.num; i++) {
        if (X509_cmp(last, double_now.roots.certs[i]) != 0 &&
            X509_NAME_cmp(X509_get_issuer_name(last),
                          X509_get_subject_name(double_now.roots.certs[i])) == 0) {
            (void)sk_X509_push(chain, double_now.roots.certs[i]);
            break;
        }
    }
    for (int i = 0; i < sk_X509_num(chain); i++) {
        (void)X509_up_ref(sk_X509_value(chain, i));
    }
    return chain;
}

static void tell(SecTrustRef trust, fault worst)
{
    char name[128] = "";

    (void)X509_NAME_get_text_by_NID(
        X509_get_subject_name(((SecCertificateRef)trust->certs->values[0])->x509), NID_commonName,
        name, sizeof name);
    trust->trusted = worst.rank == RANK_NONE;
    trust->code = worst.code;
    // As Apple says it, with its typographic quotes.
    (void)snprintf(trust->reason, sizeof trust->reason, "“%s” %s%s", name,
                   worst.rank == RANK_NAME ? "" : "certificate ", worst.words);
}

/* Each certificate of the chain as often as the lie wants it, the reference counted. */
static void distort(STACK_OF(X509) * chain, double_lie lie)
{
    int num = sk_X509_num(chain);
    X509 *extra = NULL;

    if (lie == DOUBLE_LONGER) {
        extra = double_now.roots.certs[double_now.roots.num - 1];
        (void)(X509_up_ref(extra) == 1 && sk_X509_push(chain, extra) != 0);
    } else if (lie == DOUBLE_SHORTER) {
        X509_free(sk_X509_pop(chain));
    }
    for (int i = 0; lie == DOUBLE_REVERSED && i < num; i++) {
        (void)sk_X509_insert(chain, sk_X509_pop(chain), i);
    }
    for (int i = 0; lie == DOUBLE_TWICE && i < num; i++) {
        extra = sk_X509_value(chain, 2 * i);
        (void)(X509_up_ref(extra) == 1 && sk_X509_insert(chain, extra, 2 * i) != 0);
    }
}

bool double_judge(SecTrustRef trust)
{
    fault worst = none;
    double_lie lie = double_now.lie;
    STACK_OF(X509) *chain =
        lie == DOUBLE_YES
            ? forge(trust)
            : build(trust, lie == DOUBLE_OTHER_LEAF && trust->certs->num > 1 ? 1 : 0, &worst);
    bool ok = true;

    distort(chain, lie);
    if (lie == DOUBLE_OTHER_LEAF || lie == DOUBLE_NO_CHAIN || lie == DOUBLE_EMPTY) {
        worst = none;
    }
    tell(trust, worst);
    if (double_now.refusal != 0) {
        trust->trusted = false;
        trust->code = double_now.refusal;
        (void)snprintf(trust->reason, sizeof trust->reason, "%s", double_now.refusal_text);
    }
    if (lie == DOUBLE_NO_REASON || lie == DOUBLE_NO_WORDS) {
        trust->trusted = false;
        trust->code = -67843;
        trust->reason[0] = '\0';
    }
    if (lie == DOUBLE_NO_CODE || lie == DOUBLE_WIDE_CODE) {
        trust->trusted = false;
        trust->code = lie == DOUBLE_NO_CODE ? errSecSuccess : (CFIndex)1 << 32;
    }
    if (lie != DOUBLE_NO_CHAIN) {
        trust->chain = CFArrayCreateMutable(kCFAllocatorDefault, 0, &kCFTypeArrayCallBacks);
        ok = trust->chain != NULL;
    }
    for (int i = 0; ok && lie != DOUBLE_EMPTY && lie != DOUBLE_NO_CHAIN && chain != NULL &&
                    i < sk_X509_num(chain);
         i++) {
        ok = append_cert(trust->chain, sk_X509_value(chain, i));
    }
    sk_X509_pop_free(chain, X509_free);
    return ok;
}
