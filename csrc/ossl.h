#ifndef FASTTRUST_OSSL_H
#define FASTTRUST_OSSL_H

/*
 * The one list of OpenSSL functions that we call. It declares the table, fills it from the library
 * that Python's ssl uses, and is held against the real headers by tests/c/check_ossl.c.
 *
 * No header of OpenSSL is included: its types stay incomplete, under OpenSSL's own tags, so that
 * the list compiles both without its headers and beside them.
 */

#include <time.h>

#include "core.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_method_st SSL_METHOD;
typedef struct ssl_session_st SSL_SESSION;
typedef struct x509_st X509;
typedef struct X509_crl_st X509_CRL;
typedef struct X509_name_st X509_NAME;
typedef struct x509_store_st X509_STORE;
typedef struct x509_store_ctx_st X509_STORE_CTX;
typedef struct x509_object_st X509_OBJECT;
typedef struct X509_VERIFY_PARAM_st X509_VERIFY_PARAM;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct asn1_string_st ASN1_TIME;
typedef struct asn1_string_st ASN1_STRING;
typedef struct asn1_object_st ASN1_OBJECT;
typedef struct X509_name_entry_st X509_NAME_ENTRY;
typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;
typedef struct crypto_ex_data_st CRYPTO_EX_DATA;
typedef struct stack_st OPENSSL_STACK;

/* STACK_OF(X509) and STACK_OF(X509_OBJECT), by the names their macro makes. */
typedef struct stack_st_X509 ft_x509s;
typedef struct stack_st_X509_OBJECT ft_objects;

typedef int (*ft_verify_fn)(X509_STORE_CTX *, void *);
typedef int (*ft_verify_one_fn)(int, X509_STORE_CTX *);
typedef void (*ft_info_fn)(const SSL *, int, int);
typedef int (*ft_check_issued_fn)(X509_STORE_CTX *, X509 *, X509 *);
typedef int (*ft_get_issuer_fn)(X509 **, X509_STORE_CTX *, X509 *);
typedef ft_x509s *(*ft_lookup_certs_fn)(X509_STORE_CTX *, const X509_NAME *);
typedef void (*ft_ex_new_fn)(void *, void *, CRYPTO_EX_DATA *, int, long, void *);
typedef int (*ft_ex_dup_fn)(CRYPTO_EX_DATA *, const CRYPTO_EX_DATA *, void **, int, long, void *);
typedef void (*ft_ex_free_fn)(void *, void *, CRYPTO_EX_DATA *, int, long, void *);
typedef void (*ft_sk_free_fn)(void *);

/*
 * REQUIRED(result, name, arguments): a library without one of these is not used at all.
 * OPTIONAL: NULL where the version lacks it; whoever calls it says what then.
 */
