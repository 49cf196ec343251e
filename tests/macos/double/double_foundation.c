/* The double's CoreFoundation: arrays, bytes, dates, texts and errors. */

#include "double_object.h"

#include <stdlib.h>
#include <string.h>

const CFAllocatorRef kCFAllocatorDefault = NULL;
const CFArrayCallBacks kCFTypeArrayCallBacks = {0};
const CFTimeInterval kCFAbsoluteTimeIntervalSince1970 = 978307200.0;

static void check_allocator(CFAllocatorRef allocator, const char *call)
{
    if (allocator != kCFAllocatorDefault) {
        double_die("%s with an allocator", call);
    }
}

/* ---- arrays ------------------------------------------------------------------------------ */

static void destroy_array(object *self)
{
    struct __CFArray *array = (struct __CFArray *)self;

    for (CFIndex i = 0; array->retains && i < array->num; i++) {
        CFRelease(array->values[i]);
    }
    free(array->values);
}

CFMutableArrayRef CFArrayCreateMutable(CFAllocatorRef allocator, CFIndex capacity,
                                       const CFArrayCallBacks *callbacks)
{
    check_allocator(allocator, "CFArrayCreateMutable");
    if (capacity < 0 || (callbacks != NULL && callbacks != &kCFTypeArrayCallBacks)) {
        double_die("CFArrayCreateMutable of no known kind");
    }
    CFMutableArrayRef array = double_new(KIND_ARRAY, sizeof *array, destroy_array);
    if (array != NULL) {
        array->retains = callbacks != NULL;
    }
    return array;
}

void CFArrayAppendValue(CFMutableArrayRef given, const void *value)
{
    struct __CFArray *array = double_check(given, KIND_ARRAY, "CFArrayAppendValue");

    if (array->num == array->room) {
        CFIndex room = array->room + 1 /* so that each may fail */;
        const void **values =
            double_fails() ? NULL : realloc(array->values, (size_t)room * sizeof *values);

        if (values == NULL) {
            return; // there is no way to say so
        }
        array->values = values;
        array->room = room;
    }
    array->values[array->num++] = array->retains ? CFRetain(value) : value;
}

CFIndex CFArrayGetCount(CFArrayRef array)
{
    return ((CFArrayRef)double_check(array, KIND_ARRAY, "CFArrayGetCount"))->num;
}

const void *CFArrayGetValueAtIndex(CFArrayRef given, CFIndex index)
{
    const struct __CFArray *array = double_check(given, KIND_ARRAY, "CFArrayGetValueAtIndex");

    if (index < 0 || index >= array->num) {
        double_die("CFArrayGetValueAtIndex %ld of %ld", index, array->num);
    }
    return array->values[index];
}

/* ---- bytes ------------------------------------------------------------------------------- */

static void destroy_data(object *self)
{
    free(((struct __CFData *)self)->bytes);
}

CFDataRef CFDataCreate(CFAllocatorRef allocator, const UInt8 *bytes, CFIndex length)
{
    check_allocator(allocator, "CFDataCreate");
    if (length < 0 || (bytes == NULL && length > 0)) {
        double_die("CFDataCreate of %ld bytes", length);
    }
    struct __CFData *data = double_new(KIND_DATA, sizeof *data, destroy_data);
    if (data != NULL) {
        data->bytes = double_reserve((size_t)length + 1);
        data->len = length;
        if (length > 0) {
            memcpy(data->bytes, bytes, (size_t)length);
        }
    }
    return data;
}

CFIndex CFDataGetLength(CFDataRef data)
{
    return ((CFDataRef)double_check(data, KIND_DATA, "CFDataGetLength"))->len;
}

const UInt8 *CFDataGetBytePtr(CFDataRef data)
{
    return ((CFDataRef)double_check(data, KIND_DATA, "CFDataGetBytePtr"))->bytes;
}

/* ---- dates ------------------------------------------------------------------------------- */

static void destroy_date(object *self)
{
    (void)self;
}

