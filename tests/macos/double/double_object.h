#ifndef FASTTRUST_TESTS_DOUBLE_OBJECT_H
#define FASTTRUST_TESTS_DOUBLE_OBJECT_H

/* What the files of the double share: objects, their types, and how a process is ended. */

#include <CoreFoundation/CoreFoundation.h>
#include <Security/Security.h>

#include <openssl/x509.h>
#include <pthread.h>

#include "platform_double.h"

typedef enum kind {
    KIND_ARRAY,
    KIND_DATA,
    KIND_DATE,
    KIND_STRING,
    KIND_ERROR,
    KIND_CERT,
    KIND_POLICY,
    KIND_TRUST
} kind;

typedef struct object object;

struct object {
    uint32_t magic; // this is an object at all, alive or freed
    kind kind;
    int count;
    int number; // of its creation
    void (*destroy)(object *self);
    object *previous;
    object *next;
};

struct __CFArray {
    object head;
    const void **values;
    CFIndex num;
    CFIndex room;
    bool retains; // made with kCFTypeArrayCallBacks
};

struct __CFData {
    object head;
    UInt8 *bytes;
    CFIndex len;
};

struct __CFDate {
    object head;
    CFAbsoluteTime time;
};

struct __CFString {
    object head;
    char *text; // UTF-8 with a NUL behind it
    CFIndex len;
};

struct __CFError {
    object head;
    CFIndex code;
    CFStringRef description; // NULL for none
};

struct __SecCertificate {
    object head;
    X509 *x509;
    UInt8 *der;
    int der_len;
};

struct __SecPolicy {
    object head;
    bool is_ssl;
    bool is_server;
    CFStringRef host;         // retained; NULL for none
    CFOptionFlags revocation; // 0 for the policy of TLS
    bool network;             // its options, which SecTrustSetNetworkFetchAllowed rewrites
};

struct __SecTrust {
    object head;
    CFArrayRef certs;    // a copy
    CFArrayRef policies; // a copy, of the same objects
    CFDateRef date;
    CFDataRef staple;
    bool network;
    bool is_judged; // the result stands, nothing has been set since
    bool trusted;
    CFIndex code; // of the refusal
    CFMutableArrayRef chain;
    char reason[512]; // of the refusal; "" for none
};

/* Ends the process: the code under test did what it must never do. */
_Noreturn void double_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A new object with a count of 1, zeroed behind its head; NULL where it was to fail; owned. */
void *double_new(kind kind, size_t size, void (*destroy)(object *self));

/* The object, which must be alive and of the kind; `call` is who was given it. */
void *double_check(const void *object, kind kind, const char *call);
kind double_kind(const void *object, const char *call);

/* For the double's own needs: never fails. */
void *double_reserve(size_t size);
void double_release(const void *object); // takes NULL

/* Whether this allocation is the one to fail. */
bool double_fails(void);

/* ---- settings ---------------------------------------------------------------------------- */

enum { DOUBLE_MANY = 16 };

typedef struct certs {
    X509 *certs[DOUBLE_MANY];
    size_t num;
} certs;

typedef struct settings {
    int version;
    certs roots;
    certs revoked;
    certs denied;
    bool online;
    bool bundle;
    bool apple;
    double_lie lie;
    int32_t refusal;
    char refusal_text[512];
} settings;

extern settings double_now;

bool double_is_among(const X509 *cert, const certs *among);

/* double_judge.c: fills the result of a trust, honestly or not. False where memory runs out. */
bool double_judge(SecTrustRef trust);

/* The first policy of that kind; NULL for none. */
const struct __SecPolicy *double_policy_of(const struct __SecTrust *trust, bool is_ssl);

/* double_revocation.c: the OSStatus that is to be told of a chain's revocation, 0 for none. */
enum { DOUBLE_REVOKED = -67820, DOUBLE_UNKNOWN = -67635 };
CFIndex double_revocation(const struct __SecTrust *trust, STACK_OF(X509) * chain);

#endif
