#ifndef FASTTRUST_H
#define FASTTRUST_H

/*
 * Everything of the C core that Python may see. This one file is the C header and, less its lines
 * that start with '#' and the word FT_MUST_USE, cffi's cdef: so constants are enums, and there is
 * no #if after the guard.
 *
 * Conventions
 *
 * - Pointers are borrowed for the call unless a comment says otherwise, with one of these words:
 *   *owned* (returned: the caller frees it with the named function), *borrowed* (returned: valid
 *   until the named object is freed or changed), *must outlive* (argument: we keep the pointer).
 * - Python objects travel as id() in a uintptr_t. The caller holds a reference during the call and
 *   has checked the type: `object` of type _ssl._SSLContext or _ssl._SSLSocket, nothing else.
 * - A function that can fail returns bool, or an owned pointer that is NULL for failure, and fills
 *   `err`, which is never NULL. Only the first writer of an ft_error wins.
 * - Every _free takes NULL.
 * - Nothing here needs the GIL, calls Python, or takes a lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

enum { FT_CALL_LEN = 48, FT_MESSAGE_LEN = 256 };

/* Grouped by what the caller does next. Appended, never renumbered. */
typedef enum ft_code {
    FT_OK = 0,
    FT_E_MEMORY = 1,      // out of memory
    FT_E_MISUSE = 2,      // an object that cannot be asked this, such as one never initialised
    FT_E_UNAVAILABLE = 3, // Python's own OpenSSL cannot be reached, or is not the one we found
    FT_E_FOREIGN = 4,     // a call into OpenSSL failed; `call` names it
    FT_E_MALFORMED = 5    // not plainly certificates: OpenSSL's own loader must say what it is
} ft_code;

typedef struct ft_error {
    ft_code code;                 // ours: what a caller acts on
    int64_t native;               // theirs, 0 if none
    int32_t depth;                // certificate at fault, 0 is the leaf, -1 unknown
    char call[FT_CALL_LEN];       // the foreign function that said no, "" if none
    char message[FT_MESSAGE_LEN]; // UTF-8, a complete sentence, no newline
} ft_error;

/* ---- Python's own OpenSSL ---------------------------------------------------------------- */

/* ft_specimen is a pair of throw-away Python objects by which a library is proved. */
typedef struct ft_specimen {
    size_t header;        // object.__basicsize__: where the fields of an object begin
    uintptr_t context;    // an _ssl._SSLContext made for PROTOCOL_TLS_CLIENT
    uintptr_t connection; // an _ssl._SSLSocket of that context, before its handshake
} ft_specimen;

/*
 * ft_open finds the OpenSSL that the running _ssl uses, resolves every function that we call, and
 * proves by the specimen that library and layout are the right ones. Nothing is kept of a library
 * that is not proved. `ssl_path` is the file of the module _ssl, NULL where it is built in.
 * A second call after success does nothing. Not to be called from two threads at once.
 */
FT_MUST_USE bool ft_open(const char *ssl_path, const ft_specimen *specimen, ft_error *err);

/*
 * ft_probe tells whether two objects are a context and a connection of the library that ft_open
 * proved, at the given offset. Reads memory only through the kernel, so that any address may be
 * given, and calls no function of OpenSSL on anything that does not look like its own.
 */
FT_MUST_USE bool ft_probe(const ft_specimen *specimen, ft_error *err);

/* ft_system_name names the verifier of this build's platform: "openssl", which is asked about
 * anchors that we hold, "cryptoapi" or "sectrust", which hold their own; *borrowed*, for ever. */
const char *ft_system_name(void);

/* ft_openssl_version returns the text of OpenSSL_version(); *borrowed*, for ever. After ft_open. */
const char *ft_openssl_version(void);

/* ft_is_setuid tells whether OpenSSL takes the environment for somebody else's. After ft_open. */
bool ft_is_setuid(void);

/* ---- trust anchors ----------------------------------------------------------------------- */

/* ft_der is one certificate in DER; *borrowed* until what it was asked of is freed. */
typedef struct ft_der {
    const char *data; // bytes; of type char, as cffi makes bytes of char only
    size_t len;
} ft_der;

/*
 * ft_index is an immutable set of trust anchors, found by subject, each parsed when OpenSSL first
 * asks for it. The frame of every certificate is checked when the index is made; an anchor with a
 * deeper defect is as good as absent. Equal DER counts once.
 */
typedef struct ft_index ft_index;

/*
 * ft_index_from_pem reads a text whose blocks are all certificates; *owned*, ft_index_free.
 * FT_E_MALFORMED where there is any other block, or one that is not plainly a certificate: nothing
 * of such a text is kept.
 */
FT_MUST_USE ft_index *ft_index_from_pem(const char *text, size_t text_len, ft_error *err);

/* ft_index_from_der reads `num` certificates, one behind the other; *owned*, ft_index_free. */
FT_MUST_USE ft_index *ft_index_from_der(const char *data, size_t data_len, const size_t *lens,
                                        size_t num, ft_error *err);

size_t ft_index_len(const ft_index *index);

