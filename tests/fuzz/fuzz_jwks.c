/* fuzz/fuzz_jwks.c: what an issuer publishes as its key set: keys that verify nothing. */
/* covers: src/core/token/jwks.c src/core/token/key.c src/core/token/material.c src/core/token/weak.c */
#include "fuzz/fuzz.h"
#include "gatehouse/token.h"

static void check_key(const struct gh_jwks *set, struct gh_key *key, gh_str text)
{
    gh_str kid = gh_key_kid(key);
    GH_HOLDS(gh_key_algs(key) != 0 && gh_jwks_has_thumbprint(set, gh_key_thumbprint(key)));
    GH_HOLDS(kid.ptr == NULL || gh_jwks_has_kid(set, kid));
    for (unsigned alg = 0; alg < GH_ALG_COUNT; alg++) {
        bool usable = (gh_key_algs(key) & GH_ALG_BIT(alg)) != 0;
        enum gh_reason reason = gh_token_signature(key, (enum gh_alg)alg, kid, text);
        GH_HOLDS(reason == (usable ? GH_TOKEN_SIGNATURE : GH_TOKEN_ALGORITHM));
        struct gh_key *found = gh_jwks_find(set, kid, (enum gh_alg)alg);
        GH_HOLDS(found == NULL || (gh_key_algs(found) & GH_ALG_BIT(alg)) != 0);
        GH_HOLDS(found == key || kid.ptr == NULL || !usable);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str text = gh_str_of(data, size);
    unsigned faults[GH_KEY_FAULT_COUNT];
    struct gh_jwks *set = NULL;
    if (gh_jwks_read(text, (1u << GH_ALG_COUNT) - 1u, faults, &set) != GH_OK)
        return 0;
    GH_HOLDS(gh_jwks_count(set) != 0 && gh_jwks_count(set) <= 64);
    for (size_t i = 0; i < gh_jwks_count(set); i++)
        check_key(set, gh_jwks_peek_key(set, i), text);
    gh_jwks_unref(set);
    return 0;
}
