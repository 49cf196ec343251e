/*
 * A claim about a foreign header is a compile: csrc/ossl.h held against the real headers of one
 * OpenSSL. Every function of the list must have exactly the header's type, and every number the
 * header's value. What differs between versions is spelled out below, with both types, and only for
 * the versions that have the difference: anything else does not compile.
 *
 * Built once for each OpenSSL at hand, with -I to its headers; links against nothing.
 */

// Deprecated is not gone, and 4.0 deprecates two of ours: only a type that changed is news here.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

#include <stdio.h>

// From 3.0 on this is a macro that renames; undone, so that the list can say the name.
#undef SSL_get_peer_certificate

#include "ossl.h"

#if OPENSSL_VERSION_NUMBER < 0x10101000L
#error "OpenSSL before 1.1.1 has never been supported"
#endif

#define SAME_TYPE(expression, type)                                                                \
    __builtin_types_compatible_p(__typeof__(&(expression)), __typeof__(type))

/* IS_ONE(DIFFERS_name) is 1 where that is defined below as 1, else 0. */
#define IS_ONE(value) IS_ONE_EXPANDED(value)
#define IS_ONE_EXPANDED(value) HAS_COMMA(COMMA_##value)
#define HAS_COMMA(comma) SECOND(comma 1, 0, 0)
#define SECOND(first, second, ...) second
#define COMMA_1 0,

/* A known difference: what the list says instead has this type in this version's header. */
#define KNOWN(name, type) _Static_assert(SAME_TYPE(name, type), #name " changed again")

#if OPENSSL_VERSION_NUMBER < 0x30000000L
/*
 * 1.1.1: getters that take what they do not change without const. Written from its sources;
 * Debian's mirrors no longer carry its headers, so that no machine of ours has compiled this.
 */
#define DIFFERS_i2d_X509 1
KNOWN(i2d_X509, int (*)(X509 *, unsigned char **));
#define DIFFERS_X509_STORE_get0_objects 1
KNOWN(X509_STORE_get0_objects, ft_objects *(*)(X509_STORE *));
#define DIFFERS_X509_STORE_get0_param 1
KNOWN(X509_STORE_get0_param, X509_VERIFY_PARAM *(*)(X509_STORE *));
#define DIFFERS_X509_STORE_set1_param 1
KNOWN(X509_STORE_set1_param, int (*)(X509_STORE *, X509_VERIFY_PARAM *));
#define DIFFERS_X509_STORE_get_ex_data 1
KNOWN(X509_STORE_get_ex_data, void *(*)(X509_STORE *, int));
#define DIFFERS_X509_STORE_CTX_get_ex_data 1
KNOWN(X509_STORE_CTX_get_ex_data, void *(*)(X509_STORE_CTX *, int));
#define DIFFERS_X509_STORE_CTX_get0_store 1
KNOWN(X509_STORE_CTX_get0_store, X509_STORE *(*)(X509_STORE_CTX *));
#define DIFFERS_X509_STORE_CTX_get0_param 1
KNOWN(X509_STORE_CTX_get0_param, X509_VERIFY_PARAM *(*)(X509_STORE_CTX *));
#define DIFFERS_X509_STORE_CTX_get0_untrusted 1
KNOWN(X509_STORE_CTX_get0_untrusted, ft_x509s *(*)(X509_STORE_CTX *));
#define DIFFERS_X509_STORE_CTX_get0_chain 1
KNOWN(X509_STORE_CTX_get0_chain, ft_x509s *(*)(X509_STORE_CTX *));
#define DIFFERS_X509_STORE_CTX_get1_certs 1
KNOWN(X509_STORE_CTX_get1_certs, ft_x509s *(*)(X509_STORE_CTX *, X509_NAME *));
#define DIFFERS_X509_STORE_set_lookup_certs 1
KNOWN(X509_STORE_set_lookup_certs,
      void (*)(X509_STORE *, ft_x509s *(*)(X509_STORE_CTX *, X509_NAME *)));
#define DIFFERS_X509_STORE_CTX_get_check_issued 1
KNOWN(X509_STORE_CTX_get_check_issued, ft_check_issued_fn (*)(X509_STORE_CTX *));
#define DIFFERS_X509_STORE_CTX_get_error 1
KNOWN(X509_STORE_CTX_get_error, int (*)(X509_STORE_CTX *));
#define DIFFERS_X509_STORE_CTX_get_error_depth 1
KNOWN(X509_STORE_CTX_get_error_depth, int (*)(X509_STORE_CTX *));
#define DIFFERS_X509_VERIFY_PARAM_get_flags 1
KNOWN(X509_VERIFY_PARAM_get_flags, unsigned long (*)(X509_VERIFY_PARAM *));
#define DIFFERS_X509_OBJECT_get0_X509_CRL 1
KNOWN(X509_OBJECT_get0_X509_CRL, X509_CRL *(*)(X509_OBJECT *));
#define DIFFERS_CRYPTO_get_ex_new_index 1
KNOWN(CRYPTO_get_ex_new_index,
      int (*)(int, long, void *, ft_ex_new_fn,
              int (*)(CRYPTO_EX_DATA *, const CRYPTO_EX_DATA *, void *, int, long, void *),
              ft_ex_free_fn));
