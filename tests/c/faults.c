#define _GNU_SOURCE

#include "faults.h"

#include <dlfcn.h>
#include <string.h>

/* ---- which call fails -------------------------------------------------------------------- */

static bool armed;
static int num_calls;
static int failing_call;
static const char *hidden;

void fault_arm(int number)
{
    armed = true;
    num_calls = 0;
    failing_call = number;
}

bool fault_disarm(void)
{
    armed = false;
    return num_calls >= failing_call;
}

void fault_each(bool (*body)(int number))
{
    enum { MANY = 10000 }; // no road of ours has so many calls
    int number = 1;

    while (body(number)) {
        number++;
        CHECK(number < MANY);
    }
    CHECK(number > 1);
}

void fault_hide(const char *name)
{
    hidden = name;
}

static bool fails(void)
{
    return armed && ++num_calls == failing_call;
}

static bool fails_in_openssl(void)
{
    if (!fails()) {
        return false;
    }
    ERR_put_error(ERR_LIB_X509, 0, ERR_R_MALLOC_FAILURE, __FILE__, __LINE__);
    return true;
}

/* ---- memory ------------------------------------------------------------------------------ */

void *__real_malloc(size_t size);
void *__real_calloc(size_t num, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t num, size_t size)
{
    return fails() ? NULL : __real_calloc(num, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* ---- OpenSSL ----------------------------------------------------------------------------- */

/*
 * FAULTY(result, name, parameters, arguments, what it answers when it fails). Not here: what cannot
 * fail (getters of a field), and X509_up_ref, whose failure would be an overflowing count.
 */
// clang-format off
#define FAULTY_FUNCTIONS(FAULTY) \
    FAULTY(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *a), (a), NULL) \
    FAULTY(int, SSL_CTX_set_ex_data, (SSL_CTX *a, int b, void *c), (a, b, c), 0) \
    FAULTY(int, SSL_set_ex_data, (SSL *a, int b, void *c), (a, b, c), 0) \
    FAULTY(int, SSL_set_session_id_context, (SSL *a, const unsigned char *b, unsigned int c), (a, b, c), 0) \
    FAULTY(int, SSL_set_session, (SSL *a, SSL_SESSION *b), (a, b), 0) \
    FAULTY(ft_x509s *, SSL_get_peer_cert_chain, (const SSL *a), (a), NULL) \
    FAULTY(ft_x509s *, SSL_get0_verified_chain, (const SSL *a), (a), NULL) \
    FAULTY(int, CRYPTO_get_ex_new_index, (int a, long b, void *c, ft_ex_new_fn d, ft_ex_dup_fn e, ft_ex_free_fn f), (a, b, c, d, e, f), -1) \
    FAULTY(OPENSSL_STACK *, OPENSSL_sk_new_null, (void), (), NULL) \
    FAULTY(int, OPENSSL_sk_push, (OPENSSL_STACK *a, const void *b), (a, b), 0) \
    FAULTY(int, X509_cmp_time, (const ASN1_TIME *a, time_t *b), (a, b), 0) \
    FAULTY(int, i2d_X509, (const X509 *a, unsigned char **b), (a, b), -1) \
    FAULTY(X509 *, d2i_X509, (X509 **a, const unsigned char **b, long c), (a, b, c), NULL) \
    FAULTY(X509_NAME *, d2i_X509_NAME, (X509_NAME **a, const unsigned char **b, long c), (a, b, c), NULL) \
    FAULTY(X509_STORE *, X509_STORE_new, (void), (), NULL) \
    FAULTY(int, X509_STORE_add_cert, (X509_STORE *a, X509 *b), (a, b), 0) \
    FAULTY(int, X509_STORE_add_crl, (X509_STORE *a, X509_CRL *b), (a, b), 0) \
    FAULTY(int, X509_STORE_set1_param, (X509_STORE *a, const X509_VERIFY_PARAM *b), (a, b), 0) \
    FAULTY(int, X509_STORE_set_ex_data, (X509_STORE *a, int b, void *c), (a, b, c), 0) \
    FAULTY(X509_STORE_CTX *, X509_STORE_CTX_new, (void), (), NULL) \
    FAULTY(int, X509_STORE_CTX_init, (X509_STORE_CTX *a, X509_STORE *b, X509 *c, ft_x509s *d), (a, b, c, d), 0) \
    FAULTY(ft_x509s *, X509_STORE_CTX_get0_untrusted, (const X509_STORE_CTX *a), (a), NULL) \
    FAULTY(ft_x509s *, X509_STORE_CTX_get0_chain, (const X509_STORE_CTX *a), (a), NULL) \
    FAULTY(ft_x509s *, X509_STORE_CTX_get1_certs, (X509_STORE_CTX *a, const X509_NAME *b), (a, b), NULL) \
    FAULTY(int, X509_STORE_CTX_set_ex_data, (X509_STORE_CTX *a, int b, void *c), (a, b, c), 0) \
    FAULTY(int, X509_STORE_CTX_set_default, (X509_STORE_CTX *a, const char *b), (a, b), 0) \
    FAULTY(ft_x509s *, X509_STORE_CTX_get1_chain, (const X509_STORE_CTX *a), (a), NULL) \
    FAULTY(int, X509_VERIFY_PARAM_set1, (X509_VERIFY_PARAM *a, const X509_VERIFY_PARAM *b), (a, b), 0) \
    FAULTY(int, X509_VERIFY_PARAM_set_flags, (X509_VERIFY_PARAM *a, unsigned long b), (a, b), 0) \
    FAULTY(int, X509_VERIFY_PARAM_clear_flags, (X509_VERIFY_PARAM *a, unsigned long b), (a, b), 0) \
    FAULTY(int, X509_verify_cert, (X509_STORE_CTX *a), (a), -1)
// clang-format on

#define DEFINE_FAULTY(result, name, parameters, arguments, failure)                                \
    static result faulty_##name parameters                                                         \
    {                                                                                              \
        return fails_in_openssl() ? (failure) : name arguments;                                    \
    }
FAULTY_FUNCTIONS(DEFINE_FAULTY)

void *fault_find(const void *library, const char *name)
{
    void *symbol = ft_library_find(library, name);

    if (hidden != NULL && strcmp(hidden, name) == 0) {
        return NULL;
    }
    if (symbol == NULL) {
        return NULL;
    }
#define REPLACE(result, real, parameters, arguments, failure)                                      \
    if (strcmp(name, #real) == 0) {                                                                \
        result(*faulty) parameters = faulty_##real;                                                \
        memcpy(&symbol, &faulty, sizeof symbol);                                                   \
    }
    FAULTY_FUNCTIONS(REPLACE)
    return symbol;
}