// clang-format off
#define FT_OSSL_FUNCTIONS(REQUIRED, OPTIONAL) \
    /* libssl */ \
    REQUIRED(const SSL_METHOD *, TLS_client_method, (void)) \
    REQUIRED(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *)) \
    REQUIRED(void, SSL_CTX_free, (SSL_CTX *)) \
    REQUIRED(int, SSL_CTX_set_cipher_list, (SSL_CTX *, const char *)) \
    REQUIRED(int, SSL_CTX_set_ex_data, (SSL_CTX *, int, void *)) \
    REQUIRED(void *, SSL_CTX_get_ex_data, (const SSL_CTX *, int)) \
    REQUIRED(X509_VERIFY_PARAM *, SSL_CTX_get0_param, (SSL_CTX *)) \
    REQUIRED(X509_STORE *, SSL_CTX_get_cert_store, (const SSL_CTX *)) \
    REQUIRED(void, SSL_CTX_set1_cert_store, (SSL_CTX *, X509_STORE *)) \
    REQUIRED(void, SSL_CTX_set_cert_verify_callback, (SSL_CTX *, ft_verify_fn, void *)) \
    REQUIRED(void, SSL_CTX_set_info_callback, (SSL_CTX *, ft_info_fn)) \
    REQUIRED(void, SSL_set_info_callback, (SSL *, ft_info_fn)) \
    REQUIRED(SSL_CTX *, SSL_get_SSL_CTX, (const SSL *)) \
    REQUIRED(int, SSL_set_ex_data, (SSL *, int, void *)) \
    REQUIRED(void *, SSL_get_ex_data, (const SSL *, int)) \
    REQUIRED(int, SSL_get_ex_data_X509_STORE_CTX_idx, (void)) \
    REQUIRED(int, SSL_get_verify_mode, (const SSL *)) \
    REQUIRED(long, SSL_get_verify_result, (const SSL *)) \
    REQUIRED(int, SSL_is_server, (const SSL *)) \
    REQUIRED(int, SSL_session_reused, (const SSL *)) \
    REQUIRED(int, SSL_set_session_id_context, (SSL *, const unsigned char *, unsigned int)) \
    REQUIRED(void, SSL_set_shutdown, (SSL *, int)) \
    REQUIRED(long, SSL_ctrl, (SSL *, int, long, void *)) \
    REQUIRED(X509_VERIFY_PARAM *, SSL_get0_param, (SSL *)) \
    REQUIRED(int, SSL_get_security_level, (const SSL *)) \
    REQUIRED(ft_verify_one_fn, SSL_get_verify_callback, (const SSL *)) \
    REQUIRED(SSL_SESSION *, SSL_get_session, (const SSL *)) \
    REQUIRED(int, SSL_set_session, (SSL *, SSL_SESSION *)) \
    REQUIRED(const unsigned char *, SSL_SESSION_get0_id_context, (const SSL_SESSION *, unsigned int *)) \
    REQUIRED(const unsigned char *, SSL_SESSION_get_id, (const SSL_SESSION *, unsigned int *)) \
    REQUIRED(int, SSL_SESSION_has_ticket, (const SSL_SESSION *)) \
    REQUIRED(int, SSL_SESSION_set1_id_context, (SSL_SESSION *, const unsigned char *, unsigned int)) \
    REQUIRED(ft_x509s *, SSL_get_peer_cert_chain, (const SSL *)) \
    REQUIRED(ft_x509s *, SSL_get0_verified_chain, (const SSL *)) \
    OPTIONAL(X509 *, SSL_get1_peer_certificate, (const SSL *)) /* 3.0 and later */ \
    OPTIONAL(X509 *, SSL_get_peer_certificate, (const SSL *)) /* 1.1.1; a macro since */ \
    /* libcrypto */ \
    REQUIRED(int, CRYPTO_get_ex_new_index, (int, long, void *, ft_ex_new_fn, ft_ex_dup_fn, ft_ex_free_fn)) \
    REQUIRED(const char *, OpenSSL_version, (int)) \
    REQUIRED(unsigned long, OpenSSL_version_num, (void)) \
    REQUIRED(int, OPENSSL_issetugid, (void)) \
    REQUIRED(void, CRYPTO_free, (void *, const char *, int)) \
    REQUIRED(int, ERR_set_mark, (void)) \
    REQUIRED(int, ERR_pop_to_mark, (void)) \
    REQUIRED(unsigned long, ERR_peek_last_error, (void)) \
    REQUIRED(int, OPENSSL_sk_num, (const OPENSSL_STACK *)) \
    REQUIRED(void *, OPENSSL_sk_value, (const OPENSSL_STACK *, int)) \
    REQUIRED(OPENSSL_STACK *, OPENSSL_sk_new_null, (void)) \
    REQUIRED(int, OPENSSL_sk_push, (OPENSSL_STACK *, const void *)) \
    REQUIRED(void, OPENSSL_sk_free, (OPENSSL_STACK *)) \
    REQUIRED(void, OPENSSL_sk_pop_free, (OPENSSL_STACK *, ft_sk_free_fn)) \
    REQUIRED(int, X509_up_ref, (X509 *)) \
    REQUIRED(void, X509_free, (X509 *)) \
    REQUIRED(int, X509_cmp, (const X509 *, const X509 *)) \
    REQUIRED(int, X509_cmp_time, (const ASN1_TIME *, time_t *)) \
    REQUIRED(int, ASN1_TIME_compare, (const ASN1_TIME *, const ASN1_TIME *)) \
    REQUIRED(const ASN1_TIME *, X509_get0_notBefore, (const X509 *)) \
    REQUIRED(const ASN1_TIME *, X509_get0_notAfter, (const X509 *)) \
    REQUIRED(X509_NAME *, X509_get_subject_name, (const X509 *)) \
    REQUIRED(X509_NAME *, X509_get_issuer_name, (const X509 *)) \
    REQUIRED(EVP_PKEY *, X509_get0_pubkey, (const X509 *)) \
    REQUIRED(uint32_t, X509_get_extension_flags, (X509 *)) \
    REQUIRED(int, i2d_X509, (const X509 *, unsigned char **)) \
    REQUIRED(X509 *, d2i_X509, (X509 **, const unsigned char **, long)) \
    REQUIRED(int, X509_NAME_cmp, (const X509_NAME *, const X509_NAME *)) \
    REQUIRED(int, X509_NAME_entry_count, (const X509_NAME *)) \
    REQUIRED(X509_NAME_ENTRY *, X509_NAME_get_entry, (const X509_NAME *, int)) \
    REQUIRED(ASN1_OBJECT *, X509_NAME_ENTRY_get_object, (const X509_NAME_ENTRY *)) \
    REQUIRED(ASN1_STRING *, X509_NAME_ENTRY_get_data, (const X509_NAME_ENTRY *)) \
    REQUIRED(X509_NAME *, d2i_X509_NAME, (X509_NAME **, const unsigned char **, long)) \
    REQUIRED(void, X509_NAME_free, (X509_NAME *)) \
    OPTIONAL(unsigned char *, SHA1, (const unsigned char *, size_t, unsigned char *)) \
    OPTIONAL(unsigned long, X509_NAME_hash_ex, (const X509_NAME *, OSSL_LIB_CTX *, const char *, int *)) /* 3.0 and later */ \
    OPTIONAL(unsigned long, X509_NAME_hash, (X509_NAME *)) /* 1.1.1; a macro since */ \
    REQUIRED(size_t, OBJ_length, (const ASN1_OBJECT *)) \
    REQUIRED(const unsigned char *, OBJ_get0_data, (const ASN1_OBJECT *)) \
    REQUIRED(int, ASN1_STRING_type, (const ASN1_STRING *)) \
    REQUIRED(int, ASN1_STRING_length, (const ASN1_STRING *)) \
    REQUIRED(const unsigned char *, ASN1_STRING_get0_data, (const ASN1_STRING *)) \
    REQUIRED(X509_STORE *, X509_STORE_new, (void)) \
    REQUIRED(void, X509_STORE_free, (X509_STORE *)) \
    REQUIRED(int, X509_STORE_up_ref, (X509_STORE *)) \
    REQUIRED(int, X509_STORE_lock, (X509_STORE *)) \
    REQUIRED(int, X509_STORE_unlock, (X509_STORE *)) \
    REQUIRED(ft_objects *, X509_STORE_get0_objects, (const X509_STORE *)) \
    REQUIRED(int, X509_STORE_add_cert, (X509_STORE *, X509 *)) \
    REQUIRED(int, X509_STORE_add_crl, (X509_STORE *, X509_CRL *)) \
    REQUIRED(int, X509_STORE_set1_param, (X509_STORE *, const X509_VERIFY_PARAM *)) \
    REQUIRED(X509_VERIFY_PARAM *, X509_STORE_get0_param, (const X509_STORE *)) \
    REQUIRED(int, X509_STORE_set_ex_data, (X509_STORE *, int, void *)) \
    REQUIRED(void *, X509_STORE_get_ex_data, (const X509_STORE *, int)) \
    REQUIRED(void, X509_STORE_set_get_issuer, (X509_STORE *, ft_get_issuer_fn)) \
    REQUIRED(void, X509_STORE_set_lookup_certs, (X509_STORE *, ft_lookup_certs_fn)) \
    REQUIRED(X509 *, X509_OBJECT_get0_X509, (const X509_OBJECT *)) \
    REQUIRED(X509_CRL *, X509_OBJECT_get0_X509_CRL, (const X509_OBJECT *)) \
    REQUIRED(X509_STORE_CTX *, X509_STORE_CTX_new, (void)) \
    REQUIRED(int, X509_STORE_CTX_init, (X509_STORE_CTX *, X509_STORE *, X509 *, ft_x509s *)) \
    REQUIRED(void, X509_STORE_CTX_free, (X509_STORE_CTX *)) \
    REQUIRED(void *, X509_STORE_CTX_get_ex_data, (const X509_STORE_CTX *, int)) \
    REQUIRED(int, X509_STORE_CTX_set_ex_data, (X509_STORE_CTX *, int, void *)) \
    REQUIRED(int, X509_STORE_CTX_set_default, (X509_STORE_CTX *, const char *)) \
    REQUIRED(void, X509_STORE_CTX_set_flags, (X509_STORE_CTX *, unsigned long)) \
    REQUIRED(X509 *, X509_STORE_CTX_get0_cert, (const X509_STORE_CTX *)) \
    REQUIRED(X509_STORE *, X509_STORE_CTX_get0_store, (const X509_STORE_CTX *)) \
    REQUIRED(X509_VERIFY_PARAM *, X509_STORE_CTX_get0_param, (const X509_STORE_CTX *)) \
    REQUIRED(ft_x509s *, X509_STORE_CTX_get0_untrusted, (const X509_STORE_CTX *)) \
    REQUIRED(ft_x509s *, X509_STORE_CTX_get0_chain, (const X509_STORE_CTX *)) \
    REQUIRED(ft_x509s *, X509_STORE_CTX_get1_certs, (X509_STORE_CTX *, const X509_NAME *)) \
    REQUIRED(ft_check_issued_fn, X509_STORE_CTX_get_check_issued, (const X509_STORE_CTX *)) \
    REQUIRED(int, X509_STORE_CTX_get_error, (const X509_STORE_CTX *)) \
    REQUIRED(void, X509_STORE_CTX_set_error, (X509_STORE_CTX *, int)) \
    REQUIRED(int, X509_STORE_CTX_get_error_depth, (const X509_STORE_CTX *)) \
    REQUIRED(void, X509_STORE_CTX_set_verify_cb, (X509_STORE_CTX *, ft_verify_one_fn)) \
    REQUIRED(int, X509_VERIFY_PARAM_set1, (X509_VERIFY_PARAM *, const X509_VERIFY_PARAM *)) \
    REQUIRED(void, X509_VERIFY_PARAM_set_auth_level, (X509_VERIFY_PARAM *, int)) \
    REQUIRED(void, X509_VERIFY_PARAM_set_time, (X509_VERIFY_PARAM *, time_t)) \
    REQUIRED(unsigned long, X509_VERIFY_PARAM_get_flags, (const X509_VERIFY_PARAM *)) \
    REQUIRED(time_t, X509_VERIFY_PARAM_get_time, (const X509_VERIFY_PARAM *)) \
    REQUIRED(const char *, X509_verify_cert_error_string, (long)) \
    REQUIRED(void, X509_STORE_CTX_set_error_depth, (X509_STORE_CTX *, int)) \
    REQUIRED(ft_verify_one_fn, X509_STORE_CTX_get_verify_cb, (const X509_STORE_CTX *)) \
    REQUIRED(void, X509_STORE_CTX_set0_trusted_stack, (X509_STORE_CTX *, ft_x509s *)) \
    REQUIRED(void, X509_STORE_CTX_set0_verified_chain, (X509_STORE_CTX *, ft_x509s *)) \
    REQUIRED(ft_x509s *, X509_STORE_CTX_get1_chain, (const X509_STORE_CTX *)) \
    REQUIRED(int, X509_VERIFY_PARAM_set_flags, (X509_VERIFY_PARAM *, unsigned long)) \
    REQUIRED(int, X509_VERIFY_PARAM_clear_flags, (X509_VERIFY_PARAM *, unsigned long)) \
    OPTIONAL(char *, X509_VERIFY_PARAM_get0_host, (X509_VERIFY_PARAM *, int)) /* 3.0 and later */ \
    OPTIONAL(char *, X509_VERIFY_PARAM_get1_ip_asc, (X509_VERIFY_PARAM *)) /* 3.0 and later */ \
    REQUIRED(int, X509_verify_cert, (X509_STORE_CTX *))