#endif

#if OPENSSL_VERSION_NUMBER >= 0x40000000L
/* 4.0: what is only looked at became const, in arguments and in what the hooks are given. */
#define DIFFERS_X509_get_subject_name 1
KNOWN(X509_get_subject_name, const X509_NAME *(*)(const X509 *));
#define DIFFERS_X509_get_issuer_name 1
KNOWN(X509_get_issuer_name, const X509_NAME *(*)(const X509 *));
#define DIFFERS_X509_cmp_time 1
KNOWN(X509_cmp_time, int (*)(const ASN1_TIME *, const time_t *));
#define DIFFERS_X509_STORE_add_cert 1
KNOWN(X509_STORE_add_cert, int (*)(X509_STORE *, const X509 *));
#define DIFFERS_X509_STORE_CTX_init 1
KNOWN(X509_STORE_CTX_init, int (*)(X509_STORE_CTX *, X509_STORE *, const X509 *, ft_x509s *));
#define DIFFERS_X509_STORE_CTX_get1_certs 1
KNOWN(X509_STORE_CTX_get1_certs, ft_x509s *(*)(const X509_STORE_CTX *, const X509_NAME *));
#define DIFFERS_X509_STORE_set_get_issuer 1
KNOWN(X509_STORE_set_get_issuer,
      void (*)(X509_STORE *, int (*)(X509 **, X509_STORE_CTX *, const X509 *)));
#define DIFFERS_X509_STORE_set_lookup_certs 1
KNOWN(X509_STORE_set_lookup_certs,
      void (*)(X509_STORE *, ft_x509s *(*)(const X509_STORE_CTX *, const X509_NAME *)));
#define DIFFERS_X509_STORE_CTX_get_check_issued 1
KNOWN(X509_STORE_CTX_get_check_issued,
      int (*(*)(const X509_STORE_CTX *))(X509_STORE_CTX *, const X509 *, const X509 *));
#endif

/*
 * OPTIONAL functions that this version does not have: declared here, so that the list can say the
 * name, and not compared with anything.
 */
#if OPENSSL_VERSION_NUMBER < 0x30000000L
#define DIFFERS_SSL_get1_peer_certificate 1
X509 *SSL_get1_peer_certificate(const SSL *);
#define DIFFERS_X509_NAME_hash_ex 1
unsigned long X509_NAME_hash_ex(const X509_NAME *, OSSL_LIB_CTX *, const char *, int *);
#else
#define DIFFERS_SSL_get_peer_certificate 1
X509 *SSL_get_peer_certificate(const SSL *);
#undef X509_NAME_hash
#define DIFFERS_X509_NAME_hash 1
unsigned long X509_NAME_hash(X509_NAME *);
#endif

