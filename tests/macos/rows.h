#ifndef FASTTRUST_TESTS_ROWS_H
#define FASTTRUST_TESTS_ROWS_H

/* The table that make_rows.py writes, as questions. Knows no OpenSSL: it runs on a Mac too. */

#include "check.h"
#include "core.h"

enum { ROWS_MANY = 64, ROWS_CERTS = 4 };

typedef struct row {
    char name[48];
    int32_t code;
    int64_t native_code;
    ft_question question;
    ft_der certs[ROWS_CERTS];
    char host[64];
    bool is_apples; // by a rule that binds no root which was added to a Mac
} row;

extern row rows[ROWS_MANY];
extern size_t num_rows;

/* rows_load reads the folder's table; rows_file one certificate of it, which stays. */
void rows_load(const char *folder);
ft_der rows_file(const char *name);
void rows_free(void);

/* rows_find returns the row of that name. */
const row *rows_find(const char *name);

/* rows_ask asks, and checks what every answer must hold; its chain is to be freed. */
ft_answer rows_ask(const ft_question *question);

#endif
