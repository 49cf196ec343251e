#ifndef FASTTRUST_CORE_H
#define FASTTRUST_CORE_H

/*
 * What the files of the core share and Python may not see. No header of OpenSSL, of Python or of a
 * system: a platform file can include this one and its own system's.
 */

#include "fasttrust.h"

/* ---- error.c ----------------------------------------------------------------------------- */

/* ft_error_set fills an error that nobody filled before. `call` may be NULL. */
void ft_error_set(ft_error *err, ft_code code, const char *call, const char *format, ...)
    FT_PRINTF(4, 5);

/* ---- codes -------------------------------------------------------------------------------- */

/* X509_V_ERR_* of OpenSSL 3 and 4: the language in which every platform answers. */
enum {
    FT_V_OK = 0,
    FT_V_ERR_UNSPECIFIED = 1,
    FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT = 2,
    FT_V_ERR_UNABLE_TO_GET_CRL = 3,
    FT_V_ERR_CERT_SIGNATURE_FAILURE = 7,
    FT_V_ERR_CERT_NOT_YET_VALID = 9,
    FT_V_ERR_CERT_HAS_EXPIRED = 10,
    FT_V_ERR_OUT_OF_MEM = 17,
    FT_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT = 18,
    FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN = 19,
    FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20,
    FT_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE = 21,
    FT_V_ERR_CERT_REVOKED = 23,
    FT_V_ERR_PATH_LENGTH_EXCEEDED = 25,
    FT_V_ERR_INVALID_PURPOSE = 26,
    FT_V_ERR_CERT_REJECTED = 28,
    FT_V_ERR_UNHANDLED_CRITICAL_EXTENSION = 34,
    FT_V_ERR_INVALID_EXTENSION = 41,
    FT_V_ERR_INVALID_POLICY_EXTENSION = 42,
    FT_V_ERR_NO_EXPLICIT_POLICY = 43,
    FT_V_ERR_PERMITTED_VIOLATION = 47,
    FT_V_ERR_EXCLUDED_VIOLATION = 48,
    FT_V_ERR_SUBTREE_MINMAX = 49,
    FT_V_ERR_APPLICATION_VERIFICATION = 50,
    FT_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE = 51,
    FT_V_ERR_HOSTNAME_MISMATCH = 62,
    FT_V_ERR_IP_ADDRESS_MISMATCH = 64,
    FT_V_ERR_EE_KEY_TOO_SMALL = 66,
    FT_V_ERR_CA_KEY_TOO_SMALL = 67,
    FT_V_ERR_CA_MD_TOO_WEAK = 68,
    FT_V_ERR_NO_VALID_SCTS = 71,
    FT_V_ERR_INVALID_CA_1_1_1 = 24,
    FT_V_ERR_INVALID_CA = 79
};

/* ---- codes.c ----------------------------------------------------------------------------- */

/*
 * ft_code_of_os_status says what a number of macOS means. Never 0; 50 where nobody knows; 10 both
 * for expired and for not yet valid; 20 for every way of not knowing an issuer.
 */
int32_t ft_code_of_os_status(int64_t status, bool host_is_address);

/* ft_reason is one of Windows' numbers in OpenSSL's language. */
typedef struct ft_reason {
    uint32_t number;  // the one that decided
    int32_t code;     // 0 only where there is no number; 50 where nobody knows it
    const char *name; // as Windows calls it, "" where nobody knows it
} ft_reason;

/* ft_reason_of_trust_status returns the gravest bit of dwErrorStatus in a CERT_TRUST_STATUS. */
ft_reason ft_reason_of_trust_status(uint32_t status);

/* ft_reason_of_hresult returns what dwError in a CERT_CHAIN_POLICY_STATUS means. */
ft_reason ft_reason_of_hresult(uint32_t result);

/* ---- platform_<one>.c: the seam ---------------------------------------------------------- */

