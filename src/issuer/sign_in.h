/* issuer/sign_in.h: what a worker asks the control thread about a provider, and what comes back: forms and
 * JSON as texts, so that a letter carries them. */
#ifndef GH_ISSUER_SIGN_IN_H
#define GH_ISSUER_SIGN_IN_H

#include "issuer/site.h"

/* Without a code: where its users sign in. With one: who has. Bytes are lent. */
struct gh_sign_in_ask {
    gh_str issuer, login; /* names in the settings */
    gh_str code, verifier, nonce;
    gh_str provider; /* that the code is for: gh_login_provider's */
    int64_t since;   /* of struct gh_login_asked */
};
/* ptr NULL when out of memory. */
gh_str gh_sign_in_ask_write(struct gh_arena *arena, const struct gh_sign_in_ask *ask);
GH_MUST_USE enum gh_reason gh_sign_in_ask_read(struct gh_arena *arena, gh_str text,
                                               struct gh_sign_in_ask *ret_ask);

/* The answer without a code; with one it is gh_identity_write's. */
struct gh_sign_in_place {
    gh_str endpoint;
    bool sends_iss;
};
gh_str gh_sign_in_place_write(struct gh_arena *arena, const struct gh_sign_in_place *place);
GH_MUST_USE enum gh_reason gh_sign_in_place_read(struct gh_arena *arena, gh_str text,
                                                 struct gh_sign_in_place *ret_place);

#endif
