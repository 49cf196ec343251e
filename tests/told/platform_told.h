/*
 * What a test says in the platform's place, and what the platform was asked. Read by cffi too,
 * after fasttrust.h.
 */

/*
 * ft_told_say is the platform's word from now on. Without a chain a code of 0 comes with what the
 * peer sent; `num_chain` of 0 beside a chain is a success without one.
 */
void ft_told_say(int32_t code, int64_t native_code, const char *message, bool revocation_checked,
                 const ft_der *chain, size_t num_chain);

typedef struct ft_told_heard {
    int32_t times; // how often the platform was asked
    int32_t num_certs;
    char host[256]; // "" for none
    bool host_is_address;
    bool names_are_yours;
    bool is_server;
    bool check_leaf;
    bool check_chain;
    bool own_crls;
    bool has_time;
    int64_t time;
    int64_t staple_len;
    ft_policy policy;
} ft_told_heard;

/* ft_told_ask copies the latest question. */
void ft_told_ask(ft_told_heard *out_heard);
