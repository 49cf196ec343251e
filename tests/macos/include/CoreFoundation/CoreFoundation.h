#ifndef FASTTRUST_TESTS_COREFOUNDATION_H
#define FASTTRUST_TESTS_COREFOUNDATION_H

/*
 * Our own declarations of what platform_macos.c uses of CoreFoundation, for building it where there
 * is no SDK: for macOS against stub libraries, and for Linux on our double. Names, types and values
 * are those of Apple's documentation; builds on a Mac take Apple's headers.
 */

#include <stdbool.h>
#include <stdint.h>

/* What Apple's headers tell the compiler: since when a symbol exists, and who releases an object.
 */
#if defined(__APPLE__)
#define FT_SINCE(version) __attribute__((availability(macos, introduced = version)))
#define FT_BETWEEN(first, last)                                                                    \
    __attribute__((availability(macos, introduced = first, deprecated = last)))
#else
#define FT_SINCE(version)
#define FT_BETWEEN(first, last)
#endif
#if defined(__clang__)
#define FT_OWNED __attribute__((cf_returns_retained))
#define FT_BORROWED __attribute__((cf_returns_not_retained))
#else
#define FT_OWNED
#define FT_BORROWED
#endif

typedef unsigned char Boolean;
typedef uint8_t UInt8;
typedef uint32_t UInt32;
typedef int32_t OSStatus;
typedef long CFIndex;
typedef unsigned long CFOptionFlags;
typedef double CFTimeInterval;
typedef CFTimeInterval CFAbsoluteTime;
typedef UInt32 CFStringEncoding;

typedef const void *CFTypeRef;
typedef const struct __CFAllocator *CFAllocatorRef;
typedef const struct __CFArray *CFArrayRef;
typedef struct __CFArray *CFMutableArrayRef;
typedef const struct __CFData *CFDataRef;
typedef const struct __CFDate *CFDateRef;
typedef const struct __CFString *CFStringRef;
typedef struct __CFError *CFErrorRef;

typedef struct CFRange {
    CFIndex location;
    CFIndex length;
} CFRange;

static inline CFRange CFRangeMake(CFIndex location, CFIndex length)
{
    return (CFRange){location, length};
}

/* Five functions of CoreFoundation's; here only the address of the one known set of them counts. */
typedef struct CFArrayCallBacks {
    CFIndex version;
    void (*others[4])(void);
} CFArrayCallBacks;

enum { kCFStringEncodingUTF8 = 0x08000100 };

extern const CFAllocatorRef kCFAllocatorDefault;
extern const CFArrayCallBacks kCFTypeArrayCallBacks;
extern const CFTimeInterval kCFAbsoluteTimeIntervalSince1970;

CFTypeRef CFRetain(CFTypeRef object);
void CFRelease(CFTypeRef object);

CFMutableArrayRef CFArrayCreateMutable(CFAllocatorRef allocator, CFIndex capacity,
                                       const CFArrayCallBacks *callbacks) FT_OWNED;
void CFArrayAppendValue(CFMutableArrayRef array, const void *value);
CFIndex CFArrayGetCount(CFArrayRef array);
const void *CFArrayGetValueAtIndex(CFArrayRef array, CFIndex index) FT_BORROWED;

CFDataRef CFDataCreate(CFAllocatorRef allocator, const UInt8 *bytes, CFIndex length) FT_OWNED;
CFIndex CFDataGetLength(CFDataRef data);
const UInt8 *CFDataGetBytePtr(CFDataRef data);

CFDateRef CFDateCreate(CFAllocatorRef allocator, CFAbsoluteTime time) FT_OWNED;

CFStringRef CFStringCreateWithBytes(CFAllocatorRef allocator, const UInt8 *bytes, CFIndex length,
                                    CFStringEncoding encoding, Boolean has_mark) FT_OWNED;
CFIndex CFStringGetLength(CFStringRef string);
CFIndex CFStringGetBytes(CFStringRef string, CFRange range, CFStringEncoding encoding,
                         UInt8 loss_byte, Boolean with_mark, UInt8 *buffer, CFIndex buffer_len,
                         CFIndex *out_used);

CFIndex CFErrorGetCode(CFErrorRef error);
CFStringRef CFErrorCopyDescription(CFErrorRef error) FT_OWNED;

#endif
