/*
 * The few fields of DER that the index needs, read without allocating and without recursion. Every
 * function moves a cursor forward over bytes whose end it never passes.
 */

#include <string.h>

#include "der.h"

enum {
    CONSTRUCTED = 0x20,
    TAG_INTEGER = 0x02,
    TAG_BIT_STRING = 0x03,
    TAG_OID = 0x06,
    TAG_UTF8 = 0x0c,
    TAG_PRINTABLE = 0x13,
    TAG_T61 = 0x14,
    TAG_IA5 = 0x16,
    TAG_VISIBLE = 0x1a,
    TAG_UNIVERSAL = 0x1c,
    TAG_BMP = 0x1e,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_VERSION = 0xa0,
    TAG_ISSUER_ID = 0x81,
    TAG_SUBJECT_ID = 0x82,
    TAG_EXTENSIONS = 0xa3
};

/* FNV-1a, 64 bits: no secret, a collision costs one comparison of names. */
static const uint64_t HASH_START = 0xcbf29ce484222325U;
static const uint64_t HASH_PRIME = 0x100000001b3U;

/* Takes one element off the front: its tag, its content, and (if asked) all of it. */
static bool take(ft_span *rest, int *out_tag, ft_span *out_content, ft_span *out_whole)
{
    const uint8_t *start = rest->data;
    size_t header = 2;

    if (rest->len < 2 || (start[0] & 0x1f) == 0x1f) {
        return false; // cut off, or a tag above 30, which no field of ours has
    }
    size_t len = start[1];
    if (len >= 0x80) {
        size_t num = len & 0x7f;
        if (num == 0 || num > 4 || rest->len < 2 + num || start[2] == 0) {
            return false; // indefinite, absurd, cut off, or not minimal
        }
        len = 0;
        for (size_t i = 0; i < num; i++) {
            len = len << 8 | start[2 + i];
        }
        if (len < 0x80) {
            return false; // not minimal
        }
        header += num;
    }
    if (len > rest->len - header) {
        return false;
    }
    *out_tag = start[0];
    *out_content = (ft_span){start + header, len};
    if (out_whole != NULL) {
        *out_whole = (ft_span){start, header + len};
    }
    *rest = (ft_span){start + header + len, rest->len - header - len};
    return true;
}

static bool take_tag(ft_span *rest, int tag, ft_span *out_content, ft_span *out_whole)
{
    int found = 0;

    return take(rest, &found, out_content, out_whole) && found == tag;
}

/* Takes an element that may be absent. */
static bool skip_optional(ft_span *rest, int tag)
{
    ft_span content;

    return rest->len == 0 || rest->data[0] != tag || take_tag(rest, tag, &content, NULL);
}

bool ft_der_names(ft_span certificate, ft_span *out_issuer, ft_span *out_subject)
{
    ft_span rest = certificate;
    ft_span body;
    ft_span tbs;
    ft_span content;

    if (!take_tag(&rest, TAG_SEQUENCE, &body, NULL) || rest.len != 0 ||
        !take_tag(&body, TAG_SEQUENCE, &tbs, NULL) ||
        !take_tag(&body, TAG_SEQUENCE, &content, NULL) ||   // signatureAlgorithm
        !take_tag(&body, TAG_BIT_STRING, &content, NULL) || // signatureValue
        body.len != 0) {
        return false;
    }
    return skip_optional(&tbs, TAG_VERSION) &&                    //
           take_tag(&tbs, TAG_INTEGER, &content, NULL) &&         // serialNumber
           take_tag(&tbs, TAG_SEQUENCE, &content, NULL) &&        // signature
           take_tag(&tbs, TAG_SEQUENCE, &content, out_issuer) &&  // issuer
           take_tag(&tbs, TAG_SEQUENCE, &content, NULL) &&        // validity
           take_tag(&tbs, TAG_SEQUENCE, &content, out_subject) && //
           take_tag(&tbs, TAG_SEQUENCE, &content, NULL) &&        // subjectPublicKeyInfo
           skip_optional(&tbs, TAG_ISSUER_ID) && skip_optional(&tbs, TAG_SUBJECT_ID) &&
           skip_optional(&tbs, TAG_EXTENSIONS) && tbs.len == 0;
}

bool ft_der_subject(ft_span certificate, ft_span *out_subject)
{
    return ft_der_names(certificate, NULL, out_subject);
}

static uint64_t mix(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * HASH_PRIME;
}

