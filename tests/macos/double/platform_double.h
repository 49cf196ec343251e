#ifndef FASTTRUST_TESTS_DOUBLE_H
#define FASTTRUST_TESTS_DOUBLE_H

/*
 * Our double of CoreFoundation and Security: those functions that platform_macos.c calls, on
 * OpenSSL, stricter than the real ones. Each object has a type and a count; a call with a wrong,
 * freed or NULL object ends the process with the reason, an object that nobody released is named.
 * What trustd would really decide it does not know: it decides as OpenSSL does, and picks one
 * reason among several by Apple's order.
 *
 * Here is what tests set and read. Settings are to be made while no question is being asked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* double_reset returns every setting to its beginning: macOS 14, no roots, nothing revoked. */
void double_reset(void);

void double_set_version(int major);

/* double_trust_der makes a certificate one of the system's roots; it must be one. */
void double_trust_der(const char *der, size_t der_len);

/* double_revoke_der makes whoever is asked about this certificate call it revoked. */
void double_revoke_der(const char *der, size_t der_len);

/* double_deny_der makes a certificate one that is trusted in nothing, whoever issued it. */
void double_deny_der(const char *der, size_t der_len);

/* double_set_online says whether anybody answers about revocation; at first nobody does. */
void double_set_online(bool online);

/* double_set_bundle says whether the process finds its main bundle: without, no policy for TLS. */
void double_set_bundle(bool found);

/*
 * double_set_apple says whether Apple's rules beyond RFC 5280 hold for servers: an EKU, and no more
 * than 825 days from July 2019 on. They do at first.
 */
void double_set_apple(bool holds);

/* What the double says instead of what it found. */
typedef enum double_lie {
    DOUBLE_HONEST = 0,
    DOUBLE_YES = 1,        // trusted; the chain is what was sent, then a root of its issuer's name
    DOUBLE_OTHER_LEAF = 2, // trusted; the chain is that of the second certificate sent
    DOUBLE_NO_CHAIN = 3,   // trusted, without a chain
    DOUBLE_EMPTY = 4,      // trusted, by an empty chain
    DOUBLE_NO_REASON = 5,  // refused, without an error
    DOUBLE_NO_WORDS = 6,   // refused, by an error without a description
    DOUBLE_HOLE = 7,       // trusted, but not all of the chain can be had
    DOUBLE_NO_TRUST = 8,   // the question is taken, but there is nothing to evaluate
    DOUBLE_YES_AND_NO = 9, // trusted, with an error beside it
    DOUBLE_LONGER = 10,    // the chain goes on with the last of the system's roots
    DOUBLE_SHORTER = 11,   // the chain lacks its last certificate
    DOUBLE_REVERSED = 12,  // the chain begins with its root
    DOUBLE_TWICE = 13,     // each certificate of the chain is there twice
    DOUBLE_NONSENSE = 14,  // the chain's certificates are cut off in their middle
    DOUBLE_NO_CODE = 15,   // refused, by an error with the number of success
    DOUBLE_WIDE_CODE = 16  // refused, by a number that is 0 in 32 bits
} double_lie;

void double_set_lie(double_lie lie);

/* double_set_refusal makes every evaluation fail by this OSStatus; 0 ends it. */
void double_set_refusal(int32_t status, const char *description);

/* What the last evaluation of this thread was asked. */
typedef struct double_record {
    int evaluations;  // SecTrustEvaluateWithError, since the last double_record_clear
    int round_trips;  // times that trustd would have been asked
    size_t num_certs; //
    bool is_server;
    char host[256]; // "" for none
    unsigned long revocation;
    bool network;
    bool has_time;
    double time; // CFAbsoluteTime
    bool has_staple;
    size_t staple_len;
    char staple[64]; // its beginning
} double_record;

double_record double_recorded(void);
void double_record_clear(void);

/* double_made says how many objects this process ever made, from the last double_sweep on. */
int double_made(void);

/* double_live says how many objects live, and names them on stderr where `say` is set. */
int double_live(bool say);

/* double_sweep frees what is kept of freed objects, to recognise their use; none may live. */
void double_sweep(void);

/* double_fail makes the allocation with this number fail, counted from 1; 0 for none.
 * double_failed says whether it came to that. */
void double_fail(int number);
bool double_failed(void);

/* malloc and calloc for the code under test, which fail like the double's own allocations. */
void *double_malloc(size_t size);
void *double_calloc(size_t num, size_t size);

#endif
