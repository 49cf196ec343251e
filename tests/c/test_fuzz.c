/*
 * Mutated PEM and DER, a bounded number of rounds from a fixed seed: nothing is read beyond its end
 * (every input lies in memory of its own size, for the address sanitizer to watch), the blocks of a
 * text are those that OpenSSL finds, and an anchor that OpenSSL can parse is found by its subject.
 * FUZZ_ROUNDS and FUZZ_SEED ask for more, and for others.
 */

#define _GNU_SOURCE // memmem

#include "lab.h"

#include <string.h>

enum { MAX_LEN = 8192, NUM_CERTS = 3 };

/* Self-signed, with Ed25519: three subjects, of UTF8String, PrintableString and BMPString. */
static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                          "MIHfMIGSoAMCAQICAQcwBQYDK2VwMA4xDDAKBgNVBAMMA09uZTAgFw0yMDAxMDEw\n"
                          "MDAwMDBaGA8yMDk5MDEwMTAwMDAwMFowDjEMMAoGA1UEAwwDT25lMCowBQYDK2Vw\n"
                          "AyEAO2pvWPjRIMhe2qVjHlaLURuHhJYMfYNy89Vx78vfUPSjEzARMA8GA1UdEwEB\n"
                          "/wQFMAMBAf8wBQYDK2VwA0EAaY1Rt4aUdbQ2axv2Gxqi0UiqNfrfp/s9rPaUmT31\n"
                          "PEEpwwZm56nEB5XiHjofgSXvij4mESloZlkS4ldbM7ZsDw==\n"
                          "-----END CERTIFICATE-----\n"
                          "-----BEGIN CERTIFICATE-----\n"
                          "MIIBGTCBzKADAgECAgEHMAUGAytlcDArMRQwEgYDVQQKEwtUd28gIG9mIFR3bzET\n"
                          "MBEGA1UEAx4KAFoAdwD2AGwAZjAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MDEwMTAw\n"
                          "MDAwMFowKzEUMBIGA1UEChMLVHdvICBvZiBUd28xEzARBgNVBAMeCgBaAHcA9gBs\n"
                          "AGYwKjAFBgMrZXADIQDybjBWj+le30swQKqYyAOyPqv66NKJJz91ITFA3/B2QqMT\n"
                          "MBEwDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQBQjsST374szJVwEW7LRXaycnmf\n"
                          "3lXaPhZIQUAUWGbNSwfKBAHkN6uRo48AhipHrqFVOfWUCesOrfDOQDk7kc8I\n"
                          "-----END CERTIFICATE-----\n"
                          "-----BEGIN CERTIFICATE-----\n"
                          "MIHeMIGRoAMCAQICAQcwBQYDK2VwMA8xDTALBgNVBAMMBGxlYWYwIBcNMjAwMTAx\n"
                          "MDAwMDAwWhgPMjA5OTAxMDEwMDAwMDBaMA8xDTALBgNVBAMMBGxlYWYwKjAFBgMr\n"
                          "ZXADIQDECEoNoWcRhf8EL75sbnm/JaoFcQNiWA0HzuP7bG5RIaMQMA4wDAYDVR0T\n"
                          "AQH/BAIwADAFBgMrZXADQQDoEWtrKjJd8W28qZELsa9GHjb0v4+R8Q/v1wykoDYr\n"
                          "HzPwBHlAk/j7QJ9p/WAP7KlOlk0sPQbIpMfpnaj90XEJ\n"
                          "-----END CERTIFICATE-----\n";

static uint64_t chance = 1;

/* xorshift64: the same numbers on every machine. */
static size_t below(size_t limit)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return limit == 0 ? 0 : (size_t)(chance >> 11) % limit;
}

static size_t number_from(const char *variable, size_t otherwise)
{
    const char *text = getenv(variable);
    return text == NULL ? otherwise : (size_t)strtoul(text, NULL, 10);
}

/* What turns one thing into another: bytes of DER's headers, and marks of PEM. */
static const char *const pieces[] = {"-----BEGIN CERTIFICATE-----\n",
                                     "-----END CERTIFICATE-----\n",
                                     "-----",
                                     "\r",
                                     "\n",
                                     "=",
                                     "\t",
                                     "-----BEGIN X509 CERTIFICATE-----\n",
                                     "x: y\n\n",
                                     "\x30\x80",
                                     "\x2c",
                                     "\x81\x80",
                                     "\x84",
                                     "A"};

/* Changes a few places of `bytes`, which has room for MAX_LEN; returns the new length. */
static size_t mutate(char *bytes, size_t len)
{
    for (size_t left = below(4) + 1; left > 0; left--) {
        size_t place = below(len + 1);
        size_t rest = len - place;
        size_t size = below(rest < 80 ? rest + 1 : 80);
        const char *piece = pieces[below(sizeof pieces / sizeof pieces[0])];

        switch (below(6)) {
        case 0: // any byte
            if (rest > 0) {
                bytes[place] = (char)below(256);
            }
            break;
        case 1: // one bit
            if (rest > 0) {
                bytes[place] = (char)(bytes[place] ^ 1 << below(8));
            }
            break;
        case 2: // something taken out
            memmove(bytes + place, bytes + place + size, rest - size);
            len -= size;
            break;
        case 3: // something twice
            if (len + size <= MAX_LEN) {
                memmove(bytes + place + size, bytes + place, rest);
                len += size;
            }
            break;
        case 4: // a piece put over what is there
            size = strlen(piece) < rest ? strlen(piece) : rest;
            memcpy(bytes + place, piece, size);
            break;
        default: // a piece put between
            size = strlen(piece);
            if (len + size <= MAX_LEN) {
                memmove(bytes + place + size, bytes + place, rest);
                memcpy(bytes + place, piece, size);
                len += size;
            }
        }
    }
    return len;
}

