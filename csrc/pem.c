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
        if (line.data[i] == '\0' || (line.len - i >= 5 && memcmp(line.data + i, "-----", 5) == 0)) {
            return false;
        }
    }
    return true;
}

/* The value of each character of base64, plus one; 0 is none of them. */
static const uint8_t base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

/* Decodes the last `num` (2 to 4) characters of base64 into num - 1 bytes. */
static bool decode_group(const uint8_t *group, size_t num, uint8_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < num ? base64_values[group[i]] : 1;
        if (value == 0) {
            return false;
        }
        bits = bits << 6 | (value - 1);
    }
    if ((bits & ((1U << (8 * (4 - num))) - 1U)) != 0) {
        return false; // bits that no encoder leaves behind
    }
    for (size_t i = 0; i + 1 < num; i++) {
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    }
    return true;
}

/* Decodes one line of whole groups; `*out_padded` says that it ended the data with '='. */
static bool decode_line(ft_span line, uint8_t *out, size_t *out_len, bool *out_padded)
{
    if (line.len == 0 || line.len > MAX_LINE || line.len % 4 != 0) {
        return false;
    }
    size_t padding = line.data[line.len - 1] == '=' ? 1U + (line.data[line.len - 2] == '=') : 0;
    uint8_t *end = out + *out_len;

    for (size_t i = 0; i + 4 < line.len; i += 4, end += 3) {
        if (!decode_group(line.data + i, 4, end)) {
            return false;
        }
    }
    if (!decode_group(line.data + line.len - 4, 4 - padding, end)) {
        return false;
    }
    *out_padded = padding != 0;
    *out_len = (size_t)(end - out) + 3 - padding;
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

    const char *end = named_x509 ? "-----END X509 CERTIFICATE-----" : "-----END CERTIFICATE-----";
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
