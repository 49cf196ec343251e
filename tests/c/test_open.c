/*
 * Finding and proving OpenSSL: nothing is kept of a specimen that is not one, no address crashes
 * the probe, and the error queue of the one who asks stays as it was.
 */

#include "lab.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static fake_context *context;
static fake_connection *connection;

static bool refused_by(bool (*ask)(const ft_specimen *, ft_error *), const ft_specimen *specimen)
{
    ft_error err = {0};

    errno = ENOTTY; // nobody's but ours
    bool accepted = ask(specimen, &err);
    CHECK(errno == ENOTTY);
    CHECK(accepted == (err.code == FT_OK));
    CHECK(accepted || (err.code == FT_E_UNAVAILABLE && err.message[0] != '\0'));
    CHECK(ERR_peek_error() == 0);
    return !accepted;
}

static bool open_here(const ft_specimen *specimen, ft_error *err)
{
    return ft_open(NULL, specimen, err);
}

/* Two pages, the second of which cannot be read. */
static unsigned char *make_cliff(size_t page)
{
    unsigned char *pages =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(pages != MAP_FAILED);
    CHECK(mprotect(pages + page, page, PROT_NONE) == 0);
    return pages;
}

/* Everything that is not a specimen, whoever is asked. */
static void refuse_all(bool (*ask)(const ft_specimen *, ft_error *))
{
    const ft_specimen right = lab_specimen(context, connection);
    ft_specimen wrong = right;

    for (size_t header = 0; header <= 128; header += sizeof(void *)) {
        wrong.header = header;
        CHECK(header == LAB_HEADER || refused_by(ask, &wrong));
    }

    static const uintptr_t garbage[] = {0,          1,           8,          4096,
                                        0x10000000, UINTPTR_MAX, INTPTR_MAX, UINTPTR_MAX - 15,
                                        0xdeadbeef, 1U << 31U,   UINT32_MAX, UINTPTR_MAX / 3};
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        wrong = right;
        wrong.context = garbage[i];
        CHECK(refused_by(ask, &wrong));
        wrong = right;
        wrong.connection = garbage[i];
        CHECK(refused_by(ask, &wrong));
    }

    // Swapped, the same twice, and a header that wraps round.
    wrong = (ft_specimen){LAB_HEADER, right.connection, right.context};
    CHECK(refused_by(ask, &wrong));
    wrong = (ft_specimen){LAB_HEADER, right.context, right.context};
    CHECK(refused_by(ask, &wrong));
    wrong = (ft_specimen){SIZE_MAX, right.context, right.connection};
    CHECK(refused_by(ask, &wrong));
}

/* Objects whose fields lead nowhere: unmapped, unreadable, at the end of a page. */
static void refuse_broken_objects(bool (*ask)(const ft_specimen *, ft_error *))
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *cliff = make_cliff(page);
    fake_context broken = *context;
    fake_connection broken_connection = *connection;
    ft_specimen wrong = lab_specimen(&broken, connection);
    ft_specimen wrong_connection = lab_specimen(context, &broken_connection);
    unsigned char *const targets[] = {NULL,
                                      cliff,
                                      cliff + page - sizeof(void *),
                                      cliff + page - 1,
                                      cliff + page,
                                      (unsigned char *)(uintptr_t)0x18,
                                      (unsigned char *)UINTPTR_MAX};

    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        broken.ctx = (SSL_CTX *)(void *)targets[i];
        CHECK(refused_by(ask, &wrong));
        broken_connection.ssl = (SSL *)(void *)targets[i];
        CHECK(refused_by(ask, &wrong_connection));
    }
    // Objects that themselves stand at the cliff.
    for (size_t back = 0; back <= 4 * sizeof(void *); back++) {
        wrong = lab_specimen(context, connection);
        wrong.context = (uintptr_t)(cliff + page - back);
        CHECK(refused_by(ask, &wrong));
        wrong = lab_specimen(context, connection);
        wrong.connection = (uintptr_t)(cliff + page - back);
        CHECK(refused_by(ask, &wrong));
    }
    CHECK(munmap(cliff, 2 * page) == 0);
}