static bool has(const ft_index *index, const unsigned char *der, size_t len)
{
    for (size_t i = 0; i < ft_index_len(index); i++) {
        ft_der held = ft_index_der(index, i);
        if (held.len == len && memcmp(held.data, der, len) == 0) {
            return true;
        }
    }
    return false;
}

/* An index of a text holds the blocks that OpenSSL finds in it: none more, none less. */
static void check_blocks(const ft_index *index, const char *text, size_t len)
{
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    size_t num = 0; // with duplicates
    char *name = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long der_len = 0;

    CHECK(bio != NULL);
    while (PEM_read_bio(bio, &name, &header, &der, &der_len) == 1) {
        CHECK(strcmp(name, "CERTIFICATE") == 0 || strcmp(name, "X509 CERTIFICATE") == 0);
        CHECK(header[0] == '\0' && has(index, der, (size_t)der_len));
        num++;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    CHECK(ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE);
    CHECK(num >= ft_index_len(index));
    ERR_clear_error();
    BIO_free(bio);
}

static size_t num_read; // of the rounds, those whose input an index was made of

/* Whether there is an index for it; `der_len` is NULL for PEM. */
static void read_one(const char *bytes, size_t len, bool is_pem)
{
    ft_error err = {0};
    char *exact = malloc(len == 0 ? 1 : len);

    CHECK(exact != NULL);
    memcpy(exact, bytes, len);
    uint32_t *hashes = NULL;
    ft_index *index =
        is_pem ? ft_index_from_pem(exact, len, &err) : ft_index_from_der(exact, len, &len, 1, &err);
    CHECK(index != NULL || err.code == FT_E_MALFORMED);
    CHECK(ERR_peek_error() == 0);
    if (index != NULL && is_pem) {
        check_blocks(index, exact, len);
    }
    if (index != NULL) {
        hashes = calloc(ft_index_len(index) + 1, sizeof *hashes);
        CHECK(hashes != NULL);
        ft_index_name_hashes(index, hashes);
    }
    for (size_t i = 0; index != NULL && i < ft_index_len(index); i++) {
        ft_der der = ft_index_der(index, i);
        const unsigned char *end = (const unsigned char *)der.data;
        X509 *cert = d2i_X509(NULL, &end, (long)der.len);
        bool held = false;

        if (cert != NULL) {
            CHECK(end == (const unsigned char *)der.data + der.len);
            CHECK(ft_index_hold(index, &held, cert, &err) && held);
            CHECK(hashes[i] == X509_NAME_hash(X509_get_subject_name(cert)));
            num_read++;
        }
        X509_free(cert);
        ERR_clear_error();
    }
    ft_index_free(index);
    free(hashes);
    free(exact);
}

static void mutated_pem_is_read_as_by_openssl(void)
{
    static char text[MAX_LEN];

    for (size_t left = number_from("FUZZ_ROUNDS", 20000); left > 0; left--) {
        memcpy(text, pem, sizeof pem - 1);
        read_one(text, mutate(text, sizeof pem - 1), true);
    }
    CHECK(num_read > 1000);
}

static void mutated_der_is_found_by_its_subject(void)
{
    static char der[MAX_LEN];
    ft_index *index = ft_index_from_pem(pem, sizeof pem - 1, &(ft_error){0});

    CHECK(index != NULL && ft_index_len(index) == NUM_CERTS);
    num_read = 0;
    for (size_t left = number_from("FUZZ_ROUNDS", 20000); left > 0; left--) {
        ft_der whole = ft_index_der(index, below(NUM_CERTS));
        memcpy(der, whole.data, whole.len);
        read_one(der, mutate(der, whole.len), false);
    }
    CHECK(num_read > 1000);
    ft_index_free(index);
}

/* BER lets a string be made of strings, and OpenSSL reads that as the string that they make up. */
static void a_string_of_strings_is_no_key(void)
{
    static const char plain[] = "\x0c\x03One";
    static const char nested[] = "\x2c\x03\x0c\x01O";
    static char der[MAX_LEN];
    ft_index *index = ft_index_from_pem(pem, sizeof pem - 1, &(ft_error){0});
    ft_der whole = ft_index_der(index, 0);
    char *place = der;

    memcpy(der, whole.data, whole.len);
    for (size_t i = 0; i < 2; i++) { // issuer and subject
        place = memmem(place, whole.len - (size_t)(place - der), plain, sizeof plain - 1);
        CHECK(place != NULL);
        memcpy(place, nested, sizeof nested - 1);
    }
    read_one(der, whole.len, false);
    ft_index_free(index);
}

int main(void)
{
    lab_begin();
    chance = number_from("FUZZ_SEED", 1);
    RUN(a_string_of_strings_is_no_key);
    RUN(mutated_pem_is_read_as_by_openssl);
    RUN(mutated_der_is_found_by_its_subject);
    return lab_end("test_fuzz");
}