/* ft_question is what the platform is asked about one peer. Everything is *borrowed*. */
typedef struct ft_question {
    const ft_der *certs;  // as the peer sent them, leaf first; at least one
    size_t num_certs;     //
    const char *host;     // A-label or text of an address; NULL where no name is to be checked
    bool host_is_address; //
    bool names_are_yours; // OpenSSL checks no name after you: compat mode has no step 4
    bool is_server;       // the peer is a server (we are its client)
    bool check_leaf;      // VERIFY_CRL_CHECK_LEAF: the program wants the leaf's revocation known
    bool check_chain;     // VERIFY_CRL_CHECK_CHAIN: that of every certificate
    bool own_crls;        // the program may hold CRLs itself: step 4 will ask them
    bool has_time;        // `time` is the moment to judge by, else now
    int64_t time;         // seconds since 1970
    ft_der staple;        // a stapled OCSP response; no data where there is none
    ft_policy policy;     //
} ft_question;

/* ft_answer is the platform's word. It begins as {0} with a code that refuses. */
typedef struct ft_answer {
    int32_t code;                        // FT_V_*, 0 is trusted
    int32_t depth;                       // certificate at fault, 0 is the leaf, -1 unknown
    int64_t native_code;                 // OSStatus, HRESULT or TrustStatus; 0 if none
    char native_message[FT_MESSAGE_LEN]; // UTF-8, "" if none
    bool revocation_checked;             // the platform knows that nothing of the chain is revoked
    ft_der *chain;                       // verified, leaf first; *owned*, free(), one block
    size_t num_chain;                    //
} ft_answer;

/*
 * ft_system_verify asks the platform for its verdict (design, step 3). Returns whether the peer is
 * trusted: only with a code of 0 and a chain. Where nobody known issued the certificate the code
 * is 18, 19 or 20; 9 and 10 are told apart by the caller. Names are the caller's business (step 4),
 * where the platform leaves them to it.
 * Runs on the handshake's thread without the GIL, takes no lock, calls no OpenSSL.
 */
FT_MUST_USE bool ft_system_verify(const ft_question *question, ft_answer *out_answer);

/* Whether a stapled response counts for the platform's verdict where nobody wants revocation. */
extern const bool ft_system_always_reads_staples;

/* ---- ders.c ------------------------------------------------------------------------------ */

/* ft_ders_copy copies certificates into one block: the list, then the bytes; *owned*, free().
 * NULL where memory runs out. */
FT_MUST_USE ft_der *ft_ders_copy(const ft_der *ders, size_t num);

/*
 * ft_ders_unissued says which of 18, 19 and 20 OpenSSL calls what a peer sent where nobody known
 * issued it, and at which depth: by the names alone, followed from the leaf. The depth is -1 where
 * they go in a circle or cannot be read. For a platform that does not tell.
 */
int32_t ft_ders_unissued(const ft_der *certs, size_t num, int32_t *out_depth);

/* ---- library_<one>.c: what the loader knows ---------------------------------------------- */

/* Whether the library is the one that was looked for. */
typedef bool (*ft_library_try_fn)(const void *library, void *arg);

/*
 * ft_library_each offers the loaded libraries that may be the OpenSSL of _ssl, the likeliest first,
 * until one is taken; returns whether one was. `ssl_path` is UTF-8, or the system's own bytes; NULL
 * where _ssl is built in. A library is valid inside `take` only.
 */
FT_MUST_USE bool ft_library_each(const char *ssl_path, ft_library_try_fn take, void *arg);

/* ft_library_find returns a function's address, NULL where the library has none of that name. */
void *ft_library_find(const void *library, const char *name);

/* ft_memory_read copies memory that may not be there; false where it is not, and then no crash.
 * Leaves errno, or Windows' last error, as it was. */
FT_MUST_USE bool ft_memory_read(uintptr_t address, void *out_bytes, size_t num_bytes);

#endif
