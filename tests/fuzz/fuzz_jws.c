/* Fuzzes what a client sends as its token: opened, matched, and judged as if its signature had been good. */
#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/token.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example") };
    static const gh_str audiences[] = { GH_STR_INIT("https://r.example/mcp") };
    static const gh_str profiles[] = { GH_STR_INIT("generic"), GH_STR_INIT("entra-id"),
                                       GH_STR_INIT("keycloak") };
    struct gh_binding binding = { .audiences = { audiences, 1 },
                                  .weak = true,
                                  .client_ids = { issuers, 1 },
                                  .scope_prefix = GH_STR("a"),
                                  .shared_audiences = { issuers, 1 },
                                  .route_scopes = { issuers, 1 } };
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_token token;
    struct gh_principal principal;
    if (arena != NULL && gh_token_open(arena, gh_str_of(data, size), &token) == GH_OK) {
        for (size_t i = 0; i < GH_ARRAY_LEN(profiles); i++) {
            struct gh_profile profile = *gh_profile_builtin(profiles[i]);
            profile.issuers = (struct gh_strs){ issuers, 1 };
            profile.issuer_template = GH_STR("https://{tid}/v2.0");
            profile.tenant_ids = (struct gh_strs){ issuers, 1 };
            (void)!gh_profile_matches(&profile, &token);
            (void)!gh_token_fits(&token, &profile);
            if (gh_token_judge(arena, &token, &profile, &binding, 1795300001, &principal) == GH_OK &&
                principal.subject.len == 0)
                __builtin_trap();
        }
    }
    gh_arena_free(arena);
    return 0;
}
