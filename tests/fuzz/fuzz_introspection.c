/* fuzz/fuzz_introspection.c: what an issuer answers when asked about an opaque token. */
/* covers: src/core/token/judge.c src/core/token/claims.c src/core/token/times.c src/core/token/kind.c */
/* covers: src/core/token/binding.c src/core/token/principal.c src/core/token/actor.c */
#include "fuzz/judged.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const providers[] = { "generic", "entra-id", "keycloak", "cloudflare-access" };
    gh_str answer = gh_str_of(data, size);
    for (size_t i = 0; i < GH_ARRAY_LEN(providers); i++) {
        struct gh_arena *arena = gh_arena_new(0);
        struct gh_profile profile = gh_fuzz_profile(gh_str_from(providers[i]));
        struct gh_binding binding = gh_fuzz_binding(&profile);
        struct gh_principal who;
        enum gh_reason reason = gh_introspection_judge(arena, answer, &profile, &binding, GH_FUZZ_NOW, &who);
        if (reason == GH_OK) {
            GH_HOLDS(gh_str_contains(answer, GH_STR("true")));
            gh_fuzz_check_principal(&profile, &who);
        }
        gh_arena_free(arena);
        if (reason == GH_INTROSPECTION_DOWN) /* no JSON, for the others as well */
            break;
    }
    return 0;
}
