/*
 * A platform that says what a test told it to: so that steps 3 and 4 of the design are seen on any
 * system, a platform that lies included. Built instead of the real one by FASTTRUST_PLATFORM, for
 * tests alone.
 */

#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "platform_told.h"

static ft_answer told = {.code = FT_V_ERR_UNSPECIFIED, .depth = -1};
static bool has_chain;
static ft_told_heard heard;

const bool ft_system_always_reads_staples = true;
const char *ft_system_name(void)
{
    return "told";
}

void ft_told_say(int32_t code, int64_t native_code, const char *message, bool revocation_checked,
                 const ft_der *chain, size_t num_chain)
{
    free(told.chain);
    told = (ft_answer){.code = code,
                       .depth = code == 0 ? -1 : 0,
                       .native_code = native_code,
                       .revocation_checked = revocation_checked,
                       .num_chain = num_chain};
    (void)strncpy(told.native_message, message, sizeof told.native_message - 1);
    has_chain = chain != NULL;
    told.chain = has_chain ? ft_ders_copy(chain, num_chain) : NULL;
    heard = (ft_told_heard){0};
}

void ft_told_ask(ft_told_heard *out_heard)
{
    *out_heard = heard;
}

bool ft_system_verify(const ft_question *question, ft_answer *out_answer)
{
    heard = (ft_told_heard){.times = heard.times + 1,
                            .num_certs = (int32_t)question->num_certs,
                            .host_is_address = question->host_is_address,
                            .names_are_yours = question->names_are_yours,
                            .is_server = question->is_server,
                            .check_leaf = question->check_leaf,
                            .check_chain = question->check_chain,
                            .own_crls = question->own_crls,
                            .has_time = question->has_time,
                            .time = question->time,
                            .staple_len = (int64_t)question->staple.len,
                            .policy = question->policy};
    if (question->host != NULL) {
        (void)strncpy(heard.host, question->host, sizeof heard.host - 1);
    }
    const ft_der *chain = has_chain ? told.chain : question->certs;
    size_t num_chain = has_chain ? told.num_chain : question->num_certs;

    *out_answer = told;
    out_answer->num_chain = num_chain;
    out_answer->chain = ft_ders_copy(chain, num_chain);
    return told.code == FT_V_OK;
}
