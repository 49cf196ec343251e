/*
 * What attaching does to a context: a fresh store that keeps what is the context's own and nothing
 * of the system, an old store that lives as long as the context, and nothing left behind.
 */

#include "lab.h"

#include <string.h>

typedef struct contents {
    int num_certs, num_crls;
} contents;

static contents contents_of(const fake_context *context)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context->ctx));
    contents found = {0, 0};

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
        found.num_certs += X509_OBJECT_get0_X509(object) != NULL;
        found.num_crls += X509_OBJECT_get0_X509_CRL(object) != NULL;
    }
    return found;
}

static bool holds(const fake_context *context, const identity *anchor)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context->ctx));

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (cert != NULL && X509_cmp(cert, anchor->cert) == 0) {
            return true;
        }
    }
    return false;
}

static void an_empty_context_stays_empty(void)
{
    ft_source *system = lab_system(&lab.root);
    fake_context *context = lab_context(false, NULL, NULL);
    X509_STORE *old = SSL_CTX_get_cert_store(context->ctx);

    CHECK(!ft_context_attached((uintptr_t)context));
    lab_attach(context, system, true, false);
    CHECK(SSL_CTX_get_cert_store(context->ctx) != old);
    CHECK(contents_of(context).num_certs == 0 && contents_of(context).num_crls == 0);
    lab_context_free(context);
    ft_source_free(system);
}

/* Two CAs of one name and two keys: only the very certificate of the system is left out. */
static void own_certificates_and_crls_are_kept(void)
{
    ft_source *system = lab_system(&lab.root);
    fake_context *context = lab_context(false, NULL, NULL);
    identity namesake = lab_cert("root", NULL, true);
    X509_STORE *store = SSL_CTX_get_cert_store(context->ctx);

    lab_trusts(context, &lab.root); // the system's
    lab_trusts(context, &lab.other_root);
    lab_trusts(context, &namesake);
    CHECK(X509_STORE_add_crl(store, lab.crl) == 1);
    lab_attach(context, system, true, false);
    CHECK(contents_of(context).num_certs == 2 && contents_of(context).num_crls == 1);
    CHECK(!holds(context, &lab.root));
    CHECK(holds(context, &lab.other_root) && holds(context, &namesake));
    lab_context_free(context);

    // Without a system nothing is left out.
    context = lab_context(false, NULL, NULL);
    lab_trusts(context, &lab.root);
    lab_trusts(context, &namesake);
    lab_attach(context, NULL, false, false);
    CHECK(contents_of(context).num_certs == 2);
    lab_context_free(context);
    lab_identity_free(&namesake);
    ft_source_free(system);
}

static void settings_of_the_store_are_kept(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    X509_STORE *store = SSL_CTX_get_cert_store(context->ctx);

    CHECK(X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_X509_STRICT) == 1);
    CHECK(X509_STORE_set_depth(store, 7) == 1);
    lab_attach(context, NULL, false, false);
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(SSL_CTX_get_cert_store(context->ctx));
    CHECK((X509_VERIFY_PARAM_get_flags(param) & X509_V_FLAG_CRL_CHECK) != 0);
    CHECK((X509_VERIFY_PARAM_get_flags(param) & X509_V_FLAG_X509_STRICT) != 0);
    CHECK(X509_VERIFY_PARAM_get_depth(param) == 7);
    lab_context_free(context);
}

static void attaching_again_keeps_everything(void)
{
    ft_source *system = lab_system(&lab.root);
    fake_context *context = lab_context(false, NULL, NULL);

    lab_trusts(context, &lab.other_root);
    CHECK(X509_STORE_add_crl(SSL_CTX_get_cert_store(context->ctx), lab.crl) == 1);
    for (int i = 0; i < 5; i++) {
        X509_STORE *old = SSL_CTX_get_cert_store(context->ctx);
        lab_attach(context, system, true, i % 2 == 0);
        CHECK(SSL_CTX_get_cert_store(context->ctx) != old);
        CHECK(contents_of(context).num_certs == 1 && contents_of(context).num_crls == 1);
        CHECK(holds(context, &lab.other_root));
    }
    // A system that did not count until now takes out what it holds.
    lab_trusts(context, &lab.root);
    CHECK(contents_of(context).num_certs == 2);
    lab_attach(context, system, true, false);
    CHECK(contents_of(context).num_certs == 1 && !holds(context, &lab.root));
    lab_context_free(context);
    ft_source_free(system);
}