// clang-format on

/* Numbers that OpenSSL fixes for ever in its headers; check_ossl.c compares them. */
enum {
    FT_SSL_VERIFY_PEER = 0x01,
    FT_SSL_CB_HANDSHAKE_START = 0x10,
    FT_SSL_CB_HANDSHAKE_DONE = 0x20,
    FT_SSL_BOTH_SHUTDOWN = 0x3,
    FT_SSL_CTRL_CERT_FLAGS = 99,
    FT_SUITE_B = 0x30000,
    FT_EX_INDEX_SSL = 0,
    FT_EX_INDEX_SSL_CTX = 1,
    FT_SSL_CTRL_ASK_STAPLE = 65,
    FT_SSL_CTRL_GET_STAPLE = 70,
    FT_STAPLE_OCSP = 1,
    FT_EX_INDEX_X509_STORE = 4,
    FT_EX_INDEX_X509_STORE_CTX = 5,
    FT_V_FLAG_USE_CHECK_TIME = 0x2,
    FT_V_FLAG_CRL_CHECK = 0x4,
    FT_V_FLAG_CRL_CHECK_ALL = 0x8,
    FT_V_FLAG_X509_STRICT = 0x20,
    FT_V_FLAG_PARTIAL_CHAIN = 0x80000,
    FT_V_FLAG_NO_CHECK_TIME = 0x200000,
    FT_EXFLAG_INVALID = 0x80,
    FT_OPENSSL_3 = 0x30000000
};

