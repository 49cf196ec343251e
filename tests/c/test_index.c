/*
 * The index and the source by themselves: what is found by which name, what is no certificate, and
 * one index that replaces another while many threads ask.
 */

#define _GNU_SOURCE // memmem

#include "lab.h"

#include <pthread.h>
#include <string.h>

enum { NUM_READERS = 4, NUM_SWAPS = 2000, NUM_USERS = 16, NUM_FIRST_USES = 200 };

static ft_x509s *new_stack(void)
{
    return (ft_x509s *)OPENSSL_sk_new_null();
}

static void free_stack(ft_x509s *found)
{
    sk_X509_pop_free(found, X509_free);
}

static bool is_only(ft_x509s *found, const identity *anchor)
{
    return sk_X509_num(found) == 1 && X509_cmp(sk_X509_value(found, 0), anchor->cert) == 0;
}

static bool holds(ft_index *index, const identity *anchor)
{
    bool held = false;
    ft_error err = {0};

    CHECK(ft_index_hold(index, &held, anchor->cert, &err));
    return held;
}

/* Equal names in the order of the file, each certificate once. */
static void every_anchor_of_a_name_is_found(void)
{
    identity namesake = lab_cert("ROOT", NULL, true);
    const identity *anchors[] = {&lab.root, &lab.other_root, &namesake, &lab.root};
    ft_index *index = lab_index(anchors, 4);
    ft_x509s *found = new_stack();
    ft_x509s *none = new_stack();
    identity stranger = lab_cert("stranger", NULL, true);

    CHECK(ft_index_len(index) == 3);
    CHECK(ft_index_find(index, X509_get_subject_name(lab.root.cert), found));
    CHECK(sk_X509_num(found) == 2);
    CHECK(X509_cmp(sk_X509_value(found, 0), lab.root.cert) == 0);
    CHECK(X509_cmp(sk_X509_value(found, 1), namesake.cert) == 0);
    CHECK(ft_index_find(index, X509_get_subject_name(stranger.cert), none));
    CHECK(sk_X509_num(none) == 0);
    CHECK(holds(index, &lab.root) && holds(index, &namesake) && holds(index, &lab.other_root));
    CHECK(!holds(index, &stranger) && !holds(index, &lab.server));
    ft_index_free(index);
    // What was found is referenced, and outlives its index.
    CHECK(X509_verify(sk_X509_value(found, 0), lab.root.key) == 1);
    CHECK(ERR_peek_error() == 0);
    free_stack(found);
    free_stack(none);
    lab_identity_free(&namesake);
    lab_identity_free(&stranger);
}

static void an_empty_index_finds_nothing(void)
{
    ft_index *index = lab_index(NULL, 0);
    ft_x509s *found = new_stack();

    CHECK(ft_index_len(index) == 0 && !holds(index, &lab.root));
    CHECK(ft_index_find(index, X509_get_subject_name(lab.root.cert), found));
    CHECK(sk_X509_num(found) == 0);
    free_stack(found);
    ft_index_free(index);
    ft_index_free(NULL);
    ft_source_free(NULL);
}

/* A frame that is right around a key that is not: as good as absent, and undecidable when kept. */
static void a_damaged_anchor_is_absent(void)
{
    const identity *anchors[] = {&lab.root};
    ft_index *whole = lab_index(anchors, 1);
    ft_der der = ft_index_der(whole, 0);
    uint8_t *damaged = malloc(der.len);
    X509_PUBKEY *key = X509_get_X509_PUBKEY(lab.root.cert);
    unsigned char *key_der = NULL;
    int key_len = i2d_X509_PUBKEY(key, &key_der);
    ft_error err = {0};
    bool held = true;

    CHECK(damaged != NULL && key_len > 4);
    memcpy(damaged, der.data, der.len);
    uint8_t *place = memmem(damaged, der.len, key_der, (size_t)key_len);
    CHECK(place != NULL);
    place[2] = 0x05; // the algorithm's SEQUENCE
    ft_index *index = ft_index_from_der((const char *)damaged, der.len, &der.len, 1, &err);
    CHECK(index != NULL && ft_index_len(index) == 1);
    ft_x509s *found = new_stack();
    (void)ERR_set_mark();
    CHECK(ft_index_find(index, X509_get_subject_name(lab.root.cert), found));
    CHECK(sk_X509_num(found) == 0);
    CHECK(!ft_index_hold(index, &held, lab.root.cert, &err) && !held && err.code == FT_E_FOREIGN);
    (void)ERR_pop_to_mark();
    free_stack(found);
    OPENSSL_free(key_der);
    free(damaged);
    ft_index_free(index);
    ft_index_free(whole);
}

