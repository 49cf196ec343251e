/*
 * What Windows' numbers mean, the ones that nobody here has seen included. Each row says where it
 * comes from: OBSERVED under Wine (tests/windows/), or DOCUMENTED by Microsoft and not observed.
 */

#include <string.h>

#include "check.h"
#include "core.h"

int check_count;

typedef enum source { OBSERVED, DOCUMENTED } source;

typedef struct row {
    uint32_t number;
    int32_t code;
    source source;
} row;

/* By wincrypt.h and OpenSSL's numbers, written down a second time; in order of gravity. */
static const row bits[] = {
    {0x4, 23, OBSERVED},         // revoked
    {0x4000000, 28, DOCUMENTED}, // explicit distrust
    {0x100000, 68, DOCUMENTED},  // weak signature
    {0x8, 7, OBSERVED},          // signature
    {0x10000, 20, OBSERVED},     // partial chain
    {0x80, 20, DOCUMENTED},      // cyclic
    {0x20, 19, OBSERVED},        // untrusted root
    {0x400, 79, OBSERVED},       // basic constraints
    {0x4000, 47, OBSERVED},      // a name that is not permitted
    {0x8000, 48, OBSERVED},      // an excluded name
    {0x2000, 47, DOCUMENTED},    // a constraint that is not defined
    {0x1000, 51, DOCUMENTED},    // a constraint that is not supported
    {0x800, 49, DOCUMENTED},     // invalid constraints
    {0x1, 10, OBSERVED},         // time
    {0x8000000, 34, OBSERVED},   // critical extension
    {0x100, 41, DOCUMENTED},     // invalid extension
    {0x10, 26, OBSERVED},        // usage
    {0x200, 42, DOCUMENTED},     // policy constraints
    {0x2000000, 43, DOCUMENTED}, // no issuance policy
    {0x1000000, 3, OBSERVED},    // revocation offline
    {0x40, 3, OBSERVED},         // revocation unknown
};

static const row results[] = {
    {0x80092010, 23, DOCUMENTED}, {0x80092012, 3, DOCUMENTED},  {0x80092013, 3, DOCUMENTED},
    {0x80096004, 7, OBSERVED},    {0x80096019, 79, DOCUMENTED}, {0x800B0101, 10, OBSERVED},
    {0x800B0103, 79, DOCUMENTED}, {0x800B0104, 25, DOCUMENTED}, {0x800B0105, 34, OBSERVED},
    {0x800B0106, 26, DOCUMENTED}, {0x800B0109, 19, OBSERVED},   {0x800B010A, 20, DOCUMENTED},
    {0x800B010C, 23, OBSERVED},   {0x800B010D, 19, DOCUMENTED}, {0x800B010E, 3, OBSERVED},
    {0x800B010F, 62, DOCUMENTED}, {0x800B0110, 26, OBSERVED},   {0x800B0111, 28, DOCUMENTED},
    {0x800B0112, 20, DOCUMENTED}, {0x800B0113, 42, DOCUMENTED}, {0x800B0114, 47, DOCUMENTED},
};

enum { NUM_BITS = sizeof bits / sizeof *bits, NUM_RESULTS = sizeof results / sizeof *results };

static int32_t expected(const row *rows, size_t num, uint32_t number)
{
    for (size_t i = 0; i < num; i++) {
        if (rows[i].number == number) {
            return rows[i].code;
        }
    }
    return 50;
}

/* Each of the 32 bits alone; those that nobody knows are refusals too. */
static void every_bit_has_its_code(void)
{
    for (unsigned int i = 0; i < 32; i++) {
        uint32_t bit = UINT32_C(1) << i;
        ft_reason reason = ft_reason_of_trust_status(bit);

        CHECK(reason.code == expected(bits, NUM_BITS, bit) && reason.code != FT_V_OK);
        CHECK(reason.number == bit);
        CHECK((strncmp(reason.name, "CERT_TRUST_", 11) == 0) == (reason.code != 50));
    }
    CHECK(ft_reason_of_trust_status(0).code == FT_V_OK && ft_reason_of_trust_status(0).number == 0);
}

/* Of two bits the graver one counts, whatever else is set that nobody knows. */
static void the_gravest_bit_decides(void)
{
    const uint32_t nobody_knows = 0x80000000;

    for (size_t i = 0; i < NUM_BITS; i++) {
        for (size_t j = i; j < NUM_BITS; j++) {
            uint32_t both = bits[i].number | bits[j].number | nobody_knows;
            ft_reason reason = ft_reason_of_trust_status(both);

            CHECK(reason.code == bits[i].code && reason.number == bits[i].number);
        }
    }
    CHECK(ft_reason_of_trust_status(UINT32_MAX).code == 23);
}

/* Every number of the two facilities that certificates have, and the ends: none but 0 is trust. */
static void every_result_has_its_code(void)
{
    static const uint32_t starts[] = {0, 0x80090000, 0x800B0000, 0x80000000, 0xFFFF0000};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        for (uint32_t low = 0; low <= 0xFFFF; low++) {
            uint32_t number = starts[i] + low;
            ft_reason reason = ft_reason_of_hresult(number);

            CHECK(number == 0 || reason.code == expected(results, NUM_RESULTS, number));
            CHECK((reason.code == FT_V_OK) == (number == 0) && reason.number == number);
            CHECK((reason.name[0] != '\0') == (number != 0 && reason.code != 50));
        }
    }
}

/* The table says of each row whether anybody has seen it: so that "documented" cannot be read as
 * "tested". */
static void some_rows_are_documented_only(void)
{
    int num_observed = 0;

    for (size_t i = 0; i < NUM_BITS; i++) {
        num_observed += bits[i].source == OBSERVED;
    }
    for (size_t i = 0; i < NUM_RESULTS; i++) {
        num_observed += results[i].source == OBSERVED;
    }
    CHECK(num_observed == 19);
    (void)printf(
        "test_codes_windows: %d of %d numbers observed under Wine, the others documented\n",
        num_observed, (int)NUM_BITS + (int)NUM_RESULTS);
}

int main(void)
{
    RUN(every_bit_has_its_code);
    RUN(the_gravest_bit_decides);
    RUN(every_result_has_its_code);
    RUN(some_rows_are_documented_only);
    (void)printf("test_codes_windows: %d checks\n", check_count);
    return 0;
}