struct ft_ossl {
#define FT_DECLARE(result, name, arguments) result(*name) arguments;
    FT_OSSL_FUNCTIONS(FT_DECLARE, FT_DECLARE)
#undef FT_DECLARE
    size_t header;      // where the fields of a Python object begin
    int ssl_index;      // our ex_data: ft_record of an SSL
    int ssl_ctx_index;  // ft_context of an SSL_CTX
    int store_index;    // ft_anchors of an X509_STORE
    int question_index; // what step 4 tells its verify callback, of an X509_STORE_CTX
};

/* ft_ossl returns the proved table; *borrowed*, for ever. NULL before ft_open succeeded. */
const struct ft_ossl *ft_ossl(void);

/* ---- pyssl.c ----------------------------------------------------------------------------- */

/* ft_pyssl_prove proves that `ossl` is the library of the specimen, libcrypto included. */
FT_MUST_USE bool ft_pyssl_prove(const struct ft_ossl *ossl, const ft_specimen *specimen,
                                ft_error *err);

/* From a Python object to what it owns; *borrowed*. NULL for an object never initialised. */
FT_MUST_USE SSL_CTX *ft_pyssl_context(uintptr_t context, ft_error *err);
FT_MUST_USE SSL *ft_pyssl_connection(uintptr_t connection, ft_error *err);