/* All that looks right, but not the two together. */
static void refuse_strangers(bool (*ask)(const ft_specimen *, ft_error *))
{
    fake_context *other = lab_context(false, NULL, NULL);
    fake_connection *of_other = lab_connection(other, false);
    fake_connection copy = *connection; // its SSL names another object as its owner
    ft_specimen wrong = lab_specimen(context, of_other);

    CHECK(refused_by(ask, &wrong));
    wrong = lab_specimen(other, connection);
    CHECK(refused_by(ask, &wrong));
    wrong = lab_specimen(context, &copy);
    CHECK(refused_by(ask, &wrong));
    lab_connection_free(of_other);
    lab_context_free(other);
}

static void nothing_wrong_opens(void)
{
    ft_error err = {0};
    ft_specimen right = lab_specimen(context, connection);

    CHECK(!ft_probe(&right, &err));
    CHECK(err.code == FT_E_UNAVAILABLE && ft_ossl() == NULL);
    refuse_all(open_here);
    refuse_broken_objects(open_here);
    refuse_strangers(open_here);
    CHECK(ft_ossl() == NULL);
}

static void the_right_one_opens_once(void)
{
    ft_specimen right = lab_specimen(context, connection);
    ft_specimen wrong = {0};

    CHECK(!refused_by(open_here, &right));
    const struct ft_ossl *table = ft_ossl();
    struct ft_ossl before = *table;
    CHECK(table != NULL && table->header == LAB_HEADER);
    CHECK(table->X509_verify_cert == X509_verify_cert);
    CHECK(table->SSL_get1_peer_certificate != NULL);
    // Once proved, for ever: a second call does not even look.
    CHECK(!refused_by(open_here, &right));
    CHECK(!refused_by(open_here, &wrong));
    CHECK(ft_ossl() == table && table->ssl_index == before.ssl_index);
    CHECK(table->ssl_ctx_index == before.ssl_ctx_index);
    CHECK(table->store_index == before.store_index);
    CHECK(strcmp(ft_openssl_version(), OpenSSL_version(OPENSSL_VERSION)) == 0);
}

static void the_probe_refuses_and_never_crashes(void)
{
    ft_specimen specimen = lab_specimen(context, connection);

    CHECK(!refused_by(ft_probe, &specimen));
    refuse_all(ft_probe);
    refuse_broken_objects(ft_probe);
    refuse_strangers(ft_probe);
}

/* Pseudo-random addresses, with the one right offset and others. */
static void the_probe_survives_any_address(void)
{
    uint64_t state = 0x9e3779b97f4a7c15U;

    for (int i = 0; i < 20000; i++) {
        uintptr_t words[3];

        for (int j = 0; j < 3; j++) {
            state ^= state << 13U;
            state ^= state >> 7U;
            state ^= state << 17U;
            words[j] = (uintptr_t)(state >> (state & 63U));
        }
        ft_specimen specimen = {i % 2 == 0 ? LAB_HEADER : words[0] % 4096, words[1], words[2]};
        CHECK(refused_by(ft_probe, &specimen));
        specimen.context = (uintptr_t)context;
        CHECK(refused_by(ft_probe, &specimen));
    }
}

/* A caller's own errors are neither dropped nor added to. */
static void the_error_queue_stays(void)
{
    ft_specimen specimen = lab_specimen(context, connection);
    ft_specimen wrong = {LAB_HEADER, (uintptr_t)connection, (uintptr_t)context};
    ft_error err = {0};

    ERR_put_error(ERR_LIB_USER, 0, 7, __FILE__, __LINE__);
    unsigned long mine = ERR_peek_error();
    CHECK(ft_probe(&specimen, &err));
    CHECK(!ft_probe(&wrong, &err));
    CHECK(ft_open(NULL, &specimen, &err));
    CHECK(ERR_get_error() == mine && ERR_peek_error() == 0);
}

int main(void)
{
    context = lab_context(false, NULL, NULL);
    connection = lab_connection(context, false);
    ERR_clear_error();
    RUN(nothing_wrong_opens);
    RUN(the_right_one_opens_once);
    RUN(the_probe_refuses_and_never_crashes);
    RUN(the_probe_survives_any_address);
    RUN(the_error_queue_stays);
    lab_connection_free(connection);
    lab_context_free(context);
    return lab_end("test_open");
}
