/*
 * The double is as strict as it says: what the real frameworks would crash on, or silently get
 * wrong, ends the process here, with its reason. Each such end is seen in a child of its own; the
 * parent uses no object before, as a child of one that did ends for that alone.
 */

#include "rows.h"
#include "double_object.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int check_count;

/* ---- what ends the process --------------------------------------------------------------- */

static CFMutableArrayRef make_array(void)
{
    return CFArrayCreateMutable(kCFAllocatorDefault, 0, &kCFTypeArrayCallBacks);
}

static CFDataRef make_data(const char *bytes, size_t len)
{
    return CFDataCreate(kCFAllocatorDefault, (const UInt8 *)bytes, (CFIndex)len);
}

static CFStringRef make_string(const char *text)
{
    return CFStringCreateWithBytes(kCFAllocatorDefault, (const UInt8 *)text, (CFIndex)strlen(text),
                                   kCFStringEncodingUTF8, false);
}

static SecCertificateRef make_cert(const char *name)
{
    ft_der der = rows_file(name);
    CFDataRef data = make_data(der.data, der.len);
    SecCertificateRef cert = SecCertificateCreateWithData(kCFAllocatorDefault, data);

    CFRelease(data);
    return cert;
}

/* A trust in leaf and intermediate, for a server of that name. */
static SecTrustRef make_trust(const char *host)
{
    CFMutableArrayRef certs = make_array();
    SecCertificateRef leaf = make_cert("leaf.der");
    SecCertificateRef a = make_cert("A.der");
    CFStringRef name = make_string(host);
    SecPolicyRef policy = SecPolicyCreateSSL(true, name);
    CFMutableArrayRef policies = make_array();
    SecTrustRef trust = NULL;

    CFArrayAppendValue(certs, leaf);
    CFArrayAppendValue(certs, a);
    CFArrayAppendValue(policies, policy);
    CHECK(SecTrustCreateWithCertificates(certs, policies, &trust) == errSecSuccess);
    CFRelease(leaf);
    CFRelease(a);
    CFRelease(certs);
    CFRelease(name);
    CFRelease(policy);
    CFRelease(policies);
    return trust;
}

static void release_null(void)
{
    CFRelease(NULL);
}

static void retain_null(void)
{
    (void)CFRetain(NULL);
}

static void release_twice(void)
{
    CFMutableArrayRef array = make_array();

    CFRelease(array);
    CFRelease(array);
}

static void use_after_release(void)
{
    CFDataRef data = make_data("abc", 3);

    CFRelease(data);
    (void)CFDataGetBytePtr(data);
}

static void member_released_twice(void)
{
    CFMutableArrayRef array = make_array();
    CFDataRef data = make_data("abc", 3);

    CFArrayAppendValue(array, data);
    CFRelease(data);
    CFRelease(data);  // the array's own
    CFRelease(array); // ends here
}

static void wrong_type(void)
{
    (void)CFDataGetLength((CFDataRef)make_array());
}

static void no_object(void)
{
    static const char nothing[64] = "no object at all";

    (void)CFArrayGetCount((CFArrayRef)nothing);
}

static void index_outside(void)
{
    (void)CFArrayGetValueAtIndex(make_array(), 0);
}

static void data_of_nothing(void)
{
    (void)make_data(NULL, 3);
}

static void chain_before_its_time(void)
{
    double_set_version(11);
    (void)SecTrustCopyCertificateChain(make_trust("server.test"));
}

static void network_before_policies(void)
{
    SecTrustRef trust = make_trust("server.test");

    (void)SecTrustSetNetworkFetchAllowed(trust, false);
    ((SecPolicyRef)trust->policies->values[0])->network = true; // as a new policy would say
    (void)SecTrustGetCertificateCount(trust);
}

static void never_released(void)
{
    (void)make_string("leaked");
    double_sweep();
}

static void used_before_fork(void)
{
    CFRelease(make_array());
    pid_t child = fork();

    if (child == 0) {
        (void)make_array();
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    abort(); // the child's words stand on stderr
}

typedef struct ending {
    void (*run)(void);
    const char *words;
} ending;

static const ending endings[] = {
    {release_null, "CFRelease(NULL)"},
    {retain_null, "CFRetain(NULL)"},
    {release_twice, "CFRelease of a freed CFArray"},
    {use_after_release, "CFDataGetBytePtr of a freed CFData"},
    {member_released_twice, "CFRelease of a freed CFData"},
    {wrong_type, "CFDataGetLength of a CFArray"},
    {no_object, "CFArrayGetCount of what is no object"},
    {index_outside, "CFArrayGetValueAtIndex 0 of 0"},
    {data_of_nothing, "CFDataCreate of 3 bytes"},
    {chain_before_its_time, "SecTrustCopyCertificateChain before macOS 12"},
    {network_before_policies, "a policy came after SecTrustSetNetworkFetchAllowed"},
    {never_released, "never released: CFString, number 1, count 1"},
    {used_before_fork, "CoreFoundation after fork()"},
};

static void misuse_ends_the_process(void)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        int pipes[2];
        char words[4096] = "";
        size_t len = 0;

        CHECK(pipe(pipes) == 0);
        pid_t child = fork();
        if (child == 0) {
            (void)dup2(pipes[1], STDERR_FILENO);
            (void)close(pipes[0]);
            (void)close(pipes[1]);
            endings[i].run();
            _exit(0);
        }
        (void)close(pipes[1]);
        for (ssize_t got = 1; got > 0 && len < sizeof words - 1; len += got > 0 ? (size_t)got : 0) {
            got = read(pipes[0], words + len, sizeof words - 1 - len);
        }
        (void)close(pipes[0]);
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && !(WIFEXITED(status) && !WEXITSTATUS(status)));
        if (strstr(words, endings[i].words) == NULL) {
            (void)fprintf(stderr, "%s: %s\n", endings[i].words, words);
        }
        CHECK(strstr(words, endings[i].words) != NULL);
    }
}