/* A handshake that began before points at the old store without a reference. */
static void the_old_store_outlives_its_replacement(void)
{
    fake_context *context = lab_context(false, NULL, NULL);
    X509_STORE_CTX *running = X509_STORE_CTX_new();

    lab_trusts(context, &lab.root);
    CHECK(X509_STORE_CTX_init(running, SSL_CTX_get_cert_store(context->ctx), lab.middle.cert,
                              NULL) == 1);
    lab_attach(context, NULL, false, false);
    lab_attach(context, NULL, false, false);
    CHECK(X509_verify_cert(running) == 1);
    X509_STORE_CTX_free(running);
    lab_context_free(context);
}

/* Trust is the SSL_CTX's: a connection keeps it alive, whatever became of the Python objects. */
static void trust_outlives_the_objects(void)
{
    ft_source *system = lab_system(&lab.root);
    fake_context *context = lab_context(false, NULL, NULL);
    fake_context *peer = lab_context(true, &lab.server, &lab.middle);

    SSL_CTX_set_verify(peer->ctx, SSL_VERIFY_NONE, NULL);
    lab_attach(context, system, true, false);
    fake_connection *client = lab_connection(context, false);
    fake_connection *server = lab_connection(peer, true);
    lab_context_free(context);
    ft_source_free(system);
    lab_join(client, server);
    outcome end = lab_shake(client, server);
    CHECK(end.client_done && end.server_done);
    lab_connection_free(client);
    lab_connection_free(server);
    lab_context_free(peer);
}

static void thousands_leave_nothing(void)
{
    ft_source *system = lab_system(&lab.root);

    for (int i = 0; i < 3000; i++) {
        fake_context *context = lab_context(false, NULL, NULL);

        lab_trusts(context, &lab.other_root);
        lab_attach(context, i % 3 == 0 ? NULL : system, true, false);
        if (i % 2 == 0) {
            lab_attach(context, system, true, true);
        }
        lab_context_free(context);
    }
    ft_source_free(system);
}

static void misuse_is_named(void)
{
    fake_context hollow = {{NULL, NULL}, NULL, {NULL}};
    fake_context *context = lab_context(false, NULL, NULL);
    X509_STORE *store = SSL_CTX_get_cert_store(context->ctx);
    ft_index *index = lab_index(NULL, 0);
    ft_trust none = {0};
    ft_error err = {0};

    CHECK(!ft_context_attach((uintptr_t)&hollow, &none, true, &err) && err.code == FT_E_MISUSE);
    CHECK(SSL_CTX_get_cert_store(context->ctx) == store);
    CHECK(!ft_context_attached((uintptr_t)&hollow) && !ft_context_attached((uintptr_t)context));
    for (int i = 0; i < 2; i++) { // never initialised, and not one of ours
        uintptr_t wrong = i == 0 ? (uintptr_t)&hollow : (uintptr_t)context;
        err = (ft_error){0};
        CHECK(!ft_context_add(wrong, index, &err) && err.code == FT_E_MISUSE);
        err = (ft_error){0};
        CHECK(!ft_context_trust_system(wrong, &(ft_trust){.for_clients = true}, &err));
        CHECK(err.code == FT_E_MISUSE);
    }
    CHECK(err.message[0] != '\0' && ERR_peek_error() == 0);
    ft_index_free(index);
    lab_context_free(context);
}

/* The first word on what went wrong stays, and no text is too long. */
static void the_first_error_stays(void)
{
    char text[2 * FT_MESSAGE_LEN];
    ft_error err = {0};

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ft_error_set(&err, FT_E_FOREIGN, text, "%s", text);
    CHECK(err.code == FT_E_FOREIGN && err.depth == -1);
    CHECK(strlen(err.call) == FT_CALL_LEN - 1 && strlen(err.message) == FT_MESSAGE_LEN - 1);
    ft_error_set(&err, FT_E_MEMORY, NULL, "another");
    CHECK(err.code == FT_E_FOREIGN && err.message[0] == 'x');
}

int main(void)
{
    lab_begin();
    RUN(an_empty_context_stays_empty);
    RUN(own_certificates_and_crls_are_kept);
    RUN(settings_of_the_store_are_kept);
    RUN(attaching_again_keeps_everything);
    RUN(the_old_store_outlives_its_replacement);
    RUN(trust_outlives_the_objects);
    RUN(thousands_leave_nothing);
    RUN(misuse_is_named);
    RUN(the_first_error_stays);
    return lab_end("test_context");
}
