/*
 * CryptoAPI's file alone, with each call that it makes failing in turn: nobody is trusted for it.
 * And what a verification leaves behind, which is nothing.
 *
 *     test_platform FOLDER TEST
 *
 * The folder holds root.der, which the system trusts, and leaf.der and issuer.der, a chain to it.
 * The unit holds platform_windows.c, whose calls are led through calls.h.
 */

#include "core.h"

#if defined(_WIN32) // as everywhere; elsewhere there is nothing to test

#define CERT_CHAIN_PARA_HAS_EXTRA_FIELDS

#include <windows.h>

#include <wincrypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "../../csrc/platform_windows.c"

#undef calloc

/* ---- what is asked ----------------------------------------------------------------------- */

enum { MAX_DER = 4096, NUM_CERTS = 2 };

static char bytes[NUM_CERTS][MAX_DER];
static ft_der certs[NUM_CERTS];
static volatile LONG num_checks;
static char why[512]; // the latest refusal, for whoever reads a failure

#define CHECK(condition) check_that((condition), #condition, __LINE__)

static void check_that(bool holds, const char *condition, int line)
{
    (void)InterlockedIncrement(&num_checks);
    if (!holds) {
        (void)printf("test_platform.c:%d: does not hold: %s (%s)\n", line, condition, why);
        (void)fflush(stdout);
        exit(1);
    }
}

static void read_cert(const char *folder, const char *name, size_t place)
{
    char path[1024];

    CHECK(snprintf(path, sizeof path, "%s\\%s", folder, name) < (int)sizeof path);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    certs[place] = (ft_der){bytes[place], fread(bytes[place], 1, MAX_DER, file)};
    CHECK(certs[place].len > 0 && certs[place].len < MAX_DER);
    (void)fclose(file);
}

static ft_question ask(void)
{
    return (ft_question){.certs = certs,
                         .num_certs = NUM_CERTS,
                         .is_server = true,
                         .policy = {.network = false, .timeout_ms = 1000}};
}

/* Whether the system trusts; whatever it says fits together. */
static bool trusts(const ft_question *question, int32_t *out_code)
{
    ft_answer answer = {0};

    SetLastError(4711);
    bool trusted = ft_system_verify(question, &answer);
    CHECK(GetLastError() == 4711); // a socket's error, for whoever asks next
    if (!trusted) {
        (void)snprintf(why, sizeof why, "%d, %#llx: %s", (int)answer.code,
                       (unsigned long long)answer.native_code, answer.native_message);
    }
    CHECK(trusted == (answer.code == FT_V_OK));
    CHECK(trusted == (answer.chain != NULL) && trusted == (answer.num_chain > 0));
    CHECK(!trusted || answer.num_chain == NUM_CERTS + 1);
    CHECK(!trusted || memcmp(answer.chain[0].data, certs[0].data, certs[0].len) == 0);
    CHECK(trusted || answer.code == FT_V_ERR_OUT_OF_MEM || answer.native_code != 0);
    *out_code = answer.code;
    free(answer.chain);
    return trusted;
}

/* ---- tests ------------------------------------------------------------------------------- */

/* The chain as it is, and the same in which CryptoAPI has no place for half of it. */
static void good_is_good_and_half_is_not(void)
{
    ft_question question = ask();
    ft_der broken[NUM_CERTS] = {certs[0], certs[1]};
    int32_t code = 0;

    CHECK(trusts(&question, &code));
    broken[0].len -= 1; // truncated
    question.certs = broken;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNSPECIFIED);
    broken[0] = (ft_der){"", 0};
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNSPECIFIED);
    broken[0] = certs[0];
    broken[1].len -= 1; // an extra one that is none is left out, and then it lacks
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    question.num_certs = 1;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    // Where nobody checks the name afterwards it is checked here, and so is revocation.
    question = ask();
    question.names_are_yours = true;
    CHECK(trusts(&question, &code));
    question.host = "server.test";
    CHECK(trusts(&question, &code));
    question.host = "server.test.";
    CHECK(trusts(&question, &code));
    question.host = "other.test";
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_HOSTNAME_MISMATCH);
    question.host = "127.0.0.1";
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_HOSTNAME_MISMATCH);
    question.host_is_address = true; // Wine knows none: the caller matches it with the leaf's
    CHECK(trusts(&question, &code));
    question.host_is_address = false;
    question.host = "";
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNSPECIFIED);
    question.host = "\xFF";
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNSPECIFIED);
    question = ask();
    question.check_leaf = true;
    CHECK(trusts(&question, &code)); // step 4 asks for the program's list
    question.names_are_yours = true;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNABLE_TO_GET_CRL);
    // Judged before 1601, before 1970 and after what FILETIME can hold.
    question = ask();
    question.has_time = true;
    question.time = INT64_MIN;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_CERT_NOT_YET_VALID);
    CHECK(chain_at.dwHighDateTime == 0 && chain_at.dwLowDateTime == 0);
    question.time = -1;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_CERT_NOT_YET_VALID);
    question.time = INT64_MAX;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_CERT_HAS_EXPIRED);
}

