/* Fuzzes what an issuer publishes as its key set. */
#include "base/str.h"
#include "gatehouse/token.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned faults[GH_KEY_FAULT_COUNT];
    struct gh_jwks *set = NULL;
    if (gh_jwks_read(gh_str_of(data, size), (1u << GH_ALG_COUNT) - 1u, faults, &set) != GH_OK)
        return 0;
    if (gh_jwks_count(set) == 0 || gh_jwks_count(set) > 64)
        __builtin_trap();
    for (size_t i = 0; i < gh_jwks_count(set); i++) {
        struct gh_key *key = gh_jwks_peek_key(set, i);
        gh_str kid = gh_key_kid(key);
        if (kid.ptr != NULL && !gh_jwks_has_kid(set, kid))
            __builtin_trap();
        for (unsigned alg = 0; alg < GH_ALG_COUNT; alg++) {
            if (gh_token_signature(key, (enum gh_alg)alg, kid, gh_str_of(data, size)) == GH_OK)
                __builtin_trap();
        }
    }
    gh_jwks_unref(set);
    return 0;
}