/* ---- what Apple's functions do, and an innocent reader would not expect ------------------ */

static void texts_are_counted_as_by_apple(void)
{
    static const char *const malformed[] = {
        "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\x80", "\xe2\x28\xa1", "a\xf5\x80\x80\x80"};
    UInt8 buffer[8] = {0};
    CFIndex used = 0;

    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        CHECK(make_string(malformed[i]) == NULL);
    }
    CFStringRef text = make_string("é€\xf0\x9f\x94\x92z"); // 2, 3, 4 and 1 bytes
    CHECK(CFStringGetLength(text) == 5);                   // the lock counts twice
    CFRange all = CFRangeMake(0, 5);
    CHECK(CFStringGetBytes(text, all, kCFStringEncodingUTF8, 0, false, buffer, 8, &used) == 2);
    CHECK(used == 5 && memcmp(buffer, "é€", 5) == 0);
    CFRelease(text);
}

static void arrays_retain_what_they_are_told_to(void)
{
    CFMutableArrayRef retains = make_array();
    CFMutableArrayRef does_not = CFArrayCreateMutable(kCFAllocatorDefault, 0, NULL);
    CFDataRef data = make_data("abc", 3);

    CFArrayAppendValue(retains, data);
    CFArrayAppendValue(does_not, data);
    CHECK(data->head.count == 2);
    CFRelease(retains);
    CHECK(data->head.count == 1);
    CFRelease(does_not);
    CFRelease(data);
}

static void bytes_behind_a_certificate_are_cut(void)
{
    ft_der der = rows_file("leaf.der");
    char *longer = malloc(der.len + 3);

    CHECK(longer != NULL);
    memcpy(longer, der.data, der.len);
    memcpy(longer + der.len, "xyz", 3);
    CFDataRef data = make_data(longer, der.len + 3);
    SecCertificateRef cert = SecCertificateCreateWithData(kCFAllocatorDefault, data);
    CFDataRef copy = SecCertificateCopyData(cert);
    CHECK((size_t)CFDataGetLength(copy) == der.len);
    CFRelease(copy);
    CFRelease(cert);
    CFRelease(data);
    free(longer);
    data = make_data("no certificate", 14);
    CHECK(SecCertificateCreateWithData(kCFAllocatorDefault, data) == NULL);
    CFRelease(data);
}

static void a_trust_takes_only_what_it_must(void)
{
    CFMutableArrayRef certs = make_array();
    CFMutableArrayRef policies = make_array();
    SecCertificateRef cert = make_cert("leaf.der");
    SecPolicyRef policy = SecPolicyCreateSSL(true, NULL);
    SecTrustRef trust = NULL;

    CHECK(SecTrustCreateWithCertificates(certs, policies, &trust) == errSecParam);
    CFArrayAppendValue(certs, cert);
    CHECK(SecTrustCreateWithCertificates(certs, policies, &trust) == errSecParam);
    CFArrayAppendValue(policies, policy);
    CHECK(SecTrustCreateWithCertificates(policies, certs, &trust) == errSecParam && trust == NULL);
    CHECK(SecTrustCreateWithCertificates(certs, policies, &trust) == errSecSuccess);
    CFArrayAppendValue(certs, policy); // of no concern to the trust, which has copies
    CFRelease(certs);
    CFRelease(policies);
    CHECK(SecTrustGetCertificateAtIndex(trust, 0) == cert); // even before it is evaluated
    CFRelease(trust);
    CFRelease(cert);
    CFRelease(policy);
    CHECK(SecPolicyCreateRevocation(0) == NULL && SecPolicyCreateRevocation(1 << 7) == NULL);
    double_set_bundle(false);
    CHECK(SecPolicyCreateSSL(true, NULL) == NULL);
    double_set_bundle(true);
}

/* A result stands until something is set; then the next who asks costs another round trip. */
static void setters_make_a_result_invalid(void)
{
    SecTrustRef trust = make_trust("server.test");
    CFErrorRef error = NULL;
    CFDateRef date = CFDateCreate(kCFAllocatorDefault, 0);

    double_record_clear();
    CHECK(!SecTrustEvaluateWithError(trust, &error) && error != NULL); // no roots
    CFRelease(error);
    CHECK(SecTrustGetCertificateCount(trust) > 0 && double_recorded().round_trips == 1);
    CHECK(SecTrustSetVerifyDate(trust, date) == errSecSuccess);
    CHECK(SecTrustSetVerifyDate(trust, date) == errSecSuccess); // the first is released
    CHECK(SecTrustGetCertificateCount(trust) > 0 && double_recorded().round_trips == 2);
    CFRelease(date);
    CFRelease(trust);
}

static void nothing_is_left(void)
{
    CHECK(double_live(true) == 0);
    double_sweep();
    double_reset();
}

int main(int num_args, char **args)
{
    CHECK(num_args == 2);
    rows_load(args[1]);
    RUN(misuse_ends_the_process);
    RUN(texts_are_counted_as_by_apple);
    RUN(arrays_retain_what_they_are_told_to);
    RUN(bytes_behind_a_certificate_are_cut);
    RUN(a_trust_takes_only_what_it_must);
    RUN(setters_make_a_result_invalid);
    RUN(nothing_is_left);
    rows_free();
    (void)printf("test_double: %d checks\n", check_count);
    return 0;
}
