/*
 * PEM as OpenSSL's own writers and every distribution write it (RFC 7468, section 3, strict), and
 * nothing else: whatever looks like a block but is not exactly that makes the whole text OpenSSL's
 * business, so that no two readers can disagree on what a file says.
 */

#include <string.h>

#include "der.h"

enum { MAX_LINE = 76 };

/* Cuts off the next line, without its end. False at the end of the text. */
static bool next_line(ft_span text, size_t *position, ft_span *out_line)
{
    if (*position >= text.len) {
        return false;
    }
    const uint8_t *start = text.data + *position;
    const uint8_t *end = memchr(start, '\n', text.len - *position);
    size_t len = end == NULL ? text.len - *position : (size_t)(end - start);

    *position += len + (end != NULL);
    if (len > 0 && start[len - 1] == '\r') {
        len--;
    }
    *out_line = (ft_span){start, len};
    return true;
}

static bool is_line(ft_span line, const char *text)
{
    return line.len == strlen(text) && memcmp(line.data, text, line.len) == 0;
}

/* Text between blocks may say anything, but for what some reader could take for a marker. */
static bool is_plain_text(ft_span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == '\0' ||
            (line.len - i >= 5 && memcmp(line.data + i, "-----", 5) == 0)) {
            return false;
        }
    }
    return true;
}

static int base64_value(uint8_t character)
{
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - 'a' + 26;
    }
    if (character >= '0' && character <= '9') {
        return character - '0' + 52;
    }
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

/* Decodes one line of whole groups; `*out_padded` says that it ended the data with '='. */
static bool decode_line(ft_span line, uint8_t *out, size_t *out_len, bool *out_padded)
{
    if (line.len == 0 || line.len > MAX_LINE || line.len % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < line.len; i += 4) {
        const uint8_t *group = line.data + i;
        size_t padding = group[3] == '=' ? 1U + (group[2] == '=') : 0;
        uint32_t bits = 0;

        if (padding != 0 && i + 4 != line.len) {
            return false;
        }
        for (size_t j = 0; j < 4; j++) {
            int value = j < 4 - padding ? base64_value(group[j]) : 0;
            if (value < 0) {
                return false;
            }
            bits = bits << 6 | (uint32_t)value;
        }
        if ((bits & ((1U << (8 * padding)) - 1U)) != 0) {
            return false; // bits that no encoder leaves behind
        }
        for (size_t j = 0; j < 3 - padding; j++) {
            out[(*out_len)++] = (uint8_t)(bits >> (16 - 8 * j));
        }
        *out_padded = padding != 0;
    }
    return true;
}

ft_pem ft_pem_next(ft_span text, size_t *position, uint8_t *out_der, size_t *out_der_len)
{
    ft_span line;
    bool padded = false;
    bool named_x509 = false;

    *out_der_len = 0;
    do {
        if (!next_line(text, position, &line)) {
            return FT_PEM_END;
        }
        named_x509 = is_line(line, "-----BEGIN X509 CERTIFICATE-----");
        if (named_x509 || is_line(line, "-----BEGIN CERTIFICATE-----")) {
            break;
        }
        if (!is_plain_text(line)) {
            return FT_PEM_OTHER;
        }
    } while (true);

    const char *end =
        named_x509 ? "-----END X509 CERTIFICATE-----" : "-----END CERTIFICATE-----";
    while (next_line(text, position, &line)) {
        if (is_line(line, end)) {
            return *out_der_len > 0 ? FT_PEM_BLOCK : FT_PEM_OTHER;
        }
        if (padded || !decode_line(line, out_der, out_der_len, &padded)) {
            return FT_PEM_OTHER;
        }
    }
    return FT_PEM_OTHER; // cut off
}
