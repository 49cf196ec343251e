/*
 * Compat mode: the platform decides alone, about certificates that somebody else took from a
 * handshake. OpenSSL's functions are not at hand, so there is no step 4: what is left of it here is
 * that the verified chain begins with the peer's own leaf, and that the platform itself checks the
 * name. The caller has OpenSSL look at the chain in its own way.
 */

#include "core.h"

#include <stdlib.h>
#include <string.h>

static bool begins_with(const ft_answer *answer, const ft_der *leaf)
{
    return answer->chain != NULL && answer->num_chain > 0 && answer->chain[0].len == leaf->len &&
           memcmp(answer->chain[0].data, leaf->data, leaf->len) == 0;
}

bool ft_platform_verify(const ft_peer *peer, ft_verdict *out_verdict, ft_der **out_chain,
                        size_t *out_num_chain)
{
    ft_answer answer = {.code = FT_V_ERR_UNSPECIFIED, .depth = -1};
    ft_question question = {.certs = peer->certs,
                            .num_certs = peer->num_certs,
                            .host = peer->host,
                            .host_is_address = peer->host_is_address,
                            .names_are_yours = true,
                            .is_server = true,
                            .check_leaf = peer->check_leaf,
                            .check_chain = peer->check_chain,
                            .has_time = peer->at_time != NULL,
                            .time = peer->at_time != NULL ? *peer->at_time : 0,
                            .policy = peer->policy};

    *out_chain = NULL;
    *out_num_chain = 0;
    *out_verdict = (ft_verdict){.step = FT_STEP_SYSTEM, .code = FT_V_ERR_UNSPECIFIED, .depth = -1};
    if (peer->num_certs == 0) {
        return false; // nobody to judge
    }
    bool trusted = ft_system_verify(&question, &answer) && answer.code == FT_V_OK &&
                   begins_with(&answer, &peer->certs[0]);

    if (trusted || answer.code != FT_V_OK) { // else a success that is none
        out_verdict->code = answer.code;
    }
    out_verdict->depth = answer.depth;
    out_verdict->native_code = answer.native_code;
    memcpy(out_verdict->native_message, answer.native_message, sizeof answer.native_message);
    if (trusted) {
        *out_chain = answer.chain;
        *out_num_chain = answer.num_chain;
    } else {
        free(answer.chain);
    }
    return trusted;
}

void ft_platform_chain_free(ft_der *chain)
{
    free(chain);
}