/* ft_index_der returns one anchor as it was read; *borrowed* until the index is freed. */
ft_der ft_index_der(const ft_index *index, size_t place);

/* ft_index_name_hashes fills one number per anchor: that in the name of its file in a hashed
 * directory, 0 where the subject cannot be parsed. After ft_open. */
void ft_index_name_hashes(const ft_index *index, uint32_t *out_hashes);

void ft_index_free(ft_index *index);

/*
 * ft_source is the system's anchors: an index that is replaced when the system's store changes,
 * under handshakes that go on meanwhile. Every function may be called from any thread.
 */
typedef struct ft_source ft_source;

/* ft_source_new begins with `index`, which it references; *owned*, ft_source_free. */
FT_MUST_USE ft_source *ft_source_new(ft_index *index, ft_error *err);

/*
 * ft_source_due tells one caller, and one only, that the store is to be looked at again: once the
 * clock passes the deadline, which then moves on by `period`. Any monotonic clock, in any unit.
 */
bool ft_source_due(ft_source *source, int64_t now, int64_t period);

/* ft_source_replace makes `index`, which it references, the present one. */
FT_MUST_USE bool ft_source_replace(ft_source *source, ft_index *index, ft_error *err);

void ft_source_free(ft_source *source);

/* ---- contexts ---------------------------------------------------------------------------- */

/* Whose revocation is looked up where the system decides; OpenSSL knows only the program's CRLs. */
typedef enum ft_revocation {
    FT_REVOCATION_PLATFORM = 0, // what the platform does by itself
    FT_REVOCATION_SOFT = 1,     // asked for; whoever cannot be asked counts as not revoked
    FT_REVOCATION_HARD = 2      // asked for; no answer is a refusal
} ft_revocation;

/* ft_policy bounds what the platform may do for one verdict. */
typedef struct ft_policy {
    ft_revocation revocation;
    bool network;       // intermediates and revocation may be fetched
    int32_t timeout_ms; // for all that is fetched together
} ft_policy;

/* ft_trust is what a context trusts beside what its own store holds. */
typedef struct ft_trust {
    ft_index **indexes; // count on both sides of a connection; each referenced
    size_t num_indexes;
    ft_source *system; // the system's anchors where they are a list; NULL for none; referenced
    bool ask_platform; // the system is the platform's own verifier
    bool for_clients;  // the system verifies servers
    bool for_servers;  // it verifies clients
    bool own;          // the context's store holds more: OpenSSL is asked before the platform
    ft_index *dropped; // attaching keeps none of these, nor of the system's; NULL for none
    ft_policy policy;
} ft_trust;

/*
 * ft_context_attach gives the SSL_CTX of `context` our verifier and a fresh store. With `keep` that
 * holds the CRLs of the old one, and its certificates beyond the system's anchors and the dropped
 * ones. The old store lives until the SSL_CTX dies: handshakes may be using it. Not to be called
 * from two threads at once on one context.
 */
FT_MUST_USE bool ft_context_attach(uintptr_t context, const ft_trust *trust, bool keep,
                                   ft_error *err);

/* ft_context_add adds an index to what the context trusts, for handshakes from now on. */
FT_MUST_USE bool ft_context_add(uintptr_t context, ft_index *index, ft_error *err);

/* ft_context_trust_system changes which system counts, and on which side, from now on: `system`,
 * `ask_platform`, `for_clients` and `for_servers` of `trust`, whose other fields are not read. */
FT_MUST_USE bool ft_context_trust_system(uintptr_t context, const ft_trust *trust, ft_error *err);

/* ft_context_own says that OpenSSL's own loader put something into the context's store. */
FT_MUST_USE bool ft_context_own(uintptr_t context, ft_error *err);

/* ft_context_set_time makes connections from now on judge by that moment, seconds since 1970. */
FT_MUST_USE bool ft_context_set_time(uintptr_t context, int64_t at, ft_error *err);

/* ft_connection_set_time makes a connection judge so, whatever became of its context's flags. */
FT_MUST_USE bool ft_connection_set_time(uintptr_t connection, int64_t at, ft_error *err);

/* ft_context_attached tells whether the SSL_CTX carries our verifier. */
bool ft_context_attached(uintptr_t context);

/* ---- sessions ---------------------------------------------------------------------------- */

enum { FT_SESSION_CONTEXT_LEN = 32 };

/*
 * ft_connection_bind gives a connection, before its handshake, the session id context of its
 * sessions: a hash of all that they are verified under. OpenSSL resumes no session of another; one
 * that the program has set is dropped here, so that a full handshake follows and not an error.
 */
FT_MUST_USE bool ft_connection_bind(uintptr_t connection, const char *hash, ft_error *err);

/* ---- connections ------------------------------------------------------------------------- */

