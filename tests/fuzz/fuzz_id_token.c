/* fuzz/fuzz_id_token.c: a provider's token answer, or header and claims of an ID token in lines of their own.
 */
/* covers: src/core/login/id_token.c */
/* covers: src/core/login/identity.c without gh_login_provider */
#include "fuzz/judged.h"
#include "gatehouse/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const providers[] = { "generic", "entra-id", "google", "okta", "cognito" };
    static const gh_str issuers[] = { GH_STR_INIT("https://as") }, tenants[] = { GH_STR_INIT("t") };
    struct gh_arena *arena = gh_arena_new(0);
    const struct gh_login_asked asked = { .nonce = GH_STR("N") };
    struct gh_login_tokens tokens = { .access_token = GH_STR("A") };
    gh_str rest = gh_str_of(data, size), header = gh_str_cut(&rest, '\n');
    if (rest.ptr != NULL)
        tokens.id_token = gh_arena_printf(arena, "%.*s.%.*s.AA", GH_STR_FMT(gh_fuzz_base64url(arena, header)),
                                          GH_STR_FMT(gh_fuzz_base64url(arena, rest)));
    else if (gh_login_tokens_read(arena, header, &tokens) != GH_OK)
        tokens.id_token = GH_STR("");
    for (size_t i = 0; i < GH_ARRAY_LEN(providers); i++) {
        struct gh_login login = { .profile = *gh_login_profile(gh_str_from(providers[i])),
                                  .client_id = GH_STR("us") };
        struct gh_token token;
        struct gh_identity who, again;
        login.profile.issuers = (struct gh_strs){ issuers, 1 };
        login.profile.tenant_ids = (struct gh_strs){ tenants, i == 1 || i == 2 ? 1 : 0 };
        if (gh_id_token_open(arena, tokens.id_token, &login, &token) != GH_OK ||
            gh_id_token_judge(arena, &token, &login, &tokens, &asked, GH_FUZZ_NOW, &who) != GH_OK)
            continue;
        GH_HOLDS(gh_str_eq(who.issuer, issuers[0]) && who.subject.len > 0 && who.by_tenant == (i == 1));
        GH_HOLDS(login.profile.tenant_ids.count == 0 || gh_str_eq(who.tenant, tenants[0]));
        GH_HOLDS(gh_identity_read(arena, gh_identity_write(arena, &who), &again) == GH_OK);
        GH_HOLDS(gh_str_eq(gh_identity_key(arena, &who), gh_identity_key(arena, &again)));
    }
    gh_arena_free(arena);
    return 0;
}