/* ---- chain.c ----------------------------------------------------------------------------- */

/*
 * ft_chain_new references every certificate of `certs`, which may be NULL, with `first`, which may
 * be NULL, before them. *owned*, ft_chain_free. NULL with err->code FT_OK where there are none.
 */
ft_chain *ft_chain_new(X509 *first, ft_x509s *certs, ft_error *err);
ft_chain *ft_chain_ref(ft_chain *chain);

/* ft_chain_cert returns one certificate; *borrowed* until the chain is freed. */
X509 *ft_chain_cert(const ft_chain *chain, size_t place);

/* ft_chain_of_ssl makes a chain of what OpenSSL itself holds of the connection. */
ft_chain *ft_chain_of_ssl(SSL *ssl, bool verified, ft_error *err);

/* ---- record.c ---------------------------------------------------------------------------- */

/* ft_record_of returns the record of an SSL, made now if need be; *borrowed* from the SSL. */
FT_MUST_USE ft_record *ft_record_of(SSL *ssl, ft_error *err);

/* ft_record_find returns the record of an SSL; *borrowed* from the SSL; NULL where it has none. */
ft_record *ft_record_find(const SSL *ssl);

/*
 * ft_record_publish makes a capture the latest one. Takes both chains, also when it fails.
 * On the handshake's thread only.
 */
FT_MUST_USE bool ft_record_publish(ft_record *record, ft_chain *peer, ft_chain *verified,
                                   const ft_verdict *verdict, ft_error *err);

bool ft_record_captured(ft_record *record);

/* The hash of what the connection's sessions are verified under; NULL where it has none. Written
 * before the handshake. */
void ft_record_set_hash(ft_record *record, const unsigned char *hash);
const unsigned char *ft_record_hash(const ft_record *record);

/* ft_record_switched tells whether another store verifies the connection than it was made for: an
 * SNI callback gave it another context, or its context was attached to again. */
bool ft_record_switched(const ft_record *record, const SSL *ssl);

void ft_record_ex_free(void *, void *, CRYPTO_EX_DATA *, int, long, void *);
int ft_record_ex_dup(CRYPTO_EX_DATA *, const CRYPTO_EX_DATA *, void **, int, long, void *);

/* ---- index.c ----------------------------------------------------------------------------- */

ft_index *ft_index_ref(ft_index *index);

/* ft_index_find appends every anchor of that subject, referenced. False only without memory. */
FT_MUST_USE bool ft_index_find(ft_index *index, const X509_NAME *subject, ft_x509s *to);