/* What OpenSSL's canonical form leaves of a character, if that is a letter or digit of ASCII. */
static uint64_t mix_character(uint64_t hash, uint8_t character)
{
    if (character >= 'A' && character <= 'Z') {
        character = (uint8_t)(character - 'A' + 'a');
    }
    bool counts = (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9');
    return counts ? mix(hash, character) : hash;
}

/* Bytes per character of the string types that have a canonical form, 0 for all others. */
static size_t character_width(int tag)
{
    switch (tag) {
    case TAG_UTF8:
    case TAG_PRINTABLE:
    case TAG_T61:
    case TAG_IA5:
    case TAG_VISIBLE:
        return 1;
    case TAG_BMP:
        return 2;
    case TAG_UNIVERSAL:
        return 4;
    default:
        return 0;
    }
}

/* A character of more than one byte is ASCII only if all bytes but its last are zero. */
static bool is_ascii(const uint8_t *character, size_t width)
{
    for (size_t i = 0; i + 1 < width; i++) {
        if (character[i] != 0) {
            return false;
        }
    }
    return true;
}

uint64_t ft_name_part_key(ft_span oid, int tag, ft_span value)
{
    uint64_t hash = HASH_START;
    size_t width = character_width(tag);

    for (size_t i = 0; i < oid.len; i++) {
        hash = mix(hash, oid.data[i]);
    }
    for (size_t i = 0; width != 0 && i + width <= value.len; i += width) {
        if (is_ascii(value.data + i, width)) {
            hash = mix_character(hash, value.data[i + width - 1]);
        }
    }
    return hash;
}

bool ft_der_name_key(ft_span name, uint64_t *out_key)
{
    ft_span rest = name;
    ft_span rdns;
    uint64_t key = 0;

    if (!take_tag(&rest, TAG_SEQUENCE, &rdns, NULL) || rest.len != 0) {
        return false;
    }
    while (rdns.len != 0) {
        ft_span rdn;
        if (!take_tag(&rdns, TAG_SET, &rdn, NULL)) {
            return false;
        }
        while (rdn.len != 0) {
            ft_span attribute;
            ft_span oid;
            ft_span value;
            int tag = 0;
            if (!take_tag(&rdn, TAG_SEQUENCE, &attribute, NULL) ||
                !take_tag(&attribute, TAG_OID, &oid, NULL) ||
                !take(&attribute, &tag, &value, NULL) || attribute.len != 0) {
                return false;
            }
            if ((tag & CONSTRUCTED) != 0 && tag != TAG_SEQUENCE) {
                return false; // BER: a string made of strings, which OpenSSL joins
            }
            key += ft_name_part_key(oid, tag, value);
        }
    }
    *out_key = key;
    return true;
}

static size_t canonical_value(ft_span value, uint8_t *out, size_t room)
{
    size_t len = 0;
    bool gap = false;

    for (size_t i = 0; i < value.len; i++) {
        uint8_t character = value.data[i];
        if (character < ' ' || character > '~') {
            return 0;
        }
        if (character == ' ') {
            gap = len > 0;
            continue;
        }
        if (len + 1 + gap > room) {
            return 0;
        }
        if (gap) {
            out[len++] = ' ';
            gap = false;
        }
        bool upper = character >= 'A' && character <= 'Z';
        out[len++] = upper ? (uint8_t)(character - 'A' + 'a') : character;
    }
    return len;
}

size_t ft_der_name_canonical(ft_span name, uint8_t *out, size_t room)
{
    // SET, SEQUENCE, OBJECT IDENTIFIER and string, every length in one byte.
    enum { HEADERS = 8, MAX_LEN = 0x7f };
    ft_span rest = name;
    ft_span rdns;
    size_t used = 0;

    if (!take_tag(&rest, TAG_SEQUENCE, &rdns, NULL) || rest.len != 0) {
        return 0;
    }
    while (rdns.len != 0) {
        ft_span rdn;
        ft_span attribute;
        ft_span oid;
        ft_span value;
        int tag = 0;
        if (!take_tag(&rdns, TAG_SET, &rdn, NULL) ||
            !take_tag(&rdn, TAG_SEQUENCE, &attribute, NULL) || rdn.len != 0 ||
            !take_tag(&attribute, TAG_OID, &oid, NULL) || !take(&attribute, &tag, &value, NULL) ||
            attribute.len != 0 || character_width(tag) != 1 || oid.len > MAX_LEN / 2 ||
            room - used < HEADERS + oid.len) {
            return 0;
        }
        size_t value_room = room - used - HEADERS - oid.len;
        if (value_room > MAX_LEN - HEADERS - oid.len) {
            value_room = MAX_LEN - HEADERS - oid.len;
        }
        uint8_t *to = out + used;
        uint8_t oid_len = (uint8_t)oid.len;
        size_t value_len = canonical_value(value, to + HEADERS + oid.len, value_room);
        if (value_len == 0) {
            return 0;
        }
        uint8_t pair_len = (uint8_t)(4 + oid.len + value_len);
        const uint8_t set[] = {TAG_SET, (uint8_t)(2 + pair_len), TAG_SEQUENCE, pair_len, TAG_OID,
                               oid_len};
        memcpy(to, set, sizeof set);
        memcpy(to + sizeof set, oid.data, oid.len);
        to[sizeof set + oid.len] = TAG_UTF8;
        to[sizeof set + oid.len + 1] = (uint8_t)value_len;
        used += HEADERS + oid.len + value_len;
    }
    return used;
}