/* Where the road of verify.c ended. */
typedef enum ft_step {
    FT_STEP_NONE = 0,    // no verification ran on this connection (yet)
    FT_STEP_UNASKED = 1, // the connection verifies nobody (CERT_NONE)
    FT_STEP_RESUMED = 2, // a resumed session: nothing is verified again
    FT_STEP_OPENSSL = 3, // OpenSSL decided, by anchors that we hold
    FT_STEP_BROKEN = 4,  // the verification could not be carried out, hence refused
    FT_STEP_SYSTEM = 5,  // the platform decided; where it accepted, OpenSSL agreed
    FT_STEP_AGREE = 6    // the platform accepted, and OpenSSL refused its chain
} ft_step;

typedef struct ft_verdict {
    ft_step step;
    int32_t code;                        // X509_V_ERR_* of the running OpenSSL, 0 is trusted
    int32_t depth;                       // certificate at fault, 0 is the leaf, -1 unknown
    int64_t native_code;                 // the platform's own, 0 if none
    char native_message[FT_MESSAGE_LEN]; // the platform's own words, "" if none
} ft_verdict;

/* ft_record is what we know of one connection. Written by the handshake's thread, read by any. */
typedef struct ft_record ft_record;

/* ft_chain is an immutable list of referenced X509s, leaf first. */
typedef struct ft_chain ft_chain;

/* ft_record_watch returns the connection's record, made now if need be; *owned*, ft_record_free. */
FT_MUST_USE ft_record *ft_record_watch(uintptr_t connection, ft_error *err);
void ft_record_free(ft_record *record);

/* ft_record_verdict copies the latest verdict. */
void ft_record_verdict(ft_record *record, ft_verdict *out_verdict);

/*
 * ft_record_chain returns what was captured: what the peer sent, or what was verified. *owned*,
 * ft_chain_free. NULL where there is nothing.
 */
ft_chain *ft_record_chain(ft_record *record, bool verified);

/*
 * ft_connection_chain is ft_record_chain for any connection: where its context carries our verifier
 * what was captured, else what OpenSSL holds, which another thread must not be reading. The
 * verified chain of such a connection counts only with verify result 0, not resumed, and with a
 * verify mode other than CERT_NONE. NULL with err->code FT_OK where there is nothing.
 */
ft_chain *ft_connection_chain(uintptr_t connection, bool verified, ft_error *err);

/*
 * ft_record_captures returns how often anything was captured. A chain that was asked for after a
 * number was read is the present one for as long as that number is.
 */
int32_t ft_record_captures(ft_record *record);

/* ft_part is one certificate of a chain that is put together. */
typedef struct ft_part {
    ft_chain *chain; // one of this chain, at `place`; NULL where it is given in DER
    size_t place;
    ft_der der;
} ft_part;

/*
 * ft_chain_make puts a chain together, at least one certificate; *owned*, ft_chain_free. What is
 * given in DER is parsed here, what comes of a chain is not parsed again. FT_E_MALFORMED where one
 * is no certificate or has something behind it; err->depth says which. After ft_open.
 */
FT_MUST_USE ft_chain *ft_chain_make(const ft_part *parts, size_t num, ft_error *err);

size_t ft_chain_len(const ft_chain *chain);

/* ft_chain_ders returns one ft_der for each certificate, made at the first call; *borrowed* until
 * the chain is freed. NULL where memory runs out: what was parsed can be encoded. */
FT_MUST_USE const ft_der *ft_chain_ders(ft_chain *chain);

void ft_chain_free(ft_chain *chain);

/* ---- without a handshake ----------------------------------------------------------------- */

/*
 * ft_connection_verify verifies a chain as if the peer of this connection, which belongs to a
 * context of ours, had sent it in a handshake. True where there is a verdict, whatever it is; the
 * connection's record has it too. Only where it is 0 there is a verified chain, *owned*,
 * ft_chain_free. `at_time` is seconds since 1970, NULL for now.
 */
FT_MUST_USE bool ft_connection_verify(uintptr_t connection, ft_verdict *out_verdict,
                                      ft_chain **out_verified, const ft_chain *chain,
                                      const int64_t *at_time, ft_error *err);

/* ---- compat mode: the platform alone ----------------------------------------------------- */

/* ft_peer is what a server sent, and what is asked about it. Everything is *borrowed*. */
typedef struct ft_peer {
    const ft_der *certs; // leaf first
    size_t num_certs;
    const char *host; // A-label or text of an address; NULL where no name is to be checked
    bool host_is_address;
    bool check_leaf;        // VERIFY_CRL_CHECK_LEAF
    bool check_chain;       // VERIFY_CRL_CHECK_CHAIN
    const int64_t *at_time; // seconds since 1970; NULL for now
    ft_policy policy;
} ft_peer;

/*
 * ft_platform_verify asks the platform about a server, names included, without any OpenSSL; that
 * an address is the leaf's is for the caller to see. Only where it returns true, with code 0,
 * there is a verified chain, leaf first; *owned*, ft_platform_chain_free. Works without ft_open.
 */
FT_MUST_USE bool ft_platform_verify(const ft_peer *peer, ft_verdict *out_verdict,
                                    ft_der **out_chain, size_t *out_num_chain);
void ft_platform_chain_free(ft_der *chain);

/* ft_code_text returns OpenSSL's own words for a code of a verdict; *borrowed*, for ever. */
const char *ft_code_text(int32_t code);

#endif
