/* What the platforms' own numbers mean, and what names alone tell of an unknown issuer. */

#include "check.h"
#include "core.h"

int check_count;

/* ---- macOS ------------------------------------------------------------------------------- */

typedef struct pair {
    int32_t status;
    int32_t code;
} pair;

/* By Apple's list and OpenSSL's numbers, written down a second time. */
static const pair known[] = {{-67602, 62}, {-67818, 10}, {-67819, 9},  {-67843, 20}, {-25318, 20},
                             {-67820, 23}, {-67635, 3},  {-67654, 28}, {-67901, 28}, {-67608, 26},
                             {-67609, 26}, {-67902, 26}, {-67735, 66}, {-67815, 68}, {-67825, 71},
                             {-67604, 79}, {-67605, 79}, {-67826, 79}, {-67611, 25}, {-67603, 34},
                             {-67610, 41}, {-67618, 41}, {-67655, 41}, {-67903, 41}, {-67689, 47},
                             {-67900, 47}, {-67835, 42}, {-67899, 42}, {-67690, 7},  {-50, 1},
                             {-108, 17}};

static int32_t expected(int64_t status)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].status == status) {
            return known[i].code;
        }
    }
    return 50;
}

/* Every number from -70000 to 1000, and the far ends: what is not known is code 50, and no number,
 * not even 0 for "success", means trust. */
static void every_os_status_has_its_code(void)
{
    for (int64_t status = -70000; status <= 1000; status++) {
        int32_t code = ft_code_of_os_status(status, false);

        CHECK(code == expected(status) && code != FT_V_OK);
        CHECK(ft_code_of_os_status(status, true) == (code == 62 ? 64 : code));
    }
    CHECK(ft_code_of_os_status(0, false) == 50);
    // The same lower half as -67843: a wider number is another number.
    CHECK(ft_code_of_os_status(-67843 - (INT64_C(1) << 32), false) == 50);
    CHECK(ft_code_of_os_status(INT64_MIN, false) == 50 &&
          ft_code_of_os_status(INT64_MAX, true) == 50);
}

/* ---- unknown issuers --------------------------------------------------------------------- */

enum { MANY = 8 };

/* A certificate that is all frame: one letter each for issuer and subject. */
typedef struct frame {
    char bytes[64];
    ft_der der;
} frame;

static frame make(char issuer, char subject)
{
    const char bytes[] = {0x30, 0x25, 0x30, 0x1e,             // Certificate, TBSCertificate
                          0x02, 1,    1,    0x30, 0,          // serial, signature
                          0x30, 3,    0x0c, 1,    issuer,     // not a Name; only compared
                          0x30, 4,    0x17, 0,    0x17,    0, // validity
                          0x30, 3,    0x0c, 1,    subject,    //
                          0x30, 2,    0x03, 0,                // key
                          0x30, 0,    0x03, 1,    0};         // signatureAlgorithm, signatureValue
    frame made = {{0}, {NULL, sizeof bytes}};

    for (size_t i = 0; i < sizeof bytes; i++) {
        made.bytes[i] = bytes[i];
    }
    made.bytes[1] = (char)(sizeof bytes - 2);
    made.bytes[3] = (char)(sizeof bytes - 4 - 5);
    return made;
}

/* The names as pairs of issuer and subject, leaf first; code and depth must be these. */
static bool unissued(const char *names, int32_t code, int32_t depth)
{
    frame frames[MANY];
    ft_der ders[MANY];
    size_t num = 0;
    int32_t found = 7;

    for (; names[0] != '\0'; names += 2, num++) {
        CHECK(num < MANY);
        frames[num] = make(names[0], names[1]);
        frames[num].der.data = frames[num].bytes;
        ders[num] = frames[num].der;
    }
    return ft_ders_unissued(ders, num, &found) == code && found == depth;
}

static void names_tell_an_unknown_issuer(void)
{
    CHECK(unissued("aa", 18, 0) && unissued("aaaa", 18, 0));
    CHECK(unissued("ba", 20, 0) && unissued("bacc", 20, 0)); // c issued nothing here
    CHECK(unissued("babb", 19, 1) && unissued("bacbcc", 19, 2));
    CHECK(unissued("baxx", 20, 0) && unissued("baxxcb", 20, 1));
    CHECK(unissued("baxxcbcc", 19, 2));                           // in disorder
    CHECK(unissued("bacbdc", 20, 2));                             // issued by nobody here
    CHECK(unissued("baab", 20, 1) && unissued("bacbbc", 20, -1)); // in a circle
    CHECK(unissued("babbbb", 19, 1));
    CHECK(unissued("", 20, -1));
}

/* What is not plainly a certificate has no names. */
static void broken_frames_have_no_names(void)
{
    frame leaf = make('b', 'a');
    frame issuer = make('b', 'b');
    ft_der ders[] = {{leaf.bytes, leaf.der.len}, {issuer.bytes, issuer.der.len}};

    int32_t depth = 7;

    CHECK(ft_ders_unissued(ders, 2, &depth) == 19 && depth == 1);
    for (size_t len = 0; len < issuer.der.len; len++) {
        ders[1].len = len;
        CHECK(ft_ders_unissued(ders, 2, &depth) == 20 && depth == 0);
    }
    ders[1].len = issuer.der.len;
    for (size_t len = 0; len < leaf.der.len; len++) {
        ders[0].len = len;
        CHECK(ft_ders_unissued(ders, 2, &depth) == 20 && depth == -1);
    }
}

/* ---- copies ------------------------------------------------------------------------------ */

static void certificates_are_copied_in_one_block(void)
{
    const ft_der ders[] = {{"abc", 3}, {"", 0}, {"de", 2}};
    ft_der *copy = ft_ders_copy(ders, 3);

    CHECK(copy != NULL);
    CHECK(copy[0].len == 3 && copy[0].data != ders[0].data && copy[0].data[2] == 'c');
    CHECK(copy[1].len == 0);
    CHECK(copy[2].len == 2 && copy[2].data == copy[0].data + 3 && copy[2].data[1] == 'e');
    free(copy);
    copy = ft_ders_copy(NULL, 0);
    CHECK(copy != NULL);
    free(copy);
}

int main(void)
{
    RUN(every_os_status_has_its_code);
    RUN(names_tell_an_unknown_issuer);
    RUN(broken_frames_have_no_names);
    RUN(certificates_are_copied_in_one_block);
    (void)printf("test_codes: %d checks\n", check_count);
    return 0;
}
