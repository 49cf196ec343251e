#ifndef FASTTRUST_DER_H
#define FASTTRUST_DER_H

/*
 * Bounded reading of PEM blocks and of the few DER fields that the index needs. Strict on purpose:
 * what is not plainly a certificate is left to OpenSSL's own loader, with its meaning.
 */

#include "core.h"

/* ft_span is a run of bytes somewhere in the caller's memory. */
typedef struct ft_span {
    const uint8_t *data;
    size_t len;
} ft_span;

/* ---- der.c ------------------------------------------------------------------------------- */

/*
 * ft_der_subject finds the subject (the whole Name) in a certificate, after checking its frame down
 * to the fields of TBSCertificate (RFC 5280, section 4.1): definite minimal lengths, nothing
 * missing, nothing left over. What lies inside key and extensions is not looked at.
 */
FT_MUST_USE bool ft_der_subject(ft_span certificate, ft_span *out_subject);

/* ft_der_names is ft_der_subject that finds the issuer too. */
FT_MUST_USE bool ft_der_names(ft_span certificate, ft_span *out_issuer, ft_span *out_subject);

/*
 * ft_der_name_key hashes a Name such that any two that OpenSSL's X509_NAME_cmp calls equal have
 * equal keys. False where the Name is not plain DER.
 */
FT_MUST_USE bool ft_der_name_key(ft_span name, uint64_t *out_key);

/*
 * ft_name_part_key is one attribute's share of the key, which is the sum of all (so that the order
 * within a SET does not count): `oid` the content of its OBJECT IDENTIFIER, `tag` and `value` those
 * of its string.
 */
uint64_t ft_name_part_key(ft_span oid, int tag, ft_span value);

/*
 * ft_der_name_canonical writes what OpenSSL hashes of a Name to find its file in a hashed directory
 * (its x509_name_canon): strings as UTF8String in lower case, with single spaces. Returns its
 * length, 0 where the Name is not plain: anything beyond ASCII, several attributes in one SET, or
 * more than there is room for.
 */
size_t ft_der_name_canonical(ft_span name, uint8_t *out, size_t room);

/* ---- pem.c ------------------------------------------------------------------------------- */

typedef enum ft_pem {
    FT_PEM_BLOCK, // a certificate: its DER has been appended to the buffer
    FT_PEM_END,   // no further block
    FT_PEM_OTHER  // something that is not plainly a certificate: leave the whole text to OpenSSL
} ft_pem;

/*
 * ft_pem_next decodes the next block of `text` from `*position` on, which it moves behind the
 * block. `out_der` must have room for three quarters of the text that remains.
 */
ft_pem ft_pem_next(ft_span text, size_t *position, uint8_t *out_der, size_t *out_der_len);

#endif
