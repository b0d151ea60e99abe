/* fuzz/fuzz_signing_row.c: the row of signing keys, which whoever may write to the store chooses, and what
 * was sealed in it: what is taken is written again and taken again, as the same keys. */
/* covers: src/core/token/signing_row.c */
/* covers: src/core/token/signing_keys.c */
#include "base/secret.h"
#include "fuzz/fuzz.h"
#include "gatehouse/signing_row.h"

static void same_again(struct gh_arena *arena, const struct gh_signing_seal *seal, struct gh_signing_set *set)
{
    static const unsigned char nonce[GH_SIGNING_ROW_NONCE] = { 1 };
    struct gh_signing_set again = { .count = 0 };
    const char *why;
    gh_str value = gh_signing_row_write(arena, seal, set, nonce);
    GH_HOLDS(set->count > 0 && set->count <= GH_SIGNING_KEYS_MAX && value.ptr != NULL);
    GH_HOLDS(gh_signing_row_read(arena, seal, value, &again, &why) == GH_OK && again.count == set->count);
    for (size_t i = 0; i < set->count; i++)
        GH_HOLDS(again.at[i].created == set->at[i].created &&
                 gh_str_eq(gh_signing_key_jwk(again.at[i].key), gh_signing_key_jwk(set->at[i].key)));
    gh_signing_set_done(&again);
    gh_signing_set_done(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char bytes[] = "0123456789abcdef0123456789abcdef";
    const struct gh_secret key = { .bytes = bytes, .len = 32 };
    const struct gh_signing_seal seal = { &key, GH_STR("acme"), GH_STR("https://auth.example") };
    struct gh_signing_set set = { .count = 0 };
    const char *why;
    struct gh_arena *arena = gh_arena_new(0);
    if (gh_signing_row_read(arena, &seal, gh_str_of(data, size), &set, &why) == GH_OK)
        same_again(arena, &seal, &set);
    if (gh_signing_keys_read(gh_str_of(data, size), 1, &set) == GH_OK)
        same_again(arena, &seal, &set);
    gh_arena_free(arena);
    return 0;
}
