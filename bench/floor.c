/*
 * The floor: the same handshake and the same verification as the peers', by the OpenSSL that Python
 * runs, without Python. Loaded into the workers, where it takes turns with the peers; built with
 * PROGRAM, a process that starts, verifies one server, reads one byte and ends.
 *
 * Every function answers 0 for done and verified, else the line that failed, below 0 where it was the
 * verdict on the certificate that failed.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#if (OPENSSL_VERSION_NUMBER >> 28) != RUNNING_MAJOR || \
    ((OPENSSL_VERSION_NUMBER >> 20) & 0xff) != RUNNING_MINOR
#error "the headers are of another OpenSSL than Python's"
#endif

#define MUST(condition)      \
    do {                     \
        if (!(condition)) {  \
            line = __LINE__; \
            goto cleanup;    \
        }                    \
    } while (0)

/* A client's context with its own anchors, read now; without a bundle it verifies nobody. */
SSL_CTX *floor_context(const char *bundle)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || bundle == NULL) {
        return context;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, bundle, NULL) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

void floor_context_free(SSL_CTX *context)
{
    SSL_CTX_free(context);
}

static SSL *new_client(SSL_CTX *context, const char *host)
{
    SSL *ssl = SSL_new(context);

    if (ssl == NULL || SSL_set_tlsext_host_name(ssl, host) != 1 || SSL_set1_host(ssl, host) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

/* Whether the verdict is the one that the context asks for: the chain's, or none. */
static int is_as_asked(SSL *ssl)
{
    return SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || SSL_get_verify_result(ssl) == X509_V_OK;
}

/* The answer for the line at which a connection failed. */
static int answer(int line, SSL *ssl)
{
    return ssl != NULL && !is_as_asked(ssl) ? -line : line;
}

/* Connects, and reads one byte. `*session` is resumed if there is one, else it is set if not NULL. */
int floor_connect(SSL_CTX *context, int port, const char *host, SSL_SESSION **session)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int line = 0;
    char byte = 0;
    SSL *ssl = NULL;
    int plain = socket(AF_INET, SOCK_STREAM, 0);
    int resumes = session != NULL && *session != NULL;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(plain >= 0 && connect(plain, (struct sockaddr *)&address, sizeof address) == 0);
    MUST((ssl = new_client(context, host)) != NULL);
    MUST(SSL_set_fd(ssl, plain) == 1);
    if (resumes) {
        MUST(SSL_set_session(ssl, *session) == 1);
    }
    MUST(SSL_connect(ssl) == 1);
    MUST(SSL_read(ssl, &byte, 1) == 1 && byte == 'x');
    MUST(is_as_asked(ssl) && SSL_session_reused(ssl) == resumes);
    if (session != NULL && !resumes) {
        MUST((*session = SSL_get1_session(ssl)) != NULL);
    }

cleanup:
    line = answer(line, ssl);
    if (ssl != NULL) { // without this OpenSSL calls the session a bad one
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(ssl);
    if (plain >= 0) {
        close(plain);
    }
    ERR_clear_error();
    return line;
}

SSL_CTX *floor_server(const char *chain, const char *key, int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL || SSL_CTX_use_certificate_chain_file(context, chain) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_set_max_proto_version(context, version) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A handshake over memory BIOs; what the client's side takes is added to `*seconds`. `*session` is
 * as floor_connect()'s. */
int floor_memory(SSL_CTX *context, SSL_CTX *server_context, const char *host, double *seconds,
                 SSL_SESSION **session)
{
    int line = 0;
    char byte = 0;
    int resumes = session != NULL && *session != NULL;
    SSL *client = NULL;
    SSL *server = NULL;
    BIO *up = BIO_new(BIO_s_mem());
    BIO *down = BIO_new(BIO_s_mem());
    double started = now();
    int is_done = 0;

    MUST((client = new_client(context, host)) != NULL);
    if (resumes) {
        MUST(SSL_set_session(client, *session) == 1);
    }
    *seconds += now() - started;
    MUST((server = SSL_new(server_context)) != NULL);
    BIO_set_mem_eof_return(up, -1);
    BIO_set_mem_eof_return(down, -1);
    BIO_up_ref(up);
    BIO_up_ref(down);
    SSL_set_bio(client, down, up);
    BIO_up_ref(up);
    BIO_up_ref(down);
    SSL_set_bio(server, up, down);
    SSL_set_accept_state(server);
    for (int flights = 0; flights < 4 && !is_done; flights++) {
        started = now();
        is_done = SSL_do_handshake(client) == 1;
        *seconds += now() - started;
        (void)SSL_do_handshake(server);
    }
    MUST(is_done && SSL_is_init_finished(server) && is_as_asked(client));
    MUST(SSL_session_reused(client) == resumes);
    if (session != NULL && !resumes) {
        (void)SSL_read(client, &byte, 1); // TLS 1.3 sends its tickets behind the handshake
        MUST((*session = SSL_get1_session(client)) != NULL);
    }

cleanup:
    line = answer(line, client);
    if (client != NULL && session != NULL) { // without this OpenSSL calls the session a bad one
        SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    started = now();
    SSL_free(client);
    *seconds += now() - started;
    SSL_free(server);
    BIO_free(up);
    BIO_free(down);
    ERR_clear_error();
    return line;
}

/* A chain without a connection: what verify_chain() does, for a server's name and purpose. */
typedef struct floor_chain {
    X509_STORE *store;
    X509 *leaf;
    STACK_OF(X509) * others;
} floor_chain;

floor_chain *floor_chain_new(const char *bundle)
{
    floor_chain *chain = calloc(1, sizeof *chain);

    if (chain == NULL) {
        return NULL;
    }
    chain->store = X509_STORE_new();
    chain->others = sk_X509_new_null();
    if (chain->store == NULL || chain->others == NULL ||
        X509_STORE_load_locations(chain->store, bundle, NULL) != 1) {
        return NULL;
    }
    return chain;
}

/* Takes the next certificate that the peer would send, the leaf first. */
int floor_chain_add(floor_chain *chain, const unsigned char *der, long length)
{
    X509 *certificate = d2i_X509(NULL, &der, length);

    if (certificate == NULL) {
        return __LINE__;
    }
    if (chain->leaf == NULL) {
        chain->leaf = certificate;
        return 0;
    }
    return sk_X509_push(chain->others, certificate) > 0 ? 0 : __LINE__;
}

void floor_chain_clear(floor_chain *chain)
{
    X509_free(chain->leaf);
    chain->leaf = NULL;
    while (sk_X509_num(chain->others) > 0) {
        X509_free(sk_X509_pop(chain->others));
    }
}

int floor_chain_verify(floor_chain *chain, const char *host, int expected)
{
    int line = 0;
    X509_STORE_CTX *store_ctx = X509_STORE_CTX_new();

    MUST(store_ctx != NULL);
    MUST(X509_STORE_CTX_init(store_ctx, chain->store, chain->leaf, chain->others) == 1);
    MUST(X509_STORE_CTX_set_default(store_ctx, "ssl_server") == 1);
    MUST(X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(store_ctx), host, 0) == 1);
    if (X509_verify_cert(store_ctx) != 1) {
        line = -__LINE__;
        goto cleanup;
    }
    MUST(sk_X509_num(X509_STORE_CTX_get0_chain(store_ctx)) == expected);

cleanup:
    X509_STORE_CTX_free(store_ctx);
    ERR_clear_error();
    return line;
}

#ifdef PROGRAM
int main(int argc, char **argv)
{
    SSL_CTX *context;
    int line;

    if (argc != 4) {
        return 64;
    }
    context = floor_context(argv[1][0] != '\0' ? argv[1] : NULL);
    if (context == NULL) {
        return 1;
    }
    line = floor_connect(context, atoi(argv[2]), argv[3], NULL);
    if (line < 0) {
        fputs("certificate verify failed\n", stderr);
    }
    return line != 0;
}
#endif
