/*
 * A process may hold several OpenSSLs. Here it holds two: the one that this program is linked to,
 * and a copy of its file, loaded apart. Objects of either must lead to that one and no other. Each
 * case runs in a process of its own, since what is proved stays for ever.
 */

#define _GNU_SOURCE

#include "lab.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char copy_path[4096];
static void *copy;

/* The copy's own functions, by name. */
static struct {
    const SSL_METHOD *(*TLS_client_method)(void);
    SSL_CTX *(*SSL_CTX_new)(const SSL_METHOD *);
    void (*SSL_CTX_free)(SSL_CTX *);
    SSL *(*SSL_new)(SSL_CTX *);
    void (*SSL_free)(SSL *);
    int (*SSL_set_ex_data)(SSL *, int, void *);
} theirs;

static void find(const char *name, void *out_function)
{
    void *symbol = dlsym(copy, name);

    CHECK(symbol != NULL);
    memcpy(out_function, &symbol, sizeof symbol);
}

static void copy_library(const char *folder)
{
    Dl_info about;
    void *symbol = NULL;
    char bytes[65536];
    size_t num = 0;
    SSL_CTX *(*function)(const SSL_METHOD *) = SSL_CTX_new;

    memcpy(&symbol, &function, sizeof symbol);
    CHECK(dladdr(symbol, &about) != 0 && about.dli_fname != NULL);
    CHECK(snprintf(copy_path, sizeof copy_path, "%s/another-libssl.so", folder) > 0);
    FILE *from = fopen(about.dli_fname, "rb");
    FILE *to = fopen(copy_path, "wb");
    CHECK(from != NULL && to != NULL);
    while ((num = fread(bytes, 1, sizeof bytes, from)) > 0) {
        CHECK(fwrite(bytes, 1, num, to) == num);
    }
    CHECK(fclose(from) == 0 && fclose(to) == 0);
}

/* A specimen whose objects are the copy's. */
static fake_context *their_context(void)
{
    fake_context *context = calloc(1, sizeof *context);

    context->ctx = theirs.SSL_CTX_new(theirs.TLS_client_method());
    CHECK(context->ctx != NULL);
    return context;
}

static fake_connection *their_connection(const fake_context *context)
{
    fake_connection *connection = calloc(1, sizeof *connection);

    connection->ssl = theirs.SSL_new(context->ctx);
    CHECK(connection->ssl != NULL);
    CHECK(theirs.SSL_set_ex_data(connection->ssl, 0, connection) == 1);
    return connection;
}

/* Opens with a specimen of the copy; `path` is what Python would call the file of _ssl. */
static void open_theirs(const char *path)
{
    fake_context *context = their_context();
    fake_connection *connection = their_connection(context);
    ft_specimen specimen = lab_specimen(context, connection);
    ft_error err = {0};

    ERR_clear_error();
    CHECK(ft_open(path, &specimen, &err));
    CHECK(ft_ossl()->SSL_CTX_new == theirs.SSL_CTX_new && theirs.SSL_CTX_new != SSL_CTX_new);
    CHECK(ft_ossl()->TLS_client_method == theirs.TLS_client_method);
    CHECK(ft_ossl()->X509_verify_cert == X509_verify_cert); // one libcrypto serves both
    CHECK(ft_probe(&specimen, &err) && ERR_peek_error() == 0);
    theirs.SSL_free(connection->ssl);
    theirs.SSL_CTX_free(context->ctx);
    free(connection);
    free(context);
}

/* _ssl's own file names the library. */
static void by_the_file_of_ssl(void)
{
    open_theirs(copy_path);
}

/* The global scope holds the wrong one; the right one is found among all that is loaded. */
static void among_all_that_is_loaded(void)
{
    open_theirs(NULL);
}

/* _ssl's file leads to the wrong one, or to none. */
static void where_the_file_misleads(void)
{
    Dl_info about;
    void *symbol = dlsym(RTLD_DEFAULT, "SSL_CTX_new");

    CHECK(dladdr(symbol, &about) != 0);
    open_theirs(about.dli_fname);
}

static void where_the_file_is_not_loaded(void)
{
    open_theirs("/nonexistent/_ssl.so");
}

/* Objects of ours, while the file of _ssl leads to the copy. */
static void ours_though_the_file_says_theirs(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    ft_specimen specimen = lab_specimen(context, connection);
    ft_error err = {0};

    CHECK(ft_open(copy_path, &specimen, &err));
    CHECK(ft_ossl()->SSL_CTX_new == SSL_CTX_new && ERR_peek_error() == 0);
    lab_connection_free(connection);
    lab_context_free(context);
}

/* A pair of which each half belongs to another library is nobody's. */
static void a_mixed_pair_is_refused(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    fake_context *other = their_context();
    fake_connection *of_other = their_connection(other);
    ft_specimen mixed[] = {lab_specimen(context, of_other), lab_specimen(other, connection)};

    ERR_clear_error();
    for (int i = 0; i < 4; i++) {
        ft_error err = {0};
        CHECK(!ft_open(i < 2 ? NULL : copy_path, &mixed[i % 2], &err));
        CHECK(err.code == FT_E_UNAVAILABLE && ft_ossl() == NULL && ERR_peek_error() == 0);
    }
    theirs.SSL_free(of_other->ssl);
    theirs.SSL_CTX_free(other->ctx);
    free(of_other);
    free(other);
    lab_connection_free(connection);
    lab_context_free(context);
}

/* What was on the error queue before says nothing about libcrypto, even the very same error. */
static void an_old_error_does_not_disturb_the_proof(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    fake_connection *connection = lab_connection(context, false);
    ft_specimen specimen = lab_specimen(context, connection);
    ft_error err = {0};

    ERR_clear_error();
    CHECK(SSL_CTX_set_cipher_list(context->ctx, "FASTTRUST-NO-SUCH-CIPHER") == 0);
    unsigned long old = ERR_peek_error();
    CHECK(old != 0);
    CHECK(ft_open(NULL, &specimen, &err));
    CHECK(ERR_get_error() == old && ERR_peek_error() == 0);
    lab_connection_free(connection);
    lab_context_free(context);
}

static void alone(const char *name, void (*test)(void))
{
    int status = 0;

    (void)fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (getenv("CHECK_VERBOSE") != NULL) {
            (void)fprintf(stderr, "  %s\n", name);
        }
        test();
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)fprintf(stderr, "test_find: %s failed\n", name);
        exit(1);
    }
}

#define ALONE(test) alone(#test, test)

int main(void)
{
    char folder[] = "/tmp/fasttrust-find-XXXXXX";

    CHECK(mkdtemp(folder) != NULL);
    copy_library(folder);
    copy = dlopen(copy_path, RTLD_NOW | RTLD_LOCAL);
    CHECK(copy != NULL);
    CHECK(unlink(copy_path) == 0 && rmdir(folder) == 0);
    find("TLS_client_method", &theirs.TLS_client_method);
    find("SSL_CTX_new", &theirs.SSL_CTX_new);
    find("SSL_CTX_free", &theirs.SSL_CTX_free);
    find("SSL_new", &theirs.SSL_new);
    find("SSL_free", &theirs.SSL_free);
    find("SSL_set_ex_data", &theirs.SSL_set_ex_data);
    ALONE(by_the_file_of_ssl);
    ALONE(among_all_that_is_loaded);
    ALONE(where_the_file_misleads);
    ALONE(where_the_file_is_not_loaded);
    ALONE(ours_though_the_file_says_theirs);
    ALONE(a_mixed_pair_is_refused);
    ALONE(an_old_error_does_not_disturb_the_proof);
    return lab_end("test_find");
}