#define CHECK_FUNCTION(result, name, arguments)                                                    \
    _Static_assert(IS_ONE(DIFFERS_##name) || SAME_TYPE(name, result(*) arguments),                 \
                   #name " has another type in this OpenSSL's headers");
FT_OSSL_FUNCTIONS(CHECK_FUNCTION, CHECK_FUNCTION)

/* Every number of the enum in ossl.h, in its order, beside the macro that it stands for. */
#define FT_NUMBERS(NUMBER)                                                                         \
    NUMBER(FT_SSL_VERIFY_PEER, SSL_VERIFY_PEER)                                                    \
    NUMBER(FT_SSL_CB_HANDSHAKE_START, SSL_CB_HANDSHAKE_START)                                      \
    NUMBER(FT_SSL_CB_HANDSHAKE_DONE, SSL_CB_HANDSHAKE_DONE)                                        \
    NUMBER(FT_SSL_BOTH_SHUTDOWN, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)                        \
    NUMBER(FT_SSL_CTRL_CERT_FLAGS, SSL_CTRL_CERT_FLAGS)                                            \
    NUMBER(FT_SUITE_B, SSL_CERT_FLAG_SUITEB_128_LOS)                                               \
    NUMBER(FT_EX_INDEX_SSL, CRYPTO_EX_INDEX_SSL)                                                   \
    NUMBER(FT_EX_INDEX_SSL_CTX, CRYPTO_EX_INDEX_SSL_CTX)                                           \
    NUMBER(FT_EX_INDEX_X509_STORE, CRYPTO_EX_INDEX_X509_STORE)                                     \
    NUMBER(FT_EX_INDEX_X509_STORE_CTX, CRYPTO_EX_INDEX_X509_STORE_CTX)                             \
    NUMBER(FT_SSL_CTRL_ASK_STAPLE, SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE)                            \
    NUMBER(FT_SSL_CTRL_GET_STAPLE, SSL_CTRL_GET_TLSEXT_STATUS_REQ_OCSP_RESP)                       \
    NUMBER(FT_STAPLE_OCSP, TLSEXT_STATUSTYPE_ocsp)                                                 \
    NUMBER(FT_V_OK, X509_V_OK)                                                                     \
    NUMBER(FT_V_ERR_UNSPECIFIED, X509_V_ERR_UNSPECIFIED)                                           \
    NUMBER(FT_V_ERR_OUT_OF_MEM, X509_V_ERR_OUT_OF_MEM)                                             \
    NUMBER(FT_V_ERR_APPLICATION_VERIFICATION, X509_V_ERR_APPLICATION_VERIFICATION)                 \
    NUMBER(FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT)               \
    NUMBER(FT_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_UNABLE_TO_GET_CRL)                               \
    NUMBER(FT_V_ERR_CERT_SIGNATURE_FAILURE, X509_V_ERR_CERT_SIGNATURE_FAILURE)                     \
    NUMBER(FT_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_NOT_YET_VALID)                             \
    NUMBER(FT_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED)                                 \
    NUMBER(FT_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)           \
    NUMBER(FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)               \
    NUMBER(FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,                                             \
           X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)                                           \
    NUMBER(FT_V_ERR_CERT_REVOKED, X509_V_ERR_CERT_REVOKED)                                         \
    NUMBER(FT_V_ERR_PATH_LENGTH_EXCEEDED, X509_V_ERR_PATH_LENGTH_EXCEEDED)                         \
    NUMBER(FT_V_ERR_INVALID_PURPOSE, X509_V_ERR_INVALID_PURPOSE)                                   \
    NUMBER(FT_V_ERR_CERT_REJECTED, X509_V_ERR_CERT_REJECTED)                                       \
    NUMBER(FT_V_ERR_UNHANDLED_CRITICAL_EXTENSION, X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION)         \
    NUMBER(FT_V_ERR_INVALID_EXTENSION, X509_V_ERR_INVALID_EXTENSION)                               \
    NUMBER(FT_V_ERR_INVALID_POLICY_EXTENSION, X509_V_ERR_INVALID_POLICY_EXTENSION)                 \
    NUMBER(FT_V_ERR_NO_EXPLICIT_POLICY, X509_V_ERR_NO_EXPLICIT_POLICY)                             \
    NUMBER(FT_V_ERR_PERMITTED_VIOLATION, X509_V_ERR_PERMITTED_VIOLATION)                           \
    NUMBER(FT_V_ERR_EXCLUDED_VIOLATION, X509_V_ERR_EXCLUDED_VIOLATION)                             \
    NUMBER(FT_V_ERR_SUBTREE_MINMAX, X509_V_ERR_SUBTREE_MINMAX)                                     \
    NUMBER(FT_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE)           \
    NUMBER(FT_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_HOSTNAME_MISMATCH)                               \
    NUMBER(FT_V_ERR_IP_ADDRESS_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH)                           \
    NUMBER(FT_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_EE_KEY_TOO_SMALL)                                 \
    NUMBER(FT_V_ERR_CA_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL)                                 \
    NUMBER(FT_V_ERR_CA_MD_TOO_WEAK, X509_V_ERR_CA_MD_TOO_WEAK)                                     \
    NUMBER(FT_V_ERR_NO_VALID_SCTS, X509_V_ERR_NO_VALID_SCTS)                                       \
    NUMBER(FT_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)   \
    NUMBER(FT_V_FLAG_USE_CHECK_TIME, X509_V_FLAG_USE_CHECK_TIME)                                   \
    NUMBER(FT_V_FLAG_CRL_CHECK, X509_V_FLAG_CRL_CHECK)                                             \
    NUMBER(FT_V_FLAG_CRL_CHECK_ALL, X509_V_FLAG_CRL_CHECK_ALL)                                     \
    NUMBER(FT_V_FLAG_X509_STRICT, X509_V_FLAG_X509_STRICT)                                         \
    NUMBER(FT_V_FLAG_PARTIAL_CHAIN, X509_V_FLAG_PARTIAL_CHAIN)                                     \
    NUMBER(FT_V_FLAG_NO_CHECK_TIME, X509_V_FLAG_NO_CHECK_TIME)                                     \
    NUMBER(FT_EXFLAG_INVALID, EXFLAG_INVALID)

#define CHECK_NUMBER(ours, theirs)                                                                 \
    _Static_assert((long)(ours) == (long)(theirs), #ours " is not " #theirs);
FT_NUMBERS(CHECK_NUMBER)

int main(void)
{
#define COUNT_FUNCTION(result, name, arguments) +1
#define COUNT_NUMBER(ours, theirs) +1
    int num = 0 FT_OSSL_FUNCTIONS(COUNT_FUNCTION, COUNT_FUNCTION) FT_NUMBERS(COUNT_NUMBER);

    // The optional functions that this version lacks were compared with nothing.
    printf("check_ossl: %d checks, against the headers of %s\n", num - 2, OPENSSL_VERSION_TEXT);
    return 0;
}