/* The policy for TLS finds no fault: the chain's own status does. */
static void a_policy_is_not_believed_alone(void)
{
    ft_question question = ask();
    int32_t code = 0;

    policy_lies = true;
    CHECK(trusts(&question, &code));
    question.num_certs = 1;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    question = ask();
    question.policy.revocation = FT_REVOCATION_HARD;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNABLE_TO_GET_CRL);
    question = ask();
    question.names_are_yours = true;
    question.check_chain = true;
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNABLE_TO_GET_CRL);
    policy_lies = false;
}

/* Each call fails once, by want of memory and by another error: only words may be lost by it. */
static void fail_each(ft_question *question, bool trusted_else)
{
    int32_t code = 0;
    LONG number = 1;
    bool came_to_it = true;

    for (; came_to_it; number++) {
        num_calls = 0;
        failing_call = number;
        bool trusted = trusts(question, &code);
        came_to_it = num_calls >= number;
        CHECK(!came_to_it ? trusted == trusted_else : !trusted);
        CHECK(trusted || !trusted_else || code == FT_V_ERR_OUT_OF_MEM ||
              code == FT_V_ERR_UNSPECIFIED);
        CHECK(number < 100);
    }
    failing_call = 0;
    CHECK(number > 5);
}

static void a_failing_call_never_ends_in_acceptance(void)
{
    static const DWORD errors[] = {ERROR_NOT_ENOUGH_MEMORY, (DWORD)E_INVALIDARG};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        ft_question question = ask();

        failing_error = errors[i];
        fail_each(&question, true);
        question.staple = (ft_der){"no staple", 9};
        fail_each(&question, true);
        question.names_are_yours = true;
        question.host = "server.test";
        fail_each(&question, true);
        question.num_certs = 1;
        fail_each(&question, false);
    }
}

/* Byte by byte, and with the leaf of its own connection alone. */
static void a_staple_is_handed_over(void)
{
    static const char sent[] = "what a server sent";
    ft_question question = ask();
    int32_t code = 0;

    question.staple = (ft_der){sent, sizeof sent};
    CHECK(trusts(&question, &code));
    CHECK(staple_len == sizeof sent && memcmp(staple, sent, sizeof sent) == 0);
    question.staple = (ft_der){0};
    CHECK(trusts(&question, &code));
    CHECK(staple_len == 0);
}

/* What is asked is what the caller's policy says, and nothing weaker. */
static void the_question_is_the_callers(void)
{
    static const struct {
        bool network, leaf, chain;
        ft_revocation revocation;
        DWORD flags;
    } rows[] = {
        {true, false, false, FT_REVOCATION_PLATFORM, BASE},
        {true, true, false, FT_REVOCATION_PLATFORM, BASE | ONE_TIMEOUT | CHECK_LEAF},
        {true, false, true, FT_REVOCATION_PLATFORM, BASE | ONE_TIMEOUT | CHECK_CHAIN},
        {true, true, true, FT_REVOCATION_PLATFORM, BASE | ONE_TIMEOUT | CHECK_CHAIN},
        {true, false, false, FT_REVOCATION_SOFT, BASE | ONE_TIMEOUT | CHECK_CHAIN},
        {true, true, false, FT_REVOCATION_SOFT, BASE | ONE_TIMEOUT | CHECK_CHAIN},
        {true, false, false, FT_REVOCATION_HARD, BASE | ONE_TIMEOUT | CHECK_CHAIN},
        {true, true, false, FT_REVOCATION_HARD, BASE | ONE_TIMEOUT | CHECK_CHAIN},
    };
    int32_t code = 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int network = 0; network <= 1; network++) {
            ft_question question = ask();
            bool wanted = (rows[i].flags & ONE_TIMEOUT) != 0;
            bool must = rows[i].revocation == FT_REVOCATION_HARD;

            question.check_leaf = rows[i].leaf;
            question.check_chain = rows[i].chain;
            question.policy = (ft_policy){
                .network = network == 1, .revocation = rows[i].revocation, .timeout_ms = 1234};
            // Nobody says where lists are, so that nothing is known: only "hard" refuses for it.
            CHECK(trusts(&question, &code) == !must &&
                  (!must || code == FT_V_ERR_UNABLE_TO_GET_CRL));
            CHECK(chain_flags == (rows[i].flags | (network == 1 ? 0 : no_network)));
            CHECK(chain_timeout == 1234);
            CHECK(policy_flags == (NEST | (wanted && !must ? FORGIVE : 0U)));
            CHECK(policy_tls.fdwChecks == (0x1000U | (wanted && !must ? 0x80U : 0U)));
            CHECK(policy_tls.pwszServerName == NULL);
            CHECK(policy_tls.dwAuthType == AUTHTYPE_SERVER);
            CHECK(strcmp(chain_purpose, "1.3.6.1.5.5.7.3.1") == 0);
        }
    }
    // A client's certificate; and where nobody checks names afterwards, with one.
    ft_question question = ask();
    question.is_server = false;
    CHECK(trusts(&question, &code));
    CHECK(policy_tls.dwAuthType == AUTHTYPE_CLIENT);
    CHECK(strcmp(chain_purpose, "1.3.6.1.5.5.7.3.2") == 0);
    question = ask();
    question.names_are_yours = true;
    question.host = "server.test";
    CHECK(trusts(&question, &code));
    CHECK(policy_tls.fdwChecks == 0 && policy_tls.pwszServerName != NULL);
    question.check_leaf = true; // and then what is not known is not forgiven either
    CHECK(!trusts(&question, &code) && code == FT_V_ERR_UNABLE_TO_GET_CRL);
    CHECK(policy_tls.fdwChecks == 0 && policy_flags == NEST);
    // No time at all is not Windows' "as long as you like".
    question = ask();
    question.policy.timeout_ms = 0;
    CHECK(trusts(&question, &code) && chain_timeout == 1);
}