/* Cut off anywhere, or one byte changed anywhere: never more anchors than were there. */
static void what_is_no_certificate_is_refused(void)
{
    const identity *anchors[] = {&lab.root, &lab.other_root};
    char *text = lab_pem(anchors, 2);
    size_t len = strlen(text);
    ft_index *whole = ft_index_from_pem(text, len, &(ft_error){0});

    CHECK(whole != NULL && ft_index_len(whole) == 2);
    for (size_t i = 0; i < len; i++) {
        ft_error err = {0};
        char *part = malloc(i + 1); // of its own size, for the address sanitizer to watch the end
        memcpy(part, text, i);
        ft_index *index = ft_index_from_pem(part, i, &err);
        CHECK(index == NULL ? err.code == FT_E_MALFORMED : ft_index_len(index) <= 2);
        ft_index_free(index);
        free(part);

        char kept = text[i];
        text[i] = (char)(kept ^ (1 << i % 8));
        err = (ft_error){0};
        index = ft_index_from_pem(text, len, &err);
        CHECK(index == NULL ? err.code == FT_E_MALFORMED : ft_index_len(index) <= 2);
        ft_index_free(index);
        text[i] = kept;
    }
    ft_der der = ft_index_der(whole, 0);
    for (size_t i = 0; i < der.len; i++) {
        ft_error err = {0};
        char *part = malloc(i + 1);
        memcpy(part, der.data, i);
        CHECK(ft_index_from_der(part, i, &i, 1, &err) == NULL && err.code == FT_E_MALFORMED);
        free(part);
    }
    ft_error err = {0};
    size_t too_long = der.len + 1;
    CHECK(ft_index_from_der(der.data, der.len, &too_long, 1, &err) == NULL);
    CHECK(err.code == FT_E_MISUSE && ERR_peek_error() == 0);
    ft_index_free(whole);
    free(text);
}

/* ---- a source that changes --------------------------------------------------------------- */

static ft_source *shared;
static pthread_barrier_t together;
static int32_t over;
static int32_t num_due;

/* Each answer is one index's or the other's, never a mixture. */
static void *ask(void *arg)
{
    (void)arg;
    (void)pthread_barrier_wait(&together);
    while (ft_atomic_add(&over, 0) == 0) {
        ft_x509s *found = new_stack();
        ft_error err = {0};
        bool held = false;

        CHECK(ft_source_find(shared, X509_get_subject_name(lab.root.cert), found));
        CHECK(sk_X509_num(found) == 0 || is_only(found, &lab.root));
        CHECK(ft_source_hold(shared, &held, lab.other_root.cert, &err));
        free_stack(found);
    }
    return NULL;
}

static void a_source_is_replaced_while_many_ask(void)
{
    const identity *one[] = {&lab.root};
    const identity *other[] = {&lab.other_root};
    pthread_t threads[NUM_READERS];
    ft_error err = {0};

    shared = lab_system(&lab.root);
    CHECK(pthread_barrier_init(&together, NULL, NUM_READERS + 1) == 0);
    for (int i = 0; i < NUM_READERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, ask, NULL) == 0);
    }
    (void)pthread_barrier_wait(&together);
    for (int i = 0; i < NUM_SWAPS; i++) {
        ft_index *index = lab_index(i % 2 == 0 ? other : one, 1); // cold each time
        CHECK(ft_source_replace(shared, index, &err));
        ft_index_free(index);
    }
    (void)ft_atomic_add(&over, 1);
    for (int i = 0; i < NUM_READERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    ft_x509s *found = new_stack();
    CHECK(ft_source_find(shared, X509_get_subject_name(lab.root.cert), found));
    CHECK(is_only(found, &lab.root) && err.code == FT_OK);
    free_stack(found);
    ft_source_free(shared);
    CHECK(pthread_barrier_destroy(&together) == 0);
}