/* ft_index_hold finds out whether this very certificate is among the anchors. */
FT_MUST_USE bool ft_index_hold(ft_index *index, bool *out_held, X509 *cert, ft_error *err);

/* ---- source.c ---------------------------------------------------------------------------- */

ft_source *ft_source_ref(ft_source *source);

/* The same two questions, asked of whichever index is the present one. */
FT_MUST_USE bool ft_source_find(ft_source *source, const X509_NAME *subject, ft_x509s *to);
FT_MUST_USE bool ft_source_hold(ft_source *source, bool *out_held, X509 *cert, ft_error *err);

/* ---- session.c --------------------------------------------------------------------------- */

/* ft_session_unbind makes a server's new session one that nobody can resume, unless its client is
 * verified by the context that the session belongs to. */
void ft_session_unbind(const SSL *ssl, const ft_record *record);

/* The three are about a client; `record` is the connection's, NULL where it has none. */

/* ft_session_offer lets a session of the connection's hash be resumed; before ClientHello. */
void ft_session_offer(SSL *ssl, const ft_record *record);

/* ft_session_keep gives what a full handshake made the hash that it was verified under. */
void ft_session_keep(SSL *ssl, const ft_record *record);

/* ft_session_counts tells whether a resumed session is worth a verification on this connection. */
bool ft_session_counts(const SSL *ssl, const ft_record *record);

/* ---- context.c --------------------------------------------------------------------------- */

/* ft_context_find tells whether an SSL_CTX carries our verifier. */
bool ft_context_find(const SSL_CTX *ctx);

void ft_context_ex_free(void *, void *, CRYPTO_EX_DATA *, int, long, void *);

/* ---- anchors.c --------------------------------------------------------------------------- */

/* ft_anchors is what the look-ups of one store are answered from, beside the store itself. */
typedef struct ft_anchors ft_anchors;

/* ft_anchors_install makes the store answer from `trust` too. Before anybody uses the store. */
FT_MUST_USE bool ft_anchors_install(X509_STORE *store, const ft_trust *trust, ft_error *err);

/* The two changes of what a store of ours answers from; see ft_context_add,
 * ft_context_trust_system. */
FT_MUST_USE bool ft_anchors_add(X509_STORE *store, ft_index *index, ft_error *err);
FT_MUST_USE bool ft_anchors_set_system(X509_STORE *store, const ft_trust *trust, ft_error *err);
FT_MUST_USE bool ft_anchors_set_own(X509_STORE *store, ft_error *err);

/* ft_judges is who is asked about a peer. */
typedef struct ft_judges {
    bool own;      // there are anchors that we hold: OpenSSL is asked first
    bool own_crls; // CRLs may be among what we hold: no index has any, ssl's loaders take them
    bool platform; // the platform is asked
    ft_policy policy;
} ft_judges;

ft_judges ft_anchors_judges(X509_STORE_CTX *question);

/* ft_anchors_want_staple tells whether the platform judges servers, and by a stapled response too;
 * `looks_up` says that the connection's flags ask for revocation. */
bool ft_anchors_want_staple(const X509_STORE *store, bool looks_up);

void ft_anchors_ex_free(void *, void *, CRYPTO_EX_DATA *, int, long, void *);

/* ---- decide.c ---------------------------------------------------------------------------- */

/*
 * ft_decide walks steps 2 to 4 of the design. Where it accepts, `question` holds the verified chain
 * and `out_verdict` the code 0.
 */
FT_MUST_USE bool ft_decide(X509_STORE_CTX *question, SSL *ssl, ft_chain *peer,
                           ft_verdict *out_verdict);

/* ft_verify_question is X509_verify_cert, with its verdict. A question can be verified once. */
FT_MUST_USE bool ft_verify_question(X509_STORE_CTX *question, ft_step step,
                                    ft_verdict *out_verdict);

/* ---- agree.c ----------------------------------------------------------------------------- */

/* ft_agree is step 4; where OpenSSL agrees `question` holds the verified chain. */
FT_MUST_USE bool ft_agree(X509_STORE_CTX *question, const SSL *ssl, ft_chain *peer,
                          const ft_answer *answer, ft_verdict *out_verdict);

/* ---- verify.c ---------------------------------------------------------------------------- */

/* The two callbacks of an SSL_CTX; the second is each connection's own too. */
int ft_verify_callback(X509_STORE_CTX *question, void *arg);
void ft_verify_watch(const SSL *ssl, int where, int value);

#endif