static size_t heap_blocks(void)
{
    PROCESS_HEAP_ENTRY entry = {0};
    size_t num = 0;

    CHECK(HeapLock(GetProcessHeap()));
    while (HeapWalk(GetProcessHeap(), &entry)) {
        num += (entry.wFlags & PROCESS_HEAP_ENTRY_BUSY) != 0;
    }
    CHECK(HeapUnlock(GetProcessHeap()));
    return num;
}

/* The next handle's number: the lowest free one, so that it grows as they are lost. (Wine does not
 * count handles.) */
static ULONG_PTR next_handle(void)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

    CHECK(event != NULL && CloseHandle(event));
    return (ULONG_PTR)event;
}

/* Of 10,000 verifications, half of them refusals, nothing is left. */
static void nothing_is_left_behind(void)
{
    enum { NUM_ROUNDS = 5000, WARM = 100 };
    ft_question good = ask();
    ft_question bad = ask();
    ULONG_PTR handles[2] = {0};
    size_t blocks[2] = {0};
    int32_t code = 0;

    bad.num_certs = 1;
    for (int i = 0; i < NUM_ROUNDS + WARM; i++) {
        if (i == WARM) {
            handles[0] = next_handle();
            blocks[0] = heap_blocks();
        }
        CHECK(trusts(&good, &code));
        CHECK(!trusts(&bad, &code) && code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    }
    handles[1] = next_handle();
    blocks[1] = heap_blocks();
    (void)printf(
        "10,000 verifications: next handle %lu, then %lu, blocks of the heap %lu, then %lu\n",
        (unsigned long)handles[0], (unsigned long)handles[1], (unsigned long)blocks[0],
        (unsigned long)blocks[1]);
    CHECK(handles[1] <= handles[0] + 100); // they count in fours
    CHECK(blocks[1] <= blocks[0] + 50);    // less than one for a hundred of them
}

static DWORD WINAPI verify_many(void *arg)
{
    ft_question good = ask();
    ft_question bad = ask();
    int32_t code = 0;

    (void)arg;
    bad.num_certs = 1;
    for (int i = 0; i < 100; i++) {
        CHECK(trusts(&good, &code));
        CHECK(!trusts(&bad, &code) && code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    }
    return 0;
}

static void eight_threads_hear_the_same(void)
{
    enum { NUM_THREADS = 8 };
    HANDLE threads[NUM_THREADS] = {NULL};

    for (int i = 0; i < NUM_THREADS; i++) {
        threads[i] = CreateThread(NULL, 0, verify_many, NULL, 0, NULL);
        CHECK(threads[i] != NULL);
    }
    for (int i = 0; i < NUM_THREADS; i++) {
        CHECK(WaitForSingleObject(threads[i], 300000) == WAIT_OBJECT_0);
        CHECK(CloseHandle(threads[i]));
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"good", good_is_good_and_half_is_not},
                 {"policy", a_policy_is_not_believed_alone},
                 {"faults", a_failing_call_never_ends_in_acceptance},
                 {"staple", a_staple_is_handed_over},
                 {"question", the_question_is_the_callers},
                 {"growth", nothing_is_left_behind},
                 {"threads", eight_threads_hear_the_same}};

    CHECK(argc == 3);
    read_cert(argv[1], "leaf.der", 0);
    read_cert(argv[1], "issuer.der", 1);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (strcmp(argv[2], tests[i].name) == 0) {
            tests[i].run();
            (void)printf("%s: %ld checks\n", tests[i].name, (long)num_checks);
            return 0;
        }
    }
    (void)printf("no test of that name: %s\n", argv[2]);
    return 1;
}

#endif