CFDateRef CFDateCreate(CFAllocatorRef allocator, CFAbsoluteTime time)
{
    check_allocator(allocator, "CFDateCreate");
    struct __CFDate *date = double_new(KIND_DATE, sizeof *date, destroy_date);

    if (date != NULL) {
        date->time = time;
    }
    return date;
}

/* ---- texts ------------------------------------------------------------------------------- */

static void destroy_string(object *self)
{
    free(((struct __CFString *)self)->text);
}

/* How many bytes the character at `text` has, 0 where it is malformed or cut off (RFC 3629). */
static CFIndex character_len(const UInt8 *text, CFIndex left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    CFIndex len = text[0] < 0x80   ? 1
                  : text[0] < 0xc0 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf8 ? 4
                                   : 0;

    if (len <= 1 || len > left) {
        return len > left ? 0 : len;
    }
    uint32_t value = text[0] & (0x7fU >> len);
    for (CFIndex i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text[i] & 0x3fU);
    }
    bool is_surrogate = value >= 0xd800 && value < 0xe000;
    return value < least[len] || value > 0x10ffff || is_surrogate ? 0 : len;
}

CFStringRef CFStringCreateWithBytes(CFAllocatorRef allocator, const UInt8 *bytes, CFIndex length,
                                    CFStringEncoding encoding, Boolean has_mark)
{
    check_allocator(allocator, "CFStringCreateWithBytes");
    if (encoding != kCFStringEncodingUTF8 || has_mark || length < 0) {
        double_die("CFStringCreateWithBytes in encoding %#x", encoding);
    }
    for (CFIndex i = 0; i < length;) {
        CFIndex len = character_len(bytes + i, length - i);

        if (len == 0) {
            return NULL;
        }
        i += len;
    }
    struct __CFString *string = double_new(KIND_STRING, sizeof *string, destroy_string);
    if (string != NULL) {
        string->text = double_reserve((size_t)length + 1);
        string->len = length;
        memcpy(string->text, bytes, (size_t)length);
    }
    return string;
}

/* In units of UTF-16: one for each character, two above U+FFFF. */
CFIndex CFStringGetLength(CFStringRef given)
{
    const struct __CFString *string = double_check(given, KIND_STRING, "CFStringGetLength");
    CFIndex units = 0;

    for (CFIndex i = 0; i < string->len;) {
        CFIndex len = character_len((const UInt8 *)string->text + i, string->len - i);

        units += len == 4 ? 2 : 1;
        i += len;
    }
    return units;
}

CFIndex CFStringGetBytes(CFStringRef given, CFRange range, CFStringEncoding encoding,
                         UInt8 loss_byte, Boolean with_mark, UInt8 *buffer, CFIndex buffer_len,
                         CFIndex *out_used)
{
    const struct __CFString *string = double_check(given, KIND_STRING, "CFStringGetBytes");
    CFIndex used = 0;
    CFIndex units = 0;

    if (range.location != 0 || range.length != CFStringGetLength(given) || loss_byte != 0 ||
        encoding != kCFStringEncodingUTF8 || with_mark) {
        double_die("CFStringGetBytes of less than the whole text, or otherwise than in UTF-8");
    }
    while (used < string->len) {
        CFIndex len = character_len((const UInt8 *)string->text + used, string->len - used);

        if (used + len > buffer_len) {
            break; // never a part of a character
        }
        memcpy(buffer + used, string->text + used, (size_t)len);
        used += len;
        units += len == 4 ? 2 : 1;
    }
    *out_used = used;
    return units;
}

/* ---- errors ------------------------------------------------------------------------------ */

CFIndex CFErrorGetCode(CFErrorRef error)
{
    return ((CFErrorRef)double_check(error, KIND_ERROR, "CFErrorGetCode"))->code;
}

CFStringRef CFErrorCopyDescription(CFErrorRef given)
{
    const struct __CFError *error = double_check(given, KIND_ERROR, "CFErrorCopyDescription");

    // The real one may make its text when asked.
    return error->description == NULL || double_fails() ? NULL : CFRetain(error->description);
}