/* ---- a first use by many at once --------------------------------------------------------- */

static int32_t num_parsed;
static ft_index *cold;
static X509 *volatile first_found[NUM_USERS];
static X509 *(*parse)(X509 **, const unsigned char **, long);

static X509 *count_and_parse(X509 **out, const unsigned char **der, long len)
{
    (void)ft_atomic_add(&num_parsed, 1);
    return parse(out, der, len);
}

static void *use_first(void *arg)
{
    X509 *volatile *found_first = arg;

    for (int i = 0; i < NUM_FIRST_USES; i++) {
        (void)pthread_barrier_wait(&together); // the index is there
        ft_x509s *found = new_stack();
        CHECK(ft_index_find(cold, X509_get_subject_name(lab.root.cert), found));
        CHECK(is_only(found, &lab.root));
        *found_first = sk_X509_value(found, 0);
        (void)pthread_barrier_wait(&together); // everybody has used it
        free_stack(found);
    }
    return NULL;
}

/* All get the same certificate; whoever comes after the first parse finds it done. */
static void a_first_use_by_many_parses_a_few_times(void)
{
    const identity *anchors[] = {&lab.root, &lab.other_root};
    pthread_t threads[NUM_USERS];
    // The table is const to the core alone.
    struct ft_ossl *table = (struct ft_ossl *)(uintptr_t)ft_ossl();

    parse = table->d2i_X509;
    table->d2i_X509 = count_and_parse;
    CHECK(pthread_barrier_init(&together, NULL, NUM_USERS + 1) == 0);
    for (int i = 0; i < NUM_USERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, use_first, (void *)&first_found[i]) == 0);
    }
    for (int i = 0; i < NUM_FIRST_USES; i++) {
        int32_t before = num_parsed;
        cold = lab_index(anchors, 2);
        (void)pthread_barrier_wait(&together);
        (void)pthread_barrier_wait(&together);
        CHECK(num_parsed > before && num_parsed <= before + NUM_USERS);
        for (int other = 1; other < NUM_USERS; other++) {
            CHECK(first_found[other] == first_found[0]);
        }
        ft_index_free(cold);
    }
    for (int i = 0; i < NUM_USERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(num_parsed <= NUM_FIRST_USES * NUM_USERS / 2); // "a few", where 16 would be each its own
    CHECK(pthread_barrier_destroy(&together) == 0);
    table->d2i_X509 = parse;
}

/* ---- the clock --------------------------------------------------------------------------- */

static void *look_at_the_clock(void *arg)
{
    (void)arg;
    (void)pthread_barrier_wait(&together);
    for (int64_t now = 1; now <= 1000; now++) {
        if (ft_source_due(shared, now * 10, 10)) {
            (void)ft_atomic_add(&num_due, 1);
        }
    }
    return NULL;
}

/* At any moment of the clock one caller at most is told to look, and one is in every period. */
static void one_caller_per_period_is_due(void)
{
    pthread_t threads[NUM_READERS];

    shared = lab_system(NULL);
    CHECK(pthread_barrier_init(&together, NULL, NUM_READERS) == 0);
    for (int i = 0; i < NUM_READERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, look_at_the_clock, NULL) == 0);
    }
    for (int i = 0; i < NUM_READERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(num_due >= 1 && num_due <= 1000);
    CHECK(ft_source_due(shared, 100000, 10) && !ft_source_due(shared, 100009, 10));
    CHECK(ft_source_due(shared, 100010, 10));
    ft_source_free(shared);
    CHECK(pthread_barrier_destroy(&together) == 0);
}

int main(void)
{
    lab_begin();
    RUN(every_anchor_of_a_name_is_found);
    RUN(an_empty_index_finds_nothing);
    RUN(a_damaged_anchor_is_absent);
    RUN(what_is_no_certificate_is_refused);
    RUN(a_source_is_replaced_while_many_ask);
    RUN(a_first_use_by_many_parses_a_few_times);
    RUN(one_caller_per_period_is_due);
    return lab_end("test_index");
}
