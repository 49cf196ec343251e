#include "rows.h"

#include <string.h>

row rows[ROWS_MANY];
size_t num_rows;

typedef struct file {
    char name[64];
    ft_der der;
} file;

static file files[ROWS_MANY * ROWS_CERTS];
static size_t num_files;
static char folder_name[512];

ft_der rows_file(const char *name)
{
    for (size_t i = 0; i < num_files; i++) {
        if (strcmp(files[i].name, name) == 0) {
            return files[i].der;
        }
    }
    enum { LARGEST = 1 << 16 };
    char path[1024];
    char *bytes = malloc(LARGEST);

    (void)snprintf(path, sizeof path, "%s/%s", folder_name, name);
    FILE *stream = fopen(path, "rb");
    CHECK(stream != NULL && bytes != NULL && num_files < sizeof files / sizeof *files);
    size_t len = fread(bytes, 1, LARGEST, stream);
    CHECK(len > 0 && len < LARGEST && fclose(stream) == 0);
    (void)snprintf(files[num_files].name, sizeof files->name, "%s", name);
    files[num_files].der = (ft_der){.data = bytes, .len = len};
    return files[num_files++].der;
}

/* One word of what is asked: a flag, or a name with its value. */
static void read_word(const char *word, row *to)
{
    ft_question *question = &to->question;
    const char *value = strchr(word, '=');

    value = value == NULL ? "" : value + 1;
    if (strncmp(word, "host=", 5) == 0 || strncmp(word, "address=", 8) == 0) {
        (void)snprintf(to->host, sizeof to->host, "%s", value);
        question->host = to->host;
        question->host_is_address = word[0] == 'a';
    } else if (strncmp(word, "staple=", 7) == 0) {
        question->staple = rows_file(value);
    } else if (strncmp(word, "time=", 5) == 0) {
        question->has_time = true;
        question->time = strtoll(value, NULL, 10);
    } else if (strcmp(word, "client") == 0) {
        question->is_server = false;
    } else if (strcmp(word, "offline") == 0) {
        question->policy.network = false;
    } else if (strcmp(word, "soft") == 0) {
        question->policy.revocation = FT_REVOCATION_SOFT;
    } else if (strcmp(word, "hard") == 0) {
        question->policy.revocation = FT_REVOCATION_HARD;
    } else if (strcmp(word, "leaf") == 0) {
        question->check_leaf = true;
    } else if (strcmp(word, "chain") == 0) {
        question->check_chain = true;
    } else if (strcmp(word, "own") == 0) {
        question->own_crls = true;
    } else if (strcmp(word, "apple") == 0) {
        to->is_apples = true;
    } else {
        (void)fprintf(stderr, "the table knows no word %s\n", word);
        abort();
    }
}

/* The fields between tabs, which may be empty. */
static char *next_field(char **rest)
{
    char *field = *rest;
    char *end = strpbrk(field, "\t\n");

    CHECK(end != NULL);
    *end = '\0';
    *rest = end + 1;
    return field;
}

static void read_row(char *line, row *to)
{
    char *saved = NULL;

    (void)snprintf(to->name, sizeof to->name, "%s", next_field(&line));
    to->code = (int32_t)strtol(next_field(&line), NULL, 10);
    to->native_code = strtoll(next_field(&line), NULL, 10);
    to->question = (ft_question){.certs = to->certs, .is_server = true, .policy.network = true};
    char *asked = next_field(&line);
    char *sent = next_field(&line);
    for (char *word = strtok_r(asked, " ", &saved); word; word = strtok_r(NULL, " ", &saved)) {
        read_word(word, to);
    }
    for (char *name = strtok_r(sent, " ", &saved); name; name = strtok_r(NULL, " ", &saved)) {
        CHECK(to->question.num_certs < ROWS_CERTS);
        to->certs[to->question.num_certs++] = rows_file(name);
    }
    CHECK(to->question.num_certs > 0);
}

void rows_load(const char *folder)
{
    char path[1024];
    char line[1024];

    (void)snprintf(folder_name, sizeof folder_name, "%s", folder);
    (void)snprintf(path, sizeof path, "%s/rows.txt", folder);
    FILE *stream = fopen(path, "r");
    CHECK(stream != NULL);
    while (fgets(line, sizeof line, stream) != NULL) {
        CHECK(num_rows < ROWS_MANY);
        read_row(line, &rows[num_rows++]);
    }
    CHECK(num_rows > 0 && fclose(stream) == 0);
}

void rows_free(void)
{
    for (size_t i = 0; i < num_files; i++) {
        free((char *)files[i].der.data);
    }
    num_files = 0;
    num_rows = 0;
}

const row *rows_find(const char *name)
{
    for (size_t i = 0; i < num_rows; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    (void)fprintf(stderr, "no row %s\n", name);
    abort();
}

/* A name is the leaf's, an unknown issuer that of the last which was sent; what else is unknown. */
static int32_t depth_of(const ft_answer *answer, const ft_question *question)
{
    int32_t depth = -1;

    if (answer->code == FT_V_ERR_HOSTNAME_MISMATCH ||
        answer->code == FT_V_ERR_IP_ADDRESS_MISMATCH) {
        return 0;
    }
    if (answer->code == FT_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
        answer->code == FT_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
        answer->code == FT_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) {
        CHECK(ft_ders_unissued(question->certs, question->num_certs, &depth) == answer->code);
        CHECK(depth >= 0);
    }
    return depth;
}

ft_answer rows_ask(const ft_question *question)
{
    ft_answer answer;

    memset(&answer, 0x5a, sizeof answer); // nothing of it may be left
    bool trusted = ft_system_verify(question, &answer);
    CHECK(trusted == (answer.code == FT_V_OK));
    CHECK(trusted == (answer.chain != NULL) && trusted == (answer.num_chain > 0));
    CHECK(answer.depth == depth_of(&answer, question));
    CHECK(!answer.revocation_checked || trusted);
    CHECK(memchr(answer.native_message, '\0', sizeof answer.native_message) != NULL);
    CHECK(trusted == (answer.native_message[0] == '\0') || answer.native_code != 0);
    if (trusted) {
        CHECK(answer.native_code == 0 && answer.native_message[0] == '\0');
        CHECK(answer.chain[0].len == question->certs[0].len);
        CHECK(memcmp(answer.chain[0].data, question->certs[0].data, answer.chain[0].len) == 0);
    }
    return answer;
}
